//! The figures of a run and how they are told.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::check::{Tally, BREAKS};
use crate::member::{Member, Part};
use crate::plan::Plan;
use crate::publisher::Output;
use crate::report::Spread;
use crate::server::Usage;
use crate::viewer::{Viewer, World};

/// How joins went.
#[derive(Default)]
pub struct Joins {
    pub asked: u64,
    pub joined: u64,
    pub failures: BTreeMap<String, u64>,
    pub examples: Vec<String>,
    pub began: Option<Instant>,
    pub ended: Option<Instant>,
    pub http: Spread,
    pub connected: Spread,
    pub first_packet: Spread,
    pub first_frame: Spread,
}

impl Joins {
    /// A viewer has what it came for.
    pub fn joined(&mut self, member: &Member, video: bool) {
        self.joined += 1;
        let steps = [(member.answered_at, &mut self.http), (member.connected_at, &mut self.connected)];
        for (at, spread) in steps.into_iter().filter_map(|(at, spread)| Some((at?, spread))) {
            spread.add(at.duration_since(member.asked_at).as_micros() as u64);
        }
        let Part::Viewer(viewer) = &member.part else { return };
        let steps = [(viewer.first_packet(), &mut self.first_packet), (viewer.first_frame(video), &mut self.first_frame)];
        for (at, spread) in steps.into_iter().filter_map(|(at, spread)| Some((at?, spread))) {
            spread.add(at.saturating_sub(member.asked_wall) / 1000);
        }
    }

    pub fn failed(&mut self, who: &str, why: &str) {
        *self.failures.entry(why.split(' ').next().unwrap_or_default().into()).or_default() += 1;
        if self.examples.len() < 10 {
            self.examples.push(format!("{who}: {why}"));
        }
    }

    pub fn failed_count(&self) -> u64 {
        self.failures.values().sum()
    }

    fn report(&self) -> Value {
        let wall = self.began.zip(self.ended).map_or(0.0, |(began, ended)| ended.duration_since(began).as_secs_f64());
        json!({
            "asked": self.asked, "joined": self.joined, "failed": self.failed_count(), "failures": self.failures, "examples": self.examples,
            "wall_seconds": wall, "per_second": self.joined as f64 / wall.max(1e-9),
            "http_ms": self.http.thousands(), "connected_ms": self.connected.thousands(),
            "first_packet_ms": self.first_packet.thousands(), "first_frame_ms": self.first_frame.thousands(),
        })
    }
}

/// What became of streams that are judged.
#[derive(Clone, Default)]
pub struct Verdict {
    pub streams: u64,
    pub playing: u64,
    pub broken: u64,
    /// Packets of no stream, or not opened.
    pub refused: u64,
    /// Packets that came before the handshake was done.
    pub early: u64,
    pub examples: Vec<String>,
    pub sum: Tally,
}

impl Verdict {
    pub fn add(&mut self, number: usize, viewer: &Viewer) {
        self.refused += viewer.refused;
        self.early += viewer.early_packets;
        for stream in &viewer.streams {
            let tally = &stream.checker.tally;
            self.streams += 1;
            self.playing += u64::from(tally.first_packet.is_some());
            if let Some(first) = &tally.first_break {
                self.broken += 1;
                if self.examples.len() < 10 {
                    let kind = if viewer.full { "full" } else { "light" };
                    let refused = viewer.refused;
                    self.examples.push(format!("{kind} viewer {number} mid {} ({refused} packets refused): {first}", stream.mid));
                }
            }
            let sum = &mut self.sum;
            let pairs: [(&mut u64, u64); 7] = [
                (&mut sum.frames, tally.frames),
                (&mut sum.key_frames, tally.key_frames),
                (&mut sum.lost, tally.lost),
                (&mut sum.repaired, tally.repaired),
                (&mut sum.duplicates, tally.duplicates),
                (&mut sum.foreign, tally.foreign),
                (&mut sum.layer_changes, tally.layer_changes),
            ];
            pairs.into_iter().for_each(|(all, one)| *all += one);
            sum.layers.iter_mut().zip(tally.layers).for_each(|(all, one)| *all += one);
            sum.breaks.iter_mut().zip(tally.breaks).for_each(|(all, one)| *all += one);
        }
    }

    fn report(&self) -> Value {
        let breaks: BTreeMap<&str, u64> = BREAKS.into_iter().zip(self.sum.breaks).collect();
        json!({"streams": self.streams, "playing": self.playing, "broken": self.broken, "breaks": breaks, "examples": self.examples})
    }
}

