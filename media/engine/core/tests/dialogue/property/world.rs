//! A class in which anything comes in any order.

use std::collections::BTreeMap;
use std::time::Duration;

use jiangtai_core::command::Command;
use jiangtai_core::media::{Codec, CodecName, Kind};
use jiangtai_core::rtcp;
use jiangtai_core::rtp::Header;

use super::mark::Mark;
use super::place::{Got, Place};
use crate::bandwidth::Link;
use crate::client::{MID, RID, RRID, TWCC};
use crate::damage::Dice;
use crate::scene::{opus, Scene, LAYERS};

const PT: u8 = 96;
const VOICE: u32 = 1900;

pub struct Sent {
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Vec<u8>,
    /// It was lost or late.
    pub disturbed: bool,
}

#[derive(Default)]
pub struct Layer {
    pub ssrc: u32,
    pub picture: u32,
    pub sent: Vec<Sent>,
    pub rtx: u16,
    pub comes: bool,
    /// When a request for a key frame is answered.
    pub key_at: Option<u64>,
}

pub struct Stream {
    pub track: u8,
    pub peer: u64,
    pub wide: bool,
    pub allowed: bool,
    pub layers: Vec<Layer>,
}

pub struct Receiver {
    pub peer: u64,
    pub reports: bool,
    pub link: Link,
    pub places: Vec<Place>,
}

/// What may happen between the packets of a picture.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Within {
    Nothing,
    /// A receiver looks away, or at another size.
    Looks,
    /// Anything, and packets of other pictures.
    Anything,
}

pub struct World {
    pub scene: Scene,
    pub dice: Dice,
    pub codec: CodecName,
    pub step: u64,
    pub streams: Vec<Stream>,
    pub receivers: Vec<Receiver>,
    pub held: Vec<(u64, u64, Vec<u8>)>,
    /// Packets of a hundred that are lost, and that are late.
    pub loss: usize,
    pub late: usize,
    pub within: Within,
    pub voice: bool,
}

