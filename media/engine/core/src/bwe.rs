//! How much one viewer's transport carries, and who gets it: send-side bandwidth estimation and allocation.
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

pub use allocator::{allocate, Allocation, Choice, Demand, Play};
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
