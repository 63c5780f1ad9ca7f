//! Proof that a file is what was written: every record's checksum, the seal's digest, and its place in the class's line.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{digest, SHA256};

use crate::files::seal;
use crate::format::{Head, Kind, Seal, HEAD, SEAL};
use crate::mark::Mark;
use crate::read::{Found, Reader};

/// What was found of one track.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrackFigures {
    pub packets: u64,
    pub bytes: u64,
    pub key_frames: u64,
    pub lost: u64,
}

/// What was found in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub head: Head,
    pub seal: Option<Seal>,
    /// The digest in the seal is that of the file.
    pub digest_holds: bool,
    pub records: u64,
    pub damaged: u64,
    /// Something was taken out of it.
    pub mark: Option<Mark>,
    pub tracks: BTreeMap<u16, TrackFigures>,
}

impl Verdict {
    /// Sealed, undamaged, digest right, and was so before anything was taken out of it.
    pub fn is_whole(&self) -> bool {
        self.mark.is_none_or(|mark| mark.whole)
            && self.seal.is_some_and(|seal| seal.records == self.records)
            && self.digest_holds
            && self.damaged == 0
    }
}

/// Reads a whole file. None if its head is not whole.
pub fn file(bytes: &[u8]) -> Option<Verdict> {
    let (head, reader) = Reader::open(bytes)?;
    let seed = Head::seed(bytes.first_chunk::<HEAD>()?);
    let (body, tail) = bytes.split_at(bytes.len().saturating_sub(SEAL));
    let seal = seal(tail, seed).ok();
    let digest_holds = seal.is_some_and(|seal| digest(&SHA256, body).as_ref() == seal.digest);
    let mut verdict = Verdict { head, seal, digest_holds, records: 0, damaged: 0, mark: None, tracks: BTreeMap::new() };
    for found in reader {
        let record = match found {
            Found::Damage { len, .. } => {
                verdict.damaged += len as u64;
                continue;
            }
            Found::Record { record, .. } => record,
        };
        if !matches!(record.kind, Kind::Index | Kind::Seal) {
            verdict.records += 1;
        }
        if record.kind == Kind::Redacted {
            verdict.mark = Mark::decode(record.payload);
        }
        if !matches!(record.kind, Kind::Rtp | Kind::KeyFrame | Kind::Loss) {
            continue;
        }
        let figures = verdict.tracks.entry(record.track).or_default();
        match record.kind {
            Kind::Rtp => {
                figures.packets += 1;
                figures.bytes += record.payload.len() as u64;
            }
            Kind::KeyFrame => figures.key_frames += 1,
            _ => figures.lost += record.payload.first_chunk::<4>().map_or(0, |packets| u64::from(u32::from_le_bytes(*packets))),
        }
    }
    Some(verdict)
}
