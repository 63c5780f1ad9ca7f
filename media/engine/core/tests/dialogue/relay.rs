//! A publisher on one shard, viewers on another.

use std::time::Instant;

use jiangtai_core::command::{AddMirror, Command};
use jiangtai_core::fault::{arm, Place};
use jiangtai_core::media::Kind;

use super::scene::{frame, opus, vp8, Scene, ROOM};

/// Two shards and the way between them.
struct House {
    shards: [Scene; 2],
    /// Packets carried from shard to shard.
    carried: usize,
}

impl House {
    /// A publisher (1) of video track 10 and audio track 11 at home, a viewer (2) with slot 20 and voice slot 30 on shard 1.
    fn lesson() -> House {
        let now = Instant::now();
        let mut house = House { shards: [0, 1].map(|number| Scene::shard(number, 2, now)), carried: 0 };
        let [home, away] = &mut house.shards;
        home.join(1);
        away.join(2);
        home.add_track(10, 1, Kind::Video, 1000, vp8());
        home.add_track(11, 1, Kind::Audio, 1100, opus());
        for (track, kind, codecs) in [(10, Kind::Video, vp8()), (11, Kind::Audio, opus())] {
            away.command(Command::AddMirror(Box::new(AddMirror { track, room: ROOM, kind, codecs, layers: 1, allowed: true })));
        }
        away.add_slot(20, 2, Kind::Video, 2000, vp8(), None);
        away.add_slot(30, 2, Kind::Audio, 3000, opus(), Some(0));
        house.carry();
        house
    }

