//! The debugger in a real browser: each thing that can be done is done once, and its effect is looked for.

mod browser;
mod by_hand;
#[path = "../support/cluster.rs"]
mod cluster;
mod everywhere;
mod hand;
mod opened;
mod pictures;
mod recorded;
mod safety;
mod searched;
mod served;
