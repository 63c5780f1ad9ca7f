//! Bad datagrams: nothing changes but a counter, and two good peers go on (cases G01, G02, G05-G08, G10, G11, G13; G09 is in
//! `keyframe`, G12 in `bwe/hostile`, G15 in the fuzz targets, G16 in `tests/hostile/test_media_flood.py`; G14: no data channels).

use jiangtai_core::command::Command;
use jiangtai_core::event::Event;
use jiangtai_core::media::{Codec, CodecName, Kind};
use jiangtai_core::outbox::Path;
use jiangtai_core::rtp::Header;
use jiangtai_core::stun;

use super::client::MID;
use super::scene::{frame, opus, Scene, OPUS, RED, VP8};

/// The bystanders: media between 1 and 2 flows.
fn flows(scene: &mut Scene) {
    scene.client(2).take(2000);
    scene.video(1, 1000, &frame(true, 77, 0));
    assert_eq!(scene.client(2).take(2000).len(), 1, "bystanders' media flows");
}

#[test]
fn checks_without_the_password_change_nothing_and_get_no_answer() {
    let mut scene = Scene::lesson();
    let stranger = Path::udp(([10, 6, 6, 6], 666).into());
    let good = scene.client(1).check(true);
    let mut forged = scene.client(1).ice.clone();
    forged.local_pwd = "guess".into();
    let wrong_password = scene.client(1).check_with(&forged, true);
    forged.local_ufrag = "nobody".into();
    let unknown = scene.client(1).check_with(&forged, true);
    let mut bad_fingerprint = good.clone();
    *bad_fingerprint.last_mut().unwrap() ^= 1;
    let mut no_integrity = good[..20].to_vec();
    no_integrity[2..4].copy_from_slice(&[0, 0]);
    let mut huge_attribute = good.clone();
    huge_attribute[22..24].copy_from_slice(&[0xff, 0xff]);
    for datagram in [wrong_password, unknown, bad_fingerprint, no_integrity, huge_attribute, vec![0; 20], vec![1], good[..30].to_vec()] {
        scene.shard.receive(scene.now, stranger, &mut datagram.clone());
        assert!(scene.shard.outbox.is_empty(), "no answer to {datagram:02x?}");
        assert!(!scene.shard.knows(stranger));
    }
    flows(&mut scene);
}

#[test]
fn nothing_from_an_unchecked_address_reaches_dtls_or_srtp() {
    let mut scene = Scene::lesson();
    scene.open(3);
    let now = scene.now;
    let client = scene.client(3);
    client.tick(now);
    let hello = client.outgoing.pop_front().unwrap();
    let stranger = Path::udp(([10, 6, 6, 6], 666).into());
    scene.send_from(stranger, &hello);
    let (_, media) = scene.packet(1, 1000, VP8, 3000, None, &frame(true, 1, 0));
    scene.send_from(stranger, &media);
    assert_eq!((scene.metric("dropped_no_pair"), scene.metric("dtls_in")), (2, scene.metric("dtls_in")));
    assert!(scene.client(2).take(2000).is_empty());
    // The same packet from the right address is still good: no window moved.
    scene.send(1, &media);
    assert_eq!(scene.client(2).take(2000).len(), 1);
    // Its first flight was lost; it comes again after a second.
    scene.handshake(3);
    scene.advance(1500);
    assert!(scene.client(3).srtp.is_some(), "the victim's handshake completes");
}

#[test]
fn a_forged_source_address_cannot_take_over_a_pair_in_use() {
    let mut scene = Scene::lesson();
    scene.join(3);
    let victim = scene.client(1).path;
    let check = scene.client(3).check(true);
    scene.send_from(victim, &check);
    assert_eq!(scene.metric("dropped_stun_path_taken"), 1);
    flows(&mut scene);
}

