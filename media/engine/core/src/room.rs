//! One room: its peers, its loudest voices, and the slots that follow them.

use std::time::Instant;

use crate::arena::Key;
use crate::audio::AudioRoom;
use crate::peer::Peer;
use crate::slot::Slot;
use crate::track::Track;

/// One room.
pub struct Room {
    pub id: u64,
    /// The shard its publishers live on.
    pub home: usize,
    /// Other shards with listeners (kept at home).
    pub remote: Vec<usize>,
    /// The home shard was asked for sound.
    pub asked_sound: bool,
    pub peers: Vec<Key<Peer>>,
    pub audio: AudioRoom,
    /// Per audio place, the slots of all receivers that follow it.
    pub followers: Vec<Vec<Key<Slot>>>,
    /// Its tracks with packets that wait to be played.
    pub ready: Vec<Key<Track>>,
    /// Places changed and the embedder does not know yet.
    pub places_changed: bool,
    pub speakers_due: Option<Instant>,
}

impl Room {
    pub fn new(id: u64, places: usize, home: usize) -> Room {
        Room {
            id,
            home,
            remote: Vec::new(),
            asked_sound: false,
            peers: Vec::new(),
            audio: AudioRoom::new(places),
            followers: vec![Vec::new(); places],
            ready: Vec::new(),
            places_changed: false,
            speakers_due: None,
        }
    }

    /// Ranks the voices anew from what is heard next.
    pub fn forget_voices(&mut self) {
        self.audio = AudioRoom::new(self.followers.len());
        self.places_changed = false;
        self.speakers_due = None;
    }
}
