//! Sockets and threads of the media engine; the only crate of the engine with `unsafe`.
//!
//! One thread per UDP port runs one pure shard; one more accepts TCP. Commands and events cross in bounded queues; nothing
//! here waits for the embedder.

pub mod deck;
mod directory;
pub mod disk;
pub mod engine;
mod errands;
pub mod fanout;
mod load;
mod outgoing;
pub mod queue;
pub mod recorder;
mod scribe;
mod syncer;
pub mod sys;
mod tcp;
mod worker;
