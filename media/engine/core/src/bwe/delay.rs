//! How long packets queue on their way, and whether that is our doing.
//!
//! A forwarder does not pace: a frame leaves as one burst and queues behind itself. That queue drains by itself and says
//! nothing about the link's average, so of each burst only the least delayed packet counts, and of its delay only
//!
//! - above the *base*, the least of the last 10 to 20 s (clock offset and propagation; drift of 200 ppm moves it 4 ms),
//! - what exceeds the *backlog*: the queue that what we sent builds at the rate we believe in, `MOST_EXPLAINED_US` at most, and
//! - what it was not less than in the last 300 to 600 ms, for a queue that stays is nobody's burst; but not while a backlog drains, which
//!   a key frame on a thin link needs a second or two for: it may be several hundred milliseconds by itself.
//!
//! Packets are taken in the order of their numbers; a late report of an older one is not a sample.

use super::history::Sent;
use super::rate::CERTAIN;
use super::trend::{Trend, Usage};

/// Packets sent within this time form a burst, microseconds.
const BURST_US: u64 = 10_000;
/// Most of a delay that our own bursts may explain, microseconds.
const MOST_EXPLAINED_US: i64 = 500_000;
/// The queue of a burst has drained by then, microseconds.
const BUSY_US: u64 = 2_000_000;
/// The base delay is the least of this and the previous period, microseconds.
const BASE_PERIOD_US: u64 = 10_000_000;
/// While the queue is higher than this the base is kept longer, or a queue that stays would become the base.
const HIGH_MS: f64 = 40.0;
const BASE_LONG_US: u64 = 120_000_000;
/// Likewise what has not been less lately.
const RECENT_PERIOD_US: u64 = 300_000;
/// A one-way delay this far from the one before is another clock or another path, microseconds.
const JUMP_US: i64 = 3_000_000;
/// A queue that stands as high as this is over-use even if it does not grow, milliseconds.
const STANDING_MS: f64 = 60.0;
/// A slope below this is a queue that drains well enough.
const SHRINKING: f64 = -0.05;
/// A standing queue is told this often, microseconds.
const STANDING_EVERY_US: u64 = 700_000;
/// Told so often and still the same to within a little, it is not ours: it becomes the base.
const STANDING_TIMES: u32 = 2;
const FLAT_MS: f64 = 4.0;

#[derive(Debug, Clone, Copy)]
struct Burst {
    at_us: u64,
    /// Least one-way delay of its packets, and least after the backlog is taken off, microseconds on two clocks.
    whole: i64,
    unexplained: i64,
}

/// The least one-way delay of the current and the previous period.
#[derive(Debug, Clone, Copy)]
struct Least {
    current: i64,
    previous: i64,
    since_us: u64,
}

impl Least {
    fn new(delay: i64, at_us: u64) -> Self {
        Self { current: delay, previous: delay, since_us: at_us }
    }

    fn update(&mut self, delay: i64, at_us: u64, period_us: u64) {
        if at_us.saturating_sub(self.since_us) > period_us {
            *self = Self { current: delay, previous: self.current, since_us: at_us };
        }
        self.current = self.current.min(delay);
    }

    fn get(&self) -> i64 {
        self.current.min(self.previous)
    }
}

fn ms(delay_us: i64) -> f64 {
    delay_us as f64 / 1000.0
}

/// The delay-based half of the estimator.
#[derive(Debug, Default)]
pub struct Delay {
    /// Least delays: of the path, and lately.
    floors: Option<(Least, Least)>,
    last_delay: i64,
    last_number: u64,
    last_at_us: u64,
    backlog_us: i64,
    /// Since when the backlog has not been empty.
    busy_since_us: u64,
    burst: Option<Burst>,
    trend: Trend,
    queue_ms: f64,
    standing_told_us: u64,
    standing_times: u32,
    standing_ms: f64,
    /// Much is being lost: a standing queue is a full one.
    pub lossy: bool,
}

/// A burst's verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    pub usage: Usage,
    /// When the burst it was seen in was sent, microseconds.
    pub sent_us: u64,
    /// With over-use: how much more is sent than the link carries; 0.1 = 10 %.
    pub overload: f64,
}

