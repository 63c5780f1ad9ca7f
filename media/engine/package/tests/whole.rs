//! The packager as a whole: memory stays bounded, files grow as it goes, nothing that is pushed makes it panic.

use std::io;

use jiangtai_package::{Codec, Input, Memory, Options, Packager, Sink, Source, Start, What};

const STAP: &[u8] = &[
    0x78, 0, 22, 103, 66, 192, 31, 218, 1, 64, 22, 232, 64, 0, 0, 3, 0, 64, 0, 0, 15, 35, 198, 12, 168, 0, 4, 104, 206, 60, 128, 0, 4,
    0x65, 0x88, 1, 2,
];
const SLICE: &[u8] = &[0x41, 0x9a, 3];
const ORIGIN: Options = Options { origin_us: 1_000_000, origin_ms: 0 };

fn start(codec: Codec, source: Source) -> What<'static> {
    let clock_rate = if codec == Codec::Opus { 48_000 } else { 90_000 };
    What::Start(Start { codec, clock_rate, participant: 1, source, payload_type: Some(96), red: Some(63) })
}

fn packet(payload_type: u8, sequence: u64, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let (s, t) = (sequence.to_be_bytes(), timestamp.to_be_bytes());
    [&[0x80, 0x80 | payload_type, s[6], s[7]][..], &t, &[0, 0, 0, 9], payload].concat()
}

/// A picture a tenth of a second for `seconds`, a key frame every 5 s.
fn run<S: Sink>(packager: &mut Packager<S>, seconds: u64, mut each: impl FnMut(&mut Packager<S>, u64)) {
    packager.push(Input { track: 1, arrival_us: ORIGIN.origin_us, what: start(Codec::H264, Source::Camera) }).unwrap();
    for n in 0..seconds * 10 {
        let body = if n % 50 == 0 { STAP } else { SLICE };
        let bytes = packet(96, n, (n * 9_000) as u32, body);
        let arrival_us = ORIGIN.origin_us + n * 100_000;
        packager.push(Input { track: 1, arrival_us, what: What::Rtp { sequence: n, packet: &bytes } }).unwrap();
        each(packager, n);
    }
}

#[test]
fn files_grow_while_the_class_goes_on_and_the_playlist_tells_of_them() {
    let mut packager = Packager::new(ORIGIN, Memory::default());
    let mut segments = Vec::new();
    run(&mut packager, 120, |packager, n| {
        if n % 300 == 299 {
            segments.push(packager.playlist(1).map_or(0, |text| text.matches("#EXTINF").count()));
        }
    });
    assert_eq!(segments, vec![0, 5, 11, 17], "no more than a window and a fragment behind");
    let (reports, memory) = packager.finish().unwrap();
    assert_eq!((reports.len(), reports[0].1.samples), (1, 1_200));
    assert!(String::from_utf8_lossy(&memory.files["track-1.m3u8"]).contains("#EXT-X-ENDLIST"));
}

#[test]
fn another_layer_goes_on_in_the_same_file_at_its_own_numbers_and_times() {
    let mut packager = Packager::new(ORIGIN, Memory::default());
    run(&mut packager, 5, |_, _| {});
    packager.push(Input { track: 1, arrival_us: ORIGIN.origin_us + 5_000_000, what: What::Layer }).unwrap();
    for n in 0..50 {
        // Numbers that would be stale and times of another clock, but for the layer; the first two pictures are no key frames.
        let bytes = packet(96, n, 1_000_000_000 + (n * 9_000) as u32, if n == 2 { STAP } else { SLICE });
        let arrival_us = ORIGIN.origin_us + 5_000_000 + n * 100_000;
        packager.push(Input { track: 1, arrival_us, what: What::Rtp { sequence: n, packet: &bytes } }).unwrap();
    }
    let (reports, _) = packager.finish().unwrap();
    let report = &reports[0].1;
    assert_eq!((reports.len(), report.files.len(), report.samples, report.packets.dropped), (1, 1, 98, 0));
    // Without a hole: the last picture before lasts until the first after.
    let ends: Vec<u64> = report.files[0].fragments.iter().map(|f| (f.time + f.duration) / 9_000).collect();
    assert_eq!(ends.first().zip(ends.last()), Some((&40, &100)));
}

