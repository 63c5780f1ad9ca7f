//! Files of a running class, and what recovery makes of them.

use std::fs;
use std::path::PathBuf;

use jiangtai_journal::format::{Kind, Record};
use jiangtai_journal::read::{Found, Reader};
use jiangtai_journal::recover::{self, Outcome};
use jiangtai_journal::stream::{Label, Now, Stream};
use jiangtai_journal::{files, verify};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("journal-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Folder(path)
    }

    fn files(&self) -> Vec<PathBuf> {
        let folder = self.0.join("c");
        files::numbers(&folder).unwrap().into_iter().map(|n| files::path(&folder, n)).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn now(us: u64) -> Now {
    Now { monotonic_us: us, wall_us: 1_700_000_000_000_000 + us }
}

fn stream(folder: &Folder, at: u64) -> Stream {
    let label = Label { class: "c".into(), recording: "r1".into(), boot: [4; 16] };
    Stream::create(&folder.0, label, now(at)).unwrap()
}

fn packet(n: u64, payload: &[u8]) -> Record<'_> {
    Record { kind: Kind::Rtp, flags: 0, track: 1, arrival_us: n, roc: 1, payload }
}

fn kinds(path: &PathBuf) -> Vec<(Kind, u16)> {
    let bytes = fs::read(path).unwrap();
    let (_, reader) = Reader::open(&bytes).unwrap();
    reader
        .map(|found| match found {
            Found::Record { record, .. } => (record.kind, record.track),
            Found::Damage { .. } => panic!("damage"),
        })
        .collect()
}

#[test]
fn a_new_file_begins_with_everything_that_is_live_and_names_the_one_before() {
    let folder = Folder::new("rotate");
    let mut stream = stream(&folder, 0).bounded(2_000, 60_000_000);
    for (track, kind) in [(1, Kind::TrackStart), (2, Kind::TrackStart), (1, Kind::Layer), (2, Kind::TrackEnd)] {
        stream.put(&Record { kind, flags: 0, track, arrival_us: 1, roc: 0, payload: b"{}" });
    }
    assert!(stream.tick(now(2)).unwrap().is_none());
    (0..3).for_each(|n| stream.put(&packet(n, &[1; 700])));
    let sealed = stream.tick(now(3)).unwrap().unwrap();
    stream.put(&packet(9, &[1; 10]));
    let last = stream.finish(now(60_000_003)).unwrap().unwrap();
    assert_eq!((sealed.number, last.number), (1, 2));
    let verdicts: Vec<_> = folder.files().iter().map(|path| verify::file(&fs::read(path).unwrap()).unwrap()).collect();
    assert!(verdicts.iter().all(verify::Verdict::is_whole));
    assert_eq!(verdicts[1].head.previous, sealed.seal.digest);
    assert_eq!(fs::metadata(&folder.files()[0]).unwrap().len(), sealed.bytes);
    let expected = [(Kind::Clock, 0), (Kind::TrackStart, 1), (Kind::Layer, 1), (Kind::Rtp, 1), (Kind::Clock, 0), (Kind::Seal, 0)];
    assert_eq!(kinds(&folder.files()[1]), expected);
}

#[test]
fn an_old_file_is_sealed_though_little_came() {
    let folder = Folder::new("age");
    let mut stream = stream(&folder, 0);
    assert!(stream.tick(now(299_000_000)).unwrap().is_none());
    assert_eq!(stream.tick(now(300_000_000)).unwrap().map(|sealed| sealed.number), Some(1));
}

