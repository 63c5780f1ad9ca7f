//! Header extensions: iteration in both RFC 8285 forms and the few values the engine reads or writes.

use crate::bytes::Reader;

pub(super) const ONE_BYTE: u16 = 0xbede;
pub(super) const TWO_BYTE: u16 = 0x1000;

/// Iterator over `(id, value)`; ends early (never fails) where the block is malformed.
#[derive(Debug, Clone)]
pub struct Extensions<'a> {
    reader: Reader<'a>,
    two_byte: bool,
}

impl<'a> Extensions<'a> {
    pub(super) fn new(profile: u16, block: &'a [u8]) -> Self {
        // The low four bits of the two-byte profile are "appbits" (RFC 8285 section 4.3).
        let two_byte = profile & 0xfff0 == TWO_BYTE;
        let known = two_byte || profile == ONE_BYTE;
        Self { reader: Reader::new(if known { block } else { &[] }), two_byte }
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let first = self.reader.u8()?;
            if first == 0 {
                continue;
            }
            let (id, len) = if self.two_byte {
                (first, usize::from(self.reader.u8()?))
            } else if first >> 4 == 15 {
                // Reserved id: stop processing (RFC 8285 section 4.2).
                self.reader = Reader::new(&[]);
                return None;
            } else {
                (first >> 4, usize::from(first & 0x0f).saturating_add(1))
            };
            let Some(value) = self.reader.take(len) else {
                self.reader = Reader::new(&[]);
                return None;
            };
            // Id 0 with a length is padding that some senders emit; it carries nothing.
            if id != 0 {
                return Some((id, value));
            }
        }
    }
}

/// Client-to-mixer audio level (RFC 6464).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLevel {
    pub voice: bool,
    /// 0 (loudest) ..= 127 (silence), in -dBov.
    pub level: u8,
}

/// Read an RFC 6464 audio level value.
pub fn audio_level(value: &[u8]) -> Option<AudioLevel> {
    value.first().map(|b| AudioLevel { voice: b & 0x80 != 0, level: b & 0x7f })
}

/// An abs-send-time value: seconds as 6.18 fixed point of a clock in microseconds, wrapping every 64 s.
pub fn abs_send_time(now_us: u64) -> [u8; 3] {
    let within = now_us % 64_000_000;
    let fixed = within.saturating_mul(1 << 18) / 1_000_000;
    let [.., a, b, c] = fixed.to_be_bytes();
    [a, b, c]
}

/// A mid or rid value: 1..=16 ASCII letters, digits, '-' or '_' (RFC 8852, RFC 9143), else None.
pub fn text(value: &[u8]) -> Option<&str> {
    let legal = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if value.is_empty() || value.len() > 16 || !value.iter().all(legal) {
        return None;
    }
    std::str::from_utf8(value).ok()
}
