//! A process that records real SRTP traffic is killed at random moments: what it lost is measured, nobody helps it up again.
//!
//! The child is this very test program. It says on its standard output what it has sent; what it said 100 ms before it was
//! killed must be in the journal after recovery. A power cut is a kill after which everything is gone that the file does
//! not say was synced. JIANGTAI_KILLS=n kills n times (3 unless said).

mod leg;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant, SystemTime};

use jiangtai_core::command::{AddTrack, Command, RecordTrack};
use jiangtai_core::media::{Codec, CodecName, Kind as MediaKind};
use jiangtai_core::rtp::Header;
use jiangtai_core::tape::Rank;
use jiangtai_journal::format::Kind;
use jiangtai_journal::read::{Found, Reader};
use jiangtai_journal::recover::{self, Outcome};
use jiangtai_journal::stream::Label;
use jiangtai_journal::{files, verify};
use jiangtai_net::recorder::Request;
use leg::{engine, Leg};

const TICK: Duration = Duration::from_millis(20);
const PICTURE_PACKETS: u16 = 4;
/// Track, SSRC, payload type.
const SOUND: (u64, u32, u8) = (10, 1000, 111);
const PICTURE: (u64, u32, u8) = (11, 1100, 96);

fn add(track: (u64, u32, u8), kind: MediaKind, name: CodecName) -> Command {
    let (id, ssrc, pt) = track;
    Command::AddTrack(Box::new(AddTrack {
        track: id,
        peer: 1,
        kind,
        mid: format!("m{id}"),
        ssrcs: vec![(ssrc, None)],
        codecs: vec![Codec { pt, name, rtx_pt: None }],
        rids: vec![],
        voice: kind == MediaKind::Audio,
        allowed: true,
        priority: false,
    }))
}

