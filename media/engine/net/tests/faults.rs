//! Panics in a running engine: a shard thread goes on, and one that cannot is told of. One test: faults are armed for all threads.

mod leg;

use std::net::UdpSocket;

use jiangtai_core::command::Command;
use jiangtai_core::event::{CloseReason, Event};
use jiangtai_core::fault::{arm_everywhere, Place};
use leg::{engine, metric, until, Lesson};

fn a_panic_for_one_viewer_costs_that_viewer() {
    let mut lesson = Lesson::new(&["127.0.0.1"; 2]);
    lesson.say(&[0, 1], 5);
    arm_everywhere(Place::Forward, 2, 1);
    lesson.say(&[1], 200);
    assert_eq!(metric(&lesson.engine, "panics"), 1);
    let mut closed = Vec::new();
    until(|| {
        closed.extend(lesson.engine.drain().into_iter().filter(|event| matches!(event, Event::Closed { .. })));
        !closed.is_empty()
    });
    assert_eq!(closed, [Event::Closed { peer: 2, reason: CloseReason::Panic }]);
    assert!(lesson.heard_all(1), "not one word is missing");
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
