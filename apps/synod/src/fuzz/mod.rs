//! `synod fuzz`: bytes and messages that no correct process sends, by a seed: no input makes anything panic.
//!
//! The targets are the nodes of all modules (`verification/registry`) and the readers of all other bytes from outside:
//! handshakes and frames of peers, requests and replies, traces, recordings and histories, a node's directory (`disks.rs`) and
//! its configuration.

mod disks;

use crate::cli::{Fuzz, usage_error};
use crate::config::Config;
use std::process::ExitCode;
use std::time::Instant;
use synod_host::frame::{
    ANSWER_BYTES, FRAME_HEADER_BYTES, HELLO_BYTES, Hello, Refusal, Seen, answer_from_bytes, answer_to_bytes,
    first_frame, put_frame,
};
use synod_node::NodeId;
use synod_resp::{Limits, Parsed, ReplyParser, RequestParser, write_request};
use synod_stdx::Rng;
use synod_testkit::{FuzzTarget, spoiled};
use synod_world::{Header, Origin, Recording, Trace, TraceEvent};

/// So many cases a decoder has in one episode.
const EPISODE_CASES: u64 = 1_000;
/// A parser of a connection gets at most so many bytes at a time.
const PIECE_BYTES_MAX: u64 = 40;

/// All targets: nodes and decoders.
pub fn targets() -> Vec<FuzzTarget> {
    let mut targets = synod_registry::fuzz_targets();
    targets.extend(decoders());
    targets
}

/// The readers of bytes that are not part of a node.
fn decoders() -> Vec<FuzzTarget> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    vec![
        decoder("handshakes", handshakes(), |_, bytes| read_handshake(&bytes)),
        decoder("frames", frames(), read_frames),
        decoder("requests", requests(), |rng, bytes| read_requests(rng, &bytes)),
        decoder("replies", replies(), |rng, bytes| read_replies(rng, &bytes)),
        decoder("traces", vec![trace()], move |_, bytes| drop(Trace::from_text(&text(bytes)))),
        decoder("recordings", vec![recording()], move |_, bytes| drop(Recording::from_text(&text(bytes)))),
        decoder("histories", histories(), move |_, bytes| drop(synod_history::parse(&text(bytes)))),
        decoder("configurations", configurations(), move |_, bytes| drop(Config::parse(&text(bytes)))),
        disks::target(),
    ]
}

fn decoder(
    name: &'static str,
    samples: Vec<Vec<u8>>,
    read: impl Fn(&mut Rng, Vec<u8>) + 'static,
) -> FuzzTarget {
    let episode = move |seed| {
        let mut rng = Rng::new(seed);
        for _ in 0..EPISODE_CASES {
            let bytes = spoiled(&mut rng, &samples);
            read(&mut rng, bytes);
        }
        EPISODE_CASES
    };
    FuzzTarget { name, episode: Box::new(episode) }
}

fn handshakes() -> Vec<Vec<u8>> {
    let hello = Hello { cluster: 7, from: 1, to: 2, incarnation: 1, start: 3, nonce: 1 << 90, disk: 5 };
    let seen = Some(Seen { start: 3, nonce: 9, durable: 1_000 });
    vec![hello.to_bytes(), answer_to_bytes(Ok(()), seen), answer_to_bytes(Err(Refusal::Superseded), seen)]
}

fn read_handshake(bytes: &[u8]) {
    let mut hello = [0; HELLO_BYTES];
    let mut answer = [0; ANSWER_BYTES];
    hello.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    answer.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let _ = (Hello::from_bytes(&hello), answer_from_bytes(&answer));
}

fn frames() -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    for message in [vec![], vec![1u64, 2, 3], vec![7; 60]] {
        put_frame(&mut bytes, 5, (NodeId::server(1), NodeId::client(2)), &message);
    }
    vec![bytes]
}

/// The frames at the front. Half of the time the first one's checksum is made right, so that the reader looks behind it.
fn read_frames(rng: &mut Rng, mut bytes: Vec<u8>) {
    if rng.chance(500) && bytes.len() > FRAME_HEADER_BYTES {
        let length = (bytes.len() - FRAME_HEADER_BYTES) as u32;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        let crc = crc32fast::hash(&bytes[FRAME_HEADER_BYTES..]);
        bytes[4..FRAME_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    }
    let mut rest = &bytes[..];
    while let Ok(Some(frame)) = first_frame(rest) {
        rest = &rest[frame.bytes..];
    }
}

fn requests() -> Vec<Vec<u8>> {
    let words: [&[&str]; 3] = [&["SET", "k", "v"], &["MGET", "a", "b", "c"], &["EVAL", "", "0"]];
    let mut samples: Vec<Vec<u8>> = words
        .iter()
        .map(|words| {
            let mut bytes = Vec::new();
            write_request(&mut bytes, words);
            bytes
        })
        .collect();
    samples.push(b"set k \"a b\\x00\" 'c d'\r\nping\r\n".to_vec());
    samples.push(b"*1\r\n$4\r\nPING\r\n*0\r\n*-1\r\n$536870912\r\n".to_vec());
    samples
}

/// The connection's bytes in pieces, as a socket has them.
fn pieces<'a>(rng: &'a mut Rng, mut rest: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, later) = rest.split_at((1 + rng.below(PIECE_BYTES_MAX) as usize).min(rest.len()));
        rest = later;
        Some(piece)
    })
}

