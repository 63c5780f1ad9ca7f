//! How one slot turns packets of changing sources into one continuous stream (a selective forwarding middlebox, RFC 7667 section 3.7).
//!
//! Each time a slot takes another source (or the source restarts) a segment begins: constant offsets for sequence number,
//! timestamp and VP8 picture ids, chosen so that the numbers a decoder sees go on without a gap. A packet is mapped by
//! arithmetic alone, so nothing is stored per packet, and a sequence number from a NACK is mapped back the same way.
//!
//! A segment that begins with cached packets is *squeezed*: their media time runs 128 times faster, so that two seconds of
//! history are shown in sixteen milliseconds and the receiver is live at once.

use std::collections::VecDeque;
use std::time::Instant;

use crate::arena::Key;
use crate::track::Track;

/// Past segments kept for retransmissions.
const SEGMENTS: usize = 4;

/// Binary logarithm of how much faster squeezed media time runs.
const SQUEEZE: u32 = 7;

/// Where a source stream comes from: the track, its layer, and how often its sender started anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    pub track: Key<Track>,
    pub layer: u8,
    pub epoch: u32,
}

/// The first packet of a segment.
#[derive(Debug, Clone, Copy)]
pub struct First {
    pub source: Source,
    pub sequence: u64,
    pub timestamp: u32,
    pub ids: PictureIds,
    pub clock_rate: u32,
    /// The timestamp of the newest cached packet, if the segment begins with cached ones.
    pub live: Option<u32>,
}

/// Ticks after which nothing from before `live` is sent any more.
const LONG_PAST: u32 = 1 << 22;

/// Constant offsets between one source and the slot's stream.
#[derive(Debug, Clone, Copy)]
pub struct Segment {
    pub source: Source,
    /// First sequence numbers of this segment, in the source and in the slot (both extended).
    first_in: u64,
    first_out: u64,
    /// Add to the source's (squeezed), wrapping.
    timestamp: u32,
    live: Option<u32>,
    pub picture_id: u16,
    pub tl0_pic_idx: u8,
}

impl Segment {
    /// The slot's sequence number for a source packet; None for packets from before the switch.
    pub fn map(&self, sequence: u64) -> Option<u64> {
        Some(self.first_out.wrapping_add(sequence.checked_sub(self.first_in)?))
    }

    /// The slot's timestamp for the source's.
    pub fn timestamp(&self, timestamp: u32) -> u32 {
        squeezed(timestamp, self.live).wrapping_add(self.timestamp)
    }
}

/// A source timestamp with the time before `live` running faster.
fn squeezed(timestamp: u32, live: Option<u32>) -> u32 {
    match live {
        Some(live) if live.wrapping_sub(timestamp) < 1 << 31 => live.wrapping_sub(live.wrapping_sub(timestamp) >> SQUEEZE),
        _ => timestamp,
    }
}

/// What is known of a video packet's place in its stream (VP8 payload descriptor, RFC 7741), if anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PictureIds {
    /// (number, width in bits: 7 or 15).
    pub picture_id: Option<(u16, u8)>,
    pub tl0_pic_idx: Option<u8>,
}

/// The numbering of one slot.
#[derive(Debug)]
pub struct Mapping {
    segments: VecDeque<Segment>,
    highest: u64,
    timestamp: u32,
    sent: Option<Instant>,
    picture_id: u16,
    tl0_pic_idx: u8,
}

impl Mapping {
    /// `seed` scatters the first numbers; sequence numbers start below 2^15 so that no receiver can misjudge the first wrap.
    pub fn new(seed: u32) -> Mapping {
        let scattered = seed.wrapping_mul(0x9e37_79b1);
        Mapping {
            segments: VecDeque::with_capacity(SEGMENTS),
            highest: u64::from(scattered >> 18),
            timestamp: scattered,
            sent: None,
            picture_id: (scattered >> 8) as u16 & 0x7fff,
            tl0_pic_idx: scattered as u8,
        }
    }

    /// Reads what the next packet will need.
    pub fn warm(&self) -> u64 {
        self.current().map_or(0, |segment| segment.first_in ^ u64::from(segment.source.epoch) ^ u64::from(segment.tl0_pic_idx))
    }

    /// The segment in force.
    pub fn current(&self) -> Option<&Segment> {
        self.segments.back()
    }

