//! The shard between two independent WebRTC stacks over links that lose packets, under simulated time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiangtai_core::clock::Clock;
use jiangtai_core::command::{AddSlot, AddTrack, Command, IceCredentials, OpenPeer};
use jiangtai_core::dtls::Identity;
use jiangtai_core::media::{Codec, CodecName, Extensions, Kind};
use jiangtai_core::metrics::Metrics;
use jiangtai_core::outbox::Path;
use jiangtai_core::shard::Shard;
use str0m::config::Fingerprint;
use str0m::ice::IceCreds;
use str0m::media::MediaKind;
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

const SERVER: ([u8; 4], u16) = ([10, 0, 0, 1], 7000);
const DELAY: Duration = Duration::from_millis(20);

struct End {
    id: u64,
    rtc: Rtc,
    address: SocketAddr,
    connected: bool,
    /// Sequence number to payload.
    received: BTreeMap<u64, Vec<u8>>,
}

/// A shard, its ends, and datagrams on their way.
struct World {
    shard: Shard,
    metrics: Arc<Metrics>,
    identity: String,
    now: Instant,
    ends: Vec<End>,
    flying: Vec<(Instant, Option<usize>, Path, Vec<u8>)>,
    /// Per mille of datagrams lost each way once everybody is connected.
    loss: u32,
    dice: u32,
}

impl World {
    fn new() -> World {
        let now = Instant::now();
        let (metrics, identity) = (Arc::new(Metrics::default()), Identity::generate().unwrap());
        let fingerprint = identity.fingerprint();
        let mut shard = Shard::new((0, 1), identity, metrics.clone(), Clock::new(now, Duration::from_secs(1_700_000_000)));
        shard.command(now, Command::OpenRoom { room: 1, audio_slots: 3, home: 0 });
        World { shard, metrics, identity: fingerprint, now, ends: Vec::new(), flying: Vec::new(), loss: 0, dice: 12345 }
    }

    fn join(&mut self, id: u64) -> usize {
        let address: SocketAddr = ([10, 0, 1, id as u8], 5000).into();
        let mut rtc = RtcConfig::new().set_rtp_mode(true).build(self.now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        rtc.add_remote_candidate(Candidate::host(SERVER.into(), "udp").unwrap());
        let mut api = rtc.direct_api();
        let theirs = api.local_ice_credentials();
        let ours = IceCreds { ufrag: format!("server{id}"), pass: format!("server-password-of-{id}") };
        api.set_remote_ice_credentials(ours.clone());
        api.set_ice_controlling(true);
        api.set_remote_fingerprint(format!("sha-256 {}", self.identity).parse::<Fingerprint>().unwrap());
        let fingerprint = api.local_dtls_fingerprint().bytes.as_slice().try_into().unwrap();
        api.start_dtls(true).unwrap();
        let ice = IceCredentials { local_ufrag: ours.ufrag, local_pwd: ours.pass, remote_ufrag: theirs.ufrag, remote_pwd: theirs.pass };
        let extensions = Extensions { audio_level: Some(1), abs_send_time: Some(2), twcc: Some(3), mid: Some(4), ..Extensions::default() };
        let open = OpenPeer { peer: id, room: 1, ice, fingerprint, extensions, expires_ms: 60_000 };
        self.shard.command(self.now, Command::OpenPeer(Box::new(open)));
        self.ends.push(End { id, rtc, address, connected: false, received: BTreeMap::new() });
        self.ends.len() - 1
    }

    fn lost(&mut self) -> bool {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 17;
        self.dice ^= self.dice << 5;
        self.ends.iter().all(|end| end.connected) && self.dice % 1000 < self.loss
    }

    /// One millisecond.
    fn step(&mut self) {
        self.now += Duration::from_millis(1);
        let now = self.now;
        let (arrived, flying) = std::mem::take(&mut self.flying).into_iter().partition(|(at, ..)| *at <= now);
        self.flying = flying;
        let arrived: Vec<(Instant, Option<usize>, Path, Vec<u8>)> = arrived;
        for (_, to, path, mut bytes) in arrived {
            match to {
                None => self.shard.receive(now, path, &mut bytes),
                Some(at) => {
                    let end = &mut self.ends[at];
                    let contents = bytes.as_slice().try_into().unwrap();
                    let receive = Receive { proto: Protocol::Udp, source: SERVER.into(), destination: end.address, contents };
                    end.rtc.handle_input(Input::Receive(now, receive)).unwrap();
                    self.poll(at);
                }
            }
        }
        self.shard.timeout(now);
        self.shard.play(now);
        let sent: Vec<(Path, Vec<u8>)> = self.shard.outbox.iter().map(|(to, b)| (to, b.to_vec())).collect();
        self.shard.outbox.clear();
        for (path, bytes) in sent {
            if let (Some(end), false) = (self.ends.iter().position(|e| e.address == path.remote), self.lost()) {
                self.flying.push((now + DELAY, Some(end), path, bytes));
            }
        }
        for end in 0..self.ends.len() {
            self.ends[end].rtc.handle_input(Input::Timeout(now)).unwrap();
            self.poll(end);
        }
    }

    fn poll(&mut self, end: usize) {
        loop {
            match self.ends[end].rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(t) => {
                    let path = Path::udp(self.ends[end].address);
                    if !self.lost() {
                        self.flying.push((self.now + DELAY, None, path, t.contents.to_vec()));
                    }
                }
                Output::Event(Event::Connected) => self.ends[end].connected = true,
                Output::Event(Event::RtpPacket(packet)) => {
                    self.ends[end].received.insert(*packet.seq_no, packet.payload.to_vec());
                }
                Output::Event(_) => {}
            }
        }
    }

