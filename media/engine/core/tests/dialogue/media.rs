//! What a viewer gets: continuous streams, repaired losses, key frames.

use std::time::Duration;

use jiangtai_core::clock::Clock;
use jiangtai_core::command::Command;
use jiangtai_core::event::Event;
use jiangtai_core::media::{Codec, CodecName, Kind};
use jiangtai_core::outbox::Outbox;
use jiangtai_core::rtcp::{self, ReportBlock, SenderInfo};
use jiangtai_core::rtp::abs_send_time;
use jiangtai_core::twcc::Recorder;

use super::client::Received;
use super::scene::{frame, opus, vp8, Scene, OPUS, RED, VP8, VP8_RTX};

pub fn numbers(packets: &[Received]) -> Vec<u16> {
    packets.iter().map(|p| p.sequence.wrapping_sub(packets[0].sequence)).collect()
}

fn picture(packet: &Received) -> u16 {
    u16::from_be_bytes([packet.payload[2] & 0x7f, packet.payload[3]])
}

#[test]
fn a_viewer_gets_every_frame_rewritten_into_its_slot() {
    let mut scene = Scene::lesson();
    for n in 0..20 {
        scene.video(1, 1000, &frame(n == 0, 100 + n, n as u8));
        scene.advance(33);
    }
    let got = scene.client(2).take(2000);
    assert_eq!(numbers(&got), (0..20).collect::<Vec<u16>>());
    assert!(got.iter().all(|p| p.pt == VP8 && p.marker && p.mid.as_deref() == Some("s20")));
    assert!(got.windows(2).all(|w| w[1].timestamp.wrapping_sub(w[0].timestamp) == 3000));
    assert!(got.windows(2).all(|w| picture(&w[1]) == (picture(&w[0]) + 1) & 0x7fff));
    let numbers: Vec<u16> = got.iter().map(|p| p.twcc.unwrap()).collect();
    assert!(numbers.windows(2).all(|w| w[1] == w[0].wrapping_add(1)));
    assert_eq!(got[7].payload[8..], frame(false, 0, 7)[8..]);
    assert_eq!(scene.client(2).too_late, 0, "nothing is sent twice");
}

#[test]
fn a_late_viewer_starts_with_a_key_frame_that_was_asked_for() {
    let mut scene = Scene::lesson();
    scene.video(1, 1000, &frame(true, 1, 0));
    scene.advance(2000);
    scene.client(1).take_requests(1000);
    scene.join(3);
    scene.add_slot(30, 3, Kind::Video, 3000, vp8(), None);
    scene.command(Command::Assign { slot: 30, track: Some(10) });
    scene.advance(5);
    assert_eq!(scene.client(1).take_requests(1000).1, 1);
    scene.video(1, 1000, &frame(false, 2, 0));
    assert!(scene.client(3).take(3000).is_empty());
    scene.video(1, 1000, &frame(true, 3, 0));
    assert_eq!(scene.client(3).take(3000).len(), 1);
    assert_eq!(scene.client(2).take(2000).len(), 3, "the others miss nothing");
}

#[test]
fn an_unanswered_key_frame_request_is_repeated() {
    let mut scene = Scene::lesson();
    scene.video(1, 1000, &frame(false, 1, 0));
    scene.advance(3000);
    let plis = scene.client(1).take_requests(1000).1;
    assert!((2..=4).contains(&plis), "{plis}");
}

#[test]
fn g09_a_thousand_receivers_asking_make_two_requests_a_second_at_most() {
    let mut scene = Scene::lesson();
    scene.video(1, 1000, &frame(true, 1, 0));
    scene.advance(1000);
    scene.client(1).take_requests(1000);
    let mut plis = 0;
    for n in 0..1000 {
        let pli = scene.client(2).seal_rtcp(|rtcp| rtcp.pli(1, 2000).unwrap());
        scene.send(2, &pli);
        scene.advance(1);
        let asked = scene.client(1).take_requests(1000).1;
        if asked > 0 {
            scene.video(1, 1000, &frame(true, 2 + n, 0));
        }
        plis += asked;
    }
    assert!((1..=2).contains(&plis), "{plis}");
}

