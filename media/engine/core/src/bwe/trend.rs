//! Is the queue growing? A line through the last samples of queueing delay, against a threshold that learns the jitter.
//!
//! As in draft-ietf-rmcat-gcc-02 section 5, with a least-squares slope in place of the Kalman filter. The slope is milliseconds
//! of queue per millisecond of sending: 0.1 means that 10 % more is sent than the link carries. The threshold follows the
//! slopes seen: jitter, and flows of others that only loss slows down, raise it so that they cannot starve us; calm lowers it again.

/// Samples the line goes through.
const SAMPLES: usize = 20;
/// Older samples are left out, milliseconds.
const WINDOW_MS: f64 = 600.0;
/// A pause as long as this begins anew, milliseconds.
const PAUSE_MS: f64 = 2_000.0;
/// Weight of the past in the smoothed delay.
const SMOOTHING: f64 = 0.9;
/// Samples until the slope is taken at its full value.
const FULL_CONFIDENCE: f64 = 60.0;
/// A slope is over-use when it has been above the threshold this long, milliseconds.
const PERSISTENCE_MS: f64 = 10.0;

/// So many samples in a row, all above this many milliseconds and each this steeply above the one before, are over-use whatever the
/// line says: the link has become much slower. Not among the very first samples.
const STEEP_SAMPLES: u32 = 2;
const STEEP_MS: f64 = 40.0;
const STEEP: f64 = 0.25;
const STEEP_AFTER: f64 = 10.0;
/// Noise is how much a sample usually falls below the one before, learned at this rate: a queue that grows does not fall. It
/// raises the bound of steep samples by so many times itself, and the threshold of the slope by so much per millisecond.
const NOISE_RATE: f64 = 0.02;
const STEEP_NOISE: f64 = 8.0;
const NOISE_SLOPE: f64 = 0.004;

/// Threshold: start, bounds, how fast it moves per millisecond, and how far a slope may exceed it and still move it.
const THRESHOLD: f64 = 0.052;
const THRESHOLD_MIN: f64 = 0.025;
const THRESHOLD_MAX: f64 = 2.5;
const UP_PER_MS: f64 = 0.0087;
const DOWN_PER_MS: f64 = 0.039;
const OUTLIER: f64 = 0.0625;

/// How the link is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Usage {
    /// The queue shrinks.
    Under,
    #[default]
    Normal,
    /// The queue grows, or stands.
    Over,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    at_ms: f64,
    queue_ms: f64,
    smoothed_ms: f64,
}

/// The detector's state.
#[derive(Debug)]
pub struct Trend {
    ring: [Sample; SAMPLES],
    len: usize,
    at: usize,
    seen: f64,
    last: Sample,
    threshold: f64,
    slope: f64,
    over_ms: f64,
    over_samples: u32,
    /// Steep samples in a row, and the last one's slope.
    steep: u32,
    steep_slope: f64,
    noise_ms: f64,
}

impl Default for Trend {
    fn default() -> Self {
        Self {
            ring: [Sample::default(); SAMPLES],
            len: 0,
            at: 0,
            seen: 0.0,
            last: Sample::default(),
            threshold: THRESHOLD,
            slope: 0.0,
            over_ms: 0.0,
            over_samples: 0,
            steep: 0,
            steep_slope: 0.0,
            noise_ms: 0.0,
        }
    }
}

impl Trend {
    /// The queue seen by what was sent at `at_ms`; send times ascend.
    pub fn sample(&mut self, at_ms: f64, queue_ms: f64) -> Usage {
        let step = (at_ms - self.last.at_ms).max(0.0);
        if self.len > 0 && step > PAUSE_MS {
            *self = Self { threshold: self.threshold, noise_ms: self.noise_ms, ..Self::default() };
        }
        let before = self.last;
        let smoothed_ms = if self.len == 0 { queue_ms } else { SMOOTHING * before.smoothed_ms + (1.0 - SMOOTHING) * queue_ms };
        self.last = Sample { at_ms, queue_ms, smoothed_ms };
        if let Some(place) = self.ring.get_mut(self.at) {
            *place = self.last;
        }
        self.at = self.at.wrapping_add(1) % SAMPLES;
        self.len = self.len.saturating_add(1).min(SAMPLES);
        self.seen = (self.seen + 1.0).min(FULL_CONFIDENCE);
        let rise = queue_ms - before.queue_ms;
        self.steep_slope = if step > 0.0 { rise / step } else { 0.0 };
        self.steep =
            if queue_ms > STEEP_MS + STEEP_NOISE * self.noise_ms && self.steep_slope > STEEP { self.steep.saturating_add(1) } else { 0 };
        self.noise_ms += NOISE_RATE.max(1.0 / self.seen) * ((-rise).max(0.0) - self.noise_ms);
        let Some(slope) = self.fit(|s| s.smoothed_ms) else { return Usage::Normal };
        let usage = self.judge(slope * self.seen / FULL_CONFIDENCE, step);
        if self.is_steep() {
            return Usage::Over;
        }
        usage
    }

