use super::*;
use crate::testing::{damaged, hex, Noise};

const HEADER: Header = Header { payload_type: 96, marker: true, sequence: 0xfffe, timestamp: 0x0102_0304, ssrc: 0xdead_beef };

fn written(extensions: &[(u8, &[u8])], payload: &[&[u8]], padding: u8) -> Vec<u8> {
    let mut out = [0u8; 2048];
    let n = write(&mut out, &HEADER, extensions, payload, padding).unwrap();
    out[..n].to_vec()
}

#[test]
fn a_written_packet_reads_back() {
    let bytes = written(&[(1, b"0"), (3, &[0x12, 0x34]), (2, &[1, 2, 3])], &[&[0xAA, 0xBB], b"shared payload"], 3);
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!((packet.payload_type(), packet.marker(), packet.sequence()), (96, true, 0xfffe));
    assert_eq!((packet.timestamp(), packet.ssrc()), (0x0102_0304, 0xdead_beef));
    assert_eq!(packet.payload(), b"\xAA\xBBshared payload");
    assert_eq!((packet.padding(), bytes.last()), (3, Some(&3)));
    assert_eq!(packet.extensions().collect::<Vec<_>>(), vec![(1, &b"0"[..]), (3, &[0x12, 0x34][..]), (2, &[1, 2, 3][..])]);
    assert_eq!((packet.extension(3), packet.extension(9)), (Some(&[0x12, 0x34][..]), None));
    assert_eq!(header_len(&bytes).unwrap(), packet.header_len());
    assert_eq!((peek_ssrc(&bytes), peek_sequence(&bytes)), (Some(0xdead_beef), Some(0xfffe)));
}

#[test]
fn the_wire_image_of_a_small_packet_is_exact() {
    let bytes = written(&[(4, &[0xAB])], &[&[0x55]], 0);
    assert_eq!(bytes, hex("90 e0 fffe 01020304 deadbeef bede0001 40ab0000 55"));
    assert_eq!(written(&[], &[], 0), hex("80 e0 fffe 01020304 deadbeef"));
}

#[test]
fn long_or_high_extensions_use_the_two_byte_form() {
    let long = [7u8; 200];
    let bytes = written(&[(1, &long), (200, &[]), (14, b"x")], &[b"p"], 0);
    assert_eq!(&bytes[12..14], &[0x10, 0x00]);
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(packet.extensions().collect::<Vec<_>>(), vec![(1, &long[..]), (200, &[][..]), (14, &b"x"[..])]);
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let mut small = [0u8; 20];
    assert_eq!(write(&mut small, &HEADER, &[], &[&[0; 9]], 0), Err(Error::Full));
    assert_eq!(write(&mut small, &HEADER, &[], &[&[0; 8]], 1), Err(Error::Full));
    let mut big = [0u8; 2000];
    assert_eq!(write(&mut big, &HEADER, &[(0, b"x")], &[], 0), Err(Error::Full));
    assert_eq!(write(&mut big, &HEADER, &[(1, &[0; 256])], &[], 0), Err(Error::Full));
}

#[test]
fn reserved_and_padding_extension_bytes_follow_rfc_8285() {
    // Two padding bytes, id 1, then the reserved id 15 ends processing although id 2 follows.
    let bytes = hex("90 60 0001 00000001 00000002 bede0002 0000 10aa f0bb 20cc");
    let found: Vec<_> = Packet::parse(&bytes).unwrap().extensions().collect();
    assert_eq!(found, vec![(1, &[0xaa][..])]);
    // An extension that claims more than the block has is not delivered.
    let bytes = hex("90 60 0001 00000001 00000002 bede0001 10aa 2fcc");
    let found: Vec<_> = Packet::parse(&bytes).unwrap().extensions().collect();
    assert_eq!(found, vec![(1, &[0xaa][..])]);
    // An unknown profile is skipped as a block.
    let bytes = hex("90 60 0001 00000001 00000002 abcd0001 11223344 99");
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!((packet.extensions().count(), packet.payload()), (0, &[0x99][..]));
}

#[test]
fn hostile_lengths_are_refused() {
    let plain = hex("80 60 0001 00000001 00000002 1122334455");
    let with_first = |first: u8| [&[first], &plain[1..]].concat();
    let parsed = |bytes: &[u8]| Packet::parse(bytes).map(|p| p.payload().len());
    assert_eq!(parsed(&[]), Err(Error::Short));
    assert_eq!(parsed(&plain[..11]), Err(Error::Short));
    assert_eq!(parsed(&plain[..12]), Ok(0));
    assert_eq!(parsed(&with_first(0x40)), Err(Error::Version));
    // Fifteen CSRCs that are not there; an extension that is not there.
    assert_eq!(parsed(&with_first(0x8f)), Err(Error::Short));
    assert_eq!(parsed(&with_first(0x90)), Err(Error::Short));
    // Padding: count 0x55 is more than the payload; zero; exactly everything; nothing to count in.
    assert_eq!(parsed(&with_first(0xa0)), Err(Error::Padding));
    assert_eq!(parsed(&hex("a0 60 0001 00000001 00000002 112200")), Err(Error::Padding));
    assert_eq!(parsed(&hex("a0 60 0001 00000001 00000002 112203")), Ok(0));
    assert_eq!(parsed(&hex("a0 60 0001 00000001 00000002")), Err(Error::Padding));
    // A 65535-word extension in a 65 kB datagram that is four bytes short.
    let mut huge = hex("90 60 0001 00000001 00000002 bede3fff");
    huge.resize(16 + 0x3fff * 4 - 4, 0);
    assert_eq!(parsed(&huge), Err(Error::Short));
    huge.resize(16 + 0x3fff * 4, 0);
    assert_eq!(parsed(&huge), Ok(0));
    let mut all_csrcs = hex("8f 60 0001 00000001 00000002");
    all_csrcs.resize(12 + 60 + 2, 0);
    assert_eq!(parsed(&all_csrcs), Ok(2));
}

