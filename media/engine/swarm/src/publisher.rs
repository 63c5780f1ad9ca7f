//! A publisher: plays the clips in real time as a browser's encoder would send them.

use std::time::{Duration, Instant};

use str0m::media::{KeyframeRequest, Mid, Pt};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Event, Rtc};

use crate::clip::{Clips, LAYERS};
use crate::pace::{Due, Pace, FRAME_RATE};
use crate::packetise;
use crate::peer::Peer;
use crate::plan::Plan;
use crate::rtp::Codec;
use crate::sdp;
use crate::viewer::World;

/// An encoder does not make key frames faster than this however often it is asked.
const KEY_FRAME_PAUSE: Duration = Duration::from_millis(300);

/// Publishers that begin with the same picture begin so far apart: cameras do not show the same change of scene in the same moment.
const APART: Duration = Duration::from_millis(100);
/// At most so many times that, so that nobody waits long for a picture.
const TURNS: u32 = 16;

/// What publishers did.
#[derive(Clone, Debug, Default)]
pub struct Output {
    pub packets: u64,
    pub bytes: u64,
    pub frames: u64,
    /// Of audio.
    pub words: u64,
    pub key_frames: u64,
    pub plis: u64,
}

/// One encoded stream.
struct Stream {
    rid: Option<&'static str>,
    layer: usize,
    /// Next frame of the clip.
    position: usize,
    sequence: u64,
    picture: u16,
    asked: bool,
    last_key: Option<Instant>,
}

pub struct Publisher {
    number: u32,
    video: Option<(Mid, Pt)>,
    audio: Option<(Mid, Pt)>,
    streams: Vec<Stream>,
    sequence: u64,
    /// How long it waits before it begins.
    pause: Duration,
    /// Once the transport is there.
    pace: Option<Pace>,
    plis: u64,
}

impl Publisher {
    /// `number` as `Sent` counts.
    pub fn new(plan: &Plan, number: u32, clips: &Clips) -> Publisher {
        let keys = |layer: usize| -> Vec<usize> {
            let frames = clips.video[layer].iter().enumerate();
            frames.filter(|(_, frame)| frame.key).map(|(at, _)| at).collect()
        };
        let stream = |layer: &usize| {
            let keys = keys(*layer);
            Stream {
                rid: plan.simulcast.then_some(LAYERS[*layer].0),
                layer: *layer,
                position: keys[number as usize % keys.len()],
                sequence: 1000 + u64::from(number) * 77 % 30_000,
                picture: (number as u16).wrapping_mul(99) & 0x7fff,
                asked: false,
                last_key: None,
            }
        };
        let streams = if plan.video { plan.layers.iter().map(stream).collect() } else { Vec::new() };
        let beginnings = plan.layers.iter().map(|layer| keys(*layer).len()).min().filter(|_| plan.video);
        let pause = APART * (number / beginnings.map_or(u32::MAX, |count| count.max(1) as u32) % TURNS);
        Publisher { number, video: None, audio: None, streams, sequence: 5000, pause, pace: None, plis: 0 }
    }

    /// The transport is there: begin with what was negotiated.
    pub fn start(&mut self, peer: &Peer, clips: &Clips, now: Instant) {
        let lines = sdp::read(&peer.remote);
        for (mid, video) in &peer.offered {
            let codec = if *video { clips.codec } else { Codec::Opus };
            let line = lines.iter().find(|line| line.mid == **mid);
            let pt = line.and_then(|line| line.codecs.iter().find(|(_, c)| *c == codec)).map(|(pt, _)| Pt::from(*pt));
            match (video, pt) {
                (true, Some(pt)) => self.video = Some((*mid, pt)),
                (false, Some(pt)) => self.audio = Some((*mid, pt)),
                (_, None) => {}
            }
        }
        self.pace = Some(Pace::new(now + self.pause, self.number));
    }

    pub fn requested(&mut self, event: &Event) {
        let Event::KeyframeRequest(KeyframeRequest { rid, .. }) = event else { return };
        self.plis += 1;
        for stream in &mut self.streams {
            if rid.is_none_or(|rid| stream.rid == Some(&*rid)) {
                stream.asked = true;
            }
        }
    }

