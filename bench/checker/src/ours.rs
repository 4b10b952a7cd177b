//! Our side: the small protocols of the checker's own tests, whose states are those of the peer's examples, and the
//! module that the store runs, which has no peer.
//!
//! What clients see is watched by an observer beside the state. A monitor ([`Watched`]) keeps only what can still matter;
//! a recorder ([`Recording`]) keeps what the peer keeps, and so gives its counts to the last one.

mod module;
mod watchers;

// One copy of the models: that of the tests.
#[path = "../../../framework/checker/tests/checker/models/mod.rs"]
mod systems;

use crate::models::{Counts, Model};
use synod_checker::{
    Blind, Checkable, Checker, Network, Observer, Property, Reads, Reductions, Report, Settings, Spent,
    System, User, Verdict,
};
use synod_node::{Node, NodeId};
use systems::crew::Threads;
use systems::paxos::Paxos;
use systems::register::{self, Request, Response, SingleCopy};
use systems::two_phase::{TwoPhase, nobody_commits_what_another_aborts};
use watchers::{Recording, Watched};

/// Searches breadth first, as ours does by default: counterexamples would be the shortest, and their steps are kept.
pub fn breadth_first(model: Model, threads: usize) -> Counts {
    search(model, Way { threads, is_depth_first: false, is_exact: false })
}

/// Searches depth first, on one thread whatever is asked: ours has no other.
pub fn depth_first(model: Model, _threads: usize) -> Counts {
    search(model, Way { threads: 1, is_depth_first: true, is_exact: false })
}

/// Searches breadth first just the peer's states and transitions: all orders of steps that commute, and all that
/// clients ever saw is part of a state.
pub fn all_orders(model: Model, threads: usize) -> Counts {
    search(model, Way { threads, is_depth_first: false, is_exact: true })
}

/// How to search.
#[derive(Clone, Copy)]
struct Way {
    threads: usize,
    is_depth_first: bool,
    /// All that the peer tells apart is told apart, and all orders are taken.
    is_exact: bool,
}

/// # Panics
/// If something is violated, or the states are not as many as is known: then it is another system.
fn search(model: Model, way: Way) -> Counts {
    let counts = match model {
        Model::Paxos { clients } => with_history(|| with_users(Paxos::nodes(3, clients)), way),
        Model::TwoPhase { resources } => two_phase(resources, way),
        Model::Register { clients } => with_history(|| with_users(SingleCopy::nodes(1, clients)), way),
        Model::Module { has_timers } => module::search(has_timers, way),
    };
    if let Some(known) = known(model, way) {
        assert_eq!(counts.unique, known, "states of {model}");
    }
    counts
}

/// How many states there are, if there is an end to them.
fn known(model: Model, way: Way) -> Option<u64> {
    match model {
        // What clients saw is forgotten where it cannot matter any more.
        Model::Register { clients: 4 } if !way.is_exact => None,
        _ => model.published(),
    }
}

/// A network that delivers each message at most once, and users that write and read.
fn with_users<N>(nodes: Vec<(NodeId, N)>) -> System<N>
where
    N: Checkable + Node<Request = Request, Response = Response>,
{
    let mut system = System::new(Network::Bag);
    for (id, node) in nodes {
        if id.is_client() {
            let asks = register::requests(id.number()).into_iter().map(|request| (request, None));
            system.add_with_user(id, node, User::asks(asks.collect()));
        } else {
            system.add(id, node);
        }
    }
    system
}

/// A search in which every answer must be that of one register.
fn with_history<N>(system: impl FnOnce() -> System<N>, way: Way) -> Counts
where
    N: Checkable + Node<Request = Request, Response = Response>,
{
    if way.is_exact {
        run(system(), Recording::default(), Settings::default(), way)
    } else {
        run(system(), Watched::default(), Settings::default(), way)
    }
}

fn two_phase(resources: u32, way: Way) -> Counts {
    let mut system = System::new(Network::Set);
    for (id, node) in TwoPhase::nodes(resources) {
        system.add(id, node);
    }
    let agreed = Property::when("nobody commits what another aborts", Reads::Nodes(system.names()), |view| {
        nobody_commits_what_another_aborts(view.nodes().map(|(_, node)| node))
    });
    run(system, Blind, Settings::default().invariant(agreed), way)
}

fn run<N: Checkable>(
    system: System<N>,
    observer: impl Observer<N>,
    mut settings: Settings<N>,
    way: Way,
) -> Counts {
    settings.reductions = Reductions { commuting: !way.is_exact, ..Reductions::default() };
    let checker = Checker::new(system, observer).expect("the first steps are right");
    let (start, crew) = (checker.start(), Threads(way.threads));
    let report = if way.is_depth_first {
        checker.depth_first(&start, &settings, &crew)
    } else {
        checker.breadth_first(&start, &settings, &crew)
    };
    counts_of(&report)
}

fn counts_of(report: &Report) -> Counts {
    let is_whole = matches!(report.verdict, Verdict::Exhausted | Verdict::BudgetSpent(Spent::States));
    assert!(is_whole, "{report}");
    let stats = &report.stats;
    // For who runs one search by hand.
    eprintln!(
        "{:.1} bytes a state, {:.4} of {} local steps known, {} taken, {} local states, {} messages",
        stats.bytes_per_state(),
        stats.memo_share(),
        stats.steps,
        stats.fresh,
        stats.local_states,
        stats.messages,
    );
    // The peer counts the states of a run, ours counts its steps.
    Counts { unique: stats.unique, generated: stats.generated, depth: u64::from(stats.depth) + 1 }
}
