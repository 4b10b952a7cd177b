//! The connections between processes: one task that accepts, one a peer that dials and writes, one a connection that
//! reads.

use crate::boot::{KnownPeers, PEERS, REFUSED, contradiction};
use crate::core::{Core, Hosted};
use crate::frame::{
    Ack, AckState, BadFrame, Body, GO, Hello, Refusal, Seen, answer_from_bytes, answer_to_bytes, first_frame,
};
use crate::guests::{self, Guest, OnGuest};
use crate::host::{HostError, Peer};
use crate::repeats::Repeats;
use crate::retransmission::retry_soon;
use crate::seal::{self, Channel, Key};
use socket2::{SockRef, TcpKeepalive};
use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};
use synod_stdx::Wire;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// A handshake that takes longer is given up.
const HANDSHAKE_MAX: Duration = Duration::from_secs(2);
/// The first and the longest pause before a peer is dialed again that refused, or where nobody listens.
const REDIAL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));
/// A peer that says nothing to a dial is dialed once more beside it, so often: what was lost on the way is sent again by the
/// system only after a second, and then after two.
const BESIDE: Duration = Duration::from_millis(300);
/// A connection on which nothing is acknowledged for so long is given up, and another one is dialed. The system itself
/// would send again after pauses that double, and so notice the end of an outage only after as long as it lasted.
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// A buffer larger than this is given back when it is empty.
const BUFFER_KEPT_BYTES: usize = 1 << 20;

/// Who this process is, and who the others are.
pub(crate) struct Us {
    pub(crate) cluster: u64,
    pub(crate) number: u32,
    pub(crate) incarnation: u64,
    pub(crate) start: u64,
    pub(crate) nonce: u128,
    pub(crate) disk: u128,
    pub(crate) known: RefCell<KnownPeers>,
    pub(crate) peers: RefCell<Vec<Known>>,
    /// The first is used where this process dials; whoever dials it may have any. None: nothing is sealed.
    pub(crate) keys: RefCell<Vec<Key>>,
    /// What is answered to processes that run nothing yet.
    pub(crate) on_guest: RefCell<Option<OnGuest>>,
    /// Whether peers are dialed.
    pub(crate) runs: Cell<bool>,
    /// Who was refused, and for what.
    pub(crate) refused: RefCell<Repeats<(IpAddr, &'static str)>>,
    /// How often each peer was let in.
    pub(crate) connections: RefCell<Vec<u64>>,
}

/// Another process of the cluster.
pub(crate) struct Known {
    pub(crate) number: u32,
    pub(crate) address: String,
    /// It may have been one once.
    pub(crate) is_member: bool,
}

impl Known {
    pub(crate) fn of(peer: &Peer) -> Known {
        Known { number: peer.number, address: peer.address.clone(), is_member: true }
    }
}

impl Us {
    /// The index of the member of this number.
    pub(crate) fn index_of(&self, number: u32) -> Option<usize> {
        self.peers.borrow().iter().position(|peer| peer.number == number && peer.is_member)
    }

    fn number_of(&self, peer: usize) -> u32 {
        self.peers.borrow()[peer].number
    }

    fn is_member(&self, peer: usize) -> bool {
        self.peers.borrow()[peer].is_member
    }

    /// Whether a peer may come, as far as this process can tell. Yields its index, and changes nothing.
    fn check(&self, hello: &Hello) -> Result<usize, Refusal> {
        hello.is_for(self.cluster, self.number)?;
        let peer = self.index_of(hello.from).ok_or(Refusal::UnknownNode)?;
        self.known.borrow().check(hello)?;
        Ok(peer)
    }

    /// Somebody is refused: that is counted, and said unless it was just said.
    fn refuse<N: Hosted>(&self, refusal: Refusal, from: SocketAddr, core: &RefCell<Core<N>>) {
        core.borrow_mut().counters.refuse(refusal.name());
        if let Some(times) = self.refused.borrow_mut().note((from.ip(), refusal.name()), Instant::now()) {
            tracing::warn!(%from, reason = refusal.name(), times, "refused a connection: {refusal}");
        }
    }

