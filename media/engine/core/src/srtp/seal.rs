//! Outgoing protection (RFC 3711 sections 3.3, 3.4); no nonce is used twice (RFC 7714 sections 8.4, 9.4).

use super::cipher::{session, Cipher};
use super::window::Window;
use super::{Error, Profile};
use crate::rtp;

/// Sources one sealer ever serves. They are never forgotten: forgetting one would allow a nonce to be used again.
pub const MAX_SOURCES_OUT: usize = 128;
/// How far behind the newest sequence number of its source a packet may still be sealed, packets.
pub const SEAL_WINDOW: u64 = Window::<16>::SIZE;

/// A usual receiver's sources: sound, a picture and its repair.
const WARMED: usize = 3;
const MAX_INDEX: u64 = 1 << 48;
const MAX_RTCP_INDEX: u32 = 1 << 31;

/// One source: its numbers that are used. Together, as every packet needs both.
pub(super) struct Source {
    ssrc: u32,
    pub(super) window: Window<16>,
}

/// Seals what we send on one transport.
pub struct Sealer {
    rtp: Cipher,
    rtcp: Cipher,
    profile: Profile,
    pub(super) sources: Vec<Source>,
    recent: usize,
    pub(super) rtcp_index: u32,
}

impl Sealer {
    /// From a master key and salt of the profile's lengths.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        let (rtp, rtcp) = session(profile, key, salt)?;
        Ok(Self { rtp, rtcp, profile, sources: Vec::new(), recent: 0, rtcp_index: 0 })
    }

    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Reads what the next `seal_rtp` will need.
    pub fn warm(&self) -> u64 {
        let sources = self.sources.iter().take(WARMED).map(|source| source.window.warm() ^ u64::from(source.ssrc));
        sources.fold(self.rtp.warm(), std::ops::BitXor::bitxor)
    }

    /// Seal the RTP packet `buf[..len]` in place; `buf` needs `MAX_OVERHEAD` more bytes. Returns the new length.
    ///
    /// A source's rollover counter starts at 0 with its first packet, so start sequence numbers below 2^15 (a receiver
    /// that misses the packets before a wrap would guess wrongly). Errors: `Reuse`, `TooManySources`, `Exhausted`,
    /// `Short`; the packet is then unchanged.
    pub fn seal_rtp(&mut self, buf: &mut [u8], len: usize) -> Result<usize, Error> {
        let packet = buf.get(..len).ok_or(Error::Short)?;
        let header_len = rtp::header_len(packet).map_err(|_| Error::Short)?;
        let ssrc = rtp::peek_ssrc(packet).ok_or(Error::Short)?;
        let sequence = rtp::peek_sequence(packet).ok_or(Error::Short)?;
        if buf.len().saturating_sub(len) < self.profile.tag_len() {
            return Err(Error::Short);
        }
        let index = self.claim(ssrc, sequence)?;
        self.rtp.seal_rtp(ssrc, index, buf, header_len, len)
    }

    /// Seal the RTCP compound packet `buf[..len]` in place; `buf` needs `MAX_OVERHEAD` more bytes. Returns the new length.
    pub fn seal_rtcp(&mut self, buf: &mut [u8], len: usize) -> Result<usize, Error> {
        let ssrc = buf.get(..len).and_then(|p| p.get(4..8)).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
        let ssrc = ssrc.ok_or(Error::Short)?;
        if buf.len().saturating_sub(len) < self.profile.tag_len().saturating_add(4) {
            return Err(Error::Short);
        }
        // One counter for all sources: unique per source a fortiori, and strictly increasing for each.
        let index = self.rtcp_index.checked_add(1).filter(|&index| index < MAX_RTCP_INDEX).ok_or(Error::Exhausted)?;
        self.rtcp_index = index;
        self.rtcp.seal_rtcp(ssrc, index, buf, len)
    }

    /// The packet index for this sequence number, marked as used.
    fn claim(&mut self, ssrc: u32, sequence: u16) -> Result<u64, Error> {
        let place = match self.sources.get(self.recent) {
            Some(recent) if recent.ssrc == ssrc => Some(self.recent),
            _ => self.sources.iter().position(|known| known.ssrc == ssrc),
        };
        let Some(place) = place else {
            if self.sources.len() >= MAX_SOURCES_OUT {
                return Err(Error::TooManySources);
            }
            self.recent = self.sources.len();
            self.sources.push(Source { ssrc, window: Window::starting_at(u64::from(sequence)) });
            return Ok(u64::from(sequence));
        };
        let window = &mut self.sources.get_mut(place).ok_or(Error::TooManySources)?.window;
        let step = i64::from(rtp::distance(window.highest() as u16, sequence));
        let index = window.highest().checked_add_signed(step).ok_or(Error::Reuse)?;
        if index >= MAX_INDEX {
            return Err(Error::Exhausted);
        }
        if !window.is_fresh(index) {
            return Err(Error::Reuse);
        }
        window.insert(index);
        self.recent = place;
        Ok(index)
    }
}
