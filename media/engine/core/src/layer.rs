//! One encoding of a track (RFC 8853 calls them simulcast streams; most tracks have just one): the state of its stream on the
//! way in.

use std::time::{Duration, Instant};

use crate::history::History;
use crate::keyframe::KeyFrameLimiter;
use crate::media::Kind;
use crate::nack::NackGenerator;
use crate::rate::Rate;
use crate::receive::Reception;
use crate::rtp::Extended;

/// Layers one track may have.
pub const LAYERS: usize = 3;
/// A key frame older than this is not played to newcomers: too much follows it.
const CACHE_AGE: Duration = Duration::from_secs(2);
/// Nor is one that more than this many bytes and packets follow.
const CACHE_BYTES: u64 = 400_000;
const CACHE_PACKETS: u64 = 600;

/// A sender's own clock, from its last report.
#[derive(Debug, Clone, Copy)]
pub struct SenderClock {
    pub ntp: u64,
    pub timestamp: u32,
}

/// Where a newcomer may begin: the newest key frame.
#[derive(Debug, Clone, Copy)]
struct Start {
    sequence: u64,
    timestamp: u32,
    at: Instant,
    /// Bytes of the layer when it arrived.
    bytes: u64,
}

/// One encoding.
pub struct Layer {
    /// RFC 8852 identifier; None where the track has one layer.
    pub rid: Option<String>,
    /// The source in force, once known.
    pub ssrc: Option<u32>,
    /// Counts new beginnings of the stream (another SSRC).
    pub epoch: u32,
    pub extended: Extended,
    pub history: History,
    pub nack: NackGenerator,
    pub reception: Reception,
    pub key_frames: KeyFrameLimiter,
    pub sender_clock: Option<SenderClock>,
    /// Timestamp and arrival of the newest packet.
    pub newest: Option<(u32, Instant)>,
    pub last_packet: Option<Instant>,
    pub rate: Rate,
    /// Packets taken in and not yet played, in order of arrival.
    pub pending: Vec<u64>,
    start: Option<Start>,
}

impl Layer {
    pub fn new(kind: Kind, rid: Option<String>) -> Layer {
        Layer {
            rid,
            ssrc: None,
            epoch: 0,
            extended: Extended::default(),
            history: History::for_kind(kind),
            nack: NackGenerator::default(),
            reception: Reception::default(),
            key_frames: KeyFrameLimiter::default(),
            sender_clock: None,
            newest: None,
            last_packet: None,
            rate: Rate::default(),
            pending: Vec::new(),
            start: None,
        }
    }

    /// Another source: nothing of the old stream is comparable.
    pub fn restart(&mut self, ssrc: u32) {
        self.restart_same_source();
        self.ssrc = Some(ssrc);
        self.sender_clock = None;
    }

    /// The same source after a pause: what was missed is not loss.
    pub fn restart_same_source(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.extended = Extended::default();
        self.history.clear();
        self.nack.reset();
        self.reception = Reception::default();
        self.newest = None;
        self.pending.clear();
        self.start = None;
    }

    /// A key frame begins with this packet.
    pub fn key_frame(&mut self, sequence: u64, timestamp: u32, now: Instant) {
        self.key_frames.arrived();
        // Late packets of an older key frame, and the further packets of this one, change nothing.
        if self.start.is_none_or(|start| sequence > start.sequence && timestamp != start.timestamp) {
            self.start = Some(Start { sequence, timestamp, at: now, bytes: self.history.written() });
        }
    }

    /// How long ago the newest key frame began; None if none came.
    pub fn key_frame_age(&self, now: Instant) -> Option<Duration> {
        self.start.map(|start| now.saturating_duration_since(start.at))
    }

    /// The packets a newcomer can begin with instead of waiting for a new key frame: from the newest one, if it is recent and
    /// everything since is at hand.
    pub fn cached(&self, now: Instant) -> Option<std::ops::RangeInclusive<u64>> {
        let start = self.start.filter(|start| now.saturating_duration_since(start.at) <= CACHE_AGE)?;
        let highest = self.extended.highest()?;
        let small =
            self.history.written().saturating_sub(start.bytes) <= CACHE_BYTES && highest - start.sequence.min(highest) < CACHE_PACKETS;
        // A key frame still arriving is played by what arrives; before that there is nothing to begin with.
        let whole = small && (start.sequence..=highest).all(|sequence| self.history.get(sequence).is_some());
        whole.then_some(start.sequence..=highest)
    }
}
