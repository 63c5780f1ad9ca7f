//! When a publisher sends what: 30 frames and 50 words a second, each from a beginning of its own, no drift. Pure.
//!
//! Cameras and microphones of many people keep no common time: where in its period each begins is a matter of the publisher's
//! number, spread as by chance and the same in every run.

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
    first_frame: Instant,
    first_word: Instant,
    frames: u32,
    words: u32,
}

impl Pace {
    /// Publisher `number` begins within a period of `start`.
    pub fn new(start: Instant, number: u32) -> Pace {
        let (frame, word) = (chance(number), chance(!number));
        Pace {
            first_frame: start + (Duration::from_secs(1) / FRAME_RATE).mul_f64(frame),
            first_word: start + WORD.mul_f64(word),
            frames: 0,
            words: 0,
        }
    }

    /// The next and when it is due; a frame before a word of the same moment.
    pub fn next(&self) -> (Instant, Due) {
        let frame = self.first_frame + Duration::from_secs(1) * self.frames / FRAME_RATE;
        let word = self.first_word + WORD * self.words;
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

/// Of 0..1, as if by chance (the finaliser of MurmurHash3).
fn chance(number: u32) -> f64 {
    let mut hash = number.wrapping_add(0x9e37_79b9);
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    f64::from(hash ^ hash >> 16) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_step(start: Instant) -> Pace {
        Pace { first_frame: start, first_word: start, frames: 0, words: 0 }
    }

    #[test]
    fn publishers_begin_all_over_the_period() {
        let start = Instant::now();
        let mut eighths = [[0; 8]; 2];
        for number in 0..800 {
            let pace = Pace::new(start, number);
            let [frame, word] = [pace.first_frame, pace.first_word].map(|at| at.duration_since(start).as_secs_f64());
            eighths[0][(frame * f64::from(FRAME_RATE) * 8.0) as usize] += 1;
            eighths[1][(word / WORD.as_secs_f64() * 8.0) as usize] += 1;
        }
        assert!(eighths.iter().flatten().all(|count| (60..140).contains(count)), "{eighths:?}");
    }

    #[test]
    fn every_second_has_thirty_frames_and_fifty_words_at_their_time() {
        let start = Instant::now();
        let mut pace = in_step(start);
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
        let mut pace = in_step(start);
        let now = start + Duration::from_millis(100);
        let taken: Vec<_> = std::iter::from_fn(|| pace.take(now)).collect();
        assert_eq!(taken.iter().filter(|t| matches!(t.0, Due::Frame(_))).count(), 4);
        assert_eq!(taken.len(), 10);
        assert_eq!(taken[2], (Due::Word(1), Duration::from_millis(80)));
        assert!(pace.next().0 > now);
    }
}
