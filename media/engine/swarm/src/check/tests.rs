use super::*;
use crate::clip::{Frame as ClipFrame, Word};
use crate::rtp::look;

const MS: u64 = 1_000_000;
const START: u64 = 1_700_000_000_000 * MS;

fn part(layer: usize, frame: usize, part: usize, key: bool) -> Vec<u8> {
    let mut bytes = vec![if part == 0 { u8::from(!key) } else { 0xff }; 40];
    bytes.extend(format!("layer {layer} frame {frame} part {part}").bytes());
    bytes
}

/// Two layers of 40 frames of three parts, a key frame every ten.
fn clips() -> Clips {
    let frame = |layer, at: usize| {
        let key = at.is_multiple_of(10);
        ClipFrame { key, parts: (0..3).map(|p| part(layer, at, p, key)).collect() }
    };
    let video = (0..2).map(|layer| (0..40).map(|at| frame(layer, at)).collect()).collect();
    let words = (0..20u8).map(|i| Word { level: 30, payload: vec![i; 30].into() }).collect();
    Clips::new(Codec::Vp8, video, words)
}

/// A publisher, a server that passes on what the test says, and a viewer.
struct Scene {
    clips: Clips,
    sent: Sent,
    checker: Checker,
    delays: Spread,
    now: u64,
    sequence: u16,
    picture: u16,
    timestamp: u32,
}

impl Scene {
    fn new() -> Scene {
        let mut sent = Sent::default();
        sent.add(0, &[40, 40], 20);
        sent.add(0, &[40, 40], 20);
        let (sequence, picture, timestamp) = (65_530, 0x7ffd, u32::MAX - 5000);
        let checker = Checker::new(Codec::Vp8, 0, Rules::default());
        Scene { clips: clips(), sent, checker, delays: Spread::default(), now: START, sequence, picture, timestamp }
    }

    /// The publisher sends this frame; returns what the server would pass on.
    fn send(&mut self, publisher: u32, layer: u8, frame: u32) -> Vec<Arrival> {
        self.now += 33 * MS;
        self.sent.frame(publisher, layer, frame, self.now);
        self.picture = (self.picture + 1) & 0x7fff;
        self.timestamp = self.timestamp.wrapping_add(3000);
        let parts = &self.clips.video[usize::from(layer)][frame as usize].parts;
        let mut packets = Vec::new();
        for (i, body) in parts.iter().enumerate() {
            let payload = crate::packetise::with_descriptor(body, i == 0, self.picture);
            let look = look(Codec::Vp8, &payload);
            let piece = self.clips.recognise(&payload[look.unwrap().body..]);
            let (sequence, timestamp, marker) = (self.sequence, self.timestamp, i + 1 == parts.len());
            packets.push(Arrival { sequence, timestamp, marker, at: self.now + 2 * MS, empty: false, look, piece });
            self.sequence = self.sequence.wrapping_add(1);
        }
        packets
    }

    fn receive(&mut self, packets: impl IntoIterator<Item = Arrival>) {
        for packet in packets {
            self.checker.push(packet, &self.clips, &self.sent, Some(&mut self.delays));
        }
    }

    fn play(&mut self, frames: std::ops::Range<u32>) {
        for frame in frames {
            let packets = self.send(0, 0, frame);
            self.receive(packets);
        }
    }

    fn breaks(&self) -> Vec<(&str, u64)> {
        BREAKS.into_iter().zip(self.checker.tally.breaks).filter(|(_, n)| *n > 0).collect()
    }
}

#[test]
fn a_whole_stream_is_whole_across_every_wrap() {
    let mut scene = Scene::new();
    scene.play(0..40);
    assert_eq!((scene.breaks(), scene.checker.tally.first_break.clone()), (vec![], None));
    assert_eq!((scene.checker.tally.frames, scene.checker.tally.key_frames, scene.checker.tally.foreign), (40, 4, 0));
    assert_eq!(scene.checker.tally.layers, [40, 0, 0]);
    let delays = scene.delays.thousands();
    assert_eq!((delays["n"].as_u64(), delays["max"].as_f64()), (Some(120), Some(2.0)));
}

#[test]
fn reordered_repaired_and_repeated_packets_break_nothing() {
    let mut scene = Scene::new();
    scene.play(0..2);
    let mut held = scene.send(0, 0, 2);
    let first = held.remove(0);
    scene.receive(held.into_iter().rev());
    assert_eq!(scene.checker.missing(9), [first.sequence]);
    scene.play(3..5);
    scene.checker.expire(scene.now, &scene.clips, &scene.sent, None);
    scene.receive([first, first]);
    scene.play(5..8);
    assert_eq!((scene.breaks(), scene.checker.tally.frames), (vec![], 8));
    assert_eq!((scene.checker.tally.repaired, scene.checker.tally.duplicates, scene.checker.has_hole()), (1, 1, false));
}

