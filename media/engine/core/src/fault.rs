//! Places where a test can make the shard panic. Without the feature `faults` they are empty.

/// A piece of work that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Stun,
    Dtls,
    Media,
    Upkeep,
    Room,
    Command,
    /// In the middle of closing a peer.
    Closing,
    ConnectionLost,
    Relayed,
    /// One track's packets.
    Play,
    /// One receiver's share of them.
    Forward,
    /// A receiver begins with what is cached.
    Begin,
    Settle,
    /// A whole turn of a shard thread.
    Turn,
}

#[cfg(any(test, feature = "faults"))]
pub use armed::{arm, arm_everywhere, at};

/// Nothing.
#[cfg(not(any(test, feature = "faults")))]
#[inline(always)]
pub fn at(_place: Place, _whose: impl FnOnce() -> u64) {}

#[cfg(any(test, feature = "faults"))]
mod armed {
    use std::cell::Cell;
    use std::sync::Mutex;

    use super::Place;

    #[derive(Clone, Copy)]
    struct Armed {
        place: Place,
        whose: u64,
        times: u32,
    }

    thread_local! {
        static HERE: Cell<Option<Armed>> = const { Cell::new(None) };
    }
    static EVERYWHERE: Mutex<Option<Armed>> = Mutex::new(None);

    /// The next `times` times this thread is at this place on behalf of `whose` (a peer, room, track or shard), it panics.
    pub fn arm(place: Place, whose: u64, times: u32) {
        HERE.set(Some(Armed { place, whose, times }));
    }

    /// The same for all threads.
    pub fn arm_everywhere(place: Place, whose: u64, times: u32) {
        *EVERYWHERE.lock().unwrap() = Some(Armed { place, whose, times });
    }

    /// Panics if a test wants it.
    pub fn at(place: Place, whose: impl FnOnce() -> u64) {
        let whose = whose();
        let strikes = |armed: &mut Option<Armed>| match armed {
            Some(a) if a.place == place && a.whose == whose && a.times > 0 => {
                a.times -= 1;
                true
            }
            _ => false,
        };
        let mut here = HERE.get();
        let mut struck = strikes(&mut here);
        HERE.set(here);
        struck = struck || strikes(&mut EVERYWHERE.lock().unwrap());
        assert!(!struck, "a fault for the test: {place:?} of {whose}");
    }
}
