//! The two clocks of a machine, as a driver tells a node of them.

use synod_stdx::{Malformed, Reader, Wire, Writer};

/// What both clocks of one machine read at one moment. A node cannot look at a clock: whoever drives it tells it, as a
/// request of its user, so a reading stands in traces and recordings like any other input.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClockReading {
    /// From which start of which machine `monotonic_us` counts, as a number that is drawn anew for each.
    pub boot: u64,
    /// Microseconds since some moment in the past, which is the same for all readings of one `boot`. Never goes back, goes on
    /// while the machine is suspended (`CLOCK_BOOTTIME`), and runs at nearly the same rate on all machines.
    pub monotonic_us: u64,
    /// Milliseconds since 1970. May be wrong by years, jump, and go back.
    pub wall_ms: u64,
}

impl Wire for ClockReading {
    fn encode(&self, out: &mut Writer<'_>) {
        (self.boot, self.monotonic_us, self.wall_ms).encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (boot, monotonic_us, wall_ms) = Wire::decode(input)?;
        Ok(ClockReading { boot, monotonic_us, wall_ms })
    }
}
