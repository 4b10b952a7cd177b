//! Which faults, in which order, at which times: all drawn from the seed before the run begins.

use std::time::Duration;
use synod_stdx::Rng;

/// A kind of fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    KillLeader,
    KillFollower,
    KillMajority,
    KillAll,
    PauseLeader,
    PauseFollower,
    PauseMajority,
    IsolateLeader,
    SplitHalves,
    OneWay,
    Partial,
    Flapping,
    Lossy,
    KillWhilePartitioned,
    RollingRestart,
    SlowDisk,
    FullDisk,
    LostDisk,
    LostDiskBehind,
    PowerLoss,
    ClockJump,
    SlotMove,
    MemberReplace,
    HugeWrites,
    LongPatterns,
    ManyTransactions,
    UnfinishedValues,
}

/// What there is to say of a kind.
struct Row {
    kind: Kind,
    /// What the user calls it.
    name: &'static str,
    /// What `--faults` calls several of them at once.
    family: &'static str,
    /// How long it lasts, in ms.
    lasts_ms: (u64, u64),
}

const fn row(kind: Kind, name: &'static str, family: &'static str, lasts_ms: (u64, u64)) -> Row {
    Row { kind, name, family, lasts_ms }
}

/// Every kind. The order is that of the tables.
const ROWS: &[Row] = &[
    row(Kind::KillLeader, "kill-leader", "kill", (1_000, 2_500)),
    row(Kind::KillFollower, "kill-follower", "kill", (500, 2_000)),
    row(Kind::KillMajority, "kill-majority", "kill", (300, 1_500)),
    row(Kind::KillAll, "kill-all", "kill", (100, 1_000)),
    row(Kind::PauseLeader, "pause-leader", "pause", (1_000, 3_000)),
    row(Kind::PauseFollower, "pause-follower", "pause", (500, 2_000)),
    row(Kind::PauseMajority, "pause-majority", "pause", (300, 1_500)),
    row(Kind::IsolateLeader, "partition-leader", "partition", (1_000, 3_000)),
    row(Kind::SplitHalves, "partition-halves", "partition", (1_000, 3_000)),
    row(Kind::OneWay, "partition-one-way", "partition", (1_000, 3_000)),
    row(Kind::Partial, "partition-partial", "partition", (1_000, 3_000)),
    row(Kind::Flapping, "partition-flapping", "partition", (1_500, 3_000)),
    row(Kind::Lossy, "lossy-links", "partition", (1_500, 3_500)),
    row(Kind::KillWhilePartitioned, "kill-in-partition", "partition", (1_000, 2_500)),
    row(Kind::RollingRestart, "rolling-restart", "restart", (100, 300)),
    row(Kind::SlowDisk, "slow-disk", "disk", (1_500, 3_000)),
    row(Kind::FullDisk, "full-disk", "disk", (1_000, 2_000)),
    row(Kind::LostDisk, "lost-disk", "disk", (500, 1_500)),
    row(Kind::LostDiskBehind, "lost-disk-behind", "disk", (500, 1_500)),
    row(Kind::PowerLoss, "power-loss", "disk", (100, 1_000)),
    row(Kind::ClockJump, "clock-jump", "clock", (1_500, 3_000)),
    row(Kind::SlotMove, "slot-move", "change", (100, 300)),
    row(Kind::MemberReplace, "member-replace", "change", (100, 300)),
    row(Kind::HugeWrites, "huge-writes", "client", (1_000, 2_000)),
    row(Kind::LongPatterns, "long-patterns", "client", (1_000, 2_000)),
    row(Kind::ManyTransactions, "many-transactions", "client", (1_000, 2_000)),
    row(Kind::UnfinishedValues, "unfinished-values", "client", (1_000, 2_000)),
];

/// How long the cluster is left alone before each fault, in ms.
const QUIET_MS: (u64, u64) = (600, 1_500);
/// How long it may take until everything is well again after a fault, as the plan reckons.
const RECOVERY_MS: u64 = 1_500;

