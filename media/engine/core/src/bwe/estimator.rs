//! One transport's estimate: what feedback says, turned into bits per second that may be sent.

use super::delay::{Delay, Verdict};
use super::delivered::Delivered;
use super::history::{Fate, History, Sent};
use super::loss::Loss;
use super::probe::{Finding, Probe, Prober};
use super::rate::{Link, Rate, State};
use super::trend::Usage;
use super::{Class, MAX_BPS, MIN_BPS};
use crate::twcc::Feedback;

/// Statuses of one feedback packet that are looked at; a packet with more is refused.
const MAX_REPORTED: u16 = 2048;
/// Each packet sent may be spoken of about so often; further feedback is refused.
const REPORTS_PER_PACKET: u32 = 4;
const REPORTS_MAX: u32 = 16_384;
/// What a viewer's first trains climb to, bits/s, so that what it can take is known before it is asked for.
const EXPLORED_BPS: u64 = 5_000_000;
/// After over-use nothing is probed for this long, microseconds.
const CALM_US: u64 = 2_000_000;
/// No feedback on what was sent for this long: nothing is probed; for longer: the rate backs off, every so often.
const SILENT_US: u64 = 500_000;
const DEAF_US: u64 = 1_500_000;
const DEAF_EVERY_US: u64 = 500_000;
/// While nothing is heard so much is sent so often if more is wanted: with all paused nothing else would tell that it carries again.
const SOUND_EVERY_US: u64 = 1_000_000;
const SOUND_BYTES: usize = 200;
/// Loss above the inherent that goes with a full queue, and the queue that goes with loss of our doing, ms.
const LOSSY: f64 = 0.05;
const QUEUED_MS: f64 = 40.0;
/// Windows of the arriving rate, microseconds.
const HALF_SECOND_US: i64 = 500_000;
const TENTH_US: i64 = 100_000;
/// Reference times wrap after 2^24 units of 64 ms.
const REFERENCE_WRAP_US: i64 = (1 << 24) * 64_000;

/// Figures for metrics and the quality event.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    pub target_bps: u64,
    /// Arriving over the last half second; 0 = unknown.
    pub arriving_bps: u64,
    /// 0 = loss does not bound.
    pub loss_bound_bps: u64,
    /// 0 = unknown.
    pub rtt_us: u64,
    /// Queueing delay not explained by our own bursts.
    pub queue_us: u64,
    pub loss: f64,
    pub inherent_loss: f64,
    pub state: State,
    pub counters: Counters,
}

/// What has happened since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    pub feedback: u64,
    /// Feedback with too many statuses, or more than what was sent warrants.
    pub refused: u64,
    /// Statuses of packets that were never sent or are forgotten.
    pub unknown: u64,
    pub decreases: u64,
    pub trains: u64,
    pub trains_worthwhile: u64,
    pub back_offs: u64,
    pub padding_bytes: u64,
}

/// The estimator of one transport.
#[derive(Debug)]
pub struct Estimator {
    history: History,
    delivered: Delivered,
    delay: Delay,
    loss: Loss,
    rate: Rate,
    prober: Prober,
    /// Believed, for telling our own bursts from a slow link, bits/s.
    believed_bps: u64,
    /// Highest number any feedback spoke of.
    reported: Option<u64>,
    /// The remote's last reference time, unwrapped.
    reference_us: Option<i64>,
    rtt_us: Option<u64>,
    /// Since when something has been sent and nothing was heard.
    unheard_since_us: Option<u64>,
    backed_off_us: u64,
    sounded_us: u64,
    over_us: Option<u64>,
    /// The path has shown that it carries no more.
    full: bool,
    /// The first trains have not failed yet.
    exploring: bool,
    credit: u32,
    counters: Counters,
}

impl Estimator {
    /// Starts with `start_bps` until feedback says otherwise. Nothing is allocated before the first packet.
    pub fn new(now_us: u64, start_bps: u64) -> Self {
        let start_bps = start_bps.clamp(MIN_BPS, MAX_BPS);
        Self {
            history: History::default(),
            delivered: Delivered::default(),
            delay: Delay::default(),
            loss: Loss::default(),
            rate: Rate::new(start_bps, now_us),
            prober: Prober::default(),
            believed_bps: start_bps,
            reported: None,
            reference_us: None,
            rtt_us: None,
            unheard_since_us: None,
            backed_off_us: 0,
            sounded_us: 0,
            over_us: None,
            full: false,
            exploring: true,
            credit: 64,
            counters: Counters::default(),
        }
    }

