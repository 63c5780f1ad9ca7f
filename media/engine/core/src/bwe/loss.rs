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
//! | trial | other rate, loss as before, no queue | the loss is inherent: learned, bound lifted; free |
//! | bounded | excess loss > 10 % | bound = what got through; trial |
//! | bounded | excess loss > 10 % as before, far below what got through then, no queue | inherent after all: learned, bound lifted; free |
//! | bounded | excess loss between, no queue | bound grows 2 % a second: if the loss is of our doing it grows beyond 10 % |
//! | bounded | excess loss < 3 % | bound grows 8 % a second; free when it binds nothing |
//!
//! Excess loss is what exceeds the inherent loss. Loss alone never bounds below `FLOOR_BPS`: audio and a lowest layer get
//! through, and a probe can end the trial. Only numbers of our own transport are counted, which we assign as we send: what was
//! lost before it reached us never had one, so it cannot be blamed on this receiver.

use super::MAX_BPS;

/// Loss alone does not bound below this, bits/s.
pub const FLOOR_BPS: u64 = 300_000;
/// An observation covers at least this time and this many packets.
const PERIOD_US: u64 = 1_000_000;
const PACKETS: u32 = 20;
/// Excess loss that starts a trial, and below which a bound grows.
const HIGH: f64 = 0.10;
const LOW: f64 = 0.03;
/// A bound grows by so much a second, and while moderate loss leaves it in doubt by so much.
const GROWTH: f64 = 1.08;
const DOUBTFUL_GROWTH: f64 = 1.02;
/// Two stories must differ by this share of the loss to be told apart.
const DISTINCT: f64 = 0.4;
/// Sending less than this share of what got through is sending far below it.
const FAR_BELOW: f64 = 0.8;
/// A trial is decided after so many observations at the latest.
const OBSERVATIONS: u32 = 6;
/// What is sent this long after a trial began belongs to neither rate.
const SETTLE_US: u64 = 700_000;
/// Share by which the inherent loss follows what is seen, up to what was learned.
const FOLLOWS: f64 = 0.2;
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

#[derive(Debug, Clone, Copy, Default)]
struct Trial {
    /// What began it.
    bps: f64,
    excess: f64,
    loss: f64,
    /// Observations at other rates since, their packets, and how far they were from "as before" towards "ours".
    observations: u32,
    packets: f64,
    share: f64,
}

/// What got through when the bound was made, and the loss that made it.
#[derive(Debug, Clone, Copy, Default)]
struct Cut {
    bps: f64,
    loss: f64,
}

/// The loss-based half of the estimator.
#[derive(Debug, Default)]
pub struct Loss {
    period: Period,
    /// Loss that our rate does not cause: what was learned, and what of it is still seen.
    learned: f64,
    inherent: f64,
    recent: f64,
    /// What of it is no chance, until taken.
    certain: Option<f64>,
    bound_bps: Option<f64>,
    trial: Option<Trial>,
    cut: Cut,
    /// What was sent before this is not counted.
    settled_us: u64,
    doubt: Doubt,
    /// The queue is long: loss now is no chance.
    pub queued: bool,
}

/// Is learned loss a policer after all? Then what gets through stays the same whatever is sent: the slope of ln(1 - loss) over
/// ln(rate) is -1; it is 0 for loss by chance.
#[derive(Debug, Default)]
struct Doubt {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
}

impl Doubt {
    /// Notes an observation; true if chance is no longer believed.
    fn observe(&mut self, bps: f64, loss: f64) -> bool {
        let (x, y) = (bps.max(1.0).ln(), (1.0 - loss).max(0.01).ln());
        let weight = (1.0 / (self.n + 1.0)).max(0.04);
        self.n += 1.0;
        let (dx, dy) = (x - self.x, y - self.y);
        self.x += weight * dx;
        self.y += weight * dy;
        self.xx = (1.0 - weight) * (self.xx + weight * dx * dx);
        self.xy = (1.0 - weight) * (self.xy + weight * dx * dy);
        self.n >= 15.0 && self.xx > 0.0009 && self.xy / self.xx < -0.7
    }
}

