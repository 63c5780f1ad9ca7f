//! A shard, its clients and a network under simulated time.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiangtai_core::clock::Clock;
use jiangtai_core::command::{AddSlot, AddTrack, Command, OpenPeer};
use jiangtai_core::dtls::Identity;
use jiangtai_core::event::Event;
use jiangtai_core::media::{Codec, CodecName, Extensions, Kind};
use jiangtai_core::metrics::Metrics;
use jiangtai_core::outbox::Path;
use jiangtai_core::rtp::Header;
use jiangtai_core::shard::Shard;

use super::client::{Client, LEVEL, MID, RID, RRID, SEND_TIME, TWCC};

pub const ROOM: u64 = 1;
/// The names of simulcast layers, lowest first.
pub const LAYERS: [&str; 3] = ["q", "h", "f"];
pub const OPUS: u8 = 111;
pub const RED: u8 = 63;
pub const VP8: u8 = 96;
pub const VP8_RTX: u8 = 97;

pub struct Scene {
    pub shard: Shard,
    pub metrics: Arc<Metrics>,
    pub start: Instant,
    pub now: Instant,
    pub clients: HashMap<u64, Client>,
    pub events: Vec<Event>,
    streams: HashMap<u32, (u16, u32)>,
    /// What is sent ends its picture.
    pub whole: bool,
}

pub fn vp8() -> Vec<Codec> {
    vec![Codec { pt: VP8, name: CodecName::Vp8, rtx_pt: Some(VP8_RTX) }]
}

pub fn opus() -> Vec<Codec> {
    vec![Codec { pt: OPUS, name: CodecName::Opus, rtx_pt: None }]
}

/// A VP8 payload: descriptor with 15-bit picture id and TL0PICIDX, then a frame tag that says key frame or not.
pub fn frame(key: bool, picture: u16, fill: u8) -> Vec<u8> {
    let [high, low] = (0x8000 | picture).to_be_bytes();
    let mut payload = vec![0x90, 0xc0, high, low, picture as u8, u8::from(!key), 0, 0];
    payload.extend([fill; 60]);
    payload
}

/// One identity for all shards, as in a running engine.
fn shared_identity() -> Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity::generate().unwrap()).clone()
}

impl Scene {
    pub fn new() -> Scene {
        Scene::shard(0, 1, Instant::now())
    }

    /// One shard of several, with clients of its own; the room's home is shard 0.
    pub fn shard(number: usize, shards: usize, now: Instant) -> Scene {
        let metrics = Arc::new(Metrics::default());
        let shard = Shard::new((number, shards), shared_identity(), metrics.clone(), Clock::new(now, Duration::from_secs(1_700_000_000)));
        let mut scene =
            Scene { shard, metrics, start: now, now, clients: HashMap::new(), events: Vec::new(), streams: HashMap::new(), whole: true };
        scene.command(Command::OpenRoom { room: ROOM, audio_slots: 3, home: 0 });
        scene
    }

    pub fn command(&mut self, command: Command) {
        self.shard.command(self.now, command);
        self.exchange();
    }

    pub fn metric(&self, name: &str) -> u64 {
        self.metrics.read().into_iter().find(|(n, _)| *n == name).unwrap().1
    }

    /// Announces a client to the shard.
    pub fn open(&mut self, id: u64) {
        let client = Client::new(id, self.now);
        let fingerprint = client.fingerprint();
        self.open_as(client, fingerprint);
    }

    pub fn open_as(&mut self, client: Client, fingerprint: [u8; 32]) {
        let extensions = Extensions {
            mid: Some(MID),
            rid: Some(RID),
            rrid: Some(RRID),
            audio_level: Some(LEVEL),
            twcc: Some(TWCC),
            abs_send_time: Some(SEND_TIME),
        };
        let open = OpenPeer { peer: client.id, room: ROOM, ice: client.ice.clone(), fingerprint, extensions, expires_ms: 60_000 };
        self.clients.insert(client.id, client);
        self.command(Command::OpenPeer(Box::new(open)));
    }

    /// Announces a client and brings it up to media.
    pub fn join(&mut self, id: u64) {
        self.open(id);
        self.handshake(id);
        assert!(self.clients[&id].srtp.is_some(), "client {id} has keys");
        assert!(self.events.contains(&Event::Connected { peer: id, tcp: false }));
    }

