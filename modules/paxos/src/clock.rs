//! The log's own time: what a leader stamps entries with, whatever any machine's wall clock says.
//!
//! # What it leans on
//! Monotonic clocks run at nearly the same rate: two differ by at most [`CLOCK_DRIFT_MAX_PPM`], also while a machine is
//! suspended. Nothing is assumed of one wall clock, or of any minority's.
//!
//! # How it goes on
//! A leader lets the time go on by its monotonic clock. In every answer to a heartbeat it tells its followers what time it
//! is, and they go on from that by their own monotonic clocks. So a new leader has the time already, at most a round trip
//! and what [`SLEW_PERMILLE`] allows ahead of the last leader, and never behind it: no client sees the time go back.
//!
//! # How it stays near the true time
//! The same answers tell the members' wall clocks. With `n` members, of which fewer than half may have a wrong clock (`f`),
//! and the readings of `k` of them, sorted, the true time lies between the `(k - f)`-th and the `(f + 1)`-th reading: with
//! all readings both are the median (Marzullo, 1984, with a fixed number of faults). A leader that hears a quorum draws
//! the time towards that interval by at most [`SLEW_PERMILLE`] of the time that passes, forward or back; inside of the
//! interval it leaves the time alone. So a duration stays what it is to within 1 %, whoever sets how many clocks, and
//! dates follow a time that somebody set by hand.
//!
//! # Across a restart
//! As soon as it knows the time, and then with what it accepts, a member keeps it on its disk, and what its machine's clocks
//! read then ([`KeptTime`]). A process that starts again goes on from there, as long as its machine was not started anew. Its
//! word is old by then, and others may have led meanwhile: a leader whose best word is older than `FRESH_US` stamps nothing
//! before it has heard a quorum, and goes on from the freshest word of it.
//!
//! # Where nobody knows the time
//! A member whose machine was started anew does not know it, and asks: a leader without it takes the freshest word of a
//! member that has it. Only where a quorum has none (all machines were) does the time *leap*, before anything is stamped: to
//! the `(k - f)`-th reading, which is not ahead of every right clock, and never back behind the last entry. If the readings
//! leave the true time open by more than [`AGREEMENT_MS`], the leader waits for more members, but not longer than [`AGREEMENT_WAIT_MS`].
//! A leader stamps with it only once a quorum has heard it, a heartbeat later: so a time that something was stamped with is known
//! after a restart of all processes, whichever member stays away.
//! Later it never leaps: a lock that was granted by this time would be broken. The readings that decide are of one moment: where
//! a clock jumps meanwhile, what was heard before is heard anew, so that two clocks that are wrong one after the other are
//! not taken for two that agree.
//!
//! # What is left out
//! The interval of a reading's own error (half a round trip, a few milliseconds): it is far below what is promised.
//! Hybrid logical clocks take the largest reading that anybody ever sent, so one bad clock rules all; an offset check that
//! stops a node trades the fault for an outage; TrueTime needs clocks that know their error.
//!
//! Read more: Marzullo, "Maintaining the time in a distributed system" (1984); Lamport, "Time, clocks, and the ordering of
//! events in a distributed system" (1978); `docs/design/time.md`, which weighs the alternatives.

use std::collections::BTreeMap;
use synod_node::{ClockReading, NodeId, Rename, UNLOGGED_MS_MAX};
use synod_stdx::{Malformed, Reader, Wire, Writer, mark};

/// Two monotonic clocks differ in rate by at most so many in a million: what the guarantee assumes. Crystals keep 100.
pub const CLOCK_DRIFT_MAX_PPM: u64 = 1_000;
/// The time is drawn towards the members' wall clocks by at most so many in 1,000 of the time that passes.
pub const SLEW_PERMILLE: u64 = 8;
/// Readings that leave the true time open by no more than this, in milliseconds, agree on it.
pub const AGREEMENT_MS: u64 = 1_000;

// Both clocks of a duration may drift, and the time be drawn: together less than the 1 % that is promised.
const _: () = assert!(SLEW_PERMILLE * 1_000 + 2 * CLOCK_DRIFT_MAX_PPM <= 10_000);

/// A leader that does not know the time waits so long at most until enough members agree on it, in milliseconds.
pub const AGREEMENT_WAIT_MS: u64 = 2_000;

