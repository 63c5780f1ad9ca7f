use super::*;
use crate::testing::{binary, damaged, hex, recorded, Recorded};

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
fn payloads_of_encoders_and_browsers_are_told_apart() {
    for (n, Recorded { starts_key_frame: key, size, payload, .. }) in
        recorded(include_str!("tests/encoded.txt"), include_str!("tests/browser.txt")).into_iter().enumerate()
    {
        assert_eq!((starts_key_frame(&payload), dimensions(&payload)), (key, size), "line {n}");
    }
}

/// A parameter set of these bits after profile, constraints and level.
fn parameter_set(profile: u8, bits: &str) -> Vec<u8> {
    [vec![0x67, profile, 0, 30], binary(bits)].concat()
}

#[test]
fn the_size_follows_all_that_a_parameter_set_may_tell() {
    // 80x45 macroblocks, frames only, direct inference.
    let size = "0000001010000 00000101101 1 1";
    // Eight lists: one whole, one that ends with its first difference (-8), six left out.
    let scaling = format!("1 1 {} 1 000010001 000000", "1".repeat(16));
    for (what, profile, bits, expected) in [
        ("baseline", 66, format!("1 1 1 1 1 0 {size} 0"), Some((1280, 720))),
        ("order counts of kind 1", 66, format!("1 1 010 0 1 1 011 1 1 1 0 {size} 0"), Some((1280, 720))),
        ("order counts of kind 2", 66, format!("1 1 011 1 0 {size} 0"), Some((1280, 720))),
        ("order counts of kind 3", 66, format!("1 1 00100 1 0 {size} 0"), None),
        ("high", 100, format!("1 010 1 1 0 0 1 011 1 0 {size} 0"), Some((1280, 720))),
        ("scaling lists", 100, format!("1 010 1 1 0 {scaling} 1 011 1 0 {size} 0"), Some((1280, 720))),
        ("cropping", 100, format!("1 010 1 1 0 0 1 011 1 0 {size} 1 1 010 011 00100"), Some((1278, 710))),
        ("cropping of 4:2:2", 122, format!("1 011 1 1 0 0 1 011 1 0 {size} 1 1 010 011 00100"), Some((1278, 715))),
        ("cropping of 4:4:4", 244, format!("1 00100 0 1 1 0 0 1 011 1 0 {size} 1 1 010 011 00100"), Some((1279, 715))),
        ("cropping of separate planes", 244, format!("1 00100 1 1 1 0 0 1 011 1 0 {size} 1 1 010 011 00100"), Some((1279, 715))),
        ("cropping of grey fields", 110, "1 1 1 1 0 0 1 011 1 0 0000001010000 00000101101 0 1 1 1 1 010 1 011".into(), Some((1279, 1436))),
        ("an unknown chroma format", 100, format!("1 00101 1 1 0 0 1 011 1 0 {size} 0"), None),
        ("more cropped than there is", 66, format!("1 1 011 1 0 {size} 1 {0}1{0} 1 1 1", "0".repeat(12)), None),
        ("nothing left", 66, "1 1 011 1 0 1 1 1 1 1 0001001 1 1 1".into(), None),
        ("a million macroblocks wide", 66, format!("1 1 011 1 0 {}1{} 1 1 1 0", "0".repeat(20), "0".repeat(20)), None),
    ] {
        let unit = parameter_set(profile, &bits);
        assert_eq!(dimensions(&unit), expected, "{what}");
        assert_eq!(dimensions(&unit[..6]), None, "{what}, cut short");
    }
}

#[test]
fn bytes_that_only_prevent_start_codes_are_passed_over() {
    // Level 0 and an id of seven zeros first: 00 00 01 on the wire would be a start code.
    let bits = binary("00000001 0000000 1 011 1 0 0000001010000 00000101101 1 1 0");
    assert_eq!(dimensions(&[hex("67 42 00 00 03"), bits.clone()].concat()), Some((1280, 720)));
    assert_ne!(dimensions(&[hex("67 42 00 01 03"), bits].concat()), Some((1280, 720)));
}

#[test]
fn the_first_parameter_set_of_a_packet_tells_the_size() {
    let set = hex("67 42c00b da 0b 13 a1 00 00 03 00 01");
    let len = set.len() as u8;
    let aggregated = [hex("78 0002 68ce 00"), vec![len], set.clone(), hex("0002 6588")].concat();
    assert_eq!((dimensions(&set), dimensions(&aggregated)), (Some((176, 144)), Some((176, 144))));
    for text in ["", "78", "78 0001 67", "68 ce", "7c 87 42c00bda0b13a1", "78 00ff 6742c00bda0b13a1"] {
        assert_eq!(dimensions(&hex(text)), None, "{text}");
    }
}

#[test]
fn damaged_payloads_never_panic() {
    let mut seeds = vec![hex("78 0004 6742e01f 0002 68ce 0002 6588"), hex("7c 85 88"), hex("65 88")];
    seeds.extend(
        recorded(include_str!("tests/encoded.txt"), include_str!("tests/browser.txt"))
            .into_iter()
            .filter(|r| r.size.is_some())
            .map(|r| r.payload),
    );
    let (mut keys, mut sizes) = (0, 0);
    damaged(&seeds, 30_000, |bytes| {
        let size = dimensions(bytes);
        keys += usize::from(starts_key_frame(bytes));
        sizes += usize::from(size.is_some());
        assert!(size.is_none_or(|(width, height)| width > 0 && height > 0 && starts_key_frame(bytes)));
    });
    assert!(keys > 1_000 && sizes > 1_000, "{keys} {sizes}");
}
