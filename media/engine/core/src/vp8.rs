//! VP8 RTP payloads (RFC 7741): the payload descriptor, key frames, and rewriting picture numbers when sources change.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::bytes::{Full, Reader, Writer};

/// Longest descriptor, bytes.
pub const MAX_DESCRIPTOR: usize = 6;

/// A parsed payload descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Its length: the VP8 payload starts here.
    pub len: usize,
    /// First packet of a partition.
    pub start_of_partition: bool,
    pub partition: u8,
    /// Not used as a reference by other frames.
    pub non_reference: bool,
    /// (number, width in bits: 7 or 15).
    pub picture_id: Option<(u16, u8)>,
    pub tl0_picture_index: Option<u8>,
    /// (temporal layer 0..=3, layer sync).
    pub temporal: Option<(u8, bool)>,
    pub key_index: Option<u8>,
    first: u8,
}

impl Descriptor {
    /// From the start of an RTP payload; None if it is cut short.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let first = reader.u8()?;
        let extended = if first & 0x80 == 0 { 0 } else { reader.u8()? };
        let mut descriptor = Self {
            len: 0,
            start_of_partition: first & 0x10 != 0,
            partition: first & 0x07,
            non_reference: first & 0x20 != 0,
            picture_id: None,
            tl0_picture_index: None,
            temporal: None,
            key_index: None,
            first,
        };
        if extended & 0x80 != 0 {
            let high = reader.u8()?;
            descriptor.picture_id =
                Some(if high & 0x80 == 0 { (u16::from(high), 7) } else { (u16::from_be_bytes([high & 0x7f, reader.u8()?]), 15) });
        }
        if extended & 0x40 != 0 {
            descriptor.tl0_picture_index = Some(reader.u8()?);
        }
        if extended & 0x30 != 0 {
            let byte = reader.u8()?;
            descriptor.temporal = (extended & 0x20 != 0).then_some((byte >> 6, byte & 0x20 != 0));
            descriptor.key_index = (extended & 0x10 != 0).then_some(byte & 0x1f);
        }
        descriptor.len = payload.len().saturating_sub(reader.rest().len());
        Some(descriptor)
    }

    /// Is this the first packet of a frame?
    pub fn starts_frame(&self) -> bool {
        self.start_of_partition && self.partition == 0
    }

    /// Write this descriptor with other picture numbers into `out`; returns its length there. A number that the original
    /// lacks is not added. Picture ids are always written 15 bits wide, so that the width never changes in a stream.
    pub fn write(&self, out: &mut [u8], picture_id: u16, tl0_picture_index: u8) -> Result<usize, Full> {
        let mut w = Writer::new(out);
        w.u8(self.first)?;
        if self.first & 0x80 == 0 {
            return Ok(w.len());
        }
        let bit = |set: bool, mask: u8| if set { mask } else { 0 };
        let extended = bit(self.picture_id.is_some(), 0x80)
            | bit(self.tl0_picture_index.is_some(), 0x40)
            | bit(self.temporal.is_some(), 0x20)
            | bit(self.key_index.is_some(), 0x10);
        w.u8(extended)?;
        if self.picture_id.is_some() {
            w.u16(0x8000 | picture_id)?;
        }
        if self.tl0_picture_index.is_some() {
            w.u8(tl0_picture_index)?;
        }
        if self.temporal.is_some() || self.key_index.is_some() {
            let (layer, sync) = self.temporal.unwrap_or((0, false));
            w.u8(layer << 6 | bit(sync, 0x20) | self.key_index.unwrap_or(0))?;
        }
        Ok(w.len())
    }
}

/// Does this RTP payload begin a key frame?
pub fn starts_key_frame(payload: &[u8]) -> bool {
    let Some(descriptor) = Descriptor::parse(payload).filter(Descriptor::starts_frame) else {
        return false;
    };
    // RFC 6386 section 9.1: the low bit of the frame tag is 0 for key frames.
    payload.get(descriptor.len).is_some_and(|tag| tag & 1 == 0)
}

/// (width, height) in pixels from the first packet of a key frame (RFC 6386 section 9.1).
pub fn dimensions(payload: &[u8]) -> Option<(u16, u16)> {
    if !starts_key_frame(payload) {
        return None;
    }
    let mut reader = Reader::new(payload.get(Descriptor::parse(payload)?.len..)?);
    reader.take(3)?;
    if reader.take(3)? != [0x9d, 0x01, 0x2a] {
        return None;
    }
    let [w0, w1, h0, h1] = reader.array()?;
    // Little-endian, the two top bits are scaling.
    Some((u16::from_le_bytes([w0, w1 & 0x3f]), u16::from_le_bytes([h0, h1 & 0x3f])))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
