//! VP8 descriptors: any payload; a rewritten descriptor reads back and differs only in its numbers.
#![no_main]
use jiangtai_core::vp8::{dimensions, starts_key_frame, Descriptor, MAX_DESCRIPTOR};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    assert!(starts_key_frame(data) || dimensions(data).is_none());
    let Some(before) = Descriptor::parse(data) else { return };
    let mut out = [0; MAX_DESCRIPTOR];
    let n = before.write(&mut out, 5, 6).unwrap();
    let after = Descriptor::parse(&out[..n]).unwrap();
    assert_eq!((after.temporal, after.key_index, after.starts_frame()), (before.temporal, before.key_index, before.starts_frame()));
});
