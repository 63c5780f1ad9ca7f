//! Taking a person out: what is left is what was there without them, whole, in line, whenever the work was cut off.
//!
//! The child that is killed is this very test program. JIANGTAI_KILLS=n kills n times (20 unless said).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiangtai_journal::format::{Head, Kind, Record, HEAD, KEY_FRAME};
use jiangtai_journal::read::{Found, Reader};
use jiangtai_journal::redact::{self, Outcome, Redacted};
use jiangtai_journal::stream::{Label, Now, Stream};
use jiangtai_journal::verify::{self, Verdict};
use jiangtai_journal::walk::walk;
use jiangtai_journal::{files, recover};

const PEOPLE: [&str; 3] = ["anna", "anna2", "bob"];

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("redact-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Folder(path)
    }

    fn class(&self) -> PathBuf {
        self.0.join("c")
    }

    fn files(&self) -> Vec<PathBuf> {
        files::numbers(&self.class()).unwrap().into_iter().map(|n| files::path(&self.class(), n)).collect()
    }

    fn redact(&self, recording: Option<&str>, who: &str) -> Redacted {
        match redact::class(&self.0, "c", recording, &[who.to_owned()]).unwrap() {
            Outcome::Done(done) => done,
            Outcome::BeingWritten(number) => panic!("{number} is being written"),
        }
    }

    fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = fs::read_dir(self.class()).unwrap();
        entries.map(|entry| entry.unwrap().path()).map(|path| (PathBuf::from(path.file_name().unwrap()), fs::read(path).unwrap())).collect()
    }

    fn copy(&self, name: &str) -> Folder {
        let other = Folder::new(name);
        fs::create_dir_all(other.class()).unwrap();
        for (file, bytes) in self.contents() {
            fs::write(other.class().join(file), bytes).unwrap();
        }
        other
    }

    fn verdicts(&self) -> Vec<Verdict> {
        self.files().iter().map(|path| verify::file(&fs::read(path).unwrap()).unwrap()).collect()
    }

    /// Every file is whole, and each names the one before.
    fn is_good(&self) {
        let verdicts = self.verdicts();
        assert!(verdicts.iter().all(Verdict::is_whole), "{verdicts:?}");
        assert!(links(&verdicts).iter().all(|link| *link == Link::Holds), "{:?}", links(&verdicts));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Link {
    Holds,
    /// The next file is still to be made anew.
    Pending,
    Broken,
}

fn links(verdicts: &[Verdict]) -> Vec<Link> {
    let link = |pair: &[Verdict]| {
        let named = pair[1].head.previous;
        match pair[0].seal.unwrap().digest == named {
            true => Link::Holds,
            false if pair[0].mark.is_some_and(|mark| mark.known_as == named) => Link::Pending,
            false => Link::Broken,
        }
    };
    verdicts.windows(2).map(link).collect()
}

/// A number line without a seed from outside: tests must be repeatable.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

fn now(us: u64) -> Now {
    Now { monotonic_us: us, wall_us: 1_700_000_000_000_000 + us }
}

fn label(who: &str) -> String {
    format!("{{\"participant\":\"{who}\",\"source\":\"microphone\",\"kind\":\"audio\",\"codecs\":[[111,\"opus\",null]]}}")
}

/// What everybody sends carries their own name, so that a byte left behind is found.
fn payload(who: &str, numbers: &mut Numbers) -> Vec<u8> {
    let mut payload = format!("<{who}>").into_bytes();
    payload.extend((0..numbers.next(200)).map(|_| numbers.next(256) as u8));
    payload
}

/// One run of the writer: people come, speak, go, come again; files are sealed on the way.
fn run(root: &Path, recording: &str, seed: u64, records: usize, file_bytes: u64) {
    let mut numbers = Numbers(seed);
    let mut boot = [0; 16];
    boot[..8].copy_from_slice(&seed.to_le_bytes());
    let told = Label { class: "c".into(), recording: recording.into(), boot };
    let mut stream = Stream::create(root, told, now(0)).unwrap().bounded(file_bytes, 300_000_000);
    let mut live: BTreeMap<u16, &str> = BTreeMap::new();
    let mut used = 0;
    for n in 0..records {
        let arrival_us = n as u64 * 10_000;
        let mut put = |kind, flags, track, payload: &[u8]| stream.put(&Record { kind, flags, track, arrival_us, roc: 1, payload });
        let pick = live.keys().nth(numbers.next(live.len().max(1))).copied();
        match (numbers.next(40), pick) {
            (0, _) | (_, None) => {
                used += 1;
                let who = PEOPLE[numbers.next(3)];
                live.insert(used, who);
                put(Kind::TrackStart, 0, used, label(who).as_bytes());
                put(Kind::Layer, 0, used, &[0; 9]);
            }
            (1, Some(track)) => {
                live.remove(&track);
                put(Kind::TrackEnd, 0, track, b"gone");
            }
            (2, Some(track)) => put(Kind::Mute, 0, track, b""),
            (3, Some(track)) => put(Kind::Unmute, 0, track, b""),
            (4, Some(track)) => put(Kind::SenderReport, 0, track, &[7; 16]),
            (5, Some(track)) => stream.missed(track, 3, 300, arrival_us),
            (6, _) => put(Kind::Event, 0, 0, format!("{{\"seq\":{n},\"type\":\"hand_raised\"}}").as_bytes()),
            (7, _) => put(Kind::Event, 0, 0, format!("{{\"by\":\"{}\"}}", PEOPLE[numbers.next(3)]).as_bytes()),
            (8, _) => {
                stream.flush().unwrap();
                if let Some((_, number, offset)) = stream.unsynced() {
                    stream.synced(number, offset, now(arrival_us));
                }
            }
            (case, Some(track)) => {
                let flags = if case == 9 { KEY_FRAME } else { 0 };
                put(Kind::Rtp, flags, track, &payload(live[&track], &mut numbers));
            }
        }
        stream.tick(now(arrival_us)).unwrap();
    }
    stream.finish(now(records as u64 * 10_000)).unwrap().unwrap();
}

/// A class of two recordings, the first of which went on after a crash.
fn class(name: &str, seed: u64) -> Folder {
    let folder = Folder::new(name);
    run(&folder.0, "r1", seed, 300, 4_000);
    run(&folder.0, "r1", seed + 1, 200, 4_000);
    run(&folder.0, "r2", seed + 2, 200, 4_000);
    folder
}

type Told = (Kind, u8, u16, u64, u32, Vec<u8>);

/// Everything in a file that stays the same when it is made anew; offsets are checked and left out.
fn told(bytes: &[u8]) -> Vec<Told> {
    let (_, reader) = Reader::open(bytes).unwrap();
    let mut keys = BTreeMap::new();
    let mut told = Vec::new();
    for found in reader {
        let Found::Record { at, record } = found else { continue };
        if matches!(record.kind, Kind::Index | Kind::Seal | Kind::Redacted) {
            continue;
        }
        let mut payload = record.payload.to_vec();
        if record.kind == Kind::Rtp && record.flags & KEY_FRAME != 0 {
            keys.insert(at as u64, record.track);
        }
        if matches!(record.kind, Kind::KeyFrame | Kind::Checkpoint) {
            let offset = u64::from_le_bytes(payload[..].try_into().unwrap());
            assert!(offset <= at as u64);
            assert!(record.kind == Kind::Checkpoint || keys.get(&offset) == Some(&record.track), "a mark names its key frame");
            payload.clear();
        }
        told.push((record.kind, record.flags, record.track, record.arrival_us, record.roc, payload));
    }
    told
}

/// What is to be left of a file.
fn without(told: Vec<Told>, who: &str, tracks: &mut BTreeMap<u16, bool>) -> Vec<Told> {
    let id = format!("\"{who}\"");
    let mut left = Vec::new();
    for record in told {
        let names = String::from_utf8_lossy(&record.5).contains(&id);
        if record.0 == Kind::TrackStart {
            tracks.insert(record.2, names);
        }
        let theirs = if record.2 == 0 { record.0 == Kind::Event && names } else { tracks[&record.2] };
        if !theirs {
            left.push(record);
        }
    }
    left
}

fn is_anywhere(folder: &Folder, what: &str) -> bool {
    folder.contents().values().any(|bytes| bytes.windows(what.len()).any(|part| part == what.as_bytes()))
}

#[test]
fn what_is_left_is_what_was_there_without_the_person() {
    for seed in 0..12 {
        let folder = class("filter", 100 * seed);
        let before: Vec<_> = folder.files().iter().map(|path| fs::read(path).unwrap()).collect();
        assert!(is_anywhere(&folder, "\"anna\"") && is_anywhere(&folder, "<anna>"));
        let done = folder.redact(None, "anna");
        folder.is_good();
        assert!(!is_anywhere(&folder, "\"anna\"") && !is_anywhere(&folder, "<anna>"), "nothing of the person is left");
        assert!(is_anywhere(&folder, "<anna2>") && is_anywhere(&folder, "<bob>"));
        let (mut boot, mut tracks, mut gone) = ([0; 16], BTreeMap::new(), 0);
        for (bytes, path) in before.iter().zip(folder.files()) {
            let (old, new) = (Head::decode(bytes).unwrap(), Head::decode(&fs::read(&path).unwrap()).unwrap());
            assert_eq!(Head { previous: old.previous, ..new }, old);
            if old.boot != boot {
                (boot, tracks) = (old.boot, BTreeMap::new());
            }
            let (had, has) = (told(bytes), told(&fs::read(&path).unwrap()));
            gone += (had.len() - has.len()) as u64;
            assert_eq!(has, without(had, "anna", &mut tracks), "{path:?}");
        }
        assert_eq!(gone, done.records);
        let marks: u64 = folder.verdicts().iter().filter_map(|verdict| verdict.mark).map(|mark| mark.records).sum();
        assert_eq!(marks, done.records);
        let contents = folder.contents();
        assert_eq!(folder.redact(None, "anna"), Redacted::default(), "once is enough");
        assert_eq!(folder.contents(), contents);
        assert!(recover::all(&folder.0).unwrap().is_empty());
    }
}

#[test]
fn seals_count_what_is_left() {
    let folder = class("lost", 7);
    folder.redact(None, "anna");
    for (path, verdict) in folder.files().iter().zip(folder.verdicts()) {
        let seal = verdict.seal.unwrap();
        assert_eq!(seal.lost, verdict.tracks.values().map(|track| track.lost).sum::<u64>(), "{path:?}");
        assert_eq!(seal.records, verdict.records);
    }
}

#[test]
fn others_can_be_taken_out_later_until_nobody_is_left() {
    let folder = class("all", 3);
    let sum: u64 = PEOPLE.iter().map(|who| folder.redact(None, who).bytes).sum();
    folder.is_good();
    assert_eq!(folder.verdicts().iter().map(|verdict| verdict.tracks.len()).sum::<usize>(), 0);
    assert_eq!(folder.verdicts().iter().filter_map(|verdict| verdict.mark).map(|mark| mark.bytes).sum::<u64>(), sum);
    for who in PEOPLE {
        assert!(!is_anywhere(&folder, who));
    }
}

#[test]
fn one_recording_alone_can_be_meant() {
    let folder = class("one", 11);
    let before = folder.verdicts();
    let done = folder.redact(Some("r1"), "anna");
    folder.is_good();
    assert_eq!(done.recordings.into_iter().collect::<Vec<_>>(), ["r1"]);
    assert!(done.relinked > 0, "the files of the next recording name other digests");
    for (old, new) in before.iter().zip(folder.verdicts()).filter(|(old, _)| old.head.recording == "r2") {
        assert!(old.tracks == new.tracks && new.mark.is_some_and(|mark| mark.records == 0), "{:?}", new.head);
    }
    let done = folder.redact(Some("r2"), "anna");
    assert!(done.files > 0);
    folder.is_good();
    assert!(!is_anywhere(&folder, "\"anna\""));
}

#[test]
fn a_person_who_never_sent_changes_nothing() {
    let folder = class("nobody", 5);
    let before = folder.contents();
    for who in ["ann", "nna", "", "hand_raised2"] {
        assert_eq!(folder.redact(None, who), Redacted::default());
    }
    assert_eq!(folder.contents(), before);
    assert_eq!(redact::class(&folder.0, "other", None, &["anna".into()]).unwrap(), Outcome::Done(Redacted::default()));
    assert!(redact::class(&folder.0, "../c", None, &["anna".into()]).is_err());
}

#[test]
fn wherever_it_is_cut_off_the_files_are_good_and_the_same_call_ends_it() {
    let whole = class("whole", 21);
    let cut = whole.copy("cut-from");
    whole.redact(None, "anna");
    let (before, after) = (cut.contents(), whole.contents());
    let names: Vec<_> = before.keys().cloned().collect();
    for done in 0..=names.len() {
        let folder = cut.copy("cut");
        for name in &names[..done] {
            fs::write(folder.class().join(name), &after[name]).unwrap();
        }
        if let Some(name) = names.get(done) {
            let half = &after[name][..after[name].len() / 2];
            fs::write(folder.class().join(name).with_extension("redacting"), half).unwrap();
        }
        let verdicts = folder.verdicts();
        assert!(verdicts.iter().all(Verdict::is_whole));
        assert!(!links(&verdicts).contains(&Link::Broken), "after {done} files");
        // Somebody else comes first: the line is mended then, too.
        let other = folder.copy("cut-other");
        other.redact(None, "bob");
        other.is_good();
        other.redact(None, "anna");
        other.is_good();
        assert!(!is_anywhere(&other, "<anna>") && !is_anywhere(&other, "<bob>"));
        folder.redact(None, "anna");
        folder.is_good();
        assert_eq!(folder.contents(), after, "after {done} files");
    }
}

#[test]
fn what_is_being_written_is_left_alone() {
    let folder = class("live", 2);
    let told = Label { class: "c".into(), recording: "r3".into(), boot: [9; 16] };
    let mut stream = Stream::create(&folder.0, told, now(0)).unwrap();
    stream.flush().unwrap();
    let (before, number) = (folder.contents(), folder.files().len() as u32);
    for recording in [None, Some("r3")] {
        assert_eq!(redact::class(&folder.0, "c", recording, &["anna".into()]).unwrap(), Outcome::BeingWritten(number));
    }
    assert_eq!(folder.contents(), before);
    folder.redact(Some("r1"), "anna");
    stream.finish(now(5)).unwrap();
    let verdicts = folder.verdicts();
    assert!(verdicts.iter().all(Verdict::is_whole));
    assert_eq!(links(&verdicts).iter().filter(|link| **link == Link::Pending).count(), 1, "the one that was being written");
    folder.redact(None, "anna");
    folder.is_good();
}

#[test]
fn damage_goes_with_the_person_and_a_damaged_file_does_not_become_whole() {
    let mut numbers = Numbers(77);
    for seed in 0..20 {
        let folder = class("damage", 1000 + seed);
        let damaged = numbers.next(folder.files().len());
        let path = folder.files().remove(damaged);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        let at = HEAD + numbers.next(bytes.len() - HEAD - 96);
        bytes[at] ^= 1 << numbers.next(8);
        fs::write(&path, &bytes).unwrap();
        assert!(!verify::file(&bytes).unwrap().is_whole());
        let boot = Head::decode(&bytes).unwrap().boot;
        folder.redact(None, "anna");
        assert!(!is_anywhere(&folder, "<anna>"), "seed {seed}");
        let verdicts = folder.verdicts();
        assert!(!links(&verdicts).contains(&Link::Broken));
        let broken: Vec<_> = (0..verdicts.len()).filter(|n| !verdicts[*n].is_whole()).collect();
        assert_eq!(broken, [damaged]);
        let hers = verdicts.iter().any(|verdict| verdict.head.boot == boot && verdict.mark.is_some_and(|mark| mark.records > 0));
        assert_eq!(verdicts[damaged].damaged == 0, hers, "what is no record may have been hers");
        let kept = fs::read(&path).unwrap();
        assert!(others(&kept) == others(&bytes) || labels(&bytes) < labels(&whole), "nobody else lost a packet");
    }
}

fn packets(bytes: &[u8], which: impl Fn(&Record<'_>) -> bool) -> usize {
    let (_, reader) = Reader::open(bytes).unwrap();
    reader.filter(|found| matches!(found, Found::Record { record, .. } if which(record))).count()
}

fn others(bytes: &[u8]) -> usize {
    packets(bytes, |record| record.payload.starts_with(b"<bob>") || record.payload.starts_with(b"<anna2>"))
}

fn labels(bytes: &[u8]) -> usize {
    packets(bytes, |record| record.kind == Kind::TrackStart)
}

#[test]
fn what_only_looks_like_the_person_stays_and_what_nobody_is_named_for_goes() {
    let folder = Folder::new("looks");
    let told = Label { class: "c".into(), recording: "r1".into(), boot: [1; 16] };
    let mut stream = Stream::create(&folder.0, told, now(0)).unwrap();
    let mut put = |kind, track, payload: &[u8]| stream.put(&Record { kind, flags: 0, track, arrival_us: 1, roc: 1, payload });
    put(Kind::TrackStart, 1, label("anna").as_bytes());
    put(Kind::TrackStart, 2, br#"{"participant":"bob","mid":"anna"}"#);
    put(Kind::Rtp, 2, br#"{"participant":"anna"} stays"#);
    put(Kind::Mute, 2, br#"{"participant":"anna"} stays"#);
    for (number, unlabelled) in [(3, &b"{\"participant\":7}"[..]), (4, b"["), (5, b"{}"), (6, b"\xff")] {
        put(Kind::TrackStart, number, unlabelled);
        put(Kind::Rtp, number, b"goes");
    }
    put(Kind::Rtp, 9, b"goes");
    let deep = [&b"["[..], &b"[".repeat(5_000), b"\"anna\" goes"].concat();
    for event in [&br#"{"a":[{"b":"anna1 stays"}]}"#[..], br#"{"a":[{"goes":"anna"}]}"#, br#"{"anna":"goes"}"#, b"anna goes", &deep] {
        put(Kind::Event, 0, event);
    }
    put(Kind::TrackEnd, 2, b"stays");
    put(Kind::TrackStart, 2, label("anna").as_bytes());
    put(Kind::Rtp, 2, b"goes");
    put(Kind::TrackStart, 2, label("bob").as_bytes());
    put(Kind::Rtp, 2, b"stays");
    stream.finish(now(9)).unwrap().unwrap();
    folder.redact(None, "anna");
    folder.is_good();
    assert!(!is_anywhere(&folder, "goes"));
    let bytes = fs::read(folder.files().remove(0)).unwrap();
    assert_eq!(packets(&bytes, |record| record.payload.ends_with(b"stays") || record.payload.ends_with(b"stays\"}]}")), 5);
}

#[test]
fn what_recovery_put_aside_goes_too() {
    let folder = class("aside", 4);
    let last = folder.files().pop().unwrap();
    fs::write(last.with_extension("torn"), b"<anna>").unwrap();
    fs::write(folder.class().join("000099.torn"), b"<anna>").unwrap();
    folder.redact(Some("r2"), "bob");
    assert!(!last.with_extension("torn").exists());
    assert!(folder.class().join("000099.torn").exists(), "not of this recording");
    folder.redact(None, "bob");
    assert!(!folder.class().join("000099.torn").exists());
}

#[test]
fn portions_tell_what_a_whole_reading_tells() {
    let folder = Folder::new("walk");
    run(&folder.0, "r1", 6, 30_000, 64 << 20);
    let whole = fs::read(folder.files().remove(0)).unwrap();
    assert!(whole.len() > 3 << 20);
    let mut numbers = Numbers(1);
    for round in 0..12 {
        let mut bytes = whole.clone();
        for _ in 0..round {
            let at = HEAD + numbers.next(bytes.len() - HEAD);
            bytes[at] ^= 1 << numbers.next(8);
        }
        bytes.truncate(whole.len() - round * 31);
        let (_, reader) = Reader::open(&bytes).unwrap();
        let expected: Vec<_> = reader
            .filter_map(|found| match found {
                Found::Record { at, record } => Some((at, record.kind, record.len())),
                Found::Damage { .. } => None,
            })
            .collect();
        let (mut at, mut seen) = (HEAD, Vec::new());
        walk(&mut &bytes[HEAD..], Head::seed(bytes.first_chunk().unwrap()), |piece, record| {
            assert_eq!(piece, &bytes[at..at + piece.len()]);
            seen.extend(record.map(|record| (at, record.kind, record.len())));
            at += piece.len();
            Ok(())
        })
        .unwrap();
        assert_eq!(at, bytes.len());
        assert_eq!(seen, expected, "round {round}");
    }
}

/// Takes the person out until it is killed.
#[test]
#[ignore = "only as a child"]
fn child() {
    let Some(root) = std::env::var_os("JIANGTAI_REDACT_CHILD") else { return };
    redact::class(Path::new(&root), "c", None, &["anna".into()]).unwrap();
    fs::write(Path::new(&root).join("status"), fs::read("/proc/self/status").unwrap()).unwrap();
}

fn spawn(root: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--test-threads=1"])
        .env("JIANGTAI_REDACT_CHILD", root)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn memory_does_not_grow_with_the_file() {
    let folder = Folder::new("memory");
    let told = Label { class: "c".into(), recording: "r1".into(), boot: [1; 16] };
    let mut stream = Stream::create(&folder.0, told, now(0)).unwrap();
    for (track, who) in [(1, "anna"), (2, "bob")] {
        stream.put(&Record { kind: Kind::TrackStart, flags: 0, track, arrival_us: 0, roc: 0, payload: label(who).as_bytes() });
    }
    for n in 0..50_000u64 {
        stream.put(&Record { kind: Kind::Rtp, flags: 0, track: 1 + (n % 2) as u16, arrival_us: n, roc: 1, payload: &[7; 1_200] });
        stream.flush_large().unwrap();
    }
    stream.finish(now(50_000)).unwrap().unwrap();
    let (size, begun) = (fs::metadata(&folder.files()[0]).unwrap().len(), Instant::now());
    assert!(spawn(&folder.0).wait().unwrap().success());
    let took = begun.elapsed();
    let status = fs::read_to_string(folder.0.join("status")).unwrap();
    let peak: u64 = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok()).unwrap();
    println!("{} MB in {took:.1?}, at most {peak} kB of memory", size / 1_000_000);
    assert!(size > 60_000_000 && peak < 20_000, "{peak} kB for {size} bytes");
    folder.is_good();
}

#[test]
fn killed_at_any_moment_it_is_brought_to_its_end_by_the_next_call() {
    let kills = std::env::var("JIANGTAI_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let before = class("kill-from", 31);
    let whole = before.copy("kill-whole");
    let begun = Instant::now();
    assert!(spawn(&whole.0).wait().unwrap().success());
    let took = begun.elapsed();
    let (mut numbers, mut cut) = (Numbers(5), 0);
    for _ in 0..kills {
        let folder = before.copy("kill");
        let mut child = spawn(&folder.0);
        std::thread::sleep(Duration::from_micros(numbers.next(took.as_micros() as usize + 1) as u64));
        let _ = child.kill();
        child.wait().unwrap();
        let verdicts = folder.verdicts();
        assert!(verdicts.iter().all(Verdict::is_whole));
        assert!(!links(&verdicts).contains(&Link::Broken));
        let begun = verdicts.iter().any(|verdict| verdict.mark.is_some());
        cut += usize::from(begun && is_anywhere(&folder, "<anna>"));
        folder.redact(None, "anna");
        folder.is_good();
        assert_eq!(folder.contents(), whole.contents());
    }
    println!("{kills} kills, {cut} of them half-way");
}
