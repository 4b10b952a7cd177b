//! Requests under way at a node: whose they are, which wait for room at the gateway, and when nobody waits any more.

use super::admission::{ROOM_BYTES, Room, STALE, WAIT_MAX};
use super::line::Line;
use super::places;
use crate::server::{Completions, Token};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use synod_clientserver::Outcome as Ran;
use synod_node::RequestId;
use synod_resp::Reply;
use synod_shardedstore::{Configuration, ConfigurationError, ConfigurationOutput, Response};
use synod_store::{Command, Outcome, Progress, Walk};
use tokio::sync::{Notify, oneshot};

/// A command that is not answered by then is reported to its client as lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many commands may wait for room; beyond it they are refused.
const WAITING_MAX: usize = 262_144;
/// The most commands that go to the gateway in one step: others have their turn in between.
const STEP_MAX: usize = 1_024;

/// While commands are refused that is said so often; and that it is over, once so much time has passed without.
const SAID_PAUSE: Duration = Duration::from_secs(10);
const OVER_AFTER: Duration = Duration::from_secs(2);

/// Why a command was refused before it began.
pub(super) const TOO_MUCH: &str = "this node is asked for more than it can do; send it again later";

/// The owner of a request.
pub(super) enum Ticket {
    /// A client's, who gets the outcome.
    Client(Token),
    /// A client's, who gets the outcome of the whole walk.
    Walk(Token, Box<Walk>),
    /// The node's own: nobody waits for it.
    Own,
    /// The node's own, to the configuration service: what that answers.
    Configured(oneshot::Sender<ConfigurationOutput>),
}

impl Ticket {
    fn token(&self) -> Option<Token> {
        match self {
            Ticket::Client(token) | Ticket::Walk(token, _) => Some(*token),
            Ticket::Own | Ticket::Configured(_) => None,
        }
    }
}

/// A command that waits for room at the gateway.
struct Waiting {
    ticket: Ticket,
    command: Command,
}

/// What waits for its answer.
struct Asked {
    ticket: Ticket,
    at: Instant,
    is_read: bool,
    bytes: usize,
}

/// Commands for the gateway of one kind: the number of the first, and they themselves.
pub(super) type Numbered = (RequestId, Vec<Command>);

/// What goes to the gateway in one step.
pub(super) struct Submission {
    pub(super) commands: Option<Numbered>,
    pub(super) queries: Option<Numbered>,
}

/// Requests under way, by their numbers, which follow each other: a queue is enough.
pub(crate) struct Requests {
    pub(super) completions: Completions,
    asked: RefCell<VecDeque<Option<Asked>>>,
    /// The number of the first in `asked`.
    first: Cell<u64>,
    /// How many are not answered, and the bytes of their commands.
    open: Cell<usize>,
    open_bytes: Cell<usize>,
    /// Commands that are not yet at the gateway, and their bytes.
    waiting: RefCell<Line<Waiting>>,
    waiting_bytes: Cell<usize>,
    room: Room,
    /// Wakes the pump: something waits, or there is room again.
    pub(super) wake: Notify,
    timed_out: Cell<u64>,
    refused: Cell<u64>,
    /// How many were refused when that was last looked at.
    refused_before: Cell<u64>,
    overload: RefCell<Option<Overload>>,
}

/// Commands are being refused.
struct Overload {
    /// When that was said last, and how many were refused since.
    said: Instant,
    unsaid: u64,
    /// When one was refused last.
    last: Instant,
}

impl Requests {
    pub(crate) fn new(completions: Completions) -> Requests {
        Requests {
            completions,
            asked: RefCell::default(),
            first: Cell::new(1),
            open: Cell::new(0),
            open_bytes: Cell::new(0),
            waiting: RefCell::default(),
            waiting_bytes: Cell::new(0),
            room: Room::new(Instant::now()),
            wake: Notify::new(),
            timed_out: Cell::new(0),
            refused: Cell::new(0),
            refused_before: Cell::new(0),
            overload: RefCell::default(),
        }
    }

    /// Requests under way, refused and timed out.
    pub(crate) fn counts(&self) -> (usize, u64, u64) {
        (self.open.get(), self.refused.get(), self.timed_out.get())
    }

    /// A request goes to a node of this process at once, by the number that this yields.
    pub(super) fn push(&self, ticket: Ticket) -> RequestId {
        self.push_asked(Asked { ticket, at: Instant::now(), is_read: false, bytes: 0 })
    }