    pub fn handshake(&mut self, id: u64) {
        let check = self.client(id).check(true);
        self.send(id, &check);
        for _ in 0..20 {
            self.advance(5);
        }
    }

    pub fn client(&mut self, id: u64) -> &mut Client {
        self.clients.get_mut(&id).unwrap()
    }

    /// A datagram from a client's own address.
    pub fn send(&mut self, id: u64, datagram: &[u8]) {
        let path = self.clients[&id].path;
        self.send_from(path, datagram);
    }

    pub fn send_from(&mut self, path: Path, datagram: &[u8]) {
        self.shard.receive(self.now, path, &mut datagram.to_vec());
        self.exchange();
    }

    /// Delivers what the shard wants sent, and what clients answer, until all is quiet.
    pub fn exchange(&mut self) {
        loop {
            self.shard.play(self.now);
            self.events.append(&mut self.shard.events);
            let sent: Vec<(Path, Vec<u8>)> = self.shard.outbox.iter().map(|(to, bytes)| (to, bytes.to_vec())).collect();
            self.shard.outbox.clear();
            for (to, bytes) in &sent {
                for client in self.clients.values_mut().filter(|c| c.path == *to) {
                    client.receive(self.now, bytes);
                }
            }
            let mut answers = Vec::new();
            for client in self.clients.values_mut() {
                answers.extend(client.outgoing.drain(..).map(|bytes| (client.path, bytes)));
            }
            for (from, mut bytes) in answers {
                self.shard.receive(self.now, from, &mut bytes);
            }
            if self.shard.outbox.is_empty() {
                self.events.append(&mut self.shard.events);
                return;
            }
        }
    }

