//! From ordered packets to whole units: H.264 (RFC 6184), VP8 (RFC 7741), Opus (RFC 7587) with redundancy unwrapped (RFC 2198).
//!
//! A loss breaks the unit it falls into. Video goes on at the next key frame, so that nothing is ever decoded against a
//! picture that is missing; audio just leaves a gap, which the timeline fills.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod h264;
mod opus;
mod vp8;

pub use h264::MAX_PARAMETER_SET;

use jiangtai_core::rtp::Packet;

use crate::input::{Codec, Start};
use crate::reorder::Ordered;
use crate::unit::Unit;

/// Units that never came out whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Broken {
    /// Begun, but a packet is missing, malformed or of a kind that is not taken.
    pub units: u64,
    /// Whole, but after a loss and before the next key frame.
    pub waiting: u64,
}

#[derive(Debug)]
pub enum Depacketiser {
    H264(h264::H264),
    Vp8(vp8::Vp8),
    Opus(opus::Opus),
}

impl Depacketiser {
    pub fn new(start: &Start) -> Self {
        match start.codec {
            Codec::H264 => Self::H264(h264::H264::default()),
            Codec::Vp8 => Self::Vp8(vp8::Vp8::default()),
            Codec::Opus => Self::Opus(opus::Opus::new(start.red)),
        }
    }

    pub fn push(&mut self, ordered: Ordered<'_>, out: &mut impl FnMut(Unit)) {
        let Ok(packet) = Packet::parse(ordered.packet) else { return };
        match self {
            Self::H264(h264) => h264.push(ordered, &packet, out),
            Self::Vp8(vp8) => vp8.push(ordered, &packet, out),
            Self::Opus(opus) => opus.push(ordered, &packet, out),
        }
    }

    /// The stream ends: a unit whose last packet never came is broken.
    pub fn end(&mut self) {
        match self {
            Self::H264(h264) => h264.end(),
            Self::Vp8(vp8) => vp8.end(),
            Self::Opus(_) => {}
        }
    }

    pub fn broken(&self) -> Broken {
        match self {
            Self::H264(h264) => h264.broken,
            Self::Vp8(vp8) => vp8.broken,
            Self::Opus(opus) => Broken { units: opus.malformed, waiting: 0 },
        }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