    /// When the next frame or word is to be sent.
    pub fn due(&self) -> Option<Instant> {
        self.pace.as_ref().map(|pace| pace.next().0)
    }

    /// Sends what is due. `wall` is `now` in nanoseconds since 1970.
    pub fn play(&mut self, peer: &mut Peer, world: &mut World, now: Instant, wall: u64) {
        while let Some((due, late)) = self.pace.as_mut().and_then(|pace| pace.take(now)) {
            world.late.add(late.as_micros() as u64);
            match due {
                Due::Frame(n) => {
                    let timestamp = n.wrapping_mul(90_000 / FRAME_RATE).wrapping_add(self.number * 12_345);
                    (0..self.streams.len()).for_each(|i| self.play_frame(i, peer, world, now, wall, timestamp));
                }
                Due::Word(n) => self.play_word(n, peer, world, now, wall),
            }
        }
        world.output.plis += std::mem::take(&mut self.plis);
    }

    fn play_frame(&mut self, i: usize, peer: &mut Peer, world: &mut World, now: Instant, wall: u64, timestamp: u32) {
        let World { clips, sent, output: out, .. } = world;
        let (Some((mid, pt)), stream) = (self.video, &mut self.streams[i]) else { return };
        let frames = &clips.video[stream.layer];
        if stream.asked && stream.last_key.is_none_or(|at| now.duration_since(at) >= KEY_FRAME_PAUSE) {
            let ahead = (0..frames.len()).map(|step| (stream.position + step) % frames.len());
            stream.position = ahead.into_iter().find(|at| frames[*at].key).unwrap_or(0);
        }
        let at = stream.position;
        let frame = &frames[at];
        if frame.key {
            stream.asked = false;
            stream.last_key = Some(now);
        }
        sent.frame(self.number, stream.layer as u8, at as u32, wall);
        let parts = frame.parts.len();
        for (part, body) in frame.parts.iter().enumerate() {
            let payload = match clips.codec {
                Codec::Vp8 => packetise::with_descriptor(body, part == 0, stream.picture),
                _ => body.clone(),
            };
            out.bytes += payload.len() as u64;
            let packet = RtpWrite::new(pt, stream.sequence.into(), timestamp, now, payload).marker(part + 1 == parts).nackable(true);
            stream.sequence += 1;
            write(&mut peer.rtc, mid, stream.rid, packet);
            peer.tick(now);
        }
        out.packets += parts as u64;
        out.frames += 1;
        out.key_frames += u64::from(frame.key);
        stream.picture = (stream.picture + 1) & 0x7fff;
        stream.position = (at + 1) % frames.len();
    }

    fn play_word(&mut self, n: u32, peer: &mut Peer, world: &mut World, now: Instant, wall: u64) {
        let World { clips, sent, output: out, .. } = world;
        let at = (n + self.number * 61) % clips.audio.len() as u32;
        let timestamp = n.wrapping_mul(960);
        let Some((mid, pt)) = self.audio else { return };
        let word = &clips.audio[at as usize];
        sent.word(self.number, at, wall);
        // RFC 6464: 0 is loudest; str0m writes what is below full scale as negative.
        let ext_vals =
            ExtensionValues { audio_level: Some(-(word.level as i8)), voice_activity: Some(word.level < 60), ..Default::default() };
        let packet = RtpWrite::new(pt, self.sequence.into(), timestamp, now, word.payload.clone());
        write(&mut peer.rtc, mid, None, packet.ext_vals(ext_vals).marker(false));
        peer.tick(now);
        self.sequence += 1;
        out.packets += 1;
        out.words += 1;
        out.bytes += word.payload.len() as u64;
    }
}

fn write(rtc: &mut Rtc, mid: Mid, rid: Option<&str>, packet: RtpWrite) {
    if let Some(stream) = rtc.direct_api().stream_tx_by_mid(mid, rid.map(Into::into)) {
        stream.write_rtp(packet);
    }
}
