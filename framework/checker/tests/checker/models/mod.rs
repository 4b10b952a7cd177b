//! Small protocols whose state counts are known from another checker.

#![allow(dead_code, reason = "no test uses all of it")]

pub mod crew;
pub mod ledger;
pub mod paxos;
pub mod recorder;
pub mod register;
pub mod systems;
pub mod two_phase;
pub mod walk;
