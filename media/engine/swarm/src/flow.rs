//! Whether a stream kept flowing: the longest time in the measured window in which nothing of it came. Pure.

/// Pictures come 30 times a second. Changing layer, a server may wait for a key frame: half a second until it may ask again, and 0.3 s that an
/// encoder takes its time; a machine whose cores others want stands still for a few 100 ms at most.
const STILL_NS: u64 = 1_000_000_000;
/// Words come 50 times a second, silence too, and wait for nothing.
const MUTE_NS: u64 = 500_000_000;

/// What came of one stream: complete frames, or words. Times are nanoseconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// None until the first: who was not there yet is not missed.
    last: Option<u64>,
    longest: u64,
}

impl Flow {
    pub fn add(&mut self, at: u64) {
        let last = self.last.map_or(at, |last| last.max(at));
        self.longest = self.longest.max(last - self.last.unwrap_or(last));
        self.last = Some(last);
    }

    /// The window opens: what was before does not count.
    pub fn open(&mut self, at: u64) {
        self.longest = 0;
        self.last = self.last.map(|last| last.max(at));
    }

    /// The longest gap until the window's or the viewer's end, the one before that end included; None if nothing ever came.
    pub fn gap(&self, end: u64) -> Option<u64> {
        self.last.map(|last| self.longest.max(end.saturating_sub(last)))
    }
}

/// Whether a gap is more than a sound stream on a loaded machine has.
pub fn frozen(video: bool, gap: u64) -> bool {
    gap > if video { STILL_NS } else { MUTE_NS }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn flow(times: impl IntoIterator<Item = u64>) -> Flow {
        let mut flow = Flow::default();
        times.into_iter().for_each(|ms| flow.add(ms * MS));
        flow
    }

    #[test]
    fn the_longest_gap_lies_between_frames_or_before_the_end() {
        assert_eq!(flow([100, 133, 900, 933]).gap(950 * MS), Some(767 * MS));
        assert_eq!(flow([100, 133, 166]).gap(2000 * MS), Some(1834 * MS));
        assert_eq!(flow([100, 900, 133, 933]).gap(933 * MS), Some(800 * MS));
        assert_eq!(flow([]).gap(5000 * MS), None);
    }

    #[test]
    fn what_was_before_the_window_does_not_count_but_who_fell_silent_there_is_missed_in_it() {
        let mut both = [flow([100, 2000, 2033]), flow([])];
        both.iter_mut().for_each(|flow| flow.open(5000 * MS));
        assert_eq!(both[0].gap(5500 * MS), Some(500 * MS));
        both[1].add(9000 * MS);
        assert_eq!(both[1].gap(9010 * MS), Some(10 * MS));
    }

    #[test]
    fn a_second_without_pictures_or_half_without_sound_is_frozen() {
        assert_eq!([true, false].map(|video| frozen(video, 900 * MS)), [false, true]);
        assert_eq!([true, false].map(|video| frozen(video, 1100 * MS)), [true, true]);
        assert!(!frozen(false, 400 * MS));
    }
}
