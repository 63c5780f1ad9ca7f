use std::net::{TcpListener, TcpStream};

use jiangtai_core::outbox::Path;

use super::*;
use crate::sys::set_option;

#[test]
fn a_destination_the_network_refuses_costs_its_datagrams_and_no_others() {
    let (socket, good) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let to = good.local_addr().unwrap();
    // Broadcasting was not asked for (EACCES); no datagram goes to port 0 (EINVAL).
    let refused: [SocketAddr; 2] = [([255, 255, 255, 255], 9).into(), ([127, 0, 0, 1], 0).into()];
    let bytes = [7u8; 30];
    let message = |to, piece| Message::new(to, &bytes, piece);
    let batch = [message(refused[0], 0), message(to, 0), message(refused[1], 10), message(to, 10), message(refused[0], 10), message(to, 0)];
    let metrics = Metrics::default();
    let mut uncut = Uncut::default();
    assert_eq!(send(Instant::now(), &socket, &metrics, &batch, &mut uncut), Traffic { packets: 7, bytes: 90 });
    assert!(uncut.to.is_empty(), "nobody was reached with pieces only");
    good.set_nonblocking(true).unwrap();
    let mut got = Vec::new();
    while let Ok(len) = good.recv(&mut [0; 100]) {
        got.push(len);
    }
    assert_eq!((got, metrics.send_errors.get()), (vec![30, 10, 10, 10, 30], 7));
}

#[test]
fn viewers_who_are_gone_do_not_disturb_the_socket() {
    let (socket, good) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let metrics = Metrics::default();
    for _ in 0..100 {
        let batch = [gone, good.local_addr().unwrap()].map(|to| Message::new(to, &[7; 30], 0));
        send(Instant::now(), &socket, &metrics, &batch, &mut Uncut::default());
    }
    good.set_nonblocking(true).unwrap();
    assert_eq!((0..).take_while(|_| good.recv(&mut [0; 100]).is_ok()).count(), 100);
    assert_eq!(metrics.send_errors.get(), 0);
}

#[test]
fn switching_runs_and_batches_off_changes_how_often_the_kernel_is_called_and_not_what_arrives() {
    let (socket, good) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    good.set_nonblocking(true).unwrap();
    let to = Path::udp(good.local_addr().unwrap());
    for ((segment, batch), calls) in [((true, true), 1), ((true, false), 2), ((false, true), 1), ((false, false), 4)] {
        let mut outbox = Outbox::default();
        [30, 30, 20, 40].into_iter().for_each(|len| outbox.push(to, &vec![7; len]));
        let metrics = Metrics::default();
        Outgoing::new(segment, batch).send(Instant::now(), &mut outbox, &socket, &metrics, &mut HashMap::new());
        let arrived: Vec<usize> = std::iter::from_fn(|| good.recv(&mut [0; 100]).ok()).collect();
        assert_eq!((arrived, metrics.batches_out.get()), (vec![30, 30, 20, 40], calls), "{segment} {batch}");
        assert!(outbox.is_empty());
    }
}

#[test]
fn a_destination_runs_cannot_be_cut_for_gets_pieces_for_a_while_and_the_others_runs() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let viewers = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    viewers.iter().for_each(|viewer| viewer.set_read_timeout(Some(Duration::from_secs(5))).unwrap());
    let (mut outgoing, metrics) = (Outgoing::new(true, true), Metrics::default());
    let mut now = Instant::now();
    // Sends a run of three to each of these; tells what was handed over: (calls, single datagrams, runs).
    let mut turn = |now, to: &[usize]| {
        let figures = || [&metrics.batches_out, &metrics.runs_1, &metrics.runs_2_3].map(|counter| counter.get());
        let before = figures();
        let mut outbox = Outbox::default();
        for viewer in to {
            let to = Path::udp(viewers[*viewer].local_addr().unwrap());
            [30, 30, 20].into_iter().for_each(|len| outbox.push(to, &vec![7; len]));
        }
        outgoing.send(now, &mut outbox, &socket, &metrics, &mut HashMap::new());
        for viewer in to {
            assert_eq!([(); 3].map(|()| viewers[*viewer].recv(&mut [0; 100]).unwrap()), [30, 30, 20]);
        }
        let after = figures();
        std::array::from_fn(|n| after[n] - before[n])
    };
    // The kernel refuses to cut (EINVAL) where it may not add checksums.
    set_option(&socket, libc::SO_NO_CHECK, 1).unwrap();
    assert_eq!(turn(now, &[0]), [2, 0, 1], "tried, then in pieces");
    assert_eq!(turn(now, &[0]), [1, 3, 0], "not tried");
    set_option(&socket, libc::SO_NO_CHECK, 0).unwrap();
    now += AGAIN - Duration::from_millis(1);
    assert_eq!(turn(now, &[0, 1]), [1, 3, 1]);
    now += Duration::from_millis(1);
    assert_eq!(turn(now, &[0, 1]), [1, 0, 2], "tried again");
}

#[test]
fn destinations_runs_cannot_be_cut_for_are_remembered_in_bounded_number() {
    let (mut uncut, now) = (Uncut::default(), Instant::now());
    (0..=u16::MAX).for_each(|port| uncut.add(([127, 0, 0, 1], port).into(), now));
    assert_eq!(uncut.to.len(), UNCUT);
    uncut.expire(now + AGAIN);
    assert!(!uncut.has(&([127, 0, 0, 1], 1).into()));
}

#[test]
fn what_is_dropped_is_not_counted_as_sent() {
    let (socket, good) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let slow = Connection::new(listener.accept().unwrap().0, there.local_addr().unwrap()).unwrap();
    let mut connections = HashMap::from([(2, slow)]);
    let nowhere: SocketAddr = ([127, 0, 0, 1], 0).into();
    let to = good.local_addr().unwrap();
    const MANY: u64 = 300;
    let mut outbox = Outbox::default();
    for _ in 0..MANY {
        // The last one is a connection that has just been closed.
        let paths = [Path::udp(to), Path::udp(nowhere), Path { remote: to, tcp: 2 }, Path { remote: to, tcp: 3 }];
        paths.into_iter().for_each(|path| outbox.push(path, &[7; 1200]));
    }
    let metrics = Metrics::default();
    Outgoing::new(true, true).send(Instant::now(), &mut outbox, &socket, &metrics, &mut connections);
    let dropped = [&metrics.send_errors, &metrics.dropped_tcp_full, &metrics.dropped_tcp_gone].map(|counter| counter.get());
    assert!(dropped[0] == MANY && (1..MANY).contains(&dropped[1]) && dropped[2] == MANY, "{dropped:?}");
    let sent = 4 * MANY - dropped.iter().sum::<u64>();
    assert_eq!((metrics.packets_out.get(), metrics.bytes_out.get()), (sent, sent * 1200));
}
