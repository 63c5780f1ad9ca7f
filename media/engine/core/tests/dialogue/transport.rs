//! Joining, staying, moving, leaving.

use std::time::Duration;

use jiangtai_core::command::Command;
use jiangtai_core::event::{CloseReason, Event};
use jiangtai_core::media::Kind;
use jiangtai_core::outbox::Path;

use super::client::{credentials, Client};
use super::scene::{frame, vp8, Scene, VP8};

fn closed(scene: &Scene, peer: u64) -> Option<CloseReason> {
    scene.events.iter().find_map(|e| match e {
        Event::Closed { peer: p, reason } if *p == peer => Some(*reason),
        _ => None,
    })
}

#[test]
fn a_client_checks_shakes_hands_and_is_connected() {
    let mut scene = Scene::new();
    scene.join(1);
    assert_eq!(scene.metric("joins"), 1);
    assert_eq!(scene.client(1).stun.len(), 1);
}

#[test]
fn an_idle_connection_costs_a_few_wake_ups_a_second() {
    let mut scene = Scene::new();
    scene.join(1);
    scene.advance(1000);
    let mut wakes = 0;
    for _ in 0..5000 {
        scene.now += Duration::from_millis(1);
        if scene.shard.next_timeout().is_some_and(|at| at <= scene.now) {
            scene.shard.timeout(scene.now);
            wakes += 1;
        }
    }
    assert!(wakes <= 10, "{wakes} wake-ups in 5 s");
}

#[test]
fn a_certificate_other_than_the_announced_one_closes_that_leg_only() {
    let mut scene = Scene::lesson();
    let intruder = Client::new(3, scene.now);
    scene.open_as(intruder, [7; 32]);
    scene.handshake(3);
    assert_eq!(closed(&scene, 3), Some(CloseReason::Fingerprint));
    assert_eq!((closed(&scene, 1), closed(&scene, 2)), (None, None));
    scene.video(1, 1000, &frame(true, 1, 0));
    assert_eq!(scene.client(2).take(2000).len(), 1);
}

#[test]
fn who_does_not_come_in_time_expires() {
    let mut scene = Scene::new();
    scene.open(1);
    scene.advance(59_000);
    assert_eq!(closed(&scene, 1), None);
    scene.advance(1_500);
    assert_eq!(closed(&scene, 1), Some(CloseReason::Expired));
}

#[test]
fn thirty_seconds_without_a_check_end_consent() {
    let mut scene = Scene::lesson();
    scene.live(60_000);
    assert_eq!(closed(&scene, 2), None);
    scene.advance(31_000);
    assert_eq!(closed(&scene, 2), Some(CloseReason::Consent));
    assert_eq!((scene.metric("peers"), scene.metric("tracks"), scene.metric("slots")), (0, 0, 0));
}

#[test]
fn a_rebound_address_takes_over_with_its_first_check_and_not_before() {
    let mut scene = Scene::lesson();
    let (old, new) = (scene.client(1).path, Path::udp(([10, 9, 9, 9], 9999).into()));
    scene.video(1, 1000, &frame(true, 1, 0));
    scene.client(1).path = new;
    scene.video(1, 1000, &frame(false, 2, 0));
    assert_eq!(scene.client(2).take(2000).len(), 1, "no media from an unchecked address");
    let check = scene.client(1).check(true);
    scene.send(1, &check);
    scene.video(1, 1000, &frame(false, 3, 0));
    assert_eq!(scene.client(2).take(2000).len(), 1);
    // What is sent to the publisher goes to the new address: the lost packet is asked for there.
    scene.advance(100);
    assert!(!scene.client(1).take_requests(1000).0.is_empty());
    assert_ne!(old, new);
}

#[test]
fn who_has_answered_from_no_address_is_not_connected() {
    let mut scene = Scene::lesson();
    scene.open(3);
    scene.client(3).mute = true;
    scene.handshake(3);
    assert!(scene.client(3).srtp.is_some(), "DTLS goes both ways");
    let connected = Event::Connected { peer: 3, tcp: false };
    assert_eq!((scene.events.contains(&connected), scene.metric("checks_answered")), (false, 2));
    scene.add_track(30, 3, Kind::Video, 3000, vp8());
    scene.video(3, 3000, &frame(true, 1, 0));
    assert_eq!(scene.metric("dropped_srtp_early"), 1);
    scene.client(3).mute = false;
    scene.advance(800);
    assert_eq!((scene.events.contains(&connected), scene.metric("checks_answered")), (true, 3), "it was asked again by itself");
    scene.video(3, 3000, &frame(true, 2, 0));
    assert_eq!(scene.metric("dropped_srtp_early"), 1);
}

