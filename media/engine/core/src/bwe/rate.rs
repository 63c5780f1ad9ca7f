//! The delay-based rate: additive or multiplicative increase, multiplicative decrease.
//!
//! | state | over-use | normal | under-use |
//! |---|---|---|---|
//! | hold | decrease | increase | hold |
//! | increase | decrease | increase | hold |
//! | decrease | decrease | hold | hold |
//!
//! (draft-ietf-rmcat-gcc-02 section 5.5.) A decrease is judged by what was sent after it has taken effect: over-use seen by
//! older packets is the same over-use. If clearly more was sent than the link carries, what arrives *is* the link and the rate
//! becomes 85 % of it; a slight slope is only a suspicion and takes 15 % off the rate. A growing rate stays within 1.5 times of what
//! arrives: what was not tried is not known. Without over-use nothing is taken away: who sends little is not slow.

use super::trend::Usage;

/// What a decrease leaves.
const BETA: f64 = 0.85;
/// What is sent this long after a certain decrease is still of the layers before, or a key frame of the ones after, microseconds.
const SETTLE_US: u64 = 400_000;
/// More than this is seen at a glance: the last tenth of a second tells the link's rate, and a mere suspicion before does not count.
const HEAVY: f64 = 0.4;
/// So does a certain overload with so long a queue, microseconds.
const LONG_US: u64 = 80_000;
/// After a certain decrease the queue has to drain within about a second: the rate is less by the queue's seconds, at most by this
/// share, until it is shorter than that or for so long, microseconds.
const DRAIN_MOST: f64 = 0.35;
const DRAINED_US: u64 = 25_000;
const DRAIN_US: u64 = 2_000_000;
/// So much overload is a certain one.
pub const CERTAIN: f64 = 0.15;
/// Multiplicative growth per second, and additive growth per response time, bits/s.
const GROWTH: f64 = 1.08;
const STEP_BPS: f64 = 9_600.0;
/// Near the rate at which the link was last full: between these shares of it.
const NEAR: std::ops::Range<f64> = 0.85..1.15;
/// There it grows only while this share of it is used.
const USED: f64 = 0.95;

/// What the rate does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    #[default]
    Hold,
    Increase,
    Decrease,
}

/// What the link showed lately.
#[derive(Debug, Clone, Copy, Default)]
pub struct Link {
    /// Arriving, bits/s: over half a second, over a tenth, and over half a second without padding.
    pub arriving_bps: Option<u64>,
    pub arriving_now_bps: Option<u64>,
    pub useful_bps: Option<u64>,
    pub rtt_us: u64,
    pub queue_us: u64,
}

#[derive(Debug, Clone, Copy)]
struct Drain {
    share: f64,
    since_us: u64,
}

/// The rate and its state.
#[derive(Debug)]
pub struct Rate {
    pub bps: f64,
    state: State,
    /// What arrived when the link was last full.
    ceiling_bps: Option<f64>,
    updated_us: u64,
    decreased_us: Option<u64>,
    /// The last decrease was to what arrived.
    certain: bool,
    drain: Option<Drain>,
}

impl Rate {
    pub fn new(bps: u64, now_us: u64) -> Self {
        Self { bps: bps as f64, state: State::Hold, ceiling_bps: None, updated_us: now_us, decreased_us: None, certain: false, drain: None }
    }

    /// Takes the usage that packets sent at `sent_us` saw.
    pub fn update(&mut self, usage: Usage, sent_us: u64, overload: f64, link: &Link, now_us: u64) {
        let usage = match usage {
            Usage::Over if self.is_known(sent_us, overload) => Usage::Under,
            usage => usage,
        };
        self.state = match (self.state, usage) {
            (_, Usage::Over) => State::Decrease,
            (_, Usage::Under) | (State::Decrease, Usage::Normal) => State::Hold,
            (State::Hold | State::Increase, Usage::Normal) => State::Increase,
        };
        let seconds = (now_us.saturating_sub(self.updated_us) as f64 / 1e6).min(1.0);
        self.updated_us = now_us;
        let drained = |drain: &Drain| link.queue_us < DRAINED_US || now_us.saturating_sub(drain.since_us) > DRAIN_US;
        self.drain = self.drain.filter(|drain| !drained(drain));
        match self.state {
            State::Hold => {}
            State::Increase => self.increase(link, seconds),
            State::Decrease => self.decrease(overload, link, now_us),
        }
    }