#[test]
fn a_packet_lost_on_the_way_in_is_asked_for_and_passed_on_when_it_comes() {
    let mut scene = Scene::lesson();
    scene.video(1, 1000, &frame(true, 1, 0));
    let lost = frame(false, 2, 22);
    let (sequence, _) = scene.packet(1, 1000, VP8, 3000, None, &lost);
    scene.video(1, 1000, &frame(false, 3, 33));
    scene.advance(15);
    assert_eq!(scene.client(1).take_requests(1000).0, vec![sequence]);
    scene.resend(1, 1000, sequence, 0xffff_f000u32.wrapping_add(3000), &lost);
    let got = scene.client(2).take(2000);
    assert_eq!(numbers(&got), vec![0, 2, 1]);
    assert_eq!((got[2].pt, got[2].payload[8]), (VP8, 22));
    scene.advance(200);
    assert!(scene.client(1).take_requests(1000).0.is_empty(), "not asked for again");
}

#[test]
fn a_receivers_nack_is_answered_on_the_rtx_stream() {
    let mut scene = Scene::lesson();
    for n in 0..50 {
        scene.video(1, 1000, &frame(n == 0, n, n as u8));
        scene.advance(10);
    }
    let got = scene.client(2).take(2000);
    let lost = &got[30];
    let nack = scene.client(2).seal_rtcp(|rtcp| rtcp.nack(1, 2000, &[lost.sequence]).unwrap());
    scene.send(2, &nack);
    let again = scene.client(2).take(2001);
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].pt, again[0].timestamp), (VP8_RTX, lost.timestamp));
    assert_eq!(again[0].payload[..2], lost.sequence.to_be_bytes());
    assert_eq!(again[0].payload[2..], lost.payload);
    // Before the first packet and after the last there is nothing.
    let bogus = scene.client(2).seal_rtcp(|rtcp| rtcp.nack(1, 2000, &[got[0].sequence.wrapping_sub(1), got[49].sequence + 1]).unwrap());
    scene.send(2, &bogus);
    assert!(scene.client(2).take(2001).is_empty());
}

#[test]
fn a_switch_waits_for_a_key_frame_and_leaves_no_gap() {
    let mut scene = Scene::lesson();
    scene.join(3);
    scene.add_track(11, 3, Kind::Video, 1100, vp8());
    for n in 0..5 {
        scene.video(1, 1000, &frame(n == 0, 500 + n, 1));
        scene.advance(33);
    }
    scene.command(Command::Assign { slot: 20, track: Some(11) });
    scene.advance(5);
    scene.video(3, 1100, &frame(false, 7, 2));
    scene.advance(1);
    assert_eq!(scene.client(3).take_requests(1100).1, 1);
    scene.video(1, 1000, &frame(false, 505, 1));
    scene.advance(33);
    scene.video(3, 1100, &frame(true, 8, 2));
    scene.video(1, 1000, &frame(false, 506, 1));
    scene.advance(33);
    scene.video(3, 1100, &frame(false, 9, 2));
    let got = scene.client(2).take(2000);
    assert_eq!(numbers(&got), (0..8).collect::<Vec<u16>>());
    assert_eq!(got.iter().map(|p| p.payload[8]).collect::<Vec<u8>>(), vec![1, 1, 1, 1, 1, 1, 2, 2]);
    assert!(got.windows(2).all(|w| picture(&w[1]) == (picture(&w[0]) + 1) & 0x7fff));
    let step = got[6].timestamp.wrapping_sub(got[5].timestamp);
    assert!((2900..=3100).contains(&step), "33 ms at 90 kHz: {step}");
}

#[test]
fn a_paused_slot_is_silent_and_resumes_with_a_key_frame() {
    let mut scene = Scene::lesson();
    scene.video(1, 1000, &frame(true, 1, 0));
    scene.command(Command::Assign { slot: 20, track: None });
    scene.video(1, 1000, &frame(true, 2, 0));
    scene.live(2_100);
    scene.command(Command::Assign { slot: 20, track: Some(10) });
    scene.video(1, 1000, &frame(false, 3, 0));
    scene.video(1, 1000, &frame(true, 4, 0));
    let got = scene.client(2).take(2000);
    assert_eq!(numbers(&got), vec![0, 1]);
}

