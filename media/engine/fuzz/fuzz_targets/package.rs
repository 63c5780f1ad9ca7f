//! Packaging: any packets in any order at any time; nothing panics, files of samples read back whole, no sample is lost on the
//! way into them.
//!
//! Each step is: what and which track, time that passes, step of the sequence number, step of the timestamp, length, then that
//! many bytes of payload.
#![no_main]
use std::io::Cursor;

use jiangtai_core::bytes::Reader;
use jiangtai_package::{mp4, Codec, Input, Memory, Options, Packager, Source, Start, What};

const RED: u8 = 63;
const TRACKS: [(Codec, u32, Source); 4] = [
    (Codec::H264, 90_000, Source::Camera),
    (Codec::Vp8, 90_000, Source::Screen),
    (Codec::Opus, 48_000, Source::Microphone),
    (Codec::Opus, 48_000, Source::ScreenAudio),
];

fn start(track: usize) -> What<'static> {
    let (codec, clock_rate, source) = TRACKS[track];
    What::Start(Start { codec, clock_rate, participant: 1, source, payload_type: None, red: (codec == Codec::Opus).then_some(RED) })
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut packager = Packager::new(Options { origin_us: 1_000_000, origin_ms: 0 }, Memory::default());
    let mut now = 900_000u64;
    for track in 0..TRACKS.len() {
        packager.push(Input { track: track as u16, arrival_us: now, what: start(track) }).unwrap();
    }
    let (mut sequences, mut timestamps) = ([70_000u64; 4], [u32::MAX - 9_000; 4]);
    let mut reader = Reader::new(data);
    while let Some([what, passed, step, ticks, len]) = reader.array() {
        let track = usize::from(what & 3);
        // Up to a quarter of a second, seldom an hour.
        now += u64::from(passed) * if what & 0x80 == 0 { 1_000 } else { 20_000_000 };
        let step = i64::from(step as i8) * if what & 0x40 == 0 { 1 } else { 1_000 };
        sequences[track] = sequences[track].saturating_add_signed(step);
        timestamps[track] = timestamps[track].wrapping_add_signed(i32::from(ticks as i8) * if what & 0x20 == 0 { 480 } else { 4_800_000 });
        let body = reader.take(usize::from(len).min(reader.rest().len())).unwrap_or(&[]);
        let (sequence, timestamp) = (sequences[track], timestamps[track]);
        let mut packet = vec![0x80, if what & 0x10 == 0 { 96 } else { 0x80 | 96 }];
        if what & 0x1c == 0x1c {
            packet[1] = RED;
        }
        packet.extend((sequence as u16).to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(1u32.to_be_bytes());
        packet.extend(body);
        let what = match what >> 2 & 7 {
            1 => What::SenderReport { ntp: (now << 12) ^ u64::from(len) << 40, rtp_timestamp: timestamp },
            2 if len == 0 => start(track),
            3 if len == 0 => What::End,
            3 if len == 1 => What::Layer,
            _ => What::Rtp { sequence, packet: &packet },
        };
        packager.push(Input { track: track as u16, arrival_us: now, what }).unwrap();
    }
    let (reports, memory) = packager.finish().unwrap();
    for (_, report) in reports.iter().filter(|(_, report)| report.playlist.is_some()) {
        let file = |file: &jiangtai_package::Written| Cursor::new(&memory.files[&file.name]);
        let parts = report.files.iter().map(|of| mp4::Part { config: of.config.clone(), timescale: 90_000, file: file(of) }).collect();
        mp4::remux(&mut [parts], &mut Vec::new()).unwrap();
        assert!(report.files.iter().all(|of| of.bytes == memory.files[&of.name].len() as u64));
        let ends = |two: &[mp4::Fragment]| two[0].time + two[0].duration == two[1].time;
        assert!(report.files.iter().all(|of| of.fragments.windows(2).all(ends)));
    }
});
