use super::*;
use crate::bytes::Full;
use crate::testing::{damaged, hex, Noise};

fn built(fill: impl FnOnce(&mut Builder<'_>)) -> Vec<u8> {
    let mut out = [0u8; 1500];
    let mut builder = Builder::new(&mut out);
    fill(&mut builder);
    let n = builder.finish();
    out[..n].to_vec()
}

fn only(bytes: &[u8]) -> Packet<'_> {
    let mut packets = parse(bytes).unwrap();
    let first = packets.next().unwrap().unwrap();
    assert!(packets.next().is_none());
    first
}

const BLOCK: ReportBlock = ReportBlock {
    ssrc: 0x1111_2222,
    fraction_lost: 64,
    cumulative_lost: -5,
    highest: 0x0001_fffe,
    jitter: 90,
    last_sr: 0xaaaa_bbbb,
    delay_since_last_sr: 65_536,
};
const INFO: SenderInfo = SenderInfo { ssrc: 7, ntp: 0xe000_0000_8000_0000, rtp_timestamp: 5, packets: 6, octets: 1 << 31 };

#[test]
fn a_compound_report_reads_back() {
    let bytes = built(|b| {
        b.sender_report(&INFO, &[BLOCK, ReportBlock { cumulative_lost: 0x7f_ffff, ..BLOCK }]).unwrap();
        b.cname(7, "class@jiangtai").unwrap();
        b.receiver_report(8, &[]).unwrap();
        b.bye(&[7, 9]).unwrap();
    });
    let packets: Vec<_> = parse(&bytes).unwrap().map(Result::unwrap).collect();
    let [Packet::SenderReport(sr), Packet::Sdes(sdes), Packet::ReceiverReport(rr), Packet::Bye(bye)] = packets[..] else {
        panic!("{packets:?}");
    };
    assert_eq!(sr.info, INFO);
    assert_eq!(sr.blocks().collect::<Vec<_>>(), vec![BLOCK, ReportBlock { cumulative_lost: 0x7f_ffff, ..BLOCK }]);
    assert_eq!(sdes.names().collect::<Vec<_>>(), vec![(7, &b"class@jiangtai"[..])]);
    assert_eq!((rr.ssrc, rr.blocks().count()), (8, 0));
    assert_eq!(bye.ssrcs().collect::<Vec<_>>(), vec![7, 9]);
}

#[test]
fn names_of_every_length_end_on_a_word() {
    for len in 0..300usize {
        let name = "n".repeat(len);
        let bytes = built(|b| b.cname(3, &name).unwrap());
        assert_eq!(bytes.len() % 4, 0);
        let Packet::Sdes(sdes) = only(&bytes) else { panic!() };
        assert_eq!(sdes.names().next().map(|(_, n)| n.len()), Some(len.min(255)));
    }
}

#[test]
fn the_wire_image_of_a_pli_is_exact() {
    let bytes = built(|b| b.pli(0x0102_0304, 0x0506_0708).unwrap());
    assert_eq!(bytes, hex("81ce0002 01020304 05060708"));
    assert!(matches!(only(&bytes), Packet::Pli { sender: 0x0102_0304, media: 0x0506_0708 }));
}

#[test]
fn full_intra_requests_read_back() {
    let bytes = built(|b| b.fir(1, 0xabcd, 250).unwrap());
    let Packet::Fir(fir) = only(&bytes) else { panic!() };
    assert_eq!((fir.sender, fir.entries().collect::<Vec<_>>()), (1, vec![(0xabcd, 250)]));
}

#[test]
fn nacks_pack_runs_and_cross_the_wrap() {
    let lost = [65_530, 65_531, 65_535, 0, 10, 11, 27, 28, 1000];
    let bytes = built(|b| b.nack(1, 2, &lost).unwrap());
    // (65530: 65531, 65535, 0, 10), (11: 27), (28), (1000)
    assert_eq!(bytes.len(), 12 + 4 * 4);
    let Packet::Nack(nack) = only(&bytes) else { panic!() };
    assert_eq!((nack.sender, nack.media, nack.lost().collect::<Vec<_>>()), (1, 2, lost.to_vec()));
    assert!(built(|b| b.nack(1, 2, &[]).unwrap()).is_empty());
    assert_eq!(built(|b| b.nack(1, 2, &[5, 5, 5]).unwrap()).len(), 16);
}

