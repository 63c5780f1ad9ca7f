//! Recorded packets in, replay files out.
//!
//! ```text
//! Input -> reorder -> depacketise -> clock (+ lipsync) -> timeline -> output: mp4 | webm -> Sink
//!          in order   whole units    server time          samples     + hls
//! ```
//! A `Packager` reads a recording once, front to back, behind a live class or after it, and writes files as it goes: memory is
//! bounded by the clock's window (30 s of each track, at most 16 MiB), and what is left to do when the class ends takes no
//! longer than that. Nothing is encoded. It has no clock: time is the recording's.
//!
//! Each track becomes files of its own, all on one time line that begins with the recording:
//! - H.264 and Opus: fragmented MP4 with an index, and an HLS media playlist of byte ranges; a new configuration is a new file
//!   and a discontinuity;
//! - VP8: WebM with Cues. VP9 and AV1 are not taken yet.
//!
//! For download `mp4::remux` makes one plain MP4 of chosen tracks, `webm::remux` one WebM of VP8 and Opus.
//!
//! Where sound is missing there is silence, where pictures are missing the last one stays unless it was switched off; nothing is joined
//! over a hole.
#![forbid(unsafe_code)]

mod boxes;
pub mod clock;
pub mod depacketise;
pub mod follow;
pub mod hls;
pub mod input;
pub mod label;
pub mod lipsync;
pub mod mp4;
mod output;
mod packager;
pub mod reorder;
pub mod sink;
pub mod timeline;
mod track;
pub mod unit;
pub mod webm;

pub use input::{Codec, Input, Source, Start, TrackId, What};
pub use output::Written;
pub use packager::{Options, Packager};
pub use sink::{Folder, Memory, Sink};
pub use track::Report;
pub use unit::Config;
