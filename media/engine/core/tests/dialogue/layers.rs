//! Simulcast layers, newcomers and the cache of key frames.

use jiangtai_core::command::Command;
use jiangtai_core::event::Event;
use jiangtai_core::media::Kind;

use super::client::Received;
use super::scene::{frame, vp8, Scene};

fn picture(packet: &Received) -> u16 {
    u16::from_be_bytes([packet.payload[2] & 0x7f, packet.payload[3]])
}

/// Numbers, picture ids and time go on without a break, the first packet is of a key frame, and no picture stays for 0.2 s.
fn assert_decodable(packets: &[Received]) {
    assert_decodable_within(18_000, packets);
}

/// The same, where a picture may stay for so many ticks.
fn assert_decodable_within(ticks: u32, packets: &[Received]) {
    assert_eq!(packets[0].payload[5] & 1, 0, "begins with a key frame");
    for pair in packets.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(picture(&pair[1]), (picture(&pair[0]) + 1) & 0x7fff);
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        assert!((1..ticks).contains(&step), "time goes on and the picture does not freeze: {step}");
    }
}

/// A publisher (1) of three layers (track 10) and a viewer (2) with slot 20.
fn classroom() -> Scene {
    let mut scene = Scene::new();
    scene.join(1);
    scene.join(2);
    scene.add_simulcast(10, 1);
    scene.add_slot(20, 2, Kind::Video, 2000, vp8(), None);
    scene.command(Command::Assign { slot: 20, track: Some(10) });
    scene
}

/// One frame in each of these layers, every 33 ms; layer n is filled with n.
fn pictures(scene: &mut Scene, layers: &[usize], key: bool, count: u16, first: u16) {
    for n in 0..count {
        for layer in layers {
            scene.layer(1, 10, 1000, *layer, &frame(key && n == 0, first + n, *layer as u8));
        }
        scene.advance(33);
    }
}

fn layers_told(scene: &Scene) -> Vec<Option<u8>> {
    scene.events.iter().filter_map(|e| if let Event::Layer { slot: 20, layer } = e { Some(*layer) } else { None }).collect()
}

#[test]
fn layers_are_told_apart_by_rid_and_the_best_one_is_played() {
    let mut scene = classroom();
    pictures(&mut scene, &[0, 1, 2], true, 40, 100);
    // The upper layers come to be known while the lowest plays; the switch waits for a key frame.
    pictures(&mut scene, &[0, 1, 2], true, 20, 140);
    let got = scene.client(2).take(2000);
    assert_decodable(&got);
    assert_eq!((got[0].payload[8], got.last().unwrap().payload[8]), (0, 2));
    assert_eq!(layers_told(&scene), vec![Some(0), Some(2)]);
}

#[test]
fn a_viewer_with_a_small_place_gets_a_small_layer_and_one_that_looks_away_nothing() {
    let mut scene = classroom();
    scene.command(Command::LimitSlot { slot: 20, most: Some(1) });
    pictures(&mut scene, &[0, 1, 2], true, 20, 100);
    pictures(&mut scene, &[0, 1, 2], true, 20, 120);
    let got = scene.client(2).take(2000);
    assert_decodable(&got);
    assert_eq!(got.last().unwrap().payload[8], 1);
    scene.command(Command::LimitSlot { slot: 20, most: None });
    pictures(&mut scene, &[0, 1, 2], false, 10, 140);
    assert!(scene.client(2).take(2000).is_empty(), "nothing for an unseen place");
    scene.command(Command::LimitSlot { slot: 20, most: Some(0) });
    pictures(&mut scene, &[0, 1, 2], true, 10, 150);
    let again = scene.client(2).take(2000);
    assert_eq!(again.last().unwrap().payload[8], 0);
    // It looked away.
    assert_decodable_within(45_000, &[got, again].concat());
}

#[test]
fn when_the_sender_stops_a_layer_the_one_below_takes_over_without_a_break() {
    let mut scene = classroom();
    pictures(&mut scene, &[0, 1, 2], true, 10, 100);
    pictures(&mut scene, &[0, 1, 2], true, 10, 110);
    scene.client(1).take_requests(1010);
    pictures(&mut scene, &[0, 1], false, 40, 120);
    assert!(scene.client(1).take_requests(1010).1 > 0 || scene.metric("pli_out") > 0, "a key frame of the middle layer is asked for");
    pictures(&mut scene, &[0, 1], true, 10, 160);
    let got = scene.client(2).take(2000);
    // Until a second without it tells that it stopped.
    assert_decodable_within(135_000, &got);
    assert_eq!(got.last().unwrap().payload[8], 1);
    assert_eq!(layers_told(&scene), vec![Some(0), Some(2), Some(1)]);
}

