//! The start of a VP9 frame: its uncompressed header (VP9 bitstream specification section 6.2), as far as the picture size.

use crate::bits::Bits;

const FRAME_MARKER: u32 = 2;
const SYNC_CODE: u32 = 0x49_83_42;
const COLOR_SPACE_RGB: u32 = 7;

/// A frame that says it is a key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyFrame {
    /// (width, height) in pixels; None if the header is damaged or cut short after its type.
    pub size: Option<(u16, u16)>,
}

impl KeyFrame {
    /// None for every other frame.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(frame);
        if bits.bits(2)? != FRAME_MARKER {
            return None;
        }
        let profile = u32::from(bits.flag()?) | u32::from(bits.flag()?) << 1;
        if profile == 3 && bits.flag()? {
            return None;
        }
        let (shows_existing, predicted) = (bits.flag()?, bits.flag()?);
        (!shows_existing && !predicted).then(|| Self { size: size(bits, profile) })
    }
}

/// From after the frame type: two flags, sync code, colours, size less one.
fn size(mut bits: Bits<'_>, profile: u32) -> Option<(u16, u16)> {
    bits.skip(2)?;
    if bits.bits(24)? != SYNC_CODE {
        return None;
    }
    if profile >= 2 {
        bits.skip(1)?;
    }
    let subsampling_told = profile & 1 == 1;
    match (bits.bits(3)? == COLOR_SPACE_RGB, subsampling_told) {
        (true, true) => bits.skip(1)?,
        // Only the profiles with subsampling bits can carry RGB.
        (true, false) => return None,
        (false, true) => bits.skip(4)?,
        (false, false) => bits.skip(1)?,
    }
    let mut side = || u16::try_from(bits.bits(16)?.saturating_add(1)).ok();
    Some((side()?, side()?))
}
