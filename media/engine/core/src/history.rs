//! The recent packets of one source, stored once for all its receivers: duplicate filter, fan-out and retransmission store
//! (asked for by RFC 4585 section 6.2.1, resent as RFC 4588 section 4).
//!
//! Payloads live in one byte ring, overwritten oldest first; a small index maps extended sequence numbers to them. The
//! memory is bounded, and taken with the first packet: a source that never sends costs nothing.

use crate::media::{CodecName, Kind};

/// One stored packet as it came from its sender.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    pub timestamp: u32,
    pub marker: bool,
    pub codec: CodecName,
    /// RFC 6464 byte of audio, as received.
    pub level: Option<u8>,
    /// A picture that needs no other begins here.
    pub key_frame: bool,
    pub payload: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    sequence: u64,
    /// Position in the endless line of bytes written.
    at: u64,
    timestamp: u32,
    len: u16,
    marker: bool,
    codec: CodecName,
    level: Option<u8>,
    key_frame: bool,
}

/// What came of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insert {
    New,
    Duplicate,
    TooOld,
}

/// The store.
#[derive(Debug)]
pub struct History {
    packets: usize,
    capacity: usize,
    index: Vec<Option<Entry>>,
    bytes: Vec<u8>,
    written: u64,
    highest: u64,
}

impl History {
    /// Keeps up to `packets` packets and `bytes` bytes, whichever is less.
    pub fn new(packets: usize, bytes: usize) -> History {
        History { packets: packets.max(1), capacity: bytes.max(1), index: Vec::new(), bytes: Vec::new(), written: 0, highest: 0 }
    }

    /// Two seconds of 4 Mbit/s video; a second of audio.
    pub fn for_kind(kind: Kind) -> History {
        match kind {
            Kind::Video => History::new(1024, 1 << 20),
            Kind::Audio => History::new(256, 64 << 10),
        }
    }

    /// Bytes ever stored.
    pub fn written(&self) -> u64 {
        self.written
    }

    fn place(&self, sequence: u64) -> usize {
        (sequence % self.packets as u64) as usize
    }

    /// Stores a packet once.
    pub fn insert(&mut self, sequence: u64, packet: Stored<'_>) -> Insert {
        if self.highest >= self.packets as u64 && sequence <= self.highest - self.packets as u64 {
            return Insert::TooOld;
        }
        if self.index.is_empty() {
            self.index = vec![None; self.packets];
            self.bytes = vec![0; self.capacity];
        }
        let place = self.place(sequence);
        if self.index[place].is_some_and(|e| e.sequence == sequence) {
            return Insert::Duplicate;
        }
        let len = packet.payload.len();
        if len > self.bytes.len() || len > usize::from(u16::MAX) {
            return Insert::TooOld;
        }
        let capacity = self.bytes.len() as u64;
        let mut at = self.written;
        let offset = (at % capacity) as usize;
        if offset + len > self.bytes.len() {
            at += (self.bytes.len() - offset) as u64;
        }
        let start = (at % capacity) as usize;
        self.bytes[start..start + len].copy_from_slice(packet.payload);
        self.written = at + len as u64;
        let Stored { timestamp, marker, codec, level, key_frame, .. } = packet;
        self.index[place] = Some(Entry { sequence, at, timestamp, len: len as u16, marker, codec, level, key_frame });
        self.highest = self.highest.max(sequence);
        Insert::New
    }

    /// The packet, if it has not been overwritten.
    pub fn get(&self, sequence: u64) -> Option<Stored<'_>> {
        let entry = (*self.index.get(self.place(sequence))?).filter(|e| e.sequence == sequence)?;
        if self.written - entry.at > self.bytes.len() as u64 {
            return None;
        }
        let start = (entry.at % self.bytes.len() as u64) as usize;
        let payload = self.bytes.get(start..start + usize::from(entry.len))?;
        let Entry { timestamp, marker, codec, level, key_frame, .. } = entry;
        Some(Stored { timestamp, marker, codec, level, key_frame, payload })
    }

    /// Forgets all packets, keeps the memory.
    pub fn clear(&mut self) {
        self.index.fill(None);
        self.highest = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload: &[u8]) -> Stored<'_> {
        Stored { timestamp: 7, marker: true, codec: CodecName::Vp8, level: None, key_frame: false, payload }
    }

    #[test]
    fn a_packet_is_stored_once_and_read_back() {
        let mut h = History::new(8, 100);
        assert_eq!(h.insert(70_000, packet(b"abc")), Insert::New);
        assert_eq!(h.insert(70_000, packet(b"xyz")), Insert::Duplicate);
        assert_eq!(h.get(70_000).map(|p| p.payload), Some(&b"abc"[..]));
        assert!(h.get(70_008).is_none());
    }

    #[test]
    fn overwritten_bytes_are_never_returned() {
        let mut h = History::new(64, 100);
        for s in 0..50u64 {
            h.insert(1000 + s, packet(&[s as u8; 30]));
        }
        let kept: Vec<u64> = (0..50).filter(|s| h.get(1000 + s).is_some()).collect();
        assert_eq!(kept, vec![47, 48, 49]);
        for s in kept {
            assert_eq!(h.get(1000 + s).map(|p| p.payload.to_vec()), Some(vec![s as u8; 30]));
        }
    }

    #[test]
    fn packets_older_than_the_window_are_refused() {
        let mut h = History::new(8, 100);
        h.insert(100, packet(b"new"));
        assert_eq!(h.insert(92, packet(b"old")), Insert::TooOld);
        assert_eq!(h.insert(93, packet(b"late")), Insert::New);
    }
}
