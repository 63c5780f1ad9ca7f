//! A viewer: takes what arrives, counts it, and has every stream judged.
//!
//! A *full* viewer leaves everything to str0m. A *light* one leaves ICE and DTLS to str0m, opens SRTP itself and answers with its own RTCP
//! (`light`), which costs a fraction per packet. Both kinds are judged by the same checkers.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufWriter;
use std::net::SocketAddr;
use std::time::Instant;

use str0m::media::KeyframeRequestKind;
use str0m::rtp::RtpPacket;

use crate::check::{Arrival, Checker, Rules};
use crate::clip::Clips;
use crate::light::Light;
use crate::peer::Peer;
use crate::plan::Plan;
use crate::publisher::Output;
use crate::record::Recorder;
use crate::report::Spread;
use crate::rtp::{look, Codec, Header};
use crate::sdp::{self, Line};
use crate::sent::Sent;
use crate::srtp::Keys;

/// Time between two requests for a key frame.
const KEY_FRAME_PAUSE_NS: u64 = 500_000_000;
/// Packets kept for a viewer without keys: two seconds a server may have kept for it, and two that pass until a lost flight comes again.
const MOST_EARLY: usize = 2048;
/// Streams per viewer; more are refused.
const MOST_STREAMS: usize = 256;
/// Who joined less than this ago may still be getting what a server kept for it: that is no delay.
const SETTLED_NS: u64 = 2_000_000_000;

/// What arrived, of all viewers, while counting.
#[derive(Clone, Debug, Default)]
pub struct Input {
    pub packets: u64,
    pub bytes: u64,
    /// Opened, new, neither repair nor padding alone: what a server forwarded.
    pub media: u64,
    pub video: u64,
    pub audio: u64,
    pub video_bytes: u64,
    pub audio_bytes: u64,
    pub repair: u64,
    pub padding: u64,
    pub nacks: u64,
    pub plis: u64,
    /// Messages the datagrams came in.
    pub messages: u64,
}

/// What all members share.
pub struct World {
    pub clips: Clips,
    pub sent: Sent,
    pub input: Input,
    pub video_delay: Spread,
    pub audio_delay: Spread,
    pub output: Output,
    /// How late publishers sent.
    pub late: Spread,
    /// The measured window is open.
    pub counting: bool,
}

impl World {
    /// What a stream is judged by, and where its delays go while they count.
    fn judging(&mut self, stream: &Stream, at: u64) -> (&Clips, &Sent, Option<&mut Spread>) {
        let settled = stream.checker.tally.first_packet.is_some_and(|first| at.saturating_sub(first) > SETTLED_NS);
        let spread = if stream.video { &mut self.video_delay } else { &mut self.audio_delay };
        (&self.clips, &self.sent, (self.counting && settled).then_some(spread))
    }
}

pub struct Stream {
    pub ssrc: u32,
    pub mid: String,
    pub video: bool,
    codec: Codec,
    pub checker: Checker,
    /// Next request for what is missing, and for a key frame.
    pub nack_at: u64,
    pli_at: u64,
    /// Of the stream and of its repair: highest SRTP index.
    pub highest: [Option<u64>; 2],
    pub reception: crate::light::Reception,
}

impl Stream {
    fn warm(&self) -> u64 {
        self.highest[0].unwrap_or(0) ^ self.checker.tally.last_packet
    }
}

/// What a payload type means.
#[derive(Clone, Copy)]
struct Format {
    line: usize,
    codec: Codec,
    repair: bool,
}

/// A packet that overtook the handshake: where from, and when it came, also in nanoseconds since 1970.
pub struct Early {
    pub from: SocketAddr,
    pub arrived: Instant,
    pub at: u64,
    pub datagram: Vec<u8>,
}