    /// A packet with this transport-wide number left; `bytes` as counted in the rates of the allocator. The hot path.
    #[inline]
    pub fn sent(&mut self, number: u16, bytes: usize, class: Class, now_us: u64) {
        let unwrapped = self.history.sent(number, bytes, class, now_us);
        self.prober.sent(unwrapped, bytes, now_us);
        self.credit = self.credit.saturating_add(REPORTS_PER_PACKET).min(REPORTS_MAX);
        if self.unheard_since_us.is_none() {
            self.unheard_since_us = Some(now_us);
        }
        if class == Class::Padding {
            self.counters.padding_bytes = self.counters.padding_bytes.saturating_add(bytes as u64);
        }
    }

    /// Reads what the next `sent` will need.
    pub fn warm(&self) -> u64 {
        self.history.warm() ^ self.prober.warm() ^ u64::from(self.credit) ^ self.unheard_since_us.unwrap_or(0)
    }

    /// Authenticated feedback of the peer on what we sent.
    pub fn feedback(&mut self, feedback: &Feedback<'_>, now_us: u64) {
        let cost = u32::from(feedback.count).max(REPORTS_PER_PACKET);
        if feedback.count > MAX_REPORTED || cost > self.credit {
            self.counters.refused = self.counters.refused.saturating_add(1);
            return;
        }
        self.credit = self.credit.saturating_sub(cost);
        self.counters.feedback = self.counters.feedback.saturating_add(1);
        let shift = self.unwrap_reference(feedback.reference_us);
        let gap = self.history.unwrap(feedback.base).zip(self.reported).is_some_and(|(base, reported)| base > reported.saturating_add(1));
        if gap {
            self.delivered.restart();
        }
        let mut verdict: Option<Verdict> = None;
        let (mut known, mut newest) = (false, None);
        for (number, arrival) in feedback.arrivals() {
            let Some(sent) = self.history.report(number, arrival.is_some(), now_us) else {
                self.counters.unknown = self.counters.unknown.saturating_add(1);
                continue;
            };
            known = true;
            self.reported = self.reported.max(Some(sent.number));
            let arrival = arrival.map(|at| at.saturating_add(shift));
            if let Some(seen) = self.status(&sent, arrival) {
                // The gravest verdict of one feedback packet counts.
                verdict = match verdict {
                    Some(before) if before.usage == Usage::Over && seen.usage != Usage::Over => Some(before),
                    _ => Some(seen),
                };
            }
            if arrival.is_some() && sent.before == Fate::Unknown {
                newest = newest.max(Some(sent.at_us));
            }
        }
        if !known {
            return;
        }
        self.unheard_since_us = None;
        if let Some(newest) = newest {
            self.measure_rtt(newest, now_us);
        }
        self.update(verdict, now_us);
        if let Some(finding) = self.prober.finish(self.reported, now_us) {
            self.judge(finding, now_us);
        }
    }

    /// One packet's status; a verdict if it completed a burst.
    fn status(&mut self, sent: &Sent, arrival_us: Option<i64>) -> Option<Verdict> {
        let delay = arrival_us.map(|at| at.saturating_sub(sent.at_us.min(i64::MAX as u64) as i64));
        match sent.before {
            Fate::Unknown => {
                self.loss.status(sent.at_us, sent.bytes, delay.is_none());
                self.prober.status(sent, delay);
            }
            Fate::Lost if delay.is_some() => self.loss.recovered(),
            Fate::Lost | Fate::Received => return None,
        }
        let arrival_us = arrival_us?;
        self.delivered.add(arrival_us, sent.bytes, sent.class == Class::Padding);
        self.delay.arrived(sent, arrival_us, self.believed_bps)
    }

