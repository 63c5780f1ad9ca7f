//! Reading a journal file in portions: what `read` finds, in bounded memory, whatever the file's length.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::io::{self, Read};

use crate::format::{find_sync, get, Broken, Record, PAYLOAD, RECORD};

/// Bytes taken from the source at a time, and kept at most (twice that).
const PORTION: usize = 1 << 20;
/// With so many bytes at hand, a record that is not whole never will be.
const LONGEST: usize = RECORD + PAYLOAD;
/// Bytes that may be checked in vain (see `read`).
const PATIENCE: usize = 1 << 30;

/// Tells `each` all that follows a file's head, in order: a record with its bytes, or bytes that are no record.
pub fn walk<R: Read>(source: &mut R, seed: u32, mut each: impl FnMut(&[u8], Option<Record<'_>>) -> io::Result<()>) -> io::Result<()> {
    let (mut kept, mut at, mut ended, mut patience) = (Vec::with_capacity(PORTION), 0usize, false, PATIENCE);
    loop {
        if !ended && kept.len().saturating_sub(at) < LONGEST {
            kept.drain(..at.min(kept.len()));
            at = 0;
            ended = source.by_ref().take(PORTION as u64).read_to_end(&mut kept)? < PORTION;
        }
        let Some(rest) = kept.get(at..).filter(|rest| !rest.is_empty()) else { return Ok(()) };
        let found = if patience > 0 { get(rest, seed) } else { Err(Broken::Short) };
        let taken = match found {
            Ok(record) => {
                let len = record.len();
                each(rest.get(..len).unwrap_or(rest), Some(record))?;
                len
            }
            Err(broken) => {
                if let Broken::Wrong { checked } = broken {
                    patience = patience.saturating_sub(checked);
                }
                let taken = damage(rest, ended);
                each(rest.get(..taken).unwrap_or(rest), None)?;
                taken
            }
        };
        at = at.saturating_add(taken);
    }
}

/// Bytes up to where the next record may begin; at least one.
fn damage(rest: &[u8], ended: bool) -> usize {
    let next = rest.get(1..).and_then(find_sync).map(|found| found.saturating_add(1));
    // A sync mark may lie half in what is not read yet.
    let all = if ended { rest.len() } else { rest.len().saturating_sub(1) };
    next.unwrap_or(all).max(1)
}
