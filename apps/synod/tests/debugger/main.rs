//! The debugger in a real browser: each thing that can be done is done once, and its effect is looked for.

mod browser;
mod by_hand;
mod opened;
mod pictures;
mod safety;
mod served;
