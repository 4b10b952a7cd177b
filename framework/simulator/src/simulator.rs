//! The queue of what is due, and the dice.

mod clients;
mod clocks;
mod log;

use crate::{Failure, Network, Oracle};
use clients::Client;
use clocks::Clocks;
pub use clocks::{TellClock, WALL_BEGIN_MS};
use log::Log;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::{self, Debug};
use std::panic::{AssertUnwindSafe, catch_unwind};
use synod_node::{Node, NodeId, RequestId};
use synod_stdx::{Rng, panic_words};
use synod_world::{Envelope, EnvelopeId, Event, Film, Happening, Header, Step, TimerId, Trace, World};

/// How a simulated world behaves where nothing else is said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// A message's way takes between these, in microseconds.
    pub latency_us: (u64, u64),
    /// So many in 1,000 messages take up to [`tail_us_max`](Options::tail_us_max) instead.
    pub tail_permille: u32,
    /// The longest way of a message, in microseconds.
    pub tail_us_max: u64,
    /// So many in 1,000 messages arrive twice.
    pub duplicate_permille: u32,
    /// So many in 1,000 messages are lost, where [`Network::lose`] says nothing else.
    pub loss_permille: u32,
    /// A write, with all that waits for it, becomes durable between these, in microseconds.
    pub disk_us: (u64, u64),
    /// Each node's clock runs faster or slower than true by at most so many in 1,000, below 1,000.
    pub clock_skew_permille: u64,
    /// A server takes so many microseconds for each message that reaches it: the next one waits. Zero: no time at all.
    pub service_us: u64,
    /// How many of the last events a failure shows.
    pub last_events: usize,
    /// Keep every event for a trace. Costs memory and time.
    pub record: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            latency_us: (200, 2_000),
            tail_permille: 10,
            tail_us_max: 20_000,
            duplicate_permille: 10,
            loss_permille: 0,
            disk_us: (50, 500),
            clock_skew_permille: 20,
            service_us: 0,
            last_events: 40,
            record: false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Due {
    Deliver(EnvelopeId),
    Fire(TimerId),
    /// The write that began in this life of the node.
    Disk(NodeId, u64),
    /// A client's workload is asked what it does next.
    Client(NodeId),
}

/// One run. See the crate's page.
pub struct Simulator<N: Node> {
    seed: u64,
    options: Options,
    world: World<N>,
    now_us: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Due)>>,
    queued: u64,
    network: Network,
    network_rng: Rng,
    timer_rng: Rng,
    /// The skew by which the timers that wait were scheduled.
    skew_permille: u64,
    disk_rng: Rng,
    clients: BTreeMap<NodeId, Client<N>>,
    clocks: BTreeMap<NodeId, Clocks<N>>,
    oracles: Vec<Box<dyn Oracle<N>>>,
    paused: BTreeMap<NodeId, Vec<Due>>,
    /// Nodes whose disk is at work, and how many writes the work covers.
    disk_at_work: BTreeMap<NodeId, usize>,
    lives: BTreeMap<NodeId, u64>,
    /// Until when each server is at work, where steps take time.
    busy_until_us: BTreeMap<NodeId, u64>,
    delivered: BTreeMap<NodeId, u64>,
    sent: BTreeMap<NodeId, u64>,
    happenings: Vec<Happening<N>>,
    log: Log<N>,
    steps: u64,
}

impl<N: Node> Simulator<N> {
    /// A run of nothing yet, whose every choice follows from `seed`.
    pub fn new(seed: u64, options: Options) -> Self {
        let root = Rng::new(seed);
        Simulator {
            seed,
            skew_permille: options.clock_skew_permille,
            options,
            world: World::default(),
            now_us: 0,
            queue: BinaryHeap::new(),
            queued: 0,
            network: Network::default(),
            network_rng: root.split("network"),
            timer_rng: root.split("timers"),
            disk_rng: root.split("disks"),
            clients: BTreeMap::new(),
            clocks: BTreeMap::new(),
            oracles: Vec::new(),
            paused: BTreeMap::new(),
            disk_at_work: BTreeMap::new(),
            lives: BTreeMap::new(),
            busy_until_us: BTreeMap::new(),
            delivered: BTreeMap::new(),
            sent: BTreeMap::new(),
            happenings: Vec::new(),
            log: Log::default(),
            steps: 0,
        }
    }

