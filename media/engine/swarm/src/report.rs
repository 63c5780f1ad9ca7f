//! Spreads of measured times.

use serde_json::{json, Value};

/// Buckets per power of two: values are kept to about 3 %.
const STEPS: u32 = 32;

/// A histogram that grows with the logarithm of what it holds.
#[derive(Clone, Default)]
pub struct Spread {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Spread {
    pub fn add(&mut self, value: u64) {
        let bucket = bucket(value);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.max = self.max.max(value);
    }

    /// The value that so many per mille are not above.
    fn quantile(&self, per_mille: u64) -> u64 {
        let (rank, mut seen) = ((self.count * per_mille).div_ceil(1000), 0);
        for (i, n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen >= rank.max(1) {
                return upper(i).min(self.max);
            }
        }
        self.max
    }

    /// {"n", "p50", "p95", "p99", "max"} in thousands: microseconds as milliseconds, bit/s as kbit/s. Of nothing nothing is known: null.
    pub fn thousands(&self) -> Value {
        let thousands = |value: u64| (self.count > 0).then_some(value as f64 / 1000.0);
        let [p50, p95, p99] = [500, 950, 990].map(|q| thousands(self.quantile(q)));
        json!({"n": self.count, "p50": p50, "p95": p95, "p99": p99, "max": thousands(self.max)})
    }
}

fn bucket(value: u64) -> usize {
    let steps = u64::from(STEPS);
    if value < steps {
        return value as usize;
    }
    let power = value.ilog2() - STEPS.ilog2();
    (power * STEPS) as usize + (value >> power) as usize
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let steps = STEPS as usize;
    if bucket < 2 * steps {
        return bucket as u64;
    }
    let power = bucket / steps - 1;
    (((bucket % steps + steps + 1) as u64) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_three_per_cent() {
        let mut spread = Spread::default();
        (1..=100_000).for_each(|us| spread.add(us));
        for (q, exact) in [(500, 50_000.0), (950, 95_000.0), (990, 99_000.0)] {
            let found = spread.quantile(q) as f64;
            assert!((found / exact - 1.0).abs() < 0.035, "{q}: {found}");
        }
        assert_eq!(spread.thousands()["max"], 100.0);
    }

    #[test]
    fn of_nothing_no_time_is_known() {
        assert_eq!(Spread::default().thousands(), json!({"n": 0, "p50": null, "p95": null, "p99": null, "max": null}));
    }

    #[test]
    fn every_value_lies_in_its_bucket() {
        for value in (0..5000).chain([65_535, 65_536, 1_000_000, u64::MAX >> 1]) {
            let at = bucket(value);
            assert!(value <= upper(at) && (at == 0 || value > upper(at - 1)), "{value}");
        }
    }
}
