//! What the packager is told: one recorded fact at a time, in the order of arrival.

/// A track's number in the recording.
pub type TrackId = u16;

/// How a track's packets are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    H264,
    Vp8,
    Opus,
}

impl Codec {
    pub fn is_video(self) -> bool {
        self != Codec::Opus
    }
}

/// Where a track comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Camera,
    Microphone,
    Screen,
    ScreenAudio,
}

impl Source {
    pub fn is_picture(self) -> bool {
        matches!(self, Source::Camera | Source::Screen)
    }
}

/// The head of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    pub codec: Codec,
    /// RTP ticks per second.
    pub clock_rate: u32,
    /// Tracks of one participant share a sender clock (RFC 3550 CNAME).
    pub participant: u64,
    pub source: Source,
    /// The payload type of the codec; None takes every payload type but `red`.
    pub payload_type: Option<u8>,
    /// The payload type of redundant audio around it (RFC 2198).
    pub red: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What<'a> {
    /// A track begins. Told again in the same words while it goes on (a journal does so in each of its files), it changes nothing.
    Start(Start),
    /// Another encoding of the track follows, or its sender numbers and times its packets anew.
    Layer,
    /// A decrypted packet with its original header, after retransmissions are unwrapped; `sequence` with the roll-over counter
    /// above it.
    Rtp {
        sequence: u64,
        packet: &'a [u8],
    },
    /// RFC 3550 section 6.4.1; `ntp` is 32.32 fixed point.
    SenderReport {
        ntp: u64,
        rtp_timestamp: u32,
    },
    Mute,
    Unmute,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input<'a> {
    pub track: TrackId,
    /// Server monotonic time.
    pub arrival_us: u64,
    pub what: What<'a>,
}
