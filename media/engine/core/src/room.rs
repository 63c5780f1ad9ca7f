//! One room: its peers, its loudest voices, and the slots that follow them.

use std::time::Instant;

use crate::arena::Key;
use crate::audio::AudioRoom;
use crate::peer::Peer;
use crate::slot::Slot;

/// One room.
pub struct Room {
    pub id: u64,
    pub peers: Vec<Key<Peer>>,
    pub audio: AudioRoom,
    /// Per audio place, the slots of all receivers that follow it.
    pub followers: Vec<Vec<Key<Slot>>>,
    /// Places changed and the embedder does not know yet.
    pub places_changed: bool,
    pub speakers_due: Option<Instant>,
}

impl Room {
    pub fn new(id: u64, places: usize) -> Room {
        Room {
            id,
            peers: Vec::new(),
            audio: AudioRoom::new(places),
            followers: vec![Vec::new(); places],
            places_changed: false,
            speakers_due: None,
        }
    }
}
