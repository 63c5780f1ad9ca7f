use super::*;
use crate::testing::{damaged, hex};

#[test]
fn primary_and_redundant_blocks_are_told_apart() {
    // Opus 111: two redundant blocks (1920 and 960 samples older, 3 and 2 bytes), then the primary.
    let bytes = hex("ef 1e0003 ef 0f0002 6f aaaaaa bbbb cccccccc");
    let red = Red::parse(&bytes).unwrap();
    assert_eq!(red.primary, Block { payload_type: 111, offset: 0, data: &[0xcc; 4] });
    let older: Vec<_> = red.redundant().map(|b| (b.payload_type, b.offset, b.data.to_vec())).collect();
    assert_eq!(older, vec![(111, 1920, vec![0xaa; 3]), (111, 960, vec![0xbb; 2])]);
}

#[test]
fn a_lone_primary_has_one_byte_of_header() {
    let bytes = hex("6f 010203");
    let red = Red::parse(&bytes).unwrap();
    assert_eq!((red.primary.data, red.redundant().count()), (&[1u8, 2, 3][..], 0));
    assert!(Red::parse(&hex("6f")).unwrap().primary.data.is_empty());
}

#[test]
fn cut_short_or_endless_headers_are_refused() {
    for text in ["", "ef", "ef 1e00", "ef 1e0003", "ef 1e0003 6f aaaa", &"ef 000000".repeat(400)] {
        assert!(Red::parse(&hex(text)).is_none(), "{text}");
    }
    let most = format!("{} 6f 01", "ef 000000 ".repeat(MAX_REDUNDANT));
    assert_eq!(Red::parse(&hex(&most)).unwrap().redundant().count(), MAX_REDUNDANT);
    let more = format!("{} 6f 01", "ef 000000 ".repeat(MAX_REDUNDANT + 1));
    assert!(Red::parse(&hex(&more)).is_none());
}

#[test]
fn damaged_payloads_never_escape_their_bounds() {
    let seeds = [hex("ef 1e0003 ef 0f0002 6f aaaaaa bbbb cccccccc"), hex("6f 010203")];
    damaged(&seeds, 30_000, |bytes| {
        let Some(red) = Red::parse(bytes) else { return };
        let parts: usize = red.redundant().map(|b| b.data.len() + 4).sum();
        assert_eq!(parts + 1 + red.primary.data.len(), bytes.len());
    });
}
