//! The dumb twin of the checker: it takes every stimulus in every state, keeps whole states in a list, and spares nothing.

use super::protocol::{Puppet, WORDS};
use std::collections::{BTreeSet, VecDeque};
use synod_checker::{Budgets, Network, Observer, Position};
use synod_node::{Context, Departure, Durable, NodeId, Outbox, RequestId, Sink, Stimulus, TimerRange, step};
use synod_stdx::caught;

/// Remembers the last answer that anybody got, and objects to some that follow it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Watch {
    last: u8,
    wrong: Vec<bool>,
}

impl Watch {
    /// One that objects where `wrong` says so.
    pub fn new(wrong: &[bool]) -> Self {
        Watch { last: 0, wrong: wrong.to_vec() }
    }

    fn see(&mut self, response: u8) -> Result<(), String> {
        let is_wrong = self.wrong[usize::from(self.last * WORDS + response)];
        self.last = response;
        if is_wrong { Err("a wrong answer".to_owned()) } else { Ok(()) }
    }
}

impl Observer<Puppet> for Watch {
    fn on_invoke(&mut self, _client: NodeId, _id: RequestId, _request: &u8) {}
    fn on_return(&mut self, _client: NodeId, _id: RequestId, response: &u8) -> Result<(), String> {
        self.see(*response)
    }
    fn on_give_up(&mut self, _client: NodeId, _id: RequestId) {}
}

/// A node before it starts, with what its user asks.
#[derive(Clone, Debug)]
pub struct Plan {
    pub id: NodeId,
    pub built: Puppet,
    pub kind: usize,
    pub fuel: u8,
    pub asks: Option<Vec<u8>>,
    pub window: usize,
}

/// Everything that a search is told.
#[derive(Clone, Debug)]
pub struct Setting {
    pub nodes: Vec<Plan>,
    pub network: Network,
    pub budgets: Budgets,
    pub partitions: Vec<Vec<(NodeId, NodeId)>>,
    pub cut_links: BTreeSet<(NodeId, NodeId)>,
    pub stopped: BTreeSet<NodeId>,
    pub is_calm: bool,
    pub watch: Watch,
}

/// Something that was written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Write {
    Record(u8),
    Checkpoint(u8),
}

/// A node with all that is around it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Spot {
    node: Option<Puppet>,
    /// In the order in which they were set.
    timers: Vec<(u8, TimerRange)>,
    outbox: Outbox<Puppet>,
    writing: VecDeque<Write>,
    disk: Durable<Puppet>,
    position: Option<Position>,
}

/// From, to and what.
pub type Letter = (usize, usize, u8);

/// A whole state.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Global {
    spots: Vec<Spot>,
    flight: Vec<Letter>,
    left: Budgets,
    paused: u8,
    partition: usize,
    watch: Watch,
}

/// What is owed in a state, if it may happen there without a pause.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Owed {
    Delivery(Letter),
    Timer(usize, u8, u64, u64),
    Durable(usize),
    Restart(usize),
    Resume(usize),
}

/// A step: what of all that is owed it is, and the state afterwards unless it objects.
type Taken = (Option<Owed>, Option<Global>);

/// One step at one node.
struct Stepping<'a> {
    setting: &'a Setting,
    at: usize,
    spot: Spot,
    watch: Watch,
    sends: Vec<Letter>,
    replies: VecDeque<(RequestId, u8)>,
    is_broken: bool,
    wrote: bool,
}

impl Sink<Puppet> for Stepping<'_> {
    fn depart(&mut self, departure: Departure<Puppet>) {
        match departure {
            Departure::Message { to, message } => {
                let to = self.setting.nodes.iter().position(|plan| plan.id == to).expect("it is there");
                self.sends.push((self.at, to, message));
            }
            Departure::Reply { id, response } => self.replies.push_back((id, response)),
        }
    }

    fn set_timer(&mut self, timer: u8, after: TimerRange) {
        self.spot.timers.push((timer, after));
    }

    fn persist(&mut self, record: u8) {
        self.wrote = true;
        self.spot.writing.push_back(Write::Record(record));
    }

    fn checkpoint(&mut self, checkpoint: u8) {
        self.wrote = true;
        self.spot.writing.push_back(Write::Checkpoint(checkpoint));
    }
}

