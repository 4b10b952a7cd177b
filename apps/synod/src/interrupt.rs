//! Being told to stop: by Ctrl-C at the terminal, by a polite kill, or because the terminal is gone.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_interrupt(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// From now on an interrupt ends nothing by itself: whoever works asks [`is_wanted`].
pub fn listen() {
    let action = on_interrupt as extern "C" fn(libc::c_int);
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        if signal != libc::SIGHUP || !outlives_terminal() {
            // SAFETY: the handler only stores to an atomic.
            unsafe { libc::signal(signal, action as libc::sighandler_t) };
        }
    }
}

/// Whether somebody wants this process to stop.
pub fn is_wanted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Whether this process was started to go on without its terminal, as `nohup` does it.
pub(crate) fn outlives_terminal() -> bool {
    // SAFETY: all zeros are a value of this plain structure, and the call only writes to it.
    unsafe {
        let mut known: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGHUP, std::ptr::null(), &raw mut known) == 0
            && known.sa_sigaction == libc::SIG_IGN
    }
}

/// From now on this process ends when nobody reads what it prints any more, as tools do.
pub fn end_with_reader() {
    // SAFETY: the default action is the system's.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
