//! A journal as the engine writes it, followed: its files are one recording, and what it says of tracks is what is packaged.

use std::fs;
use std::path::PathBuf;

use jiangtai_journal::format::{Kind, Record, INFERRED};
use jiangtai_journal::stream::{Label, Now, Stream};
use jiangtai_package::follow::Follower;
use jiangtai_package::{Memory, Options, Packager, Report, Sink, TrackId};

const STAP: &[u8] = &[
    0x78, 0, 22, 103, 66, 192, 31, 218, 1, 64, 22, 232, 64, 0, 0, 3, 0, 64, 0, 0, 15, 35, 198, 12, 168, 0, 4, 104, 206, 60, 128, 0, 4,
    0x65, 0x88, 1, 2,
];
const SLICE: &[u8] = &[0x41, 0x9a, 3];
/// 20 ms of Opus (code 0).
const SOUND: &[u8] = &[0x78, 1, 2, 3, 4, 5, 6, 7];
const CAMERA: &[u8] = br#"{"participant":"ann","source":"camera","codecs":[[96,"h264",null]]}"#;
const SCREEN: &[u8] = br#"{"participant":"ann","source":"screen","codecs":[[96,"h264",null]]}"#;
const MICROPHONE: &[u8] = br#"{"participant":"ben","source":"microphone","codecs":[[111,"opus",null]]}"#;
const OTHER: &[u8] = br#"{"participant":"eve","source":"microphone","codecs":[[111,"opus",null]]}"#;
/// The wall clock when the engine's is 0.
const WALL_US: u64 = 1_700_000_000_000_000;
const SECOND: u64 = 1_000_000;

/// A class's journal while it is written; times are the engine's, microseconds.
struct Class {
    root: PathBuf,
    stream: Stream,
    /// What the wall clock was set back by.
    back_us: u64,
}

