//! What happens by time alone: retransmission and key frame requests, reports, expiry, quality, speakers.

use std::time::{Duration, Instant};

use super::guard::Behalf;
use super::Shard;
use crate::arena::Key;
use crate::event::{CloseReason, Event};
use crate::fault::Place;
use crate::ice::CONSENT;
use crate::peer::{Peer, CNAME, FEEDBACK_SSRC};
use crate::room::Room;
use crate::rtcp::{ReportBlock, SenderInfo};
use crate::slot::Slot;
use crate::track::SILENCE;

const REPORT_EVERY: Duration = Duration::from_secs(1);
const QUALITY_EVERY: Duration = Duration::from_secs(3);
const SPEAKERS_EVERY: Duration = Duration::from_millis(200);

impl Shard {
    /// The handshake is done: media may flow both ways.
    pub(super) fn peer_is_ready(&mut self, now: Instant, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        peer.quality_due = now + QUALITY_EVERY;
        let slots = peer.slots.clone();
        self.arm_reports(now, key);
        // Pictures were waiting for this receiver.
        self.beginning.extend(slots);
        self.choose_layers(now, key);
    }

    /// There is something to report on from now on.
    pub(super) fn arm_reports(&mut self, now: Instant, key: Key<Peer>) {
        if let Some(peer) = self.peers.get_mut(key).filter(|peer| peer.report_due.is_none()) {
            peer.report_due = Some(now + REPORT_EVERY);
            self.schedule(key, now + REPORT_EVERY);
        }
    }

    /// Everything that is due for one peer; sets its next timer.
    pub(super) fn upkeep(&mut self, now: Instant, key: Key<Peer>) {
        let Some(peer) = self.peers.get(key) else { return };
        let ready = peer.srtp.is_some();
        let consent = peer.ice.last_check() + CONSENT;
        let ends = if ready { consent } else { peer.expires };
        if ends <= now {
            let reason = if ready { CloseReason::Consent } else { CloseReason::Expired };
            return self.doomed.push((key, reason));
        }
        self.dtls_upkeep(now, key);
        self.ask(now, key);
        if ready {
            self.request_repairs(now, key);
            self.transport_feedback(now, key);
            if self.peers.get(key).is_some_and(|peer| peer.report_due.is_some_and(|at| at <= now)) {
                self.reports(now, key);
            }
            self.first_reports(now, key);
            self.tell_quality(now, key);
            self.bandwidth_upkeep(now, key);
            if self.peers.get(key).is_some_and(|peer| peer.choice_due.is_some_and(|at| at <= now)) {
                self.choose_layers(now, key);
            }
        }
        self.tell_violations(now, key);
        self.tell_silence(now, key);
        let Some(peer) = self.peers.get(key) else { return };
        let mut next = ends.min(peer.dtls.wake()).min(peer.violations_due(now).unwrap_or(ends));
        if ready {
            let bandwidth = self.bandwidth_due(peer, now);
            for at in [peer.report_due, peer.feedback_due, peer.choice_due, bandwidth].into_iter().flatten() {
                next = next.min(at);
            }
        }
        for track in peer.tracks.iter().filter_map(|track| self.tracks.get(*track)) {
            let layers = track.layers.iter().flat_map(|layer| [layer.nack.due(), layer.key_frames.due()]);
            next = layers.chain([track.silence_due()]).flatten().fold(next, Instant::min);
        }
        // Never sooner than a millisecond: a deadline that stays in the past must not spin the thread.
        self.schedule(key, next.max(now + Duration::from_millis(1)));
    }

    fn dtls_upkeep(&mut self, now: Instant, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if peer.dtls.wake() > now {
            return;
        }
        let (outbox, path) = (&mut self.outbox, peer.path);
        let output = peer.dtls.timeout(now, &mut |record| {
            if let Some(path) = path {
                outbox.push(path, record);
            }
        });
        self.dtls_output(now, key, output);
    }

    /// NACKs and PLIs to a sender.
    fn request_repairs(&mut self, now: Instant, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let mut missing = std::mem::take(&mut self.missing);
        for at in 0..peer.tracks.len() {
            let Some(track) = peer.tracks.get(at).and_then(|track| self.tracks.get_mut(*track)) else { continue };
            let (repairable, watched) = (track.repairable(), track.is_watched());
            for layer in &mut track.layers {
                let Some(ssrc) = layer.ssrc else { continue };
                missing.clear();
                let gave_up = layer.nack.poll(now, &mut missing);
                if gave_up && watched && repairable {
                    layer.key_frames.request();
                }
                let key_frame = layer.key_frames.poll(now);
                if missing.is_empty() && !key_frame {
                    continue;
                }
                let sent = peer.send_rtcp(&mut self.outbox, &self.metrics, |rtcp| {
                    rtcp.receiver_report(FEEDBACK_SSRC, &[]).is_ok()
                        && rtcp.nack(FEEDBACK_SSRC, ssrc, &missing).is_ok()
                        && (!key_frame || rtcp.pli(FEEDBACK_SSRC, ssrc).is_ok())
                });
                if sent {
                    self.metrics.nack_out.add(u64::from(!missing.is_empty()));
                    self.metrics.pli_out.add(u64::from(key_frame));
                }
            }
        }
        self.missing = missing;
    }

