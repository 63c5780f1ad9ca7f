//! What a light viewer does itself instead of str0m: SRTP, and the RTCP servers steer by (reports, NACK, PLI, congestion feedback).

use crate::peer::Peer;
use crate::rtcp::{self, Arrivals, Block};
use crate::rtp::Header;
use crate::srtp::{index, Keys, Session};
use crate::viewer::Stream;

/// Congestion feedback as often as browsers send it at 1 Mbit/s and more, reports once a second.
const FEEDBACK_NS: u64 = 100_000_000;
const REPORT_NS: u64 = 1_000_000_000;
/// Between two requests for the same packets; at most so many are asked for at a time.
const NACK_NS: u64 = 60_000_000;
const MOST_ASKED: usize = 100;

pub struct Light {
    session: Session,
    /// Who we are in RTCP.
    ssrc: u32,
    twcc: Option<u8>,
    arrivals: Arrivals,
    report_at: u64,
    feedback_at: u64,
}

/// What a receiver report needs to know of a stream (RFC 3550 appendix A).
#[derive(Clone, Copy, Debug, Default)]
pub struct Reception {
    first: Option<u64>,
    highest: u64,
    received: u64,
    told_expected: u64,
    told_received: u64,
    /// In timestamp units, times 16.
    jitter: u32,
    transit: u32,
    /// Middle of the NTP time of the last sender report, and when it came.
    report: Option<(u32, u64)>,
}

impl Reception {
    /// A packet of the stream itself came in at `at` nanoseconds since 1970.
    pub fn add(&mut self, sequence: u16, timestamp: u32, at: u64, video: bool) {
        let number = index(self.first.map(|_| self.highest), sequence);
        self.first.get_or_insert(number);
        self.highest = self.highest.max(number);
        self.received += 1;
        let rate = if video { 90_000 } else { 48_000 };
        let transit = ((u128::from(at) * rate / 1_000_000_000) as u32).wrapping_sub(timestamp);
        if self.received > 1 {
            let distance = (transit.wrapping_sub(self.transit) as i32).unsigned_abs();
            self.jitter = self.jitter.saturating_add(distance).saturating_sub((self.jitter + 8) >> 4);
        }
        self.transit = transit;
    }

    fn block(&mut self, ssrc: u32, now: u64) -> Option<Block> {
        let expected = self.highest - self.first? + 1;
        let (asked, got) = (expected - self.told_expected, self.received - self.told_received);
        (self.told_expected, self.told_received) = (expected, self.received);
        let lost = asked.saturating_sub(got);
        let (last_report, delay) =
            self.report.map_or((0, 0), |(middle, at)| (middle, (u128::from(now - at) * 65_536 / 1_000_000_000) as u32));
        Some(Block {
            ssrc,
            fraction_lost: (lost * 256).checked_div(asked).unwrap_or(0).min(255) as u8,
            lost: expected.saturating_sub(self.received) as u32,
            highest: self.highest as u32,
            jitter: self.jitter >> 4,
            last_report,
            delay,
        })
    }
}

impl Light {
    /// None if we do not speak what was negotiated.
    pub fn new(keys: &Keys, number: usize, twcc: Option<u8>) -> Option<Light> {
        let (session, ssrc) = (Session::new(keys)?, 0x5000_0000 | number as u32);
        Some(Light { session, ssrc, twcc, arrivals: Arrivals::default(), report_at: 0, feedback_at: 0 })
    }

    /// Reads what `open` and `arrived` will need.
    pub fn warm(&self) -> u64 {
        u64::from(self.ssrc) ^ self.arrivals.newest()
    }

    /// Opens an RTP packet in place; returns its length, header included.
    pub fn open(&self, header: &Header, packet: &mut [u8], highest: &mut Option<u64>) -> Option<usize> {
        let number = index(*highest, header.sequence);
        let len = self.session.open_rtp(packet, header.len, header.ssrc, number)?;
        *highest = Some(highest.map_or(number, |h| h.max(number)));
        Some(len)
    }

    /// Notes when a packet came, for congestion feedback.
    pub fn arrived(&mut self, header: &Header, packet: &[u8], at: u64) {
        let number = self.twcc.and_then(|id| header.extension(packet, id)).and_then(|value| value.try_into().ok());
        if let Some(number) = number {
            self.arrivals.add(u16::from_be_bytes(number), at / 1000);
        }
    }

    /// Reads the sender reports of a compound.
    pub fn take_reports(&self, packet: &mut [u8], at: u64, streams: &mut [Stream]) {
        let Some(len) = self.session.open_rtcp(packet) else { return };
        for report in rtcp::sender_reports(&packet[..len]) {
            if let Some(stream) = streams.iter_mut().find(|s| s.ssrc == report.ssrc) {
                stream.reception.report = Some((report.middle, at));
            }
        }
    }

    /// Sends one compound with what is due: what is missing, key frames asked for, and by time reports and arrivals. Returns how many packets
    /// it asked for.
    pub fn feed_back(&mut self, peer: &Peer, wall: u64, streams: &mut [Stream], key_frames: &[u32]) -> u64 {
        let mut parts = Vec::new();
        let mut asked = 0;
        for stream in streams.iter_mut().filter(|s| s.checker.wants_repair() && wall >= s.nack_at) {
            let missing = stream.checker.missing(MOST_ASKED);
            stream.nack_at = wall + NACK_NS;
            asked += missing.len() as u64;
            rtcp::write_nack(&mut parts, self.ssrc, stream.ssrc, &missing);
        }
        key_frames.iter().for_each(|ssrc| rtcp::write_pli(&mut parts, self.ssrc, *ssrc));
        if wall >= self.feedback_at {
            self.feedback_at = wall + FEEDBACK_NS;
            let media = streams.first().map_or(0, |s| s.ssrc);
            self.arrivals.write(&mut parts, self.ssrc, media);
        }
        let mut blocks = Vec::new();
        if wall >= self.report_at {
            self.report_at = wall + REPORT_NS;
            blocks =
                streams.iter_mut().filter_map(|s| s.reception.block(s.ssrc, wall.max(s.reception.report.map_or(0, |r| r.1)))).collect();
        }
        if parts.is_empty() && blocks.is_empty() {
            return 0;
        }
        // A compound begins with a report (RFC 3550 section 6.1).
        let mut compound = Vec::with_capacity(parts.len() + 64);
        rtcp::write_report(&mut compound, self.ssrc, &blocks);
        compound.extend(parts);
        if let (Some(()), Some(to)) = (self.session.seal_rtcp(&mut compound), peer.server) {
            // A full send buffer is loss like any other.
            let _ = peer.socket.send_to(&compound, to);
        }
        asked
    }
}
