//! The segment index `sidx` (ISO/IEC 14496-12 section 8.16.3) in a place of fixed length.

use super::Fragment;
use crate::boxes::{boxed, full, u16, u32, u64, zeros};

/// Length of the place between header and fragments: 1,362 entries, 90 min of 4 s each.
pub const INDEX_BYTES: usize = 16 << 10;
/// Bytes of `sidx` besides its entries, and of an entry; and of an empty `free`.
const HEAD: usize = 40;
const ENTRY: usize = 12;
const FREE: usize = 8;
const MAX_ENTRIES: usize = (INDEX_BYTES - HEAD - FREE) / ENTRY;

/// What stands in the place until the file ends: a `free` box (section 8.1.2).
pub fn reserved() -> Vec<u8> {
    let mut out = Vec::with_capacity(INDEX_BYTES);
    boxed(&mut out, b"free", |out| zeros(out, INDEX_BYTES - FREE));
    out
}

/// The index for the place, exactly as long as it. Neighbours share an entry if there are too many; entries begin with a key
/// wherever fragments allow it.
pub fn sidx(fragments: &[Fragment], timescale: u32) -> Vec<u8> {
    let mut entries = joined(fragments, |_, next| !next.key);
    let share = entries.len().div_ceil(MAX_ENTRIES).max(1);
    if share > 1 {
        entries = entries.chunks(share).filter_map(|run| run.iter().copied().reduce(join)).collect();
    }
    let mut out = Vec::with_capacity(INDEX_BYTES);
    let free = INDEX_BYTES - HEAD - ENTRY * entries.len();
    full(&mut out, b"sidx", 1, 0, |out| {
        u32(out, 1);
        u32(out, timescale);
        u64(out, entries.first().map_or(0, |entry| entry.time));
        u64(out, free as u64); // from the end of this box to the first fragment
        u16(out, 0);
        u16(out, entries.len() as u16);
        for entry in &entries {
            u32(out, entry.bytes & 0x7fff_ffff);
            u32(out, u32::try_from(entry.duration).unwrap_or(u32::MAX));
            // starts_with_SAP, SAP_type 1
            u32(out, if entry.key { 0x9000_0000 } else { 0 });
        }
    });
    boxed(&mut out, b"free", |out| zeros(out, free - FREE));
    out
}

/// Fragments with those joined to the one before for which `belongs(before, next)`.
pub fn joined(fragments: &[Fragment], belongs: impl Fn(&Fragment, &Fragment) -> bool) -> Vec<Fragment> {
    let mut all: Vec<Fragment> = Vec::new();
    for &next in fragments {
        match all.last_mut() {
            Some(before) if belongs(before, &next) => *before = join(*before, next),
            _ => all.push(next),
        }
    }
    all
}

fn join(before: Fragment, next: Fragment) -> Fragment {
    Fragment { bytes: before.bytes.saturating_add(next.bytes), duration: before.duration + next.duration, ..before }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragments(n: u64) -> Vec<Fragment> {
        (0..n).map(|i| Fragment { offset: i * 100, bytes: 100, time: i * 10, duration: 10, key: true }).collect()
    }

    #[test]
    fn the_index_fills_its_place_whatever_there_is_to_index() {
        for n in [0, 1, 100, 1_361, 1_362, 1_363, 5_000, 100_000] {
            let index = sidx(&fragments(n), 1);
            assert_eq!((index.len(), reserved().len()), (INDEX_BYTES, INDEX_BYTES));
            let count = u64::from(u16::from_be_bytes([index[38], index[39]]));
            let bytes: u64 =
                (0..count as usize).map(|i| u64::from(u32::from_be_bytes(index[40 + 12 * i..][..4].try_into().unwrap()))).sum();
            assert_eq!((bytes, count <= n), (n * 100, true));
        }
    }

    #[test]
    fn an_entry_begins_with_a_key_where_fragments_allow_it() {
        let mut all = fragments(6);
        all[1].key = false;
        all[4].key = false;
        let times: Vec<_> = joined(&all, |_, next| !next.key).iter().map(|f| (f.time, f.bytes)).collect();
        assert_eq!(times, vec![(0, 200), (20, 100), (30, 200), (50, 100)]);
    }
}
