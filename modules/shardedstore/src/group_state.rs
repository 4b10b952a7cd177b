//! What a group replicates: its slots with their exactly-once records, where slots come from and go to, and its part in
//! transactions.
//!
//! # Who serves a slot
//! A group **holds** the slots whose data it has. Only who holds a slot and has not frozen it serves it. A configuration
//! says who *shall* hold which slots; from one to the next a slot goes the way
//!
//! ```text
//! old owner:  held --Copy … Freeze--> frozen ------------------Release--> forgotten
//! new owner:  coming ----------Take … Take … Take--> held
//! ```
//!
//! each arrow an entry of that group's log (`transfer.rs` has them). The new owner has every part of a slot only after the
//! old one froze it, and the old one forgets it only after the new one has it: so at no moment do two serve it, and at every
//! moment one has it.

use crate::slot_table::SlotTable;
use crate::transfer::{Coming, Leaving};
use crate::{
    Attempt, Configuration, ConfigurationNumber, GroupId, LockNumber, RequestName, Seats, Sharded, SlotId,
    Step, Stepped,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_clientserver::{Admission, ClientId, Seq, Sessions, WINDOW_MAX};
use synod_node::{NodeId, StateMachine};
use synod_stdx::mark;

/// The most clients that a slot remembers.
const SESSIONS_MAX: usize = 1024;

/// What becomes of requests to a slot that is held.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SlotStatus {
    /// They run.
    Served,
    /// They wait for a transaction that locked it.
    Locked(Attempt),
    /// They run elsewhere: it is on its way to its new owner.
    Frozen,
}

/// A slot that is held: what clients were answered in it. What its keys hold is in the application.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Held<O> {
    pub(crate) sessions: Arc<Sessions<O>>,
    pub(crate) status: SlotStatus,
}

/// Where a slot is, as far as a group knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whereabouts {
    /// Here.
    Here(SlotStatus),
    /// On its way to this group, its new owner, which perhaps does not know it yet.
    SentTo(GroupId),
    /// It will come from this group, which may still serve it.
    ComesFrom(GroupId),
    /// With this group, as the newest configuration that is known here has it.
    With(GroupId),
    /// Nobody knows here: no configuration is known.
    Unknown,
}

/// A transaction that this group coordinates.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Transaction<S: Sharded> {
    pub(crate) acked_below: Seq,
    pub(crate) command: S::Command,
    /// The try that is under way, or was decided.
    pub(crate) attempt: Attempt,
    /// Once it is committed: who is still to be told what.
    pub(crate) committed: Option<BTreeMap<GroupId, (LockNumber, S::Fragment)>>,
}

/// A transaction for which this group has locked slots.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Prepared {
    pub(crate) attempt: Attempt,
    pub(crate) lock: LockNumber,
    pub(crate) slots: Vec<SlotId>,
}

/// The replicated state of one group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct GroupState<S: Sharded> {
    pub(crate) group: GroupId,
    pub(crate) slot_count: u16,
    pub(crate) store: S,
    pub(crate) configuration: Option<Arc<Configuration>>,
    pub(crate) held: SlotTable<Held<S::Output>>,
    /// Slots that are held, or frozen, and belong to others now.
    pub(crate) leaving: BTreeMap<SlotId, Leaving<S::View>>,
    pub(crate) coming: BTreeMap<SlotId, Coming>,
    pub(crate) transactions: BTreeMap<RequestName, Transaction<S>>,
    /// How many tries this group ever began.
    pub(crate) attempts: u64,
    /// How many locks this group ever gave.
    pub(crate) locks: LockNumber,
    pub(crate) prepared: BTreeMap<RequestName, Prepared>,
    /// The members of every group that ever was: one that left may still have something to say.
    pub(crate) addresses: BTreeMap<GroupId, Vec<NodeId>>,
    /// Who plays the group's own seats, and who did.
    pub(crate) seats: Seats,
}

impl<S: Sharded> GroupState<S> {
    /// A group that knows no configuration, in a store of `slot_count` slots.
    pub fn new(group: GroupId, slot_count: u16, store: S) -> Self {
        GroupState {
            group,
            slot_count,
            store,
            configuration: None,
            held: SlotTable::new(slot_count),
            leaving: BTreeMap::new(),
            coming: BTreeMap::new(),
            transactions: BTreeMap::new(),
            attempts: 0,
            locks: 0,
            prepared: BTreeMap::new(),
            addresses: BTreeMap::new(),
            seats: Seats::default(),
        }
    }

    /// The group's name.
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// The application.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The configuration in force.
    pub fn configuration(&self) -> Option<&Arc<Configuration>> {
        self.configuration.as_ref()
    }

