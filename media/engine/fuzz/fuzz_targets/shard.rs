//! A whole shard: a class whose peers are connected, then anything in any order: their packets, strangers' datagrams, moves to
//! other addresses, commands, time. Nothing panics, no timer stays due, and whatever is sent to a peer is authentic (the
//! clients of the dialogue tests insist on it).
#![no_main]
#[allow(dead_code)]
#[path = "../../core/tests/dialogue/client.rs"]
mod client;
#[allow(dead_code)]
#[path = "../../core/tests/dialogue/scene.rs"]
mod scene;

use std::time::Duration;

use client::{MID, RID};
use jiangtai_core::bytes::Reader;
use jiangtai_core::command::{AddTrack, Command, RecordTrack};
use jiangtai_core::media::{Codec, CodecName, Kind};
use jiangtai_core::outbox::Path;
use jiangtai_core::srtp::MAX_OVERHEAD;
use jiangtai_core::tape::Rank;
use scene::{opus, vp8, Scene, LAYERS, OPUS, RED, ROOM, VP8, VP8_RTX};

const H264: u8 = 102;
const VP9: u8 = 98;
const AV1: u8 = 45;
/// The track of three layers that is there from the start.
const SIMULCAST: u64 = 13;
/// What one input may ask for.
const STEPS: usize = 64;
/// Timers that may fire at once, and in each millisecond; more is a timer that does not move.
const FIRINGS: usize = 100;

/// Every video codec with retransmissions.
fn video() -> Vec<Codec> {
    let others = [(H264, CodecName::H264), (VP9, CodecName::Vp9), (AV1, CodecName::Av1)];
    vp8().into_iter().chain(others.map(|(pt, name)| Codec { pt, name, rtx_pt: Some(pt + 1) })).collect()
}

/// A track of three layers told apart by name.
fn simulcast(track: u64, peer: u64) -> Command {
    let (mid, rids) = (format!("t{track}"), LAYERS.map(str::to_owned).to_vec());
    let (kind, codecs) = (Kind::Video, video());
    let ssrcs = vec![];
    Command::AddTrack(Box::new(AddTrack { track, peer, kind, mid, ssrcs, codecs, rids, voice: false, allowed: true, priority: false }))
}

/// Opus, and redundant audio for those who have it.
fn audio(redundant: bool) -> Vec<Codec> {
    let red = Codec { pt: RED, name: CodecName::Red, rtx_pt: None };
    opus().into_iter().chain(redundant.then_some(red)).collect()
}

/// Peers 1..=3 are there from the start or join later, 4 never is.
fn peer(byte: u8) -> u64 {
    u64::from(byte % 4) + 1
}

/// Lets time pass from timer to timer.
fn pass(scene: &mut Scene, time: Duration) {
    let until = scene.now + time;
    for _ in 0..FIRINGS * (1 + time.as_millis() as usize) {
        let Some(at) = scene.shard.next_timeout().filter(|at| *at <= until) else {
            scene.now = until;
            return;
        };
        scene.now = scene.now.max(at);
        scene.shard.timeout(scene.now);
        scene.exchange();
    }
    panic!("timers fire without end");
}

/// Seals what a peer sends and sends it; packets that no sealer takes are not sent.
fn send_sealed(scene: &mut Scene, id: u64, plain: &[u8], rtcp: bool) {
    let Some(client) = scene.clients.get_mut(&id) else { return };
    let Some((sealer, _)) = client.srtp.as_mut() else { return };
    let mut buffer = plain.to_vec();
    buffer.resize(plain.len() + MAX_OVERHEAD, 0);
    let sealed = if rtcp { sealer.seal_rtcp(&mut buffer, plain.len()) } else { sealer.seal_rtp(&mut buffer, plain.len()) };
    if let Ok(len) = sealed {
        scene.send(id, &buffer[..len]);
    }
}

