//! The media journal: everything recorded of a class, packet by packet, in one append-only stream.
//!
//! `format` is the bytes, `compose` writes them, `read` reads them, `stream` is the files of one running class, `recover`
//! makes files whole after a crash, `verify` proves them, `export` gives them to Wireshark, `redact` takes a person out of them.
//! Time is an argument everywhere.
//!
//! A class has a folder with files `000001.rj`, `000002.rj` ...; each begins with a head that names the digest of the one
//! before, repeats the tracks that are live, and ends, once sealed, with an index and a digest. What was written is never
//! changed: recovery only cuts what a crash left half written. Redaction makes files anew, and they say so (`mark`).
#![forbid(unsafe_code)]

pub mod compose;
pub mod export;
pub mod files;
pub mod format;
pub mod mark;
pub mod owner;
pub mod read;
pub mod recover;
pub mod redact;
pub mod stream;
pub mod verify;
pub mod walk;

/// Fills with random bytes; None if the machine has none.
pub fn fill_random(bytes: &mut [u8]) -> Option<()> {
    aws_lc_rs::rand::fill(bytes).ok()
}