#[test]
fn damaged_packets_never_escape_their_bounds() {
    let seeds = [
        written(&[(1, b"0"), (3, &[0x12, 0x34])], &[b"some payload"], 0),
        written(&[(20, b"mid"), (3, &[0; 30])], &[b"some payload"], 200),
        hex("8f 60 0001 00000001 00000002 112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00"),
    ];
    damaged(&seeds, 40_000, |bytes| {
        let Ok(packet) = Packet::parse(bytes) else { return };
        let total = packet.header_len() + packet.payload().len() + usize::from(packet.padding());
        assert_eq!(total, bytes.len());
        assert!(packet.extensions().map(|(_, value)| value.len()).sum::<usize>() <= packet.header_len());
        assert!(packet.extensions().all(|(id, _)| id != 0));
    });
}

#[test]
fn random_packets_round_trip() {
    let mut noise = Noise::new(3);
    for _ in 0..5_000 {
        let header = Header {
            payload_type: noise.below(128) as u8,
            marker: noise.one_in(2),
            sequence: noise.next() as u16,
            timestamp: noise.next() as u32,
            ssrc: noise.next() as u32,
        };
        let longest = if noise.one_in(2) { 16 } else { 40 };
        let values: Vec<(u8, Vec<u8>)> = (0..noise.below(5))
            .map(|i| {
                (i as u8 + 1, {
                    let len = 1 + noise.below(longest);
                    noise.bytes(len)
                })
            })
            .collect();
        let extensions: Vec<(u8, &[u8])> = values.iter().map(|(id, value)| (*id, value.as_slice())).collect();
        let (len, padding) = (noise.below(1200), noise.below(256) as u8);
        let payload = noise.bytes(len);
        let mut out = [0u8; 2048];
        let n = write(&mut out, &header, &extensions, &[&payload], padding).unwrap();
        let packet = Packet::parse(&out[..n]).unwrap();
        let read = Header {
            payload_type: packet.payload_type(),
            marker: packet.marker(),
            sequence: packet.sequence(),
            timestamp: packet.timestamp(),
            ssrc: packet.ssrc(),
        };
        assert_eq!((read, packet.payload(), packet.padding()), (header, payload.as_slice(), padding));
        assert_eq!(packet.extensions().collect::<Vec<_>>(), extensions);
    }
}

#[test]
fn extension_values_are_read_and_made() {
    assert_eq!(audio_level(&[0x80 | 30]), Some(AudioLevel { voice: true, level: 30 }));
    assert_eq!(audio_level(&[]), None);
    assert_eq!(abs_send_time(0), [0, 0, 0]);
    assert_eq!(abs_send_time(1_000_000), [0x04, 0, 0]);
    assert_eq!(abs_send_time(64_500_000), [0x02, 0, 0]);
    assert_eq!(abs_send_time(u64::MAX).len(), 3);
    assert_eq!(text(b"video-1_a"), Some("video-1_a"));
    assert_eq!((text(b""), text(b"seventeen-letters"), text(b"a b"), text(b"\xff")), (None, None, None, None));
}

#[test]
fn datagrams_are_told_apart() {
    assert!(is_rtp_or_rtcp(&[0x80, 0x60]) && !is_rtp_or_rtcp(&[22, 254]) && !is_rtp_or_rtcp(&[0, 1]) && !is_rtp_or_rtcp(&[]));
    assert!(is_rtcp(&[0x80, 200]) && is_rtcp(&[0x81, 206]) && !is_rtcp(&[0x80, 96]) && !is_rtcp(&[0x80, 0x80 | 111]) && !is_rtcp(&[0x80]));
}

#[test]
fn sequence_numbers_wrap_and_extend() {
    assert_eq!((distance(65_535, 0), distance(0, 65_535), distance(5, 5)), (1, -1, 0));
    assert!(newer(0, 65_535) && !newer(65_535, 0) && !newer(7, 7));
    assert!(newer_timestamp(5, u32::MAX) && !newer_timestamp(u32::MAX, 5));
    let mut line = Extended::default();
    assert_eq!(line.highest(), None);
    let first = line.update(65_530);
    assert_eq!(line.update(4), first + 10);
    assert_eq!(line.update(65_531), first + 1);
    assert_eq!((line.highest(), line.peek(5)), (Some(first + 10), first + 11));
    let mut noise = Noise::new(5);
    let (mut line, mut truth) = (Extended::default(), 70_000u64);
    for _ in 0..20_000 {
        truth += noise.below(100) as u64;
        assert_eq!(line.update(truth as u16) - truth, line.highest().unwrap() - truth);
        let late = truth - noise.below(200) as u64;
        assert_eq!(truth - late, line.highest().unwrap() - line.peek(late as u16));
    }
}
