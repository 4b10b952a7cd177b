//! Being told to stop: by Ctrl-C at the terminal, or by a polite kill.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_interrupt(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// From now on an interrupt ends nothing by itself: whoever works asks [`is_wanted`].
pub fn listen() {
    let action = on_interrupt as extern "C" fn(libc::c_int);
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only stores to an atomic.
        unsafe { libc::signal(signal, action as libc::sighandler_t) };
    }
}

/// Whether somebody wants this process to stop.
pub fn is_wanted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
