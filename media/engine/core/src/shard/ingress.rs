//! The hot path in: a datagram from a known pair is opened once, attributed to a layer of a track, counted and stored; then it
//! waits for `play`.

use std::time::{Duration, Instant};

use super::taping::Sample;
use super::Shard;
use crate::arena::Key;
use crate::event::Event;
use crate::forward::starts_key_frame;
use crate::history::{Insert, Stored};
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
/// Bytes of a packet beside its payload, for measuring rates.
const HEADERS: usize = 40;
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
                    Ok(packet) => self.receive_rtp(now, key, &packet, &datagram[..packet.header_len()]),
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

    fn receive_rtp(&mut self, now: Instant, key: Key<Peer>, packet: &Packet<'_>, header: &[u8]) {
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
        let Some((codec, is_rtx)) = track.codec(packet.payload_type()) else {
            return self.metrics.dropped_unknown_pt.inc();
        };
        let resent = is_rtx || matches!(carries, Carries::Retransmissions(..));
        // What is not allowed is told of too: of several devices of a person the one that sends counts.
        let begins = !resent && track.arrives(now, codec.name);
        let (id, kind, allowed) = (track.id, track.kind, track.allowed);
        let fits = allowed && track.affords(now);
        if begins {
            self.events.push(Event::Track { track: id, sending: true, codec: codec.name.as_str() });
            self.schedule(key, now + SILENCE);
        }
        if !allowed {
            self.metrics.dropped_not_allowed.inc();
            return self.violation(key, "not_allowed", now);
        }
        if !fits {
            self.metrics.dropped_too_fast.inc();
            return self.violation(key, "too_fast", now);
        }
        let (sequence, payload) = if resent {
            // RFC 4588 section 4: the original sequence number comes first. Without payload it is a bandwidth probe.
            match packet.payload().split_first_chunk::<2>() {
                Some((original, rest)) => (u16::from_be_bytes(*original), rest),
                None if packet.payload().is_empty() => return,
                None => return self.metrics.dropped_rtx_malformed.inc(),
            }
        } else {
            (packet.sequence(), packet.payload())
        };
        if resent {
            self.metrics.rtx_in.inc();
            let layer = self.tracks.get(carries.track()).and_then(|track| track.layers.get(carries.layer()));
            if layer.is_none_or(|layer| layer.extended.highest().is_none()) {
                return;
            }
        }
        let level = peer_level(self.peers.get(key), kind, packet);
        let (timestamp, marker, key_frame) = (packet.timestamp(), packet.marker(), starts_key_frame(codec.name, payload));
        let stored = Stored { timestamp, marker, codec: codec.name, level, key_frame, payload };
        let Some(sequence) = self.take(now, carries, packet.ssrc(), codec, sequence, stored, resent) else { return };
        let Some(track) = self.tracks.get(carries.track()).filter(|track| track.recorded.is_some()) else { return };
        let ssrc = track.layers.get(carries.layer()).and_then(|layer| layer.ssrc).unwrap_or(packet.ssrc());
        let (track, layer) = (carries.track(), carries.layer());
        self.tape_packet(now, &Sample { track, layer, sequence, header, payload, key_frame, resent, pt: codec.pt, ssrc });
    }

    /// What a packet carries: by known source, else by MID and RID (RFC 8843 section 9.2, RFC 8852), else nothing.
    fn attribute(&mut self, now: Instant, key: Key<Peer>, packet: &Packet<'_>) -> Option<Carries> {
        let peer = self.peers.get_mut(key)?;
        let ssrc = packet.ssrc();
        if let Some(carries) = peer.carries(ssrc) {
            return Some(carries);
        }
        let named = |id: Option<u8>| id.and_then(|id| packet.extension(id)).and_then(rtp::text);
        let mid = named(peer.extensions.mid);
        let found = peer.tracks.iter().copied().find(|track| self.tracks.get(*track).is_some_and(|t| Some(t.mid.as_str()) == mid));
        let Some(found) = found else {
            self.metrics.dropped_unknown_ssrc.inc();
            self.violation(key, "unknown_ssrc", now);
            return None;
        };
        let track = self.tracks.get(found)?;
        let Some((_, is_rtx)) = track.codec(packet.payload_type()) else {
            self.metrics.dropped_unknown_pt.inc();
            return None;
        };
        let rid = named(peer.extensions.rid);
        let repaired = named(peer.extensions.rrid);
        let Some(layer) = track.layer_of(repaired.or(rid)) else {
            self.metrics.dropped_unknown_rid.inc();
            return None;
        };
        let carries = match is_rtx {
            true => Carries::Retransmissions(found, layer),
            false => Carries::Media(found, layer),
        };
        if !peer.map_source(ssrc, carries) {
            self.metrics.dropped_too_many_ssrc.inc();
            self.violation(key, "too_many_ssrc", now);
            return None;
        }
        Some(carries)
    }

    /// Takes in a packet; its extended sequence number if it is new.
    #[allow(clippy::too_many_arguments)]
    fn take(
        &mut self,
        now: Instant,
        carries: Carries,
        ssrc: u32,
        codec: Codec,
        sequence: u16,
        packet: Stored<'_>,
        resent: bool,
    ) -> Option<u64> {
        let (key, at) = (carries.track(), carries.layer());
        let track = self.tracks.get_mut(key)?;
        let (repairable, origin) = (track.repairable(), track.peer());
        let layer = track.layers.get_mut(at)?;
        if !resent && layer.ssrc != Some(ssrc) {
            layer.restart(ssrc);
        }
        let ahead = layer.extended.peek(sequence).saturating_sub(layer.extended.highest().unwrap_or(u64::MAX));
        if ahead > JUMP {
            if resent {
                return None;
            }
            layer.restart(ssrc);
        }
        let extended = if resent { layer.extended.peek(sequence) } else { layer.extended.update(sequence) };
        match layer.history.insert(extended, packet) {
            Insert::New => {}
            Insert::Duplicate => {
                self.metrics.dropped_duplicate.inc();
                return None;
            }
            Insert::TooOld => {
                self.metrics.dropped_too_old.inc();
                return None;
            }
        }
        layer.reception.received(extended, packet.timestamp, codec.name.clock_rate(), !resent, now);
        layer.rate.add(packet.payload.len() + HEADERS, now);
        let mut wake = None;
        if repairable {
            match layer.nack.received(extended, now) {
                Arrival::TooWide => layer.key_frames.request(),
                Arrival::InOrder | Arrival::Recovered => {}
            }
            wake = layer.nack.due();
        }
        if !resent {
            layer.newest = Some((packet.timestamp, now));
        }
        if packet.key_frame {
            layer.key_frame(extended, packet.timestamp, now);
        }
        track.taken(at, now);
        let begins = track.sending.replace(codec.name).is_none();
        if begins {
            wake = Some(wake.map_or(now + SILENCE, |at| at.min(now + SILENCE)));
            self.tape_silence(now, key, false);
        }
        let track = self.tracks.get(key)?;
        if track.kind == Kind::Audio && track.voice {
            self.heard(now, key, packet.level, packet.payload.len());
        }
        self.await_play(key, at, extended);
        let peer = origin?;
        if let Some(at) = wake {
            self.schedule(peer, at);
        }
        if begins {
            self.arm_reports(now, peer);
        }
        Some(extended)
    }

    /// Lets a stored packet be played by the next `play`.
    pub(super) fn await_play(&mut self, key: Key<Track>, layer: usize, sequence: u64) {
        let Some(track) = self.tracks.get_mut(key) else { return };
        let Some(room) = self.rooms.get_mut(&track.room) else { return };
        if let Some(layer) = track.layers.get_mut(layer) {
            layer.pending.push(sequence);
        }
        if std::mem::replace(&mut track.pending, true) {
            return;
        }
        if room.ready.is_empty() {
            self.ready.push(room.id);
        }
        room.ready.push(key);
        let audience = self.audience(key);
        self.crowd = Some(self.crowd.map_or(audience, |least| least.min(audience)));
    }

    /// Ranks a voice in its room.
    fn heard(&mut self, now: Instant, key: Key<Track>, level: Option<u8>, bytes: usize) {
        let Some(track) = self.tracks.get(key) else { return };
        let level = match level {
            Some(byte) => byte & 0x7f,
            None if bytes <= DTX_BYTES => 127,
            None => UNKNOWN_LEVEL,
        };
        let Some(room) = self.rooms.get_mut(&track.room) else { return };
        room.places_changed |= room.audio.heard(track.id, track.priority, level, now);
        if room.speakers_due.is_none() {
            room.speakers_due = Some(now);
            self.rooms_due = Some(now);
        }
        if room.places_changed {
            let room = room.id;
            self.tell_places(room);
        }
    }
}

/// The audio level a packet names (RFC 6464), if it is sound.
fn peer_level(peer: Option<&Peer>, kind: Kind, packet: &Packet<'_>) -> Option<u8> {
    let id = peer.filter(|_| kind == Kind::Audio)?.extensions.audio_level?;
    packet.extension(id)?.first().copied()
}
