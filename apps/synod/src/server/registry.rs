//! All connections of a server: where outcomes find their places, and where the counters stand.

use super::door::now_ms;
use super::facts::resident_bytes;
use super::replies::Replies;
use super::turns::Turns;
use super::{Options, Token};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Waker;
use synod_stdx::Rng;
use synod_store::{Outcome, Session};

/// What a connection's task shares with the rest of the server.
pub(super) struct Shared {
    pub(super) index: u32,
    pub(super) generation: u32,
    pub(super) session: RefCell<Session>,
    pub(super) replies: RefCell<Replies>,
    /// An outcome came since the task last looked.
    pub(super) has_news: Cell<bool>,
    /// The task runs, or will: it need not be woken.
    pub(super) is_awake: Cell<bool>,
    pub(super) waker: RefCell<Option<Waker>>,
    /// Since when a request is unfinished, in ms; 0: none is.
    pub(super) begun_ms: Cell<u64>,
    /// Since when the client has taken nothing of what waits for it; 0: nothing waits.
    pub(super) stalled_ms: Cell<u64>,
    /// It waits for its turn to work.
    pub(super) awaits_turn: Cell<bool>,
    /// When the last bytes came.
    pub(super) active_ms: Cell<u64>,
    /// Why the connection must end, if it must.
    pub(super) doom: Cell<Option<Doom>>,
    /// What this connection adds to the totals.
    pub(super) output_bytes: Cell<usize>,
    pub(super) input_bytes: Cell<usize>,
    pub(super) queued_bytes: Cell<usize>,
}

/// Why a connection is ended from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doom {
    /// A request did not arrive in time, or nothing did.
    TimedOut,
    /// Its client does not read.
    CutOff,
    /// The server stops.
    Stopping,
}

impl Shared {
    pub(super) fn wake(&self) {
        if !self.is_awake.replace(true)
            && let Some(waker) = &*self.waker.borrow()
        {
            waker.wake_by_ref();
        }
    }

    pub(super) fn end(&self, doom: Doom) {
        self.doom.set(Some(doom));
        self.wake();
    }
}

/// What happened so far.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) accepted: Cell<u64>,
    pub(super) rejected: Cell<u64>,
    pub(super) cut_off: Cell<u64>,
    pub(super) timed_out: Cell<u64>,
    pub(super) protocol_errors: Cell<u64>,
    pub(super) commands: Cell<u64>,
    pub(super) input_bytes: Cell<u64>,
    pub(super) output_bytes: Cell<u64>,
}

pub(super) fn add(counter: &Cell<u64>, amount: u64) {
    counter.set(counter.get() + amount);
}

/// From now on `part` adds `bytes` to `total`, in place of what it added before.
pub(super) fn exchange(total: &Cell<usize>, part: &Cell<usize>, bytes: usize) {
    total.set(total.get() - part.replace(bytes) + bytes);
}

pub(super) struct Registry {
    pub(super) options: Options,
    pub(super) counters: Counters,
    pub(super) rng: RefCell<Rng>,
    connections: RefCell<Vec<(u32, Option<Rc<Shared>>)>>,
    free: RefCell<Vec<u32>>,
    pub(super) next_id: Cell<u64>,
    /// The bytes of replies that wait, of requests that are unfinished and of transactions that are being queued, of all
    /// connections.
    pub(super) output_bytes: Cell<usize>,
    pub(super) input_bytes: Cell<usize>,
    pub(super) queued_bytes: Cell<usize>,
    /// The bytes of commands under way.
    under_way_bytes: Cell<usize>,
    /// The memory that the process took, and when that was read, in ms.
    memory: Cell<(u64, u64)>,
    failures: RefCell<BTreeMap<IpAddr, (u32, u64)>>,
    pub(super) turns: Turns,
    /// Bytes are read into this before they are known to be worth keeping.
    pub(super) scratch: RefCell<Box<[u8]>>,
}

