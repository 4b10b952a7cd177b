//! Whether something good happens in the end: liveness.
//!
//! The states on the way to the goal, and the steps between them, are built as a graph (see `graph.rs`), and one of two
//! questions is asked of it:
//!
//! * [`Fairness::Possible`]: can a goal still be reached from every state? (In the words of logic, AG EF goal.)
//! * [`Fairness::Weak`]: does every fair run reach a goal? A run is fair if what is owed comes: whatever could happen
//!   without a pause, from some moment on, happens again and again. Owed are the delivery of each message, each timer,
//!   a write's becoming durable, a node's restart and its going on after a pause. Never owed are faults: they are the
//!   environment's. A late write counts as the delivery that it comes with.
//!
//! A run that never reaches a goal ends where nothing is owed, or stays in a strongly connected component of states that
//! are none. Such a component has a fair run exactly if each thing owed is taken on some step within it, or cannot be
//! taken in some state of it: a run through all its steps again and again is fair then, and if not, no run within it is.
//! So for weak fairness looking at whole components is enough.
//!
//! A state where a prune holds is not left, and counts neither as goal nor as violation; so it is with states that a
//! budget leaves open. What is found in spite of these is a violation all the same; that there is none is known only if
//! the budget was not spent. No reduction is used: a stimulus that changes nothing is one that was delivered, the order
//! of two steps matters to what is owed, and a run that repeats up to names alone is none that repeats.

use crate::Checkable;
use crate::checker::Checker;
use crate::components::components;
use crate::crew::Crew;
use crate::graph::{Graph, Kind, build};
use crate::property::Property;
use crate::report::{Finding, Report, Subject, Verdict};
use crate::settings::{Reductions, Settings};
use crate::state::State;
use crate::stim::{Act, Choice, Stim};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What is asked of runs. See the module's page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fairness {
    /// From every state a goal can still be reached.
    Possible,
    /// Every run in which whatever is owed comes reaches a goal.
    Weak,
}

/// A run that never reaches the goal: to a state, and from there round and round.
struct Lasso {
    entry: u32,
    /// Empty where nothing more is owed.
    round: Vec<Stim>,
}

impl<N: Checkable> Checker<N> {
    /// Whether `goal` is reached in the end from `from`, in the sense of `fairness`. The settings' budgets, prunes and
    /// invariants count; their goals and reductions do not.
    pub fn eventually(
        &self,
        from: &State,
        settings: &Settings<N>,
        (goal, fairness): (&Property<N>, Fairness),
        crew: &dyn Crew,
    ) -> Report {
        let settings = Settings {
            goals: vec![goal.clone()],
            reductions: Reductions::none(),
            is_exact: true,
            ..settings.clone()
        };
        let mut graph = build(&self.shared, &settings, from, crew);
        let mut findings = std::mem::take(&mut graph.findings);
        let name = goal.name().to_owned();
        let subject = Subject::Eventually(name.clone());
        match fairness {
            Fairness::Possible => {
                if let Some(number) = lost(&graph) {
                    let state = from.extended(graph.vector(number).to_vec(), &graph.path(number));
                    let words = format!("from here on it can never be that {name}");
                    findings.push(Finding { subject, words, state });
                }
            }
            Fairness::Weak => {
                if let Some(lasso) = fair_lasso(&graph) {
                    let mut path = graph.path(lasso.entry);
                    let begins = from.steps() + path.len();
                    path.extend(&lasso.round);
                    let state = from.extended(graph.vector(lasso.entry).to_vec(), &path);
                    let words = match lasso.round.len() {
                        0 => format!("nothing more has to happen here, and it was never that {name}"),
                        1 => format!("from step {} on this repeats, and it is never that {name}", begins + 1),
                        round => format!(
                            "from step {} on this repeats, {round} steps a time, and it is never that {name}",
                            begins + 1
                        ),
                    };
                    findings.push(Finding { subject, words, state });
                }
            }
        }
        let verdict = Verdict::of(&findings, graph.spent);
        Report { verdict, findings, stats: graph.stats }
    }
}

/// The nearest state from which no goal can be reached, nor one of which nothing is known.
fn lost(graph: &Graph) -> Option<u32> {
    let mut before: Vec<Vec<u32>> = vec![Vec::new(); graph.len()];
    for from in 0..graph.len() as u32 {
        for (to, _) in graph.edges(from) {
            before[*to as usize].push(from);
        }
    }
    let mut can: Vec<bool> = graph.kinds.iter().map(|kind| *kind != Kind::Left).collect();
    let mut open: Vec<u32> = (0..graph.len() as u32).filter(|number| can[*number as usize]).collect();
    while let Some(number) = open.pop() {
        for from in &before[number as usize] {
            if !std::mem::replace(&mut can[*from as usize], true) {
                open.push(*from);
            }
        }
    }
    can.iter().position(|can| !can).map(|number| number as u32)
}

