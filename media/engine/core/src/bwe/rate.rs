//! The delay-based rate: additive or multiplicative increase, multiplicative decrease.
//!
//! | state | over-use | normal | under-use |
//! |---|---|---|---|
//! | hold | decrease | increase | hold |
//! | increase | decrease | increase | hold |
//! | decrease | decrease | hold | hold |
//!
//! (draft-ietf-rmcat-gcc-02 section 5.5.) A decrease is judged by what was sent after it: over-use seen by older packets is
//! the same over-use. If clearly more was sent than the link carries, what arrives *is* the link and the rate becomes 85 % of it;
//! a slight slope is only a suspicion and takes 15 % off the rate. A growing rate stays within 1.5 times of what arrives: what was
//! not tried is not known. Without growth nothing is taken away: who sends little is not slow.

use super::trend::Usage;

/// What a decrease leaves.
const BETA: f64 = 0.85;
/// More overload than this is a certain one.
const CERTAIN: f64 = 0.15;
/// Multiplicative growth per second, and additive growth per response time, bits/s.
const GROWTH: f64 = 1.08;
const STEP_BPS: f64 = 9_600.0;
/// Near the rate at which the link was last full: between these shares of it.
const NEAR: std::ops::Range<f64> = 0.85..1.15;

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
}

impl Rate {
    pub fn new(bps: u64, now_us: u64) -> Self {
        Self { bps: bps as f64, state: State::Hold, ceiling_bps: None, updated_us: now_us, decreased_us: None }
    }

    /// Takes the usage that packets sent at `sent_us` saw.
    pub fn update(&mut self, usage: Usage, sent_us: u64, overload: f64, link: &Link, now_us: u64) {
        let usage = match usage {
            Usage::Over if self.decreased_us.is_some_and(|at| sent_us < at) => Usage::Under,
            usage => usage,
        };
        self.state = match (self.state, usage) {
            (_, Usage::Over) => State::Decrease,
            (_, Usage::Under) | (State::Decrease, Usage::Normal) => State::Hold,
            (State::Hold | State::Increase, Usage::Normal) => State::Increase,
        };
        let seconds = (now_us.saturating_sub(self.updated_us) as f64 / 1e6).min(1.0);
        self.updated_us = now_us;
        match self.state {
            State::Hold => {}
            State::Increase => self.increase(link, seconds),
            State::Decrease => self.decrease(overload, link, now_us),
        }
    }

    fn increase(&mut self, link: &Link, seconds: f64) {
        let Some(useful) = link.useful_bps else { return };
        let grown = match self.ceiling_bps {
            Some(ceiling) if NEAR.contains(&(self.bps / ceiling)) => self.bps + STEP_BPS * seconds * 1e6 / (link.rtt_us as f64 + 100_000.0),
            ceiling => {
                if ceiling.is_some_and(|ceiling| self.bps > ceiling) {
                    self.ceiling_bps = None;
                }
                self.bps * GROWTH.powf(seconds)
            }
        };
        self.bps = grown.min(useful as f64 * 1.5 + 10_000.0).max(self.bps);
    }

    fn decrease(&mut self, overload: f64, link: &Link, now_us: u64) {
        let arriving = link.arriving_bps.map(|bps| bps as f64);
        let now = link.arriving_now_bps.map(|bps| bps as f64);
        let certain = overload > CERTAIN;
        let full = match (arriving, now) {
            (Some(a), Some(b)) if certain => a.min(b),
            (Some(a), _) => a,
            (None, b) => b.unwrap_or(self.bps),
        };
        let bound = BETA * full;
        let lowered = if certain { bound } else { bound.max(BETA * self.bps) };
        self.ceiling_bps = Some(full);
        self.bps = self.bps.min(lowered);
        self.decreased_us = Some(now_us);
    }

    /// A probe showed that the link carries this.
    pub fn raise(&mut self, bps: f64) {
        if bps > self.bps {
            self.bps = bps;
            self.ceiling_bps = self.ceiling_bps.filter(|ceiling| *ceiling > bps);
        }
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
