//! The clocks of this machine. The wall clock is read here and nowhere else: `docs/design/time.md` lists what it may decide.

use crate::boot::draw;
use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use synod_node::ClockReading;
use synod_stdx::Digest;

/// What both clocks read now.
pub(crate) fn read_clocks() -> ClockReading {
    ClockReading { boot: boot(), monotonic_us: monotonic_us(), wall_ms: wall_time().as_millis() as u64 }
}

/// Which start of which machine this is. Where the system does not say, each process has its own.
fn boot() -> u64 {
    static BOOT: OnceLock<u64> = OnceLock::new();
    *BOOT.get_or_init(|| {
        // A container may have a monotonic clock of its own, which is so far from the machine's.
        let offsets = fs::read("/proc/self/timens_offsets").unwrap_or_default();
        match fs::read("/proc/sys/kernel/random/boot_id") {
            Ok(id) => Digest::of(&[id, offsets].concat()),
            Err(_) => draw().map_or_else(|_| std::process::id().into(), |bits| bits as u64),
        }
    })
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
