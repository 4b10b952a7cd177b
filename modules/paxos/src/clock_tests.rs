//! The log's time against wrong clocks: every member's clocks are set by hand, and time passes by a true clock.

use crate::clock::{AGREEMENT_MS, AGREEMENT_WAIT_MS, LogClock};
use synod_node::{ClockReading, NodeId, UNLOGGED_MS_MAX};
use synod_stdx::{Rng, Wire};

const HOUR_MS: u64 = 3_600_000;
/// Where the true wall clock begins, in ms since 1970.
const BEGIN_MS: u64 = 1_700_000_000_000;

/// A group whose members answer each other's heartbeats at once, or after a round trip.
struct Group {
    now_us: u64,
    clocks: Vec<LogClock>,
    /// What each wall clock is ahead of the true one, in ms.
    ahead_ms: Vec<i64>,
    up: Vec<bool>,
    leader: usize,
    tick: u64,
    boot: u64,
}

impl Group {
    fn new(members: usize) -> Group {
        let clocks = vec![LogClock::default(); members];
        Group {
            now_us: 5_000_000,
            clocks,
            ahead_ms: vec![0; members],
            up: vec![true; members],
            leader: 0,
            tick: 0,
            boot: 1,
        }
    }

    fn true_ms(&self) -> u64 {
        BEGIN_MS + self.now_us / 1_000
    }

    fn read(&mut self, member: usize) {
        let wall_ms = self.true_ms().saturating_add_signed(self.ahead_ms[member]);
        let reading = ClockReading { boot: self.boot, monotonic_us: self.now_us, wall_ms };
        let members = self.clocks.len();
        self.clocks[member].on_reading(reading, members, member == self.leader);
    }

    /// Every member that is up asks every other one; the answers take `round_trip_us`.
    fn beat(&mut self, round_trip_us: u64) {
        self.tick += 1;
        let up: Vec<usize> = (0..self.clocks.len()).filter(|member| self.up[*member]).collect();
        for member in &up {
            self.read(*member);
            self.clocks[*member].on_asked(self.tick);
        }
        self.now_us += round_trip_us / 2;
        up.iter().for_each(|member| self.read(*member));
        let reports: Vec<_> = up.iter().map(|member| (*member, self.clocks[*member].report())).collect();
        self.now_us += round_trip_us / 2;
        for member in &up {
            self.read(*member);
            for (from, report) in reports.iter().filter(|(from, _)| from != member) {
                let report = report.expect("a member that was told its clocks tells them");
                let copy = Wire::from_bytes(&report.to_bytes()).unwrap();
                assert_eq!(report, copy);
                let leads = *from == self.leader && *member != self.leader;
                self.clocks[*member].on_report(NodeId::server(*from as u32 + 1), self.tick, copy, leads);
            }
        }
    }

    /// `ms` pass, with a heartbeat each 100.
    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 100 {
            self.now_us += 99_000;
            self.beat(1_000);
        }
    }

    fn elect(&mut self, leader: usize, clock_ms: u64) -> bool {
        self.leader = leader;
        let members = self.clocks.len();
        self.clocks[leader].begin_to_lead(members, clock_ms);
        self.clocks[leader].find_time(members, clock_ms)
    }

    /// The leader found the time, and its followers hear it: whether it knows then that a quorum does.
    fn is_heard(&mut self, clock_ms: u64) -> bool {
        self.beat(1_000);
        self.beat(1_000);
        let members = self.clocks.len();
        self.clocks[self.leader].find_time(members, clock_ms)
    }

    /// Whether member 0, which knows no time, finds one when it is elected, and is heard.
    fn finds_time(&mut self, clock_ms: u64) -> bool {
        let is_alone = self.clocks.len() == 1;
        assert_eq!(self.elect(0, clock_ms), is_alone, "nobody else knows the time that it found");
        self.is_heard(clock_ms)
    }

    /// A group that has a leader and the true time.
    fn led(members: usize) -> Group {
        let mut group = Group::new(members);
        group.beat(1_000);
        assert!(group.finds_time(0));
        group.pass(1_000);
        group
    }

    /// So many ms is the log's time ahead of the true one.
    fn error_ms(&self) -> i64 {
        let now_ms = self.clocks[self.leader].now_ms().expect("a leader knows the time");
        now_ms.cast_signed() - self.true_ms().cast_signed()
    }

    /// All machines are started anew: no member knows the time.
    fn restart_all(&mut self) {
        self.boot += 1;
        self.restart_processes();
    }

    /// All processes start again, with what they kept.
    fn restart_processes(&mut self) {
        for clock in &mut self.clocks {
            let kept = clock.to_keep();
            *clock = LogClock::default();
            kept.into_iter().for_each(|kept| clock.recover(Wire::from_bytes(&kept.to_bytes()).unwrap()));
        }
    }
}

