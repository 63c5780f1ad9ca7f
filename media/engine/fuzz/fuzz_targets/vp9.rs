//! VP9 descriptors: any payload; a rewritten head reads back, the rest and what it means stays.
#![no_main]
use jiangtai_core::vp9::{dimensions, starts_key_frame, Descriptor, MAX_HEAD};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    assert!(starts_key_frame(data) || dimensions(data).is_none());
    let Some(before) = Descriptor::parse(data) else { return };
    let mut head = [0; MAX_HEAD];
    let n = before.write(&mut head, 5, 6).unwrap();
    let payload = [&head[..n], &data[before.head_len..]].concat();
    let after = Descriptor::parse(&payload).unwrap();
    assert_eq!((after.layer, after.references, after.structure), (before.layer, before.references, before.structure));
    assert_eq!((&payload[after.len..], dimensions(&payload)), (&data[before.len..], dimensions(data)));
});
