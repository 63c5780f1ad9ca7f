//! Commands: what exists on a shard, and its end.

use std::time::{Duration, Instant};

use super::guard::Behalf;
use super::Shard;
use crate::arena::Key;
use crate::bwe::{Allocation, Play};
use crate::command::{AddSlot, AddTrack, Command, IceCredentials, OpenPeer};
use crate::dtls::DtlsServer;
use crate::event::{CloseReason, Event};
use crate::fault::{self, Place};
use crate::ice::Ice;
use crate::layer::{Layer, LAYERS};
use crate::media::Kind;
use crate::peer::{Carries, Peer, Traffic};
use crate::room::Room;
use crate::slot::Slot;
use crate::tape::Taped;
use crate::track::{Origin, Track};
use crate::twcc::Recorder;

/// Audio places a room may have.
const PLACES: usize = 16;
/// Tracks one peer may have, and slots: each may use two of the sealer's sources.
const PER_PEER: usize = 60;

impl Shard {
    /// Carries out one command; one that names something unknown is counted and changes nothing.
    pub fn command(&mut self, now: Instant, command: Command) {
        self.metrics.commands.inc();
        let behalf = self.concerned(&command);
        if self.guarded(Place::Command, behalf, |shard| shard.carry_out(now, command)) == Some(None) {
            self.metrics.commands_ignored.inc();
        }
        self.bury(now);
    }

    /// None if it names something unknown.
    fn carry_out(&mut self, now: Instant, command: Command) -> Option<()> {
        match command {
            Command::OpenRoom { room, audio_slots, home } => self.open_room(room, audio_slots, home),
            Command::CloseRoom { room } => self.close_room(now, room),
            Command::OpenPeer(open) => self.open_peer(now, *open),
            Command::RestartIce { peer, ice } => self.restart_ice(peer, ice),
            Command::ClosePeer { peer } => self.peer_ids.get(&peer).copied().map(|key| self.end(now, key, CloseReason::Requested)),
            Command::AddTrack(add) => self.add_track(*add),
            Command::SetTrack { track, allowed, priority } => self.set_track(now, track, allowed, priority),
            Command::RemoveTrack { track } => self.track_ids.get(&track).copied().map(|key| self.remove_track(now, key)),
            Command::AddSlot(add) => self.add_slot(now, *add),
            Command::OwnTracks { peer, tracks } => self.own_tracks(peer, tracks),
            Command::Assign { slot, track } => self.assign(now, slot, track),
            Command::LimitSlot { slot, most } => self.limit_slot(now, slot, most),
            Command::RequestKeyFrame { track, layer } => {
                self.track_ids.get(&track).copied().map(|key| self.want_key_frame(now, key, usize::from(layer)))
            }
            Command::Record { track, record } => self.record_track(now, track, record.map(|record| *record)),
            Command::AddMirror(add) => self.add_mirror(*add),
            Command::Relay { track, shard, wanted } => self.relay_track(track, shard, wanted),
            Command::RelaySound { room, shard, wanted } => self.relay_sound(room, shard, wanted),
        }
    }

    fn open_room(&mut self, room: u64, places: usize, home: usize) -> Option<()> {
        if self.rooms.contains_key(&room) {
            return None;
        }
        self.rooms.insert(room, Room::new(room, places.min(PLACES), home));
        self.metrics.rooms.set(self.rooms.len() as u64);
        Some(())
    }

    fn close_room(&mut self, now: Instant, room: u64) -> Option<()> {
        for key in self.rooms.get(&room)?.peers.clone() {
            self.end(now, key, CloseReason::Requested);
        }
        self.rooms.remove(&room);
        let mirrors: Vec<Key<Track>> =
            self.track_ids.values().copied().filter(|key| self.tracks.get(*key).is_some_and(|t| t.room == room)).collect();
        for key in mirrors {
            self.guarded(Place::Closing, Behalf::Nobody(room), |shard| shard.remove_track(now, key));
        }
        self.metrics.rooms.set(self.rooms.len() as u64);
        Some(())
    }

