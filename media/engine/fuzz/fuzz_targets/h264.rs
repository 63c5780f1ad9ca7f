//! H.264 payloads: any bytes.
#![no_main]
use jiangtai_core::h264::{starts_key_frame, Units};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let units = Units::parse(data);
    assert_eq!(starts_key_frame(data), units.sps || units.idr);
});
