//! A host: opens the data, starts the nodes, and keeps them going.

use crate::boot::{KnownPeers, PEERS, REFUSED, draw};
use crate::carrier::{self, TransferNews};
use crate::core::{Core, Hosted, Parts, Resident};
use crate::counters::Counters;
use crate::data::JOURNAL;
use crate::disk::FileDisk;
use crate::disk_thread::{DiskNews, DiskThreads};
use crate::guests::{Answer, Guest};
use crate::peers::{self, Known, Us};
use crate::recorder::Recorder;
use crate::seal::Key;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use synod_journal::{Checkpointer, Disks, Identity, Journal, NodeLog, Opener, Options, Recovered, Start};
use synod_node::{Durable, Node, NodeId, RequestId, Stimulus};
use synod_stdx::Wire;
use synod_world::Origin;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Another process of the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its number.
    pub number: u32,
    /// Where it listens for its peers, `host:port`; a host's name is looked up anew at each dial.
    pub address: String,
    /// The protocol nodes that it runs.
    pub nodes: Vec<NodeId>,
}

/// What a host needs to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostConfig {
    /// Which cluster this is. Processes of different clusters refuse each other.
    pub cluster: u64,
    /// This process's number in it.
    pub number: u32,
    /// Which life of its disk this is at least: 0 for the first.
    pub incarnation: u64,
    /// Where its data is; the directory is made if it is not there.
    pub data: PathBuf,
    /// The other processes.
    pub peers: Vec<Peer>,
    /// What all processes of the cluster know and nobody else: without one whoever reaches the port for peers is one. The
    /// first is used where this process dials; whoever dials it may have any of them.
    pub keys: Vec<Key>,
    /// The size of a segment of the journal, in bytes.
    pub segment_bytes: u64,
    /// Where to record every stimulus, and how many bytes at least are kept: see [`synod_world::Recording`].
    pub recording: Option<(PathBuf, u64)>,
}

/// Why a host does not start.
#[derive(Debug)]
pub enum HostError {
    /// The journal in this data directory refuses, or its superblock.
    Journal(PathBuf, synod_journal::Error),
    /// A peer has seen more of this disk than there is on it.
    OlderDisk(String),
    /// The journal has records of a node that does not run here.
    UnknownNode(NodeId),
    /// A record or checkpoint that is intact is not one that this program can read.
    Unreadable {
        /// Whose.
        node: NodeId,
        /// Which: the record's number, or none for the checkpoint.
        record: Option<u64>,
        /// Why.
        why: synod_stdx::Malformed,
    },
    /// A fact of the superblock is intact, but not one that this program can read: its name, and why.
    UnreadableFact(String, synod_stdx::Malformed),
    /// The system gives no random bits, or no threads.
    System(std::io::Error),
    /// The recording cannot be written there.
    Recording(PathBuf, std::io::Error),
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostError::Journal(_, error @ synod_journal::Error::Locked { .. }) => error.fmt(f),
            HostError::Journal(data, error) => write!(f, "{}: {error}", data.display()),
            HostError::OlderDisk(why) => write!(
                f,
                "this disk is an older copy of what it was: {why}; keep it for inspection and bring this node back with \
                 an empty directory under a new incarnation"
            ),
            HostError::UnknownNode(node) => write!(
                f,
                "the journal has records of {node}, which does not run here: the data directory is not as this process \
                 left it; keep it for inspection and bring this node back with an empty one under a new incarnation"
            ),
            HostError::Unreadable { node, record: Some(record), why } => write!(
                f,
                "record {record} of {node} is intact but cannot be read: {why}; start the release that wrote it"
            ),
            HostError::Unreadable { node, record: None, why } => write!(
                f,
                "the checkpoint of {node} is intact but cannot be read: {why}; start the release that wrote it"
            ),
            HostError::UnreadableFact(name, why) => write!(
                f,
                "the superblock's fact `{name}` is intact but cannot be read: {why}; start the release that wrote it"
            ),
            HostError::System(error) => write!(f, "the system refuses: {error}"),
            HostError::Recording(path, error) => write!(
                f,
                "recording: {} cannot be written: {error}; choose a file in a directory that this user may write",
                path.display()
            ),
        }
    }
}

impl std::error::Error for HostError {}

/// Why a host stopped by itself: the disk failed, and nobody knows what is durable. In words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stopped(pub String);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the node stops serving: {}", self.0)
    }
}

impl std::error::Error for Stopped {}

/// The nodes of this process. Cheap to clone; lives on one thread, inside a `LocalSet`.
pub struct Host<N: Node> {
    core: Rc<RefCell<Core<N>>>,
    us: Rc<Us>,
}

