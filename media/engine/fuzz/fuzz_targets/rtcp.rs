//! RTCP: any compound; every list stays within the datagram.
#![no_main]
use jiangtai_core::rtcp::{parse, Packet};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(packets) = parse(data) else { return };
    for packet in packets.flatten() {
        let items = match packet {
            Packet::SenderReport(sr) => sr.blocks().count(),
            Packet::ReceiverReport(rr) => rr.blocks().count(),
            Packet::Sdes(sdes) => sdes.names().count(),
            Packet::Bye(bye) => bye.ssrcs().count(),
            Packet::Nack(nack) => nack.lost().count() / 17,
            Packet::Fir(fir) => fir.entries().count(),
            Packet::Remb(remb) => remb.ssrcs().count(),
            Packet::Twcc(feedback) => feedback.arrivals().filter(|(_, arrival)| arrival.is_some()).count() / 4,
            Packet::Pli { .. } | Packet::Other(..) => 0,
        };
        assert!(items * 4 <= data.len());
    }
});
