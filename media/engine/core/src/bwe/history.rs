//! What left on one transport, by transport-wide number: when, how much, of what kind, and what was said of it.
//!
//! A ring of the last `REMEMBERED` packets, none older than `AGE_US`; 8 bytes each, allocated with the first packet. Numbers
//! must be consecutive (mod 2^16); a jump or a long pause forgets everything before it.

use super::Class;

/// Packets remembered (a power of two): 16 KB, 3 s of a usual viewer, 0.4 s at 50 Mbit/s.
pub const REMEMBERED: usize = 2048;
/// Nothing older than this is remembered, microseconds.
pub const AGE_US: u64 = 10_000_000;

const MASK: u64 = REMEMBERED as u64 - 1;
/// Every 64th packet: with pauses of at most `AGE_US` soon enough for times of 32 bits.
const EXPIRED_EVERY: u64 = 64;

/// What feedback has said of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Unknown,
    Lost,
    Received,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Low 32 bits of the send time: enough, as no entry reaches an age of 71 minutes.
    at: u32,
    bytes: u16,
    class: Class,
    fate: Fate,
}

const EMPTY: Entry = Entry { at: 0, bytes: 0, class: Class::Media, fate: Fate::Unknown };
const _: () = assert!(size_of::<Entry>() * REMEMBERED <= 16 * 1024);

/// A remembered packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Unwrapped transport-wide number.
    pub number: u64,
    pub at_us: u64,
    pub bytes: u16,
    pub class: Class,
    /// What had been said of it before.
    pub before: Fate,
}

/// The packets one transport has sent lately.
#[derive(Debug)]
pub struct History {
    ring: Vec<Entry>,
    /// Oldest remembered number, and the one after the newest; unwrapped, starting in the second cycle.
    oldest: u64,
    next: u64,
    newest_us: u64,
}

impl Default for History {
    fn default() -> Self {
        Self { ring: Vec::new(), oldest: 1 << 16, next: 1 << 16, newest_us: 0 }
    }
}

impl History {
    /// Remembers a packet; returns its unwrapped number.
    #[inline]
    pub fn sent(&mut self, number: u16, bytes: usize, class: Class, now_us: u64) -> u64 {
        if number != self.next as u16 || self.ring.is_empty() || now_us.saturating_sub(self.newest_us) > AGE_US {
            self.restart(number);
        }
        let unwrapped = self.next;
        if let Some(entry) = self.ring.get_mut((unwrapped & MASK) as usize) {
            *entry = Entry { at: now_us as u32, bytes: bytes.min(usize::from(u16::MAX)) as u16, class, fate: Fate::Unknown };
        }
        self.next = unwrapped.wrapping_add(1);
        self.newest_us = now_us;
        self.oldest = self.oldest.max(self.next.saturating_sub(REMEMBERED as u64));
        // The oldest lies elsewhere in memory, and `report` looks at it anyway.
        if unwrapped.is_multiple_of(EXPIRED_EVERY) {
            self.expire(now_us);
        }
        unwrapped
    }

    /// Reads what the next `sent` will need.
    pub fn warm(&self) -> u64 {
        self.ring.get((self.next & MASK) as usize).map_or(0, |entry| u64::from(entry.bytes))
    }

    /// Allocates, or forgets everything: the line goes on in the next cycle.
    #[cold]
    fn restart(&mut self, number: u16) {
        if self.ring.is_empty() {
            self.ring = vec![EMPTY; REMEMBERED];
        }
        self.next = (self.next >> 16).wrapping_add(1) << 16 | u64::from(number);
        self.oldest = self.next;
    }

    #[inline]
    fn expire(&mut self, now_us: u64) {
        while self.oldest < self.next {
            match self.ring.get((self.oldest & MASK) as usize) {
                Some(entry) if u64::from((now_us as u32).wrapping_sub(entry.at)) > AGE_US => self.oldest = self.oldest.wrapping_add(1),
                _ => break,
            }
        }
    }

    /// The unwrapped number of a packet still remembered.
    pub fn unwrap(&self, number: u16) -> Option<u64> {
        let newest = self.next.checked_sub(1)?;
        let unwrapped = newest.checked_sub(u64::from((newest as u16).wrapping_sub(number)))?;
        (unwrapped >= self.oldest).then_some(unwrapped)
    }

    /// Notes what feedback says of a packet; None if it was never sent or is forgotten. A received packet stays received.
    pub fn report(&mut self, number: u16, received: bool, now_us: u64) -> Option<Sent> {
        if now_us.saturating_sub(self.newest_us) > AGE_US {
            self.oldest = self.next;
        }
        self.expire(now_us);
        let number = self.unwrap(number)?;
        let entry = self.ring.get_mut((number & MASK) as usize)?;
        let before = entry.fate;
        if before != Fate::Received {
            entry.fate = if received { Fate::Received } else { Fate::Lost };
        }
        let age = (now_us as u32).wrapping_sub(entry.at);
        Some(Sent { number, at_us: now_us.saturating_sub(u64::from(age)), bytes: entry.bytes, class: entry.class, before })
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_told_of_with_its_time_size_and_earlier_fate() {
        let mut history = History::default();
        let numbers: Vec<u64> =
            (0..10u16).map(|n| history.sent(65_530u16.wrapping_add(n), 100 + usize::from(n), Class::Media, 1_000)).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
        let sent = history.report(2, false, 2_000).unwrap();
        assert_eq!((sent.number, sent.at_us, sent.bytes, sent.before), (numbers[8], 1_000, 108, Fate::Unknown));
        assert_eq!(history.report(2, true, 2_000).map(|s| s.before), Some(Fate::Lost));
        assert_eq!(history.report(2, false, 2_000).map(|s| s.before), Some(Fate::Received));
        assert_eq!(history.report(2, false, 2_000).map(|s| s.before), Some(Fate::Received));
    }

    #[test]
    fn numbers_never_sent_and_numbers_forgotten_are_unknown() {
        let mut history = History::default();
        assert_eq!(history.report(0, true, 0), None);
        for n in 0..3000u16 {
            history.sent(n, 1200, Class::Rtx, u64::from(n));
        }
        assert_eq!(history.report(3000, true, 3000), None);
        assert_eq!(history.report(40_000, true, 3000), None);
        assert_eq!(history.report(951, true, 3000), None);
        assert_eq!(history.report(952, true, 3000).map(|s| s.at_us), Some(952));
    }

    #[test]
    fn nothing_is_remembered_longer_than_ten_seconds() {
        let mut history = History::default();
        let day = 86_400_000_000;
        history.sent(0, 100, Class::Media, day);
        history.sent(1, 100, Class::Media, day + 6_000_000);
        assert!(history.report(0, true, day + AGE_US).is_some());
        history.sent(2, 100, Class::Media, day + AGE_US + 1);
        assert!(history.report(0, true, day + AGE_US + 1).is_none());
        assert!(history.report(1, true, day + AGE_US + 1).is_some());
        // 2^32 microseconds later the low bits are the same again.
        assert!(history.report(2, true, day + AGE_US + 1 + (1 << 32)).is_none());
    }

    #[test]
    fn a_jump_of_the_numbers_forgets_what_was_before() {
        let mut history = History::default();
        history.sent(5, 100, Class::Media, 0);
        history.sent(7, 100, Class::Media, 1);
        assert_eq!((history.report(5, true, 2), history.report(6, true, 2)), (None, None));
        assert!(history.report(7, true, 2).is_some());
    }
}
