//! Tests of one program that must not run beside each other.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits until no other test of this program holds this.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
