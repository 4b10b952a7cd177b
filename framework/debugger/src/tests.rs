//! The debugger on a protocol that it has never heard of.

mod answers;
mod flights;
mod predicates;
mod sessions;
mod toy;
