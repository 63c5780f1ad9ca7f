//! Where datagrams come from and go to: network paths, and the arena that outgoing bytes are built in.
//!
//! Everything a shard sends in one turn is appended to one buffer; the transmit list points into it. Runs to the
//! same path keep their order, so that the sender may coalesce them.

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

/// Bytes and destinations of one turn.
#[derive(Debug, Default)]
pub struct Outbox {
    arena: Vec<u8>,
    used: usize,
    transmits: Vec<Transmit>,
}

impl Outbox {
    /// Room for a datagram of up to `len` bytes that is built in place; keep it with `commit`.
    pub fn space(&mut self, len: usize) -> &mut [u8] {
        let end = self.used + len;
        if self.arena.len() < end {
            self.arena.resize(end.next_power_of_two(), 0);
        }
        &mut self.arena[self.used..end]
    }

    /// The first `len` bytes of the last `space` are a datagram.
    pub fn commit(&mut self, to: Path, len: usize) {
        let bytes = self.used..self.used + len;
        self.used = bytes.end;
        self.transmits.push(Transmit { to, bytes });
    }

    pub fn push(&mut self, to: Path, datagram: &[u8]) {
        self.space(datagram.len()).copy_from_slice(datagram);
        self.commit(to, datagram.len());
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
        outbox.space(100)[..3].copy_from_slice(b"two");
        outbox.commit(b, 3);
        let sent: Vec<_> = outbox.iter().map(|(to, bytes)| (to, bytes.to_vec())).collect();
        assert_eq!(sent, vec![(a, b"one".to_vec()), (b, b"two".to_vec())]);
        outbox.clear();
        assert!(outbox.is_empty());
    }
}
