//! The estimator, prober and allocator together, over simulated links.

use super::simulation::*;
use super::*;

fn trace(name: &str, sim: &Simulation) {
    if std::env::var("TRACE").is_err() {
        return;
    }
    println!("== {name}");
    for chunk in sim.seen.targets.chunks(5) {
        let (at, target) = chunk[0];
        let changes: Vec<String> = sim
            .seen
            .changes
            .iter()
            .filter(|(t, ..)| (at..at + 500_000).contains(t))
            .map(|(t, slot, play)| format!("{:.2}s {slot}:{play:?}", *t as f64 / 1e6))
            .collect();
        let (p95, max) = sim.seen.queue_ms(at as f64 / 1e6, at as f64 / 1e6 + 0.5);
        println!("{:6.1} s {:7} kbit/s queue {p95:5.0}/{max:5.0} ms {}", at as f64 / 1e6, target / 1000, changes.join(" "));
    }
    println!("{:#?}", sim.figures());
}

/// Layer a slot plays, -1 for none.
fn layer(play: Play) -> i8 {
    match play {
        Play::Layer(layer) => layer as i8,
        Play::Paused | Play::Hidden => -1,
    }
}

impl Simulation {
    /// The lowest choice of a slot between two times.
    fn lowest(&self, slot: usize, from: f64, to: f64) -> i8 {
        let mut before = -1;
        let mut lowest = i8::MAX;
        for (at, which, play) in &self.seen.changes {
            let at = *at as f64 / 1e6;
            if *which == slot && at < to {
                if at >= from {
                    lowest = lowest.min(layer(*play)).min(before);
                }
                before = layer(*play);
            }
        }
        lowest.min(before)
    }
}

/// Runs with several seeds.
fn seeds(mut run: impl FnMut(u64)) {
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(10);
    let first: u64 = std::env::var("FIRST").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    (first..first + seeds).for_each(|seed| run(seed));
}

#[test]
fn most_of_a_three_megabit_link_is_found_within_five_seconds() {
    seeds(|seed| {
        let mut sim = Simulation::new(seed, LINK, &[1]);
        sim.run(60.0);
        trace("3 Mbit/s", &sim);
        let found = sim.seen.targets.iter().find(|(_, target)| *target >= 2_400_000).map(|(at, _)| *at).unwrap_or(u64::MAX);
        println!("found {seed}: after {found} us, mean {} queue {:?}", sim.seen.target(5.0, 60.0), sim.seen.queue_ms(5.0, 60.0));
        assert!(found <= 5 * SECOND, "seed {seed}");
        assert!((2_400_000..3_300_000).contains(&sim.seen.target(5.0, 60.0)), "seed {seed}");
        assert_eq!((sim.plays(0), sim.seen.changes(0, 5.0, 60.0)), (Play::Layer(2), 0), "seed {seed}");
    });
}

#[test]
fn a_link_that_shrinks_and_widens_is_followed() {
    seeds(|seed| {
        let mut sim = Simulation::new(seed, LINK, &[1]);
        sim.run(20.0);
        sim.link.bps = 600_000;
        sim.run(40.0);
        sim.link.bps = 3_000_000;
        sim.run(40.0);
        trace("3 - 0.6 - 3", &sim);
        let seen = &sim.seen;
        println!(
            "follow {seed}: target {} {} {}; queue in the drop's first 2 s {:?}, then {:?}; changes {:?}",
            seen.target(5.0, 20.0),
            seen.target(25.0, 60.0),
            seen.target(80.0, 100.0),
            seen.queue_ms(20.0, 22.0),
            seen.queue_ms(22.0, 60.0),
            seen.changes,
        );
        assert!((250_000..700_000).contains(&seen.target(25.0, 60.0)), "seed {seed}");
        assert!(seen.queue_ms(22.0, 60.0).1 < 200.0, "seed {seed}");
        assert!(seen.target(80.0, 100.0) > 2_000_000 && sim.plays(0) == Play::Layer(2), "seed {seed}");
        assert!((22..90).all(|at| seen.changes(0, f64::from(at), f64::from(at) + 10.0) <= 1), "seed {seed}");
        assert_eq!(sim.lowest(0, 0.5, 100.0), 0, "seed {seed}");
    });
}

#[test]
fn random_loss_alone_starves_nobody() {
    for (loss, least) in [(300, 0), (100, 1), (20, 2)] {
        seeds(|seed| {
            let mut sim = Simulation::new(seed, Link { loss, ..LINK }, &[1]);
            sim.run(60.0);
            trace("loss", &sim);
            println!(
                "loss {loss} {seed}: target {} layer {:?} lowest {} changes {} inherent {:.2}",
                sim.seen.target(10.0, 60.0),
                sim.plays(0),
                sim.lowest(0, 10.0, 60.0),
                sim.seen.changes.len(),
                sim.figures().inherent_loss
            );
            assert!(sim.lowest(0, 0.5, 60.0) >= 0, "seed {seed}");
            assert!(sim.lowest(0, 10.0, 60.0) >= least, "seed {seed}");
        });
    }
}

