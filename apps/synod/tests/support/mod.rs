//! A server for tests: the front door with one keyspace behind it, on a port that the system picks.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::cell::{Cell, RefCell};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use synod_node::StateMachine as _;
use synod_resp::{Reply, ReplyParser, write_request};
use synod_store::{Administration, Cluster, ClusterNode, Command, Keyspace, Outcome, Settings};
use synod_synod::server::{Backend, Completions, Limits, Options, Position, Server, Token};
use synod_synod::tls::Door;

/// Runs every command at once on one keyspace: neither durable nor replicated.
pub struct Standalone {
    keyspace: RefCell<Keyspace>,
    completions: Completions,
    address: SocketAddr,
    /// What was submitted since the last flush.
    batch: RefCell<Vec<(Token, Command)>>,
    applied: Cell<u64>,
}

impl Standalone {
    pub fn new(completions: Completions, address: SocketAddr) -> Standalone {
        Standalone {
            keyspace: RefCell::new(Keyspace::new()),
            completions,
            address,
            batch: RefCell::default(),
            applied: Cell::new(0),
        }
    }
}

/// What a log would say of the time, in ms since 1970.
fn log_time_ms() -> u64 {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    1_700_000_000_000 + BEGIN.get_or_init(Instant::now).elapsed().as_millis() as u64
}

impl Backend for Standalone {
    fn submit(&self, token: Token, command: Command) {
        self.batch.borrow_mut().push((token, command));
    }

    fn administer(&self, token: Token, _request: Administration) {
        let reply = Reply::error("ERR this server has no groups");
        self.completions.complete(token, Outcome::Done(reply));
    }

    fn flush(&self) {
        let mut batch = self.batch.take();
        for (token, mut command) in batch.drain(..) {
            Keyspace::stamp(&mut command, log_time_ms());
            let mut keyspace = self.keyspace.borrow_mut();
            let queried = if command.is_read_only() { keyspace.query(&command) } else { None };
            let reply = queried.unwrap_or_else(|| {
                self.applied.set(self.applied.get() + 1);
                keyspace.apply(&command)
            });
            drop(keyspace);
            self.completions.complete(token, Outcome::Done(reply));
        }
        // Its memory is used again.
        *self.batch.borrow_mut() = batch;
    }

    fn cluster(&self) -> Cluster {
        let node = ClusterNode {
            id: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            host: self.address.ip().to_string(),
            port: self.address.port(),
            peer_port: 0,
            is_connected: true,
        };
        Cluster::of_one_group(vec![node], 0, Some(0))
    }

    fn position(&self) -> Position {
        let keyspace = self.keyspace.borrow();
        Position {
            keys: keyspace.len(),
            expiring_keys: keyspace.expiring(),
            log_position: self.applied.get(),
        }
    }
}

/// A running server; it stops when this is dropped.
pub struct Running {
    pub address: SocketAddr,
    stop: Option<std::sync::mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start() -> Running {
        // What redis-benchmark asks for before it begins.
        let told = vec![("appendonly".to_owned(), "no".to_owned())];
        Running::with(Settings { told, ..Settings::default() }, Limits::default())
    }

    pub fn with(settings: Settings, limits: Limits) -> Running {
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio::task::LocalSet::new().block_on(&runtime, async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                tell.send(address).unwrap();
                let server = Server::new(Options { settings, limits, seed: 1 });
                let backend = Standalone::new(server.completions(), address);
                let stop = async move {
                    while !matches!(stopped.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected)) {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                };
                server.run((listener, Door::PLAIN), backend, stop).await;
            });
        });
        Running { address: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("the server's thread did not panic");
            }
        }
    }
}

/// A raw connection.
pub struct Client {
    pub stream: TcpStream,
    parser: ReplyParser,
    buffer: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, parser: ReplyParser::default(), buffer: Vec::new() }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next reply, or `None` if the server closed.
    pub fn reply(&mut self) -> Option<Reply> {
        loop {
            if let Some(reply) = self.parser.advance(&self.buffer).unwrap() {
                self.parser.release_from(&mut self.buffer);
                return Some(reply);
            }
            let mut piece = [0; 64 << 10];
            match self.stream.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.buffer.extend_from_slice(&piece[..read]),
            }
        }
    }

    pub fn ask(&mut self, words: &[&str]) -> Reply {
        let mut request = Vec::new();
        write_request(&mut request, words);
        self.send(&request);
        self.reply().expect("an answer")
    }

    /// All that comes until the server closes, or nothing comes for a moment.
    pub fn everything(&mut self, patience: Duration) -> (Vec<u8>, bool) {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        let mut all = std::mem::take(&mut self.buffer);
        let mut piece = [0; 64 << 10];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return (all, true),
                Ok(read) => all.extend_from_slice(&piece[..read]),
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    return (all, false);
                }
                Err(_) => return (all, true),
            }
        }
    }
}