    /// Has the rate been lowered for this over-use already?
    fn is_known(&self, sent_us: u64, overload: f64) -> bool {
        let Some(at) = self.decreased_us else { return false };
        let settling = self.certain && overload < HEAVY;
        let until = if settling { at.saturating_add(SETTLE_US) } else { at };
        sent_us < until && (self.certain || overload < HEAVY)
    }

    fn increase(&mut self, link: &Link, seconds: f64) {
        let Some(useful) = link.useful_bps else { return };
        let near = self.ceiling_bps.is_some_and(|ceiling| NEAR.contains(&(self.bps / ceiling)));
        let grown = if near {
            if (useful as f64) < USED * self.bps {
                return;
            }
            self.bps + STEP_BPS * seconds * 1e6 / (link.rtt_us as f64 + 100_000.0)
        } else {
            self.ceiling_bps = self.ceiling_bps.filter(|ceiling| self.bps <= *ceiling);
            self.bps * GROWTH.powf(seconds)
        };
        self.bps = grown.min(useful as f64 * 1.5 + 10_000.0).max(self.bps);
    }

    fn decrease(&mut self, overload: f64, link: &Link, now_us: u64) {
        let arriving = link.arriving_bps.map(|bps| bps as f64);
        let now = link.arriving_now_bps.map(|bps| bps as f64);
        let certain = overload >= CERTAIN;
        let full = match (arriving, now) {
            (Some(a), Some(b)) if overload >= HEAVY || certain && link.queue_us > LONG_US => a.min(b),
            (Some(a), _) => a,
            (None, _) => self.bps,
        };
        if certain {
            self.drain = Some(Drain { share: (link.queue_us as f64 / 1e6).min(DRAIN_MOST), since_us: now_us });
        }
        let bound = BETA * full;
        let lowered = if certain { bound } else { bound.max(BETA * self.bps) };
        self.ceiling_bps = Some(full);
        self.bps = self.bps.min(lowered);
        (self.decreased_us, self.certain) = (Some(now_us), certain);
    }

    /// What to send now, bits/s: the rate, or less while the queue drains.
    pub fn now_bps(&self) -> f64 {
        self.bps * (1.0 - self.drain.map_or(0.0, |drain| drain.share))
    }

    /// A probe showed that the link carries this.
    pub fn raise(&mut self, bps: f64) {
        if bps > self.bps {
            self.bps = bps;
            self.ceiling_bps = self.ceiling_bps.filter(|ceiling| *ceiling > bps);
        }
    }