#[test]
fn a_hole_that_stays_is_one_break_until_the_next_key_frame() {
    let mut scene = Scene::new();
    scene.play(0..2);
    let packets = scene.send(0, 0, 2);
    scene.receive(packets.into_iter().skip(2));
    scene.play(3..4);
    scene.checker.expire(scene.now + 1100 * MS, &scene.clips, &scene.sent, None);
    assert!(scene.checker.wants_key_frame());
    scene.play(4..15);
    assert_eq!((scene.breaks(), scene.checker.tally.lost, scene.checker.tally.frames), (vec![("lost", 1)], 2, 7));
    assert!(!scene.checker.wants_key_frame());
}

#[test]
fn padding_takes_a_number_and_no_more() {
    let mut scene = Scene::new();
    scene.play(0..2);
    let (sequence, timestamp, at) = (scene.sequence, scene.timestamp, scene.now);
    scene.receive([Arrival { sequence, timestamp, marker: false, at, empty: true, look: None, piece: None }]);
    scene.sequence = scene.sequence.wrapping_add(1);
    scene.play(2..4);
    assert_eq!((scene.breaks(), scene.checker.tally.frames), (vec![], 4));
}

#[test]
fn a_stream_must_begin_with_a_key_frame_unless_told_otherwise() {
    let mut scene = Scene::new();
    scene.play(8..12);
    assert_eq!((scene.breaks(), scene.checker.tally.frames), (vec![("start", 1)], 2));
    let mut scene = Scene::new();
    scene.checker = Checker::new(Codec::Vp8, 0, Rules { late_start: true, ..Rules::default() });
    scene.play(8..12);
    assert_eq!((scene.breaks(), scene.checker.tally.frames), (vec![], 2));
}

#[test]
fn a_first_packet_that_the_path_took_is_no_break_of_the_server() {
    for lossy in [false, true] {
        let mut scene = Scene::new();
        scene.checker = Checker::new(Codec::Vp8, 0, Rules { lossy, ..Rules::default() });
        let packets = scene.send(0, 0, 0);
        scene.receive(packets.into_iter().skip(1));
        assert_eq!((scene.breaks().is_empty(), scene.checker.wants_key_frame()), (lossy, true));
        scene.play(10..13);
        assert_eq!(scene.checker.tally.frames, 3);
    }
}

#[test]
fn a_frame_left_out_by_renumbering_is_noticed() {
    let mut scene = Scene::new();
    scene.play(0..3);
    let (sequence, picture, timestamp) = (scene.sequence, scene.picture, scene.timestamp);
    scene.send(0, 0, 3);
    (scene.sequence, scene.picture, scene.timestamp) = (sequence, picture, timestamp);
    scene.play(4..6);
    assert_eq!(scene.breaks(), [("reference", 1)]);
}

#[test]
fn a_packet_left_out_by_renumbering_is_noticed() {
    let mut scene = Scene::new();
    scene.play(0..3);
    let mut packets = scene.send(0, 0, 3);
    packets.remove(1);
    packets[1].sequence = packets[1].sequence.wrapping_sub(1);
    scene.sequence = scene.sequence.wrapping_sub(1);
    scene.receive(packets);
    assert_eq!(scene.breaks(), [("form", 1)]);
}

#[test]
fn what_is_of_no_clip_is_no_picture() {
    for foreign in 0..3 {
        let mut scene = Scene::new();
        scene.play(0..3);
        let mut packets = scene.send(0, 0, 3);
        packets[foreign].piece = None;
        scene.receive(packets);
        assert_eq!((scene.breaks(), scene.checker.tally.foreign), (vec![("form", 1)], 1), "packet {foreign}");
    }
}

#[test]
fn a_frame_that_nobody_sent_lately_is_noticed_key_frame_or_not() {
    for frame in [3, 10] {
        let mut scene = Scene::new();
        scene.play(0..3);
        let mut packets = scene.send(0, 0, frame);
        packets.iter_mut().for_each(|packet| packet.at += crate::sent::OLDEST_NS);
        scene.receive(packets);
        assert_eq!(scene.breaks(), [("reference", 1)], "frame {frame}");
    }
    let mut scene = Scene::new();
    scene.checker = Checker::new(Codec::Vp8, 1, Rules::default());
    scene.play(0..1);
    assert_eq!(scene.breaks(), [("reference", 1)], "another room's");
}

#[test]
fn what_was_kept_for_a_newcomer_is_whole_and_counted_apart() {
    let mut scene = Scene::new();
    let mut kept: Vec<Arrival> = (0..60).flat_map(|frame| scene.send(0, 0, frame % 40)).collect();
    let now = scene.now + MS;
    kept.iter_mut().for_each(|packet| packet.at = now);
    scene.receive(kept);
    scene.play(20..30);
    assert_eq!((scene.breaks(), scene.checker.tally.frames, scene.checker.tally.replayed), (vec![], 70, 60));
}

#[test]
fn a_stream_that_stands_still_shows_in_its_flow() {
    let mut scene = Scene::new();
    scene.play(0..5);
    scene.now += 1200 * MS;
    scene.play(5..8);
    assert_eq!(scene.checker.flow.gap(scene.now), Some(1233 * MS));
    assert_eq!(scene.breaks(), []);
}

