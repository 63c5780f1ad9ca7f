//! Faults of our own making, panics above all: each costs whom the work was for, is counted, and the class goes on.

use jiangtai_core::command::Command;
use jiangtai_core::event::{CloseReason, Event};
use jiangtai_core::fault::{arm, Place};
use jiangtai_core::media::Kind;

use super::scene::{frame, opus, vp8, Scene, ROOM, VP8};

/// Publishers 1 (picture 10, voice 11) and 3 (picture 12), viewers 2 and 4 with both pictures and the voice.
fn class() -> Scene {
    let mut scene = Scene::new();
    (1..=4).for_each(|id| scene.join(id));
    scene.add_track(10, 1, Kind::Video, 1000, vp8());
    scene.add_track(11, 1, Kind::Audio, 1100, opus());
    scene.add_track(12, 3, Kind::Video, 1200, vp8());
    for (viewer, slot, ssrc) in [(2, 20, 2000), (4, 40, 4000)] {
        scene.add_slot(slot, viewer, Kind::Video, ssrc, vp8(), None);
        scene.add_slot(slot + 1, viewer, Kind::Video, ssrc + 10, vp8(), None);
        scene.add_slot(slot + 2, viewer, Kind::Audio, ssrc + 20, opus(), Some(0));
        scene.command(Command::Assign { slot, track: Some(10) });
        scene.command(Command::Assign { slot: slot + 1, track: Some(12) });
    }
    lesson(&mut scene, 1);
    scene
}

/// Everybody who is there sends: pictures and sound, for a second.
fn lesson(scene: &mut Scene, first: u16) {
    for n in 0..30 {
        for (id, ssrc) in [(1, 1000), (3, 1200)] {
            scene.video(id, ssrc, &frame(n == 0, first + n, 0));
        }
        scene.audio(1, 1100, 20);
        scene.advance(33);
    }
}

/// What a viewer gets of (1's picture, 3's picture, 1's voice) in a second.
fn heard(scene: &mut Scene, ssrc: u32) -> [usize; 3] {
    let viewer = u64::from(ssrc / 1000);
    scene.client(viewer).rtp.clear();
    let keep: Vec<u64> = scene.clients.keys().copied().collect();
    for id in keep {
        let check = scene.client(id).check(true);
        scene.send(id, &check);
    }
    lesson(scene, 100);
    [ssrc, ssrc + 10, ssrc + 20].map(|ssrc| scene.client(viewer).take(ssrc).len())
}

fn closed(scene: &Scene) -> Vec<u64> {
    let closed = |event: &Event| match event {
        Event::Closed { peer, reason: CloseReason::Panic } => Some(*peer),
        _ => None,
    };
    scene.events.iter().filter_map(closed).collect()
}

/// Nothing is left of viewer 2, and viewer 4 sees and hears all.
fn only_viewer_2_is_lost(scene: &mut Scene, case: &str) {
    scene.advance(5);
    assert_eq!((closed(scene), scene.metric("panics")), (vec![2], 1), "{case}");
    assert_eq!((scene.metric("peers"), scene.metric("slots"), scene.metric("tracks")), (3, 3, 3), "{case}");
    let [first, second, voice] = heard(scene, 4000);
    assert!(first >= 29 && second >= 29 && voice == 30, "{case}: {first} {second} {voice}");
    assert_eq!((closed(scene), scene.metric("panics")), (vec![2], 1), "{case}");
    // There is nothing in the way of another of that number.
    scene.events.clear();
    scene.join(2);
}

#[test]
fn a_panic_in_any_work_for_a_viewer_costs_that_viewer() {
    type Provoke = fn(&mut Scene);
    let provoke: [(Place, Provoke); 6] = [
        (Place::Stun, |scene| {
            let check = scene.client(2).check(true);
            scene.send(2, &check);
        }),
        (Place::Dtls, |scene| scene.send(2, &[22; 40])),
        (Place::Media, |scene| scene.send(2, &[0x80; 60])),
        (Place::Upkeep, |scene| scene.advance(1100)),
        (Place::Command, |scene| scene.command(Command::LimitSlot { slot: 20, most: Some(0) })),
        (Place::Forward, |scene| {
            scene.video(1, 1000, &frame(true, 50, 0));
        }),
    ];
    for (place, provoke) in provoke {
        let mut scene = class();
        arm(place, 2, 1);
        provoke(&mut scene);
        only_viewer_2_is_lost(&mut scene, &format!("{place:?}"));
    }
}

#[test]
fn a_panic_while_a_slot_settles_costs_its_viewer() {
    let mut scene = class();
    arm(Place::Settle, 2, 1);
    scene.command(Command::Assign { slot: 20, track: Some(12) });
    only_viewer_2_is_lost(&mut scene, "settle");
}

