//! Arithmetic on wrapping sequence numbers and timestamps (RFC 3550 section 5.1, appendix A.1).

/// How far `to` is ahead of `from` (negative: behind), by the shorter way round.
pub fn distance(from: u16, to: u16) -> i16 {
    to.wrapping_sub(from) as i16
}

/// Is `a` newer than `b`?
pub fn newer(a: u16, b: u16) -> bool {
    distance(b, a) > 0
}

/// Is RTP timestamp `a` newer than `b`?
pub fn newer_timestamp(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

/// Unwraps 16-bit sequence numbers into a 64-bit line that starts in the second cycle, so that it never goes below zero
/// within half a cycle of the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extended {
    highest: Option<u64>,
}

impl Extended {
    /// The extended number of `sequence`, moving the highest forward if it is newer.
    pub fn update(&mut self, sequence: u16) -> u64 {
        let extended = self.peek(sequence);
        self.advance(extended);
        extended
    }

    /// Goes on at an extended number told by who unwrapped it.
    pub fn advance(&mut self, extended: u64) {
        self.highest = Some(self.highest.map_or(extended, |highest| highest.max(extended)));
    }

    /// The extended number of `sequence` without moving anything.
    pub fn peek(&self, sequence: u16) -> u64 {
        match self.highest {
            None => u64::from(sequence) | 1 << 16,
            Some(highest) => highest.saturating_add_signed(i64::from(distance(highest as u16, sequence))),
        }
    }

    /// Highest extended number so far.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }
}
