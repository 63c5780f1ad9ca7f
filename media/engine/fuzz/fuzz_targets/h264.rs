//! H.264 payloads: any bytes; only a packet with a parameter set tells a size, and never an empty one.
#![no_main]
use jiangtai_core::h264::{dimensions, starts_key_frame, Units};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let units = Units::parse(data);
    assert_eq!(starts_key_frame(data), units.sps || units.idr);
    assert!(dimensions(data).is_none_or(|(width, height)| units.sps && width > 0 && height > 0));
});
