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
fn seeds(run: impl FnMut(u64)) {
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(10);
    let first: u64 = std::env::var("FIRST").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    (first..first + seeds).for_each(run);
}

#[test]
fn most_of_a_three_megabit_link_is_found_within_five_seconds() {
    let slow_feedback = Link { feedback_every: 250_000, ..LINK };
    let far = Link { delay: 150_000, ..LINK };
    let shallow = Link { queue: 15_000, ..LINK };
    for link in [LINK, slow_feedback, far, shallow] {
        seeds(|seed| {
            let mut sim = Simulation::new(seed, link, &[1]);
            sim.run(60.0);
            trace("3 Mbit/s", &sim);
            let found = sim.seen.targets.iter().find(|(_, target)| *target >= 2_400_000).map_or(u64::MAX, |(at, _)| *at);
            println!("found {seed}: after {found} us, then {} queue {:?}", sim.seen.target(5.0, 60.0), sim.seen.queue_ms(5.0, 60.0));
            assert!(found <= 5 * SECOND, "seed {seed}");
            assert!((2_400_000..3_300_000).contains(&sim.seen.target(5.0, 60.0)), "seed {seed}");
            assert_eq!((sim.plays(0), sim.seen.changes(0, 5.0, 60.0)), (Play::Layer(2), 0), "seed {seed}");
        });
    }
}

