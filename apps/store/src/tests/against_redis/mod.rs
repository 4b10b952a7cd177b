//! The same random commands to this store and to a stock server; the answers must be the same.

mod collections;
mod comparable;
mod strings;
mod table;

use super::Desk;
use comparable::{comparable, transaction};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use synod_resp::{Protocol, Reply, ReplyParser, write_request};

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

/// A store and a stock server that are asked the same.
struct Pair {
    stock: Stock,
    desk: Desk,
    protocol: Protocol,
    /// What the commands follow from.
    seed: u64,
    is_in_transaction: bool,
    /// The commands of the transaction under way.
    queued: Vec<Vec<String>>,
    history: Vec<String>,
}

impl Pair {
    /// `None` if there is no stock server to compare with.
    fn start(protocol: Protocol, seed: u64) -> Option<Pair> {
        let Some(stock) = Stock::start() else {
            let text = "redis-server is not installed: `apt-get install redis-server`";
            assert!(std::env::var_os("CI").is_none(), "{text}");
            println!("NOT COMPARED with a stock server: {text}");
            return None;
        };
        let (desk, is_in_transaction, queued, history) = Default::default();
        let mut pair = Pair { stock, desk, protocol, seed, is_in_transaction, queued, history };
        if protocol == Protocol::Resp3 {
            let hello = ["HELLO", "3"].map(str::to_owned);
            pair.stock.ask(&hello);
            pair.desk.ask(&hello);
        }
        Some(pair)
    }

    /// Asks both, and fails if the answers differ.
    fn ask(&mut self, words: &[String]) {
        // What is about all keys is about those of all groups, and refused inside a transaction.
        let is_about_all_keys =
            ["DBSIZE", "FLUSHALL", "KEYS", "RANDOMKEY", "SCAN"].contains(&words[0].as_str());
        if self.is_in_transaction && is_about_all_keys {
            return;
        }
        #[expect(clippy::disallowed_methods, reason = "a stock server goes by the wall clock")]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        self.desk.now_ms = now.as_millis() as u64;
        let theirs = self.stock.ask(words);
        let mut bytes = Vec::new();
        self.desk.ask(words).write(self.protocol, &mut bytes);
        let ours = ReplyParser::default().advance(&bytes).unwrap().unwrap();
        let shown: Vec<&str> = words.iter().take(12).map(String::as_str).collect();
        let cut = |reply: &Reply| format!("{reply:?}").chars().take(400).collect::<String>();
        self.history.push(format!("{shown:?}\n    theirs {}\n    ours   {}", cut(&theirs), cut(&ours)));
        let (left, right) = match words[0].as_str() {
            "EXEC" => {
                let queued = std::mem::take(&mut self.queued);
                (transaction(&queued, &theirs), transaction(&queued, &ours))
            }
            _ => (comparable(words, &theirs), comparable(words, &ours)),
        };
        match words[0].as_str() {
            "MULTI" => self.is_in_transaction = true,
            "EXEC" | "DISCARD" | "RESET" => self.is_in_transaction = false,
            _ => {}
        }
        match theirs {
            Reply::Simple(text) if text == "QUEUED" => self.queued.push(words.to_vec()),
            _ if words[0] == "DISCARD" => self.queued.clear(),
            _ => {}
        }
        // A time may fall on the edge of its interval.
        let is_near = left.starts_with("about") && right.starts_with("about");
        let recent = &self.history[self.history.len().saturating_sub(25)..];
        assert!(left == right || is_near, "{:?}, seed {}:\n{}", self.protocol, self.seed, recent.join("\n"));
    }
}