#[test]
fn after_an_ice_restart_the_old_pair_serves_until_the_new_one_is_nominated() {
    let mut scene = Scene::lesson();
    let fresh = credentials(1, 1);
    scene.command(Command::RestartIce { peer: 1, ice: fresh.clone() });
    scene.video(1, 1000, &frame(true, 1, 0));
    assert_eq!(scene.client(2).take(2000).len(), 1);
    let new = Path::udp(([10, 8, 8, 8], 8888).into());
    let check = scene.client(1).check_with(&fresh, true);
    scene.client(1).path = new;
    scene.send(1, &check);
    scene.video(1, 1000, &frame(false, 2, 0));
    assert_eq!(scene.client(2).take(2000).len(), 1, "the same DTLS association goes on");
    let stale = scene.client(1).check(true);
    let before = scene.metric("dropped_stun_unknown_user");
    scene.send(1, &stale);
    assert_eq!(scene.metric("dropped_stun_unknown_user"), before + 1, "old credentials are void");
}

#[test]
fn leaving_tells_the_peer_and_frees_everything() {
    let mut scene = Scene::lesson();
    scene.command(Command::ClosePeer { peer: 1 });
    assert!(scene.client(1).closed, "close_notify arrived");
    assert_eq!(closed(&scene, 1), Some(CloseReason::Requested));
    assert_eq!((scene.metric("peers"), scene.metric("tracks"), scene.metric("slots")), (1, 0, 1));
    scene.command(Command::CloseRoom { room: 1 });
    assert_eq!((scene.metric("peers"), scene.metric("rooms"), scene.metric("slots")), (0, 0, 0));
}

#[test]
fn commands_about_unknown_things_change_nothing_and_are_counted() {
    let mut scene = Scene::lesson();
    for command in [
        Command::ClosePeer { peer: 99 },
        Command::SetTrack { track: 99, allowed: true, priority: true },
        Command::Assign { slot: 20, track: Some(99) },
        Command::Assign { slot: 99, track: Some(10) },
        Command::CloseRoom { room: 99 },
        Command::LimitSlot { slot: 99, most: None },
        Command::Relay { track: 99, shard: 0, wanted: true },
        Command::RelaySound { room: 99, shard: 0, wanted: true },
        Command::OpenRoom { room: 1, audio_slots: 3, home: 0 },
        Command::RequestKeyFrame { track: 99, layer: 0 },
    ] {
        scene.command(command);
    }
    assert_eq!(scene.metric("commands_ignored"), 10);
    scene.video(1, 1000, &frame(true, 1, 0));
    assert_eq!(scene.client(2).take(2000).len(), 1);
}

#[test]
fn a_hundred_thousand_reports_and_a_gap_in_every_millisecond_leave_a_bounded_number_of_timers() {
    let mut scene = Scene::lesson();
    let mut recorder = jiangtai_core::twcc::Recorder::new();
    let mut most = 0;
    for ms in 0..20_000u64 {
        // Every other packet of the publisher is lost.
        scene.packet(1, 1000, VP8, 90, None, &frame(false, 1, 0));
        scene.video(1, 1000, &frame(ms % 1000 == 0, 1, 0));
        for packet in scene.client(2).take(2000) {
            recorder.record(packet.twcc.unwrap(), ms * 1000);
        }
        for _ in 0..5 {
            let feedback = scene.client(2).seal_rtcp(|rtcp| {
                rtcp.receiver_report(1, &[]).unwrap();
                if recorder.pending() {
                    rtcp.twcc(&mut recorder, 1, 2000).unwrap();
                }
            });
            scene.send(2, &feedback);
        }
        most = most.max(scene.shard.timer_entries());
        scene.advance(1);
        if ms % 2000 == 0 {
            scene.live(1);
        }
    }
    assert!(scene.metric("twcc_in") > 15_000 && scene.metric("peers") == 2);
    assert!(most <= 2 * 2 + 64, "{most} entries for 2 peers");
}
