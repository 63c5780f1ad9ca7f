//! How long packets queue on their way, and whether that is our doing.
//!
//! A forwarder does not pace: a frame leaves as one burst and queues behind itself. That queue drains by itself and says
//! nothing about the link's average, so two things are taken out before the trend is judged:
//!
//! - *base*: the smallest one-way delay of the last 10 to 20 s (clock offset and propagation; drift of 200 ppm moves it 4 ms);
//! - *backlog*: the queue that what we sent would build at the rate we believe in, at most `EXPLAINED_MS`.
//!
//! What is left of the least delayed packet of each burst is a sample of the queue we cannot explain. Packets are taken in
//! the order of their numbers; a late report of an older one is not a sample.

use super::history::Sent;
use super::trend::{Trend, Usage};

/// Packets sent within this time form a burst, microseconds.
const BURST_US: u64 = 10_000;
/// Most of a delay that our own bursts may explain, milliseconds.
const EXPLAINED_MS: f64 = 200.0;
/// The base delay is the least of this and the previous period, microseconds.
const BASE_PERIOD_US: u64 = 10_000_000;
/// A one-way delay this far from the one before is another clock or another path, microseconds.
const JUMP_US: i64 = 3_000_000;
/// A queue that stands as high as this is over-use even if it does not grow, milliseconds.
const STANDING_MS: f64 = 80.0;
/// A standing queue is told this often, microseconds.
const STANDING_EVERY_US: u64 = 700_000;
/// Told so often and still there, it is not ours: it becomes the base.
const STANDING_TIMES: u32 = 4;

#[derive(Debug, Clone, Copy)]
struct Burst {
    at_us: u64,
    /// Least unexplained queueing delay, and least one-way delay.
    queue_ms: f64,
}

/// The least one-way delay lately.
#[derive(Debug, Clone, Copy)]
struct Base {
    current: i64,
    previous: i64,
    since_us: u64,
}

impl Base {
    fn least(&self) -> i64 {
        self.current.min(self.previous)
    }

    fn update(&mut self, delay: i64, at_us: u64) {
        if at_us.saturating_sub(self.since_us) > BASE_PERIOD_US {
            *self = Base { current: delay, previous: self.current, since_us: at_us };
        }
        self.current = self.current.min(delay);
    }
}

/// The delay-based half of the estimator.
#[derive(Debug, Default)]
pub struct Delay {
    base: Option<Base>,
    last_delay: i64,
    last_number: u64,
    last_at_us: u64,
    backlog_ms: f64,
    burst: Option<Burst>,
    trend: Trend,
    queue_ms: f64,
    standing_told_us: u64,
    standing_times: u32,
}

/// A burst's verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    pub usage: Usage,
    /// When the burst it was seen in was sent, microseconds.
    pub sent_us: u64,
    /// How much more is sent than the link carries; 0.1 = 10 %.
    pub overload: f64,
}

impl Delay {
    /// A packet arrived at `arrival_us` on the remote's clock while we believed in `believed_bps`. Some when it completes a
    /// burst.
    pub fn arrived(&mut self, sent: &Sent, arrival_us: i64, believed_bps: u64) -> Option<Verdict> {
        if self.base.is_some() && sent.number <= self.last_number {
            return None;
        }
        let delay = arrival_us.saturating_sub(sent.at_us.min(i64::MAX as u64) as i64);
        if self.base.is_some() && delay.saturating_sub(self.last_delay).saturating_abs() > JUMP_US {
            self.reset();
        }
        let base = self.base.get_or_insert(Base { current: delay, previous: delay, since_us: sent.at_us });
        base.update(delay, sent.at_us);
        let floor = base.least();
        let gap_ms = sent.at_us.saturating_sub(self.last_at_us) as f64 / 1000.0;
        let own_ms = f64::from(sent.bytes) * 8000.0 / believed_bps.max(1) as f64;
        self.backlog_ms = ((self.backlog_ms - gap_ms).max(0.0) + own_ms).min(EXPLAINED_MS);
        (self.last_delay, self.last_number, self.last_at_us) = (delay, sent.number, sent.at_us);
        let queue_ms = (delay.saturating_sub(floor) as f64 / 1000.0 - self.backlog_ms).max(0.0);
        match &mut self.burst {
            Some(burst) if sent.at_us.saturating_sub(burst.at_us) <= BURST_US => {
                burst.queue_ms = burst.queue_ms.min(queue_ms);
                None
            }
            burst => burst.replace(Burst { at_us: sent.at_us, queue_ms }).map(|whole| self.judge(whole)),
        }
    }

    fn judge(&mut self, burst: Burst) -> Verdict {
        self.queue_ms = burst.queue_ms;
        let mut usage = self.trend.sample(burst.at_us as f64 / 1000.0, burst.queue_ms);
        let overload = self.trend.overload();
        if self.stands(&burst, overload) {
            usage = Usage::Over;
        }
        Verdict { usage, sent_us: burst.at_us, overload }
    }

    /// Is there a high queue that does not shrink? After a few complaints without effect it is taken for the path's own.
    fn stands(&mut self, burst: &Burst, overload: f64) -> bool {
        let Some(standing) = self.trend.standing_ms() else { return false };
        if standing < STANDING_MS {
            if standing < STANDING_MS / 2.0 {
                self.standing_times = 0;
            }
            return false;
        }
        if overload < -0.05 || burst.at_us.saturating_sub(self.standing_told_us) < STANDING_EVERY_US {
            return false;
        }
        self.standing_told_us = burst.at_us;
        self.standing_times = self.standing_times.saturating_add(1);
        if self.standing_times > STANDING_TIMES {
            self.reset();
            return false;
        }
        true
    }

    /// Forgets the path: base, trend and burst.
    pub fn reset(&mut self) {
        *self = Self { last_number: self.last_number, ..Self::default() };
    }

    /// Queueing delay we cannot explain, as last seen, milliseconds.
    pub fn queue_ms(&self) -> f64 {
        self.queue_ms
    }
}