    fn push_asked(&self, asked: Asked) -> RequestId {
        let mut queue = self.asked.borrow_mut();
        self.open.set(self.open.get() + 1);
        self.open_bytes.set(self.open_bytes.get() + asked.bytes);
        queue.push_back(Some(asked));
        RequestId(self.first.get() + queue.len() as u64 - 1)
    }

    fn take(&self, id: RequestId) -> Option<Asked> {
        let mut queue = self.asked.borrow_mut();
        let index = usize::try_from(id.0.checked_sub(self.first.get())?).ok()?;
        let asked = queue.get_mut(index)?.take()?;
        while let Some(None) = queue.front() {
            queue.pop_front();
            self.first.set(self.first.get() + 1);
        }
        self.open.set(self.open.get() - 1);
        self.open_bytes.set(self.open_bytes.get() - asked.bytes);
        self.note_bytes();
        if !self.waiting.borrow().is_empty() && self.has_room(0, 0) {
            self.wake.notify_one();
        }
        Some(asked)
    }

    /// Whether there is room at the gateway for one more, beside what is there and so many commands of so many bytes.
    fn has_room(&self, commands: usize, bytes: usize) -> bool {
        self.open.get() + commands < self.room.size() && self.open_bytes.get() + bytes < ROOM_BYTES
    }

    /// The budget for clients learns how much is under way.
    fn note_bytes(&self) {
        self.completions.note_under_way(self.open_bytes.get() + self.waiting_bytes.get());
    }

    /// A client's command waits for its turn, unless too many do already: then it never happens.
    pub(super) fn wait(&self, token: Token, command: Command) {
        let now = Instant::now();
        if !self.has_space(&command) {
            self.refuse(token);
            return;
        }
        let (ticket, command) = match command.is_about_all_keys() {
            false => (Ticket::Client(token), command),
            true => {
                let walk = Walk::new(command);
                let first = walk.next_command();
                (Ticket::Walk(token, Box::new(walk)), first)
            }
        };
        self.push_waiting(now, Waiting { ticket, command });
        self.refuse_the_last(now);
    }

    /// If the line is late, the command whose turn is last does not happen. A walk that has begun goes on.
    fn refuse_the_last(&self, now: Instant) {
        let is_late =
            |oldest: Instant| now.duration_since(oldest) > WAIT_MAX && self.room.was_full_since(oldest);
        if !self.waiting.borrow().oldest().is_some_and(is_late) {
            return;
        }
        let is_whole = |waiting: &Waiting| matches!(waiting.ticket, Ticket::Client(_));
        let last = self.waiting.borrow_mut().pop_last(is_whole);
        if let Some(Waiting { ticket: Ticket::Client(token), command }) = last {
            self.waiting_bytes.set(self.waiting_bytes.get() - command.size());
            self.note_bytes();
            self.refuse(token);
        }
    }

    fn has_space(&self, command: &Command) -> bool {
        self.waiting.borrow().len() < WAITING_MAX && self.completions.has_space(command.size())
    }

    fn push_waiting(&self, since: Instant, waiting: Waiting) {
        let bytes = waiting.command.size();
        let connection = waiting.ticket.token().map_or(u32::MAX, |token| token.connection);
        self.waiting_bytes.set(self.waiting_bytes.get() + bytes);
        self.waiting.borrow_mut().push(connection, bytes, since, waiting);
        self.note_bytes();
    }

    fn refuse(&self, token: Token) {
        self.refused.set(self.refused.get() + 1);
        self.completions.complete(token, Outcome::DidNotHappen(TOO_MUCH.into()));
    }

    /// The next waiting commands for the gateway, as far as it has room. A command that waited too long for room never happens; a
    /// command that waited because this process stood still does.
    pub(super) fn next_submission(&self) -> Submission {
        let at = Instant::now();
        let (mut commands, mut queries, mut bytes) = (Vec::new(), Vec::new(), 0);
        while commands.len() + queries.len() < STEP_MAX
            && self.has_room(commands.len() + queries.len(), bytes)
        {
            let Some((since, Waiting { ticket, command })) = self.waiting.borrow_mut().pop() else {
                break;
            };
            self.waiting_bytes.set(self.waiting_bytes.get() - command.size());
            if let Ticket::Client(token) = ticket
                && at.duration_since(since) > STALE
                && self.room.was_full_since(since)
            {
                self.refuse(token);
                continue;
            }
            bytes += command.size();
            let kind = if command.is_read_only() { &mut queries } else { &mut commands };
            kind.push((ticket, command));
        }
        let (commands, queries) = (self.number(commands, at, false), self.number(queries, at, true));
        self.note_bytes();
        if !self.waiting.borrow().is_empty() {
            if self.has_room(0, 0) {
                self.wake.notify_one();
            } else {
                self.room.note_full(at);
            }
        }
        Submission { commands, queries }
    }

