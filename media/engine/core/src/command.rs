//! What the embedder may ask of a shard. Ids are the embedder's, unique for the life of the engine, never 0.
//!
//! A command naming something unknown is counted (`commands_ignored`) and changes nothing.

use crate::media::{Codec, Extensions, Kind};
use crate::tape::Rank;

/// One request to a shard.
#[derive(Debug, Clone)]
pub enum Command {
    /// A room whose audio is heard through `audio_slots` places and whose publishers live on shard `home`.
    OpenRoom { room: u64, audio_slots: usize, home: usize },
    /// Ends the room and every peer in it.
    CloseRoom { room: u64 },
    /// Expect one transport.
    OpenPeer(Box<OpenPeer>),
    /// New ICE credentials on the same DTLS association (RFC 8445 section 9).
    RestartIce { peer: u64, ice: IceCredentials },
    /// End one transport ("requested").
    ClosePeer { peer: u64 },
    /// Something a peer may send.
    AddTrack(Box<AddTrack>),
    /// Change a track's permission or its right to an audio slot.
    SetTrack { track: u64, allowed: bool, priority: bool },
    /// Forget a track; slots that play it fall silent.
    RemoveTrack { track: u64 },
    /// A place a peer receives one stream in.
    AddSlot(Box<AddSlot>),
    /// Tracks an automatic slot of this peer never plays.
    OwnTracks { peer: u64, tracks: Vec<u64> },
    /// Play a track in a slot; None pauses it.
    Assign { slot: u64, track: Option<u64> },
    /// The best layer worth sending in a slot; None while its receiver does not see it.
    LimitSlot { slot: u64, most: Option<u8> },
    /// Ask a track's sender for a key frame of a layer.
    RequestKeyFrame { track: u64, layer: u8 },
    /// Put a track's packets on the tape, or no longer.
    Record { track: u64, record: Option<Box<RecordTrack>> },
    /// A track of another shard that slots here may play.
    AddMirror(Box<AddMirror>),
    /// From a shard with mirrors: it wants a track's packets, or no longer.
    Relay { track: u64, shard: usize, wanted: bool },
    /// From a shard with listeners: it wants a room's sound.
    RelaySound { room: u64, shard: usize, wanted: bool },
}

/// User fragments and passwords of one ICE generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceCredentials {
    pub local_ufrag: String,
    pub local_pwd: String,
    pub remote_ufrag: String,
    pub remote_pwd: String,
}

/// One expected ICE-lite / DTLS-server transport.
#[derive(Debug, Clone)]
pub struct OpenPeer {
    pub peer: u64,
    pub room: u64,
    pub ice: IceCredentials,
    /// SHA-256 of the certificate the peer announced in its SDP.
    pub fingerprint: [u8; 32],
    pub extensions: Extensions,
    pub expires_ms: u64,
}

/// A track: recognised by MID or by (ssrc, rtx ssrc).
#[derive(Debug, Clone)]
pub struct AddTrack {
    pub track: u64,
    pub peer: u64,
    pub kind: Kind,
    pub mid: String,
    pub ssrcs: Vec<(u32, Option<u32>)>,
    pub codecs: Vec<Codec>,
    /// RFC 8852 identifiers of its simulcast layers, lowest first; empty for one layer.
    pub rids: Vec<String>,
    /// Audio: competes for the room's audio places.
    pub voice: bool,
    pub allowed: bool,
    pub priority: bool,
}

/// A track as other shards know it.
#[derive(Debug, Clone)]
pub struct AddMirror {
    pub track: u64,
    pub room: u64,
    pub kind: Kind,
    pub codecs: Vec<Codec>,
    pub layers: usize,
    pub allowed: bool,
}

/// How a track is recorded.
#[derive(Debug, Clone)]
pub struct RecordTrack {
    /// Its number in the recording.
    pub number: u16,
    pub rank: Rank,
    /// What the recording says of it.
    pub description: Vec<u8>,
}

/// A slot: one continuous outgoing stream.
#[derive(Debug, Clone)]
pub struct AddSlot {
    pub slot: u64,
    pub peer: u64,
    pub kind: Kind,
    pub mid: String,
    pub ssrc: u32,
    pub rtx_ssrc: Option<u32>,
    pub codecs: Vec<Codec>,
    /// Follows this audio slot of the room.
    pub auto: Option<usize>,
    /// Who is served first when bandwidth is short: 0 screen, 1 main, 2 tile.
    pub rank: u8,
}