fn read_requests(rng: &mut Rng, bytes: &[u8]) {
    let limits = if rng.chance(500) { Limits::default() } else { tight() };
    let mut parser = RequestParser::new(limits, rng.chance(500));
    let mut buffer = Vec::new();
    for piece in pieces(rng, bytes) {
        buffer.extend_from_slice(piece);
        loop {
            match parser.advance(&buffer) {
                Ok(Parsed::Incomplete) => break,
                Ok(Parsed::Command(args)) => assert!(args.iter().count() == args.len()),
                Ok(Parsed::Oversized(_)) => {}
                Err(_) => return,
            }
        }
        parser.release_from(&mut buffer);
    }
}

/// Limits that short inputs reach.
fn tight() -> Limits {
    Limits {
        inline_bytes_max: 12,
        arguments_max: 3,
        bulk_bytes_max: 4,
        request_bytes_max: 24,
        ..Limits::default()
    }
}

fn replies() -> Vec<Vec<u8>> {
    [
        "+OK\r\n-ERR no\r\n:12\r\n$3\r\nabc\r\n$-1\r\n*2\r\n:1\r\n*1\r\n+x\r\n",
        "%1\r\n+a\r\n_\r\n~2\r\n#t\r\n,1.5\r\n(123456789012345678901234567890\r\n=5\r\ntxt:a\r\n",
        "|1\r\n+k\r\n+v\r\n>2\r\n+message\r\n+x\r\n*-1\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

fn read_replies(rng: &mut Rng, bytes: &[u8]) {
    let mut parser = ReplyParser::default();
    let mut buffer = Vec::new();
    for piece in pieces(rng, bytes) {
        buffer.extend_from_slice(piece);
        loop {
            match parser.advance(&buffer) {
                Ok(None) => break,
                Ok(Some(_)) => parser.release_from(&mut buffer),
                Err(_) => return,
            }
        }
    }
}

fn trace() -> Vec<u8> {
    let node = || "n1".to_owned();
    let events = vec![
        TraceEvent::Start { at_us: 0, node: node() },
        TraceEvent::Deliver { at_us: 5, from: "c1".to_owned(), to: node(), message: "Ping".to_owned() },
        TraceEvent::Durable { at_us: 7, node: node(), writes: 3 },
    ];
    Trace { header: Header::of("pingpong", "by_hand", ""), events }.to_text().into_bytes()
}

fn recording() -> Vec<u8> {
    let mut text = Recording::header_line(Origin { cluster: 1, process: 2, start: 3, part: 0 });
    text.push_str("{\"event\":\"start\",\"at_us\":1,\"node\":\"n1\",\"built\":{\"node\":1}}\n");
    text.push_str(&synod_world::did_line(77));
    text.into_bytes()
}

fn histories() -> Vec<Vec<u8>> {
    let invoke =
        "{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :ok, :f :write, :value 1}\n";
    let lines = "INFO  jepsen.util - 3 :invoke :cas [2 1]\nINFO  jepsen.util - 3 :info :cas [2 1]\n";
    let keyed = "[{:process 1, :type :invoke, :f :append, :key \"x\", :value \"a\\n\"}]\n";
    [invoke, lines, keyed].map(|text| text.as_bytes().to_vec()).to_vec()
}

fn configurations() -> Vec<Vec<u8>> {
    let own = "cluster = \"größe\"\nnode = 1\ndata = \"/var/lib/synod\"\nlisten = \"127.0.0.1:7000\"\npeer_listen = \
               \"[::1]:17000\"\nincarnation = 2\ngroups = 4\n\n[limits]\nclients_max = 10\nvalue_bytes_max = 100\n";
    let peers = "\n[[peers]]\nnode = 1\npeer = \"one:17000\"\nclient = \"one:7000\"\n\n[[peers]]\nnode = 2\npeer = \
                 \"two:1\"\nclient = \"10.0.0.2:2\"\n";
    let tls = "\n[tls]\ncert_file = \"/a\"\nkey_file = \"/b\"\nallows_plain = true\n";
    [[own, peers, tls].concat(), [own, peers].concat()].map(String::into_bytes).to_vec()
}

/// Runs `synod fuzz`.
pub fn run(arguments: &Fuzz) -> ExitCode {
    let all = targets();
    let names: Vec<&str> = all.iter().map(|target| target.name).collect();
    if let Some(unknown) = arguments.target.iter().find(|name| !names.contains(&name.as_str())) {
        return usage_error(&format!("--target {unknown}: no such target; there are {}", names.join(", ")));
    }
    let is_chosen = |target: &&FuzzTarget| {
        arguments.target.is_empty() || arguments.target.iter().any(|name| name == target.name)
    };
    let mut failed = false;
    for target in all.iter().filter(is_chosen) {
        let begin = Instant::now();
        match target.run(arguments.seed, arguments.cases) {
            Ok(cases) => {
                let seconds = begin.elapsed().as_secs_f64();
                println!("{:<14} {cases:>11} cases  {seconds:>8.1} s  no panic", target.name);
            }
            Err(failure) => {
                failed = true;
                println!("{failure}");
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::decoders;

    #[test]
    fn no_decoder_panics_on_spoiled_bytes() {
        for target in decoders() {
            let run = target.run(1, 20_000);
            assert!(run.is_ok(), "{}", run.unwrap_err());
        }
    }
}