    /// What to add to this feedback's times so that they go on where the last ones were.
    fn unwrap_reference(&mut self, reference_us: i64) -> i64 {
        let last = self.reference_us.unwrap_or(reference_us);
        let turns = last.saturating_sub(reference_us).saturating_add(REFERENCE_WRAP_US / 2).div_euclid(REFERENCE_WRAP_US);
        let shift = turns.saturating_mul(REFERENCE_WRAP_US);
        self.reference_us = Some(reference_us.saturating_add(shift));
        shift
    }

    fn measure_rtt(&mut self, newest_us: u64, now_us: u64) {
        let sample = now_us.saturating_sub(newest_us).min(10_000_000);
        // Feedback waits for its timer: the least sample is nearest to the truth.
        self.rtt_us = Some(match self.rtt_us {
            Some(rtt) if sample > rtt => rtt.saturating_add(sample.saturating_sub(rtt) / 16),
            _ => sample,
        });
    }

    fn update(&mut self, verdict: Option<Verdict>, now_us: u64) {
        self.delay.lossy = self.loss.recent() > self.loss.inherent() + LOSSY;
        self.loss.queued = self.delay.queue_ms() > QUEUED_MS;
        let link = self.link();
        let Verdict { usage, sent_us, overload } = verdict.unwrap_or(Verdict { usage: Usage::Normal, sent_us: now_us, overload: 0.0 });
        let before = self.rate.decreased_us();
        self.rate.update(usage, sent_us, overload, &link, now_us);
        if usage == Usage::Over {
            self.over_us = Some(now_us);
        }
        if self.rate.decreased_us() != before {
            self.counters.decreases = self.counters.decreases.saturating_add(1);
            (self.full, self.exploring) = (true, false);
            self.prober.refuted(CALM_US, now_us);
        }
        self.rate.bps = self.rate.bps.clamp(MIN_BPS as f64, MAX_BPS as f64);
        self.believed_bps = (self.rate.bps as u64).max(link.arriving_bps.unwrap_or(0));
    }

    /// What arrives, in bits/s of sending: what is lost for other reasons than the rate is added again.
    fn link(&self) -> Link {
        let sendable = |bps: u64| (bps as f64 / (1.0 - self.loss.inherent())) as u64;
        let half = self.delivered.rates(HALF_SECOND_US);
        Link {
            arriving_bps: half.map(|rates| sendable(rates.0)),
            arriving_now_bps: self.delivered.rates(TENTH_US).map(|rates| sendable(rates.0)),
            useful_bps: half.map(|rates| sendable(rates.1)),
            rtt_us: self.rtt_us.unwrap_or(100_000),
            queue_us: self.queue_us(),
        }
    }

    fn judge(&mut self, finding: Finding, now_us: u64) {
        let packets = finding.received.saturating_add(finding.lost);
        self.loss.probed(finding.sent_bps, finding.lost, packets);
        let through = f64::from(finding.received) / f64::from(packets.max(1)) / (1.0 - self.loss.inherent());
        let before = self.target_bps() as f64;
        self.counters.trains = self.counters.trains.saturating_add(1);
        let Some(carried) = finding.carried_bps else { return self.prober.retry(now_us) };
        self.rate.raise((carried * through.min(1.0)).min(MAX_BPS as f64));
        if finding.full {
            self.rate.lower(carried, &self.link());
        }
        let worthwhile = self.target_bps() as f64 > before * 1.1;
        self.counters.trains_worthwhile = self.counters.trains_worthwhile.saturating_add(u64::from(worthwhile));
        self.exploring &= worthwhile;
        self.prober.settle(worthwhile, now_us);
    }

    /// Whether the path ever showed that it carries no more, or shows nothing now: who was silent for a while was busy, mostly.
    pub fn was_full(&self) -> bool {
        self.full || self.unheard_since_us.is_some_and(|since| self.backed_off_us > since)
    }

    /// What may be sent, bits/s.
    pub fn target_bps(&self) -> u64 {
        (self.rate.now_bps() as u64).min(self.loss.bound_bps().unwrap_or(MAX_BPS)).clamp(MIN_BPS, MAX_BPS)
    }

