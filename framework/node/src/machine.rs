//! What a replicated application is.

use crate::Value;

/// An answer without a log entry may reveal a time that is later than the [time of the last entry](StateMachine::clock_ms)
/// by this much at most, in milliseconds; beyond it a state machine lets the log answer. So a log whose members all
/// restarted never goes back behind what a client was told.
pub const UNLOGGED_MS_MAX: u64 = 100;

/// A deterministic application: equal states given equal commands in equal order stay equal and answer the same.
///
/// A command carries everything that it needs, the time too: the leader that proposes it [stamps](StateMachine::stamp) it
/// with the time of the log, so every replica applies it at the same time. A snapshot is a clone, so cloning should be cheap (copy on write); its byte form, where a driver needs one,
/// is its [`Wire`](synod_stdx::Wire) form.
pub trait StateMachine: Value {
    /// What can be asked.
    type Command: Value;
    /// What is answered.
    type Output: Value;

    /// Runs `command`.
    fn apply(&mut self, command: &Self::Command) -> Self::Output;

    /// Whether `command` never changes a state, so that [`query`](StateMachine::query) may answer it.
    fn is_read_only(command: &Self::Command) -> bool;

    /// Answers a read-only `command`: the same as [`apply`](StateMachine::apply) would. `None` if only the log can
    /// answer it, for example because it would move the state's clock.
    ///
    /// # Panics
    /// May panic if `command` is not read-only.
    fn query(&self, command: &Self::Command) -> Option<Self::Output>;

    /// Notes in `command` that it runs at this time of the log, in ms since 1970: when its leader proposes it, or
    /// answers it without the log. For commands that no time concerns, nothing.
    fn stamp(command: &mut Self::Command, at_ms: u64) {
        let _ = (command, at_ms);
    }

    /// The highest time that an applied command was stamped with, in ms since 1970; zero if none was.
    fn clock_ms(&self) -> u64 {
        0
    }

    /// About how many bytes `command` takes: what logs and batches are bounded by.
    fn bytes(command: &Self::Command) -> usize {
        size_of_val(command)
    }

    /// About how many bytes `output` takes: what messages are bounded by.
    fn output_bytes(output: &Self::Output) -> usize {
        size_of_val(output)
    }
}
