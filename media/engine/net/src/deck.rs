//! The way from a shard to the recorder: a buffer under a lock that the shard only tries.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, TryLockError};

use jiangtai_core::tape::Tape;

/// One shard's packets on their way to the recorder.
#[derive(Default)]
pub struct Deck {
    bytes: Mutex<Vec<u8>>,
    waiting: AtomicUsize,
    pub essential: AtomicBool,
}

impl Deck {
    /// Hands over a shard's tape, or leaves it for the next turn. Never waits.
    pub fn offer(&self, tape: &mut Tape) {
        let kept = match self.bytes.try_lock() {
            _ if tape.is_empty() => None,
            Ok(kept) => Some(kept),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        if let Some(mut kept) = kept {
            match kept.is_empty() {
                true => std::mem::swap(&mut *kept, tape.bytes()),
                false => kept.extend_from_slice(tape.bytes()),
            }
            tape.bytes().clear();
            self.waiting.store(kept.len(), Relaxed);
        }
        tape.backlog = self.waiting.load(Relaxed);
        tape.essential = self.essential.load(Relaxed);
    }

    /// Everything that waits, in exchange for an empty buffer.
    pub fn take(&self, spare: &mut Vec<u8>) {
        spare.clear();
        let mut kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *kept, spare);
        self.waiting.store(0, Relaxed);
    }
}