    fn open_peer(&mut self, now: Instant, open: OpenPeer) -> Option<()> {
        if !self.rooms.contains_key(&open.room) || self.peer_ids.contains_key(&open.peer) || self.ufrags.contains_key(&open.ice.local_ufrag)
        {
            return None;
        }
        let ufrag = open.ice.local_ufrag.clone();
        let expires = now + Duration::from_millis(open.expires_ms);
        let key = self.peers.insert(Peer {
            id: open.peer,
            room: open.room,
            ice: Ice::new(open.ice, now),
            dtls: DtlsServer::new(&self.identity, open.fingerprint, now),
            srtp: None,
            early: None,
            path: None,
            extensions: open.extensions,
            tracks: Vec::new(),
            slots: Vec::new(),
            own: Vec::new(),
            sources: Vec::new(),
            arrivals: Recorder::new(),
            twcc_sequence: 1,
            expires,
            wake: None,
            feedback_due: None,
            report_due: None,
            quality_due: now,
            bandwidth: None,
            allocated: Allocation::default(),
            choice_due: None,
            traffic: Traffic::default(),
            clock_offset: None,
            violations: Vec::new(),
            violations_told: None,
        });
        self.peer_ids.insert(open.peer, key);
        self.rooms.get_mut(&open.room)?.peers.push(key);
        self.ufrags.insert(ufrag, key);
        self.schedule(key, expires);
        self.count();
        Some(())
    }

    fn restart_ice(&mut self, peer: u64, credentials: IceCredentials) -> Option<()> {
        let key = *self.peer_ids.get(&peer)?;
        if self.ufrags.contains_key(&credentials.local_ufrag) {
            return None;
        }
        let ufrag = credentials.local_ufrag.clone();
        if let Some(abandoned) = self.peers.get_mut(key)?.ice.restart(credentials) {
            self.ufrags.remove(&abandoned);
        }
        self.ufrags.insert(ufrag, key);
        self.metrics.ice_restarts.inc();
        Some(())
    }

    /// Ends a transport with everything on it.
    pub(super) fn close_peer(&mut self, now: Instant, key: Key<Peer>, reason: CloseReason) {
        let Some(mut peer) = self.peers.remove(key) else { return };
        if let Some(path) = peer.path {
            let outbox = &mut self.outbox;
            // After a panic the association may be in any state.
            if reason != CloseReason::Panic {
                peer.dtls.close(now, &mut |record| outbox.push(path, record));
            }
        }
        for track in std::mem::take(&mut peer.tracks) {
            self.remove_track(now, track);
        }
        fault::at(Place::Closing, || peer.id);
        for slot in std::mem::take(&mut peer.slots) {
            self.remove_slot(slot, peer.room);
        }
        for path in peer.ice.paths() {
            if self.paths.get(&path) == Some(&key) {
                self.paths.remove(&path);
            }
        }
        for ufrag in peer.ice.local_ufrags() {
            self.ufrags.remove(ufrag);
        }
        if let Some(room) = self.rooms.get_mut(&peer.room) {
            room.peers.retain(|other| *other != key);
        }
        self.peer_ids.remove(&peer.id);
        self.events.push(Event::Closed { peer: peer.id, reason });
        self.count();
    }

    fn add_track(&mut self, add: AddTrack) -> Option<()> {
        let key = *self.peer_ids.get(&add.peer)?;
        let peer = self.peers.get_mut(key)?;
        if self.track_ids.contains_key(&add.track) || peer.tracks.len() >= PER_PEER {
            return None;
        }
        let AddTrack { track: id, kind, mid, codecs, allowed, priority, voice, rids, .. } = add;
        let layers = match rids.len() {
            0 | 1 => vec![Layer::new(kind, None)],
            _ => rids.into_iter().take(LAYERS).map(|rid| Layer::new(kind, Some(rid))).collect(),
        };
        let track = Track { mid, allowed, priority, voice, layers, ..Track::new(id, Origin::Peer(key), peer.room, kind, codecs) };
        let layers = track.layers.len();
        let track = self.tracks.insert(track);
        peer.tracks.push(track);
        // Layers without RID are told apart by the order of their sources (lowest first, as browsers announce them).
        for (layer, (ssrc, rtx)) in add.ssrcs.iter().take(layers).enumerate() {
            peer.map_source(*ssrc, Carries::Media(track, layer));
            if let Some(rtx) = rtx {
                peer.map_source(*rtx, Carries::Retransmissions(track, layer));
            }
        }
        self.track_ids.insert(add.track, track);
        self.count();
        Some(())
    }

