//! What a shard tells its embedder. Low rate by design: nothing here is per packet.

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// DTLS is done, media may flow.
    Connected { peer: u64, tcp: bool },
    /// The transport is gone and its tracks and slots with it.
    Closed { peer: u64, reason: CloseReason },
    /// Packets of this track arrive (or have been missing for two seconds).
    Track { track: u64, sending: bool, codec: &'static str },
    /// Who is speaking, loudest first, with levels in dB below full scale.
    Speakers { room: u64, levels: Vec<(u64, u8)> },
    /// The track in each audio slot, 0 = empty.
    AudioSlots { room: u64, tracks: Vec<u64> },
    /// What a slot plays now: a layer of its track, None = paused since nothing fits the receiver's bandwidth.
    Layer { slot: u64, layer: Option<u8> },
    /// A connection's figures over the last interval; `kbps_available` is the estimate of its bandwidth, 0 = unknown.
    Quality { peer: u64, rtt_ms: u32, loss_in: u32, loss_out: Option<u32>, kbps_in: u32, kbps_out: u32, kbps_available: u32 },
    /// A peer sends what it may not; `count` packets since last told.
    Violation { peer: u64, kind: &'static str, count: u64 },
    /// The state of a room's recording: see `JournalState`.
    Journal { room: u64, state: JournalState, file: u32, bytes: u64, records: u64, lost: u64 },
    /// A thread gave up: a shard's (its peers get nothing more), or the TCP door's.
    Stopped { shard: Option<usize> },
}

impl Event {
    /// Whether a full queue may lose it: the next one of its kind replaces it anyway.
    pub fn is_expendable(&self) -> bool {
        matches!(self, Event::Quality { .. } | Event::Speakers { .. } | Event::Violation { .. })
    }
}

/// What is told of a recording. Figures are those of the file named, for `Closed` of all files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalState {
    /// Its first file is open.
    Opened,
    /// A file is whole.
    Sealed,
    /// It ended.
    Closed,
    /// It did not begin: less than a tenth of the disk is free.
    DiskLow,
    /// It did not begin: the file could not be made.
    Failed,
    /// The disk takes nothing: packets are being lost.
    Stalled,
    /// It takes them again.
    Resumed,
}

impl JournalState {
    pub fn as_str(self) -> &'static str {
        match self {
            JournalState::Opened => "opened",
            JournalState::Sealed => "sealed",
            JournalState::Closed => "closed",
            JournalState::DiskLow => "disk_low",
            JournalState::Failed => "failed",
            JournalState::Stalled => "stalled",
            JournalState::Resumed => "resumed",
        }
    }
}

/// Why a transport ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The embedder or the closing of its room asked for it.
    Requested,
    /// DTLS did not complete in time.
    Expired,
    /// No authenticated check for 30 s (RFC 7675).
    Consent,
    /// The DTLS association failed or was closed by the peer.
    Dtls,
    /// The certificate is not the announced one.
    Fingerprint,
    /// A fault of ours, confined to this peer.
    Panic,
}

impl CloseReason {
    pub fn as_str(self) -> &'static str {
        match self {
            CloseReason::Requested => "requested",
            CloseReason::Expired => "expired",
            CloseReason::Consent => "consent",
            CloseReason::Dtls => "dtls",
            CloseReason::Fingerprint => "fingerprint",
            CloseReason::Panic => "panic",
        }
    }
}