    fn transport_feedback(&mut self, now: Instant, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if peer.feedback_due.is_none_or(|at| at > now) {
            return;
        }
        let media = peer.sources.first().map_or(0, |(ssrc, _)| *ssrc);
        let mut recorder = std::mem::take(&mut peer.arrivals);
        // What did not fit one packet goes into the next; the bound only guards against a fault.
        for _ in 0..8 {
            let more = peer.send_rtcp(&mut self.outbox, &self.metrics, |rtcp| {
                recorder.pending()
                    && rtcp.receiver_report(FEEDBACK_SSRC, &[]).is_ok()
                    && rtcp.twcc(&mut recorder, FEEDBACK_SSRC, media).unwrap_or(false)
            });
            if !more {
                break;
            }
            self.metrics.twcc_out.inc();
        }
        peer.arrivals = recorder;
        // Armed again by the next packet.
        peer.feedback_due = None;
    }

    /// Receiver reports for a peer's tracks, sender reports for its slots (RFC 3550 section 6.4).
    fn reports(&mut self, now: Instant, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let mut blocks = Vec::new();
        for track in peer.tracks.iter() {
            let Some(track) = self.tracks.get_mut(*track) else { continue };
            for layer in &mut track.layers {
                let (Some(ssrc), Some(f)) = (layer.ssrc, layer.reception.report(now)) else { continue };
                peer.traffic.expected += f.expected;
                peer.traffic.lost += f.lost;
                blocks.push(ReportBlock {
                    ssrc,
                    fraction_lost: f.fraction_lost,
                    cumulative_lost: f.cumulative_lost,
                    highest: f.highest,
                    jitter: f.jitter,
                    last_sr: f.lsr,
                    delay_since_last_sr: f.dlsr,
                });
            }
        }
        for blocks in blocks.chunks(31) {
            peer.send_rtcp(&mut self.outbox, &self.metrics, |rtcp| {
                rtcp.receiver_report(FEEDBACK_SSRC, blocks).is_ok() && rtcp.cname(FEEDBACK_SSRC, CNAME).is_ok()
            });
        }
        let due: Vec<Key<Slot>> =
            peer.slots.iter().copied().filter(|slot| self.slots.get(*slot).is_some_and(|s| s.playing.is_some())).collect();
        peer.report_due = (!blocks.is_empty() || !due.is_empty()).then_some(now + REPORT_EVERY);
        self.sender_reports(now, key, &due);
    }

    /// A slot that has just taken a new source reports at once, so that its receiver can keep sound and picture together.
    fn first_reports(&mut self, now: Instant, key: Key<Peer>) {
        let Some(peer) = self.peers.get(key) else { return };
        let due: Vec<Key<Slot>> = peer
            .slots
            .iter()
            .copied()
            .filter(|slot| self.slots.get(*slot).is_some_and(|s| s.report_due.is_some_and(|at| at <= now)))
            .collect();
        if !due.is_empty() {
            self.arm_reports(now, key);
            self.sender_reports(now, key, &due);
        }
    }

    fn sender_reports(&mut self, now: Instant, key: Key<Peer>, slots: &[Key<Slot>]) {
        for slot in slots {
            let Some((info, ssrc)) = self.sender_info(now, *slot) else { continue };
            if let Some(slot) = self.slots.get_mut(*slot) {
                slot.report_due = None;
            }
            let Some(peer) = self.peers.get_mut(key) else { return };
            let sent = peer.send_rtcp(&mut self.outbox, &self.metrics, |rtcp| {
                rtcp.sender_report(&info, &[]).is_ok() && rtcp.cname(ssrc, CNAME).is_ok()
            });
            self.metrics.sender_reports_out.add(u64::from(sent));
        }
    }

