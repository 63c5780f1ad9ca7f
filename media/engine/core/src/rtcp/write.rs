//! Writing compounds (RFC 3550 section 6.1) into the caller's buffer.

use super::report::{ReportBlock, SenderInfo};
use super::{
    FORMAT_APPLICATION, FORMAT_FIR, FORMAT_NACK, FORMAT_PLI, FORMAT_TWCC, GOODBYE, PAYLOAD_FEEDBACK, RECEIVER_REPORT, SENDER_REPORT,
    SOURCE_DESCRIPTION, TRANSPORT_FEEDBACK,
};
use crate::bytes::{Full, Writer};

const MAX_BLOCKS: usize = 31;
/// Reach of one (packet id, bit mask) pair beyond its first packet.
const NACK_REACH: u16 = 16;

/// Appends packets; each call adds one packet whole or, with `Full`, nothing.
#[derive(Debug)]
pub struct Builder<'a> {
    w: Writer<'a>,
}

impl<'a> Builder<'a> {
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { w: Writer::new(out) }
    }

    pub fn is_empty(&self) -> bool {
        self.w.is_empty()
    }

    /// Length of the compound so far, bytes.
    pub fn len(&self) -> usize {
        self.w.len()
    }

    /// At most 31 blocks are written.
    pub fn sender_report(&mut self, info: &SenderInfo, blocks: &[ReportBlock]) -> Result<(), Full> {
        let blocks = blocks.get(..MAX_BLOCKS).unwrap_or(blocks);
        self.packet(SENDER_REPORT, blocks.len() as u8, |w| {
            w.u32(info.ssrc)?;
            w.u64(info.ntp)?;
            w.u32(info.rtp_timestamp)?;
            w.u32(info.packets)?;
            w.u32(info.octets)?;
            blocks.iter().try_for_each(|b| block(w, b))
        })
    }

    /// At most 31 blocks are written.
    pub fn receiver_report(&mut self, ssrc: u32, blocks: &[ReportBlock]) -> Result<(), Full> {
        let blocks = blocks.get(..MAX_BLOCKS).unwrap_or(blocks);
        self.packet(RECEIVER_REPORT, blocks.len() as u8, |w| {
            w.u32(ssrc)?;
            blocks.iter().try_for_each(|b| block(w, b))
        })
    }

    /// A source description with a canonical name (its first 255 bytes).
    pub fn cname(&mut self, ssrc: u32, name: &str) -> Result<(), Full> {
        let name = name.as_bytes();
        let name = name.get(..255).unwrap_or(name);
        self.packet(SOURCE_DESCRIPTION, 1, |w| {
            w.u32(ssrc)?;
            w.bytes(&[1, name.len() as u8])?;
            w.bytes(name)?;
            // At least one zero ends the chunk, then zeros up to 32 bits.
            let used = name.len().saturating_add(2);
            w.zeros(4usize.wrapping_sub(used & 3))
        })
    }

    pub fn bye(&mut self, ssrcs: &[u32]) -> Result<(), Full> {
        let ssrcs = ssrcs.get(..MAX_BLOCKS).unwrap_or(ssrcs);
        self.packet(GOODBYE, ssrcs.len() as u8, |w| ssrcs.iter().try_for_each(|ssrc| w.u32(*ssrc)))
    }

    /// Report these sequence numbers lost; ascending order (with wrap) packs best. Nothing is written for an empty list.
    pub fn nack(&mut self, sender: u32, media: u32, lost: &[u16]) -> Result<(), Full> {
        let Some((&first, rest)) = lost.split_first() else {
            return Ok(());
        };
        self.packet(TRANSPORT_FEEDBACK, FORMAT_NACK, |w| {
            w.u32(sender)?;
            w.u32(media)?;
            let (mut base, mut mask) = (first, 0u16);
            for &sequence in rest {
                let ahead = sequence.wrapping_sub(base);
                if ahead == 0 {
                    continue;
                }
                if ahead <= NACK_REACH {
                    mask |= 1u16.wrapping_shl(u32::from(ahead.wrapping_sub(1)));
                    continue;
                }
                w.u16(base)?;
                w.u16(mask)?;
                (base, mask) = (sequence, 0);
            }
            w.u16(base)?;
            w.u16(mask)
        })
    }

    pub fn pli(&mut self, sender: u32, media: u32) -> Result<(), Full> {
        self.packet(PAYLOAD_FEEDBACK, FORMAT_PLI, |w| {
            w.u32(sender)?;
            w.u32(media)
        })
    }

    /// `sequence` must change with each new request for the same source.
    pub fn fir(&mut self, sender: u32, media: u32, sequence: u8) -> Result<(), Full> {
        self.packet(PAYLOAD_FEEDBACK, FORMAT_FIR, |w| {
            w.u32(sender)?;
            w.u32(0)?;
            w.u32(media)?;
            w.bytes(&[sequence, 0, 0, 0])
        })
    }

    /// `bitrate` in bit/s, rounded down to 18 significant bits; at most 255 sources.
    pub fn remb(&mut self, sender: u32, bitrate: u64, ssrcs: &[u32]) -> Result<(), Full> {
        let ssrcs = ssrcs.get(..255).unwrap_or(ssrcs);
        let exponent = 46u32.saturating_sub(bitrate.leading_zeros());
        let mantissa = bitrate.wrapping_shr(exponent) as u32 & 0x3_ffff;
        self.packet(PAYLOAD_FEEDBACK, FORMAT_APPLICATION, |w| {
            w.u32(sender)?;
            w.u32(0)?;
            w.bytes(b"REMB")?;
            w.u8(ssrcs.len() as u8)?;
            w.u24(exponent << 18 | mantissa)?;
            ssrcs.iter().try_for_each(|ssrc| w.u32(*ssrc))
        })
    }

    /// One transport-wide feedback packet from what `recorder` has collected; false when it has nothing to report.
    pub fn twcc(&mut self, recorder: &mut crate::twcc::Recorder, sender: u32, media: u32) -> Result<bool, Full> {
        if !recorder.pending() {
            return Ok(false);
        }
        self.packet(TRANSPORT_FEEDBACK, FORMAT_TWCC, |w| {
            w.u32(sender)?;
            w.u32(media)?;
            recorder.write(w)
        })?;
        Ok(true)
    }

    /// The finished compound's length.
    pub fn finish(self) -> usize {
        self.w.len()
    }

    fn packet(&mut self, kind: u8, count: u8, body: impl FnOnce(&mut Writer<'a>) -> Result<(), Full>) -> Result<(), Full> {
        let start = self.w.len();
        let result = self.write_packet(start, kind, count, body);
        if result.is_err() {
            self.w.truncate(start);
        }
        result
    }

    fn write_packet(
        &mut self,
        start: usize,
        kind: u8,
        count: u8,
        body: impl FnOnce(&mut Writer<'a>) -> Result<(), Full>,
    ) -> Result<(), Full> {
        self.w.bytes(&[0x80 | count & 0x1f, kind, 0, 0])?;
        body(&mut self.w)?;
        let used = self.w.len().saturating_sub(start);
        self.w.zeros(used.wrapping_neg() & 3)?;
        let words = (self.w.len().saturating_sub(start) / 4).saturating_sub(1);
        self.w.patch_u16(start.saturating_add(2), u16::try_from(words).map_err(|_| Full)?)
    }
}

fn block(w: &mut Writer<'_>, b: &ReportBlock) -> Result<(), Full> {
    w.u32(b.ssrc)?;
    w.u8(b.fraction_lost)?;
    w.u24(b.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32)?;
    w.u32(b.highest)?;
    w.u32(b.jitter)?;
    w.u32(b.last_sr)?;
    w.u32(b.delay_since_last_sr)
}