    /// What to send now to find out whether `wanted_bps` would fit; 0 = nothing more is wanted. Call it when due, and after each
    /// feedback.
    pub fn next_probe(&mut self, now_us: u64, wanted_bps: u64) -> Option<Probe> {
        if self.is_deaf(now_us) && wanted_bps > 0 && now_us.saturating_sub(self.sounded_us) >= SOUND_EVERY_US {
            self.sounded_us = now_us;
            return Some(Probe { cluster: 0, bytes: SOUND_BYTES, rate_bps: self.target_bps() });
        }
        if self.prober.is_ready(now_us) && wanted_bps > 0 && self.is_calm(now_us) {
            let target = self.target_bps();
            let explored = if self.exploring { EXPLORED_BPS } else { 0 };
            let goal = wanted_bps.saturating_add(wanted_bps / 4).max(explored).min(MAX_BPS);
            if goal > target.saturating_add(target / 20) {
                self.prober.begin(goal.min(target.saturating_mul(2)), now_us);
            }
        }
        self.prober.request(now_us)
    }

    /// Feedback flows and the link has not been full lately.
    fn is_calm(&self, now_us: u64) -> bool {
        let heard = self.reported.is_some() && self.unheard_since_us.is_none_or(|since| now_us.saturating_sub(since) < SILENT_US);
        heard && self.over_us.is_none_or(|at| now_us.saturating_sub(at) >= CALM_US)
    }

    fn is_deaf(&self, now_us: u64) -> bool {
        self.reported.is_some() && self.unheard_since_us.is_some_and(|since| now_us.saturating_sub(since) >= DEAF_US)
    }

    /// Backs off when feedback on what was sent stays away; call it when due.
    pub fn timeout(&mut self, now_us: u64) {
        if let Some(finding) = self.prober.finish(self.reported, now_us) {
            self.judge(finding, now_us);
        }
        if self.deaf_due().is_some_and(|at| at <= now_us) {
            self.backed_off_us = now_us;
            self.rate.back_off(now_us);
            self.rate.bps = self.rate.bps.max(MIN_BPS as f64);
            self.counters.back_offs = self.counters.back_offs.saturating_add(1);
        }
    }

    /// When to back off. A peer that never sent feedback is left at the start.
    fn deaf_due(&self) -> Option<u64> {
        let since = self.unheard_since_us.filter(|_| self.reported.is_some() && self.rate.bps > MIN_BPS as f64)?;
        Some(since.saturating_add(DEAF_US).max(self.backed_off_us.saturating_add(DEAF_EVERY_US)))
    }

    /// When `timeout` or `next_probe` has something to do without new feedback.
    pub fn due(&self) -> Option<u64> {
        [self.prober.due(), self.deaf_due()].into_iter().flatten().min()
    }

    /// The path is another: what was learned of the old one is forgotten, the rate is at most `start_bps`.
    pub fn path_changed(&mut self, now_us: u64, start_bps: u64) {
        let bps = self.target_bps().min(start_bps).clamp(MIN_BPS, MAX_BPS);
        self.rate = Rate::new(bps, now_us);
        self.delay = Delay::default();
        self.loss = Loss::default();
        self.delivered.restart();
        self.prober = Prober::default();
        (self.believed_bps, self.rtt_us, self.over_us) = (bps, None, None);
        (self.full, self.exploring) = (false, true);
    }

    /// Loss on the way to the receiver since this was last asked, 0 to 1; None until enough has been sent to tell it from chance.
    pub fn take_loss(&mut self) -> Option<f64> {
        self.loss.take_certain()
    }

    fn queue_us(&self) -> u64 {
        (self.delay.queue_ms() * 1000.0) as u64
    }

    /// A snapshot for metrics.
    pub fn figures(&self) -> Figures {
        Figures {
            target_bps: self.target_bps(),
            arriving_bps: self.delivered.rates(HALF_SECOND_US).map_or(0, |rates| rates.0),
            loss_bound_bps: self.loss.bound_bps().unwrap_or(0),
            rtt_us: self.rtt_us.unwrap_or(0),
            queue_us: self.queue_us(),
            loss: self.loss.recent(),
            inherent_loss: self.loss.inherent(),
            state: self.rate.state(),
            counters: self.counters,
        }
    }
}
