//! The same random commands to this store and to a stock server; the answers must be the same.

use super::Desk;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use synod_resp::{Reply, ReplyParser, write_request};
use synod_stdx::Rng;

struct Stock {
    server: Child,
    stream: UnixStream,
    parser: ReplyParser,
    buffer: Vec<u8>,
    _directory: tempfile::TempDir,
}

impl Drop for Stock {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Stock {
    /// Starts a server of its own on a socket file; `None` if the program is not installed.
    fn start() -> Option<Stock> {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("redis.sock");
        let server = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let deadline = Instant::now() + Duration::from_secs(20);
        let stream = loop {
            match UnixStream::connect(&socket) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > deadline => panic!("redis-server does not answer: {error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        Some(Stock {
            server,
            stream,
            parser: ReplyParser::default(),
            buffer: Vec::new(),
            _directory: directory,
        })
    }

    fn ask(&mut self, words: &[String]) -> Reply {
        let mut request = Vec::new();
        write_request(&mut request, words);
        self.stream.write_all(&request).unwrap();
        loop {
            if let Some(reply) = self.parser.advance(&self.buffer).unwrap() {
                self.parser.release_from(&mut self.buffer);
                return reply;
            }
            let mut piece = [0; 4096];
            let read = self.stream.read(&mut piece).unwrap();
            assert!(read > 0, "redis-server closed the connection");
            self.buffer.extend_from_slice(&piece[..read]);
        }
    }
}

const COMMANDS: &[&str] = &[
    "GET K",
    "SET K V",
    "SET K V O O",
    "SET K V O",
    "SETNX K V",
    "SETEX K E V",
    "PSETEX K E V",
    "GETSET K V",
    "GETDEL K",
    "GETEX K",
    "GETEX K O E",
    "GETEX K PERSIST",
    "GETEX K O",
    "MGET K K K",
    "MSET K V K V",
    "MSET K V K",
    "MSETNX K V K V",
    "APPEND K V",
    "STRLEN K",
    "GETRANGE K N N",
    "SUBSTR K N N",
    "SETRANGE K S V",
    "INCR K",
    "INCR K",
    "DECR K",
    "INCRBY K N",
    "DECRBY K N",
    "INCRBYFLOAT K F",
    "INCRBYFLOAT K F",
    "INCRBYFLOAT K N",
    "DEL K",
    "DEL K K",
    "UNLINK K",
    "EXISTS K K",
    "TYPE K",
    "TOUCH K K",
    "RENAME K K",
    "RENAMENX K K",
    "COPY K K",
    "COPY K K REPLACE",
    "COPY K K O",
    "KEYS P",
    "DBSIZE",
    "EXPIRE K E",
    "EXPIRE K E C",
    "EXPIRE K E C C",
    "PEXPIRE K E C",
    "EXPIREAT K T",
    "PEXPIREAT K T C",
    "TTL K",
    "PTTL K",
    "EXPIRETIME K",
    "PEXPIRETIME K",
    "PERSIST K",
    "OBJECT FREQ K",
    "OBJECT FOO K",
    "SCAN 0 COUNT 1000",
    "SCAN 0 COUNT 1000 MATCH P",
    "SCAN x",
    "SCAN 0 COUNT N O",
    "MULTI",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH w",
    "WATCH w",
    "SET w V",
    "APPEND w V",
    "PERSIST w",
    "UNWATCH",
    "PING",
    "ECHO V",
    "NOPE K",
    "GET",
    "SET K",
    "INCRBY K",
];

/// A command made of a template: each capital letter is a kind of argument.
fn invent(rng: &mut Rng) -> Vec<String> {
    let template = *rng.pick(COMMANDS).unwrap();
    let far = "253402300799";
    let later = rng.between(100, 10_000).to_string() + "000";
    let mut pick = |choices: &[&str]| (*rng.pick(choices).unwrap()).to_owned();
    let kinds: Vec<String> = template
        .split(' ')
        .map(|word| match word {
            "K" => pick(&["a", "b", "c", "d", "{a}e", ""]),
            "V" => pick(&[
                "",
                "v",
                "12",
                "-7",
                "3.25",
                "hello world",
                " 1",
                "9223372036854775807",
                "1e3",
                "\u{0}\r\n",
            ]),
            "N" => pick(&[
                "0",
                "1",
                "-1",
                "2",
                "-3",
                "100000",
                "x",
                "",
                "9223372036854775807",
                "-9223372036854775808",
                "01",
            ]),
            // No time that is over before both have answered, and hardly one twice.
            "E" => pick(&["0", "-1", &later, &later, "x", "", "9223372036854775807", "-9223372036854775808"]),
            "S" => pick(&["0", "1", "7", "-1", "x", "20000000000"]),
            "F" => pick(&[
                "0.1",
                "-0.1",
                "1000.1",
                "3",
                "1e10",
                "1.7e-5",
                "123456789.123",
                "-1e18",
                "x",
                "inf",
                "5.",
                ".5",
            ]),
            "T" => pick(&[far, "1", "-5", "253402300799000", "x"]),
            "O" => pick(&["NX", "XX", "GET", "KEEPTTL", "EX", "PERSIST", "REPLACE", "foo", "100000"]),
            "C" => pick(&["NX", "XX", "GT", "LT", "foo"]),
            "P" => pick(&["*", "?", "[a-c]", "[^a]", "{a}*", "\\a", "x*"]),
            literal => literal.to_owned(),
        })
        .collect();
    kinds
}

/// Hides what may differ: the order of keys, and times that pass between the two answers.
fn comparable(words: &[String], reply: &Reply) -> String {
    let sorted = |items: &[Reply]| {
        let mut items: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
        items.sort();
        format!("{items:?}")
    };
    match (words[0].as_str(), reply) {
        ("KEYS", Reply::Array(keys)) => sorted(keys),
        ("SCAN", Reply::Array(pair)) => match pair.as_slice() {
            [cursor, Reply::Array(keys)] => format!("{cursor:?} {}", sorted(keys)),
            _ => format!("{reply:?}"),
        },
        ("TTL" | "PTTL" | "EXPIRETIME" | "PEXPIRETIME", Reply::Integer(time)) if *time > 0 => {
            let tolerance = if words[0].starts_with('P') { 20_000 } else { 20 };
            format!("about {}", (time + tolerance / 2) / tolerance)
        }
        // What a transaction answers holds such answers too: whether there is one, and how long, is compared.
        ("EXEC", Reply::Array(items)) => format!("{} answers", items.len()),
        _ => format!("{reply:?}"),
    }
}

#[test]
fn random_commands_get_the_answers_of_a_stock_server() {
    let Some(mut stock) = Stock::start() else {
        let text = "redis-server is not installed: `apt-get install redis-server`";
        assert!(std::env::var_os("CI").is_none(), "{text}");
        println!("NOT COMPARED with a stock server: {text}");
        return;
    };
    let seed = 2026;
    let (mut rng, mut desk) = (Rng::new(seed), Desk::default());
    let mut history: Vec<String> = Vec::new();
    for index in 0..30_000 {
        // What is watched is always there: see the crate's page for the one case in which the two differ.
        let words = match index % 50 {
            0 => ["SETNX", "w", "v"].map(str::to_owned).to_vec(),
            _ => invent(&mut rng),
        };
        desk.now_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        let (theirs, ours) = (stock.ask(&words), desk.ask(&words));
        history.push(format!("{words:?}\n    theirs {theirs:?}\n    ours   {ours:?}"));
        let (left, right) = (comparable(&words, &theirs), comparable(&words, &ours));
        // A time may fall on the edge of its interval.
        let is_near = left.starts_with("about") && right.starts_with("about");
        let recent = &history[history.len().saturating_sub(25)..];
        assert!(left == right || is_near, "seed {seed}, command {index} differs:\n{}", recent.join("\n"));
    }
}
