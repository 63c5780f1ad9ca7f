//! Nanoseconds per call of the bandwidth estimator and allocator: `cargo run --release --example bwe`.
//!
//! Best of several rounds on one thread, everything in cache: the floor, not the traffic. A viewer of one 1.5 Mbit/s video and
//! audio has 200 packets a second sent and 10 feedback packets a second received.

use jiangtai_core::bwe::{allocate, Budget, Choice, Class, Demand, Estimator, START_BPS};
use jiangtai_core::rtcp::{self, Builder, Packet};
use jiangtai_core::twcc::Recorder;
use std::hint::black_box;
use std::time::Instant;

const BUDGET: Budget = Budget { bps: 4_000_000, audio_bps: 120_000, was_full: true };

const ROUNDS: u32 = 15;
/// Microseconds between two packets.
const STEP: u64 = 5_000;

/// Best nanoseconds per call of `work` over the rounds of `calls`; `prepare` is not counted.
fn best<S>(calls: u32, mut prepare: impl FnMut() -> S, mut work: impl FnMut(&mut S, u32)) -> f64 {
    let mut fastest = f64::INFINITY;
    for _ in 0..ROUNDS {
        let mut state = prepare();
        let start = Instant::now();
        (0..calls).for_each(|n| work(&mut state, n));
        fastest = fastest.min(start.elapsed().as_nanos() as f64 / f64::from(calls));
    }
    fastest
}

/// An estimator that has sent `packets`, and the feedback about them in compounds of `each`.
fn reported(packets: u32, each: u32) -> (Estimator, Vec<Vec<u8>>) {
    let mut estimator = Estimator::new(0, START_BPS);
    let mut recorder = Recorder::new();
    let mut reports = Vec::new();
    for n in 0..packets {
        let now = u64::from(n) * STEP;
        estimator.sent(n as u16, 1000, Class::Media, now);
        // A wavering delay, and one packet in fifty lost.
        if n % 50 != 7 {
            recorder.record(n as u16, 20_000 + now + u64::from(n * 7919 % 4000));
        }
        if n % each == each - 1 {
            let mut out = vec![0; 1200];
            let mut builder = Builder::new(&mut out);
            builder.twcc(&mut recorder, 1, 2).expect("fits");
            let len = builder.finish();
            out.truncate(len);
            reports.push(out);
        }
    }
    (estimator, reports)
}

fn feedback(packets: u32, each: u32) -> f64 {
    best(
        packets / each,
        || reported(packets, each),
        |(estimator, reports), n| {
            let report = black_box(&reports[n as usize]);
            let Some(Ok(Packet::Twcc(feedback))) = rtcp::parse(report).expect("valid").next() else { panic!("not feedback") };
            estimator.feedback(&feedback, u64::from(packets) * STEP + u64::from(n));
        },
    )
}

fn main() {
    let line = |what: &str, ns: f64| println!("{what:<52} {ns:>9.1}");
    println!("{:<52} {:>9}", "ns per call", "");
    let warm = || {
        let mut estimator = Estimator::new(0, START_BPS);
        (0..3000u32).for_each(|n| estimator.sent(n as u16, 1000, Class::Media, u64::from(n) * STEP));
        estimator
    };
    let sent = |at: u64| {
        best(40_000, warm, move |estimator, n| {
            let n = n + 3000;
            estimator.sent(black_box(n as u16), 1200, Class::Media, u64::from(n) * at);
        })
    };
    line("sent, 200 packets a second", sent(STEP));
    line("sent, 5000 packets a second", sent(200));
    let (few, many) = (feedback(1500, 20), feedback(1500, 100));
    line("feedback on 20 packets, parsing included", few);
    line("feedback on 100 packets, parsing included", many);
    line("  per packet of these", many / 100.0);
    line("target", best(100_000, || reported(1000, 100).0, |estimator, _| _ = black_box(estimator.target_bps())));
    for slots in [2, 25] {
        let demands: Vec<Demand> =
            (0..slots).map(|n| Demand::new(n.min(2) as u8, [150_000, 500_000, 1_500_000], 2, Choice::default())).collect();
        line(
            &format!("allocate {slots} slots"),
            best(10_000, || demands.clone(), |demands, n| _ = black_box(allocate(BUDGET, demands, u64::from(n) * 100_000))),
        );
    }
    println!("an estimator is {} bytes, its history 16384 more once something is sent", size_of::<Estimator>());
}