    fn run(&mut self, ms: u64) {
        (0..ms).for_each(|_| self.step());
    }

    fn metric(&self, name: &str) -> u64 {
        self.metrics.read().into_iter().find(|(n, _)| *n == name).unwrap().1
    }
}

fn codecs() -> Vec<Codec> {
    vec![Codec { pt: 96, name: CodecName::Vp8, rtx_pt: Some(97) }]
}

/// A sender and a viewer with one video stream between them.
fn class() -> World {
    let mut world = World::new();
    let (sender, viewer) = (world.join(1), world.join(2));
    let mut api = world.ends[sender].rtc.direct_api();
    api.declare_media("vid".into(), MediaKind::Video);
    api.declare_stream_tx(1000.into(), Some(1001.into()), "vid".into(), None);
    let mut api = world.ends[viewer].rtc.direct_api();
    api.declare_media("out".into(), MediaKind::Video);
    api.expect_stream_rx(2000.into(), Some(2001.into()), "out".into(), None);
    let now = world.now;
    let track = AddTrack {
        rids: vec![],
        voice: true,
        track: 10,
        peer: world.ends[sender].id,
        kind: Kind::Video,
        mid: "vid".into(),
        ssrcs: vec![(1000, Some(1001))],
        codecs: codecs(),
        allowed: true,
        priority: false,
    };
    let slot = AddSlot {
        rank: 1,
        slot: 20,
        peer: world.ends[viewer].id,
        kind: Kind::Video,
        mid: "out".into(),
        ssrc: 2000,
        rtx_ssrc: Some(2001),
        codecs: codecs(),
        auto: None,
    };
    world.shard.command(now, Command::AddTrack(Box::new(track)));
    world.shard.command(now, Command::AddSlot(Box::new(slot)));
    world.shard.command(now, Command::Assign { slot: 20, track: Some(10) });
    world.run(1500);
    assert!(world.ends.iter().all(|end| end.connected));
    world
}

/// Sends frames of three packets, 30 a second; payloads say which packet they are.
fn play(world: &mut World, frames: u32, first: u64) {
    for frame in 0..frames {
        for part in 0..3u32 {
            let number = u64::from(frame) * 3 + u64::from(part);
            let picture = (frame as u16 & 0x7fff) | 0x8000;
            let start = if part == 0 { 0x10 } else { 0 };
            // Descriptor with a picture id, then the frame tag: the first frame is a key frame.
            let mut payload = vec![0x80 | start, 0x80];
            payload.extend(picture.to_be_bytes());
            payload.extend([u8::from(frame > 0), 0, 0]);
            payload.extend(number.to_be_bytes());
            payload.resize(1000, 5);
            let now = world.now;
            let mut api = world.ends[0].rtc.direct_api();
            let stream = api.stream_tx(&1000.into()).unwrap();
            let packet = RtpWrite::new(96.into(), (first + number).into(), frame * 3000, now, payload.as_slice());
            stream.write_rtp(packet.marker(part == 2).nackable(true));
        }
        world.run(33);
    }
}

/// The numbers of the packets a viewer has, in stream order.
fn numbers(end: &End) -> Vec<u64> {
    end.received.values().map(|p| u64::from_be_bytes(p[7..15].try_into().unwrap())).collect()
}

#[test]
fn an_independent_stack_gets_every_packet_in_order() {
    let mut world = class();
    play(&mut world, 100, 40_000);
    world.run(200);
    assert_eq!(numbers(&world.ends[1]), (0..300).collect::<Vec<u64>>());
    let numbers: Vec<u64> = world.ends[1].received.keys().copied().collect();
    assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1), "continuous sequence numbers");
    assert_eq!(world.metric("dropped_duplicate"), 0);
}

#[test]
fn a_tenth_lost_on_every_link_is_repaired() {
    let mut world = class();
    world.loss = 100;
    play(&mut world, 600, 65_000);
    world.loss = 0;
    world.run(1000);
    let got = numbers(&world.ends[1]);
    assert!(got.windows(2).all(|w| w[1] > w[0]), "in order after repair");
    assert!(got.len() >= 1782, "99 % of 1800, got {}", got.len());
    assert!(world.metric("nack_out") > 20 && world.metric("rtx_in") > 100 && world.metric("rtx_out") > 100);
}

#[test]
fn nobody_repairs_what_is_beyond_repair_for_ever() {
    let mut world = class();
    play(&mut world, 30, 100);
    world.loss = 1000;
    play(&mut world, 30, 190);
    world.loss = 0;
    let before = world.metric("nack_out");
    play(&mut world, 150, 280);
    let asked = world.metric("nack_out") - before;
    assert!(asked <= 12, "{asked} requests for one gap");
    assert!(numbers(&world.ends[1]).len() >= 400);
}
