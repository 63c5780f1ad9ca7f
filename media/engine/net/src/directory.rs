//! Which shard an id lives on: written only by the embedder's calls, read by the TCP door.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiangtai_core::command::Command;

#[derive(Default)]
struct PeerEntry {
    shard: usize,
    room: u64,
    ufrags: Vec<String>,
    tracks: Vec<u64>,
    slots: Vec<u64>,
}

#[derive(Default)]
struct Places {
    peers: HashMap<u64, PeerEntry>,
    /// Track or slot to (shard, peer).
    tracks: HashMap<u64, (usize, u64)>,
    slots: HashMap<u64, (usize, u64)>,
    ufrags: HashMap<String, usize>,
}

/// Which shard an id lives on.
#[derive(Default)]
pub struct Directory(Mutex<Places>);

impl Directory {
    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the TCP door: the shard a STUN username's fragment belongs to.
    pub fn shard_of_ufrag(&self, ufrag: &str) -> Option<usize> {
        self.lock().ufrags.get(ufrag).copied()
    }

    /// The shard a command goes to; None: to every shard. Ids nobody opened go to shard 0, which counts them. Asked again
    /// because the ring was full, it answers the same.
    pub fn route(&self, command: &Command, opened_on: Option<usize>) -> Option<usize> {
        let mut places = self.lock();
        Some(match command {
            Command::OpenRoom { .. } | Command::CloseRoom { .. } => return None,
            Command::OpenPeer(open) => {
                let shard = opened_on.unwrap_or(0);
                let ufrag = open.ice.local_ufrag.clone();
                if let Some(known) = places.peers.get(&open.peer) {
                    return Some(known.shard);
                }
                places.ufrags.insert(ufrag.clone(), shard);
                places.peers.insert(open.peer, PeerEntry { shard, room: open.room, ufrags: vec![ufrag], ..PeerEntry::default() });
                shard
            }
            Command::RestartIce { peer, ice } => {
                let Places { peers, ufrags, .. } = &mut *places;
                let Some(entry) = peers.get_mut(peer) else { return Some(0) };
                if ufrags.insert(ice.local_ufrag.clone(), entry.shard).is_none() {
                    entry.ufrags.push(ice.local_ufrag.clone());
                }
                // The one in force and the one before stay answerable.
                while entry.ufrags.len() > 3 {
                    ufrags.remove(&entry.ufrags.remove(0));
                }
                entry.shard
            }
            Command::ClosePeer { peer } | Command::OwnTracks { peer, .. } => places.peers.get(peer).map_or(0, |e| e.shard),
            Command::AddTrack(add) => {
                let Places { peers, tracks, .. } = &mut *places;
                let Some(entry) = peers.get_mut(&add.peer) else { return Some(0) };
                let shard = entry.shard;
                if tracks.insert(add.track, (shard, add.peer)).is_none() {
                    entry.tracks.push(add.track);
                }
                shard
            }
            Command::AddSlot(add) => {
                let Places { peers, slots, .. } = &mut *places;
                let Some(entry) = peers.get_mut(&add.peer) else { return Some(0) };
                let shard = entry.shard;
                if slots.insert(add.slot, (shard, add.peer)).is_none() {
                    entry.slots.push(add.slot);
                }
                shard
            }
            Command::RemoveTrack { track }
            | Command::SetTrack { track, .. }
            | Command::RequestKeyFrame { track, .. }
            | Command::Record { track, .. } => places.tracks.get(track).map_or(0, |t| t.0),
            Command::Assign { slot, .. } | Command::LimitSlot { slot, .. } => places.slots.get(slot).map_or(0, |s| s.0),
            // Only shards say these to each other, or the engine itself.
            Command::AddMirror(_) | Command::Relay { .. } | Command::RelaySound { .. } => 0,
        })
    }

    /// The room a peer was opened in.
    pub fn room_of(&self, peer: u64) -> Option<u64> {
        self.lock().peers.get(&peer).map(|entry| entry.room)
    }

    /// Forgets a removed track.
    pub fn forget_track(&self, track: u64) {
        let mut places = self.lock();
        let Some((_, peer)) = places.tracks.remove(&track) else { return };
        if let Some(entry) = places.peers.get_mut(&peer) {
            entry.tracks.retain(|t| *t != track);
        }
    }

    /// Forgets a closed peer.
    pub fn forget(&self, peer: u64) {
        let mut places = self.lock();
        let Some(entry) = places.peers.remove(&peer) else { return };
        for track in entry.tracks {
            places.tracks.remove(&track);
        }
        for slot in entry.slots {
            places.slots.remove(&slot);
        }
        for ufrag in entry.ufrags {
            places.ufrags.remove(&ufrag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiangtai_core::command::{IceCredentials, OpenPeer};
    use jiangtai_core::media::Extensions;

    fn ice(local_ufrag: &str) -> IceCredentials {
        let other = String::new;
        IceCredentials { local_ufrag: local_ufrag.into(), local_pwd: other(), remote_ufrag: other(), remote_pwd: other() }
    }

    #[test]
    fn a_restart_posted_again_and_again_stays_answerable() {
        let directory = Directory::default();
        let (peer, room, extensions) = (1, 1, Extensions::default());
        let open = OpenPeer { peer, room, ice: ice("before"), fingerprint: [0; 32], extensions, expires_ms: 1 };
        directory.route(&Command::OpenPeer(Box::new(open)), Some(1));
        for _ in 0..10 {
            assert_eq!(directory.route(&Command::RestartIce { peer, ice: ice("after") }, None), Some(1));
        }
        assert_eq!(["before", "after"].map(|ufrag| directory.shard_of_ufrag(ufrag)), [Some(1); 2]);
    }
}