/// A member's word counts for so long, in microseconds of the own monotonic clock.
const FRESH_US: u64 = 10_000_000;
/// No word counts whose round trip took longer, in microseconds: it may be as much ahead, or as old.
const ROUND_TRIP_US_MAX: u64 = 500_000;
/// The time is kept on the disk again after so many microseconds, if something is accepted.
const KEEP_EACH_US: u64 = 1_000_000;
/// No clock reads more, in milliseconds: the year 2527. So sums of times and durations cannot overflow.
const WALL_MS_MAX: u64 = 1 << 44;

/// What a member tells of the time, in the answer to a heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ClockReport {
    /// What its wall clock reads, in milliseconds since 1970.
    pub wall_ms: u64,
    /// What it takes for the log's time, if it knows one.
    pub log: Option<LogTime>,
}

/// What somebody takes for the log's time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LogTime {
    /// Microseconds since 1970.
    pub at_us: u64,
    /// So many microseconds ago a leader that heard a quorum said so.
    pub age_us: u64,
}

/// The log's time as a member knew it, on its disk. It goes on from there by the monotonic clock, as long as that counts from
/// the same start of the same machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeptTime {
    /// What the clocks of the machine read then.
    pub reading: ClockReading,
    /// The log's time then.
    pub log: LogTime,
}

/// The log's time as it is known here, at the moment of the last reading.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Estimate {
    at_us: u64,
    /// When, by the own monotonic clock, a leader that heard a quorum last said so: perhaps before this machine was started.
    vouched_us: i64,
    /// Whether a leader may stamp with it: it is fresh, or was the freshest that a quorum knew, and a quorum knows it.
    is_sure: bool,
}

impl Estimate {
    /// The same so much later.
    fn later(self, by_us: u64) -> Self {
        Estimate { at_us: self.at_us.saturating_add(by_us), ..self }
    }
}

/// What a peer told last.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Heard {
    /// When, by the own monotonic clock.
    at_us: u64,
    /// What its wall clock read then, in microseconds since 1970.
    wall_us: u64,
    log: Option<Estimate>,
}

/// What a driver told of the clocks of this machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Told {
    reading: ClockReading,
    /// When the time was last kept on the disk, by the monotonic clock; `None`: not since this machine was started.
    kept_us: Option<u64>,
}

/// The log's time, as one member knows it. Without any [`ClockReading`] it stands still at zero.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct LogClock {
    told: Option<Told>,
    estimate: Option<Estimate>,
    heard: BTreeMap<NodeId, Heard>,
    /// The last two heartbeats: their ticks, and when they were sent.
    asked: [(u64, u64); 2],
    /// Since when a leader that does not know the time looks for it.
    looks_since_us: Option<u64>,
}

/// Between which two times, in microseconds, the true one lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Interval {
    low_us: u64,
    high_us: u64,
}

impl Interval {
    /// What the sorted `readings` of some of `members` say, if they are a quorum's.
    fn of(mut readings: Vec<u64>, members: usize) -> Option<Interval> {
        let wrong_max = (members - 1) / 2;
        let known = readings.len();
        if known + wrong_max < members {
            return None;
        }
        readings.sort_unstable();
        let (one, other) = (readings[known - wrong_max - 1], readings[wrong_max]);
        Some(Interval { low_us: one.min(other), high_us: one.max(other) })
    }

    fn agrees(self) -> bool {
        self.high_us - self.low_us <= AGREEMENT_MS * 1_000
    }
}

impl LogClock {
    fn monotonic_us(&self) -> u64 {
        self.told.map_or(0, |told| told.reading.monotonic_us)
    }

    /// What the wall clock of this machine read last, in milliseconds since 1970.
    pub fn wall_ms(&self) -> Option<u64> {
        self.told.map(|told| told.reading.wall_ms)
    }

    /// Whether a driver tells the time here at all.
    pub(crate) fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// The log's time, in milliseconds since 1970, if it is known well enough to stamp with it.
    pub fn now_ms(&self) -> Option<u64> {
        self.estimate.filter(|estimate| estimate.is_sure).map(|estimate| estimate.at_us / 1_000)
    }

