//! Reads fragments back: `tfdt` and `trun` as `fragment` writes them; anything else is refused.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::io::{self, Read, Seek, SeekFrom};

use jiangtai_core::bytes::Reader;

use crate::mp4::fragment::SYNC;

/// Longest `moof` that is read.
const MAX_MOOF: u64 = 16 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub duration: u32,
    pub size: u32,
    pub key: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Fragment {
    pub time: u64,
    /// In the file.
    pub data_offset: u64,
    pub samples: Vec<Sample>,
}

/// Hands on the fragments of a file in order.
pub fn fragments<R: Read + Seek>(file: &mut R, mut take: impl FnMut(Fragment)) -> io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut at = 0u64;
    while end.saturating_sub(at) >= 8 {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 8];
        file.read_exact(&mut head)?;
        let [a, b, c, d, kind @ ..] = head;
        let len = u64::from(u32::from_be_bytes([a, b, c, d]));
        if len < 8 || at.saturating_add(len) > end {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if kind == *b"moof" {
            if len > MAX_MOOF {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut body = Vec::new();
            file.by_ref().take(len.saturating_sub(8)).read_to_end(&mut body)?;
            take(moof(&body, at).ok_or(io::ErrorKind::InvalidData)?);
        }
        at = at.saturating_add(len);
    }
    Ok(())
}

fn child<'a>(bytes: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    let mut reader = Reader::new(bytes);
    loop {
        let len = usize::try_from(reader.u32()?).ok()?.checked_sub(8)?;
        let kind: [u8; 4] = reader.array()?;
        let body = reader.take(len)?;
        if kind == *wanted {
            return Some(body);
        }
    }
}

/// The body of a `moof` that begins at `at`.
fn moof(body: &[u8], at: u64) -> Option<Fragment> {
    let traf = child(body, b"traf")?;
    let mut tfdt = Reader::new(child(traf, b"tfdt")?);
    let time = (tfdt.u32()? == 1 << 24).then(|| tfdt.u64())??;
    let mut trun = Reader::new(child(traf, b"trun")?);
    if trun.u32()? != 0x701 {
        return None;
    }
    let count = usize::try_from(trun.u32()?).ok()?;
    let data_offset = at.checked_add(u64::from(trun.u32()?))?;
    if trun.rest().len() != count.checked_mul(12)? {
        return None;
    }
    let sample = || Some(Sample { duration: trun.u32()?, size: trun.u32()?, key: trun.u32()? == SYNC });
    Some(Fragment { time, data_offset, samples: std::iter::from_fn(sample).collect() })
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::mp4::Fragmenter;
    use std::io::Cursor;

    #[test]
    fn what_is_written_is_read_back_and_what_is_cut_short_is_refused() {
        let mut fragmenter = Fragmenter::new(true);
        let sample = |time, key, data: &[u8]| crate::timeline::Sample { time, duration: 30, key, data: data.to_vec(), config: None };
        fragmenter.push(1 << 40, &sample(1 << 40, true, b"abc"));
        fragmenter.push((1 << 40) + 30, &sample((1 << 40) + 30, false, b"defgh"));
        let (bytes, fragment) = fragmenter.cut(0);
        let mut seen = Vec::new();
        fragments(&mut Cursor::new(&bytes), |fragment| seen.push(fragment)).unwrap();
        let samples = vec![Sample { duration: 30, size: 3, key: true }, Sample { duration: 30, size: 5, key: false }];
        let data_offset = bytes.len() as u64 - 8;
        assert_eq!(seen, vec![Fragment { time: 1 << 40, data_offset, samples }]);
        assert_eq!((fragment.bytes as usize, fragment.duration, fragment.key), (bytes.len(), 60, true));
        for len in 8..bytes.len() {
            // Fewer bytes than a box's head after the last box are passed over.
            let at_a_box = len >= bytes.len() - 16 && len < bytes.len() - 8;
            assert_eq!(fragments(&mut Cursor::new(&bytes[..len]), |_| {}).is_ok(), at_a_box, "{len}");
        }
    }
}