impl Class {
    /// A new file every `file_us`.
    fn new(name: &str, file_us: u64) -> Class {
        let root = std::env::temp_dir().join(format!("follow-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let stream = engine(&root, 1, Now { monotonic_us: 0, wall_us: WALL_US }).bounded(64 << 20, file_us);
        Class { root, stream, back_us: 0 }
    }

    fn now(&self, at_us: u64) -> Now {
        Now { monotonic_us: at_us, wall_us: WALL_US + at_us - self.back_us }
    }

    fn put(&mut self, kind: Kind, flags: u8, track: u16, at_us: u64, payload: &[u8]) {
        self.stream.tick(self.now(at_us)).unwrap();
        self.stream.put(&Record { kind, flags, track, arrival_us: at_us, roc: 1, payload });
    }

    fn layer(&mut self, track: u16, at_us: u64, epoch: u32) {
        let payload = [&[0][..], &epoch.to_le_bytes(), &u32::from(track).to_le_bytes(), b"h"].concat();
        self.put(Kind::Layer, 0, track, at_us, &payload);
    }

    fn packet(&mut self, track: u16, at_us: u64, (payload_type, number, timestamp): (u8, u16, u32), body: &[u8]) {
        let (ssrc, number) = (u32::from(track).to_be_bytes(), number.to_be_bytes());
        let packet = [&[0x80, 0x80 | payload_type][..], &number, &timestamp.to_be_bytes(), &ssrc, body].concat();
        self.put(Kind::Rtp, 0, track, at_us, &packet);
    }

    /// The `n`-th picture of a track, ten a second.
    fn picture(&mut self, track: u16, n: u16, key: bool) {
        let body = if key { STAP } else { SLICE };
        self.packet(track, u64::from(n) * 100_000, (96, n, u32::from(n) * 9_000), body);
    }

    /// The `n`-th 20 ms of sound of a track.
    fn sound(&mut self, track: u16, n: u16, late_us: u64) {
        self.packet(track, u64::from(n) * 20_000 + late_us, (111, n, u32::from(n) * 960), SOUND);
    }

    /// Writes all there is and reads it.
    fn packaged(&mut self, until_us: u64) -> Vec<(TrackId, Report)> {
        self.stream.finish(self.now(until_us)).unwrap();
        let mut packager = Packager::new(ORIGIN, Memory::default());
        let mut follower = Follower::new(&self.root, "c", "r").unwrap();
        follower.finish(&mut packager).unwrap();
        assert_eq!(follower.damaged, 0);
        packager.finish().unwrap().0
    }
}

const ORIGIN: Options = Options { origin_us: WALL_US, origin_ms: 0 };

fn engine(root: &std::path::Path, boot: u8, now: Now) -> Stream {
    Stream::create(root, Label { class: "c".into(), recording: "r".into(), boot: [boot; 16] }, now).unwrap()
}

impl Drop for Class {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Name, begin and end (milliseconds) of a report's files.
fn spans(report: &Report) -> Vec<(&str, u64, u64)> {
    let scale = if report.start.codec.is_video() { 90 } else { 48 };
    report.files.iter().map(|file| (file.name.as_str(), file.begin / scale, file.end / scale)).collect()
}

#[test]
fn a_track_goes_on_from_file_to_file_without_a_seam() {
    let mut class = Class::new("files", 12 * SECOND);
    class.put(Kind::TrackStart, 0, 1, 0, CAMERA);
    class.put(Kind::TrackStart, 0, 2, 0, MICROPHONE);
    class.layer(1, 0, 1);
    class.layer(2, 0, 1);
    for n in 0..200 {
        class.picture(1, n, n == 0);
        // From then on the path is slower: the clock of before still holds, one of its own would leave a hole.
        let late_us = if n < 120 { 0 } else { 80_000 };
        (0..5).for_each(|part| class.sound(2, n * 5 + part, late_us));
    }
    let reports = class.packaged(20 * SECOND);
    assert_eq!(class.stream.number(), 2);
    let of = |track| reports.iter().find(|(id, _)| *id == track).map(|(_, report)| report).unwrap();
    let (picture, sound) = (of(1), of(2));
    assert_eq!(reports.len(), 2);
    assert_eq!((picture.samples, picture.broken.waiting, spans(picture)), (200, 0, vec![("track-1.mp4", 0, 20_060)]));
    assert_eq!((sound.samples, sound.filled, sound.dropped), (1_000, 0, 0));
}

#[test]
fn a_picture_that_is_switched_off_is_over_until_it_comes_back_at_a_key_frame() {
    let mut class = Class::new("off", 300 * SECOND);
    class.put(Kind::TrackStart, 0, 1, 0, CAMERA);
    class.put(Kind::TrackStart, 0, 2, 0, MICROPHONE);
    class.layer(1, 0, 1);
    class.layer(2, 0, 1);
    (0..50).for_each(|n| class.picture(1, n, n == 0));
    (0..250).for_each(|n| class.sound(2, n, 0));
    class.put(Kind::Mute, 0, 1, 5 * SECOND, b"");
    class.put(Kind::Mute, 0, 2, 5 * SECOND, b"");
    // The engine says by itself that nothing comes.
    class.put(Kind::Mute, INFERRED, 1, 7 * SECOND, b"");
    class.put(Kind::Unmute, 0, 1, 15 * SECOND, b"");
    class.put(Kind::Unmute, 0, 2, 15 * SECOND, b"");
    class.layer(1, 15 * SECOND, 2);
    class.layer(2, 15 * SECOND, 2);
    (150..200).for_each(|n| class.picture(1, n, n == 153));
    (750..1_000).for_each(|n| class.sound(2, n, 0));
    class.put(Kind::Mute, 0, 1, 20 * SECOND, b"");
    let reports = class.packaged(60 * SECOND);
    let told: Vec<_> = reports.iter().map(|(track, report)| (*track, report.samples - report.filled, spans(report))).collect();
    let expected = [
        (1, 50, vec![("track-1.mp4", 0, 5_000)]),
        (1, 47, vec![("track-1-2.mp4", 15_300, 20_000)]),
        // Sound is told off by whoever mixes it: its hole is silence.
        (2, 500, vec![("track-2.mp4", 0, 20_000)]),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_screen_that_nothing_moves_on_stays() {
    let mut class = Class::new("still", 300 * SECOND);
    class.put(Kind::TrackStart, 0, 1, 0, SCREEN);
    class.layer(1, 0, 1);
    (0..10).for_each(|n| class.picture(1, n, n == 0));
    class.put(Kind::Mute, INFERRED, 1, 3 * SECOND, b"");
    class.put(Kind::Unmute, INFERRED, 1, 30 * SECOND, b"");
    (0..10).for_each(|n| class.packet(1, 30 * SECOND + u64::from(n) * 100_000, (96, 10 + n, (300 + u32::from(n)) * 9_000), SLICE));
    class.put(Kind::Mute, INFERRED, 1, 33 * SECOND, b"");
    let reports = class.packaged(60 * SECOND);
    let told: Vec<_> = reports.iter().map(|(_, report)| (report.samples, spans(report))).collect();
    assert_eq!(told, [(20, vec![("track-1.mp4", 0, 60_000)])]);
}

/// Sound, as the mix is told of it.
#[derive(Default)]
struct Heard(Vec<(TrackId, u64)>);

impl Sink for Heard {
    fn append(&mut self, _: &str, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }

    fn overwrite(&mut self, _: &str, _: u64, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }

    fn close(&mut self, _: &str) -> std::io::Result<()> {
        Ok(())
    }

    fn sound(&mut self, track: TrackId, time: u64, packet: &[u8]) {
        if packet == SOUND {
            self.0.push((track, time));
        }
    }
}

#[test]
fn last_words_before_a_mute_come_in_time_though_a_long_journal_is_read_at_once() {
    let mut class = Class::new("long", 40 * SECOND);
    class.put(Kind::TrackStart, 0, 1, 0, MICROPHONE);
    class.put(Kind::TrackStart, 0, 2, 0, OTHER);
    for n in 0..15_000 {
        class.sound(2, n, 0);
        match n {
            ..1_000 => class.sound(1, n, 0),
            1_000 => class.put(Kind::Mute, 0, 1, 20 * SECOND, b""),
            _ => {}
        }
    }
    class.stream.finish(class.now(300 * SECOND)).unwrap();
    let mut packager = Packager::new(ORIGIN, Heard::default());
    let mut follower = Follower::new(&class.root, "c", "r").unwrap();
    let (mut seen, mut over) = ([0; 3], false);
    // What lies more than 70 s before what is read is final in the mix.
    let mut last = 0;
    while !over {
        over = follower.advance(&mut packager).unwrap();
        for (track, time) in std::mem::take(&mut packager.sink_mut().0) {
            assert!(time >= last, "track {track}: {} ms, when {} ms were final", time / 48, last / 48);
            seen[usize::from(track)] += 1;
        }
        last = follower.now_us().saturating_sub(WALL_US + 70 * SECOND) * 48 / 1_000;
    }
    // The very last packet waits for what follows it.
    assert_eq!(seen[1], 999);
    assert!(seen[2] > 13_000);
}

#[test]
fn a_wall_clock_that_is_set_back_in_class_moves_nothing() {
    let mut class = Class::new("wall", 10 * SECOND);
    class.put(Kind::TrackStart, 0, 1, 0, CAMERA);
    for n in 0..100 {
        class.picture(1, n, n == 0);
    }
    class.back_us = 40 * SECOND;
    for n in 100..150 {
        class.picture(1, n, false);
    }
    class.put(Kind::TrackStart, 0, 2, 15 * SECOND, SCREEN);
    for n in 150..200 {
        class.picture(1, n, false);
        class.picture(2, n, n == 150);
    }
    class.stream.finish(class.now(20 * SECOND)).unwrap();
    // Another engine's clock says nothing of this one's: its own wall clock, right again, does.
    class.stream = engine(&class.root, 2, Now { monotonic_us: 5 * SECOND, wall_us: WALL_US + 60 * SECOND });
    class.back_us = 0;
    class.put(Kind::TrackStart, 0, 1, 5 * SECOND, CAMERA);
    (50..100).for_each(|n| class.picture(1, n, n == 50));
    let reports = class.packaged(10 * SECOND);
    let told: Vec<_> = reports.iter().flat_map(|(_, report)| spans(report)).collect();
    assert_eq!(told, [("track-1.mp4", 0, 20_000), ("track-2.mp4", 15_000, 20_000), ("track-3.mp4", 60_000, 65_000)]);
}
