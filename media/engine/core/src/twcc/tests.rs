use super::*;
use crate::rtcp::{self, Builder, Packet};
use crate::testing::{damaged, hex, Noise};
use std::collections::BTreeMap;

/// The next feedback packet of a recorder, within `room` bytes.
fn feedback(recorder: &mut Recorder, room: usize) -> Option<Vec<u8>> {
    let mut out = vec![0u8; room];
    let mut builder = Builder::new(&mut out);
    if !builder.twcc(recorder, 1, 2).unwrap() {
        return None;
    }
    let n = builder.finish();
    out.truncate(n);
    Some(out)
}

fn read<T>(compound: &[u8], f: impl FnOnce(Feedback<'_>) -> T) -> T {
    let Packet::Twcc(feedback) = rtcp::parse(compound).unwrap().next().unwrap().unwrap() else { panic!() };
    f(feedback)
}

#[test]
fn the_wire_image_of_a_small_feedback_is_exact() {
    let mut recorder = Recorder::new();
    // 64 ms reference 2 (128 ms): +1 ms, lost, +2 ms later, 70 ms later (large).
    recorder.record(10, 129_000);
    recorder.record(12, 131_000);
    recorder.record(13, 201_000);
    // Base 10, 4 statuses, reference 2, count 0; two-bit vector 1, 0, 1, 2; deltas 4, 8 and 280; padding.
    let expected = hex("8fcd0006 00000001 00000002 000a0004 00000200 d180 04 08 0118 0000");
    assert_eq!(feedback(&mut recorder, 100), Some(expected.clone()));
    assert_eq!(feedback(&mut recorder, 100), None);
    read(&expected, |f| {
        assert_eq!((f.sender, f.media, f.base, f.count, f.feedback_count, f.reference_us), (1, 2, 10, 4, 0, 128_000));
        let arrivals: Vec<_> = f.arrivals().collect();
        assert_eq!(arrivals, vec![(10, Some(129_000)), (11, None), (12, Some(131_000)), (13, Some(201_000))]);
    });
}

#[test]
fn every_kind_of_chunk_is_read() {
    // Run of 3 lost, one-bit vector of 14 (2 received), two-bit vector of 7 (large then small), the rest unused.
    let bytes = hex("8fcd0007 00000001 00000002 ffff0013 ffffff09 0003 a001 e400 04 08 ffff 0000");
    read(&bytes, |f| {
        assert_eq!((f.base, f.count, f.feedback_count, f.reference_us), (65_535, 19, 9, -64_000));
        let arrivals: Vec<_> = f.arrivals().collect();
        assert_eq!(arrivals.len(), 19);
        let received: Vec<_> = arrivals.iter().filter_map(|(n, t)| t.map(|t| (*n, t))).collect();
        // 65535, 0 and 1 are lost; of 2..=15 the first and the last arrived; 16 has a large delta (-250 us), 17 a small one (0).
        assert_eq!(received, vec![(2, -63_000), (15, -61_000), (16, -61_250), (17, -61_250)]);
    });
}

#[test]
fn feedback_padded_by_one_byte_is_read_as_browsers_send_it() {
    let bytes = hex("afcd0005 fa17fa17 43032fa0 00990001 3de80217 2001 94 01");
    read(&bytes, |f| {
        assert_eq!((f.sender, f.media, f.feedback_count), (0xfa17_fa17, 0x4303_2fa0, 23));
        assert_eq!(f.arrivals().collect::<Vec<_>>(), vec![(153, Some(4_057_090 * 64_000 + 37_000))]);
    });
}

#[test]
fn counts_that_disagree_with_the_bytes_are_refused() {
    let parsed = |text: &str| Feedback::parse(&hex(text)).is_some();
    assert!(parsed("00000001 00000002 00010001 00000000 2001 04"));
    assert!(!parsed("00000001 00000002 00010001 00000000 2001"), "delta missing");
    assert!(!parsed("00000001 00000002 00010002 00000000 2001 04"), "chunk missing");
    assert!(!parsed("00000001 00000002 00010001 00000000"), "chunk missing");
    assert!(!parsed("00000001 00000002 00010001 00000000 6001 0404"), "reserved status");
    assert!(!parsed("00000001 00000002 00010001 00000000 f000 0404"), "reserved status");
    assert!(!parsed("00000001 00000002 00010001 00000000 0000 0000 2001 04"), "empty run");
    assert!(!parsed("00000001 00000002 0001ffff 00000000 1fff 1fff 1fff 1fff 1fff 1fff 1fff 1fff 1fff"), "too many");
    assert!(parsed("00000001 00000002 00010000 00000000"));
}

#[test]
fn reported_arrivals_are_the_recorded_ones() {
    let mut noise = Noise::new(21);
    for round in 0..60 {
        let mut recorder = Recorder::new();
        let mut truth: BTreeMap<u64, u64> = BTreeMap::new();
        let mut told: BTreeMap<u64, Option<i64>> = BTreeMap::new();
        let (mut number, mut now) = (70_000 + noise.below(65_536) as u64, 1_000_000 + noise.below(1_000_000) as u64);
        let first = number;
        let mut feedbacks = 0u8;
        for _ in 0..40 {
            for _ in 0..noise.below(120) {
                let longest = if noise.one_in(20) { 200_000 } else { 2_000 };
                now += noise.below(longest) as u64;
                number += if noise.one_in(10) { noise.below(30) as u64 } else { 1 };
                let late = if noise.one_in(8) { noise.below(20) as u64 } else { 0 };
                let arrived = number.saturating_sub(late).max(first);
                recorder.record(arrived as u16, now);
                truth.entry(arrived).or_insert(now);
            }
            while let Some(bytes) = feedback(&mut recorder, 200 + noise.below(1000)) {
                read(&bytes, |f| {
                    assert_eq!(f.feedback_count, feedbacks, "round {round}");
                    feedbacks = feedbacks.wrapping_add(1);
                    for (sequence, arrival) in f.arrivals() {
                        let full = (number & !0xffff | u64::from(sequence)).min(number | 0xffff);
                        let full = if full > number { full - 65_536 } else { full };
                        told.insert(full, arrival);
                    }
                });
            }
        }
        // Reports are per packet: every arrival is told with its time in 250 us ticks; what did not arrive is told lost.
        for (number, now) in &truth {
            let ticks = (now / TICK_US * TICK_US) as i64;
            assert_eq!(told.get(number), Some(&Some(ticks)), "round {round}, number {number}");
        }
        for (number, arrival) in &told {
            assert_eq!(arrival.is_some(), truth.contains_key(number), "round {round}, number {number}");
        }
    }
}

#[test]
fn a_gap_in_time_starts_a_new_packet() {
    let mut recorder = Recorder::new();
    recorder.record(1, 1_000_000);
    recorder.record(2, 20_000_000);
    let first = feedback(&mut recorder, 1200).unwrap();
    let second = feedback(&mut recorder, 1200).unwrap();
    assert_eq!(read(&first, |f| f.arrivals().collect::<Vec<_>>()), vec![(1, Some(1_000_000))]);
    assert_eq!(read(&second, |f| f.arrivals().collect::<Vec<_>>()), vec![(2, Some(20_000_000))]);
    assert_eq!(feedback(&mut recorder, 1200), None);
}

#[test]
fn a_late_packet_corrects_its_report_and_a_duplicate_does_not() {
    let mut recorder = Recorder::new();
    recorder.record(1, 1_000_000);
    recorder.record(3, 1_010_000);
    assert!(feedback(&mut recorder, 1200).is_some());
    recorder.record(3, 1_020_000);
    assert_eq!(feedback(&mut recorder, 1200), None);
    recorder.record(2, 1_030_000);
    let bytes = feedback(&mut recorder, 1200).unwrap();
    assert_eq!(read(&bytes, |f| f.arrivals().collect::<Vec<_>>()), vec![(2, Some(1_030_000)), (3, Some(1_010_000))]);
}

#[test]
fn jumps_beyond_the_memory_are_bounded() {
    let mut recorder = Recorder::new();
    recorder.record(0, 1_000_000);
    recorder.record(20_000, 1_001_000);
    recorder.record(100, 1_002_000);
    let mut reported = 0;
    let mut last = None;
    while let Some(bytes) = feedback(&mut recorder, 1200) {
        read(&bytes, |f| {
            reported += usize::from(f.count);
            last = f.arrivals().last();
        });
    }
    assert_eq!((reported, last), (REMEMBERED, Some((20_000, Some(1_001_000)))));
}

#[test]
fn without_room_nothing_is_lost() {
    let mut recorder = Recorder::new();
    recorder.record(5, 1_000_000);
    let mut out = [0u8; 20];
    assert!(Builder::new(&mut out).twcc(&mut recorder, 1, 2).is_err());
    assert!(recorder.pending());
    let bytes = feedback(&mut recorder, 28).unwrap();
    assert_eq!(read(&bytes, |f| (f.feedback_count, f.arrivals().collect::<Vec<_>>())), (0, vec![(5, Some(1_000_000))]));
}

#[test]
fn damaged_feedback_never_escapes_its_bounds() {
    let mut recorder = Recorder::new();
    (0..300u16).filter(|n| n % 7 != 0).for_each(|n| recorder.record(n, u64::from(n) * u64::from(n) * 100));
    let seeds: Vec<Vec<u8>> = std::iter::from_fn(|| feedback(&mut recorder, 300)).map(|bytes| bytes[4..].to_vec()).collect();
    assert!(seeds.len() > 1);
    let mut parsed = 0;
    damaged(&seeds, 40_000, |bytes| {
        let Some(feedback) = Feedback::parse(bytes) else { return };
        parsed += 1;
        assert_eq!(feedback.arrivals().count(), usize::from(feedback.count));
        let received = feedback.arrivals().filter(|(_, arrival)| arrival.is_some()).count();
        assert!(received <= bytes.len());
    });
    assert!(parsed > 1_000, "the damage is not all refused at the door: {parsed}");
}
