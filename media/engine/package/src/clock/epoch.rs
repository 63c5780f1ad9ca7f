//! A stretch of a track in which RTP time runs evenly: its windows, their least delayed packets, and the line through them.

use std::collections::VecDeque;

use super::WINDOW_US;
use crate::lipsync::Delay;

/// Slope of the line, at most; in parts of a million.
const MAX_SLOPE_PPM: i64 = 300;
/// Windows whose minima tell the slope.
const SLOPE_WINDOWS: usize = 10;
/// Minima closer together than this tell no slope.
const SLOPE_SPAN_US: i64 = 60_000_000;
/// A window with fewer packets leans on the line before, if its minimum lies above that by no more than `LEAN_US`.
const LEAN_PACKETS: usize = 64;
const LEAN_US: i64 = 150_000;
/// Sender reports kept of a window.
const MAX_REPORTS: usize = 32;

/// At RTP time `x` the server's clock is `x + y` (microseconds).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Knot {
    x: i64,
    y: i64,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    begun_us: u64,
    first: i64,
    last: i64,
    /// The least delayed packet, the slope so far taken out.
    least: Knot,
    packets: usize,
}

#[derive(Debug)]
pub(super) struct Epoch {
    pub id: u32,
    pub first_sequence: u64,
    window: Option<Window>,
    knots: VecDeque<Knot>,
    minima: VecDeque<Knot>,
    ppm: i64,
    /// The end of the line before this epoch.
    before: Option<Knot>,
    /// Sender's wall clock - RTP time, as reported in this window; the newest of an earlier window until then.
    reports: Vec<i64>,
    /// What was added for the delay of the path of pictures.
    correction: Option<i64>,
    /// The same of the epoch before, until this one knows better: another layer, or one picture that came late, has another delay.
    inherited: Option<i64>,
}

impl Epoch {
    pub fn new(id: u32, first_sequence: u64, before: Option<&Epoch>) -> Self {
        Self {
            id,
            first_sequence,
            window: None,
            knots: VecDeque::new(),
            minima: VecDeque::new(),
            ppm: before.map_or(0, |before| before.ppm),
            before: before.and_then(Epoch::raw_end),
            reports: Vec::new(),
            correction: None,
            inherited: before.and_then(|before| before.correction.or(before.inherited)),
        }
    }

    pub fn window_is_over(&self, arrival_us: u64) -> bool {
        self.window.is_some_and(|window| arrival_us.saturating_sub(window.begun_us) >= WINDOW_US)
    }

    pub fn add(&mut self, x: i64, arrival_us: u64) {
        let y = i64::try_from(arrival_us).unwrap_or(i64::MAX).saturating_sub(x);
        let ppm = self.ppm;
        let window = self.window.get_or_insert(Window { begun_us: arrival_us, first: x, last: x, least: Knot { x, y }, packets: 0 });
        window.first = window.first.min(x);
        window.last = window.last.max(x);
        window.packets = window.packets.saturating_add(1);
        if y <= along(window.least, x, ppm) {
            window.least = Knot { x, y };
        }
    }

    pub fn report(&mut self, wall_minus_rtp: i64) {
        if self.reports.len() < MAX_REPORTS {
            self.reports.push(wall_minus_rtp);
        }
    }

    /// How much later than the sender's wall clock the least delayed packets arrive.
    pub fn delay(&self) -> Option<Delay> {
        let newest = *self.reports.last()?;
        let y = match (self.minima.back(), self.window) {
            (Some(&minimum), window) => along(minimum, window.map_or(minimum.x, |window| window.last), self.ppm),
            (None, Some(window)) => window.least.y,
            (None, None) => return None,
        };
        Some(Delay(y.saturating_sub(newest)))
    }

