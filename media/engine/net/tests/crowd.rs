//! Many who come at once: each gets all the pictures since the last key frame, and the turn's outbox takes them.

mod leg;

use jiangtai_core::command::{AddSlot, Command};
use jiangtai_core::media::{Codec, CodecName, Kind};
use jiangtai_core::rtp::Header;
use jiangtai_net::engine::{Engine, Refused};
use leg::{engine, metric, track, until, Leg};

const VP8: u8 = 96;
const PACKETS: u16 = 360;
const VIEWERS: u64 = 3;
/// Of each viewer.
const SLOTS: u64 = 32;

fn post(engine: &Engine, command: &Command) {
    until(|| engine.post(command.clone(), None) != Err(Refused::Full));
}

#[test]
fn pictures_for_a_crowd_that_comes_at_once_are_more_than_an_outbox_takes_and_none_is_lost() {
    let engine = engine();
    let codecs = vec![Codec { pt: VP8, name: CodecName::Vp8, rtx_pt: None }];
    post(&engine, &Command::OpenRoom { room: 1, audio_slots: 0, home: 0 });
    let mut camera = Leg::join(&engine, 1, "127.0.0.1");
    let kind = Kind::Video;
    post(&engine, &track(kind, "camera", &codecs));
    let _viewers: Vec<Leg> = (2..2 + VIEWERS).map(|peer| Leg::join(&engine, peer, "127.0.0.1")).collect();
    let slots: Vec<u64> = (0..VIEWERS * SLOTS).map(|n| 100 + n).collect();
    for slot in &slots {
        let (peer, ssrc, mid) = (2 + slot % VIEWERS, 2000 + *slot as u32, format!("{slot}"));
        // Of the first rank: while nothing is known of a connection it begins at once.
        let codecs = codecs.clone();
        let add = AddSlot { slot: *slot, peer, kind, mid, ssrc, rtx_ssrc: None, codecs, auto: None, rank: 1 };
        post(&engine, &Command::AddSlot(Box::new(add)));
    }
    until(|| metric(&engine, "slots") == slots.len() as u64);
    // One key frame of 396 kB.
    for sequence in 0..PACKETS {
        let mut payload = vec![0; 1_100];
        // Descriptor (RFC 7741): the first packet begins the picture; its tag says that it needs no other.
        payload[0] = if sequence == 0 { 0x10 } else { 0 };
        let header = Header { payload_type: VP8, marker: sequence + 1 == PACKETS, sequence, timestamp: 0, ssrc: 1000 };
        let packet = camera.client.seal(&header, &[], &payload);
        camera.socket.send(&packet).unwrap();
        until(|| {
            camera.pump();
            metric(&engine, "packets_in") > u64::from(sequence)
        });
    }
    for slot in &slots {
        post(&engine, &Command::Assign { slot: *slot, track: Some(10) });
    }
    until(|| metric(&engine, "cached_starts") == slots.len() as u64);
    let all = slots.len() as u64 * u64::from(PACKETS);
    until(|| metric(&engine, "forwarded") + metric(&engine, "dropped_outbox_full") >= all);
    assert_eq!((metric(&engine, "forwarded"), metric(&engine, "dropped_outbox_full")), (all, 0));
}