#[test]
fn one_wall_clock_decides_nothing_in_a_running_group() {
    for wrong in [-HOUR_MS.cast_signed() * 24 * 365 * 20, -3_600_000, -1_500, 1_500, 3_600_000, i64::MAX / 4]
    {
        for member in 0..3 {
            let mut group = Group::led(3);
            group.ahead_ms[member] = wrong;
            group.pass(60_000);
            assert!(group.error_ms().abs() < 10, "{wrong} on {member}: {} ms", group.error_ms());
            assert!(group.elect((member + 1) % 3, 0) && group.error_ms().abs() < 20);
            group.ahead_ms[member] = 0;
            group.pass(60_000);
            assert!(group.error_ms().abs() < 20);
        }
    }
}

#[test]
fn a_time_set_by_hand_on_all_members_is_approached_by_less_than_one_percent() {
    for hours in [-1i64, 1] {
        let mut group = Group::led(3);
        group.ahead_ms = vec![hours * 3_600_000; 3];
        let before_ms = group.error_ms();
        group.pass(100_000);
        let drawn_ms = (group.error_ms() - before_ms) * hours;
        assert!((790..=810).contains(&drawn_ms), "{drawn_ms} ms in 100 s");
    }
}

#[test]
fn a_new_leader_is_never_behind_the_last_and_hardly_ahead() {
    for seed in 0..2_000 {
        let mut rng = Rng::new(seed);
        let mut group = Group::led(3);
        group.ahead_ms[rng.below(3) as usize] = rng.below(HOUR_MS).cast_signed() - 1_800_000;
        let mut latest_ms = 0;
        for _ in 0..20 {
            group.now_us += rng.below(1_000_000);
            group.beat(rng.between(100, 400_000));
            let old_ms = group.clocks[group.leader].now_ms().unwrap();
            assert!(old_ms >= latest_ms, "seed {seed}: the time went back");
            if rng.chance(300) {
                // The last leader goes on a little before it is deposed.
                group.now_us += rng.below(500_000);
                (0..3).for_each(|member| group.read(member));
                let old_ms = group.clocks[group.leader].now_ms().unwrap();
                assert!(group.elect(rng.below(3) as usize, 0));
                let new_ms = group.clocks[group.leader].now_ms().unwrap();
                assert!((old_ms..old_ms + 450).contains(&new_ms), "seed {seed}: {old_ms} then {new_ms}");
                latest_ms = new_ms;
            }
        }
    }
}

#[test]
fn a_wall_clock_that_is_off_is_known_to_all() {
    let mut group = Group::led(3);
    group.ahead_ms[2] = 3_600_000;
    group.beat(1_000);
    let offsets = group.clocks[0].offsets_ms(NodeId::server(1), 3);
    let is_off = |(_, offset_ms): &(NodeId, i64)| offset_ms.abs() > 1_000;
    assert_eq!(offsets.len(), 3);
    let off: Vec<NodeId> = offsets.iter().filter(|offset| is_off(offset)).map(|(node, _)| *node).collect();
    assert_eq!(off, [NodeId::server(3)], "{offsets:?}");
}

#[test]
fn an_answer_that_took_long_tells_no_time() {
    let mut group = Group::led(3);
    group.clocks[1] = LogClock::default();
    // It stood still between its question and the answer: the answer may be as much ahead as it took.
    group.beat(15_000_000);
    assert_eq!(group.clocks[1].now_ms(), None);
    group.beat(1_000);
    assert!(group.clocks[1].now_ms().is_some());
}