#[test]
fn a_panic_while_a_slot_begins_with_what_is_cached_costs_its_viewer() {
    let mut scene = class();
    arm(Place::Begin, 2, 1);
    scene.command(Command::Assign { slot: 20, track: Some(12) });
    only_viewer_2_is_lost(&mut scene, "begin");
}

#[test]
fn a_panic_in_the_middle_of_closing_a_peer_leaves_nothing_of_it() {
    let mut scene = class();
    arm(Place::Closing, 2, 1);
    scene.command(Command::ClosePeer { peer: 2 });
    only_viewer_2_is_lost(&mut scene, "closing");
}

#[test]
fn a_publisher_whose_packets_panic_is_lost_and_the_other_is_still_seen() {
    for place in [Place::Play, Place::Media] {
        let mut scene = class();
        arm(place, 3, 1);
        scene.video(3, 1200, &frame(true, 50, 0));
        assert_eq!((closed(&scene), scene.metric("panics"), scene.metric("tracks")), (vec![3], 1, 2), "{place:?}");
        scene.clients.remove(&3);
        scene.client(4).rtp.clear();
        for n in 0..30 {
            scene.video(1, 1000, &frame(n == 0, 200 + n, 0));
            scene.advance(33);
        }
        assert!(scene.client(4).take(4000).len() >= 29, "{place:?}");
    }
}

#[test]
fn a_panic_in_the_work_of_a_room_costs_its_ranking_of_voices_and_closes_nobody() {
    let mut scene = class();
    arm(Place::Room, ROOM, 1);
    scene.advance(300);
    assert_eq!((closed(&scene), scene.metric("panics")), (vec![], 1));
    assert!(scene.events.contains(&Event::AudioSlots { room: ROOM, tracks: vec![0; 3] }));
    // A voice is ranked when it was heard a moment.
    let [first, second, voice] = heard(&mut scene, 4000);
    assert!(first >= 29 && second >= 29 && voice >= 25, "{first} {second} {voice}");
}

#[test]
fn work_that_concerns_nobody_is_skipped() {
    let mut scene = class();
    arm(Place::Stun, 0, 1);
    scene.send(2, &[0; 20]);
    arm(Place::Command, 77, 1);
    scene.command(Command::OpenRoom { room: 77, audio_slots: 3, home: 0 });
    assert_eq!((closed(&scene), scene.metric("panics"), scene.metric("rooms")), (vec![], 2, 1));
    assert_eq!(heard(&mut scene, 4000)[2], 30);
}

#[test]
fn a_peer_that_cannot_be_opened_is_told_as_closed() {
    let mut scene = class();
    arm(Place::Command, 9, 1);
    scene.open(9);
    assert_eq!((closed(&scene), scene.metric("panics"), scene.metric("peers")), (vec![9], 1, 4));
    scene.join(9);
}

#[test]
fn a_connection_that_ends_in_a_panic_takes_its_peer_along() {
    let mut scene = class();
    let path = scene.client(2).path;
    arm(Place::ConnectionLost, 2, 1);
    scene.shard.connection_lost(scene.now, path);
    scene.exchange();
    only_viewer_2_is_lost(&mut scene, "connection lost");
}

#[test]
fn what_a_full_turn_has_no_room_for_is_asked_for_and_comes_again() {
    let mut scene = Scene::lesson();
    scene.video(1, 1000, &frame(true, 0, 0));
    scene.shard.outbox = jiangtai_core::outbox::Outbox::bounded(1 << 20, 3);
    let packets: Vec<Vec<u8>> = (1..=10).map(|n| scene.packet(1, 1000, VP8, 3000, None, &frame(false, n, 0)).1).collect();
    let (path, now) = (scene.client(1).path, scene.now);
    packets.into_iter().for_each(|mut packet| scene.shard.receive(now, path, &mut packet));
    scene.exchange();
    let got = scene.client(2).take(2000);
    assert_eq!((got.len(), scene.shard.outbox.take_refused()), (4, 7));
    for n in 11..=60 {
        scene.video(1, 1000, &frame(false, n, 0));
    }
    let newest = scene.client(2).take(2000)[0].sequence;
    let lost: Vec<u16> = (1..=7).map(|n| newest.wrapping_sub(n)).collect();
    for number in &lost {
        let nack = scene.client(2).seal_rtcp(|rtcp| rtcp.nack(1, 2000, &[*number]).unwrap());
        scene.send(2, &nack);
    }
    assert_eq!(scene.client(2).take(2001).len(), 7);
}
