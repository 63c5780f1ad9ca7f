//! RTCP (RFC 3550, 4585, 5104, 5506, draft-alvestrand-rmcat-remb-03): compound packets read and written.
//!
//! `parse` walks the whole compound first and refuses it as a unit if any length is wrong; reduced-size packets are
//! accepted. Bodies are checked for their own counts while iterating; kinds the engine does not use come out as `Other`.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod feedback;
mod report;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
mod write;

pub use feedback::{Fir, Lost, Nack, Remb};
pub use report::{Bye, ReceiverReport, ReportBlock, ReportBlocks, Sdes, SenderInfo, SenderReport, Ssrcs};
pub use write::Builder;

use crate::bytes::Reader;

pub const SENDER_REPORT: u8 = 200;
pub const RECEIVER_REPORT: u8 = 201;
pub const SOURCE_DESCRIPTION: u8 = 202;
pub const GOODBYE: u8 = 203;
pub const TRANSPORT_FEEDBACK: u8 = 205;
pub const PAYLOAD_FEEDBACK: u8 = 206;

/// Packets in one compound; more is refused.
pub const MAX_PACKETS: usize = 64;

pub(crate) const FORMAT_NACK: u8 = 1;
pub(crate) const FORMAT_TWCC: u8 = 15;
pub(crate) const FORMAT_PLI: u8 = 1;
pub(crate) const FORMAT_FIR: u8 = 4;
pub(crate) const FORMAT_APPLICATION: u8 = 15;

/// Why bytes are not acceptable RTCP; each is one drop counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// Empty, or the version is not 2.
    Version,
    /// A length or count runs past the end.
    Short,
    /// A padding count is zero or too large.
    Padding,
    /// More than `MAX_PACKETS` packets.
    TooMany,
}

/// One packet of a compound.
#[derive(Debug, Clone, Copy)]
pub enum Packet<'a> {
    SenderReport(SenderReport<'a>),
    ReceiverReport(ReceiverReport<'a>),
    Sdes(Sdes<'a>),
    Bye(Bye<'a>),
    Nack(Nack<'a>),
    /// Picture loss indication for `media` (RFC 4585 section 6.3.1).
    Pli {
        sender: u32,
        media: u32,
    },
    Fir(Fir<'a>),
    Twcc(crate::twcc::Feedback<'a>),
    Remb(Remb<'a>),
    /// Extended reports, application packets and anything unknown: (packet type, count or format).
    Other(u8, u8),
}

/// A compound whose framing has been checked.
#[derive(Debug, Clone)]
pub struct Compound<'a> {
    reader: Reader<'a>,
}

/// Check the framing of a decrypted compound packet; iterate to get its packets.
pub fn parse(compound: &[u8]) -> Result<Compound<'_>, Error> {
    let mut reader = Reader::new(compound);
    if reader.is_empty() {
        return Err(Error::Version);
    }
    let mut packets = 0usize;
    while !reader.is_empty() {
        packets = packets.saturating_add(1);
        if packets > MAX_PACKETS {
            return Err(Error::TooMany);
        }
        next(&mut reader)?;
    }
    Ok(Compound { reader: Reader::new(compound) })
}

/// (packet type, count or format, body without padding). RFC 3550 section 6.4.1 allows padding on the last packet of a compound
/// only, but stacks pad transport-wide feedback wherever it stands; each packet's padding concerns itself alone.
fn next<'a>(reader: &mut Reader<'a>) -> Result<(u8, u8, &'a [u8]), Error> {
    let first = reader.u8().ok_or(Error::Short)?;
    if first >> 6 != 2 {
        return Err(Error::Version);
    }
    let kind = reader.u8().ok_or(Error::Short)?;
    let words = reader.u16().ok_or(Error::Short)?;
    let body = reader.take(usize::from(words).saturating_mul(4)).ok_or(Error::Short)?;
    if first & 0x20 == 0 {
        return Ok((kind, first & 0x1f, body));
    }
    // RFC 3550 section 6.4.1 wants a multiple of four, but libwebrtc pads transport-wide feedback by one to three bytes.
    let padding = body.last().copied().filter(|n| *n > 0).ok_or(Error::Padding)?;
    let len = body.len().checked_sub(usize::from(padding)).ok_or(Error::Padding)?;
    Ok((kind, first & 0x1f, body.get(..len).ok_or(Error::Padding)?))
}

impl<'a> Iterator for Compound<'a> {
    /// A packet whose own counts are wrong is an error; the following packets can still be read.
    type Item = Result<Packet<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        match next(&mut self.reader) {
            Ok((kind, count, body)) => Some(packet(kind, count, body).ok_or(Error::Short)),
            Err(error) => {
                self.reader = Reader::new(&[]);
                Some(Err(error))
            }
        }
    }
}

fn packet(kind: u8, count: u8, body: &[u8]) -> Option<Packet<'_>> {
    Some(match (kind, count) {
        (SENDER_REPORT, _) => Packet::SenderReport(SenderReport::parse(count, body)?),
        (RECEIVER_REPORT, _) => Packet::ReceiverReport(ReceiverReport::parse(count, body)?),
        (SOURCE_DESCRIPTION, _) => Packet::Sdes(Sdes::parse(count, body)?),
        (GOODBYE, _) => Packet::Bye(Bye::parse(count, body)?),
        (TRANSPORT_FEEDBACK, FORMAT_NACK) => Packet::Nack(Nack::parse(body)?),
        (TRANSPORT_FEEDBACK, FORMAT_TWCC) => Packet::Twcc(crate::twcc::Feedback::parse(body)?),
        (PAYLOAD_FEEDBACK, FORMAT_PLI) => {
            let mut reader = Reader::new(body);
            Packet::Pli { sender: reader.u32()?, media: reader.u32()? }
        }
        (PAYLOAD_FEEDBACK, FORMAT_FIR) => Packet::Fir(Fir::parse(body)?),
        (PAYLOAD_FEEDBACK, FORMAT_APPLICATION) => match Remb::parse(body)? {
            Some(remb) => Packet::Remb(remb),
            None => Packet::Other(kind, count),
        },
        _ => Packet::Other(kind, count),
    })
}