impl World {
    pub fn new(codec: CodecName, seed: u64) -> World {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..4).for_each(|_| _ = dice.next());
        let (loss, late) = [(0, 0), (3, 0), (3, 5)][dice.below(3)];
        let within = [Within::Nothing, Within::Looks, Within::Anything][dice.below(3)];
        let mut world = World {
            scene: Scene::new(),
            dice,
            codec,
            step: 0,
            streams: vec![],
            receivers: vec![],
            held: vec![],
            loss,
            late,
            within,
            voice: seed.is_multiple_of(2),
        };
        (1..=2).for_each(|id| world.scene.join(id));
        for (track, peer, layers) in [(10, 1, 3), (11, 1, 1), (12, 2, 3)] {
            let layers = if codec == CodecName::Vp8 { layers } else { 1 };
            let ssrc = u32::from(track) * 100;
            if layers == 3 {
                world.scene.add_simulcast(track.into(), peer);
            } else {
                world.scene.add_track(track.into(), peer, Kind::Video, ssrc, world.codecs());
            }
            let layer = |n: u32| Layer { ssrc: ssrc + 10 * n, comes: true, ..Layer::default() };
            let wide = world.dice.below(2) == 0;
            world.streams.push(Stream { track, peer, wide, allowed: true, layers: (0..layers).map(layer).collect() });
        }
        world.scene.add_track(19, 1, Kind::Audio, VOICE, opus());
        (3..=4).for_each(|id| world.newcomer(id));
        world
    }

    pub fn codecs(&self) -> Vec<Codec> {
        vec![Codec { pt: PT, name: self.codec, rtx_pt: Some(PT + 1) }]
    }

    pub fn newcomer(&mut self, peer: u64) {
        self.scene.join(peer);
        let mut places = vec![];
        for n in 0..2 {
            let (slot, ssrc) = (peer * 10 + n, (peer * 1000 + 10 * n) as u32);
            self.scene.add_slot(slot, peer, Kind::Video, ssrc, self.codecs(), None);
            places.push(Place { slot, ssrc, wanted: None, most: Some(u8::MAX), highest: 0, got: BTreeMap::new() });
        }
        self.scene.add_slot(peer * 10 + 9, peer, Kind::Audio, peer as u32 * 1000 + 90, opus(), Some(0));
        let reports = self.dice.below(2) == 0;
        self.receivers.push(Receiver { peer, reports, link: Link::default(), places });
        for n in 0..2 {
            self.assign(self.receivers.len() - 1, n, true);
        }
    }

    pub fn assign(&mut self, receiver: usize, place: usize, something: bool) {
        let track = Some(self.streams[self.dice.below(self.streams.len())].track).filter(|_| something || self.dice.below(4) > 0);
        let place = &mut self.receivers[receiver].places[place];
        place.wanted = track;
        self.scene.command(Command::Assign { slot: place.slot, track: track.map(u64::from) });
    }

    pub fn limit(&mut self, receiver: usize, place: usize, something: bool) {
        let most = [Some(2), Some(1), Some(0), None][self.dice.below(if something { 3 } else { 4 })];
        let place = &mut self.receivers[receiver].places[place];
        place.most = most;
        self.scene.command(Command::LimitSlot { slot: place.slot, most });
    }

    pub fn allow(&mut self, stream: usize, allowed: bool) {
        let stream = &mut self.streams[stream];
        stream.allowed = allowed;
        self.scene.command(Command::SetTrack { track: stream.track.into(), allowed, priority: false });
    }

    pub fn anything(&mut self) {
        let (receiver, place) = (self.dice.below(self.receivers.len()), self.dice.below(2));
        match self.dice.below(10) {
            0..=3 => self.assign(receiver, place, false),
            4..=6 => self.limit(receiver, place, false),
            7 => {
                let stream = self.dice.below(self.streams.len());
                let allowed = !self.streams[stream].allowed || self.dice.below(2) > 0;
                self.allow(stream, allowed);
            }
            8 => self.receivers[receiver].link.bps = [None, Some(400_000), Some(120_000), Some(40_000)][self.dice.below(4)],
            _ => {
                let stream = self.dice.below(self.streams.len());
                let layer = self.dice.below(self.streams[stream].layers.len());
                let layer = &mut self.streams[stream].layers[layer];
                layer.comes = !layer.comes;
            }
        }
    }

    /// The packets of the next picture of a layer.
    pub fn picture(&mut self, stream: usize, layer: usize, key: bool) -> Vec<(usize, usize, usize)> {
        let parts = 1 + self.dice.below(if key { 4 } else { 3 }) as u8;
        let timestamp = self.scene.now.duration_since(self.scene.start).as_millis() as u32 * 90;
        let Stream { track, wide, layers, .. } = &mut self.streams[stream];
        let source = &mut layers[layer];
        let from = source.sent.len();
        for part in 0..parts {
            let mark =
                Mark { track: *track, layer: layer as u8, key, part, parts, picture: source.picture, number: source.sent.len() as u32 };
            let payload = mark.write(self.codec, *wide, 100 + 250 * layer + self.dice.below(30));
            let timestamp = timestamp.wrapping_add(source.ssrc.wrapping_mul(0x9e37_79b1));
            source.sent.push(Sent { timestamp, marker: part + 1 == parts, payload, disturbed: false });
        }
        source.picture += 1;
        (from..source.sent.len()).map(|n| (stream, layer, n)).collect()
    }

    /// A packet as it leaves, for the first time or again.
    pub fn seal(&mut self, (stream, layer, n): (usize, usize, usize), again: bool) -> (u64, Vec<u8>) {
        let Stream { track, peer, layers, .. } = &mut self.streams[stream];
        let several = layers.len() > 1;
        let source = &mut layers[layer];
        let Sent { timestamp, marker, payload, .. } = &source.sent[n];
        let sequence = (source.ssrc as u16).wrapping_mul(40_503).wrapping_add(n as u16);
        let mid = format!("t{track}");
        let client = self.scene.client(*peer);
        client.twcc = client.twcc.wrapping_add(1);
        let number = client.twcc.to_be_bytes();
        let mut extensions: Vec<(u8, &[u8])> = vec![(TWCC, &number), (MID, mid.as_bytes())];
        if several {
            extensions.push((if again { RRID } else { RID }, LAYERS[layer].as_bytes()));
        }
        let mut header = Header { payload_type: PT, marker: *marker, sequence, timestamp: *timestamp, ssrc: source.ssrc };
        if !again {
            return (*peer, client.seal(&header, &extensions, payload));
        }
        source.rtx += 1;
        (header.payload_type, header.sequence, header.ssrc) = (PT + 1, source.rtx, source.ssrc + 1);
        (*peer, client.seal(&header, &extensions, &[&sequence.to_be_bytes()[..], payload].concat()))
    }

    /// Publishers answer what they are asked for: at once when all is calm, else some time later or never.
    pub fn answer(&mut self, calm: bool) {
        for peer in 1..=2 {
            let compounds = std::mem::take(&mut self.scene.client(peer).rtcp);
            for packet in compounds.iter().flat_map(|compound| rtcp::parse(compound).unwrap()) {
                let (media, lost) = match packet.unwrap() {
                    rtcp::Packet::Nack(nack) => (nack.media, nack.lost().collect()),
                    rtcp::Packet::Pli { media, .. } => (media, vec![]),
                    _ => continue,
                };
                let of = |(at, stream): (usize, &Stream)| Some((at, stream.layers.iter().position(|layer| layer.ssrc == media)?));
                let (stream, layer) = self.streams.iter().enumerate().find_map(of).unwrap();
                let source = &mut self.streams[stream].layers[layer];
                if lost.is_empty() && (calm || self.dice.below(4) > 0) {
                    source.key_at.get_or_insert(self.step + if calm { 0 } else { self.dice.below(20) as u64 });
                }
                for sequence in lost {
                    let n = usize::from(sequence.wrapping_sub((source_ssrc(&self.streams, stream, layer) as u16).wrapping_mul(40_503)));
                    if calm || self.dice.below(3) > 0 {
                        let (peer, datagram) = self.seal((stream, layer, n), true);
                        self.held.push((self.step + if calm { 0 } else { self.dice.below(4) as u64 }, peer, datagram));
                    }
                }
            }
        }
    }

    /// Pictures in some layers of some tracks, some packets lost or late, and among them whatever else may happen.
    pub fn tick(&mut self, calm: bool) {
        self.step += 1;
        self.answer(calm);
        let mut leaving = vec![];
        for stream in 0..self.streams.len() {
            for layer in 0..self.streams[stream].layers.len() {
                let source = &mut self.streams[stream].layers[layer];
                let asked = source.key_at.is_some_and(|at| at <= self.step);
                let comes = calm || source.comes && self.dice.below(8) > 0;
                if comes {
                    source.key_at.take_if(|_| asked);
                    let key = asked || !calm && self.dice.below(15) == 0;
                    leaving.push(self.picture(stream, layer, key));
                }
            }
        }
        let mut line: Vec<(usize, usize, usize)> = vec![];
        while leaving.iter().any(|packets| !packets.is_empty()) {
            let at = if self.within == Within::Anything && !calm { self.dice.below(leaving.len()) } else { 0 };
            match leaving[at].is_empty() {
                true => _ = leaving.remove(at),
                false => line.push(leaving[at].remove(0)),
            }
        }
        let burst = self.dice.below(2) == 0;
        let now = self.scene.now;
        for (stream, layer, n) in line {
            match self.within {
                Within::Looks if !calm && self.dice.below(30) == 0 => {
                    let (receiver, place) = (self.dice.below(self.receivers.len()), self.dice.below(2));
                    self.limit(receiver, place, false);
                }
                Within::Anything if !calm && self.dice.below(60) == 0 => self.anything(),
                _ => {}
            }
            let (peer, datagram) = self.seal((stream, layer, n), false);
            let fate = if calm { 100 } else { self.dice.below(100) };
            self.streams[stream].layers[layer].sent[n].disturbed = fate < self.loss + self.late || !self.streams[stream].allowed;
            if fate < self.loss {
                continue;
            }
            if fate < self.loss + self.late {
                self.held.push((self.step + self.dice.below(4) as u64, peer, datagram));
                continue;
            }
            let path = self.scene.clients[&peer].path;
            for _ in 0..1 + usize::from(fate == 99) {
                match burst {
                    true => self.scene.shard.receive(now, path, &mut datagram.clone()),
                    false => self.scene.send(peer, &datagram),
                }
            }
        }
        for (at, peer, datagram) in std::mem::take(&mut self.held) {
            match at <= self.step {
                true => self.scene.send(peer, &datagram),
                false => self.held.push((at, peer, datagram)),
            }
        }
        self.scene.exchange();
        if !calm && self.dice.below(4) == 0 {
            self.anything();
        }
        // Somebody may talk in the end, or nobody: pictures come back by themselves.
        for _ in 0..if calm { 2 } else { 0 } {
            if self.voice {
                self.scene.audio(1, VOICE, 20);
            }
            self.pass(20);
        }
        if !calm {
            let pause = 10 + self.dice.below(60) as u64;
            self.pass(pause);
        }
        for receiver in 0..self.receivers.len() {
            self.receive(receiver);
        }
    }

    /// From timer to timer; everybody keeps consent.
    pub fn pass(&mut self, ms: u64) {
        let scene = &mut self.scene;
        let until = scene.now + Duration::from_millis(ms);
        while let Some(at) = scene.shard.next_timeout().filter(|at| *at <= until) {
            scene.now = scene.now.max(at);
            scene.shard.timeout(scene.now);
            scene.exchange();
        }
        scene.now = until;
        if self.step.is_multiple_of(50) {
            self.scene.live(1);
        }
    }

    /// A receiver takes what came, asks for what is missing, and for a key frame where nothing else helps.
    pub fn receive(&mut self, at: usize) {
        let Receiver { peer, reports, link, places } = &mut self.receivers[at];
        for round in 0..2 {
            for packet in std::mem::take(&mut self.scene.client(*peer).rtp) {
                link.carry(&self.scene, &packet);
                places.iter_mut().for_each(|place| place.take(self.codec, &packet));
            }
            for place in places.iter().filter(|_| round == 0) {
                let from = place.got.first_key_value().map_or(0, |(first, _)| *first).max(place.highest.saturating_sub(60));
                let missing: Vec<u16> = (from..place.highest).filter(|n| !place.got.contains_key(n)).map(|n| n as u16).collect();
                let broken = self.step.is_multiple_of(15) && place.judge(&self.streams, false);
                if broken || !missing.is_empty() {
                    let request = self.scene.client(*peer).seal_rtcp(|rtcp| {
                        rtcp.receiver_report(1, &[]).unwrap();
                        rtcp.nack(1, place.ssrc, &missing).unwrap();
                        if broken {
                            rtcp.pli(1, place.ssrc).unwrap();
                        }
                    });
                    self.scene.send(*peer, &request);
                }
            }
        }
        if *reports && self.step.is_multiple_of(3) {
            link.report(&mut self.scene, *peer);
        }
    }

    pub fn places(&self) -> String {
        let last = |place: &Place| place.got.last_key_value().map(|(_, got)| got.mark);
        let told = |place: &Place| format!("{} {:?} {:?} {:?}\n", place.slot, place.wanted, place.most, last(place));
        self.receivers.iter().flat_map(|receiver| &receiver.places).map(told).collect()
    }

    /// Every place that is looked at shows the newest picture.
    pub fn all_see(&self) -> bool {
        let newest = |mark: &Mark| {
            let stream = self.streams.iter().find(|stream| stream.track == mark.track).unwrap();
            stream.layers[usize::from(mark.layer)].picture - 1
        };
        let shows = |place: &Place| match (place.wanted, place.most) {
            (Some(track), Some(most)) => place.got.last_key_value().is_some_and(|(_, Got { mark, .. })| {
                mark.track == track && mark.layer <= most && mark.picture == newest(mark) && !place.judge(&self.streams, false)
            }),
            _ => true,
        };
        self.receivers.iter().flat_map(|receiver| &receiver.places).all(shows)
    }
}

pub fn source_ssrc(streams: &[Stream], stream: usize, layer: usize) -> u32 {
    streams[stream].layers[layer].ssrc
}