/// An RTP packet: flags, payload type, source (or layer), steps of sequence number and timestamp, extension block, payload.
fn rtp(input: &mut Reader<'_>, scene: &mut Scene, clocks: &mut (u16, u32)) -> Option<()> {
    let [who, flags, kind, source, step, ticks, words, len] = input.array()?;
    let pt = if kind & 0x10 == 0 { [VP8, VP8_RTX, OPUS, RED, H264, VP9, AV1][usize::from(kind & 0x0f) % 7] } else { kind & 0x7f };
    let layer = (flags & 0x80 != 0).then_some(usize::from(source % 3));
    let ssrc = [1000u32, 1001, 1100, 1101, 1200, 3000, u32::from(source)][usize::from(source % 7)];
    let ssrc = layer.map_or(ssrc, |layer| 1300 + 10 * layer as u32);
    clocks.0 = clocks.0.wrapping_add_signed(i16::from(step as i8) * if flags & 0x40 == 0 { 1 } else { 100 });
    clocks.1 = clocks.1.wrapping_add(u32::from(ticks) * 30);
    let mut plain = vec![0x80 | flags & 0x3f, kind & 0x80 | pt];
    plain.extend(clocks.0.to_be_bytes());
    plain.extend(clocks.1.to_be_bytes());
    plain.extend(ssrc.to_be_bytes());
    plain.extend(input.take(usize::from(flags & 0x0f) * 4)?);
    if let Some(layer) = layer {
        plain[0] |= 0x10;
        let name = LAYERS[layer].as_bytes()[0];
        plain.extend([0xbe, 0xde, 0, 2, MID << 4 | 2, b't', b'1', b'3', RID << 4, name, 0, 0]);
    } else if flags & 0x10 != 0 {
        let words = words % 8;
        plain.extend([0xbe, 0xde, 0, words]);
        plain.extend(input.take(usize::from(words) * 4)?);
    }
    plain.extend(input.take(usize::from(len))?);
    send_sealed(scene, peer(who), &plain, false);
    Some(())
}

fn command(input: &mut Reader<'_>, scene: &mut Scene) -> Option<()> {
    let [what, a, b, c] = input.array()?;
    let (room, peer, track, slot) = (ROOM + u64::from(b % 4 == 0), peer(a), 10 + u64::from(b % 4), 20 + u64::from(c >> 2) % 8);
    let (on, other) = (c & 1 != 0, c & 2 != 0);
    let kind = if other { Kind::Video } else { Kind::Audio };
    let codecs = if other { video() } else { audio(a & 0x80 != 0) };
    let command = match what % 12 {
        0 => Command::OpenRoom { room, audio_slots: usize::from(c), home: 0 },
        1 if what == 1 => Command::CloseRoom { room },
        2 => Command::RestartIce { peer, ice: client::credentials(peer, u32::from(c)) },
        3 if c % 4 == 0 => Command::ClosePeer { peer },
        4 if other && a & 0x40 != 0 => simulcast(track, peer),
        4 => {
            scene.add_track(track, peer, kind, 1000 + 100 * u32::from(b % 4), codecs);
            return Some(());
        }
        5 => Command::SetTrack { track, allowed: on, priority: other },
        6 => Command::RemoveTrack { track },
        7 => {
            let auto = (kind == Kind::Audio && on).then_some(usize::from(a >> 4));
            scene.add_slot(slot, peer, kind, 2000 + 100 * (u32::from(c >> 2) % 8), codecs, auto);
            return Some(());
        }
        8 => Command::OwnTracks { peer, tracks: vec![track] },
        9 | 10 => Command::Assign { slot, track: on.then_some(track) },
        _ if c & 1 == 0 => Command::LimitSlot { slot, most: (c < 0xf0).then_some(c >> 1 & 3) },
        _ if c & 2 == 0 => {
            let record = RecordTrack { number: u16::from(c), rank: Rank::parse(c >> 2 & 3).unwrap(), description: vec![c] };
            Command::Record { track, record: (a & 1 == 0).then(|| Box::new(record)) }
        }
        _ => Command::RequestKeyFrame { track, layer: c >> 1 & 3 },
    };
    scene.command(command);
    Some(())
}