    /// Lets in a peer that has agreed with what was seen of its disk, or says why not: another one may have come meanwhile.
    /// What is known of it is durable when this returns. Yields its index and a number that its next connection will change.
    fn admit<N: Hosted>(&self, hello: &Hello, core: &Core<N>) -> Result<(usize, u64), Refusal> {
        let peer = self.check(hello)?;
        if self.known.borrow_mut().admit(hello) {
            let bytes = self.known.borrow().to_bytes();
            core.keep(PEERS, bytes).expect("the data directory takes what is known of the peers");
        }
        let connection = &mut self.connections.borrow_mut()[peer];
        *connection += 1;
        Ok((peer, *connection))
    }
}

/// Accepts peers until the process ends.
pub(crate) async fn accept<N: Hosted>(listener: TcpListener, us: Rc<Us>, core: Rc<RefCell<Core<N>>>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(serve(stream, Rc::clone(&us), Rc::clone(&core)));
            }
            Err(error) => {
                tracing::warn!(%error, "a peer's connection could not be accepted");
                sleep(REDIAL.1).await;
            }
        }
    }
}

async fn serve<N: Hosted>(stream: TcpStream, us: Rc<Us>, core: Rc<RefCell<Core<N>>>) {
    // A peer that is gone already has no address any more.
    let Ok(from) = stream.peer_addr() else { return };
    match timeout(HANDSHAKE_MAX, shake_hands(stream, &us)).await {
        // A peer that hangs up once it has its answer knows why.
        Ok(Ok(None)) | Err(_) => {}
        Ok(Ok(Some((hello, channel)))) if hello.is_guest() => {
            let answer = us.on_guest.borrow().clone();
            if let Some(answer) = answer {
                let guest = Guest { number: hello.from, disk: hello.disk, from };
                guests::serve(channel, guest, &*answer).await;
            }
        }
        Ok(Ok(Some((hello, mut channel)))) => {
            let admitted = us.admit(&hello, &core.borrow());
            match admitted {
                Ok(admitted) => listen(&mut channel, admitted, (&us, &core), from).await,
                Err(refusal) => us.refuse(refusal, from, &core),
            }
        }
        Ok(Err(refusal)) => us.refuse(refusal, from, &core),
    }
}

/// Hears a hello, answers, and waits for the word that the peer's disk agrees with what was seen of it. Yields the hello and
/// the connection if it came.
async fn shake_hands(stream: TcpStream, us: &Us) -> Result<Option<(Hello, Channel)>, Refusal> {
    let keys = us.keys.borrow().clone();
    let greeted = seal::hear(stream, &keys).await?;
    let hello = match greeted.refusal {
        Some(refusal) => Err(refusal),
        None => Hello::from_bytes(&greeted.hello),
    };
    let checked = hello.and_then(|hello| {
        match hello.is_guest() {
            true => hello.is_for(us.cluster, us.number)?,
            false => drop(us.check(&hello)?),
        }
        Ok(hello)
    });
    let seen = hello
        .ok()
        .filter(|hello| hello.cluster == us.cluster)
        .and_then(|hello| us.known.borrow().seen_of(&hello));
    let answered = greeted.answer(&answer_to_bytes(checked.map(|_| ()), seen)).await;
    let hello = checked?;
    let Ok(mut channel) = answered else { return Ok(None) };
    let mut read = Vec::new();
    match channel.read(&mut read).await {
        Ok(true) if read.first() == Some(&GO) => {
            channel.unread(read.split_off(1));
            Ok(Some((hello, channel)))
        }
        Ok(true) => Err(Refusal::NotAPeer),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(Refusal::OtherKey),
        Ok(false) | Err(_) => Ok(None),
    }
}

async fn listen<N: Hosted>(
    channel: &mut Channel,
    (peer, connection): (usize, u64),
    (us, core): (&Us, &RefCell<Core<N>>),
    from: SocketAddr,
) {
    let _ = tune(channel.stream());
    let number = us.number_of(peer);
    tracing::info!(peer = number, %from, "a peer is connected");
    match read_frames(channel, (peer, connection), us, core).await {
        Ok(()) => tracing::info!(peer = number, "a peer is gone"),
        Err(bad) => {
            core.borrow_mut().counters.refuse(bad.name());
            tracing::warn!(peer = number, reason = bad.name(), "dropped a connection for a bad frame");
        }
    }
}

async fn read_frames<N: Hosted>(
    channel: &mut Channel,
    (peer, connection): (usize, u64),
    us: &Us,
    core: &RefCell<Core<N>>,
) -> Result<(), BadFrame> {
    let mut buffer: Vec<u8> = Vec::with_capacity(64 << 10);
    loop {
        // What a frame announces is allocated only as it arrives.
        match channel.read(&mut buffer).await {
            Ok(true) => {}
            Err(error) if error.kind() == ErrorKind::InvalidData => return Err(BadFrame::NotSealed),
            Ok(false) | Err(_) => return Ok(()),
        }
        if us.connections.borrow()[peer] != connection {
            // The peer has a newer connection: what is left in this one is old.
            return Ok(());
        }
        let mut core = core.borrow_mut();
        let Taken { bytes: used, durable, outcome } = take_frames(&buffer, peer, &mut core);
        if let Some(heard) = us.known.borrow_mut().heard(us.number_of(peer), durable) {
            core.hear(heard);
        }
        if used > 0 {
            // Also before the connection ends: what came of its good frames waits for nothing else.
            core.turn();
            buffer.drain(..used);
            if buffer.is_empty() && buffer.capacity() > BUFFER_KEPT_BYTES {
                buffer = Vec::with_capacity(64 << 10);
            }
        }
        outcome?;
    }
}

