//! The hot path out: one received packet to one slot, rewritten, sealed, queued. No allocation after warm-up.

use std::time::Instant;

use crate::mapping::{PictureIds, Segment, Source};
use crate::media::{CodecName, Kind};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::peer::Peer;
use crate::rtp::{self, Header};
use crate::slot::Slot;
use crate::srtp::MAX_OVERHEAD;
use crate::{h264, red, vp8};

/// Largest RTP packet we send: header, extensions and RTX number included. Longer ones are dropped.
pub const PACKET_LIMIT: usize = 1500;
/// Longest rewritten start of a payload: the headers of a redundant audio packet.
const HEAD_LIMIT: usize = red::MAX_REDUNDANT * 4 + 1;

/// One packet of a track, authenticated, parsed once for all its receivers.
pub struct Incoming<'a> {
    pub source: Source,
    pub sequence: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub codec: CodecName,
    pub payload: &'a [u8],
    /// RFC 6464 byte, as received.
    pub level: Option<u8>,
    pub key_frame: bool,
    vp8: Option<vp8::Descriptor>,
}

impl<'a> Incoming<'a> {
    pub fn new(source: Source, sequence: u64, timestamp: u32, marker: bool, codec: CodecName, payload: &'a [u8]) -> Incoming<'a> {
        let vp8 = if codec == CodecName::Vp8 { vp8::Descriptor::parse(payload) } else { None };
        let key_frame = match codec {
            CodecName::Vp8 => vp8::starts_key_frame(payload),
            CodecName::H264 => h264::starts_key_frame(payload),
            CodecName::Opus | CodecName::Red => false,
        };
        Incoming { source, sequence, timestamp, marker, codec, payload, level: None, key_frame, vp8 }
    }

    fn ids(&self) -> PictureIds {
        self.vp8.map_or(PictureIds::default(), |d| PictureIds { picture_id: d.picture_id.map(|p| p.0), tl0_pic_idx: d.tl0_picture_index })
    }
}

/// What a turn of the engine needs for sending.
pub struct Turn<'a> {
    pub now: Instant,
    pub now_us: u64,
    pub outbox: &'a mut Outbox,
    pub metrics: &'a Metrics,
}

/// What became of a packet in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    /// Sent, and the slot left another source for this one.
    Switched,
    /// The slot waits for a key frame of this source.
    Waiting,
    /// Not for this slot.
    Skipped,
}

/// Plays one packet in one slot if the slot wants it.
pub fn forward(packet: &Incoming<'_>, wanted: bool, slot: &mut Slot, peer: &mut Peer, turn: &mut Turn<'_>) -> Outcome {
    if peer.srtp.is_none() || peer.path.is_none() {
        return Outcome::Skipped;
    }
    let (codec, payload) = match playable(packet, slot) {
        Some(found) => found,
        None => {
            turn.metrics.dropped_slot_codec.inc();
            return Outcome::Skipped;
        }
    };
    let mut outcome = Outcome::Sent;
    if slot.playing != Some(packet.source) {
        if !wanted {
            return Outcome::Skipped;
        }
        if slot.kind == Kind::Video && !packet.key_frame {
            turn.metrics.dropped_slot_waiting.inc();
            return Outcome::Waiting;
        }
        slot.clock_rate = codec.clock_rate();
        slot.mapping.begin(packet.source, packet.sequence, packet.timestamp, packet.ids(), slot.clock_rate, turn.now);
        slot.playing = Some(packet.source);
        slot.report_due = Some(turn.now);
        outcome = Outcome::Switched;
    }
    let Some(segment) = slot.mapping.current().copied() else { return Outcome::Skipped };
    let Some(sequence) = segment.map(packet.sequence) else {
        turn.metrics.dropped_slot_old.inc();
        return Outcome::Skipped;
    };
    slot.codec = Some(codec);
    let out =
        Outgoing { codec, sequence, timestamp: packet.timestamp, marker: packet.marker, payload, vp8: packet.vp8, level: packet.level };
    if let Some(bytes) = send(&out, &segment, None, slot, peer, turn) {
        slot.earn(bytes);
        slot.mapping.sent(sequence, packet.timestamp, packet.ids(), turn.now);
        turn.metrics.forwarded.inc();
    }
    outcome
}

/// The codec and payload this slot can be given: as is, or the primary block of redundant audio.
fn playable<'a>(packet: &Incoming<'a>, slot: &Slot) -> Option<(CodecName, &'a [u8])> {
    if slot.payload_type(packet.codec).is_some() {
        return Some((packet.codec, packet.payload));
    }
    if packet.codec == CodecName::Red && slot.payload_type(CodecName::Opus).is_some() {
        return Some((CodecName::Opus, red::Red::parse(packet.payload)?.primary.data));
    }
    None
}

/// A packet ready to be written for one receiver.
struct Outgoing<'a> {
    codec: CodecName,
    sequence: u64,
    timestamp: u32,
    marker: bool,
    payload: &'a [u8],
    vp8: Option<vp8::Descriptor>,
    level: Option<u8>,
}

