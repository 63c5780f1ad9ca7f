//! How busy a shard thread is, and what may wait because of it.

use std::time::{Duration, Instant};

/// Below this share of a core nothing waits for company.
const RELAXED: f32 = 0.25;
/// Fewer receivers than this never wait, this many as long as any.
const FEW: usize = 50;
const MANY: usize = 500;
const LOAD_SPAN: Duration = Duration::from_millis(100);
/// So many messages in that time without any media are taken in portions, this far apart.
const MURMUR: usize = 20;
const PAUSE: Duration = Duration::from_millis(5);
/// Whoever waited less for datagrams found them there.
const AT_ONCE: Duration = Duration::from_micros(20);

/// How busy the thread is, and how long datagrams may wait for company because of it.
#[derive(Debug)]
pub struct Load {
    since: Instant,
    busy: Duration,
    messages: usize,
    share: f32,
    /// There was no media lately, but much else: checks of many idle peers.
    murmur: bool,
    media: bool,
    most: Duration,
}

impl Load {
    pub fn new(most: Duration) -> Load {
        Load { since: Instant::now(), busy: Duration::ZERO, messages: 0, share: 0.0, murmur: false, media: false, most }
    }

    /// Messages were received.
    pub fn received(&mut self, messages: usize) {
        self.messages = self.messages.saturating_add(messages);
    }

    /// A turn, with media or without, took from `begun` to `now`.
    pub fn worked(&mut self, begun: Instant, now: Instant, media: bool) {
        self.busy += now.saturating_duration_since(begun);
        self.media |= media;
        let span = now.saturating_duration_since(self.since);
        if span >= LOAD_SPAN {
            self.share = self.busy.as_secs_f32() / span.as_secs_f32();
            self.murmur = !self.media && self.messages > MURMUR;
            *self = Load { since: now, busy: Duration::ZERO, messages: 0, media: false, ..*self };
        }
    }

    /// How long to wait before the socket is read: without media nothing is in a hurry, and each wake-up costs as much as an answer.
    pub fn pause(&self) -> Duration {
        if self.murmur {
            PAUSE
        } else {
            Duration::ZERO
        }
    }

    /// How long media for so many receivers may wait: nothing while there is time to spare or when they are few, then growing to the
    /// most with load and crowd.
    pub fn window(&self, crowd: usize) -> Duration {
        if self.share < RELAXED || crowd < FEW {
            return Duration::ZERO;
        }
        self.most.mul_f32(self.share.min(1.0) * crowd.min(MANY) as f32 / MANY as f32)
    }
}

/// Since when the oldest datagram may have waited in the socket, which was read at `read` and waited for from `begun` to `now`: what came
/// while the thread was busy has gathered company already.
pub fn waiting_since(read: Instant, begun: Instant, now: Instant) -> Instant {
    if now.saturating_duration_since(begun) < AT_ONCE {
        read
    } else {
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_while_the_thread_was_busy_has_waited_since_the_socket_was_last_read() {
        let read = Instant::now();
        let begun = read + Duration::from_millis(3);
        assert_eq!(waiting_since(read, begun, begun + Duration::from_micros(5)), read);
        let idle = begun + Duration::from_micros(50);
        assert_eq!(waiting_since(read, begun, idle), idle, "who had to wait saw them come");
    }

    #[test]
    fn media_waits_for_company_only_under_load_and_in_crowds() {
        let mut load = Load::new(Duration::from_millis(5));
        let begun = load.since;
        load.worked(begun, begun + Duration::from_millis(5), true);
        load.worked(begun + LOAD_SPAN, begun + LOAD_SPAN, true);
        assert_eq!(load.window(MANY), Duration::ZERO);
        load.worked(begun + LOAD_SPAN, begun + LOAD_SPAN * 2, true);
        let tenths = |crowd| (load.window(crowd).as_secs_f32() * 10_000.0).round();
        assert_eq!([FEW - 1, 60, 100, 300, 9 * MANY].map(tenths), [0.0, 6.0, 10.0, 30.0, 50.0]);
    }

    #[test]
    fn many_messages_without_media_are_taken_in_portions_until_media_comes() {
        let mut load = Load::new(Duration::from_millis(5));
        let mut now = load.since;
        let mut pause_after = |messages, media| {
            load.received(messages);
            now += LOAD_SPAN;
            load.worked(now, now, media);
            load.pause()
        };
        assert_eq!(pause_after(MURMUR + 1, false), PAUSE);
        assert_eq!(pause_after(1000, true), Duration::ZERO);
        assert_eq!(pause_after(1000, false), PAUSE);
        assert_eq!(pause_after(MURMUR, false), Duration::ZERO, "one now and then");
    }
}
