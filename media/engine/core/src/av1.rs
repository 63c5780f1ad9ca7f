//! AV1 RTP payloads (AV1 RTP specification 1.0): the aggregation header, the OBU elements, where coded sequences start.
//!
//! Nothing in an AV1 payload has to be rewritten when a slot changes its source: frames are not numbered there. Numbers and
//! layers beyond the OBU headers are in the dependency descriptor, a header extension that the engine does not negotiate
//! yet; all of a stream is forwarded.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod sequence;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;

use crate::bytes::Reader;

/// Elements looked at in one packet.
pub const MAX_ELEMENTS: usize = 32;

/// OBU type of a sequence header (AV1 bitstream section 6.2.2).
pub const SEQUENCE_HEADER: u8 = 1;

/// A payload whose aggregation header (section 4.4) has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    /// The first element goes on from the packet before.
    pub continues: bool,
    /// The last element goes on in the packet after.
    pub continued: bool,
    /// Number of elements, 1..=3; 0 = not told, each has its length in front.
    pub count: u8,
    /// First packet of a coded video sequence: a decoder can start here.
    pub starts_sequence: bool,
    elements: &'a [u8],
}

impl<'a> Payload<'a> {
    /// None if the payload is empty or claims to start a sequence in the middle of an element.
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let (first, elements) = payload.split_first()?;
        let has = |mask: u8| first & mask != 0;
        let parsed = Self { continues: has(0x80), continued: has(0x40), count: first >> 4 & 3, starts_sequence: has(0x08), elements };
        (!(parsed.continues && parsed.starts_sequence)).then_some(parsed)
    }

    /// The elements in order, at most `MAX_ELEMENTS`; ends early where a length runs past the packet.
    pub fn elements(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (mut reader, count) = (Reader::new(self.elements), usize::from(self.count));
        (1..=MAX_ELEMENTS).map_while(move |n| {
            if reader.is_empty() || (count > 0 && n > count) {
                return None;
            }
            let len = if n == count { reader.rest().len() } else { leb128(&mut reader)? };
            reader.take(len)
        })
    }

    /// The OBUs that begin in this packet, in order; the last may go on in the next one.
    pub fn obus(&self) -> impl Iterator<Item = Obu<'a>> + use<'a> {
        self.elements().skip(usize::from(self.continues)).filter_map(Obu::parse)
    }
}

/// The start of an open bitstream unit (AV1 bitstream section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obu<'a> {
    pub kind: u8,
    /// (temporal layer 0..=7, spatial layer 0..=3), if told.
    pub layer: Option<(u8, u8)>,
    /// As much as the element has.
    pub payload: &'a [u8],
}

impl<'a> Obu<'a> {
    /// From an element that does not go on from another packet; None if it is cut short inside the header.
    pub fn parse(element: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(element);
        let first = reader.u8().filter(|first| first & 0x80 == 0)?;
        let layer = match first & 0x04 {
            0 => None,
            _ => reader.u8().map(|byte| Some((byte >> 5, byte >> 3 & 3)))?,
        };
        // Senders should leave the size out, but need not.
        let len = if first & 0x02 == 0 { usize::MAX } else { leb128(&mut reader)? };
        let rest = reader.rest();
        Some(Self { kind: first >> 3 & 0x0f, layer, payload: rest.get(..len).unwrap_or(rest) })
    }
}

/// A little-endian base-128 number of at most 8 bytes and 32 bits (AV1 bitstream section 4.10.5).
fn leb128(reader: &mut Reader<'_>) -> Option<usize> {
    let mut value = 0u64;
    for place in 0..8u32 {
        let byte = reader.u8()?;
        value |= u64::from(byte & 0x7f) << place.saturating_mul(7);
        if byte & 0x80 == 0 {
            return u32::try_from(value).ok().map(|value| value as usize);
        }
    }
    None
}

/// The payload of the sequence header, if a coded video sequence starts in this packet.
fn sequence_header(payload: &[u8]) -> Option<&[u8]> {
    let packet = Payload::parse(payload).filter(|packet| packet.starts_sequence)?;
    packet.obus().find(|obu| obu.kind == SEQUENCE_HEADER).map(|obu| obu.payload)
}

/// Does this RTP payload begin a key frame: a new coded video sequence, with its header?
pub fn starts_key_frame(payload: &[u8]) -> bool {
    sequence_header(payload).is_some()
}

/// (width, height) in pixels from the first packet of a key frame: the largest frame of the sequence it starts (AV1 bitstream
/// section 5.5.1).
pub fn dimensions(payload: &[u8]) -> Option<(u16, u16)> {
    sequence::size(sequence_header(payload)?)
}
