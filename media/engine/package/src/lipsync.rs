//! Picture against sound within one participant.
//!
//! Pictures take longer from the sender's camera to the wire than sound does, and the envelopes of the two tracks contain
//! that. Sender reports give both tracks' RTP times on one wall clock (RFC 3550 section 6.4.1), whatever that clock says: the
//! difference of the two delays against it is how much too late the pictures lie, and only the difference is used.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::HashMap;

/// Least delay of a track against its sender's wall clock, microseconds; the wall clock's own error is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay(pub i64);

/// A larger difference is a wrong report and not a path.
const MAX_DIFFERENCE_US: i64 = 500_000;
/// An older reference has drifted.
const FRESH_US: u64 = 20_000_000;
/// More are looked through for stale ones.
const MAX_PARTICIPANTS: usize = 10_000;

/// The newest delay of each participant's sound.
#[derive(Debug, Default)]
pub struct LipSync {
    sound: HashMap<u64, (Delay, u64)>,
}

impl LipSync {
    pub fn heard(&mut self, participant: u64, delay: Delay, now_us: u64) {
        if self.sound.len() >= MAX_PARTICIPANTS {
            self.sound.retain(|_, (_, at)| now_us.saturating_sub(*at) <= FRESH_US);
        }
        self.sound.insert(participant, (delay, now_us));
    }

    /// What has to be added to server times of a track of this participant with that delay.
    pub fn correction(&self, participant: u64, delay: Delay, now_us: u64) -> Option<i64> {
        let (Delay(sound), at) = self.sound.get(&participant)?;
        let difference = sound.saturating_sub(delay.0);
        (now_us.saturating_sub(*at) <= FRESH_US && difference.saturating_abs() <= MAX_DIFFERENCE_US).then_some(difference)
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_moved_by_the_difference_of_the_delays_only() {
        let mut sync = LipSync::default();
        assert_eq!(sync.correction(1, Delay(70_000), 0), None);
        // The wall clock may be wrong by years; both tracks see the same error.
        let wrong = -1_000_000_000_000;
        sync.heard(1, Delay(wrong + 20_000), 5);
        assert_eq!(sync.correction(1, Delay(wrong + 70_000), 6), Some(-50_000));
        assert_eq!(sync.correction(2, Delay(wrong + 70_000), 6), None);
    }

    #[test]
    fn stale_or_absurd_reports_are_no_reason_to_move_anything() {
        let mut sync = LipSync::default();
        sync.heard(1, Delay(0), 0);
        assert_eq!(sync.correction(1, Delay(500_001), 1), None);
        assert_eq!(sync.correction(1, Delay(10), 20_000_001), None);
    }
}
