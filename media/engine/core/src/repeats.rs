//! Sound sent again as it was, for receivers that lose much and take no redundant payloads (RFC 2198): Firefox, most players.
//!
//! The copies are the very bytes that left before, so nothing is sealed twice; the receiver's replay window drops those it has
//! (RFC 3711 section 3.3.2). They name no transport-wide number: a copy that arrives in place of a lost one says nothing about
//! how long packets travel.

/// Earlier packets kept.
pub const MOST: usize = 2;
/// Longer packets are not repeated, bytes.
const LONGEST: usize = 512;
const EMPTY: Vec<u8> = Vec::new();

/// The last packets of one voice at one receiver, sealed.
#[derive(Debug)]
pub struct Repeats {
    kept: [Vec<u8>; MOST],
    /// Where the next one goes: the place of the oldest.
    next: usize,
}

impl Default for Repeats {
    fn default() -> Self {
        Repeats { kept: [EMPTY; MOST], next: 0 }
    }
}

impl Repeats {
    /// Keeps a packet in place of the oldest.
    pub fn keep(&mut self, packet: &[u8]) {
        if let Some(place) = self.kept.get_mut(self.next) {
            place.clear();
            place.extend_from_slice(if packet.len() <= LONGEST { packet } else { &[] });
        }
        self.next = (self.next + 1) % MOST;
    }

    /// The last `count` packets, oldest first.
    pub fn last(&self, count: usize) -> impl Iterator<Item = &[u8]> {
        let skip = MOST.saturating_sub(count);
        (skip..MOST).filter_map(move |n| self.kept.get((self.next + n) % MOST)).map(Vec::as_slice).filter(|packet| !packet.is_empty())
    }
}

/// The share of packets a receiver loses (1/256) when so much is still missing after each came `copies` more times.
pub fn before_repair(fraction: u8, copies: usize) -> u8 {
    let missing = f32::from(fraction) / 256.0;
    (missing.powf(1.0 / (copies as f32 + 1.0)) * 256.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_packets_come_oldest_first_and_long_ones_not_at_all() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.last(2).count(), 0);
        (1..=5u8).for_each(|n| repeats.keep(&[n; 100]));
        let got = |repeats: &Repeats, count| repeats.last(count).map(|packet| packet[0]).collect::<Vec<_>>();
        assert_eq!((got(&repeats, 0), got(&repeats, 1), got(&repeats, 2), got(&repeats, 9)), (vec![], vec![5], vec![4, 5], vec![4, 5]));
        repeats.keep(&[6; LONGEST + 1]);
        assert_eq!(got(&repeats, 2), vec![5]);
    }

    #[test]
    fn what_is_missing_after_repair_tells_what_was_lost_before() {
        assert_eq!((before_repair(0, 2), before_repair(77, 0)), (0, 77));
        assert!((75..=79).contains(&before_repair(7, 2)), "{}", before_repair(7, 2));
        assert!((74..=78).contains(&before_repair(23, 1)), "{}", before_repair(23, 1));
    }
}