    /// The slots that are held, and what becomes of requests to each.
    pub fn held(&self) -> impl Iterator<Item = (SlotId, SlotStatus)> + '_ {
        self.held.iter().map(|(slot, held)| (slot, held.status))
    }

    /// How many slots are on their way: from here, and to here.
    pub fn moving(&self) -> (usize, usize) {
        (self.leaving.len(), self.coming.len())
    }

    /// How many transactions are open: coordinated here, and prepared here.
    pub fn transactions(&self) -> (usize, usize) {
        (self.transactions.len(), self.prepared.len())
    }

    /// The members of a group, if it ever was in a configuration.
    pub(crate) fn members(&self, group: GroupId) -> Option<&[NodeId]> {
        self.addresses.get(&group).map(Vec::as_slice)
    }

    /// Who plays the group's seats, and who did.
    pub fn seats(&self) -> &Seats {
        &self.seats
    }

    /// Where `slot` is.
    pub fn whereabouts(&self, slot: SlotId) -> Whereabouts {
        if let Some(held) = self.held.find(slot) {
            return match (held.status, self.leaving.get(&slot)) {
                (SlotStatus::Frozen, Some(leaving)) => Whereabouts::SentTo(leaving.owner),
                (status, _) => Whereabouts::Here(status),
            };
        }
        if let Some(coming) = self.coming.get(&slot) {
            return Whereabouts::ComesFrom(coming.from);
        }
        let owner = self.configuration.as_ref().and_then(|configuration| configuration.slots.owner(slot));
        owner.map_or(Whereabouts::Unknown, Whereabouts::With)
    }

    /// Whether all of `slots` are served here.
    pub(crate) fn serves(&self, slots: &[SlotId]) -> bool {
        slots.iter().all(|slot| self.whereabouts(*slot) == Whereabouts::Here(SlotStatus::Served))
    }

    /// Whether the configuration in force is carried out as far as it concerns this group.
    pub(crate) fn is_settled(&self) -> bool {
        self.leaving.is_empty() && self.coming.is_empty()
    }

    /// The number of the configuration that this group takes next.
    pub(crate) fn next_number(&self) -> ConfigurationNumber {
        self.configuration.as_ref().map_or(0, |configuration| configuration.number + 1)
    }

    pub(crate) fn is_in(&self, number: ConfigurationNumber) -> bool {
        self.configuration.as_ref().is_some_and(|configuration| configuration.number == number)
    }

    /// What becomes of a client's command, if its home slot is here.
    pub(crate) fn admit(&self, name: RequestName) -> Admission<'_, S::Output> {
        self.held.find(name.slot).map_or(Admission::Early, |held| held.sessions.admit(name.client, name.seq))
    }

    /// The last command of `client` that ran in `slot`, and whether anything is known of the client there.
    pub fn executed(&self, client: ClientId, slot: SlotId) -> (Seq, bool) {
        let sessions = self.held.find(slot).map(|held| &held.sessions);
        sessions.map_or((0, false), |sessions| (sessions.executed(client), sessions.knows(client)))
    }

    fn run(&mut self, name: RequestName, acked_below: Seq, command: &S::Command) -> Stepped<S::Output> {
        let slots = S::slots(command, self.slot_count);
        match self.admit(name) {
            Admission::Again(output) => {
                mark!("shardedstore.chosen_twice");
                return Stepped::Ran { name, output: output.clone() };
            }
            Admission::Run if self.serves(slots.as_slice()) => {}
            Admission::Forgotten => return Stepped::Forgotten { name },
            Admission::Run | Admission::Answered | Admission::Early => {
                mark!("shardedstore.not_run");
                return Stepped::NotRun { name };
            }
        }
        let held = &self.held;
        let output = self.store.apply_among(command, &|slot| is_served(held, slot));
        self.record(name, acked_below, output.clone());
        Stepped::Ran { name, output }
    }

    pub(crate) fn record(&mut self, name: RequestName, acked_below: Seq, output: S::Output) {
        let held = self.held.find_mut(name.slot).expect("a command runs where its home slot is");
        Arc::make_mut(&mut held.sessions).record(name.client, name.seq, acked_below, output);
    }

    fn configure(&mut self, next: &Arc<Configuration>) -> Stepped<S::Output> {
        if next.number != self.next_number() || !self.is_settled() {
            return Stepped::Known;
        }
        let me = self.group;
        for number in 0..next.slots.slot_count() {
            let slot = SlotId::at(number);
            let old = self.configuration.as_ref().and_then(|configuration| configuration.slots.owner(slot));
            match (old, next.slots.owner(slot)) {
                (None, Some(owner)) if owner == me => {
                    let sessions = Arc::new(Sessions::new(SESSIONS_MAX, WINDOW_MAX));
                    self.held.insert(slot, Held { sessions, status: SlotStatus::Served });
                }
                (Some(from), Some(owner)) if owner == me && from != me => {
                    self.coming.insert(slot, Coming { from, wanted: (0, 0) });
                }
                (Some(from), Some(owner)) if from == me && owner != me => {
                    self.leaving.insert(slot, Leaving::to(owner));
                }
                _ => {}
            }
        }
        self.addresses.extend(next.groups.iter().map(|(group, members)| (*group, members.clone())));
        if let Some(members) = next.groups.get(&me) {
            self.seats.take(members);
        }
        self.configuration = Some(Arc::clone(next));
        Stepped::Moved
    }

    /// Panics if the state is one that must not be.
    pub(crate) fn assert_invariants(&self) {
        assert!(self.coming.keys().all(|slot| !self.held.contains(*slot)), "a slot is here that is to come");
        assert!(self.leaving.keys().all(|slot| self.held.contains(*slot)), "a slot leaves that is not here");
        for prepared in self.prepared.values() {
            let attempt = prepared.attempt;
            let is_locked = |slot: &SlotId| {
                self.held.find(*slot).is_some_and(|held| held.status == SlotStatus::Locked(attempt))
            };
            assert!(
                prepared.slots.iter().all(is_locked),
                "{attempt} is prepared and its slots are not locked"
            );
        }
    }
}

