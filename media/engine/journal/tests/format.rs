//! The promise of the format: whatever happens to a file, what is read is what was written.

use jiangtai_journal::compose::Composer;
use jiangtai_journal::format::{Head, Kind, Record, KEY_FRAME};
use jiangtai_journal::read::{Found, Reader};
use jiangtai_journal::{export, verify};

fn head() -> Head {
    Head {
        class: "class-1".into(),
        recording: "r7".into(),
        number: 3,
        boot: *b"sixteen bytes ok",
        monotonic_us: 1_000_000,
        wall_us: 1_700_000_000_000_000,
        previous: [7; 32],
    }
}

/// A number line without a seed from outside: tests must be repeatable.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

/// A sealed file of so many packets, and what was put in it.
fn file(packets: u64) -> (Vec<u8>, Vec<(u64, Vec<u8>)>) {
    let mut out = Vec::new();
    let mut composer = Composer::begin(&head(), &mut out);
    let mut numbers = Numbers(packets);
    let mut put = Vec::new();
    for n in 0..packets {
        let payload: Vec<u8> = (0..numbers.next(90)).map(|_| numbers.next(256) as u8).collect();
        let flags = if n % 10 == 0 { KEY_FRAME } else { 0 };
        let record =
            Record { kind: Kind::Rtp, flags, track: 1 + (n % 3) as u16, arrival_us: 1_000_000 + n * 1000, roc: 1, payload: &payload };
        composer.put(&record, &mut out);
        put.push((record.arrival_us, payload));
    }
    composer.seal(&mut out);
    (out, put)
}

fn packets(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let Some((_, reader)) = Reader::open(bytes) else { return Vec::new() };
    reader
        .filter_map(|found| match found {
            Found::Record { record, .. } if record.kind == Kind::Rtp => Some((record.arrival_us, record.payload.to_vec())),
            _ => None,
        })
        .collect()
}

#[test]
fn what_was_put_in_comes_out() {
    let (bytes, put) = file(100);
    let (read, _) = Reader::open(&bytes).unwrap();
    assert_eq!(read, head());
    assert_eq!(packets(&bytes), put);
    let verdict = verify::file(&bytes).unwrap();
    assert!(verdict.is_whole(), "{verdict:?}");
    assert_eq!(verdict.tracks[&1].packets, 34);
    assert_eq!(verdict.tracks.values().map(|t| t.key_frames).sum::<u64>(), 10);
}

#[test]
fn of_any_beginning_of_a_file_all_whole_records_are_read_and_nothing_else() {
    let (bytes, put) = file(40);
    for length in 0..bytes.len() {
        let read = packets(&bytes[..length]);
        assert_eq!(read[..], put[..read.len()], "cut at {length}");
        if length >= 256 {
            let more = packets(&bytes[..length.saturating_sub(200).max(256)]).len();
            assert!(read.len() >= more, "never fewer with more bytes");
        }
        assert!(verify::file(&bytes[..length]).is_none_or(|verdict| !verdict.is_whole()));
    }
}

#[test]
fn a_flipped_bit_costs_its_record_and_no_other() {
    let (bytes, put) = file(30);
    for at in 0..bytes.len() {
        for bit in [0, 3, 7] {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let read = packets(&bytes);
            if at < 256 {
                assert!(read.is_empty(), "nothing under a broken head");
                continue;
            }
            assert!(read.len() >= put.len() - 1, "byte {at}: {} of {}", read.len(), put.len());
            assert!(read.iter().all(|packet| put.contains(packet)), "byte {at}");
            assert!(!verify::file(&bytes).unwrap().is_whole(), "byte {at}");
        }
    }
}

#[test]
fn a_record_inside_a_payload_is_never_taken_for_one() {
    let (inner, _) = file(3);
    let mut out = Vec::new();
    let mut composer = Composer::begin(&Head { boot: [9; 16], ..head() }, &mut out);
    let record = Record { kind: Kind::Rtp, flags: 0, track: 1, arrival_us: 5, roc: 1, payload: &inner[256..] };
    composer.put(&record, &mut out);
    composer.put(&Record { payload: b"after", ..record }, &mut out);
    // The outer record is damaged: what lies in it begins with another head's checksum.
    out[256 + 8] ^= 1;
    assert_eq!(packets(&out), vec![(5, b"after".to_vec())]);
}

#[test]
fn garbage_is_read_to_its_end_without_a_record() {
    let (bytes, _) = file(1);
    let mut numbers = Numbers(5);
    for _ in 0..50 {
        let mut garbage = bytes[..256].to_vec();
        // Full of sync marks.
        garbage.extend((0..5000).map(|_| if numbers.next(3) == 0 { 0x52 } else { [0x4a, 0, 3][numbers.next(3)] }));
        assert!(packets(&garbage).is_empty());
    }
}

#[test]
fn exports_carry_every_packet() {
    let (bytes, put) = file(60);
    let mut pcap = Vec::new();
    assert_eq!(export::pcapng(&[&bytes, &bytes], &mut pcap).unwrap(), Some(120));
    assert_eq!(pcap[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    // Walk the blocks: both lengths agree and the last ends with the file.
    let (mut at, mut blocks) = (0, 0);
    while at < pcap.len() {
        let len = u32::from_le_bytes(pcap[at + 4..at + 8].try_into().unwrap()) as usize;
        assert_eq!(pcap[at + len - 4..at + len], pcap[at + 4..at + 8]);
        (at, blocks) = (at + len, blocks + 1);
    }
    assert_eq!(blocks, 2 + 120);
    let mut dump = Vec::new();
    let own: Vec<_> = put.iter().skip(1).step_by(3).collect();
    assert_eq!(export::rtpdump(&[&bytes], 2, &mut dump).unwrap(), Some(own.len() as u64));
    assert!(dump.starts_with(b"#!rtpplay1.0 10.0.0.2/2\n"));
    assert_eq!(dump.len(), 24 + 16 + own.iter().map(|(_, payload)| 8 + payload.len()).sum::<usize>());
    assert_eq!(export::pcapng(&[b"no journal"], &mut Vec::new()).unwrap(), None);
}