    /// Adds a node and starts it.
    ///
    /// # Errors
    /// If its start fails.
    pub fn start(&mut self, id: NodeId, node: N) -> Result<(), Failure> {
        self.log.note_node(id, &node, &self.options);
        self.world.add(id, node);
        self.apply(Event::Start(id))
    }

    /// Adds one who watches.
    pub fn watch(&mut self, oracle: impl Oracle<N> + 'static) {
        self.oracles.push(Box::new(oracle));
    }

    /// Has the user of a node ask for something whose answer, if there is one, nobody waits for.
    ///
    /// # Errors
    /// If the node fails.
    pub fn ask(&mut self, id: NodeId, request: N::Request) -> Result<(), Failure> {
        self.apply(Event::Request { node: id, id: RequestId::TOLD, request })
    }

    /// The world as it is.
    pub fn world(&self) -> &World<N> {
        &self.world
    }

    /// The links, to be cut, mended and made lossy.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// The options, to be changed while the run goes on. What is under way already keeps its time, but for timers: a
    /// clock that changes its rate changes it for them too.
    pub fn options(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Virtual microseconds since the start.
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    /// How many events happened.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// A digest of everything that happened and when: equal runs have equal digests.
    pub fn digest(&self) -> u64 {
        self.log.digest_value()
    }

    /// How many messages from other nodes reached `id`.
    pub fn delivered(&self, id: NodeId) -> u64 {
        self.delivered.get(&id).copied().unwrap_or(0)
    }

    /// How many messages were sent to `id` by other nodes, lost ones included.
    pub fn sent_to(&self, id: NodeId) -> u64 {
        self.sent.get(&id).copied().unwrap_or(0)
    }

    /// What happened, if the options asked to record it.
    pub fn trace(&self, module: &str, scenario: &str, reason: &str) -> Trace {
        let header = Header { seed: Some(self.seed), ..Header::of(module, scenario, reason) };
        Trace { header, events: self.log.trace() }
    }

    /// What happened, with its values, if the options asked to record it.
    pub fn film(&self) -> Film<N> {
        self.log.film()
    }

    /// Runs for `ms` milliseconds of virtual time.
    ///
    /// # Errors
    /// The first thing that went wrong.
    pub fn run_ms(&mut self, ms: u64) -> Result<(), Failure> {
        self.run_until(ms, |_| false).map(|_| ())
    }

    /// Runs until `reached`, or for `ms_max` milliseconds of virtual time. Says whether it was reached.
    ///
    /// # Errors
    /// The first thing that went wrong.
    pub fn run_until(&mut self, ms_max: u64, reached: impl Fn(&Self) -> bool) -> Result<bool, Failure> {
        let end_us = self.now_us + ms_max * 1000;
        self.maybe_change_clocks();
        loop {
            if reached(self) {
                return Ok(true);
            }
            match self.queue.peek() {
                Some(Reverse((at_us, _, _))) if *at_us <= end_us => {}
                _ => {
                    self.now_us = end_us;
                    return Ok(reached(self));
                }
            }
            let Some(Reverse((at_us, _, due))) = self.queue.pop() else { unreachable!() };
            self.now_us = at_us;
            self.on_due(due)?;
        }
    }

    /// Ends the run: every oracle has its last word.
    ///
    /// # Errors
    /// The first objection.
    pub fn finish(&mut self) -> Result<(), Failure> {
        let mut oracles = std::mem::take(&mut self.oracles);
        let objection = oracles.iter_mut().find_map(|oracle| oracle.at_end(&self.world).err());
        self.oracles = oracles;
        objection.map_or(Ok(()), |what| Err(self.failure(what)))
    }

    /// Crashes a node: what was not durable is lost, and its timers.
    ///
    /// # Errors
    /// If it was not running.
    pub fn crash(&mut self, id: NodeId) -> Result<(), Failure> {
        self.disk_at_work.remove(&id);
        self.paused.remove(&id);
        *self.lives.entry(id).or_default() += 1;
        self.apply(Event::Crash(id))
    }

    /// Restarts a crashed node with what was durable.
    ///
    /// # Errors
    /// If it was running, or its recovery fails.
    pub fn restart(&mut self, id: NodeId) -> Result<(), Failure> {
        self.apply(Event::Restart(id))
    }

    /// Starts `node` in the place of a crashed one whose disk is lost.
    ///
    /// # Errors
    /// If it was running, or its start fails.
    pub fn replace(&mut self, id: NodeId, node: N) -> Result<(), Failure> {
        self.apply(Event::Replace { node: id, replacement: node })
    }

    /// Stops a node's time: nothing reaches it, nothing of it fires, until it is resumed.
    pub fn pause(&mut self, id: NodeId) {
        self.paused.entry(id).or_default();
        self.log.note_around(self.now_us, Step::Pause(id), &self.options);
    }

    /// Resumes a paused node: everything that became due meanwhile happens at once.
    pub fn resume(&mut self, id: NodeId) {
        self.log.note_around(self.now_us, Step::Resume(id), &self.options);
        for due in self.paused.remove(&id).unwrap_or_default() {
            self.schedule(0, due);
        }
    }

    /// A failure of this run, now, for what only the caller can see.
    pub fn failure(&self, what: impl Into<String>) -> Failure {
        Failure {
            seed: self.seed,
            at_us: self.now_us,
            what: what.into(),
            options: format!("{:?}", self.options),
            last: self.log.last(),
        }
    }

    fn schedule(&mut self, after_us: u64, due: Due) {
        self.queued += 1;
        self.queue.push(Reverse((self.now_us + after_us, self.queued, due)));
    }

    fn on_due(&mut self, due: Due) -> Result<(), Failure> {
        let target = match due {
            Due::Deliver(id) => self.world.envelope(id).map(|envelope| envelope.to),
            Due::Fire(id) => self.world.timer(id).map(|timer| timer.node),
            Due::Disk(node, life) => (self.lives.get(&node).copied().unwrap_or(0) == life).then_some(node),
            Due::Client(node) => Some(node),
        };
        // A timer whose node crashed, a write that the crash undid: nothing is left to happen.
        let Some(target) = target else { return Ok(()) };
        if let Some(deferred) = self.paused.get_mut(&target) {
            deferred.push(due);
            return Ok(());
        }
        match due {
            Due::Deliver(_) if self.is_busy(target) => {
                let free_us = self.busy_until_us[&target];
                self.schedule(free_us - self.now_us, due);
                Ok(())
            }
            Due::Deliver(id) => self.deliver(id),
            Due::Fire(id) => self.apply(Event::Fire(id)),
            Due::Disk(node, _) => {
                let writes = self.disk_at_work.remove(&node).unwrap_or(0);
                self.apply(Event::Durable { node, writes })?;
                self.start_disk(node);
                Ok(())
            }
            Due::Client(node) => self.advance_client(node),
        }
    }

    /// Whether a server is still at work; if not, it is from now on.
    fn is_busy(&mut self, node: NodeId) -> bool {
        let service_us = self.options.service_us;
        if service_us == 0 || node.is_client() {
            return false;
        }
        let free_us = self.busy_until_us.entry(node).or_default();
        let is_busy = *free_us > self.now_us;
        if !is_busy {
            *free_us = self.now_us + service_us;
        }
        is_busy
    }

    fn deliver(&mut self, id: EnvelopeId) -> Result<(), Failure> {
        let Some(Envelope { from, to, .. }) = self.world.envelope(id) else { return Ok(()) };
        let (from, to) = (*from, *to);
        if !self.world.is_running(to) || !self.network.connects(from, to) {
            return self.apply(Event::Drop(id));
        }
        if from != to {
            *self.delivered.entry(to).or_default() += 1;
        }
        self.apply(Event::Deliver(id))
    }

    /// One disk write covers everything that waits when it begins: group commit.
    fn start_disk(&mut self, node: NodeId) {
        let writes = self.world.writing(node).count();
        if writes > 0 && !self.disk_at_work.contains_key(&node) {
            self.disk_at_work.insert(node, writes);
            let (low, high) = self.options.disk_us;
            let after_us = self.disk_rng.between(low, high);
            let life = self.lives.get(&node).copied().unwrap_or(0);
            self.schedule(after_us, Due::Disk(node, life));
        }
    }

    /// Lets an event happen, and sees to everything that comes of it.
    fn apply(&mut self, event: Event<N>) -> Result<(), Failure> {
        self.maybe_tell_clock(&event)?;
        self.apply_told(event)
    }

    fn apply_told(&mut self, event: Event<N>) -> Result<(), Failure> {
        self.maybe_change_clocks();
        let mut happenings = std::mem::take(&mut self.happenings);
        let stepped = self.change_world(event, &mut happenings)?;
        for happening in happenings.drain(..) {
            match happening {
                Happening::Sent(id) => self.on_sent(id)?,
                Happening::TimerSet(id, after) => {
                    let us = self.timer_rng.between(after.start() * 1000, after.end() * 1000);
                    let rate = self.timer_rate(id, self.skew_permille);
                    self.schedule(us * rate / 1000, Due::Fire(id));
                }
                Happening::Wrote(node) => self.start_disk(node),
                Happening::Replied { node, id, response } => self.on_replied(node, id, &response)?,
            }
        }
        self.happenings = happenings;
        if let Some(node) = stepped {
            for index in 0..self.oracles.len() {
                if let Err(what) = self.oracles[index].after_step(&self.world, node) {
                    return Err(self.failure(what));
                }
            }
        }
        Ok(())
    }

    /// The one place where the world changes.
    fn change_world(
        &mut self,
        event: Event<N>,
        happenings: &mut Vec<Happening<N>>,
    ) -> Result<Option<NodeId>, Failure> {
        self.log.note(self.now_us, &event, &self.world, &self.options);
        self.steps += 1;
        let world = &mut self.world;
        match catch_unwind(AssertUnwindSafe(|| world.apply(event, happenings))) {
            Ok(Ok(stepped)) => Ok(stepped),
            Ok(Err(misfit)) => Err(self.failure(format!("the simulator asked for the impossible: {misfit}"))),
            Err(panic) => Err(self.failure(format!("a handler panicked: {}", panic_words(&*panic)))),
        }
    }

    /// If the options' skew is another now, clocks go on at their new rates: what is left of a waiting timer stretches
    /// or shrinks with its node's clock. So timers of one node keep their order, whenever they were set.
    fn maybe_change_clocks(&mut self) {
        let (old, new) = (self.skew_permille, self.options.clock_skew_permille);
        if old == new {
            return;
        }
        self.skew_permille = new;
        let queue = std::mem::take(&mut self.queue);
        self.queue =
            queue.into_iter().map(|Reverse(entry)| Reverse(self.at_new_rate(entry, old, new))).collect();
    }

    fn at_new_rate(&self, (at_us, number, due): (u64, u64, Due), old: u64, new: u64) -> (u64, u64, Due) {
        let Due::Fire(id) = due else { return (at_us, number, due) };
        let left_us = (at_us - self.now_us) * self.timer_rate(id, new) / self.timer_rate(id, old);
        (self.now_us + left_us, number, due)
    }

    /// How long the clock of a timer's node takes for a second, in milliseconds: one rate a node.
    fn timer_rate(&self, id: TimerId, skew_permille: u64) -> u64 {
        let Some(timer) = self.world.timer(id).filter(|_| skew_permille > 0) else { return 1000 };
        let mut rng = Rng::new(self.seed ^ u64::from(timer.node.to_bits())).split("clock");
        1000 - skew_permille + rng.between(0, 2 * skew_permille)
    }

    fn on_sent(&mut self, id: EnvelopeId) -> Result<(), Failure> {
        let Some(envelope) = self.world.envelope(id) else { return Ok(()) };
        let (from, to) = (envelope.from, envelope.to);
        for index in 0..self.oracles.len() {
            if let Err(what) = self.oracles[index].on_sent(&self.world, envelope) {
                return Err(self.failure(what));
            }
        }
        if from == to {
            self.schedule(0, Due::Deliver(id));
            return Ok(());
        }
        *self.sent.entry(to).or_default() += 1;
        let loss = self.network.loss(from, to).unwrap_or(self.options.loss_permille);
        if !self.network.connects(from, to) || self.network_rng.chance(loss) {
            return self.apply(Event::Drop(id));
        }
        let after_us = self.latency_us();
        self.schedule(after_us, Due::Deliver(id));
        if self.network_rng.chance(self.options.duplicate_permille) {
            self.duplicate(id)?;
        }
        Ok(())
    }

    /// A copy goes a way of its own. It was sent once only: nobody counts or judges it again.
    fn duplicate(&mut self, id: EnvelopeId) -> Result<(), Failure> {
        let mut copies = Vec::new();
        self.change_world(Event::Duplicate(id), &mut copies)?;
        for copy in copies {
            if let Happening::Sent(copy) = copy {
                let after_us = self.latency_us();
                self.schedule(after_us, Due::Deliver(copy));
            }
        }
        Ok(())
    }

    fn latency_us(&mut self) -> u64 {
        let (low, high) = self.options.latency_us;
        if self.network_rng.chance(self.options.tail_permille) {
            self.network_rng.between(low, self.options.tail_us_max.max(low))
        } else {
            self.network_rng.between(low, high)
        }
    }
}

impl<N: Node> Debug for Simulator<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {} at {} µs after {} steps", self.seed, self.now_us, self.steps)
    }
}
