//! Clients with sockets of their own, and a lesson among them.
#![allow(dead_code)]

#[path = "../../../core/tests/dialogue/client.rs"]
mod client;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use client::{Client, LEVEL, MID, TWCC};
use jiangtai_core::command::{AddSlot, AddTrack, Command, OpenPeer};
use jiangtai_core::media::{Codec, CodecName, Extensions, Kind};
use jiangtai_core::rtp::Header;
use jiangtai_net::engine::{Engine, Settings};

const OPUS: u8 = 111;

pub fn metric(engine: &Engine, name: &str) -> u64 {
    engine.metrics().into_iter().find(|(n, _)| *n == name).unwrap().1
}

pub fn until(mut what: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !what() {
        assert!(Instant::now() < end, "never true");
        std::thread::yield_now();
    }
}

/// A client on a socket of its own.
pub struct Leg {
    pub client: Client,
    pub socket: UdpSocket,
}

impl Leg {
    pub fn join(engine: &Engine, id: u64, address: &str) -> Leg {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.connect(("127.0.0.1", engine.udp_ports[0])).unwrap();
        socket.set_nonblocking(true).unwrap();
        let client = Client::new(id, Instant::now());
        let extensions = Extensions { mid: Some(MID), audio_level: Some(LEVEL), twcc: Some(TWCC), ..Extensions::default() };
        let (ice, fingerprint) = (client.ice.clone(), client.fingerprint());
        let open = OpenPeer { peer: id, room: 1, ice, fingerprint, extensions, expires_ms: 60_000 };
        engine.post(Command::OpenPeer(Box::new(open)), Some(0)).unwrap();
        let mut leg = Leg { client, socket };
        until(|| metric(engine, "peers") >= id);
        let check = leg.client.check(true);
        leg.socket.send(&check).unwrap();
        until(|| {
            leg.pump();
            !leg.client.stun.is_empty()
        });
        until(|| {
            leg.client.tick(Instant::now());
            leg.pump();
            leg.client.srtp.is_some()
        });
        leg
    }

    pub fn pump(&mut self) {
        self.client.outgoing.drain(..).for_each(|datagram| drop(self.socket.send(&datagram)));
        let mut buffer = [0; 2048];
        while let Ok(len) = self.socket.recv(&mut buffer) {
            self.client.receive(Instant::now(), &buffer[..len]);
        }
    }
}

pub fn engine() -> Engine {
    Engine::start(&Settings { bind: [127, 0, 0, 1].into(), udp_ports: vec![0; 2], tcp_port: None, queue: 64 }).unwrap()
}

/// Track 10 of peer 1, SSRC 1000; sound is a voice.
pub fn track(kind: Kind, mid: &str, codecs: &[Codec]) -> Command {
    Command::AddTrack(Box::new(AddTrack {
        track: 10,
        peer: 1,
        kind,
        mid: mid.to_owned(),
        ssrcs: vec![(1000, None)],
        codecs: codecs.to_vec(),
        rids: vec![],
        voice: kind == Kind::Audio,
        allowed: true,
        priority: false,
    }))
}

/// A speaker and listeners in a running engine.
pub struct Lesson {
    pub engine: Engine,
    pub speaker: Leg,
    pub listeners: Vec<Leg>,
    /// Bytes.
    pub word: usize,
    sequence: u16,
    due: Instant,
}

/// Between two words: as fast as sound may come.
const EVERY: Duration = Duration::from_millis(4);

impl Lesson {
    /// Peer 1 speaks; peers 2, 3 ... listen, each at its address.
    pub fn new(addresses: &[&str]) -> Lesson {
        let engine = engine();
        let codecs = vec![Codec { pt: OPUS, name: CodecName::Opus, rtx_pt: None }];
        engine.post(Command::OpenRoom { room: 1, audio_slots: 3, home: 0 }, None).unwrap();
        let speaker = Leg::join(&engine, 1, "127.0.0.1");
        let (kind, mid) = (Kind::Audio, "voice".to_owned());
        engine.post(track(kind, &mid, &codecs), None).unwrap();
        let mut listeners = Vec::new();
        for (peer, address) in (2..).zip(addresses) {
            listeners.push(Leg::join(&engine, peer, address));
            let (mid, codecs) = (mid.clone(), codecs.clone());
            let add = AddSlot { slot: 20 + peer, peer, kind, mid, ssrc: 2000, rtx_ssrc: None, codecs, auto: Some(0), rank: 0 };
            engine.post(Command::AddSlot(Box::new(add)), None).unwrap();
        }
        until(|| metric(&engine, "slots") == addresses.len() as u64);
        Lesson { engine, speaker, listeners, sequence: 0, word: 40, due: Instant::now() }
    }

    /// Speaks until each of these listeners has heard so many more words, no faster than sound may come.
    pub fn say(&mut self, listeners: &[usize], words: usize) {
        let before: Vec<usize> = listeners.iter().map(|n| self.listeners[*n].client.rtp.len()).collect();
        until(|| {
            self.sequence += 1;
            let (sequence, timestamp) = (self.sequence, u32::from(self.sequence) * 960);
            let header = Header { payload_type: OPUS, marker: false, sequence, timestamp, ssrc: 1000 };
            let packet = self.speaker.client.seal(&header, &[(LEVEL, &[0x80 | 20])], &vec![0x78; self.word]);
            std::thread::sleep(self.due.saturating_duration_since(Instant::now()));
            self.due = self.due.max(Instant::now()) + EVERY;
            self.speaker.socket.send(&packet).unwrap();
            let heard = |lesson: &mut Lesson| {
                lesson.listeners.iter_mut().for_each(Leg::pump);
                metric(&lesson.engine, "packets_in") > u64::from(sequence)
            };
            until(|| heard(self));
            listeners.iter().zip(&before).all(|(n, before)| self.listeners[*n].client.rtp.len() >= before + words)
        });
    }

    /// Whether a listener missed nothing between the first and the last word it heard.
    pub fn heard_all(&self, listener: usize) -> bool {
        let heard = &self.listeners[listener].client.rtp;
        heard.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1))
    }
}
