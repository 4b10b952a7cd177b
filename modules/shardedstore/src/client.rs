//! The client: a window of commands for each slot, a list of reads, and what it knows of where slots are.

use crate::masters::Masters;
use crate::server::Ctx;
use crate::slot_table::SlotTable;
use crate::{
    Configuration, ConfigurationNumber, GroupId, Lot, Message, Results, Sharded, SlotId, Stepped, Timer,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use synod_clientserver::{Backoff, ClientId, Outcome, Seq, Window};
use synod_node::{ClockReading, NodeId, RequestId};
use synod_paxos::Message as Paxos;
use synod_stdx::mark;

/// The first wait before something is sent again, in milliseconds.
const RETRY_FIRST_MS: u64 = 25;
/// The longest wait before something is sent again, in milliseconds.
const RETRY_CAP_MS: u64 = 100;
/// How many commands of one slot travel in one message at most.
const COMMANDS_MAX: usize = 1024;
/// About how many bytes of commands of one slot travel in one message at most.
const COMMANDS_BYTES_MAX: usize = 1 << 20;
/// About how many bytes of commands are sent again in one round: who is late is not helped by all of it once more.
pub(crate) const AGAIN_BYTES_MAX: usize = 256 << 10;
/// How many reads are asked again in one round.
const AGAIN_READS_MAX: usize = 1024;
/// How often in a row a request goes where it is sent to before it waits.
const HOPS_MAX: u32 = 4;

/// What a user asks of a client. Several commands may be asked at once: they take consecutive request names, from the
/// one that is given on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Request<C> {
    /// Run these through the logs, each once; those with one home slot in order.
    Commands(Vec<C>),
    /// Read these, linearizably, without a log entry where they touch one group.
    Queries(Vec<C>),
    /// To a controller: ask the configuration service.
    Configure(crate::ConfigurationCommand),
    /// To a member of a group, a client or a controller: the members of the configuration service, as the configuration of this
    /// number has them. Its process may have heard of it first, and the former members may be gone.
    Service(ConfigurationNumber, Vec<NodeId>),
    /// To a server: if it leads, let another one lead.
    HandOver,
    /// To a server or a member of the configuration service: what the clocks of its machine read now.
    Clock(ClockReading),
}

/// What a user is answered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Response<O> {
    /// By the store.
    Store(Outcome<O>),
    /// By the configuration service.
    Configuration(Outcome<crate::ConfigurationOutput>),
}

/// Commands with one home slot, and where they go.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Lane<C> {
    window: Window<C>,
    /// Which session this is in the slot: one more each time that the slot has forgotten the last.
    life: u128,
    /// The lowest number that waited when the timer was set.
    lowest_before: Seq,
    /// How many rounds a large command has waited for its answer: it is sent again the later the larger it is.
    rounds: usize,
}

/// Where a slot is, where that is known better than by the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Route {
    group: GroupId,
    is_on_its_way: bool,
    hops: u32,
}

/// The number of the first of some reads without a gap, and the reads.
type Asked<C> = (Seq, Vec<C>);

/// A client of the store.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Client<S: Sharded> {
    me: NodeId,
    life: u128,
    slot_count: u16,
    masters: Masters,
    configuration: Option<Arc<Configuration>>,
    routes: BTreeMap<SlotId, Route>,
    /// Whom it takes for the leader of each group.
    leaders: BTreeMap<GroupId, NodeId>,
    /// Groups whose leader has been silent for a round: all of their members are asked.
    doubted: BTreeSet<GroupId>,
    /// The members of every group that it ever heard of: one that left may still have slots that are on their way.
    addresses: BTreeMap<GroupId, Vec<NodeId>>,
    lanes: SlotTable<Lane<S::Command>>,
    /// The lanes in which something waits: few of the many that there are after a while.
    busy: BTreeSet<SlotId>,
    /// Reads that are not answered, by their numbers: the first is number `reads_from`.
    reads: VecDeque<Option<(RequestId, S::Command)>>,
    reads_from: Seq,
    /// The lowest read that waited when the timer was set.
    reads_before: Seq,
    is_retry_set: bool,
    /// Where the next round goes on, if the last one had to leave some out.
    again_from: SlotId,
    backoff: Backoff,
}