    fn carry(&mut self) {
        loop {
            let mut quiet = true;
            for from in 0..2 {
                for (to, command) in std::mem::take(&mut self.shards[from].shard.upward) {
                    quiet = false;
                    self.shards[to].command(command);
                }
                for (to, batch) in std::mem::take(&mut self.shards[from].shard.batches) {
                    quiet = false;
                    self.carried += batch.len();
                    let now = self.shards[to].now;
                    self.shards[to].shard.relayed(now, &batch);
                    self.shards[to].exchange();
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn advance(&mut self, ms: u64) {
        for _ in 0..ms {
            self.shards.iter_mut().for_each(|scene| scene.advance(1));
            self.carry();
        }
    }

    fn video(&mut self, key: bool, picture: u16) {
        self.shards[0].video(1, 1000, &frame(key, picture, picture as u8));
        self.carry();
    }
}

#[test]
fn a_viewer_on_another_shard_asks_for_a_key_frame_and_gets_every_packet_once() {
    let mut house = House::lesson();
    house.video(true, 1);
    assert_eq!(house.carried, 0, "nobody watches there: nothing is carried");
    house.advance(2500);
    house.shards[0].client(1).take_requests(1000);
    house.shards[1].command(Command::Assign { slot: 20, track: Some(10) });
    house.carry();
    house.advance(5);
    assert_eq!(house.shards[0].client(1).take_requests(1000).1, 1);
    for n in 2..12 {
        house.video(n == 2, n);
        house.advance(33);
    }
    let got = house.shards[1].client(2).take(2000);
    assert_eq!(got.iter().map(|p| p.payload[8]).collect::<Vec<u8>>(), (2..12).collect::<Vec<u8>>());
    assert!(got.windows(2).all(|w| w[1].sequence == w[0].sequence.wrapping_add(1)));
    assert_eq!(house.carried, 10);
    // A second one there is served from that shard's own store.
    house.shards[1].join(3);
    house.shards[1].add_slot(21, 3, Kind::Video, 2100, vp8(), None);
    house.shards[1].command(Command::Assign { slot: 21, track: Some(10) });
    house.carry();
    assert_eq!(house.shards[1].client(3).take(2100).len(), 10);
    assert_eq!(house.shards[0].client(1).take_requests(1000).1, 0);
    let nack = house.shards[1].client(2).seal_rtcp(|rtcp| rtcp.nack(1, 2000, &[got[4].sequence]).unwrap());
    house.shards[1].send(2, &nack);
    assert_eq!(house.shards[1].client(2).take(2001).len(), 1, "losses are repaired there, too");
}

#[test]
fn a_late_joiner_there_gets_the_cached_picture_although_numbers_wrapped_before_anybody_watched() {
    let mut house = House::lesson();
    for n in 0..10 {
        house.video(n == 0, n); // from 65,530 on
        house.advance(33);
    }
    house.shards[1].command(Command::Assign { slot: 20, track: Some(10) });
    house.carry();
    for n in 10..20 {
        house.video(n == 10, n);
        house.advance(33);
    }
    house.shards[0].client(1).take_requests(1000);
    house.shards[1].join(3);
    house.shards[1].add_slot(21, 3, Kind::Video, 2100, vp8(), None);
    house.shards[1].command(Command::Assign { slot: 21, track: Some(10) });
    house.carry();
    assert_eq!(house.shards[1].client(3).take(2100).len(), 10);
    assert_eq!(house.shards[0].client(1).take_requests(1000).1, 0, "nobody is asked for another picture");
}

#[test]
fn sound_is_carried_only_while_somebody_listens_there() {
    let mut house = House::lesson();
    let carried = |house: &mut House| {
        let before = house.carried;
        for _ in 0..10 {
            house.shards[0].audio(1, 1100, 20);
            house.advance(20);
        }
        house.carried - before
    };
    assert!(carried(&mut house) >= 8);
    house.shards[1].command(Command::ClosePeer { peer: 2 });
    house.carry();
    assert_eq!(carried(&mut house), 0);
    house.shards[1].join(3);
    house.shards[1].add_slot(31, 3, Kind::Audio, 3100, opus(), Some(0));
    house.carry();
    assert!(carried(&mut house) >= 8);
}

#[test]
fn a_track_nobody_watches_there_any_more_is_carried_no_longer() {
    let mut house = House::lesson();
    house.shards[1].command(Command::Assign { slot: 20, track: Some(10) });
    house.carry();
    house.video(true, 1);
    assert_eq!(house.carried, 1);
    house.shards[1].command(Command::Assign { slot: 20, track: None });
    house.carry();
    house.video(false, 2);
    assert_eq!(house.carried, 1);
}

#[test]
fn a_picture_that_only_bridged_the_wait_for_one_that_never_came_is_carried_no_longer() {
    let mut house = House::lesson();
    house.shards[0].add_track(12, 1, Kind::Video, 1200, vp8());
    let mirror = AddMirror { track: 12, room: ROOM, kind: Kind::Video, codecs: vp8(), layers: 1, allowed: true };
    house.shards[1].command(Command::AddMirror(Box::new(mirror)));
    house.shards[1].command(Command::Assign { slot: 20, track: Some(10) });
    house.carry();
    house.video(true, 1);
    house.shards[1].command(Command::Assign { slot: 20, track: Some(12) });
    house.carry();
    house.video(false, 2);
    assert_eq!(house.carried, 2, "until the other is there");
    house.shards[0].command(Command::RemoveTrack { track: 12 });
    house.carry();
    (3..6).for_each(|n| house.video(false, n));
    assert_eq!(house.carried, 3, "the one with which it was noticed");
}

#[test]
fn a_picture_that_is_forbidden_halfway_is_not_waited_for_and_carried_no_longer() {
    let mut house = House::lesson();
    house.shards[1].command(Command::Assign { slot: 20, track: Some(10) });
    house.carry();
    house.shards[0].whole = false;
    house.video(true, 1);
    for allowed in [false, true] {
        house.shards[0].command(Command::SetTrack { track: 10, allowed, priority: false });
        house.carry();
        house.shards[1].command(Command::Assign { slot: 20, track: None });
        house.carry();
    }
    house.shards[0].whole = true;
    (2..5).for_each(|n| house.video(n == 2, n));
    assert_eq!(house.carried, 1);
}

#[test]
fn voices_are_chosen_at_home_and_heard_everywhere() {
    let mut house = House::lesson();
    for _ in 0..10 {
        house.shards[0].audio(1, 1100, 20);
        house.advance(20);
    }
    let got = house.shards[1].client(2).take(3000);
    assert!(got.len() >= 8, "all but the first words: {}", got.len());
    assert!(got.iter().all(|p| p.level == Some(0x80 | 20)));
}

#[test]
fn what_is_forbidden_or_gone_at_home_is_so_everywhere() {
    let mut house = House::lesson();
    house.shards[1].command(Command::Assign { slot: 20, track: Some(10) });
    house.carry();
    house.video(true, 1);
    house.shards[0].command(Command::SetTrack { track: 10, allowed: false, priority: false });
    house.carry();
    house.video(false, 2);
    house.shards[1].join(3);
    house.shards[1].add_slot(21, 3, Kind::Video, 2100, vp8(), None);
    house.shards[1].command(Command::Assign { slot: 21, track: Some(10) });
    house.carry();
    assert!(house.shards[1].client(3).take(2100).is_empty(), "no cached picture of a forbidden track");
    assert_eq!(house.shards[1].client(2).take(2000).len(), 1);
    house.shards[0].command(Command::ClosePeer { peer: 1 });
    house.carry();
    assert_eq!((house.shards[0].metric("tracks"), house.shards[1].metric("tracks")), (0, 0));
}

#[test]
fn a_relayed_packet_that_panics_is_skipped_and_the_next_ones_are_played() {
    let mut house = House::lesson();
    house.shards[1].command(Command::Assign { slot: 20, track: Some(10) });
    house.carry();
    arm(Place::Relayed, 10, 1);
    for n in 0..10 {
        house.shards[0].video(1, 1000, &frame(n < 2, n, 0));
        house.advance(33);
    }
    let away = &mut house.shards[1];
    assert_eq!((away.metric("panics"), away.client(2).take(2000).len()), (1, 9));
}
