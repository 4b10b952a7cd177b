//! The clocks of this machine. The wall clock is read here and nowhere else: `docs/design/time.md` lists what it may decide.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use synod_node::ClockReading;

/// What both clocks read now.
pub(crate) fn read_clocks() -> ClockReading {
    ClockReading { monotonic_us: monotonic_us(), wall_ms: wall_time().as_millis() as u64 }
}

/// Microseconds since the machine started; it goes on while the machine is suspended.
pub(crate) fn monotonic_us() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one timespec, which is this one.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    assert_eq!(result, 0, "the system has no CLOCK_BOOTTIME: it is there since Linux 2.6.39");
    time.tv_sec.cast_unsigned() * 1_000_000 + time.tv_nsec.cast_unsigned() / 1_000
}

/// What the wall clock says: the time since 1970. It may be wrong by years, jump, and go back.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub(crate) fn wall_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
