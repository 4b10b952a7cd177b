//! How long each step of a small command takes on one core, without sockets:
//! `cargo run --release -p synod-store --example speed`.

use std::hint::black_box;
use std::time::Instant;
use synod_node::StateMachine as _;
use synod_resp::{Limits, Parsed, Protocol, RequestParser, write_request};
use synod_stdx::Rng;
use synod_store::{
    Action, Cluster, ClusterNode, Command, Environment, Facts, Keyspace, Outcome, Session, Settings,
    Statistics,
};

struct Nobody;

impl Facts for Nobody {
    fn cluster(&self) -> Cluster {
        let node =
            ClusterNode { id: String::new(), host: String::new(), port: 0, peer_port: 0, is_connected: true };
        Cluster::of_one_group(vec![node], 0, Some(0))
    }

    fn statistics(&self) -> Statistics {
        Statistics::default()
    }

    fn clients(&self, _ids: Option<&[u64]>) -> String {
        String::new()
    }
}

const COMMANDS: usize = 200_000;
const KEYS: u64 = 1_000_000;

fn report(what: &str, started: Instant) {
    println!("{what:32} {:6.0} ns a command", started.elapsed().as_secs_f64() * 1e9 / COMMANDS as f64);
}

/// The requests of a pipelining client.
fn requests(name: &str, value: Option<&str>) -> Vec<u8> {
    let (mut rng, mut bytes) = (Rng::new(1), Vec::new());
    for _ in 0..COMMANDS {
        let key = format!("key:{:012}", rng.below(KEYS));
        let words: Vec<&str> = [name, &key].into_iter().chain(value).collect();
        write_request(&mut bytes, &words);
    }
    bytes
}

fn measure(name: &str, value: Option<&str>, keyspace: &mut Keyspace) {
    let bytes = requests(name, value);
    let started = Instant::now();
    let mut parser = RequestParser::new(Limits::default(), true);
    while let Ok(Parsed::Command(args)) = parser.advance(&bytes) {
        black_box(args.len());
    }
    report(&format!("{name}: parse"), started);
    let settings = Settings::default();
    let environment = Environment { monotonic_ms: 1, random: 1, settings: &settings, facts: &Nobody };
    let mut session = Session::new(1, String::new(), &environment);
    let (mut parser, mut commands) =
        (RequestParser::new(Limits::default(), true), Vec::with_capacity(COMMANDS));
    let started = Instant::now();
    while let Ok(Parsed::Command(args)) = parser.advance(&bytes) {
        let Action::Submit(command, awaiting) = session.on_command(args, &environment) else { return };
        session.on_outcome(awaiting, Outcome::Done(synod_resp::Reply::OK));
        commands.push(command);
    }
    report(&format!("{name}: parse, session, command"), started);
    let mut out = Vec::new();
    let run = |keyspace: &mut Keyspace, command: &Command| match Keyspace::is_read_only(command) {
        true => keyspace.query(command).unwrap_or(synod_resp::Reply::Null),
        false => keyspace.apply(command),
    };
    let started = Instant::now();
    for command in &commands {
        out.clear();
        run(keyspace, command).write(Protocol::Resp2, &mut out);
    }
    report(&format!("{name}: run, write the reply"), started);
}

fn main() {
    let value = "v".repeat(128);
    let mut keyspace = Keyspace::new();
    measure("SET", Some(&value), &mut keyspace);
    measure("GET", None, &mut keyspace);
    let started = Instant::now();
    let snapshots: Vec<Keyspace> = (0..1_000).map(|_| keyspace.clone()).collect();
    println!("a snapshot takes {:.1} µs; {} keys", started.elapsed().as_secs_f64() * 1e3, snapshots[0].len());
    measure("SET", Some(&value), &mut keyspace);
    drop(snapshots);
}
