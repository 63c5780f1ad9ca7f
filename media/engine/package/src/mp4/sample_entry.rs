//! Sample entries: `avc1` with `avcC` (ISO/IEC 14496-15 section 5.3.3 and 5.4.2), `Opus` with `dOps` (Encapsulation of Opus in
//! ISOBMFF section 4.3).

use crate::boxes::{boxed, full, u16, u32, u8, zeros};
use crate::unit::{Avc, Config};

/// Profiles whose decoder configuration tells chroma format and bit depths; browsers send none of them over RTP.
const HIGH: [u8; 4] = [100, 110, 122, 144];
/// 72 dpi, 16.16.
const RESOLUTION: u32 = 0x0048_0000;

/// None for what has no place in MP4 (VP8).
pub fn sample_entry(out: &mut Vec<u8>, config: &Config) -> Option<()> {
    match config {
        Config::Avc(avc) => avc1(out, avc),
        Config::Opus => opus(out),
        Config::Vp8 { .. } => return None,
    }
    Some(())
}

fn avc1(out: &mut Vec<u8>, avc: &Avc) {
    boxed(out, b"avc1", |out| {
        zeros(out, 6);
        u16(out, 1); // data reference
        zeros(out, 16);
        u16(out, avc.width);
        u16(out, avc.height);
        u32(out, RESOLUTION);
        u32(out, RESOLUTION);
        u32(out, 0);
        u16(out, 1); // frames per sample
        zeros(out, 32); // compressor name
        u16(out, 24); // depth
        u16(out, 0xffff);
        boxed(out, b"avcC", |out| configuration(out, avc));
    });
}

fn configuration(out: &mut Vec<u8>, avc: &Avc) {
    let profile = avc.sps.get(1..4).unwrap_or(&[66, 0xc0, 31]);
    u8(out, 1);
    out.extend(profile);
    u8(out, 0xfc | 3); // lengths of 4 bytes
    u8(out, 0xe0 | 1); // one sequence parameter set
    parameter_set(out, &avc.sps);
    u8(out, avc.pps.len() as u8);
    avc.pps.iter().for_each(|pps| parameter_set(out, pps));
    if profile.first().is_some_and(|profile| HIGH.contains(profile)) {
        // 4:2:0, 8 bits, no extensions: what WebRTC's high profiles are.
        out.extend([0xfc | 1, 0xf8, 0xf8, 0]);
    }
}

fn parameter_set(out: &mut Vec<u8>, set: &[u8]) {
    u16(out, set.len() as u16);
    out.extend(set);
}

fn opus(out: &mut Vec<u8>) {
    boxed(out, b"Opus", |out| {
        zeros(out, 6);
        u16(out, 1); // data reference
        zeros(out, 8);
        u16(out, 2); // channels
        u16(out, 16); // bits of a sample, by definition
        zeros(out, 4);
        u32(out, 48_000 << 16);
        boxed(out, b"dOps", |out| {
            u8(out, 0); // version
            u8(out, 2); // channels
            u16(out, 0); // pre-skip: the live encoder was running already
            u32(out, 48_000);
            u16(out, 0); // gain
            u8(out, 0); // one stream
        });
    });
}

/// Opus needs 80 ms before the place that is sought: a roll group of 4 packets (Encapsulation of Opus in ISOBMFF section 4.3.6.2, ISO/IEC
/// 14496-12 sections 8.9.3 and 10.1). Goes into the sample table.
pub fn roll_description(out: &mut Vec<u8>) {
    full(out, b"sgpd", 1, 0, |out| {
        out.extend(b"roll");
        u32(out, 2); // length of an entry
        u32(out, 1);
        u16(out, (-4i16) as u16);
    });
}

/// All of these samples are in that group (section 8.9.2).
pub fn roll_group(out: &mut Vec<u8>, samples: u32) {
    full(out, b"sbgp", 0, 0, |out| {
        out.extend(b"roll");
        u32(out, 1);
        u32(out, samples);
        u32(out, 1);
    });
}

/// The `codecs` parameter (RFC 6381 section 3.3) of a configuration.
pub fn codecs(config: &Config) -> String {
    match config {
        Config::Avc(avc) => match avc.sps.get(1..4) {
            Some([profile, constraints, level]) => format!("avc1.{profile:02x}{constraints:02x}{level:02x}"),
            _ => "avc1".into(),
        },
        Config::Vp8 { .. } => "vp8".into(),
        Config::Opus => "opus".into(),
    }
}