impl Stepping<'_> {
    fn handle(&mut self, stimulus: Stimulus<Puppet>) {
        let Some(mut node) = self.spot.node.take() else { return };
        let mut ctx = Context::new(self.setting.nodes[self.at].id);
        self.is_broken |= caught(|| step(&mut node, stimulus, &mut ctx)).is_err();
        self.spot.node = Some(node);
        let mut outbox = std::mem::take(&mut self.spot.outbox);
        outbox.take(&mut ctx, self);
        self.spot.outbox = outbox;
    }

    fn become_durable(&mut self, count: usize) {
        // Where nobody crashes, nobody reads it.
        let keeps_disk = self.setting.keeps_disk();
        for write in self.spot.writing.drain(..count).filter(|_| keeps_disk) {
            match write {
                Write::Record(record) => self.spot.disk.records.push(record),
                Write::Checkpoint(checkpoint) => {
                    self.spot.disk = Durable { checkpoint: Some(checkpoint), records: Vec::new() };
                }
            }
        }
        let mut outbox = std::mem::take(&mut self.spot.outbox);
        outbox.on_durable(count, self);
        self.spot.outbox = outbox;
    }

    fn settle(&mut self, is_late: bool) {
        loop {
            if !is_late && !self.spot.writing.is_empty() {
                self.become_durable(self.spot.writing.len());
            } else if let Some((id, response)) = self.replies.pop_front() {
                self.on_reply(id, response);
            } else if !self.ask() {
                break;
            }
        }
    }

    fn on_reply(&mut self, id: RequestId, response: u8) {
        let Some(position) = &mut self.spot.position else {
            self.is_broken = true;
            return;
        };
        if position.given_up.contains(&id) {
            position.given_up.retain(|other| *other != id);
        } else if position.outstanding.contains(&id) {
            position.outstanding.retain(|other| *other != id);
            position.answered += 1;
            self.is_broken |= self.watch.see(response).is_err();
        } else {
            self.is_broken = true;
        }
    }

    fn ask(&mut self) -> bool {
        let Plan { asks: Some(asks), window, .. } = &self.setting.nodes[self.at] else { return false };
        let Some(position) = &mut self.spot.position else { return false };
        let Some(request) = asks.get(position.asked as usize).copied() else { return false };
        if self.spot.node.is_none() || self.is_broken || position.outstanding.len() >= *window {
            return false;
        }
        position.asked += 1;
        let id = RequestId(position.asked);
        position.outstanding.push(id);
        self.handle(Stimulus::Request { id, request });
        true
    }
}

/// What happens at one node.
#[derive(Clone, Debug)]
enum Happens {
    Start,
    Arrives(usize, u8),
    Fires(usize),
    Durable,
    Crashes,
    Restarts,
    GivesUp,
}

impl Setting {
    fn must_follow(earlier: &TimerRange, later: &TimerRange) -> bool {
        earlier.end() <= later.start()
    }

    fn has_faults(&self) -> bool {
        self.budgets != Budgets::default() && !self.is_calm
    }

    /// The state after something happened at a node, and whether it wrote; none where it objects.
    fn take(
        &self,
        before: &Global,
        at: usize,
        (happens, is_late): (&Happens, bool),
    ) -> (Option<Global>, bool) {
        let spot = before.spots[at].clone();
        let is_behind = !spot.writing.is_empty();
        let mut one = Stepping {
            setting: self,
            at,
            spot,
            watch: before.watch.clone(),
            sends: Vec::new(),
            replies: VecDeque::new(),
            is_broken: false,
            wrote: false,
        };
        let mut late = is_late || is_behind;
        match happens {
            Happens::Start => {
                one.spot.node = Some(self.nodes[at].built.clone());
                one.handle(Stimulus::Start);
            }
            Happens::Arrives(from, message) => {
                one.handle(Stimulus::Message { from: self.nodes[*from].id, message: *message });
            }
            Happens::Fires(index) => {
                let (timer, _) = one.spot.timers.remove(*index);
                one.handle(Stimulus::Timer(timer));
            }
            Happens::Durable => {
                one.become_durable(1);
                late = true;
            }
            Happens::Crashes => {
                let Spot { disk, position, .. } = one.spot.clone();
                one.spot = Spot { disk, position, ..Spot::empty(None) };
            }
            Happens::Restarts => {
                one.spot.node = Some(self.nodes[at].built.clone());
                let disk = one.spot.disk.clone();
                one.handle(Stimulus::Recover(disk));
            }
            Happens::GivesUp => {
                let position = one.spot.position.as_mut().expect("a user gives up");
                let id = position.outstanding.remove(0);
                position.given_up.push(id);
            }
        }
        if !matches!(happens, Happens::Crashes) {
            one.settle(late);
        }
        let Stepping { spot, watch, sends, is_broken, wrote, .. } = one;
        if is_broken {
            return (None, wrote);
        }
        let mut after = Global { watch, ..before.clone() };
        after.spots[at] = spot;
        after.flight.extend(sends);
        self.order(&mut after.flight);
        (Some(after), wrote)
    }

