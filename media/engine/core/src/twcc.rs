//! Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01), both ends.
//!
//! `Recorder` collects arrival times by transport-wide sequence number and writes feedback; `Feedback` is a checked view of
//! what a remote receiver reports about us. Both are bounded: 1024 remembered arrivals, `MAX_STATUSES` read.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod parse;
mod record;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests;

pub use parse::{Arrivals, Feedback, MAX_STATUSES};
pub use record::{Recorder, REMEMBERED};

/// Receive deltas count in units of this many microseconds.
pub const TICK_US: u64 = 250;
/// Reference times count in units of this many ticks (64 ms).
const TICKS_PER_REFERENCE: u64 = 256;

/// Status of one packet, as in a two-bit vector.
const MISSING: u8 = 0;
const SMALL: u8 = 1;
const LARGE: u8 = 2;
