//! Recording in a running engine: what a peer sends is in the file, and a full disk spoils nothing.

mod leg;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiangtai_core::command::{Command, RecordTrack};
use jiangtai_core::event::{Event, JournalState};
use jiangtai_core::tape::Rank;
use jiangtai_journal::format::Kind;
use jiangtai_journal::read::{Found, Reader};
use jiangtai_journal::stream::Label;
use jiangtai_journal::{files, verify};
use jiangtai_net::engine::Engine;
use jiangtai_net::recorder::Request;
use leg::{metric, until, Lesson};

const ROOM: u64 = 1;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("recording-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn open(engine: &Engine, root: &Path) {
    let label = Label { class: "class".into(), recording: "r1".into(), boot: [3; 16] };
    engine.record(Request::Open { room: ROOM, root: root.to_owned(), label: Box::new(label) }).unwrap();
}

fn record(engine: &Engine, track: u64, rank: Rank) {
    let record = RecordTrack { number: track as u16, rank, description: br#"{"source":"microphone"}"#.to_vec() };
    engine.post(Command::Record { track, record: Some(Box::new(record)) }, None).unwrap();
}

fn states(engine: &Engine, seen: &mut Vec<JournalState>) {
    seen.extend(engine.drain().into_iter().filter_map(|event| match event {
        Event::Journal { room: ROOM, state, .. } => Some(state),
        _ => None,
    }));
}

fn kinds(path: &Path) -> Vec<Kind> {
    let bytes = std::fs::read(path).unwrap();
    let (_, reader) = Reader::open(&bytes).unwrap();
    let records = reader.map(|found| match found {
        Found::Record { record, .. } => record.kind,
        Found::Damage { .. } => panic!("damage"),
    });
    records.collect()
}

#[test]
fn what_is_said_while_recording_is_in_the_file_and_nothing_else() {
    let folder = Folder::new("said");
    let mut lesson = Lesson::new(&["127.0.0.1"]);
    lesson.say(&[0], 20);
    open(&lesson.engine, &folder.0);
    record(&lesson.engine, 10, Rank::Sound);
    let mut seen = Vec::new();
    until(|| {
        states(&lesson.engine, &mut seen);
        seen == [JournalState::Opened]
    });
    let before = metric(&lesson.engine, "taped");
    lesson.say(&[0], 50);
    lesson.engine.record(Request::Note { room: ROOM, content: b"{\"seq\":9}".to_vec() }).unwrap();
    lesson.engine.post(Command::Record { track: 10, record: None }, None).unwrap();
    lesson.engine.record(Request::Close { room: ROOM }).unwrap();
    until(|| {
        states(&lesson.engine, &mut seen);
        seen == [JournalState::Opened, JournalState::Sealed, JournalState::Closed]
    });
    let taped = metric(&lesson.engine, "taped") - before;
    lesson.say(&[0], 5);
    assert_eq!(metric(&lesson.engine, "taped") - before, taped);
    let path = files::path(&folder.0.join("class"), 1);
    let verdict = verify::file(&std::fs::read(&path).unwrap()).unwrap();
    assert!(verdict.is_whole());
    assert_eq!(verdict.tracks[&10].packets, metric(&lesson.engine, "taped"));
    let kinds = kinds(&path);
    assert_eq!(kinds[..3], [Kind::Clock, Kind::TrackStart, Kind::Layer]);
    for kind in [Kind::Event, Kind::TrackEnd] {
        assert_eq!(kinds.iter().filter(|found| **found == kind).count(), 1);
    }
    assert_eq!(metric(&lesson.engine, "journal_recordings"), 0);
    assert_eq!(metric(&lesson.engine, "journal_lost") + metric(&lesson.engine, "dropped_tape_full"), 0);
}

#[test]
fn an_engine_that_closes_makes_its_files_whole() {
    let folder = Folder::new("close");
    let mut lesson = Lesson::new(&["127.0.0.1"]);
    open(&lesson.engine, &folder.0);
    record(&lesson.engine, 10, Rank::Sound);
    lesson.say(&[0], 10);
    lesson.engine.close();
    let verdict = verify::file(&std::fs::read(files::path(&folder.0.join("class"), 1)).unwrap()).unwrap();
    assert!(verdict.is_whole());
    assert_eq!(verdict.tracks[&10].packets, metric(&lesson.engine, "taped"));
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let lesson = Lesson::new(&[]);
    open(&lesson.engine, Path::new("/proc/no/such"));
    let mut seen = Vec::new();
    until(|| {
        states(&lesson.engine, &mut seen);
        !seen.is_empty()
    });
    assert!(matches!(seen[..], [JournalState::DiskLow | JournalState::Failed]), "{seen:?}");
}

/// A disk of its own, if we may mount one.
struct Disk(Folder);

impl Disk {
    fn new(name: &str, kilobytes: u32) -> Option<Disk> {
        let folder = Folder::new(name);
        std::fs::create_dir_all(&folder.0).unwrap();
        let size = format!("size={kilobytes}k");
        let mount = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&folder.0).status();
        mount.is_ok_and(|status| status.success()).then_some(Disk(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0 .0).status();
    }
}

#[test]
fn a_full_disk_spoils_nothing_and_recording_goes_on_when_there_is_room() {
    let Some(disk) = Disk::new("full", 2048) else { return eprintln!("not run: mounting needs root") };
    let root = &disk.0 .0;
    let mut lesson = Lesson::new(&["127.0.0.1"]);
    open(&lesson.engine, root);
    record(&lesson.engine, 10, Rank::Sound);
    let mut seen = Vec::new();
    lesson.say(&[0], 50);
    until(|| {
        states(&lesson.engine, &mut seen);
        metric(&lesson.engine, "journal_bytes") > 3_000
    });
    // Somebody else fills the disk to the last byte.
    let ballast = root.join("ballast");
    let mut filler = std::fs::File::create(&ballast).unwrap();
    while std::io::Write::write(&mut filler, &[0; 4096]).is_ok_and(|n| n > 0) {}
    let end = Instant::now() + Duration::from_secs(8);
    while !seen.contains(&JournalState::Stalled) {
        assert!(Instant::now() < end, "it stalls");
        lesson.say(&[0], 20);
        states(&lesson.engine, &mut seen);
    }
    // More than is kept in memory, so that some is lost and said so.
    lesson.word = 1_000;
    while metric(&lesson.engine, "journal_lost") == 0 {
        lesson.say(&[0], 200);
    }
    std::fs::remove_file(&ballast).unwrap();
    drop(filler);
    until(|| {
        states(&lesson.engine, &mut seen);
        seen.last() == Some(&JournalState::Resumed)
    });
    lesson.say(&[0], 50);
    lesson.engine.close();
    let path = files::path(&root.join("class"), 1);
    let verdict = verify::file(&std::fs::read(&path).unwrap()).unwrap();
    assert!(verdict.is_whole(), "{verdict:?}");
    let figures = &verdict.tracks[&10];
    assert!(figures.lost > 0);
    assert_eq!(figures.packets + figures.lost, metric(&lesson.engine, "taped"));
    assert!(kinds(&path).contains(&Kind::Loss));
}

#[test]
fn no_recording_begins_on_a_disk_that_is_nearly_full() {
    let Some(disk) = Disk::new("low", 512) else { return eprintln!("not run: mounting needs root") };
    let root = &disk.0 .0;
    std::fs::write(root.join("ballast"), vec![0; 480 << 10]).unwrap();
    let lesson = Lesson::new(&[]);
    open(&lesson.engine, root);
    let mut seen = Vec::new();
    until(|| {
        states(&lesson.engine, &mut seen);
        !seen.is_empty()
    });
    assert_eq!(seen, [JournalState::DiskLow]);
    assert_eq!(metric(&lesson.engine, "journal_refused"), 1);
}
