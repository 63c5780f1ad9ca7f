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
//! what it sent. Failures double the time to the next train, from 1 to 10 s.

use super::history::Sent;

/// Length of a train, microseconds, and its most bytes.
const TRAIN_US: u64 = 50_000;
const TRAIN_BYTES: u64 = 100_000;
/// Time between two requests for padding, microseconds.
const TICK_US: u64 = 5_000;
/// A request is at least this, and at most three ticks' worth, bytes.
const LEAST: u64 = 200;
/// Growth of the queue within a train that may be chance, milliseconds.
const TOLERANCE_MS: f64 = 2.0;
/// Of a rate that was shown to fill the link this much is used.
const UTILISATION: f64 = 0.95;
/// Feedback may take this long, microseconds.
const PATIENCE_US: u64 = 1_000_000;
const SHORTEST_US: u64 = 1_000_000;
const LONGEST_US: u64 = 10_000_000;

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
    least_ms: f64,
    received: u32,
}

const UNSEEN: Half = Half { least_ms: f64::MAX, received: 0 };

#[derive(Debug)]
struct Train {
    rate_bps: u64,
    start_us: u64,
    length_us: u64,
    tick_us: u64,
    bytes: u64,
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
}

impl Prober {
    /// May a train begin?
    pub fn is_ready(&self, now_us: u64) -> bool {
        self.train.is_none() && now_us >= self.next_us
    }

    /// Begins a train.
    pub fn begin(&mut self, rate_bps: u64, now_us: u64) {
        self.cluster = self.cluster.wrapping_add(1);
        let longest = TRAIN_BYTES.saturating_mul(8_000_000).checked_div(rate_bps).unwrap_or(TRAIN_US);
        self.train = Some(Train {
            rate_bps,
            start_us: now_us,
            length_us: TRAIN_US.min(longest),
            tick_us: now_us,
            bytes: 0,
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
        let owed = worth(elapsed.saturating_add(TICK_US).min(train.length_us)).saturating_sub(train.bytes);
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
            train.bytes = train.bytes.saturating_add(bytes as u64);
        }
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
        let second = sent.at_us.saturating_sub(train.start_us) >= train.length_us / 2;
        if let Some(half) = train.halves.get_mut(usize::from(second)) {
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

    /// The caller's verdict on a finding: was it worth it?
    pub fn settle(&mut self, worthwhile: bool, now_us: u64) {
        self.interval_us = match worthwhile {
            true => 0,
            false => self.interval_us.saturating_mul(2).clamp(SHORTEST_US, LONGEST_US),
        };
        self.next_us = now_us.saturating_add(self.interval_us);
    }

    /// Gives a running train up, and starts none before `until_us`.
    pub fn stop(&mut self, until_us: u64) {
        self.train = None;
        self.next_us = self.next_us.max(until_us);
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

    fn evaluate(&self) -> Finding {
        let sent_bps = self.bytes.saturating_mul(8_000_000).checked_div(self.length_us).unwrap_or(0);
        let [early, late] = self.halves;
        let received = early.received.saturating_add(late.received);
        let mut finding = Finding { sent_bps, carried_bps: None, received, lost: self.lost };
        // Not filled, or too much of it is gone.
        if sent_bps < self.rate_bps / 2 || early.received < 2 || late.received < 2 {
            return finding;
        }
        let half_ms = self.length_us as f64 / 2000.0;
        let growth_ms = late.least_ms - early.least_ms;
        finding.carried_bps =
            Some(if growth_ms > TOLERANCE_MS { UTILISATION * sent_bps as f64 * half_ms / (half_ms + growth_ms) } else { sent_bps as f64 });
        finding
    }
}
