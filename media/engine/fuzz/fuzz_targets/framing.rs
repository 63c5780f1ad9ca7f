//! RFC 4571 framing: any stream in any pieces (the first byte is their size) yields the frames of the whole.
#![no_main]
use jiangtai_core::framing::Decoder;

fn frames(mut stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let (mut decoder, mut frames) = (Decoder::new(100), Vec::new());
    while !stream.is_empty() {
        let space = decoder.space();
        let n = piece.min(space.len()).min(stream.len());
        space[..n].copy_from_slice(&stream[..n]);
        decoder.filled(n);
        stream = &stream[n..];
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(_) => return frames,
            }
        }
    }
    frames
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((piece, stream)) = data.split_first() else { return };
    assert_eq!(frames(stream, usize::from(*piece).max(1)), frames(stream, 1));
});
