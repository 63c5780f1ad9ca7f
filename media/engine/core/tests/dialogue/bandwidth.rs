//! Receivers whose connection carries little: what is sent through it, and what is made of their reports.

use std::collections::VecDeque;

use jiangtai_core::command::Command;
use jiangtai_core::event::Event;
use jiangtai_core::media::Kind;
use jiangtai_core::twcc::Recorder;

use super::client::Received;
use super::scene::{frame, opus, vp8, Scene};

/// What waits longer than this is thrown away on the way.
const QUEUE_US: u64 = 300_000;

/// A receiver's connection, as its reports tell of it; the packets themselves are there at once.
#[derive(Default)]
pub struct Link {
    /// Bits a second, 0 = none; None = all there are.
    pub bps: Option<u64>,
    free_us: u64,
    under_way: VecDeque<(u64, u16)>,
    recorder: Recorder,
}

impl Link {
    pub fn carry(&mut self, scene: &Scene, packet: &Received) {
        let now = scene.now.duration_since(scene.start).as_micros() as u64;
        let Some(number) = packet.twcc else { return };
        let Some(takes) = self.bps.map_or(Some(0), |bps| ((packet.bytes as u64 + 28) * 8_000_000).checked_div(bps)) else { return };
        let free = self.free_us.max(now);
        if self.bps.is_none() || free - now < QUEUE_US {
            // Nothing overtakes what went before.
            self.free_us = free + takes;
            self.under_way.push_back((self.free_us, number));
        }
    }

    /// Reports what has arrived by now.
    pub fn report(&mut self, scene: &mut Scene, id: u64) {
        let now = scene.now.duration_since(scene.start).as_micros() as u64;
        while let Some((at, number)) = self.under_way.front().copied().filter(|(at, _)| *at <= now) {
            self.under_way.pop_front();
            self.recorder.record(number, at);
        }
        while self.recorder.pending() {
            let mut more = false;
            let feedback = scene.client(id).seal_rtcp(|rtcp| {
                rtcp.receiver_report(1, &[]).unwrap();
                more = rtcp.twcc(&mut self.recorder, 1, 2).unwrap_or(false);
            });
            if !more {
                return;
            }
            scene.send(id, &feedback);
        }
    }
}

/// A publisher (1) of two layers and a viewer (2) with one tile (20), whose connection goes thin and is itself again.
struct Class {
    scene: Scene,
    link: Link,
    picture: u16,
    /// Somebody talks.
    voice: bool,
    /// The camera sends.
    camera: bool,
}

impl Class {
    fn new(voice: bool) -> Class {
        let mut scene = Scene::new();
        scene.join(1);
        scene.join(2);
        scene.add_simulcast(10, 1);
        scene.add_slot_of_rank(20, 2, 2000, 2);
        scene.command(Command::Assign { slot: 20, track: Some(10) });
        scene.add_track(11, 1, Kind::Audio, 1900, opus());
        scene.add_slot(21, 2, Kind::Audio, 2100, opus(), Some(0));
        Class { scene, link: Link::default(), picture: 0, voice, camera: true }
    }

    /// Layers of about 180 and 300 kbit/s, and key frames for who asks; what of the slot came.
    fn show(&mut self, bps: Option<u64>, seconds: u32) -> Vec<Received> {
        let Class { scene, link, picture, voice, camera } = self;
        link.bps = bps;
        let mut got = Vec::new();
        for n in 0..25 * seconds {
            let asked = scene.client(1).rtcp.clone();
            let mut key = *picture == 0 || scene.client(1).take_requests(1000).1 > 0;
            scene.client(1).rtcp = asked;
            key |= scene.client(1).take_requests(1010).1 > 0;
            for layer in 0..if *camera { 2 } else { 0 } {
                let mut payload = frame(key, *picture, layer as u8);
                payload.resize(700 + 500 * layer, 0);
                scene.layer(1, 10, 1000, layer, &payload);
            }
            *picture += 1;
            for _ in 0..2 {
                if *voice {
                    scene.audio(1, 1900, 20);
                }
                scene.advance(20);
                for packet in std::mem::take(&mut scene.client(2).rtp) {
                    link.carry(scene, &packet);
                    got.extend((packet.ssrc == 2000).then_some(packet));
                }
            }
            if n % 3 == 0 {
                link.report(scene, 2);
            }
            if n % 50 == 0 {
                scene.live(1);
            }
        }
        got
    }