impl<S: Sharded> Client<S> {
    /// Client `me` of a store of `slot_count` slots, in a session that no other life of it ever used.
    ///
    /// # Panics
    /// If there are no masters.
    pub fn new(me: NodeId, life: u128, masters: &[NodeId], slot_count: u16) -> Self {
        Client {
            me,
            life,
            slot_count,
            masters: Masters::new(masters),
            configuration: None,
            routes: BTreeMap::new(),
            leaders: BTreeMap::new(),
            doubted: BTreeSet::new(),
            addresses: BTreeMap::new(),
            lanes: SlotTable::new(slot_count),
            busy: BTreeSet::new(),
            reads: VecDeque::new(),
            reads_from: 1,
            reads_before: 0,
            is_retry_set: false,
            again_from: SlotId::FIRST,
            backoff: Backoff::new(RETRY_FIRST_MS, RETRY_CAP_MS),
        }
    }

    /// The newest configuration that it knows.
    pub fn configuration(&self) -> Option<&Arc<Configuration>> {
        self.configuration.as_ref()
    }

    /// Whom it takes for the leader of a group, if it knows.
    pub fn leader(&self, group: GroupId) -> Option<NodeId> {
        self.leaders.get(&group).copied()
    }

    /// How many requests are not answered.
    pub fn outstanding(&self) -> usize {
        self.busy_lanes().map(|(_, lane)| lane.window.len()).sum::<usize>() + self.reads.len()
    }

    fn busy_lanes(&self) -> impl Iterator<Item = (SlotId, &Lane<S::Command>)> {
        self.busy.iter().filter_map(|slot| self.lanes.find(*slot).map(|lane| (*slot, lane)))
    }

    pub(crate) fn on_request(&mut self, id: RequestId, request: Request<S::Command>, ctx: &mut Ctx<S>) {
        let ids = (id.0..).map(RequestId);
        match request {
            Request::Commands(commands) => {
                let mut homes = BTreeSet::new();
                for (id, command) in ids.zip(commands) {
                    homes.insert(self.push(id, command));
                }
                self.submit(homes, ctx);
            }
            Request::Queries(queries) => {
                let first = self.reads_from + self.reads.len() as u64;
                let mut reads: Vec<_> = ids.zip(queries).collect();
                // What goes to one group gets numbers that follow each other, and so travels together.
                reads.sort_by_cached_key(|(_, query)| self.route(S::slots(query, self.slot_count).home()));
                self.reads.extend(reads.into_iter().map(Some));
                self.ask((first, usize::MAX), |_| true, ctx);
            }
            Request::Service(number, members) => return self.masters.are(number, &members),
            Request::Configure(_) | Request::HandOver | Request::Clock(_) => {
                unreachable!("no client is asked that")
            }
        }
        if self.configuration.is_none() {
            self.masters.ask(None, ctx);
        }
        self.set_retry(ctx);
    }

    fn push(&mut self, id: RequestId, command: S::Command) -> SlotId {
        let home = S::slots(&command, self.slot_count).home();
        let life = self.life;
        let lane = self.lanes.find_or_insert_with(home, || Lane {
            window: Window::default(),
            life,
            lowest_before: 0,
            rounds: 0,
        });
        lane.window.push(id, command);
        self.busy.insert(home);
        home
    }

    /// Where requests to `slot` go.
    fn route(&self, slot: SlotId) -> Option<(GroupId, bool)> {
        if let Some(route) = self.routes.get(&slot) {
            return Some((route.group, route.is_on_its_way));
        }
        let configuration = self.configuration.as_ref()?;
        configuration.slots.owner(slot).map(|group| (group, false))
    }

    /// Whom to send to: a group's leader, or all of it.
    fn members(&self, group: GroupId) -> Vec<NodeId> {
        if let Some(leader) = self.leaders.get(&group).filter(|_| !self.doubted.contains(&group)) {
            return vec![*leader];
        }
        self.addresses.get(&group).cloned().unwrap_or_default()
    }

    /// Sends what was not sent yet of these slots' commands: one message for each group.
    fn submit(&mut self, slots: BTreeSet<SlotId>, ctx: &mut Ctx<S>) {
        let mut lots: BTreeMap<GroupId, Vec<Lot<S::Command>>> = BTreeMap::new();
        for slot in slots {
            let Some((group, is_on_its_way)) = self.route(slot) else { continue };
            let Some(lane) = self.lanes.find_mut(slot) else { continue };
            let client = ClientId::new(self.me, lane.life);
            let acked_below = lane.window.lowest();
            while let Some((first, commands)) =
                lane.window.take_unsent((COMMANDS_MAX, COMMANDS_BYTES_MAX), S::bytes)
            {
                let lot = Lot { slot, client, first, acked_below, is_on_its_way, commands };
                lots.entry(group).or_default().push(lot);
            }
        }
        for (group, lots) in lots {
            ctx.broadcast(&self.members(group), &Message::Submit { lots });
        }
    }