    /// So many milliseconds is the wall clock of each member ahead of what the `members` agree on: that of `me`, and those
    /// of peers that were heard lately. Nothing while they do not agree.
    pub fn offsets_ms(&self, me: NodeId, members: usize) -> Vec<(NodeId, i64)> {
        let Some(agreed) = self.interval(members).filter(|interval| interval.agrees()) else {
            return Vec::new();
        };
        let offset = |wall_us: u64| (wall_us.cast_signed() - agreed.low_us.cast_signed()) / 1_000;
        let own = self.wall_ms().map(|wall_ms| (me, offset(wall_us(wall_ms))));
        let peers = self.fresh().map(|(peer, wall_us)| (peer, offset(wall_us)));
        own.into_iter().chain(peers).collect()
    }

    /// The wall clocks of peers that were heard lately, as they should read now, in microseconds.
    fn fresh(&self) -> impl Iterator<Item = (NodeId, u64)> + '_ {
        let now_us = self.monotonic_us();
        let is_fresh = move |heard: &Heard| now_us.saturating_sub(heard.at_us) <= FRESH_US;
        let heard = self.heard.iter().filter(move |(_, heard)| is_fresh(heard));
        heard.map(move |(peer, heard)| (*peer, heard.wall_us + now_us.saturating_sub(heard.at_us)))
    }

    /// What the wall clocks say of the true time, if a quorum's are known.
    fn interval(&self, members: usize) -> Option<Interval> {
        let own = wall_us(self.wall_ms()?);
        Interval::of(self.fresh().map(|(_, wall_us)| wall_us).chain([own]).collect(), members)
    }

    /// A driver tells what the clocks of this machine read. `leads`: this member lets the time of `members` go on.
    pub(crate) fn on_reading(&mut self, reading: ClockReading, members: usize, leads: bool) {
        if self.told.is_some_and(|told| told.reading.boot != reading.boot) {
            mark!("paxos.machine_started_anew");
            *self = LogClock::default();
        }
        let before_us = self.monotonic_us();
        let monotonic_us = reading.monotonic_us.max(before_us);
        let passed_us = if self.is_told() { monotonic_us - before_us } else { 0 };
        let jumped = |before_ms: u64| is_jump(wall_us(before_ms) + passed_us, wall_us(reading.wall_ms));
        if self.estimate.is_none() && self.wall_ms().is_some_and(jumped) {
            mark!("paxos.clock_jumped_while_time_was_lost");
            self.heard.clear();
            self.asked = Default::default();
        }
        let kept_us = self.told.and_then(|told| told.kept_us);
        self.told = Some(Told { reading: ClockReading { monotonic_us, ..reading }, kept_us });
        self.estimate = self.estimate.map(|estimate| estimate.later(passed_us));
        if leads {
            self.draw(members, passed_us);
        }
    }

    /// Draws the time towards the wall clocks, of which a quorum must be known: a leader that hears none may be deposed.
    fn draw(&mut self, members: usize, passed_us: u64) {
        let Some(interval) = self.interval(members) else { return };
        let monotonic_us = self.monotonic_us();
        let Some(estimate) = self.estimate.as_mut().filter(|estimate| estimate.is_sure) else { return };
        estimate.vouched_us = monotonic_us.cast_signed();
        let most_us = passed_us * SLEW_PERMILLE / 1_000;
        if estimate.at_us < interval.low_us {
            estimate.at_us += (interval.low_us - estimate.at_us).min(most_us);
        } else {
            estimate.at_us -= estimate.at_us.saturating_sub(interval.high_us).min(most_us);
        }
    }

    fn age_us(&self, estimate: Estimate) -> u64 {
        let age_us = self.monotonic_us().cast_signed().saturating_sub(estimate.vouched_us);
        u64::try_from(age_us).unwrap_or(0)
    }

    /// So long ago by the own monotonic clock.
    fn ago(&self, age_us: u64) -> i64 {
        self.monotonic_us().cast_signed().saturating_sub_unsigned(age_us)
    }

    /// What peers that were heard lately take for the log's time, as it should be now.
    fn known_by_peers(&self) -> impl Iterator<Item = Estimate> + '_ {
        let now_us = self.monotonic_us();
        let passed_us = move |heard: &Heard| now_us.saturating_sub(heard.at_us);
        let fresh = self.heard.values().filter(move |heard| passed_us(heard) <= FRESH_US);
        fresh.filter_map(move |heard| Some(heard.log?.later(passed_us(heard))))
    }

    /// The freshest word of anybody's, the own included.
    fn freshest(&self) -> Option<Estimate> {
        self.estimate.into_iter().chain(self.known_by_peers()).min_by_key(|estimate| self.age_us(*estimate))
    }

    /// This member was elected, and lets the time of `members` go on: from the freshest word there is. `clock_ms` is the
    /// time of the last entry that was executed.
    pub(crate) fn begin_to_lead(&mut self, members: usize, clock_ms: u64) {
        self.looks_since_us = Some(self.monotonic_us());
        let freshest = self.freshest();
        if let Some(fresh) = freshest.filter(|freshest| self.age_us(*freshest) <= FRESH_US) {
            // The last leader may have gone on faster meanwhile; nobody must see the time go back.
            let margin_permille = SLEW_PERMILLE + 2 * CLOCK_DRIFT_MAX_PPM / 1_000;
            self.estimate = Some(fresh.later(self.age_us(fresh) / 1_000 * margin_permille));
        } else if self.estimate.is_some() {
            mark!("paxos.time_is_old");
        }
        if let Some(own) = &mut self.estimate {
            own.is_sure = false;
        }
        self.find_time(members, clock_ms);
    }

    /// A leader that does not know the time asks for it. Whether it knows it then, and a quorum with it: what is stamped by a
    /// time that hardly anybody knows might outlive it.
    pub(crate) fn find_time(&mut self, members: usize, clock_ms: u64) -> bool {
        if self.now_ms().is_none() && self.is_told() {
            let found = match self.freshest() {
                Some(known) if self.age_us(known) <= FRESH_US => Some(known),
                Some(known) => self.interval(members).map(|_| self.vouched(known.at_us, clock_ms)),
                None => self.agreed(members, clock_ms),
            };
            let is_sure = self.known_by_peers().count() + 1 > members / 2;
            self.estimate = found.map(|found| Estimate { is_sure, ..found }).or(self.estimate);
        }
        self.now_ms().is_some()
    }

    /// The time that the members' wall clocks agree on; after a while, one that is not ahead of the true time.
    fn agreed(&self, members: usize, clock_ms: u64) -> Option<Estimate> {
        mark!("paxos.time_lost");
        let interval = self.interval(members)?;
        let now_us = self.monotonic_us();
        let waited_us = now_us - self.looks_since_us.unwrap_or(now_us);
        if !interval.agrees() && waited_us < AGREEMENT_WAIT_MS * 1_000 {
            mark!("paxos.clocks_disagree");
            return None;
        }
        Some(self.vouched(interval.low_us, clock_ms))
    }

    /// A quorum says at this moment that it is so late; not before the last entry, of `clock_ms`, and anything that clients were
    /// told after it without an entry: see [`UNLOGGED_MS_MAX`].
    fn vouched(&self, at_us: u64, clock_ms: u64) -> Estimate {
        let told_us = if clock_ms == 0 { 0 } else { (clock_ms + UNLOGGED_MS_MAX) * 1_000 };
        Estimate { at_us: at_us.max(told_us), vouched_us: self.ago(0), is_sure: true }
    }

    /// Something is accepted: what is to be kept of the time with it, if that was not done lately.
    pub(crate) fn keep_again(&mut self) -> Option<KeptTime> {
        self.keep(|kept_us, now_us| now_us >= kept_us + KEEP_EACH_US)
    }

    /// What is to be kept of the time at once, if nothing was since this machine was started.
    pub(crate) fn keep_first(&mut self) -> Option<KeptTime> {
        self.keep(|_, _| false)
    }

    fn keep(&mut self, is_due: impl FnOnce(u64, u64) -> bool) -> Option<KeptTime> {
        let kept = self.to_keep()?;
        let told = self.told.as_mut()?;
        let now_us = told.reading.monotonic_us;
        if told.kept_us.is_some_and(|kept_us| !is_due(kept_us, now_us)) {
            return None;
        }
        told.kept_us = Some(now_us);
        Some(kept)
    }

    /// What a checkpoint keeps of the time.
    pub(crate) fn to_keep(&self) -> Option<KeptTime> {
        Some(KeptTime { reading: self.told?.reading, log: self.known()? })
    }

    /// The process starts again: what it kept of the time. It holds if the first reading is of the same start of the machine.
    pub(crate) fn recover(&mut self, kept: KeptTime) {
        let KeptTime { reading, log } = kept;
        self.told = Some(Told { reading, kept_us: Some(reading.monotonic_us) });
        let vouched_us = self.ago(log.age_us);
        self.estimate = Some(Estimate { at_us: log.at_us, vouched_us, is_sure: false });
    }

    fn known(&self) -> Option<LogTime> {
        self.estimate.map(|estimate| LogTime { at_us: estimate.at_us, age_us: self.age_us(estimate) })
    }

    /// An entry of this time was executed: the log's time is not behind it.
    pub(crate) fn at_least(&mut self, clock_ms: u64) {
        if let Some(estimate) = &mut self.estimate {
            estimate.at_us = estimate.at_us.max(clock_ms.min(WALL_MS_MAX) * 1_000);
        }
    }

    /// A heartbeat is sent.
    pub(crate) fn on_asked(&mut self, tick: u64) {
        if self.is_told() {
            self.asked = [self.asked[1], (tick, self.monotonic_us())];
        }
    }

    /// What is told in the answer to a heartbeat.
    pub(crate) fn report(&self) -> Option<ClockReport> {
        Some(ClockReport { wall_ms: self.wall_ms()?, log: self.known() })
    }

    /// A peer answered the heartbeat of `tick`. `leads`: it is the leader whom this member follows.
    pub(crate) fn on_report(&mut self, from: NodeId, tick: u64, report: ClockReport, leads: bool) {
        let now_us = self.monotonic_us();
        let Some((_, asked_us)) = self.asked.iter().find(|(asked, _)| *asked == tick) else { return };
        let round_trip_us = now_us.saturating_sub(*asked_us);
        if round_trip_us > ROUND_TRIP_US_MAX {
            mark!("paxos.report_too_late");
            return;
        }
        let log = report.log.map(|log| Estimate {
            // Not behind what the peer says at this moment: it said so after it was asked.
            at_us: log.at_us.min(WALL_MS_MAX * 1_000).saturating_add(round_trip_us),
            vouched_us: self.ago(log.age_us),
            is_sure: true,
        });
        let wall_us = wall_us(report.wall_ms) + round_trip_us / 2;
        let jumped = |before: &Heard| is_jump(before.wall_us + (now_us - before.at_us), wall_us);
        if self.estimate.is_none() && self.heard.get(&from).is_some_and(jumped) {
            let asked_us = *asked_us;
            self.heard.retain(|_, heard| heard.at_us >= asked_us);
        }
        self.heard.insert(from, Heard { at_us: now_us, wall_us, log });
        // A leader that started again may know less than this member does.
        let is_news = |told: &Estimate| self.estimate.is_none_or(|own| told.vouched_us >= own.vouched_us);
        if let Some(told) = log.filter(|told| leads && is_news(told)) {
            self.estimate = Some(told);
        }
    }

    /// `peer` begins anew, perhaps on another machine: nothing was heard of it yet.
    pub(crate) fn forget(&mut self, peer: NodeId) {
        self.heard.remove(&peer);
    }
}