impl<N: Node> Clone for Host<N> {
    fn clone(&self) -> Self {
        Host { core: Rc::clone(&self.core), us: Rc::clone(&self.us) }
    }
}

/// What opening the data gave: a host whose nodes do not run yet.
pub struct Opened<N: Node> {
    host: Host<N>,
    logs: BTreeMap<u32, NodeLog>,
    is_new: bool,
    incarnation: u64,
    start: Start,
    news: UnboundedReceiver<DiskNews>,
    transfer_news: UnboundedReceiver<TransferNews<N::Message>>,
    /// Where checkpoints are read.
    checkpoints: Checkpointer<Arc<FileDisk>>,
    data: PathBuf,
}

impl<N: Hosted> Host<N> {
    /// Opens the data of `config`, and makes it where there is none. `on_reply` gets every answer of a node to its
    /// user; it must not call the host. `describe` puts a record into words for reports of damage.
    ///
    /// # Errors
    /// If the data cannot be used, with what to do.
    pub fn open(
        config: HostConfig,
        on_reply: impl FnMut(NodeId, RequestId, N::Response) + 'static,
        describe: fn(u32, u8, &[u8]) -> String,
    ) -> Result<Opened<N>, HostError> {
        let Data { journal, recovered, known } = open_data(&config, describe)?;
        let (superblock, incarnation) = (journal.superblock, recovered.identity.incarnation);
        let start = *superblock.starts().last().expect("this start is one");
        let (news_out, news) = unbounded_channel();
        let (transfer_news_out, transfer_news) = unbounded_channel();
        let durable = journal.writer.durable();
        let (checkpoints, data) = (journal.checkpointer.clone(), config.data.clone());
        let disk =
            DiskThreads::start(journal.writer, journal.checkpointer, news_out).map_err(HostError::System)?;
        let recorder = match config.recording {
            Some((path, bytes_max)) => {
                let (cluster, process) = (config.cluster, config.number);
                let origin = Origin { cluster, process, start: start.number, part: 0 };
                let recorder = Recorder::create(path.clone(), bytes_max, origin);
                Some(recorder.map_err(|error| HostError::Recording(path, error))?)
            }
            None => None,
        };
        let nodes =
            |(index, peer): (usize, &Peer)| peer.nodes.iter().map(|node| (*node, index)).collect::<Vec<_>>();
        let core = Core::new(Parts {
            remote: config.peers.iter().enumerate().flat_map(nodes).collect(),
            peers: config.peers.len(),
            // Timers of different processes and starts should differ.
            seed: start.nonce as u64,
            appender: journal.appender,
            durable,
            disk,
            superblock: superblock.clone(),
            on_reply: Box::new(on_reply),
            recorder,
            transfer_news: transfer_news_out,
        });
        let us = Us {
            cluster: config.cluster,
            number: config.number,
            incarnation,
            start: start.number,
            nonce: start.nonce,
            disk: superblock.disk(),
            known: RefCell::new(known),
            refused: RefCell::default(),
            connections: RefCell::new(vec![0; config.peers.len()]),
            peers: RefCell::new(config.peers.iter().map(Known::of).collect()),
            keys: RefCell::new(config.keys),
            on_guest: RefCell::default(),
            runs: Cell::new(false),
        };
        let host = Host { core: Rc::new(RefCell::new(core)), us: Rc::new(us) };
        let is_new = recovered.is_new;
        let logs = recovered.nodes;
        Ok(Opened { host, logs, is_new, incarnation, start, news, transfer_news, checkpoints, data })
    }

    /// Asks node `id`, which runs here. Its answer goes to the sink that the host was opened with.
    ///
    /// # Panics
    /// If it does not run here, or its handler panics.
    pub fn request(&self, id: NodeId, request_id: RequestId, request: N::Request) {
        let mut core = self.core.borrow_mut();
        core.on_request(id, request_id, request);
        core.turn();
    }

    /// Starts a node that never ran in this data, beside those that run here.
    ///
    /// # Panics
    /// If it runs here already.
    pub fn start_node(&self, resident: Resident<N>) {
        let mut core = self.core.borrow_mut();
        assert!(!core.is_local(resident.id), "{} runs here already", resident.id);
        core.add(resident, Stimulus::Start);
        core.turn();
    }

    /// Ends a node that has no part in anything any more, and drops what it wrote. The program must know from then on
    /// [that it ended](Opened::without): something of its log may be left at the next start.
    pub fn end_node(&self, id: NodeId) {
        self.core.borrow_mut().end(id);
    }

    /// Tells that the peer of this number runs the node `id`, too.
    pub fn meet(&self, number: u32, id: NodeId) {
        if let Some(peer) = self.us.index_of(number) {
            self.core.borrow_mut().meet(id, peer);
        }
    }