    /// A probe showed that the link carries no more than this; what arrives without it is believed rather.
    pub fn lower(&mut self, bps: f64, link: &Link) {
        self.bps = self.bps.min(bps.max(link.useful_bps.unwrap_or(0) as f64));
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// When it was last lowered.
    pub fn decreased_us(&self) -> Option<u64> {
        self.decreased_us
    }

    /// Feedback is missing: lowers the rate by a fifth.
    pub fn back_off(&mut self, now_us: u64) {
        self.bps *= 0.8;
        self.state = State::Hold;
        self.updated_us = now_us;
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    fn link(arriving_bps: u64) -> Link {
        let arriving_bps = Some(arriving_bps);
        Link { arriving_bps, arriving_now_bps: arriving_bps, useful_bps: arriving_bps, rtt_us: 50_000, queue_us: 0 }
    }

    #[test]
    fn the_states_follow_the_table() {
        let table = [
            (State::Hold, [State::Decrease, State::Increase, State::Hold]),
            (State::Increase, [State::Decrease, State::Increase, State::Hold]),
            (State::Decrease, [State::Decrease, State::Hold, State::Hold]),
        ];
        for (state, expected) in table {
            for (usage, expected) in [Usage::Over, Usage::Normal, Usage::Under].into_iter().zip(expected) {
                let mut rate = Rate { state, ..Rate::new(1_000_000, 0) };
                rate.update(usage, 100_000, 0.0, &link(1_000_000), 100_000);
                assert_eq!(rate.state(), expected, "{state:?} {usage:?}");
            }
        }
    }

    #[test]
    fn certain_over_use_goes_below_what_arrives_and_a_suspicion_takes_a_little_off() {
        let mut rate = Rate::new(3_000_000, 0);
        rate.update(Usage::Over, 0, 0.05, &link(1_000_000), 0);
        assert_eq!(rate.bps, 2_550_000.0);
        rate.update(Usage::Over, 0, 2.0, &link(1_000_000), 0);
        assert_eq!(rate.bps, 850_000.0);
    }

    #[test]
    fn over_use_seen_by_what_was_sent_before_the_decrease_is_the_same_over_use() {
        let mut rate = Rate::new(3_000_000, 0);
        rate.update(Usage::Over, 900_000, 1.0, &link(1_000_000), S);
        let after = rate.bps;
        rate.update(Usage::Over, S - 1, 1.0, &link(500_000), S + 100_000);
        assert_eq!((rate.bps, rate.state()), (after, State::Hold));
        rate.update(Usage::Over, S + SETTLE_US - 1, 0.2, &link(500_000), S + 200_000);
        assert_eq!(rate.bps, after);
        rate.update(Usage::Over, S + 1, 1.0, &link(500_000), S + 200_000);
        assert_eq!(rate.bps, 425_000.0);
    }

    const S: u64 = 1_000_000;

    #[test]
    fn growth_stays_within_reach_of_what_arrives_and_nothing_falls_without_over_use() {
        let mut rate = Rate::new(600_000, 0);
        for n in 1..600 {
            rate.update(Usage::Normal, n * 100_000, 0.0, &link(1_000_000), n * 100_000);
        }
        assert_eq!(rate.bps, 1_510_000.0);
        rate.update(Usage::Normal, 60 * S, 0.0, &link(10_000), 60 * S);
        assert_eq!(rate.bps, 1_510_000.0);
    }

    #[test]
    fn near_the_rate_that_filled_the_link_growth_is_slow() {
        let grown = |over: bool| {
            let mut rate = Rate::new(1_000_000, 0);
            if over {
                rate.update(Usage::Over, 0, 1.0, &link(1_100_000), 0);
            }
            let before = rate.bps;
            for n in 1..=20 {
                rate.update(Usage::Normal, n * 100_000, 0.0, &link(1_100_000), n * 100_000);
            }
            rate.bps - before
        };
        assert!(grown(true) < 130_000.0 && grown(false) > 150_000.0, "{} {}", grown(true), grown(false));
    }

    #[test]
    fn what_nobody_uses_near_the_rate_that_filled_the_link_is_not_believed_to_be_there() {
        let mut rate = Rate::new(1_000_000, 0);
        rate.update(Usage::Over, 0, 1.0, &link(1_000_000), 0);
        for n in 1..=100 {
            rate.update(Usage::Normal, n * 100_000, 0.0, &link(700_000), n * 100_000);
        }
        assert_eq!(rate.bps, 850_000.0);
    }

    #[test]
    fn the_queue_is_given_room_to_drain_for_a_while() {
        let mut rate = Rate::new(1_000_000, 0);
        let full = Link { queue_us: 300_000, ..link(1_000_000) };
        rate.update(Usage::Over, 0, 1.0, &full, 0);
        assert_eq!((rate.bps, rate.now_bps()), (850_000.0, 595_000.0));
        rate.update(Usage::Under, S, 0.0, &full, S);
        assert_eq!(rate.now_bps(), 595_000.0);
        rate.update(Usage::Under, S, 0.0, &link(600_000), S + 100_000);
        assert_eq!(rate.now_bps(), 850_000.0);
    }
}
