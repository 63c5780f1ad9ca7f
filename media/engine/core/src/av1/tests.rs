use super::*;
use crate::testing::{binary, damaged, hex, recorded, Recorded};

/// A sequence header and the start of a frame in one packet, as browsers send a key frame: N, two elements.
const KEY: &str = "28 0b 08 00000004 3c ff bc ff 98 40 30 12 00";

fn all() -> Vec<Recorded> {
    recorded(include_str!("tests/encoded.txt"), include_str!("tests/browser.txt"))
}

fn elements(text: &str) -> Vec<Vec<u8>> {
    let bytes = hex(text);
    Payload::parse(&bytes).map_or(vec![], |p| p.elements().map(<[u8]>::to_vec).collect())
}

#[test]
fn payloads_of_encoders_and_browsers_are_told_apart() {
    for (n, Recorded { starts_key_frame: key, size, payload, .. }) in all().into_iter().enumerate() {
        assert_eq!((starts_key_frame(&payload), dimensions(&payload)), (key, size), "line {n}");
        let packet = Payload::parse(&payload).unwrap();
        let lengths: usize = packet.elements().map(<[u8]>::len).sum();
        assert_eq!(lengths + usize::from(packet.count.max(1)), payload.len(), "line {n}: one byte of length for all but the last");
        assert!(packet.obus().all(|obu| [1, 3, 4, 5, 6].contains(&obu.kind)), "line {n}");
    }
}

#[test]
fn elements_are_cut_by_length_and_count() {
    for (text, expected) in [
        ("10 0a0b0c", vec!["0a0b0c"]),
        ("20 01 0a 0b0c", vec!["0a", "0b0c"]),
        ("30 01 0a 02 0b0c 0d", vec!["0a", "0b0c", "0d"]),
        ("00 01 0a 02 0b0c 01 0d 01 0e", vec!["0a", "0b0c", "0d", "0e"]),
        ("00 8100 0a", vec!["0a"]),           // a length longer than it needs to be
        ("00 00 01 0a", vec!["", "0a"]),      // an empty element
        ("20 01 0a", vec!["0a"]),             // fewer than counted
        ("00 01 0a 05 0b", vec!["0a"]),       // a length past the end
        ("00 ffffffffff01 0a", vec![]),       // a length beyond 32 bits
        ("00 808080808080808000 0a", vec![]), // a length of nine bytes
        ("00 80", vec![]),                    // half a length
        ("00", vec![]),
        ("88 0a", vec![]), // a sequence cannot start inside an element
        ("", vec![]),
    ] {
        assert_eq!(elements(text), expected.into_iter().map(hex).collect::<Vec<_>>(), "{text}");
    }
    let many = [vec![0], [1, 0x0a].repeat(200)].concat();
    assert_eq!(Payload::parse(&many).unwrap().elements().count(), MAX_ELEMENTS);
}

#[test]
fn units_are_read_with_and_without_layers_and_sizes() {
    let unit = |text: &str| {
        let bytes = hex(text);
        Obu::parse(&bytes).map(|obu| (obu.kind, obu.layer, obu.payload.to_vec()))
    };
    assert_eq!(unit("30 aabb"), Some((6, None, hex("aabb"))));
    assert_eq!(unit("34 50 aabb"), Some((6, Some((2, 2)), hex("aabb"))));
    assert_eq!(unit("0a 01 aabb"), Some((1, None, hex("aa"))));
    assert_eq!(unit("36 20 01 aabb"), Some((6, Some((1, 0)), hex("aa"))));
    assert_eq!(unit("32 7f aabb"), Some((6, None, hex("aabb"))), "goes on in the next packet");
    assert_eq!((unit("b0 aa"), unit("34"), unit("32"), unit("32 ff"), unit("")), (None, None, None, None, None));
    // The first element of a packet that continues one is not a unit.
    let bytes = hex("a0 01 30 30aa");
    let packet = Payload::parse(&bytes).unwrap();
    assert_eq!((packet.continues, packet.continued, packet.obus().count(), packet.elements().count()), (true, false, 1, 2));
}

#[test]
fn only_a_new_sequence_with_its_header_is_a_key_frame() {
    assert!(starts_key_frame(&hex(KEY)));
    for text in [
        "20 0b 08 00000004 3c ff bc ff 98 40 30 12 00", // not the first packet of a sequence
        "18 30 12 00",                                  // no header
        "a8 0b 08 00000004 3c ff bc ff 98 40 30 12 00", // in the middle of an element
        "08 0b 10 00",
        "08",
        "",
    ] {
        assert!(!starts_key_frame(&hex(text)), "{text}");
        assert_eq!(dimensions(&hex(text)), None, "{text}");
    }
    assert!(starts_key_frame(&hex("28 02 2800 08 00")), "metadata first");
}

#[test]
fn the_size_follows_all_that_a_sequence_header_may_tell() {
    // 11 and 10 bits of size, 1280x720 less one.
    let size = "1010 1001 10011111111 1011001111";
    let point = "000000000000 01000 1";
    for (what, text) in [
        ("a still picture", format!("000 1 1 00100 {size}")),
        ("one operating point", format!("000 0 0 0 0 00000 000000000000 00100 {size}")),
        ("a level with a tier", format!("000 0 0 0 0 00000 {point} {size}")),
        ("three layers", format!("000 0 0 0 0 00010 {point} {point} {point} {size}")),
        ("a display delay", format!("000 0 0 0 1 00001 {point} 1 0111 {point} 0 {size}")),
        ("timing", format!("000 0 0 1 {} 0 0 0 00000 {point} {size}", "0".repeat(64))),
        ("equal intervals", format!("000 0 0 1 {} 1 00101 0 0 00000 {point} {size}", "1".repeat(64))),
        (
            "a decoder model",
            format!(
                "000 0 0 1 {} 0 1 00100 {} 00000 00000 1 00001 {point} 1 {} 1 1 1111 {point} 0 0 {size}",
                "0".repeat(64),
                "0".repeat(32),
                "1".repeat(10)
            ),
        ),
    ] {
        let payload = [vec![0x18, 0x08], binary(&text)].concat();
        assert_eq!(dimensions(&payload), Some((1280, 720)), "{what}");
        assert_eq!(dimensions(&payload[..payload.len() - 2]), None, "{what}, cut short");
    }
    let all_ones = format!("000 1 1 00100 1111 1111 {} {}", "1".repeat(16), "1".repeat(16));
    assert_eq!(dimensions(&[vec![0x18, 0x08], binary(&all_ones)].concat()), None, "65536 wide");
}

#[test]
fn damaged_payloads_never_escape_their_bounds() {
    let mut seeds: Vec<_> = [KEY, "00 01 0a 02 0b0c 01 0d 01 0e", "30 01 0a 02 0b0c 0d", "36 20 01 aabb"].map(hex).into();
    seeds.extend(all().into_iter().map(|r| r.payload));
    let mut keys = 0;
    damaged(&seeds, 30_000, |bytes| {
        let key = starts_key_frame(bytes);
        keys += usize::from(key);
        assert!(key || dimensions(bytes).is_none());
        if let Some(packet) = Payload::parse(bytes) {
            assert!(packet.elements().map(<[u8]>::len).sum::<usize>() < bytes.len());
            assert!(packet.obus().all(|obu| obu.payload.len() < bytes.len() && obu.kind < 16));
        }
    });
    assert!(keys > 1_000, "{keys}");
}
