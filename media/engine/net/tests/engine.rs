//! The running engine over real sockets: routing to shards, both transports, closing.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use jiangtai_core::command::{AddTrack, Command, IceCredentials, OpenPeer};
use jiangtai_core::event::{CloseReason, Event};
use jiangtai_core::media::{Extensions, Kind};
use jiangtai_core::stun;
use jiangtai_net::engine::{Engine, Refused, Settings};

const PASSWORD: &str = "a-password-of-twenty-two";

fn engine(shards: usize) -> Engine {
    engine_with_rings(shards, 64)
}

fn engine_with_rings(shards: usize, queue: usize) -> Engine {
    let settings = Settings { bind: [127, 0, 0, 1].into(), udp_ports: vec![0; shards], tcp_port: Some(0), queue };
    Engine::start(&settings).unwrap()
}

fn open(peer: u64) -> Command {
    let ice = IceCredentials {
        local_ufrag: format!("peer{peer}"),
        local_pwd: PASSWORD.into(),
        remote_ufrag: "them".into(),
        remote_pwd: PASSWORD.into(),
    };
    let open = OpenPeer { peer, room: 1, ice, fingerprint: [0; 32], extensions: Extensions::default(), expires_ms: 60_000 };
    Command::OpenPeer(Box::new(open))
}

fn check(peer: u64) -> Vec<u8> {
    let mut out = [0u8; 200];
    let mut builder = stun::Builder::new(&mut out, stun::Class::Request, stun::BINDING, [9; 12]).unwrap();
    builder.attribute(stun::USERNAME, format!("peer{peer}:them").as_bytes()).unwrap();
    builder.attribute(stun::ICE_CONTROLLING, &[0; 8]).unwrap();
    let len = builder.finish(Some(&stun::Key::new(PASSWORD.as_bytes()))).unwrap();
    out[..len].to_vec()
}

fn metric(engine: &Engine, name: &str) -> u64 {
    engine.metrics().into_iter().find(|(n, _)| *n == name).unwrap().1
}

