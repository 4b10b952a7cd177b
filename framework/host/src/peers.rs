//! The connections between processes: one task that accepts, one a peer that dials and writes, one a connection that
//! reads.

use crate::boot::KnownDisks;
use crate::core::{Core, Hosted};
use crate::frame::{
    ANSWER_BYTES, BadFrame, HELLO_BYTES, Hello, Refusal, answer_from_bytes, answer_to_bytes, first_frame,
};
use crate::host::Peer;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use synod_stdx::Wire;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// A handshake that takes longer is given up.
const HANDSHAKE_MAX: Duration = Duration::from_secs(2);
/// The first and the longest pause before a peer is dialed again.
const REDIAL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// A buffer larger than this is given back when it is empty.
const BUFFER_KEPT_BYTES: usize = 1 << 20;

/// Who this process is, and who the others are.
pub(crate) struct Us {
    pub(crate) cluster: u64,
    pub(crate) number: u32,
    pub(crate) incarnation: u64,
    pub(crate) start: u32,
    pub(crate) disk: u64,
    pub(crate) known: RefCell<KnownDisks>,
    pub(crate) peers: Vec<Peer>,
    /// The latest life and start of each peer that was let in, and how often it changed.
    pub(crate) seen: RefCell<Vec<((u64, u32), u64)>>,
}

