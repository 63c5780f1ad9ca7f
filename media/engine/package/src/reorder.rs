//! Puts packets back into the order they were sent in, by extended sequence number (RFC 3550 appendix A.1).
//!
//! A packet in order goes straight through and is never copied. What comes early waits until the hole before it is filled,
//! until it has waited `PATIENCE_US`, or until too much waits; the hole is then a loss. Duplicates and what comes after its
//! hole was given up are dropped.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::BTreeMap;

/// How late a recorded packet may be: the publisher is asked again for one second.
pub const PATIENCE_US: u64 = 1_000_000;
/// What may wait, packets and bytes.
pub const MAX_WAITING: usize = 4_096;
pub const MAX_WAITING_BYTES: usize = 4 << 20;
/// A larger step, either way, is a new stream and no loss.
const MAX_STEP: u64 = 10_000;

/// A packet in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ordered<'a> {
    /// Packets are missing before this one.
    pub after_loss: bool,
    pub mark: Mark,
    pub packet: &'a [u8],
}

/// What the clock said about a packet when it arrived; travels with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    pub epoch: u32,
    /// Unwrapped RTP timestamp.
    pub ticks: i64,
}

#[derive(Debug)]
struct Waiting {
    arrival_us: u64,
    mark: Mark,
    packet: Vec<u8>,
}

/// Counts for the report of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub received: u64,
    /// Duplicates, and packets after their hole was given up.
    pub dropped: u64,
    /// Sequence numbers given up.
    pub lost: u64,
}

#[derive(Debug, Default)]
pub struct Reorder {
    next: Option<u64>,
    waiting: BTreeMap<u64, Waiting>,
    waiting_bytes: usize,
    /// The next packet that leaves is marked as coming after a loss.
    broken: bool,
    pub counts: Counts,
}

impl Reorder {
    /// Would a packet with this number be dropped?
    pub fn is_stale(&self, sequence: u64) -> bool {
        self.waiting.contains_key(&sequence) || self.next.is_some_and(|next| sequence < next && next.saturating_sub(sequence) <= MAX_STEP)
    }

    /// Takes a packet and hands on, in order, what it set free.
    pub fn push(&mut self, sequence: u64, arrival_us: u64, mark: Mark, packet: &[u8], mut out: impl FnMut(Ordered<'_>)) {
        self.counts.received = self.counts.received.saturating_add(1);
        if self.is_stale(sequence) {
            self.counts.dropped = self.counts.dropped.saturating_add(1);
            return self.expire(arrival_us, &mut out);
        }
        let next = *self.next.get_or_insert(sequence);
        if sequence.abs_diff(next) > MAX_STEP {
            self.flush(&mut out);
            self.broken = true;
            self.next = Some(sequence);
        }
        if self.next == Some(sequence) {
            self.emit(sequence, mark, packet, &mut out);
            self.release(&mut out);
        } else {
            self.waiting_bytes = self.waiting_bytes.saturating_add(packet.len());
            self.waiting.insert(sequence, Waiting { arrival_us, mark, packet: packet.to_vec() });
        }
        self.expire(arrival_us, &mut out);
    }

    /// Gives up every hole: the stream ends here.
    pub fn flush(&mut self, out: &mut impl FnMut(Ordered<'_>)) {
        while self.skip(out) {}
    }

    /// The stream ends and another begins at whatever number comes next.
    pub fn restart(&mut self, out: &mut impl FnMut(Ordered<'_>)) {
        self.flush(out);
        self.broken |= self.next.take().is_some();
    }

    /// Gives up the holes that are too old, or in the way of too much.
    fn expire(&mut self, now_us: u64, out: &mut impl FnMut(Ordered<'_>)) {
        while self.waiting.len() > MAX_WAITING || self.waiting_bytes > MAX_WAITING_BYTES || self.oldest().is_some_and(|at| at < now_us) {
            self.skip(out);
        }
    }

    /// When the first waiting packet has waited long enough.
    fn oldest(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|(_, waiting)| waiting.arrival_us.saturating_add(PATIENCE_US))
    }

    /// Gives up the first hole.
    fn skip(&mut self, out: &mut impl FnMut(Ordered<'_>)) -> bool {
        let Some((&sequence, _)) = self.waiting.first_key_value() else { return false };
        let lost = sequence.saturating_sub(self.next.unwrap_or(sequence));
        self.counts.lost = self.counts.lost.saturating_add(lost);
        self.broken |= lost > 0;
        self.next = Some(sequence);
        self.release(out);
        true
    }

    /// Hands on what waits without a hole before it.
    fn release(&mut self, out: &mut impl FnMut(Ordered<'_>)) {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| Some(*entry.key()) == self.next) {
            let (sequence, waiting) = entry.remove_entry();
            self.waiting_bytes = self.waiting_bytes.saturating_sub(waiting.packet.len());
            self.emit(sequence, waiting.mark, &waiting.packet, out);
        }
    }

    fn emit(&mut self, sequence: u64, mark: Mark, packet: &[u8], out: &mut impl FnMut(Ordered<'_>)) {
        self.next = sequence.checked_add(1);
        out(Ordered { after_loss: std::mem::take(&mut self.broken), mark, packet });
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    fn order(arrivals: &[(u64, u64)]) -> Vec<(u8, bool)> {
        let (mut reorder, mut seen) = (Reorder::default(), Vec::new());
        for &(sequence, ms) in arrivals {
            let mark = Mark::default();
            reorder.push(sequence, ms * 1000, mark, &[sequence as u8], |p| seen.push((p.packet[0], p.after_loss)));
        }
        reorder.flush(&mut |p| seen.push((p.packet[0], p.after_loss)));
        assert!(reorder.waiting.is_empty() && reorder.waiting_bytes == 0);
        seen
    }

    #[test]
    fn packets_leave_in_order_and_once() {
        let seen = order(&[(7, 0), (9, 1), (8, 2), (8, 3), (9, 3), (10, 4)]);
        assert_eq!(seen, vec![(7, false), (8, false), (9, false), (10, false)]);
    }

    #[test]
    fn a_packet_may_be_a_second_late_and_no_more() {
        assert_eq!(order(&[(1, 0), (3, 10), (4, 900), (2, 1_010)]), vec![(1, false), (2, false), (3, false), (4, false)]);
        assert_eq!(order(&[(1, 0), (3, 10), (4, 1_011), (2, 1_020)]), vec![(1, false), (3, true), (4, false)]);
    }

    #[test]
    fn a_far_step_is_a_new_stream_either_way() {
        assert_eq!(order(&[(1, 0), (3, 1), (100_000, 2), (100_001, 3)]), vec![(1, false), (3, true), (160, true), (161, false)]);
        assert_eq!(order(&[(100_000, 0), (5, 1), (6, 2)]), vec![(160, false), (5, true), (6, false)]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut reorder = Reorder::default();
        reorder.push(0, 0, Mark::default(), &[], |_| {});
        for sequence in 2..9_000 {
            reorder.push(sequence, 0, Mark::default(), &[0; 1200], |_| {});
            assert!(reorder.waiting.len() <= MAX_WAITING && reorder.waiting_bytes <= MAX_WAITING_BYTES);
        }
    }

    #[test]
    fn the_last_number_there_is_does_not_wrap() {
        assert_eq!(order(&[(u64::MAX - 1, 0), (u64::MAX, 1), (u64::MAX, 2)]).len(), 3);
    }
}
