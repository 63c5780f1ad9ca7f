//! Writing packets: new header, chosen extensions, payload in parts, optional padding (RFC 3550 sections 5.1, 5.3.1; RFC 8285
//! sections 4.2, 4.3).

use super::extension::{ONE_BYTE, TWO_BYTE};
use super::{Error, FIXED_HEADER};
use crate::bytes::{Full, Writer};

impl From<Full> for Error {
    fn from(_: Full) -> Self {
        Error::Full
    }
}

/// The fields of the fixed header that the engine chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub payload_type: u8,
    pub marker: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
}

/// Write one packet into `out` and return its length.
///
/// `extensions` are `(id 1..=255, value 0..=255 bytes)`; the one-byte form is used when all of them fit it (ids 1..=14,
/// 1..=16 bytes), and no block is written when there are none. `payload` is written part after part (a replaced
/// descriptor or an RTX original sequence number in front of shared bytes). `padding` 0 adds none, else that many bytes.
pub fn write(out: &mut [u8], header: &Header, extensions: &[(u8, &[u8])], payload: &[&[u8]], padding: u8) -> Result<usize, Error> {
    let mut w = Writer::new(out);
    let first = 0x80 | if padding > 0 { 0x20 } else { 0 } | if extensions.is_empty() { 0 } else { 0x10 };
    let [s0, s1] = header.sequence.to_be_bytes();
    let [t0, t1, t2, t3] = header.timestamp.to_be_bytes();
    let [r0, r1, r2, r3] = header.ssrc.to_be_bytes();
    let second = (header.payload_type & 0x7f) | if header.marker { 0x80 } else { 0 };
    let fixed: [u8; FIXED_HEADER] = [first, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3];
    w.bytes(&fixed)?;
    if !extensions.is_empty() {
        write_extensions(&mut w, extensions)?;
    }
    for part in payload {
        w.bytes(part)?;
    }
    if padding > 0 {
        w.zeros(usize::from(padding).saturating_sub(1))?;
        w.u8(padding)?;
    }
    Ok(w.len())
}

fn write_extensions(w: &mut Writer<'_>, extensions: &[(u8, &[u8])]) -> Result<(), Error> {
    let one_byte = extensions.iter().all(|(id, value)| (1..=14).contains(id) && (1..=16).contains(&value.len()));
    w.u16(if one_byte { ONE_BYTE } else { TWO_BYTE })?;
    let length_at = w.len();
    w.u16(0)?;
    let start = w.len();
    for (id, value) in extensions {
        let len = u8::try_from(value.len()).map_err(|_| Error::Full)?;
        if *id == 0 {
            return Err(Error::Full);
        }
        if one_byte {
            w.u8(id << 4 | len.wrapping_sub(1) & 0x0f)?;
        } else {
            w.bytes(&[*id, len])?;
        }
        w.bytes(value)?;
    }
    let used = w.len().saturating_sub(start);
    w.zeros(used.wrapping_neg() & 3)?;
    let words = w.len().saturating_sub(start) / 4;
    w.patch_u16(length_at, u16::try_from(words).map_err(|_| Error::Full)?)?;
    Ok(())
}