impl<S: Sharded> StateMachine for GroupState<S> {
    type Command = Step<S>;
    type Output = Stepped<S::Output>;

    fn apply(&mut self, step: &Step<S>) -> Stepped<S::Output> {
        match step {
            Step::Run { name, acked_below, command } => self.run(*name, *acked_below, command),
            Step::Read(command) => self.read(command),
            Step::Configure(next) => self.configure(next),
            Step::Copy { number, slots } => self.copy(*number, slots),
            Step::Freeze { at_ms, number, slots } => {
                self.store.advance_clock(*at_ms);
                self.freeze(*number, slots)
            }
            Step::Take { number, chunks } => self.take(*number, chunks),
            Step::Release { number, slots } => self.release(*number, slots),
            Step::Begin { name, acked_below, command } => self.begin(*name, *acked_below, command),
            Step::Prepare { attempt, slots } => self.prepare(*attempt, slots),
            Step::Decide { at_ms, attempt, output, parts } => {
                self.store.advance_clock(*at_ms);
                self.decide(*attempt, output, parts)
            }
            Step::Abandon { attempt } => self.abandon(*attempt),
            Step::Finish { attempt, lock, part } => self.finish(*attempt, *lock, part.as_ref()),
            Step::Told { name, group } => self.told(*name, *group),
        }
    }

    fn is_read_only(step: &Step<S>) -> bool {
        matches!(step, Step::Read(_))
    }

    fn query(&self, step: &Step<S>) -> Option<Stepped<S::Output>> {
        match step {
            Step::Read(command) if self.serves(S::slots(command, self.slot_count).as_slice()) => {
                self.store.query_among(command, &|slot| is_served(&self.held, slot)).map(Stepped::Read)
            }
            Step::Read(_) => Some(Stepped::NotRead),
            Step::Run { .. }
            | Step::Configure(_)
            | Step::Copy { .. }
            | Step::Freeze { .. }
            | Step::Take { .. }
            | Step::Release { .. }
            | Step::Begin { .. }
            | Step::Prepare { .. }
            | Step::Decide { .. }
            | Step::Abandon { .. }
            | Step::Finish { .. }
            | Step::Told { .. } => unreachable!("not a read"),
        }
    }

    fn stamp(step: &mut Step<S>, at_ms: u64) {
        step.stamp(at_ms);
    }

    fn clock_ms(&self) -> u64 {
        self.store.clock_ms()
    }

    fn bytes(step: &Step<S>) -> usize {
        step.bytes()
    }

    fn output_bytes(output: &Stepped<S::Output>) -> usize {
        output.output().map_or(0, S::output_bytes)
    }
}

impl<S: Sharded> GroupState<S> {
    fn read(&self, command: &S::Command) -> Stepped<S::Output> {
        if !self.serves(S::slots(command, self.slot_count).as_slice()) {
            return Stepped::NotRead;
        }
        let output = self.store.query_among(command, &|slot| is_served(&self.held, slot));
        output.map_or(Stepped::NotRead, Stepped::Read)
    }
}

/// Whether a slot is here and in nobody's hands.
fn is_served<O>(held: &SlotTable<Held<O>>, slot: SlotId) -> bool {
    held.find(slot).is_some_and(|held| held.status == SlotStatus::Served)
}
