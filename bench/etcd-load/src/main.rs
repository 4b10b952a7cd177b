//! A load generator for etcd over gRPC: closed-loop puts, or linearizable gets, one HTTP/2 connection a client, one
//! thread. Prints one line of JSON.
//!
//! `etcd-load ENDPOINTS put|get CLIENTS SECONDS VALUE_BYTES KEYS`, endpoints as `http://127.0.0.1:2379,…`.

use hdrhistogram::Histogram;
use http::uri::PathAndQuery;
use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tonic::client::Grpc;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

/// etcdserverpb.PutRequest, the fields that matter.
#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// etcdserverpb.RangeRequest, the fields that matter: linearizable unless it says otherwise.
#[derive(Clone, PartialEq, prost::Message)]
struct RangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

/// Any answer: what is in it is skipped.
#[derive(Clone, PartialEq, prost::Message)]
struct Answer {}

struct Load {
    is_put: bool,
    value: Vec<u8>,
    keys: u64,
    end: Instant,
    latencies: RefCell<Histogram<u64>>,
}

async fn client(endpoint: Endpoint, number: u64, load: Rc<Load>) -> Result<(), String> {
    let channel = endpoint.connect().await.map_err(|error| error.to_string())?;
    let mut grpc = Grpc::new(channel);
    // Keys are drawn by a small generator: the same load for every system needs no more.
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while Instant::now() < load.end {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let key = format!("key:{:012}", state % load.keys).into_bytes();
        let begin = Instant::now();
        grpc.ready().await.map_err(|error| error.to_string())?;
        let answered = if load.is_put {
            let request = PutRequest { key, value: load.value.clone() };
            let path = PathAndQuery::from_static("/etcdserverpb.KV/Put");
            grpc.unary::<_, Answer, _>(tonic::Request::new(request), path, ProstCodec::default()).await
        } else {
            let path = PathAndQuery::from_static("/etcdserverpb.KV/Range");
            let request = tonic::Request::new(RangeRequest { key });
            grpc.unary::<_, Answer, _>(request, path, ProstCodec::default()).await
        };
        answered.map_err(|status| status.to_string())?;
        let us = begin.elapsed().as_micros() as u64;
        load.latencies.borrow_mut().saturating_record(us);
    }
    Ok(())
}

fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call only writes to `time`.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn run() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [endpoints, operation, clients, seconds, value_bytes, keys] = arguments.as_slice() else {
        return Err("usage: etcd-load ENDPOINTS put|get CLIENTS SECONDS VALUE_BYTES KEYS".to_owned());
    };
    let number = |text: &String| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    let (clients, seconds, value_bytes, keys) =
        (number(clients)?, number(seconds)?, number(value_bytes)?, number(keys)?);
    let endpoints: Vec<Endpoint> = endpoints
        .split(',')
        .map(|uri| Endpoint::from_shared(uri.to_owned()).map_err(|error| error.to_string()))
        .collect::<Result<_, _>>()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let begin = Instant::now();
    let load = Rc::new(Load {
        is_put: operation == "put",
        value: vec![b'x'; value_bytes as usize],
        keys,
        end: begin + Duration::from_secs(seconds),
        latencies: RefCell::new(
            Histogram::new_with_bounds(1, 60_000_000, 3).map_err(|error| error.to_string())?,
        ),
    });
    let local = tokio::task::LocalSet::new();
    let tasks: Vec<_> = (0..clients)
        .map(|n| {
            let endpoint = endpoints[n as usize % endpoints.len()].clone();
            local.spawn_local(client(endpoint, n + 1, Rc::clone(&load)))
        })
        .collect();
    let mut errors = 0u64;
    local.block_on(&runtime, async {
        for task in tasks {
            if let Ok(Err(error)) = task.await {
                errors += 1;
                eprintln!("etcd-load: {error}");
            }
        }
    });
    let latencies = load.latencies.borrow();
    let at = |quantile| latencies.value_at_quantile(quantile) as f64 / 1000.0;
    let (count, elapsed) = (latencies.len(), begin.elapsed().as_secs_f64());
    println!(
        "{{\"requests\":{count},\"errors\":{errors},\"requests_per_second\":{:.1},\"p50_ms\":{:.3},\"p99_ms\":{:.3},\"own_us_per_request\":{:.2}}}",
        count as f64 / elapsed,
        at(0.5),
        at(0.99),
        cpu_seconds() * 1e6 / count.max(1) as f64
    );
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("etcd-load: {problem}");
            ExitCode::from(2)
        }
    }
}