#[test]
fn when_all_restarted_a_minority_of_clocks_decides_nothing() {
    for (members, wrong) in [(3, vec![0]), (3, vec![2]), (5, vec![0, 1]), (5, vec![1, 4])] {
        for ahead_ms in [-3_600_000, 3_600_000] {
            let mut group = Group::led(members);
            group.restart_all();
            wrong.iter().for_each(|member| group.ahead_ms[*member] = ahead_ms);
            group.beat(1_000);
            assert!(group.finds_time(0));
            assert!(group.error_ms().abs() < 10, "{members}, {wrong:?}, {ahead_ms}: {} ms", group.error_ms());
        }
    }
}

#[test]
fn two_clocks_that_disagree_wait_for_the_third() {
    for ahead_ms in [-3_600_000, 3_600_000i64] {
        let mut group = Group::led(3);
        group.restart_all();
        (group.ahead_ms[1], group.up[2]) = (ahead_ms, false);
        group.beat(1_000);
        assert!(!group.elect(0, 0), "two clocks do not tell which of them is right");
        group.up[2] = true;
        group.beat(1_000);
        assert!(!group.clocks[0].find_time(3, 0) && group.is_heard(0));
        assert!(group.error_ms().abs() < 20, "{} ms", group.error_ms());
    }
}

#[test]
fn two_clocks_that_disagree_for_long_begin_not_ahead_and_never_leap() {
    for ahead_ms in [-3_600_000, 3_600_000i64] {
        let mut group = Group::led(3);
        let last_ms = group.true_ms();
        group.restart_all();
        (group.ahead_ms[1], group.up[2]) = (ahead_ms, false);
        group.beat(1_000);
        assert!(!group.elect(0, last_ms));
        group.pass(AGREEMENT_WAIT_MS);
        assert!(!group.clocks[0].find_time(3, last_ms) && group.is_heard(last_ms));
        let error_ms = group.error_ms();
        assert!((-6_000..1_100).contains(&error_ms), "behind by what passed, never ahead: {error_ms} ms");
        // Locks are granted by this time: it must not leap when the third member is back.
        group.up[2] = true;
        group.pass(10_000);
        let drawn_ms = group.error_ms() - error_ms;
        assert!((-1..=85).contains(&drawn_ms), "{drawn_ms} ms in 10 s");
    }
}

/// What no wall clock could tell: two differ, the third member stays away, and yet the time that passed while all were down
/// counts, since the machines ran on.
#[test]
fn when_all_processes_restart_the_time_that_passed_counts_whatever_wall_clocks_say() {
    for ahead_ms in [-3_600_000, 3_600_000i64] {
        let mut group = Group::led(3);
        let last_ms = group.true_ms();
        group.restart_processes();
        group.now_us += HOUR_MS * 1_000;
        (group.ahead_ms[1], group.up[2]) = (ahead_ms, false);
        group.beat(1_000);
        assert!(group.elect(0, last_ms));
        assert!(group.error_ms().abs() < 20, "{} ms", group.error_ms());
        group.up[2] = true;
        group.pass(10_000);
        assert!(group.error_ms().abs() < 20, "{} ms", group.error_ms());
    }
}

/// It kept the time an hour ago; the others went on, by a time that was drawn forward meanwhile.
#[test]
fn a_leader_that_kept_an_old_time_takes_the_freshest_that_a_quorum_knows() {
    let mut group = Group::led(3);
    let kept = group.clocks[0].to_keep().unwrap();
    group.up[0] = false;
    assert!(group.elect(1, 0));
    group.ahead_ms = vec![HOUR_MS.cast_signed(); 3];
    group.pass(HOUR_MS);
    let now_ms = group.clocks[1].now_ms().unwrap();
    group.clocks[0] = LogClock::default();
    group.clocks[0].recover(kept);
    group.up = vec![true, false, false];
    group.leader = usize::MAX;
    group.beat(1_000);
    assert!(!group.elect(0, now_ms), "alone it does not know what others did");
    group.up = vec![true; 3];
    group.leader = usize::MAX;
    group.beat(1_000);
    group.leader = 0;
    assert!(group.clocks[0].find_time(3, now_ms));
    let new_ms = group.clocks[0].now_ms().unwrap();
    assert!((now_ms..now_ms + 50).contains(&new_ms), "{now_ms} then {new_ms}");
}

