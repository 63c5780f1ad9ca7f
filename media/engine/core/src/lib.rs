//! The pure half of the media engine: bytes and times in, bytes and events out; no sockets, no clock, no threads.
#![forbid(unsafe_code)]

pub mod arena;
pub mod audio;
pub mod av1;
pub mod bits;
pub mod bwe;
pub mod bytes;
pub mod clock;
pub mod command;
pub mod dtls;
pub mod event;
pub mod fault;
pub mod forward;
pub mod framing;
pub mod h264;
pub mod history;
pub mod ice;
pub mod keyframe;
pub mod layer;
pub mod mapping;
pub mod media;
pub mod metrics;
pub mod nack;
pub mod outbox;
pub mod peer;
pub mod rate;
pub mod receive;
pub mod red;
pub mod relay;
mod repeats;
pub mod room;
pub mod rtcp;
pub mod rtp;
pub mod shard;
pub mod slot;
pub mod srtp;
pub mod stun;
pub mod tape;
#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod testing;
pub mod track;
pub mod twcc;
pub mod vp8;
pub mod vp9;
