//! Transport-wide feedback: any body; and any pattern of arrivals is told as it was.
#![no_main]
use jiangtai_core::{rtcp, twcc};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(feedback) = twcc::Feedback::parse(data) {
        assert_eq!(feedback.arrivals().count(), usize::from(feedback.count));
    }
    let mut recorder = twcc::Recorder::new();
    let (mut sequence, mut now) = (0u16, 1_000_000u64);
    for pair in data.chunks_exact(2) {
        sequence = sequence.wrapping_add_signed(i16::from(pair[0] as i8));
        now += u64::from(pair[1]) * u64::from(pair[1]) * 300;
        recorder.record(sequence, now);
    }
    let mut out = [0; 200];
    while recorder.pending() {
        let mut builder = rtcp::Builder::new(&mut out);
        assert!(builder.twcc(&mut recorder, 1, 2).unwrap());
        let n = builder.finish();
        let Some(Ok(rtcp::Packet::Twcc(feedback))) = rtcp::parse(&out[..n]).unwrap().next() else { panic!() };
        assert!(feedback.arrivals().filter_map(|(_, arrival)| arrival).all(|arrival| arrival as u64 <= now));
    }
});
