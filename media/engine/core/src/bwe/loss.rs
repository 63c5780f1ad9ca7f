//! What loss says about the rate: a bound if our rate causes it, nothing if it does not.
//!
//! Loss comes from full queues and policers, which less traffic cures, and from bad air, which it does not. One observation
//! cannot tell them apart; two at different rates can. So heavy loss starts a *trial*: the bound falls to what got through,
//! and the next observation at another rate (lower, or a probe's, which is higher) decides which story fits better.
//!
//! | state | observation | then |
//! |---|---|---|
//! | free | excess loss <= 10 % | stay |
//! | free | excess loss > 10 % | bound = what got through; trial |
//! | trial | same rate as before | bound = what got through, at most the bound before |
//! | trial | other rate, loss as if a link of that capacity cut it | bounded |
//! | trial | other rate, loss as before | the loss is inherent: learned, bound lifted; free |
//! | bounded | excess loss > 10 % | bound = what got through; trial |
//! | bounded | excess loss < 3 % | bound grows 8 % a second; far above the traffic: free |
//!
//! Excess loss is what exceeds the inherent loss. Loss alone never bounds below `FLOOR_BPS`: audio and a lowest layer get
//! through, and a probe can end the trial. Only numbers of our own transport are counted, which we assign as we send: what was
//! lost before it reached us never had one, so it cannot be blamed on this receiver.

/// Loss alone does not bound below this, bits/s.
pub const FLOOR_BPS: u64 = 300_000;
/// An observation covers at least this time and this many packets.
const PERIOD_US: u64 = 1_000_000;
const PACKETS: u32 = 20;
/// Excess loss that starts a trial, and below which a bound grows.
const HIGH: f64 = 0.10;
const LOW: f64 = 0.03;
const GROWTH: f64 = 1.08;
/// A bound this many times what is sent binds nothing.
const FREE: f64 = 3.0;
/// Two stories must differ by this share of the loss to be told apart.
const DISTINCT: f64 = 0.4;
/// More loss than this is not believed to be inherent.
const INHERENT_MAX: f64 = 0.5;

#[derive(Debug, Clone, Copy, Default)]
struct Period {
    first_us: u64,
    last_us: u64,
    bytes: u64,
    packets: u32,
    lost: u32,
}

#[derive(Debug, Clone, Copy)]
struct Observation {
    bps: f64,
    excess: f64,
    loss: f64,
}

/// The loss-based half of the estimator.
#[derive(Debug, Default)]
pub struct Loss {
    period: Period,
    inherent: f64,
    recent: f64,
    bound_bps: Option<f64>,
    trial: Option<Observation>,
}

impl Loss {
    /// Feedback speaks of a packet for the first time.
    pub fn status(&mut self, at_us: u64, bytes: u16, lost: bool) {
        let p = &mut self.period;
        if p.packets == 0 {
            p.first_us = at_us;
        } else if at_us.saturating_sub(p.first_us) >= PERIOD_US && p.packets >= PACKETS {
            self.close();
            self.period.first_us = at_us;
        }
        let p = &mut self.period;
        p.last_us = p.last_us.max(at_us);
        p.bytes = p.bytes.saturating_add(u64::from(bytes));
        p.packets = p.packets.saturating_add(1);
        p.lost = p.lost.saturating_add(u32::from(lost));
    }

    /// A packet that was reported lost has arrived after all.
    pub fn recovered(&mut self) {
        self.period.lost = self.period.lost.saturating_sub(1);
    }

    fn close(&mut self) {
        let p = std::mem::take(&mut self.period);
        let time = p.last_us.saturating_sub(p.first_us).max(1) as f64;
        let loss = f64::from(p.lost) / f64::from(p.packets.max(1));
        self.recent = loss;
        self.judge(p.bytes as f64 * 8e6 / time, loss, time / 1e6);
    }

    /// A probe sent at `bps` lost this share of its packets.
    pub fn probed(&mut self, bps: u64, lost: u32, packets: u32) {
        if let Some(trial) = self.trial.filter(|_| packets >= 8) {
            self.compare(trial, bps as f64, f64::from(lost) / f64::from(packets));
        }
    }

    fn excess(&self, loss: f64) -> f64 {
        ((loss - self.inherent) / (1.0 - self.inherent)).clamp(0.0, 1.0)
    }

