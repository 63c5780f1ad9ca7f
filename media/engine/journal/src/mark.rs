//! What a redacted file says of its redaction: the record before its index. It says how much is gone, never whose it was.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::files;
use crate::format::{get, Cursor, Head, Kind, HEAD, RECORD};

/// A file that was made anew without the records of a person, or with another file before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// What was taken out of it so far; both are 0 in a file that only had to name another digest in its head.
    pub records: u64,
    pub bytes: u64,
    /// Whether it was whole before anything was taken out: a damaged file does not become whole by a redaction.
    pub whole: bool,
    /// The digest by which the next file knows this one until its own head is made anew.
    pub known_as: [u8; 32],
}

const PAYLOAD: usize = 49;
/// Bytes of a mark with its header.
pub const MARK: usize = RECORD + PAYLOAD;

impl Mark {
    pub fn encode(&self) -> Vec<u8> {
        [&self.records.to_le_bytes()[..], &self.bytes.to_le_bytes(), &[u8::from(self.whole)], &self.known_as].concat()
    }

    pub fn decode(payload: &[u8]) -> Option<Mark> {
        let mut cursor = Cursor(payload);
        let (records, bytes) = (cursor.u64()?, cursor.u64()?);
        let [whole] = cursor.array()?;
        let known_as = cursor.array()?;
        (cursor.0.is_empty() && whole <= 1).then_some(Mark { records, bytes, whole: whole == 1, known_as })
    }
}

/// The mark of a sealed file; None if it has none. Little is read.
pub fn of(path: &Path) -> io::Result<Option<Mark>> {
    let (Some(_), Some(seal)) = files::ends(path)? else { return Ok(None) };
    let mut file = File::open(path)?;
    let mut head = [0u8; HEAD];
    file.read_exact(&mut head)?;
    let Some(at) = seal.index_at.checked_sub(MARK as u64).filter(|at| *at >= HEAD as u64) else { return Ok(None) };
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = [0u8; MARK];
    match file.read_exact(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let record = get(&bytes, Head::seed(&head)).ok().filter(|record| record.kind == Kind::Redacted);
    Ok(record.and_then(|record| Mark::decode(record.payload)))
}
