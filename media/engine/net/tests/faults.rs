//! Panics in a running engine: a shard thread goes on, and one that cannot is told of. One test: faults are armed for all threads.

#[path = "../../core/tests/dialogue/client.rs"]
#[allow(dead_code)]
mod client;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use client::{Client, LEVEL, MID, TWCC};
use jiangtai_core::command::{AddSlot, AddTrack, Command, OpenPeer};
use jiangtai_core::event::{CloseReason, Event};
use jiangtai_core::fault::{arm_everywhere, Place};
use jiangtai_core::media::{Codec, CodecName, Extensions, Kind};
use jiangtai_core::rtp::Header;
use jiangtai_net::engine::{Engine, Settings};

const OPUS: u8 = 111;

fn metric(engine: &Engine, name: &str) -> u64 {
    engine.metrics().into_iter().find(|(n, _)| *n == name).unwrap().1
}

fn until(mut what: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !what() {
        assert!(Instant::now() < end, "never true");
        std::thread::yield_now();
    }
}

/// A client on a socket of its own.
struct Leg {
    client: Client,
    socket: UdpSocket,
}

impl Leg {
    fn join(engine: &Engine, id: u64) -> Leg {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
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

    fn pump(&mut self) {
        self.client.outgoing.drain(..).for_each(|datagram| drop(self.socket.send(&datagram)));
        let mut buffer = [0; 2048];
        while let Ok(len) = self.socket.recv(&mut buffer) {
            self.client.receive(Instant::now(), &buffer[..len]);
        }
    }
}

fn engine() -> Engine {
    Engine::start(&Settings { bind: [127, 0, 0, 1].into(), udp_ports: vec![0; 2], tcp_port: None, queue: 64 }).unwrap()
}

fn a_panic_for_one_viewer_costs_that_viewer() {
    let engine = engine();
    let codecs = vec![Codec { pt: OPUS, name: CodecName::Opus, rtx_pt: None }];
    engine.post(Command::OpenRoom { room: 1, audio_slots: 3, home: 0 }, None).unwrap();
    let [mut speaker, mut unlucky, mut listener] = [1, 2, 3].map(|id| Leg::join(&engine, id));
    let (kind, mid) = (Kind::Audio, "voice".to_owned());
    let add = AddTrack {
        track: 10,
        peer: 1,
        kind,
        mid: mid.clone(),
        ssrcs: vec![(1000, None)],
        codecs: codecs.clone(),
        rids: vec![],
        voice: true,
        allowed: true,
        priority: false,
    };
    engine.post(Command::AddTrack(Box::new(add)), None).unwrap();
    for peer in [2, 3] {
        let add = AddSlot {
            slot: 20 + peer,
            peer,
            kind,
            mid: mid.clone(),
            ssrc: 2000,
            rtx_ssrc: None,
            codecs: codecs.clone(),
            auto: Some(0),
            rank: 0,
        };
        engine.post(Command::AddSlot(Box::new(add)), None).unwrap();
    }
    until(|| metric(&engine, "slots") == 2);
    let mut sequence = 0u16;
    let mut say = |listeners: &mut [&mut Leg], words: usize| {
        let before: Vec<usize> = listeners.iter().map(|leg| leg.client.rtp.len()).collect();
        until(|| {
            sequence += 1;
            let header = Header { payload_type: OPUS, marker: false, sequence, timestamp: u32::from(sequence) * 960, ssrc: 1000 };
            let packet = speaker.client.seal(&header, &[(LEVEL, &[0x80 | 20])], &[0x78; 40]);
            speaker.socket.send(&packet).unwrap();
            std::thread::sleep(Duration::from_millis(1));
            listeners.iter_mut().for_each(|leg| leg.pump());
            listeners.iter().zip(&before).all(|(leg, before)| leg.client.rtp.len() >= before + words)
        });
    };
    say(&mut [&mut unlucky, &mut listener], 5);
    arm_everywhere(Place::Forward, 2, 1);
    say(&mut [&mut listener], 200);
    assert_eq!(metric(&engine, "panics"), 1);
    let mut closed = Vec::new();
    until(|| {
        closed.extend(engine.drain().into_iter().filter(|event| matches!(event, Event::Closed { .. })));
        !closed.is_empty()
    });
    assert_eq!(closed, [Event::Closed { peer: 2, reason: CloseReason::Panic }]);
    let got = &listener.client.rtp;
    assert!(got.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)), "not one word is missing");
}

fn turns_that_panic_one_after_another_end_the_thread_which_is_told() {
    let engine = engine();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = ("127.0.0.1", engine.udp_ports[1]);
    for round in 1..=20 {
        arm_everywhere(Place::Turn, 1, 1);
        stranger.send_to(&[255], to).unwrap();
        // What came with the turn that panicked is still there.
        until(|| metric(&engine, "dropped_unknown_kind") == round);
        assert_eq!(metric(&engine, "panics"), round);
    }
    assert!(engine.drain().is_empty());
    arm_everywhere(Place::Turn, 1, u32::MAX);
    stranger.send_to(&[255], to).unwrap();
    until(|| engine.drain().contains(&Event::Stopped { shard: Some(1) }));
    arm_everywhere(Place::Turn, u64::MAX, 0);
    // The other shard serves.
    let _ = engine.post(Command::OpenRoom { room: 1, audio_slots: 3, home: 0 }, None);
    until(|| metric(&engine, "rooms") == 1);
}

#[test]
fn a_fault_costs_one_peer_and_a_thread_that_cannot_go_on_is_told_of() {
    a_panic_for_one_viewer_costs_that_viewer();
    turns_that_panic_one_after_another_end_the_thread_which_is_told();
}
