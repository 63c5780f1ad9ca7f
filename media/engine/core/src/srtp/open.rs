//! Incoming protection (RFC 3711 sections 3.3, 3.4 with the index of 3.3.1 and the replay list of 3.3.2; AEAD: RFC 7714 sections 8, 9).

use super::cipher::{session, Cipher};
use super::window::Window;
use super::{Error, Profile};
use crate::rtp;

/// Sources one opener keeps state for, RTP and RTCP each.
pub const MAX_SOURCES_IN: usize = 64;

const MAX_INDEX: u64 = 1 << 48;

/// Opens what we receive on one transport. Replay windows are 128 packets, for RTP and for RTCP.
pub struct Opener {
    rtp: Cipher,
    rtcp: Cipher,
    profile: Profile,
    rtp_sources: Sources,
    rtcp_sources: Sources,
}

impl Opener {
    /// From a master key and salt of the profile's lengths.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        let (rtp, rtcp) = session(profile, key, salt)?;
        Ok(Self { rtp, rtcp, profile, rtp_sources: Sources::default(), rtcp_sources: Sources::default() })
    }

    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Verify and decrypt one RTP packet in place; returns the plain length. On an error nothing but the bytes of
    /// `packet` may have changed, and those must not be used.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, Error> {
        let header_len = rtp::header_len(packet).map_err(|_| Error::Short)?;
        let ssrc = rtp::peek_ssrc(packet).ok_or(Error::Short)?;
        let sequence = rtp::peek_sequence(packet).ok_or(Error::Short)?;
        let place = self.rtp_sources.find(ssrc);
        let index = match self.rtp_sources.window(place) {
            None => u64::from(sequence),
            Some(window) => {
                let step = i64::from(rtp::distance(window.highest() as u16, sequence));
                window.highest().checked_add_signed(step).ok_or(Error::Replay)?
            }
        };
        if index >= MAX_INDEX {
            return Err(Error::Exhausted);
        }
        self.rtp_sources.admits(place, index)?;
        let len = self.rtp.open_rtp(ssrc, index, packet, header_len)?;
        self.rtp_sources.accept(place, ssrc, index);
        Ok(len)
    }

    /// Verify and decrypt one RTCP compound packet in place; returns the plain length. Errors as for `open_rtp`.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Error> {
        if !rtp::is_rtp_or_rtcp(packet) {
            return Err(Error::Short);
        }
        let ssrc = packet.get(4..8).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes).ok_or(Error::Short)?;
        let index = self.rtcp.rtcp_word(packet)?;
        let place = self.rtcp_sources.find(ssrc);
        self.rtcp_sources.admits(place, u64::from(index))?;
        let len = self.rtcp.open_rtcp(ssrc, index, packet)?;
        self.rtcp_sources.accept(place, ssrc, u64::from(index));
        Ok(len)
    }

    /// Highest accepted (rollover counter, sequence number) of a source, for reports and tests.
    pub fn highest(&self, ssrc: u32) -> Option<(u32, u16)> {
        let window = self.rtp_sources.window(self.rtp_sources.find(ssrc))?;
        Some(((window.highest() >> 16) as u32, window.highest() as u16))
    }

    /// Sources with RTP state.
    pub fn sources(&self) -> usize {
        self.rtp_sources.ssrcs.len()
    }

    /// Free the state of a source that has ended. Its old packets could then be replayed up to here, so only do it when
    /// the source is not mapped to a track any more.
    pub fn forget(&mut self, ssrc: u32) {
        if let Some(place) = self.rtp_sources.find(ssrc) {
            self.rtp_sources.ssrcs.swap_remove(place);
            self.rtp_sources.windows.swap_remove(place);
        }
    }
}

/// Replay state per source, bounded.
#[derive(Default)]
struct Sources {
    ssrcs: Vec<u32>,
    windows: Vec<Window<2>>,
}

impl Sources {
    fn find(&self, ssrc: u32) -> Option<usize> {
        self.ssrcs.iter().position(|&known| known == ssrc)
    }

    fn window(&self, place: Option<usize>) -> Option<&Window<2>> {
        self.windows.get(place?)
    }

    /// May a packet with this index be new? Changes nothing.
    fn admits(&self, place: Option<usize>, index: u64) -> Result<(), Error> {
        match self.window(place) {
            None if self.ssrcs.len() >= MAX_SOURCES_IN => Err(Error::TooManySources),
            None => Ok(()),
            Some(window) if window.is_fresh(index) => Ok(()),
            Some(_) => Err(Error::Replay),
        }
    }

    /// Remember an authenticated packet.
    fn accept(&mut self, place: Option<usize>, ssrc: u32, index: u64) {
        match place.and_then(|place| self.windows.get_mut(place)) {
            Some(window) => window.insert(index),
            None => {
                self.ssrcs.push(ssrc);
                self.windows.push(Window::starting_at(index));
            }
        }
    }
}