impl Delay {
    /// A packet arrived at `arrival_us` on the remote's clock while we believed in `believed_bps`. Some when it completes a
    /// burst.
    pub fn arrived(&mut self, sent: &Sent, arrival_us: i64, believed_bps: u64) -> Option<Verdict> {
        if self.floors.is_some() && sent.number <= self.last_number {
            return None;
        }
        let delay = arrival_us.saturating_sub(sent.at_us.min(i64::MAX as u64) as i64);
        if self.floors.is_some() && delay.saturating_sub(self.last_delay).saturating_abs() > JUMP_US {
            self.reset();
        }
        let fresh = Least::new(delay, sent.at_us);
        let (base, _) = self.floors.get_or_insert((fresh, fresh));
        let period = if self.queue_ms > HIGH_MS { BASE_LONG_US } else { BASE_PERIOD_US };
        base.update(delay, sent.at_us, period);
        let gap_us = sent.at_us.saturating_sub(self.last_at_us).min(MOST_EXPLAINED_US as u64) as i64;
        let own_us = u64::from(sent.bytes).saturating_mul(8_000_000).checked_div(believed_bps).unwrap_or(u64::MAX);
        let own_us = own_us.min(MOST_EXPLAINED_US as u64) as i64;
        let left_us = self.backlog_us.saturating_sub(gap_us).max(0);
        if left_us == 0 {
            self.busy_since_us = sent.at_us;
        }
        self.backlog_us = left_us.saturating_add(own_us).min(MOST_EXPLAINED_US);
        (self.last_delay, self.last_number, self.last_at_us) = (delay, sent.number, sent.at_us);
        let packet = Burst { at_us: sent.at_us, whole: delay, unexplained: delay.saturating_sub(self.backlog_us) };
        match &mut self.burst {
            Some(burst) if sent.at_us.saturating_sub(burst.at_us) <= BURST_US => {
                burst.whole = burst.whole.min(packet.whole);
                burst.unexplained = burst.unexplained.min(packet.unexplained);
                None
            }
            burst => burst.replace(packet).and_then(|whole| self.judge(whole)),
        }
    }

    fn judge(&mut self, burst: Burst) -> Option<Verdict> {
        let (base, recent) = self.floors.as_mut()?;
        recent.update(burst.whole, burst.at_us, RECENT_PERIOD_US);
        let drains = (RECENT_PERIOD_US..BUSY_US).contains(&burst.at_us.saturating_sub(self.busy_since_us));
        let stays = if drains { base.get() } else { recent.get() };
        let queue = stays.max(burst.unexplained).saturating_sub(base.get());
        self.queue_ms = ms(queue);
        let usage = self.trend.sample(burst.at_us as f64 / 1000.0, self.queue_ms);
        let standing = self.stands(burst.at_us);
        let overload = match (usage, standing) {
            (Usage::Over, _) | (_, Some(_)) => self.trend.overload().max(standing.unwrap_or(0.0)),
            _ => 0.0,
        };
        let usage = if standing.is_some() { Usage::Over } else { usage };
        Some(Verdict { usage, sent_us: burst.at_us, overload })
    }

