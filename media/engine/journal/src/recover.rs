//! After a crash: a file is read to its last whole record, the torn tail is cut, index and seal are put behind it.
//!
//! Safe to be interrupted and repeated. Damage in the middle (a failing disk) is kept as it is: what follows it is still
//! read. A file without a whole head holds nothing that can be trusted; it is put aside under another name.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crate::compose::Composer;
use crate::files;
use crate::format::{Kind, Record, HEAD};
use crate::read::{Found, Reader};

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was whole already.
    Whole,
    /// It is now: records kept, bytes cut from its end, damaged bytes left in its middle.
    Sealed { records: u64, cut: u64, damaged: u64 },
    /// Its head was not whole: put aside.
    Aside,
}

/// What became of one file of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    pub class: String,
    pub number: u32,
    pub outcome: Outcome,
}

/// Makes every file below `root` whole; those that were are not told.
pub fn all(root: &Path) -> io::Result<Vec<Recovered>> {
    let mut done = Vec::new();
    for class in files::classes(root)? {
        let folder = files::folder(root, &class)?;
        for number in files::numbers(&folder)? {
            match file(&files::path(&folder, number))? {
                Outcome::Whole => {}
                outcome => done.push(Recovered { class: class.clone(), number, outcome }),
            }
        }
    }
    Ok(done)
}

/// Makes one file whole.
pub fn file(path: &Path) -> io::Result<Outcome> {
    if let (Some(_), Some(_)) = files::ends(path)? {
        return Ok(Outcome::Whole);
    }
    let bytes = std::fs::read(path)?;
    let Some((keep, composer, outcome)) = salvage(&bytes) else {
        std::fs::rename(path, path.with_extension("torn"))?;
        return Ok(Outcome::Aside);
    };
    let mut tail = Vec::new();
    composer.seal(&mut tail);
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.set_len(keep as u64)?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(&tail)?;
    file.sync_all()?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(outcome)
}

/// How much of a file to keep, and everything about that part. None without a whole head.
fn salvage(bytes: &[u8]) -> Option<(usize, Composer, Outcome)> {
    let (_, reader) = Reader::open(bytes)?;
    let mut keep = HEAD;
    for found in reader.clone() {
        // An index without its seal was being written: it is made anew.
        if let Found::Record { at, record } = found {
            if !matches!(record.kind, Kind::Index | Kind::Seal) {
                keep = at + record.len();
            }
        }
    }
    let mut composer = Composer::resume(bytes.first_chunk::<HEAD>()?);
    let mut damaged = 0;
    for found in reader {
        match found {
            Found::Record { at, record } if at < keep => {
                composer.seen(&record, bytes.get(at..at + record.len())?);
                composer.lost(lost_packets(&record));
            }
            Found::Damage { at, len } if at < keep => {
                damaged += len as u64;
                composer.skipped(bytes.get(at..at + len)?);
            }
            Found::Record { .. } | Found::Damage { .. } => {}
        }
    }
    let (records, cut) = (composer.records(), (bytes.len() - keep) as u64);
    Some((keep, composer, Outcome::Sealed { records, cut, damaged }))
}

/// How many packets a record says were lost.
fn lost_packets(record: &Record<'_>) -> u64 {
    let packets = record.payload.first_chunk::<4>().filter(|_| record.kind == Kind::Loss);
    packets.map_or(0, |packets| u64::from(u32::from_le_bytes(*packets)))
}
