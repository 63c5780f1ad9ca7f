//! The figures of a run and how they are told.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{json, Value};

use crate::check::{Tally, BREAKS};
use crate::flow;
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

/// Who came less than this ago may be without sound or picture yet.
const SETTLING_NS: u64 = 1_000_000_000;

const MOST_EXAMPLES: usize = 10;

/// What became of streams that are judged.
#[derive(Clone, Default)]
pub struct Verdict {
    pub streams: u64,
    pub playing: u64,
    pub broken: u64,
    /// Streams that stood still in the window.
    pub frozen: u64,
    /// Longest gap of each stream in the window: of audio, of video.
    pub gaps: [Spread; 2],
    /// Packets of no stream, or not opened.
    pub refused: u64,
    /// Packets that came before the handshake was done.
    pub early: u64,
    pub examples: Vec<String>,
    /// Of audio, of video.
    pub sums: [Tally; 2],
}

impl Verdict {
    /// What a viewer saw until `end`, in nanoseconds since 1970. `counting`: that lies in the window.
    pub fn add(&mut self, number: usize, viewer: &Viewer, end: u64, counting: bool) {
        self.refused += viewer.refused;
        self.early += viewer.early_packets;
        // Who is not in yet is a join that is under way or failed.
        let settled = viewer.since.is_some_and(|since| end.saturating_sub(since) > SETTLING_NS);
        for stream in &viewer.streams {
            let tally = &stream.checker.tally;
            let playing = tally.first_packet.is_some();
            self.streams += u64::from(playing || settled);
            self.playing += u64::from(playing);
            let gap = stream.checker.flow.gap(end).filter(|_| counting);
            gap.iter().for_each(|gap| self.gaps[usize::from(stream.video)].add(gap / 1000));
            let frozen = gap.filter(|gap| flow::frozen(stream.video, *gap));
            self.frozen += u64::from(frozen.is_some());
            self.broken += u64::from(tally.first_break.is_some());
            let still = frozen.map(|gap| format!("nothing for {} ms", gap / 1_000_000));
            if let Some(why) = tally.first_break.as_ref().or(still.as_ref()) {
                let kind = if viewer.full { "full" } else { "light" };
                let example = format!("{kind} viewer {number} mid {} ({} packets refused): {why}", stream.mid, viewer.refused);
                // One break may be the only one among many that stand still.
                self.examples.insert(if tally.first_break.is_some() { 0 } else { self.examples.len() }, example);
                self.examples.truncate(MOST_EXAMPLES);
            }
            let sum = &mut self.sums[usize::from(stream.video)];
            let pairs: [(&mut u64, u64); 8] = [
                (&mut sum.frames, tally.frames),
                (&mut sum.key_frames, tally.key_frames),
                (&mut sum.replayed, tally.replayed),
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
        let breaks: BTreeMap<&str, u64> = BREAKS.into_iter().enumerate().map(|(i, name)| (name, self.count(|sum| sum.breaks[i]))).collect();
        let [audio, video] = &self.gaps;
        json!({
            "streams": self.streams, "playing": self.playing, "broken": self.broken, "breaks": breaks, "frozen": self.frozen,
            "gap_ms": {"video": video.thousands(), "audio": audio.thousands()}, "examples": self.examples,
        })
    }

    /// Of both kinds of streams.
    fn count(&self, of: impl Fn(&Tally) -> u64) -> u64 {
        self.sums.iter().map(of).sum()
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
}

impl Outcome<'_> {
    pub fn report(&self) -> Value {
        let Outcome { plan, begin, end, world, .. } = self;
        let seconds = end.at.duration_since(begin.at).as_secs_f64();
        let input = &world.input;
        let grown = |of: fn(&Tally) -> u64| end.verdict.count(of).saturating_sub(begin.verdict.count(of));
        let [words, frames] = [0, 1].map(|kind| {
            let (before, after) = (&begin.verdict.sums[kind], &end.verdict.sums[kind]);
            move |of: fn(&Tally) -> u64| of(after).saturating_sub(of(before))
        });
        let lost = grown(|sum| sum.lost);
        let (published, earlier) = (&end.published, &begin.published);
        let cpu = (end.cpu - begin.cpu).as_secs_f64();
        let server = plan.server.zip(begin.server.as_ref()).zip(end.server.as_ref());
        let layers = json!({"0": grown(|sum| sum.layers[0]), "1": grown(|sum| sum.layers[1]), "2": grown(|sum| sum.layers[2])});
        json!({
            "kind": "run", "seconds": seconds, "publishers": plan.publishers, "viewers": plan.viewers, "full_viewers": plan.full.min(plan.viewers),
            "srtp_profiles": self.profiles,
            "join": self.joins.report(),
            "publish": {
                "packets": published.packets - earlier.packets, "bytes": published.bytes - earlier.bytes,
                "frames": published.frames - earlier.frames, "key_frames": published.key_frames - earlier.key_frames,
                "words": published.words - earlier.words, "plis": published.plis - earlier.plis,
                "kbps": (published.bytes - earlier.bytes) as f64 * 8.0 / 1000.0 / seconds, "late_ms": world.late.thousands(),
            },
            "receive": {
                "packets": input.packets, "bytes": input.bytes, "media_packets": input.media, "video_packets": input.video,
                "audio_packets": input.audio, "video_bytes": input.video_bytes, "audio_bytes": input.audio_bytes,
                "repair_packets": input.repair, "padding_packets": input.padding, "refused": self.verdict.refused, "early": self.verdict.early,
                "frames": frames(|sum| sum.frames), "key_frames": frames(|sum| sum.key_frames), "replayed": frames(|sum| sum.replayed),
                "words": words(|sum| sum.frames),
                "kbps": input.bytes as f64 * 8.0 / 1000.0 / seconds, "kbps_per_viewer": self.viewer_rates.thousands(),
                "lost": lost, "loss_permille": lost as f64 * 1000.0 / (lost + input.packets).max(1) as f64,
                "repaired": grown(|sum| sum.repaired), "duplicates": grown(|sum| sum.duplicates),
                "unrecognised": {"video": frames(|sum| sum.foreign), "audio": words(|sum| sum.foreign)},
                "nacks": input.nacks, "plis": input.plis,
                "gro_packets_per_datagram": input.packets as f64 / input.messages.max(1) as f64,
            },
            "delay_ms": {"video": world.video_delay.thousands(), "audio": world.audio_delay.thousands()},
            "layers": layers, "layer_changes": grown(|sum| sum.layer_changes),
            "checks": self.verdict.report(),
            "swarm": {
                "cpu_seconds": cpu, "cpu_us_per_packet": cpu / input.packets.max(1) as f64 * 1e6,
                "rss_bytes": crate::server::own_rss(), "receive_buffer_errors": end.dropped.saturating_sub(begin.dropped),
            },
            "server": server.map(|((pid, before), after)| after.since(before, pid, input.packets)),
            "figures": plan.figures.as_ref().map(|_| json!({"start": begin.figures, "end": end.figures})),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;

    const S: u64 = 1_000_000_000;
    const SDP: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\na=ssrc:7 cname:x\r\n\
                       m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=ssrc:8 cname:x\r\n";

    /// A viewer that is in since 10 s and gets something every 20 ms of sound and 33 ms of video until these moments.
    fn viewer(until: [u64; 2]) -> Viewer {
        let line = "--whep http://s --publishers 0".split(' ').map(String::from);
        let mut viewer = Viewer::new(&Plan::read(Args::new(line)).unwrap(), 0).unwrap();
        viewer.expect(SDP);
        viewer.since = Some(10 * S);
        assert_eq!(viewer.streams.iter().map(|s| s.video).collect::<Vec<_>>(), [false, true]);
        for (stream, (until, step)) in viewer.streams.iter_mut().zip(until.into_iter().zip([S / 50, S / 30])) {
            for at in (10 * S..until).step_by(step as usize) {
                stream.checker.tally.first_packet.get_or_insert(at);
                stream.checker.flow.add(at);
            }
        }
        viewer
    }

    fn verdict(viewer: &Viewer, end: u64, counting: bool) -> Verdict {
        let mut verdict = Verdict::default();
        verdict.add(0, viewer, end, counting);
        verdict
    }

    #[test]
    fn streams_that_stop_before_the_end_are_frozen_though_they_played() {
        for (until, frozen) in [([20, 20], 0), ([19, 20], 1), ([20, 18], 1), ([12, 12], 2)] {
            let found = verdict(&viewer(until.map(|s| s * S)), 20 * S, true);
            assert_eq!((found.playing, found.broken, found.frozen, found.examples.len()), (2, 0, frozen, frozen as usize), "{until:?}");
        }
        assert_eq!(verdict(&viewer([12 * S, 12 * S]), 20 * S, false).frozen, 0, "only the window counts");
    }

    #[test]
    fn a_break_is_told_before_what_stands_still() {
        let mut broken = viewer([20 * S, 20 * S]);
        broken.streams[1].checker.tally.first_break = Some("form".into());
        let mut found = Verdict::default();
        (0..9).for_each(|number| found.add(number, &viewer([12 * S, 12 * S]), 20 * S, true));
        found.add(9, &broken, 20 * S, true);
        assert_eq!((found.broken, found.frozen, found.examples.len()), (1, 18, MOST_EXAMPLES));
        assert!(found.examples[0].ends_with("form"));
    }

    #[test]
    fn a_silent_stream_is_one_that_had_time_to_begin() {
        for (end, streams) in [(10, 0), (12, 2)] {
            let found = verdict(&viewer([0, 0]), end * S, true);
            assert_eq!((found.streams, found.playing, found.frozen), (streams, 0, 0));
        }
    }
}