/// Another peer joins; the records of its handshake arrive damaged, twice or not at all, as the input says.
fn join(input: &mut Reader<'_>, scene: &mut Scene) -> Option<()> {
    if scene.clients.contains_key(&3) {
        return Some(());
    }
    scene.open(3);
    let check = scene.client(3).check(true);
    scene.send(3, &check);
    let mut client = scene.clients.remove(&3)?;
    for _ in 0..12 {
        scene.now += Duration::from_millis(100);
        scene.shard.timeout(scene.now);
        client.tick(scene.now);
        while let Some(mut record) = client.outgoing.pop_front() {
            let (times, at, with) = input.array().map_or((1, 0, 0), |[times, at, with]| (times % 3, usize::from(at) * 5, with));
            if let Some(byte) = record.get_mut(at) {
                *byte ^= with;
            }
            (0..times).for_each(|_| scene.shard.receive(scene.now, client.path, &mut record.clone()));
        }
        let answers: Vec<Vec<u8>> =
            scene.shard.outbox.iter().filter(|(to, _)| *to == client.path).map(|(_, bytes)| bytes.to_vec()).collect();
        scene.exchange();
        answers.iter().for_each(|bytes| client.receive(scene.now, bytes));
    }
    scene.clients.insert(3, client);
    Some(())
}

fn step(input: &mut Reader<'_>, scene: &mut Scene, clocks: &mut (u16, u32)) -> Option<()> {
    match input.u8()? % 10 {
        0..=2 => rtp(input, scene, clocks)?,
        3 => {
            let [who, len] = input.array()?;
            let compound = input.take(usize::from(len).max(8))?.to_vec();
            send_sealed(scene, peer(who), &[&[0x80 | compound[0] & 0x3f], &compound[1..]].concat(), true);
        }
        4 => {
            let [who, len] = input.array()?;
            let datagram = input.take(usize::from(len))?.to_vec();
            if let Some(from) = scene.clients.get(&peer(who)).map(|client| client.path) {
                scene.send_from(from, &datagram);
            }
        }
        5 => {
            let [who, port, flags] = input.array()?;
            let id = peer(who);
            let path = Path { remote: ([10, 1, id as u8, port], 5000).into(), tcp: u32::from(flags & 2 != 0) * u32::from(port) };
            let client = scene.clients.get_mut(&id)?;
            let check = client.check(flags & 1 != 0);
            client.path = path;
            scene.send_from(path, &check);
        }
        6 => {
            let path = scene.clients.get(&peer(input.u8()?))?.path;
            scene.shard.connection_lost(scene.now, path);
            scene.exchange();
        }
        7 => {
            let [time] = input.array()?;
            pass(scene, Duration::from_millis(u64::from(time) * if time & 1 == 0 { 1 } else { 40 }));
        }
        8 => command(input, scene)?,
        _ => join(input, scene)?,
    }
    Some(())
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut scene = Scene::lesson();
    scene.add_track(11, 1, Kind::Audio, 1100, audio(true));
    scene.add_slot(21, 2, Kind::Audio, 2100, audio(false), Some(0));
    scene.add_slot(22, 1, Kind::Audio, 2200, audio(true), Some(0));
    scene.command(simulcast(SIMULCAST, 1));
    scene.add_slot(23, 2, Kind::Video, 2300, video(), None);
    scene.command(Command::Assign { slot: 23, track: Some(SIMULCAST) });
    let (mut input, mut clocks) = (Reader::new(data), (65_500u16, 0xffff_0000u32));
    for _ in 0..STEPS {
        if step(&mut input, &mut scene, &mut clocks).is_none() {
            break;
        }
    }
    pass(&mut scene, Duration::from_secs(70));
    assert_eq!(scene.metric("panics"), 0);
    assert_eq!(scene.metric("peers"), 0, "nobody consented for 30 s, nobody joined in 60 s");
    assert!(scene.shard.next_timeout().is_none_or(|at| at > scene.now));
});