    fn number(&self, batch: Vec<(Ticket, Command)>, at: Instant, is_read: bool) -> Option<Numbered> {
        let mut first = None;
        let mut commands = Vec::with_capacity(batch.len());
        for (ticket, command) in batch {
            let id = self.push_asked(Asked { ticket, at, is_read, bytes: command.size() });
            first.get_or_insert(id);
            commands.push(command);
        }
        first.map(|first| (first, commands))
    }

    /// The store or the configuration service answered.
    pub(crate) fn settle(&self, id: RequestId, response: Response<Reply>) {
        // Answered too late: its client was told so.
        let Some(Asked { ticket, at, .. }) = self.take(id) else { return };
        let now = Instant::now();
        self.room.note_answered(now.duration_since(at), now);
        if let Ticket::Configured(answer) = ticket {
            // Who asked may have given up.
            if let Response::Configuration(Ran::Done(output)) = response {
                let _ = answer.send(output);
            }
            return;
        }
        let outcome = match response {
            Response::Store(Ran::Done(reply)) => Outcome::Done(reply),
            Response::Configuration(Ran::Done(output)) => Outcome::Done(tell(&output)),
            Response::Store(Ran::MayHaveHappened) | Response::Configuration(Ran::MayHaveHappened) => {
                Outcome::MayHaveHappened("the group has forgotten this node's session".into())
            }
        };
        match (ticket, outcome) {
            (Ticket::Client(token), outcome) => self.completions.complete(token, outcome),
            (Ticket::Walk(token, mut walk), Outcome::Done(reply)) => match walk.on_reply(reply) {
                Progress::Done(reply) => self.completions.complete(token, Outcome::Done(reply)),
                Progress::Next(command) if self.has_space(&command) => {
                    self.push_waiting(now, Waiting { ticket: Ticket::Walk(token, walk), command });
                    self.wake.notify_one();
                }
                Progress::Next(_) => {
                    self.completions.complete(token, Outcome::MayHaveHappened(TOO_MUCH.into()));
                }
            },
            (Ticket::Walk(token, _), outcome) => self.completions.complete(token, outcome),
            (Ticket::Own | Ticket::Configured(_), _) => {}
        }
    }

    /// Says in the log that commands are refused: when it begins, now and then while it lasts, and when it is over.
    pub(super) fn report_refusals(&self) {
        let (refused, now) = (self.refused.get(), Instant::now());
        let fresh = refused - self.refused_before.replace(refused);
        let mut overload = self.overload.borrow_mut();
        match &mut *overload {
            None if fresh > 0 => {
                tracing::warn!(
                    refused = fresh,
                    "more is asked of this node than it can do: what would wait is refused"
                );
                *overload = Some(Overload { said: now, last: now, unsaid: 0 });
            }
            Some(known) if fresh > 0 => {
                known.last = now;
                known.unsaid += fresh;
                if now.duration_since(known.said) >= SAID_PAUSE {
                    known.said = now;
                    let refused = std::mem::take(&mut known.unsaid);
                    tracing::warn!(refused, "more is still asked of this node than it can do");
                }
            }
            Some(known) if now.duration_since(known.last) >= OVER_AFTER => {
                tracing::info!(refused = known.unsaid, "this node does all that it is asked again");
                *overload = None;
            }
            Some(_) | None => {}
        }
    }

    /// Tells the clients of everything that waited too long.
    pub(super) fn give_up(&self) {
        let now = Instant::now();
        loop {
            let overdue = {
                let queue = self.asked.borrow();
                let mut numbered = (self.first.get()..).zip(queue.iter());
                let first = numbered.find_map(|(id, asked)| asked.as_ref().map(|asked| (id, asked.at)));
                first.filter(|(_, at)| now - *at > PATIENCE)
            };
            let Some((id, _)) = overdue else { return };
            let Some(asked) = self.take(RequestId(id)) else { return };
            self.timed_out.set(self.timed_out.get() + 1);
            if let Some(token) = asked.ticket.token() {
                let outcome = match asked.is_read {
                    true => Outcome::NoLeader("nobody answered in time; try again".into()),
                    false => Outcome::MayHaveHappened("no answer in time; it may still run".into()),
                };
                self.completions.complete(token, outcome);
            }
        }
    }
}

