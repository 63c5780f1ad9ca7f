//! Panics in a running engine: a shard thread goes on, and one that cannot is told of. One test: faults are armed for all threads.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use jiangtai_core::command::Command;
use jiangtai_core::event::Event;
use jiangtai_core::fault::{arm_everywhere, Place};
use jiangtai_net::engine::{Engine, Settings};

fn metric(engine: &Engine, name: &str) -> u64 {
    engine.metrics().into_iter().find(|(n, _)| *n == name).unwrap().1
}

fn until(what: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(5);
    while !what() {
        assert!(Instant::now() < end, "never true");
        std::thread::yield_now();
    }
}

#[test]
fn a_turn_that_panics_is_counted_and_only_one_after_another_end_the_thread_which_is_told() {
    let settings = Settings { bind: [127, 0, 0, 1].into(), udp_ports: vec![0; 2], tcp_port: None, queue: 64 };
    let engine = Engine::start(&settings).unwrap();
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
    engine.post(Command::OpenRoom { room: 1, audio_slots: 3, home: 0 }, None).unwrap_err();
    // The other shard serves.
    until(|| metric(&engine, "rooms") == 1);
    engine.close();
}
