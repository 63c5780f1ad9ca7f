//! How many bits a second a stream takes in the long run: what a key frame is more than others is spread over seconds.

use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(250);
/// Four seconds: a key frame is about half a second of its stream, and comes when somebody begins to watch. Over one second it would
/// make the stream half as much again, just for the one it was made for.
const STEPS: usize = 16;
/// After so many steps of nothing it is another stream, measured afresh over at least as many: a screen's frames are far apart.
const PAUSE: usize = 4;

/// Bytes counted in quarter seconds.
#[derive(Debug, Default)]
pub struct Rate {
    steps: [u32; STEPS],
    begun: Option<Instant>,
    /// Steps before the current one that count.
    filled: usize,
    /// Fewest steps to measure over.
    least: u32,
}

impl Rate {
    /// Counts bytes.
    pub fn add(&mut self, bytes: usize, now: Instant) {
        self.turn(now);
        if self.filled > PAUSE && self.steps.iter().take(PAUSE).all(|bytes| *bytes == 0) {
            self.steps = [0; STEPS];
            (self.filled, self.least) = (0, PAUSE as u32);
        }
        if let Some(current) = self.steps.first_mut() {
            *current = current.saturating_add(bytes as u32);
        }
    }

    /// Bits per second over the last full steps; before the first is full, of what there is.
    pub fn bits_per_second(&mut self, now: Instant) -> u32 {
        self.turn(now);
        let Some(begun) = self.begun else { return 0 };
        let bytes: u64 = self.steps.iter().map(|bytes| u64::from(*bytes)).sum();
        let open = now.saturating_duration_since(begun);
        let span = (STEP * self.filled as u32 + open).max(STEP * self.least.max(1));
        (bytes * 8_000 / (span.as_millis().max(1) as u64)).min(u64::from(u32::MAX)) as u32
    }

    fn turn(&mut self, now: Instant) {
        let begun = *self.begun.get_or_insert(now);
        let passed = (now.saturating_duration_since(begun).as_millis() / STEP.as_millis()) as usize;
        if passed == 0 {
            return;
        }
        let shift = passed.min(STEPS);
        self.steps.rotate_right(shift % STEPS);
        self.steps.iter_mut().take(shift).for_each(|bytes| *bytes = 0);
        self.filled = (self.filled + passed).min(STEPS - 1);
        self.begun = Some(begun + STEP * passed as u32);
    }
}

/// What a sender may send: so many packets a second, and as many at once as it saved up within one.
#[derive(Debug, Default)]
pub struct Allowance {
    /// Microseconds of sending used up, as of `at`.
    used: u64,
    at: Option<Instant>,
}

impl Allowance {
    /// Uses up one packet; false, and nothing used, if too many came.
    pub fn take(&mut self, per_second: u32, now: Instant) -> bool {
        const SECOND: u64 = 1_000_000;
        let passed = self.at.map_or(SECOND, |at| now.saturating_duration_since(at).as_micros() as u64);
        self.used = self.used.saturating_sub(passed);
        self.at = Some(now);
        let one = SECOND / u64::from(per_second.max(1));
        let fits = self.used + one <= SECOND;
        self.used += u64::from(fits) * one;
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_packets_may_come_at_once_and_then_as_many_as_time_allows() {
        let t = Instant::now();
        let mut allowance = Allowance::default();
        let mut taken = |ms: u64, packets: usize| (0..packets).filter(|_| allowance.take(250, t + Duration::from_millis(ms))).count();
        assert_eq!(taken(0, 400), 250);
        assert_eq!(taken(100, 400), 25);
        assert_eq!((200..1200).step_by(20).map(|ms| taken(ms, 5)).sum::<usize>(), 250, "250 a second go on");
        assert_eq!(taken(60_000, 400), 250);
    }

    #[test]
    fn an_even_stream_is_measured_right_soon_and_a_stopped_one_goes_to_nothing() {
        let t = Instant::now();
        let mut rate = Rate::default();
        for ms in (0..3000).step_by(10) {
            rate.add(1250, t + Duration::from_millis(ms));
            if ms > 300 {
                let bits = rate.bits_per_second(t + Duration::from_millis(ms));
                assert!((850_000..=1_150_000).contains(&bits), "{bits} at {ms}");
            }
        }
        assert_eq!(rate.bits_per_second(t + Duration::from_millis(7_300)), 0);
    }

    #[test]
    fn a_key_frame_adds_a_little_for_seconds_and_not_much_for_one() {
        let t = Instant::now();
        let mut rate = Rate::default();
        let mut most = 0;
        for ms in (0..20_000).step_by(50) {
            // 350 kbit/s, and once a frame of 25 KB.
            rate.add(if ms == 10_000 { 25_000 } else { 2_187 }, t + Duration::from_millis(ms));
            if ms >= 5_000 {
                most = most.max(rate.bits_per_second(t + Duration::from_millis(ms)));
            }
        }
        assert!(most < 410_000, "{most}");
    }

    #[test]
    fn who_begins_again_after_a_pause_is_measured_right_soon() {
        let t = Instant::now();
        let mut rate = Rate::default();
        for ms in (0..10_000).chain(12_000..15_000).step_by(10) {
            rate.add(1250, t + Duration::from_millis(ms));
            let bits = rate.bits_per_second(t + Duration::from_millis(ms));
            assert!(ms < 13_000 || (900_000..=1_100_000).contains(&bits), "{bits} at {ms}");
        }
    }
}
