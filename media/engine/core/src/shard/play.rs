//! The hot path out: what was taken in since the last turn is played, track by track and receiver by receiver, so that the
//! packets of a frame leave for each receiver in one run.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::Instant;

use super::guard::Behalf;
use super::{Shard, Switched};
use crate::arena::Key;
use crate::event::CloseReason;
use crate::fault::{self, Place};
use crate::forward::{equalise, forward, Earlier, Incoming, Turn};
use crate::media::Kind;
use crate::slot::{Attitude, Slot};
use crate::track::{Origin, Track};

/// Packets of one layer played at a time.
const BURST: usize = 16;

impl Shard {
    /// Plays everything that waits.
    pub fn play(&mut self, now: Instant) {
        self.urgent = false;
        let mut ready = std::mem::take(&mut self.ready);
        for key in ready.drain(..) {
            self.guarded(Place::Play, self.sender_of(key), |shard| shard.play_track(now, key));
        }
        self.ready = ready;
        self.bury(now);
    }

    /// Whether packets wait for `play`.
    pub fn has_pending(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether some of them should not wait for company.
    pub fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// How many receivers a track has here.
    pub(super) fn audience(&self, key: Key<Track>) -> usize {
        let Some(track) = self.tracks.get(key) else { return 0 };
        let followers = self.place(track).and_then(|place| self.rooms.get(&track.room)?.followers.get(place));
        track.listeners.len() + followers.map_or(0, Vec::len)
    }

    /// The audio place a track holds.
    pub(super) fn place(&self, track: &Track) -> Option<usize> {
        match track.origin {
            _ if track.kind != Kind::Audio => None,
            Origin::Peer(_) => self.rooms.get(&track.room)?.audio.place_of(track.id),
            Origin::Shard(_) => track.place,
        }
    }

    fn play_track(&mut self, now: Instant, key: Key<Track>) {
        let Some(track) = self.tracks.get_mut(key) else { return };
        track.pending = false;
        let layers = track.layers.len();
        let mut listeners = std::mem::take(&mut self.listeners);
        listeners.clear();
        let Some(track) = self.tracks.get(key) else { return };
        listeners.extend_from_slice(&track.listeners);
        let explicit = listeners.len();
        if let Some(place) = self.place(track) {
            listeners.extend(self.rooms.get(&track.room).and_then(|room| room.followers.get(place)).into_iter().flatten());
        }
        for at in 0..layers {
            let Some(layer) = self.tracks.get_mut(key).and_then(|track| track.layers.get_mut(at)) else { continue };
            if layer.pending.is_empty() {
                continue;
            }
            let mut pending = std::mem::take(&mut layer.pending);
            for burst in pending.chunks(BURST) {
                self.play_burst(now, key, at, burst, &listeners, explicit);
            }
            pending.clear();
            if let Some(layer) = self.tracks.get_mut(key).and_then(|track| track.layers.get_mut(at)) {
                layer.pending = pending;
            }
        }
        self.listeners = listeners;
        self.settle(now);
    }

    fn play_burst(&mut self, now: Instant, key: Key<Track>, at: usize, burst: &[u64], listeners: &[Key<Slot>], explicit: usize) {
        let Some(track) = self.tracks.get(key) else { return };
        let (Some(source), Some(layer)) = (track.source(key, at), track.layers.get(at)) else { return };
        let sound = track.kind == Kind::Audio;
        let mut packets: [Option<Incoming<'_>>; BURST] = std::array::from_fn(|n| {
            let sequence = *burst.get(n)?;
            let mut packet = Incoming::new(source, sequence, &layer.history.get(sequence)?);
            if sound {
                for (back, earlier) in (1..).zip(&mut packet.earlier) {
                    let stored = sequence.checked_sub(back).and_then(|sequence| layer.history.get(sequence));
                    *earlier = stored.and_then(|stored| Earlier::new(&stored, packet.timestamp));
                }
            }
            Some(packet)
        });
        if track.kind == Kind::Video && self.equalise {
            equalise(&mut packets);
        }
        let mut turn = Turn { now, now_us: self.clock.micros(now), outbox: &mut self.outbox, metrics: &self.metrics };
        let mut waiting = false;
        for (n, slot_key) in listeners.iter().copied().enumerate() {
            let Some(slot) = self.slots.get_mut(slot_key) else { continue };
            let follows = n >= explicit;
            if !follows && slot.attitude(source) == Attitude::Ignores {
                continue;
            }
            let Some(peer) = self.peers.get_mut(slot.peer) else { continue };
            if follows && peer.own.contains(&track.id) {
                continue;
            }
            let before = slot.playing;
            let played = catch_unwind(AssertUnwindSafe(|| {
                fault::at(Place::Forward, || peer.id);
                for packet in packets.iter().flatten() {
                    let attitude = match slot.attitude(source) {
                        Attitude::Ignores if follows => Attitude::Awaits,
                        attitude => attitude,
                    };
                    waiting |= forward(packet, attitude, slot, peer, &mut turn);
                }
            }));
            if played.is_err() {
                self.metrics.panics.inc();
                self.doomed.push((slot.peer, CloseReason::Panic));
            } else if slot.playing != before {
                let left = before.map(|old| old.track).filter(|old| !follows && *old != key);
                self.switched.push(Switched { slot: slot_key, peer: slot.peer, left });
            }
        }
        self.relay(key, at, burst);
        if waiting {
            self.want_key_frame(now, key, at);
        }
    }

    /// What follows from slots that took another source.
    pub(super) fn settle(&mut self, now: Instant) {
        while let Some(Switched { slot, peer, left }) = self.switched.pop() {
            self.guarded(Place::Settle, Behalf::Peer(peer), |shard| {
                if let Some(left) = left {
                    shard.unlisten(slot, left);
                }
                shard.tell_layer(slot);
                // Its first sender report is due.
                shard.schedule(peer, now);
            });
        }
    }
}
