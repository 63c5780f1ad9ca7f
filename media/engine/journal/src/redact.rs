//! Takes persons out of the sealed files of a class: every record of their tracks goes, every other one stays as it was.
//!
//! A file is made anew beside the old one, synced, and put in its place; memory is bounded. Its records keep kind, flags,
//! track, times and payload; checksums begin with the head's and are made anew, and so are offsets, index and seal. The file
//! says that something is gone (`mark`). Each file names the digest of the one before, so all later files of the class get a
//! new head, too. A crash between two files leaves each of them whole, and the mark tells by which digest the next one
//! still knows it: the same call again brings it to its end, and does nothing where nothing is left to do.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use crate::compose::Composer;
use crate::files;
use crate::format::{Head, Kind, Record, Seal, HEAD, SEAL};
use crate::mark::{self, Mark};
use crate::owner::Owners;
use crate::walk::walk;

/// The ending of a file that is being made.
const UNDER_WAY: &str = "redacting";
/// The ending of files that recovery put aside; nobody can tell whose packets they hold.
const ASIDE: &str = "torn";
/// Bytes written at a time.
const WRITE: usize = 256 << 10;

/// What was taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redacted {
    /// Files that something was taken out of.
    pub files: u32,
    /// Files that only name another one before them now.
    pub relinked: u32,
    pub records: u64,
    pub bytes: u64,
    /// Recordings that something was taken out of.
    pub recordings: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A file is being written, or waits for recovery: nothing was changed.
    BeingWritten(u32),
    Done(Redacted),
}

/// A file of the class as it was found.
struct Place {
    number: u32,
    path: PathBuf,
    head: Option<Head>,
    seal: Option<Seal>,
    mark: Option<Mark>,
}

impl Place {
    fn find(folder: &Path, number: u32) -> io::Result<Place> {
        let path = files::path(folder, number);
        let (head, seal) = files::ends(&path)?;
        let mark = mark::of(&path)?;
        Ok(Place { number, path, head, seal, mark })
    }

    fn is_of(&self, recording: Option<&str>) -> bool {
        recording.is_none_or(|wanted| self.head.as_ref().is_none_or(|head| head.recording == wanted))
    }

    /// Whether a head that names this digest means this file.
    fn is_named_by(&self, digest: &[u8; 32]) -> bool {
        self.seal.is_some_and(|seal| seal.digest == *digest) || self.mark.is_some_and(|mark| mark.known_as == *digest)
    }
}

/// Takes these participants out of a class, or of one recording of it.
pub fn class(root: &Path, class: &str, recording: Option<&str>, participants: &[String]) -> io::Result<Outcome> {
    let folder = files::folder(root, class)?;
    // One at a time; the lock goes with the process.
    let lock = match File::open(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Outcome::Done(Redacted::default())),
        opened => opened?,
    };
    lock.lock()?;
    let mut places = Vec::new();
    for number in files::numbers(&folder)? {
        places.push(Place::find(&folder, number)?);
    }
    if let Some(open) = places.iter().find(|place| place.seal.is_none() && place.is_of(recording)) {
        return Ok(Outcome::BeingWritten(open.number));
    }
    let mut done = Redacted::default();
    put_away(&folder, &places, recording, &mut done)?;
    let mut owners = look(&places, recording, participants)?;
    let mut before: Option<(&Place, [u8; 32])> = None;
    for (index, place) in places.iter().enumerate() {
        let (Some(head), Some(seal)) = (&place.head, place.seal) else {
            before = None;
            continue;
        };
        let follows = |(last, _): &(&Place, [u8; 32])| last.number.checked_add(1) == Some(place.number) && last.is_named_by(&head.previous);
        let previous = before.filter(follows).map_or(head.previous, |(_, digest)| digest);
        let touched = owners.touches(place.number);
        if !touched && previous == head.previous {
            before = Some((place, seal.digest));
            continue;
        }
        let next = places.get(index.saturating_add(1)).filter(|next| place.number.checked_add(1) == Some(next.number));
        let named = next.and_then(|next| next.head.as_ref()).map(|next| next.previous).filter(|digest| place.is_named_by(digest));
        let job = Job { seal, previous, known_as: named.unwrap_or(seal.digest) };
        let (digest, taken) = replace(&folder, &place.path, &job, &mut |record| touched && owners.goes(head.boot, record))?;
        match taken.bytes {
            0 => done.relinked = done.relinked.saturating_add(1),
            _ => {
                done.files = done.files.saturating_add(1);
                done.recordings.insert(head.recording.clone());
            }
        }
        done.records = done.records.saturating_add(taken.records);
        done.bytes = done.bytes.saturating_add(taken.bytes);
        before = Some((place, digest));
    }
    Ok(Outcome::Done(done))
}

