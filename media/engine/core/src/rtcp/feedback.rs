//! Feedback messages: NACK (RFC 4585 section 6.2.1), FIR (RFC 5104 section 4.3.1), REMB (draft-alvestrand-rmcat-remb-03).

use super::report::Ssrcs;
use crate::bytes::Reader;

/// Lost packets of one source.
#[derive(Debug, Clone, Copy)]
pub struct Nack<'a> {
    pub sender: u32,
    pub media: u32,
    pairs: &'a [u8],
}

impl<'a> Nack<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        Some(Self { sender: reader.u32()?, media: reader.u32()?, pairs: reader.rest() })
    }

    /// Lost sequence numbers in wire order, at most 17 per 4 bytes; the caller caps how many it answers.
    pub fn lost(&self) -> Lost<'a> {
        Lost { reader: Reader::new(self.pairs), base: 0, mask: 0 }
    }
}

/// Iterator over lost sequence numbers.
#[derive(Debug, Clone)]
pub struct Lost<'a> {
    reader: Reader<'a>,
    base: u16,
    mask: u16,
}

impl Iterator for Lost<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.mask == 0 {
            self.base = self.reader.u16()?;
            self.mask = self.reader.u16()?;
            return Some(self.base);
        }
        let bit = self.mask.trailing_zeros() as u16;
        self.mask &= self.mask.wrapping_sub(1);
        Some(self.base.wrapping_add(bit).wrapping_add(1))
    }
}

/// Full intra requests.
#[derive(Debug, Clone, Copy)]
pub struct Fir<'a> {
    pub sender: u32,
    entries: &'a [u8],
}

impl<'a> Fir<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let sender = reader.u32()?;
        reader.u32()?;
        Some(Self { sender, entries: reader.rest() })
    }

    /// `(source, command sequence number)`.
    pub fn entries(&self) -> impl Iterator<Item = (u32, u8)> + use<'a> {
        let mut reader = Reader::new(self.entries);
        std::iter::from_fn(move || {
            let ssrc = reader.u32()?;
            let [sequence, _, _, _] = reader.array()?;
            Some((ssrc, sequence))
        })
    }
}

/// A receiver's estimate of the bandwidth towards it.
#[derive(Debug, Clone, Copy)]
pub struct Remb<'a> {
    pub sender: u32,
    /// Bits per second, saturated.
    pub bitrate: u64,
    ssrcs: &'a [u8],
}

impl<'a> Remb<'a> {
    /// `Some(None)`: application feedback that is not REMB.
    #[allow(clippy::option_option)]
    pub(super) fn parse(body: &'a [u8]) -> Option<Option<Self>> {
        let mut reader = Reader::new(body);
        let sender = reader.u32()?;
        reader.u32()?;
        if reader.take(4) != Some(b"REMB") {
            return Some(None);
        }
        let count = usize::from(reader.u8()?);
        let packed = reader.u24()?;
        let ssrcs = reader.take(count.saturating_mul(4))?;
        let (exponent, mantissa) = (packed >> 18, u64::from(packed & 0x3_ffff));
        let bitrate = if mantissa.leading_zeros() < exponent { u64::MAX } else { mantissa << exponent };
        Some(Some(Self { sender, bitrate, ssrcs }))
    }

    pub fn ssrcs(&self) -> Ssrcs<'a> {
        Ssrcs::new(self.ssrcs)
    }
}
