//! Recording: which packets of a track go on the tape. One layer of it at a time, the best that comes; another one from its
//! key frame on.

use std::time::{Duration, Instant};

use super::Shard;
use crate::arena::Key;
use crate::command::RecordTrack;
use crate::media::Kind;
use crate::rtp::FIXED_HEADER;
use crate::tape::{Label, Rank, Recorded, Taped, INFERRED, KEY_FRAME, RESENT};
use crate::track::Track;

/// A recording can be entered this often.
const SEEKABLE: Duration = Duration::from_secs(10);
/// How long a key frame of another layer is waited for before it is asked for again.
const PATIENCE: Duration = Duration::from_secs(1);

/// A packet for the tape.
pub(super) struct Sample<'a> {
    pub track: Key<Track>,
    pub layer: usize,
    pub sequence: u64,
    /// As received, retransmissions included.
    pub header: &'a [u8],
    pub payload: &'a [u8],
    pub key_frame: bool,
    pub resent: bool,
    /// The payload type of the original.
    pub pt: u8,
    pub ssrc: u32,
}

impl Shard {
    /// Begins or ends the recording of a track.
    pub(super) fn record_track(&mut self, now: Instant, id: u64, record: Option<RecordTrack>) -> Option<()> {
        let key = *self.track_ids.get(&id)?;
        let track = self.tracks.get_mut(key).filter(|track| track.peer().is_some())?;
        let Some(record) = record else {
            self.tape_end(now, key, b"stopped");
            return Some(());
        };
        if track.recorded.is_some() {
            return None;
        }
        let RecordTrack { number, rank, description } = record;
        track.recorded = Some(Box::new(Recorded { number, rank, layer: None, lost: (0, 0), asked: None }));
        let (muted, video) = (!track.allowed, track.kind == Kind::Video);
        let best = (0..track.layers.len()).rfind(|at| track.is_active(*at, now)).unwrap_or(0);
        self.tape_mark(now, key, Taped::Start, 0, &description);
        if muted {
            self.tape_mark(now, key, Taped::Mute, 0, &[]);
        }
        if video {
            self.want_key_frame(now, key, best);
        }
        Some(())
    }

    /// Ends the recording of a track, if it is recorded.
    pub(super) fn tape_end(&mut self, now: Instant, key: Key<Track>, reason: &[u8]) {
        self.tape_mark(now, key, Taped::End, 0, reason);
        if let Some(track) = self.tracks.get_mut(key) {
            track.recorded = None;
        }
    }

    /// The track fell silent by itself, or is heard again.
    pub(super) fn tape_silence(&mut self, now: Instant, key: Key<Track>, silent: bool) {
        self.tape_mark(now, key, if silent { Taped::Mute } else { Taped::Unmute }, INFERRED, &[]);
    }

    /// Something about a recorded track that is no packet.
    pub(super) fn tape_mark(&mut self, now: Instant, key: Key<Track>, kind: Taped, flags: u8, content: &[u8]) {
        let Some(track) = self.tracks.get(key) else { return };
        let Some(recorded) = track.recorded.as_ref() else { return };
        let arrival_us = self.clock.micros(now);
        let label = Label { room: track.room, kind, flags, number: recorded.number, arrival_us, roc: 0 };
        if !self.tape.push(Rank::Sound, &label, &[content]) {
            self.metrics.dropped_tape_full.inc();
        }
    }

    /// A sender's report about the recorded layer.
    pub(super) fn tape_report(&mut self, now: Instant, key: Key<Track>, layer: usize, (ntp, timestamp, ssrc): (u64, u32, u32)) {
        let recorded = self.tracks.get(key).and_then(|track| track.recorded.as_ref());
        if recorded.is_none_or(|recorded| recorded.layer.map(|(at, _)| at) != Some(layer)) {
            return;
        }
        let mut content = [0u8; 16];
        let (first, rest) = content.split_at_mut(8);
        first.copy_from_slice(&ntp.to_le_bytes());
        let (second, third) = rest.split_at_mut(4);
        second.copy_from_slice(&timestamp.to_le_bytes());
        third.copy_from_slice(&ssrc.to_le_bytes());
        self.tape_mark(now, key, Taped::SenderReport, 0, &content);
    }