#[test]
fn a_stopped_track_that_may_send_again_starts_anew_without_a_gap() {
    let mut scene = Scene::lesson();
    scene.video(1, 1000, &frame(true, 1, 0));
    scene.command(Command::SetTrack { track: 10, allowed: false, priority: false });
    for n in 0..5 {
        scene.video(1, 1000, &frame(false, 2 + n, 0));
    }
    scene.command(Command::SetTrack { track: 10, allowed: true, priority: false });
    scene.video(1, 1000, &frame(false, 8, 0));
    scene.video(1, 1000, &frame(true, 9, 0));
    scene.advance(100);
    assert_eq!(numbers(&scene.client(2).take(2000)), vec![0, 1]);
    assert!(scene.client(1).take_requests(1000).0.is_empty(), "what was refused is not loss");
}

#[test]
fn redundant_audio_is_passed_on_or_reduced_to_what_the_receiver_speaks() {
    let red =
        |opus_pt| vec![Codec { pt: opus_pt, name: CodecName::Opus, rtx_pt: None }, Codec { pt: RED, name: CodecName::Red, rtx_pt: None }];
    let mut scene = Scene::new();
    for id in 1..=3 {
        scene.join(id);
    }
    scene.add_track(10, 1, Kind::Audio, 1000, red(OPUS));
    scene.add_slot(20, 2, Kind::Audio, 2000, red(109), None);
    scene.add_slot(30, 3, Kind::Audio, 3000, opus(), None);
    for slot in [20, 30] {
        scene.command(Command::Assign { slot, track: Some(10) });
    }
    // One redundant block of two bytes, then the primary.
    let payload = [0x80 | OPUS, 0x0f, 0x00, 0x02, OPUS, 0xaa, 0xbb, 0x78, 1, 2, 3];
    let (_, packet) = scene.packet(1, 1000, RED, 960, Some(30), &payload);
    scene.send(1, &packet);
    let got = scene.client(2).take(2000);
    assert_eq!((got[0].pt, got[0].payload.as_slice()), (RED, &[0x80 | 109, 0x0f, 0x00, 0x02, 109, 0xaa, 0xbb, 0x78, 1, 2, 3][..]));
    let got = scene.client(3).take(3000);
    assert_eq!((got[0].pt, got[0].payload.as_slice()), (OPUS, &[0x78, 1, 2, 3][..]));
}

#[test]
fn sender_reports_keep_the_senders_own_clock_relation() {
    let mut scene = Scene::lesson();
    let first = {
        scene.video(1, 1000, &frame(true, 1, 0));
        scene.client(2).take(2000)[0].clone()
    };
    // The sender's clock is 1000 s behind ours; its timestamp 0xffff_f000 was captured 80 ms before it says so.
    let ntp = (1_700_000_000u64 + 2_208_988_800 - 1000) << 32;
    let info = SenderInfo { ssrc: 1000, ntp, rtp_timestamp: 0xffff_f000u32.wrapping_add(7200), packets: 1, octets: 1 };
    let report = scene.client(1).seal_rtcp(|rtcp| rtcp.sender_report(&info, &[]).unwrap());
    scene.send(1, &report);
    let at = scene.now;
    scene.client(2).rtcp.clear();
    scene.advance(2000);
    let reports: Vec<SenderInfo> = scene
        .client(2)
        .rtcp
        .iter()
        .flat_map(|c| {
            rtcp::parse(c).unwrap().filter_map(|p| match p.unwrap() {
                rtcp::Packet::SenderReport(report) => Some(report.info),
                _ => None,
            })
        })
        .collect();
    let last = reports.last().expect("a sender report each second");
    assert_eq!((last.ssrc, last.packets), (2000, 1));
    // From the moment the sender's report arrived, media time passes as our clock does.
    let arrived = 3_908_988_800.0 + at.duration_since(scene.start).as_secs_f64();
    let wall = last.ntp as f64 / 4_294_967_296.0 - arrived;
    let media = f64::from(last.rtp_timestamp.wrapping_sub(first.timestamp.wrapping_add(7200)) as i32) / 90_000.0;
    assert!(wall > 0.5 && (media - wall).abs() < 0.001, "{media} s of media in {wall} s");
}

