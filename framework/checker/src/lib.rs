//! The model checker (essay to come).

mod breadth;
mod checker;
mod checks;
mod commute;
mod components;
mod crew;
mod dead;
mod depth;
mod draw;
mod eventually;
mod extras;
mod faults;
mod flight;
mod graph;
mod hash;
mod intern;
mod judge;
mod local;
mod memo;
mod observer;
mod orbit;
mod page;
mod path;
mod place;
mod property;
mod quiet;
mod report;
mod sample;
mod settings;
mod shared;
mod stage;
mod state;
mod stim;
mod symmetry;
mod system;
mod tally;
mod trace;
mod user;
mod visited;
mod walks;
mod worker;

pub use checker::{CheckSettings, Checker};
pub use checks::Survives;
pub use crew::{Alone, Crew, Progress};
pub use dead::Dead;
pub use eventually::Fairness;
pub use observer::{Blind, Observer};
pub use property::{Property, Reads, View};
pub use report::{Finding, Report, Spent, Stats, Subject, Verdict};
pub use settings::{Reductions, Settings, Until};
pub use state::State;
pub use symmetry::Symmetry;
pub use system::{Budgets, Network, Substitute, System};
pub use trace::Unfit;
pub use user::{Ask, User};
pub use walks::Walks;

use synod_node::Node;

/// A node that a search can check on several threads: any whose parts are plain data.
pub trait Checkable:
    Node<
        Message: Send + Sync,
        Timer: Send + Sync,
        Record: Send + Sync,
        Checkpoint: Send + Sync,
        Request: Send + Sync,
        Response: Send + Sync,
    > + Send
    + Sync
    + 'static
{
}

impl<N> Checkable for N
where
    N: Node + Send + Sync + 'static,
    N::Message: Send + Sync,
    N::Timer: Send + Sync,
    N::Record: Send + Sync,
    N::Checkpoint: Send + Sync,
    N::Request: Send + Sync,
    N::Response: Send + Sync,
{
}

/// The kind of a message or timer: the first word of its text. The rest is not written.
pub(crate) fn kind_of(value: &impl std::fmt::Debug) -> String {
    struct Word(String);
    impl std::fmt::Write for Word {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            let is_part = |c: char| c.is_alphanumeric() || c == '_';
            let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
            self.0.push_str(&text[..end]);
            if end == text.len() { Ok(()) } else { Err(std::fmt::Error) }
        }
    }
    let mut word = Word(String::new());
    // It ends with an error where the word does.
    let _ = std::fmt::write(&mut word, format_args!("{value:?}"));
    word.0
}