    /// Is there a high queue that does not shrink? Then at least how much is overload: none at first, a certain one if it has
    /// grown since it was last told. After a few times without any change it is taken for the path's own.
    fn stands(&mut self, at_us: u64) -> Option<f64> {
        // The newest sample is in the window.
        if self.queue_ms < STANDING_MS / 2.0 {
            (self.standing_times, self.standing_ms) = (0, 0.0);
            return None;
        }
        let standing = self.trend.standing_ms()?;
        if standing < STANDING_MS || at_us.saturating_sub(self.standing_told_us) < STANDING_EVERY_US {
            return None;
        }
        if self.trend.overload() < SHRINKING {
            return None;
        }
        let growth = standing - std::mem::replace(&mut self.standing_ms, standing);
        let again = self.standing_times > 0;
        self.standing_told_us = at_us;
        self.standing_times = if growth.abs() < FLAT_MS { self.standing_times.saturating_add(1) } else { 1 };
        if self.standing_times > STANDING_TIMES && !self.lossy {
            self.reset();
            return None;
        }
        Some(if again && growth >= FLAT_MS { CERTAIN } else { 0.0 })
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

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::bwe::history::Fate;
    use crate::bwe::Class;

    const BELIEVED: u64 = 3_000_000;

    /// Bursts of `packets` of 1200 bytes each 20 ms; the delay of each burst's first packet by `delay_ms`, each further one is
    /// 3.2 ms later. How often over-use is seen, and the most foreign queue.
    fn run(seconds: u64, packets: impl Fn(u64) -> u64, delay_ms: impl Fn(f64) -> f64) -> (usize, f64) {
        let (mut delay, mut number, mut over, mut most) = (Delay::default(), 0, 0, 0f64);
        for burst in 0..seconds * 50 {
            let at_us = burst * 20_000;
            for n in 0..packets(burst) {
                number += 1;
                let sent = Sent { number, at_us, bytes: 1200, class: Class::Media, before: Fate::Unknown };
                let arrival = at_us as i64 - 1_000_000_000 + (delay_ms(at_us as f64 / 1e6) * 1000.0) as i64 + n as i64 * 3_200;
                let verdict = delay.arrived(&sent, arrival, BELIEVED);
                over += usize::from(verdict.is_some_and(|verdict| verdict.usage == Usage::Over));
                most = most.max(delay.queue_ms());
            }
        }
        (over, most)
    }

    #[test]
    fn a_key_frame_that_queues_behind_itself_is_not_over_use() {
        // 30 packets are 96 ms of the link; the bursts after it find what is left of them.
        let left = |at: f64| (96.0 - (at % 2.0) * 1000.0).max(0.0) * f64::from(at % 2.0 > 0.0);
        let (over, most) = run(10, |burst| if burst % 100 == 0 { 30 } else { 1 }, |at| 30.0 + left(at));
        assert_eq!((over, most < 10.0), (0, true), "{most}");
    }

    /// Bursts of one packet each 20 ms over a link as fast as we believe, and after five seconds one of `key` packets; every third one
    /// is `doubled` from then on. How often over-use is seen.
    fn link(key: u64, doubled: bool) -> usize {
        let (mut delay, mut number, mut over, mut free_us) = (Delay::default(), 0, 0, 0i64);
        for burst in 0..500u64 {
            let (at_us, after) = (burst * 20_000, burst >= 250);
            let packets = if burst == 250 { key } else { 1 + u64::from(after && doubled && burst % 3 == 0) };
            for _ in 0..packets {
                number += 1;
                free_us = free_us.max(at_us as i64) + 16_000;
                let sent = Sent { number, at_us, bytes: 1200, class: Class::Media, before: Fate::Unknown };
                over += usize::from(delay.arrived(&sent, free_us + 25_000, 600_000).is_some_and(|seen| seen.usage == Usage::Over));
            }
        }
        over
    }

    #[test]
    fn a_key_frame_that_is_a_third_of_a_second_of_a_thin_link_is_not_over_use_while_it_drains() {
        assert_eq!(link(20, false), 0);
    }

    #[test]
    fn a_queue_that_does_not_drain_is_over_use_whatever_began_it() {
        assert!(link(20, true) > 0);
    }

    #[test]
    fn a_queue_that_keeps_growing_is_over_use() {
        assert!(run(2, |_| 4, |at| 30.0 + at * 100.0).0 > 0);
    }

    #[test]
    fn a_drifting_clock_is_no_queue() {
        for ppm in [-200.0, 200.0] {
            let (over, most) = run(300, |_| 2, |at| 30.0 + at * ppm / 1000.0);
            assert_eq!((over, most < 5.0), (0, true), "{most}");
        }
    }

    #[test]
    fn a_longer_path_becomes_the_base_and_another_clock_begins_anew() {
        let (over, _) = run(20, |_| 2, |at| if at < 5.0 { 30.0 } else { 130.0 });
        assert!((1..40).contains(&over), "{over}");
        let after = run(40, |_| 2, |at| if at < 5.0 { 30.0 } else { 130.0 });
        assert_eq!(after.0, over, "it is complained of no longer");
        assert_eq!(run(20, |_| 2, |at| if at < 5.0 { 30.0 } else { 100_000.0 }).0, 0);
    }

    #[test]
    fn a_late_report_is_no_sample() {
        let mut delay = Delay::default();
        let sent = |number, at_us| Sent { number, at_us, bytes: 1200, class: Class::Media, before: Fate::Unknown };
        assert!(delay.arrived(&sent(10, 100_000), 0, BELIEVED).is_none());
        assert!(delay.arrived(&sent(9, 50_000), 900_000, BELIEVED).is_none());
        assert!(delay.arrived(&sent(11, 150_000), 50_000, BELIEVED).is_some());
        assert_eq!(delay.queue_ms(), 0.0);
    }
}
