//! The estimator's own contract: timers, figures, and peers whose feedback is nonsense or a lie (G12).

use super::*;
use crate::testing::{damaged, Noise};
use crate::twcc::{Feedback, Recorder};

const S: u64 = 1_000_000;

/// A feedback body: header, then one run-length chunk per (symbol, length), then the deltas.
fn body(base: u16, count: u16, reference: u32, chunks: &[(u16, u16)], deltas: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 1, 0, 0, 0, 2];
    out.extend(base.to_be_bytes());
    out.extend(count.to_be_bytes());
    out.extend(&reference.to_be_bytes()[1..]);
    out.push(0);
    chunks.iter().for_each(|(symbol, len)| out.extend((symbol << 13 | len).to_be_bytes()));
    out.extend(deltas);
    out
}

fn tell(estimator: &mut Estimator, body: &[u8], now_us: u64) {
    if let Some(feedback) = Feedback::parse(body) {
        estimator.feedback(&feedback, now_us);
    }
}

/// Honest feedback about `number`, sent at `now_us`, arriving 20 ms later.
fn acknowledge(estimator: &mut Estimator, number: u16, now_us: u64) {
    let ticks = (now_us + 20_000) / 250;
    let bytes = body(number, 1, (ticks / 256) as u32, &[(1, 1)], &[(ticks % 256) as u8]);
    tell(estimator, &bytes, now_us + 40_000);
}

/// Sends a packet each 10 ms from `from` to `to`, acknowledged or not; returns the next number.
fn talk(estimator: &mut Estimator, mut number: u16, from: u64, to: u64, heard: bool) -> u16 {
    for now in (from..to).step_by(10_000) {
        estimator.sent(number, 500, Class::Media, now);
        if heard {
            acknowledge(estimator, number, now);
        }
        while estimator.due().is_some_and(|at| at <= now) {
            estimator.timeout(now);
            estimator.next_probe(now, 0);
        }
        number = number.wrapping_add(1);
    }
    number
}

fn in_bounds(estimator: &Estimator) {
    let figures = estimator.figures();
    assert!((MIN_BPS..=MAX_BPS).contains(&figures.target_bps), "{figures:?}");
    assert!((0.0..=1.0).contains(&figures.loss) && (0.0..1.0).contains(&figures.inherent_loss), "{figures:?}");
}

#[test]
fn silence_is_held_for_a_while_and_then_backed_off_from() {
    let mut estimator = Estimator::new(0, 1_000_000);
    let number = talk(&mut estimator, 0, 0, S, true);
    let before = estimator.target_bps();
    let number = talk(&mut estimator, number, S, 2 * S, false);
    assert_eq!(estimator.target_bps(), before);
    let number = talk(&mut estimator, number, 2 * S, 5 * S, false);
    assert!((before / 8..before / 2).contains(&estimator.target_bps()), "{}", estimator.target_bps());
    let number = talk(&mut estimator, number, 5 * S, 60 * S, false);
    assert_eq!((estimator.target_bps(), estimator.due()), (MIN_BPS, None));
    talk(&mut estimator, number, 60 * S, 75 * S, true);
    assert!(estimator.target_bps() > 2 * MIN_BPS, "{}", estimator.target_bps());
}

#[test]
fn a_peer_that_never_reports_or_is_sent_nothing_keeps_its_start() {
    let mut estimator = Estimator::new(0, START_BPS);
    talk(&mut estimator, 0, 0, 20 * S, false);
    assert_eq!((estimator.target_bps(), estimator.due()), (START_BPS, None));
    let mut quiet = Estimator::new(0, START_BPS);
    talk(&mut quiet, 0, 0, S, true);
    let before = quiet.target_bps();
    assert_eq!(quiet.due(), None);
    quiet.timeout(100 * S);
    assert_eq!(quiet.target_bps(), before);
}

#[test]
fn the_start_is_kept_within_the_bounds_and_another_path_begins_anew() {
    assert_eq!(Estimator::new(0, 0).target_bps(), MIN_BPS);
    assert_eq!(Estimator::new(0, u64::MAX).target_bps(), MAX_BPS);
    let mut estimator = Estimator::new(0, 2_000_000);
    let number = talk(&mut estimator, 0, 0, S, true);
    assert_eq!(estimator.figures().rtt_us, 40_000);
    estimator.path_changed(S, START_BPS);
    assert_eq!((estimator.target_bps(), estimator.figures().rtt_us), (START_BPS, 0));
    talk(&mut estimator, number, S, 2 * S, true);
    assert!(estimator.target_bps() >= START_BPS);
}

#[test]
fn padding_is_asked_for_at_the_rate_only_when_more_is_wanted() {
    let mut estimator = Estimator::new(0, START_BPS);
    assert_eq!(estimator.next_probe(0, 10 * S), None, "nothing was heard yet");
    let number = talk(&mut estimator, 0, 0, S, true);
    assert_eq!(estimator.next_probe(S, 0), None);
    let (mut number, mut bytes) = (number, 0);
    for now in (S..S + 100_000).step_by(1000) {
        if let Some(probe) = estimator.next_probe(now, 3_000_000) {
            assert_eq!(probe.rate_bps, 2 * estimator.target_bps());
            estimator.sent(number, probe.bytes, Class::Padding, now);
            number = number.wrapping_add(1);
            bytes += probe.bytes as u64;
        }
    }
    let expected = 2 * estimator.target_bps() / 8 / 20;
    assert!((expected * 9 / 10..=expected * 11 / 10).contains(&bytes), "{bytes} of {expected}");
    assert_eq!(estimator.figures().counters.padding_bytes, bytes);
}

