//! Groups that join and leave under load, on real nodes that are killed meanwhile.

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/load.rs"]
mod load;

use cluster::{Cluster, PATIENCE, Wire, wait_for};
use load::Load;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use synod_resp::Reply;
use synod_stdx::Rng;

const SEED: u64 = 7;
/// Accounts, which lie in slots of all groups, and what is in each at first.
const ACCOUNTS: usize = 12;
const DEPOSIT: i64 = 100;
const SHARES: [(u16, u16); 3] = [(0, 4_999), (5_000, 9_999), (10_000, 16_383)];
/// Clients that transfer, and how long they wait for an answer.
const TELLERS: u64 = 3;
const ANSWER_MAX: Duration = Duration::from_secs(8);

fn account(index: usize) -> String {
    format!("account:{index}")
}

/// A bank whose money is transferred all the time and never more or less.
#[derive(Default)]
struct Bank {
    is_closed: AtomicBool,
    transfers: AtomicU64,
    conflicts: AtomicU64,
    audits: AtomicU64,
}

impl Bank {
    fn open(&self, address: SocketAddr) {
        let mut words = vec!["MSET".to_owned()];
        (0..ACCOUNTS).for_each(|index| words.extend([account(index), DEPOSIT.to_string()]));
        let mut wire = Wire::open(address, ANSWER_MAX).unwrap();
        assert_eq!(wire.ask(&words), Some(Reply::OK));
    }

    /// Transfers until the bank closes, through any node.
    fn transfer(&self, addresses: &[SocketAddr], seed: u64) {
        let (mut rng, mut wire) = (Rng::new(seed), None);
        while !self.is_closed.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(rng.between(0, 8)));
            if wire.is_none() {
                wire = rng.pick(addresses).and_then(|address| Wire::open(*address, ANSWER_MAX));
            }
            let Some(open) = &mut wire else { continue };
            let (from, to) = (account(rng.below(6) as usize), account(6 + rng.below(6) as usize));
            match transfer(open, (&from, &to), rng.between(1, 5) as i64) {
                Some(true) => drop(self.transfers.fetch_add(1, Ordering::Relaxed)),
                Some(false) => drop(self.conflicts.fetch_add(1, Ordering::Relaxed)),
                None => wire = None,
            }
        }
    }

    /// Counts all the money, again and again.
    fn audit(&self, addresses: &[SocketAddr], seed: u64) {
        let (mut rng, mut wire) = (Rng::new(seed), None);
        while !self.is_closed.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(15));
            if wire.is_none() {
                wire = rng.pick(addresses).and_then(|address| Wire::open(*address, ANSWER_MAX));
            }
            let Some(open) = &mut wire else { continue };
            match sum(open) {
                Some(sum) => {
                    assert_eq!(sum, DEPOSIT * ACCOUNTS as i64, "money came or went");
                    self.audits.fetch_add(1, Ordering::Relaxed);
                }
                None => wire = None,
            }
        }
    }

    fn await_progress(&self) {
        let count = || (self.transfers.load(Ordering::Relaxed), self.audits.load(Ordering::Relaxed));
        let before = count();
        let moved = || (count().0 > before.0 + 5 && count().1 > before.1 + 3).then_some(());
        assert!(wait_for(PATIENCE, moved).is_some(), "the bank stands still: {before:?}, {:?}", count());
    }
}

/// Transfers by a transaction that runs only if nobody else touched the accounts; `None` if it is not known whether it did.
fn transfer(wire: &mut Wire, (from, to): (&str, &str), amount: i64) -> Option<bool> {
    let number = |reply: Reply| match reply {
        Reply::Bulk(digits) => String::from_utf8_lossy(&digits).parse::<i64>().ok(),
        _ => None,
    };
    let ok = |reply: Reply| (reply == Reply::OK).then_some(());
    ok(wire.ask(&["WATCH", from, to])?)?;
    let left = number(wire.ask(&["GET", from])?)? - amount;
    let right = number(wire.ask(&["GET", to])?)? + amount;
    ok(wire.ask(&["MULTI"])?)?;
    for (account, balance) in [(from, left), (to, right)] {
        wire.ask(&["SET", account, &balance.to_string()])?;
    }
    match wire.ask(&["EXEC"])? {
        Reply::Array(replies) => {
            assert_eq!(replies, [Reply::OK, Reply::OK]);
            Some(true)
        }
        Reply::Null | Reply::NullArray => Some(false),
        _ => None,
    }
}