#[test]
fn loss_that_begins_later_is_survived_and_forgotten() {
    seeds(|seed| {
        let mut sim = Simulation::new(seed, LINK, &[1]);
        sim.run(20.0);
        sim.link.loss = 300;
        sim.run(40.0);
        sim.link.loss = 0;
        sim.run(40.0);
        trace("late loss", &sim);
        println!("late {seed}: {:?}", sim.seen.changes);
        assert!(sim.lowest(0, 1.0, 100.0) >= 0, "seed {seed}");
        assert_eq!(sim.plays(0), Play::Layer(2), "seed {seed}");
    });
}

#[test]
fn a_policer_is_respected() {
    seeds(|seed| {
        let mut sim = Simulation::new(seed, Link { policer: 1_000_000, ..LINK }, &[1]);
        sim.run(120.0);
        trace("policer", &sim);
        println!("policer {seed}: target {} {:?} {:?}", sim.seen.target(10.0, 120.0), sim.seen.changes, sim.figures());
        assert!(sim.seen.changes(0, 20.0, 120.0) <= 10, "seed {seed}");
        assert!(sim.lowest(0, 10.0, 120.0) >= 0, "seed {seed}");
    });
}

#[test]
fn what_others_use_is_left_to_them() {
    seeds(|seed| {
        let mut sim = Simulation::new(seed, Link { others: 1_500_000, ..LINK }, &[1]);
        sim.run(120.0);
        trace("others", &sim);
        println!(
            "others {seed}: target {} queue {:?} {:?}",
            sim.seen.target(10.0, 120.0),
            sim.seen.queue_ms(10.0, 120.0),
            sim.seen.changes
        );
        assert!(sim.lowest(0, 10.0, 120.0) >= 1, "seed {seed}");
        assert!(sim.seen.queue_ms(10.0, 120.0).0 < 200.0, "seed {seed}");
    });
}

#[test]
fn jitter_is_not_congestion() {
    for reorders in [false, true] {
        seeds(|seed| {
            let mut sim = Simulation::new(seed, Link { jitter: 30_000, reorders, ..LINK }, &[1]);
            sim.run(120.0);
            trace("jitter", &sim);
            println!("jitter {seed}: target {} {:?} {:?}", sim.seen.target(10.0, 120.0), sim.seen.changes, sim.figures().counters);
            assert!(sim.lowest(0, 40.0, 120.0) == 2, "seed {seed}");
        });
    }
}

#[test]
fn a_drifting_clock_and_its_wrap_are_not_congestion() {
    for drift_ppm in [-200, 200] {
        seeds(|seed| {
            // The 24-bit reference time turns negative after 2^23 and wraps after 2^24 units of 64 ms.
            let wrap = (1u64 << (23 + seed % 2)) * 64_000;
            let mut sim = Simulation::new(seed, Link { drift_ppm, ..LINK }, &[1]).remote_clock(wrap - 30 * SECOND);
            sim.run(120.0);
            trace("drift", &sim);
            println!("drift {seed}: target {} {:?}", sim.seen.target(5.0, 120.0), sim.seen.changes);
            assert!(sim.lowest(0, 5.0, 120.0) == 2, "seed {seed}");
        });
    }
}

#[test]
fn lost_feedback_is_waited_for() {
    seeds(|seed| {
        let mut sim = Simulation::new(seed, Link { feedback_loss: 200, ..LINK }, &[1]);
        sim.run(30.0);
        for _ in 0..5 {
            sim.link.feedback_loss = 1000;
            sim.run(1.0);
            sim.link.feedback_loss = 200;
            sim.run(9.0);
        }
        trace("feedback", &sim);
        println!("deaf {seed}: target {} {:?}", sim.seen.target(5.0, 80.0), sim.seen.changes);
        assert!(sim.lowest(0, 15.0, 80.0) == 2, "seed {seed}");
    });
}

#[test]
fn a_longer_path_is_another_path_and_not_a_queue() {
    seeds(|seed| {
        let mut sim = Simulation::new(seed, LINK, &[1]);
        sim.run(20.0);
        sim.link.delay = 125_000;
        sim.run(40.0);
        sim.link.delay = 10_000;
        sim.run(20.0);
        trace("path", &sim);
        println!("path {seed}: target {} {:?}", sim.seen.target(20.0, 60.0), sim.seen.changes);
        assert!(sim.lowest(0, 30.0, 80.0) == 2, "seed {seed}");
    });
}

