//! One thing a peer sends: its stream state on the way in, and who listens.

use std::time::{Duration, Instant};

use crate::arena::Key;
use crate::history::History;
use crate::keyframe::KeyFrameLimiter;
use crate::media::{Codec, CodecName, Kind};
use crate::nack::NackGenerator;
use crate::peer::Peer;
use crate::receive::Reception;
use crate::rtp::Extended;
use crate::slot::Slot;

/// A track with no packet for this long has stopped.
pub const SILENCE: Duration = Duration::from_secs(2);

/// A sender's own clock, from its last report.
#[derive(Debug, Clone, Copy)]
pub struct SenderClock {
    pub ntp: u64,
    pub timestamp: u32,
}

/// One incoming track.
pub struct Track {
    pub id: u64,
    pub peer: Key<Peer>,
    pub room: u64,
    pub kind: Kind,
    pub mid: String,
    pub codecs: Vec<Codec>,
    pub allowed: bool,
    pub priority: bool,
    /// The source in force, once known.
    pub ssrc: Option<u32>,
    /// Counts new beginnings of the stream (another SSRC).
    pub epoch: u32,
    pub extended: Extended,
    pub history: History,
    pub nack: NackGenerator,
    pub reception: Reception,
    pub key_frames: KeyFrameLimiter,
    pub listeners: Vec<Key<Slot>>,
    pub sender_clock: Option<SenderClock>,
    /// Timestamp and arrival of the newest packet.
    pub newest: Option<(u32, Instant)>,
    pub last_packet: Option<Instant>,
    pub sending: Option<CodecName>,
}

impl Track {
    /// History sizes: two seconds of 4 Mbit/s video; a second of audio.
    pub fn history_for(kind: Kind) -> History {
        match kind {
            Kind::Video => History::new(1024, 1 << 20),
            Kind::Audio => History::new(256, 64 << 10),
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
    }

    /// The codec of a payload type, and whether that payload type is its retransmission.
    pub fn codec(&self, pt: u8) -> Option<(Codec, bool)> {
        self.codecs.iter().find_map(|c| match (c.pt == pt, c.rtx_pt == Some(pt)) {
            (true, _) => Some((*c, false)),
            (_, true) => Some((*c, true)),
            _ => None,
        })
    }

    /// Whether its sender answers NACKs with retransmissions.
    pub fn repairable(&self) -> bool {
        self.codecs.iter().any(|c| c.rtx_pt.is_some())
    }
}
