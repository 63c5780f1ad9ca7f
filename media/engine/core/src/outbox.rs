//! Where datagrams come from and go to: network paths, and the arena that outgoing bytes are built in.
//!
//! Everything a shard sends in one turn is appended to one buffer; the transmit list points into it. Neighbours of one length
//! to one path are a *run*, which the kernel can cut apart by itself (UDP segmentation offload).

use std::net::SocketAddr;
use std::ops::Range;

/// One remote transport address, over UDP or over one TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path {
    pub remote: SocketAddr,
    /// Connection number, 0 for UDP.
    pub tcp: u32,
}

impl Path {
    pub fn udp(remote: SocketAddr) -> Path {
        Path { remote, tcp: 0 }
    }
    pub fn is_tcp(self) -> bool {
        self.tcp != 0
    }
}

/// One datagram to send.
#[derive(Debug, Clone)]
pub struct Transmit {
    pub to: Path,
    pub bytes: Range<usize>,
}

/// Bytes one run may have (the kernel takes 65,507 with all its headers).
const RUN_BYTES: usize = 60_000;

/// What one turn may hold: a second's work of a core. More is lost like on a full link.
const MOST_BYTES: usize = 128 << 20;
const MOST_DATAGRAMS: usize = 1 << 17;

/// Datagrams to one path, back to back.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    pub to: Path,
    pub bytes: &'a [u8],
    /// Of each datagram; the last may be shorter.
    pub length: usize,
    pub count: usize,
}

/// Bytes and destinations of one turn.
#[derive(Debug)]
pub struct Outbox {
    arena: Vec<u8>,
    used: usize,
    transmits: Vec<Transmit>,
    most_bytes: usize,
    most_datagrams: usize,
    refused: u64,
}

impl Default for Outbox {
    fn default() -> Outbox {
        Outbox::bounded(MOST_BYTES, MOST_DATAGRAMS)
    }
}

impl Outbox {
    /// Holds so much at most.
    pub fn bounded(most_bytes: usize, most_datagrams: usize) -> Outbox {
        Outbox { arena: Vec::new(), used: 0, transmits: Vec::new(), most_bytes, most_datagrams, refused: 0 }
    }

    /// Room for a datagram of up to `len` bytes that is built in place; keep it with `commit`. None, and counted, when the
    /// turn holds all it may.
    pub fn space(&mut self, len: usize) -> Option<&mut [u8]> {
        let end = self.used + len;
        if end > self.most_bytes || self.transmits.len() >= self.most_datagrams {
            self.refused += 1;
            return None;
        }
        if self.arena.len() < end {
            self.arena.resize(end.next_power_of_two().min(self.most_bytes), 0);
        }
        self.arena.get_mut(self.used..end)
    }

    /// Datagrams there was no room for since the last call.
    pub fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// The first `len` bytes of the last `space` are a datagram.
    pub fn commit(&mut self, to: Path, len: usize) {
        let bytes = self.used..self.used + len;
        self.used = bytes.end;
        self.transmits.push(Transmit { to, bytes });
    }

    pub fn push(&mut self, to: Path, datagram: &[u8]) {
        if let Some(space) = self.space(datagram.len()) {
            space.copy_from_slice(datagram);
            self.commit(to, datagram.len());
        }
    }

    pub fn len(&self) -> usize {
        self.transmits.len()
    }

    pub fn is_empty(&self) -> bool {
        self.transmits.is_empty()
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.used = 0;
        self.transmits.clear();
    }

    /// The datagrams in order, neighbours to one path joined: all of one length, the last of a run perhaps shorter.
    pub fn runs(&self, most: usize) -> impl Iterator<Item = Run<'_>> {
        let mut rest = self.transmits.as_slice();
        std::iter::from_fn(move || {
            let (first, later) = rest.split_first()?;
            let length = first.bytes.len();
            let room = (RUN_BYTES / length.max(1)).min(most).max(1);
            let mut end = first.bytes.end;
            let mut count = 1;
            for next in later {
                let joins = next.to == first.to && next.bytes.start == end && next.bytes.len() <= length && count < room;
                if !joins {
                    break;
                }
                end = next.bytes.end;
                count += 1;
                if next.bytes.len() < length {
                    break;
                }
            }
            rest = rest.get(count..).unwrap_or(&[]);
            Some(Run { to: first.to, bytes: self.arena.get(first.bytes.start..end)?, length, count })
        })
    }

    /// The datagrams in order.
    pub fn iter(&self) -> impl Iterator<Item = (Path, &[u8])> {
        self.transmits.iter().filter_map(|t| Some((t.to, self.arena.get(t.bytes.clone())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_out_in_order_with_their_destinations() {
        let (a, b) = (Path::udp(([127, 0, 0, 1], 1).into()), Path::udp(([127, 0, 0, 1], 2).into()));
        let mut outbox = Outbox::default();
        outbox.push(a, b"one");
        outbox.space(100).unwrap()[..3].copy_from_slice(b"two");
        outbox.commit(b, 3);
        let sent: Vec<_> = outbox.iter().map(|(to, bytes)| (to, bytes.to_vec())).collect();
        assert_eq!(sent, vec![(a, b"one".to_vec()), (b, b"two".to_vec())]);
        outbox.clear();
        assert!(outbox.is_empty());
    }

    #[test]
    fn neighbours_of_one_length_make_a_run_that_a_shorter_one_ends() {
        let (a, b) = (Path::udp(([127, 0, 0, 1], 1).into()), Path::udp(([127, 0, 0, 1], 2).into()));
        let mut outbox = Outbox::default();
        for (to, len) in [(a, 5), (a, 5), (a, 3), (a, 5), (b, 5), (b, 6), (b, 6)] {
            outbox.push(to, &vec![7; len]);
        }
        let runs = |most| -> Vec<_> { outbox.runs(most).map(|run| (run.to, run.length, run.count, run.bytes.len())).collect() };
        assert_eq!(runs(64), vec![(a, 5, 3, 13), (a, 5, 1, 5), (b, 5, 1, 5), (b, 6, 2, 12)]);
        assert_eq!(runs(1).len(), 7);
    }

    #[test]
    fn a_full_turn_refuses_more_counts_it_and_takes_again_when_it_is_sent() {
        let to = Path::udp(([127, 0, 0, 1], 1).into());
        for (mut outbox, fit) in [(Outbox::bounded(1000, 100), 10), (Outbox::bounded(100_000, 7), 7)] {
            for turn in 0..3 {
                (0..50).for_each(|_| outbox.push(to, &[turn; 100]));
                assert_eq!((outbox.iter().count(), outbox.take_refused()), (fit, 50 - fit as u64));
                assert!(outbox.iter().all(|(_, bytes)| bytes == [turn; 100]));
                outbox.clear();
            }
            assert!(outbox.arena.len() <= 1024);
        }
    }
}
