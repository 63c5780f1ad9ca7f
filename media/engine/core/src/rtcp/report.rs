//! Sender and receiver reports, source descriptions, goodbyes (RFC 3550 section 6).

use crate::bytes::Reader;

const BLOCK: usize = 24;

/// The sender part of a sender report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderInfo {
    pub ssrc: u32,
    /// 32.32 fixed point seconds since 1900.
    pub ntp: u64,
    pub rtp_timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// What a receiver says about one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    pub ssrc: u32,
    /// Share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// 24-bit signed; saturated when written.
    pub cumulative_lost: i32,
    /// Extended highest sequence number received.
    pub highest: u32,
    /// In timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the last sender report's NTP time, 0 = none.
    pub last_sr: u32,
    /// In 1/65536 s.
    pub delay_since_last_sr: u32,
}

#[derive(Debug, Clone, Copy)]
pub struct SenderReport<'a> {
    pub info: SenderInfo,
    blocks: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
pub struct ReceiverReport<'a> {
    /// Who reports.
    pub ssrc: u32,
    blocks: &'a [u8],
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let info = SenderInfo {
            ssrc: reader.u32()?,
            ntp: reader.u64()?,
            rtp_timestamp: reader.u32()?,
            packets: reader.u32()?,
            octets: reader.u32()?,
        };
        let blocks = reader.take(usize::from(count).saturating_mul(BLOCK))?;
        Some(Self { info, blocks })
    }

    pub fn blocks(&self) -> ReportBlocks<'a> {
        ReportBlocks { reader: Reader::new(self.blocks) }
    }
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let ssrc = reader.u32()?;
        let blocks = reader.take(usize::from(count).saturating_mul(BLOCK))?;
        Some(Self { ssrc, blocks })
    }

    pub fn blocks(&self) -> ReportBlocks<'a> {
        ReportBlocks { reader: Reader::new(self.blocks) }
    }
}

/// Iterator over at most 31 report blocks.
#[derive(Debug, Clone)]
pub struct ReportBlocks<'a> {
    reader: Reader<'a>,
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let reader = &mut self.reader;
        Some(ReportBlock {
            ssrc: reader.u32()?,
            fraction_lost: reader.u8()?,
            // Sign-extend 24 bits.
            cumulative_lost: (reader.u24()? << 8) as i32 >> 8,
            highest: reader.u32()?,
            jitter: reader.u32()?,
            last_sr: reader.u32()?,
            delay_since_last_sr: reader.u32()?,
        })
    }
}

/// Source descriptions; only canonical names are read.
#[derive(Debug, Clone, Copy)]
pub struct Sdes<'a> {
    count: u8,
    chunks: &'a [u8],
}

impl<'a> Sdes<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Option<Self> {
        let sdes = Self { count, chunks: body };
        let mut reader = Reader::new(body);
        for _ in 0..count {
            chunk(&mut reader)?;
        }
        Some(sdes)
    }

    /// `(ssrc, cname)` of each chunk that has one, at most 31.
    pub fn names(&self) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        let mut reader = Reader::new(self.chunks);
        (0..self.count).map_while(move |_| chunk(&mut reader)).filter_map(|(ssrc, name)| name.map(|name| (ssrc, name)))
    }
}

/// One SDES chunk: its source and CNAME item (type 1), reader moved to the next 32-bit boundary.
fn chunk<'a>(reader: &mut Reader<'a>) -> Option<(u32, Option<&'a [u8]>)> {
    let ssrc = reader.u32()?;
    let mut name = None;
    let mut used = 0usize;
    loop {
        let kind = reader.u8()?;
        used = used.saturating_add(1);
        if kind == 0 {
            reader.take(used.wrapping_neg() & 3)?;
            return Some((ssrc, name));
        }
        let len = usize::from(reader.u8()?);
        let value = reader.take(len)?;
        used = used.saturating_add(1).saturating_add(len);
        if kind == 1 && name.is_none() {
            name = Some(value);
        }
    }
}

/// Sources that say goodbye.
#[derive(Debug, Clone, Copy)]
pub struct Bye<'a> {
    ssrcs: &'a [u8],
}

impl<'a> Bye<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Option<Self> {
        let ssrcs = Reader::new(body).take(usize::from(count).saturating_mul(4))?;
        Some(Self { ssrcs })
    }

    pub fn ssrcs(&self) -> Ssrcs<'a> {
        Ssrcs::new(self.ssrcs)
    }
}

/// Iterator over a list of sources.
#[derive(Debug, Clone)]
pub struct Ssrcs<'a> {
    reader: Reader<'a>,
}

impl<'a> Ssrcs<'a> {
    pub(super) fn new(list: &'a [u8]) -> Self {
        Self { reader: Reader::new(list) }
    }
}

impl Iterator for Ssrcs<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.reader.u32()
    }
}
