//! What a replicated application is.

use crate::Value;

/// A deterministic application: equal states given equal commands in equal order stay equal and answer the same.
///
/// A command carries everything that it needs, the time too: an expiry is computed by who proposes, never by who
/// applies. A snapshot is a clone, so cloning should be cheap (copy on write); its byte form, where a driver needs one,
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

    /// About how many bytes `command` takes: what logs and batches are bounded by.
    fn bytes(command: &Self::Command) -> usize {
        size_of_val(command)
    }

    /// About how many bytes `output` takes: what messages are bounded by.
    fn output_bytes(output: &Self::Output) -> usize {
        size_of_val(output)
    }
}