    /// Begins a segment with this packet of a new source.
    pub fn begin(&mut self, first: First, now: Instant) {
        // The gap in media time is the gap in arrival time: sender reports of two sources cannot be compared early enough.
        let elapsed = self.sent.map_or(1, |at| {
            let ticks = now.saturating_duration_since(at).as_micros() as u64 * u64::from(first.clock_rate) / 1_000_000;
            (ticks as u32).max(1)
        });
        let begins = squeezed(first.timestamp, first.live);
        if self.segments.len() == SEGMENTS {
            self.segments.pop_front();
        }
        self.segments.push_back(Segment {
            source: first.source,
            first_in: first.sequence,
            first_out: self.highest + 1,
            timestamp: self.timestamp.wrapping_add(elapsed).wrapping_sub(begins),
            live: first.live,
            picture_id: self.picture_id.wrapping_add(1).wrapping_sub(first.ids.picture_id.map_or(0, |id| id.0)),
            tl0_pic_idx: self.tl0_pic_idx.wrapping_add(1).wrapping_sub(first.ids.tl0_pic_idx.unwrap_or(0)),
        });
    }

    /// Notes a packet that was sent under the current segment.
    pub fn sent(&mut self, sequence: u64, timestamp: u32, ids: PictureIds, now: Instant) {
        let Some(segment) = self.segments.back_mut() else { return };
        if sequence <= self.highest {
            return;
        }
        // Long past, since half the range later it would seem to lie ahead again.
        segment.live = segment.live.filter(|live| !(LONG_PAST..1 << 31).contains(&timestamp.wrapping_sub(*live)));
        let segment = *segment;
        if let Some(id) = ids.picture_id {
            self.picture_id = self.picture_id(&segment, id, sequence);
        }
        self.highest = sequence;
        self.timestamp = segment.timestamp(timestamp);
        self.sent = Some(now);
        if let Some(id) = ids.tl0_pic_idx {
            self.tl0_pic_idx = id.wrapping_add(segment.tl0_pic_idx);
        }
    }

    /// The 15-bit picture id of a packet that has (or had) this number: one of 7 bits goes on where it wraps, near the newest.
    pub fn picture_id(&self, segment: &Segment, (id, bits): (u16, u8), sequence: u64) -> u16 {
        let mapped = id.wrapping_add(segment.picture_id);
        let near = match bits {
            7 if sequence > self.highest => self.picture_id.wrapping_add(mapped.wrapping_sub(self.picture_id) & 0x7f),
            7 => self.picture_id.wrapping_sub(self.picture_id.wrapping_sub(mapped) & 0x7f),
            _ => mapped,
        };
        near & 0x7fff
    }

    /// The last timestamp sent and when.
    pub fn last(&self) -> Option<(u32, Instant)> {
        Some((self.timestamp, self.sent?))
    }

    /// The newest source packet of the segment in force that was sent; None if none was.
    pub fn newest(&self) -> Option<u64> {
        let segment = self.segments.back()?;
        Some(segment.first_in.wrapping_add(self.highest.checked_sub(segment.first_out)?))
    }

