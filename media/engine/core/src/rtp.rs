//! RTP packets (RFC 3550) and their header extensions (RFC 8285): a checked zero-copy view and a writer.
//!
//! `Packet::parse` validates everything (CSRCs, extension block, padding) once; the accessors cannot fail afterwards.
//! On a still encrypted packet only `header_len`, `peek_*` are meaningful, since padding is inside the encryption.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod extension;
mod sequence;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
mod write;

pub use extension::{abs_send_time, audio_level, text, AudioLevel, Extensions};
pub use sequence::{distance, newer, newer_timestamp, Extended};
pub use write::{write, Header};

use crate::bytes::Reader;

/// Length of the fixed header, bytes.
pub const FIXED_HEADER: usize = 12;

/// Why bytes are not an acceptable RTP packet; each is one drop counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The version is not 2.
    Version,
    /// The header, CSRC list or extension block runs past the end.
    Short,
    /// The padding count is zero or larger than the payload.
    Padding,
    /// The output buffer is too small, or an extension cannot be expressed.
    Full,
}

/// A validated packet.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    fixed: [u8; FIXED_HEADER],
    profile: u16,
    extensions: &'a [u8],
    payload: &'a [u8],
    header_len: usize,
    padding: u8,
}

impl<'a> Packet<'a> {
    /// Check and view one decrypted packet. An empty payload (only padding, or nothing) is legal: probes look like that.
    pub fn parse(packet: &'a [u8]) -> Result<Self, Error> {
        let (fixed, profile, extensions, body) = split(packet)?;
        let header_len = packet.len().saturating_sub(body.len());
        let padding = if fixed[0] & 0x20 == 0 {
            0
        } else {
            match body.last() {
                None | Some(0) => return Err(Error::Padding),
                Some(&n) => n,
            }
        };
        let len = body.len().checked_sub(usize::from(padding)).ok_or(Error::Padding)?;
        let payload = body.get(..len).ok_or(Error::Padding)?;
        Ok(Self { fixed, profile, extensions, payload, header_len, padding })
    }

    pub fn marker(&self) -> bool {
        self.fixed[1] & 0x80 != 0
    }

    pub fn payload_type(&self) -> u8 {
        self.fixed[1] & 0x7f
    }

    pub fn sequence(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    pub fn timestamp(&self) -> u32 {
        u32::from_be_bytes([self.fixed[4], self.fixed[5], self.fixed[6], self.fixed[7]])
    }

    pub fn ssrc(&self) -> u32 {
        u32::from_be_bytes([self.fixed[8], self.fixed[9], self.fixed[10], self.fixed[11]])
    }

    /// Bytes before the payload.
    pub fn header_len(&self) -> usize {
        self.header_len
    }

    /// The payload without padding.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Padding bytes that followed the payload.
    pub fn padding(&self) -> u8 {
        self.padding
    }

    /// Header extensions in wire order, one-byte or two-byte form (RFC 8285); empty for an unknown profile.
    pub fn extensions(&self) -> Extensions<'a> {
        Extensions::new(self.profile, self.extensions)
    }

    /// The value of the first extension with this id.
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        self.extensions().find(|(found, _)| *found == id).map(|(_, value)| value)
    }
}

/// Length of the RTP header (fixed part, CSRCs, extension block); valid on encrypted packets too.
pub fn header_len(packet: &[u8]) -> Result<usize, Error> {
    let (_, _, _, body) = split(packet)?;
    Ok(packet.len().saturating_sub(body.len()))
}

/// SSRC of a packet that may still be encrypted and is not validated.
pub fn peek_ssrc(packet: &[u8]) -> Option<u32> {
    packet.get(8..12)?.try_into().ok().map(u32::from_be_bytes)
}

/// Sequence number of a packet that may still be encrypted and is not validated.
pub fn peek_sequence(packet: &[u8]) -> Option<u16> {
    packet.get(2..4)?.try_into().ok().map(u16::from_be_bytes)
}

/// Is this datagram RTP or RTCP rather than STUN or DTLS (RFC 7983: first byte 128..=191)?
pub fn is_rtp_or_rtcp(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| (128..=191).contains(first))
}

/// Is this RTP/RTCP datagram RTCP (RFC 5761: packet types 192..=223)?
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

type Split<'a> = ([u8; FIXED_HEADER], u16, &'a [u8], &'a [u8]);

/// (fixed header, extension profile or 0, extension block, the rest).
fn split(packet: &[u8]) -> Result<Split<'_>, Error> {
    let mut reader = Reader::new(packet);
    let fixed: [u8; FIXED_HEADER] = reader.array().ok_or(Error::Short)?;
    if fixed[0] >> 6 != 2 {
        return Err(Error::Version);
    }
    reader.take(usize::from(fixed[0] & 0x0f).saturating_mul(4)).ok_or(Error::Short)?;
    let mut profile = 0;
    let mut extensions: &[u8] = &[];
    if fixed[0] & 0x10 != 0 {
        profile = reader.u16().ok_or(Error::Short)?;
        let words = reader.u16().ok_or(Error::Short)?;
        extensions = reader.take(usize::from(words).saturating_mul(4)).ok_or(Error::Short)?;
    }
    Ok((fixed, profile, extensions, reader.rest()))
}