pub struct Viewer {
    pub full: bool,
    /// The one video codec that was agreed on, whatever else an offer lists.
    codec: Codec,
    room: u32,
    rules: Rules,
    /// Of 1000 datagrams lost on purpose, and what decides.
    loss: u32,
    dice: u32,
    lines: Vec<Line>,
    /// By payload type.
    formats: [Option<Format>; 128],
    pub streams: Vec<Stream>,
    by_ssrc: HashMap<u32, (usize, bool)>,
    /// What was found last: packets come in runs of one stream.
    found: Option<(u32, (usize, bool))>,
    pub light: Option<Light>,
    /// A full viewer's handshake is done.
    open: bool,
    /// What came before the end of the handshake. str0m's DTLS passes over a datagram that begins with a flight it had before, and the
    /// end may be in just that one: it comes again later than the first media.
    early: Vec<Early>,
    pub early_packets: u64,
    /// When the handshake was done, in nanoseconds since 1970.
    pub since: Option<u64>,
    recorder: Option<Recorder<BufWriter<File>>>,
    /// Packets of no stream, or not opened by our keys: all of the run.
    pub refused: u64,
    /// Received so far, and when the window began.
    pub bytes: u64,
    pub mark: u64,
}

impl Viewer {
    /// An error if its recording cannot be written.
    pub fn new(plan: &Plan, number: usize) -> Result<Viewer, String> {
        let file = plan.record.as_ref().filter(|_| number == 0 && plan.full > 0).map(File::create).transpose();
        let file = file.map_err(|e| format!("--record: {e}"))?;
        Ok(Viewer {
            full: number < plan.full,
            codec: plan.codec,
            room: plan.room(number),
            rules: Rules { late_start: plan.late_start, lossy: plan.loss > 0 || plan.relay.is_some() },
            loss: plan.loss,
            dice: 0x9e37_79b9 ^ number as u32,
            lines: Vec::new(),
            formats: [None; 128],
            streams: Vec::new(),
            by_ssrc: HashMap::new(),
            found: None,
            light: None,
            open: false,
            early: Vec::new(),
            early_packets: 0,
            since: None,
            recorder: file.map(|file| Recorder::new(plan.codec, BufWriter::new(file))),
            refused: 0,
            bytes: 0,
            mark: 0,
        })
    }

    /// The descriptions are exchanged: what may come is known.
    pub fn expect(&mut self, remote: &str) {
        self.lines = sdp::read(remote);
        for line in &mut self.lines {
            line.codecs.retain(|(_, codec)| *codec == if line.video { self.codec } else { Codec::Opus });
        }
        for line in 0..self.lines.len() {
            for (pt, codec) in self.lines[line].codecs.clone() {
                self.formats[usize::from(pt & 127)].get_or_insert(Format { line, codec, repair: false });
            }
            for (pt, repaired) in self.lines[line].repairs.clone() {
                if let Some(Format { codec, .. }) = self.format(repaired) {
                    self.formats[usize::from(pt & 127)].get_or_insert(Format { line, codec, repair: true });
                }
            }
            for (ssrc, repair) in self.lines[line].sources.clone() {
                if let Some((_, codec)) = self.lines[line].codecs.first().copied() {
                    self.add(line, codec, ssrc, repair);
                }
            }
        }
    }

    fn format(&self, payload_type: u8) -> Option<Format> {
        self.formats[usize::from(payload_type & 127)]
    }

    fn add(&mut self, line: usize, codec: Codec, ssrc: u32, repair: Option<u32>) {
        if self.streams.len() >= MOST_STREAMS {
            return;
        }
        let at = self.streams.len();
        self.found = None;
        self.by_ssrc.insert(ssrc, (at, false));
        if let Some(repair) = repair {
            self.by_ssrc.insert(repair, (at, true));
        }
        self.streams.push(Stream {
            ssrc,
            mid: self.lines[line].mid.clone(),
            video: self.lines[line].video,
            codec,
            checker: Checker::new(codec, self.room, self.rules),
            nack_at: 0,
            pli_at: 0,
            highest: [None; 2],
            reception: Default::default(),
        });
    }

    /// DTLS is done: a light viewer opens its packets, also those that were early.
    pub fn unlock(&mut self, keys: &Keys, number: usize, world: &mut World) {
        let twcc = self.lines.iter().find_map(|line| line.extensions.get(sdp::TWCC)).copied();
        self.light = Light::new(keys, number, twcc);
        for Early { at, mut datagram, .. } in std::mem::take(&mut self.early) {
            if let Some(header) = Header::parse(&datagram) {
                self.open(header, &mut datagram, at, world);
            }
        }
    }