    /// Asks the reads from number `first` on, at most `count_max` of them, that are wanted and not answered.
    fn ask(&self, (first, count_max): (Seq, usize), is_wanted: impl Fn(SlotId) -> bool, ctx: &mut Ctx<S>) {
        // A message names a first number and has no gaps.
        let mut open: BTreeMap<(GroupId, bool), Asked<S::Command>> = BTreeMap::new();
        let from = (first - self.reads_from) as usize;
        for (seq, read) in (first..).zip(self.reads.iter().skip(from).take(count_max)) {
            let Some((_, query)) = read else { continue };
            let home = S::slots(query, self.slot_count).home();
            let Some(route) = self.route(home).filter(|_| is_wanted(home)) else { continue };
            let (start, queries) = open.entry(route).or_insert_with(|| (seq, Vec::new()));
            if *start + queries.len() as u64 != seq || queries.len() >= COMMANDS_MAX {
                let full = (std::mem::replace(start, seq), std::mem::take(queries));
                self.send_ask(route, full, ctx);
            }
            if let Some((_, queries)) = open.get_mut(&route) {
                queries.push(query.clone());
            }
        }
        for (route, asked) in open {
            self.send_ask(route, asked, ctx);
        }
    }

    fn send_ask(
        &self,
        (group, is_on_its_way): (GroupId, bool),
        (first, queries): Asked<S::Command>,
        ctx: &mut Ctx<S>,
    ) {
        ctx.broadcast(&self.members(group), &Message::Ask { first, is_on_its_way, queries });
    }

    pub(crate) fn on_message(&mut self, from: NodeId, message: Message<S>, ctx: &mut Ctx<S>) {
        match message {
            Message::Masters(message) => {
                if let Some(configuration) = self.masters.on_message(from, message) {
                    self.on_configuration(configuration, ctx);
                }
            }
            Message::Members(Paxos::Answers { first, outputs }) => {
                self.on_answers(from, (first, outputs), ctx);
            }
            // Another server of the group is asked by now, or all are when the timer fires.
            Message::Members(Paxos::NotLeader { .. }) => {}
            Message::Results { lots } => self.on_results(from, lots, ctx),
            Message::Elsewhere { slot, group, is_on_its_way } => {
                self.on_elsewhere(slot, group, is_on_its_way, ctx);
            }
            Message::NotLeader { group, leader } => self.on_not_leader(from, group, leader, ctx),
            Message::Forgotten { slot, client } => self.on_forgotten(slot, client, ctx),
            message => unreachable!("a client was sent {message:?}"),
        }
    }

    fn on_configuration(&mut self, configuration: Arc<Configuration>, ctx: &mut Ctx<S>) {
        if self.configuration.as_ref().is_some_and(|known| known.number >= configuration.number) {
            return;
        }
        // What is on its way to its owner is awaited there; of everything else the configuration knows more.
        let is_awaited =
            |slot, route: &Route| route.is_on_its_way && configuration.slots.owner(slot) == Some(route.group);
        self.routes.retain(|slot, route| is_awaited(*slot, route));
        self.masters.note(&configuration);
        self.addresses.extend(configuration.groups.iter().map(|(group, members)| (*group, members.clone())));
        self.configuration = Some(configuration);
        self.send_all_again(ctx);
    }

    /// Sends everything again.
    fn send_all_again(&mut self, ctx: &mut Ctx<S>) {
        self.submit_again(self.busy.clone(), ctx);
        self.ask((self.reads_from, usize::MAX), |_| true, ctx);
    }

    /// Sends everything again that goes to a group: another member leads it now.
    fn send_again_to(&mut self, group: GroupId, ctx: &mut Ctx<S>) {
        let there = self.busy.iter().copied().filter(|slot| self.goes_to(*slot, group));
        let there = there.collect();
        self.submit_again(there, ctx);
        self.ask((self.reads_from, usize::MAX), |slot| self.goes_to(slot, group), ctx);
    }

    fn goes_to(&self, slot: SlotId, group: GroupId) -> bool {
        self.route(slot).is_some_and(|(to, _)| to == group)
    }

    /// Sends all of these slots' commands again.
    fn submit_again(&mut self, slots: BTreeSet<SlotId>, ctx: &mut Ctx<S>) {
        for slot in &slots {
            if let Some(lane) = self.lanes.find_mut(*slot) {
                lane.window.rewind();
            }
        }
        self.submit(slots, ctx);
    }