    /// Which source packet was (or would have been) sent under this number.
    pub fn locate(&self, sequence: u16) -> Option<(Segment, u64, u64)> {
        let behind = (self.highest as u16).wrapping_sub(sequence);
        if behind >= 1 << 15 {
            return None;
        }
        let out = self.highest.checked_sub(u64::from(behind))?;
        let segment = self.segments.iter().rev().find(|s| s.first_out <= out)?;
        Some((*segment, segment.first_in + (out - segment.first_out), out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn first(epoch: u32, sequence: u64, timestamp: u32, ids: PictureIds) -> First {
        let source = Source { track: Key::dangling(), layer: 0, epoch };
        First { source, sequence, timestamp, ids, clock_rate: 90_000, live: None }
    }

    fn ids(picture_id: u16, tl0: u8) -> PictureIds {
        PictureIds { picture_id: Some((picture_id, 15)), tl0_pic_idx: Some(tl0) }
    }

    #[test]
    fn numbers_go_on_without_a_gap_over_a_switch() {
        let t = Instant::now();
        let mut m = Mapping::new(1234);
        m.begin(first(1, 70_000, 1000, ids(0x7ffe, 255)), t);
        let a = m.current().unwrap().map(70_000).unwrap();
        m.sent(a, 1000, ids(0x7ffe, 255), t);
        let (before, _) = m.last().unwrap();
        let (picture, tl0) = (m.picture_id, m.tl0_pic_idx);
        let later = t + Duration::from_millis(100);
        m.begin(first(2, 5, 0xffff_0000, ids(3, 9)), later);
        let b = m.current().unwrap().map(5).unwrap();
        m.sent(b, 0xffff_0000, ids(3, 9), later);
        assert_eq!(b, a + 1);
        assert_eq!(m.last().unwrap().0.wrapping_sub(before), 9000);
        assert_eq!((m.picture_id, m.tl0_pic_idx), ((picture + 1) & 0x7fff, tl0.wrapping_add(1)));
    }

    #[test]
    fn ids_of_seven_bits_go_on_where_they_wrap_and_late_packets_keep_theirs() {
        let t = Instant::now();
        let mut m = Mapping::new(99);
        let short = |n: u64| PictureIds { picture_id: Some(((n % 128) as u16, 7)), tl0_pic_idx: None };
        m.begin(first(1, 1000, 0, short(100)), t);
        let mut given = Vec::new();
        // Three packets a picture, every tenth picture lost.
        for n in (0..600u64).filter(|n| n / 3 % 10 != 9) {
            let (segment, ids) = (*m.current().unwrap(), short(100 + n / 3));
            let sequence = segment.map(1000 + n).unwrap();
            given.push((n, segment, m.picture_id(&segment, ids.picture_id.unwrap(), sequence)));
            m.sent(sequence, 0, ids, t);
        }
        let begun = given[0].2;
        assert!(given.iter().all(|(n, _, id)| *id == (begun + (n / 3) as u16) & 0x7fff));
        for (n, segment, id) in given.iter().filter(|(n, ..)| n / 3 > 80) {
            let sequence = segment.map(1000 + n).unwrap();
            assert_eq!(m.picture_id(segment, short(100 + n / 3).picture_id.unwrap(), sequence), *id, "sent again");
        }
    }

    #[test]
    fn packets_from_before_a_switch_are_not_sent_after_it() {
        let mut m = Mapping::new(1);
        m.begin(first(1, 100, 0, PictureIds::default()), Instant::now());
        assert_eq!(m.current().unwrap().map(99), None);
    }

    #[test]
    fn a_nack_finds_the_source_packet_in_the_right_segment() {
        let t = Instant::now();
        let mut m = Mapping::new(77);
        m.begin(first(1, 1000, 0, PictureIds::default()), t);
        let begun = m.current().unwrap().map(1000).unwrap();
        for s in 1000..1010 {
            m.sent(m.current().unwrap().map(s).unwrap(), 0, PictureIds::default(), t);
        }
        m.begin(first(2, 50, 0, PictureIds::default()), t);
        for s in 50..60 {
            m.sent(m.current().unwrap().map(s).unwrap(), 0, PictureIds::default(), t);
        }
        let (segment, sequence, _) = m.locate(begun as u16 + 3).unwrap();
        assert_eq!((segment.source.epoch, sequence), (1, 1003));
        let (segment, sequence, _) = m.locate(begun as u16 + 12).unwrap();
        assert_eq!((segment.source.epoch, sequence), (2, 52));
        assert!(m.locate((begun as u16).wrapping_sub(1)).is_none(), "before the first packet");
        assert!(m.locate(begun as u16 + 100).is_none(), "never sent");
    }

    #[test]
    fn what_waits_to_be_sent_is_not_known_as_sent() {
        let t = Instant::now();
        let mut m = Mapping::new(3);
        assert_eq!(m.newest(), None);
        m.begin(first(1, 1000, 0, PictureIds::default()), t);
        assert_eq!(m.newest(), None, "nothing of this segment");
        m.sent(m.current().unwrap().map(1004).unwrap(), 0, PictureIds::default(), t);
        assert_eq!(m.newest(), Some(1004));
        m.begin(first(2, 50, 0, PictureIds::default()), t);
        assert_eq!(m.newest(), None, "numbers of the segment before are not its own");
    }

    #[test]
    fn two_cached_seconds_pass_in_sixteen_milliseconds_and_time_is_normal_afterwards() {
        let t = Instant::now();
        let mut m = Mapping::new(5);
        let start = 0xffff_ff00u32;
        let live = start.wrapping_add(180_000);
        m.begin(First { live: Some(live), ..first(1, 10, start, PictureIds::default()) }, t);
        let segment = *m.current().unwrap();
        let at = |ticks: u32| segment.timestamp(start.wrapping_add(ticks)).wrapping_sub(segment.timestamp(start));
        assert_eq!(at(180_000), 180_000 >> 7);
        assert_eq!(at(183_000) - at(180_000), 3000);
        assert!((0..180_000).step_by(3000).all(|ticks| at(ticks + 3000) > at(ticks)), "frames stay apart and in order");
    }

    #[test]
    fn time_stays_normal_when_half_the_range_has_passed_since_the_cached_picture() {
        let t = Instant::now();
        let mut m = Mapping::new(5);
        let live = 3_000;
        m.begin(First { live: Some(live), ..first(1, 10, 0, PictureIds::default()) }, t);
        // Nine hours of 90 kHz, a frame each minute.
        let mut last = None;
        for n in 0..540u64 {
            let (sequence, timestamp) = (m.current().unwrap().map(10 + n).unwrap(), live.wrapping_add((n as u32).wrapping_mul(5_400_000)));
            let before = last.replace(m.current().unwrap().timestamp(timestamp));
            assert!(before.is_none_or(|before| last.unwrap().wrapping_sub(before) == 5_400_000), "minute {n}");
            m.sent(sequence, timestamp, PictureIds::default(), t);
        }
    }
}
