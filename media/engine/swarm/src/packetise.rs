//! Frames into RTP payloads as browsers cut them: as few packets as fit, all of a size give or take one byte. Pure.

/// Most bytes of codec data in a packet; with headers and tag about 1200 bytes on the wire.
pub const LARGEST: usize = 1140;

/// Lengths that add up to `len`, each at most `largest`, none more than one byte longer than another, the longer ones last.
fn equal_lengths(len: usize, largest: usize) -> impl Iterator<Item = usize> {
    let count = len.div_ceil(largest).max(1);
    let (each, longer) = (len / count, len % count);
    (0..count).map(move |i| each + usize::from(i >= count - longer))
}

fn pieces(mut bytes: &[u8], largest: usize) -> Vec<&[u8]> {
    let lengths: Vec<usize> = equal_lengths(bytes.len(), largest).collect();
    let cut = |len| {
        let (piece, rest) = bytes.split_at(len);
        bytes = rest;
        piece
    };
    lengths.into_iter().map(cut).collect()
}

/// The pieces of a VP8 frame, still without their descriptors.
pub fn vp8(frame: &[u8]) -> Vec<Vec<u8>> {
    pieces(frame, LARGEST).into_iter().map(<[u8]>::to_vec).collect()
}

/// A VP8 piece with its descriptor (RFC 7741 section 4.2): 15-bit picture id, one partition.
pub fn with_descriptor(piece: &[u8], first: bool, picture: u16) -> Vec<u8> {
    let mut payload = Vec::with_capacity(piece.len() + 4);
    payload.extend([if first { 0x90 } else { 0x80 }, 0x80]);
    payload.extend((picture | 0x8000).to_be_bytes());
    payload.extend(piece);
    payload
}

/// The payloads of an H.264 access unit (RFC 6184): parameter sets together in a STAP-A, long units as FU-A.
pub fn h264(units: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    let mut sets: Vec<u8> = Vec::new();
    for unit in units.iter().filter(|unit| !unit.is_empty()) {
        if matches!(unit[0] & 0x1f, 6..=8) {
            if sets.is_empty() {
                sets.push(24 | unit[0] & 0x60);
            }
            sets.extend((unit.len() as u16).to_be_bytes());
            sets.extend(*unit);
            continue;
        }
        if !sets.is_empty() {
            payloads.push(std::mem::take(&mut sets));
        }
        if unit.len() <= LARGEST {
            payloads.push(unit.to_vec());
            continue;
        }
        let parts = pieces(&unit[1..], LARGEST - 2);
        let last = parts.len() - 1;
        for (i, part) in parts.into_iter().enumerate() {
            let position = if i == 0 { 0x80 } else { 0 } | if i == last { 0x40 } else { 0 };
            let mut payload = vec![28 | unit[0] & 0xe0, position | unit[0] & 0x1f];
            payload.extend(part);
            payloads.push(payload);
        }
    }
    payloads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::{look, Codec};

    #[test]
    fn pieces_differ_by_at_most_one_byte_and_lose_nothing() {
        for len in [1, 2, LARGEST - 1, LARGEST, LARGEST + 1, 6000, 6001, 6839, 6840, 6841, 50_000] {
            let frame: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let cut = vp8(&frame);
            let sizes: Vec<usize> = cut.iter().map(Vec::len).collect();
            assert_eq!(sizes.len(), len.div_ceil(LARGEST));
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1 && sizes.is_sorted());
            assert_eq!(cut.concat(), frame);
        }
    }

    #[test]
    fn a_vp8_frame_reads_back_as_it_was_cut() {
        let frame = vec![0x02; 3000];
        for (i, piece) in vp8(&frame).iter().enumerate() {
            let found = look(Codec::Vp8, &with_descriptor(piece, i == 0, 0x7fff)).unwrap();
            assert_eq!((found.start, found.key, found.picture, found.body), (Some(i == 0), i == 0, Some((0x7fff, 15)), 4));
        }
    }

    #[test]
    fn an_h264_key_frame_is_parameter_sets_then_fragments() {
        let slice: Vec<u8> = std::iter::once(0x65).chain((0..5000).map(|i| i as u8)).collect();
        let payloads = h264(&[&[0x67, 1, 2], &[0x68, 3], &slice]);
        assert_eq!(payloads[0], [24 | 0x60, 0, 3, 0x67, 1, 2, 0, 2, 0x68, 3]);
        let ends: Vec<u8> = payloads[1..].iter().map(|p| p[1] >> 6).collect();
        assert_eq!(ends, [2, 0, 0, 0, 1]);
        let sizes: Vec<usize> = payloads[1..].iter().map(Vec::len).collect();
        assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1 && sizes.iter().all(|s| *s <= LARGEST));
        let whole: Vec<u8> = payloads[1..].iter().flat_map(|p| p[2..].to_vec()).collect();
        assert_eq!((payloads[1][0] & 0xe0 | payloads[1][1] & 0x1f, &whole[..]), (0x65, &slice[1..]));
        assert_eq!(h264(&[&[0x61, 9]]), [vec![0x61, 9]]);
    }
}
