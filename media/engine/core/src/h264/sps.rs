//! The sequence parameter set (H.264 section 7.3.2.1.1), as far as the picture size.

use crate::bits::Bits;

/// Bytes of a parameter set looked at; the size comes well before.
const LIMIT: usize = 512;
/// Profiles whose parameter set tells chroma format, bit depths and scaling lists.
const HIGH: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// Pictures in a cycle of picture order counts, at most.
const MAX_CYCLE: u32 = 255;
const MACROBLOCK: u32 = 16;

/// (width, height) in pixels after cropping; `unit` begins with the NAL unit header. None if cut short, damaged or beyond 65535.
pub(super) fn size(unit: &[u8]) -> Option<(u16, u16)> {
    let mut buffer = [0; LIMIT];
    let mut bits = Bits::new(unescape(unit.get(1..)?, &mut buffer));
    let profile = bits.bits(8)?;
    // Constraints, level, id.
    bits.skip(16)?;
    bits.exp_golomb()?;
    let chroma = if HIGH.contains(&profile) { chroma(&mut bits)? } else { Chroma::Yuv420 };
    // Width of frame numbers.
    bits.exp_golomb()?;
    order_counts(&mut bits)?;
    // Reference frames, gaps.
    bits.exp_golomb()?;
    bits.skip(1)?;
    let (width, height) = (bits.exp_golomb()?.checked_add(1)?, bits.exp_golomb()?.checked_add(1)?);
    let frames_only = bits.flag()?;
    if !frames_only {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    let fields = if frames_only { 1 } else { 2 };
    let (mut width, mut height) = (width.checked_mul(MACROBLOCK)?, height.checked_mul(MACROBLOCK)?.checked_mul(fields)?);
    if bits.flag()? {
        let (x, y) = chroma.crop_units();
        let mut cropped = |unit: u32| bits.exp_golomb()?.checked_add(bits.exp_golomb()?)?.checked_mul(unit);
        width = width.checked_sub(cropped(x)?)?;
        height = height.checked_sub(cropped(y.saturating_mul(fields))?)?;
    }
    let side = |pixels: u32| u16::try_from(pixels).ok().filter(|&pixels| pixels > 0);
    Some((side(width)?, side(height)?))
}

/// Without the emulation prevention bytes (section 7.4.1): a 3 after two zeros is not data.
fn unescape<'a>(unit: &[u8], buffer: &'a mut [u8; LIMIT]) -> &'a [u8] {
    let (mut zeros, mut len) = (0usize, 0usize);
    for &byte in unit {
        let escape = zeros >= 2 && byte == 3;
        zeros = if byte == 0 { zeros.saturating_add(1) } else { 0 };
        if escape {
            continue;
        }
        let Some(place) = buffer.get_mut(len) else { break };
        *place = byte;
        len = len.saturating_add(1);
    }
    buffer.get(..len).unwrap_or(&[])
}

#[derive(Debug, Clone, Copy)]
enum Chroma {
    /// None, or each colour plane coded like luma.
    Planes,
    Yuv420,
    Yuv422,
    Yuv444,
}

impl Chroma {
    /// Horizontal and vertical cropping unit of a frame (table 6-1).
    fn crop_units(self) -> (u32, u32) {
        match self {
            Chroma::Planes | Chroma::Yuv444 => (1, 1),
            Chroma::Yuv420 => (2, 2),
            Chroma::Yuv422 => (2, 1),
        }
    }
}

/// Chroma format, passing over bit depths and scaling lists.
fn chroma(bits: &mut Bits<'_>) -> Option<Chroma> {
    let format = bits.exp_golomb()?;
    let chroma = match format {
        0 => Chroma::Planes,
        1 => Chroma::Yuv420,
        2 => Chroma::Yuv422,
        3 if bits.flag()? => Chroma::Planes,
        3 => Chroma::Yuv444,
        _ => return None,
    };
    bits.exp_golomb()?;
    bits.exp_golomb()?;
    bits.skip(1)?;
    if bits.flag()? {
        for list in 0..if format == 3 { 12 } else { 8 } {
            if bits.flag()? {
                scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(chroma)
}

/// Passes over a list of differences (section 7.3.2.1.1.1); a scale of 0 ends it early.
fn scaling_list(bits: &mut Bits<'_>, len: usize) -> Option<()> {
    let mut scale = 8i64;
    for _ in 0..len {
        scale = scale.saturating_add(bits.signed_exp_golomb()?).rem_euclid(256);
        if scale == 0 {
            break;
        }
    }
    Some(())
}

/// Passes over the rules of picture order counts.
fn order_counts(bits: &mut Bits<'_>) -> Option<()> {
    match bits.exp_golomb()? {
        0 => {
            bits.exp_golomb()?;
        }
        1 => {
            bits.skip(1)?;
            bits.exp_golomb()?;
            bits.exp_golomb()?;
            let cycle = bits.exp_golomb().filter(|&cycle| cycle <= MAX_CYCLE)?;
            for _ in 0..cycle {
                bits.exp_golomb()?;
            }
        }
        2 => {}
        _ => return None,
    }
    Some(())
}
