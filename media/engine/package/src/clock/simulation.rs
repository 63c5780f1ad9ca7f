//! Hours of class with bad clocks: how far apart two tracks end up that show the same instant.

use super::Clock;
use crate::lipsync::LipSync;

/// Deterministic numbers (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

const HOUR_US: u64 = 3_600_000_000;

/// One person's machine: its wall clock is wrong and drifts, its media clocks drift each on their own.
#[derive(Clone, Copy)]
struct Person {
    wall_us: i64,
    wall_ppm: i64,
    audio_ppm: i64,
    path_us: u64,
}

struct Stream {
    clock: Clock,
    rate: u32,
    ppm: i64,
    /// From the instant to the wire.
    encode_us: u64,
    step_us: u64,
    first_timestamp: u32,
    next_us: u64,
    sequence: u64,
    /// (true instant, mark)
    marks: std::collections::VecDeque<(u64, crate::reorder::Mark)>,
    /// Added to RTP time by a sender that begins anew.
    shift: u32,
    /// Errors by second of class: server time given - true instant.
    errors: Vec<Option<i64>>,
    muted_until: u64,
}

impl Stream {
    fn new(rate: u32, ppm: i64, encode_us: u64, step_us: u64, first_timestamp: u32) -> Self {
        let (clock, marks) = (Clock::new(rate), std::collections::VecDeque::new());
        Self {
            clock,
            rate,
            ppm,
            encode_us,
            step_us,
            first_timestamp,
            next_us: 0,
            sequence: 1,
            marks,
            shift: 0,
            errors: Vec::new(),
            muted_until: 0,
        }
    }

    fn timestamp(&self, at_us: u64) -> u32 {
        let own = i128::from(at_us) + i128::from(at_us) * i128::from(self.ppm) / 1_000_000;
        self.first_timestamp.wrapping_add((own * i128::from(self.rate) / 1_000_000) as u32).wrapping_add(self.shift)
    }

    fn drain(&mut self) {
        while let Some((at, us)) = self.marks.front().and_then(|&(at, mark)| Some((at, self.clock.map(mark)?))) {
            self.marks.pop_front();
            let second = (at / 1_000_000) as usize;
            self.errors.resize(self.errors.len().max(second + 1), None);
            self.errors[second] = Some(us - at as i64);
        }
    }
}

