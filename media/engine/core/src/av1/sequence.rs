//! The sequence header OBU (AV1 bitstream specification section 5.5.1), as far as the picture size.

use crate::bits::Bits;

/// (width, height) in pixels of the largest frame; None if cut short, damaged or beyond 65535.
pub(super) fn size(header: &[u8]) -> Option<(u16, u16)> {
    let mut bits = Bits::new(header);
    // Profile, still picture.
    bits.skip(4)?;
    let reduced = bits.flag()?;
    if reduced {
        // Level.
        bits.skip(5)?;
    } else {
        operating_points(&mut bits)?;
    }
    let (width_bits, height_bits) = (bits.bits(4)?, bits.bits(4)?);
    let mut side = |n: u32| u16::try_from(bits.bits(n.saturating_add(1))?.saturating_add(1)).ok();
    Some((side(width_bits)?, side(height_bits)?))
}

/// Passes over timing, decoder model and operating points.
fn operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut buffer_delay_bits = None;
    if bits.flag()? {
        timing(bits)?;
        if bits.flag()? {
            buffer_delay_bits = Some(usize::try_from(bits.bits(5)?).ok()?.saturating_add(1));
            // Decoding tick, lengths of buffer removal and presentation times.
            bits.skip(32 + 5 + 5)?;
        }
    }
    let display_delay = bits.flag()?;
    for _ in 0..=bits.bits(5)? {
        // Which layers.
        bits.skip(12)?;
        // Levels above 3.3 have a tier.
        if bits.bits(5)? > 7 {
            bits.skip(1)?;
        }
        if let Some(n) = buffer_delay_bits {
            if bits.flag()? {
                // Delays of decoder and encoder buffer, low delay mode.
                bits.skip(n.saturating_mul(2).saturating_add(1))?;
            }
        }
        if display_delay && bits.flag()? {
            bits.skip(4)?;
        }
    }
    Some(())
}

fn timing(bits: &mut Bits<'_>) -> Option<()> {
    // Units in a tick, time scale.
    bits.skip(64)?;
    if bits.flag()? {
        // Ticks per picture.
        bits.exp_golomb()?;
    }
    Some(())
}