/// What is owed where a step can be taken: the step without its writes' being late. `None` for faults.
fn owed(stim: Stim) -> Option<Stim> {
    match stim.choice() {
        Choice::Deliver { envelope, .. } => Some(Stim::deliver(envelope)),
        Choice::Fire { timer, .. } => Some(Stim::new(Choice::Fire { timer, is_late: false })),
        Choice::Act { act: Act::Durable | Act::Restart | Act::Resume, .. } => Some(stim),
        Choice::Act { act: Act::Start | Act::Crash | Act::GiveUp | Act::Pause, .. }
        | Choice::Drop { .. }
        | Choice::Undrop { .. }
        | Choice::Cut { .. } => None,
    }
}

fn all_owed(graph: &Graph, number: u32) -> BTreeSet<Stim> {
    graph.edges(number).iter().filter_map(|(_, stim)| owed(*stim)).collect()
}

/// The nearest run that is fair and never reaches a goal.
fn fair_lasso(graph: &Graph) -> Option<Lasso> {
    let is_left = |number: u32| graph.kinds[number as usize] == Kind::Left;
    let all = components(graph.len(), |number, at| graph.edges(number).get(at).map(|(to, _)| *to));
    let mut member = vec![u32::MAX; graph.len()];
    for (number, component) in all.iter().enumerate() {
        component.iter().for_each(|state| member[*state as usize] = number as u32);
    }
    let is_fair = |component: &&Vec<u32>| {
        component.iter().all(|state| is_left(*state)) && {
            let number = member[component[0] as usize];
            let mut unpaid = all_owed(graph, component[0]);
            for state in *component {
                if unpaid.is_empty() {
                    break;
                }
                let owed_here = all_owed(graph, *state);
                unpaid.retain(|stim| owed_here.contains(stim));
                for (_, stim) in inside(graph, &member, number, *state) {
                    owed(*stim).map(|stim| unpaid.remove(&stim));
                }
            }
            unpaid.is_empty()
        }
    };
    let entries = all.iter().filter(is_fair).filter_map(|component| component.iter().min());
    let entry = *entries.min()?;
    Some(Lasso { entry, round: round(graph, &member, entry) })
}

/// The steps from a state that stay within its component.
fn inside<'a>(
    graph: &'a Graph,
    member: &'a [u32],
    component: u32,
    number: u32,
) -> impl Iterator<Item = &'a (u32, Stim)> {
    graph.edges(number).iter().filter(move |(to, _)| member[*to as usize] == component)
}

/// A way from `entry` through its component and back, on which everything that is owed at `entry` is taken, or cannot
/// be for a moment.
fn round(graph: &Graph, member: &[u32], entry: u32) -> Vec<Stim> {
    let component = member[entry as usize];
    let mut unpaid = all_owed(graph, entry);
    let (mut here, mut path) = (entry, Vec::new());
    while !unpaid.is_empty() {
        let pays = |state: u32, stim: Stim| {
            owed(stim).is_some_and(|stim| unpaid.contains(&stim))
                || !unpaid.is_subset(&all_owed(graph, state))
        };
        let way = shortest(graph, member, here, pays).expect("the component pays for everything");
        for (to, stim) in way {
            owed(stim).map(|stim| unpaid.remove(&stim));
            let owed_there = all_owed(graph, to);
            unpaid.retain(|stim| owed_there.contains(stim));
            path.push(stim);
            here = to;
        }
    }
    if here != entry {
        let way = shortest(graph, member, here, |state, _| state == entry);
        path.extend(way.expect("a component leads back").into_iter().map(|(_, stim)| stim));
    }
    debug_assert!(path.is_empty() || member[here as usize] == component, "it stays within");
    path
}

/// A shortest way of at least one step within a component, to the first step (named by where it leads and what it is)
/// that is `wanted`.
fn shortest(
    graph: &Graph,
    member: &[u32],
    from: u32,
    wanted: impl Fn(u32, Stim) -> bool,
) -> Option<Vec<(u32, Stim)>> {
    let component = member[from as usize];
    let mut parents: BTreeMap<u32, (u32, Stim)> = BTreeMap::new();
    let mut open = VecDeque::from([from]);
    while let Some(state) = open.pop_front() {
        for (to, stim) in inside(graph, member, component, state) {
            if wanted(*to, *stim) {
                let mut way = vec![(*to, *stim)];
                let mut at = state;
                while at != from {
                    let (parent, stim) = parents[&at];
                    way.push((at, stim));
                    at = parent;
                }
                way.reverse();
                return Some(way);
            }
            if *to != from && !parents.contains_key(to) {
                parents.insert(*to, (state, *stim));
                open.push_back(*to);
            }
        }
    }
    None
}
