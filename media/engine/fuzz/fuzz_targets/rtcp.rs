//! RTCP: any compound; every list stays within the datagram, and feedback that is read can be written and read again.
#![no_main]
use std::collections::BTreeSet;

use jiangtai_core::rtcp::{parse, Builder, Packet};

/// What `build` writes, read back: one packet.
fn again<T>(build: impl FnOnce(&mut Builder<'_>), read: impl FnOnce(Packet<'_>) -> T) -> T {
    let mut out = [0; 16_384];
    let mut builder = Builder::new(&mut out);
    build(&mut builder);
    let n = builder.finish();
    let mut packets = parse(&out[..n]).unwrap();
    let packet = packets.next().unwrap().unwrap();
    assert!(packets.next().is_none());
    read(packet)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(packets) = parse(data) else { return };
    for packet in packets.flatten() {
        let items = match packet {
            Packet::SenderReport(sr) => {
                let blocks: Vec<_> = sr.blocks().collect();
                let same = |packet: Packet<'_>| matches!(packet, Packet::SenderReport(read) if read.info == sr.info && read.blocks().eq(sr.blocks()));
                assert!(again(|b| b.sender_report(&sr.info, &blocks).unwrap(), same));
                blocks.len()
            }
            Packet::ReceiverReport(rr) => {
                let blocks: Vec<_> = rr.blocks().collect();
                let same = |packet: Packet<'_>| matches!(packet, Packet::ReceiverReport(read) if read.ssrc == rr.ssrc && read.blocks().eq(rr.blocks()));
                assert!(again(|b| b.receiver_report(rr.ssrc, &blocks).unwrap(), same));
                blocks.len()
            }
            Packet::Sdes(sdes) => sdes.names().count(),
            Packet::Bye(bye) => bye.ssrcs().count(),
            Packet::Nack(nack) => {
                let lost: Vec<u16> = nack.lost().collect();
                let told = |packet: Packet<'_>| match packet {
                    Packet::Nack(read) => read.lost().collect::<BTreeSet<u16>>(),
                    _ => BTreeSet::new(),
                };
                if !lost.is_empty() {
                    let read = again(|b| b.nack(nack.sender, nack.media, &lost).unwrap(), told);
                    assert_eq!(read, lost.iter().copied().collect());
                }
                lost.len() / 17
            }
            Packet::Fir(fir) => fir.entries().count(),
            Packet::Remb(remb) => {
                let ssrcs: Vec<u32> = remb.ssrcs().collect();
                let same = |packet: Packet<'_>| matches!(packet, Packet::Remb(read) if read.ssrcs().eq(remb.ssrcs()) && read.bitrate <= remb.bitrate && remb.bitrate - read.bitrate <= remb.bitrate >> 17);
                assert!(again(|b| b.remb(remb.sender, remb.bitrate, &ssrcs).unwrap(), same));
                ssrcs.len()
            }
            Packet::Twcc(feedback) => feedback.arrivals().filter(|(_, arrival)| arrival.is_some()).count() / 4,
            Packet::Pli { .. } | Packet::Other(..) => 0,
        };
        assert!(items * 4 <= data.len());
    }
});