#[test]
fn frames_that_begin_with_the_same_parameter_sets_are_told_apart_by_what_follows() {
    let mut scene = Scene::new();
    let unit = |key: bool, n: u8| vec![if key { 0x65 } else { 0x61 }, n, n, n];
    let frame = |n: u8| {
        let parts = if n.is_multiple_of(10) { vec![vec![24, 0, 2, 0x67, 1], unit(true, n)] } else { vec![unit(false, n)] };
        ClipFrame { key: n.is_multiple_of(10), parts }
    };
    scene.clips = Clips::new(Codec::H264, vec![(0..40).map(frame).collect()], Vec::new());
    scene.checker = Checker::new(Codec::H264, 0, Rules::default());
    let play = |scene: &mut Scene, frames: &[u32], cut: usize| {
        for at in frames {
            scene.now += 33 * MS;
            scene.sent.frame(0, 0, *at, scene.now);
            scene.timestamp = scene.timestamp.wrapping_add(3000);
            let parts = &scene.clips.video[0][*at as usize].parts;
            for (i, body) in parts.iter().enumerate().take(parts.len().saturating_sub(cut)) {
                let (look, piece) = (look(Codec::H264, body), scene.clips.recognise(body));
                let (sequence, timestamp, at) = (scene.sequence, scene.timestamp, scene.now + MS);
                let marker = i + 1 + cut == parts.len();
                scene.checker.push(Arrival { sequence, timestamp, marker, at, empty: false, look, piece }, &scene.clips, &scene.sent, None);
                scene.sequence = scene.sequence.wrapping_add(1);
            }
        }
    };
    play(&mut scene, &[10, 11, 12, 20, 21], 0);
    assert_eq!((scene.breaks(), scene.checker.tally.frames, scene.checker.tally.key_frames), (vec![], 5, 2));
    play(&mut scene, &[30], 1);
    assert_eq!(scene.breaks(), [("form", 1)], "parameter sets alone are no picture");
}

#[test]
fn changing_layer_or_publisher_is_right_on_a_key_frame_only() {
    for (publisher, layer) in [(0, 1), (1, 0)] {
        let mut scene = Scene::new();
        scene.play(0..5);
        for frame in 20..23 {
            let packets = scene.send(publisher, layer, frame);
            scene.receive(packets);
        }
        assert_eq!((scene.breaks(), scene.checker.tally.layer_changes), (vec![], u64::from(layer)));
        let packets = scene.send(0, 0, 5);
        scene.receive(packets);
        assert_eq!(scene.breaks(), [("reference", 1)]);
    }
}

#[test]
fn numbers_that_jump_are_noticed() {
    let mut scene = Scene::new();
    scene.play(0..3);
    scene.picture += 1;
    scene.play(3..4);
    assert_eq!(scene.breaks(), [("picture", 1)]);
    scene.play(10..12);
    scene.timestamp = scene.timestamp.wrapping_sub(3000);
    scene.play(12..13);
    assert_eq!(scene.breaks(), [("picture", 1), ("timestamp", 1)]);
}

#[test]
fn audio_needs_numbers_and_time_only() {
    let mut scene = Scene::new();
    scene.checker = Checker::new(Codec::Opus, 0, Rules::default());
    let word = |n: u16, timestamp: u32| Arrival {
        sequence: n,
        timestamp,
        marker: false,
        at: START + u64::from(n) * 20 * MS,
        empty: false,
        look: look(Codec::Opus, &[1]),
        piece: Some(Piece::Audio { word: u32::from(n) }),
    };
    (0..10).for_each(|n| scene.sent.word(0, n, START + u64::from(n) * 19 * MS));
    scene.receive((0..10).map(|n| word(n, 4_294_960_000u32.wrapping_add(u32::from(n) * 960))));
    assert_eq!((scene.breaks(), scene.checker.tally.frames, scene.delays.thousands()["n"].as_u64()), (vec![], 10, Some(10)));
    scene.receive([word(10, 5)]);
    assert_eq!(scene.breaks(), [("timestamp", 1)]);
}

#[test]
fn lost_audio_breaks_only_where_nothing_may_be_lost() {
    for lossy in [false, true] {
        let mut scene = Scene::new();
        scene.checker = Checker::new(Codec::Opus, 0, Rules { lossy, ..Rules::default() });
        let look = look(Codec::Opus, &[1]);
        for n in [0u16, 1, 3, 4] {
            let at = START + u64::from(n) * 20 * MS;
            let timestamp = u32::from(n) * 960;
            scene.receive([Arrival { sequence: n, timestamp, marker: false, at, empty: false, look, piece: None }]);
        }
        assert!(scene.checker.has_hole() && !scene.checker.wants_repair());
        scene.checker.expire(START + 300 * MS, &scene.clips, &scene.sent, None);
        assert_eq!((scene.checker.tally.lost, scene.checker.tally.frames), (1, 4));
        assert_eq!(scene.breaks().is_empty(), lossy);
    }
}
