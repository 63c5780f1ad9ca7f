//! A sliding bitmap over packet indices: has this one been seen? (RFC 3711 section 3.3.2)

/// Remembers the last `WORDS * 64` indices up to the highest one; `WORDS` is a power of two.
#[derive(Debug, Clone)]
pub(super) struct Window<const WORDS: usize> {
    highest: u64,
    bits: [u64; WORDS],
}

impl<const WORDS: usize> Window<WORDS> {
    pub(super) const SIZE: u64 = WORDS as u64 * 64;

    /// A window that has seen exactly `first`.
    pub(super) fn starting_at(first: u64) -> Self {
        let mut window = Self { highest: first, bits: [0; WORDS] };
        window.set(first);
        window
    }

    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// Reads what the next index will need.
    pub(super) fn warm(&self) -> u64 {
        let (word, _) = Self::place(self.highest.saturating_add(1));
        self.bits.get(word).copied().unwrap_or(0)
    }

    /// Neither seen nor too old to know.
    pub(super) fn is_fresh(&self, index: u64) -> bool {
        if index > self.highest {
            return true;
        }
        if self.highest.saturating_sub(index) >= Self::SIZE {
            return false;
        }
        let (word, mask) = Self::place(index);
        self.bits.get(word).is_some_and(|bits| bits & mask == 0)
    }

    /// Remember `index`; call only when `is_fresh`.
    pub(super) fn insert(&mut self, index: u64) {
        if index > self.highest {
            if index.saturating_sub(self.highest) >= Self::SIZE {
                self.bits = [0; WORDS];
            } else {
                for passed in self.highest.saturating_add(1)..index {
                    let (word, mask) = Self::place(passed);
                    if let Some(bits) = self.bits.get_mut(word) {
                        *bits &= !mask;
                    }
                }
            }
            self.highest = index;
        }
        self.set(index);
    }

    fn set(&mut self, index: u64) {
        let (word, mask) = Self::place(index);
        if let Some(bits) = self.bits.get_mut(word) {
            *bits |= mask;
        }
    }

    fn place(index: u64) -> (usize, u64) {
        let bit = index & Self::SIZE.saturating_sub(1);
        ((bit / 64) as usize, 1 << (bit % 64))
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::Window;
    use std::collections::BTreeSet;

    #[test]
    fn agrees_with_a_plain_set_over_random_walks() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut window = Window::<2>::starting_at(1000);
        let mut seen = BTreeSet::from([1000u64]);
        for _ in 0..50_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let jump = if random & 0xff == 0 { random >> 8 & 0x3ff } else { random >> 8 & 0x1f };
            let index = (window.highest() + jump).saturating_sub(random >> 40 & 0xff);
            let highest = *seen.last().unwrap();
            let fresh = !seen.contains(&index) && index + 128 > highest;
            assert_eq!(window.is_fresh(index), fresh, "index {index} highest {highest}");
            if fresh {
                window.insert(index);
                seen.insert(index);
            }
            assert_eq!(window.highest(), *seen.last().unwrap());
        }
    }
}
