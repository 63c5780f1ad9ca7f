//! RTP: any packet; the parts add up to the whole, and what is read can be written and read again.
#![no_main]
use jiangtai_core::rtp::{write, Header, Packet};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(p) = Packet::parse(data) else { return };
    assert_eq!(p.header_len() + p.payload().len() + usize::from(p.padding()), data.len());
    let (payload_type, marker, sequence, timestamp, ssrc) = (p.payload_type(), p.marker(), p.sequence(), p.timestamp(), p.ssrc());
    let header = Header { payload_type, marker, sequence, timestamp, ssrc };
    let extensions: Vec<_> = p.extensions().collect();
    let mut out = vec![0; 2 * data.len() + 64];
    let n = write(&mut out, &header, &extensions, &[p.payload()], p.padding()).unwrap();
    let again = Packet::parse(&out[..n]).unwrap();
    assert!(again.extensions().eq(extensions) && again.payload() == p.payload() && again.ssrc() == ssrc);
});
