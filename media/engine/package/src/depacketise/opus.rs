//! Opus (RFC 7587): every payload is one packet; its length in time is in its first bytes (RFC 6716 section 3.1).
//!
//! With redundancy (RFC 2198) blocks of packets that were lost are taken from the ones that followed.

use jiangtai_core::red::Red;
use jiangtai_core::rtp::Packet;

use crate::reorder::{Mark, Ordered};
use crate::unit::{Config, Unit};

/// Longest packet that makes sense: 3 frames of 20 ms at 510 kbit/s stay below.
const MAX_PACKET: usize = 4_096;
/// 120 ms at 48 kHz.
const MAX_TICKS: u32 = 5_760;

/// How long a packet plays in 48 kHz ticks (RFC 6716 section 3.1); None if it is malformed.
pub fn ticks_long(packet: &[u8]) -> Option<u32> {
    let toc = packet.first()?;
    let frame = match toc >> 3 {
        config @ 0..=11 => [480u32, 960, 1920, 2880].get(usize::from(config & 3)).copied()?,
        config @ 12..=15 => [480u32, 960].get(usize::from(config & 1)).copied()?,
        config => 120u32 << (config & 3),
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    frame.checked_mul(frames).filter(|ticks| (1..=MAX_TICKS).contains(ticks))
}

#[derive(Debug)]
pub struct Opus {
    red: Option<u8>,
    /// Where the last packet that left ended.
    until: Option<Mark>,
    pub malformed: u64,
}

impl Opus {
    pub fn new(red: Option<u8>) -> Self {
        Self { red, until: None, malformed: 0 }
    }

    pub fn push(&mut self, ordered: Ordered<'_>, packet: &Packet<'_>, out: &mut impl FnMut(Unit)) {
        let payload = packet.payload();
        if payload.is_empty() {
            return;
        }
        if self.red != Some(packet.payload_type()) {
            return self.take(ordered.mark, payload, out);
        }
        let Some(red) = Red::parse(payload) else {
            self.malformed = self.malformed.saturating_add(1);
            return;
        };
        for block in red.redundant().filter(|block| !block.data.is_empty()) {
            let ticks = ordered.mark.ticks.saturating_sub(i64::from(block.offset));
            // Only what is missing, and never before the first packet.
            if self.until.is_some_and(|until| until.epoch == ordered.mark.epoch && ticks >= until.ticks) {
                self.take(Mark { ticks, ..ordered.mark }, block.data, out);
            }
        }
        if !red.primary.data.is_empty() {
            self.take(ordered.mark, red.primary.data, out);
        }
    }

    fn take(&mut self, mark: Mark, data: &[u8], out: &mut impl FnMut(Unit)) {
        let Some(ticks) = ticks_long(data).filter(|_| data.len() <= MAX_PACKET) else {
            self.malformed = self.malformed.saturating_add(1);
            return;
        };
        let config = self.until.is_none().then_some(Config::Opus);
        self.until = Some(Mark { ticks: mark.ticks.saturating_add(i64::from(ticks)), ..mark });
        out(Unit { mark, key: true, ticks_long: Some(ticks), data: data.to_vec(), config });
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use jiangtai_core::rtp::{write, Header};

    #[test]
    fn a_packet_tells_its_length_in_time() {
        assert_eq!(ticks_long(&[0x78, 1, 2]), Some(960), "CELT, fullband, 20 ms");
        assert_eq!(ticks_long(&[0x7b, 3]), Some(2_880), "three of them");
        assert_eq!(ticks_long(&[0x08]), Some(960), "SILK, 20 ms, nothing in it");
        assert_eq!(ticks_long(&[0x18, 0]), Some(2_880), "SILK, 60 ms");
        assert_eq!(ticks_long(&[0x80]), Some(120), "CELT, 2.5 ms");
        assert_eq!((ticks_long(&[]), ticks_long(&[0x03]), ticks_long(&[0x1b, 0x3f]), ticks_long(&[0x03, 0])), (None, None, None, None));
    }

    fn push(opus: &mut Opus, ticks: i64, payload_type: u8, payload: &[u8]) -> Vec<(i64, Vec<u8>)> {
        let mut bytes = [0; 200];
        let header = Header { payload_type, marker: false, sequence: 0, timestamp: ticks as u32, ssrc: 1 };
        let n = write(&mut bytes, &header, &[], &[payload], 0).unwrap();
        let mut units = Vec::new();
        let ordered = Ordered { after_loss: false, mark: Mark { epoch: 0, ticks }, packet: &bytes[..n] };
        opus.push(ordered, &Packet::parse(&bytes[..n]).unwrap(), &mut |unit| units.push((unit.mark.ticks, unit.data)));
        units
    }

    #[test]
    fn what_was_lost_comes_from_the_redundancy_of_the_next() {
        let mut opus = Opus::new(Some(63));
        assert_eq!(push(&mut opus, 960, 111, &[0x78, 1]).len(), 1);
        // 1,920 is lost; its copy and one of 960 are in the packet of 2,880.
        let red = [0x80 | 111, 0x1e, 0x00, 0x02, 0x80 | 111, 0x0f, 0x00, 0x02, 111, 0x78, 1, 0x78, 2, 0x78, 3];
        assert_eq!(push(&mut opus, 2_880, 63, &red), vec![(1_920, vec![0x78, 2]), (2_880, vec![0x78, 3])]);
    }

    #[test]
    fn empty_payloads_are_probes_and_malformed_ones_are_counted() {
        let mut opus = Opus::new(Some(63));
        assert!(
            push(&mut opus, 0, 111, &[]).is_empty()
                && push(&mut opus, 0, 63, &[0xff]).is_empty()
                && push(&mut opus, 0, 111, &[3]).is_empty()
        );
        assert_eq!(opus.malformed, 2);
    }
}
