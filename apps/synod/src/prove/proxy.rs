//! The network between the nodes: a proxy for every link from one node to another, which can be cut, slow or lossy.
//!
//! Each node dials each other node, and what it says goes that way only (`framework/host/src/peers.rs`). So a link that is
//! cut in one direction is a partition in one direction. A cut is silent: connections stay open and carry nothing, new ones
//! are accepted and carry nothing, and what was under way is lost. When the link heals, the proxy closes the silent
//! connections, as the system would after its time-outs.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::thread::JoinHandle;
use std::time::Duration;
use synod_stdx::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

/// A link from one node to another.
pub(super) type Link = (u32, u32);

/// How many bytes a link carries at a time.
const PIECE_BYTES: usize = 16 << 10;
/// A lossy link breaks a connection, with what is under way, at so many of 1,000 pieces.
const BREAKS_PERMILLE: u32 = 30;
/// It delays so many of 1,000 pieces, as a network does that sends again what was lost,
const DELAYS_PERMILLE: u32 = 250;
/// by so many ms.
const DELAY_MS: (u64, u64) = (5, 200);

/// How a link is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Weather {
    /// It carries everything at once.
    Clear,
    /// It carries nothing.
    Cut,
    /// It carries late, and breaks connections.
    Lossy,
}

/// All links of a cluster. They end when this is dropped.
pub(super) struct Network {
    weather: BTreeMap<Link, watch::Sender<Weather>>,
    addresses: BTreeMap<Link, SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Network {
    /// Starts a proxy for each link between `nodes`, which are numbers with the addresses where peers are heard.
    pub(super) fn start(nodes: &[(u32, SocketAddr)], seed: u64) -> io::Result<Network> {
        let (mut weather, mut addresses, mut doors) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for &(from, _) in nodes {
            for &(to, target) in nodes.iter().filter(|(to, _)| *to != from) {
                let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                listener.set_nonblocking(true)?;
                addresses.insert((from, to), listener.local_addr()?);
                let (tell, told) = watch::channel(Weather::Clear);
                weather.insert((from, to), tell);
                let rng = Rng::new(seed).split(&format!("link from {from} to {to}"));
                doors.push(Door { listener, target, weather: told, rng });
            }
        }
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("network".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("the system has what a runtime needs");
            let local = tokio::task::LocalSet::new();
            for door in doors {
                local.spawn_local(door.serve());
            }
            local.block_on(&runtime, async { drop(stopped.await) });
        })?;
        Ok(Network { weather, addresses, stop: Some(stop), thread: Some(thread) })
    }

    /// Where `from` finds `to`.
    pub(super) fn address(&self, from: u32, to: u32) -> SocketAddr {
        self.addresses[&(from, to)]
    }

    /// From now on these links are so.
    pub(super) fn set(&self, links: &[Link], weather: Weather) {
        for link in links {
            self.weather[link].send_replace(weather);
        }
    }

    /// From now on all links carry everything.
    pub(super) fn heal(&self) {
        for link in self.weather.values() {
            link.send_replace(Weather::Clear);
        }
    }

    /// The links that lead from nodes of one side to nodes of the other.
    pub(super) fn between(&self, one: &[u32], other: &[u32]) -> Vec<Link> {
        let leads = |(from, to): &&Link| one.contains(from) && other.contains(to);
        self.weather.keys().filter(leads).copied().collect()
    }

    /// All links.
    pub(super) fn links(&self) -> Vec<Link> {
        self.weather.keys().copied().collect()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where one link begins.
struct Door {
    listener: StdListener,
    target: SocketAddr,
    weather: watch::Receiver<Weather>,
    rng: Rng,
}

impl Door {
    async fn serve(mut self) {
        let listener = TcpListener::from_std(self.listener).expect("a runtime takes a listener");
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let rng = self.rng.split("connection");
                    self.rng.next_u64();
                    tokio::task::spawn_local(carry(stream, self.target, self.weather.clone(), rng));
                }
                // Too many descriptors, most likely: others end.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// Carries one connection until it ends, or until a cut that it met is over.
async fn carry(mut from: TcpStream, target: SocketAddr, weather: watch::Receiver<Weather>, rng: Rng) {
    let mut cut = weather.clone();
    let pumping = pump(&mut from, target, weather, rng);
    tokio::select! {
        biased;
        met = cut.wait_for(|weather| *weather == Weather::Cut) => {
            if met.is_err() {
                return;
            }
        }
        () = pumping => return,
    }
    let _ = cut.wait_for(|weather| *weather != Weather::Cut).await;
}

async fn pump(from: &mut TcpStream, target: SocketAddr, weather: watch::Receiver<Weather>, rng: Rng) {
    let Ok(mut to) = TcpStream::connect(target).await else { return };
    let _ = (from.set_nodelay(true), to.set_nodelay(true));
    let ((from_reader, from_writer), (to_reader, to_writer)) = (from.split(), to.split());
    tokio::select! {
        () = flow(from_reader, to_writer, weather.clone(), rng.split("there")) => {}
        () = flow(to_reader, from_writer, weather, rng.split("back")) => {}
    }
}

/// Carries what comes one way, until that ends or breaks.
async fn flow(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    weather: watch::Receiver<Weather>,
    mut rng: Rng,
) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = match from.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        if *weather.borrow() == Weather::Lossy {
            if rng.chance(BREAKS_PERMILLE) {
                return;
            }
            if rng.chance(DELAYS_PERMILLE) {
                tokio::time::sleep(Duration::from_millis(rng.between(DELAY_MS.0, DELAY_MS.1))).await;
            }
        }
        if to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}