const SCRATCH_BYTES: usize = 64 << 10;
/// Every connection may hold so many bytes, whatever the others do.
const SHARE_BYTES_MIN: usize = 64 << 10;
/// The memory that the process takes is read again after so many ms.
const MEMORY_PAUSE_MS: u64 = 50;
/// Addresses whose wrong passwords are remembered.
const FAILURES_MAX: usize = 1_024;

impl Registry {
    pub(super) fn new(options: Options) -> Registry {
        Registry {
            rng: RefCell::new(Rng::new(options.seed)),
            options,
            counters: Counters::default(),
            connections: RefCell::default(),
            free: RefCell::default(),
            next_id: Cell::new(1),
            output_bytes: Cell::new(0),
            input_bytes: Cell::new(0),
            queued_bytes: Cell::new(0),
            under_way_bytes: Cell::new(0),
            memory: Cell::new((0, 0)),
            failures: RefCell::default(),
            turns: Turns::default(),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
        }
    }

    /// Makes a place for a connection.
    pub(super) fn add(&self, session: Session, now_ms: u64) -> Rc<Shared> {
        let mut connections = self.connections.borrow_mut();
        let index = self.free.borrow_mut().pop().unwrap_or_else(|| {
            connections.push((0, None));
            connections.len() as u32 - 1
        });
        let (generation, place) = &mut connections[index as usize];
        *generation = generation.wrapping_add(1);
        let shared = Rc::new(Shared {
            index,
            generation: *generation,
            session: RefCell::new(session),
            replies: RefCell::default(),
            has_news: Cell::new(false),
            is_awake: Cell::new(true),
            waker: RefCell::new(None),
            begun_ms: Cell::new(0),
            stalled_ms: Cell::new(0),
            awaits_turn: Cell::new(false),
            active_ms: Cell::new(now_ms),
            doom: Cell::new(None),
            output_bytes: Cell::new(0),
            input_bytes: Cell::new(0),
            queued_bytes: Cell::new(0),
        });
        *place = Some(shared.clone());
        shared
    }

    pub(super) fn remove(&self, shared: &Shared) {
        self.connections.borrow_mut()[shared.index as usize].1 = None;
        self.free.borrow_mut().push(shared.index);
        exchange(&self.output_bytes, &shared.output_bytes, 0);
        exchange(&self.input_bytes, &shared.input_bytes, 0);
        exchange(&self.queued_bytes, &shared.queued_bytes, 0);
    }

    /// Whether a connection that holds so many bytes may hold on to them: while all together hold more than they may, only
    /// what is within its share.
    pub(super) fn may_hold(&self, bytes: usize) -> bool {
        let max = self.options.limits.client_bytes_max;
        self.client_bytes() <= max || bytes <= (max / self.len().max(1)).max(SHARE_BYTES_MIN)
    }

    /// How many bytes the process holds for clients.
    fn client_bytes(&self) -> usize {
        self.output_bytes.get()
            + self.input_bytes.get()
            + self.queued_bytes.get()
            + self.under_way_bytes.get()
    }

    /// Whether the process takes more memory than it may.
    pub(super) fn is_out_of_memory(&self) -> bool {
        let max = self.options.limits.memory_bytes_max;
        if max == 0 {
            return false;
        }
        let now_ms = now_ms();
        let (at_ms, mut bytes) = self.memory.get();
        if now_ms - at_ms >= MEMORY_PAUSE_MS {
            bytes = resident_bytes();
            self.memory.set((now_ms, bytes));
        }
        bytes > max
    }

    pub(super) fn len(&self) -> usize {
        self.connections.borrow().len() - self.free.borrow().len()
    }

    pub(super) fn for_each(&self, mut see: impl FnMut(&Shared)) {
        // Whoever is seen may end and leave the registry.
        let all: Vec<Rc<Shared>> =
            self.connections.borrow().iter().filter_map(|(_, shared)| shared.clone()).collect();
        all.iter().for_each(|shared| see(shared));
    }