/// Records itself until it is killed.
#[test]
#[ignore = "only as a child"]
fn child() {
    let Some(root) = std::env::var_os("JIANGTAI_JOURNAL_CHILD") else { return };
    let engine = engine();
    engine.post(Command::OpenRoom { room: 1, audio_slots: 3, home: 0 }, None).unwrap();
    let mut speaker = Leg::join(&engine, 1, "127.0.0.1");
    let label =
        Label { class: "class".into(), recording: "r1".into(), boot: std::process::id().to_le_bytes().repeat(4).try_into().unwrap() };
    engine.record(Request::Open { room: 1, root: root.into(), label: Box::new(label) }).unwrap();
    for (track, kind, name, rank) in
        [(SOUND, MediaKind::Audio, CodecName::Opus, Rank::Sound), (PICTURE, MediaKind::Video, CodecName::Vp8, Rank::Trainer)]
    {
        engine.post(add(track, kind, name), None).unwrap();
        let record = RecordTrack { number: track.0 as u16, rank, description: b"{}".to_vec() };
        engine.post(Command::Record { track: track.0, record: Some(Box::new(record)) }, None).unwrap();
    }
    std::thread::sleep(Duration::from_millis(50));
    let mut out = std::io::stdout();
    let mut next = Instant::now();
    for n in 0u16.. {
        let mut send = |(_, ssrc, payload_type): (u64, u32, u8), sequence: u16, payload: &[u8]| {
            let header = Header { payload_type, marker: true, sequence, timestamp: u32::from(n) * 960, ssrc };
            let packet = speaker.client.seal(&header, &[], payload);
            speaker.socket.send(&packet).unwrap();
            writeln!(out, "sent {ssrc} {sequence}").unwrap();
        };
        send(SOUND, n, &[0x78; 80]);
        for part in 0..PICTURE_PACKETS {
            let first = if n % 50 == 0 { 0 } else { 1 };
            let mut payload = vec![0x10, first];
            payload.resize(1100, n as u8);
            send(PICTURE, n.wrapping_mul(PICTURE_PACKETS).wrapping_add(part), &payload);
        }
        out.flush().unwrap();
        speaker.pump();
        next += TICK;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// When the child said it had sent a packet, by SSRC and sequence number.
type Sent = BTreeMap<(u32, u16), Instant>;

/// Lets a child record for a while and kills it; returns what it sent and when it died.
fn run_and_kill(root: &Path, lives: Duration) -> (Sent, Instant) {
    let mut child: Child = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env("JIANGTAI_JOURNAL_CHILD", root)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let (mut sent, mut line) = (Sent::new(), String::new());
        while lines.read_line(&mut line).is_ok_and(|n| n > 0) {
            let mut words = line.split_whitespace();
            // The first may stand behind what the test program says of itself.
            if words.by_ref().any(|word| word == "sent") {
                if let (Some(Ok(ssrc)), Some(Ok(sequence))) = (words.next().map(str::parse), words.next().map(str::parse)) {
                    sent.insert((ssrc, sequence), Instant::now());
                }
            }
            line.clear();
        }
        sent
    });
    // It must have begun to write before its life counts.
    let end = Instant::now() + Duration::from_secs(20);
    let first = files::path(&root.join("class"), 1);
    while std::fs::metadata(&first).map_or(0, |file| file.len()) < 2_000 {
        assert!(Instant::now() < end, "the child writes");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(lives);
    child.kill().unwrap();
    let died = Instant::now();
    child.wait().unwrap();
    (reader.join().unwrap(), died)
}

/// What is in the files of the class, by SSRC and sequence number; each file must be whole.
fn recorded(root: &Path) -> Vec<(u32, u16)> {
    let folder = root.join("class");
    let mut found = Vec::new();
    for number in files::numbers(&folder).unwrap() {
        let bytes = std::fs::read(files::path(&folder, number)).unwrap();
        assert!(verify::file(&bytes).unwrap().is_whole());
        for item in Reader::open(&bytes).unwrap().1 {
            let Found::Record { record, .. } = item else { panic!("damage") };
            if record.kind == Kind::Rtp {
                let packet = jiangtai_core::rtp::Packet::parse(record.payload).unwrap();
                assert_eq!(record.roc, 1, "no wrap in so short a time");
                found.push((packet.ssrc(), packet.sequence()));
            }
        }
    }
    found
}

/// How much of a track is missing at the end: from the first packet that is not there to the death.
fn missing(sent: &Sent, recorded: &[(u32, u16)], ssrc: u32, died: Instant) -> Duration {
    let recorded: std::collections::HashSet<_> = recorded.iter().collect();
    let first = sent.iter().find(|(packet, at)| packet.0 == ssrc && **at <= died && !recorded.contains(packet));
    first.map_or(Duration::ZERO, |(_, at)| died - *at)
}

fn folder(name: &str, n: u32) -> PathBuf {
    let path = std::env::temp_dir().join(format!("crash-{name}-{n}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

fn kills() -> u32 {
    std::env::var("JIANGTAI_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(3)
}

fn random(below: u64) -> u64 {
    u64::from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos()) * 2_654_435_761 % below
}

#[test]
fn a_killed_process_loses_less_than_100_ms_of_each_track_and_recovers_by_itself() {
    let mut worst = Duration::ZERO;
    for n in 0..kills() {
        let root = folder("kill", n);
        let (sent, died) = run_and_kill(&root, Duration::from_millis(100 + random(1400)));
        let recovered = recover::all(&root).unwrap();
        assert!(matches!(recovered[..], [recover::Recovered { outcome: Outcome::Sealed { damaged: 0, .. }, .. }]), "{recovered:?}");
        let found = recorded(&root);
        for ssrc in [SOUND.1, PICTURE.1] {
            assert!(found.iter().filter(|packet| packet.0 == ssrc).count() > 3);
            worst = worst.max(missing(&sent, &found, ssrc, died));
        }
        std::fs::remove_dir_all(&root).unwrap();
    }
    println!("kill -9: {n}/{n} recovered, at most {worst} ms missing", n = kills(), worst = worst.as_millis());
    assert!(worst <= Duration::from_millis(100), "{worst:?}");
}

#[test]
fn a_power_cut_loses_less_than_two_seconds() {
    let mut worst = Duration::ZERO;
    for n in 0..kills().div_ceil(3) {
        let root = folder("power", n);
        let (sent, died) = run_and_kill(&root, Duration::from_millis(2500 + random(2500)));
        let path = files::path(&root.join("class"), 1);
        let bytes = std::fs::read(&path).unwrap();
        let synced = Reader::open(&bytes).unwrap().1.filter_map(|found| match found {
            Found::Record { record, .. } if record.kind == Kind::Checkpoint => Some(u64::from_le_bytes(record.payload.try_into().unwrap())),
            _ => None,
        });
        let synced = synced.last().expect("it was synced");
        // Of what is behind it the disk may have any part: nothing, or the first bytes, or garbage.
        let keep = (synced as usize).min(bytes.len());
        let mut after = bytes[..keep].to_vec();
        match n % 3 {
            0 => {}
            1 => after.extend_from_slice(&bytes[keep..(keep + 700).min(bytes.len())]),
            _ => after.resize(bytes.len(), 0),
        }
        std::fs::write(&path, &after).unwrap();
        recover::all(&root).unwrap();
        let found = recorded(&root);
        worst = worst.max(missing(&sent, &found, SOUND.1, died)).max(missing(&sent, &found, PICTURE.1, died));
        std::fs::remove_dir_all(&root).unwrap();
    }
    println!("power cut: at most {} ms missing", worst.as_millis());
    assert!(worst <= Duration::from_secs(2), "{worst:?}");
}