    /// From now on whoever comes must have one of these keys, and this process has the first. Connections that are there
    /// stay. Nothing changes if there are none.
    pub fn set_keys(&self, keys: Vec<Key>) {
        if !keys.is_empty() {
            *self.us.keys.borrow_mut() = keys;
        }
    }

    /// A process belongs to the cluster, and is reached there; it may be known already.
    pub fn add_peer(&self, peer: &Peer) {
        let index = match self.us.index_of(peer.number) {
            Some(index) => {
                self.us.peers.borrow_mut()[index].address.clone_from(&peer.address);
                index
            }
            None => {
                self.us.peers.borrow_mut().push(Known::of(peer));
                self.us.connections.borrow_mut().push(0);
                let index = self.core.borrow_mut().add_out();
                if self.us.runs.get() {
                    self.reach(index);
                }
                index
            }
        };
        let mut core = self.core.borrow_mut();
        peer.nodes.iter().for_each(|node| core.meet(*node, index));
    }

    /// Keeps a connection to a peer from now on.
    fn reach(&self, peer: usize) {
        tokio::task::spawn_local(peers::dial(peer, Rc::clone(&self.us), Rc::clone(&self.core)));
        tokio::task::spawn_local(carrier::send(peer, Rc::clone(&self.core)));
    }

    /// A process belongs to the cluster no more: nothing that it says is heard.
    pub fn remove_peer(&self, number: u32) {
        let Some(index) = self.us.index_of(number) else { return };
        self.us.peers.borrow_mut()[index].is_member = false;
        self.us.connections.borrow_mut()[index] += 1;
        self.core.borrow_mut().forget_peer(index);
    }

    /// What is answered to processes that run nothing yet: see [`crate::ask_as_guest`].
    pub fn on_guest(&self, answer: impl Fn(Guest, Vec<u8>) -> Answer + 'static) {
        *self.us.on_guest.borrow_mut() = Some(Rc::new(answer));
    }

    /// Looks at a node that runs here.
    ///
    /// # Panics
    /// If it does not run here.
    pub fn look<T>(&self, id: NodeId, look: impl FnOnce(&N) -> T) -> T {
        look(self.core.borrow().node(id).expect("the node runs here"))
    }

    /// The number of the disk.
    pub fn disk(&self) -> u128 {
        self.us.disk
    }

    /// The latest starts of this process; the last of them is this one.
    pub fn starts(&self) -> Vec<Start> {
        self.core.borrow().superblock().starts()
    }

    /// What was [kept](Host::keep) under `name`, in this start or one before.
    pub fn fact(&self, name: &str) -> Option<Vec<u8>> {
        self.core.borrow().superblock().fact(name)
    }

    /// Keeps a small fact in the superblock, in place of what was kept under this name: durable when it returns.
    ///
    /// # Errors
    /// If the disk refuses: the process must stop.
    pub fn keep(&self, name: &str, bytes: Vec<u8>) -> Result<(), synod_journal::Error> {
        self.core.borrow().keep(name, bytes)
    }

    /// Whether the node `id` runs here.
    pub fn runs(&self, id: NodeId) -> bool {
        self.core.borrow().is_local(id)
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.core.borrow().counters.clone()
    }

    /// Whether the peer of this number is connected, as far as this process can send to it.
    pub fn is_connected(&self, number: u32) -> bool {
        let peer = self.us.index_of(number);
        peer.is_some_and(|peer| self.core.borrow().outs[peer].is_connected)
    }
}

impl<N: Hosted> Opened<N> {
    /// This start: its number is one higher than that of the one before, and nothing else ever had its nonce.
    pub fn start(&self) -> Start {
        self.start
    }

    /// Which life of its disk this is.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The host, to be asked once it runs.
    pub fn host(&self) -> Host<N> {
        self.host.clone()
    }

    /// These nodes ran here once, and are no more: what is left of what they wrote is dropped.
    #[must_use]
    pub fn without(mut self, ended: &[NodeId]) -> Self {
        for id in ended {
            let log = self.logs.remove(&id.to_bits()).unwrap_or_default();
            if !log.records.is_empty() || log.checkpoint.is_some_and(|file| file.bytes() > 0) {
                self.host.core.borrow_mut().drop_log(*id);
            }
        }
        self
    }

