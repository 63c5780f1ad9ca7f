use super::*;
use crate::testing::{damaged, hex};

#[test]
fn parameter_sets_and_key_slices_are_found_in_every_packet_form() {
    let units = |sps, pps, idr| Units { sps, pps, idr };
    for (text, expected) in [
        ("65 88", units(false, false, true)),                              // IDR slice alone
        ("67 42e01f", units(true, false, false)),                          // SPS alone
        ("68 ce", units(false, true, false)),                              // PPS alone
        ("41 9a", units(false, false, false)),                             // ordinary slice
        ("78 0004 6742e01f 0002 68ce", units(true, true, false)),          // STAP-A as Chrome sends it
        ("78 0004 6742e01f 0002 68ce 0002 6588", units(true, true, true)), // STAP-A with the slice
        ("78 0002 419a", units(false, false, false)),                      // STAP-A of ordinary slices
        ("7c 85 88", units(false, false, true)),                           // FU-A, first fragment of an IDR slice
        ("7c 05 88", units(false, false, false)),                          // FU-A, middle fragment
        ("7c 45 88", units(false, false, false)),                          // FU-A, last fragment
        ("7c 81 9a", units(false, false, false)),                          // FU-A, first of an ordinary slice
        ("", units(false, false, false)),
        ("78", units(false, false, false)),
        ("7c", units(false, false, false)),
        ("78 0000 0000", units(false, false, false)),
        ("78 0002 68ce ffff 65", units(false, true, false)), // a unit longer than the packet is not there
    ] {
        assert_eq!(Units::parse(&hex(text)), expected, "{text}");
        assert_eq!(starts_key_frame(&hex(text)), expected.sps || expected.idr, "{text}");
    }
}

#[test]
fn damaged_payloads_never_panic() {
    let seeds = [hex("78 0004 6742e01f 0002 68ce 0002 6588"), hex("7c 85 88"), hex("65 88")];
    let mut keys = 0;
    damaged(&seeds, 30_000, |bytes| keys += usize::from(starts_key_frame(bytes)));
    assert!(keys > 1_000);
}
