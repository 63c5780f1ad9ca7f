//! One thing a peer receives: a continuous stream whose source changes. Resends go as RFC 4588 section 4, repeats of sound as RFC 2198.

use std::time::{Duration, Instant};

use crate::arena::Key;
use crate::bwe::Choice;
use crate::command::AddSlot;
use crate::mapping::{Mapping, Source};
use crate::media::{CodecName, Kind, CODECS};
use crate::peer::Peer;
use crate::repeats::{self, Repeats};
use crate::track::Track;

/// Resends of one packet, at most.
const RESENDS: u8 = 10;
/// The same packet is not resent sooner than this.
const RESEND_SPACING: Duration = Duration::from_millis(20);
/// Packets whose resends are counted.
const REMEMBERED: usize = 512;
/// Sound is repeated for this long after a report of loss.
const REPEATING: Duration = Duration::from_secs(10);
/// Resent bytes allowed before anything was earned, and at most.
const CREDIT: i64 = 64 * 1024;

/// One outgoing slot.
pub struct Slot {
    pub id: u64,
    pub peer: Key<Peer>,
    pub kind: Kind,
    pub mid: String,
    pub ssrc: u32,
    pub rtx_ssrc: Option<u32>,
    pub auto: Option<usize>,
    /// Who is served first when bandwidth is short, 0 first.
    pub rank: u8,
    /// By `CodecName` discriminant: payload type and its RTX twin.
    codecs: [Option<(u8, Option<u8>)>; CODECS],
    /// What it is meant to play.
    pub wanted: Option<Key<Track>>,
    /// The best layer worth sending; None while its receiver does not see it.
    pub most: Option<u8>,
    /// The layer of `wanted` it is to play; None = nothing of it now.
    pub target: Option<u8>,
    /// How that was chosen.
    pub choice: Choice,
    /// What it plays now.
    pub playing: Option<Source>,
    /// What was last told of its layer.
    pub told: Option<Option<u8>>,
    pub mapping: Mapping,
    pub rtx_sequence: u16,
    pub packets: u32,
    pub octets: u32,
    pub clock_rate: u32,
    pub codec: Option<CodecName>,
    /// A sender report is due when this has passed.
    pub report_due: Option<Instant>,
    resent: Vec<Resent>,
    credit: i64,
    /// The source's timestamp of a picture whose last packet was not sent yet.
    pub unfinished: Option<u32>,
    /// Earlier packets of sound that go with each, and until when at least.
    redundancy: (usize, Option<Instant>),
    /// Those, for a receiver that takes no redundant payloads.
    pub repeated: Option<Box<Repeats>>,
}

/// What a slot makes of packets of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attitude {
    Plays,
    /// From its next key frame.
    Awaits,
    Ignores,
}

#[derive(Clone, Copy)]
struct Resent {
    sequence: u64,
    times: u8,
    last: Instant,
}

impl Slot {
    pub fn new(add: AddSlot, peer: Key<Peer>) -> Slot {
        let AddSlot { slot: id, kind, mid, ssrc, rtx_ssrc, codecs, auto, rank, .. } = add;
        let mut table = [None; CODECS];
        for codec in &codecs {
            table[codec.name as usize].get_or_insert((codec.pt, codec.rtx_pt));
        }
        Slot {
            id,
            peer,
            kind,
            mid,
            ssrc,
            rtx_ssrc,
            auto,
            rank,
            codecs: table,
            wanted: None,
            most: Some(u8::MAX),
            target: None,
            choice: Choice::default(),
            playing: None,
            told: None,
            mapping: Mapping::new(ssrc),
            rtx_sequence: (ssrc >> 17) as u16,
            packets: 0,
            octets: 0,
            clock_rate: if kind == Kind::Audio { 48_000 } else { 90_000 },
            codec: None,
            report_due: None,
            resent: Vec::new(),
            credit: CREDIT,
            unfinished: None,
            redundancy: (0, None),
            repeated: None,
        }
    }

    /// The track is gone.
    pub fn forget(&mut self, track: Key<Track>) {
        if self.wanted.take_if(|wanted| *wanted == track).is_some() {
            self.target = None;
            self.told = None;
        }
        self.playing.take_if(|playing| playing.track == track);
    }

    /// What this slot makes of packets of a source.
    pub fn attitude(&self, source: Source) -> Attitude {
        if self.playing == Some(source) {
            Attitude::Plays
        } else if self.wanted == Some(source.track) && self.target == Some(source.layer) {
            Attitude::Awaits
        } else {
            Attitude::Ignores
        }
    }

    /// Stops playing, once the picture that is being sent is whole: whoever gets half of one has to throw it away.
    pub fn pause(&mut self) {
        if self.unfinished.is_none() {
            self.playing = None;
        }
    }

    /// Whether it was paused and this is not the rest of the picture it still owes.
    pub fn is_over(&self, timestamp: u32) -> bool {
        self.kind == Kind::Video && self.target.is_none() && self.unfinished != Some(timestamp)
    }