    fn set_track(&mut self, now: Instant, id: u64, allowed: bool, priority: bool) -> Option<()> {
        let key = *self.track_ids.get(&id)?;
        let track = self.tracks.get_mut(key)?;
        let permitted = allowed && !track.allowed;
        let revoked = !allowed && track.allowed;
        track.allowed = allowed;
        track.priority = priority;
        if permitted {
            // What was dropped meanwhile must not look like loss.
            track.layers.iter_mut().for_each(Layer::restart_same_source);
            for slot in track.listeners.clone() {
                if let Some(layer) = self.slots.get(slot).and_then(|slot| slot.target) {
                    self.want_key_frame(now, key, usize::from(layer));
                }
            }
        }
        if revoked {
            self.silence(key);
            self.cut(key);
        }
        if permitted || revoked {
            self.tape_mark(now, key, if revoked { Taped::Mute } else { Taped::Unmute }, 0, &[]);
        }
        if permitted || revoked {
            self.tell_mirrors(key, || Command::SetTrack { track: id, allowed, priority });
        }
        Some(())
    }

    /// Takes a track out of its room's audio places.
    pub(super) fn silence(&mut self, key: Key<Track>) {
        let Some(track) = self.tracks.get(key) else { return };
        if let Some(room) = self.rooms.get_mut(&track.room) {
            if room.audio.forget(track.id) {
                room.places_changed = true;
                let room = track.room;
                self.tell_places(room);
            }
        }
    }

    pub(super) fn remove_track(&mut self, now: Instant, key: Key<Track>) {
        self.silence(key);
        self.tape_end(now, key, b"gone");
        if let Some(id) = self.tracks.get(key).map(|track| track.id) {
            self.tell_mirrors(key, || Command::RemoveTrack { track: id });
        }
        let Some(track) = self.tracks.remove(key) else { return };
        for slot in &track.listeners {
            if let Some(slot) = self.slots.get_mut(*slot) {
                slot.forget(key);
            }
        }
        if let Some(peer) = track.peer().and_then(|peer| self.peers.get_mut(peer)) {
            peer.tracks.retain(|other| *other != key);
            let gone: Vec<u32> = peer.sources.iter().filter(|(_, c)| c.track() == key).map(|(ssrc, _)| *ssrc).collect();
            peer.sources.retain(|(_, c)| c.track() != key);
            if let Some(srtp) = peer.srtp.as_mut() {
                gone.into_iter().for_each(|ssrc| srtp.opener.forget(ssrc));
            }
        }
        if let (Some(codec), Some(peer)) = (track.told, track.peer()) {
            self.schedule(peer, now);
            self.events.push(Event::Track { track: track.id, sending: false, codec: codec.as_str() });
        }
        self.track_ids.remove(&track.id);
        self.count();
    }

    fn add_slot(&mut self, now: Instant, add: AddSlot) -> Option<()> {
        let key = *self.peer_ids.get(&add.peer)?;
        let peer = self.peers.get_mut(key)?;
        let room = self.rooms.get_mut(&peer.room)?;
        if self.slot_ids.contains_key(&add.slot) || peer.slots.len() >= PER_PEER {
            return None;
        }
        let followers = match add.auto {
            Some(place) if add.kind == Kind::Audio => Some(room.followers.get_mut(place)?),
            Some(_) => return None,
            None => None,
        };
        let (id, video) = (add.slot, add.kind == Kind::Video);
        let slot = self.slots.insert(Slot::new(add, key));
        if let Some(followers) = followers {
            followers.push(slot);
            if room.home != self.number && !std::mem::replace(&mut room.asked_sound, true) {
                self.upward.push((room.home, Command::RelaySound { room: room.id, shard: self.number, wanted: true }));
            }
        }
        peer.slots.push(slot);
        self.slot_ids.insert(id, slot);
        if video {
            self.estimate(now, key);
        }
        self.count();
        Some(())
    }

