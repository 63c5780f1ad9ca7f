//! One thing a peer sends, in one or several encodings, and who listens.

use std::time::{Duration, Instant};

use crate::arena::Key;
use crate::layer::Layer;
use crate::mapping::Source;
use crate::media::{Codec, CodecName, Kind};
use crate::peer::Peer;
use crate::rate::Allowance;
use crate::slot::Slot;
use crate::tape::Recorded;

/// A track with no packet for this long has stopped.
pub const SILENCE: Duration = Duration::from_secs(2);
/// A layer silent for this long while others go on is not chosen.
const INACTIVE: Duration = Duration::from_millis(800);
/// Layers of one picture come within this of each other.
const TOGETHER: Duration = Duration::from_millis(100);

/// Packets a second one track may send, far above what browsers do (sound each 10 ms is 100; 20 Mbit/s of pictures are 2,000): whoever
/// sends more costs every listener. Each is forwarded to all of them.
const SOUND_LIMIT: u32 = 250;
const PICTURE_LIMIT: u32 = 2_500;

/// Where a track's packets come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A peer of this shard.
    Peer(Key<Peer>),
    /// Another shard, which relays them.
    Shard(usize),
}

/// One incoming track.
pub struct Track {
    pub id: u64,
    pub origin: Origin,
    pub room: u64,
    pub kind: Kind,
    pub mid: String,
    pub codecs: Vec<Codec>,
    pub allowed: bool,
    pub priority: bool,
    /// Competes for the room's audio places.
    pub voice: bool,
    /// Lowest first, at least one.
    pub layers: Vec<Layer>,
    pub listeners: Vec<Key<Slot>>,
    /// Shards that want a copy of every packet.
    pub relays: Vec<usize>,
    /// What it sends, while that is taken.
    pub sending: Option<CodecName>,
    /// Its last packet, taken or not.
    pub arrived: Option<Instant>,
    pub allowance: Allowance,
    /// It was told that packets arrive, first in this codec.
    pub told: Option<CodecName>,
    /// The audio place it holds, as its home shard says (mirrors only).
    pub place: Option<usize>,
    /// Its home shard was told that its packets are wanted here (mirrors only).
    pub wanted: bool,
    /// Packets of some layer wait to be played.
    pub pending: bool,
    /// It is being recorded (at home only).
    pub recorded: Option<Box<Recorded>>,
    /// The last moments at which packets of any layer were taken, newest first, `TOGETHER` apart or more.
    pub moments: [Option<Instant>; 2],
}

impl Track {
    /// A track without layers that nobody hears or may hear.
    pub fn new(id: u64, origin: Origin, room: u64, kind: Kind, codecs: Vec<Codec>) -> Track {
        Track {
            id,
            origin,
            room,
            kind,
            mid: String::new(),
            codecs,
            allowed: false,
            priority: false,
            voice: false,
            layers: Vec::new(),
            listeners: Vec::new(),
            relays: Vec::new(),
            sending: None,
            arrived: None,
            allowance: Allowance::default(),
            told: None,
            place: None,
            wanted: false,
            pending: false,
            recorded: None,
            moments: [None; 2],
        }
    }

    /// The sending peer, if it is on this shard.
    pub fn peer(&self) -> Option<Key<Peer>> {
        match self.origin {
            Origin::Peer(peer) => Some(peer),
            Origin::Shard(_) => None,
        }
    }

    /// The codec of a payload type, and whether that payload type is its retransmission.
    pub fn codec(&self, pt: u8) -> Option<(Codec, bool)> {
        self.codecs.iter().find_map(|c| match (c.pt == pt, c.rtx_pt == Some(pt)) {
            (true, _) => Some((*c, false)),
            (_, true) => Some((*c, true)),
            _ => None,
        })
    }

    /// Whether anybody needs its packets: a listener, another shard, the recording.
    pub fn is_watched(&self) -> bool {
        !self.listeners.is_empty() || !self.relays.is_empty() || self.recorded.is_some()
    }

    /// Whether its sender answers NACKs with retransmissions.
    pub fn repairable(&self) -> bool {
        self.peer().is_some() && self.codecs.iter().any(|c| c.rtx_pt.is_some())
    }

    /// The layer with this identifier; a track with one unnamed layer has no others.
    pub fn layer_of(&self, rid: Option<&str>) -> Option<usize> {
        match rid {
            Some(rid) if self.layers.len() > 1 => self.layers.iter().position(|layer| layer.rid.as_deref() == Some(rid)),
            _ => (self.layers.len() == 1).then_some(0),
        }
    }

    /// A packet of this layer was taken.
    pub fn taken(&mut self, layer: usize, now: Instant) {
        if let Some(layer) = self.layers.get_mut(layer) {
            layer.last_packet = Some(now);
        }
        if self.moments[0].is_none_or(|at| now.saturating_duration_since(at) >= TOGETHER) {
            self.moments = [Some(now), self.moments[0]];
        }
    }

    /// Whether packets of this layer come: browsers stop upper ones when they lack bandwidth, while the others go on. Of a still screen they
    /// send one picture a second, so silence of all of them says nothing for longer.
    pub fn is_active(&self, layer: usize, now: Instant) -> bool {
        let Some(last) = self.layers.get(layer).and_then(|layer| layer.last_packet) else { return false };
        let went_on = self.moments.into_iter().flatten().find(|at| now.saturating_duration_since(*at) >= TOGETHER);
        now.saturating_duration_since(last) < SILENCE && went_on.is_none_or(|at| at.saturating_duration_since(last) < INACTIVE)
    }

    /// The source a layer is now.
    pub fn source(&self, key: Key<Track>, layer: usize) -> Option<Source> {
        let epoch = self.layers.get(layer)?.epoch;
        Some(Source { track: key, layer: layer as u8, epoch })
    }

    /// A packet came, taken or not; whether that is to be told: once, not with each change of codec, since whoever alternates payload types
    /// must not fill the queue.
    pub fn arrives(&mut self, now: Instant, codec: CodecName) -> bool {
        self.arrived = Some(now);
        let begins = self.told.is_none();
        self.told.get_or_insert(codec);
        begins
    }

    /// Whether one more packet is within what a track may send.
    pub fn affords(&mut self, now: Instant) -> bool {
        let limit = if self.kind == Kind::Audio { SOUND_LIMIT } else { PICTURE_LIMIT };
        self.allowance.take(limit, now)
    }

    /// When the next silence is due: of what is taken, and of what arrives at all.
    pub fn silence_due(&self) -> Option<Instant> {
        let taken = self.last_packet().filter(|_| self.sending.is_some());
        let arrived = self.arrived.filter(|_| self.told.is_some());
        taken.into_iter().chain(arrived).min().map(|at| at + SILENCE)
    }

    /// The last packet of any layer.
    pub fn last_packet(&self) -> Option<Instant> {
        self.layers.iter().filter_map(|layer| layer.last_packet).max()
    }
}