/// Reads all files once: who has which tracks.
fn look<'a>(places: &[Place], recording: Option<&str>, participants: &'a [String]) -> io::Result<Owners<'a>> {
    let mut owners = Owners::new(participants);
    for place in places.iter().filter(|place| place.is_of(recording)) {
        let Some(head) = &place.head else { continue };
        owners.file(place.number, head.boot, place.mark.is_some_and(|mark| mark.bytes > 0));
        let mut file = File::open(&place.path)?;
        let mut bytes = [0u8; HEAD];
        file.read_exact(&mut bytes)?;
        walk(&mut file, Head::seed(&bytes), |_, record| {
            owners.see(place.number, record.as_ref());
            Ok(())
        })?;
    }
    Ok(owners)
}

/// Removes what a crash left of files under way, and what recovery put aside of these recordings.
fn put_away(folder: &Path, places: &[Place], recording: Option<&str>, done: &mut Redacted) -> io::Result<()> {
    let own = || places.iter().filter(|place| place.is_of(recording)).map(|place| place.number);
    let (first, last) = (own().min().unwrap_or(1), own().max().unwrap_or(0));
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u32>().ok());
        let aside = ending == Some(ASIDE) && number.is_some_and(|number| recording.is_none() || (first..=last).contains(&number));
        if aside {
            done.bytes = done.bytes.saturating_add(std::fs::metadata(&path)?.len());
        }
        if aside || ending == Some(UNDER_WAY) {
            std::fs::remove_file(&path)?;
        }
    }
    File::open(folder)?.sync_all()
}

/// How a file is made anew: what its old seal said, what its head names, and how the next file knows it.
pub struct Job {
    pub seal: Seal,
    pub previous: [u8; 32],
    pub known_as: [u8; 32],
}

/// What was taken out of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    pub records: u64,
    pub bytes: u64,
}

type Goes<'a> = dyn FnMut(Option<&Record<'_>>) -> bool + 'a;

/// Puts a file in the place of another; its digest, and what is gone.
fn replace(folder: &Path, path: &Path, job: &Job, goes: &mut Goes<'_>) -> io::Result<([u8; 32], Taken)> {
    let beside = path.with_extension(UNDER_WAY);
    let mut source = File::open(path)?;
    let length = source.metadata()?.len();
    let mut made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let written = rewrite(&mut source, length, job, goes, &mut made).and_then(|written| made.sync_all().map(|()| written));
    if written.is_err() {
        // A full disk is not helped by half a file.
        let _ = std::fs::remove_file(&beside);
    }
    let written = written?;
    std::fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()?;
    Ok(written)
}

