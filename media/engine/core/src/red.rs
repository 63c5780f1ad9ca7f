//! Redundant audio (RFC 2198 section 3): the primary block and the redundant ones before it.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::bytes::{Full, Reader, Writer};

/// Redundant blocks accepted in one packet.
pub const MAX_REDUNDANT: usize = 8;

/// One encoded block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    pub payload_type: u8,
    /// How much older than the packet's timestamp, in timestamp units; 0 for the primary.
    pub offset: u16,
    pub data: &'a [u8],
}

/// A checked packet.
#[derive(Debug, Clone, Copy)]
pub struct Red<'a> {
    pub primary: Block<'a>,
    headers: &'a [u8],
    blocks: &'a [u8],
}

impl<'a> Red<'a> {
    /// From an RTP payload; None if cut short or with more than `MAX_REDUNDANT` redundant blocks.
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let mut redundant_bytes = 0usize;
        let mut headers = 0usize;
        let payload_type = loop {
            let first = reader.u8()?;
            if first & 0x80 == 0 {
                break first & 0x7f;
            }
            headers = headers.saturating_add(1);
            if headers > MAX_REDUNDANT {
                return None;
            }
            let packed = reader.u24()?;
            redundant_bytes = redundant_bytes.saturating_add((packed & 0x3ff) as usize);
        };
        let blocks = reader.take(redundant_bytes)?;
        let primary = Block { payload_type, offset: 0, data: reader.rest() };
        Some(Self { primary, headers: payload.get(..headers.saturating_mul(4))?, blocks })
    }

    /// The redundant blocks, oldest first as on the wire.
    pub fn redundant(&self) -> impl Iterator<Item = Block<'a>> + use<'a> {
        let (mut headers, mut blocks) = (Reader::new(self.headers), Reader::new(self.blocks));
        std::iter::from_fn(move || {
            let payload_type = headers.u8()? & 0x7f;
            let packed = headers.u24()?;
            let data = blocks.take((packed & 0x3ff) as usize)?;
            Some(Block { payload_type, offset: (packed >> 10) as u16, data })
        })
    }
}

/// Longest headers of a packet with `MOST_ADDED` redundant blocks.
pub const MAX_ADDED_HEADERS: usize = MOST_ADDED * 4 + 1;
/// Redundant blocks we add to a packet.
pub const MOST_ADDED: usize = 2;
/// What a block header can say: how much older (exclusive), and how long (exclusive).
pub const MAX_OFFSET: u32 = 1 << 14;
pub const MAX_BLOCK: usize = 1 << 10;

/// Write the headers of a packet whose blocks are all of one payload type; `blocks` are (offset, length), oldest first.
pub fn write_headers(out: &mut [u8], payload_type: u8, blocks: impl Iterator<Item = (u16, usize)>) -> Result<usize, Full> {
    let mut w = Writer::new(out);
    for (offset, length) in blocks {
        let [_, a, b, c] = (u32::from(offset) << 10 | (length as u32 & 0x3ff)).to_be_bytes();
        w.bytes(&[0x80 | payload_type & 0x7f, a, b, c])?;
    }
    w.u8(payload_type & 0x7f)?;
    Ok(w.len())
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
