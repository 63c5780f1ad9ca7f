//! Who of those who talk is heard, and in which place.

use jiangtai_core::command::Command;
use jiangtai_core::event::Event;
use jiangtai_core::media::Kind;

use super::media::numbers;
use super::scene::{opus, Scene, OPUS};

/// Five talkers with audio tracks 11..15 and a listener (9) with three automatic slots.
fn choir() -> Scene {
    let mut scene = Scene::new();
    for id in 1..=5 {
        scene.join(id);
        scene.add_track(10 + id, id, Kind::Audio, 1000 * id as u32, opus());
    }
    scene.join(9);
    for n in 0..3 {
        scene.add_slot(90 + n, 9, Kind::Audio, 9000 + 10 * n as u32, opus(), Some(n as usize));
    }
    scene
}

#[test]
fn three_loudest_of_five_are_heard_in_three_slots() {
    let mut scene = choir();
    for _ in 0..100 {
        for id in 1..=5 {
            scene.audio(id, 1000 * id as u32, 70 - 10 * id as u8);
        }
        scene.advance(20);
    }
    let heard = scene.events.iter().rev().find_map(|e| match e {
        Event::AudioSlots { tracks, .. } => Some(tracks.clone()),
        _ => None,
    });
    let mut heard = heard.unwrap();
    heard.sort_unstable();
    assert_eq!(heard, vec![13, 14, 15]);
    for n in 0..3 {
        let got = scene.client(9).take(9000 + 10 * n);
        assert!(got.len() >= 60, "slot {n} got {}", got.len());
        assert_eq!(numbers(&got), (0..got.len() as u16).collect::<Vec<_>>());
        assert!(got.iter().all(|p| p.pt == OPUS && p.level.is_some()));
    }
    assert!(scene.events.iter().any(|e| matches!(e, Event::Speakers { levels, .. } if levels.len() == 3 || levels.len() == 5)));
}

#[test]
fn nobody_hears_the_own_voice() {
    let mut scene = choir();
    scene.command(Command::OwnTracks { peer: 9, tracks: vec![15] });
    for _ in 0..50 {
        scene.audio(5, 5000, 20);
        scene.audio(4, 4000, 20);
        scene.advance(20);
    }
    let got: usize = (0..3).map(|n| scene.client(9).take(9000 + 10 * n).len()).sum();
    assert!((40..=50).contains(&got), "only the other voice: {got}");
}

#[test]
fn who_gets_the_place_back_after_the_own_voice_goes_on_without_a_gap() {
    let mut scene = choir();
    scene.command(Command::OwnTracks { peer: 9, tracks: vec![15] });
    let speak = |scene: &mut Scene, levels: &[(u64, u8)]| {
        for _ in 0..200 {
            levels.iter().for_each(|(id, level)| scene.audio(*id, 1000 * *id as u32, *level));
            scene.advance(20);
        }
        [9000, 9010, 9020].map(|ssrc| scene.client(9).take(ssrc))
    };
    speak(&mut scene, &[(1, 30), (2, 10), (3, 10)]);
    // The listener's own voice takes the place of 1, who goes on sending; then 1 has it again.
    let own = speak(&mut scene, &[(1, 100), (2, 10), (3, 10), (5, 10)]);
    let lent = own.iter().position(|got| got.len() < 150).expect("a place in which the own voice is not played");
    scene.command(Command::RemoveTrack { track: 15 });
    let back = speak(&mut scene, &[(1, 30), (2, 10), (3, 10)]);
    assert!(back[lent].len() > 150, "{}", back[lent].len());
    let numbers: Vec<u16> = own[lent].iter().chain(&back[lent]).map(|packet| packet.sequence).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "a gap is a loss to the receiver");
}

#[test]
fn who_gets_the_place_back_after_half_the_numbers_were_sent_unheard_is_heard_at_once() {
    let mut scene = choir();
    let speak = |scene: &mut Scene, levels: &[(u64, u8)]| {
        for _ in 0..200 {
            levels.iter().for_each(|(id, level)| scene.audio(*id, 1000 * *id as u32, *level));
            scene.advance(20);
        }
        scene.live(1);
        [9000, 9010, 9020].map(|ssrc| scene.client(9).take(ssrc).len())
    };
    assert!(speak(&mut scene, &[(1, 30), (2, 10), (3, 10)]).iter().all(|got| *got > 150));
    // The network of 1 fails for a while; then 1 only listens.
    speak(&mut scene, &[(2, 10), (3, 10)]);
    for n in 0..33_000 {
        scene.audio(1, 1000, 127);
        scene.advance(5);
        if n % 1000 == 0 {
            scene.live(1);
        }
    }
    scene.client(9).take(9000);
    let dropped = scene.metric("dropped_unsealed");
    let heard = speak(&mut scene, &[(1, 30), (2, 10), (3, 10)]);
    assert!(heard.iter().all(|got| *got > 150), "{heard:?}");
    assert_eq!(scene.metric("dropped_unsealed"), dropped);
}
