//! Reads back the frames of a WebM with one track as `Writer` writes it; lengths are always known there, once the file has ended.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::io::{self, Read, Seek, SeekFrom};

use jiangtai_core::bytes::Reader;

use super::{CLUSTER, SEGMENT};

/// Longest cluster that is read; a cluster holds at most one frame more than it is cut at.
const MAX_CLUSTER: u64 = 16 << 20;
const TIMESTAMP: u64 = 0xe7;
const SIMPLE_BLOCK: u64 = 0xa3;
/// Longest id and length together.
const HEAD: u64 = 12;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub time_ms: u64,
    pub key: bool,
    pub data: Vec<u8>,
}

/// Hands on the frames of a file in order.
pub fn clusters<R: Read + Seek>(file: &mut R, mut take: impl FnMut(Frame) -> io::Result<()>) -> io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut at = 0u64;
    while at < end {
        file.seek(SeekFrom::Start(at))?;
        let mut head = Vec::new();
        file.by_ref().take(HEAD).read_to_end(&mut head)?;
        let mut reader = Reader::new(&head);
        let (kind, len) = element(&mut reader).ok_or(io::ErrorKind::InvalidData)?;
        let body = at.saturating_add(head.len().saturating_sub(reader.rest().len()) as u64);
        if kind == u64::from(SEGMENT) {
            at = body;
            continue;
        }
        at = body.saturating_add(len);
        if at > end {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if kind == u64::from(CLUSTER) {
            if len > MAX_CLUSTER {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(body))?;
            file.by_ref().take(len).read_to_end(&mut bytes)?;
            cluster(&bytes, &mut take)?;
        }
    }
    Ok(())
}

fn cluster(bytes: &[u8], take: &mut impl FnMut(Frame) -> io::Result<()>) -> io::Result<()> {
    let (mut reader, mut base_ms) = (Reader::new(bytes), 0u64);
    while !reader.is_empty() {
        let (kind, len) = element(&mut reader).ok_or(io::ErrorKind::InvalidData)?;
        let body = usize::try_from(len).ok().and_then(|len| reader.take(len)).ok_or(io::ErrorKind::InvalidData)?;
        match kind {
            TIMESTAMP => base_ms = body.iter().fold(0, |value: u64, &byte| value << 8 | u64::from(byte)),
            SIMPLE_BLOCK => take(block(body, base_ms).ok_or(io::ErrorKind::InvalidData)?)?,
            _ => {}
        }
    }
    Ok(())
}

/// RFC 9559 section 10.2: track number, relative time, flags.
fn block(body: &[u8], base_ms: u64) -> Option<Frame> {
    let mut reader = Reader::new(body);
    vint(&mut reader, false)?;
    let relative = reader.u16()? as i16;
    let flags = reader.u8()?;
    let time_ms = base_ms.saturating_add_signed(i64::from(relative));
    Some(Frame { time_ms, key: flags & 0x80 != 0, data: reader.rest().to_vec() })
}

fn element(reader: &mut Reader<'_>) -> Option<(u64, u64)> {
    Some((vint(reader, true)?, vint(reader, false)?))
}

/// A variable length number (RFC 8794 section 4), with its marker bit or without.
fn vint(reader: &mut Reader<'_>, marked: bool) -> Option<u64> {
    let first = reader.u8()?;
    let more = first.leading_zeros();
    if more > 7 {
        return None;
    }
    let value = u64::from(if marked { first } else { first & !(0x80 >> more) });
    (0..more).try_fold(value, |value, _| Some(value << 8 | u64::from(reader.u8()?)))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::unit::Config;
    use crate::webm::{Step, Writer};
    use std::io::Cursor;

    fn file(frames: &[(u64, bool, &[u8])]) -> Vec<u8> {
        let (mut writer, head) = Writer::new(&[Config::Vp8 { width: 64, height: 48 }]).unwrap();
        let mut steps = vec![head];
        for &(at, key, data) in frames {
            steps.extend(writer.push(0, at, at + 40, key, data));
        }
        steps.extend(writer.finish());
        let mut bytes = Vec::new();
        for step in steps {
            match step {
                Step::Append(more) => bytes.extend(more),
                Step::Overwrite(at, with) => bytes[at as usize..][..with.len()].copy_from_slice(&with),
            }
        }
        bytes
    }

    #[test]
    fn frames_are_read_back_across_clusters() {
        let frames: [(u64, bool, &[u8]); 4] =
            [(600_000, true, b"one"), (601_000, false, b"two"), (603_000, true, &[7; 300]), (640_000, false, b"")];
        let mut seen = Vec::new();
        clusters(&mut Cursor::new(file(&frames)), |frame| {
            seen.push(frame);
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, frames.map(|(time_ms, key, data)| Frame { time_ms, key, data: data.to_vec() }));
    }

    #[test]
    fn a_file_that_is_cut_short_is_refused_and_never_panics() {
        let whole = file(&[(0, true, b"one"), (3_000, true, b"two")]);
        let mut refused = 0;
        for len in 0..whole.len() {
            refused += usize::from(clusters(&mut Cursor::new(&whole[..len]), |_| Ok(())).is_err());
        }
        assert!(refused > whole.len() / 2);
        for at in 0..whole.len() {
            let mut wrong = whole.clone();
            wrong[at] ^= 0xff;
            let _ = clusters(&mut Cursor::new(&wrong), |_| Ok(()));
        }
    }
}
