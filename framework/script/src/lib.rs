//! A script chooses: golden interaction scripts over a world. A pure crate, for the tests of modules.
//!
//! A script tells a story of a protocol step by step: who starts, which message arrives, which is lost, whose timer
//! fires, who crashes. What came of each block of commands stands behind it in the same file, and a test fails if it is
//! no longer so. So the file is the specification: its name is a claim, its first lines say why the claim matters.
//! `UPDATE_GOLDENFILES=1 cargo test` writes the output anew; a person then reads what changed.
//!
//! A module's tests supply a [`Cast`]: how its nodes are built, how a request is read, how a node and a message are
//! shown. [`scripts!`] makes one test of each file, [`Stage`] plays it.
//!
//! # Commands
//! | Command | What happens |
//! |---|---|
//! | `start n1 n2 key=value` | The nodes are built, with the module's own options, and start. |
//! | `request c1 <words>` | The node's user asks; the module reads the words. |
//! | `deliver` | Everything in flight arrives, oldest first, until nothing is in flight. |
//! | `deliver from=n1 to=n2 kind=Accept count=1` | Of what is in flight now, only this arrives. |
//! | `drop …`, `duplicate …` | The same choice is lost, or is in flight twice. |
//! | `flight` | Shows what is in flight. |
//! | `fire n1 Tick` | The node's oldest timer whose text begins so fires; also for several nodes. |
//! | `rounds n1 n2 Tick times=3` | So many times: the timer fires at each node, then everything is delivered. |
//! | `disk n1 manual`, `disk n1 auto` | Writes become durable when a script says so, or at once, as they do by default. |
//! | `durable n1 writes=1` | The node's oldest writes become durable; without a number, all. |
//! | `crash n1`, `restart n1`, `replace n1` | It stops; runs again with what was durable; starts with an empty disk. |
//! | `partition n1/n2 n3`, `cut n1 n2`, `heal` | Only nodes of one group talk; a one-way cut; all links work. |
//! | `hide Heartbeat`, `show Heartbeat` | Messages and timers of these kinds are not shown, or are again; what they change is. |
//! | `state n1` | Shows a node; without a name, all. |
//!
//! # Output
//! One line for each thing that happened: `n1 -> n2  …` arrived, `n1 -x n2  …` was lost, `n1 => n2  …` was duplicated,
//! `n1 .. n2  …` is in flight, `n1 <- r1  …` is an answer to the node's user, `n1 !! …` a timer, and `n1 == …` a node
//! that looks different than when it was last shown.
//!
//! # What a script may rely on
//! Nothing happens by itself, with two exceptions: what a node sends to itself arrives at once, and disks are quick
//! unless they are manual. Timers never fire by themselves; their ranges do not matter here.

mod choice;
mod stage;

pub use stage::{Cast, Options, Stage};

/// Plays the script at `path` with the nodes of `cast`.
///
/// # Panics
/// If a command fails, or the output is not what the file says.
pub fn play<C: Cast>(cast: C, path: &str) {
    if let Err(error) = goldenscript::run(&mut Stage::new(cast), path) {
        panic!("{path}: {error}");
    }
}

/// Makes one test of each script: `scripts!(MyCast, "src/scripts": a_claim, another_claim)` plays
/// `src/scripts/a_claim.txt` of the calling crate in the test `a_claim`, and so on.
#[macro_export]
macro_rules! scripts {
    ($cast:expr, $folder:literal: $($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                let file = concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", stringify!($name), ".txt");
                $crate::play($cast, file);
            }
        )*
    };
}

#[cfg(test)]
mod tests;
