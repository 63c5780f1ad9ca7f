use super::*;
use crate::testing::{binary, damaged, hex, recorded, Recorded};

/// First packet of a picture as a browser with three spatial and temporal layers sends it: I, L, B, V; 15-bit id 0x1234;
/// layer 0/0, TL0 7; a structure with the sizes of three layers and four pictures; a 1280x720 key frame.
const KEY: &str = "aa 9234 00 07 58 014000b4 02800168 050002d0 04 0404 5401 3402 50 8249834200 4ff02cf0 aabb";
/// A later picture of the upper layers: P, F and two references; temporal 2, switching up, spatial 1, inter-layer.
const FLEXIBLE: &str = "fc 9235 53 03 04 8601";

fn all() -> Vec<Recorded> {
    recorded(include_str!("tests/encoded.txt"), include_str!("tests/browser.txt"))
}

#[test]
fn a_browser_descriptor_is_read_to_its_end() {
    let bytes = hex(KEY);
    let d = Descriptor::parse(&bytes).unwrap();
    assert_eq!((d.len, d.head_len), (26, 5));
    assert_eq!((d.picture_id, d.tl0_picture_index, d.inter_picture, d.flexible), (Some((0x1234, 15)), Some(7), false, false));
    assert_eq!(d.layer, Some(Layer { temporal: 0, switching_up: false, spatial: 0, inter_layer: false }));
    assert_eq!((d.start_of_frame, d.end_of_frame, d.no_upper_reference), (true, false, false));
    assert_eq!(d.structure, Some(Structure { layers: 3, size: Some((1280, 720)), pictures: 4 }));
    assert!(d.starts_picture() && starts_key_frame(&bytes));
    assert_eq!(dimensions(&bytes), Some((1280, 720)), "of the highest layer, not of this frame");
}

#[test]
fn layers_and_references_of_a_flexible_stream_are_read() {
    let bytes = hex(FLEXIBLE);
    let d = Descriptor::parse(&bytes).unwrap();
    assert_eq!((d.len, d.head_len, d.tl0_picture_index), (6, 4, None));
    assert_eq!(d.layer, Some(Layer { temporal: 2, switching_up: true, spatial: 1, inter_layer: true }));
    assert_eq!((d.references, d.flexible, d.inter_picture), ([1, 2, 0], true, true));
    assert_eq!((d.start_of_frame, d.end_of_frame, d.starts_picture(), d.spatial(), d.temporal()), (true, true, false, 1, 2));
    assert!(Descriptor::parse(&hex("50 03 03 03")).is_none(), "a fourth reference");
    assert_eq!(Descriptor::parse(&hex("50 03 03 04")).unwrap().references, [1, 1, 2]);
}

#[test]
fn payloads_of_encoders_and_browsers_are_told_apart() {
    for (n, Recorded { starts_picture, starts_key_frame: key, size, payload }) in all().into_iter().enumerate() {
        let d = Descriptor::parse(&payload).unwrap();
        assert_eq!((starts_key_frame(&payload), d.starts_picture(), dimensions(&payload)), (key, starts_picture, size), "line {n}");
        assert!(d.picture_id.is_some_and(|(_, width)| width == 15) && d.structure.is_none_or(|s| key && s.size.is_some()), "line {n}");
    }
}

#[test]
fn only_the_base_layer_of_an_unpredicted_picture_with_a_key_frame_counts() {
    let frame = "8249834200 4ff02cf0";
    for (head, key) in [
        ("08", true),
        ("8c 9234", true),
        ("00", false),       // not the first packet of the frame
        ("48", false),       // predicted
        ("28 02 07", false), // spatial layer 1
        ("28 40 07", true),  // temporal layer 2
        ("38 01", true),     // flexible
        ("58 02", false),    // flexible and predicted
        ("0a 00", true),     // an empty structure
        ("0a 18", false),    // a structure that is cut short by reading the frame as sizes
    ] {
        assert_eq!(starts_key_frame(&hex(&format!("{head} {frame}"))), key, "{head}");
    }
    for (frame, key) in [("86", false), ("8a", false), ("c2", false), ("42", false), ("", false), ("82", true)] {
        assert_eq!(starts_key_frame(&hex(&format!("08 {frame}"))), key, "{frame}");
    }
}

