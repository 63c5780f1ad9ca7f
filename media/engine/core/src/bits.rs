//! Bounded reading of bit fields from codec headers, most significant bit first.
//!
//! Nothing here panics: a read past the end is `None`.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// A cursor over the bits of a codec header; every read is checked.
#[derive(Debug, Clone, Copy)]
pub struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let set = byte << (self.at % 8) & 0x80 != 0;
        self.at = self.at.saturating_add(1);
        Some(set)
    }

    /// An unsigned number of `n` bits, at most 32.
    pub fn bits(&mut self, n: u32) -> Option<u32> {
        (0..n.min(32)).try_fold(0u32, |value, _| Some(value << 1 | u32::from(self.flag()?)))
    }

    /// Passes over `n` bits.
    pub fn skip(&mut self, n: usize) -> Option<()> {
        let at = self.at.checked_add(n).filter(|&at| at <= self.bytes.len().saturating_mul(8))?;
        self.at = at;
        Some(())
    }

    /// An unsigned Exp-Golomb number (H.264 section 9.1; `uvlc` of AV1 section 4.10.3); None beyond 32 bits.
    pub fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0u32;
        while !self.flag()? {
            zeros = zeros.saturating_add(1);
            if zeros >= 32 {
                return None;
            }
        }
        (1u32 << zeros).wrapping_sub(1).checked_add(self.bits(zeros)?)
    }

    /// A signed Exp-Golomb number (H.264 section 9.1.1).
    pub fn signed_exp_golomb(&mut self) -> Option<i64> {
        let code = i64::from(self.exp_golomb()?);
        let magnitude = code.saturating_add(1) / 2;
        Some(if code & 1 == 1 { magnitude } else { magnitude.saturating_neg() })
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::Bits;
    use crate::testing::hex;

    #[test]
    fn fields_are_read_from_the_most_significant_bit_and_never_past_the_end() {
        let bytes = hex("a5 f0 0f");
        let mut bits = Bits::new(&bytes);
        assert_eq!((bits.flag(), bits.bits(3), bits.bits(8)), (Some(true), Some(0b010), Some(0b0101_1111)));
        assert_eq!((bits.skip(4), bits.bits(8), bits.flag(), bits.bits(0)), (Some(()), Some(0x0f), None, Some(0)));
        let mut bits = Bits::new(&bytes);
        assert_eq!((bits.skip(25), bits.bits(24), bits.skip(1)), (None, Some(0xa5f00f), None));
        assert_eq!(Bits::new(&[0xff; 5]).bits(40), Some(u32::MAX), "32 bits at most");
    }

    #[test]
    fn exp_golomb_codes_read_as_in_the_standards_table() {
        // 1, 010, 011, 00100, 00101, 00110, 00111, 0001000
        let bytes = hex("a6 42 98 e2 00");
        let mut bits = Bits::new(&bytes);
        assert_eq!((0..8).map(|_| bits.exp_golomb()).collect::<Vec<_>>(), (0..8).map(Some).collect::<Vec<_>>());
        let mut bits = Bits::new(&bytes);
        let signed: Vec<_> = (0..7).map(|_| bits.signed_exp_golomb().unwrap()).collect();
        assert_eq!(signed, vec![0, 1, -1, 2, -2, 3, -3]);
    }

    #[test]
    fn codes_without_an_end_or_beyond_32_bits_are_nothing() {
        assert_eq!(Bits::new(&[0; 3]).exp_golomb(), None);
        assert_eq!(Bits::new(&[0; 100]).exp_golomb(), None);
        assert_eq!(Bits::new(&hex("00000001 ffffffff")).exp_golomb(), Some(u32::MAX - 1), "31 zeros");
        assert_eq!(Bits::new(&hex("00000001 ffffffff")).signed_exp_golomb(), Some(-i64::from(u32::MAX / 2)));
        assert_eq!(Bits::new(&hex("00000000 ffffffff ff")).exp_golomb(), None, "32 zeros");
    }
}
