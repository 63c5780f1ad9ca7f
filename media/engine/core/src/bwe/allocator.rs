//! Which layer each video slot of one viewer gets out of the estimated bandwidth. A pure function over the caller's array.
//!
//! Audio is taken off first. Then level by level, the lowest first, in the order screen, main, tiles: everybody gets a lowest layer
//! before anybody gets a second. What does not fit is paused and says so; a screen's or main's lowest layer may overdraw by a quarter,
//! because the estimate is no truer than that.
//!
//! | of a slot | when |
//! |---|---|
//! | goes down, or pauses | at once, when it does not fit |
//! | goes up | when it would have fitted with `MARGIN` to spare all the time for its patience, and `UP_EVERY_US` after the last change |
//! | is played again | while the connection never was full: as soon as its lowest layer fits with `MARGIN` to spare |
//! | patience | 1 s; for the layer whose step up did not last 15 s and higher ones 5 s, then doubled to 32 s; 1 s again after 60 s |

use crate::layer::LAYERS;

/// A step up needs the whole allocation to fit into the budget divided by this, percent.
const MARGIN_PERCENT: u64 = 115;
/// For a lowest layer of rank 0 and 1 the budget is this much, percent of itself.
const OVERDRAWN_PERCENT: u64 = 125;
/// Steps up of one slot are this far apart, microseconds.
pub const UP_EVERY_US: u64 = 3_000_000;
const PATIENCE_US: u64 = 1_000_000;
const FAILED_PATIENCE_US: u64 = 5_000_000;
const PATIENCE_MAX_US: u64 = 32_000_000;
const FAILED_US: u64 = 15_000_000;
const LASTED_US: u64 = 60_000_000;

/// What a slot plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Play {
    /// The viewer does not look: nothing is sent.
    #[default]
    Hidden,
    /// Not even the lowest layer fits.
    Paused,
    /// The layer with this index, 0 = lowest.
    Layer(u8),
}

impl Play {
    /// Number of layers served.
    fn height(self) -> usize {
        match self {
            Play::Hidden | Play::Paused => 0,
            Play::Layer(layer) => usize::from(layer).saturating_add(1),
        }
    }

    fn of(height: usize) -> Play {
        match height.checked_sub(1) {
            None => Play::Paused,
            Some(layer) => Play::Layer(layer.min(LAYERS) as u8),
        }
    }
}

/// What a slot remembers between calls; lives in the slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choice {
    pub play: Play,
    changed_us: u64,
    /// Since when more would have fitted.
    fits_since_us: Option<u64>,
    /// The height whose step up did not last, and how long more must fit before a step to it or above.
    failed: usize,
    patience_us: u64,
    /// The last change was a step up.
    rose: bool,
    /// The first choice since the viewer looked stands: a first step up need not keep its distance.
    fresh: bool,
}

/// One video slot's wish.
#[derive(Debug, Clone, Copy, Default)]
pub struct Demand {
    /// 0 screen, 1 main, 2 tile.
    pub rank: u8,
    /// Bits/s of each layer, lowest first, as sent on this transport; 0 = does not exist or sends nothing now.
    pub rates: [u64; LAYERS],
    /// Highest layer worth sending, -1 = hidden.
    pub max_layer: i8,
    /// In: the choice before. Out: the choice now.
    pub choice: Choice,
    cap: usize,
    height: usize,
}

impl Demand {
    pub fn new(rank: u8, rates: [u64; LAYERS], max_layer: i8, choice: Choice) -> Demand {
        Demand { rank, rates, max_layer, choice, cap: 0, height: 0 }
    }

    /// Bits/s of its lowest layer; 0 if it is hidden or nothing comes.
    fn lowest_bps(&self) -> u64 {
        self.rates.iter().copied().find(|rate| self.max_layer >= 0 && *rate > 0).unwrap_or(0)
    }

    /// Layers that exist and are wanted.
    fn wanted(&self) -> usize {
        let wanted = usize::try_from(self.max_layer.saturating_add(1)).unwrap_or(0).min(LAYERS);
        (0..wanted).rev().find(|layer| self.rate(layer.saturating_add(1)) > 0).map_or(0, |layer| layer.saturating_add(1))
    }

    /// Bits/s of playing the layer at `height`.
    fn rate(&self, height: usize) -> u64 {
        height.checked_sub(1).and_then(|layer| self.rates.get(layer)).copied().unwrap_or(0)
    }
}

/// What was given, and what would be taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allocation {
    /// Bits/s of audio and the chosen layers.
    pub used_bps: u64,
    /// Bits/s if everybody got what they look at, with the margin that steps up need: what to probe for. 0 = all is served.
    pub wanted_bps: u64,
}

/// What begins before anything is known of the connection, bits/s: the lowest layers of screen and main picture, and where there are
/// none the smallest tile, since nothing is learned of a connection that carries nothing.
pub fn essential_bps(demands: &[Demand]) -> u64 {
    let essential: u64 = demands.iter().filter(|demand| demand.rank < 2).map(Demand::lowest_bps).fold(0, u64::saturating_add);
    let smallest = || demands.iter().map(Demand::lowest_bps).filter(|bps| *bps > 0).min();
    if essential > 0 {
        essential
    } else {
        smallest().unwrap_or(0)
    }
}

