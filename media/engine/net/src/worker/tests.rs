use jiangtai_core::clock::Clock;
use jiangtai_core::command::{AddTrack, Command, IceCredentials, OpenPeer};
use jiangtai_core::dtls::Identity;
use jiangtai_core::media::Kind;

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

fn open(mailbox: &Mailbox, peer: u64) {
    let of = |what: &str| format!("{what}{peer}");
    let ice = IceCredentials { local_ufrag: of("peer"), local_pwd: of("us"), remote_ufrag: of("them"), remote_pwd: of("theirs") };
    let open = OpenPeer { peer, room: 1, ice, fingerprint: [0; 32], extensions: Default::default(), expires_ms: 60_000 };
    order(mailbox, Command::OpenPeer(Box::new(open)));
}

#[test]
fn a_shard_whose_mailbox_is_full_gets_every_command_in_order_once_it_reads() {
    let (other, there) = Mailbox::new(1).unwrap();
    let (worker, mailbox) = worker(other);
    let metrics = worker.metrics.clone();
    let thread = std::thread::spawn(move || worker.run());
    order(&mailbox, Command::OpenRoom { room: 1, audio_slots: 3, home: 0 });
    open(&mailbox, 1);
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