/// The whole frames at the front of a buffer.
struct Taken {
    /// How many bytes they had.
    bytes: usize,
    /// Up to which record the sender's journal was durable.
    durable: u64,
    /// Whether another one followed that is none.
    outcome: Result<(), BadFrame>,
}

/// Hands the nodes every whole frame of `buffer` up to the first bad one.
fn take_frames<N: Hosted>(buffer: &[u8], peer: usize, core: &mut Core<N>) -> Taken {
    let mut taken = Taken { bytes: 0, durable: 0, outcome: Ok(()) };
    loop {
        match take_frame(&buffer[taken.bytes..], peer, core) {
            Ok(Some((bytes, durable))) => {
                taken.bytes += bytes;
                taken.durable = durable;
            }
            Ok(None) => return taken,
            Err(bad) => return Taken { outcome: Err(bad), ..taken },
        }
    }
}

fn take_frame<N: Hosted>(
    buffer: &[u8],
    peer: usize,
    core: &mut Core<N>,
) -> Result<Option<(usize, u64)>, BadFrame> {
    let Some(frame) = first_frame(buffer)? else { return Ok(None) };
    let is_sender_elsewhere =
        core.is_local(frame.from) || core.peer_of(frame.from).is_some_and(|at| at != peer);
    if is_sender_elsewhere || core.peer_of(frame.to).is_some() {
        return Err(BadFrame::Misdirected);
    }
    // A node that the peer has started already and this process has not: what is said to it and by it is lost.
    if core.peer_of(frame.from).is_none() || !core.is_local(frame.to) {
        core.counters.frames_dropped += 1;
        if let Body::Part(part) = frame.body {
            let ack = Ack { transfer: part.transfer, next: 0, state: AckState::GivenUp };
            core.send_ack(peer, (frame.from, frame.to), ack);
        }
        return Ok(Some((frame.bytes, frame.durable)));
    }
    match frame.body {
        Body::Message(bytes) => {
            let message = N::Message::from_bytes(bytes).map_err(|_| BadFrame::Malformed)?;
            if !core.node(frame.to).is_some_and(|node| node.accepts(frame.from, &message)) {
                return Err(BadFrame::Unexpected);
            }
            core.on_message(frame.from, frame.to, message);
        }
        Body::Part(part) => core.on_part(peer, (frame.from, frame.to), &part)?,
        Body::Ack(ack) => core.on_ack(peer, ack),
    }
    core.counters.frames_received += 1;
    core.counters.bytes_received += frame.bytes as u64;
    Ok(Some((frame.bytes, frame.durable)))
}

