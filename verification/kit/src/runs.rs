//! Simulated runs.

use synod_node::Node;
use synod_simulator::{Failure, Simulator};

/// Runs until all clients are done.
///
/// # Errors
/// If they are not after `ms_max`, or something goes wrong.
pub fn finish<N: Node>(sim: &mut Simulator<N>, ms_max: u64) -> Result<(), Failure> {
    match sim.run_until(ms_max, Simulator::is_done)? {
        true => Ok(()),
        false => Err(sim.failure(format!("the clients are not done after {ms_max} ms"))),
    }
}
