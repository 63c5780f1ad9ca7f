//! How much one viewer's transport carries, and who gets it: send-side bandwidth estimation and allocation.
//!
//! Owned by one transport, pure: microseconds of one steady clock and bytes in, bits per second and requests for padding out.
//!
//! # Theory
//! A sender that loads a link beyond its rate makes a queue grow; the receiver's transport-wide feedback shows it as one-way delays
//! that rise, long before anything is lost. So the estimate grows until delays rise, and then falls to what arrives. Three things
//! are different for a forwarder than for a camera:
//!
//! - it cannot send "a little more": layers are far apart, so headroom must be *probed* with padding before it is needed, and sending
//!   little proves nothing against the estimate;
//! - it does not pace: a frame leaves at once and queues behind itself, so the queue our own bursts explain is not held against the link;
//! - its reaction is coarse and late (a key frame of the other layer), so a change must be worth it and last.
//!
//! # Parts
//! | part | what it knows | says |
//! |---|---|---|
//! | `history` | what left, when, of what kind | what a reported number was |
//! | `delivered` | arrivals by time | rate that arrives |
//! | `delay`, `trend` | one-way delays | over-use, normal, under-use; by how much |
//! | `loss` | lost and received | a bound if our rate is to blame |
//! | `rate` | all of these | the rate, by increase and decrease |
//! | `probe` | trains of packets | what the link carried beyond |
//! | `estimator` | | `target = min(rate, loss bound)` within 50 kbit/s and 50 Mbit/s |
//! | `allocator` | the target and the demands | a layer, or paused, per slot |
//!
//! # States
//! | state | enters | leaves | target | probing |
//! |---|---|---|---|---|
//! | exploring | start, another path | a train in vain, over-use | grows | back to back, to 5 Mbit/s or 1.25 x wanted |
//! | increase | normal, after hold | over-use, under-use | grows (1) | when more is wanted, after 1 to 10 s |
//! | hold | under-use, or normal after a decrease | normal, over-use | stays | as in increase |
//! | decrease | over-use | normal, under-use | falls (2) | not for 2 s; up to 30 s if a train led here |
//! | unheard | 0.5 s without feedback on what was sent | feedback | stays; after 1.5 s -20 % each 0.5 s | none; after 1.5 s a packet a second, so that it is heard when it carries again |
//!
//! (1) 8 % a second; near the last full rate 9.6 kbit/s per response time; up to 1.5 times what arrives. (2) To 85 % of what arrives if
//! the over-use is certain, else by 15 %; less while the queue drains.
//!
//! # A peer that lies
//! Feedback is authenticated but not true. It can move only its own transport's target, and that only between the bounds; numbers never
//! sent, or told of before, count for nothing; feedback packets are looked at only as far as what was sent warrants. All memory is
//! fixed: 2 KB, and 16 KB of history from the first packet on. Arithmetic saturates.
//!
//! # Sources
//! draft-ietf-rmcat-gcc-02 (delay gradient, adaptive threshold, rate control states, here with a least-squares line, bursts explained,
//! and a loss part of its own); draft-holmer-rmcat-transport-wide-cc-extensions-01 (numbers and feedback); RFC 8698 (a standing queue as
//! a signal beside its growth, in `delay`); RFC 8888 would be another carrier of the same feedback; RFC 8836 (what congestion control for
//! real-time media has to do). What the links of the tests show is in `tests`.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub mod allocator;
pub mod delay;
pub mod delivered;
pub mod estimator;
pub mod history;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod hostile;
pub mod loss;
pub mod probe;
pub mod rate;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod simulation;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;
pub mod trend;

pub use allocator::{allocate, essential_bps, playing_bps, Allocation, Budget, Choice, Demand, Play};
pub use estimator::{Estimator, Figures};
pub use probe::Probe;

/// Where an estimate starts unless the caller knows better, bits/s.
pub const START_BPS: u64 = 600_000;
/// An estimate is never outside of these, bits/s.
pub const MIN_BPS: u64 = 50_000;
pub const MAX_BPS: u64 = 50_000_000;

/// What kind of packet left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Media,
    /// A retransmission that was asked for, or sent in place of padding.
    Rtx,
    Padding,
}
