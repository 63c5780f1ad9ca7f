//! A seeded link and a viewer behind it, for tests: a forwarder with simulcast layers and audio that can only choose layers and
//! send padding, exactly as the engine does; the receiver's feedback is written and parsed as RTCP.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::{allocate, Budget, Choice, Class, Demand, Estimator, Figures, Play};
use crate::rate::Rate;
use crate::rtcp::{self, Builder, Packet};
use crate::testing::Noise;
use crate::twcc::Recorder;

pub const SECOND: u64 = 1_000_000;
const TICK: u64 = 1_000;
/// Layers as the tests' publishers send them, bits/s.
pub const LAYERS: [u64; 3] = [150_000, 500_000, 1_500_000];
pub const AUDIO_BPS: u64 = 40_000;
const FRAME: u64 = 33_333;
/// A key frame of another layer arrives this long after it was asked for; until then the old layer goes on.
const SWITCH: u64 = 150_000;

/// A path with one bottleneck. Times in microseconds, losses per mille.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    pub bps: u64,
    /// Drop-tail, bytes.
    pub queue: u64,
    /// One way, each way.
    pub delay: u64,
    /// Up to this much more for any packet, chance deciding.
    pub jitter: u64,
    /// May jitter reorder?
    pub reorders: bool,
    pub loss: usize,
    pub feedback_loss: usize,
    pub feedback_every: u64,
    /// Constant traffic of others through the bottleneck, bits/s.
    pub others: u64,
    /// A token bucket of 20 KB in place of a queue, bits/s; 0 = none.
    pub policer: u64,
    pub drift_ppm: i64,
    /// The key frame of a change of layer is as large as so many others.
    pub key_frame: u64,
}

pub const LINK: Link = Link {
    bps: 3_000_000,
    queue: 75_000,
    delay: 25_000,
    jitter: 1_000,
    reorders: false,
    loss: 0,
    feedback_loss: 0,
    feedback_every: 100_000,
    others: 0,
    policer: 0,
    drift_ppm: 0,
    key_frame: 5,
};

struct Slot {
    choice: Choice,
    rank: u8,
    max_layer: i8,
    /// What is being sent, and what a key frame is awaited of since when.
    playing: Option<usize>,
    awaited: Option<(usize, u64)>,
    frame_at: u64,
    key_at: u64,
    rates: [Rate; 3],
}

/// What was seen, for the tests to judge.
#[derive(Default)]
pub struct Seen {
    /// (time, target) each 100 ms.
    pub targets: Vec<(u64, u64)>,
    /// (time, slot, choice).
    pub changes: Vec<(u64, usize, Play)>,
    /// (time, queueing delay in the bottleneck) of each packet of ours.
    pub waits: Vec<(u64, u64)>,
    pub audio: (u64, u64),
    /// Packets of ours that the bottleneck let through, and had no room for.
    pub passed: (u64, u64),
}

pub struct Simulation {
    pub now: u64,
    pub link: Link,
    pub estimator: Estimator,
    pub seen: Seen,
    noise: Noise,
    slots: Vec<Slot>,
    number: u16,
    free_at: u64,
    others_at: u64,
    tokens: f64,
    tokens_at: u64,
    last_arrival: u64,
    audio_at: u64,
    feedback_at: u64,
    flying: BinaryHeap<Reverse<(u64, u16, bool)>>,
    reports: BinaryHeap<Reverse<(u64, Vec<u8>)>>,
    recorder: Recorder,
    remote_offset: u64,
    wanted: u64,
    sample_at: u64,
    begun: Instant,
}

impl Simulation {
    /// One slot of `rank` for each given.
    pub fn new(seed: u64, link: Link, ranks: &[u8]) -> Simulation {
        let mut noise = Noise::new(seed);
        let slots = ranks
            .iter()
            .map(|rank| Slot {
                choice: Choice::default(),
                rank: *rank,
                max_layer: 2,
                playing: None,
                awaited: None,
                frame_at: noise.below(FRAME as usize) as u64,
                key_at: noise.below(5_000_000) as u64,
                rates: Default::default(),
            })
            .collect();
        Simulation {
            now: 0,
            link,
            estimator: Estimator::new(0, super::START_BPS),
            seen: Seen::default(),
            noise,
            slots,
            number: 65_000,
            free_at: 0,
            others_at: 0,
            tokens: 20_000.0,
            tokens_at: 0,
            last_arrival: 0,
            audio_at: 0,
            feedback_at: 0,
            flying: BinaryHeap::new(),
            reports: BinaryHeap::new(),
            recorder: Recorder::new(),
            remote_offset: 77_000_000,
            wanted: 0,
            sample_at: 0,
            begun: Instant::now(),
        }
    }

