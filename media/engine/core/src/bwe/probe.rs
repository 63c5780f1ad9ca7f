//! Probing: short trains at a rate not tried yet, because a forwarder cannot send "a little more" of its layers.
//!
//! | state | on | then |
//! |---|---|---|
//! | idle | more is wanted, nothing speaks against it, `next_us` passed | sending |
//! | sending | each 5 ms: asks for what the rate is short of (media counts, padding fills) | sending |
//! | sending | the train's time is over | waiting |
//! | waiting | feedback covers the train, or a second passed | idle; evaluated |
//!
//! A train is judged by whether a queue grew while it was sent: the least one-way delay of its second half minus that of its
//! first, so that jitter, which only ever delays, needs to hit every packet of a half to mislead. What it proves is never more than
//! what it sent. Failures double the time to the next train, from 1 to 10 s;
//! raises that over-use takes back soon after, to 30 s.

use super::history::Sent;

/// Length of a train, microseconds, and its most bytes. One slower than 320 kbit/s takes longer, to these bytes: with fewer its halves
/// are too few packets of nothing but padding to be judged.
const TRAIN_US: u64 = 50_000;
const TRAIN_BYTES: u64 = 100_000;
const TRAIN_LEAST_BYTES: u64 = 2_000;
/// Time between two requests for padding, microseconds.
const TICK_US: u64 = 5_000;
/// A request is at least this, and at most three ticks' worth, bytes.
const LEAST: u64 = 200;
/// Growth of the queue within a train that may be chance, milliseconds.
const TOLERANCE_MS: f64 = 2.0;
/// More growth than this share of the time is beyond chance.
const FULL: f64 = 0.5;
/// Of a rate that was shown to fill the link this much is used.
const UTILISATION: f64 = 0.95;
/// Feedback may take this long, microseconds.
const PATIENCE_US: u64 = 1_000_000;
/// A raise that was not taken back for this long was right, microseconds.
const LASTED_US: u64 = 10_000_000;
const SHORTEST_US: u64 = 1_000_000;
const LONGEST_US: u64 = 10_000_000;
const REFUTED_US: u64 = 30_000_000;

/// Padding or retransmissions to send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    pub cluster: u32,
    /// About so many bytes; a packet more or less is made up for by the next request.
    pub bytes: usize,
    pub rate_bps: u64,
}

#[derive(Debug, Clone, Copy)]
struct Half {
    bytes: u64,
    least_ms: f64,
    received: u32,
}

const UNSEEN: Half = Half { bytes: 0, least_ms: f64::MAX, received: 0 };

#[derive(Debug)]
struct Train {
    rate_bps: u64,
    start_us: u64,
    length_us: u64,
    tick_us: u64,
    first: Option<u64>,
    last: u64,
    ended: bool,
    halves: [Half; 2],
    lost: u32,
}

/// What a train showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    pub sent_bps: u64,
    /// What the link can carry at least; never more than `sent_bps`. None if the train was spoiled.
    pub carried_bps: Option<f64>,
    /// The queue grew so much that the link cannot carry more.
    pub full: bool,
    pub received: u32,
    pub lost: u32,
}

/// The prober of one transport.
#[derive(Debug, Default)]
pub struct Prober {
    train: Option<Train>,
    cluster: u32,
    next_us: u64,
    interval_us: u64,
    /// When a train last raised the estimate.
    raised_us: Option<u64>,
}

impl Prober {
    /// May a train begin?
    pub fn is_ready(&self, now_us: u64) -> bool {
        self.train.is_none() && now_us >= self.next_us
    }

    /// Begins a train.
    pub fn begin(&mut self, rate_bps: u64, now_us: u64) {
        self.cluster = self.cluster.wrapping_add(1);
        let takes = |bytes: u64| bytes.saturating_mul(8_000_000).checked_div(rate_bps).unwrap_or(TRAIN_US);
        self.train = Some(Train {
            rate_bps,
            start_us: now_us,
            length_us: TRAIN_US.clamp(takes(TRAIN_LEAST_BYTES), takes(TRAIN_BYTES)),
            tick_us: now_us,
            first: None,
            last: 0,
            ended: false,
            halves: [UNSEEN; 2],
            lost: 0,
        });
    }

    /// What to send now to keep the train's rate.
    pub fn request(&mut self, now_us: u64) -> Option<Probe> {
        let train = self.train.as_mut().filter(|train| !train.ended)?;
        let elapsed = now_us.saturating_sub(train.start_us);
        if elapsed >= train.length_us {
            train.ended = true;
            return None;
        }
        if now_us < train.tick_us {
            return None;
        }
        train.tick_us = now_us.saturating_add(TICK_US);
        let worth = |time_us: u64| train.rate_bps.saturating_mul(time_us) / 8_000_000;
        let owed = worth(elapsed.saturating_add(TICK_US).min(train.length_us)).saturating_sub(train.bytes());
        let bytes = owed.min(worth(TICK_US.saturating_mul(3)).max(LEAST)) as usize;
        (owed >= LEAST).then_some(Probe { cluster: self.cluster, bytes, rate_bps: train.rate_bps })
    }

