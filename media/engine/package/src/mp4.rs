//! Fragmented MP4 for replay (ISO/IEC 14496-12 section 8.8; CMAF, ISO/IEC 23000-19): one track a file, decode time =
//! composition time.
//!
//! ```text
//! ftyp moov | sidx free | moof mdat | moof mdat | ...
//!   header  |  index    |  fragments
//! ```
//! The place of the index is kept free while the file grows and filled when it ends, so that a player that reads the first
//! bytes can go anywhere with one range request; where it is too short, an entry stands for several fragments.

mod fragment;
mod header;
mod index;
mod progressive;
mod sample_entry;

pub use fragment::{Fragment, Fragmenter};
pub use header::header;
pub use index::{joined, reserved, sidx, INDEX_BYTES};
pub(crate) use progressive::{fragments, Sample};
pub use progressive::{remux, Part};
pub use sample_entry::codecs;
