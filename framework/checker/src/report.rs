//! What a search comes to: its verdict in words, what it found, and what it cost.

use crate::state::State;
use std::collections::BTreeMap;
use std::fmt;

/// How a search ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// An invariant is false, an answer is wrong, or a handler panicked.
    Violated,
    /// A goal was found.
    GoalReached,
    /// Every state was seen, and everything that was asked of them holds.
    Exhausted,
    /// The search ended before its space did: nothing is known of the rest.
    BudgetSpent(Spent),
}

impl Verdict {
    /// What findings come to, in a search that ended because something was spent, or not.
    pub(crate) fn of(findings: &[Finding], spent: Option<Spent>) -> Self {
        if findings.iter().any(Finding::is_violation) {
            Verdict::Violated
        } else if !findings.is_empty() {
            Verdict::GoalReached
        } else {
            spent.map_or(Verdict::Exhausted, Verdict::BudgetSpent)
        }
    }
}

/// What ran out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spent {
    /// As many states as it may see.
    States,
    /// States lie deeper than it may go.
    Depth,
    /// Whoever watches said that it uses too much memory.
    Memory,
    /// Whoever watches said that it takes too long.
    Time,
    /// Somebody interrupted it.
    Interrupted,
    /// It has more states, local states, messages, timers or local steps than it can number: about 2^32 states, 2^31 local
    /// states or steps, 2^28 messages or timers.
    Numbers,
    /// All its walks are over: walks never show that there is nothing else.
    Walks,
}

/// What is violated or reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// An invariant, by its name.
    Invariant(String),
    /// A goal, by its name.
    Goal(String),
    /// Something that must be in the end, by the goal's name.
    Eventually(String),
    /// A step itself: a panic, a wrong answer, or what the observer objects to.
    Step,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Invariant(name) | Subject::Goal(name) | Subject::Eventually(name) => f.write_str(name),
            Subject::Step => f.write_str("a step"),
        }
    }
}

/// A state or step that a search was asked to look for.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What it is about.
    pub subject: Subject,
    /// The words of the objection; empty for a goal.
    pub words: String,
    /// Where: with the path that leads there. For a violated step, the state that it leads to.
    pub state: State,
}

impl Finding {
    /// Whether it is a violation, and no goal.
    pub fn is_violation(&self) -> bool {
        !matches!(self.subject, Subject::Goal(_))
    }
}

/// What a search did.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stats {
    /// Different states, the first one included.
    pub unique: u64,
    /// Transitions that were taken, and the first state: what others call generated states.
    pub generated: u64,
    /// How many steps the deepest state is from the first.
    pub depth: u32,
    /// Unique states by depth.
    pub by_depth: Vec<u64>,
    /// Stimuli that change nothing and send nothing.
    pub no_ops: u64,
    /// Transitions that were spared because another order leads to the same state.
    pub commuted: u64,
    /// Local steps that were looked up.
    pub steps: u64,
    /// Of these, steps that were not known.
    pub fresh: u64,
    /// Handlers that ran: more than the steps that were new where checks take them twice.
    pub handled: u64,
    /// Different local states.
    pub local_states: u64,
    /// Different messages.
    pub messages: u64,
    /// Bytes of the table of states and of the way back to the first.
    pub table_bytes: u64,
    /// Bytes of the largest two levels' states.
    pub frontier_bytes: u64,
    /// Local steps by the kind of message or timer: 0 for one that was sent or set and never came.
    pub kinds: BTreeMap<String, u64>,
    /// Kinds of messages whose second delivery changed their receiver again, where checks are on.
    pub not_idempotent: Vec<String>,
}

impl Stats {
    /// Bytes a unique state takes, in the table and on the way back.
    pub fn bytes_per_state(&self) -> f64 {
        self.table_bytes as f64 / self.unique.max(1) as f64
    }

    /// The odds that two different states had one fingerprint, at most: n² / 2^65.
    pub fn collision_odds(&self) -> f64 {
        let n = self.unique as f64;
        n * n / 2f64.powi(65)
    }

    /// Of the local steps, the share that was known already.
    pub fn memo_share(&self) -> f64 {
        1.0 - self.fresh as f64 / self.steps.max(1) as f64
    }

    /// Of the transitions, the share that led to known states.
    pub fn duplicate_share(&self) -> f64 {
        1.0 - self.unique as f64 / self.generated.max(1) as f64
    }

    /// Kinds of messages and timers that were sent or set, and never delivered or fired.
    pub fn never_delivered(&self) -> Vec<&str> {
        self.kinds.iter().filter(|(_, steps)| **steps == 0).map(|(kind, _)| kind.as_str()).collect()
    }
}

/// Everything that a search has to say.
pub struct Report {
    /// How it ended.
    pub verdict: Verdict,
    /// What it found: at most one of each property, the first that was found, which breadth-first is a nearest one.
    pub findings: Vec<Finding>,
    /// What it did.
    pub stats: Stats,
}

impl Report {
    /// The violation, if there is one.
    pub fn violation(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.is_violation())
    }

    /// The state in which a goal was reached, if one was.
    pub fn goal(&self) -> Option<&State> {
        self.findings.iter().find(|finding| !finding.is_violation()).map(|finding| &finding.state)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.verdict {
            Verdict::Violated => write!(f, "violated"),
            Verdict::GoalReached => write!(f, "goal reached"),
            Verdict::Exhausted => write!(f, "exhausted: holds"),
            Verdict::BudgetSpent(spent) => {
                write!(f, "budget spent: no violation in {} states ({spent})", self.stats.unique)
            }
        }
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Spent::States => "number of states",
            Spent::Depth => "depth",
            Spent::Memory => "memory",
            Spent::Time => "time",
            Spent::Interrupted => "interrupted",
            Spent::Numbers => "more than a search can number",
            Spent::Walks => "walks",
        })
    }
}
