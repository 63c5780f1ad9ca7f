//! What a shard wants recorded, on its way to the writer: packets of recorded tracks as they came, and what happened to them.
//!
//! Bounded and never waited for. When the writer is behind, the least important goes first: pictures of trainees, then any
//! picture but the trainer's, never sound while a byte is free; what was lost is counted by its track and told with the next
//! packet that is taken.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::time::Instant;

use crate::bytes::Reader;

/// Bytes on the way to the writer, for one shard: a second of 25 classes. A disk may hold a write up for so long while it syncs.
pub const LIMIT: usize = 16 << 20;
/// Bytes before an entry's content.
const HEADER: usize = 28;

/// How much a track matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    Sound,
    Screen,
    Trainer,
    Camera,
}

impl Rank {
    pub fn parse(rank: u8) -> Option<Rank> {
        Some(match rank {
            0 => Rank::Sound,
            1 => Rank::Screen,
            2 => Rank::Trainer,
            3 => Rank::Camera,
            _ => return None,
        })
    }

    /// How much may wait before this is left out.
    fn room(self) -> usize {
        match self {
            Rank::Sound | Rank::Trainer => LIMIT,
            Rank::Screen => LIMIT / 4 * 3,
            Rank::Camera => LIMIT / 2,
        }
    }
}

/// A track that is being recorded.
#[derive(Debug)]
pub struct Recorded {
    /// Its number in the recording.
    pub number: u16,
    pub rank: Rank,
    /// The layer on the tape now, and which beginning of its stream.
    pub layer: Option<(usize, u32)>,
    /// Packets and bytes the tape did not take since it last did.
    pub lost: (u32, u32),
    /// When a key frame was last asked for on its behalf.
    pub asked: Option<Instant>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taped {
    Start,
    End,
    Packet,
    SenderReport,
    Layer,
    Mute,
    Unmute,
    Loss,
}

const KINDS: [Taped; 8] =
    [Taped::Start, Taped::End, Taped::Packet, Taped::SenderReport, Taped::Layer, Taped::Mute, Taped::Unmute, Taped::Loss];

/// A key frame begins with this packet.
pub const KEY_FRAME: u8 = 1;
/// It came as a retransmission.
pub const RESENT: u8 = 2;
/// Observed, not commanded.
pub const INFERRED: u8 = 4;

/// What is said about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    pub room: u64,
    pub kind: Taped,
    pub flags: u8,
    /// The track's number in its recording.
    pub number: u16,
    pub arrival_us: u64,
    /// How often the sequence number has wrapped, from 1.
    pub roc: u32,
}

/// Entries in order.
#[derive(Debug, Default)]
pub struct Tape {
    bytes: Vec<u8>,
    /// Bytes that left here and were not taken by the writer yet.
    pub backlog: usize,
    /// The disk is nearly full: sound and screens only.
    pub essential: bool,
}

impl Tape {
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes, for handing over.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Adds an entry of these parts; false if there is no room for one of this rank.
    pub fn push(&mut self, rank: Rank, label: &Label, parts: &[&[u8]]) -> bool {
        let len = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        let waiting = self.bytes.len().saturating_add(self.backlog).saturating_add(HEADER).saturating_add(len);
        let refused = self.essential && rank > Rank::Screen && label.kind == Taped::Packet;
        if refused || waiting > rank.room() || len > usize::from(u16::MAX) {
            return false;
        }
        self.bytes.extend_from_slice(&label.room.to_be_bytes());
        self.bytes.extend_from_slice(&label.arrival_us.to_be_bytes());
        self.bytes.extend_from_slice(&label.roc.to_be_bytes());
        self.bytes.extend_from_slice(&label.number.to_be_bytes());
        self.bytes.extend_from_slice(&[label.kind as u8, label.flags]);
        self.bytes.extend_from_slice(&(len as u32).to_be_bytes());
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        true
    }
}

/// The entries of a tape's bytes.
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = (Label, &[u8])> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || {
        let (room, arrival_us, roc) = (reader.u64()?, reader.u64()?, reader.u32()?);
        let (number, kind, flags) = (reader.u16()?, reader.u8()?, reader.u8()?);
        let kind = *KINDS.get(usize::from(kind))?;
        let len = reader.u32()?;
        let content = reader.take(len as usize)?;
        Some((Label { room, kind, flags, number, arrival_us, roc }, content))
    })
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    fn label(number: u16) -> Label {
        Label { room: 7, kind: Taped::Packet, flags: KEY_FRAME, number, arrival_us: 1 << 40, roc: 3 }
    }

    #[test]
    fn what_is_pushed_is_read_in_order() {
        let mut tape = Tape::default();
        for kind in KINDS {
            assert!(tape.push(Rank::Sound, &Label { kind, ..label(5) }, &[b"head", b"", b"body"]));
        }
        let read: Vec<_> = entries(tape.bytes()).map(|(label, content)| (label, content.to_vec())).collect();
        assert_eq!(read, KINDS.map(|kind| (Label { kind, ..label(5) }, b"headbody".to_vec())));
    }

    #[test]
    fn what_matters_least_is_left_out_first_and_nothing_beyond_the_bound() {
        let fits = |backlog, rank| Tape { backlog, ..Tape::default() }.push(rank, &label(1), &[&[0; 100]]);
        let taken = |backlog| [Rank::Sound, Rank::Screen, Rank::Trainer, Rank::Camera].map(|rank| fits(backlog, rank));
        assert_eq!(taken(0), [true; 4]);
        assert_eq!(taken(LIMIT / 2), [true, true, true, false]);
        assert_eq!(taken(LIMIT / 4 * 3), [true, false, true, false]);
        assert_eq!(taken(LIMIT), [false; 4]);
    }

    #[test]
    fn on_a_disk_that_is_nearly_full_only_sound_and_screens_are_recorded() {
        let mut tape = Tape { essential: true, ..Tape::default() };
        let taken = [Rank::Sound, Rank::Screen, Rank::Trainer, Rank::Camera].map(|rank| tape.push(rank, &label(1), &[b"x"]));
        assert_eq!(taken, [true, true, false, false]);
        assert!(tape.push(Rank::Camera, &Label { kind: Taped::End, ..label(1) }, &[]), "what happens is always told");
    }
}