    fn is_steep(&self) -> bool {
        self.steep >= STEEP_SAMPLES && self.seen >= STEEP_AFTER
    }

    fn recent(&self) -> impl Iterator<Item = &Sample> {
        let since = self.last.at_ms - WINDOW_MS;
        self.ring.iter().take(self.len).filter(move |s| s.at_ms >= since)
    }

    /// Least-squares slope over the window, ms per ms.
    fn fit(&self, y: impl Fn(&Sample) -> f64) -> Option<f64> {
        let (mut n, mut x, mut xx, mut sum, mut xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for s in self.recent() {
            let (dx, y) = (s.at_ms - self.last.at_ms, y(s));
            n += 1.0;
            x += dx;
            xx += dx * dx;
            sum += y;
            xy += dx * y;
        }
        let spread = n * xx - x * x;
        (n >= 3.0 && spread > n).then(|| (n * xy - x * sum) / spread)
    }

    fn judge(&mut self, slope: f64, step_ms: f64) -> Usage {
        let before = std::mem::replace(&mut self.slope, slope);
        let mut usage = Usage::Normal;
        let threshold = self.threshold + NOISE_SLOPE * self.noise_ms;
        if slope > threshold {
            self.over_ms += step_ms;
            self.over_samples = self.over_samples.saturating_add(1);
            // A sample below the smoothed delay says that the turn has come already.
            let rising = slope >= before && self.last.queue_ms >= self.last.smoothed_ms;
            if self.over_ms > PERSISTENCE_MS && self.over_samples > 1 && rising {
                (self.over_ms, self.over_samples) = (0.0, 0);
                usage = Usage::Over;
            }
        } else {
            (self.over_ms, self.over_samples) = (0.0, 0);
            if slope < -threshold {
                usage = Usage::Under;
            }
        }
        let size = slope.abs();
        if size <= self.threshold + OUTLIER {
            let rate = if size < self.threshold { DOWN_PER_MS } else { UP_PER_MS };
            self.threshold = (self.threshold + rate * (size - self.threshold) * step_ms.min(100.0)).clamp(THRESHOLD_MIN, THRESHOLD_MAX);
        }
        usage
    }

    /// How much more is sent than the link carries (0.1 = 10 %), from the unsmoothed samples of the window.
    pub fn overload(&self) -> f64 {
        let line = self.fit(|s| s.queue_ms).unwrap_or(0.0);
        if self.is_steep() {
            line.max(self.steep_slope)
        } else {
            line
        }
    }

    /// The smallest delay in the window, milliseconds; None while there is too little in it.
    pub fn standing_ms(&self) -> Option<f64> {
        let (mut first, mut count, mut least) = (f64::MAX, 0u32, f64::MAX);
        for s in self.recent() {
            first = first.min(s.at_ms);
            count = count.saturating_add(1);
            least = least.min(s.queue_ms);
        }
        (count >= 5 && self.last.at_ms - first >= WINDOW_MS / 3.0).then_some(least)
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    /// How often over-use is seen in `seconds` of samples each 20 ms.
    fn over(seconds: u32, mut queue_ms: impl FnMut(f64) -> f64) -> u32 {
        let mut trend = Trend::default();
        (0..seconds * 50).map(|n| f64::from(n) * 20.0).map(|at| u32::from(trend.sample(at, queue_ms(at)) == Usage::Over)).sum()
    }

    #[test]
    fn a_growing_queue_is_over_use_and_a_shrinking_one_is_not() {
        assert!(over(2, |at| at * 0.2) > 0);
        assert_eq!(over(2, |at| 400.0 - at * 0.2), 0);
        assert_eq!(over(10, |_| 40.0), 0);
    }

    #[test]
    fn a_heavy_overload_is_seen_within_a_tenth_of_a_second() {
        let mut trend = Trend::default();
        (0..100).for_each(|n| assert_eq!(trend.sample(f64::from(n) * 20.0, 0.0), Usage::Normal));
        assert!((0..5).any(|n| trend.sample(2_000.0 + f64::from(n) * 20.0, f64::from(n) * 35.0) == Usage::Over));
    }

    #[test]
    fn jitter_without_a_queue_is_learned() {
        for seed in 0..20 {
            let mut noise = Noise::new(seed);
            let seen = over(60, |_| noise.below(30) as f64);
            assert!(seen <= 3, "seed {seed}: {seen} times in a minute");
        }
    }

    #[test]
    fn a_standing_queue_is_the_smallest_delay_of_the_window() {
        let mut trend = Trend::default();
        assert_eq!(trend.standing_ms(), None);
        for n in 0..100u32 {
            trend.sample(f64::from(n) * 20.0, 90.0 + f64::from(n % 7));
        }
        assert_eq!(trend.standing_ms(), Some(90.0));
    }
}