#[test]
fn round_trip_and_loss_from_a_receivers_report_are_told() {
    let mut scene = Scene::lesson();
    scene.video(1, 1000, &frame(true, 1, 0));
    scene.advance(1100);
    let sr = scene.client(2).rtcp.iter().rev().find_map(|c| {
        rtcp::parse(c).unwrap().find_map(|p| match p.unwrap() {
            rtcp::Packet::SenderReport(report) => Some(report.info.ntp),
            _ => None,
        })
    });
    let lsr = (sr.unwrap() >> 16) as u32;
    scene.advance(140);
    // Held for 100 ms by the receiver.
    let block = ReportBlock { ssrc: 2000, fraction_lost: 64, last_sr: lsr, delay_since_last_sr: 6554, ..ReportBlock::default() };
    let report = scene.client(2).seal_rtcp(|rtcp| rtcp.receiver_report(7, &[block]).unwrap());
    scene.send(2, &report);
    scene.advance(3000);
    let quality = scene.events.iter().rev().find_map(|e| match e {
        Event::Quality { peer: 2, rtt_ms, loss_out: Some(loss_out), .. } if *loss_out > 0 => Some((*rtt_ms, *loss_out)),
        _ => None,
    });
    let (rtt, loss) = quality.expect("told");
    assert!(rtt < 250 && loss == 250, "{rtt} ms, {loss} permille");
    // Nothing is reported any more: that is not the same as nothing lost.
    scene.live(4000);
    assert!(matches!(
        scene.events.iter().rev().find(|e| matches!(e, Event::Quality { peer: 2, .. })),
        Some(Event::Quality { loss_out: None, .. })
    ));
}

#[test]
fn transport_wide_feedback_reaches_the_publisher_within_a_tenth_of_a_second() {
    let mut scene = Scene::lesson();
    for n in 0..10 {
        scene.video(1, 1000, &frame(n == 0, n, 0));
        scene.advance(10);
    }
    let reported: usize = scene
        .client(1)
        .rtcp
        .iter()
        .flat_map(|c| rtcp::parse(c).unwrap())
        .filter_map(|p| match p.unwrap() {
            rtcp::Packet::Twcc(feedback) => Some(feedback.arrivals().filter(|(_, at)| at.is_some()).count()),
            _ => None,
        })
        .sum();
    assert!(reported >= 5, "{reported} of 10");
}

#[test]
fn a_track_is_told_when_packets_begin_and_when_they_stop() {
    let mut scene = Scene::lesson();
    scene.video(1, 1000, &frame(true, 1, 0));
    scene.live(4000);
    let told: Vec<bool> = scene
        .events
        .iter()
        .filter_map(|e| match e {
            Event::Track { track: 10, sending, codec: "vp8" } => Some(*sending),
            _ => None,
        })
        .collect();
    assert_eq!(told, vec![true, false]);
}

#[test]
fn what_may_not_be_sent_is_told_of_and_so_is_its_end() {
    let mut scene = Scene::lesson();
    scene.command(Command::SetTrack { track: 10, allowed: false, priority: false });
    for n in 0..10 {
        scene.video(1, 1000, &frame(n == 0, n, 0));
        scene.advance(33);
    }
    let told = |scene: &Scene| -> Vec<bool> {
        let of = |event: &Event| if let Event::Track { track: 10, sending, .. } = event { Some(*sending) } else { None };
        scene.events.iter().filter_map(of).collect()
    };
    assert_eq!(told(&scene), vec![true]);
    // Permitted while it goes on: it was told already.
    scene.command(Command::SetTrack { track: 10, allowed: true, priority: false });
    scene.video(1, 1000, &frame(true, 10, 0));
    scene.advance(33);
    assert_eq!((told(&scene), scene.metric("dropped_not_allowed")), (vec![true], 10));
    scene.live(4000);
    assert_eq!(told(&scene), vec![true, false]);
}