    /// Any packet that leaves while a train is sent belongs to it.
    #[inline]
    pub fn sent(&mut self, number: u64, bytes: usize, now_us: u64) {
        if let Some(train) = self.train.as_mut().filter(|train| !train.ended) {
            if now_us.saturating_sub(train.start_us) >= train.length_us {
                train.ended = true;
                return;
            }
            train.first.get_or_insert(number);
            train.last = number;
            if let Some(half) = train.half(now_us) {
                half.bytes = half.bytes.saturating_add(bytes as u64);
            }
        }
    }

    /// Reads what the next `sent` will need.
    pub fn warm(&self) -> u64 {
        u64::from(self.train.is_some())
    }

    /// Feedback speaks of a packet for the first time: its one-way delay, or None if it is lost.
    pub fn status(&mut self, sent: &Sent, delay_us: Option<i64>) {
        let Some(train) = self.train.as_mut() else { return };
        if train.first.is_none_or(|first| sent.number < first) || sent.number > train.last {
            return;
        }
        let Some(delay_us) = delay_us else {
            train.lost = train.lost.saturating_add(1);
            return;
        };
        // Serialising a large packet takes longer than a small one: compare as if at the train's rate.
        let own_ms = f64::from(sent.bytes) * 8000.0 / train.rate_bps.max(1) as f64;
        if let Some(half) = train.half(sent.at_us) {
            half.least_ms = half.least_ms.min(delay_us as f64 / 1000.0 - own_ms);
            half.received = half.received.saturating_add(1);
        }
    }

    /// The finding, once feedback has reached past the train (`reported`: highest number spoken of) or is not to be expected.
    pub fn finish(&mut self, reported: Option<u64>, now_us: u64) -> Option<Finding> {
        let train = self.train.as_mut()?;
        train.ended |= now_us >= train.end_us();
        let covered = train.first.is_none() || reported.is_some_and(|reported| reported >= train.last);
        if !train.ended || !covered && now_us.saturating_sub(train.end_us()) < PATIENCE_US {
            return None;
        }
        self.train.take().map(|train| train.evaluate())
    }

    /// The caller's verdict on a finding: was it worth it? Then the next may follow at once.
    pub fn settle(&mut self, worthwhile: bool, now_us: u64) {
        if worthwhile {
            // A raise that lasted clears the record.
            if self.raised_us.is_some_and(|at| now_us.saturating_sub(at) > LASTED_US) {
                self.interval_us = 0;
            }
            (self.raised_us, self.next_us) = (Some(now_us), now_us);
        } else {
            self.put_off(LONGEST_US, now_us);
        }
    }

    fn put_off(&mut self, longest_us: u64, now_us: u64) {
        self.interval_us = self.interval_us.saturating_mul(2).clamp(SHORTEST_US, longest_us.max(self.interval_us));
        self.next_us = now_us.saturating_add(self.interval_us);
    }

    /// A spoiled train says nothing: try again soon.
    pub fn retry(&mut self, now_us: u64) {
        self.next_us = now_us.saturating_add(SHORTEST_US / 2);
    }

    /// The link is full: gives a running train up and rests for `rest_us` at least; if a train has led here, for longer.
    pub fn refuted(&mut self, rest_us: u64, now_us: u64) {
        self.train = None;
        if self.raised_us.take().is_some_and(|at| now_us.saturating_sub(at) < LASTED_US) {
            self.put_off(REFUTED_US, now_us);
        }
        self.next_us = self.next_us.max(now_us.saturating_add(rest_us));
    }

    /// When `request` has something to ask for, or a train is over.
    pub fn due(&self) -> Option<u64> {
        let train = self.train.as_ref()?;
        Some(match train.ended {
            false => train.tick_us.min(train.end_us()),
            true => train.end_us().saturating_add(PATIENCE_US),
        })
    }
}

impl Train {
    fn end_us(&self) -> u64 {
        self.start_us.saturating_add(self.length_us)
    }

    fn bytes(&self) -> u64 {
        self.halves.iter().fold(0, |sum, half| sum.saturating_add(half.bytes))
    }

    fn half(&mut self, at_us: u64) -> Option<&mut Half> {
        let second = at_us.saturating_sub(self.start_us) >= self.length_us / 2;
        self.halves.get_mut(usize::from(second))
    }

