//! The checker's tests: one program, so that what they share is compiled once.

mod agreement;
mod counts;
mod dead;
mod eventually;
mod faults;
mod hashes;
mod models;
mod moment;
mod right;
mod sample;
mod symmetry;
mod threads;
mod twin;