#[test]
fn random_loss_lists_round_trip() {
    let mut noise = Noise::new(11);
    for _ in 0..2_000 {
        let mut sequence = noise.next() as u16;
        let lost: Vec<u16> = (0..1 + noise.below(60))
            .map(|_| {
                sequence = sequence.wrapping_add(1 + noise.below(40) as u16);
                sequence
            })
            .collect();
        let bytes = built(|b| b.nack(1, 2, &lost).unwrap());
        let Packet::Nack(nack) = only(&bytes) else { panic!() };
        assert_eq!(nack.lost().collect::<Vec<_>>(), lost);
    }
}

#[test]
fn bandwidth_estimates_keep_eighteen_bits() {
    for (bitrate, kept) in [(0, 0), (0x3_ffff, 0x3_ffff), (0x4_0001, 0x4_0000), (2_500_001, 2_500_000), (u64::MAX, 0x3_ffff << 46)] {
        let bytes = built(|b| b.remb(9, bitrate, &[1, 2]).unwrap());
        let Packet::Remb(remb) = only(&bytes) else { panic!() };
        assert_eq!((remb.sender, remb.bitrate, remb.ssrcs().collect::<Vec<_>>()), (9, kept, vec![1, 2]));
    }
    // Mantissa 2^18-1 with exponent 63 does not fit 64 bits: saturated, not wrapped.
    let widest = hex("8fce0004 00000001 00000000 52454d42 00ffffff");
    let Packet::Remb(remb) = only(&widest) else { panic!() };
    assert_eq!(remb.bitrate, u64::MAX);
    assert!(matches!(only(&hex("8fce0003 00000001 00000000 41424344")), Packet::Other(206, 15)));
}

#[test]
fn counts_beyond_the_buffer_are_refused_one_by_one() {
    let pli = "81ce0002 00000001 00000002";
    let bad_then_good = |bad: &str| {
        let bytes = hex(&format!("{bad} {pli}"));
        let packets: Vec<_> = parse(&bytes).unwrap().collect();
        assert_eq!(packets.len(), 2, "{bad}");
        assert_eq!(packets[0].as_ref().err(), Some(&Error::Short), "{bad}");
        assert!(matches!(packets[1], Ok(Packet::Pli { .. })), "{bad}");
    };
    bad_then_good("9fc80006 00000001 0000000000000000 00000000 00000000 00000000"); // SR: 31 blocks, none there
    bad_then_good("81c90001 00000001"); // RR: a block that is not there
    bad_then_good("82cb0001 00000001"); // BYE: two sources, one there
    bad_then_good("81ca0002 00000001 01ff6161"); // SDES: item longer than the chunk
    bad_then_good("81ca0002 00000001 01026161"); // SDES: no end of chunk
    bad_then_good("81cd0001 00000001"); // NACK without media source
    bad_then_good("81ce0001 00000001"); // PLI without media source
    bad_then_good("8fce0004 00000001 00000000 52454d42 ff000000"); // REMB: 255 sources, none there
    bad_then_good("8fcd0005 00000001 00000002 0001ffff 00000000 20010000"); // TWCC: 65535 statuses in one chunk
    bad_then_good("84ce0001 00000001"); // FIR without media source
}