    /// A new packet of a track, just taken in.
    pub(super) fn tape_packet(&mut self, now: Instant, sample: &Sample<'_>) {
        let Some(track) = self.tracks.get_mut(sample.track) else { return };
        let (room, video) = (track.room, track.kind == Kind::Video);
        let best = (0..track.layers.len()).rfind(|at| track.is_active(*at, now)).unwrap_or(sample.layer);
        let Some(recorded) = track.recorded.as_mut() else { return };
        let Some(layer) = track.layers.get(sample.layer) else { return };
        let here = (sample.layer, layer.epoch);
        let begins = match recorded.layer {
            None => sample.layer == best,
            Some((at, epoch)) if at == sample.layer => epoch != layer.epoch,
            Some(_) => sample.layer == best && sample.key_frame,
        };
        let stale = layer.key_frame_age(now).is_none_or(|age| age >= SEEKABLE);
        let asked = |recorded: &Recorded, since| recorded.asked.is_some_and(|at| now.saturating_duration_since(at) < since);
        let elsewhere = recorded.layer.is_some_and(|(at, _)| at != best) && !begins;
        let wants = video && ((elsewhere && !asked(recorded, PATIENCE)) || (!elsewhere && stale && !asked(recorded, SEEKABLE)));
        if wants {
            recorded.asked = Some(now);
        }
        if begins {
            recorded.layer = Some(here);
            let number = recorded.number;
            let mut content = [0u8; 9 + 16];
            let len = layer_content(&mut content, here, sample.ssrc, layer.rid.as_deref());
            let label = Label { room, kind: Taped::Layer, flags: 0, number, arrival_us: self.clock.micros(now), roc: 0 };
            if !self.tape.push(Rank::Sound, &label, &[content.get(..len).unwrap_or_default()]) {
                self.metrics.dropped_tape_full.inc();
            }
        }
        if recorded.layer == Some(here) {
            let flags = (u8::from(sample.key_frame) * KEY_FRAME) | (u8::from(sample.resent) * RESENT);
            let roc = (sample.sequence >> 16) as u32;
            let label = Label { room, kind: Taped::Packet, flags, number: recorded.number, arrival_us: self.clock.micros(now), roc };
            let header = original_header(sample);
            let rest = if sample.resent { &[][..] } else { sample.header.get(FIXED_HEADER..).unwrap_or_default() };
            let parts = [&header[..], rest, sample.payload];
            if recorded.lost.0 > 0 {
                let mut content = [0u8; 8];
                let (packets, bytes) = content.split_at_mut(4);
                packets.copy_from_slice(&recorded.lost.0.to_le_bytes());
                bytes.copy_from_slice(&recorded.lost.1.to_le_bytes());
                if self.tape.push(recorded.rank, &Label { kind: Taped::Loss, flags: 0, roc: 0, ..label }, &[&content]) {
                    recorded.lost = (0, 0);
                }
            }
            if self.tape.push(recorded.rank, &label, &parts) {
                self.metrics.taped.inc();
            } else {
                let (packets, bytes) = recorded.lost;
                recorded.lost = (packets.saturating_add(1), bytes.saturating_add(sample.payload.len() as u32));
                self.metrics.dropped_tape_full.inc();
            }
        }
        if wants {
            self.want_key_frame(now, sample.track, best);
        }
    }
}

/// Layer u8, epoch u32, SSRC u32, RID; returns the length.
fn layer_content(out: &mut [u8; 9 + 16], (layer, epoch): (usize, u32), ssrc: u32, rid: Option<&str>) -> usize {
    let rid = rid.map_or(&[][..], str::as_bytes);
    let rid = rid.get(..16).unwrap_or(rid);
    let fields = [&[layer as u8][..], &epoch.to_le_bytes(), &ssrc.to_le_bytes(), rid];
    let mut at = 0;
    for field in fields {
        if let Some(place) = out.get_mut(at..at + field.len()) {
            place.copy_from_slice(field);
            at += field.len();
        }
    }
    at
}

/// The fixed header the packet had when it was first sent (RFC 3550 section 5.1), without the padding bit.
fn original_header(sample: &Sample<'_>) -> [u8; FIXED_HEADER] {
    let mut header = sample.header.first_chunk::<FIXED_HEADER>().copied().unwrap_or([0x80; FIXED_HEADER]);
    header[0] &= !0x20;
    if sample.resent {
        // A retransmission's own extensions say nothing of the original: a plain header.
        header[0] = 0x80;
        header[1] = (header[1] & 0x80) | sample.pt;
        header[2..4].copy_from_slice(&(sample.sequence as u16).to_be_bytes());
        header[8..12].copy_from_slice(&sample.ssrc.to_be_bytes());
    }
    header
}