/// What the layers chosen last take now, bits/s.
pub fn playing_bps(demands: &[Demand]) -> u64 {
    demands.iter().map(|demand| demand.rate(demand.choice.play.height())).fold(0, u64::saturating_add)
}

/// What there is to be shared out.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Bits/s, audio included.
    pub bps: u64,
    pub audio_bps: u64,
    /// The connection has shown that it carries no more than it was given at some time.
    pub was_full: bool,
}

/// Chooses a layer for every demand, in place. `demands` may be in any order; within a rank earlier ones are served first.
pub fn allocate(budget: Budget, demands: &mut [Demand], now_us: u64) -> Allocation {
    let Budget { bps, audio_bps, was_full } = budget;
    let left = bps.saturating_sub(audio_bps);
    let careful = percent(bps, 10_000 / MARGIN_PERCENT).saturating_sub(audio_bps);
    let most = percent(bps, OVERDRAWN_PERCENT).saturating_sub(audio_bps);
    for demand in demands.iter_mut() {
        demand.cap = demand.wanted();
    }
    fill(careful, most, demands);
    for demand in demands.iter_mut() {
        demand.cap = cap(demand, was_full, now_us);
    }
    fill(left, most, demands);
    let (mut used, mut wanted, mut short) = (audio_bps, audio_bps, false);
    for demand in demands.iter_mut() {
        let most = demand.wanted();
        short |= demand.height < most;
        wanted = wanted.saturating_add(demand.rate(most));
        used = used.saturating_add(demand.rate(demand.height));
        decide(demand, now_us);
    }
    Allocation { used_bps: used, wanted_bps: if short { percent(wanted, MARGIN_PERCENT) } else { 0 } }
}

fn percent(bps: u64, percent: u64) -> u64 {
    bps.saturating_mul(percent) / 100
}

/// Serves level by level, rank by rank, up to each demand's cap, `left` bits/s or for lowest layers of rank 0 and 1 `most`; result in
/// `height`.
fn fill(mut left: u64, most: u64, demands: &mut [Demand]) {
    let mut overdraw = most.saturating_sub(left);
    demands.iter_mut().for_each(|demand| demand.height = 0);
    for level in 1..=LAYERS {
        for rank in 0..=2u8 {
            for demand in demands.iter_mut().filter(|demand| demand.rank.min(2) == rank && demand.cap >= level) {
                // A layer that does not exist is stepped over: the next one is reached from the one below.
                let rate = demand.rate(level);
                if rate == 0 || level > 1 && demand.height == 0 && (1..level).any(|below| demand.rate(below) > 0) {
                    continue;
                }
                let cost = rate.saturating_sub(demand.rate(demand.height));
                let lowest = demand.height == 0 && rank < 2;
                if cost <= left {
                    left = left.saturating_sub(cost);
                } else if lowest && cost <= left.saturating_add(overdraw) {
                    overdraw = overdraw.saturating_sub(cost.saturating_sub(left));
                    left = 0;
                } else {
                    continue;
                }
                demand.height = level;
            }
        }
    }
}

/// How high a demand may go now; `height` is what would fit with a margin.
fn cap(demand: &mut Demand, was_full: bool, now_us: u64) -> usize {
    let (most, current) = (demand.wanted(), demand.choice.play.height());
    let choice = &mut demand.choice;
    if choice.play == Play::Hidden {
        // Just become visible: nothing to be patient about.
        return most.min(demand.height.max(1));
    }
    if demand.height <= current {
        choice.fits_since_us = None;
        return current.min(most);
    }
    if current == 0 && !was_full {
        // Nothing speaks against the connection: who waits for a picture gets it as soon as there is room.
        return demand.height.min(1);
    }
    let since = *choice.fits_since_us.get_or_insert(now_us);
    let waited_us = now_us.saturating_sub(since);
    let spaced = choice.fresh || now_us.saturating_sub(choice.changed_us) >= UP_EVERY_US;
    if !spaced || waited_us < PATIENCE_US {
        current.min(most)
    } else if waited_us < choice.patience_us {
        demand.height.min(choice.failed.saturating_sub(1)).max(current.min(most))
    } else {
        demand.height
    }
}

/// Turns the height into a choice and learns from what became of the last one.
fn decide(demand: &mut Demand, now_us: u64) {
    let most = demand.wanted();
    let choice = &mut demand.choice;
    let play = if most == 0 { Play::Hidden } else { Play::of(demand.height) };
    let lasted = now_us.saturating_sub(choice.changed_us);
    if play == choice.play {
        if choice.rose && lasted >= LASTED_US {
            choice.patience_us = PATIENCE_US;
        }
        return;
    }
    let before = choice.play;
    let hidden = before == Play::Hidden || play == Play::Hidden;
    let forced = !hidden && play.height() < before.height() && before.height() <= most;
    if forced && choice.rose && lasted < FAILED_US {
        choice.failed = before.height();
        choice.patience_us = choice.patience_us.saturating_mul(2).clamp(FAILED_PATIENCE_US, PATIENCE_MAX_US);
    }
    choice.rose = !hidden && play.height() > before.height();
    choice.fresh = before == Play::Hidden;
    choice.play = play;
    choice.changed_us = now_us;
    choice.fits_since_us = None;
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