    /// Whether anything was sent within this time.
    pub fn has_sent(&self, within: Duration, now: Instant) -> bool {
        self.mapping.last().is_some_and(|(_, at)| now.saturating_duration_since(at) < within)
    }

    /// Whether it is to play something it does not play yet.
    pub fn awaits(&self) -> Option<(Key<Track>, u8)> {
        let (track, layer) = (self.wanted?, self.target?);
        (self.playing.map(|source| (source.track, source.layer)) != Some((track, layer))).then_some((track, layer))
    }

    /// The receiver reported what it still missed after repeats (1/256).
    pub fn missed(&mut self, fraction: u8, now: Instant) {
        self.lost(repeats::before_repair(fraction, self.repeats(now)), now);
    }

    /// So much was lost on the way (1/256): sound is repeated at once, and for a while after the last loss.
    pub fn lost(&mut self, fraction: u8, now: Instant) {
        let wanted = match fraction {
            0..=4 => 0,
            5..=20 => 1,
            _ => 2,
        };
        if wanted >= self.redundancy(now) {
            self.redundancy = (wanted, Some(now + REPEATING));
        }
        if self.repeats(now) == 0 {
            self.repeated = None;
        }
    }

    /// How many earlier packets of sound go with each one.
    pub fn redundancy(&self, now: Instant) -> usize {
        match self.redundancy {
            (count, Some(until)) if until > now => count,
            _ => 0,
        }
    }

    /// How many of them go as packets of their own, since the receiver takes no redundant payloads (RFC 2198).
    pub fn repeats(&self, now: Instant) -> usize {
        match self.kind {
            Kind::Audio if self.payload_type(CodecName::Red).is_none() => self.redundancy(now),
            _ => 0,
        }
    }

    /// The payload type and SSRC of its RTX stream, for packets without payload; None if it has none.
    pub fn padding_stream(&self) -> Option<(u8, u32)> {
        let of = |codec: Option<(u8, Option<u8>)>| codec.and_then(|(_, rtx)| rtx);
        let payload_type =
            of(self.codec.and_then(|codec| self.payload_type(codec))).or_else(|| self.codecs.iter().copied().find_map(of))?;
        Some((payload_type, self.rtx_ssrc?))
    }

    /// Reads what the next packet will need.
    pub fn warm(&self) -> u64 {
        let mid = self.mid.as_bytes().first().map_or(0, |byte| u64::from(*byte));
        self.mapping.warm() ^ mid ^ u64::from(self.ssrc) ^ u64::from(self.octets) ^ self.credit as u64 ^ u64::from(self.playing.is_some())
    }

    /// The payload types this slot uses for a codec: (media, RTX).
    pub fn payload_type(&self, codec: CodecName) -> Option<(u8, Option<u8>)> {
        self.codecs[codec as usize]
    }

    /// Media bytes sent earn the right to resend 15 % as many.
    pub fn earn(&mut self, bytes: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(bytes as u32);
        self.credit = (self.credit + (bytes as i64 * 15) / 100).min(CREDIT);
    }

    /// Whether this packet may be resent now; counts it.
    pub fn may_resend(&mut self, sequence: u64, bytes: usize, now: Instant) -> bool {
        if self.credit < bytes as i64 {
            return false;
        }
        if self.resent.is_empty() {
            self.resent = vec![Resent { sequence: 0, times: 0, last: now }; REMEMBERED];
        }
        let entry = &mut self.resent[(sequence % REMEMBERED as u64) as usize];
        if entry.sequence == sequence {
            if entry.times >= RESENDS || now.saturating_duration_since(entry.last) < RESEND_SPACING {
                return false;
            }
        } else {
            *entry = Resent { sequence, times: 0, last: now };
        }
        entry.times += 1;
        entry.last = now;
        self.credit -= bytes as i64;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> Slot {
        let (kind, mid) = (Kind::Video, "0".into());
        Slot::new(AddSlot { slot: 1, peer: 1, kind, mid, ssrc: 1, rtx_ssrc: Some(2), codecs: vec![], auto: None, rank: 0 }, Key::dangling())
    }

    #[test]
    fn one_packet_is_resent_at_most_ten_times_and_not_in_a_burst() {
        let t = Instant::now();
        let mut slot = slot();
        let burst = (0..100).filter(|_| slot.may_resend(5000, 100, t)).count();
        assert_eq!(burst, 1);
        let total = (1..1000).filter(|i| slot.may_resend(5000, 100, t + Duration::from_millis(25 * i))).count();
        assert_eq!(total, 9);
    }

    #[test]
    fn resends_are_a_sixth_of_what_was_sent_at_most() {
        let t = Instant::now();
        let mut slot = slot();
        let mut resent = 0;
        for i in 0..10_000u64 {
            slot.earn(1000);
            resent += usize::from(slot.may_resend(i, 1000, t));
        }
        assert!((1500..=1500 + CREDIT as usize / 1000).contains(&resent), "{resent}");
    }
}
