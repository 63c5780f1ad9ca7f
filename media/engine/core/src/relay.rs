//! Packets of one shard's tracks on their way to another shard of the same process: opened, parsed, one copy for all its viewers.
//!
//! A room's publishers live on its home shard; its viewers may be anywhere. The other shards keep *mirrors* of its tracks and
//! ask the home shard for a track's packets while somebody there watches it. Sound goes to every shard that has listeners,
//! marked with the audio place it holds: who is heard is decided at home.

use crate::history::Stored;
use crate::mapping::Source;

/// Bytes one batch carries; more in one turn is lost like on a full link, and counted.
const LIMIT: usize = 4 << 20;

/// What a relayed packet is.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    pub track: u64,
    pub layer: u8,
    pub epoch: u32,
    pub sequence: u64,
    /// Audio: the place the track holds in its room.
    pub place: Option<u8>,
}

#[derive(Debug)]
struct Entry {
    label: Label,
    timestamp: u32,
    marker: bool,
    codec: crate::media::CodecName,
    level: Option<u8>,
    key_frame: bool,
    end: usize,
}

/// Packets for one shard, in order.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Batch {
    /// Adds a packet; false if the batch is full.
    pub fn push(&mut self, id: u64, source: Source, sequence: u64, place: Option<u8>, packet: &Stored<'_>) -> bool {
        if self.bytes.len() + packet.payload.len() > LIMIT {
            return false;
        }
        self.bytes.extend_from_slice(packet.payload);
        let label = Label { track: id, layer: source.layer, epoch: source.epoch, sequence, place };
        let Stored { timestamp, marker, codec, level, key_frame, .. } = *packet;
        self.entries.push(Entry { label, timestamp, marker, codec, level, key_frame, end: self.bytes.len() });
        true
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The packets in order.
    pub fn iter(&self) -> impl Iterator<Item = (Label, Stored<'_>)> {
        let mut begin = 0;
        self.entries.iter().filter_map(move |entry| {
            let payload = self.bytes.get(begin..entry.end)?;
            begin = entry.end;
            let Entry { label, timestamp, marker, codec, level, key_frame, .. } = *entry;
            Some((label, Stored { timestamp, marker, codec, level, key_frame, payload }))
        })
    }
}
