//! What is taped of a track: every packet once, as it was sent, of one layer at a time.

use jiangtai_core::command::{Command, RecordTrack};
use jiangtai_core::media::Kind;
use jiangtai_core::rtp::Packet;
use jiangtai_core::tape::{entries, Label, Rank, Taped, INFERRED, KEY_FRAME, RESENT};

use super::scene::{frame, opus, vp8, Scene, VP8};

fn record(scene: &mut Scene, track: u64, rank: Rank) {
    let record = RecordTrack { number: track as u16, rank, description: b"{}".to_vec() };
    scene.command(Command::Record { track, record: Some(Box::new(record)) });
}

fn taped(scene: &mut Scene) -> Vec<(Label, Vec<u8>)> {
    let taped = entries(scene.shard.tape.bytes()).map(|(label, content)| (label, content.to_vec())).collect();
    scene.shard.tape.bytes().clear();
    taped
}

fn kinds(taped: &[(Label, Vec<u8>)]) -> Vec<Taped> {
    taped.iter().map(|(label, _)| label.kind).collect()
}

/// Sequence number and flags of every packet.
fn packets(taped: &[(Label, Vec<u8>)]) -> Vec<(u32, u8)> {
    let packets = taped.iter().filter(|(label, _)| label.kind == Taped::Packet);
    packets.map(|(label, content)| (label.roc << 16 | u32::from(Packet::parse(content).unwrap().sequence()), label.flags)).collect()
}

fn lesson() -> Scene {
    let mut scene = Scene::new();
    scene.join(1);
    scene.add_track(10, 1, Kind::Video, 1000, vp8());
    scene.add_track(11, 1, Kind::Audio, 1100, opus());
    scene
}

#[test]
fn every_packet_is_taped_once_as_it_was_sent_though_nobody_watches() {
    let mut scene = lesson();
    scene.video(1, 1000, &frame(true, 0, 0));
    assert!(taped(&mut scene).is_empty(), "nothing unless asked");
    record(&mut scene, 10, Rank::Camera);
    let payload = frame(true, 1, 7);
    let sequence = scene.video(1, 1000, &payload);
    let copy = scene.packet(1, 1000, VP8, 3000, None, &frame(false, 2, 7)).1;
    scene.send(1, &copy);
    scene.send(1, &copy);
    let taped = taped(&mut scene);
    assert_eq!(kinds(&taped), [Taped::Start, Taped::Layer, Taped::Packet, Taped::Packet]);
    assert_eq!((taped[0].1.as_slice(), taped[0].0.number, taped[0].0.room), (&b"{}"[..], 10, 1));
    let packet = Packet::parse(&taped[2].1).unwrap();
    assert_eq!((packet.ssrc(), packet.sequence(), packet.payload_type(), packet.payload()), (1000, sequence, VP8, &payload[..]));
    assert_eq!(taped[2].0.flags, KEY_FRAME);
    assert_eq!(packet.extensions().count(), 1, "extensions are kept");
}

#[test]
fn a_retransmission_is_taped_as_the_packet_it_repeats() {
    let mut scene = lesson();
    record(&mut scene, 10, Rank::Camera);
    scene.video(1, 1000, &frame(true, 0, 0));
    let (lost, _) = scene.packet(1, 1000, VP8, 3000, None, &frame(false, 1, 1));
    scene.video(1, 1000, &frame(false, 2, 2));
    let payload = frame(false, 1, 1);
    scene.resend(1, 1000, lost, 77, &payload);
    scene.resend(1, 1000, lost, 77, &payload);
    let taped = taped(&mut scene);
    let (label, content) = taped.last().unwrap();
    let packet = Packet::parse(content).unwrap();
    assert_eq!(label.flags, RESENT);
    assert_eq!((packet.ssrc(), packet.sequence(), packet.payload_type(), packet.timestamp()), (1000, lost, VP8, 77));
    assert_eq!(packet.payload(), payload);
    assert_eq!(packets(&taped).len(), 3, "once");
}

#[test]
fn the_sequence_number_goes_on_after_it_wraps() {
    let mut scene = lesson();
    record(&mut scene, 11, Rank::Sound);
    (0..10).for_each(|_| scene.audio(1, 1100, 20));
    let numbers: Vec<u32> = packets(&taped(&mut scene)).into_iter().map(|(number, _)| number).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    assert_eq!(numbers.last().unwrap() >> 16, 2, "the scene begins just before the wrap");
}