    fn order(&self, flight: &mut Vec<Letter>) {
        match self.network {
            Network::Set => {
                flight.sort_unstable();
                flight.dedup();
            }
            Network::Bag => flight.sort_unstable(),
            Network::Ordered => flight.sort_by_key(|(from, to, _)| (*from, *to)),
        }
    }

    /// The first state; none where its first steps object.
    pub fn first(&self) -> Option<Global> {
        let spots = self.nodes.iter().map(|plan| Spot::empty(plan.asks.as_ref())).collect();
        let mut state = Global {
            spots,
            flight: Vec::new(),
            left: self.budgets.clone(),
            paused: 0,
            partition: 0,
            watch: self.watch.clone(),
        };
        for at in 0..self.nodes.len() {
            state = self.take(&state, at, (&Happens::Start, false)).0?;
        }
        Some(state)
    }

    /// Everything that may come next.
    pub fn successors(&self, state: &Global) -> Vec<Taken> {
        let mut out = Vec::new();
        self.add_deliveries(state, &mut out);
        for at in (0..self.nodes.len()).filter(|at| state.paused >> at & 1 == 0) {
            self.add_own(state, at, &mut out);
        }
        if self.has_faults() {
            (0..self.nodes.len()).for_each(|at| self.add_faults_of(state, at, &mut out));
            self.add_cuts_and_drops(state, &mut out);
        }
        out
    }

    /// Adds what happens at a node, and the same with its writes late.
    fn add(&self, state: &Global, at: usize, (happens, owed): (&Happens, Owed), out: &mut Vec<Taken>) {
        let is_behind = !state.spots[at].writing.is_empty();
        let (after, wrote) = self.take(state, at, (happens, false));
        out.push((Some(owed.clone()), after));
        let may_be_late = matches!(happens, Happens::Arrives(..) | Happens::Fires(_));
        if may_be_late && wrote && !is_behind && self.has_faults() && state.left.late_writes > 0 {
            let mut state = state.clone();
            state.left.late_writes -= 1;
            out.push((Some(owed), self.take(&state, at, (happens, true)).0));
        }
    }

    fn add_deliveries(&self, state: &Global, out: &mut Vec<Taken>) {
        for (index, letter) in state.flight.iter().enumerate() {
            let (from, to, message) = *letter;
            let before = &state.flight[..index];
            let is_behind = match self.network {
                Network::Set | Network::Bag => before.contains(letter),
                Network::Ordered => before.iter().any(|(f, t, _)| (*f, *t) == (from, to)),
            };
            let link = (self.nodes[from].id, self.nodes[to].id);
            let is_cut = self.cut_links.contains(&link)
                || (self.has_faults()
                    && state.partition > 0
                    && self.partitions[state.partition - 1].contains(&link));
            let is_still = state.spots[to].node.is_none() || state.paused >> to & 1 == 1;
            if is_behind || is_cut || is_still {
                continue;
            }
            let mut state = state.clone();
            if self.network != Network::Set {
                state.flight.remove(index);
            }
            let happens = Happens::Arrives(from, message);
            self.add(&state, to, (&happens, Owed::Delivery(*letter)), out);
        }
    }

    /// Adds timers, and writes that become durable.
    fn add_own(&self, state: &Global, at: usize, out: &mut Vec<Taken>) {
        let spot = &state.spots[at];
        for (index, (timer, after)) in spot.timers.iter().enumerate() {
            let waits = spot.timers[..index].iter().any(|(_, before)| Setting::must_follow(before, after));
            if !waits && !self.stopped.contains(&self.nodes[at].id) {
                let owed = Owed::Timer(at, *timer, *after.start(), *after.end());
                self.add(state, at, (&Happens::Fires(index), owed), out);
            }
        }
        if !spot.writing.is_empty() {
            self.add(state, at, (&Happens::Durable, Owed::Durable(at)), out);
        }
    }

