//! Two-phase commit as one state with its actions, as Stateright's `2pc`: no actors, no network but a set of messages.

use stateright::{Model, Property};
use std::collections::BTreeSet;

/// The system.
pub struct TwoPhase {
    resources: usize,
}

impl TwoPhase {
    /// With so many resource managers.
    pub fn new(resources: u32) -> Self {
        TwoPhase { resources: resources as usize }
    }
}

/// How far a resource manager is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Resource {
    Working,
    Prepared,
    Committed,
    Aborted,
}

/// How far the transaction manager is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Manager {
    Undecided,
    Committed,
    Aborted,
}

/// What was said, for ever.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Message {
    Prepared(usize),
    Commit,
    Abort,
}

/// A state of all.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct State {
    resources: Vec<Resource>,
    manager: Manager,
    /// Which resource managers the transaction manager knows to be prepared.
    prepared: Vec<bool>,
    messages: BTreeSet<Message>,
}

/// What may happen.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    ManagerHears(usize),
    ManagerCommits,
    ManagerAborts,
    Prepares(usize),
    GivesUp(usize),
    HearsCommit(usize),
    HearsAbort(usize),
}

impl Model for TwoPhase {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            resources: vec![Resource::Working; self.resources],
            manager: Manager::Undecided,
            prepared: vec![false; self.resources],
            messages: BTreeSet::new(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let is_undecided = state.manager == Manager::Undecided;
        if is_undecided {
            if state.prepared.iter().all(|is_prepared| *is_prepared) {
                actions.push(Action::ManagerCommits);
            }
            actions.push(Action::ManagerAborts);
        }
        for (index, resource) in state.resources.iter().enumerate() {
            if is_undecided && state.messages.contains(&Message::Prepared(index)) {
                actions.push(Action::ManagerHears(index));
            }
            if *resource == Resource::Working {
                actions.push(Action::Prepares(index));
                actions.push(Action::GivesUp(index));
            }
            if state.messages.contains(&Message::Commit) {
                actions.push(Action::HearsCommit(index));
            }
            if state.messages.contains(&Message::Abort) {
                actions.push(Action::HearsAbort(index));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = last.clone();
        match action {
            Action::ManagerHears(index) => next.prepared[index] = true,
            Action::ManagerCommits => {
                next.manager = Manager::Committed;
                next.messages.insert(Message::Commit);
            }
            Action::ManagerAborts => {
                next.manager = Manager::Aborted;
                next.messages.insert(Message::Abort);
            }
            Action::Prepares(index) => {
                next.resources[index] = Resource::Prepared;
                next.messages.insert(Message::Prepared(index));
            }
            Action::GivesUp(index) | Action::HearsAbort(index) => next.resources[index] = Resource::Aborted,
            Action::HearsCommit(index) => next.resources[index] = Resource::Committed,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("nobody commits what another aborts", |_, state: &State| {
            let has = |resource| state.resources.contains(&resource);
            !(has(Resource::Committed) && has(Resource::Aborted))
        })]
    }
}
