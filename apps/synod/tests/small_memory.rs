//! A node that may take 512 MiB, and clients that do everything at once that makes a node take memory.

#[path = "support/cluster.rs"]
mod cluster;

use cluster::{Cluster, PATIENCE, Wire, wait_for};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};
use synod_resp::{Reply, write_request};

/// The memory of each node, in bytes.
const MEMORY_BYTES: u64 = 512 << 20;
/// The limits that a node chooses on a machine of this size.
const LIMITS: &str = "\n[limits]\nclient_bytes_max = 67108864\nmemory_bytes_max = 402653184\n";
/// So long the attacks go on.
const ATTACKED: Duration = Duration::from_secs(12);
/// An attacker waits for an answer so long at most.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// The list of which every reply is long: so many values of a megabyte.
const LONG: usize = 76;

/// The most that a process has taken so far, in bytes, as the system counts it.
fn peak(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = text.lines().find(|line| line.starts_with("VmHWM:")).expect("the system tells it");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") << 10
}

fn request(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_request(&mut bytes, words);
    bytes
}

/// The target of the attacks.
#[derive(Clone, Copy)]
struct Attack<'a> {
    address: SocketAddr,
    is_over: &'a AtomicBool,
    /// How many bytes were sent.
    sent: &'a AtomicU64,
}

impl Attack<'_> {
    fn open(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, ANSWER_MAX).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
        stream.set_write_timeout(Some(Duration::from_millis(500))).ok()?;
        Some(stream)
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    /// Sends `begin` once, and then `part` as often as it is taken, on so many connections at a time.
    fn pour(&self, connections: usize, begin: &[u8], part: &[u8], parts: usize) {
        let mut open: Vec<(TcpStream, usize)> = Vec::new();
        while self.goes_on() {
            if open.len() < connections
                && let Some(mut stream) = self.open()
                && stream.write_all(begin).is_ok()
            {
                open.push((stream, 0));
            }
            open.retain_mut(|(stream, sent)| {
                if *sent >= parts {
                    return true;
                }
                *sent += 1;
                self.sent.fetch_add(part.len() as u64, Ordering::Relaxed);
                // Nobody reads the answers.
                stream.write_all(part).is_ok()
            });
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks for much, and takes it slowly.
    fn read_slowly(&self, words: &[&str]) {
        let mut piece = vec![0; 64 << 10];
        while self.goes_on() {
            let Some(mut stream) = self.open() else { continue };
            for _ in 0..4 {
                let _ = stream.write_all(&request(words));
            }
            while self.goes_on() && stream.read(&mut piece).is_ok_and(|read| read > 0) {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    /// Asks the same again and again.
    fn repeat(&self, words: &[impl AsRef<[u8]>]) {
        let mut wire = None;
        while self.goes_on() {
            wire = wire.or_else(|| Wire::open(self.address, ANSWER_MAX));
            if wire.as_mut().and_then(|open: &mut Wire| open.ask(words)).is_none() {
                wire = None;
            }
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Everything at once.
fn attack<'scope, 'a: 'scope>(scope: &'scope Scope<'scope, 'a>, it: Attack<'a>) {
    let megabyte = vec![b'm'; 1 << 20];
    // Transactions that are queued and never run: sixty megabytes each.
    let queued = request(&[b"SET".as_slice(), b"queued", &megabyte]);
    scope.spawn(move || it.pour(40, &request(&["MULTI"]), &queued, 60));
    // Values of which the end never comes.
    let begin = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$16000000\r\n".as_slice();
    let part = megabyte.clone();
    scope.spawn(move || it.pour(200, begin, &part, 15));
    // Replies that are long.
    for _ in 0..8 {
        scope.spawn(move || it.read_slowly(&["LRANGE", "long", "0", "-1"]));
    }
    // Commands over all slots.
    let pairs = (0..50_000).flat_map(|key| [format!("huge:{key}"), "v".repeat(100)]);
    let words: Vec<String> = ["MSET".to_owned()].into_iter().chain(pairs).collect();
    scope.spawn(move || it.repeat(&words));
    // Patterns that match late.
    let pattern = format!("{}b", "*a".repeat(500));
    scope.spawn(move || it.repeat(&["KEYS", &pattern]));
    // Transactions that are run, of tens of megabytes.
    scope.spawn(move || {
        let sets = (0..40).flat_map(|_| request(&[b"SET".as_slice(), b"executed", &megabyte]));
        let whole: Vec<u8> = request(&["MULTI"]).into_iter().chain(sets).chain(request(&["EXEC"])).collect();
        while it.goes_on() {
            let Some(mut stream) = it.open() else { continue };
            let _ = stream.write_all(&whole);
            let _ = stream.read(&mut [0; 64 << 10]);
        }
    });
}

#[test]
fn a_node_of_512_mib_survives_all_attacks_on_its_memory_at_once_and_serves_others() {
    let cluster = Cluster::start_as(3, |setup| LIMITS.clone_into(&mut setup.tables));
    let address = cluster.client_address(cluster.await_leader());
    let mut modest = Wire::open(address, PATIENCE).expect("it serves");
    let value = "v".repeat(1 << 20);
    for _ in 0..LONG {
        let reply = modest.ask(&["RPUSH", "long", &value]);
        assert!(matches!(reply, Some(Reply::Integer(_))), "{reply:?}");
    }
    let (is_over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut served, mut refused, mut longest) = (0_u64, 0_u64, Duration::ZERO);
    std::thread::scope(|scope| {
        attack(scope, Attack { address, is_over: &is_over, sent: &sent });
        let end = Instant::now() + ATTACKED;
        let mut since = Instant::now();
        while Instant::now() < end {
            let words = ["SET".to_owned(), "modest".to_owned(), served.to_string()];
            match modest.ask(&words) {
                Some(Reply::Simple(_)) => {
                    served += 1;
                    longest = longest.max(since.elapsed());
                    since = Instant::now();
                }
                Some(_) => refused += 1,
                None => modest = Wire::open(address, PATIENCE).expect("whoever asks for little is let in"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    println!(
        "{} MiB were sent; {served} modest commands done, {refused} refused, the longest wait {longest:?}",
        sent.into_inner() >> 20
    );
    for number in cluster.numbers() {
        let process = cluster.nodes[number as usize - 1].process.as_ref().expect("it runs").id();
        let peak = peak(process);
        println!("node {number}: {} MiB", peak >> 20);
        assert!(peak < MEMORY_BYTES, "node {number} took {} MiB", peak >> 20);
    }
    assert!(served > 20, "{served} modest commands in {ATTACKED:?}, {refused} refused");
    let mut modest = Wire::open(address, PATIENCE).expect("it serves");
    let is_set = || modest.ask(&["SET", "modest", "after"]).filter(|reply| *reply == Reply::OK);
    wait_for(PATIENCE, is_set).expect("when it is over, all is as before");
    assert_eq!(modest.ask(&["GET", "modest"]), Some(Reply::bulk("after")));
}