#[test]
fn a_still_screen_of_which_a_picture_comes_each_second_stays_in_its_layer() {
    let mut scene = classroom();
    pictures(&mut scene, &[0, 1], true, 40, 100);
    pictures(&mut scene, &[0, 1], true, 20, 140);
    assert_eq!(layers_told(&scene).last(), Some(&Some(1)));
    let asked = scene.metric("pli_out");
    scene.events.clear();
    scene.client(2).take(2000);
    for n in 160..180 {
        for layer in 0..2u8 {
            scene.layer(1, 10, 1000, usize::from(layer), &frame(false, n, layer));
            scene.advance(4);
        }
        scene.live(992);
    }
    assert_eq!((layers_told(&scene), scene.metric("pli_out") - asked), (vec![], 0));
    let got = scene.client(2).take(2000);
    assert_eq!(got.iter().map(|packet| packet.payload[8]).collect::<Vec<u8>>(), [1; 20]);
    // When nothing comes for longer it is waited for where it was.
    scene.live(5000);
    scene.layer(1, 10, 1000, 1, &frame(false, 180, 1));
    assert_eq!((layers_told(&scene), scene.client(2).take(2000).len(), scene.metric("pli_out") - asked), (vec![], 1, 0));
}

#[test]
fn an_unknown_layer_is_dropped_and_counted() {
    let mut scene = classroom();
    scene.video(1, 4000, &frame(true, 1, 0));
    assert_eq!(scene.metric("dropped_unknown_ssrc"), 1);
    pictures(&mut scene, &[0], true, 2, 1);
    assert_eq!(scene.client(2).take(2000).len(), 2);
}

#[test]
fn a_newcomer_is_shown_the_cached_picture_at_once_and_nobody_is_asked_for_another() {
    let mut scene = Scene::lesson();
    for n in 0..30 {
        scene.video(1, 1000, &frame(n == 0, 100 + n, n as u8));
        scene.advance(33);
    }
    scene.client(1).take_requests(1000);
    scene.join(3);
    scene.add_slot(30, 3, Kind::Video, 3000, vp8(), None);
    scene.command(Command::Assign { slot: 30, track: Some(10) });
    let cached = scene.client(3).take(3000);
    assert_eq!(cached.len(), 30, "everything since the key frame");
    let span = cached[29].timestamp.wrapping_sub(cached[0].timestamp);
    assert!(span < 90 * 20, "a second of history is shown in a moment: {span}");
    for n in 30..40 {
        scene.video(1, 1000, &frame(false, 100 + n, n as u8));
        scene.advance(33);
    }
    let live = scene.client(3).take(3000);
    assert_eq!(live.len(), 10);
    assert!(live.windows(2).all(|w| w[1].timestamp.wrapping_sub(w[0].timestamp) == 3000));
    assert_decodable(&[cached, live].concat());
    assert_eq!(scene.client(1).take_requests(1000).1, 0);
    assert_eq!(scene.metric("cached_starts"), 1);
}

#[test]
fn two_hundred_newcomers_in_a_second_cost_the_sender_two_requests_at_most() {
    let mut scene = Scene::lesson();
    let mut picture = 0;
    let mut show = |scene: &mut Scene, key| {
        picture += 1;
        scene.video(1, 1000, &frame(key, picture, 0));
    };
    show(&mut scene, true);
    scene.advance(2500);
    scene.client(1).take_requests(1000);
    for id in 100..300u64 {
        scene.join(id);
    }
    scene.client(1).take_requests(1000);
    let mut plis = 0;
    for id in 100..300u64 {
        scene.add_slot(id * 10, id, Kind::Video, id as u32 * 100, vp8(), None);
        scene.command(Command::Assign { slot: id * 10, track: Some(10) });
        scene.advance(5);
        let asked = scene.client(1).take_requests(1000).1;
        plis += asked;
        show(&mut scene, asked > 0);
    }
    assert!((1..=2).contains(&plis), "{plis}");
    for id in 100..300u64 {
        assert!(!scene.client(id).take(id as u32 * 100).is_empty(), "{id} sees something");
    }
}