fn until(what: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(5);
    while !what() {
        assert!(Instant::now() < end, "never true");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn answered(port: u16, datagram: &[u8]) -> bool {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    socket.send(datagram).unwrap();
    let mut buffer = [0u8; 500];
    let Ok(len) = socket.recv(&mut buffer) else { return false };
    let answer = stun::Message::parse(&buffer[..len]).unwrap();
    assert_eq!((answer.class, answer.xor_mapped_address()), (stun::Class::Success, socket.local_addr().ok()));
    answer.verify_integrity(&stun::Key::new(PASSWORD.as_bytes())).unwrap();
    true
}

#[test]
fn a_newcomer_is_known_when_its_first_check_is_read() {
    let engine = engine(1);
    engine.post(Command::OpenRoom { room: 1, audio_slots: 3, home: 0 }, None).unwrap();
    until(|| metric(&engine, "rooms") == 1);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = ("127.0.0.1", engine.udp_ports[0]);
    for peer in 1..=300 {
        // A stranger has the thread read just while the newcomer is made known.
        socket.send_to(&[255], to).unwrap();
        until(|| engine.post(open(peer), Some(0)).is_ok());
        socket.send_to(&check(peer), to).unwrap();
    }
    until(|| metric(&engine, "stun_in") == 300);
    assert_eq!(metric(&engine, "dropped_stun_unknown_user"), 0);
}

#[test]
fn a_peer_lives_on_the_shard_it_was_opened_on() {
    let engine = engine(2);
    engine.post(Command::OpenRoom { room: 1, audio_slots: 3, home: 0 }, None).unwrap();
    engine.post(open(1), Some(1)).unwrap();
    until(|| metric(&engine, "peers") == 1);
    assert!(answered(engine.udp_ports[1], &check(1)));
    assert!(!answered(engine.udp_ports[0], &check(1)));
    assert_eq!(metric(&engine, "rooms"), 2, "a room exists on every shard");
}

#[test]
fn a_tcp_connection_is_taken_to_its_peers_shard_and_closed_with_it() {
    let engine = engine(2);
    engine.post(Command::OpenRoom { room: 1, audio_slots: 3, home: 0 }, None).unwrap();
    engine.post(open(7), Some(1)).unwrap();
    until(|| metric(&engine, "peers") == 1);
    let mut stream = TcpStream::connect(("127.0.0.1", engine.tcp_port.unwrap())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for _ in 0..3 {
        let request = check(7);
        // The frame comes in pieces.
        let mut framed = (request.len() as u16).to_be_bytes().to_vec();
        framed.extend(&request);
        for piece in framed.chunks(17) {
            stream.write_all(piece).unwrap();
            stream.flush().unwrap();
        }
        let mut prefix = [0u8; 2];
        stream.read_exact(&mut prefix).unwrap();
        let mut answer = vec![0u8; usize::from(u16::from_be_bytes(prefix))];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(stun::Message::parse(&answer).unwrap().class, stun::Class::Success);
    }
    until(|| metric(&engine, "tcp_connections") == 1);
    engine.post(Command::ClosePeer { peer: 7 }, None).unwrap();
    assert_eq!(stream.read(&mut [0u8; 10]).unwrap(), 0, "closed");
    until(|| metric(&engine, "tcp_connections") == 0);
    assert!(engine.drain().contains(&Event::Closed { peer: 7, reason: CloseReason::Requested }));
}

#[test]
fn what_cannot_be_posted_is_refused() {
    let engine = engine(1);
    assert_eq!(engine.post(open(1), Some(1)), Err(Refused::NoSuchShard));
    engine.close();
    engine.close();
    assert_eq!(engine.post(open(1), Some(0)), Err(Refused::Closed));
}

#[test]
fn what_a_full_ring_refused_is_done_when_it_is_posted_again() {
    let engine = engine_with_rings(2, 1);
    let refusals = std::cell::Cell::new(0);
    let post = |command: Command, shard| {
        until(|| {
            let result = engine.post(command.clone(), shard);
            refusals.set(refusals.get() + u32::from(result == Err(Refused::Full)));
            result.is_ok()
        });
    };
    let track = |track| AddTrack {
        track,
        peer: 1,
        kind: Kind::Audio,
        mid: track.to_string(),
        ssrcs: Vec::new(),
        codecs: Vec::new(),
        rids: Vec::new(),
        voice: false,
        allowed: true,
        priority: false,
    };
    post(Command::OpenRoom { room: 1, audio_slots: 3, home: 1 }, None);
    post(open(1), Some(1));
    (1..=20).for_each(|n| post(Command::AddTrack(Box::new(track(n))), None));
    // At home and as mirrors.
    until(|| metric(&engine, "tracks") == 40);
    refusals.set(0);
    (1..=20).for_each(|n| post(Command::RemoveTrack { track: n }, None));
    until(|| metric(&engine, "tracks") == 0);
    assert!(refusals.get() > 0, "the ring never was full");
}

#[test]
fn the_event_descriptor_is_readable_while_there_are_events() {
    let engine = engine(1);
    let readable = || {
        let mut fd = libc::pollfd { fd: engine.event_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one live pollfd.
        unsafe { libc::poll(&mut fd, 1, 0) == 1 }
    };
    assert!(!readable());
    engine.post(Command::OpenRoom { room: 1, audio_slots: 3, home: 0 }, None).unwrap();
    engine.post(open(1), Some(0)).unwrap();
    engine.post(Command::CloseRoom { room: 1 }, None).unwrap();
    until(readable);
    assert_eq!(engine.drain().len(), 1);
    assert!(!readable());
}

#[test]
fn ports_that_are_taken_are_an_error() {
    let first = engine(1);
    let settings = Settings { bind: [127, 0, 0, 1].into(), udp_ports: first.udp_ports.clone(), tcp_port: None, queue: 8 };
    let refused = Engine::start(&settings).err().unwrap();
    assert_eq!(refused.what, format!("media UDP port 127.0.0.1:{}", first.udp_ports[0]));
    assert_eq!(refused.error.kind(), std::io::ErrorKind::AddrInUse);
    // What was bound before the one that failed is free again.
    let settings = Settings { udp_ports: vec![0], tcp_port: first.tcp_port, ..settings };
    let refused = Engine::start(&settings).err().unwrap();
    assert_eq!(refused.what, format!("media TCP port 127.0.0.1:{}", first.tcp_port.unwrap()));
}