/// Writes a file anew without what goes; its digest, and what is gone. An error for a file without a whole head.
pub fn rewrite<R: Read, W: Write>(
    source: &mut R,
    length: u64,
    job: &Job,
    goes: &mut Goes<'_>,
    out: &mut W,
) -> io::Result<([u8; 32], Taken)> {
    let mut bytes = [0u8; HEAD];
    source.read_exact(&mut bytes)?;
    let head = Head::decode(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no journal file"))?;
    let mut buffer = Vec::with_capacity(WRITE.saturating_mul(2));
    let mut copy = Copy {
        composer: Composer::begin(&Head { previous: job.previous, ..head }, &mut buffer),
        digest: Context::new(&SHA256),
        unsealed: length.saturating_sub(SEAL as u64),
        taken: Taken::default(),
        lost: 0,
        records: 0,
        damaged: false,
        before: Mark { records: 0, bytes: 0, whole: true, known_as: [0; 32] },
        unmarked: 0,
    };
    copy.read(&bytes);
    walk(source, Head::seed(&bytes), |bytes, record| {
        copy.read(bytes);
        match record {
            Some(record) => copy.record(&record, goes(Some(&record)), &mut buffer),
            None => copy.damage(bytes, goes(None), &mut buffer),
        }
        if buffer.len() >= WRITE {
            out.write_all(&buffer)?;
            buffer.clear();
        }
        Ok(())
    })?;
    let taken = copy.taken;
    let digest = copy.finish(job, &mut buffer);
    out.write_all(&buffer)?;
    out.flush()?;
    Ok((digest, taken))
}

/// A file on its way to the next.
struct Copy {
    composer: Composer,
    /// Of the old file, to know whether it was whole.
    digest: Context,
    /// Bytes of it that are still to come before its seal.
    unsealed: u64,
    taken: Taken,
    /// Packets that LOSS records spoke of, which are gone.
    lost: u64,
    records: u64,
    damaged: bool,
    before: Mark,
    /// Bytes left out that were never a record of the class: an older mark.
    unmarked: u64,
}

impl Copy {
    fn read(&mut self, bytes: &[u8]) {
        let counted = bytes.len().min(usize::try_from(self.unsealed).unwrap_or(usize::MAX));
        self.digest.update(bytes.get(..counted).unwrap_or(bytes));
        self.unsealed = self.unsealed.saturating_sub(counted as u64);
    }

    fn record(&mut self, record: &Record<'_>, goes: bool, out: &mut Vec<u8>) {
        if matches!(record.kind, Kind::Index | Kind::Seal) {
            return;
        }
        self.records = self.records.saturating_add(1);
        if record.kind == Kind::Redacted {
            self.before = Mark::decode(record.payload).unwrap_or(self.before);
            self.unmarked = self.unmarked.saturating_add(record.len() as u64);
        } else if goes {
            self.taken.records = self.taken.records.saturating_add(1);
            self.taken.bytes = self.taken.bytes.saturating_add(record.len() as u64);
            if record.kind == Kind::Loss {
                let packets = record.payload.first_chunk::<4>().map_or(0, |packets| u32::from_le_bytes(*packets));
                self.lost = self.lost.saturating_add(u64::from(packets));
            }
        } else {
            match (record.kind, record.payload.try_into().map(u64::from_le_bytes)) {
                // An offset: less by what is gone. A key frame's mark follows it at once, so it is exact; what was synced is at
                // least what lay before that place.
                (Kind::KeyFrame | Kind::Checkpoint, Ok(offset)) => {
                    let gone = self.taken.bytes.saturating_add(self.unmarked);
                    let payload = offset.saturating_sub(gone).to_le_bytes();
                    self.composer.keep(&Record { payload: &payload, ..*record }, out);
                }
                _ => self.composer.keep(record, out),
            }
        }
    }

    fn damage(&mut self, bytes: &[u8], goes: bool, out: &mut Vec<u8>) {
        self.damaged = true;
        if goes {
            self.taken.bytes = self.taken.bytes.saturating_add(bytes.len() as u64);
        } else {
            self.composer.skipped(bytes);
            out.extend_from_slice(bytes);
        }
    }

    /// The mark, the index, the seal.
    fn finish(mut self, job: &Job, out: &mut Vec<u8>) -> [u8; 32] {
        let whole = !self.damaged && self.records == job.seal.records && self.digest.finish().as_ref() == job.seal.digest;
        self.composer.lost(job.seal.lost.saturating_sub(self.lost));
        let mark = Mark {
            records: self.before.records.saturating_add(self.taken.records),
            bytes: self.before.bytes.saturating_add(self.taken.bytes),
            whole: self.before.whole && whole,
            known_as: job.known_as,
        };
        self.composer.mark(&mark, out);
        self.composer.seal(out).digest
    }
}
