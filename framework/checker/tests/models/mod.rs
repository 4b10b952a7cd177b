//! Small protocols whose state counts are known from another checker.

pub mod paxos;
pub mod recorder;
pub mod register;
pub mod two_phase;