    fn told(&mut self) -> Vec<Option<u8>> {
        let layer = |event| if let Event::Layer { slot: 20, layer } = event { Some(layer) } else { None };
        self.scene.events.drain(..).filter_map(layer).collect()
    }

    /// It is paused and told so, and comes back.
    fn thin(mut self, bps: u64) {
        assert!(!self.show(None, 4).is_empty());
        assert_eq!(self.told().first(), Some(&Some(0)));
        self.show(Some(bps), 5);
        assert_eq!(self.told().last(), Some(&None), "paused, and told");
        assert!(self.show(Some(bps), 2).is_empty(), "nothing of it while it is paused");
        assert_eq!(self.told(), vec![]);
        let again = self.show(None, 60);
        assert!(matches!(self.told().first(), Some(Some(_))), "and told that it plays");
        assert_eq!(again.first().map(|packet| packet.payload[5] & 1), Some(0), "begins with a key frame");
    }
}

#[test]
fn a_slot_whose_lowest_layer_no_longer_fits_is_told_as_paused_and_comes_back_with_a_key_frame() {
    Class::new(true).thin(100_000);
}

#[test]
fn voices_that_spoke_long_ago_take_nothing_from_a_thin_connection() {
    let mut class = Class::new(true);
    for n in 1..3u32 {
        class.scene.add_track(11 + u64::from(n), 1, Kind::Audio, 1900 + 10 * n, opus());
        class.scene.add_slot(21 + u64::from(n), 2, Kind::Audio, 2100 + 10 * n, opus(), Some(n as usize));
    }
    class.show(None, 2);
    for _ in 0..50 {
        (0..3).for_each(|n| class.scene.audio(1, 1900 + 10 * n, 20));
        class.scene.advance(20);
    }
    class.show(Some(300_000), 60);
    assert!(class.show(Some(300_000), 20).len() > 25 * 15, "the lowest layer and one voice fit");
}

#[test]
fn a_paused_slot_is_not_woken_by_the_silence_of_its_sender() {
    let mut class = Class::new(true);
    class.show(None, 4);
    class.show(Some(100_000), 5);
    assert_eq!(class.told().last(), Some(&None));
    class.camera = false;
    class.show(Some(100_000), 5);
    class.camera = true;
    assert!(class.show(Some(100_000), 5).is_empty());
    assert_eq!(class.told(), vec![]);
}

#[test]
fn a_slot_whose_former_picture_did_not_fit_begins_with_what_comes_first_of_the_next() {
    let mut class = Class::new(true);
    class.show(None, 4);
    class.show(Some(100_000), 5);
    assert_eq!(class.told().last(), Some(&None));
    class.scene.add_track(12, 1, Kind::Video, 1500, vp8());
    class.scene.command(Command::Assign { slot: 20, track: Some(12) });
    class.scene.video(1, 1500, &frame(true, 1, 0));
    assert_eq!(class.scene.client(2).take(2000).len(), 1);
    assert_eq!(class.told(), vec![Some(0)]);
}

#[test]
fn a_slot_comes_back_from_the_lowest_estimate_although_nobody_talks() {
    Class::new(false).thin(100_000);
}

#[test]
fn a_slot_comes_back_after_a_connection_carried_nothing_for_seconds_although_nobody_talks() {
    Class::new(false).thin(0);
}

#[test]
fn a_slot_that_is_assigned_or_looked_at_again_and_does_not_fit_is_told_as_paused() {
    let mut class = Class::new(true);
    class.show(None, 4);
    class.show(Some(100_000), 5);
    assert_eq!(class.told().last(), Some(&None));
    for most in [None, Some(2)] {
        class.scene.command(Command::LimitSlot { slot: 20, most });
    }
    class.show(Some(100_000), 2);
    let seen = class.told();
    for track in [None, Some(10)] {
        class.scene.command(Command::Assign { slot: 20, track });
    }
    class.show(Some(100_000), 2);
    assert_eq!((seen, class.told()), (vec![None], vec![None]), "looked at again, assigned again");
}
