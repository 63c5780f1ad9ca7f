//! RTCP from peers: reports (RFC 3550 section 6.4), retransmission and key frame requests (RFC 4585 sections 6.2.1, 6.3.1; RFC 5104
//! section 4.3.1). Only what concerns the sender's own slots and tracks acts.

use std::time::Instant;

use super::Shard;
use crate::arena::Key;
use crate::clock;
use crate::forward::{resend, Turn};
use crate::layer::SenderClock;
use crate::peer::Peer;
use crate::rtcp::{self, Packet, ReportBlock, SenderInfo};
use crate::slot::Slot;

/// Sequence numbers answered per NACK packet.
const ANSWERED: usize = 128;

impl Shard {
    pub(super) fn receive_rtcp(&mut self, now: Instant, key: Key<Peer>, compound: &[u8]) {
        let Ok(packets) = rtcp::parse(compound) else { return self.metrics.dropped_rtcp_malformed.inc() };
        for packet in packets {
            match packet {
                Err(_) => self.metrics.dropped_rtcp_malformed.inc(),
                Ok(Packet::SenderReport(report)) => {
                    self.sender_report(now, key, &report.info);
                    report.blocks().for_each(|block| self.report_block(now, key, &block));
                }
                Ok(Packet::ReceiverReport(report)) => report.blocks().for_each(|block| self.report_block(now, key, &block)),
                Ok(Packet::Nack(nack)) => self.answer_nack(now, key, &nack),
                Ok(Packet::Pli { media, .. }) => self.picture_lost(now, key, media),
                Ok(Packet::Fir(fir)) => fir.entries().take(32).for_each(|(media, _)| self.picture_lost(now, key, media)),
                Ok(Packet::Twcc(feedback)) => self.arrivals(now, key, &feedback),
                Ok(Packet::Remb(_) | Packet::Sdes(_) | Packet::Bye(_) | Packet::Other(..)) => {}
            }
        }
    }

    /// A sender's clocks: kept for our own reports about its streams.
    fn sender_report(&mut self, now: Instant, key: Key<Peer>, info: &SenderInfo) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let Some(carries) = peer.carries(info.ssrc) else { return };
        let offset = self.clock.ntp(now).wrapping_sub(info.ntp);
        // The smallest offset has the least queueing in it; leak upwards so that a drifting clock is followed.
        peer.clock_offset = Some(peer.clock_offset.map_or(offset, |known| {
            let later = offset.wrapping_sub(known) as i64;
            if later < 0 {
                offset
            } else {
                known.wrapping_add(later as u64 / 64)
            }
        }));
        let layer = self.tracks.get_mut(carries.track()).and_then(|track| track.layers.get_mut(carries.layer()));
        if let Some(layer) = layer.filter(|layer| layer.ssrc == Some(info.ssrc)) {
            layer.sender_clock = Some(SenderClock { ntp: info.ntp, timestamp: info.rtp_timestamp });
            layer.reception.sender_report(info.ntp, now);
            self.tape_report(now, carries.track(), carries.layer(), (info.ntp, info.rtp_timestamp, info.ssrc));
        }
    }

    fn slot_of(&self, key: Key<Peer>, ssrc: u32) -> Option<Key<Slot>> {
        let peer = self.peers.get(key)?;
        peer.slots.iter().copied().find(|slot| self.slots.get(*slot).is_some_and(|s| s.ssrc == ssrc))
    }

    fn report_block(&mut self, now: Instant, key: Key<Peer>, block: &ReportBlock) {
        let Some(slot) = self.slot_of(key, block.ssrc).and_then(|slot| self.slots.get_mut(slot)) else { return };
        slot.missed(block.fraction_lost, now);
        let Some(peer) = self.peers.get_mut(key) else { return };
        peer.traffic.loss_out = peer.traffic.loss_out.max(Some(u32::from(block.fraction_lost) * 1000 / 256));
        if block.last_sr != 0 {
            let rtt = clock::middle(self.clock.ntp(now)).wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_last_sr);
            // Longer than half the range is a negative difference: clock granularity.
            peer.traffic.rtt_ms = if rtt > u32::MAX / 2 { 0 } else { (u64::from(rtt) * 1000 / 65_536) as u32 };
        }
    }

    fn answer_nack(&mut self, now: Instant, key: Key<Peer>, nack: &rtcp::Nack<'_>) {
        self.metrics.nack_in.inc();
        let Some(slot_key) = self.slot_of(key, nack.media) else { return };
        let mut turn = Turn { now, now_us: self.clock.micros(now), outbox: &mut self.outbox, metrics: &self.metrics };
        for sequence in nack.lost().take(ANSWERED) {
            let (Some(slot), Some(peer)) = (self.slots.get_mut(slot_key), self.peers.get_mut(key)) else { return };
            let found = slot.mapping.locate(sequence).and_then(|(segment, source, out)| {
                let track = self.tracks.get(segment.source.track).filter(|track| track.allowed)?;
                let layer = track.layers.get(usize::from(segment.source.layer)).filter(|layer| layer.epoch == segment.source.epoch)?;
                Some((segment, out, layer.history.get(source)?))
            });
            match found {
                Some((segment, out, stored)) => {
                    if resend(&stored, &segment, out, slot, peer, &mut turn) {
                        self.metrics.rtx_out.inc();
                    }
                }
                None => self.metrics.dropped_resend_unknown.inc(),
            }
        }
    }

    fn picture_lost(&mut self, now: Instant, key: Key<Peer>, media: u32) {
        self.metrics.pli_in.inc();
        let slot = self.slot_of(key, media).and_then(|slot| self.slots.get(slot));
        if let Some(source) = slot.and_then(|slot| slot.playing) {
            self.want_key_frame(now, source.track, usize::from(source.layer));
        }
    }
}