#[test]
fn a_start_that_is_told_again_in_the_same_words_changes_nothing() {
    let mut packager = Packager::new(ORIGIN, Memory::default());
    run(&mut packager, 5, |packager, n| {
        let again = Input { track: 1, arrival_us: ORIGIN.origin_us + n * 100_000, what: start(Codec::H264, Source::Camera) };
        packager.push(again).unwrap();
    });
    let (reports, _) = packager.finish().unwrap();
    assert_eq!((reports.len(), reports[0].1.samples), (1, 50));
}

#[test]
fn a_number_that_is_started_again_gets_files_of_its_own() {
    let mut packager = Packager::new(ORIGIN, Memory::default());
    run(&mut packager, 5, |_, _| {});
    packager.push(Input { track: 1, arrival_us: ORIGIN.origin_us + 5_000_000, what: What::End }).unwrap();
    run(&mut packager, 5, |_, _| {});
    let (_, memory) = packager.finish().unwrap();
    let names: Vec<&str> = memory.files.keys().map(String::as_str).collect();
    assert_eq!(names, vec!["track-1-2.m3u8", "track-1-2.mp4", "track-1.m3u8", "track-1.mp4"]);
}

/// A disk that is full.
struct Full;

impl Sink for Full {
    fn append(&mut self, _: &str, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn overwrite(&mut self, _: &str, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn close(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_to_the_caller() {
    let mut packager = Packager::new(ORIGIN, Full);
    let begin = Input { track: 1, arrival_us: ORIGIN.origin_us, what: start(Codec::H264, Source::Camera) };
    packager.push(begin).unwrap();
    for n in 0..2 {
        let bytes = packet(96, n, 0, STAP);
        packager.push(Input { track: 1, arrival_us: ORIGIN.origin_us, what: What::Rtp { sequence: n, packet: &bytes } }).unwrap();
    }
    assert_eq!(packager.finish().err().map(|error| error.kind()), Some(io::ErrorKind::StorageFull));
}

#[test]
fn whatever_is_pushed_comes_to_an_end() {
    let mut dice = 0x9e37_79b9_7f4a_7c15u64;
    let mut roll = |n: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % n
    };
    let seeds: [&[u8]; 6] = [
        STAP,
        SLICE,
        &[0x7c, 0x85, 0x88, 1],
        &[0x7c, 0x45, 2],
        &[0x90, 0x80, 0x80, 1, 0, 0, 0, 0x9d, 1, 0x2a, 64, 0, 48, 0],
        &[0x78, 1, 2],
    ];
    for _ in 0..300 {
        let mut packager = Packager::new(ORIGIN, Memory::default());
        let (mut now, mut sequence, mut timestamp) = (roll(2_000_000), roll(1 << 40), roll(1 << 32) as u32);
        for track in 0..3 {
            let what = start([Codec::H264, Codec::Vp8, Codec::Opus][usize::from(track)], Source::Microphone);
            packager.push(Input { track, arrival_us: now, what }).unwrap();
        }
        for _ in 0..300 {
            now += [20_000, 20_000, 20_000, 3_000_000, 40_000_000][roll(5) as usize];
            sequence = if roll(50) == 0 { roll(u64::MAX) } else { sequence.saturating_add(roll(4)).saturating_sub(roll(2)) };
            timestamp = if roll(50) == 0 { roll(1 << 32) as u32 } else { timestamp.wrapping_add(roll(3) as u32 * 960) };
            let mut body = seeds[roll(6) as usize].to_vec();
            if roll(3) == 0 {
                let at = roll(body.len() as u64) as usize;
                body[at] = roll(256) as u8;
                body.truncate(roll(body.len() as u64 + 1) as usize);
            }
            let mut bytes = packet(if roll(8) == 0 { 63 } else { 96 }, sequence, timestamp, &body);
            bytes[1] ^= (roll(2) as u8) << 7;
            bytes.truncate(if roll(20) == 0 { roll(20) as usize } else { bytes.len() });
            let what = match roll(40) {
                0 => What::SenderReport { ntp: roll(u64::MAX), rtp_timestamp: timestamp },
                1 => What::End,
                2 => start(Codec::Vp8, Source::Camera),
                3 => What::Layer,
                _ => What::Rtp { sequence, packet: &bytes },
            };
            packager.push(Input { track: roll(4) as u16, arrival_us: now, what }).unwrap();
        }
        packager.finish().unwrap();
    }
}
