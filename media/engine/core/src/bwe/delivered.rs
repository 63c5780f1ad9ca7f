//! How fast one transport's packets arrive: bytes by arrival time on the remote's clock.
//!
//! A ring of 40 places of 25 ms. A rate over a window is what the whole places before the newest one hold; it is unknown until
//! half of that was seen without a gap in the feedback.

const PLACES: usize = 40;
const PLACE_US: i64 = 25_000;
/// The newest place is not whole yet.
const MOST_PLACES: i64 = PLACES as i64 - 1;

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    all: u64,
    /// Without padding.
    useful: u64,
}

/// The arrivals of the last second.
#[derive(Debug)]
pub struct Delivered {
    places: [Place; PLACES],
    /// Number of the first place that is whole, and of the newest one; None before the first arrival.
    span: Option<(i64, i64)>,
}

impl Default for Delivered {
    fn default() -> Self {
        Self { places: [Place::default(); PLACES], span: None }
    }
}

fn slot(place: i64) -> usize {
    place.rem_euclid(PLACES as i64) as usize
}

impl Delivered {
    /// Counts one packet; arrivals more than a second before the newest are ignored.
    pub fn add(&mut self, arrival_us: i64, bytes: u16, padding: bool) {
        let place = arrival_us.div_euclid(PLACE_US);
        let (first, newest) = self.span.unwrap_or((place.saturating_add(1), place));
        if place > newest {
            let skipped = place.saturating_sub(newest).min(PLACES as i64);
            for empty in place.saturating_sub(skipped).saturating_add(1)..=place {
                if let Some(p) = self.places.get_mut(slot(empty)) {
                    *p = Place::default();
                }
            }
        } else if newest.saturating_sub(place) >= PLACES as i64 {
            return;
        }
        self.span = Some((first, newest.max(place)));
        if let Some(p) = self.places.get_mut(slot(place)) {
            let bytes = u64::from(bytes);
            p.all = p.all.saturating_add(bytes);
            p.useful = p.useful.saturating_add(if padding { 0 } else { bytes });
        }
    }

    /// Begins anew: feedback is missing, or the remote's clock or the path is another.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// Bits per second over the last `window_us` (at most 975 ms): (all, without padding).
    pub fn rates(&self, window_us: i64) -> Option<(u64, u64)> {
        let (first, newest) = self.span?;
        let asked = window_us.div_euclid(PLACE_US).clamp(1, MOST_PLACES);
        let seen = newest.saturating_sub(first).min(asked);
        if seen.saturating_mul(2) < asked {
            return None;
        }
        let (mut all, mut useful) = (0u64, 0u64);
        for place in newest.saturating_sub(seen)..newest {
            let p = self.places.get(slot(place)).copied().unwrap_or_default();
            all = all.saturating_add(p.all);
            useful = useful.saturating_add(p.useful);
        }
        let time_us = seen.saturating_mul(PLACE_US).max(1) as u64;
        let rate = |bytes: u64| bytes.saturating_mul(8_000_000).checked_div(time_us).unwrap_or(0);
        Some((rate(all), rate(useful)))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_what_arrived_per_time_and_padding_is_told_apart() {
        let mut delivered = Delivered::default();
        // 1000 bytes each 10 ms, every second one padding.
        for n in 0..100 {
            delivered.add(-77_000 + n * 10_000, 1000, n % 2 == 0);
        }
        assert_eq!(delivered.rates(500_000), Some((800_000, 400_000)));
    }

    #[test]
    fn a_pause_counts_as_time() {
        let mut delivered = Delivered::default();
        for n in 0..50 {
            delivered.add(n * 10_000, 1000, false);
        }
        delivered.add(750_000, 1000, false);
        assert_eq!(delivered.rates(500_000).map(|r| r.0), Some(400_000));
    }

    #[test]
    fn too_little_says_nothing_and_neither_does_a_restart() {
        let mut delivered = Delivered::default();
        delivered.add(0, 1000, false);
        delivered.add(100_000, 1000, false);
        assert_eq!(delivered.rates(500_000), None);
        delivered.add(900_000, 1000, false);
        assert!(delivered.rates(500_000).is_some());
        delivered.restart();
        assert_eq!(delivered.rates(500_000), None);
    }

    #[test]
    fn absurd_arrival_times_neither_panic_nor_hang() {
        let mut delivered = Delivered::default();
        for at in [0, i64::MAX, i64::MIN, -1, i64::MAX, 25_000] {
            delivered.add(at, u16::MAX, false);
            delivered.rates(i64::MAX);
        }
    }
}