    /// Which story of the trial does an observation at another rate fit?
    fn compare(&mut self, trial: Observation, bps: f64, loss: f64) {
        let excess = self.excess(loss);
        let through = trial.bps * (1.0 - trial.excess);
        let if_ours = (1.0 - through / bps.max(1.0)).max(0.0);
        if (if_ours - trial.excess).abs() < DISTINCT * trial.excess {
            return;
        }
        self.trial = None;
        if (excess - trial.excess).abs() < (excess - if_ours).abs() {
            self.inherent = trial.loss.min(loss).max(self.inherent).min(INHERENT_MAX);
            self.bound_bps = None;
        }
    }

    fn judge(&mut self, bps: f64, loss: f64, seconds: f64) {
        if let Some(trial) = self.trial {
            self.compare(trial, bps, loss);
        }
        if loss < self.inherent {
            self.inherent += 0.3 * (loss - self.inherent);
        }
        let excess = self.excess(loss);
        if excess > HIGH {
            let through = (bps * (1.0 - excess)).max(FLOOR_BPS as f64);
            self.bound_bps = Some(self.bound_bps.map_or(through, |bound| bound.min(through)));
            self.trial.get_or_insert(Observation { bps, excess, loss });
        } else if excess < LOW {
            self.bound_bps = self.bound_bps.map(|bound| bound * GROWTH.powf(seconds.min(2.0))).filter(|bound| *bound < FREE * bps);
        }
    }

    /// The most that loss allows, bits/s.
    pub fn bound_bps(&self) -> Option<u64> {
        self.bound_bps.map(|bound| bound as u64)
    }

    /// Loss our rate does not cause, 0 to 1.
    pub fn inherent(&self) -> f64 {
        self.inherent
    }

    /// Loss last observed, 0 to 1.
    pub fn recent(&self) -> f64 {
        self.recent
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    /// Sends `bps` for `seconds` in packets of 1000 bytes; `lost` decides.
    fn send(loss: &mut Loss, at_us: &mut u64, bps: u64, seconds: u64, mut lost: impl FnMut() -> bool) {
        let step = 8_000_000_000 / bps;
        for _ in 0..seconds * 1_000_000 / step {
            loss.status(*at_us, 1000, lost());
            *at_us += step;
        }
    }

    #[test]
    fn loss_that_a_lower_rate_does_not_cure_is_learned_and_does_not_bound() {
        let (mut loss, mut at, mut noise) = (Loss::default(), 0, Noise::new(3));
        send(&mut loss, &mut at, 1_600_000, 3, || noise.below(100) < 30);
        assert!(loss.bound_bps().is_some_and(|bound| (1_000_000..1_300_000).contains(&bound)), "{loss:?}");
        send(&mut loss, &mut at, 600_000, 4, || noise.below(100) < 30);
        assert_eq!(loss.bound_bps(), None);
        assert!((0.2..0.4).contains(&loss.inherent()), "{loss:?}");
    }

    #[test]
    fn a_policer_keeps_the_bound_at_what_it_lets_through() {
        let (mut loss, mut at, mut n) = (Loss::default(), 0, 0u32);
        send(&mut loss, &mut at, 2_000_000, 3, || {
            n += 1;
            n % 2 == 0
        });
        send(&mut loss, &mut at, 900_000, 4, || false);
        let bound = loss.bound_bps().unwrap_or(0);
        assert!((1_000_000..1_500_000).contains(&bound), "{bound}");
        assert!(loss.inherent() < 0.01);
    }

    #[test]
    fn a_probe_ends_the_trial_of_one_who_cannot_send_less() {
        let (mut loss, mut at, mut noise) = (Loss::default(), 0, Noise::new(5));
        send(&mut loss, &mut at, 190_000, 5, || noise.below(100) < 30);
        assert_eq!(loss.bound_bps(), Some(FLOOR_BPS));
        loss.probed(600_000, 5, 16);
        assert_eq!(loss.bound_bps(), None);
    }

    #[test]
    fn light_loss_changes_nothing() {
        let (mut loss, mut at, mut n) = (Loss::default(), 0, 0u32);
        send(&mut loss, &mut at, 1_000_000, 20, || {
            n += 1;
            n % 20 == 0
        });
        assert_eq!(loss.bound_bps(), None);
    }

    #[test]
    fn learned_loss_is_unlearned_when_the_air_clears() {
        let (mut loss, mut at) = (Loss { inherent: 0.3, ..Loss::default() }, 0);
        send(&mut loss, &mut at, 500_000, 12, || false);
        assert!(loss.inherent() < 0.02, "{loss:?}");
    }
}