    fn on_results(&mut self, from: NodeId, lots: Vec<Results<S::Output>>, ctx: &mut Ctx<S>) {
        let (mut slots, mut overtaken) = (BTreeSet::new(), BTreeSet::new());
        for Results { slot, client, first, outputs } in lots {
            let Some(lane) = self.lanes.find_mut(slot) else { continue };
            if client != ClientId::new(self.me, lane.life) {
                continue;
            }
            let lowest = lane.window.lowest();
            for (id, output) in lane.window.settle(first, outputs) {
                ctx.reply(id, Response::Store(Outcome::Done(output)));
            }
            let is_news = lane.window.lowest() > lowest;
            if lane.window.is_empty() {
                self.busy.remove(&slot);
            } else if is_news {
                slots.insert(slot);
            }
            if is_news {
                overtaken.extend(self.note_answered(from, slot));
            }
        }
        self.submit(slots, ctx);
        overtaken.into_iter().for_each(|group| self.send_again_to(group, ctx));
    }

    fn on_answers(
        &mut self,
        from: NodeId,
        (first, outputs): (Seq, Vec<Option<Stepped<S::Output>>>),
        ctx: &mut Ctx<S>,
    ) {
        let (mut homes, mut again) = (BTreeSet::new(), BTreeSet::new());
        let mut overtaken = BTreeSet::new();
        for (seq, output) in (first..).zip(outputs) {
            let index = seq.checked_sub(self.reads_from).map(|index| index as usize);
            let Some(read) = index.and_then(|index| self.reads.get_mut(index)) else { continue };
            // Answered before: the question was asked twice.
            let Some((id, query)) = read.take() else { continue };
            let home = S::slots(&query, self.slot_count).home();
            match output {
                Some(Stepped::Read(output)) => {
                    ctx.reply(id, Response::Store(Outcome::Done(output)));
                    overtaken.extend(self.note_answered(from, home));
                }
                // Between the question and the answer the slot was locked, or went.
                Some(_) => {
                    mark!("shardedstore.read_again");
                    *read = Some((id, query));
                    again.insert(home);
                }
                None => {
                    mark!("shardedstore.read_through_the_log");
                    homes.insert(self.push(id, query));
                }
            }
        }
        while let Some(None) = self.reads.front() {
            self.reads.pop_front();
            self.reads_from += 1;
        }
        self.submit(homes, ctx);
        if !again.is_empty() {
            self.ask((self.reads_from, usize::MAX), |home| again.contains(&home), ctx);
        }
        overtaken.into_iter().for_each(|group| self.send_again_to(group, ctx));
    }

    /// A slot answered: its group is led by `from`. Yields the group, if another one was taken for its leader: what is on
    /// its way there is lost perhaps.
    fn note_answered(&mut self, from: NodeId, slot: SlotId) -> Option<GroupId> {
        if let Some(route) = self.routes.get_mut(&slot) {
            route.is_on_its_way = false;
            route.hops = 0;
        }
        self.backoff.reset();
        let (group, _) = self.route(slot)?;
        let configuration = self.configuration.as_ref();
        let members = configuration.and_then(|known| known.groups.get(&group));
        if !members.is_some_and(|ids| ids.contains(&from)) {
            return None;
        }
        self.doubted.remove(&group);
        let before = self.leaders.insert(group, from);
        before.filter(|before| *before != from).map(|_| group)
    }

    fn on_elsewhere(&mut self, slot: SlotId, group: GroupId, is_on_its_way: bool, ctx: &mut Ctx<S>) {
        if self.route(slot) == Some((group, is_on_its_way)) {
            return;
        }
        let hops = self.routes.get(&slot).map_or(0, |route| route.hops) + 1;
        self.routes.insert(slot, Route { group, is_on_its_way, hops: hops.min(HOPS_MAX + 1) });
        // Who is sent around in a circle waits until what moves has moved.
        if hops > HOPS_MAX {
            mark!("shardedstore.sent_around");
            return;
        }
        if self.configuration.as_ref().is_none_or(|known| !known.groups.contains_key(&group)) {
            self.masters.ask(None, ctx);
        }
        self.submit_again(BTreeSet::from([slot]), ctx);
        self.ask((self.reads_from, usize::MAX), |home| home == slot, ctx);
    }

