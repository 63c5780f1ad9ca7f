//! A shard: all rooms and peers of one thread. Datagrams, commands and instants in; datagrams and events out.
//!
//! The one rule: nothing about a peer changes because of bytes that were not authenticated as that peer's. A fault in
//! handling one peer (a panic) ends that peer and nobody else (`guard`).
//!
//! Call `receive`, `relayed`, `command` and `timeout` in any order, then `play`, then take what is in `outbox`, `events`,
//! `upward`, `batches`, `unpaired` and `tape`; call `timeout` no later than `next_timeout`. Media that came in, and who
//! begins with pictures from the cache, wait for `play`: who has more coming gives it in one portion.

mod bandwidth;
mod control;
mod feedback;
mod guard;
mod ingress;
mod layers;
mod play;
mod relay;
mod taping;
mod transport;
mod upkeep;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::FxHashMap;

use crate::arena::{Arena, Key};
use crate::bwe::Demand;
use crate::clock::Clock;
use crate::command::Command;
use crate::dtls::Identity;
use crate::event::{CloseReason, Event};
use crate::fault::Place;
use crate::metrics::Metrics;
use crate::outbox::{Outbox, Path};
use crate::peer::Peer;
use crate::relay::Batch;
use crate::room::Room;
use crate::slot::Slot;
use crate::tape::Tape;
use crate::track::Track;
use guard::Behalf;

/// Timers that were superseded and still lie there, beside one for each peer.
const SUPERSEDED: usize = 64;

/// All state of one shard.
pub struct Shard {
    /// Which of the engine's shards this is.
    number: usize,
    /// How many there are.
    shards: usize,
    clock: Clock,
    identity: Identity,
    metrics: Arc<Metrics>,
    peers: Arena<Peer>,
    tracks: Arena<Track>,
    slots: Arena<Slot>,
    rooms: HashMap<u64, Room>,
    peer_ids: HashMap<u64, Key<Peer>>,
    track_ids: HashMap<u64, Key<Track>>,
    slot_ids: HashMap<u64, Key<Slot>>,
    /// Both only grow with what was authenticated or made by us, so a quick hash will do.
    paths: FxHashMap<Path, Key<Peer>>,
    ufrags: FxHashMap<String, Key<Peer>>,
    timers: BinaryHeap<Reverse<(Instant, Key<Peer>)>>,
    rooms_due: Option<Instant>,
    /// Peers that failed while another one was being served.
    doomed: Vec<(Key<Peer>, CloseReason)>,
    /// Scratch memory of the hot path.
    listeners: Vec<Key<Slot>>,
    switched: Vec<Switched>,
    missing: Vec<u16>,
    choosing: Vec<Key<Slot>>,
    demands: Vec<Demand>,
    /// Rooms with packets that wait for `play`.
    ready: Vec<u64>,
    /// The least audience among them.
    crowd: Option<usize>,
    /// Slots that begin with the next `play`.
    beginning: VecDeque<Key<Slot>>,
    /// Pad the packets of a frame to one length, for longer runs.
    pub equalise: bool,
    /// What to send now.
    pub outbox: Outbox,
    /// What to tell.
    pub events: Vec<Event>,
    /// Commands for other shards.
    pub upward: Vec<(usize, Command)>,
    /// Packets for other shards.
    pub batches: Vec<(usize, Batch)>,
    /// TCP paths that had to make room for others of their peer: their connections serve nobody.
    pub unpaired: Vec<Path>,
    /// Packets for the recording.
    pub tape: Tape,
}

impl Shard {
    /// Shard `number` of an engine of `shards`.
    pub fn new((number, shards): (usize, usize), identity: Identity, metrics: Arc<Metrics>, clock: Clock) -> Shard {
        Shard {
            number,
            shards,
            clock,
            identity,
            metrics,
            peers: Arena::default(),
            tracks: Arena::default(),
            slots: Arena::default(),
            rooms: HashMap::new(),
            peer_ids: HashMap::new(),
            track_ids: HashMap::new(),
            slot_ids: HashMap::new(),
            paths: FxHashMap::default(),
            ufrags: FxHashMap::default(),
            timers: BinaryHeap::new(),
            rooms_due: None,
            doomed: Vec::new(),
            listeners: Vec::new(),
            switched: Vec::new(),
            missing: Vec::new(),
            choosing: Vec::new(),
            demands: Vec::new(),
            ready: Vec::new(),
            crowd: None,
            beginning: VecDeque::new(),
            equalise: true,
            outbox: Outbox::default(),
            events: Vec::new(),
            upward: Vec::new(),
            batches: Vec::new(),
            unpaired: Vec::new(),
            tape: Tape::default(),
        }
    }

