//! The bytes of one file as they are made: numbered, indexed, digested. Pure: what it makes is put into the caller's buffer.

use aws_lc_rs::digest::{Context, SHA256};

use crate::format::{put, Entry, Head, Kind, Record, Seal, ENTRY, HEAD, KEY_FRAME, PAYLOAD};
use crate::mark::Mark;

/// Key frames indexed in one file; more are found by reading.
const INDEXED: usize = 16_384;

/// One file being made.
pub struct Composer {
    seed: u32,
    digest: Context,
    length: u64,
    records: u64,
    first_us: Option<u64>,
    last_us: u64,
    lost: u64,
    index: Vec<Entry>,
}

impl Composer {
    /// Begins a file: its head goes into `out`.
    pub fn begin(head: &Head, out: &mut Vec<u8>) -> Composer {
        let bytes = head.encode();
        out.extend_from_slice(&bytes);
        Composer::resume(&bytes)
    }

    /// Goes on after a head that is written already; the records of the file follow by `seen`.
    pub fn resume(head: &[u8; HEAD]) -> Composer {
        let mut digest = Context::new(&SHA256);
        digest.update(head);
        let (seed, length) = (Head::seed(head), HEAD as u64);
        Composer { seed, digest, length, records: 0, first_us: None, last_us: 0, lost: 0, index: Vec::new() }
    }

    /// Bytes of the file so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Records so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Adds a record.
    pub fn put(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let at = self.length;
        self.keep(record, out);
        if record.kind == Kind::Rtp && record.flags & KEY_FRAME != 0 {
            let payload = at.to_le_bytes();
            let mark = Record { kind: Kind::KeyFrame, flags: 0, payload: &payload, ..*record };
            self.append(&mark, out);
            self.records += 1;
        }
    }

    /// Adds a record of another file as it is; the mark of its key frame is a record of its own there.
    pub fn keep(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let at = self.length;
        self.append(record, out);
        self.note(record, at);
    }

    /// Says that something is not in this file any more.
    pub fn mark(&mut self, mark: &Mark, out: &mut Vec<u8>) {
        let payload = mark.encode();
        self.keep(&Record { kind: Kind::Redacted, flags: 0, track: 0, arrival_us: self.last_us, roc: 0, payload: &payload }, out);
    }

    /// Takes note of a record of a file that is being made whole.
    pub fn seen(&mut self, record: &Record<'_>, bytes: &[u8]) {
        let at = self.length;
        self.digest.update(bytes);
        self.length += bytes.len() as u64;
        self.note(record, at);
    }

    /// Takes note of bytes that are no records.
    pub fn skipped(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.length += bytes.len() as u64;
    }

    /// Counts what the server lost.
    pub fn lost(&mut self, packets: u64) {
        self.lost += packets;
    }

    /// Ends the file: index and seal go into `out`. Returns what the seal says.
    pub fn seal(mut self, out: &mut Vec<u8>) -> Seal {
        let index_at = self.length;
        let index = std::mem::take(&mut self.index);
        for part in index.chunks(PAYLOAD / ENTRY) {
            let payload: Vec<u8> = part.iter().flat_map(Entry::encode).collect();
            let record = Record { kind: Kind::Index, flags: 0, track: 0, arrival_us: self.last_us, roc: 0, payload: &payload };
            self.append(&record, out);
        }
        let digest: [u8; 32] = self.digest.clone().finish().as_ref().try_into().unwrap_or_default();
        let Composer { records, last_us, lost, .. } = self;
        let seal = Seal { index_at, records, first_us: self.first_us.unwrap_or(0), last_us, lost, digest };
        let payload = seal.encode();
        put(out, self.seed, &Record { kind: Kind::Seal, flags: 0, track: 0, arrival_us: last_us, roc: 0, payload: &payload });
        seal
    }

    fn append(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let from = out.len();
        put(out, self.seed, record);
        let bytes = out.get(from..).unwrap_or_default();
        self.digest.update(bytes);
        self.length += bytes.len() as u64;
    }

    fn note(&mut self, record: &Record<'_>, at: u64) {
        self.records += 1;
        self.first_us.get_or_insert(record.arrival_us);
        self.last_us = self.last_us.max(record.arrival_us);
        if record.kind == Kind::Rtp && record.flags & KEY_FRAME != 0 && self.index.len() < INDEXED {
            self.index.push(Entry { track: record.track, at, arrival_us: record.arrival_us });
        }
    }
}
