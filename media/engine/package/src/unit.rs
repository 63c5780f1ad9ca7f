//! What leaves the depacketisers: access units (video) and packets (audio), whole or not at all.

use crate::reorder::Mark;

/// Longest access unit; a longer one counts as broken.
pub const MAX_UNIT: usize = 4 << 20;

/// One access unit of video or one packet of audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub mark: Mark,
    /// A decoder can start here; always true of audio.
    pub key: bool,
    /// How long it plays, in ticks, if it says so itself; audio does.
    pub ticks_long: Option<u32>,
    /// H.264: NAL units with 4-byte lengths, without parameter sets (ISO/IEC 14496-15 section 5.3). VP8, Opus: as they are.
    pub data: Vec<u8>,
    /// Told with the first unit and whenever it changes.
    pub config: Option<Config>,
}

/// What a decoder has to know before the first unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Config {
    Avc(Avc),
    Vp8 { width: u16, height: u16 },
    Opus,
}

/// Parameter sets of H.264, each with its NAL unit header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Avc {
    pub sps: Vec<u8>,
    /// By picture parameter set id.
    pub pps: Vec<Vec<u8>>,
    pub width: u16,
    pub height: u16,
}

impl Config {
    /// (width, height) in pixels.
    pub fn size(&self) -> Option<(u16, u16)> {
        match self {
            Config::Avc(avc) => Some((avc.width, avc.height)),
            Config::Vp8 { width, height } => Some((*width, *height)),
            Config::Opus => None,
        }
    }
}