#[test]
fn a_follower_keeps_what_it_knows_better_than_a_leader_that_started_again() {
    let mut group = Group::led(3);
    let kept = group.clocks[0].to_keep().unwrap();
    group.ahead_ms = vec![HOUR_MS.cast_signed(); 3];
    group.pass(HOUR_MS);
    let now_ms = group.clocks[1].now_ms().unwrap();
    group.clocks[0] = LogClock::default();
    group.clocks[0].recover(kept);
    // It leads, and its followers hear it before it hears them.
    group.read(0);
    let report = group.clocks[0].report().unwrap();
    group.clocks[1].on_asked(7);
    group.clocks[1].on_report(NodeId::server(1), 7, report, true);
    assert_eq!(group.clocks[1].now_ms(), Some(now_ms));
    group.beat(1_000);
    assert!(group.elect(0, 0));
    assert!((now_ms..now_ms + 50).contains(&group.clocks[0].now_ms().unwrap()));
}

/// Its machine runs for less than what it was told is old.
#[test]
fn what_is_older_than_the_machine_runs_is_not_taken_for_fresh() {
    let mut group = Group::led(3);
    let kept = group.clocks[1].to_keep().unwrap();
    let mut old = LogClock::default();
    old.recover(kept);
    group.now_us += HOUR_MS * 1_000;
    group.clocks[1] = old;
    group.read(1);
    let report = group.clocks[1].report().unwrap();
    // A machine that was started a second ago hears it.
    let mut new = LogClock::default();
    let reading = |monotonic_us| ClockReading { boot: 9, monotonic_us, wall_ms: 0 };
    new.on_reading(reading(1_000_000), 5, false);
    new.on_asked(1);
    new.on_reading(reading(1_001_000), 5, false);
    new.on_report(NodeId::server(2), 1, report, false);
    new.begin_to_lead(5, 0);
    assert_eq!(new.now_ms(), None, "two of five know nothing of what the others did");
    assert_eq!(new.report().unwrap().log, None);
}

#[test]
fn the_time_is_kept_at_once_and_then_once_a_second_at_most() {
    let mut group = Group::led(1);
    assert!(group.clocks[0].keep_first().is_some() && group.clocks[0].keep_first().is_none());
    let mut kept = 0;
    for _ in 0..100 {
        group.pass(100);
        kept += usize::from(group.clocks[0].keep_again().is_some());
    }
    assert_eq!(kept, 10);
}

/// One clock is wrong after the other, by the same, while nobody knows the time: readings of two moments agree on nothing.
#[test]
fn two_clocks_that_are_wrong_one_after_the_other_do_not_agree() {
    const OFF_MS: i64 = 7_200_000;
    // The leader's own clock is the second one that is wrong; or a peer's is, and the first one is not heard again.
    for second in [0, 2] {
        let mut group = Group::led(3);
        group.restart_all();
        let last_ms = group.true_ms();
        group.ahead_ms[1] = OFF_MS;
        group.beat(1_000);
        group.ahead_ms = vec![0; 3];
        group.ahead_ms[second] = OFF_MS;
        group.now_us += 50_000;
        if second == 0 {
            group.read(0);
        } else {
            group.up[1] = false;
            group.beat(1_000);
        }
        assert!(!group.elect(0, last_ms), "the time is not known by clock {second}: {} ms", group.error_ms());
        group.up[1] = true;
        group.beat(1_000);
        assert!(!group.clocks[0].find_time(3, last_ms) && group.is_heard(last_ms));
        assert!(group.error_ms().abs() < 200, "{} ms with clock {second} wrong", group.error_ms());
    }
}

/// All machines were started anew. A time was found, and all processes start again before anybody else hears it; the one that
/// knew it stays away. Nothing was stamped with it: so it does not matter that it is lost.
#[test]
fn nothing_is_stamped_with_a_time_that_hardly_anybody_knows() {
    let mut group = Group::led(3);
    group.restart_all();
    group.beat(1_000);
    assert!(!group.elect(0, 0), "one of three knows it");
    assert!(group.clocks[0].to_keep().is_some());
    group.beat(1_000);
    assert!(!group.clocks[0].find_time(3, 0), "nor does it know who heard it");
    group.beat(1_000);
    assert!(group.clocks[0].find_time(3, 0));
    // From here on whoever is away, somebody knows it.
    for away in 0..3 {
        let mut later = Group { clocks: group.clocks.clone(), ..Group::new(3) };
        (later.boot, later.now_us) = (group.boot, group.now_us);
        later.restart_processes();
        later.up[away] = false;
        let leader = (away + 1) % 3;
        later.ahead_ms[leader] = HOUR_MS.cast_signed();
        later.leader = usize::MAX;
        later.beat(1_000);
        assert!(later.elect(leader, 0) && later.error_ms().abs() < 20, "{away} away");
    }
}

