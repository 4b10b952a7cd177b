//! What the verifications of all modules share: what a module brings along ([`Kit`]), the small store that several of them
//! replicate ([`kv`]), its users ([`asks`]), systems for a person to drive ([`by_hand`]), seeded mistakes ([`edge`]).

pub mod asks;
pub mod by_hand;
pub mod edge;
mod kit;
pub mod kv;
mod runs;

pub use by_hand::Shape;
pub use kit::{ByHand, Kit, MutantsInRuns, Opened, RunToShow, dress, fuzz_target};
pub use runs::finish;
