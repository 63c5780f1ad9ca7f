//! Where datagrams come from and go to: network paths, and the arena that outgoing bytes are built in.
//!
//! Everything a shard sends at a time is appended to one buffer; the transmit list points into it. Datagrams of one length to
//! one path are a *run*, which the kernel cuts apart by itself (UDP segmentation offload), with a last one that may be shorter:
//! the sound that leaves with a picture costs no message of its own.

use std::net::SocketAddr;
use std::ops::Range;

use rustc_hash::FxHashMap;

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
struct Transmit {
    to: Path,
    bytes: Range<usize>,
    /// The next one of its run; `NONE` ends it.
    next: u32,
}

const NONE: u32 = u32::MAX;
/// Bytes one run may have (the kernel takes 65,507 with all its headers).
const RUN_BYTES: usize = 60_000;
/// Places in the arena one run may be gathered from.
pub const SPANS: usize = 4;

/// What may wait at a time: many times what is sent in one go. More is lost like on a full link.
const MOST_BYTES: usize = 32 << 20;
const MOST_DATAGRAMS: usize = 1 << 16;
/// Memory kept from turn to turn: some times what is sent in one go. What exceeds it is given back.
const KEPT_BYTES: usize = 2 << 20;
const KEPT_DATAGRAMS: usize = 1 << 12;

/// Datagrams to one path: all of one length, the last perhaps shorter.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    pub to: Path,
    /// Of each datagram; the last may be shorter.
    pub length: usize,
    pub count: usize,
    /// Of all of them.
    pub bytes: usize,
    outbox: &'a Outbox,
    first: u32,
}

impl<'a> Run<'a> {
    /// Its datagrams in order.
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> {
        let (outbox, mut at) = (self.outbox, self.first);
        std::iter::from_fn(move || {
            let transmit = outbox.transmits.get(at as usize)?;
            at = transmit.next;
            outbox.arena.get(transmit.bytes.clone())
        })
    }

    /// Its bytes in as few pieces as they lie in, at most `SPANS`.
    pub fn spans(&self) -> impl Iterator<Item = &'a [u8]> {
        let (outbox, mut at) = (self.outbox, self.first);
        std::iter::from_fn(move || {
            let transmit = outbox.transmits.get(at as usize)?;
            let mut span = transmit.bytes.clone();
            at = transmit.next;
            while let Some(next) = outbox.transmits.get(at as usize).filter(|next| next.bytes.start == span.end) {
                span.end = next.bytes.end;
                at = next.next;
            }
            outbox.arena.get(span)
        })
    }
}

/// A run while it is put together.
#[derive(Debug, Clone, Copy)]
struct Draft {
    first: u32,
    last: u32,
    count: u32,
    spans: u32,
    bytes: usize,
    /// A shorter one has ended it.
    ended: bool,
}