/// One end of the measured window.
pub struct Mark {
    pub at: Instant,
    pub cpu: Duration,
    pub verdict: Verdict,
    pub published: Output,
    pub dropped: u64,
    pub server: Option<Usage>,
    pub figures: Value,
}

/// A second of the window.
pub struct Second {
    pub full_bytes: u64,
    pub light_bytes: u64,
    pub packets: u64,
}

pub struct Outcome<'a> {
    pub plan: &'a Plan,
    pub joins: &'a Joins,
    pub world: &'a World,
    pub begin: &'a Mark,
    pub end: &'a Mark,
    /// Of the whole run.
    pub verdict: &'a Verdict,
    pub viewer_rates: &'a Spread,
    pub profiles: &'a BTreeMap<String, u64>,
    pub series: &'a [Second],
}

impl Outcome<'_> {
    pub fn report(&self) -> Value {
        let Outcome { plan, begin, end, world, .. } = self;
        let seconds = end.at.duration_since(begin.at).as_secs_f64();
        let input = &world.input;
        let (before, after) = (&begin.verdict.sum, &end.verdict.sum);
        let lost = after.lost.saturating_sub(before.lost);
        let (published, earlier) = (&end.published, &begin.published);
        let cpu = (end.cpu - begin.cpu).as_secs_f64();
        let server = plan.server.zip(begin.server.as_ref()).zip(end.server.as_ref());
        let layers: BTreeMap<String, u64> = (0..3).map(|i| (i.to_string(), after.layers[i].saturating_sub(before.layers[i]))).collect();
        let second = |(i, s): (usize, &Second)| {
            let kbps = |bytes: u64| bytes * 8 / 1000;
            json!({"second": i + 1, "kbps": {"full": kbps(s.full_bytes), "light": kbps(s.light_bytes)}, "packets": s.packets})
        };
        json!({
            "kind": "run", "seconds": seconds, "publishers": plan.publishers, "viewers": plan.viewers, "full_viewers": plan.full.min(plan.viewers),
            "srtp_profiles": self.profiles,
            "join": self.joins.report(),
            "publish": {
                "packets": published.packets - earlier.packets, "bytes": published.bytes - earlier.bytes,
                "frames": published.frames - earlier.frames, "key_frames": published.key_frames - earlier.key_frames,
                "plis": published.plis - earlier.plis,
                "kbps": (published.bytes - earlier.bytes) as f64 * 8.0 / 1000.0 / seconds, "late_ms": world.late.thousands(),
            },
            "receive": {
                "packets": input.packets, "bytes": input.bytes, "video_packets": input.video, "audio_packets": input.audio,
                "repair_packets": input.repair, "padding_packets": input.padding, "refused": self.verdict.refused, "early": self.verdict.early,
                "frames": after.frames.saturating_sub(before.frames), "key_frames": after.key_frames.saturating_sub(before.key_frames),
                "kbps": input.bytes as f64 * 8.0 / 1000.0 / seconds, "kbps_per_viewer": self.viewer_rates.thousands(),
                "lost": lost, "loss_permille": lost as f64 * 1000.0 / (lost + input.packets).max(1) as f64,
                "repaired": after.repaired.saturating_sub(before.repaired), "duplicates": after.duplicates.saturating_sub(before.duplicates),
                "unrecognised": after.foreign.saturating_sub(before.foreign), "nacks": input.nacks, "plis": input.plis,
                "gro_packets_per_datagram": input.packets as f64 / input.messages.max(1) as f64,
            },
            "delay_ms": {"video": world.video_delay.thousands(), "audio": world.audio_delay.thousands()},
            "layers": layers, "layer_changes": after.layer_changes.saturating_sub(before.layer_changes),
            "checks": self.verdict.report(),
            "swarm": {
                "cpu_seconds": cpu, "cpu_us_per_packet": cpu / input.packets.max(1) as f64 * 1e6,
                "rss_bytes": crate::server::own_rss(), "receive_buffer_errors": end.dropped.saturating_sub(begin.dropped),
            },
            "server": server.map(|((pid, before), after)| after.since(before, pid, input.packets)),
            "figures": plan.figures.as_ref().map(|_| json!({"start": begin.figures, "end": end.figures})),
            "series": plan.series.then(|| self.series.iter().enumerate().map(second).collect::<Vec<_>>()),
        })
    }
}
