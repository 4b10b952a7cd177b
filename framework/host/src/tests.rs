//! What a host promises, shown with a node that keeps, asks and counts when it is told to: real sockets, files and
//! threads, one thread a process.

mod data;
mod frames;
mod handshakes;
mod keys;
mod older_disks;
mod processes;
mod recording;
mod transfers;

use crate::{Counters, Host, HostConfig, HostError, Peer, Resident, Stopped};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use synod_journal::Error;
use synod_node::{Context, Durable, Node, NodeId, RequestId};
use synod_stdx::{Malformed, Reader, Wire, Writer};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);
const CLUSTER: u64 = 7;
const N1: NodeId = NodeId::server(1);
const N2: NodeId = NodeId::server(2);
const N3: NodeId = NodeId::server(3);

/// How a keeper is built, in words.
const BUILT: &str = "keeps nothing yet";

/// The name of the answer when a state came.
const STATE_CAME: RequestId = RequestId(99);

/// A record that no later release can read.
const UNREADABLE: u64 = 1_313;
/// While a test holds this, no checkpoint with [`STALLED`] in it can be stored.
static STALL: Mutex<()> = Mutex::new(());
const STALLED: u64 = 666;

/// Keeps what it is told to.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Keeper {
    kept: Vec<u64>,
    /// What was recovered: the checkpoint, if there was one, and how many records after it.
    recovered: Option<(bool, usize)>,
    /// Questions to others that wait for an answer.
    asked: Vec<(NodeId, u64)>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Message {
    /// To be answered with the same word.
    Ask(u64),
    Answer(u64),
    /// To be kept, and reported to the receiver's user once it is durable.
    Keep(u64),
    /// All that the sender keeps, to be kept instead, and reported.
    State(Vec<u64>),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Timer {
    AskAgain(u64),
    Remember(u64),
}

/// What a user can ask; each is answered under its own request's name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Do {
    /// Ask that node, until it answers.
    Ask(NodeId),
    Keep(u64),
    /// Keep all numbers below this one, and send that node all that is kept.
    Give(NodeId, u64),
    Checkpoint,
    Compact,
    /// Answer under each of these names in the time behind it, in milliseconds.
    Remember(Vec<(u64, u64, u64)>),
    /// Say what is kept, and what was recovered.
    Tell,
}

type Told = (Vec<u64>, Option<(bool, usize)>);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Record(u64);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Whole(Vec<u64>);

impl Node for Keeper {
    type Message = Message;
    type Timer = Timer;
    type Record = Record;
    type Checkpoint = Whole;
    type Request = Do;
    type Response = Told;

    fn on_start(&mut self, _ctx: &mut Context<Self>) {}

    fn on_message(&mut self, from: NodeId, message: Message, ctx: &mut Context<Self>) {
        match message {
            Message::Ask(word) => ctx.send(from, Message::Answer(word)),
            Message::Answer(word) => {
                if self.asked.contains(&(from, word)) {
                    self.asked.retain(|asked| *asked != (from, word));
                    ctx.reply(RequestId(word), self.told());
                }
            }
            Message::Keep(word) => self.keep(RequestId(word), word, ctx),
            Message::State(kept) => {
                self.kept = kept;
                ctx.reply(STATE_CAME, self.told());
            }
        }
    }

    fn on_timer(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        match timer {
            Timer::AskAgain(word) => self.ask(word, ctx),
            Timer::Remember(number) => ctx.reply(RequestId(number), self.told()),
        }
    }

    fn on_request(&mut self, id: RequestId, request: Do, ctx: &mut Context<Self>) {
        match request {
            Do::Ask(to) => {
                self.asked.push((to, id.0));
                self.ask(id.0, ctx);
            }
            Do::Keep(word) => self.keep(id, word, ctx),
            Do::Give(to, words) => {
                self.kept = (0..words).collect();
                ctx.send(to, Message::State(self.kept.clone()));
            }
            Do::Checkpoint => {
                ctx.checkpoint(Whole(self.kept.clone()));
                ctx.reply(id, self.told());
            }
            Do::Compact => {
                ctx.compact(Whole(self.kept.clone()));
                ctx.reply(id, self.told());
            }
            Do::Remember(timers) => {
                for (number, low, high) in timers {
                    ctx.set_timer(Timer::Remember(number), low..=high);
                }
            }
            Do::Tell => ctx.reply(id, self.told()),
        }
    }

