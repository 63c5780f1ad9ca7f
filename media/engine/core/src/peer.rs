//! One transport: ICE, DTLS, SRTP, and what hangs on it.

use std::time::{Duration, Instant};

use crate::arena::Key;
use crate::bwe::{Allocation, Estimator};
use crate::dtls::DtlsServer;
use crate::ice::Ice;
use crate::media::Extensions;
use crate::metrics::Metrics;
use crate::outbox::{Outbox, Path};
use crate::slot::Slot;
use crate::srtp::{Opener, Sealer, MAX_OVERHEAD};
use crate::track::Track;
use crate::twcc::Recorder;

/// RTP sources one peer may have mapped to its tracks.
pub const SOURCES: usize = 32;
/// Violations of one kind are told at most this often.
pub const TELL_EVERY: Duration = Duration::from_secs(1);
/// Our own SSRC in feedback to senders.
pub const FEEDBACK_SSRC: u32 = 0x4a54_0001;
/// All streams we send on one transport share this canonical name, so that a browser keeps them in sync.
pub const CNAME: &str = "jiangtai";

/// What a source of this peer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// A layer of a track.
    Media(Key<Track>, usize),
    Retransmissions(Key<Track>, usize),
}

impl Carries {
    pub fn track(self) -> Key<Track> {
        match self {
            Carries::Media(track, _) | Carries::Retransmissions(track, _) => track,
        }
    }

    pub fn layer(self) -> usize {
        match self {
            Carries::Media(_, layer) | Carries::Retransmissions(_, layer) => layer,
        }
    }
}

/// Both directions of SRTP.
pub struct Srtp {
    pub sealer: Sealer,
    pub opener: Opener,
}

/// Traffic since the last quality event.
#[derive(Debug, Default)]
pub struct Traffic {
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub expected: u64,
    pub lost: u64,
    pub rtt_ms: u32,
    /// Permille, by the receiver's reports; None if none came.
    pub loss_out: Option<u32>,
}

/// One transport.
pub struct Peer {
    pub id: u64,
    pub room: u64,
    pub ice: Ice,
    pub dtls: DtlsServer,
    /// Present once DTLS is done, the certificate checked and an address proven.
    pub srtp: Option<Srtp>,
    /// What DTLS agreed on while no address is proven.
    pub early: Option<Box<Srtp>>,
    /// Where to send: `ice.selected()`, cached.
    pub path: Option<Path>,
    pub extensions: Extensions,
    pub tracks: Vec<Key<Track>>,
    pub slots: Vec<Key<Slot>>,
    /// Track ids an automatic slot never plays here.
    pub own: Vec<u64>,
    pub sources: Vec<(u32, Carries)>,
    pub arrivals: Recorder,
    pub twcc_sequence: u16,
    pub expires: Instant,
    /// The earliest timer set for this peer.
    pub wake: Option<Instant>,
    pub feedback_due: Option<Instant>,
    /// None while there is nothing to report on: an idle connection costs nothing.
    pub report_due: Option<Instant>,
    pub quality_due: Instant,
    /// What this receiver's connection carries, if it reports arrivals.
    pub bandwidth: Option<Box<Estimator>>,
    /// What its slots were last given.
    pub allocated: Allocation,
    /// Layers are chosen anew at this time.
    pub choice_due: Option<Instant>,
    pub traffic: Traffic,
    /// Our NTP time minus this sender's, smallest seen (32.32, wrapping).
    pub clock_offset: Option<u64>,
    pub violations: Vec<(&'static str, u64)>,
    pub violations_told: Option<Instant>,
}

impl Peer {
    /// Reads what the next packet to it will need.
    pub fn warm(&self) -> u64 {
        let sealer = self.srtp.as_ref().map_or(0, |srtp| srtp.sealer.warm());
        let bandwidth = self.bandwidth.as_ref().map_or(0, |bandwidth| bandwidth.warm());
        sealer ^ bandwidth ^ self.own.len() as u64 ^ u64::from(self.twcc_sequence) ^ self.traffic.bytes_out ^ u64::from(self.path.is_some())
    }

    /// What a source carries, if known.
    pub fn carries(&self, ssrc: u32) -> Option<Carries> {
        self.sources.iter().find(|(known, _)| *known == ssrc).map(|(_, carries)| *carries)
    }

    /// Maps a source; false if the table is full.
    pub fn map_source(&mut self, ssrc: u32, carries: Carries) -> bool {
        // A layer has one source of each sort: a new one replaces the old.
        self.sources.retain(|(known, old)| *known != ssrc && *old != carries);
        if self.sources.len() >= SOURCES {
            return false;
        }
        self.sources.push((ssrc, carries));
        true
    }

    /// Counts something this peer may not send.
    pub fn violation(&mut self, kind: &'static str) {
        match self.violations.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => self.violations.push((kind, 1)),
        }
    }

    /// When the pending violations may be told.
    pub fn violations_due(&self, now: Instant) -> Option<Instant> {
        if self.violations.is_empty() {
            return None;
        }
        Some(self.violations_told.map_or(now, |at| at + TELL_EVERY))
    }

    /// Seals an RTCP compound that `build` writes, and queues it.
    pub fn send_rtcp(&mut self, outbox: &mut Outbox, metrics: &Metrics, build: impl FnOnce(&mut crate::rtcp::Builder<'_>) -> bool) -> bool {
        let (Some(srtp), Some(path)) = (self.srtp.as_mut(), self.path) else { return false };
        const LIMIT: usize = 1200;
        let Some(space) = outbox.space(LIMIT + MAX_OVERHEAD) else { return false };
        let mut builder = crate::rtcp::Builder::new(&mut space[..LIMIT]);
        if !build(&mut builder) || builder.is_empty() {
            return false;
        }
        let len = builder.finish();
        let Ok(sealed) = srtp.sealer.seal_rtcp(space, len) else { return false };
        outbox.commit(path, sealed);
        metrics.rtcp_out.inc();
        self.traffic.bytes_out += sealed as u64;
        true
    }
}
