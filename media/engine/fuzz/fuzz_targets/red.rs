//! Redundant audio: any payload; the blocks add up to the whole.
#![no_main]
use jiangtai_core::red::Red;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(red) = Red::parse(data) else { return };
    let redundant: usize = red.redundant().map(|block| block.data.len() + 4).sum();
    assert_eq!(redundant + 1 + red.primary.data.len(), data.len());
});
