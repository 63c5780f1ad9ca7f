//! How busy a shard thread is.

use std::time::{Duration, Instant};

/// Below this share of a core nothing waits for company.
const RELAXED: f32 = 0.25;
const LOAD_SPAN: Duration = Duration::from_millis(100);

/// How busy the thread is, and how long media may wait for company because of it.
#[derive(Debug)]
pub struct Load {
    since: Instant,
    busy: Duration,
    share: f32,
    most: Duration,
}

impl Load {
    pub fn new(most: Duration) -> Load {
        Load { since: Instant::now(), busy: Duration::ZERO, share: 0.0, most }
    }

    /// A turn took from `begun` to `now`.
    pub fn worked(&mut self, begun: Instant, now: Instant) {
        self.busy += now.saturating_duration_since(begun);
        let span = now.saturating_duration_since(self.since);
        if span >= LOAD_SPAN {
            self.share = self.busy.as_secs_f32() / span.as_secs_f32();
            self.since = now;
            self.busy = Duration::ZERO;
        }
    }

    /// Nothing while there is time to spare, then growing to the most; whole milliseconds, since the thread sleeps in them.
    pub fn window(&self) -> Duration {
        if self.share < RELAXED {
            return Duration::ZERO;
        }
        Duration::from_millis((self.share.min(1.0) * self.most.as_millis() as f32).round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_waits_for_company_only_under_load() {
        let mut load = Load::new(Duration::from_millis(5));
        let begun = load.since;
        load.worked(begun, begun + Duration::from_millis(5));
        load.worked(begun + LOAD_SPAN, begun + LOAD_SPAN);
        assert_eq!(load.window(), Duration::ZERO);
        load.worked(begun + LOAD_SPAN, begun + LOAD_SPAN * 2);
        assert_eq!(load.window(), Duration::from_millis(5));
    }
}
