//! The header of a file: `ftyp` and `moov` (ISO/IEC 14496-12 sections 4.3 and 8.2), with or without samples in it.

use super::sample_entry::{roll_description, sample_entry};
use crate::boxes::{boxed, full, u16, u32, u64, zeros};
use crate::unit::Config;

/// Identity as 16.16 and 2.30 fixed point (section 8.2.2).
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// `ftyp` and `moov` of a fragmented file with one track. `config` is not VP8, which has no place in MP4.
pub fn header(config: &Config, timescale: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    file_type(&mut out, b"iso6", &[b"iso6", b"cmfc", b"mp41"]);
    boxed(&mut out, b"moov", |out| {
        movie_header(out, timescale, 0, 2);
        boxed(out, b"trak", |out| {
            track_header(out, 1, config, 0);
            boxed(out, b"mdia", |out| {
                media_header(out, timescale, 0);
                media(out, std::slice::from_ref(config), |out| {
                    full(out, b"stts", 0, 0, |out| u32(out, 0));
                    full(out, b"stsc", 0, 0, |out| u32(out, 0));
                    full(out, b"stsz", 0, 0, |out| u64(out, 0));
                    full(out, b"stco", 0, 0, |out| u32(out, 0));
                });
            });
        });
        boxed(out, b"mvex", |out| {
            full(out, b"trex", 0, 0, |out| {
                u32(out, 1);
                u32(out, 1);
                zeros(out, 12);
            });
        });
    });
    out
}

pub fn file_type(out: &mut Vec<u8>, major: &[u8; 4], compatible: &[&[u8; 4]]) {
    boxed(out, b"ftyp", |out| {
        out.extend(major);
        u32(out, 0);
        compatible.iter().for_each(|brand| out.extend(*brand));
    });
}

pub fn movie_header(out: &mut Vec<u8>, timescale: u32, duration: u64, next_track: u32) {
    full(out, b"mvhd", 1, 0, |out| {
        zeros(out, 16); // when: the class knows
        u32(out, timescale);
        u64(out, duration);
        u32(out, 0x1_0000); // rate 1
        u16(out, 0x100); // volume 1
        zeros(out, 10);
        MATRIX.iter().for_each(|&value| u32(out, value));
        zeros(out, 24);
        u32(out, next_track);
    });
}

/// `duration` in the movie's timescale.
pub fn track_header(out: &mut Vec<u8>, id: u32, config: &Config, duration: u64) {
    let size = config.size();
    full(out, b"tkhd", 1, 3, |out| {
        zeros(out, 16);
        u32(out, id);
        u32(out, 0);
        u64(out, duration);
        zeros(out, 8);
        u16(out, 0); // layer
        u16(out, 0); // alternate group
        u16(out, if size.is_none() { 0x100 } else { 0 });
        u16(out, 0);
        MATRIX.iter().for_each(|&value| u32(out, value));
        let (width, height) = size.unwrap_or((0, 0));
        u32(out, u32::from(width) << 16);
        u32(out, u32::from(height) << 16);
    });
}

pub fn media_header(out: &mut Vec<u8>, timescale: u32, duration: u64) {
    full(out, b"mdhd", 1, 0, |out| {
        zeros(out, 16);
        u32(out, timescale);
        u64(out, duration);
        u16(out, 0x55c4); // language: und
        u16(out, 0);
    });
}

/// `hdlr` and `minf`; all configurations are of one kind, `tables` writes the sample table after `stsd`.
pub fn media(out: &mut Vec<u8>, configs: &[Config], tables: impl FnOnce(&mut Vec<u8>)) {
    let video = configs.iter().any(|config| config.size().is_some());
    full(out, b"hdlr", 0, 0, |out| {
        u32(out, 0);
        out.extend(if video { b"vide" } else { b"soun" });
        zeros(out, 12);
        out.push(0); // no name
    });
    boxed(out, b"minf", |out| {
        if video {
            full(out, b"vmhd", 0, 1, |out| zeros(out, 8));
        } else {
            full(out, b"smhd", 0, 0, |out| zeros(out, 4));
        }
        boxed(out, b"dinf", |out| {
            full(out, b"dref", 0, 0, |out| {
                u32(out, 1);
                full(out, b"url ", 0, 1, |_| {});
            });
        });
        boxed(out, b"stbl", |out| {
            full(out, b"stsd", 0, 0, |out| {
                u32(out, configs.len() as u32);
                configs.iter().for_each(|config| _ = sample_entry(out, config));
            });
            tables(out);
            if !video {
                roll_description(out);
            }
        });
    });
}