/// What an operator is told.
fn tell(output: &ConfigurationOutput) -> Reply {
    match output {
        ConfigurationOutput::Ok(number) => Reply::Integer(number.cast_signed()),
        ConfigurationOutput::Configuration(configuration) => Reply::bulk(line_of(configuration)),
        ConfigurationOutput::Attached { incarnation, .. } => Reply::Integer(incarnation.cast_signed()),
        ConfigurationOutput::Error(error) => Reply::Error(format!("ERR {}", words_of(*error)).into()),
    }
}

/// Words of the refusal of a replacement that may be asked for again.
pub(crate) const CANNOT_SPARE: &str = "cannot spare";

/// Why nothing was changed, in the operators' words: they know nodes, not members.
fn words_of(error: ConfigurationError) -> String {
    let node = |id| format!("node {}", places::node_of(id));
    match error {
        ConfigurationError::NoMember(id) => {
            format!("{} is no member of the group; name one that is", node(id))
        }
        ConfigurationError::IsMember(id) => {
            format!("{} is a member of the group already; name another one", node(id))
        }
        ConfigurationError::WasMember(id) => {
            format!("{} came back to the group too often; name another node", node(id))
        }
        ConfigurationError::WasGroup(group) => {
            format!("{group} was a group of other nodes before; choose a new number")
        }
        ConfigurationError::Unspared(id) => format!(
            "the configuration service {CANNOT_SPARE} {} now; ask again when a majority of its other members is there and has \
             caught up",
            node(id)
        ),
        error => error.to_string(),
    }
}

/// A configuration in one line.
pub(super) fn line_of(configuration: &Configuration) -> String {
    let groups = configuration.groups.iter().map(|(group, members)| {
        let nodes: Vec<String> = members.iter().map(|id| places::node_of(*id).to_string()).collect();
        format!("{group} on {}", nodes.join(","))
    });
    let groups: Vec<String> = groups.collect();
    let Configuration { number, slots, nodes, service, .. } = configuration;
    let service: Vec<String> = service.iter().map(|id| places::node_of(*id).to_string()).collect();
    let nodes: Vec<String> = nodes.keys().map(u32::to_string).collect();
    format!(
        "{number}  {}  {slots:?}  config on {}  nodes {}",
        groups.join("  "),
        service.join(","),
        nodes.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::{Requests, STALE, WAIT_MAX};
    use crate::server::{Limits, Options, Server, Token};
    use std::thread::sleep;
    use std::time::Duration;
    use synod_clientserver::Outcome;
    use synod_node::RequestId;
    use synod_resp::Reply;
    use synod_shardedstore::{Response, SlotId};
    use synod_store::{Command, Settings};

    #[test]
    fn what_is_answered_is_given_back_to_the_budget() {
        let limits = Limits { client_bytes_max: 1_000, ..Limits::default() };
        let completions =
            Server::new(Options { settings: Settings::default(), limits, seed: 1 }).completions();
        let requests = Requests::new(completions.clone());
        requests.wait(Token { connection: 0, generation: 0, sequence: 0 }, Command::tick(SlotId::FIRST));
        assert!(!completions.has_space(1_000), "it waits");
        let (id, _) = requests.next_submission().commands.expect("there is room for one");
        assert!(!completions.has_space(1_000), "it is at the gateway");
        requests.settle(id, Response::Store(Outcome::Done(Reply::OK)));
        assert!(completions.has_space(1_000));
    }

    #[test]
    fn only_what_waits_for_room_is_refused_for_its_waiting() {
        let options = Options { settings: Settings::default(), limits: Limits::default(), seed: 1 };
        let requests = Requests::new(Server::new(options).completions());
        let wait = |sequence| {
            requests.wait(Token { connection: 0, generation: 0, sequence }, Command::tick(SlotId::FIRST));
        };
        let taken = || requests.next_submission().commands.map_or(0, |(_, commands)| commands.len());
        let refused = || requests.counts().1;
        // The process stands still; there is room all the time.
        wait(1);
        sleep(STALE + Duration::from_millis(20));
        wait(2);
        assert_eq!((taken(), refused()), (2, 0));
        // The room is full.
        let mut sequence = 3;
        while requests.has_room(0, 0) {
            wait(sequence);
            sequence += 1;
            taken();
        }
        wait(sequence);
        assert_eq!((taken(), refused()), (0, 0));
        sleep(WAIT_MAX + Duration::from_millis(20));
        wait(sequence + 1);
        assert_eq!(refused(), 1, "who comes then");
        sleep(STALE);
        (1..sequence)
            .for_each(|id| requests.settle(RequestId(id), Response::Store(Outcome::Done(Reply::OK))));
        assert_eq!((taken(), refused()), (0, 2), "and who has waited so long");
    }
}
