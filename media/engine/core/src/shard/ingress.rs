//! The hot path in: a datagram from a known pair is opened once, attributed to a track, counted, stored, played.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

use super::{Shard, Switched};
use crate::arena::Key;
use crate::event::{CloseReason, Event};
use crate::forward::{forward, Incoming, Outcome, Turn};
use crate::history::{Insert, Stored};
use crate::mapping::Source;
use crate::media::{Codec, Kind};
use crate::nack::Arrival;
use crate::peer::{Carries, Peer};
use crate::rtp::{self, Packet};
use crate::srtp;
use crate::track::{Track, SILENCE};

/// Transport-wide feedback goes out this long after the first packet it reports.
const FEEDBACK: Duration = Duration::from_millis(50);
/// Level assumed for audio without the RFC 6464 extension.
const UNKNOWN_LEVEL: u8 = 40;
/// Opus payloads up to this size are comfort noise (DTX).
const DTX_BYTES: usize = 3;
/// A step in sequence numbers beyond this is a new stream, not loss.
const JUMP: u64 = 3000;

impl Shard {
    pub(super) fn receive_srtp(&mut self, now: Instant, key: Key<Peer>, datagram: &mut [u8]) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let Some(keys) = peer.srtp.as_mut() else { return self.metrics.dropped_srtp_early.inc() };
        if rtp::is_rtcp(datagram) {
            match keys.opener.open_rtcp(datagram) {
                Ok(len) => {
                    peer.traffic.bytes_in += len as u64;
                    self.metrics.rtcp_in.inc();
                    self.receive_rtcp(now, key, &datagram[..len]);
                }
                Err(srtp::Error::Replay) => self.metrics.dropped_srtcp_replay.inc(),
                Err(srtp::Error::Short | srtp::Error::Unencrypted) => self.metrics.dropped_srtcp_short.inc(),
                Err(_) => self.metrics.dropped_srtcp_auth.inc(),
            }
            return;
        }
        match keys.opener.open_rtp(datagram) {
            Ok(len) => {
                peer.traffic.bytes_in += len as u64;
                match Packet::parse(&datagram[..len]) {
                    Ok(packet) => self.receive_rtp(now, key, &packet),
                    Err(_) => self.metrics.dropped_rtp_malformed.inc(),
                }
            }
            Err(srtp::Error::Replay) => self.metrics.dropped_srtp_replay.inc(),
            Err(srtp::Error::Short) => self.metrics.dropped_srtp_short.inc(),
            Err(srtp::Error::TooManySources) => {
                self.metrics.dropped_too_many_ssrc.inc();
                self.violation(key, "too_many_ssrc", now);
            }
            Err(_) => self.metrics.dropped_srtp_auth.inc(),
        }
    }

    /// Counts a violation and makes sure it is told.
    pub(super) fn violation(&mut self, key: Key<Peer>, kind: &'static str, now: Instant) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.violation(kind);
            let at = peer.violations_due(now).unwrap_or(now).max(now);
            self.schedule(key, at);
        }
    }

    fn receive_rtp(&mut self, now: Instant, key: Key<Peer>, packet: &Packet<'_>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if let Some(number) = peer.extensions.twcc.and_then(|id| packet.extension(id)).and_then(|v| v.try_into().ok()) {
            peer.arrivals.record(u16::from_be_bytes(number), self.clock.micros(now));
            if peer.feedback_due.is_none() {
                peer.feedback_due = Some(now + FEEDBACK);
                self.schedule(key, now + FEEDBACK);
            }
        }
        let Some(carries) = self.attribute(now, key, packet) else { return };
        let Some(track) = self.tracks.get_mut(carries.track()) else { return };
        if !track.allowed {
            self.metrics.dropped_not_allowed.inc();
            return self.violation(key, "not_allowed", now);
        }
        let Some((codec, is_rtx)) = track.codec(packet.payload_type()) else {
            return self.metrics.dropped_unknown_pt.inc();
        };
        let retransmitted = is_rtx || matches!(carries, Carries::Retransmissions(_));
        let (sequence, payload) = if retransmitted {
            // RFC 4588 section 4: the original sequence number comes first. Without payload it is a bandwidth probe.
            match packet.payload().split_first_chunk::<2>() {
                Some((original, rest)) => (u16::from_be_bytes(*original), rest),
                None if packet.payload().is_empty() => return,
                None => return self.metrics.dropped_rtx_malformed.inc(),
            }
        } else {
            (packet.sequence(), packet.payload())
        };
        if retransmitted {
            self.metrics.rtx_in.inc();
            if track.extended.highest().is_none() {
                return;
            }
        }
        self.take(now, carries.track(), packet, codec, sequence, payload, retransmitted);
    }

    /// Which track a packet belongs to: by known source, else by MID (RFC 8843 section 9.2), else by nothing.
    fn attribute(&mut self, now: Instant, key: Key<Peer>, packet: &Packet<'_>) -> Option<Carries> {
        let peer = self.peers.get_mut(key)?;
        let ssrc = packet.ssrc();
        if let Some(carries) = peer.carries(ssrc) {
            return Some(carries);
        }
        let mid = peer.extensions.mid.and_then(|id| packet.extension(id)).and_then(rtp::text);
        let found = peer.tracks.iter().copied().find(|track| self.tracks.get(*track).is_some_and(|t| Some(t.mid.as_str()) == mid));
        let Some(found) = found else {
            self.metrics.dropped_unknown_ssrc.inc();
            self.violation(key, "unknown_ssrc", now);
            return None;
        };
        let track = self.tracks.get_mut(found)?;
        let carries = match track.codec(packet.payload_type()) {
            Some((_, true)) => Carries::Retransmissions(found),
            Some((_, false)) => Carries::Media(found),
            None => {
                self.metrics.dropped_unknown_pt.inc();
                return None;
            }
        };
        if !peer.map_source(ssrc, carries) {
            self.metrics.dropped_too_many_ssrc.inc();
            self.violation(key, "too_many_ssrc", now);
            return None;
        }
        Some(carries)
    }

    #[allow(clippy::too_many_arguments)]
    fn take(&mut self, now: Instant, key: Key<Track>, packet: &Packet<'_>, codec: Codec, sequence: u16, payload: &[u8], resent: bool) {
        let Some(track) = self.tracks.get_mut(key) else { return };
        if !resent && track.ssrc != Some(packet.ssrc()) {
            track.restart(packet.ssrc());
        }
        let ahead = track.extended.peek(sequence).saturating_sub(track.extended.highest().unwrap_or(u64::MAX));
        if ahead > JUMP {
            if resent {
                return;
            }
            track.restart(packet.ssrc());
        }
        let extended = if resent { track.extended.peek(sequence) } else { track.extended.update(sequence) };
        let stored = Stored { timestamp: packet.timestamp(), marker: packet.marker(), codec: codec.name, payload };
        match track.history.insert(extended, stored) {
            Insert::New => {}
            Insert::Duplicate => return self.metrics.dropped_duplicate.inc(),
            Insert::TooOld => return self.metrics.dropped_too_old.inc(),
        }
        track.reception.received(extended, packet.timestamp(), codec.name.clock_rate(), !resent, now);
        let mut wake = None;
        if track.repairable() {
            match track.nack.received(extended, now) {
                Arrival::TooWide => track.key_frames.request(),
                Arrival::InOrder | Arrival::Recovered => {}
            }
            wake = track.nack.due();
        }
        if !resent {
            track.newest = Some((packet.timestamp(), now));
        }
        track.last_packet = Some(now);
        if track.sending != Some(codec.name) {
            if track.sending.is_none() {
                wake = Some(wake.map_or(now + SILENCE, |at| at.min(now + SILENCE)));
            }
            track.sending = Some(codec.name);
            self.events.push(Event::Track { track: track.id, sending: true, codec: codec.name.as_str() });
        }
        let source = Source { track: key, epoch: track.epoch };
        let mut incoming = Incoming::new(source, extended, packet.timestamp(), packet.marker(), codec.name, payload);
        if incoming.key_frame {
            track.key_frames.arrived();
        }
        let (owner, kind) = (track.peer, track.kind);
        if let Some(at) = wake {
            self.schedule(owner, at);
        }
        if kind == Kind::Audio {
            let id = self.peers.get(owner).and_then(|peer| peer.extensions.audio_level);
            incoming.level = id.and_then(|id| packet.extension(id)).and_then(|value| value.first().copied());
        }
        self.play(now, key, &incoming);
    }

    /// Plays a packet in every slot that wants it: those assigned, and for audio those that follow the room's places.
    fn play(&mut self, now: Instant, key: Key<Track>, packet: &Incoming<'_>) {
        let mut listeners = std::mem::take(&mut self.listeners);
        listeners.clear();
        let Some(track) = self.tracks.get(key) else { return };
        let (id, owner) = (track.id, track.peer);
        listeners.extend_from_slice(&track.listeners);
        let explicit = listeners.len();
        if track.kind == Kind::Audio {
            let level = match packet.level {
                Some(byte) => byte & 0x7f,
                None if packet.payload.len() <= DTX_BYTES => 127,
                None => UNKNOWN_LEVEL,
            };
            let (room_id, priority) = (track.room, track.priority);
            if let Some(room) = self.rooms.get_mut(&room_id) {
                room.places_changed |= room.audio.heard(id, priority, level, now);
                if room.speakers_due.is_none() {
                    room.speakers_due = Some(now);
                    self.rooms_due = Some(now);
                }
                if let Some(followers) = room.audio.place_of(id).and_then(|place| room.followers.get(place)) {
                    listeners.extend_from_slice(followers);
                }
                if room.places_changed {
                    self.tell_places(room_id);
                }
            }
        }
        let mut waiting = false;
        let mut turn = Turn { now, now_us: self.clock.micros(now), outbox: &mut self.outbox, metrics: &self.metrics };
        for (n, slot_key) in listeners.iter().copied().enumerate() {
            let Some(slot) = self.slots.get_mut(slot_key) else { continue };
            let Some(peer) = self.peers.get_mut(slot.peer) else { continue };
            let wanted = if n < explicit { slot.wanted == Some(key) } else { !peer.own.contains(&id) };
            if n >= explicit && !wanted {
                continue;
            }
            let before = slot.playing;
            match catch_unwind(AssertUnwindSafe(|| forward(packet, wanted, slot, peer, &mut turn))) {
                Ok(Outcome::Switched) => {
                    let left = before.map(|old| old.track).filter(|old| n < explicit && *old != key);
                    self.switched.push(Switched { slot: slot_key, peer: slot.peer, left });
                }
                Ok(Outcome::Waiting) => waiting = true,
                Ok(_) => {}
                Err(_) => {
                    self.metrics.panics.inc();
                    self.doomed.push((slot.peer, CloseReason::Panic));
                }
            }
        }
        self.listeners = listeners;
        while let Some(Switched { slot, peer, left }) = self.switched.pop() {
            if let Some(left) = left {
                self.unlisten(slot, left);
            }
            // Its first sender report is due.
            self.schedule(peer, now);
        }
        if let Some(track) = self.tracks.get_mut(key).filter(|track| track.kind == Kind::Video) {
            if waiting {
                track.key_frames.request();
            }
            if let Some(at) = track.key_frames.due() {
                self.schedule(owner, at.max(now));
            } else if waiting {
                self.schedule(owner, now);
            }
        }
    }
}