#[test]
fn two_clocks_that_agree_settle_the_time_while_the_third_is_away() {
    let mut group = Group::led(3);
    group.restart_all();
    (group.ahead_ms[1], group.up[2]) = (AGREEMENT_MS as i64 - 10, false);
    group.beat(1_000);
    assert!(group.finds_time(0) && group.error_ms().abs() < 10);
}

#[test]
fn a_leader_that_restarted_takes_the_time_of_a_member_that_has_it() {
    let mut group = Group::led(3);
    // Somebody sets all clocks: the log's time is another one than theirs.
    group.ahead_ms = vec![HOUR_MS.cast_signed(); 3];
    group.pass(1_000);
    (group.clocks[1], group.up[0]) = (LogClock::default(), false);
    group.leader = usize::MAX;
    group.beat(1_000);
    assert!(group.elect(1, 0) && group.error_ms().abs() < 50, "{} ms", group.error_ms());
}

#[test]
fn a_leader_without_a_quorum_of_clocks_waits() {
    let mut group = Group::new(3);
    group.up = vec![true, false, false];
    group.beat(1_000);
    assert!(!group.elect(0, 0) && group.clocks[0].now_ms().is_none());
    group.up[1] = true;
    group.beat(1_000);
    assert!(!group.clocks[0].find_time(3, 0) && group.is_heard(0));
    let alone = Group::led(1);
    assert_eq!(alone.error_ms(), 0, "a group of one has its own clock");
}

#[test]
fn after_a_restart_the_time_is_not_behind_what_was_told() {
    let mut group = Group::led(3);
    let last_ms = group.true_ms() + HOUR_MS;
    group.restart_all();
    group.beat(1_000);
    assert!(group.finds_time(last_ms));
    let told_ms = last_ms + UNLOGGED_MS_MAX;
    assert!((told_ms..told_ms + 10).contains(&group.clocks[0].now_ms().unwrap()));
}

#[test]
fn a_deposed_leader_that_hears_nobody_is_not_asked_before_those_who_went_on() {
    let mut group = Group::led(3);
    // It is cut off for an hour; the others go on, drawn forward.
    let mut old = group.clocks[0].clone();
    group.up[0] = false;
    assert!(group.elect(1, 0));
    group.ahead_ms = vec![HOUR_MS.cast_signed(); 3];
    group.pass(600_000);
    let now_ms = group.clocks[1].now_ms().unwrap();
    let reading = ClockReading { boot: 1, monotonic_us: group.now_us, wall_ms: group.true_ms() };
    old.on_reading(reading, 3, true);
    (group.clocks[0], group.up[0]) = (old, true);
    group.leader = usize::MAX;
    group.beat(1_000);
    assert!(group.elect(0, 0));
    let new_ms = group.clocks[0].now_ms().unwrap();
    assert!((now_ms..now_ms + 50).contains(&new_ms), "{now_ms} then {new_ms}");
}

#[test]
fn readings_that_are_no_times_overflow_nothing() {
    let mut group = Group::led(3);
    for wall_ms in [0, 1, u64::MAX] {
        let reading = ClockReading { boot: 1, monotonic_us: group.now_us, wall_ms };
        group.clocks[0].on_reading(reading, 3, true);
        let mut report = group.clocks[0].report().unwrap();
        report.wall_ms = wall_ms;
        report.log = report.log.map(|_| crate::LogTime { at_us: u64::MAX, age_us: u64::MAX });
        group.clocks[1].on_report(NodeId::server(1), group.tick, report, true);
        assert!(group.clocks[1].now_ms().is_some());
        let _ = (group.clocks[1].offsets_ms(NodeId::server(2), 3), group.clocks[1].report());
        group.read(1);
    }
}