    fn on_recover(&mut self, durable: Durable<Self>, _ctx: &mut Context<Self>) {
        self.recovered = Some((durable.checkpoint.is_some(), durable.records.len()));
        self.kept = durable.checkpoint.map_or_else(Vec::new, |whole| whole.0);
        self.kept.extend(durable.records.iter().map(|record| record.0));
    }
}

impl Keeper {
    fn told(&self) -> Told {
        (self.kept.clone(), self.recovered)
    }

    fn keep(&mut self, id: RequestId, word: u64, ctx: &mut Context<Self>) {
        self.kept.push(word);
        ctx.persist(Record(word));
        ctx.reply(id, self.told());
    }

    fn ask(&self, word: u64, ctx: &mut Context<Self>) {
        if let Some((to, _)) = self.asked.iter().find(|(_, asked)| *asked == word) {
            ctx.send(*to, Message::Ask(word));
            ctx.set_timer(Timer::AskAgain(word), 5..=10);
        }
    }
}

impl Wire for Message {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Message::Ask(word) => (1u64, *word).encode(out),
            Message::Answer(word) => (2u64, *word).encode(out),
            Message::Keep(word) => (3u64, *word).encode(out),
            Message::State(words) => (5u64, 0u64, words.clone()).encode(out),
        }
    }

    fn is_bulky(&self) -> bool {
        matches!(self, Message::State(_))
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match <(u64, u64)>::decode(input)? {
            (1, word) => Ok(Message::Ask(word)),
            (2, word) => Ok(Message::Answer(word)),
            (3, word) => Ok(Message::Keep(word)),
            (5, _) => Vec::decode(input).map(Message::State),
            (0 | 4 | 6.., _) => Err(Malformed("no such message")),
        }
    }
}

impl Wire for Do {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Do::Ask(node) => (1u32, *node).encode(out),
            Do::Keep(word) => (2u32, *word).encode(out),
            Do::Checkpoint => 3u32.encode(out),
            Do::Compact => 4u32.encode(out),
            Do::Remember(timers) => (5u32, timers.clone()).encode(out),
            Do::Tell => 6u32.encode(out),
            Do::Give(to, words) => (7u32, *to, *words).encode(out),
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match u32::decode(input)? {
            1 => Do::Ask(Wire::decode(input)?),
            2 => Do::Keep(Wire::decode(input)?),
            3 => Do::Checkpoint,
            4 => Do::Compact,
            5 => Do::Remember(Wire::decode(input)?),
            6 => Do::Tell,
            7 => Do::Give(Wire::decode(input)?, Wire::decode(input)?),
            _ => return Err(Malformed("no such wish")),
        })
    }
}

impl Wire for Record {
    fn encode(&self, out: &mut Writer<'_>) {
        self.0.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match u64::decode(input)? {
            UNREADABLE => Err(Malformed("an unlucky number")),
            word => Ok(Record(word)),
        }
    }
}