#[test]
fn a_gallery_is_served_in_order_of_rank() {
    seeds(|seed| {
        let mut sim = Simulation::new(seed, LINK, &[2, 2, 2, 2, 2, 2, 1, 0]);
        sim.run(60.0);
        trace("gallery", &sim);
        println!(
            "gallery {seed}: target {} queue {:?} {:?} changes {}",
            sim.seen.target(10.0, 60.0),
            sim.seen.queue_ms(10.0, 60.0),
            (0..8).map(|slot| sim.plays(slot)).collect::<Vec<_>>(),
            sim.seen.changes.len()
        );
        assert!((0..8).all(|slot| sim.lowest(slot, 10.0, 60.0) >= 0), "seed {seed}");
        assert!(sim.plays(7) >= sim.plays(6));
    });
}

#[test]
fn zz_explore() {
    let base = LINK;
    let cases: Vec<(&str, Link, Vec<u8>)> = vec![
        ("1M", Link { bps: 1_000_000, queue: 40_000, ..base }, vec![1]),
        ("700k", Link { bps: 700_000, queue: 40_000, ..base }, vec![1]),
        ("300k", Link { bps: 300_000, queue: 40_000, ..base }, vec![1]),
        ("250k", Link { bps: 250_000, queue: 40_000, ..base }, vec![1]),
        ("120k", Link { bps: 120_000, queue: 40_000, ..base }, vec![1]),
        ("120k tile", Link { bps: 120_000, queue: 40_000, ..base }, vec![2]),
        ("10M gallery", Link { bps: 10_000_000, queue: 200_000, ..base }, vec![2; 12]),
        ("50M gallery", Link { bps: 50_000_000, queue: 500_000, ..base }, vec![2; 25]),
        ("3M gallery", Link { ..base }, vec![2; 25]),
        ("1.7M", Link { bps: 1_700_000, ..base }, vec![1]),
        ("1.5M", Link { bps: 1_500_000, ..base }, vec![1]),
        ("rtt300", Link { delay: 150_000, ..base }, vec![1]),
        ("feedback 50", Link { feedback_every: 50_000, ..base }, vec![1]),
        ("feedback 250", Link { feedback_every: 250_000, ..base }, vec![1]),
        ("shallow", Link { queue: 15_000, ..base }, vec![1]),
        ("shallow 1M", Link { bps: 1_000_000, queue: 10_000, ..base }, vec![1]),
        ("bloat", Link { bps: 1_000_000, queue: 1_000_000, ..base }, vec![1]),
        ("jitter 1M", Link { bps: 1_000_000, jitter: 30_000, ..base }, vec![1]),
        ("jitter loss", Link { jitter: 30_000, loss: 100, reorders: true, ..base }, vec![1]),
        ("jitter 100", Link { jitter: 100_000, reorders: true, ..base }, vec![1]),
        ("others 2.5M", Link { others: 2_500_000, ..base }, vec![1]),
        ("others 2.9M", Link { others: 2_900_000, ..base }, vec![1]),
        ("loss 30 1M", Link { bps: 1_000_000, loss: 300, ..base }, vec![1]),
        ("policer 300k", Link { policer: 300_000, ..base }, vec![1]),
        ("policer 2M", Link { policer: 2_000_000, ..base }, vec![1]),
    ];
    for (name, link, ranks) in cases {
        for seed in 0..4 {
            let mut sim = Simulation::new(seed, link, &ranks);
            sim.run(120.0);
            if std::env::var("CASE").is_ok_and(|c| c == name) { trace(name, &sim); }
            let f = sim.figures();
            println!(
                "{name:12} target {:8} arriving {:8} queue {:?} audio {:.3} plays {:?} changes {} after 20s {} dec {} trains {}/{} pad {} inh {:.2} {:?}",
                sim.seen.target(20.0, 120.0),
                f.arriving_bps,
                sim.seen.queue_ms(20.0, 120.0),
                sim.seen.audio.1 as f64 / sim.seen.audio.0 as f64,
                (0..ranks.len()).map(|s| layer(sim.plays(s))).collect::<Vec<_>>(),
                sim.seen.changes.len(),
                sim.seen.changes.iter().filter(|c| c.0 > 20 * SECOND).count(),
                f.counters.decreases,
                f.counters.trains_worthwhile,
                f.counters.trains,
                f.counters.padding_bytes,
                f.inherent_loss,
                if ranks.len() == 1 { sim.seen.changes.iter().map(|c| format!("{:.1}:{}", c.0 as f64 / 1e6, layer(c.2))).collect() } else { vec![] },
            );
        }
    }
}
