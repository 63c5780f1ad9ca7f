//! Writes what one stream plays as a file any player opens: VP8 as IVF, H.264 as Annex B. The proof that checkers judge rightly.

use std::collections::BTreeMap;
use std::io::{Error, Result, Write};

use crate::rtp::{look, Codec};

/// Packets kept while one before them is missing; then it is given up.
const PATIENCE: usize = 500;

struct Packet {
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

pub struct Recorder<W: Write> {
    codec: Codec,
    out: W,
    next: Option<u64>,
    behind: BTreeMap<u64, Packet>,
    frame: Vec<u8>,
    began: bool,
}

impl<W: Write> Recorder<W> {
    pub fn new(codec: Codec, out: W) -> Recorder<W> {
        Recorder { codec, out, next: None, behind: BTreeMap::new(), frame: Vec::new(), began: false }
    }

    /// A packet with its extended sequence number.
    pub fn push(&mut self, number: u64, timestamp: u32, marker: bool, payload: &[u8]) -> Result<()> {
        if number < *self.next.get_or_insert(number) {
            return Ok(());
        }
        self.behind.insert(number, Packet { timestamp, marker, payload: payload.to_vec() });
        if self.behind.len() > PATIENCE {
            self.next = self.behind.keys().next().copied();
            self.frame.clear();
        }
        while let Some(packet) = self.next.and_then(|next| self.behind.remove(&next)) {
            self.next = self.next.map(|next| next + 1);
            if !packet.payload.is_empty() {
                self.take(&packet)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, packet: &Packet) -> Result<()> {
        let look = look(self.codec, &packet.payload).ok_or_else(|| Error::other("malformed payload"))?;
        match self.codec {
            Codec::H264 => self.units(&packet.payload),
            _ => self.frame.extend(&packet.payload[look.body..]),
        }
        if !packet.marker {
            return Ok(());
        }
        let frame = std::mem::take(&mut self.frame);
        if self.codec == Codec::H264 {
            return self.out.write_all(&frame);
        }
        if !self.began {
            self.began = true;
            self.out.write_all(&ivf_header(&frame))?;
        }
        self.out.write_all(&(frame.len() as u32).to_le_bytes())?;
        self.out.write_all(&u64::from(packet.timestamp).to_le_bytes())?;
        self.out.write_all(&frame)
    }

    /// The units of an H.264 payload, each after a start code (RFC 6184 section 5.7 and 5.8).
    fn units(&mut self, payload: &[u8]) {
        const START: [u8; 4] = [0, 0, 0, 1];
        match payload {
            [head, rest @ ..] if head & 31 == 24 => {
                let mut rest = rest;
                while let [high, low, tail @ ..] = rest {
                    let (unit, tail) = tail.split_at(usize::from(u16::from_be_bytes([*high, *low])).min(tail.len()));
                    self.frame.extend(START);
                    self.frame.extend(unit);
                    rest = tail;
                }
            }
            [indicator, head, rest @ ..] if indicator & 31 == 28 => {
                if head & 0x80 != 0 {
                    self.frame.extend(START);
                    self.frame.push(indicator & 0xe0 | head & 31);
                }
                self.frame.extend(rest);
            }
            unit => {
                self.frame.extend(START);
                self.frame.extend(unit);
            }
        }
    }
}

/// Of a file in RTP's 90 kHz; the size is in the first key frame (RFC 6386 section 9.1).
fn ivf_header(key_frame: &[u8]) -> Vec<u8> {
    let mut header = b"DKIF\0\0\x20\0VP80".to_vec();
    header.extend(key_frame.get(6..10).unwrap_or(&[0; 4]));
    header.extend(90_000u32.to_le_bytes());
    header.extend(1u32.to_le_bytes());
    header.extend([0; 8]);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetise;

    #[test]
    fn a_vp8_stream_is_written_in_order_without_descriptors() {
        let mut key = vec![0, 0, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xb4, 0];
        key.resize(3000, 7);
        let (mut file, mut number) = (Vec::new(), 10);
        let mut recorder = Recorder::new(Codec::Vp8, &mut file);
        for (picture, frame) in [key.clone(), vec![1; 20]].iter().enumerate() {
            let parts = packetise::vp8(frame);
            let last = parts.len() - 1;
            for i in (0..=last).rev().filter(|i| *i > 0).chain([0]) {
                // The first packet of all must be the first seen.
                let i = if picture == 0 { last - i } else { i };
                let payload = packetise::with_descriptor(&parts[i], i == 0, picture as u16);
                recorder.push(number + i as u64, 3000 * picture as u32, i == last, &payload).unwrap();
            }
            number += parts.len() as u64;
        }
        assert_eq!(file[..16], *b"DKIF\0\0\x20\0VP80\x40\x01\xb4\0");
        assert_eq!((&file[32..36], &file[44..3044]), (&3000u32.to_le_bytes()[..], &key[..]));
        assert_eq!((file.len(), &file[3056..]), (3076, &[1; 20][..]));
    }

    #[test]
    fn an_h264_stream_is_written_as_its_units() {
        let slice: Vec<u8> = std::iter::once(0x65).chain((0..4000).map(|i| i as u8)).collect();
        let mut file = Vec::new();
        let mut recorder = Recorder::new(Codec::H264, &mut file);
        let payloads = packetise::h264(&[&[0x67, 1], &[0x68, 2], &slice]);
        for (i, payload) in payloads.iter().enumerate() {
            recorder.push(i as u64, 0, i + 1 == payloads.len(), payload).unwrap();
        }
        assert_eq!(file, [&[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 0, 1][..], &slice].concat());
    }
}