    /// Moves time on, millisecond by millisecond.
    pub fn advance(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now += Duration::from_millis(1);
            if self.shard.next_timeout().is_some_and(|at| at <= self.now) {
                self.shard.timeout(self.now);
            }
            // Client timers matter only while a handshake is under way.
            let now = self.now;
            self.clients.values_mut().filter(|c| c.srtp.is_none()).for_each(|c| c.tick(now));
            self.exchange();
        }
    }

    /// Keeps consent alive for a while.
    pub fn live(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(2000) {
            self.advance(ms.min(2000));
            let ids: Vec<u64> = self.clients.keys().copied().collect();
            for id in ids {
                let check = self.client(id).check(true);
                self.send(id, &check);
            }
        }
    }

    pub fn add_track(&mut self, track: u64, peer: u64, kind: Kind, ssrc: u32, codecs: Vec<Codec>) {
        let ssrcs = vec![(ssrc, Some(ssrc + 1))];
        let mid = format!("t{track}");
        let add = AddTrack { track, peer, kind, mid, ssrcs, codecs, rids: vec![], voice: true, allowed: true, priority: false };
        self.command(Command::AddTrack(Box::new(add)));
    }

    /// A video track of three layers, told apart by RID: q, h and f with SSRCs `ssrc`, `ssrc + 10` and `ssrc + 20`.
    pub fn add_simulcast(&mut self, track: u64, peer: u64) {
        let rids = LAYERS.map(str::to_owned).to_vec();
        let mid = format!("t{track}");
        let add = AddTrack {
            track,
            peer,
            kind: Kind::Video,
            mid,
            ssrcs: vec![],
            codecs: vp8(),
            rids,
            voice: false,
            allowed: true,
            priority: false,
        };
        self.command(Command::AddTrack(Box::new(add)));
    }

    /// Sends one frame of one packet in a layer of a simulcast track.
    pub fn layer(&mut self, id: u64, track: u64, ssrc: u32, layer: usize, payload: &[u8]) {
        let packet = self.sealed_layer(id, track, ssrc, layer, payload);
        self.send(id, &packet);
    }

    /// The next packet of a layer of a simulcast track.
    pub fn sealed_layer(&mut self, id: u64, track: u64, ssrc: u32, layer: usize, payload: &[u8]) -> Vec<u8> {
        let (mid, rid) = (format!("t{track}"), LAYERS[layer]);
        let names = [(MID, mid.as_bytes()), (RID, rid.as_bytes())];
        self.packet_with(id, ssrc + 10 * layer as u32, VP8, 3000, &names, payload).1
    }

    pub fn add_slot(&mut self, slot: u64, peer: u64, kind: Kind, ssrc: u32, codecs: Vec<Codec>, auto: Option<usize>) {
        let rtx_ssrc = (kind == Kind::Video).then_some(ssrc + 1);
        let add = AddSlot { slot, peer, kind, mid: format!("s{slot}"), ssrc, rtx_ssrc, codecs, auto, rank: 1 };
        self.command(Command::AddSlot(Box::new(add)));
    }

    /// A video slot that is served in its turn.
    pub fn add_slot_of_rank(&mut self, slot: u64, peer: u64, ssrc: u32, rank: u8) {
        let (mid, rtx_ssrc) = (format!("s{slot}"), Some(ssrc + 1));
        let add = AddSlot { slot, peer, kind: Kind::Video, mid, ssrc, rtx_ssrc, codecs: vp8(), auto: None, rank };
        self.command(Command::AddSlot(Box::new(add)));
    }

    /// A publisher (1) with one video track (10, SSRC 1000) and a viewer (2) that plays it in slot 20 (SSRC 2000).
    pub fn lesson() -> Scene {
        let mut scene = Scene::new();
        scene.join(1);
        scene.join(2);
        scene.add_track(10, 1, Kind::Video, 1000, vp8());
        scene.add_slot(20, 2, Kind::Video, 2000, vp8(), None);
        scene.command(Command::Assign { slot: 20, track: Some(10) });
        scene
    }

    /// Prepares the next packet of a source: sequence numbers go on by one, timestamps by `step`.
    pub fn packet(&mut self, id: u64, ssrc: u32, pt: u8, step: u32, level: Option<u8>, payload: &[u8]) -> (u16, Vec<u8>) {
        let level = level.map(|l| [0x80 | l]);
        let extensions: Vec<(u8, &[u8])> = level.iter().map(|level| (LEVEL, &level[..])).collect();
        self.packet_with(id, ssrc, pt, step, &extensions, payload)
    }

    fn packet_with(&mut self, id: u64, ssrc: u32, pt: u8, step: u32, more: &[(u8, &[u8])], payload: &[u8]) -> (u16, Vec<u8>) {
        let (sequence, timestamp) = self.streams.entry(ssrc).or_insert((65_530, 0xffff_f000));
        let header = Header { payload_type: pt, marker: self.whole, sequence: *sequence, timestamp: *timestamp, ssrc };
        let used = *sequence;
        *sequence = sequence.wrapping_add(1);
        *timestamp = timestamp.wrapping_add(step);
        let client = self.clients.get_mut(&id).unwrap();
        client.twcc = client.twcc.wrapping_add(1);
        let number = client.twcc.to_be_bytes();
        let mut extensions: Vec<(u8, &[u8])> = vec![(TWCC, &number)];
        extensions.extend_from_slice(more);
        (used, client.seal(&header, &extensions, payload))
    }

    /// Sends one video frame of one packet.
    pub fn video(&mut self, id: u64, ssrc: u32, payload: &[u8]) -> u16 {
        let (sequence, packet) = self.packet(id, ssrc, VP8, 3000, None, payload);
        self.send(id, &packet);
        sequence
    }

    /// Resends a frame on the RTX source (RFC 4588).
    pub fn resend(&mut self, id: u64, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) {
        let mut body = sequence.to_be_bytes().to_vec();
        body.extend_from_slice(payload);
        let (rtx_sequence, _) = *self.streams.entry(ssrc + 1).and_modify(|s| s.0 += 1).or_insert((1, 0));
        let header = Header { payload_type: VP8_RTX, marker: true, sequence: rtx_sequence, timestamp, ssrc: ssrc + 1 };
        let packet = self.client(id).seal(&header, &[], &body);
        self.send(id, &packet);
    }

    /// Sends 20 ms of audio.
    pub fn audio(&mut self, id: u64, ssrc: u32, level: u8) {
        let (_, packet) = self.packet(id, ssrc, OPUS, 960, Some(level), &[0x78, 1, 2, 3, 4, 5, 6, 7]);
        self.send(id, &packet);
    }
}
