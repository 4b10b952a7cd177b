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
        Model::Module { .. } => unreachable!("the module has no peer"),
    };
    assert_eq!(Some(counts.unique), model.published(), "states of {model}");
    counts
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