#[test]
fn a_receiver_that_loses_sound_gets_each_word_again_with_the_next_ones_until_it_loses_no_more() {
    let mut scene = Scene::new();
    scene.join(1);
    scene.join(2);
    scene.add_track(11, 1, Kind::Audio, 1100, opus());
    let takes = [opus(), vec![Codec { pt: RED, name: CodecName::Red, rtx_pt: None }]].concat();
    scene.add_slot(30, 2, Kind::Audio, 3000, takes, Some(0));
    let mut word = 0u8;
    let mut say = |scene: &mut Scene, count: u8| {
        for _ in 0..count {
            word += 1;
            let (_, packet) = scene.packet(1, 1100, OPUS, 960, Some(20), &[0x78, word, word, word]);
            scene.send(1, &packet);
            scene.advance(20);
        }
    };
    say(&mut scene, 5);
    assert!(scene.client(2).take(3000).iter().all(|p| p.pt == OPUS));
    let report = |scene: &mut Scene, fraction_lost: u8| {
        let block = ReportBlock { ssrc: 3000, fraction_lost, ..ReportBlock::default() };
        let report = scene.client(2).seal_rtcp(|rtcp| rtcp.receiver_report(1, &[block]).unwrap());
        scene.send(2, &report);
    };
    report(&mut scene, 77);
    say(&mut scene, 1);
    let got = scene.client(2).take(3000);
    let red = jiangtai_core::red::Red::parse(&got[0].payload).unwrap();
    let blocks: Vec<(u16, u8)> = red.redundant().map(|block| (block.offset, block.data[1])).collect();
    assert_eq!((got[0].pt, red.primary.payload_type, red.primary.data[1]), (RED, OPUS, 6));
    assert_eq!(blocks, vec![(1920, 4), (960, 5)]);
    report(&mut scene, 0);
    scene.live(10_500);
    say(&mut scene, 2);
    assert!(scene.client(2).take(3000).iter().all(|p| p.pt == OPUS));
}

#[test]
fn a_receiver_without_redundant_payloads_gets_the_same_packets_again_instead() {
    let mut scene = Scene::new();
    scene.join(1);
    scene.join(2);
    scene.add_track(11, 1, Kind::Audio, 1100, opus());
    scene.add_slot(30, 2, Kind::Audio, 3000, opus(), Some(0));
    let say = |scene: &mut Scene, word: u8| {
        let (_, packet) = scene.packet(1, 1100, OPUS, 960, Some(20), &[0x78, word, word, word]);
        scene.send(1, &packet);
        scene.advance(20);
    };
    (1..5).for_each(|word| say(&mut scene, word));
    let report = |scene: &mut Scene, fraction_lost: u8| {
        let block = ReportBlock { ssrc: 3000, fraction_lost, ..ReportBlock::default() };
        let report = scene.client(2).seal_rtcp(|rtcp| rtcp.receiver_report(1, &[block]).unwrap());
        scene.send(2, &report);
    };
    report(&mut scene, 77);
    scene.client(2).take(3000);
    let lost_before = scene.client(2).too_late;
    (5..9).for_each(|word| say(&mut scene, word));
    let got: Vec<u8> = scene.client(2).take(3000).iter().map(|p| p.payload[1]).collect();
    assert_eq!(got, vec![5, 6, 7, 8], "what came already is a replay");
    assert_eq!((scene.client(2).too_late - lost_before, scene.metric("repeated_out")), (5, 5));
    // What is still missing says that as much is lost as before.
    report(&mut scene, 7);
    scene.live(4_000);
    (9..12).for_each(|word| say(&mut scene, word));
    let got = scene.client(2).take(3000).len() as u64;
    assert!(got > 0 && scene.metric("repeated_out") == 5 + 2 * got);
    report(&mut scene, 0);
    scene.live(10_500);
    (12..20).for_each(|word| say(&mut scene, word));
    let last = scene.client(2).take(3000).len() as u64;
    assert!(last > 0 && scene.metric("repeated_out") == 5 + 2 * got);
}

#[test]
fn how_long_it_took_to_send_to_the_first_of_a_crowd_is_no_delay_of_the_last_ones() {
    let mut scene = Scene::new();
    scene.join(1);
    scene.add_track(10, 1, Kind::Video, 1000, vp8());
    let viewers: Vec<u64> = (2..50).collect();
    for viewer in viewers.iter().copied() {
        scene.join(viewer);
        scene.add_slot(20 + viewer, viewer, Kind::Video, 2000, vp8(), None);
        scene.command(Command::Assign { slot: 20 + viewer, track: Some(10) });
    }
    scene.video(1, 1000, &frame(true, 1, 0));
    viewers.iter().for_each(|viewer| scene.client(*viewer).rtp.clear());
    let (now, mut packets) = (scene.now, Vec::new());
    let mut large = frame(false, 2, 1);
    large.resize(1100, 0);
    for _ in 0..6 {
        let (_, mut packet) = scene.packet(1, 1000, VP8, 3000, None, &large);
        let path = scene.client(1).path;
        scene.shard.receive(now, path, &mut packet);
    }
    let took = Duration::from_millis(20);
    let mut calls = 0;
    let mut collect = |outbox: &mut Outbox| {
        packets.extend(outbox.iter().map(|(to, bytes)| (to, bytes.to_vec())));
        outbox.clear();
        calls += 1;
        now + took * calls
    };
    scene.shard.play_and_send(now, &mut collect);
    collect(&mut scene.shard.outbox);
    for (to, bytes) in packets {
        scene.clients.values_mut().filter(|client| client.path == to).for_each(|client| client.receive(now, &bytes));
    }
    let clock = Clock::new(scene.start, Duration::ZERO);
    let told = |after: u32| abs_send_time(clock.micros(now + took * after));
    let times: Vec<_> =
        viewers.iter().map(|viewer| scene.clients[viewer].rtp.iter().map(|p| p.send_time.unwrap()).collect::<Vec<_>>()).collect();
    assert_eq!(times.first().unwrap(), &[told(0); 6]);
    assert_eq!(times.last().unwrap(), &[told(1); 6]);
}

