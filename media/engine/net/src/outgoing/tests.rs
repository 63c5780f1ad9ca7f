use jiangtai_core::outbox::Path;

use super::*;

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
    assert!(send(&socket, &metrics, &batch), "runs are cut for the others as before");
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
        assert!(send(&socket, &metrics, &batch));
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
        Outgoing::new(segment, batch).send(&mut outbox, &socket, &metrics, &mut HashMap::new());
        let arrived: Vec<usize> = std::iter::from_fn(|| good.recv(&mut [0; 100]).ok()).collect();
        assert_eq!((arrived, metrics.batches_out.get()), (vec![30, 30, 20, 40], calls), "{segment} {batch}");
        assert!(outbox.is_empty());
    }
}