    /// How long the answer to a wrong password from `address` is to be held back, in ms: longer each time.
    pub(super) fn password_delay_ms(&self, address: IpAddr, now_ms: u64) -> u64 {
        const FIRST_MS: u64 = 100;
        const FORGOTTEN_MS: u64 = 60_000;
        let mut failures = self.failures.borrow_mut();
        if failures.len() >= FAILURES_MAX {
            failures.retain(|_, (_, last_ms)| now_ms < *last_ms + FORGOTTEN_MS);
        }
        if failures.len() >= FAILURES_MAX {
            failures.pop_first();
        }
        let (count, last_ms) = failures.entry(address).or_insert((0, now_ms));
        *count = if now_ms > *last_ms + FORGOTTEN_MS { 0 } else { *count + 1 };
        *last_ms = now_ms;
        (FIRST_MS << (*count).min(10)).min(self.options.limits.password_delay_ms_max)
    }
}

/// Where a backend puts the outcomes of what was submitted to it.
#[derive(Clone)]
pub struct Completions {
    pub(super) registry: Rc<Registry>,
}

/// What a server counted so far, for metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Open connections.
    pub connections: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused because there were too many.
    pub rejected: u64,
    /// Connections cut off because their clients did not read.
    pub cut_off: u64,
    /// Connections ended because a request, or any, did not come in time.
    pub timed_out: u64,
    /// Connections closed because of what they sent.
    pub protocol_errors: u64,
    /// Commands taken.
    pub commands: u64,
    /// Bytes read.
    pub input_bytes: u64,
    /// Bytes written.
    pub output_bytes: u64,
    /// Bytes of replies that wait now.
    pub waiting_output_bytes: u64,
    /// Bytes of unfinished requests now.
    pub waiting_input_bytes: u64,
    /// Bytes of transactions that are being queued now.
    pub queued_bytes: u64,
}

impl Completions {
    /// So many bytes of commands are under way.
    pub fn note_under_way(&self, bytes: usize) {
        self.registry.under_way_bytes.set(bytes);
    }

    /// Whether `bytes` more of commands may be under way. Short commands have room of their own, a quarter of the budget: a
    /// client that asks for little is served also while others hold as much as they may.
    pub fn has_space(&self, bytes: usize) -> bool {
        let max = self.registry.options.limits.client_bytes_max;
        let is_short = bytes <= SHARE_BYTES_MIN && self.registry.under_way_bytes.get() + bytes <= max / 4;
        is_short || self.registry.client_bytes() + bytes <= max
    }

    /// What the server counted so far.
    pub fn counts(&self) -> Counts {
        let (registry, counters) = (&self.registry, &self.registry.counters);
        Counts {
            connections: registry.len() as u64,
            accepted: counters.accepted.get(),
            rejected: counters.rejected.get(),
            cut_off: counters.cut_off.get(),
            timed_out: counters.timed_out.get(),
            protocol_errors: counters.protocol_errors.get(),
            commands: counters.commands.get(),
            input_bytes: counters.input_bytes.get(),
            output_bytes: counters.output_bytes.get(),
            waiting_output_bytes: registry.output_bytes.get() as u64,
            waiting_input_bytes: registry.input_bytes.get() as u64,
            queued_bytes: registry.queued_bytes.get() as u64,
        }
    }

    /// The command submitted as `token` has ended. If its client is gone, nothing happens.
    pub fn complete(&self, token: Token, outcome: Outcome) {
        let connections = self.registry.connections.borrow();
        let Some((generation, Some(shared))) = connections.get(token.connection as usize) else { return };
        if *generation == token.generation {
            shared.replies.borrow_mut().end(token.sequence, outcome);
            shared.has_news.set(true);
            shared.wake();
        }
    }
}
