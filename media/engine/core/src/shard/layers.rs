//! How a slot comes to play the layer that was chosen for it: from the cache or with the next key frame, and who is told.

use std::time::Instant;

use super::{Shard, Switched};
use crate::arena::Key;
use crate::event::Event;
use crate::forward::{forward, Incoming, Turn};
use crate::media::Kind;
use crate::slot::{Attitude, Slot};
use crate::track::{Origin, Track};

impl Shard {
    /// Makes a slot play a layer of its wanted track as soon as possible, or nothing.
    pub(super) fn aim(&mut self, key: Key<Slot>, target: Option<u8>) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.target == target {
            // Assigned, or looked at again, and it still does not fit.
            if target.is_none() {
                self.tell_layer(key);
            }
            return;
        }
        slot.target = target;
        if target.is_none() {
            let other = slot.playing.map(|source| source.track).filter(|track| Some(*track) != slot.wanted);
            slot.pause();
            // Else with the end of the picture.
            if let Some(other) = other.filter(|_| slot.playing.is_none()) {
                self.unlisten(key, other);
            }
            self.tell_layer(key);
        } else {
            self.beginning.push_back(key);
        }
    }

    /// Starts what a slot awaits: from the cache if it is another track, else with the next key frame, which is asked for. Nothing may wait
    /// to be played: it would be played twice.
    pub(super) fn begin(&mut self, now: Instant, key: Key<Slot>) {
        let Some(slot) = self.slots.get(key).filter(|slot| slot.kind == Kind::Video) else { return };
        let Some((track, layer)) = slot.awaits() else { return self.tell_layer(key) };
        if self.peers.get(slot.peer).is_none_or(|peer| peer.srtp.is_none() || peer.path.is_none()) {
            return;
        }
        // Within a track the picture goes on until the other layer's next key frame.
        let goes_on = slot.playing.is_some_and(|source| source.track == track);
        if goes_on || !self.play_cached(now, key, track, usize::from(layer)) {
            self.want_key_frame(now, track, usize::from(layer));
        }
    }

    /// Plays the newest key frame and what followed it; false if there is none to begin with.
    fn play_cached(&mut self, now: Instant, key: Key<Slot>, track_key: Key<Track>, at: usize) -> bool {
        let Some(track) = self.tracks.get(track_key).filter(|track| track.allowed) else { return false };
        let (Some(source), Some(layer)) = (track.source(track_key, at), track.layers.get(at)) else { return false };
        let (Some(cached), Some(slot)) = (layer.cached(now), self.slots.get_mut(key)) else { return false };
        if slot.playing == Some(source) {
            return true;
        }
        let before = slot.playing;
        let Some(peer) = self.peers.get_mut(slot.peer) else { return false };
        let live = layer.history.get(*cached.end()).map(|newest| newest.timestamp);
        let mut turn = Turn { now, now_us: self.clock.micros(now), outbox: &mut self.outbox, metrics: &self.metrics };
        let mut attitude = Attitude::Awaits;
        for sequence in cached {
            let Some(stored) = layer.history.get(sequence) else { break };
            let packet = Incoming::new(source, sequence, &stored).cached(live);
            forward(&packet, attitude, slot, peer, &mut turn);
            attitude = slot.attitude(source);
        }
        if slot.playing != Some(source) {
            return false;
        }
        self.metrics.cached_starts.inc();
        let left = before.map(|old| old.track).filter(|old| *old != track_key);
        self.switched.push(Switched { slot: key, peer: slot.peer, left });
        self.settle(now);
        true
    }

    /// Tells which layer a slot plays, if that is news.
    pub(super) fn tell_layer(&mut self, key: Key<Slot>) {
        let Some(slot) = self.slots.get_mut(key).filter(|slot| slot.kind == Kind::Video) else { return };
        let plays = slot.playing.filter(|source| Some(source.track) == slot.wanted);
        let layer = match plays {
            Some(source) => Some(source.layer),
            // Hidden or not begun yet is not news; paused is.
            None if slot.target.is_none() && slot.most.is_some() && slot.wanted.is_some() => None,
            None => return,
        };
        if slot.told != Some(layer) {
            slot.told = Some(layer);
            self.events.push(Event::Layer { slot: slot.id, layer });
        }
    }

    /// Asks the sender of a track for a key frame of a layer, through the layer's limiter.
    pub(super) fn want_key_frame(&mut self, now: Instant, key: Key<Track>, at: usize) {
        let Some(track) = self.tracks.get_mut(key).filter(|track| track.kind == Kind::Video) else { return };
        let (id, origin) = (track.id, track.origin);
        let Some(layer) = track.layers.get_mut(at) else { return };
        layer.key_frames.request();
        match origin {
            Origin::Peer(peer) => {
                let due = layer.key_frames.due().unwrap_or(now).max(now);
                self.schedule(peer, due);
            }
            Origin::Shard(home) => {
                if layer.key_frames.poll(now) {
                    self.upward.push((home, crate::command::Command::RequestKeyFrame { track: id, layer: at as u8 }));
                }
            }
        }
    }
}