    /// Starts `nodes`, or lets them recover what they had, and keeps them going. Returns only if the disk fails.
    /// Must run inside a `LocalSet`.
    ///
    /// # Errors
    /// If a node's data cannot be read.
    pub async fn run(self, nodes: Vec<Resident<N>>, listener: TcpListener) -> Result<Stopped, HostError> {
        let Opened { host, mut logs, is_new, mut news, transfer_news, checkpoints, data, .. } = self;
        let core = Rc::clone(&host.core);
        for resident in nodes {
            let log = logs.remove(&resident.id.to_bits()).unwrap_or_default();
            let stimulus = match is_new {
                true => Stimulus::Start,
                false => Stimulus::Recover(read_log(resident.id, log, &checkpoints, &data)?),
            };
            core.borrow_mut().add(resident, stimulus);
        }
        if let Some(node) = logs.into_keys().next() {
            return Err(HostError::UnknownNode(NodeId::from_bits(node)));
        }
        core.borrow_mut().turn();
        tokio::task::spawn_local(peers::accept(listener, Rc::clone(&host.us), Rc::clone(&core)));
        host.us.runs.set(true);
        let peers = host.us.peers.borrow().len();
        (0..peers).for_each(|peer| host.reach(peer));
        tokio::task::spawn_local(carrier::receive(transfer_news, Rc::clone(&core)));
        let timers_changed = Rc::clone(&core.borrow().timers_changed);
        loop {
            let next = {
                let mut core = core.borrow_mut();
                if let Some(why) = core.stopped() {
                    return Ok(Stopped(why));
                }
                let next = core.fire_timers();
                core.mark_heard();
                core.turn();
                next
            };
            tokio::select! {
                // A host without timers looks again in an hour.
                () = tokio::time::sleep_until(next.unwrap_or_else(|| Instant::now() + std::time::Duration::from_secs(3600)).into()) => {}
                () = timers_changed.notified() => {}
                Some(first) = news.recv() => {
                    let mut core = core.borrow_mut();
                    if let Err(why) = core.on_disk(first) {
                        return Ok(Stopped(why));
                    }
                    core.turn();
                }
            }
        }
    }
}

/// What is on the disk, apart from what the nodes make of it.
struct Data {
    journal: Journal<Arc<FileDisk>>,
    recovered: Recovered,
    known: KnownPeers,
}

fn open_data(config: &HostConfig, describe: fn(u32, u8, &[u8]) -> String) -> Result<Data, HostError> {
    let refused = |error| HostError::Journal(config.data.clone(), error);
    let home = Arc::new(FileDisk::open(&config.data).map_err(refused)?);
    let disk = Arc::new(FileDisk::open(&config.data.join(JOURNAL)).map_err(refused)?);
    let identity = Identity { cluster: config.cluster, node: config.number, incarnation: config.incarnation };
    let options = Options { segment_bytes: config.segment_bytes, describe, ..Options::default() };
    let opener = Opener { identity, nonce: draw().map_err(HostError::System)? };
    let (journal, recovered) =
        Journal::open(Disks { home, journal: disk }, opener, options).map_err(refused)?;
    if let Some(why) = journal.superblock.fact(REFUSED) {
        return Err(HostError::OlderDisk(String::from_utf8_lossy(&why).into_owned()));
    }
    for name in &recovered.mended {
        tracing::warn!(file = %name, "a copy of the superblock was missing or damaged: it was written anew");
    }
    if recovered.torn_tail {
        tracing::info!("the journal ended in a batch that a crash had cut off: it was dropped");
    }
    let mut known = match journal.superblock.fact(PEERS) {
        None => KnownPeers::default(),
        Some(bytes) => {
            KnownPeers::from_bytes(&bytes).map_err(|why| HostError::UnreadableFact(PEERS.to_owned(), why))?
        }
    };
    known.hear_again(&journal.superblock.heard());
    Ok(Data { journal, recovered, known })
}

fn read_log<N: Hosted>(
    node: NodeId,
    log: NodeLog,
    checkpoints: &Checkpointer<Arc<FileDisk>>,
    data: &Path,
) -> Result<Durable<N>, HostError> {
    let unreadable = |record| move |why| HostError::Unreadable { node, record, why };
    let mut checkpoint = None;
    if let Some(file) = &log.checkpoint {
        let mut parts = checkpoints.parts(file);
        let mut failed = None;
        let read = N::Checkpoint::read_parts(file.bytes(), &mut |buffer| match parts.next_part() {
            Ok(part) => {
                buffer.extend_from_slice(&part);
                !part.is_empty()
            }
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        if let Some(error) = failed {
            return Err(HostError::Journal(data.to_owned(), error));
        }
        checkpoint = Some(read.map_err(unreadable(None))?);
    }
    // Each record's bytes go as it is read: both forms of all would be held else.
    let record = |record: synod_journal::Record| {
        N::Record::from_bytes(&record.payload).map_err(unreadable(Some(record.sequence)))
    };
    Ok(Durable { checkpoint, records: log.records.into_iter().map(record).collect::<Result<_, _>>()? })
}