#[test]
fn a_resent_cached_packet_has_the_time_it_was_first_sent_with() {
    let mut scene = Scene::lesson();
    for n in 0..10 {
        scene.video(1, 1000, &frame(n == 0, n, n as u8));
        scene.advance(33);
    }
    scene.join(3);
    scene.add_slot(30, 3, Kind::Video, 3000, vp8(), None);
    scene.command(Command::Assign { slot: 30, track: Some(10) });
    let lost = scene.client(3).take(3000)[4].clone();
    let nack = scene.client(3).seal_rtcp(|rtcp| rtcp.nack(1, 3000, &[lost.sequence]).unwrap());
    scene.send(3, &nack);
    let again = scene.client(3).take(3001);
    assert_eq!((again.len(), again[0].timestamp), (1, lost.timestamp));
    assert_eq!(again[0].payload[2..], lost.payload);
}

#[test]
fn who_comes_while_media_waits_gets_all_of_it_once_and_has_nothing_played_before_its_turn() {
    let mut scene = Scene::lesson();
    scene.video(1, 1000, &frame(true, 0, 0));
    scene.join(3);
    scene.add_slot(30, 3, Kind::Video, 3000, vp8(), None);
    scene.client(2).take(2000);
    let (now, path) = (scene.now, scene.client(1).path);
    for n in 1..100 {
        let (_, mut packet) = scene.packet(1, 1000, super::scene::VP8, 3000, None, &frame(false, n, n as u8));
        scene.shard.receive(now, path, &mut packet);
    }
    scene.shard.command(now, Command::Assign { slot: 30, track: Some(10) });
    assert!(scene.shard.outbox.is_empty() && scene.shard.has_pending());
    scene.shard.play(now);
    assert!(scene.shard.outbox.bytes() > 2 * 99 * 60, "both got it");
    scene.exchange();
    for (client, ssrc, first) in [(2, 2000, 1), (3, 3000, 0)] {
        let fills: Vec<u8> = scene.client(client).take(ssrc).iter().map(|packet| *packet.payload.last().unwrap()).collect();
        assert_eq!(fills, (first..100).collect::<Vec<u8>>());
    }
}

#[test]
fn the_packets_of_a_frame_are_padded_to_one_length_and_decode_to_what_was_sent() {
    let mut scene = Scene::lesson();
    let parts: Vec<Vec<u8>> = (0..4u8).map(|n| [frame(true, 7, n), vec![n; usize::from(n % 2)]].concat()).collect();
    let packets: Vec<Vec<u8>> = parts.iter().map(|part| scene.packet(1, 1000, super::scene::VP8, 0, None, part).1).collect();
    let path = scene.client(1).path;
    for packet in packets {
        let now = scene.now;
        scene.shard.receive(now, path, &mut packet.clone());
    }
    let now = scene.now;
    scene.shard.play(now);
    let runs: Vec<usize> = scene.shard.outbox.runs(64).map(|run| run.count).collect();
    assert_eq!(runs, vec![4], "one run");
    scene.exchange();
    let got = scene.client(2).take(2000);
    assert_eq!(got.iter().map(|p| p.payload[5..].to_vec()).collect::<Vec<_>>(), parts.iter().map(|p| p[5..].to_vec()).collect::<Vec<_>>());
}

#[test]
fn a_lone_tile_begins_whatever_it_takes_since_nothing_is_learned_from_nothing() {
    let mut scene = classroom();
    scene.command(Command::Assign { slot: 20, track: None });
    scene.add_slot_of_rank(21, 2, 2100, 2);
    scene.add_track(11, 1, Kind::Video, 1500, vp8());
    scene.command(Command::Assign { slot: 21, track: Some(11) });
    let big = |key| [frame(key, 1, 0), vec![7; 1100]].concat();
    scene.video(1, 1500, &big(true));
    for _ in 0..400 {
        scene.video(1, 1500, &big(false));
        scene.advance(5);
    }
    assert_eq!(scene.client(2).take(2100).len(), 401);
}

