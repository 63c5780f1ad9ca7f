use super::*;
use crate::bytes::Full;
use crate::testing::{damaged, hex, recorded, Recorded};

/// First packet of a 640x360 key frame as browsers send it: X, S; I, L, T; 15-bit picture id 0x1234, TL0 7, layer 0 sync.
const KEY: &str = "90 e0 9234 07 20 500c00 9d012a 8002 6801 aabbcc";

#[test]
fn a_browser_descriptor_is_read() {
    let bytes = hex(KEY);
    let d = Descriptor::parse(&bytes).unwrap();
    assert_eq!((d.len, d.start_of_partition, d.partition, d.non_reference), (6, true, 0, false));
    assert_eq!((d.picture_id, d.tl0_picture_index, d.temporal, d.key_index), (Some((0x1234, 15)), Some(7), Some((0, true)), None));
    assert!(d.starts_frame() && starts_key_frame(&bytes));
    assert_eq!(dimensions(&bytes), Some((640, 360)));
}

#[test]
fn payloads_of_encoders_and_browsers_are_told_apart() {
    for (n, Recorded { starts_picture, starts_key_frame: key, size, payload }) in
        recorded(include_str!("tests/encoded.txt"), include_str!("tests/browser.txt")).into_iter().enumerate()
    {
        let d = Descriptor::parse(&payload).unwrap();
        assert_eq!((starts_key_frame(&payload), d.starts_frame(), dimensions(&payload)), (key, starts_picture, size), "line {n}");
    }
}

#[test]
fn only_the_first_packet_of_a_key_frame_counts() {
    for (text, key) in [
        ("10 00", true),
        ("10 01", false),
        ("00 00", false),
        ("11 00", false),
        ("10", false),
        ("", false),
        ("90 80 05 00", true),
        ("90 80 8005 01", false),
        ("90 80", false),
    ] {
        assert_eq!(starts_key_frame(&hex(text)), key, "{text}");
    }
    assert_eq!(dimensions(&hex("10 000000 9d012b 80026801")), None);
    assert_eq!(dimensions(&hex("10 000000 9d012a 8002")), None);
}

#[test]
fn cut_short_descriptors_are_refused() {
    let bytes = hex(KEY);
    for len in 0..6 {
        assert_eq!(Descriptor::parse(&bytes[..len]), None, "{len}");
    }
    assert_eq!(Descriptor::parse(&bytes[..6]).unwrap().len, 6);
}

#[test]
fn rewritten_numbers_read_back_and_nothing_else_changes() {
    for text in [KEY, "90 80 05 00", "80 f0 05 06 a3", "b0 70 09 e0", "10", "90 00", "90 10 1f", "90 40 07"] {
        let bytes = hex(text);
        let before = Descriptor::parse(&bytes).unwrap();
        let mut out = [0u8; MAX_DESCRIPTOR];
        let n = before.write(&mut out, 0x7abc, 0x99).unwrap();
        let after = Descriptor::parse(&out[..n]).unwrap();
        assert_eq!(after.len, n);
        assert_eq!(after.picture_id, before.picture_id.map(|_| (0x7abc, 15)), "{text}");
        assert_eq!(after.tl0_picture_index, before.tl0_picture_index.map(|_| 0x99), "{text}");
        let same = |d: &Descriptor| (d.temporal, d.key_index, d.start_of_partition, d.partition, d.non_reference);
        assert_eq!(same(&after), same(&before), "{text}");
    }
    let d = Descriptor::parse(&hex(KEY)).unwrap();
    assert_eq!(d.write(&mut [0u8; 5], 0, 0), Err(Full));
}

#[test]
fn damaged_payloads_never_escape_their_bounds() {
    let seeds = [hex(KEY), hex("10 01 22"), hex("b0 70 09 e0 11"), hex("80 f0 05 06 a3 00")];
    damaged(&seeds, 30_000, |bytes| {
        let Some(descriptor) = Descriptor::parse(bytes) else {
            assert!(!starts_key_frame(bytes));
            return;
        };
        assert!(descriptor.len <= bytes.len().min(MAX_DESCRIPTOR));
        let mut out = [0u8; MAX_DESCRIPTOR];
        let n = descriptor.write(&mut out, 1, 2).unwrap();
        assert!((descriptor.len..=descriptor.len + 1).contains(&n));
        let _ = (starts_key_frame(bytes), dimensions(bytes));
    });
}
