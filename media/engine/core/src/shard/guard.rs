//! What a panic costs. All work of a shard is done on somebody's behalf, and a panic in it ends that one and nobody else:
//! a peer is closed, a room ranks its voices anew, and where nobody is to blame the work is skipped. All are counted.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::Instant;

use super::Shard;
use crate::arena::Key;
use crate::command::Command;
use crate::event::{CloseReason, Event};
use crate::fault::{self, Place};
use crate::peer::Peer;
use crate::track::Track;

/// On whose behalf something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behalf {
    Peer(Key<Peer>),
    /// A peer that is being opened.
    Newcomer(u64),
    Room(u64),
    /// The number only tells tests which work it is.
    Nobody(u64),
}

impl Shard {
    /// Runs something; None if it panicked.
    pub(super) fn guarded<R>(&mut self, place: Place, behalf: Behalf, action: impl FnOnce(&mut Shard) -> R) -> Option<R> {
        let result = catch_unwind(AssertUnwindSafe(|| {
            fault::at(place, || self.number_of(behalf));
            action(self)
        }));
        if result.is_err() {
            self.metrics.panics.inc();
            self.pays(behalf);
        }
        result.ok()
    }

    fn number_of(&self, behalf: Behalf) -> u64 {
        match behalf {
            Behalf::Peer(key) => self.peers.get(key).map_or(0, |peer| peer.id),
            Behalf::Newcomer(id) | Behalf::Room(id) | Behalf::Nobody(id) => id,
        }
    }

    fn pays(&mut self, behalf: Behalf) {
        match behalf {
            Behalf::Peer(key) => self.doomed.push((key, CloseReason::Panic)),
            Behalf::Newcomer(id) => match self.peer_ids.get(&id) {
                Some(key) => self.doomed.push((*key, CloseReason::Panic)),
                None => self.events.push(Event::Closed { peer: id, reason: CloseReason::Panic }),
            },
            Behalf::Room(id) => {
                if let Some(room) = self.rooms.get_mut(&id) {
                    room.forget_voices();
                    self.events.push(Event::AudioSlots { room: id, tracks: vec![0; room.followers.len()] });
                }
            }
            Behalf::Nobody(_) => {}
        }
    }

    /// The sender of a track; nobody for one of another shard.
    pub(super) fn sender_of(&self, key: Key<Track>) -> Behalf {
        match self.tracks.get(key) {
            Some(track) => track.peer().map_or(Behalf::Nobody(track.id), Behalf::Peer),
            None => Behalf::Nobody(0),
        }
    }

    /// On whose behalf a command is.
    pub(super) fn concerned(&self, command: &Command) -> Behalf {
        let peer = |id: &u64| self.peer_ids.get(id).copied().map_or(Behalf::Nobody(*id), Behalf::Peer);
        let track = |id: &u64| self.track_ids.get(id).map_or(Behalf::Nobody(*id), |key| self.sender_of(*key));
        let slot = |id: &u64| {
            let slot = self.slot_ids.get(id).and_then(|key| self.slots.get(*key));
            slot.map_or(Behalf::Nobody(*id), |slot| Behalf::Peer(slot.peer))
        };
        match command {
            Command::OpenPeer(open) => Behalf::Newcomer(open.peer),
            Command::RestartIce { peer: id, .. } | Command::ClosePeer { peer: id } | Command::OwnTracks { peer: id, .. } => peer(id),
            Command::AddTrack(add) => peer(&add.peer),
            Command::AddSlot(add) => peer(&add.peer),
            Command::SetTrack { track: id, .. }
            | Command::RemoveTrack { track: id }
            | Command::RequestKeyFrame { track: id, .. }
            | Command::Record { track: id, .. } => track(id),
            Command::Assign { slot: id, .. } | Command::LimitSlot { slot: id, .. } => slot(id),
            Command::OpenRoom { room, .. } | Command::CloseRoom { room } | Command::RelaySound { room, .. } => Behalf::Nobody(*room),
            Command::AddMirror(add) => Behalf::Nobody(add.track),
            Command::Relay { track, .. } => Behalf::Nobody(*track),
        }
    }

    /// Closes the peers that have to go.
    pub(super) fn bury(&mut self, now: Instant) {
        while let Some((key, reason)) = self.doomed.pop() {
            self.end(now, key, reason);
        }
    }

    /// Closes one peer, come what may.
    pub(super) fn end(&mut self, now: Instant, key: Key<Peer>, reason: CloseReason) {
        let Some(id) = self.peers.get(key).map(|peer| peer.id) else { return };
        if catch_unwind(AssertUnwindSafe(|| self.close_peer(now, key, reason))).is_ok() {
            return;
        }
        self.metrics.panics.inc();
        // A second panic while the peer's memory is given back must not keep it here.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(self.peers.remove(key))));
        self.remove_orphans(now);
        if !self.events.iter().any(|event| matches!(event, Event::Closed { peer, .. } if *peer == id)) {
            self.events.push(Event::Closed { peer: id, reason: CloseReason::Panic });
        }
    }

    /// Removes what belongs to peers that are no more: a closing that broke off leaves it behind.
    fn remove_orphans(&mut self, now: Instant) {
        let gone = |key: &Key<Peer>| self.peers.get(*key).is_none();
        let tracks: Vec<_> = self.track_ids.values().copied().collect();
        let tracks = tracks.into_iter().filter(|key| self.tracks.get(*key).and_then(Track::peer).is_some_and(|peer| gone(&peer)));
        let slots = self.slot_ids.values().copied().filter(|key| self.slots.get(*key).is_some_and(|slot| gone(&slot.peer)));
        let (tracks, slots): (Vec<_>, Vec<_>) = (tracks.collect(), slots.collect());
        for key in tracks {
            self.guarded(Place::Closing, Behalf::Nobody(0), |shard| shard.remove_track(now, key));
            self.tracks.remove(key);
        }
        for key in slots {
            self.guarded(Place::Closing, Behalf::Nobody(0), |shard| shard.remove_slot(key, 0));
            self.slots.remove(key);
        }
        let Shard { peers, tracks, slots, .. } = self;
        for room in self.rooms.values_mut() {
            room.peers.retain(|key| peers.get(*key).is_some());
            room.followers.iter_mut().for_each(|followers| followers.retain(|key| slots.get(*key).is_some()));
        }
        self.track_ids.retain(|_, key| tracks.get(*key).is_some());
        self.slot_ids.retain(|_, key| slots.get(*key).is_some());
        self.peer_ids.retain(|_, key| peers.get(*key).is_some());
        self.paths.retain(|_, key| peers.get(*key).is_some());
        self.ufrags.retain(|_, key| peers.get(*key).is_some());
        self.count();
    }
}