impl Kind {
    fn row(self) -> &'static Row {
        ROWS.iter().find(|row| row.kind == self).expect("every kind has a row")
    }

    /// What the user calls it.
    pub(super) fn name(self) -> &'static str {
        self.row().name
    }

    /// The family of the kind with this name.
    pub(super) fn family_of(name: &str) -> &'static str {
        ROWS.iter().find(|row| row.name == name).map_or("client", |row| row.family)
    }

    /// Every kind.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Kind> {
        ROWS.iter().map(|row| row.kind).collect()
    }

    /// The kinds that a list of names and of families of names means.
    ///
    /// # Errors
    /// In words, if a name is unknown.
    pub(super) fn parse(names: &[String]) -> Result<Vec<Kind>, String> {
        let mut kinds: Vec<Kind> = Vec::new();
        for name in names {
            let named = ROWS.iter().filter(|row| name == "all" || row.name == name || row.family == name);
            let before = kinds.len();
            kinds.extend(named.map(|row| row.kind));
            if kinds.len() == before {
                let all: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
                let families = "all, kill, pause, partition, restart, disk, clock, change, client";
                return Err(format!(
                    "--faults: no fault is called {name}; there are {families}; and {}",
                    all.join(", ")
                ));
            }
        }
        kinds.sort_unstable();
        kinds.dedup();
        Ok(kinds)
    }
}

/// One fault of the plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    /// Its number, from 1.
    pub(super) number: usize,
    pub(super) kind: Kind,
    /// When it begins, if all goes as planned.
    pub(super) at: Duration,
    /// How long it lasts.
    pub(super) lasts: Duration,
    /// What else is drawn for it: which node, which slots.
    pub(super) draws: Rng,
}

/// The faults of a run of `length`. Each kind comes once before any comes again.
pub(super) fn plan(seed: u64, length: Duration, kinds: &[Kind]) -> Vec<Step> {
    let rng = Rng::new(seed);
    let (mut order, mut times) = (rng.split("order of faults"), rng.split("times of faults"));
    let mut steps: Vec<Step> = Vec::new();
    let (mut at, mut round) = (0, Vec::new());
    loop {
        if round.is_empty() {
            round = kinds.to_vec();
            order.shuffle(&mut round);
        }
        let Some(kind) = round.pop() else { return steps };
        at += times.between(QUIET_MS.0, QUIET_MS.1);
        let (shortest, longest) = kind.row().lasts_ms;
        let lasts = times.between(shortest, longest);
        if at + lasts + RECOVERY_MS > length.as_millis() as u64 {
            return steps;
        }
        let number = steps.len() + 1;
        let draws = rng.split(&format!("fault {number}"));
        let (begin, lasts_for) = (Duration::from_millis(at), Duration::from_millis(lasts));
        steps.push(Step { number, kind, at: begin, lasts: lasts_for, draws });
        at += lasts + RECOVERY_MS;
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, plan};
    use std::time::Duration;

    #[test]
    fn a_seed_gives_one_plan_in_which_each_kind_comes_before_any_comes_again() {
        let (kinds, length) = (Kind::all(), Duration::from_secs(300));
        let steps = plan(7, length, &kinds);
        assert_eq!(steps, plan(7, length, &kinds));
        assert_ne!(steps, plan(8, length, &kinds));
        assert!(steps.len() > kinds.len());
        let mut first: Vec<Kind> = steps[..kinds.len()].iter().map(|step| step.kind).collect();
        first.sort_unstable();
        assert_eq!(first, kinds);
        assert!(steps.windows(2).all(|pair| pair[0].at + pair[0].lasts < pair[1].at));
        assert!(steps.iter().all(|step| step.at + step.lasts < length));
    }

    #[test]
    fn faults_are_named_singly_and_by_families() {
        let names =
            |names: &[&str]| Kind::parse(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&["kill-all", "clock"]), Ok(vec![Kind::KillAll, Kind::ClockJump]));
        assert_eq!(names(&["all"]), Ok(Kind::all()));
        assert!(names(&["kil"]).unwrap_err().contains("no fault is called kil; there are all, kill, pause"));
    }
}
