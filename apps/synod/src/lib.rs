//! The parts of the `synod` program that its tests use too.

pub mod server;