    fn on_not_leader(&mut self, from: NodeId, group: GroupId, leader: Option<NodeId>, ctx: &mut Ctx<S>) {
        // A member that replaced another, of which no configuration that is known here tells.
        let mut is_news = false;
        if let (Some(leader), Some(known)) = (leader, self.addresses.get_mut(&group))
            && known.contains(&from)
            && !known.contains(&leader)
        {
            mark!("shardedstore.leader_of_a_later_configuration");
            known.push(leader);
            is_news = true;
        }
        let known = self.leaders.get(&group).copied();
        let is_doubted = self.doubted.contains(&group) && leader.is_some() && leader != known;
        if !is_news && !is_doubted && known != Some(from) {
            return;
        }
        match leader {
            Some(leader) => {
                self.leaders.insert(group, leader);
                self.doubted.remove(&group);
                self.send_again_to(group, ctx);
            }
            None => {
                self.leaders.remove(&group);
            }
        }
    }

    fn on_forgotten(&mut self, slot: SlotId, client: ClientId, ctx: &mut Ctx<S>) {
        let Some(lane) = self.lanes.find_mut(slot) else { return };
        if client != ClientId::new(self.me, lane.life) {
            return;
        }
        mark!("shardedstore.session_forgotten");
        for id in lane.window.abandon() {
            ctx.reply(id, Response::Store(Outcome::MayHaveHappened));
        }
        lane.life = lane.life.wrapping_add(1);
        if lane.window.is_empty() {
            self.busy.remove(&slot);
        }
        self.submit(BTreeSet::from([slot]), ctx);
    }

    pub(crate) fn on_retry(&mut self, ctx: &mut Ctx<S>) {
        self.is_retry_set = false;
        let is_stuck = |lane: &Lane<S::Command>| lane.window.lowest() == lane.lowest_before;
        let stuck = self.busy_lanes().filter(|(_, lane)| is_stuck(lane)).map(|(slot, _)| slot);
        let stuck: BTreeSet<SlotId> = stuck.collect();
        let are_reads_stuck = !self.reads.is_empty() && self.reads_from == self.reads_before;
        if !stuck.is_empty() || are_reads_stuck {
            self.backoff.grow();
            // Whoever did not answer is not asked alone again; and where it was sent is perhaps out of date.
            self.doubted.extend(self.leaders.keys());
            self.routes.clear();
            self.masters.ask(None, ctx);
            self.send_some_again(&stuck, ctx);
            self.ask((self.reads_from, AGAIN_READS_MAX), |_| true, ctx);
        }
        self.set_retry(ctx);
    }

    /// Sends again what has its home in one of these slots and was not answered for a round: not much at a time. If it is
    /// lost, an answer to the first of it brings more; if another member leads, that one gets everything.
    fn send_some_again(&mut self, stuck: &BTreeSet<SlotId>, ctx: &mut Ctx<S>) {
        let from = std::mem::replace(&mut self.again_from, SlotId::FIRST);
        let (mut bytes, mut again, mut late) = (0, BTreeSet::new(), BTreeSet::new());
        for slot in stuck.range(from..).chain(stuck.range(..from)).copied() {
            if bytes >= AGAIN_BYTES_MAX {
                mark!("shardedstore.sends_less_again");
                self.again_from = slot;
                break;
            }
            let group = self.route(slot).map(|(group, _)| group);
            let Some(lane) = self.lanes.find_mut(slot) else { continue };
            let lane_bytes = lane.window.sent_bytes(S::bytes);
            if lane.rounds < lane_bytes / AGAIN_BYTES_MAX {
                mark!("shardedstore.waits_longer_for_much");
                lane.rounds += 1;
                late.extend(group);
                continue;
            }
            lane.rounds = 0;
            lane.window.rewind();
            bytes += lane_bytes;
            again.insert(slot);
        }
        self.submit(again, ctx);
        // Whoever leads says nothing to this, but the others say who does.
        for group in late {
            ctx.broadcast(&self.members(group), &Message::Submit { lots: Vec::new() });
        }
    }

    /// One timer watches everything that is outstanding.
    fn set_retry(&mut self, ctx: &mut Ctx<S>) {
        if self.is_retry_set || self.busy.is_empty() && self.reads.is_empty() {
            return;
        }
        self.is_retry_set = true;
        self.reads_before = self.reads_from;
        for slot in &self.busy {
            if let Some(lane) = self.lanes.find_mut(*slot)
                && lane.lowest_before != lane.window.lowest()
            {
                lane.lowest_before = lane.window.lowest();
                lane.rounds = 0;
            }
        }
        ctx.set_timer(Timer::Retry, self.backoff.range());
    }

    pub(crate) fn assert_invariants(&self) {
        for (slot, lane) in self.busy_lanes() {
            lane.window.assert_invariants();
            assert!(!lane.window.is_empty(), "nothing waits in the lane of slot {slot}, which is busy");
        }
        assert!(self.reads.front().is_none_or(Option::is_some), "an answered read is kept at the front");
    }
}
