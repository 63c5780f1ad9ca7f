//! Generic NACK generation for one received stream (RFC 4585 section 6.2.1): what is missing and when to ask again.
//!
//! Bounded: at most 256 missing packets are chased, each at most 10 times and for at most one second. A gap too wide to
//! chase is reported so that a key frame is asked for instead.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const CHASED: usize = 256;
const TRIES: u8 = 10;
const GIVE_UP: Duration = Duration::from_secs(1);
/// Reordered packets get this long before the first request.
const MISORDER: Duration = Duration::from_millis(10);
const REPEAT: Duration = Duration::from_millis(50);

#[derive(Debug)]
struct Missing {
    sequence: u64,
    since: Instant,
    due: Instant,
    tries: u8,
}

/// The missing packets of one stream, oldest first.
#[derive(Debug, Default)]
pub struct NackGenerator {
    missing: VecDeque<Missing>,
    highest: Option<u64>,
}

/// What a received packet meant for the gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    InOrder,
    /// It filled a gap that was being chased.
    Recovered,
    /// More is missing than can be chased: only a key frame helps.
    TooWide,
}

impl NackGenerator {
    /// Notes an extended sequence number.
    pub fn received(&mut self, sequence: u64, now: Instant) -> Arrival {
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            return Arrival::InOrder;
        };
        if sequence <= highest {
            if let Some(at) = self.missing.iter().position(|m| m.sequence == sequence) {
                self.missing.remove(at);
                return Arrival::Recovered;
            }
            return Arrival::InOrder;
        }
        self.highest = Some(sequence);
        let gap = sequence - highest - 1;
        if gap == 0 {
            return Arrival::InOrder;
        }
        if gap > CHASED as u64 || self.missing.len() as u64 + gap > CHASED as u64 {
            self.missing.clear();
            return Arrival::TooWide;
        }
        for sequence in highest + 1..sequence {
            self.missing.push_back(Missing { sequence, since: now, due: now + MISORDER, tries: 0 });
        }
        Arrival::InOrder
    }

    /// Puts what is to be asked for now into `out` (16-bit sequence numbers, ascending). True if some were given up.
    pub fn poll(&mut self, now: Instant, out: &mut Vec<u16>) -> bool {
        let before = self.missing.len();
        self.missing.retain(|m| m.tries < TRIES && now.saturating_duration_since(m.since) < GIVE_UP);
        for m in self.missing.iter_mut().filter(|m| m.due <= now) {
            m.tries += 1;
            m.due = now + REPEAT * u32::from(m.tries).min(4);
            out.push(m.sequence as u16);
        }
        self.missing.len() < before
    }

    /// When `poll` next has something to do.
    pub fn due(&self) -> Option<Instant> {
        self.missing.iter().map(|m| m.due.min(m.since + GIVE_UP)).min()
    }

    /// Forgets everything: the stream starts anew.
    pub fn reset(&mut self) {
        *self = NackGenerator::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(nack: &mut NackGenerator, at: Instant) -> Vec<u16> {
        let mut out = Vec::new();
        nack.poll(at, &mut out);
        out
    }

    #[test]
    fn a_reordered_packet_is_never_asked_for() {
        let t = Instant::now();
        let mut nack = NackGenerator::default();
        for s in [10, 12] {
            nack.received(s, t);
        }
        assert!(asked(&mut nack, t + Duration::from_millis(9)).is_empty());
        assert_eq!(nack.received(11, t + Duration::from_millis(9)), Arrival::Recovered);
        assert!(asked(&mut nack, t + Duration::from_millis(20)).is_empty());
    }

    #[test]
    fn a_lost_packet_is_asked_for_a_bounded_number_of_times() {
        let t = Instant::now();
        let mut nack = NackGenerator::default();
        nack.received(65_535, t);
        nack.received(65_538, t);
        let total: usize = (0..5000).map(|ms| asked(&mut nack, t + Duration::from_millis(ms)).len()).sum();
        assert!((2 * 5..=2 * 10).contains(&total), "asked {total} times");
        assert_eq!(nack.due(), None);
    }

    #[test]
    fn a_hopeless_gap_clears_the_list_and_says_so() {
        let t = Instant::now();
        let mut nack = NackGenerator::default();
        nack.received(1, t);
        nack.received(3, t);
        assert_eq!(nack.received(9000, t), Arrival::TooWide);
        assert!(asked(&mut nack, t + Duration::from_millis(50)).is_empty());
    }
}