/// Keeps a connection to one peer and writes what waits for it, until the process ends.
pub(crate) async fn dial<N: Hosted>(peer: usize, us: Rc<Us>, core: Rc<RefCell<Core<N>>>) {
    let wake = Rc::clone(&core.borrow().outs[peer].wake);
    let mut pause = REDIAL.0;
    let mut last_refusal = None;
    while us.is_member(peer) {
        match connect_soon(&us, peer).await {
            Ok((mut channel, seen)) => {
                if is_contradicted(&us, peer, seen, &core) {
                    return;
                }
                if channel.write(&[GO]).await.is_ok() {
                    pause = REDIAL.0;
                    last_refusal = None;
                    core.borrow_mut().begin_connection(peer);
                    write_frames(&mut channel, (peer, &us), &wake, &core).await;
                    core.borrow_mut().end_connection(peer);
                }
            }
            Err(Missed::Refused(_, seen)) if is_contradicted(&us, peer, seen, &core) => return,
            Err(Missed::Refused(refusal, _)) if last_refusal != Some(refusal) => {
                last_refusal = Some(refusal);
                core.borrow_mut().counters.refuse(refusal.name());
                let number = us.number_of(peer);
                tracing::warn!(
                    peer = number,
                    reason = refusal.name(),
                    "a peer refused this process: {refusal}"
                );
            }
            Err(Missed::Refused(..) | Missed::Nobody | Missed::Silence) => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(REDIAL.1);
    }
}

/// Dials until there is an answer of any kind, beside dials that have none yet.
async fn connect_soon(us: &Rc<Us>, peer: usize) -> Result<Welcomed, Missed> {
    let mut dials = JoinSet::new();
    loop {
        let us = Rc::clone(us);
        dials.spawn_local(async move { connect(&us, peer).await });
        tokio::select! {
            Some(Ok(answered)) = dials.join_next() => match answered {
                Err(Missed::Silence) => {}
                answered => return answered,
            },
            () = sleep(BESIDE) => {}
        }
    }
}

/// Whether a peer has seen what this disk knows nothing of. Then the disk is an older copy, and what it promised since is
/// lost: the process stops, and none ever starts with this disk again.
fn is_contradicted<N: Hosted>(us: &Us, peer: usize, seen: Option<Seen>, core: &RefCell<Core<N>>) -> bool {
    let mut core = core.borrow_mut();
    let Some(why) = seen.and_then(|seen| contradiction(core.superblock(), seen)) else { return false };
    let why = format!("node {} {why}", us.number_of(peer));
    let kept = core.keep(REFUSED, why.clone().into_bytes());
    core.stop(kept.map_or_else(|error| error.to_string(), |()| HostError::OlderDisk(why).to_string()));
    true
}

type Welcomed = (Channel, Option<Seen>);

/// Why there is no connection.
enum Missed {
    /// The peer refuses this process, and says what it saw of its disk.
    Refused(Refusal, Option<Seen>),
    /// Nobody listens there, or the connection broke.
    Nobody,
    /// Nothing came back in time.
    Silence,
}

/// Dials a peer. Yields the connection and what the peer saw of this disk.
async fn connect(us: &Us, peer: usize) -> Result<Welcomed, Missed> {
    let handshake = async {
        let (to, address) = {
            let peers = us.peers.borrow();
            (peers[peer].number, peers[peer].address.clone())
        };
        let stream = connect_to(&address).await.ok_or(None)?;
        let hello = Hello {
            cluster: us.cluster,
            from: us.number,
            to,
            incarnation: us.incarnation,
            start: us.start,
            nonce: us.nonce,
            disk: us.disk,
        };
        let key = us.keys.borrow().first().cloned();
        seal::greet(stream, key.as_ref(), &hello.to_bytes()).await
    };
    match timeout(HANDSHAKE_MAX, handshake).await {
        Ok(Ok((channel, answer))) => match answer_from_bytes(&answer) {
            (Ok(()), seen) => Ok((channel, seen)),
            (Err(refusal), seen) => Err(Missed::Refused(refusal, seen)),
        },
        Ok(Err(Some(refusal))) => Err(Missed::Refused(refusal, None)),
        Ok(Err(None)) => Err(Missed::Nobody),
        Err(_) => Err(Missed::Silence),
    }
}

/// Connects to a process, if it listens at this address.
pub(crate) async fn connect_to(address: &str) -> Option<TcpStream> {
    let stream = TcpStream::connect(address).await.ok()?;
    tune(&stream).is_ok().then_some(stream)
}

/// Small frames leave at once, lost ones again soon, and a connection that has become silent breaks.
fn tune(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    retry_soon(stream);
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(SILENCE_MAX))?;
    // In whole seconds: less is none.
    let probes = TcpKeepalive::new().with_time(SILENCE_MAX).with_interval(SILENCE_MAX).with_retries(1);
    socket.set_tcp_keepalive(&probes)
}

async fn write_frames<N: Hosted>(
    channel: &mut Channel,
    (peer, us): (usize, &Us),
    wake: &tokio::sync::Notify,
    core: &RefCell<Core<N>>,
) {
    let (stream, mut sealer) = channel.halves();
    let (mut reader, mut writer) = stream.split();
    let (mut writing, mut sealed) = (Vec::new(), Vec::new());
    let mut byte = [0; 1];
    loop {
        tokio::select! {
            () = wake.notified() => {
                if !us.is_member(peer) {
                    return;
                }
            }
            // Nothing ever comes this way: what does is the end.
            _ = reader.read(&mut byte) => return,
        }
        loop {
            core.borrow_mut().outs[peer].take_bytes(&mut writing);
            if writing.is_empty() {
                break;
            }
            let Ok(bytes) = sealer.seal(&writing, &mut sealed) else { return };
            if writer.write_all(bytes).await.is_err() {
                return;
            }
            for buffer in [&mut writing, &mut sealed] {
                buffer.clear();
                if buffer.capacity() > BUFFER_KEPT_BYTES {
                    *buffer = Vec::new();
                }
            }
        }
    }
}