    /// The remote's clock starts here, microseconds.
    pub fn remote_clock(mut self, offset: u64) -> Simulation {
        self.remote_offset = offset;
        self
    }

    pub fn look_at(&mut self, slot: usize, max_layer: i8) {
        self.slots[slot].max_layer = max_layer;
    }

    pub fn plays(&self, slot: usize) -> Play {
        self.slots[slot].choice.play
    }

    pub fn figures(&self) -> Figures {
        self.estimator.figures()
    }

    pub fn run(&mut self, seconds: f64) {
        let end = self.now + (seconds * SECOND as f64) as u64;
        while self.now < end {
            self.now += TICK;
            self.receive();
            self.play();
            if self.estimator.due().is_some_and(|at| at <= self.now) {
                self.estimator.timeout(self.now);
                self.probe();
            }
            if self.now >= self.sample_at {
                self.sample_at += 100_000;
                self.seen.targets.push((self.now, self.estimator.target_bps()));
            }
        }
    }

    /// Audio and the frames of the layers played.
    fn play(&mut self) {
        if self.now >= self.audio_at {
            self.audio_at += 20_000;
            self.seen.audio.0 += 1;
            self.send(100, Class::Media, true);
        }
        for at in 0..self.slots.len() {
            let now = self.now;
            let slot = &mut self.slots[at];
            if now < slot.frame_at {
                continue;
            }
            slot.frame_at += FRAME;
            let mut frames = if now >= slot.key_at { 5 } else { 1 };
            if let Some((layer, _)) = slot.awaited.filter(|(_, since)| now >= since + SWITCH) {
                (slot.playing, slot.awaited, frames) = (Some(layer), None, self.link.key_frame);
            }
            if frames > 1 {
                slot.key_at = now + 5 * SECOND;
            }
            let vary = 70 + self.noise.below(61) as u64;
            let bytes = LAYERS.map(|rate| rate / 8 * FRAME / SECOND * vary / 100 * frames);
            let at = self.begun + Duration::from_micros(now);
            slot.rates.iter_mut().zip(bytes).for_each(|(rate, bytes)| rate.add(bytes as usize, at));
            let mut left = slot.playing.map_or(0, |layer| bytes[layer]);
            while left > 0 {
                let bytes = left.min(1200);
                self.send(bytes, Class::Media, false);
                left -= bytes;
            }
        }
    }

    fn send(&mut self, bytes: u64, class: Class, audio: bool) {
        self.estimator.sent(self.number, bytes as usize, class, self.now);
        let number = self.number;
        self.number = number.wrapping_add(1);
        if self.link.policer > 0 && !self.police(bytes) {
            return;
        }
        let Some(mut arrival) = self.queue(bytes) else { return };
        if self.noise.below(1000) < self.link.loss {
            return;
        }
        arrival += self.link.delay + self.noise.below(self.link.jitter as usize + 1) as u64;
        if !self.link.reorders {
            arrival = arrival.max(self.last_arrival);
        }
        self.last_arrival = arrival;
        self.flying.push(Reverse((arrival, number, audio)));
    }

    fn police(&mut self, bytes: u64) -> bool {
        let earned = (self.now - self.tokens_at) as f64 * self.link.policer as f64 / 8e6;
        self.tokens = (self.tokens + earned).min(20_000.0);
        self.tokens_at = self.now;
        let pass = self.tokens >= bytes as f64;
        if pass {
            self.tokens -= bytes as f64;
        }
        pass
    }

    /// When the bottleneck has passed it on; None if its queue is full.
    fn queue(&mut self, bytes: u64) -> Option<u64> {
        let time = |bytes: u64, bps: u64| bytes * 8 * SECOND / bps;
        while self.link.others > 0 && self.others_at <= self.now {
            self.free_at = self.free_at.max(self.others_at);
            if (self.free_at - self.others_at) * self.link.bps / 8 / SECOND < self.link.queue {
                self.free_at += time(1200, self.link.bps);
            }
            self.others_at += time(1200, self.link.others);
        }
        self.others_at = self.others_at.max(self.now);
        self.free_at = self.free_at.max(self.now);
        let wait = self.free_at - self.now;
        if wait * self.link.bps / 8 / SECOND + bytes > self.link.queue {
            self.seen.passed.1 += 1;
            return None;
        }
        self.seen.passed.0 += 1;
        self.seen.waits.push((self.now, wait));
        self.free_at += time(bytes, self.link.bps);
        Some(self.free_at)
    }

