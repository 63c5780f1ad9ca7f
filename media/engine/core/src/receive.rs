//! Reception statistics of one RTP stream for receiver reports (RFC 3550 sections 6.4.1 and A.3, A.8).

use std::time::{Duration, Instant};

use crate::clock;

/// Counters of one received stream.
#[derive(Debug, Default)]
pub struct Reception {
    base: u64,
    highest: Option<u64>,
    received: u64,
    expected_before: u64,
    received_before: u64,
    jitter: f64,
    transit: Option<(Instant, u32)>,
    last_sr: Option<(u32, Instant)>,
}

/// The figures of a report block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// 1/256 lost since the last report.
    pub fraction_lost: u8,
    pub cumulative_lost: i32,
    pub highest: u32,
    pub jitter: u32,
    pub lsr: u32,
    pub dlsr: u32,
    /// Packets expected since the last report.
    pub expected: u64,
    /// Of these, missing.
    pub lost: u64,
}

impl Reception {
    /// Notes a new (not duplicate) packet with its extended sequence number; `in_time` = not a retransmission.
    pub fn received(&mut self, sequence: u64, timestamp: u32, clock_rate: u32, in_time: bool, now: Instant) {
        match self.highest {
            None => {
                self.base = sequence;
                self.highest = Some(sequence);
            }
            Some(highest) => self.highest = Some(highest.max(sequence)),
        }
        self.base = self.base.min(sequence);
        self.received += 1;
        if !in_time {
            return;
        }
        if let Some((at, before)) = self.transit {
            let elapsed = now.saturating_duration_since(at).as_secs_f64() * f64::from(clock_rate);
            let difference = (elapsed - f64::from(timestamp.wrapping_sub(before) as i32)).abs();
            // A jump of ten seconds is a new timeline, not jitter.
            if difference < 10.0 * f64::from(clock_rate) {
                self.jitter += (difference - self.jitter) / 16.0;
            }
        }
        self.transit = Some((now, timestamp));
    }

    /// Notes a sender report.
    pub fn sender_report(&mut self, ntp: u64, now: Instant) {
        self.last_sr = Some((clock::middle(ntp), now));
    }

    /// The figures since the last call.
    pub fn report(&mut self, now: Instant) -> Option<Figures> {
        let highest = self.highest?;
        let expected_total = highest - self.base + 1;
        let expected = expected_total - self.expected_before.min(expected_total);
        let received = self.received - self.received_before;
        self.expected_before = expected_total;
        self.received_before = self.received;
        let lost = expected.saturating_sub(received);
        let fraction_lost = (lost * 256).checked_div(expected).unwrap_or(0).min(255) as u8;
        let cumulative = (expected_total as i64 - self.received as i64).clamp(-0x80_0000, 0x7f_ffff);
        let (lsr, dlsr) = match self.last_sr {
            Some((lsr, at)) => (lsr, clock::to_middle(now.saturating_duration_since(at).min(Duration::from_secs(60_000)))),
            None => (0, 0),
        };
        Some(Figures {
            fraction_lost,
            cumulative_lost: cumulative as i32,
            highest: highest as u32,
            jitter: self.jitter as u32,
            lsr,
            dlsr,
            expected,
            lost,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_counted_per_interval_and_in_total() {
        let t = Instant::now();
        let mut r = Reception::default();
        for s in (100_000..100_100).filter(|s| s % 10 != 0) {
            r.received(s, 0, 90_000, true, t);
        }
        let first = r.report(t).unwrap();
        // The stream begins at 100_001: nothing before it was expected.
        assert_eq!((first.expected, first.lost, first.cumulative_lost, first.highest), (99, 9, 9, 100_099));
        for s in 100_100..100_200 {
            r.received(s, 0, 90_000, true, t);
        }
        let second = r.report(t).unwrap();
        assert_eq!((second.fraction_lost, second.cumulative_lost), (0, 9));
    }

    #[test]
    fn an_even_stream_has_no_jitter_and_an_uneven_one_has() {
        let t = Instant::now();
        let (mut even, mut uneven) = (Reception::default(), Reception::default());
        for i in 0..100u64 {
            let at = t + Duration::from_millis(20 * i);
            even.received(i, (i * 960) as u32, 48_000, true, at);
            uneven.received(i, (i * 960) as u32, 48_000, true, at + Duration::from_millis((i % 2) * 10));
        }
        assert!(even.report(t).unwrap().jitter < 5);
        let jitter = uneven.report(t).unwrap().jitter;
        assert!((400..=490).contains(&jitter), "10 ms = 480 units: {jitter}");
    }

    #[test]
    fn the_last_sender_report_is_echoed_with_its_age() {
        let t = Instant::now();
        let mut r = Reception::default();
        r.received(5, 0, 90_000, true, t);
        r.sender_report(0x1111_2222_3333_4444, t);
        let figures = r.report(t + Duration::from_millis(500)).unwrap();
        assert_eq!((figures.lsr, figures.dlsr), (0x2222_3333, 32_768));
    }
}