/// Bytes and destinations of one turn.
#[derive(Debug)]
pub struct Outbox {
    arena: Vec<u8>,
    used: usize,
    transmits: Vec<Transmit>,
    drafts: Vec<Draft>,
    /// The last run of each path.
    latest: FxHashMap<Path, u32>,
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
        Outbox {
            arena: Vec::new(),
            used: 0,
            transmits: Vec::new(),
            drafts: Vec::new(),
            latest: FxHashMap::default(),
            most_bytes,
            most_datagrams,
            refused: 0,
        }
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
        self.transmits.push(Transmit { to, bytes, next: NONE });
    }

    pub fn push(&mut self, to: Path, datagram: &[u8]) {
        if let Some(space) = self.space(datagram.len()) {
            space.copy_from_slice(datagram);
            self.commit(to, datagram.len());
        }
    }

    /// The last datagram.
    pub fn last(&self) -> &[u8] {
        self.transmits.last().and_then(|last| self.arena.get(last.bytes.clone())).unwrap_or(&[])
    }

    pub fn is_empty(&self) -> bool {
        self.transmits.is_empty()
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.used
    }

    /// Forgets everything, keeps the memory of an ordinary turn.
    pub fn clear(&mut self) {
        self.used = 0;
        self.transmits.clear();
        self.drafts.clear();
        self.latest.clear();
        if self.arena.len() > KEPT_BYTES {
            self.arena.truncate(KEPT_BYTES);
            self.arena.shrink_to_fit();
        }
        self.transmits.shrink_to(KEPT_DATAGRAMS);
        self.drafts.shrink_to(KEPT_DATAGRAMS);
        self.latest.shrink_to(KEPT_DATAGRAMS);
    }

    /// All datagrams, those to one path joined to runs of at most `most`; to each path they stay in order.
    pub fn runs(&mut self, most: usize) -> impl Iterator<Item = Run<'_>> {
        self.join(most.min(u32::MAX as usize) as u32);
        let outbox = &*self;
        outbox.drafts.iter().filter_map(move |draft| {
            let first = outbox.transmits.get(draft.first as usize)?;
            let (to, length) = (first.to, first.bytes.len());
            Some(Run { to, length, count: draft.count as usize, bytes: draft.bytes, outbox, first: draft.first })
        })
    }

    fn join(&mut self, most: u32) {
        self.drafts.clear();
        self.latest.clear();
        let mut before: Option<(Path, u32)> = None;
        for at in 0..self.transmits.len() as u32 {
            let Some(Transmit { to, bytes, next }) = self.transmits.get_mut(at as usize) else { break };
            *next = NONE;
            let (to, bytes) = (*to, bytes.clone());
            let run = match before {
                Some((path, run)) if path == to => Some(run),
                _ => self.latest.get(&to).copied(),
            };
            let run = match run.filter(|run| self.joins(*run, &bytes, most)) {
                Some(run) => run,
                None => {
                    let run = self.drafts.len() as u32;
                    self.drafts.push(Draft { first: at, last: at, count: 1, spans: 1, bytes: bytes.len(), ended: false });
                    self.latest.insert(to, run);
                    before = Some((to, run));
                    continue;
                }
            };
            before = Some((to, run));
            let Some(draft) = self.drafts.get_mut(run as usize) else { continue };
            let last = std::mem::replace(&mut draft.last, at);
            draft.count += 1;
            draft.bytes += bytes.len();
            let length = self.transmits.get(draft.first as usize).map_or(0, |first| first.bytes.len());
            draft.ended = bytes.len() < length;
            if let Some(last) = self.transmits.get_mut(last as usize) {
                draft.spans += u32::from(last.bytes.end != bytes.start);
                last.next = at;
            }
        }
    }

    /// Whether a datagram may be the next of this run.
    fn joins(&self, run: u32, bytes: &Range<usize>, most: u32) -> bool {
        let Some(draft) = self.drafts.get(run as usize) else { return false };
        let (Some(first), Some(last)) = (self.transmits.get(draft.first as usize), self.transmits.get(draft.last as usize)) else {
            return false;
        };
        let apart = last.bytes.end != bytes.start;
        !draft.ended
            && draft.count < most
            && bytes.len() <= first.bytes.len()
            && draft.bytes + bytes.len() <= RUN_BYTES
            && (!apart || (draft.spans as usize) < SPANS)
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
    fn the_memory_of_one_large_turn_is_given_back_and_that_of_an_ordinary_one_kept() {
        let mut outbox = Outbox::default();
        let of = |outbox: &Outbox| {
            let lists = [outbox.transmits.capacity(), outbox.drafts.capacity(), outbox.latest.capacity()];
            (outbox.arena.capacity(), lists)
        };
        let mut turn = |datagrams: usize| {
            (0..datagrams).for_each(|n| outbox.push(Path::udp(([127, 0, 0, 1], n as u16).into()), &[7; 1200]));
            assert_eq!(outbox.runs(64).count(), datagrams);
            outbox.clear();
            of(&outbox)
        };
        let ordinary = turn(1000);
        let (bytes, lists) = turn(20_000);
        assert!(bytes <= KEPT_BYTES && lists.iter().all(|length| *length <= 2 * KEPT_DATAGRAMS), "{bytes} {lists:?}");
        assert_eq!(turn(10), (bytes, lists), "kept");
        assert!(ordinary.0 >= 1000 * 1200 && turn(1000).0 >= ordinary.0);
    }

    /// (path, lengths of its datagrams, pieces it lies in) of each run.
    fn runs(outbox: &mut Outbox, most: usize) -> Vec<(Path, Vec<usize>, usize)> {
        outbox.runs(most).map(|run| (run.to, run.datagrams().map(<[u8]>::len).collect(), run.spans().count())).collect()
    }

    #[test]
    fn datagrams_of_one_length_make_a_run_that_a_shorter_one_ends() {
        let (a, b) = (Path::udp(([127, 0, 0, 1], 1).into()), Path::udp(([127, 0, 0, 1], 2).into()));
        let mut outbox = Outbox::default();
        for (to, len) in [(a, 5), (a, 5), (a, 3), (a, 5), (b, 5), (b, 6), (b, 6)] {
            outbox.push(to, &vec![7; len]);
        }
        let expected = vec![(a, vec![5, 5, 3], 1), (a, vec![5], 1), (b, vec![5], 1), (b, vec![6, 6], 1)];
        assert_eq!(runs(&mut outbox, 64), expected);
        assert_eq!(runs(&mut outbox, 1).len(), 7);
        assert_eq!(runs(&mut outbox, 64), expected, "asked again");
    }

    #[test]
    fn a_run_is_gathered_from_where_its_datagrams_lie() {
        let (a, b) = (Path::udp(([127, 0, 0, 1], 1).into()), Path::udp(([127, 0, 0, 1], 2).into()));
        let mut outbox = Outbox::default();
        for (n, (to, len)) in [(a, 6), (a, 6), (b, 6), (b, 6), (a, 2), (b, 2), (a, 2), (b, 6)].into_iter().enumerate() {
            outbox.push(to, &vec![n as u8; len]);
        }
        let expected = vec![(a, vec![6, 6, 2], 2), (b, vec![6, 6, 2], 2), (a, vec![2], 1), (b, vec![6], 1)];
        assert_eq!(runs(&mut outbox, 64), expected);
        let whole: Vec<Vec<u8>> = outbox.runs(64).map(|run| run.spans().flatten().copied().collect()).collect();
        assert_eq!(whole[0], [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 4, 4]);
        assert!(outbox.runs(64).all(|run| run.bytes == run.spans().map(<[u8]>::len).sum::<usize>()));
    }

    #[test]
    fn a_run_has_a_most_of_datagrams_bytes_and_pieces() {
        let (a, b) = (Path::udp(([127, 0, 0, 1], 1).into()), Path::udp(([127, 0, 0, 1], 2).into()));
        let mut outbox = Outbox::default();
        for _ in 0..2 * SPANS {
            outbox.push(a, &[1; 9]);
            outbox.push(b, &[2; 9]);
        }
        assert!(runs(&mut outbox, 64).iter().all(|(_, datagrams, spans)| (datagrams.len(), *spans) == (SPANS, SPANS)));
        outbox.clear();
        (0..70).for_each(|_| outbox.push(a, &[1; 1200]));
        let lengths: Vec<usize> = runs(&mut outbox, 64).iter().map(|run| run.1.len()).collect();
        assert_eq!(lengths, vec![50, 20]);
        assert_eq!(runs(&mut outbox, 8).len(), 9);
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