    fn evaluate(&self) -> Finding {
        let rate = |bytes: u64, time_us: u64| bytes.saturating_mul(8_000_000).checked_div(time_us).unwrap_or(0);
        let sent_bps = rate(self.bytes(), self.length_us);
        let [early, late] = self.halves;
        let received = early.received.saturating_add(late.received);
        let mut finding = Finding { sent_bps, carried_bps: None, full: false, received, lost: self.lost };
        // Not filled, or too much of it is gone.
        if sent_bps < self.rate_bps / 2 || early.received < 2 || late.received < 2 {
            return finding;
        }
        // What the second half found in the queue is what the first half put there.
        let tried = rate(early.bytes, self.length_us / 2).min(sent_bps) as f64;
        let half_ms = self.length_us as f64 / 2000.0;
        let growth_ms = (late.least_ms - early.least_ms).max(0.0);
        let used = if growth_ms > TOLERANCE_MS { UTILISATION } else { 1.0 };
        finding.carried_bps = Some(used * tried * half_ms / (half_ms + growth_ms));
        finding.full = growth_ms > half_ms * FULL;
        finding
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::bwe::history::Fate;
    use crate::bwe::Class;
    use crate::testing::Noise;

    /// A train of `rate_bps` with `media` bytes each 10 ms in between; the link carries `link_bps`, `delay_us` more is chance.
    fn train(rate_bps: u64, link_bps: u64, media: usize, mut delay_us: impl FnMut() -> Option<i64>) -> (Finding, usize) {
        let mut prober = Prober::default();
        assert!(prober.is_ready(0));
        prober.begin(rate_bps, 0);
        let (mut sent, mut padding, mut free) = (Vec::new(), 0, 0u64);
        for now in (0..70_000).step_by(1000) {
            let mut leave = |bytes: usize, prober: &mut Prober| {
                let number = sent.len() as u64 + 100;
                prober.sent(number, bytes, now);
                free = free.max(now) + bytes as u64 * 8_000_000 / link_bps;
                let packet = Sent { number, at_us: now, bytes: bytes as u16, class: Class::Padding, before: Fate::Unknown };
                sent.push((packet, (free - now) as i64));
            };
            if media > 0 && now % 10_000 == 3000 {
                leave(media, &mut prober);
            }
            if let Some(probe) = prober.request(now) {
                padding += probe.bytes;
                leave(probe.bytes, &mut prober);
            }
        }
        for (packet, delay) in &sent {
            prober.status(packet, delay_us().map(|more| delay + more));
        }
        assert_eq!(prober.finish(Some(100), 80_000), None, "feedback has not reached the end");
        let finding = prober.finish(Some(100 + sent.len() as u64), 80_000).expect("covered");
        (finding, padding)
    }

    #[test]
    fn a_link_that_carries_the_train_is_believed_and_one_that_does_not_is_measured() {
        let (finding, _) = train(2_000_000, 10_000_000, 0, || Some(0));
        assert!(!finding.full && finding.carried_bps.is_some_and(|bps| (1_900_000.0..=2_000_000.0).contains(&bps)), "{finding:?}");
        let (finding, _) = train(2_000_000, 1_000_000, 0, || Some(0));
        assert!(finding.full && finding.carried_bps.is_some_and(|bps| (850_000.0..1_050_000.0).contains(&bps)), "{finding:?}");
    }

    #[test]
    fn media_counts_and_padding_only_fills() {
        let (finding, padding) = train(2_000_000, 10_000_000, 1200, || Some(0));
        assert!((1_900_000..2_200_000).contains(&finding.sent_bps), "{finding:?}");
        assert!((6_000..7_500).contains(&padding), "{padding}");
    }

    #[test]
    fn jitter_does_not_make_a_train_fail() {
        let mut noise = Noise::new(4);
        let fine = (0..200).filter(|_| {
            let (finding, _) = train(3_000_000, 10_000_000, 300, || Some(noise.below(20_000) as i64));
            finding.carried_bps.is_some_and(|bps| bps > 2_000_000.0) && !finding.full
        });
        assert!(fine.count() >= 195);
    }

    #[test]
    fn a_train_that_was_lost_or_never_filled_says_nothing() {
        assert_eq!(train(2_000_000, 10_000_000, 0, || None).0.carried_bps, None);
        let mut prober = Prober::default();
        prober.begin(2_000_000, 0);
        assert!(prober.request(0).is_some());
        assert_eq!(prober.due(), Some(TICK_US));
        assert_eq!(prober.finish(None, TRAIN_US - 1), None);
        assert_eq!(prober.finish(None, TRAIN_US).map(|finding| finding.carried_bps), Some(None));
    }

    #[test]
    fn failures_and_refuted_raises_make_trains_rarer() {
        let mut prober = Prober::default();
        let mut at = 0;
        let gaps: Vec<u64> = (0..6)
            .map(|_| {
                let before = at;
                prober.settle(false, at);
                at = prober.next_us;
                (at - before) / SHORTEST_US
            })
            .collect();
        assert_eq!(gaps, [1, 2, 4, 8, 10, 10]);
        prober.settle(true, at);
        assert!(prober.is_ready(at));
        prober.refuted(2_000_000, at + SHORTEST_US);
        assert!(!prober.is_ready(at + 20 * SHORTEST_US) && prober.is_ready(at + 21 * SHORTEST_US));
    }
}