    /// The slot's timeline against our clock: by the sender's own report if there is one, else by arrival.
    fn sender_info(&self, now: Instant, slot: Key<Slot>) -> Option<(SenderInfo, u32)> {
        let slot = self.slots.get(slot)?;
        let segment = slot.mapping.current()?;
        let source = slot.playing.filter(|source| *source == segment.source)?;
        let track = self.tracks.get(source.track)?;
        let layer = track.layers.get(usize::from(source.layer)).filter(|layer| layer.epoch == source.epoch)?;
        let ntp = self.clock.ntp(now);
        let rate = i128::from(slot.clock_rate);
        let offset = track.peer().and_then(|peer| self.peers.get(peer)).and_then(|peer| peer.clock_offset);
        let timestamp = match (layer.sender_clock, offset) {
            (Some(clock), Some(offset)) => {
                let elapsed = ntp.wrapping_sub(offset).wrapping_sub(clock.ntp) as i64;
                clock.timestamp.wrapping_add(((i128::from(elapsed) * rate) >> 32) as u32)
            }
            _ => {
                let (timestamp, at) = layer.newest?;
                let elapsed = now.saturating_duration_since(at).as_micros() as u64 * u64::from(slot.clock_rate) / 1_000_000;
                timestamp.wrapping_add(elapsed as u32)
            }
        };
        let rtp_timestamp = segment.timestamp(timestamp);
        Some((SenderInfo { ssrc: slot.ssrc, ntp, rtp_timestamp, packets: slot.packets, octets: slot.octets }, slot.ssrc))
    }

    fn tell_quality(&mut self, now: Instant, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if peer.quality_due > now {
            return;
        }
        let elapsed = (now.saturating_duration_since(peer.quality_due) + QUALITY_EVERY).as_millis().max(1) as u64;
        peer.quality_due = now + QUALITY_EVERY;
        let traffic = std::mem::take(&mut peer.traffic);
        peer.traffic.rtt_ms = traffic.rtt_ms;
        self.events.push(Event::Quality {
            peer: peer.id,
            rtt_ms: traffic.rtt_ms,
            loss_in: (traffic.lost * 1000).checked_div(traffic.expected).unwrap_or(0) as u32,
            loss_out: traffic.loss_out,
            kbps_in: (traffic.bytes_in * 8 / elapsed) as u32,
            kbps_out: (traffic.bytes_out * 8 / elapsed) as u32,
            kbps_available: peer.bandwidth.as_ref().map_or(0, |bandwidth| (bandwidth.target_bps() / 1000) as u32),
        });
    }

    fn tell_violations(&mut self, now: Instant, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if peer.violations_due(now).is_none_or(|at| at > now) {
            return;
        }
        peer.violations_told = Some(now);
        for (kind, count) in peer.violations.drain(..) {
            self.events.push(Event::Violation { peer: peer.id, kind, count });
        }
    }

    fn tell_silence(&mut self, now: Instant, key: Key<Peer>) {
        let tracks = self.peers.get(key).map_or(0, |peer| peer.tracks.len());
        for at in 0..tracks {
            let Some(key) = self.peers.get(key).and_then(|peer| peer.tracks.get(at).copied()) else { return };
            let Some(track) = self.tracks.get_mut(key) else { continue };
            let over = |last: Option<Instant>| last.is_some_and(|at| at + SILENCE <= now);
            let (silent, gone) = (over(track.last_packet()), over(track.arrived));
            if let Some(codec) = track.told.take_if(|_| gone) {
                self.events.push(Event::Track { track: track.id, sending: false, codec: codec.as_str() });
            }
            if track.sending.take_if(|_| silent).is_some() {
                self.tape_silence(now, key, true);
            }
        }
    }

    /// Speakers and vacated audio places of every room.
    pub(super) fn room_upkeep(&mut self, now: Instant) {
        let due = |room: &&Room| room.speakers_due.is_some_and(|at| at <= now);
        let due: Vec<u64> = self.rooms.values().filter(due).map(|room| room.id).collect();
        for id in due {
            self.guarded(Place::Room, Behalf::Room(id), |shard| shard.voices(now, id));
        }
        self.rooms_due = self.rooms.values().filter_map(|room| room.speakers_due).min();
    }

    fn voices(&mut self, now: Instant, id: u64) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let vacated = room.audio.sweep(now);
        if let Some(levels) = room.audio.speakers(now) {
            self.events.push(Event::Speakers { room: id, levels });
        }
        room.speakers_due = (!room.audio.is_idle()).then_some(now + SPEAKERS_EVERY);
        if vacated {
            self.tell_places(id);
        }
    }

    /// Tells who is in the audio places.
    pub(super) fn tell_places(&mut self, room: u64) {
        if let Some(room) = self.rooms.get_mut(&room) {
            room.places_changed = false;
            self.events.push(Event::AudioSlots { room: room.id, tracks: room.audio.tracks() });
        }
    }
}