/// All the money, at one moment; `None` if there is no answer.
fn sum(wire: &mut Wire) -> Option<i64> {
    let words: Vec<String> = ["MGET".to_owned()].into_iter().chain((0..ACCOUNTS).map(account)).collect();
    let Reply::Array(balances) = wire.ask(&words)? else { return None };
    let balance = |reply: &Reply| match reply {
        Reply::Bulk(digits) => String::from_utf8_lossy(digits).parse::<i64>().unwrap(),
        other => panic!("an account holds {other:?}"),
    };
    Some(balances.iter().map(balance).sum())
}

/// Keys that nobody writes any more, and how often all of them were found by scans that slots moved under.
#[derive(Default)]
struct Archive {
    is_closed: AtomicBool,
    scans: AtomicU64,
}

impl Archive {
    const KEYS: usize = 300;

    fn fill(&self, address: SocketAddr) {
        let mut words = vec!["MSET".to_owned()];
        (0..Archive::KEYS).for_each(|index| words.extend([format!("archive:{index}"), index.to_string()]));
        let mut wire = Wire::open(address, ANSWER_MAX).unwrap();
        assert_eq!(wire.ask(&words), Some(Reply::OK));
    }

    /// Scans until the archive closes, each step through any node. A step that is not answered is taken again.
    fn scan(&self, addresses: &[SocketAddr], seed: u64) {
        let mut rng = Rng::new(seed);
        let (mut cursor, mut found) = ("0".to_owned(), BTreeSet::new());
        while !self.is_closed.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
            let Some(mut wire) = rng.pick(addresses).and_then(|address| Wire::open(*address, ANSWER_MAX))
            else {
                continue;
            };
            let step = wire.ask(&["SCAN", &cursor, "MATCH", "archive:*", "COUNT", "200"]);
            let Some(Reply::Array(step)) = step else { continue };
            let [Reply::Bulk(next), Reply::Array(keys)] = step.as_slice() else { panic!("{step:?}") };
            for key in keys {
                let Reply::Bulk(key) = key else { panic!("{key:?}") };
                found.insert(String::from_utf8_lossy(key).into_owned());
            }
            cursor = String::from_utf8_lossy(next).into_owned();
            if cursor == "0" {
                assert_eq!(std::mem::take(&mut found).len(), Archive::KEYS, "a scan missed keys");
                self.scans.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Asks for a change, through any node, until it is known to be made: the number of the configuration.
fn change(cluster: &Cluster, words: &[&str]) -> u64 {
    let ask = || {
        cluster.client_addresses().into_iter().find_map(|address| {
            match Wire::open(address, ANSWER_MAX)?.ask(&[&["SYNOD"], words].concat())? {
                Reply::Integer(number) => Some(number.cast_unsigned()),
                other => panic!("{words:?}: {other:?}"),
            }
        })
    };
    wait_for(PATIENCE, ask).unwrap_or_else(|| panic!("{words:?} is not answered"))
}

/// A cluster-aware client in Python, which counts and checks what it reads until it is told to stop.
const PYTHON: &str = r#"
import sys, threading
from redis.cluster import RedisCluster, ClusterNode
from redis.exceptions import RedisError
ports = [int(port) for port in sys.argv[1].split(",")]
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
client, tried, done, checked = None, 0, 0, 0
while not stop.is_set():
    try:
        if client is None:
            client = RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", port) for port in ports])
        tried += 1
        client.incr("python")
        done += 1
        key = "python:%d" % (done % 50)
        client.set(key, done)
        assert client.get(key) == str(done).encode(), key
        checked += 1
    except (RedisError, OSError) as error:
        client = None
for _ in range(100):
    try:
        client = RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", port) for port in ports])
        count = int(client.get("python") or 0)
        break
    except (RedisError, OSError) as error:
        stop.wait(0.1)
assert done <= count <= tried, (done, count, tried)
assert checked > 20, checked
print("a cluster client counted %d of %d and checked %d values" % (count, tried, checked))
"#;

/// The client in Python, where the package is installed.
fn python(addresses: &[SocketAddr]) -> Option<Child> {
    let imported =
        Command::new("python3").args(["-c", "import redis.cluster"]).stderr(Stdio::null()).status();
    if !imported.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "python3 has no package `redis`: pip install redis");
        println!("NOT TESTED with a cluster client: python3 has no package `redis`");
        return None;
    }
    let ports: Vec<String> = addresses.iter().map(|address| address.port().to_string()).collect();
    let mut command = Command::new("python3");
    command.args(["-c", PYTHON, &ports.join(",")]).stdin(Stdio::piped());
    Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn groups_join_and_leave_under_load_while_nodes_are_killed() {
    let mut cluster = Cluster::start_with_groups(3, 2);
    let addresses = cluster.client_addresses();
    let (bank, archive) = (Bank::default(), Archive::default());
    bank.open(addresses[0]);
    archive.fill(addresses[0]);
    // The accounts are in slots of every group that comes.
    for (first, last) in SHARES {
        let slots = (0..ACCOUNTS).map(|index| synod_store::SlotId::of(account(index).as_bytes()).number());
        assert!(slots.into_iter().any(|slot| (first..=last).contains(&slot)));
    }
    let mut rng = Rng::new(SEED);
    println!("seed {SEED}");
    std::thread::scope(|scope| {
        for teller in 0..TELLERS {
            let (bank, addresses) = (&bank, &addresses);
            scope.spawn(move || bank.transfer(addresses, teller));
        }
        scope.spawn(|| bank.audit(&addresses, 100));
        scope.spawn(|| archive.scan(&addresses, 200));
        // Whatever fails below, the tellers go home.
        let closing = Closing([&bank.is_closed, &archive.is_closed]);
        let client = python(&addresses);
        let load = Load::start(&addresses);
        load.await_progress();
        bank.await_progress();
        let changes: [&[&str]; 4] = [
            &["GROUP", "JOIN", "3"],
            &["SLOT", "MOVE", "0", "2999", "3"],
            &["REBALANCE"],
            &["GROUP", "LEAVE", "1"],
        ];
        for words in changes {
            load.next_phase();
            let number = change(&cluster, words);
            // While slots are on their way.
            std::thread::sleep(Duration::from_millis(rng.between(0, 150)));
            let victim = rng.between(1, 3) as u32;
            cluster.kill(victim);
            load.await_progress();
            cluster.restart(victim);
            cluster.await_settled(number);
            bank.await_progress();
            load.await_progress();
        }
        println!("{}", load.finish(&addresses));
        drop(closing);
        if let Some(mut client) = client {
            drop(client.stdin.take());
            let output = client.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
            print!("{said}");
        }
    });
    for address in addresses {
        let mut wire = Wire::open(address, ANSWER_MAX).unwrap();
        assert_eq!(sum(&mut wire), Some(DEPOSIT * ACCOUNTS as i64));
    }
    let scans = archive.scans.load(Ordering::Relaxed);
    assert!(scans > 2, "{scans} scans came to an end");
    println!("{scans} scans found everything");
    println!(
        "{} transfers, {} of others' making stopped, {} audits",
        bank.transfers.load(Ordering::Relaxed),
        bank.conflicts.load(Ordering::Relaxed),
        bank.audits.load(Ordering::Relaxed)
    );
}

/// Closes the bank and the archive when it is dropped.
struct Closing<'a>([&'a AtomicBool; 2]);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|is_closed| is_closed.store(true, Ordering::Relaxed));
    }
}
