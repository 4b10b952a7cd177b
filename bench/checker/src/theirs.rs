//! Stateright's side: its own three examples, written anew against its public interface.
//!
//! What an example asks is reduced to its safety property; whether something is possible is not asked, which can only be
//! quicker. Data structures are those of the examples, so that their speed is what their authors chose.

mod paxos;
mod register;
mod two_phase;

use crate::models::{Counts, Model};
use stateright::{Checker, Model as TheirModel};
use std::fmt::Debug;
use std::hash::Hash;

/// Searches `model` depth first.
pub fn depth_first(model: Model, threads: usize) -> Counts {
    search(model, Order::Depth, threads)
}

/// Searches `model` breadth first.
pub fn breadth_first(model: Model, threads: usize) -> Counts {
    search(model, Order::Breadth, threads)
}

#[derive(Clone, Copy)]
enum Order {
    Depth,
    Breadth,
}

/// # Panics
/// If the property does not hold, or the states are not as many as have been published: then it is another system.
fn search(model: Model, order: Order, threads: usize) -> Counts {
    let counts = match model {
        Model::Paxos { clients } => count(paxos::model(clients), order, threads),
        Model::TwoPhase { resources } => count(two_phase::TwoPhase::new(resources), order, threads),
        Model::Register { clients } => count(register::model(clients), order, threads),
    };
    assert_eq!(Some(counts.unique), published(model), "states of {model}");
    counts
}

/// How many states there are.
fn published(model: Model) -> Option<u64> {
    match model {
        Model::Paxos { clients: 2 } => Some(16_668),
        Model::Paxos { clients: 3 } => Some(1_194_428),
        Model::TwoPhase { resources: 7 } => Some(296_448),
        Model::TwoPhase { resources: 8 } => Some(1_745_408),
        Model::Register { clients: 4 } => Some(400_233),
        Model::Paxos { .. } | Model::TwoPhase { .. } | Model::Register { .. } => None,
    }
}

fn count<M>(model: M, order: Order, threads: usize) -> Counts
where
    M: TheirModel + Send + Sync + 'static,
    M::State: Clone + PartialEq + Hash + Debug + Send + Sync + 'static,
    M::Action: Clone + PartialEq + Debug,
{
    let search = model.checker().threads(threads);
    match order {
        Order::Depth => counts_of(&search.spawn_dfs().join()),
        Order::Breadth => counts_of(&search.spawn_bfs().join()),
    }
}

fn counts_of<M>(search: &impl Checker<M>) -> Counts
where
    M: TheirModel,
    M::State: Clone + PartialEq + Debug,
    M::Action: Clone + PartialEq + Debug,
{
    search.assert_properties();
    Counts {
        unique: search.unique_state_count() as u64,
        generated: search.state_count() as u64,
        depth: search.max_depth() as u64,
    }
}
