//! The pure half of the media engine: bytes and times in, bytes and events out; no sockets, no clock, no threads.
#![forbid(unsafe_code)]

pub mod bytes;
pub mod framing;
pub mod h264;
pub mod red;
pub mod rtcp;
pub mod rtp;
pub mod srtp;
pub mod stun;
pub mod twcc;
pub mod vp8;
