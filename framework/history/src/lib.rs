//! What clients saw, and whether it is linearizable: a pure crate that knows neither nodes nor networks.
//!
//! A store that claims to be linearizable claims that each operation takes effect at one moment between its
//! invocation and its answer (Herlihy and Wing, "Linearizability: a correctness condition for concurrent objects",
//! 1990). Clients cannot see the moment, only the two ends; this crate decides whether moments exist that explain
//! all answers.
//!
//! ```
//! use synod_history::{Budget, History, Register, RegisterOp, RegisterRet, check};
//!
//! let mut history = History::new();
//! let write = history.invoke(0, RegisterOp::Write((*b"1").into()));
//! history.complete(write, RegisterRet::Written);
//! let read = history.invoke(1, RegisterOp::Read);
//! history.complete(read, RegisterRet::Value(None));
//! assert!(!check::<Register>(&history, Budget::default()).is_linearizable());
//! ```
//!
//! # The parts
//! * [`History`]: invocations and answers in the order in which they were recorded. An operation without an answer
//!   may have happened at any later time, or never; one that failed did not happen.
//! * [`Specification`]: what the object does when one client at a time uses it. [`Register`] and [`KeyValue`] are
//!   ready.
//! * [`check`]: splits the history by the keys that operations share and decides each part. A part in which every
//!   value that was read was written once is decided by the zones of Gibbons and Korach ("Testing shared memories",
//!   1997) in `n log n`; any other by the search of Wing and Gong ("Testing and verifying concurrent objects", 1993)
//!   with the memory of Lowe ("Testing for linearizability", 2017) over the lists of Horn and Kroening ("Faster
//!   linearizability checking via P-compositionality", 2015). The search leaves out orders that can do no more than
//!   others, so that many clients and many lost answers seldom cost more than a few do.
//! * [`Monitor`]: judges a history while it happens, and remembers only what can still matter: a value by which a
//!   search over a system's states tells whether its clients can still be told something wrong.
//! * [`Verdict`]: linearizable, not, or given up. If not, it shows a few operations that contradict each other
//!   whatever the others did, and how far the history can be explained. That may be harder than the verdict, so it has a
//!   budget of its own (300,000 steps and 64 MiB), and says where it was cut short.
//! * [`parse`] and [`check_history_text`]: the same for logs of Jepsen and Porcupine.
//!
//! # What holds
//! * `Linearizable` and `NotLinearizable` are certain, the latter but for odds of one in 2^80: the search tells states
//!   apart by fingerprints of 128 bits. Deciding the general case takes exponential time (Gibbons and Korach), so there
//!   is a third verdict, [`Verdict::GaveUp`], which is no pass.
//! * The same history and budget give the same verdict on every machine: the budget counts steps and bytes, since
//!   this crate has no clock.
//! * Nothing recurses by the length of the history, and nothing allocates beyond the budget and a small multiple
//!   of the history. A [`Monitor`] is the exception: it has no budget, and is meant for a few operations at once.
//!
//! # What is left out
//! * Weaker conditions (sequential consistency, serializability): the store promises the strong one.
//! * Operations over several keys join them to one part; only the search then decides it.

mod bytes;
mod check;
mod dead_ends;
mod edn;
mod fingerprint;
mod history;
mod key_value;
mod monitor;
mod parts;
mod register;
mod search;
mod specification;
mod steps;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod verdict;
mod window;
mod zones;

pub use check::check;
pub use history::{History, Moment, OpId, Operation, Outcome};
pub use key_value::{KeyValue, KvOp, KvRet};
pub use monitor::Monitor;
pub use register::{Register, RegisterOp, RegisterRet};
pub use search::Budget;
pub use specification::{Access, Specification};
pub use text::{Fault, ParseError, Parsed, parse};
pub use verdict::{Contradiction, Reason, Seen, Verdict};

/// Reads a history from the text of a log and decides it within the default budget.
///
/// # Errors
/// [`ParseError`] if the text is no history; it names the line.
pub fn check_history_text(text: &str) -> Result<Verdict, ParseError> {
    Ok(match parse(text)? {
        Parsed::Register(history) => check::<Register>(&history, Budget::default()),
        Parsed::KeyValue(history) => check::<KeyValue>(&history, Budget::default()),
    })
}