#[test]
fn a_forged_source_address_gets_no_media() {
    let mut scene = Scene::lesson();
    let victim = Path::udp(([10, 7, 7, 7], 777).into());
    let (mut sent, mut got) = (0, 0);
    for n in 0..100 {
        let mut check = scene.client(2).check(true);
        sent += check.len();
        scene.shard.receive(scene.now, victim, &mut check);
        let (_, mut media) = scene.packet(1, 1000, VP8, 3000, None, &frame(n == 0, n, 0));
        let publisher = scene.client(1).path;
        scene.shard.receive(scene.now, publisher, &mut media);
        scene.shard.play(scene.now);
        let to_victim: Vec<&[u8]> = scene.shard.outbox.iter().filter(|(to, _)| *to == victim).map(|(_, bytes)| bytes).collect();
        assert!(to_victim.iter().all(|bytes| bytes[0] < 2), "nothing but checks and their answers");
        got += to_victim.iter().map(|bytes| bytes.len()).sum::<usize>();
        scene.exchange();
        scene.advance(20);
    }
    assert_eq!(scene.client(2).take(2000).len(), 100, "its own address is served all the time");
    assert!(got < 2 * sent, "{got} bytes for {sent}");
    assert_eq!(scene.metric("path_changes"), 0);
}

#[test]
fn only_the_right_answer_to_the_right_question_proves_an_address() {
    let mut scene = Scene::lesson();
    let victim = Path::udp(([10, 7, 7, 7], 777).into());
    let mut check = scene.client(2).check(true);
    scene.shard.receive(scene.now, victim, &mut check);
    let question = scene.shard.outbox.iter().map(|(_, bytes)| bytes.to_vec()).find(|bytes| bytes[..2] == [0, 1]).unwrap();
    scene.shard.outbox.clear();
    let good = scene.client(2).answer(&question).unwrap();
    let mut guessed = question.clone();
    guessed[8] ^= 1;
    let mut other_transaction = stun_answer(&guessed, b"client-password-2-0");
    let mut wrong_key = stun_answer(&question, b"guess");
    let mut refusal = good.clone();
    refusal[..2].copy_from_slice(&[1, 0x11]);
    let own = scene.client(2).path;
    for (from, answer, counted) in [
        (victim, &mut other_transaction, "dropped_stun_unasked"),
        (victim, &mut wrong_key, "dropped_stun_integrity"),
        (own, &mut good.clone(), "dropped_stun_unasked"),
        (Path::udp(([10, 7, 7, 8], 777).into()), &mut good.clone(), "dropped_stun_unasked"),
        (victim, &mut refusal, "dropped_stun_fingerprint"),
    ] {
        let before = scene.metric(counted);
        scene.shard.receive(scene.now, from, answer);
        assert_eq!(scene.metric(counted), before + 1);
        flows(&mut scene);
    }
    assert_eq!(scene.metric("path_changes"), 0);
    scene.client(2).path = victim;
    scene.send_from(victim, &good);
    assert_eq!(scene.metric("path_changes"), 1);
    flows(&mut scene);
}

#[test]
fn who_forges_an_address_before_its_owner_comes_does_not_keep_the_owner_out() {
    let mut scene = Scene::lesson();
    scene.open(3);
    let owners = scene.client(3).path;
    let check = scene.client(2).check(true);
    scene.send_from(owners, &check);
    scene.handshake(3);
    assert!(scene.events.contains(&Event::Connected { peer: 3, tcp: false }));
    assert_eq!(scene.metric("dropped_stun_path_taken"), 0);
    flows(&mut scene);
}

/// A success response to a check, made with any password.
fn stun_answer(question: &[u8], password: &[u8]) -> Vec<u8> {
    let mut head = question[..20].to_vec();
    head[2..4].copy_from_slice(&[0, 0]);
    let question = stun::Message::parse(&head).unwrap();
    let mut out = [0u8; 128];
    let len = stun::binding_success(&mut out, &question, ([192, 0, 2, 1], 1).into(), &stun::Key::new(password)).unwrap();
    out[..len].to_vec()
}