    /// A full viewer's handshake is done: what str0m could not open before, to be fed again.
    pub fn opened(&mut self) -> Vec<Early> {
        self.open = true;
        std::mem::take(&mut self.early)
    }

    fn unlucky(&mut self) -> bool {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 17;
        self.dice ^= self.dice << 5;
        self.dice % 1000 < self.loss
    }

    /// Reads what `receive` will need.
    pub fn warm(&self) -> u64 {
        let streams = self.streams.iter().take(2).map(|stream| stream.warm()).fold(0, std::ops::BitXor::bitxor);
        streams ^ self.bytes ^ u64::from(self.loss) ^ self.light.as_ref().map_or(0, Light::warm)
    }

    /// Takes a datagram that arrived at a time, also told in nanoseconds since 1970.
    pub fn receive(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        from: SocketAddr,
        (arrived, at): (Instant, u64),
        datagram: &mut [u8],
        world: &mut World,
    ) {
        let kind = datagram.first().copied().unwrap_or(0);
        if !(128..192).contains(&kind) {
            return peer.feed(now, from, datagram);
        }
        if self.loss > 0 && self.unlucky() {
            return;
        }
        if (192..224).contains(&datagram.get(1).copied().unwrap_or(0)) {
            match &mut self.light {
                Some(light) if !self.full => light.take_reports(datagram, at, &mut self.streams),
                _ => peer.feed(now, from, datagram),
            }
            return;
        }
        let Some(header) = Header::parse(datagram) else {
            self.refused += 1;
            return;
        };
        self.bytes += datagram.len() as u64;
        if world.counting {
            world.input.packets += 1;
            world.input.bytes += datagram.len() as u64;
            match self.format(header.payload_type) {
                Some(Format { repair: true, .. }) => world.input.repair += 1,
                Some(Format { codec: Codec::Opus, .. }) => {
                    world.input.audio += 1;
                    world.input.audio_bytes += datagram.len() as u64;
                }
                Some(_) => {
                    world.input.video += 1;
                    world.input.video_bytes += datagram.len() as u64;
                }
                None => {}
            }
        }
        let locked = if self.full { !self.open } else { self.light.is_none() };
        if locked && self.early.len() < MOST_EARLY {
            self.early_packets += 1;
            self.early.push(Early { from, arrived, at, datagram: datagram.to_vec() });
        } else if self.full {
            peer.feed(arrived, from, datagram);
        } else {
            self.open(header, datagram, at, world);
        }
    }

    /// The stream a packet belongs to and whether it repairs it; an unannounced one is a new stream of its payload type's m-line.
    fn stream_of(&mut self, ssrc: u32, payload_type: u8) -> Option<(usize, bool)> {
        if let Some((_, found)) = self.found.filter(|found| found.0 == ssrc) {
            return Some(found);
        }
        if !self.by_ssrc.contains_key(&ssrc) {
            let format = self.format(payload_type).filter(|f| !f.repair)?;
            self.add(format.line, format.codec, ssrc, None);
        }
        let found = *self.by_ssrc.get(&ssrc)?;
        self.found = Some((ssrc, found));
        Some(found)
    }

    /// A light viewer's RTP packet.
    fn open(&mut self, header: Header, datagram: &mut [u8], at: u64, world: &mut World) {
        let opened = self.stream_of(header.ssrc, header.payload_type).and_then(|(stream, repair)| {
            let light = self.light.as_mut()?;
            let len = light.open(&header, datagram, &mut self.streams[stream].highest[usize::from(repair)])?;
            light.arrived(&header, datagram, at);
            Some((stream, repair, len))
        });
        let Some((stream, repair, len)) = opened else {
            self.refused += 1;
            return;
        };
        let (mut sequence, mut payload) = (header.sequence, header.payload(&datagram[..len]));
        if repair {
            let Some((original, rest)) = payload.and_then(|p| p.split_first_chunk::<2>()) else {
                // Nothing but padding repairs nothing.
                world.input.padding += u64::from(world.counting);
                return;
            };
            (sequence, payload) = (u16::from_be_bytes(*original), Some(rest));
        } else {
            let stream = &mut self.streams[stream];
            stream.reception.add(header.sequence, header.timestamp, at, stream.video);
        }
        self.judge(stream, arrival(sequence, header.timestamp, header.marker, at), payload, repair, world);
    }