#[test]
fn who_was_silent_for_two_seconds_sees_again_as_soon_as_it_speaks() {
    let mut scene = Scene::lesson();
    let mut recorder = Recorder::new();
    let mut got = Vec::new();
    // 1.1 Mbit/s in packets of 8 ms, a key frame every 0.2 s.
    for n in 0..450u32 {
        let ms = u64::from(n) * 8;
        let mut payload = frame(n % 25 == 0, n as u16, 0);
        payload.resize(1100, 0);
        scene.video(1, 1000, &payload);
        for packet in scene.client(2).take(2000) {
            recorder.record(packet.twcc.unwrap(), ms * 1000);
            got.push(ms);
        }
        let speaks = !(300..2600).contains(&ms);
        if speaks && n % 12 == 0 && recorder.pending() {
            let feedback = scene.client(2).seal_rtcp(|rtcp| {
                rtcp.receiver_report(1, &[]).unwrap();
                rtcp.twcc(&mut recorder, 1, 2000).unwrap();
            });
            scene.send(2, &feedback);
        }
        scene.advance(8);
    }
    let during = |span: std::ops::Range<u64>| got.iter().filter(|at| span.contains(at)).count();
    assert!(during(0..1700) > 200, "it plays at first: {}", during(0..1700));
    assert_eq!(during(2300..2600), 0, "and is paused when nothing is heard");
    assert!(during(3100..3600) > 60, "it plays again: {}", during(3100..3600));
}

#[test]
fn sound_comes_again_a_second_after_packets_began_to_be_lost_and_as_long_as_copies_repair_it_all() {
    let mut scene = Scene::lesson();
    scene.add_track(11, 1, Kind::Audio, 1100, opus());
    scene.add_slot(30, 2, Kind::Audio, 3000, opus(), Some(0));
    let mut recorder = Recorder::new();
    let mut pictures = 0u16;
    // 50 words and pictures a second, `lost` of 10 of them on the way; how often words were repeated.
    let mut say = |scene: &mut Scene, seconds: u32, lost: u32| {
        let before = scene.metric("repeated_out");
        for n in 0..50 * seconds {
            pictures += 1;
            scene.video(1, 1000, &frame(pictures % 50 == 1, pictures, 0));
            scene.audio(1, 1100, 20);
            let at_us = scene.now.duration_since(scene.start).as_micros() as u64;
            let got = [scene.client(2).take(2000), scene.client(2).take(3000)].concat();
            got.iter().filter(|_| n % 10 >= lost).filter_map(|packet| packet.twcc).for_each(|number| recorder.record(number, at_us));
            if n % 5 == 4 && recorder.pending() {
                let feedback = scene.client(2).seal_rtcp(|rtcp| {
                    // All is repaired, it says.
                    rtcp.receiver_report(1, &[ReportBlock { ssrc: 3000, ..ReportBlock::default() }]).unwrap();
                    rtcp.twcc(&mut recorder, 1, 3000).unwrap();
                });
                scene.send(2, &feedback);
            }
            scene.advance(20);
        }
        scene.metric("repeated_out") - before
    };
    assert_eq!(say(&mut scene, 3, 0), 0);
    assert!(say(&mut scene, 3, 3) >= 2 * 50, "3 of 10 lost: two copies of each word, after 2 s at the latest");
    assert_eq!(say(&mut scene, 12, 3), 2 * 12 * 50, "and no end to it while packets are lost");
    say(&mut scene, 13, 0);
    assert_eq!(say(&mut scene, 3, 0), 0);
}
