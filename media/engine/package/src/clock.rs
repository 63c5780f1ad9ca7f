//! From RTP time to server time, for one track.
//!
//! A packet cannot arrive before it was sent, so the packets that were delayed least tell how the two clocks lie: in windows
//! of 30 s the lower envelope of (arrival - RTP time) is taken, and the map is a line from window to window whose slope stays
//! within 300 ppm (real crystals stay within 100). Senders' wall clocks are never trusted between participants; within one,
//! sender reports (RFC 3550 section 6.4.1) tell how much later pictures arrive than sound of the same instant (see `lipsync`).
//!
//! A pause of more than 2 s or a step of RTP time against arrival of more than 500 ms begins a new *epoch*: a new line for
//! what follows. The recording goes on. An epoch too short for an envelope of its own leans on the line before, if it fits.
//!
//! Packets are marked with (epoch, unwrapped ticks) as they arrive; a mark can be mapped once its window is settled, at most
//! one window later.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod epoch;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod simulation;

use std::collections::VecDeque;

use crate::lipsync::Delay;
use crate::reorder::Mark;
use epoch::Epoch;

pub const WINDOW_US: u64 = 30_000_000;
/// A longer pause begins a new epoch.
pub const MAX_PAUSE_US: u64 = 2_000_000;
/// A larger step of RTP time against arrival begins a new epoch.
pub const MAX_JUMP_US: i64 = 500_000;
/// Epochs that wait for their units; more are settled and forgotten from the oldest on.
const MAX_EPOCHS: usize = 64;

/// The newest packet in sequence.
#[derive(Debug, Clone, Copy)]
struct Newest {
    sequence: u64,
    arrival_us: u64,
    ticks: i64,
}

#[derive(Debug)]
pub struct Clock {
    rate: u32,
    newest: Option<Newest>,
    epochs: VecDeque<Epoch>,
    begun: u32,
}

impl Clock {
    pub fn new(rate: u32) -> Self {
        Self { rate: rate.max(1), newest: None, epochs: VecDeque::new(), begun: 0 }
    }

    /// Notes an arrival and marks the packet. `delay` corrects the window that this settles, if it does.
    pub fn observe(&mut self, sequence: u64, arrival_us: u64, timestamp: u32, delay: impl FnOnce(Delay) -> Option<i64>) -> Mark {
        let Some(newest) = self.newest else {
            let ticks = i64::from(timestamp);
            self.newest = Some(Newest { sequence, arrival_us, ticks });
            return self.begin(sequence, arrival_us, ticks);
        };
        let ticks = newest.ticks.saturating_add(i64::from(timestamp.wrapping_sub(newest.ticks as u32) as i32));
        if sequence <= newest.sequence {
            return Mark { epoch: self.epoch_of(sequence), ticks };
        }
        self.newest = Some(Newest { sequence, arrival_us, ticks });
        let passed = arrival_us.saturating_sub(newest.arrival_us);
        let meant = self.us(ticks).saturating_sub(self.us(newest.ticks));
        let jump = i64::try_from(passed).unwrap_or(i64::MAX).saturating_sub(meant);
        if passed > MAX_PAUSE_US || jump.saturating_abs() > MAX_JUMP_US {
            if let Some(epoch) = self.epochs.back_mut() {
                epoch.settle(delay);
            }
            return self.begin(sequence, arrival_us, ticks);
        }
        let x = self.us(ticks);
        if let Some(epoch) = self.epochs.back_mut() {
            if epoch.window_is_over(arrival_us) {
                epoch.settle(delay);
            }
            epoch.add(x, arrival_us);
        }
        Mark { epoch: self.begun, ticks }
    }

    /// The stream was replaced by another that numbers and times its packets anew.
    pub fn restart(&mut self, delay: impl FnOnce(Delay) -> Option<i64>) {
        self.settle(delay);
        self.newest = None;
    }

    /// A sender report of this stream.
    pub fn report(&mut self, ntp: u64, rtp_timestamp: u32) {
        // A sender without a wall clock reports 0 (RFC 3550 section 6.4.1).
        let Some(newest) = self.newest.filter(|_| ntp != 0) else { return };
        let ticks = newest.ticks.saturating_add(i64::from(rtp_timestamp.wrapping_sub(newest.ticks as u32) as i32));
        let x = self.us(ticks);
        if let Some(epoch) = self.epochs.back_mut() {
            epoch.report(ntp_us(ntp).saturating_sub(x));
        }
    }

    /// How much later than its sender's wall clock packets arrive at least, as far as is known now.
    pub fn delay(&self) -> Option<Delay> {
        self.epochs.back()?.delay()
    }

    /// Settles what there is: nothing more comes, or too much waits.
    pub fn settle(&mut self, delay: impl FnOnce(Delay) -> Option<i64>) {
        if let Some(epoch) = self.epochs.back_mut() {
            epoch.settle(delay);
        }
    }

    /// Server time of a marked packet; None until its window is settled.
    pub fn map(&mut self, mark: Mark) -> Option<i64> {
        // Units leave in order: what lies before is not asked for again.
        while self.epochs.len() > 1 && self.epochs.front().is_some_and(|epoch| epoch.id < mark.epoch) {
            self.epochs.pop_front();
        }
        let x = self.us(mark.ticks);
        let last = self.epochs.len() == 1;
        let epoch = self.epochs.front_mut()?;
        epoch.map(x, epoch.id > mark.epoch || !last)
    }

    fn us(&self, ticks: i64) -> i64 {
        let us = i128::from(ticks).saturating_mul(1_000_000).checked_div(i128::from(self.rate)).unwrap_or(0);
        i64::try_from(us).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
    }

    fn begin(&mut self, sequence: u64, arrival_us: u64, ticks: i64) -> Mark {
        self.begun = self.begun.saturating_add(1);
        let x = self.us(ticks);
        let before = self.epochs.back();
        let mut epoch = Epoch::new(self.begun, sequence, before);
        epoch.add(x, arrival_us);
        self.epochs.push_back(epoch);
        if self.epochs.len() > MAX_EPOCHS {
            self.epochs.pop_front();
        }
        Mark { epoch: self.begun, ticks }
    }

    /// The epoch of a packet that comes late.
    fn epoch_of(&self, sequence: u64) -> u32 {
        let of = self.epochs.iter().rev().find(|epoch| epoch.first_sequence <= sequence);
        of.or(self.epochs.front()).map_or(self.begun, |epoch| epoch.id)
    }
}

/// Microseconds of an NTP timestamp (RFC 5905 section 6: 32.32 fixed point).
fn ntp_us(ntp: u64) -> i64 {
    let seconds = (ntp >> 32).saturating_mul(1_000_000);
    let fraction = (ntp & 0xffff_ffff).saturating_mul(1_000_000) >> 32;
    i64::try_from(seconds.saturating_add(fraction)).unwrap_or(i64::MAX)
}
