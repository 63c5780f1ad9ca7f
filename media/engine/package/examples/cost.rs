//! What packaging an hour of class costs: one trainer of 1.5 Mbit/s H.264 (30 frames/s) and Opus (32 kbit/s), written to
//! memory that is thrown away.
#![forbid(unsafe_code)]

use jiangtai_package::{Codec, Input, Options, Packager, Sink, Source, Start, What};
use std::io;

/// Counts bytes.
#[derive(Default)]
struct Nowhere(u64);

impl Sink for Nowhere {
    fn append(&mut self, _: &str, bytes: &[u8]) -> io::Result<()> {
        self.0 += bytes.len() as u64;
        Ok(())
    }

    fn overwrite(&mut self, _: &str, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }
}

const PACKET: usize = 1_100;
const SECONDS: u64 = 3_600;

fn start(codec: Codec, clock_rate: u32, source: Source) -> What<'static> {
    What::Start(Start { codec, clock_rate, participant: 1, source, payload_type: None, red: None })
}

fn header(packet: &mut [u8], marker: bool, sequence: u64, timestamp: u32) {
    packet[0] = 0x80;
    packet[1] = 96 | u8::from(marker) << 7;
    packet[2..4].copy_from_slice(&(sequence as u16).to_be_bytes());
    packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
}

/// Seconds this process has been on a CPU, as Linux counts them; 0 elsewhere.
fn cpu() -> f64 {
    let told = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn main() -> io::Result<()> {
    let mut packager = Packager::new(Options { origin_us: 0, origin_ms: 0 }, Nowhere::default());
    packager.push(Input { track: 1, arrival_us: 0, what: start(Codec::H264, 90_000, Source::Camera) })?;
    packager.push(Input { track: 2, arrival_us: 0, what: start(Codec::Opus, 48_000, Source::Microphone) })?;
    // SPS and PPS of 1280x720, constrained baseline, in one STAP-A.
    let sps = [103, 66, 192, 31, 218, 1, 64, 22, 232, 64, 0, 0, 3, 0, 64, 0, 0, 15, 35, 198, 12, 168];
    let pps = [104, 206, 60, 128];
    let stap = [&[0x18, 0, sps.len() as u8][..], &sps, &[0, pps.len() as u8], &pps].concat();
    let (mut video, mut packets) = (0u64, 0u64);
    let mut packet = vec![0x55; PACKET];
    let begun = cpu();
    for frame in 0..SECONDS * 30 {
        let arrival_us = frame * 33_333;
        let timestamp = (frame * 3_000) as u32;
        let key = frame % 300 == 0;
        let mut push = |packet: &[u8], sequence: u64| {
            packets += 1;
            packager.push(Input { track: 1, arrival_us, what: What::Rtp { sequence, packet } })
        };
        if key {
            header(&mut packet, false, video, timestamp);
            packet[12..12 + stap.len()].copy_from_slice(&stap);
            push(&packet[..12 + stap.len()], video)?;
            video += 1;
        }
        // 6,250 bytes a frame.
        let pieces = 6;
        for piece in 0..pieces {
            header(&mut packet, piece + 1 == pieces, video, timestamp);
            packet[12] = 0x7c;
            packet[13] = u8::from(piece == 0) << 7 | u8::from(piece + 1 == pieces) << 6 | if key { 5 } else { 1 };
            packet[14] = 0x88;
            push(&packet[..1_056], video)?;
            video += 1;
        }
        let mut word = [0x55; 12 + 80];
        for sound in (frame * 5).div_ceil(3)..((frame + 1) * 5).div_ceil(3) {
            header(&mut word, true, sound, (sound * 960) as u32);
            word[12] = 0x78;
            packets += 1;
            packager.push(Input { track: 2, arrival_us: sound * 20_000, what: What::Rtp { sequence: sound, packet: &word } })?;
        }
    }
    let before_end = cpu();
    let (reports, sink) = packager.finish()?;
    let end = cpu();
    let samples: u64 = reports.iter().map(|(_, report)| report.samples).sum();
    println!(
        "one class hour: {:.2} s of CPU, of which {:.3} s after its end; {packets} packets ({:.2} us each), {samples} samples, {:.0} MB",
        end - begun,
        end - before_end,
        (end - begun) * 1e6 / packets as f64,
        sink.0 as f64 / 1e6,
    );
    Ok(())
}
