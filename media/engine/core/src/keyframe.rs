//! One key-frame limiter per source: every request of every receiver goes through it (RFC 4585 section 6.3.1).
//!
//! Requests are coalesced; two PLIs are never closer than 500 ms; an unanswered one is repeated, ever more slowly, until a
//! key frame arrives.

use std::time::{Duration, Instant};

const SPACING: Duration = Duration::from_millis(500);
const SLOWEST: Duration = Duration::from_secs(4);

/// The state of one source.
#[derive(Debug, Default)]
pub struct KeyFrameLimiter {
    wanted: bool,
    last_sent: Option<Instant>,
    unanswered: u32,
}

impl KeyFrameLimiter {
    /// Somebody needs a key frame.
    pub fn request(&mut self) {
        self.wanted = true;
    }

    /// A key frame has begun to arrive.
    pub fn arrived(&mut self) {
        self.wanted = false;
        self.unanswered = 0;
    }

    /// When `poll` will say yes, if ever.
    pub fn due(&self) -> Option<Instant> {
        if !self.wanted {
            return None;
        }
        Some(match self.last_sent {
            None => return None,
            Some(at) => at + (SPACING * 2u32.saturating_pow(self.unanswered.saturating_sub(1).min(3))).min(SLOWEST),
        })
    }

    /// Whether to send a PLI now.
    pub fn poll(&mut self, now: Instant) -> bool {
        if !self.wanted || self.due().is_some_and(|at| at > now) {
            return false;
        }
        self.last_sent = Some(now);
        self.unanswered = self.unanswered.saturating_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// G09.
    #[test]
    fn a_thousand_requests_in_a_second_make_at_most_two_plis() {
        let start = Instant::now();
        let mut limiter = KeyFrameLimiter::default();
        let mut sent = 0;
        for i in 0..1000 {
            limiter.request();
            if limiter.poll(start + ms(i)) {
                sent += 1;
                limiter.arrived();
            }
        }
        assert_eq!(sent, 2);
    }

    #[test]
    fn an_unanswered_request_is_repeated_until_a_key_frame_arrives() {
        let start = Instant::now();
        let mut limiter = KeyFrameLimiter::default();
        limiter.request();
        let sent: Vec<u64> = (0..4000).filter(|&i| limiter.poll(start + ms(i))).collect();
        assert_eq!(sent, vec![0, 500, 1500, 3500]);
        limiter.arrived();
        assert_eq!((limiter.due(), limiter.poll(start + ms(60_000))), (None, false));
    }

    #[test]
    fn nobody_asking_means_no_pli() {
        assert!(!KeyFrameLimiter::default().poll(Instant::now()));
    }
}
