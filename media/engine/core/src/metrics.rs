//! Counters of one shard: relaxed atomics, written by the shard thread, read by anybody.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One counter or gauge.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }
    pub fn inc(&self) {
        self.add(1);
    }
    /// For gauges.
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

macro_rules! metrics {
    ($($name:ident),* $(,)?) => {
        /// Every counter of a shard; `read` gives them by name.
        #[derive(Debug, Default)]
        pub struct Metrics { $(pub $name: Counter),* }

        impl Metrics {
            /// Name and value of every counter.
            pub fn read(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.get())),*]
            }
        }
    };
}

impl Metrics {
    /// Counts a run of datagrams by its length.
    pub fn run(&self, datagrams: usize) {
        match datagrams {
            0 | 1 => self.runs_1.inc(),
            2..=3 => self.runs_2_3.inc(),
            4..=7 => self.runs_4_7.inc(),
            8..=15 => self.runs_8_15.inc(),
            _ => self.runs_16_up.inc(),
        }
    }
}

metrics! {
    // traffic
    packets_in, bytes_in, packets_out, bytes_out, rtcp_in, rtcp_out, stun_in, stun_out, checks_out, checks_answered, dtls_in, dtls_out,
    forwarded, nack_in, nack_out, rtx_in, rtx_out, pli_in, pli_out, twcc_out, twcc_in, sender_reports_out,
    batches_in, batches_out, relayed, cached_starts, probe_bytes, redundant_out, repeated_out, taped,
    runs_1, runs_2_3, runs_4_7, runs_8_15, runs_16_up, gather_us,
    // life
    peers, tracks, slots, rooms, joins, dtls_failures, ice_restarts, path_changes, panics,
    tcp_connections, tcp_accepted,
    commands, commands_ignored, commands_dropped, events_dropped,
    // reasons for not taking a datagram
    dropped_receive_full, dropped_empty, dropped_unknown_kind, dropped_oversize, dropped_no_pair, dropped_stun_malformed, dropped_stun_unknown_user,
    dropped_stun_integrity, dropped_stun_path_taken, dropped_stun_fingerprint, dropped_stun_unasked, dropped_srtp_early, dropped_srtp_auth, dropped_srtp_replay,
    dropped_srtp_short, dropped_srtcp_auth, dropped_srtcp_replay, dropped_srtcp_short, dropped_rtp_malformed, dropped_rtcp_malformed,
    dropped_unknown_ssrc, dropped_too_many_ssrc, dropped_unknown_pt, dropped_unknown_rid, dropped_not_allowed, dropped_too_fast, dropped_duplicate, dropped_too_old,
    dropped_rtx_malformed,
    // reasons for not sending one
    dropped_unsealed, dropped_slot_codec, dropped_slot_waiting, dropped_slot_old, dropped_resend_cap, dropped_resend_unknown, dropped_relay_full,
    dropped_outbox_full, dropped_send_full, dropped_tape_full,
    dropped_tcp_full, dropped_tcp_framing, dropped_tcp_gone, dropped_tcp_pending, dropped_tcp_silent, dropped_tcp_unknown, dropped_tcp_unpaired,
    tcp_accept_errors, send_errors, receive_errors,
}