/// Runs a class of three and returns (within, between): p95 and maximum of |skew| in microseconds.
fn class(hours: u64, seed: u64, jitter_us: u64) -> [(i64, i64); 2] {
    let mut dice = Dice(seed);
    let people = [
        Person { wall_us: 7_000_000_000, wall_ppm: 100, audio_ppm: 100, path_us: 12_000 },
        Person { wall_us: 1_000_000_000_000, wall_ppm: -100, audio_ppm: -100, path_us: 30_000 },
        Person { wall_us: 86_400_000_000, wall_ppm: 40, audio_ppm: -70, path_us: 20_000 },
    ];
    // Video clocks are the machine's; sound cards have their own. All timestamps wrap.
    let mut streams: Vec<[Stream; 2]> = people
        .iter()
        .map(|p| {
            let audio = Stream::new(48_000, p.audio_ppm, 25_000, 20_000, u32::MAX - 48_000 * 600);
            [audio, Stream::new(90_000, p.wall_ppm, 75_000, 33_333, u32::MAX - 90_000 * 900)]
        })
        .collect();
    let mut sync = LipSync::default();
    for tick in 0..hours * HOUR_US / 10_000 {
        let now = tick * 10_000;
        for (number, person) in people.iter().enumerate() {
            for (kind, stream) in streams[number].iter_mut().enumerate() {
                while stream.next_us <= now {
                    let at = stream.next_us;
                    stream.next_us += stream.step_us;
                    if at < stream.muted_until {
                        continue;
                    }
                    let timestamp = stream.timestamp(at);
                    // Every 10 minutes or so silence for up to 5 minutes; every second of them the sender's RTP time stood
                    // still meanwhile.
                    if dice.below(600_000_000 / stream.step_us) == 0 {
                        stream.muted_until = at + 500_000 + dice.below(300_000_000);
                        if dice.below(2) == 0 {
                            stream.shift =
                                stream.shift.wrapping_sub(((stream.muted_until - at) * u64::from(stream.rate) / 1_000_000) as u32);
                        }
                    }
                    stream.sequence += 1;
                    if dice.below(100) < 5 {
                        continue; // lost
                    }
                    let sent = at + stream.encode_us + person.path_us;
                    let arrival = sent + dice.below(jitter_us);
                    let mark = stream.clock.observe(stream.sequence, arrival, timestamp, |delay| {
                        (kind == 1).then(|| sync.correction(number as u64, delay, arrival)).flatten()
                    });
                    stream.marks.push_back((at, mark));
                    // A report every 5 s or so.
                    if dice.below(5_000_000 / stream.step_us) == 0 {
                        let wall = person.wall_us + at as i64 + at as i64 * person.wall_ppm / 1_000_000;
                        let ntp = ((wall / 1_000_000) as u64) << 32 | ((wall % 1_000_000) as u64 * (1 << 32) / 1_000_000);
                        stream.clock.report(ntp, timestamp);
                        if let Some(delay) = stream.clock.delay().filter(|_| kind == 0) {
                            sync.heard(number as u64, delay, arrival);
                        }
                    }
                    stream.drain();
                }
            }
        }
    }
    streams.iter_mut().flatten().for_each(|stream| {
        stream.clock.settle(|_| None);
        stream.drain();
        assert!(stream.marks.is_empty());
    });
    let skews = |pairs: &[(&Stream, &Stream)]| {
        let mut all: Vec<i64> = pairs
            .iter()
            .flat_map(|(one, other)| one.errors.iter().zip(&other.errors).filter_map(|(a, b)| Some((a.as_ref()? - b.as_ref()?).abs())))
            .collect();
        assert!(all.len() > 1_000);
        all.sort_unstable();
        (all[all.len() * 95 / 100], all[all.len() - 1])
    };
    let [a, b, c] = &streams[..] else { unreachable!() };
    let within = skews(&[(&a[0], &a[1]), (&b[0], &b[1]), (&c[0], &c[1])]);
    let between = skews(&[(&a[0], &b[0]), (&a[0], &c[0]), (&b[0], &c[0]), (&a[1], &b[1]), (&a[0], &c[1])]);
    [within, between]
}

#[test]
fn tracks_of_a_class_of_three_hours_stay_within_40_ms_of_each_other() {
    for seed in [7, 4_242] {
        let [within, between] = class(3, seed, 80_000);
        println!(
            "3 h, +-100 ppm, jitter 80 ms, 5 % loss: within p95 {} us max {} us, between p95 {} us max {} us",
            within.0, within.1, between.0, between.1
        );
        assert!(within.0 <= 40_000 && between.0 <= 40_000, "{within:?} {between:?}");
    }
}

#[test]
fn a_picture_that_came_late_before_a_change_of_layers_moves_none_after_it() {
    let (mut clock, mut sync) = (Clock::new(90_000), LipSync::default());
    let report = |clock: &mut Clock, at_us: u64, first: u32| {
        clock.report(((at_us / 1_000_000) << 32) | (((at_us % 1_000_000) << 32) / 1_000_000), first.wrapping_add((at_us * 9 / 100) as u32));
    };
    sync.heard(1, crate::lipsync::Delay(20_000), 0);
    // The first picture of a layer takes 180 ms to the node, then another layer is sent, as quickly as sound.
    let late = clock.observe(1, 180_000, 7, |_| None); // captured at 0
    report(&mut clock, 1_000, 7);
    clock.restart(|delay| sync.correction(1, delay, 200_000));
    assert!(clock.map(late).is_some_and(|at| (at - 20_000).abs() < 100));
    let marks: Vec<_> = (0..100u64)
        .map(|number| {
            let at = 1_000_000 + number * 40_000;
            if number == 50 {
                report(&mut clock, at, 900_000);
            }
            (at, clock.observe(10 + number, at + 20_000, 900_000 + (at * 9 / 100) as u32, |_| None))
        })
        .collect();
    clock.settle(|delay| sync.correction(1, delay, 5_000_000));
    for (at, mark) in marks {
        let error = clock.map(mark).unwrap() - at as i64 - 20_000;
        assert!(error.abs() < 2_000, "{error} us");
    }
}