impl Us {
    /// Lets a peer in, or says why not. Yields its index and a number that its next connection will change.
    fn admit(&self, hello: Hello) -> Result<(usize, u64), Refusal> {
        if hello.cluster != self.cluster {
            return Err(Refusal::OtherCluster);
        }
        if hello.to != self.number {
            return Err(Refusal::OtherNode);
        }
        if hello.from == self.number {
            return Err(Refusal::Myself);
        }
        let peer =
            self.peers.iter().position(|peer| peer.number == hello.from).ok_or(Refusal::UnknownNode)?;
        self.known.borrow_mut().admit(hello.from, hello.incarnation, hello.disk)?;
        let (latest, connection) = &mut self.seen.borrow_mut()[peer];
        let life = (hello.incarnation, hello.start);
        if life < *latest {
            return Err(Refusal::Superseded);
        }
        *latest = life;
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

async fn serve<N: Hosted>(mut stream: TcpStream, us: Rc<Us>, core: Rc<RefCell<Core<N>>>) {
    let from = stream.peer_addr().map_or_else(|_| "unknown".to_owned(), |address| address.to_string());
    let mut hello = [0; HELLO_BYTES];
    let admitted = match timeout(HANDSHAKE_MAX, stream.read_exact(&mut hello)).await {
        Ok(Ok(_)) => Hello::from_bytes(&hello).and_then(|hello| us.admit(hello)),
        Ok(Err(_)) | Err(_) => Err(Refusal::NotAPeer),
    };
    let answer = answer_to_bytes(admitted.map(|_| ()));
    let answered =
        timeout(HANDSHAKE_MAX, stream.write_all(&answer)).await.is_ok_and(|written| written.is_ok());
    match admitted {
        Err(refusal) => {
            core.borrow_mut().counters.refuse(refusal.name());
            tracing::warn!(%from, reason = refusal.name(), "refused a connection: {refusal}");
        }
        Ok((peer, connection)) if answered => {
            let _ = stream.set_nodelay(true);
            let number = us.peers[peer].number;
            tracing::info!(peer = number, %from, "a peer is connected");
            match read_frames(&mut stream, (peer, connection), &us, &core).await {
                Ok(()) => tracing::info!(peer = number, "a peer is gone"),
                Err(bad) => {
                    core.borrow_mut().counters.refuse(bad.name());
                    tracing::warn!(
                        peer = number,
                        reason = bad.name(),
                        "dropped a connection for a bad frame"
                    );
                }
            }
        }
        Ok(_) => {}
    }
}

async fn read_frames<N: Hosted>(
    stream: &mut TcpStream,
    (peer, connection): (usize, u64),
    us: &Us,
    core: &RefCell<Core<N>>,
) -> Result<(), BadFrame> {
    let mut buffer: Vec<u8> = Vec::with_capacity(64 << 10);
    loop {
        // What a frame announces is allocated only as it arrives.
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
        if us.seen.borrow()[peer].1 != connection {
            // The peer has a newer connection: what is left in this one is old.
            return Ok(());
        }
        let mut core = core.borrow_mut();
        let (used, outcome) = take_frames(&buffer, peer, &mut core);
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

/// Hands the nodes every whole frame of `buffer` up to the first bad one. Yields how many bytes they had.
fn take_frames<N: Hosted>(buffer: &[u8], peer: usize, core: &mut Core<N>) -> (usize, Result<(), BadFrame>) {
    let mut used = 0;
    loop {
        match take_frame(&buffer[used..], peer, core) {
            Ok(Some(bytes)) => used += bytes,
            Ok(None) => return (used, Ok(())),
            Err(bad) => return (used, Err(bad)),
        }
    }
}

fn take_frame<N: Hosted>(buffer: &[u8], peer: usize, core: &mut Core<N>) -> Result<Option<usize>, BadFrame> {
    let Some(frame) = first_frame(buffer)? else { return Ok(None) };
    let is_sender_elsewhere =
        core.is_local(frame.from) || core.peer_of(frame.from).is_some_and(|at| at != peer);
    if is_sender_elsewhere || core.peer_of(frame.to).is_some() {
        return Err(BadFrame::Misdirected);
    }
    // A node that the peer has started already and this process has not: what is said to it and by it is lost.
    if core.peer_of(frame.from).is_none() || !core.is_local(frame.to) {
        core.counters.frames_dropped += 1;
        return Ok(Some(frame.bytes));
    }
    let message = N::Message::from_bytes(frame.message).map_err(|_| BadFrame::Malformed)?;
    core.counters.frames_received += 1;
    core.counters.bytes_received += frame.bytes as u64;
    core.on_message(frame.from, frame.to, message);
    Ok(Some(frame.bytes))
}

/// Keeps a connection to one peer and writes what waits for it, until the process ends.
pub(crate) async fn dial<N: Hosted>(peer: usize, us: Rc<Us>, core: Rc<RefCell<Core<N>>>) {
    let wake = Rc::clone(&core.borrow().outs[peer].wake);
    let mut pause = REDIAL.0;
    let mut last_refusal = None;
    loop {
        match connect(&us, peer).await {
            Ok(mut stream) => {
                pause = REDIAL.0;
                last_refusal = None;
                core.borrow_mut().outs[peer].is_connected = true;
                write_frames(&mut stream, peer, &wake, &core).await;
                let out = &mut core.borrow_mut().outs[peer];
                out.is_connected = false;
                out.bytes = Vec::new();
            }
            Err(Some(refusal)) if last_refusal != Some(refusal) => {
                last_refusal = Some(refusal);
                core.borrow_mut().counters.refuse(refusal.name());
                let number = us.peers[peer].number;
                tracing::warn!(
                    peer = number,
                    reason = refusal.name(),
                    "a peer refused this process: {refusal}"
                );
            }
            Err(_) => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(REDIAL.1);
    }
}

async fn connect(us: &Us, peer: usize) -> Result<TcpStream, Option<Refusal>> {
    let handshake = async {
        let mut stream = TcpStream::connect(us.peers[peer].address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let hello = Hello {
            cluster: us.cluster,
            from: us.number,
            to: us.peers[peer].number,
            incarnation: us.incarnation,
            start: us.start,
            disk: us.disk,
        };
        stream.write_all(&hello.to_bytes()).await.ok()?;
        let mut answer = [0; ANSWER_BYTES];
        stream.read_exact(&mut answer).await.ok()?;
        Some((stream, answer_from_bytes(&answer)))
    };
    match timeout(HANDSHAKE_MAX, handshake).await {
        Ok(Some((stream, Ok(())))) => Ok(stream),
        Ok(Some((_, Err(refusal)))) => Err(Some(refusal)),
        Ok(None) | Err(_) => Err(None),
    }
}

async fn write_frames<N: Hosted>(
    stream: &mut TcpStream,
    peer: usize,
    wake: &tokio::sync::Notify,
    core: &RefCell<Core<N>>,
) {
    let (mut reader, mut writer) = stream.split();
    let mut writing = Vec::new();
    let mut byte = [0; 1];
    loop {
        tokio::select! {
            () = wake.notified() => {}
            // Nothing ever comes this way: what does is the end.
            _ = reader.read(&mut byte) => return,
        }
        loop {
            std::mem::swap(&mut writing, &mut core.borrow_mut().outs[peer].bytes);
            if writing.is_empty() {
                break;
            }
            if writer.write_all(&writing).await.is_err() {
                return;
            }
            writing.clear();
            if writing.capacity() > BUFFER_KEPT_BYTES {
                writing = Vec::new();
            }
        }
    }
}
