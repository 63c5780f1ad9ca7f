//! The hot path out: one received packet to one slot, rewritten, sealed, queued. No allocation after warm-up.

use std::time::Instant;

use crate::bwe::Class;
use crate::history::Stored;
use crate::mapping::{First, PictureIds, Segment, Source};
use crate::media::{CodecName, Kind};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::peer::Peer;
use crate::rtp::{self, Header};
use crate::slot::{Attitude, Slot};
use crate::srtp::MAX_OVERHEAD;
use crate::{av1, h264, red, vp8, vp9};

/// Largest RTP packet we send: header, extensions and RTX number included. Longer ones are dropped.
pub const PACKET_LIMIT: usize = 1500;
/// What the network adds to a datagram (IPv4 and UDP headers), counted in rates.
const UDP_OVERHEAD: usize = 28;
/// Longest rewritten start of a payload: the headers of a redundant audio packet.
const HEAD_LIMIT: usize = red::MAX_REDUNDANT * 4 + 1;

/// One packet of a track, authenticated, parsed once for all its receivers.
#[derive(Clone, Copy)]
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
    /// The timestamp of the newest packet, for the first of those that come from the cache.
    pub live: Option<u32>,
    /// Bytes of RTP padding that make it as long as its neighbours.
    pub padding: u8,
    /// Sound: what came before it, newest first, for receivers that lose much.
    pub earlier: [Option<Earlier<'a>>; red::MOST_ADDED],
    picture: Picture,
}

/// An earlier packet of the same voice.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'a> {
    /// How much older, in timestamp units.
    offset: u16,
    payload: &'a [u8],
}

impl<'a> Earlier<'a> {
    /// None if it cannot stand in the same redundant packet.
    pub fn new(stored: &Stored<'a>, timestamp: u32) -> Option<Earlier<'a>> {
        let offset = timestamp.wrapping_sub(stored.timestamp);
        let fits = stored.codec == CodecName::Opus
            && (1..red::MAX_OFFSET).contains(&offset)
            && (1..red::MAX_BLOCK).contains(&stored.payload.len());
        fits.then_some(Earlier { offset: offset as u16, payload: stored.payload })
    }
}

/// The start of a payload, parsed.
#[derive(Clone, Copy)]
enum Picture {
    None,
    Vp8(vp8::Descriptor),
    Vp9(vp9::Descriptor),
}

impl Picture {
    fn parse(codec: CodecName, payload: &[u8]) -> Picture {
        match codec {
            CodecName::Vp8 => vp8::Descriptor::parse(payload).map_or(Picture::None, Picture::Vp8),
            CodecName::Vp9 => vp9::Descriptor::parse(payload).map_or(Picture::None, Picture::Vp9),
            _ => Picture::None,
        }
    }