#[test]
fn a_thin_link_carries_audio_and_what_fits_beside_it() {
    for (bps, plays) in [(1_000_000, 1), (300_000, 0), (250_000, 0), (120_000, -1)] {
        seeds(|seed| {
            let mut sim = Simulation::new(seed, Link { bps, queue: 40_000, ..LINK }, &[1]);
            sim.run(60.0);
            trace("thin", &sim);
            println!("thin {bps} {seed}: target {} queue {:?}", sim.seen.target(10.0, 60.0), sim.seen.queue_ms(10.0, 60.0));
            assert_eq!((layer(sim.plays(0)), sim.seen.changes(0, 10.0, 60.0)), (plays, 0), "{bps} seed {seed}");
            assert!(sim.seen.queue_ms(10.0, 60.0).0 < 150.0, "{bps} seed {seed}");
            assert!(sim.seen.audio.1 + 20 >= sim.seen.audio.0, "{bps} seed {seed}");
        });
    }
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
fn the_key_frame_a_step_up_asks_for_does_not_take_it_back() {
    // A key frame is a third of a second of its layer: the second around it takes a third more.
    for bps in [600_000, 680_000, 750_000] {
        seeds(|seed| {
            let mut sim = Simulation::new(seed, Link { key_frame: 11, ..LINK }, &[1]);
            sim.run(20.0);
            sim.link.bps = bps;
            sim.run(60.0);
            trace("key frame", &sim);
            println!("key frame {bps} {seed}: {:?} queue {:?}", sim.seen.changes, sim.seen.queue_ms(25.0, 80.0));
            assert!((22..55).all(|at| sim.seen.changes(0, f64::from(at), f64::from(at) + 25.0) <= 2), "{bps} seed {seed}");
        });
    }
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
            assert!(sim.seen.audio.1 * 1000 > sim.seen.audio.0 * (970 - loss as u64), "seed {seed}");
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
fn moderate_loss_that_stays_after_a_burst_holds_nobody_down() {
    for loss in [50, 60, 80] {
        seeds(|seed| {
            let mut sim = Simulation::new(seed, LINK, &[1]);
            sim.run(20.0);
            sim.link.loss = 300;
            sim.run(2.0);
            sim.link.loss = loss;
            sim.run(80.0);
            trace("after a burst", &sim);
            let back = sim.seen.changes.iter().find(|(at, _, play)| *at > 22 * SECOND && *play == Play::Layer(2));
            println!("burst {loss} {seed}: {back:?} {:?}", sim.seen.changes);
            assert!(back.is_some(), "{loss} seed {seed}");
        });
    }
}

#[test]
fn a_narrow_link_with_hardly_a_queue_is_not_flooded() {
    for (bps, queue) in [(600_000, 2_500), (600_000, 8_000), (750_000, 2_500)] {
        seeds(|seed| {
            let mut sim = Simulation::new(seed, Link { bps, queue, ..LINK }, &[1]);
            sim.run(20.0);
            sim.seen.passed = (0, 0);
            sim.run(180.0);
            trace("shallow", &sim);
            let (passed, lost) = sim.seen.passed;
            println!("shallow {bps} {queue} {seed}: lost {lost} of {}, target {}", passed + lost, sim.seen.target(20.0, 200.0));
            assert!(lost * 10 < passed + lost, "{bps} {queue} seed {seed}");
        });
    }
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
    // The last leaves less than the lowest layer: others keep the queue full, audio has to get through.
    for (others, least, most_ms) in [(1_500_000, 1, 100.0), (2_500_000, -1, 150.0), (2_900_000, -1, 200.0)] {
        seeds(|seed| {
            let mut sim = Simulation::new(seed, Link { others, ..LINK }, &[1]);
            sim.run(120.0);
            trace("others", &sim);
            let (target, queue) = (sim.seen.target(10.0, 120.0), sim.seen.queue_ms(10.0, 120.0));
            println!("others {others} {seed}: target {target} queue {queue:?} {:?}", sim.seen.changes);
            assert!(sim.lowest(0, 10.0, 120.0) >= least, "seed {seed}");
            assert!(queue.0 < most_ms, "seed {seed}");
            assert!(sim.seen.audio.1 * 1000 > sim.seen.audio.0 * 980, "seed {seed}");
        });
    }
}

#[test]
fn jitter_is_not_congestion() {
    for (jitter, reorders, least) in [(30_000, false, 2), (30_000, true, 2), (100_000, true, 0)] {
        seeds(|seed| {
            let mut sim = Simulation::new(seed, Link { jitter, reorders, ..LINK }, &[1]);
            sim.run(120.0);
            trace("jitter", &sim);
            println!("jitter {jitter} {seed}: target {} {:?}", sim.seen.target(10.0, 120.0), sim.seen.changes);
            assert!(sim.lowest(0, 40.0, 120.0) >= least, "seed {seed}");
            assert!(sim.figures().counters.decreases <= 4, "seed {seed}");
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
            assert!(sim.lowest(0, 5.0, 120.0) == 2, "seed {seed}");
            assert_eq!(sim.figures().counters.decreases, 0, "seed {seed}");
            // What arrives is still being measured.
            assert!(sim.figures().arriving_bps > 1_000_000, "seed {seed}");
            sim.look_at(0, -1);
            sim.run(3.0);
            assert!(sim.figures().arriving_bps < 100_000, "seed {seed}");
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
        let plays: Vec<i8> = (0..8).map(|slot| layer(sim.plays(slot))).collect();
        println!("gallery {seed}: target {} queue {:?} {plays:?}", sim.seen.target(10.0, 60.0), sim.seen.queue_ms(10.0, 60.0));
        assert!((0..8).all(|slot| sim.lowest(slot, 10.0, 60.0) >= 0), "seed {seed}");
        assert!(plays[7] >= plays[6] && plays[6] >= 1, "seed {seed}");
        assert!(sim.seen.queue_ms(10.0, 60.0).0 < 200.0, "seed {seed}");
    });
}

#[test]
fn a_large_gallery_fills_a_fast_link() {
    seeds(|seed| {
        let mut sim = Simulation::new(seed, Link { bps: 10_000_000, queue: 200_000, ..LINK }, &[2; 12]);
        sim.run(60.0);
        trace("fast", &sim);
        println!("fast {seed}: target {} queue {:?}", sim.seen.target(10.0, 60.0), sim.seen.queue_ms(10.0, 60.0));
        assert!(sim.seen.target(10.0, 60.0) > 8_000_000, "seed {seed}");
        assert!((0..12).all(|slot| sim.lowest(slot, 10.0, 60.0) >= 0), "seed {seed}");
    });
}

#[test]
fn nothing_is_lost_by_looking_away() {
    seeds(|seed| {
        let mut sim = Simulation::new(seed, LINK, &[1]);
        sim.run(20.0);
        let before = sim.estimator.target_bps();
        sim.look_at(0, -1);
        sim.run(60.0);
        assert_eq!(sim.plays(0), Play::Hidden);
        assert!(sim.estimator.target_bps() >= before, "seed {seed}: who sends little is not slow");
        sim.look_at(0, 2);
        sim.run(0.5);
        assert_eq!(sim.plays(0), Play::Layer(2), "seed {seed}");
    });
}