#[test]
fn the_best_layer_that_comes_is_taped_and_another_from_its_key_frame_on() {
    let mut scene = Scene::new();
    scene.join(1);
    scene.add_simulcast(10, 1);
    record(&mut scene, 10, Rank::Trainer);
    let layers = |scene: &mut Scene| -> Vec<u8> {
        taped(scene).into_iter().filter(|(label, _)| label.kind == Taped::Layer).map(|(_, content)| content[0]).collect()
    };
    for n in 0..5 {
        scene.layer(1, 10, 3000, 0, &frame(n == 0, n, 0));
        scene.advance(33);
    }
    assert_eq!(layers(&mut scene), [0], "one layer comes: it is the best");
    // A better one begins in the middle of a picture.
    for n in 0..5 {
        scene.layer(1, 10, 3000, 0, &frame(false, 5 + n, 0));
        scene.layer(1, 10, 3000, 2, &frame(false, n, 2));
        scene.advance(33);
    }
    assert!(layers(&mut scene).is_empty(), "not before its key frame");
    scene.layer(1, 10, 3000, 2, &frame(true, 9, 2));
    scene.layer(1, 10, 3000, 0, &frame(false, 10, 0));
    let both = taped(&mut scene);
    assert_eq!(kinds(&both), [Taped::Layer, Taped::Packet], "the lower one no longer");
    assert_eq!(both[0].1[0], 2);
    // The sender gives the better one up.
    for n in 0..60 {
        scene.layer(1, 10, 3000, 0, &frame(n == 50, 11 + n, 0));
        scene.advance(33);
    }
    assert_eq!(layers(&mut scene), [0]);
}

#[test]
fn what_may_not_be_heard_is_not_taped_and_the_silence_is() {
    let mut scene = lesson();
    record(&mut scene, 11, Rank::Sound);
    scene.audio(1, 1100, 20);
    scene.command(Command::SetTrack { track: 11, allowed: false, priority: false });
    scene.audio(1, 1100, 20);
    scene.command(Command::SetTrack { track: 11, allowed: true, priority: false });
    scene.audio(1, 1100, 20);
    scene.command(Command::Record { track: 11, record: None });
    scene.audio(1, 1100, 20);
    let taped = taped(&mut scene);
    let expected =
        [Taped::Start, Taped::Unmute, Taped::Layer, Taped::Packet, Taped::Mute, Taped::Unmute, Taped::Layer, Taped::Packet, Taped::End];
    assert_eq!(kinds(&taped), expected);
    assert_eq!(taped[1].0.flags, INFERRED);
    assert_eq!(taped.last().unwrap().1, b"stopped");
}

#[test]
fn a_track_that_is_gone_ends_its_tape() {
    let mut scene = lesson();
    record(&mut scene, 11, Rank::Sound);
    scene.audio(1, 1100, 20);
    scene.command(Command::ClosePeer { peer: 1 });
    assert_eq!(taped(&mut scene).last().map(|(label, content)| (label.kind, content.clone())), Some((Taped::End, b"gone".to_vec())));
}

#[test]
fn what_the_tape_did_not_take_is_counted_and_told() {
    let mut scene = lesson();
    record(&mut scene, 10, Rank::Camera);
    record(&mut scene, 11, Rank::Sound);
    scene.shard.tape.backlog = jiangtai_core::tape::LIMIT / 2;
    for n in 0..3 {
        scene.video(1, 1000, &frame(n == 0, n, 0));
        scene.audio(1, 1100, 20);
    }
    scene.shard.tape.backlog = 0;
    scene.video(1, 1000, &frame(false, 4, 0));
    let taped = taped(&mut scene);
    let of = |number: u16, kind| taped.iter().filter(|(label, _)| label.number == number && label.kind == kind).count();
    assert_eq!((of(10, Taped::Packet), of(10, Taped::Loss)), (1, 1));
    assert_eq!((of(11, Taped::Packet), of(11, Taped::Loss)), (3, 0), "never sound");
    let loss = taped.iter().find(|(label, _)| label.kind == Taped::Loss).unwrap();
    assert_eq!(loss.1[..4], 3u32.to_le_bytes());
    assert_eq!(scene.metric("dropped_tape_full"), 3);
}

#[test]
fn a_recording_asks_for_key_frames_so_that_it_can_be_entered() {
    let mut scene = lesson();
    scene.video(1, 1000, &frame(true, 0, 0));
    let before = scene.metric("pli_out");
    record(&mut scene, 10, Rank::Camera);
    scene.advance(50);
    assert_eq!(scene.metric("pli_out"), before + 1, "at its begin");
    scene.video(1, 1000, &frame(true, 1, 0));
    for n in 0..300 {
        scene.video(1, 1000, &frame(false, 2 + n, 0));
        scene.advance(40);
    }
    let asked = scene.metric("pli_out") - before - 1;
    assert!((1..=4).contains(&asked), "{asked} in 12 s");
}

#[test]
fn a_track_of_no_peer_here_is_not_recorded() {
    let mut scene = lesson();
    record(&mut scene, 99, Rank::Sound);
    assert_eq!(scene.metric("commands_ignored"), 1);
    record(&mut scene, 11, Rank::Sound);
    record(&mut scene, 11, Rank::Sound);
    assert_eq!(scene.metric("commands_ignored"), 2, "once at a time");
}
