//! WebM (Matroska, RFC 9559, with the limits of the WebM guidelines; EBML, RFC 8794): VP8 and Opus in one file, seekable.
//!
//! ```text
//! EBML | Segment: SeekHead  Info  Tracks  Cluster Cluster ...  Cues
//! ```
//! SeekHead, Duration and the Segment's length have places of fixed length that are filled when the file ends; until then a
//! player sees a stream without an end. Clusters begin with a key frame of the picture and have an entry in the Cues.

mod ebml;
mod read;
mod remux;

pub use remux::remux;

use crate::unit::Config;
use ebml::{element, float, id, master, string, uint, void};

const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114d_9b74;
const INFO: u32 = 0x1549_a966;
const TRACKS: u32 = 0x1654_ae6b;
const CLUSTER: u32 = 0x1f43_b675;
const CUES: u32 = 0x1c53_bb6b;
const DURATION: u32 = 0x4489;
/// Nanoseconds of a unit of time.
const TIMESTAMP_SCALE: u64 = 1_000_000;
/// An EBML length of 8 bytes that means "unknown".
const UNKNOWN: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
/// Three entries of 21 bytes, and the head.
const SEEK_HEAD_BYTES: usize = 4 + 8 + 3 * 21;
const DURATION_BYTES: usize = 11;
/// A cluster is cut when it is this long, at a key frame; or, without one, when it is this long or this large.
const MIN_CLUSTER_MS: u64 = 2_000;
const MAX_CLUSTER_MS: u64 = 5_000;
const MAX_CLUSTER: usize = 2 << 20;
/// An entry every 2 s of more than a day.
const MAX_CUES: usize = 50_000;

/// What to do with the file, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Append(Vec<u8>),
    Overwrite(u64, Vec<u8>),
}

#[derive(Debug)]
struct Cue {
    time_ms: u64,
    track: u64,
    /// From the beginning of the Segment's body.
    position: u64,
}

/// One file. Blocks come in order of time, up to a few seconds.
#[derive(Debug)]
pub struct Writer {
    video: Vec<bool>,
    /// Bytes so far, and where what was written at the head begins.
    len: u64,
    segment_at: u64,
    info_at: u64,
    duration_at: u64,
    tracks_at: u64,
    cluster: Vec<u8>,
    cluster_ms: u64,
    /// The cluster begins with a key frame of this track.
    cluster_key: Option<u64>,
    cues: Vec<Cue>,
    end_ms: u64,
}

impl Writer {
    /// The file's head, for tracks of VP8 or Opus, numbered in this order from 0; None if another is among them.
    pub fn new(tracks: &[Config]) -> Option<(Self, Step)> {
        let mut out = Vec::with_capacity(512);
        master(&mut out, 0x1a45_dfa3, |out| {
            for (id, value) in [(0x4286, 1), (0x42f7, 1), (0x42f2, 4), (0x42f3, 8)] {
                uint(out, id, value);
            }
            string(out, 0x4282, "webm");
            uint(out, 0x4287, 4);
            uint(out, 0x4285, 2);
        });
        id(&mut out, SEGMENT);
        out.extend(UNKNOWN);
        let segment_at = out.len() as u64;
        void(&mut out, SEEK_HEAD_BYTES);
        let info_at = out.len() as u64;
        master(&mut out, INFO, |out| {
            uint(out, 0x2ad7b1, TIMESTAMP_SCALE);
            string(out, 0x4d80, "jiangtai");
            string(out, 0x5741, "jiangtai");
            void(out, DURATION_BYTES);
        });
        // The place of the duration is the last thing in it.
        let duration_at = (out.len() - DURATION_BYTES) as u64;
        let tracks_at = out.len() as u64;
        let mut known = true;
        master(&mut out, TRACKS, |out| {
            for (number, config) in (1..).zip(tracks) {
                known &= track(out, number, config).is_some();
            }
        });
        let video = tracks.iter().map(|config| config.size().is_some()).collect();
        let len = out.len() as u64;
        let writer = Self {
            video,
            len,
            segment_at,
            info_at,
            duration_at,
            tracks_at,
            cluster: Vec::new(),
            cluster_ms: 0,
            cluster_key: None,
            cues: Vec::new(),
            end_ms: 0,
        };
        (known && !tracks.is_empty()).then_some((writer, Step::Append(out)))
    }

