//! Turns the monotonic instants the engine is fed into NTP and microsecond time lines.

use std::time::{Duration, Instant};

/// Seconds from 1900 to 1970.
const NTP_OFFSET: u64 = 2_208_988_800;

/// A fixed relation between the monotonic clock and wall time, taken once at start.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    unix: Duration,
}

impl Clock {
    /// `unix` is the wall time since 1970 at `start`.
    pub fn new(start: Instant, unix: Duration) -> Clock {
        Clock { start, unix }
    }

    /// Microseconds since the clock's start.
    pub fn micros(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_micros() as u64
    }

    /// 32.32 fixed-point NTP time (RFC 3550 section 4).
    pub fn ntp(&self, now: Instant) -> u64 {
        let wall = self.unix + now.saturating_duration_since(self.start);
        let fraction = (u64::from(wall.subsec_nanos()) << 32) / 1_000_000_000;
        ((wall.as_secs() + NTP_OFFSET) << 32) | fraction
    }
}

/// The middle 32 bits of an NTP time: what LSR, DLSR and RTT are counted in (1/65536 s).
pub fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// A duration in 1/65536 s.
pub fn to_middle(d: Duration) -> u32 {
    ((d.as_micros() as u64 * 65_536) / 1_000_000).min(u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_time_counts_from_1900_in_fixed_point() {
        let start = Instant::now();
        let clock = Clock::new(start, Duration::from_secs(1_000_000_000));
        let ntp = clock.ntp(start + Duration::from_millis(500));
        assert_eq!((ntp >> 32, ntp as u32), (1_000_000_000 + NTP_OFFSET, 1 << 31));
        assert_eq!(to_middle(Duration::from_millis(250)), 16_384);
    }
}
