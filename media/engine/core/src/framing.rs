//! RFC 4571 section 2 framing of datagrams on a TCP connection (ICE-TCP, RFC 6544): two bytes of length, then the datagram.
//!
//! The decoder owns one fixed buffer; a peer that announces a longer frame is an error, never an allocation.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::bytes::{Full, Writer};

const PREFIX: usize = 2;

/// The stream cannot be resynchronised: close the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Cuts a byte stream into frames.
#[derive(Debug)]
pub struct Decoder {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Decoder {
    /// Frames of up to `max_frame` bytes; the buffer holds two of them.
    pub fn new(max_frame: usize) -> Self {
        let size = max_frame.min(usize::from(u16::MAX)).saturating_add(PREFIX).saturating_mul(2);
        Self { buffer: vec![0; size].into_boxed_slice(), start: 0, end: 0 }
    }

    /// Where to read more bytes into; never empty once `next` has returned None. Call `filled` afterwards.
    pub fn space(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end = self.end.saturating_sub(self.start);
        self.start = 0;
        self.buffer.get_mut(self.end..).unwrap_or(&mut [])
    }

    /// `n` bytes were read into `space`.
    pub fn filled(&mut self, n: usize) {
        self.end = self.end.saturating_add(n).min(self.buffer.len());
    }

    /// The next whole frame, skipping empty ones; None when more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<&mut [u8]>, TooLong> {
        loop {
            let waiting = self.buffer.get(self.start..self.end).unwrap_or(&[]);
            let Some(prefix) = waiting.first_chunk::<PREFIX>() else {
                return Ok(None);
            };
            let len = usize::from(u16::from_be_bytes(*prefix));
            if len > self.max_frame() {
                return Err(TooLong);
            }
            let from = self.start.saturating_add(PREFIX);
            let to = from.saturating_add(len);
            if to > self.end {
                return Ok(None);
            }
            self.start = to;
            if len > 0 {
                return Ok(self.buffer.get_mut(from..to));
            }
        }
    }

    /// Longest acceptable frame, bytes.
    pub fn max_frame(&self) -> usize {
        (self.buffer.len() / 2).saturating_sub(PREFIX)
    }
}

/// Write one frame with its prefix; returns the bytes used. `Full` when it does not fit or is longer than 65535.
pub fn encode(out: &mut [u8], frame: &[u8]) -> Result<usize, Full> {
    let mut w = Writer::new(out);
    w.u16(u16::try_from(frame.len()).map_err(|_| Full)?)?;
    w.bytes(frame)?;
    Ok(w.len())
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
