//! Bandwidth estimation: whatever is sent, whatever a peer reports and whenever, the estimate stays within its bounds.
#![no_main]
use jiangtai_core::bwe::{Class, Estimator, MAX_BPS, MIN_BPS, START_BPS};
use jiangtai_core::twcc::Feedback;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut estimator = Estimator::new(0, START_BPS);
    let (mut now, mut number) = (0u64, 0u16);
    let mut rest = data;
    // Each step: how many packets leave, how much time passes, and how much of what follows is a feedback packet.
    while let [packets, time, len, tail @ ..] = rest {
        now += u64::from(*time) * u64::from(*time) * 40;
        for n in 0..*packets % 32 {
            estimator.sent(number, usize::from(n) * 50, Class::Media, now + u64::from(n) * 300);
            number = number.wrapping_add(1);
        }
        let (body, tail) = tail.split_at(usize::from(*len).min(tail.len()));
        // The numbers of the feedback are relative to what was sent, or the fuzzer would never meet them.
        let mut body = body.to_vec();
        if let Some(base) = body.get_mut(8..10) {
            let told = u16::from_be_bytes([base[0], base[1]]);
            base.copy_from_slice(&number.wrapping_sub(told).to_be_bytes());
        }
        if let Some(feedback) = Feedback::parse(&body) {
            estimator.feedback(&feedback, now);
        }
        if let Some(probe) = estimator.next_probe(now, 3_000_000) {
            estimator.sent(number, probe.bytes, Class::Padding, now);
            number = number.wrapping_add(1);
        }
        estimator.timeout(now);
        assert!((MIN_BPS..=MAX_BPS).contains(&estimator.target_bps()));
        rest = tail;
    }
});