    /// Ends the window: its line is fixed. `delay` turns this track's delay into the correction that its participant's sound
    /// asks for.
    pub fn settle(&mut self, delay: impl FnOnce(Delay) -> Option<i64>) {
        let Some(window) = self.window.take() else { return };
        let least = self.lean(window);
        self.minima.push_back(least);
        if self.minima.len() > SLOPE_WINDOWS {
            self.minima.pop_front();
        }
        self.ppm = self.slope().unwrap_or(self.ppm);
        let wanted = median(&mut self.reports).and_then(|report| delay(Delay(least.y.saturating_sub(report))));
        let newest = self.reports.last().copied();
        self.reports.clear();
        self.reports.extend(newest);
        let first_correction = self.correction.is_none() && wanted.is_some();
        self.correction = match (self.correction, wanted) {
            (Some(had), Some(wanted)) => {
                let limit = per_million(window.last.saturating_sub(window.first), MAX_SLOPE_PPM);
                Some(wanted.clamp(had.saturating_sub(limit), had.saturating_add(limit)))
            }
            (had, wanted) => had.or(wanted),
        };
        let corrected = Knot { y: least.y.saturating_add(self.correction.or(self.inherited).unwrap_or(0)), ..least };
        let end = Knot { x: window.last, y: along(corrected, window.last, self.ppm) };
        match self.knots.back().copied().filter(|_| !first_correction) {
            Some(start) => {
                let limit = per_million(end.x.saturating_sub(start.x), MAX_SLOPE_PPM);
                let y = end.y.clamp(start.y.saturating_sub(limit), start.y.saturating_add(limit));
                self.knots.push_back(Knot { y, ..end });
            }
            None => {
                self.knots.push_back(Knot { x: window.first, y: along(corrected, window.first, self.ppm) });
                self.knots.push_back(end);
            }
        }
    }

    /// The minimum of a window, or a point of the line before if the window is too thin to say.
    fn lean(&self, window: Window) -> Knot {
        let line = self.minima.back().copied().or(self.before);
        let Some(line) = line.filter(|_| window.packets < LEAN_PACKETS) else { return window.least };
        let y = along(line, window.least.x, self.ppm);
        let above = window.least.y.saturating_sub(y);
        if (0..=LEAN_US).contains(&above) {
            Knot { x: window.least.x, y }
        } else {
            window.least
        }
    }

    fn slope(&self) -> Option<i64> {
        let (first, last) = (self.minima.front()?, self.minima.back()?);
        let run = last.x.saturating_sub(first.x);
        if run < SLOPE_SPAN_US {
            return None;
        }
        let rise = last.y.saturating_sub(first.y).saturating_mul(1_000_000);
        rise.checked_div(run).map(|ppm| ppm.clamp(MAX_SLOPE_PPM.saturating_neg(), MAX_SLOPE_PPM))
    }

    /// Where the line ends, without the correction.
    fn raw_end(&self) -> Option<Knot> {
        self.minima.back().copied().or(self.before)
    }

    /// Server time at RTP time `x`; None while it may still lie in a window that is not settled. `ended`: this epoch gets no
    /// more windows.
    pub fn map(&mut self, x: i64, ended: bool) -> Option<i64> {
        // The line is asked for from left to right, up to reordering of pictures; keep one knot to the left.
        while self.knots.len() > 2 && self.knots.get(1).is_some_and(|knot| knot.x <= x.saturating_sub(5_000_000)) {
            self.knots.pop_front();
        }
        let last = *self.knots.back()?;
        if x > last.x && self.window.is_some() && !ended {
            return None;
        }
        let right = self.knots.iter().position(|knot| knot.x >= x);
        let y = match right {
            Some(0) => self.knots.front()?.y,
            Some(right) => between(*self.knots.get(right.saturating_sub(1))?, *self.knots.get(right)?, x),
            None => along(last, x, self.ppm),
        };
        Some(x.saturating_add(y))
    }
}

/// The line through `knot` with a slope, at `x`.
fn along(knot: Knot, x: i64, ppm: i64) -> i64 {
    knot.y.saturating_add(per_million(x.saturating_sub(knot.x), ppm))
}

fn per_million(length: i64, ppm: i64) -> i64 {
    length.saturating_mul(ppm) / 1_000_000
}

fn between(left: Knot, right: Knot, x: i64) -> i64 {
    let (run, rise) = (i128::from(right.x.saturating_sub(left.x)), i128::from(right.y.saturating_sub(left.y)));
    let part = i128::from(x.saturating_sub(left.x)).saturating_mul(rise).checked_div(run).unwrap_or(0);
    left.y.saturating_add(i64::try_from(part).unwrap_or(0))
}

/// The middle one; order is not kept except that the newest stays last.
fn median(values: &mut [i64]) -> Option<i64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}