/// Whether a wall clock that should read so much has jumped, so that readings before and after are not of one moment.
fn is_jump(expected_us: u64, found_us: u64) -> bool {
    expected_us.abs_diff(found_us) > AGREEMENT_MS * 1_000 / 2
}

/// Microseconds since 1970.
fn wall_us(wall_ms: u64) -> u64 {
    wall_ms.min(WALL_MS_MAX) * 1_000
}

impl Rename for LogClock {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let LogClock { told: _, estimate: _, heard, asked: _, looks_since_us: _ } = self;
        heard.rename(name);
    }
}

impl Rename for Heard {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {
        let Heard { at_us: _, wall_us: _, log: _ } = self;
    }
}

impl Wire for LogTime {
    fn encode(&self, out: &mut Writer<'_>) {
        (self.at_us, self.age_us).encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (at_us, age_us) = Wire::decode(input)?;
        Ok(LogTime { at_us, age_us })
    }
}

impl Wire for ClockReport {
    fn encode(&self, out: &mut Writer<'_>) {
        self.wall_ms.encode(out);
        self.log.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(ClockReport { wall_ms: Wire::decode(input)?, log: Wire::decode(input)? })
    }
}

impl Wire for KeptTime {
    fn encode(&self, out: &mut Writer<'_>) {
        self.reading.encode(out);
        self.log.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(KeptTime { reading: Wire::decode(input)?, log: Wire::decode(input)? })
    }
}
