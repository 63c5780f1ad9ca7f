//! Tracks and viewers on different shards (see `crate::relay`).

use std::time::Instant;

use super::guard::Behalf;
use super::Shard;
use crate::arena::Key;
use crate::command::{AddMirror, Command};
use crate::fault::Place;
use crate::history::{Insert, Stored};
use crate::layer::Layer;
use crate::media::Kind;
use crate::relay::{Batch, Label};
use crate::track::{Origin, Track};

impl Shard {
    /// A track of another shard.
    pub(super) fn add_mirror(&mut self, add: AddMirror) -> Option<()> {
        let room = self.rooms.get(&add.room)?;
        if self.track_ids.contains_key(&add.track) || room.home == self.number {
            return None;
        }
        let AddMirror { track: id, room: room_id, kind, codecs, allowed, .. } = add;
        let layers = (0..add.layers.max(1)).map(|_| Layer::new(kind, None)).collect();
        let track = Track { allowed, layers, ..Track::new(id, Origin::Shard(room.home), room_id, kind, codecs) };
        let key = self.tracks.insert(track);
        self.track_ids.insert(id, key);
        self.count();
        Some(())
    }

    /// Tells every other shard something about a track of ours.
    pub(super) fn tell_mirrors(&mut self, key: Key<Track>, command: impl Fn() -> Command) {
        if self.tracks.get(key).is_some_and(|track| track.peer().is_some()) {
            let others = (0..self.shards).filter(|shard| *shard != self.number);
            self.upward.extend(others.map(|shard| (shard, command())));
        }
    }

    /// Another shard wants a track's packets, or no longer.
    pub(super) fn relay_track(&mut self, id: u64, shard: usize, wanted: bool) -> Option<()> {
        let track = self.tracks.get_mut(*self.track_ids.get(&id)?)?;
        track.relays.retain(|other| *other != shard);
        if wanted {
            track.relays.push(shard);
        }
        Some(())
    }

    /// Another shard has listeners in a room, or no longer.
    pub(super) fn relay_sound(&mut self, room: u64, shard: usize, wanted: bool) -> Option<()> {
        let room = self.rooms.get_mut(&room)?;
        room.remote.retain(|other| *other != shard);
        if wanted {
            room.remote.push(shard);
        }
        Some(())
    }

    /// Tells a mirror's home shard whether its packets are wanted here, after its listeners changed.
    pub(super) fn tell_home(&mut self, key: Key<Track>) {
        let Some(track) = self.tracks.get_mut(key) else { return };
        let Origin::Shard(home) = track.origin else { return };
        let wanted = !track.listeners.is_empty();
        if std::mem::replace(&mut track.wanted, wanted) != wanted {
            self.upward.push((home, Command::Relay { track: track.id, shard: self.number, wanted }));
        }
    }

    /// Puts what waits of a track into the batches of the shards that want it.
    pub(super) fn relay(&mut self, key: Key<Track>) {
        let Some(track) = self.tracks.get(key).filter(|track| track.peer().is_some()) else { return };
        let place = self.place(track);
        let sound = place.and_then(|_| self.rooms.get(&track.room)).map_or(&[][..], |room| &room.remote);
        if track.relays.is_empty() && sound.is_empty() {
            return;
        }
        let others = sound.iter().filter(|shard| !track.relays.contains(shard));
        for shard in track.relays.iter().chain(others) {
            let batch = match self.batches.iter().position(|(to, _)| to == shard) {
                Some(at) => self.batches.get_mut(at),
                None => {
                    self.batches.push((*shard, Batch::default()));
                    self.batches.last_mut()
                }
            };
            let Some((_, batch)) = batch else { continue };
            for (at, layer) in track.layers.iter().enumerate() {
                let Some(source) = track.source(key, at) else { continue };
                for (sequence, stored) in layer.pending.iter().filter_map(|sequence| Some((*sequence, layer.history.get(*sequence)?))) {
                    if !batch.push(track.id, source, sequence, place.map(|place| place as u8), &stored) {
                        self.metrics.dropped_relay_full.inc();
                    }
                }
            }
        }
    }

    /// Takes in what another shard relays.
    pub fn relayed(&mut self, now: Instant, batch: &Batch) {
        self.metrics.relayed.add(batch.len() as u64);
        for (label, packet) in batch.iter() {
            self.guarded(Place::Relayed, Behalf::Nobody(label.track), |shard| shard.take_relayed(now, label, packet));
        }
    }

    fn take_relayed(&mut self, now: Instant, label: Label, packet: Stored<'_>) {
        let Some(key) = self.track_ids.get(&label.track).copied() else { return };
        let Some(track) = self.tracks.get_mut(key).filter(|track| track.allowed && track.peer().is_none()) else { return };
        track.place = label.place.map(usize::from);
        let at = usize::from(label.layer);
        let Some(layer) = track.layers.get_mut(at) else { return };
        if layer.epoch != label.epoch {
            layer.restart_same_source();
            layer.epoch = label.epoch;
        }
        if layer.history.insert(label.sequence, packet) != Insert::New {
            return;
        }
        layer.extended.advance(label.sequence);
        layer.rate.add(packet.payload.len(), now);
        layer.newest = Some((packet.timestamp, now));
        if track.kind == Kind::Video && packet.key_frame {
            layer.key_frame(label.sequence, packet.timestamp, now);
        }
        track.taken(at, now);
        self.await_play(key, at, label.sequence);
    }
}
