use std::io::Read;
use std::net::{TcpListener, TcpStream};

use jiangtai_core::clock::Clock;
use jiangtai_core::command::{AddTrack, Command, IceCredentials, OpenPeer};
use jiangtai_core::dtls::Identity;
use jiangtai_core::media::Kind;
use jiangtai_core::stun;

use super::*;

/// Shard 0 of two, and its own mailbox; what it sends to the other one comes out at the end.
fn worker(other: Mailbox) -> (Worker, Mailbox) {
    let (mailbox, inputs) = Mailbox::new(1024).unwrap();
    let (now, metrics) = (Instant::now(), Arc::new(Metrics::default()));
    let worker = Worker {
        shard: Shard::new((0, 2), Identity::generate().unwrap(), metrics.clone(), Clock::new(now, Duration::ZERO)),
        socket: UdpSocket::bind("127.0.0.1:0").unwrap(),
        inputs,
        wake: mailbox.wake.clone(),
        events: Arc::new(EventQueue::new(64).unwrap()),
        metrics,
        deck: Arc::default(),
        mailboxes: vec![mailbox.clone(), other],
        tuning: Tuning::from_environment(),
    };
    worker.socket.set_nonblocking(true).unwrap();
    (worker, mailbox)
}

fn order(mailbox: &Mailbox, command: Command) {
    assert!(mailbox.send(Input::Command(command)).is_ok());
}

fn open(peer: u64) -> Command {
    let of = |what: &str| format!("{what}{peer}");
    let ice = IceCredentials { local_ufrag: of("peer"), local_pwd: of("us"), remote_ufrag: of("them"), remote_pwd: of("theirs") };
    let open = OpenPeer { peer, room: 1, ice, fingerprint: [0; 32], extensions: Default::default(), expires_ms: 60_000 };
    Command::OpenPeer(Box::new(open))
}

#[test]
fn a_shard_whose_mailbox_is_full_gets_every_command_in_order_once_it_reads() {
    let (other, there) = Mailbox::new(1).unwrap();
    let (worker, mailbox) = worker(other);
    let metrics = worker.metrics.clone();
    let thread = std::thread::spawn(move || worker.run());
    order(&mailbox, Command::OpenRoom { room: 1, audio_slots: 3, home: 0 });
    order(&mailbox, open(1));
    let (mid, kind, [voice, priority]) = ("v".into(), Kind::Video, [false; 2]);
    let add = AddTrack { track: 10, peer: 1, kind, mid, ssrcs: vec![], codecs: vec![], rids: vec![], voice, allowed: false, priority };
    order(&mailbox, Command::AddTrack(Box::new(add)));
    const TIMES: usize = 20;
    for n in 0..TIMES {
        order(&mailbox, Command::SetTrack { track: 10, allowed: n % 2 == 0, priority });
    }
    order(&mailbox, Command::RemoveTrack { track: 10 });
    while metrics.commands.get() < TIMES as u64 + 4 {
        std::thread::yield_now();
    }
    for n in 0..TIMES {
        let next = there.recv_timeout(Duration::from_secs(5)).ok();
        let Some(Input::Command(Command::SetTrack { track: 10, allowed, .. })) = next else { panic!("number {n} is missing") };
        assert_eq!(allowed, n % 2 == 0);
    }
    let last = there.recv_timeout(Duration::from_secs(5));
    assert!(matches!(last, Ok(Input::Command(Command::RemoveTrack { track: 10 }))));
    assert_eq!(metrics.commands_dropped.get(), 0);
    assert!(mailbox.send(Input::Stop).is_ok());
    thread.join().unwrap().unwrap();
}

/// A first frame for a peer over a new connection, and the connection's other end.
fn knock(peer: u64) -> (Handover, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    there.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (stream, remote) = listener.accept().unwrap();
    let mut check = [0u8; 200];
    let mut builder = stun::Builder::new(&mut check, stun::Class::Request, stun::BINDING, [9; 12]).unwrap();
    builder.attribute(stun::USERNAME, format!("peer{peer}:them{peer}").as_bytes()).unwrap();
    builder.attribute(stun::ICE_CONTROLLING, &[0; 8]).unwrap();
    let len = builder.finish(Some(&stun::Key::new(format!("us{peer}").as_bytes()))).unwrap();
    (Handover { connection: Connection::new(stream, remote).unwrap(), first: check[..len].to_vec() }, there)
}

/// A thread's things without the thread, with peers 1 and 2 expected.
fn running() -> Running {
    let mut running = worker(Mailbox::new(1).unwrap().0).0.ready().unwrap();
    for command in [Command::OpenRoom { room: 1, audio_slots: 3, home: 0 }, open(1), open(2)] {
        running.worker.shard.command(Instant::now(), command);
    }
    running
}

/// Pairs a peer may have.
const PAIRS: usize = 8;

#[test]
fn connections_a_peer_has_too_many_of_are_closed_in_the_same_turn() {
    let mut running = running();
    let mut theirs = Vec::new();
    for n in 0..3 * PAIRS {
        let (handover, there) = knock(1);
        theirs.push(there);
        running.adopt(Instant::now(), handover);
        running.turn(&mut Vec::new());
        assert_eq!(running.connections.len(), (n + 1).min(PAIRS));
    }
    let answer = running.worker.metrics.stun_out.get() as usize;
    let closed = running.worker.metrics.dropped_tcp_unpaired.get() as usize;
    assert_eq!((answer, closed, running.worker.metrics.tcp_connections.get() as usize), (3 * PAIRS, 2 * PAIRS, PAIRS));
    for there in &mut theirs[..2 * PAIRS] {
        assert!(there.read_to_end(&mut Vec::new()).is_ok_and(|read| read > 20), "answered, then closed");
    }
}

#[test]
fn a_full_table_has_room_for_another_as_soon_as_one_peer_has_exchanged_a_connection() {
    let mut running = running();
    running.most_connections = PAIRS + 1;
    let mut theirs = Vec::new();
    let mut adopt = |running: &mut Running, peer| {
        let (handover, there) = knock(peer);
        theirs.push(there);
        running.adopt(Instant::now(), handover);
        (running.connections.len(), running.worker.metrics.dropped_tcp_pending.get())
    };
    (0..PAIRS).for_each(|_| _ = adopt(&mut running, 1));
    assert_eq!(adopt(&mut running, 1), (PAIRS + 1, 0));
    assert_eq!(adopt(&mut running, 2), (PAIRS + 1, 0), "in the place of one that was pushed out");
    assert_eq!(adopt(&mut running, 2), (PAIRS + 1, 1), "the others are in use");
}

#[test]
fn a_connection_that_cannot_be_watched_is_counted() {
    let mut running = running();
    let (handover, mut there) = knock(1);
    // Watched already: it cannot be added.
    running.epoll.add(handover.connection.stream.as_raw_fd(), u64::from(u32::MAX)).unwrap();
    running.adopt(Instant::now(), handover);
    assert_eq!((running.connections.len(), running.worker.metrics.tcp_accept_errors.get()), (0, 1));
    assert_eq!(there.read(&mut [0; 1]).unwrap(), 0, "closed");
}