    /// Adds a frame that lasts until `end_ms`; a cluster that is full comes back.
    pub fn push(&mut self, track: usize, time_ms: u64, end_ms: u64, key: bool, data: &[u8]) -> Option<Step> {
        let leads = key && (self.video.get(track) == Some(&true) || !self.video.contains(&true));
        let age = time_ms.saturating_sub(self.cluster_ms);
        let due =
            (leads && age >= MIN_CLUSTER_MS) || age >= MAX_CLUSTER_MS || self.cluster.len() >= MAX_CLUSTER || time_ms < self.cluster_ms;
        let full = if due { self.cut() } else { None };
        if self.cluster.is_empty() {
            self.cluster_ms = time_ms;
            self.cluster_key = leads.then_some(track as u64 + 1);
            uint(&mut self.cluster, 0xe7, time_ms);
        }
        let relative = (time_ms - self.cluster_ms) as i16;
        element(&mut self.cluster, 0xa3, |out| {
            out.push(0x80 | (track as u8 + 1) & 0x7f);
            out.extend(relative.to_be_bytes());
            out.push(if key { 0x80 } else { 0 });
            out.extend_from_slice(data);
        });
        self.end_ms = self.end_ms.max(end_ms);
        full
    }

    /// The rest of the file, and what goes into the places at its head.
    pub fn finish(mut self) -> Vec<Step> {
        let mut steps: Vec<Step> = self.cut().into_iter().collect();
        let cues_at = self.len;
        let mut cues = Vec::new();
        master(&mut cues, CUES, |out| {
            for cue in &self.cues {
                master(out, 0xbb, |out| {
                    uint(out, 0xb3, cue.time_ms);
                    master(out, 0xb7, |out| {
                        uint(out, 0xf7, cue.track);
                        uint(out, 0xf1, cue.position);
                    });
                });
            }
        });
        let end = cues_at + cues.len() as u64;
        steps.push(Step::Append(cues));
        let mut head = Vec::with_capacity(SEEK_HEAD_BYTES);
        id(&mut head, SEEK_HEAD);
        head.extend((0x0100_0000_0000_0000u64 | (SEEK_HEAD_BYTES - 12) as u64).to_be_bytes());
        for (what, at) in [(INFO, self.info_at), (TRACKS, self.tracks_at), (CUES, cues_at)] {
            element(&mut head, 0x4dbb, |out| {
                element(out, 0x53ab, |out| out.extend(what.to_be_bytes()));
                element(out, 0x53ac, |out| out.extend((at - self.segment_at).to_be_bytes()));
            });
        }
        steps.push(Step::Overwrite(self.segment_at, head));
        let mut duration = Vec::new();
        float(&mut duration, DURATION, self.end_ms as f64);
        steps.push(Step::Overwrite(self.duration_at, duration));
        let length = 0x0100_0000_0000_0000 | (end - self.segment_at);
        steps.push(Step::Overwrite(self.segment_at - 8, length.to_be_bytes().to_vec()));
        steps
    }

    fn cut(&mut self) -> Option<Step> {
        if self.cluster.is_empty() {
            return None;
        }
        if let Some(track) = self.cluster_key.take().filter(|_| self.cues.len() < MAX_CUES) {
            self.cues.push(Cue { time_ms: self.cluster_ms, track, position: self.len - self.segment_at });
        }
        let mut out = Vec::with_capacity(self.cluster.len() + 12);
        element(&mut out, CLUSTER, |out| out.append(&mut self.cluster));
        self.len += out.len() as u64;
        Some(Step::Append(out))
    }
}

/// A TrackEntry (RFC 9559 section 5.1.4.1).
fn track(out: &mut Vec<u8>, number: u64, config: &Config) -> Option<()> {
    let (kind, codec) = match config {
        Config::Vp8 { .. } => (1, "V_VP8"),
        Config::Opus => (2, "A_OPUS"),
        Config::Avc(_) => return None,
    };
    master(out, 0xae, |out| {
        uint(out, 0xd7, number);
        uint(out, 0x73c5, number);
        uint(out, 0x83, kind);
        uint(out, 0x9c, 0);
        string(out, 0x86, codec);
        if let Some((width, height)) = config.size() {
            master(out, 0xe0, |out| {
                uint(out, 0xb0, u64::from(width));
                uint(out, 0xba, u64::from(height));
            });
        } else {
            // An Opus identification header (RFC 7845 section 5.1): version 1, 2 channels, no pre-skip, 48 kHz, no gain,
            // family 0.
            element(out, 0x63a2, |out| out.extend(b"OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x00"));
            uint(out, 0x56bb, 80_000_000);
            master(out, 0xe1, |out| {
                float(out, 0xb5, 48_000.0);
                uint(out, 0x9f, 2);
            });
        }
    });
    Some(())
}
