//! When a publisher sends what: 30 frames and 50 words a second from one beginning, no drift. Pure.

use std::time::{Duration, Instant};

pub const FRAME_RATE: u32 = 30;
const WORD: Duration = Duration::from_millis(20);

/// What is to be sent next, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Due {
    Frame(u32),
    Word(u32),
}

pub struct Pace {
    start: Instant,
    frames: u32,
    words: u32,
}

impl Pace {
    pub fn new(start: Instant) -> Pace {
        Pace { start, frames: 0, words: 0 }
    }

    /// The next and when it is due; a frame before a word of the same moment.
    pub fn next(&self) -> (Instant, Due) {
        let frame = self.start + Duration::from_secs(1) * self.frames / FRAME_RATE;
        let word = self.start + WORD * self.words;
        if frame <= word {
            (frame, Due::Frame(self.frames))
        } else {
            (word, Due::Word(self.words))
        }
    }

    /// The next if it is due at `now`, and how late that is; it counts as sent.
    pub fn take(&mut self, now: Instant) -> Option<(Due, Duration)> {
        let (at, due) = self.next();
        let late = now.checked_duration_since(at)?;
        match due {
            Due::Frame(_) => self.frames += 1,
            Due::Word(_) => self.words += 1,
        }
        Some((due, late))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_has_thirty_frames_and_fifty_words_at_their_time() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.take(start).map(|t| t.0), Some(Due::Frame(0)));
        assert_eq!(pace.take(start), Some((Due::Word(0), Duration::ZERO)));
        assert_eq!(pace.take(start), None);
        let (mut now, mut counts) = (start, [1, 1]);
        while counts[0] < 3000 {
            let (at, due) = pace.next();
            assert!(at >= now && pace.take(at - Duration::from_nanos(1)).is_none());
            now = at;
            assert_eq!(pace.take(now), Some((due, Duration::ZERO)));
            counts[usize::from(matches!(due, Due::Word(_)))] += 1;
        }
        assert_eq!(counts, [3000, 4999]);
        assert!(now.duration_since(start).abs_diff(Duration::from_micros(99_966_666)) < Duration::from_micros(1));
    }

    #[test]
    fn what_was_missed_is_due_at_once_and_says_how_late() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let now = start + Duration::from_millis(100);
        let taken: Vec<_> = std::iter::from_fn(|| pace.take(now)).collect();
        assert_eq!(taken.iter().filter(|t| matches!(t.0, Due::Frame(_))).count(), 4);
        assert_eq!(taken.len(), 10);
        assert_eq!(taken[2], (Due::Word(1), Duration::from_millis(80)));
        assert!(pace.next().0 > now);
    }
}
