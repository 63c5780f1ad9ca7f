use super::*;
use crate::bytes::Full;
use crate::testing::{damaged, Noise};

/// Feed a stream in pieces of the given sizes (cyclic) and collect the frames.
fn decode(decoder: &mut Decoder, mut stream: &[u8], pieces: &[usize]) -> Result<Vec<Vec<u8>>, TooLong> {
    let mut frames = Vec::new();
    let mut sizes = pieces.iter().cycle();
    while !stream.is_empty() {
        let space = decoder.space();
        assert!(!space.is_empty(), "there is always room for more");
        let n = (*sizes.next().unwrap()).clamp(1, space.len()).min(stream.len());
        space[..n].copy_from_slice(&stream[..n]);
        decoder.filled(n);
        stream = &stream[n..];
        while let Some(frame) = decoder.next_frame()? {
            frames.push(frame.to_vec());
        }
    }
    Ok(frames)
}

#[test]
fn frames_survive_any_cutting_of_the_stream() {
    let mut noise = Noise::new(31);
    let frames: Vec<Vec<u8>> = (0..400)
        .map(|i| {
            let len = if i == 7 { 1500 } else { 1 + noise.below(300) };
            noise.bytes(len)
        })
        .collect();
    let mut stream = Vec::new();
    for frame in &frames {
        let mut out = [0u8; 2000];
        let n = encode(&mut out, frame).unwrap();
        stream.extend(&out[..n]);
        if noise.one_in(10) {
            stream.extend([0, 0]);
        }
    }
    for pieces in [&[1][..], &[2, 3], &[1460], &[100_000], &[1, 1460, 7]] {
        assert_eq!(decode(&mut Decoder::new(1500), &stream, pieces).unwrap(), frames, "{pieces:?}");
    }
}

#[test]
fn an_announced_giant_ends_the_stream_without_memory() {
    let mut decoder = Decoder::new(1500);
    assert_eq!(decoder.max_frame(), 1500);
    assert_eq!(decode(&mut decoder, &[0x05, 0xdd, 1, 2, 3], &[5]), Err(TooLong));
    assert_eq!(decode(&mut Decoder::new(1500), &[0xff, 0xff], &[1]), Err(TooLong));
}

#[test]
fn encoding_checks_both_limits() {
    let mut out = [0u8; 5];
    assert_eq!(encode(&mut out, b"abc"), Ok(5));
    assert_eq!(out, *b"\0\x03abc");
    assert_eq!(encode(&mut out, b"abcd"), Err(Full));
    assert_eq!(encode(&mut vec![0; 70_000], &vec![0; 65_536]), Err(Full));
}

#[test]
fn a_frame_can_be_opened_in_place() {
    let mut decoder = Decoder::new(10);
    decoder.space()[..4].copy_from_slice(&[0, 2, 1, 2]);
    decoder.filled(4);
    let frame = decoder.next_frame().unwrap().unwrap();
    frame[0] = 9;
    assert_eq!(frame, &[9, 2]);
    assert_eq!(decoder.next_frame(), Ok(None));
}

#[test]
fn damaged_streams_never_yield_more_than_they_had() {
    let seeds = [vec![0, 3, 1, 2, 3, 0, 0, 0, 1, 9], vec![0, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 5]];
    let mut noise = Noise::new(4);
    damaged(&seeds, 30_000, |bytes| {
        let piece = 1 + noise.below(9);
        if let Ok(frames) = decode(&mut Decoder::new(64), bytes, &[piece]) {
            assert!(frames.iter().map(|frame| frame.len() + 2).sum::<usize>() <= bytes.len());
            assert!(frames.iter().all(|frame| (1..=64).contains(&frame.len())));
        }
    });
}