#[test]
fn the_size_follows_the_colours_of_every_profile() {
    // Marker, profile bits, no existing frame, key, shown, resilient, sync code.
    let header = |profile: &str, colours: &str| {
        binary(&format!("10 {profile} 0 0 1 0 010010011000001101000010 {colours} 0000010011111111 0000001011001111"))
    };
    for (profile, colours, size) in [
        ("00", "001 0", Some((1280, 720))),
        ("00", "111", None), // RGB needs subsampling bits
        ("10", "001 0 00 0", Some((1280, 720))),
        ("10", "111 0", Some((1280, 720))),
        ("01", "1 001 0", Some((1280, 720))), // 12 bits a sample
        ("110", "0 010 1 11 0", Some((1280, 720))),
        ("110", "0 111 0", Some((1280, 720))),
    ] {
        let payload = [vec![0x08], header(profile, colours)].concat();
        assert!(starts_key_frame(&payload));
        assert_eq!(dimensions(&payload), size, "{profile} {colours}");
        assert_eq!(dimensions(&payload[..7]), None, "cut short");
    }
    assert!(!starts_key_frame(&[vec![0x08], binary("10 111 0 0 1 0")].concat()), "a reserved profile");
    assert_eq!(dimensions(&hex("08 8249834300 4ff02cf0")), None, "another sync code");
    assert_eq!(dimensions(&hex("08 82498342 0f ff f0 00 00")), None, "65536 wide");
}

#[test]
fn cut_short_descriptors_are_refused() {
    for text in [KEY, FLEXIBLE] {
        let bytes = hex(text);
        let len = Descriptor::parse(&bytes).unwrap().len;
        for cut in 0..len {
            assert_eq!(Descriptor::parse(&bytes[..cut]), None, "{text} at {cut}");
        }
        assert_eq!(Descriptor::parse(&bytes[..len]).unwrap().len, len);
    }
}

#[test]
fn the_longest_structure_is_bounded_and_read() {
    let mut bytes = vec![0x02, 0xf8];
    bytes.extend((0..8u16).flat_map(|n| [(n + 1).to_be_bytes(), 9u16.to_be_bytes()].concat()));
    bytes.push(255);
    bytes.extend([0x0c, 1, 2, 3].repeat(255));
    let d = Descriptor::parse(&bytes).unwrap();
    assert_eq!((d.len, d.structure), (bytes.len(), Some(Structure { layers: 8, size: Some((8, 9)), pictures: 255 })));
    assert_eq!(bytes.len(), 1 + 1055 - 1);
}

/// The payload of a slot's packet: new head, old rest.
fn renumbered(payload: &[u8], picture_id: u16, tl0: u8) -> Vec<u8> {
    let d = Descriptor::parse(payload).unwrap();
    let mut out = [0u8; MAX_HEAD];
    let len = d.write(&mut out, picture_id, tl0).unwrap();
    [&out[..len], &payload[d.head_len..]].concat()
}

/// What must not change.
fn same(d: &Descriptor) -> impl PartialEq + std::fmt::Debug {
    (d.layer, d.references, d.structure, d.inter_picture, d.flexible, (d.start_of_frame, d.end_of_frame, d.no_upper_reference))
}

#[test]
fn rewritten_numbers_read_back_and_nothing_else_changes() {
    let texts = [KEY, FLEXIBLE, "08 82", "88 05 82", "a8 05 00 06 82", "28 40 07 82", "01", "7c 41 02 ff"];
    let payloads = texts.map(hex).into_iter().chain(all().into_iter().map(|r| r.payload));
    for before_bytes in payloads {
        let before = Descriptor::parse(&before_bytes).unwrap();
        let after_bytes = renumbered(&before_bytes, 0x7abc, 0x99);
        let after = Descriptor::parse(&after_bytes).unwrap();
        assert_eq!(after.picture_id, before.picture_id.map(|_| (0x7abc, 15)));
        assert_eq!(after.tl0_picture_index, before.tl0_picture_index.map(|_| 0x99));
        assert_eq!(same(&after), same(&before));
        assert_eq!(after_bytes[after.len..], before_bytes[before.len..]);
        assert_eq!(
            (starts_key_frame(&after_bytes), dimensions(&after_bytes)),
            (starts_key_frame(&before_bytes), dimensions(&before_bytes))
        );
    }
    assert_eq!(Descriptor::parse(&hex(KEY)).unwrap().write(&mut [0u8; 4], 0, 0), Err(Full));
}

#[test]
fn damaged_payloads_never_escape_their_bounds() {
    let mut seeds: Vec<_> = [KEY, FLEXIBLE, "08 82", "88 05 82", "a8 05 00 06 82", "0a f8"].map(hex).into();
    seeds.extend(all().into_iter().filter(|r| r.starts_picture).map(|r| r.payload).take(20));
    damaged(&seeds, 30_000, |bytes| {
        let Some(before) = Descriptor::parse(bytes) else {
            assert!(!starts_key_frame(bytes) && dimensions(bytes).is_none());
            return;
        };
        assert!(before.head_len <= before.len && before.len <= bytes.len());
        let after = Descriptor::parse(&renumbered(bytes, 1, 2)).unwrap();
        assert_eq!(same(&after), same(&before));
        assert!(starts_key_frame(bytes) || dimensions(bytes).is_none());
    });
}
