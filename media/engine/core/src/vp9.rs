//! VP9 RTP payloads (RFC 9628): the payload descriptor, key frames, and rewriting picture numbers when sources change.
//!
//! Layers of scalable streams are read (`Layer`, `Structure`), not chosen: all of a stream is forwarded. What follows the
//! picture numbers in a descriptor (reference distances, scalability structure) is relative to them or free of them, so a
//! stream is renumbered by replacing `Descriptor::head_len` bytes with what `Descriptor::write` wrote.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod frame;
mod structure;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;

pub use structure::Structure;

use crate::bytes::{Full, Reader, Writer};

/// Longest head that `Descriptor::write` writes, bytes.
pub const MAX_HEAD: usize = 5;
/// Reference distances in one descriptor; more is malformed.
pub const MAX_REFERENCES: usize = 3;

/// Where a frame stands in a scalable stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// 0..=7, 0 = base.
    pub temporal: u8,
    /// From this frame on, a receiver of lower temporal layers may take this one.
    pub switching_up: bool,
    /// 0..=7, 0 = base.
    pub spatial: u8,
    /// Predicted from the next lower spatial layer of the same picture.
    pub inter_layer: bool,
}

/// A parsed payload descriptor (RFC 9628 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Its length: the VP9 payload starts here.
    pub len: usize,
    /// Its first bytes, which `write` replaces.
    pub head_len: usize,
    /// (number, width in bits: 7 or 15).
    pub picture_id: Option<(u16, u8)>,
    pub tl0_picture_index: Option<u8>,
    pub layer: Option<Layer>,
    /// Predicted from earlier pictures.
    pub inter_picture: bool,
    /// References are told by distance instead of by the scalability structure.
    pub flexible: bool,
    pub start_of_frame: bool,
    /// Last packet of a frame; the last one of a picture has the RTP marker.
    pub end_of_frame: bool,
    /// No higher spatial layer of this picture is predicted from this frame.
    pub no_upper_reference: bool,
    /// In flexible mode, how many picture ids back the referenced pictures are; 0 = none.
    pub references: [u8; MAX_REFERENCES],
    pub structure: Option<Structure>,
    first: u8,
}

impl Descriptor {
    /// From the start of an RTP payload; None if it is cut short or lists too many references.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let read = |reader: &Reader<'_>| payload.len().saturating_sub(reader.rest().len());
        let first = reader.u8()?;
        let has = |mask: u8| first & mask != 0;
        let mut descriptor = Self {
            len: 0,
            head_len: 0,
            picture_id: None,
            tl0_picture_index: None,
            layer: None,
            inter_picture: has(0x40),
            flexible: has(0x10),
            start_of_frame: has(0x08),
            end_of_frame: has(0x04),
            no_upper_reference: has(0x01),
            references: [0; MAX_REFERENCES],
            structure: None,
            first,
        };
        if has(0x80) {
            let high = reader.u8()?;
            descriptor.picture_id =
                Some(if high & 0x80 == 0 { (u16::from(high), 7) } else { (u16::from_be_bytes([high & 0x7f, reader.u8()?]), 15) });
        }
        if has(0x20) {
            descriptor.layer = Some(Layer::from_byte(reader.u8()?));
            if !descriptor.flexible {
                descriptor.tl0_picture_index = Some(reader.u8()?);
            }
        }
        descriptor.head_len = read(&reader);
        if descriptor.inter_picture && descriptor.flexible {
            descriptor.references = references(&mut reader)?;
        }
        if has(0x02) {
            descriptor.structure = Some(Structure::parse(&mut reader)?);
        }
        descriptor.len = read(&reader);
        Some(descriptor)
    }

    /// Spatial layer, 0 in a stream without layers.
    pub fn spatial(&self) -> u8 {
        self.layer.map_or(0, |layer| layer.spatial)
    }

    /// Temporal layer, 0 in a stream without layers.
    pub fn temporal(&self) -> u8 {
        self.layer.map_or(0, |layer| layer.temporal)
    }

    /// Is this the first packet of a picture (the frames of all spatial layers at one instant)?
    pub fn starts_picture(&self) -> bool {
        self.start_of_frame && self.spatial() == 0
    }

    /// Write the first `head_len` bytes with other picture numbers into `out`; returns their length there. A number that the
    /// original lacks is not added. Picture ids are always written 15 bits wide, so that the width never changes in a stream;
    /// for a source with 7-bit ids the caller passes numbers that go on where its wrap.
    pub fn write(&self, out: &mut [u8], picture_id: u16, tl0_picture_index: u8) -> Result<usize, Full> {
        let mut w = Writer::new(out);
        w.u8(self.first)?;
        if self.picture_id.is_some() {
            w.u16(0x8000 | picture_id)?;
        }
        if let Some(layer) = self.layer {
            w.u8(layer.to_byte())?;
        }
        if self.tl0_picture_index.is_some() {
            w.u8(tl0_picture_index)?;
        }
        Ok(w.len())
    }
}

impl Layer {
    fn from_byte(byte: u8) -> Self {
        Self { temporal: byte >> 5, switching_up: byte & 0x10 != 0, spatial: byte >> 1 & 7, inter_layer: byte & 1 != 0 }
    }

    fn to_byte(self) -> u8 {
        self.temporal << 5 | u8::from(self.switching_up) << 4 | (self.spatial & 7) << 1 | u8::from(self.inter_layer)
    }
}

/// The list of reference distances; its low bits say whether another follows.
fn references(reader: &mut Reader<'_>) -> Option<[u8; MAX_REFERENCES]> {
    let mut distances = [0; MAX_REFERENCES];
    for distance in &mut distances {
        let byte = reader.u8()?;
        *distance = byte >> 1;
        if byte & 1 == 0 {
            return Some(distances);
        }
    }
    None
}

/// The key frame that begins in this packet, if one does: the base layer of a picture without prediction. Both the descriptor
/// and the frame itself must say so, since some senders leave the descriptor's prediction bit 0 everywhere.
fn key_frame(payload: &[u8]) -> Option<(Descriptor, frame::KeyFrame)> {
    let descriptor = Descriptor::parse(payload).filter(|d| d.starts_picture() && !d.inter_picture)?;
    let frame = frame::KeyFrame::parse(payload.get(descriptor.len..)?)?;
    Some((descriptor, frame))
}

/// Does this RTP payload begin a key frame?
pub fn starts_key_frame(payload: &[u8]) -> bool {
    key_frame(payload).is_some()
}

/// (width, height) in pixels from the first packet of a key frame: of the highest spatial layer if the scalability structure
/// tells it, else of the frame itself (VP9 bitstream section 6.2).
pub fn dimensions(payload: &[u8]) -> Option<(u16, u16)> {
    let (descriptor, frame) = key_frame(payload)?;
    descriptor.structure.and_then(|structure| structure.size).or(frame.size)
}