#[test]
fn pictures_numbered_with_seven_bits_go_on_over_the_wrap_and_over_a_change_of_layer() {
    let mut scene = classroom();
    let short = |key, picture: u16, layer| {
        let full = frame(key, picture, layer);
        [&full[..2], &[picture as u8 & 0x7f], &full[4..]].concat()
    };
    for n in 0..400u16 {
        for layer in 0..3u8 {
            // Layers count on their own.
            scene.layer(1, 10, 1000, usize::from(layer), &short(n % 40 == 0, n + 50 * u16::from(layer), layer));
        }
        scene.advance(33);
        if n % 60 == 0 {
            let check = scene.client(2).check(true);
            scene.send(2, &check);
            let check = scene.client(1).check(true);
            scene.send(1, &check);
        }
    }
    let got = scene.client(2).take(2000);
    assert_decodable(&got);
    assert!(got.len() > 390);
    assert_eq!((got[0].payload[8], got.last().unwrap().payload[8]), (0, 2));
    assert_eq!(got.iter().map(|packet| packet.payload[2] & 0x80).min(), Some(0x80), "always fifteen bits wide");
    // A picture that was lost comes again under its own number.
    let lost = &got[got.len() - 50];
    let nack = scene.client(2).seal_rtcp(|rtcp| rtcp.nack(1, 2000, &[lost.sequence]).unwrap());
    scene.send(2, &nack);
    assert_eq!(scene.client(2).take(2001)[0].payload[2..], lost.payload);
}

#[test]
fn pictures_that_play_go_on_when_their_rate_rises_while_nothing_speaks_against_the_connection() {
    let mut scene = Scene::new();
    scene.join(9);
    for id in 1..=4u64 {
        scene.join(id);
        scene.add_track(10 + id, id, Kind::Video, 1000 * id as u32, vp8());
        scene.add_slot_of_rank(90 + id, 9, 9000 + 10 * id as u32, 2);
    }
    // About 145 kbit/s each: four fit into what an estimate starts with, hardly.
    let show = |scene: &mut Scene, frames: usize, packets: usize| {
        for _ in 0..frames {
            for id in 1..=4u64 {
                for _ in 0..packets {
                    let mut payload = frame(true, 1, 0);
                    payload.resize(560, 0);
                    scene.video(id, 1000 * id as u32, &payload);
                }
            }
            scene.advance(33);
        }
    };
    show(&mut scene, 60, 1);
    (1..=4).for_each(|id| scene.command(Command::Assign { slot: 90 + id, track: Some(10 + id) }));
    show(&mut scene, 5, 1);
    // A key frame of each, five times as large, within a second.
    show(&mut scene, 1, 5);
    show(&mut scene, 20, 1);
    let told = |layer| scene.events.iter().filter(|event| matches!(event, Event::Layer { layer: told, .. } if *told == layer)).count();
    assert_eq!((told(Some(0)), told(None)), (4, 0), "begun, and paused");
}

#[test]
fn a_picture_that_has_begun_is_sent_to_its_end_although_the_viewer_no_longer_looks() {
    let mut scene = Scene::lesson();
    // Parts of one picture have one timestamp; the last tells that it is.
    let part = |scene: &mut Scene, step: u32, last: bool, payload: &[u8]| {
        scene.whole = last;
        let (_, packet) = scene.packet(1, 1000, super::scene::VP8, step, None, payload);
        scene.send(1, &packet);
    };
    part(&mut scene, 0, false, &frame(true, 1, 0));
    scene.command(Command::LimitSlot { slot: 20, most: None });
    part(&mut scene, 3000, true, &frame(false, 1, 0)[..]);
    part(&mut scene, 3000, true, &frame(false, 2, 0));
    let got = scene.client(2).take(2000);
    assert_eq!(got.iter().map(|packet| packet.marker).collect::<Vec<_>>(), [false, true], "the whole picture and no other");
    // Half a picture whose rest never comes ends with the next one.
    scene.command(Command::LimitSlot { slot: 20, most: Some(2) });
    assert_eq!(scene.client(2).take(2000).len(), 3, "from the cache");
    part(&mut scene, 3000, false, &frame(true, 3, 0));
    scene.command(Command::LimitSlot { slot: 20, most: None });
    part(&mut scene, 3000, true, &frame(false, 4, 0));
    part(&mut scene, 3000, true, &frame(true, 5, 0));
    assert_eq!(scene.client(2).take(2000).len(), 1);
}