#[test]
fn g12_feedback_beyond_what_was_sent_is_refused_and_its_numbers_mean_nothing() {
    let mut estimator = Estimator::new(0, START_BPS);
    talk(&mut estimator, 0, 0, S, true);
    let before = estimator.target_bps();
    tell(&mut estimator, &body(0, 5000, 16, &[(0, 5000)], &[]), S);
    assert_eq!(estimator.figures().counters.refused, 1);
    tell(&mut estimator, &body(100, 64, 16, &[(1, 64)], &[0; 64]), S);
    assert_eq!((estimator.figures().counters.unknown, estimator.target_bps()), (64, before));
    // The same lie over and over uses up the credit of what was sent.
    for n in 0..1000 {
        tell(&mut estimator, &body(0, 100, 16, &[(1, 100)], &[0; 100]), S + n);
    }
    assert!(estimator.figures().counters.refused > 990);
    assert_eq!(estimator.target_bps(), before);
}

#[test]
fn g12_a_claim_of_nothing_or_of_everything_stays_within_the_bounds() {
    // Everything lost; everything at once; every delay longer than the last; time running backwards.
    for lie in 0..4u64 {
        let mut estimator = Estimator::new(0, START_BPS);
        for n in 0..6000u64 {
            let now = n * 10_000;
            estimator.sent(n as u16, 1200, Class::Media, now);
            let (symbol, ticks) = match lie {
                0 => (0, 0),
                1 => (1, n / 100),
                2 => (1, now / 250 + n * n / 10),
                _ => (1, u64::from(u32::MAX) - now / 250),
            };
            let reference = ((ticks / 256) & 0xff_ffff) as u32;
            let deltas = [(ticks % 256) as u8];
            tell(&mut estimator, &body(n as u16, 1, reference, &[(symbol, 1)], &deltas[..usize::from(symbol)]), now + 1000);
            in_bounds(&estimator);
        }
        let (target, lost) = (estimator.target_bps(), estimator.figures().loss);
        match lie {
            0 => assert!(lost == 1.0 && target <= START_BPS, "{target}"),
            2 => assert!(target < 200_000, "{target}"),
            _ => assert!(target <= MAX_BPS),
        }
    }
}

#[test]
fn no_feedback_panics_or_leaves_the_bounds() {
    for seed in 0..300u64 {
        let mut noise = Noise::new(seed);
        let mut estimator = Estimator::new(0, noise.below(100_000_000) as u64);
        let (mut now, mut number) = (noise.next() >> (16 + noise.below(40)), noise.next() as u16);
        for _ in 0..400 {
            now += if noise.one_in(200) { noise.next() >> 30 } else { noise.below(20_000) as u64 };
            for _ in 0..noise.below(8) {
                let class = [Class::Media, Class::Rtx, Class::Padding][noise.below(3)];
                estimator.sent(number, noise.below(3000), class, now);
                number = number.wrapping_add(if noise.one_in(500) { noise.next() as u16 } else { 1 });
            }
            let count = noise.below(40) as u16 + 1;
            let base = if noise.one_in(10) { noise.next() as u16 } else { number.wrapping_sub(noise.below(60) as u16) };
            let reference = if noise.one_in(5) { noise.next() as u32 & 0xff_ffff } else { (now / 64_000) as u32 & 0xff_ffff };
            let symbol = noise.below(3) as u16;
            let deltas = noise.bytes(usize::from(symbol * count));
            tell(&mut estimator, &body(base, count, reference, &[(symbol, count)], &deltas), now);
            estimator.next_probe(now, noise.next() >> noise.below(64));
            estimator.timeout(now);
            if noise.one_in(100) {
                estimator.path_changed(now, noise.next());
            }
            in_bounds(&estimator);
        }
    }
}

#[test]
fn damaged_feedback_is_survived() {
    let mut recorder = Recorder::new();
    (0..60u16).filter(|n| n % 7 != 3).for_each(|n| recorder.record(n, 1_000_000 + u64::from(n) * 9_000));
    let mut out = [0; 400];
    let mut builder = crate::rtcp::Builder::new(&mut out);
    assert!(builder.twcc(&mut recorder, 1, 2).unwrap());
    let len = builder.finish();
    let mut estimator = Estimator::new(0, START_BPS);
    let mut now = 0;
    damaged(&[out[4..len].to_vec()], 20_000, |bytes| {
        now += 5_000;
        estimator.sent((now / 5_000) as u16, 1000, Class::Media, now);
        tell(&mut estimator, bytes, now);
        in_bounds(&estimator);
    });
}

#[test]
fn that_the_old_path_was_full_says_nothing_of_the_new_one() {
    let mut estimator = Estimator::new(0, START_BPS);
    let number = talk(&mut estimator, 0, 0, S, true);
    assert!(!estimator.was_full());
    // Each packet queues longer than the one before.
    for n in 0..200u64 {
        let now = S + n * 10_000;
        let ticks = (now + 20_000 + n * 5_000) / 250;
        estimator.sent(number.wrapping_add(n as u16), 500, Class::Media, now);
        let bytes = body(number.wrapping_add(n as u16), 1, (ticks / 256) as u32, &[(1, 1)], &[(ticks % 256) as u8]);
        tell(&mut estimator, &bytes, now + 40_000 + n * 5_000);
    }
    assert!(estimator.was_full() && estimator.figures().counters.decreases > 0);
    estimator.path_changed(5 * S, START_BPS);
    assert!(!estimator.was_full());
}
