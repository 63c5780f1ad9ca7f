//! Journal files for other tools: pcapng (every track as a UDP flow) and rtpdump (one track).
//!
//! pcapng: draft-ietf-opsawg-pcapng, link type 228 (raw IPv4). Track n is sent from 10.0.0.1 port n to 10.0.0.2 port n, sender
//! reports to the port above as RTCP; in Wireshark "decode as RTP" shows them. rtpdump: the format of rtptools.

use std::io::{self, Write};

use crate::format::{Cursor, Head, Kind, Record};
use crate::read::{Found, Reader};

const RAW_IPV4: u16 = 228;
const SOURCE: [u8; 4] = [10, 0, 0, 1];
const SINK: [u8; 4] = [10, 0, 0, 2];
const IP_AND_UDP: usize = 28;

/// Writes the packets of files, in order, as one pcapng file; returns how many. None where a file's head is not whole.
pub fn pcapng(files: &[&[u8]], out: &mut dyn Write) -> io::Result<Option<u64>> {
    let section: Vec<u8> = [&0x1a2b_3c4du32.to_le_bytes()[..], &1u16.to_le_bytes(), &0u16.to_le_bytes(), &[0xff; 8]].concat();
    block(out, 0x0a0d_0d0a, &section)?;
    let interface: Vec<u8> = [&RAW_IPV4.to_le_bytes()[..], &0u16.to_le_bytes(), &0u32.to_le_bytes()].concat();
    block(out, 1, &interface)?;
    let mut written = 0;
    for file in files {
        let Some((head, reader)) = Reader::open(file) else { return Ok(None) };
        for record in reader.filter_map(record_of) {
            let Some((port, packet)) = datagram(&record) else { continue };
            let wall = wall_us(&head, record.arrival_us);
            let len = (IP_AND_UDP + packet.len()) as u32;
            let mut body = Vec::with_capacity(64 + packet.len());
            for word in [0, (wall >> 32) as u32, wall as u32, len, len] {
                body.extend_from_slice(&word.to_le_bytes());
            }
            body.extend_from_slice(&ip_and_udp(port, packet.len()));
            body.extend_from_slice(&packet);
            block(out, 6, &body)?;
            written += 1;
        }
    }
    Ok(Some(written))
}

/// Writes one track's packets as rtpdump; returns how many. None where a file's head is not whole.
pub fn rtpdump(files: &[&[u8]], track: u16, out: &mut dyn Write) -> io::Result<Option<u64>> {
    let mut start: Option<u64> = None;
    let mut written = 0;
    for file in files {
        let Some((head, reader)) = Reader::open(file) else { return Ok(None) };
        for record in reader.filter_map(record_of).filter(|record| record.track == track && record.kind == Kind::Rtp) {
            let wall = wall_us(&head, record.arrival_us);
            let begin = match start {
                Some(begin) => begin,
                None => {
                    out.write_all(b"#!rtpplay1.0 10.0.0.2/")?;
                    writeln!(out, "{track}")?;
                    for word in [(wall / 1_000_000) as u32, (wall % 1_000_000) as u32, u32::from_be_bytes(SOURCE)] {
                        out.write_all(&word.to_be_bytes())?;
                    }
                    out.write_all(&track.to_be_bytes())?;
                    out.write_all(&[0; 2])?;
                    *start.insert(wall)
                }
            };
            let len = record.payload.len().min(usize::from(u16::MAX) - 8) as u16;
            out.write_all(&(len + 8).to_be_bytes())?;
            out.write_all(&len.to_be_bytes())?;
            out.write_all(&((wall.saturating_sub(begin) / 1000) as u32).to_be_bytes())?;
            out.write_all(record.payload.get(..usize::from(len)).unwrap_or_default())?;
            written += 1;
        }
    }
    Ok(Some(written))
}

fn record_of(found: Found<'_>) -> Option<Record<'_>> {
    match found {
        Found::Record { record, .. } => Some(record),
        Found::Damage { .. } => None,
    }
}

fn wall_us(head: &Head, arrival_us: u64) -> u64 {
    head.wall_us.saturating_add_signed(arrival_us.saturating_sub(head.monotonic_us) as i64)
}

/// What a record was on the wire, and the port it came from.
fn datagram(record: &Record<'_>) -> Option<(u16, Vec<u8>)> {
    match record.kind {
        Kind::Rtp => Some((record.track, record.payload.to_vec())),
        Kind::SenderReport => {
            let mut cursor = Cursor(record.payload);
            let (ntp, timestamp, ssrc) = (cursor.u64()?, cursor.u32()?, cursor.u32()?);
            // RFC 3550 section 6.4.1 without report blocks; its counters are not kept.
            let mut packet = vec![0x80, 200, 0, 6];
            packet.extend_from_slice(&ssrc.to_be_bytes());
            packet.extend_from_slice(&ntp.to_be_bytes());
            packet.extend_from_slice(&timestamp.to_be_bytes());
            packet.extend_from_slice(&[0; 8]);
            Some((record.track.saturating_add(1), packet))
        }
        _ => None,
    }
}

fn ip_and_udp(port: u16, payload: usize) -> [u8; IP_AND_UDP] {
    let mut out = [0u8; IP_AND_UDP];
    let total = (IP_AND_UDP + payload).min(usize::from(u16::MAX)) as u16;
    out[0] = 0x45;
    out[2..4].copy_from_slice(&total.to_be_bytes());
    out[8] = 64;
    out[9] = 17;
    out[12..16].copy_from_slice(&SOURCE);
    out[16..20].copy_from_slice(&SINK);
    let mut sum: u32 = out[..20].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    out[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    out[20..22].copy_from_slice(&port.to_be_bytes());
    out[22..24].copy_from_slice(&port.to_be_bytes());
    out[24..26].copy_from_slice(&(total - 20).to_be_bytes());
    out
}

/// A block of pcapng: type, length, body, padding, length.
fn block(out: &mut dyn Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let padding = body.len().wrapping_neg() % 4;
    let length = (12 + body.len() + padding) as u32;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.write_all(&[0; 3][..padding])?;
    out.write_all(&length.to_le_bytes())
}