    fn add_faults_of(&self, state: &Global, at: usize, out: &mut Vec<Taken>) {
        let is_running = state.spots[at].node.is_some();
        let is_paused = state.paused >> at & 1 == 1;
        let changed = |change: &dyn Fn(&mut Global)| {
            let mut state = state.clone();
            change(&mut state);
            state
        };
        if !is_running {
            self.add(state, at, (&Happens::Restarts, Owed::Restart(at)), out);
        }
        if is_running && !self.nodes[at].id.is_client() && state.left.crashes > 0 {
            let state = changed(&|state| {
                state.left.crashes -= 1;
                state.paused &= !(1 << at);
            });
            out.push((None, self.take(&state, at, (&Happens::Crashes, false)).0));
        }
        let waits = state.spots[at].position.as_ref().is_some_and(|user| !user.outstanding.is_empty());
        if is_running && waits && state.left.give_ups > 0 {
            let state = changed(&|state| state.left.give_ups -= 1);
            out.push((None, self.take(&state, at, (&Happens::GivesUp, false)).0));
        }
        if is_paused {
            out.push((Some(Owed::Resume(at)), Some(changed(&|state| state.paused &= !(1 << at)))));
        } else if is_running && state.left.pauses > 0 {
            let pause = |state: &mut Global| {
                state.left.pauses -= 1;
                state.paused |= 1 << at;
            };
            out.push((None, Some(changed(&pause))));
        }
    }

    fn add_cuts_and_drops(&self, state: &Global, out: &mut Vec<Taken>) {
        if state.left.cuts > 0 {
            for partition in (0..=self.partitions.len()).filter(|other| *other != state.partition) {
                let mut after = Global { partition, ..state.clone() };
                after.left.cuts -= 1;
                out.push((None, Some(after)));
            }
        }
        if state.left.drops > 0 && self.network != Network::Set {
            // Of equal messages on a link it is the first.
            let is_first = |index: &usize| !state.flight[..*index].contains(&state.flight[*index]);
            for index in (0..state.flight.len()).filter(is_first) {
                let mut after = state.clone();
                after.left.drops -= 1;
                after.flight.remove(index);
                out.push((None, Some(after)));
            }
        }
    }
}

impl Spot {
    fn empty(asks: Option<&Vec<u8>>) -> Self {
        Spot {
            node: None,
            timers: Vec::new(),
            outbox: Outbox::default(),
            writing: VecDeque::new(),
            disk: Durable::default(),
            position: asks.map(|_| Position::default()),
        }
    }
}

/// What a property may see of a state.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Shown {
    /// Each node: its name, itself, how much its user asked and was answered, its timers and disk.
    pub nodes: Vec<(NodeId, String, u64, u64, Vec<u8>, String)>,
    pub letters: Vec<(NodeId, NodeId, u8)>,
    pub in_flight: usize,
}

/// Sorts what is in flight by what can be told of its order.
pub fn sort_letters(network: Network, letters: &mut [(NodeId, NodeId, u8)]) {
    match network {
        Network::Set | Network::Bag => letters.sort_unstable(),
        Network::Ordered => letters.sort_by_key(|(from, to, _)| (*from, *to)),
    }
}

impl Setting {
    /// Whether what is durable is kept at all.
    pub fn keeps_disk(&self) -> bool {
        self.budgets.crashes > 0
    }

    /// A state as a property sees it, under other names; without messages, timers and disks if it reads nodes alone.
    pub fn shown(&self, state: &Global, name: &dyn Fn(NodeId) -> NodeId, sees_all: bool) -> Shown {
        let mut nodes = Vec::new();
        for (plan, spot) in self.nodes.iter().zip(&state.spots) {
            let mut node = spot.node.clone();
            synod_node::Rename::rename(&mut node, name);
            let mut timers: Vec<u8> = spot.timers.iter().map(|(timer, _)| *timer).collect();
            timers.sort_unstable();
            let (asked, answered) = spot.position.as_ref().map_or((0, 0), |user| (user.asked, user.answered));
            let (timers, disk) =
                if sees_all { (timers, format!("{:?}", spot.disk)) } else { Default::default() };
            nodes.push((name(plan.id), format!("{node:?}"), asked, answered, timers, disk));
        }
        nodes.sort();
        let mut flight = if sees_all { state.flight.clone() } else { Vec::new() };
        let in_flight = flight.len();
        flight.dedup();
        let mut letters: Vec<_> = flight
            .into_iter()
            .map(|(from, to, message)| (name(self.nodes[from].id), name(self.nodes[to].id), message))
            .collect();
        sort_letters(self.network, &mut letters);
        Shown { nodes, letters, in_flight }
    }
}