    fn receive(&mut self) {
        while let Some(Reverse((at, number, audio))) = self.flying.peek().copied().filter(|Reverse((at, ..))| *at <= self.now) {
            self.flying.pop();
            let clock = self.remote_offset + (at as i64 + at as i64 * self.link.drift_ppm / 1_000_000) as u64;
            self.recorder.record(number, clock);
            self.seen.audio.1 += u64::from(audio);
        }
        if self.now >= self.feedback_at {
            self.feedback_at += self.link.feedback_every;
            let mut out = vec![0; 1200];
            let mut builder = Builder::new(&mut out);
            if builder.twcc(&mut self.recorder, 1, 2).unwrap() {
                let len = builder.finish();
                out.truncate(len);
                if self.noise.below(1000) >= self.link.feedback_loss {
                    let jitter = self.noise.below(self.link.jitter as usize + 1) as u64;
                    self.reports.push(Reverse((self.now + self.link.delay + jitter, out)));
                }
            }
        }
        while self.reports.peek().is_some_and(|Reverse((at, _))| *at <= self.now) {
            let Some(Reverse((_, report))) = self.reports.pop() else { return };
            let Some(Ok(Packet::Twcc(feedback))) = rtcp::parse(&report).unwrap().next() else { panic!("not feedback") };
            self.estimator.feedback(&feedback, self.now);
            self.allocate();
            self.probe();
        }
    }

    fn allocate(&mut self) {
        let now = self.begun + Duration::from_micros(self.now);
        let mut demands: Vec<Demand> = self
            .slots
            .iter_mut()
            .map(|slot| {
                let rates = slot.rates.each_mut().map(|rate| u64::from(rate.bits_per_second(now)));
                Demand::new(slot.rank, rates, slot.max_layer, slot.choice)
            })
            .collect();
        let budget = Budget { bps: self.estimator.target_bps(), audio_bps: AUDIO_BPS, was_full: self.estimator.was_full() };
        self.wanted = allocate(budget, &mut demands, self.now).wanted_bps;
        for (at, (slot, demand)) in self.slots.iter_mut().zip(&demands).enumerate() {
            if slot.choice.play != demand.choice.play {
                self.seen.changes.push((self.now, at, demand.choice.play));
                match demand.choice.play {
                    Play::Layer(layer) => slot.awaited = Some((usize::from(layer), self.now)),
                    Play::Hidden | Play::Paused => (slot.playing, slot.awaited) = (None, None),
                }
            }
            slot.choice = demand.choice;
        }
    }

    fn probe(&mut self) {
        if let Some(probe) = self.estimator.next_probe(self.now, self.wanted) {
            let mut left = probe.bytes as u64;
            while left > 0 {
                let bytes = left.clamp(60, 1200);
                self.send(bytes, Class::Padding, false);
                left = left.saturating_sub(bytes);
            }
        }
    }
}

impl Seen {
    /// Mean target between two times, bits/s.
    pub fn target(&self, from: f64, to: f64) -> u64 {
        let within: Vec<u64> = self.targets.iter().filter(|(at, _)| within(*at, from, to)).map(|(_, target)| *target).collect();
        within.iter().sum::<u64>() / within.len().max(1) as u64
    }

    /// Changes of a slot between two times.
    pub fn changes(&self, slot: usize, from: f64, to: f64) -> usize {
        self.changes.iter().filter(|(at, which, _)| *which == slot && within(*at, from, to)).count()
    }

    /// (95th percentile, most) of the queueing delay between two times, ms.
    pub fn queue_ms(&self, from: f64, to: f64) -> (f64, f64) {
        let mut waits: Vec<u64> = self.waits.iter().filter(|(at, _)| within(*at, from, to)).map(|(_, wait)| *wait).collect();
        waits.sort_unstable();
        let at = |share: usize| waits.get((waits.len() * share / 1000).min(waits.len().saturating_sub(1))).copied().unwrap_or(0);
        (at(950) as f64 / 1000.0, at(1000) as f64 / 1000.0)
    }
}

fn within(at: u64, from: f64, to: f64) -> bool {
    (from..to).contains(&(at as f64 / SECOND as f64))
}
