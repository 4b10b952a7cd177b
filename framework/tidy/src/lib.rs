//! The house's rules, as tests: who may depend on whom, what a deterministic crate may name, how large a file may be.
//!
//! There is nothing to use in here. `tests/tidy` reads the manifests and sources of the workspace and objects to what
//! breaks a rule; `ARCHITECTURE.md` says why each rule is there. Every check is also run on a small bad example, so
//! that its silence means something.