    /// A full viewer's packet, as str0m passes it on.
    pub fn take(&mut self, packet: &RtpPacket, at: u64, world: &mut World) {
        let header = &packet.header;
        let Some((stream, _)) = self.stream_of(*header.ssrc, *header.payload_type) else { return };
        if self.streams.iter().position(|s| s.video) == Some(stream) {
            let recorded = self.recorder.as_mut().map(|r| r.push(*packet.seq_no, header.timestamp, header.marker, &packet.payload));
            if let Some(Err(error)) = recorded {
                eprintln!("swarm: recording ends: {error}");
                self.recorder = None;
            }
        }
        self.judge(stream, arrival(*packet.seq_no as u16, header.timestamp, header.marker, at), Some(&packet.payload), false, world);
    }

    /// `arrival` without what its payload tells.
    fn judge(&mut self, stream: usize, mut arrival: Arrival, payload: Option<&[u8]>, repair: bool, world: &mut World) {
        let stream = &mut self.streams[stream];
        arrival.empty = payload.is_some_and(<[u8]>::is_empty);
        world.input.padding += u64::from(arrival.empty && world.counting);
        arrival.look = payload.and_then(|p| look(stream.codec, p));
        arrival.piece = arrival.look.zip(payload).and_then(|(look, p)| world.clips.recognise(&p[look.body..]));
        let duplicates = stream.checker.tally.duplicates;
        let (clips, sent, delays) = world.judging(stream, arrival.at);
        stream.checker.push(arrival, clips, sent, delays);
        let fresh = stream.checker.tally.duplicates == duplicates;
        world.input.media += u64::from(fresh && !repair && !arrival.empty && world.counting);
    }

    /// The measured window opens.
    pub fn begin(&mut self, wall: u64) {
        self.mark = self.bytes;
        self.streams.iter_mut().for_each(|stream| stream.checker.flow.open(wall));
    }

    /// When the first frame was complete: of video if any is wanted.
    pub fn first_frame(&self, video: bool) -> Option<u64> {
        self.streams.iter().filter(|s| s.video == video).filter_map(|s| s.checker.tally.first_frame).min()
    }

    pub fn first_packet(&self) -> Option<u64> {
        self.streams.iter().filter_map(|s| s.checker.tally.first_packet).min()
    }

    /// Whether something is missing that feedback can get.
    pub fn lacks(&self) -> bool {
        self.streams.iter().any(|s| s.checker.has_hole() || s.checker.wants_key_frame())
    }

    /// Says what is missing, and now and then what came.
    pub fn feed_back(&mut self, peer: &mut Peer, now: Instant, wall: u64, world: &mut World) {
        let mut key_frames = Vec::new();
        for stream in &mut self.streams {
            let (clips, sent, delays) = world.judging(stream, wall);
            stream.checker.expire(wall, clips, sent, delays);
            if stream.checker.wants_key_frame() && wall >= stream.pli_at {
                stream.pli_at = wall + KEY_FRAME_PAUSE_NS;
                key_frames.push(stream.ssrc);
            }
        }
        world.input.plis += if world.counting { key_frames.len() as u64 } else { 0 };
        if !self.full {
            if let Some(light) = &mut self.light {
                let nacks = light.feed_back(peer, wall, &mut self.streams, &key_frames);
                world.input.nacks += if world.counting { nacks } else { 0 };
            }
            return;
        }
        for ssrc in key_frames {
            if let Some(stream) = peer.rtc.direct_api().stream_rx(&ssrc.into()) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
            }
            peer.tick(now);
        }
    }
}

fn arrival(sequence: u16, timestamp: u32, marker: bool, at: u64) -> Arrival {
    Arrival { sequence, timestamp, marker, at, empty: false, look: None, piece: None }
}