impl Loss {
    /// Feedback speaks of a packet for the first time.
    pub fn status(&mut self, at_us: u64, bytes: u16, lost: bool) {
        if at_us < self.settled_us {
            return;
        }
        let p = &mut self.period;
        if p.packets == 0 {
            p.first_us = at_us;
        } else if at_us.saturating_sub(p.first_us) >= PERIOD_US && p.packets >= PACKETS {
            let tried = self.trial.is_some();
            self.close();
            self.period.first_us = at_us;
            if self.trial.is_some() != tried {
                self.settled_us = at_us.saturating_add(SETTLE_US);
                return;
            }
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
        self.certain = Some((loss - deviation(loss, f64::from(p.packets))).max(0.0));
        self.judge(p.bytes as f64 * 8e6 / time, loss, time / 1e6, f64::from(p.packets));
    }

    /// A probe sent at `bps` lost this share of its packets.
    pub fn probed(&mut self, bps: u64, lost: u32, packets: u32) {
        // A policer's bucket lets a short train through: only one who sends so little that less is no choice learns from it.
        if packets >= 8 && self.trial.is_some_and(|trial| trial.bps < 1.5 * FLOOR_BPS as f64) {
            self.compare(bps as f64, f64::from(lost) / f64::from(packets), f64::from(packets));
        }
    }

    fn excess(&self, loss: f64) -> f64 {
        ((loss - self.inherent) / (1.0 - self.inherent)).clamp(0.0, 1.0)
    }

    /// Which story of the trial does an observation at another rate fit? Decided when the doubt is less than the difference.
    fn compare(&mut self, bps: f64, loss: f64, packets: f64) {
        let excess = self.excess(loss);
        let Some(trial) = self.trial.as_mut() else { return };
        let through = trial.bps * (1.0 - trial.excess);
        let change_if_ours = (1.0 - through / bps.max(1.0)).max(0.0) - trial.excess;
        if change_if_ours.abs() < DISTINCT * trial.excess {
            return;
        }
        // 0 = as before, 1 = as a link of that capacity would have it.
        let share = (excess - trial.excess) / change_if_ours;
        trial.packets += packets;
        trial.share += (share - trial.share) * packets / trial.packets;
        trial.observations = trial.observations.saturating_add(1);
        let doubt = (trial.loss / trial.packets).sqrt() / change_if_ours.abs();
        let decided = (trial.share - 0.5).abs() > doubt || trial.observations >= OBSERVATIONS;
        if !decided || trial.share < 0.5 && self.queued {
            return;
        }
        let (chance, before) = (trial.share < 0.5, trial.loss);
        self.trial = None;
        if chance {
            self.learn((before + loss) / 2.0);
        }
    }

    /// It was chance.
    fn learn(&mut self, loss: f64) {
        self.learned = loss.max(self.inherent).min(INHERENT_MAX);
        self.inherent = self.learned;
        (self.bound_bps, self.trial, self.doubt) = (None, None, Doubt::default());
    }

    fn judge(&mut self, bps: f64, loss: f64, seconds: f64, packets: f64) {
        self.compare(bps, loss, packets);
        self.inherent = (self.inherent + FOLLOWS * (loss - self.inherent)).min(self.learned);
        if self.inherent > HIGH && self.doubt.observe(bps, loss) {
            (self.learned, self.inherent, self.doubt) = (0.0, 0.0, Doubt::default());
        }
        let excess = self.excess(loss);
        // One standard deviation may be chance.
        if excess > HIGH + deviation(loss, packets) {
            if self.bound_bps.is_some() && bps < FAR_BELOW * self.cut.bps && !self.queued {
                // A link of that capacity would lose nothing here: wait for the verdict, or reverse it.
                if self.trial.is_some() {
                    return;
                }
                if (loss - self.cut.loss).abs() < 0.5 * self.cut.loss {
                    return self.learn((loss + self.cut.loss) / 2.0);
                }
            }
            let through = (bps * (1.0 - excess)).max(FLOOR_BPS as f64);
            self.bound_bps = Some(self.bound_bps.map_or(through, |bound| bound.min(through)));
            self.cut = Cut { bps: through, loss };
            self.trial.get_or_insert(Trial { bps, excess, loss, ..Trial::default() });
            return;
        }
        let growth = match excess < LOW {
            true => GROWTH,
            false if self.trial.is_none() && !self.queued => DOUBTFUL_GROWTH,
            false => return,
        };
        self.bound_bps = self.bound_bps.map(|bound| bound * growth.powf(seconds.min(2.0))).filter(|bound| *bound < MAX_BPS as f64);
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

    /// Loss of an observation that was not asked for before, less what may be chance, 0 to 1.
    pub fn take_certain(&mut self) -> Option<f64> {
        self.certain.take()
    }
}

/// One standard deviation of the share lost of so many packets.
fn deviation(loss: f64, packets: f64) -> f64 {
    (loss * (1.0 - loss) / packets.max(1.0)).sqrt()
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
    fn a_bound_grows_slowly_under_moderate_loss_without_a_queue() {
        for (queued, grown) in [(false, 1.15..1.25), (true, 0.99..1.01)] {
            let (mut loss, mut at, mut n) = (Loss { bound_bps: Some(1_000_000.0), queued, ..Loss::default() }, 0, 0u32);
            send(&mut loss, &mut at, 1_000_000, 10, || {
                n += 1;
                n % 17 == 0
            });
            assert!(grown.contains(&(loss.bound_bps().unwrap_or(0) as f64 / 1e6)), "{loss:?}");
        }
    }

    #[test]
    fn learned_loss_is_unlearned_when_the_air_clears() {
        let (mut loss, mut at) = (Loss { inherent: 0.3, learned: 0.3, ..Loss::default() }, 0);
        send(&mut loss, &mut at, 500_000, 20, || false);
        assert!(loss.inherent() < 0.02, "{loss:?}");
    }
}
