use super::*;
use crate::input::Source;
use crate::reorder::Mark;
use crate::unit::Config;
use jiangtai_core::rtp::{write, Header};

/// SPS of 1280x720 and PPS as an encoder writes them.
const SPS: &[u8] = &[103, 66, 192, 31, 218, 1, 64, 22, 232, 64, 0, 0, 3, 0, 64, 0, 0, 15, 35, 198, 12, 168];
const PPS: &[u8] = &[104, 206, 60, 128];
const IDR: &[u8] = &[0x65, 0x88, 1, 2];
const SLICE: &[u8] = &[0x41, 0x9a, 3];

struct Stream {
    depacketiser: Depacketiser,
    units: Vec<Unit>,
}

impl Stream {
    fn new(codec: Codec) -> Self {
        let start = Start { codec, clock_rate: 90_000, participant: 1, source: Source::Camera, payload_type: None, red: None };
        Self { depacketiser: Depacketiser::new(&start), units: Vec::new() }
    }

    fn push(&mut self, ticks: i64, marker: bool, after_loss: bool, payload: &[u8]) -> &mut Self {
        let mut packet = [0; 1500];
        let header = Header { payload_type: 96, marker, sequence: 0, timestamp: ticks as u32, ssrc: 1 };
        let n = write(&mut packet, &header, &[], &[payload], 0).unwrap();
        let ordered = Ordered { after_loss, mark: Mark { epoch: 0, ticks }, packet: &packet[..n] };
        self.depacketiser.push(ordered, &mut |unit| self.units.push(unit));
        self
    }

    fn whole(&mut self, ticks: i64, payload: &[u8]) -> &mut Self {
        self.push(ticks, true, false, payload)
    }

    fn times(&self) -> Vec<(i64, bool)> {
        self.units.iter().map(|unit| (unit.mark.ticks, unit.key)).collect()
    }
}

fn stap(units: &[&[u8]]) -> Vec<u8> {
    let parts = units.iter().flat_map(|unit| [&(unit.len() as u16).to_be_bytes()[..], unit].concat());
    [0x78].into_iter().chain(parts).collect()
}

fn sized(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[..], unit].concat()).collect()
}

#[test]
fn parameter_sets_become_the_configuration_and_fragments_one_nal_unit() {
    let mut stream = Stream::new(Codec::H264);
    stream.push(0, false, false, &stap(&[SPS, PPS, &[6, 5, 0]]));
    stream.push(0, false, false, &[0x7c, 0x85, 0x88, 1]).push(0, false, false, &[0x7c, 0x05, 2]).push(0, true, false, &[0x7c, 0x45, 3]);
    stream.whole(3_000, SLICE);
    assert_eq!(stream.times(), vec![(0, true), (3_000, false)]);
    assert_eq!(stream.units[0].data, sized(&[&[6, 5, 0], &[0x65, 0x88, 1, 2, 3]]));
    let Some(Config::Avc(avc)) = &stream.units[0].config else { panic!() };
    assert_eq!((&avc.sps[..], &avc.pps[..], avc.width, avc.height), (SPS, &[PPS.to_vec()][..], 1280, 720));
    assert_eq!(stream.units[1].config, None);
}

#[test]
fn nothing_comes_out_before_a_key_frame_with_its_parameter_sets() {
    let mut stream = Stream::new(Codec::H264);
    stream.whole(0, SLICE).whole(3_000, IDR).whole(6_000, SLICE).whole(9_000, &stap(&[SPS, PPS, IDR])).whole(12_000, SLICE);
    assert_eq!(stream.times(), vec![(9_000, true), (12_000, false)]);
}

#[test]
fn a_loss_before_during_or_after_a_unit_waits_for_the_next_key_frame() {
    let key = stap(&[SPS, PPS, IDR]);
    for lossy in [1, 2] {
        let mut stream = Stream::new(Codec::H264);
        stream.whole(0, &key);
        stream.push(3_000, false, lossy == 1, SLICE).push(3_000, true, lossy == 2, SLICE);
        stream.whole(6_000, SLICE).whole(9_000, &key).whole(12_000, SLICE);
        assert_eq!(stream.times(), vec![(0, true), (9_000, true), (12_000, false)], "{lossy}");
    }
    // What follows the loss is the end of a key frame, not its beginning.
    let mut stream = Stream::new(Codec::H264);
    stream.whole(0, &key).push(3_000, true, true, &[0x65, 0x08, 1]).whole(6_000, SLICE);
    assert_eq!(stream.times(), vec![(0, true)]);
}