impl Wire for Whole {
    fn encode(&self, out: &mut Writer<'_>) {
        let _stalled =
            self.0.contains(&STALLED).then(|| STALL.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Vec::decode(input).map(Whole)
    }
}

/// A port of this machine that nobody else has, nor ever gets while these tests run: a process that dials another one
/// after its end must not meet that of another test.
fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Box::leak(Box::new(listener.try_clone().unwrap()));
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The process `number` with its data below `directory`, alone.
fn alone(number: u32, directory: &Path) -> HostConfig {
    HostConfig {
        cluster: CLUSTER,
        number,
        incarnation: 0,
        data: directory.join(number.to_string()),
        peers: Vec::new(),
        keys: Vec::new(),
        segment_bytes: 4096,
        recording: None,
    }
}

fn peer(number: u32, address: SocketAddr) -> Peer {
    Peer { number, address: address.to_string(), nodes: vec![NodeId::server(number)] }
}

type Answer = (RequestId, Told);

/// Opens the data of a process. One that has just stopped may hold its lock for another moment.
fn open(
    config: &HostConfig,
    on_reply: impl Fn(Answer) + Clone + 'static,
) -> Result<crate::Opened<Keeper>, HostError> {
    let begin = Instant::now();
    loop {
        let on_reply = on_reply.clone();
        let opened =
            Host::open(config.clone(), move |_, id, told| on_reply((id, told)), |_, _, _| String::new());
        match opened {
            Err(HostError::Journal(_, Error::Locked { .. })) if begin.elapsed() < PATIENCE => {
                std::thread::yield_now();
            }
            opened => return opened,
        }
    }
}

enum Command {
    Ask(RequestId, Do),
    Count,
    End,
}

/// A process of its own, but for being a thread.
struct Process {
    address: SocketAddr,
    commands: UnboundedSender<Command>,
    answers: Receiver<Answer>,
    counted: Receiver<Counters>,
    thread: JoinHandle<Result<Option<Stopped>, HostError>>,
    asked: u64,
}

impl Process {
    fn start(config: HostConfig) -> Process {
        Process::listening(config, listener().0)
    }

    /// Starts the process that listens there. Its node has its number.
    fn listening(config: HostConfig, listener: TcpListener) -> Process {
        let address = listener.local_addr().unwrap();
        let (commands, mut told) = unbounded_channel();
        let ((answers_out, answers), (counted_out, counted)) = (channel(), channel());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, async {
                listener.set_nonblocking(true).unwrap();
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let id = NodeId::server(config.number);
                let opened = open(&config, move |answer| drop(answers_out.send(answer)))?;
                let host = opened.host();
                let resident = Resident { id, node: Keeper::default(), built: BUILT.into(), clock: None };
                let obey = async {
                    loop {
                        match told.recv().await {
                            Some(Command::Ask(request_id, request)) => host.request(id, request_id, request),
                            Some(Command::Count) => counted_out.send(host.counters()).unwrap(),
                            Some(Command::End) | None => return,
                        }
                    }
                };
                tokio::select! {
                    // The node runs before it is asked.
                    biased;
                    stopped = opened.run(vec![resident], listener) => stopped.map(Some),
                    () = obey => Ok(None),
                }
            })
        });
        Process { address, commands, answers, counted, thread, asked: 1_000 }
    }

    /// Asks without waiting for an answer. A process that stopped does not hear it.
    fn tell(&mut self, request: Do) -> RequestId {
        self.asked += 1;
        let _ = self.commands.send(Command::Ask(RequestId(self.asked), request));
        RequestId(self.asked)
    }

    /// The next answer to anything.
    fn answer(&self) -> Answer {
        self.answers.recv_timeout(PATIENCE).expect("an answer comes")
    }

    /// Asks and waits for the answer.
    fn ask(&mut self, request: Do) -> Told {
        let id = self.tell(request);
        let (answered, told) = self.answer();
        assert_eq!(answered, id);
        told
    }

    fn counters(&self) -> Counters {
        self.commands.send(Command::Count).unwrap();
        self.counted.recv_timeout(PATIENCE).expect("a process that runs can count")
    }

    /// How often connections were refused or dropped, and for what.
    fn refused(&self) -> Vec<(&'static str, u64)> {
        self.counters().refused.into_iter().collect()
    }

    /// Ends the process without any farewell.
    fn end(self) {
        let _ = self.commands.send(Command::End);
        assert_eq!(self.outcome().unwrap(), None);
    }

    /// Why it ended.
    fn outcome(self) -> Result<Option<Stopped>, HostError> {
        self.thread.join().expect("the process does not panic")
    }
}
