//! Sockets and threads of the media engine; the only crate with `unsafe`.

pub mod fanout;
