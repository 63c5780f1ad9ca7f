//! Fragments: `moof` and `mdat` (ISO/IEC 14496-12 sections 8.8.4 to 8.8.12).

use super::sample_entry::roll_group;
use crate::boxes::{boxed, full, u32, u64};
use crate::timeline::Sample;

/// sample_depends_on = 2: a sync sample; = 1 and sample_is_non_sync_sample: any other (section 8.8.3.1).
pub const SYNC: u32 = 0x0200_0000;
pub const NON_SYNC: u32 = 0x0101_0000;

/// Where a fragment is in its file and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Of its `moof`.
    pub offset: u64,
    pub bytes: u32,
    pub time: u64,
    pub duration: u64,
    /// Begins with a sync sample.
    pub key: bool,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    duration: u32,
    size: u32,
    key: bool,
}

/// Collects the samples of one fragment.
#[derive(Debug, Default)]
pub struct Fragmenter {
    sound: bool,
    number: u32,
    time: u64,
    duration: u64,
    entries: Vec<Entry>,
    data: Vec<u8>,
}

impl Fragmenter {
    /// `sound`: of Opus rather than pictures.
    pub fn new(sound: bool) -> Self {
        Self { sound, ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Of what is collected, in ticks.
    pub fn duration(&self) -> u64 {
        self.duration
    }

    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Adds a sample that lies at `time` in the file.
    pub fn push(&mut self, time: u64, sample: &Sample) {
        if self.entries.is_empty() {
            self.time = time;
        }
        self.duration += u64::from(sample.duration);
        self.data.extend_from_slice(&sample.data);
        self.entries.push(Entry { duration: sample.duration, size: sample.data.len() as u32, key: sample.key });
    }

    /// The fragment as bytes for `offset` in the file, and its entry for the index; nothing is left.
    pub fn cut(&mut self, offset: u64) -> (Vec<u8>, Fragment) {
        self.number += 1;
        let mut out = Vec::with_capacity(self.data.len() + 12 * self.entries.len() + 128);
        let mut data_offset_at = 0;
        boxed(&mut out, b"moof", |out| {
            full(out, b"mfhd", 0, 0, |out| u32(out, self.number));
            boxed(out, b"traf", |out| {
                // default-base-is-moof
                full(out, b"tfhd", 0, 0x02_0000, |out| u32(out, 1));
                full(out, b"tfdt", 1, 0, |out| u64(out, self.time));
                // data offset; duration, size and flags of each sample
                full(out, b"trun", 0, 0x01 | 0x100 | 0x200 | 0x400, |out| {
                    u32(out, self.entries.len() as u32);
                    data_offset_at = out.len();
                    u32(out, 0);
                    for entry in &self.entries {
                        u32(out, entry.duration);
                        u32(out, entry.size);
                        u32(out, if entry.key { SYNC } else { NON_SYNC });
                    }
                });
                if self.sound {
                    roll_group(out, self.entries.len() as u32);
                }
            });
        });
        let data_offset = out.len() as u32 + 8;
        out[data_offset_at..data_offset_at + 4].copy_from_slice(&data_offset.to_be_bytes());
        boxed(&mut out, b"mdat", |out| out.extend_from_slice(&self.data));
        let key = self.entries.first().is_some_and(|entry| entry.key);
        let fragment = Fragment { offset, bytes: out.len() as u32, time: self.time, duration: self.duration, key };
        self.duration = 0;
        self.entries.clear();
        self.data.clear();
        (out, fragment)
    }
}