/// Resends a stored packet on the slot's RTX stream (RFC 4588 section 4), if the slot has one.
pub fn resend(
    stored: &crate::history::Stored<'_>,
    segment: &Segment,
    sequence: u64,
    slot: &mut Slot,
    peer: &mut Peer,
    turn: &mut Turn<'_>,
) -> bool {
    let codec = match (slot.payload_type(stored.codec), slot.rtx_ssrc) {
        (Some((_, Some(_))), Some(_)) => stored.codec,
        _ => return false,
    };
    if !slot.may_resend(sequence, stored.payload.len(), turn.now) {
        turn.metrics.dropped_resend_cap.inc();
        return false;
    }
    let vp8 = if codec == CodecName::Vp8 { vp8::Descriptor::parse(stored.payload) } else { None };
    let out = Outgoing { codec, sequence, timestamp: stored.timestamp, marker: stored.marker, payload: stored.payload, vp8, level: None };
    let rtx = slot.rtx_sequence;
    slot.rtx_sequence = rtx.wrapping_add(1);
    send(&out, segment, Some(rtx), slot, peer, turn).is_some()
}

/// Writes and seals one packet; returns its payload bytes if it was queued.
fn send(out: &Outgoing<'_>, segment: &Segment, rtx: Option<u16>, slot: &Slot, peer: &mut Peer, turn: &mut Turn<'_>) -> Option<usize> {
    let (pt, rtx_pt) = slot.payload_type(out.codec)?;
    let (srtp, path) = (peer.srtp.as_mut()?, peer.path?);
    let original = (out.sequence as u16).to_be_bytes();
    let (payload_type, ssrc, sequence, prefix): (u8, u32, u16, &[u8]) = match rtx {
        Some(sequence) => (rtx_pt?, slot.rtx_ssrc?, sequence, &original),
        None => (pt, slot.ssrc, out.sequence as u16, &[]),
    };
    let header = Header { payload_type, marker: out.marker, sequence, timestamp: out.timestamp.wrapping_add(segment.timestamp), ssrc };

    let ids = &peer.extensions;
    let send_time = rtp::abs_send_time(turn.now_us);
    let transport = peer.twcc_sequence.to_be_bytes();
    let level = [out.level.unwrap_or(0)];
    let mut extensions: [(u8, &[u8]); 4] = [(0, &[]); 4];
    let mut count = 0;
    let mut add = |id: Option<u8>, value| {
        if let Some(id) = id {
            extensions[count] = (id, value);
            count += 1;
        }
    };
    add(ids.mid, slot.mid.as_bytes());
    add(ids.twcc, &transport);
    add(ids.abs_send_time, &send_time);
    add(ids.audio_level.filter(|_| out.level.is_some()), &level);

    let mut rewritten = [0u8; HEAD_LIMIT];
    let (head_len, replaced) = rewrite_head(out, segment, slot, &mut rewritten)?;
    let (head, body) = (rewritten.get(..head_len)?, out.payload.get(replaced..)?);
    let space = turn.outbox.space(PACKET_LIMIT + MAX_OVERHEAD);
    let sealed = rtp::write(&mut space[..PACKET_LIMIT], &header, &extensions[..count], &[prefix, head, body], 0)
        .ok()
        .and_then(|len| srtp.sealer.seal_rtp(space, len).ok());
    let Some(sealed) = sealed else {
        turn.metrics.dropped_oversize.inc();
        return None;
    };
    turn.outbox.commit(path, sealed);
    if peer.extensions.twcc.is_some() {
        peer.twcc_sequence = peer.twcc_sequence.wrapping_add(1);
    }
    peer.traffic.bytes_out += sealed as u64;
    Some(out.payload.len())
}

/// Writes what must change at the start of a payload; returns (its new length, how much of the payload it replaces).
///
/// VP8 picture numbers follow the slot's stream; the blocks of redundant audio (RFC 2198) name the slot's Opus.
fn rewrite_head(out: &Outgoing<'_>, segment: &Segment, slot: &Slot, head: &mut [u8; HEAD_LIMIT]) -> Option<(usize, usize)> {
    if let Some(d) = out.vp8 {
        let picture_id = d.picture_id.map_or(0, |p| p.0).wrapping_add(segment.picture_id) & 0x7fff;
        let tl0 = d.tl0_picture_index.unwrap_or(0).wrapping_add(segment.tl0_pic_idx);
        return Some((d.write(head, picture_id, tl0).ok()?, d.len));
    }
    let (CodecName::Red, Some((opus, _))) = (out.codec, slot.payload_type(CodecName::Opus)) else { return Some((0, 0)) };
    let mut at = 0;
    loop {
        let first = *out.payload.get(at)?;
        let last = first & 0x80 == 0;
        let len = if last { 1 } else { 4 };
        head.get_mut(at..at + len)?.copy_from_slice(out.payload.get(at..at + len)?);
        *head.get_mut(at)? = first & 0x80 | opus;
        at += len;
        if last {
            return Some((at, at));
        }
    }
}