    fn ids(self) -> PictureIds {
        match self {
            Picture::None => PictureIds::default(),
            Picture::Vp8(d) => PictureIds { picture_id: d.picture_id, tl0_pic_idx: d.tl0_picture_index },
            Picture::Vp9(d) => PictureIds { picture_id: d.picture_id, tl0_pic_idx: d.tl0_picture_index },
        }
    }
}

impl<'a> Incoming<'a> {
    pub fn new(source: Source, sequence: u64, stored: &Stored<'a>) -> Incoming<'a> {
        let Stored { timestamp, marker, codec, level, key_frame, payload } = *stored;
        let picture = Picture::parse(codec, payload);
        Incoming {
            source,
            sequence,
            timestamp,
            marker,
            codec,
            payload,
            level,
            key_frame,
            live: None,
            padding: 0,
            earlier: [None; red::MOST_ADDED],
            picture,
        }
    }

    /// The same as one of several that come from the cache, the newest of which has the timestamp `live`.
    pub fn cached(self, live: Option<u32>) -> Incoming<'a> {
        Incoming { live, ..self }
    }
}

/// Whether a picture that needs no other begins with this payload.
pub fn starts_key_frame(codec: CodecName, payload: &[u8]) -> bool {
    match codec {
        CodecName::Vp8 => vp8::starts_key_frame(payload),
        CodecName::H264 => h264::starts_key_frame(payload),
        CodecName::Vp9 => vp9::starts_key_frame(payload),
        CodecName::Av1 => av1::starts_key_frame(payload),
        CodecName::Opus | CodecName::Red => false,
    }
}

/// Lets neighbours of one frame that differ by a few bytes be sent in one run: the kernel cuts a run into equal pieces, and
/// browsers cut a frame into nearly equal ones.
pub fn equalise(burst: &mut [Option<Incoming<'_>>]) {
    const MOST: usize = 8;
    let neighbours = |a: &Option<Incoming<'_>>, b: &Option<Incoming<'_>>| match (a, b) {
        (Some(a), Some(b)) => a.timestamp == b.timestamp && a.sequence.wrapping_add(1) == b.sequence,
        _ => false,
    };
    for frame in burst.chunk_by_mut(neighbours) {
        let longest = frame.iter().flatten().map(|packet| packet.payload.len()).max().unwrap_or(0);
        for packet in frame.iter_mut().flatten() {
            let short = longest.saturating_sub(packet.payload.len());
            packet.padding = if short <= MOST { short as u8 } else { 0 };
        }
    }
}

/// What a turn of the engine needs for sending.
pub struct Turn<'a> {
    pub now: Instant,
    pub now_us: u64,
    pub outbox: &'a mut Outbox,
    pub metrics: &'a Metrics,
}

/// Plays one packet in one slot as far as the slot is for it; whether the slot still waits for a key frame of its source.
pub fn forward(packet: &Incoming<'_>, attitude: Attitude, slot: &mut Slot, peer: &mut Peer, turn: &mut Turn<'_>) -> bool {
    if peer.srtp.is_none() || peer.path.is_none() || attitude == Attitude::Ignores {
        return false;
    }
    if attitude == Attitude::Plays && slot.is_over(packet.timestamp) {
        (slot.playing, slot.unfinished) = (None, None);
        return false;
    }
    let Some((codec, payload)) = playable(packet, slot) else {
        turn.metrics.dropped_slot_codec.inc();
        return false;
    };
    if attitude == Attitude::Awaits {
        if slot.kind == Kind::Video && !packet.key_frame {
            turn.metrics.dropped_slot_waiting.inc();
            return true;
        }
        slot.clock_rate = codec.clock_rate();
        let Incoming { source, sequence, timestamp, live, .. } = *packet;
        let first = First { source, sequence, timestamp, ids: packet.picture.ids(), clock_rate: slot.clock_rate, live };
        slot.mapping.begin(first, turn.now);
        slot.playing = Some(packet.source);
        slot.report_due = Some(turn.now);
    }
    let Some(segment) = slot.mapping.current().copied() else { return false };
    let Some(sequence) = segment.map(packet.sequence) else {
        turn.metrics.dropped_slot_old.inc();
        return false;
    };
    slot.codec = Some(codec);
    let Incoming { timestamp, marker, picture, level, padding, .. } = *packet;
    let out = Outgoing { codec, sequence, timestamp, marker, payload, picture, level, padding };
    let sent = if slot.repeats(turn.now) > 0 {
        send_repeated(&out, &segment, slot, peer, turn)
    } else {
        send_redundant(packet, &out, &segment, slot, peer, turn)
            .or_else(|| send(&out, &segment, None, Some(Class::Media), slot, peer, turn))
    };
    if let Some(bytes) = sent {
        slot.earn(bytes);
        slot.mapping.sent(sequence, packet.timestamp, packet.picture.ids(), turn.now);
        turn.metrics.forwarded.inc();
    }
    slot.unfinished = (slot.kind == Kind::Video && !packet.marker).then_some(packet.timestamp);
    if slot.is_over(packet.timestamp) {
        slot.playing = None;
    }
    false
}

/// Sends sound together with what came before it (RFC 2198), if its receiver loses packets and takes such; returns the bytes of sound.
fn send_redundant(
    packet: &Incoming<'_>,
    out: &Outgoing<'_>,
    segment: &Segment,
    slot: &Slot,
    peer: &mut Peer,
    turn: &mut Turn<'_>,
) -> Option<usize> {
    let wanted = packet.earlier.get(..slot.redundancy(turn.now)).filter(|wanted| !wanted.is_empty() && out.codec == CodecName::Opus)?;
    let ((payload_type, _), (opus, _)) = (slot.payload_type(CodecName::Red)?, slot.payload_type(CodecName::Opus)?);
    let oldest_first = || wanted.iter().rev().flatten();
    oldest_first().next()?;
    let mut head = [0u8; red::MAX_ADDED_HEADERS];
    let head_len = red::write_headers(&mut head, opus, oldest_first().map(|block| (block.offset, block.payload.len()))).ok()?;
    let mut parts: [&[u8]; red::MOST_ADDED + 2] = [&[]; red::MOST_ADDED + 2];
    let contents = std::iter::once(head.get(..head_len)?).chain(oldest_first().map(|block| block.payload)).chain([out.payload]);
    parts.iter_mut().zip(contents).for_each(|(part, content)| *part = content);
    let header = Header {
        payload_type,
        marker: out.marker,
        sequence: out.sequence as u16,
        timestamp: segment.timestamp(out.timestamp),
        ssrc: slot.ssrc,
    };
    write(&header, out.level, &slot.mid, &parts, 0, Some(Class::Media), peer, turn)?;
    turn.metrics.redundant_out.inc();
    Some(out.payload.len())
}

/// Sends sound after what came before it, as it left; returns the bytes of sound.
fn send_repeated(out: &Outgoing<'_>, segment: &Segment, slot: &mut Slot, peer: &mut Peer, turn: &mut Turn<'_>) -> Option<usize> {
    let (path, count) = (peer.path?, slot.repeats(turn.now));
    for packet in slot.repeated.iter().flat_map(|repeated| repeated.last(count)) {
        turn.outbox.push(path, packet);
        peer.traffic.bytes_out += packet.len() as u64;
        turn.metrics.repeated_out.inc();
    }
    let sent = send(out, segment, None, None, slot, peer, turn)?;
    slot.repeated.get_or_insert_default().keep(turn.outbox.last());
    Some(sent)
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
    picture: Picture,
    level: Option<u8>,
    padding: u8,
}

/// Resends a stored packet on the slot's RTX stream (RFC 4588 section 4), if the slot has one.
pub fn resend(stored: &Stored<'_>, segment: &Segment, sequence: u64, slot: &mut Slot, peer: &mut Peer, turn: &mut Turn<'_>) -> bool {
    if !matches!((slot.payload_type(stored.codec), slot.rtx_ssrc), (Some((_, Some(_))), Some(_))) {
        return false;
    }
    if !slot.may_resend(sequence, stored.payload.len(), turn.now) {
        turn.metrics.dropped_resend_cap.inc();
        return false;
    }
    send_again(stored, segment, sequence, slot, peer, turn) > 0
}

/// Sends a packet the receiver has already, to see what its connection carries; returns the bytes sent.
pub fn repeat(stored: &Stored<'_>, sequence: u64, slot: &mut Slot, peer: &mut Peer, turn: &mut Turn<'_>) -> usize {
    let Some((segment, out)) = slot.mapping.current().and_then(|segment| Some((*segment, segment.map(sequence)?))) else { return 0 };
    send_again(stored, &segment, out, slot, peer, turn)
}

fn send_again(stored: &Stored<'_>, segment: &Segment, sequence: u64, slot: &mut Slot, peer: &mut Peer, turn: &mut Turn<'_>) -> usize {
    let Stored { timestamp, marker, codec, payload, .. } = *stored;
    let out = Outgoing { codec, sequence, timestamp, marker, payload, picture: Picture::parse(codec, payload), level: None, padding: 0 };
    let rtx = slot.rtx_sequence;
    slot.rtx_sequence = rtx.wrapping_add(1);
    send(&out, segment, Some(rtx), Some(Class::Rtx), slot, peer, turn).unwrap_or(0)
}

/// Sends a packet of nothing but padding (at most 255 bytes) on the slot's RTX stream; returns the bytes sent.
pub fn pad(bytes: usize, slot: &mut Slot, peer: &mut Peer, turn: &mut Turn<'_>) -> usize {
    let Some((payload_type, ssrc)) = slot.padding_stream() else { return 0 };
    let timestamp = slot.mapping.last().map_or(0, |(timestamp, _)| timestamp);
    let sequence = slot.rtx_sequence;
    let header = Header { payload_type, marker: false, sequence, timestamp, ssrc };
    let padding = bytes.clamp(1, 255) as u8;
    let sent = write(&header, None, &slot.mid, &[], padding, Some(Class::Padding), peer, turn);
    if sent.is_some() {
        slot.rtx_sequence = sequence.wrapping_add(1);
    }
    sent.map_or(0, |_| usize::from(padding))
}

/// Rewrites one packet for its receiver; returns its payload bytes if it was queued.
fn send(
    out: &Outgoing<'_>,
    segment: &Segment,
    rtx: Option<u16>,
    class: Option<Class>,
    slot: &Slot,
    peer: &mut Peer,
    turn: &mut Turn<'_>,
) -> Option<usize> {
    let (pt, rtx_pt) = slot.payload_type(out.codec)?;
    let original = (out.sequence as u16).to_be_bytes();
    let (payload_type, ssrc, sequence, prefix): (u8, u32, u16, &[u8]) = match rtx {
        Some(sequence) => (rtx_pt?, slot.rtx_ssrc?, sequence, &original),
        None => (pt, slot.ssrc, out.sequence as u16, &[]),
    };
    let header = Header { payload_type, marker: out.marker, sequence, timestamp: segment.timestamp(out.timestamp), ssrc };
    let mut rewritten = [0u8; HEAD_LIMIT];
    let (head_len, replaced) = rewrite_head(out, segment, slot, &mut rewritten)?;
    let (head, body) = (rewritten.get(..head_len)?, out.payload.get(replaced..)?);
    write(&header, out.level, &slot.mid, &[prefix, head, body], out.padding, class, peer, turn)?;
    Some(out.payload.len())
}

/// Writes and seals one packet into the outbox; returns its length. Without a class it has no transport-wide number.
#[allow(clippy::too_many_arguments)]
fn write(
    header: &Header,
    level: Option<u8>,
    mid: &str,
    parts: &[&[u8]],
    padding: u8,
    class: Option<Class>,
    peer: &mut Peer,
    turn: &mut Turn<'_>,
) -> Option<usize> {
    let (srtp, path) = (peer.srtp.as_mut()?, peer.path?);
    let ids = &peer.extensions;
    let send_time = rtp::abs_send_time(turn.now_us);
    let transport = peer.twcc_sequence.to_be_bytes();
    let level_byte = [level.unwrap_or(0)];
    let mut extensions: [(u8, &[u8]); 4] = [(0, &[]); 4];
    let mut count = 0;
    let values: [(Option<u8>, &[u8]); 4] = [
        (ids.mid, mid.as_bytes()),
        (ids.twcc.filter(|_| class.is_some()), &transport),
        (ids.abs_send_time, &send_time),
        (ids.audio_level.filter(|_| level.is_some()), &level_byte),
    ];
    for (id, value) in values {
        if let (Some(id), Some(place)) = (id, extensions.get_mut(count)) {
            *place = (id, value);
            count += 1;
        }
    }
    let space = turn.outbox.space(PACKET_LIMIT + MAX_OVERHEAD)?;
    let Ok(len) = rtp::write(space.get_mut(..PACKET_LIMIT)?, header, extensions.get(..count)?, parts, padding) else {
        turn.metrics.dropped_oversize.inc();
        return None;
    };
    let Ok(sealed) = srtp.sealer.seal_rtp(space, len) else {
        turn.metrics.dropped_unsealed.inc();
        return None;
    };
    turn.outbox.commit(path, sealed);
    if let (Some(class), Some(_)) = (class, peer.extensions.twcc) {
        if let Some(bandwidth) = peer.bandwidth.as_mut() {
            bandwidth.sent(peer.twcc_sequence, sealed + UDP_OVERHEAD, class, turn.now_us);
        }
        peer.twcc_sequence = peer.twcc_sequence.wrapping_add(1);
    }
    peer.traffic.bytes_out += sealed as u64;
    Some(sealed)
}

/// Writes what must change at the start of a payload; returns (its new length, how much of the payload it replaces).
///
/// VP8 and VP9 picture numbers follow the slot's stream; the blocks of redundant audio (RFC 2198) name the slot's Opus.
fn rewrite_head(out: &Outgoing<'_>, segment: &Segment, slot: &Slot, head: &mut [u8; HEAD_LIMIT]) -> Option<(usize, usize)> {
    let renumbered = |id: Option<(u16, u8)>, tl0: Option<u8>| {
        let picture_id = id.map_or(0, |id| slot.mapping.picture_id(segment, id, out.sequence));
        (picture_id, tl0.unwrap_or(0).wrapping_add(segment.tl0_pic_idx))
    };
    match out.picture {
        Picture::Vp8(d) => {
            let (picture_id, tl0) = renumbered(d.picture_id, d.tl0_picture_index);
            return Some((d.write(head, picture_id, tl0).ok()?, d.len));
        }
        Picture::Vp9(d) => {
            let (picture_id, tl0) = renumbered(d.picture_id, d.tl0_picture_index);
            return Some((d.write(head, picture_id, tl0).ok()?, d.head_len));
        }
        Picture::None => {}
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