#[test]
fn recovery_keeps_every_whole_record_of_a_file_cut_anywhere() {
    let folder = Folder::new("cut");
    let mut stream = stream(&folder, 0);
    (0..20).for_each(|n| stream.put(&packet(n, &[n as u8; 50])));
    stream.flush().unwrap();
    let path = folder.files().remove(0);
    let whole = fs::read(&path).unwrap();
    let first = 256 + 24 + 16;
    for length in (0..=whole.len()).rev() {
        fs::write(&path, &whole[..length]).unwrap();
        let outcome = recover::file(&path).unwrap();
        if length < 256 {
            assert_eq!(outcome, Outcome::Aside);
            fs::remove_file(path.with_extension("torn")).unwrap();
            continue;
        }
        let expected = if length < first { 0 } else { 1 + (length - first) as u64 / 74 };
        let verdict = verify::file(&fs::read(&path).unwrap()).unwrap();
        assert!(verdict.is_whole(), "cut at {length}: {verdict:?}");
        assert_eq!(verdict.records, expected, "cut at {length}");
        assert_eq!(recover::file(&path).unwrap(), Outcome::Whole, "once is enough");
    }
}

#[test]
fn recovery_that_was_cut_off_itself_is_repeated() {
    let folder = Folder::new("again");
    let mut stream = stream(&folder, 0);
    stream.put(&Record { flags: 1, ..packet(1, &[2; 50]) });
    stream.finish(now(5)).unwrap().unwrap();
    let path = folder.files().remove(0);
    let whole = fs::read(&path).unwrap();
    let records = verify::file(&whole).unwrap().records;
    for cut in 1..100 {
        fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        assert!(matches!(recover::all(&folder.0).unwrap()[0].outcome, Outcome::Sealed { records: found, .. } if found == records));
        assert!(verify::file(&fs::read(&path).unwrap()).unwrap().is_whole());
    }
}

#[test]
fn damage_in_the_middle_is_kept_and_what_follows_is_read() {
    let folder = Folder::new("damage");
    let mut stream = stream(&folder, 0);
    (0..9).for_each(|n| stream.put(&packet(n, &[n as u8; 50])));
    stream.flush().unwrap();
    let path = folder.files().remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[500] ^= 0x80;
    fs::write(&path, &bytes).unwrap();
    let outcome = recover::file(&path).unwrap();
    assert_eq!(outcome, Outcome::Sealed { records: 9, cut: 0, damaged: 74 });
    assert_eq!(recover::file(&path).unwrap(), Outcome::Whole);
    assert_eq!(fs::read(&path).unwrap()[..bytes.len()], bytes[..], "not a byte was changed");
}

#[test]
fn numbers_go_on_after_a_restart_and_the_line_of_digests_holds() {
    let folder = Folder::new("restart");
    let mut before = stream(&folder, 0);
    before.put(&packet(1, b"before"));
    before.flush().unwrap();
    drop(before);
    recover::all(&folder.0).unwrap();
    let mut after = stream(&folder, 0);
    after.finish(now(1)).unwrap();
    let [first, second] = [0, 1].map(|n| verify::file(&fs::read(&folder.files()[n]).unwrap()).unwrap());
    assert_eq!(second.head.number, 2);
    assert_eq!(second.head.previous, first.seal.unwrap().digest);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let folder = Folder::new("names");
    for class in ["..", "a/b", "", "x\0y", &"x".repeat(65)] {
        let label = Label { class: class.into(), recording: "r1".into(), boot: [0; 16] };
        assert!(Stream::create(&folder.0, label, now(0)).is_err(), "{class:?}");
    }
}

#[test]
fn what_was_synced_is_written_down() {
    let folder = Folder::new("synced");
    let mut stream = stream(&folder, 0);
    stream.put(&packet(1, b"one"));
    assert!(stream.unsynced().is_none());
    stream.flush().unwrap();
    let (file, number, offset) = stream.unsynced().unwrap();
    file.sync_data().unwrap();
    stream.synced(number, offset, now(9));
    stream.flush().unwrap();
    let bytes = fs::read(&folder.files()[0]).unwrap();
    let (_, reader) = Reader::open(&bytes).unwrap();
    let Some(Found::Record { record, .. }) = reader.last() else { panic!() };
    assert_eq!((record.kind, record.payload), (Kind::Checkpoint, &offset.to_le_bytes()[..]));
}
