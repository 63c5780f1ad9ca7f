//! The hot path out: what was taken in since the last turn is played, class by class and receiver by receiver, so that what
//! leaves for each receiver can be one run.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

use super::guard::Behalf;
use super::{Shard, Switched};
use crate::arena::Key;
use crate::event::CloseReason;
use crate::fault::{self, Place};
use crate::forward::{equalise, forward, Earlier, Incoming, Turn};
use crate::media::Kind;
use crate::outbox::Outbox;
use crate::peer::Peer;
use crate::slot::{Attitude, Slot};
use crate::track::{Origin, Track};

/// Packets of one layer played at a time.
const BURST: usize = 16;
/// Receivers served at a time.
const PORTION: usize = 32;
/// A voice that was not played in an audio place for this long begins anew there.
const PAUSE: Duration = Duration::from_secs(1);
/// The outbox is worth sending from this many bytes on: less would cost system calls, more would leave the processor's cache.
const WORTH_SENDING: usize = 128 * 1024;

impl Shard {
    /// Plays everything that waits.
    pub fn play(&mut self, now: Instant) {
        self.play_and_send(now, &mut |_| now);
    }

    /// Plays everything that waits, class by class, then begins what has to begin, and now and then gives the outbox to `send`, which empties
    /// it and says what time it is: what a crowd begins with is more than an outbox holds, and how long its first receivers took is no
    /// delay of the last one's connection.
    pub fn play_and_send(&mut self, mut now: Instant, send: &mut dyn FnMut(&mut Outbox) -> Instant) {
        self.crowd = None;
        let mut ready = std::mem::take(&mut self.ready);
        for id in ready.drain(..) {
            let Some(mut tracks) = self.rooms.get_mut(&id).map(|room| std::mem::take(&mut room.ready)) else { continue };
            self.guarded(Place::Play, Behalf::Nobody(id), |shard| shard.play_tracks(&mut now, &mut tracks, send));
            for key in tracks.drain(..) {
                let Some(track) = self.tracks.get_mut(key) else { continue };
                track.pending = false;
                track.layers.iter_mut().for_each(|layer| layer.pending.clear());
            }
            if let Some(room) = self.rooms.get_mut(&id) {
                room.ready = tracks;
            }
            self.settle(now);
        }
        self.ready = ready;
        while let Some(key) = self.beginning.pop_front() {
            let Some(slot) = self.slots.get(key) else { continue };
            self.guarded(Place::Begin, Behalf::Peer(slot.peer), |shard| shard.begin(now, key));
            if self.outbox.bytes() >= WORTH_SENDING {
                now = send(&mut self.outbox);
            }
        }
        self.bury(now);
    }

    /// Plays all tracks of a class to the same receivers before it goes on to the next ones: what goes to one leaves together.
    fn play_tracks(&mut self, now: &mut Instant, tracks: &mut [Key<Track>], send: &mut dyn FnMut(&mut Outbox) -> Instant) {
        // A run ends with a shorter datagram: pictures first.
        tracks.sort_unstable_by_key(|key| self.tracks.get(*key).map(|track| (track.kind == Kind::Audio, track.id)));
        tracks.iter().for_each(|key| self.relay(*key));
        let audience = tracks.iter().map(|key| self.audience(*key)).max().unwrap_or(0);
        for from in (0..audience).step_by(PORTION) {
            for key in tracks.iter().copied() {
                self.guarded(Place::Play, self.sender_of(key), |shard| shard.play_track(*now, key, from));
            }
            if self.outbox.bytes() >= WORTH_SENDING {
                *now = send(&mut self.outbox);
            }
        }
    }

    /// Whether packets, or receivers that begin, wait for `play`.
    pub fn has_pending(&self) -> bool {
        !self.ready.is_empty() || !self.beginning.is_empty()
    }

    /// The receivers of the least patient of them: few should not wait for company.
    pub fn crowd(&self) -> usize {
        self.crowd.unwrap_or(0)
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

    /// Plays a track to a portion of its receivers.
    fn play_track(&mut self, now: Instant, key: Key<Track>, from: usize) {
        let Some(track) = self.tracks.get(key) else { return };
        let layers = track.layers.len();
        let followers = self.place(track).and_then(|place| self.rooms.get(&track.room)?.followers.get(place));
        let explicit = track.listeners.len().saturating_sub(from);
        let mut listeners = std::mem::take(&mut self.listeners);
        listeners.clear();
        listeners.extend(track.listeners.iter().chain(followers.into_iter().flatten()).skip(from).take(PORTION));
        self.warm(&listeners);
        for at in 0..layers {
            let Some(layer) = self.tracks.get_mut(key).and_then(|track| track.layers.get_mut(at)) else { continue };
            let pending = std::mem::take(&mut layer.pending);
            for burst in pending.chunks(BURST) {
                self.play_burst(now, key, at, burst, &listeners, explicit);
            }
            if let Some(layer) = self.tracks.get_mut(key).and_then(|track| track.layers.get_mut(at)) {
                layer.pending = pending;
            }
        }
        self.listeners = listeners;
    }

    /// Reads a little of all that a portion of receivers needs. Each alone would wait for memory some times, one after the other;
    /// so the processor asks for all of it at once.
    fn warm(&self, listeners: &[Key<Slot>]) {
        let slots = listeners.iter().filter_map(|key| self.slots.get(*key));
        let warm = slots.map(|slot| slot.warm() ^ self.peers.get(slot.peer).map_or(0, Peer::warm));
        std::hint::black_box(warm.fold(0, std::ops::BitXor::bitxor));
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
            let own = follows && peer.own.contains(&track.id);
            if own || follows && !slot.has_sent(PAUSE, now) {
                // Who had the place before begins anew when he has it again: what was not heard meanwhile is no loss.
                slot.playing = None;
            }
            if own {
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
                let (plays, wants) = (slot.playing.map(|source| source.track), slot.wanted);
                let left = before.map(|old| old.track).filter(|old| !follows && Some(*old) != plays && Some(*old) != wants);
                self.switched.push(Switched { slot: slot_key, peer: slot.peer, left });
            }
        }
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
