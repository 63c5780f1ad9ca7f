//! Reading a journal file, whole or damaged: every record before and after the damage, never a wrong one, never a panic.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::format::{find_sync, get, Broken, Head, Record, HEAD};

/// Bytes that may be checked in vain while looking for the next record: a damaged file must not take for ever.
const PATIENCE: usize = 1 << 30;

/// What is found in a file, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    Record {
        at: usize,
        record: Record<'a>,
    },
    /// Bytes that are no record; the next one follows them, or the end.
    Damage {
        at: usize,
        len: usize,
    },
}

/// Walks through a file.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    seed: u32,
    patience: usize,
}

impl<'a> Reader<'a> {
    /// None if the head is not whole: nothing in the file can be trusted then.
    pub fn open(bytes: &'a [u8]) -> Option<(Head, Reader<'a>)> {
        let head = Head::decode(bytes)?;
        let (first, _) = bytes.split_first_chunk::<HEAD>()?;
        Some((head, Reader { bytes, at: HEAD, seed: Head::seed(first), patience: PATIENCE }))
    }

    /// The next place after `from` where a record begins; the end if there is none.
    fn resync(&mut self, from: usize) -> usize {
        let mut at = from;
        while let Some(step) = self.bytes.get(at..).and_then(find_sync) {
            at = at.saturating_add(step);
            match get(self.bytes.get(at..).unwrap_or_default(), self.seed) {
                Ok(_) => return at,
                Err(Broken::Wrong { checked }) => match self.patience.checked_sub(checked) {
                    Some(left) => self.patience = left,
                    None => break,
                },
                Err(Broken::Short) => {}
            }
            at = at.saturating_add(1);
        }
        self.bytes.len()
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let at = self.at;
        match get(rest, self.seed) {
            Ok(record) => {
                self.at = at.saturating_add(record.len());
                Some(Found::Record { at, record })
            }
            Err(_) => {
                self.at = self.resync(at.saturating_add(1));
                Some(Found::Damage { at, len: self.at.saturating_sub(at) })
            }
        }
    }
}