#[test]
fn a_fragment_out_of_place_or_an_unknown_kind_breaks_its_unit() {
    let key = stap(&[SPS, PPS, IDR]);
    for bad in [&[0x7c, 0x05, 1][..], &[0x7d, 0x85, 1], &[0x7c], &[0x79, 0, 0], &[0x78, 0, 9, 1]] {
        let mut stream = Stream::new(Codec::H264);
        stream.whole(0, &key).whole(3_000, bad).whole(6_000, SLICE).whole(9_000, &key);
        assert!(stream.times() == vec![(0, true), (9_000, true)], "{bad:?} {:?}", stream.times());
    }
}

#[test]
fn a_unit_without_a_marker_ends_with_the_next_timestamp() {
    let mut stream = Stream::new(Codec::H264);
    stream.push(0, false, false, &stap(&[SPS, PPS, IDR])).push(3_000, false, false, SLICE).push(6_000, false, false, SLICE);
    assert_eq!(stream.times(), vec![(0, true), (3_000, false)]);
}

#[test]
fn new_parameter_sets_are_told_with_the_key_frame_that_uses_them() {
    let other = [&PPS[..2], &[0x3d, 0x80]].concat();
    let mut stream = Stream::new(Codec::H264);
    stream.whole(0, &stap(&[SPS, PPS, IDR])).whole(3_000, &stap(&[SPS, PPS, IDR])).whole(6_000, &stap(&[SPS, &other, IDR]));
    assert_eq!(stream.units.iter().map(|unit| unit.config.is_some()).collect::<Vec<_>>(), vec![true, false, true]);
}

/// A VP8 frame in one packet with a 15-bit picture number; `tag` is the first byte of the frame, 0 for a key frame.
fn vp8(picture: u16, tag: u8) -> Vec<u8> {
    let mut payload = vec![0x90, 0x80, 0x80 | (picture >> 8) as u8, picture as u8, tag, 0, 0];
    payload.extend([0x9d, 0x01, 0x2a, 64, 0, 48, 0]);
    payload
}

#[test]
fn vp8_frames_leave_without_descriptors_and_tell_their_size() {
    let mut stream = Stream::new(Codec::Vp8);
    stream.whole(0, &vp8(1, 1)).whole(3_000, &vp8(2, 0)).push(6_000, false, false, &vp8(3, 1)).push(
        6_000,
        true,
        false,
        &[0x80, 0x80, 0x80, 3, 9, 9],
    );
    assert_eq!(stream.times(), vec![(3_000, true), (6_000, false)]);
    assert_eq!(stream.units[0].config, Some(Config::Vp8 { width: 64, height: 48 }));
    assert_eq!(stream.units[1].data, [&vp8(3, 1)[4..], &[9, 9]].concat());
}

#[test]
fn vp8_goes_on_after_a_loss_of_padding_only() {
    let mut stream = Stream::new(Codec::Vp8);
    stream.whole(0, &vp8(0x7fff, 0)).push(3_000, true, true, &vp8(0, 1)).push(6_000, true, true, &vp8(2, 1)).whole(9_000, &vp8(3, 0));
    assert_eq!(stream.times(), vec![(0, true), (3_000, false), (9_000, true)]);
    assert_eq!(stream.depacketiser.broken(), Broken { units: 0, waiting: 1 });
}

#[test]
fn a_unit_longer_than_allowed_is_broken_and_its_memory_freed() {
    let mut stream = Stream::new(Codec::H264);
    stream.push(0, false, false, &stap(&[SPS, PPS]));
    for n in 0..crate::unit::MAX_UNIT / 1_000 {
        stream.push(0, false, false, &[&[0x7c, if n == 0 { 0x85 } else { 5 }][..], &[0x88; 1_200]].concat());
    }
    assert!(stream.units.is_empty() && stream.depacketiser.broken().units == 1);
}
