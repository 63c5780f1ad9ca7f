//! H.264 RTP payloads (RFC 6184): which parameter sets and key frames a packet carries.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod sps;

use crate::bytes::Reader;

const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// What starts in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Units {
    pub sps: bool,
    pub pps: bool,
    /// A slice of an instantaneous decoder refresh picture starts here.
    pub idr: bool,
}

impl Units {
    /// From an RTP payload: single NAL unit, STAP-A or FU-A (its first fragment); other or cut-short packets have none.
    pub fn parse(payload: &[u8]) -> Self {
        let mut units = Self::default();
        let mut reader = Reader::new(payload);
        let Some(first) = reader.u8() else {
            return units;
        };
        match first & 0x1f {
            STAP_A => {
                while let Some(unit) = next_unit(&mut reader) {
                    unit.first().into_iter().for_each(|header| units.add(header & 0x1f));
                }
            }
            FU_A => {
                if let Some(header) = reader.u8().filter(|header| header & 0x80 != 0) {
                    units.add(header & 0x1f);
                }
            }
            kind => units.add(kind),
        }
        units
    }

    /// Can a decoder start here? Senders put the sequence parameter set in front of each key frame.
    pub fn starts_key_frame(self) -> bool {
        self.sps || self.idr
    }

    fn add(&mut self, kind: u8) {
        match kind {
            IDR => self.idr = true,
            SPS => self.sps = true,
            PPS => self.pps = true,
            _ => {}
        }
    }
}

/// The next NAL unit of a STAP-A packet (section 5.7.1).
pub fn next_unit<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let len = reader.u16()?;
    reader.take(usize::from(len))
}

/// Does this RTP payload begin a key frame (a sequence parameter set or an IDR slice)?
pub fn starts_key_frame(payload: &[u8]) -> bool {
    Units::parse(payload).starts_key_frame()
}

/// (width, height) in pixels from a packet with a sequence parameter set, alone or in a STAP-A.
pub fn dimensions(payload: &[u8]) -> Option<(u16, u16)> {
    let is_sps = |unit: &[u8]| unit.first().is_some_and(|header| header & 0x1f == SPS);
    if payload.first()? & 0x1f != STAP_A {
        return is_sps(payload).then(|| sps::size(payload))?;
    }
    let mut reader = Reader::new(payload.get(1..)?);
    std::iter::from_fn(|| next_unit(&mut reader)).find(|unit| is_sps(unit)).and_then(sps::size)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
