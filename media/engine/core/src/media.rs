//! The vocabulary of negotiated media: kinds, codecs, header extension ids.

/// Audio or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Audio,
    Video,
}

/// Codecs the engine forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodecName {
    Opus,
    Red,
    Vp8,
    H264,
    Vp9,
    Av1,
}

/// How many codecs there are.
pub const CODECS: usize = 6;

impl CodecName {
    pub fn parse(name: &str) -> Option<CodecName> {
        Some(match name {
            "opus" => CodecName::Opus,
            "red" => CodecName::Red,
            "vp8" => CodecName::Vp8,
            "h264" => CodecName::H264,
            "vp9" => CodecName::Vp9,
            "av1" => CodecName::Av1,
            _ => return None,
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            CodecName::Opus => "opus",
            CodecName::Red => "red",
            CodecName::Vp8 => "vp8",
            CodecName::H264 => "h264",
            CodecName::Vp9 => "vp9",
            CodecName::Av1 => "av1",
        }
    }

    /// RTP clock rate in Hz.
    pub fn clock_rate(self) -> u32 {
        match self {
            CodecName::Opus | CodecName::Red => 48_000,
            CodecName::Vp8 | CodecName::H264 | CodecName::Vp9 | CodecName::Av1 => 90_000,
        }
    }
}

/// One negotiated payload type and its retransmission twin (RFC 4588).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codec {
    pub pt: u8,
    pub name: CodecName,
    pub rtx_pt: Option<u8>,
}

/// Header extension ids (RFC 8285) as negotiated on one peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extensions {
    pub mid: Option<u8>,
    pub rid: Option<u8>,
    pub rrid: Option<u8>,
    pub audio_level: Option<u8>,
    pub twcc: Option<u8>,
    pub abs_send_time: Option<u8>,
}
