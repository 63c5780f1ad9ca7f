//! Reading feedback (the draft's section 3.1).

use super::{LARGE, MISSING, SMALL, TICKS_PER_REFERENCE, TICK_US};
use crate::bytes::Reader;

/// Statuses in one feedback packet; more is refused (a run-length chunk costs two bytes for 8191 of them).
pub const MAX_STATUSES: u16 = 16_384;

/// A feedback packet whose chunks and deltas have been checked against its counts.
#[derive(Debug, Clone, Copy)]
pub struct Feedback<'a> {
    pub sender: u32,
    pub media: u32,
    /// First reported transport-wide sequence number.
    pub base: u16,
    /// Number of sequence numbers reported on, received or not.
    pub count: u16,
    /// Counts feedback packets of this sender, wrapping.
    pub feedback_count: u8,
    /// Reference time in microseconds on the remote's clock: a multiple of 64 ms, wrapping after 2^24 of them, signed.
    pub reference_us: i64,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl<'a> Feedback<'a> {
    /// From the RTCP body (after the 4-byte header); None if any count disagrees with the bytes.
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let sender = reader.u32()?;
        let media = reader.u32()?;
        let base = reader.u16()?;
        let count = reader.u16()?;
        let reference = (reader.u24()? << 8) as i32 >> 8;
        let feedback_count = reader.u8()?;
        if count > MAX_STATUSES {
            return None;
        }
        let start = reader.rest();
        let mut left = count;
        let mut delta_bytes = 0usize;
        while left > 0 {
            let chunk = Chunk::new(reader.u16()?);
            let len = chunk.len().min(left);
            left = left.saturating_sub(len);
            delta_bytes = delta_bytes.saturating_add(chunk.delta_bytes(len)?);
        }
        let chunks = start.get(..start.len().saturating_sub(reader.rest().len()))?;
        let deltas = reader.take(delta_bytes)?;
        let unit = TICKS_PER_REFERENCE.saturating_mul(TICK_US) as i64;
        let reference_us = i64::from(reference).saturating_mul(unit);
        Some(Self { sender, media, base, count, feedback_count, reference_us, chunks, deltas })
    }

    /// `(sequence, arrival time in microseconds on the remote's clock or None if lost)` for `count` numbers from `base`.
    pub fn arrivals(&self) -> Arrivals<'a> {
        Arrivals {
            chunks: Reader::new(self.chunks),
            deltas: Reader::new(self.deltas),
            chunk: Chunk::new(0),
            at: 0,
            left: self.count,
            sequence: self.base,
            time_us: self.reference_us,
        }
    }
}

/// Iterator over a feedback packet's statuses.
#[derive(Debug, Clone)]
pub struct Arrivals<'a> {
    chunks: Reader<'a>,
    deltas: Reader<'a>,
    chunk: Chunk,
    at: u16,
    left: u16,
    sequence: u16,
    time_us: i64,
}

impl Iterator for Arrivals<'_> {
    type Item = (u16, Option<i64>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        if self.at >= self.chunk.len() {
            self.chunk = Chunk::new(self.chunks.u16()?);
            self.at = 0;
        }
        let delta = match self.chunk.symbol(self.at) {
            SMALL => Some(i64::from(self.deltas.u8()?)),
            LARGE => Some(i64::from(self.deltas.u16()? as i16)),
            _ => None,
        };
        self.at = self.at.saturating_add(1);
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let arrival = delta.map(|delta| {
            self.time_us = self.time_us.saturating_add(delta.saturating_mul(TICK_US as i64));
            self.time_us
        });
        Some((sequence, arrival))
    }
}

/// A status chunk (section 3.1.3 and 3.1.4).
#[derive(Debug, Clone, Copy)]
enum Chunk {
    Run { symbol: u8, len: u16 },
    OneBit(u16),
    TwoBit(u16),
}

impl Chunk {
    fn new(word: u16) -> Self {
        match word >> 14 {
            2 => Self::OneBit(word),
            3 => Self::TwoBit(word),
            // A run: type bit 0, two status bits, 13 bits of length.
            _ => Self::Run { symbol: (word >> 13 & 3) as u8, len: word & 0x1fff },
        }
    }

    fn len(self) -> u16 {
        match self {
            Self::Run { len, .. } => len,
            Self::OneBit(_) => 14,
            Self::TwoBit(_) => 7,
        }
    }

    /// Status number `at` of this chunk, first is 0.
    fn symbol(self, at: u16) -> u8 {
        match self {
            Self::Run { symbol, .. } => symbol,
            Self::OneBit(word) => (word >> 13u16.saturating_sub(at).min(13) & 1) as u8,
            Self::TwoBit(word) => (word >> 6u16.saturating_sub(at).saturating_mul(2).min(12) & 3) as u8,
        }
    }

    /// Bytes of deltas its first `len` statuses need; None if one of them is the reserved status or the chunk is empty.
    fn delta_bytes(self, len: u16) -> Option<usize> {
        match self {
            Self::Run { symbol: 3, .. } | Self::Run { len: 0, .. } => None,
            Self::Run { symbol, .. } => Some(usize::from(symbol).saturating_mul(usize::from(len))),
            _ => (0..len).try_fold(0usize, |sum, at| match self.symbol(at) {
                bytes @ (MISSING | SMALL | LARGE) => Some(sum.saturating_add(usize::from(bytes))),
                _ => None,
            }),
        }
    }
}