    /// One datagram (or one frame of a TCP connection); it is decrypted in place. RFC 7983 tells the protocols apart.
    pub fn receive(&mut self, now: Instant, from: Path, datagram: &mut [u8]) {
        self.metrics.packets_in.inc();
        self.metrics.bytes_in.add(datagram.len() as u64);
        match datagram.first() {
            None => self.metrics.dropped_empty.inc(),
            Some(0..=3) => {
                self.guarded(Place::Stun, Behalf::Nobody(0), |shard| shard.receive_stun(now, from, datagram));
            }
            Some(20..=63) => self.for_pair(Place::Dtls, from, |shard, peer| shard.receive_dtls(now, from, peer, datagram)),
            Some(128..=191) => self.for_pair(Place::Media, from, |shard, peer| shard.receive_srtp(now, peer, datagram)),
            Some(_) => self.metrics.dropped_unknown_kind.inc(),
        }
        self.bury(now);
    }

    /// A TCP connection is gone.
    pub fn connection_lost(&mut self, now: Instant, path: Path) {
        let Some(key) = self.paths.remove(&path) else { return };
        self.guarded(Place::ConnectionLost, Behalf::Peer(key), |shard| {
            shard.lose(key, path);
            shard.schedule(key, now);
        });
        self.bury(now);
    }

    /// Whether this path is a pair of some peer.
    pub fn knows(&self, path: Path) -> bool {
        self.paths.contains_key(&path)
    }

    /// When `timeout` has work.
    pub fn next_timeout(&self) -> Option<Instant> {
        let peers = self.timers.peek().map(|Reverse((at, _))| *at);
        [peers, self.rooms_due].into_iter().flatten().min()
    }

    /// Which of the engine's shards this is.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Entries in the timer heap, superseded ones too.
    pub fn timer_entries(&self) -> usize {
        self.timers.len()
    }

    /// Runs everything that is due.
    pub fn timeout(&mut self, now: Instant) {
        while let Some(Reverse((at, key))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            // Superseded entries name another instant than the peer's.
            match self.peers.get_mut(key) {
                Some(peer) if peer.wake == Some(at) => peer.wake = None,
                _ => continue,
            }
            self.guarded(Place::Upkeep, Behalf::Peer(key), |shard| shard.upkeep(now, key));
        }
        if self.rooms_due.is_some_and(|at| at <= now) {
            self.room_upkeep(now);
        }
        self.bury(now);
    }

    /// Sets a timer for a peer unless an earlier one is set.
    fn schedule(&mut self, key: Key<Peer>, at: Instant) {
        if let Some(peer) = self.peers.get_mut(key) {
            if peer.wake.is_none_or(|wake| at < wake) {
                peer.wake = Some(at);
                self.timers.push(Reverse((at, key)));
            }
        }
        // Superseded entries are left where they are until they outnumber the peers.
        if self.timers.len() > 2 * self.peers.len() + SUPERSEDED {
            self.timers.clear();
            self.timers.extend(self.peers.iter().filter_map(|(key, peer)| Some(Reverse((peer.wake?, key)))));
        }
    }

    fn for_pair(&mut self, place: Place, from: Path, action: impl FnOnce(&mut Shard, Key<Peer>)) {
        let Some(key) = self.paths.get(&from).copied() else { return self.metrics.dropped_no_pair.inc() };
        self.guarded(place, Behalf::Peer(key), |shard| action(shard, key));
    }
}

/// A slot that took another source, and the track it must no longer be given.
struct Switched {
    slot: Key<Slot>,
    peer: Key<Peer>,
    left: Option<Key<Track>>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command::{IceCredentials, OpenPeer};
    use crate::event::CloseReason;

    #[test]
    fn timers_that_are_superseded_every_millisecond_do_not_pile_up_and_none_is_lost() {
        let mut now = Instant::now();
        let clock = Clock::new(now, Duration::ZERO);
        let mut shard = Shard::new((0, 1), Identity::generate().unwrap(), Arc::default(), clock);
        shard.command(now, Command::OpenRoom { room: 1, audio_slots: 3, home: 0 });
        let [local_ufrag, local_pwd, remote_ufrag, remote_pwd] = ["a", "b", "c", "d"].map(String::from);
        let ice = IceCredentials { local_ufrag, local_pwd, remote_ufrag, remote_pwd };
        let open = OpenPeer { peer: 7, room: 1, ice, fingerprint: [0; 32], extensions: Default::default(), expires_ms: 100_000 };
        shard.command(now, Command::OpenPeer(Box::new(open)));
        let key = shard.peer_ids[&7];
        let mut most = 0;
        for _ in 0..99_999 {
            shard.schedule(key, now + Duration::from_millis(1));
            most = most.max(shard.timers.len());
            now += Duration::from_millis(1);
            shard.timeout(now);
        }
        assert!(most <= 2 + SUPERSEDED, "{most} entries for one peer");
        assert_eq!(shard.peers.len(), 1);
        shard.timeout(shard.next_timeout().unwrap());
        assert_eq!(shard.events, vec![Event::Closed { peer: 7, reason: CloseReason::Expired }]);
    }
}