    pub(super) fn remove_slot(&mut self, key: Key<Slot>, room: u64) {
        let Some(slot) = self.slots.remove(key) else { return };
        for track in [slot.wanted, slot.playing.map(|source| source.track)].into_iter().flatten() {
            self.unlisten(key, track);
        }
        if let Some((room, place)) = self.rooms.get_mut(&room).zip(slot.auto) {
            room.followers.get_mut(place).into_iter().for_each(|followers| followers.retain(|other| *other != key));
            if room.asked_sound && room.followers.iter().all(Vec::is_empty) {
                room.asked_sound = false;
                self.upward.push((room.home, Command::RelaySound { room: room.id, shard: self.number, wanted: false }));
            }
        }
        self.slot_ids.remove(&slot.id);
    }

    /// The rest of a picture that is under way will not come: who only waited for its end lets go.
    fn cut(&mut self, key: Key<Track>) {
        let Some(track) = self.tracks.get(key) else { return };
        for slot_key in track.listeners.clone() {
            let Some(slot) = self.slots.get_mut(slot_key).filter(|slot| slot.playing.is_some_and(|source| source.track == key)) else {
                continue;
            };
            slot.unfinished = None;
            if slot.target.is_none() {
                slot.playing = None;
                if slot.wanted != Some(key) {
                    self.unlisten(slot_key, key);
                }
            }
        }
    }

    pub(super) fn unlisten(&mut self, slot: Key<Slot>, track: Key<Track>) {
        if let Some(found) = self.tracks.get_mut(track) {
            found.listeners.retain(|other| *other != slot);
            self.tell_home(track);
        }
    }

    fn own_tracks(&mut self, peer: u64, tracks: Vec<u64>) -> Option<()> {
        let peer = self.peers.get_mut(*self.peer_ids.get(&peer)?)?;
        peer.own = tracks;
        Some(())
    }

    fn assign(&mut self, now: Instant, slot_id: u64, track_id: Option<u64>) -> Option<()> {
        let key = *self.slot_ids.get(&slot_id)?;
        let track = match track_id {
            Some(id) => Some(*self.track_ids.get(&id)?),
            None => None,
        };
        let slot = self.slots.get_mut(key)?;
        let fits = match track {
            Some(track) => {
                let track = self.tracks.get(track)?;
                track.kind == slot.kind && self.peers.get(slot.peer)?.room == track.room
            }
            None => true,
        };
        if slot.auto.is_some() || !fits {
            return None;
        }
        let playing = slot.playing.map(|source| source.track);
        let waited = slot.wanted.filter(|wanted| Some(*wanted) != playing && Some(*wanted) != track);
        let peer = slot.peer;
        if slot.wanted != track && slot.choice.play == Play::Paused {
            // The other picture did not fit.
            slot.choice.play = Play::Hidden;
        }
        slot.wanted = track;
        slot.target = None;
        slot.told = None;
        let keeps = track.is_some() && slot.kind == Kind::Video;
        if let Some(waited) = waited {
            self.unlisten(key, waited);
        }
        // A picture stays until the next one is there.
        if let Some(old) = playing.filter(|old| Some(*old) != track && !keeps) {
            let slot = self.slots.get_mut(key)?;
            slot.pause();
            if slot.playing.is_none() {
                self.unlisten(key, old);
            }
        }
        let Some(new) = track else { return Some(()) };
        let target = self.tracks.get_mut(new)?;
        if !target.listeners.contains(&key) {
            target.listeners.push(key);
            self.tell_home(new);
        }
        match self.slots.get_mut(key)? {
            slot if slot.kind == Kind::Audio => slot.target = Some(0),
            _ => self.choose_layers(now, peer),
        }
        Some(())
    }

    fn limit_slot(&mut self, now: Instant, id: u64, most: Option<u8>) -> Option<()> {
        let key = *self.slot_ids.get(&id)?;
        let slot = self.slots.get_mut(key).filter(|slot| slot.kind == Kind::Video)?;
        let peer = slot.peer;
        slot.most = most;
        slot.told = None;
        self.choose_layers(now, peer);
        Some(())
    }

    pub(super) fn count(&self) {
        self.metrics.peers.set(self.peers.len() as u64);
        self.metrics.tracks.set(self.tracks.len() as u64);
        self.metrics.slots.set(self.slots.len() as u64);
    }
}