#[test]
fn hostile_framing_is_refused_as_a_unit() {
    let framed = |text: &str| parse(&hex(text)).map(|packets| packets.count());
    assert_eq!(framed(""), Err(Error::Version));
    assert_eq!(framed("80"), Err(Error::Short));
    assert_eq!(framed("80c9ffff 00000001"), Err(Error::Short));
    assert_eq!(framed("40c90001 00000001"), Err(Error::Version));
    assert_eq!(framed("80c90001 00000001 ff"), Err(Error::Version));
    assert_eq!(framed("a0c90002 00000001 00000004"), Ok(1));
    assert_eq!(framed("a0c90002 00000001 00000000"), Err(Error::Padding));
    // As libwebrtc pads its transport-wide feedback.
    assert_eq!(framed("a0c90002 00000001 00000003"), Ok(1));
    assert_eq!(framed("a0c90002 00000001 00000010"), Err(Error::Padding));
    assert_eq!(framed("a0c90000"), Err(Error::Padding));
    // Only the last may be padded, yet str0m pads transport-wide feedback before its extended reports.
    assert_eq!(framed("a0c90002 00000001 00000004 80c90001 00000001"), Ok(2));
    assert_eq!(framed(&"80cf0000".repeat(MAX_PACKETS)), Ok(MAX_PACKETS));
    assert_eq!(framed(&"80cf0000".repeat(MAX_PACKETS + 1)), Err(Error::TooMany));
    assert!(matches!(only(&hex("80cf0000")), Packet::Other(207, 0)));
}

#[test]
fn a_packet_that_does_not_fit_leaves_the_compound_as_it_was() {
    let mut out = [0u8; 20];
    let mut builder = Builder::new(&mut out);
    builder.pli(1, 2).unwrap();
    assert_eq!(builder.pli(1, 3), Err(Full));
    assert_eq!(builder.cname(1, "a name that is long"), Err(Full));
    assert_eq!(builder.len(), 12);
    builder.bye(&[5]).unwrap();
    let n = builder.finish();
    assert_eq!(parse(&out[..n]).unwrap().filter(Result::is_ok).count(), 2);
}

#[test]
fn at_most_thirty_one_blocks_are_written() {
    let blocks = [BLOCK; 40];
    let bytes = built(|b| b.receiver_report(1, &blocks).unwrap());
    let Packet::ReceiverReport(rr) = only(&bytes) else { panic!() };
    assert_eq!(rr.blocks().count(), 31);
}

#[test]
fn damaged_compounds_never_escape_their_bounds() {
    let mut recorder = crate::twcc::Recorder::new();
    (0..40u16).filter(|n| n % 3 != 0).for_each(|n| recorder.record(n, u64::from(n) * 1_000));
    let seeds = [
        built(|b| {
            b.sender_report(&INFO, &[BLOCK]).unwrap();
            b.cname(7, "class").unwrap();
            b.bye(&[7]).unwrap();
        }),
        built(|b| {
            b.receiver_report(8, &[BLOCK, BLOCK]).unwrap();
            b.nack(1, 2, &[1, 2, 3, 40]).unwrap();
            b.pli(1, 2).unwrap();
            b.fir(1, 2, 3).unwrap();
        }),
        built(|b| {
            b.remb(1, 1_000_000, &[3, 4]).unwrap();
            assert!(b.twcc(&mut recorder, 1, 2).unwrap());
        }),
    ];
    let mut whole = 0;
    damaged(&seeds, 40_000, |bytes| {
        let Ok(packets) = parse(bytes) else { return };
        whole += 1;
        for packet in packets.flatten() {
            let items = match packet {
                Packet::SenderReport(sr) => sr.blocks().count(),
                Packet::ReceiverReport(rr) => rr.blocks().count(),
                Packet::Sdes(sdes) => sdes.names().count(),
                Packet::Bye(bye) => bye.ssrcs().count(),
                Packet::Nack(nack) => nack.lost().count() / 17,
                Packet::Fir(fir) => fir.entries().count(),
                Packet::Remb(remb) => remb.ssrcs().count(),
                Packet::Twcc(feedback) => {
                    assert_eq!(feedback.arrivals().count(), usize::from(feedback.count));
                    0
                }
                Packet::Pli { .. } | Packet::Other(..) => 0,
            };
            assert!(items * 4 <= bytes.len(), "{items} items in {} bytes", bytes.len());
        }
    });
    assert!(whole > 1_000, "the damage is not all refused at the door: {whole}");
}