#[test]
fn replayed_forged_and_short_packets_are_dropped_and_counted() {
    let mut scene = Scene::lesson();
    let (_, packet) = scene.packet(1, 1000, VP8, 3000, None, &frame(true, 1, 0));
    for _ in 0..1000 {
        scene.send(1, &packet);
    }
    assert_eq!(scene.client(2).take(2000).len(), 1);
    assert_eq!(scene.metric("dropped_srtp_replay"), 999);
    let (_, fresh) = scene.packet(1, 1000, VP8, 3000, None, &frame(false, 2, 0));
    let mut forged = fresh.clone();
    *forged.last_mut().unwrap() ^= 1;
    scene.send(1, &forged);
    let mut far = fresh.clone();
    far[2] ^= 0x40;
    scene.send(1, &far);
    for len in [1, 11, 12, 20, 27] {
        scene.send(1, &fresh[..len]);
    }
    scene.send(1, &[0x80, 200, 0, 0, 0, 0, 0, 0]);
    assert!(scene.client(2).take(2000).is_empty());
    scene.send(1, &fresh);
    assert_eq!(scene.client(2).take(2000).len(), 1, "the real packet is still welcome");
    flows(&mut scene);
}

#[test]
fn ten_thousand_sources_are_bounded_and_steal_nothing() {
    let mut scene = Scene::lesson();
    scene.join(3);
    for ssrc in 0..10_000u32 {
        // The mid of somebody else's track names nothing here.
        let header = Header { payload_type: VP8, marker: true, sequence: 1, timestamp: 0, ssrc: 500_000 + ssrc };
        // A sealer refuses so many sources, too: each attempt has a new one with the same keys.
        scene.client(3).renew_sealer();
        let packet = scene.client(3).seal(&header, &[(MID, b"t10")], &frame(true, 1, 0));
        scene.send(3, &packet);
    }
    scene.advance(1500);
    let told: u64 = scene
        .events
        .iter()
        .filter_map(|e| match e {
            Event::Violation { peer: 3, count, .. } => Some(*count),
            _ => None,
        })
        .sum();
    assert_eq!(told, 10_000);
    let tellings = scene.events.iter().filter(|e| matches!(e, Event::Violation { peer: 3, .. })).count();
    assert!(tellings <= 6, "coalesced: {tellings}");
    assert!(scene.client(2).take(2000).is_empty());
    // Another publisher's source, sent on one's own transport, is not that publisher's track.
    scene.join(4);
    let header = Header { payload_type: VP8, marker: true, sequence: 1, timestamp: 0, ssrc: 1000 };
    let packet = scene.client(4).seal(&header, &[], &frame(true, 1, 0));
    scene.send(4, &packet);
    assert!(scene.client(2).take(2000).is_empty());
    flows(&mut scene);
}

#[test]
fn who_may_not_send_is_not_forwarded_and_is_told_of() {
    let mut scene = Scene::lesson();
    scene.command(Command::SetTrack { track: 10, allowed: false, priority: false });
    for n in 0..100 {
        scene.video(1, 1000, &frame(true, n, 0));
        scene.advance(10);
    }
    scene.advance(1000);
    assert!(scene.client(2).take(2000).is_empty());
    assert_eq!(scene.metric("dropped_not_allowed"), 100);
    let counts: Vec<u64> = scene
        .events
        .iter()
        .filter_map(|e| match e {
            Event::Violation { peer: 1, kind: "not_allowed", count } => Some(*count),
            _ => None,
        })
        .collect();
    assert_eq!(counts.iter().sum::<u64>(), 100);
    assert!(counts.len() <= 3, "once a second: {counts:?}");
}

#[test]
fn unknown_payload_types_and_malformed_rtp_are_dropped() {
    let mut scene = Scene::lesson();
    let mut sequence = 65_400;
    let mut seal = |scene: &mut Scene, pt: u8, edit: &dyn Fn(&mut Vec<u8>)| {
        sequence += 1;
        let mut plain = vec![0u8; 200];
        let header = Header { payload_type: pt, marker: true, sequence, timestamp: 0, ssrc: 1000 };
        let len = jiangtai_core::rtp::write(&mut plain, &header, &[], &[&frame(true, 1, 0)], 0).unwrap();
        plain.truncate(len);
        edit(&mut plain);
        let len = plain.len();
        plain.resize(len + 64, 0);
        let sealed = scene.client(1).srtp.as_mut().unwrap().0.seal_rtp(&mut plain, len);
        if let Ok(sealed) = sealed {
            let datagram = plain[..sealed].to_vec();
            scene.send(1, &datagram);
        }
    };
    seal(&mut scene, 50, &|_| {});
    assert_eq!(scene.metric("dropped_unknown_pt"), 1);
    seal(&mut scene, VP8, &|p| {
        p[0] |= 0x20;
        *p.last_mut().unwrap() = 255;
    });
    seal(&mut scene, VP8, &|p| {
        p[0] |= 0x20;
        *p.last_mut().unwrap() = 0;
    });
    assert_eq!(scene.metric("dropped_rtp_malformed"), 2);
    assert!(scene.client(2).take(2000).is_empty());
    flows(&mut scene);
}

#[test]
fn g11_feedback_about_other_peoples_streams_does_nothing() {
    let mut scene = Scene::lesson();
    scene.video(1, 1000, &frame(true, 1, 0));
    scene.advance(1000);
    scene.client(1).take_requests(1000);
    scene.join(3);
    for _ in 0..100 {
        let pli = scene.client(3).seal_rtcp(|rtcp| rtcp.pli(1, 2000).unwrap());
        scene.send(3, &pli);
        let nack = scene.client(3).seal_rtcp(|rtcp| rtcp.nack(1, 2000, &[1, 2, 3]).unwrap());
        scene.send(3, &nack);
        scene.advance(10);
    }
    assert_eq!(scene.client(1).take_requests(1000).1, 0);
    assert_eq!(scene.metric("rtx_out"), 0);
    flows(&mut scene);
}

#[test]
fn g10_a_nack_flood_is_capped() {
    let mut scene = Scene::lesson();
    for n in 0..500 {
        scene.video(1, 1000, &frame(n == 0, n, 0));
    }
    let got = scene.client(2).take(2000);
    let all: Vec<u16> = got.iter().map(|p| p.sequence).collect();
    for _ in 0..100 {
        for chunk in all.chunks(100) {
            let nack = scene.client(2).seal_rtcp(|rtcp| rtcp.nack(1, 2000, chunk).unwrap());
            scene.send(2, &nack);
        }
        scene.advance(10);
    }
    let resent: usize = scene.client(2).take(2001).iter().map(|p| p.payload.len()).sum();
    let sent: usize = got.iter().map(|p| p.payload.len()).sum();
    assert!(resent <= sent * 15 / 100 + 70_000, "{resent} of {sent}");
    flows(&mut scene);
}

#[test]
fn a_publisher_that_alternates_its_codecs_makes_one_event_and_not_one_a_packet() {
    let mut scene = Scene::new();
    scene.join(1);
    let both = [opus(), vec![Codec { pt: RED, name: CodecName::Red, rtx_pt: None }]].concat();
    scene.add_track(11, 1, Kind::Audio, 1100, both);
    scene.events.clear();
    for n in 0..200 {
        let (_, packet) = scene.packet(1, 1100, if n % 2 == 0 { OPUS } else { RED }, 960, Some(20), &[OPUS, 1, 2, 3]);
        scene.send(1, &packet);
    }
    assert_eq!(scene.events.iter().filter(|event| matches!(event, Event::Track { .. })).count(), 1);
}

#[test]
fn who_sends_far_more_than_any_browser_is_cut_to_a_bound_and_told_of() {
    let mut scene = Scene::new();
    scene.join(1);
    scene.join(2);
    scene.add_track(11, 1, Kind::Audio, 1100, opus());
    scene.add_slot(30, 2, Kind::Audio, 3000, opus(), Some(0));
    // Twelve packets of sound where one belongs.
    for n in 0..200 {
        (0..12).for_each(|_| scene.audio(1, 1100, 10));
        scene.advance(20);
        assert!(n != 0 || scene.metric("dropped_too_fast") == 0, "a burst passes");
    }
    let heard = scene.client(2).take(3000).len();
    assert!((1_000..=1_300).contains(&heard), "four seconds of at most 250, and one saved up: {heard}");
    assert!(scene.metric("dropped_too_fast") > 1_000);
    assert!(scene.events.iter().any(|event| matches!(event, Event::Violation { peer: 1, kind: "too_fast", .. })));
}
