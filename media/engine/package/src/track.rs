//! One track on its way: packets -> reorder -> units -> clock -> timeline -> files.
//!
//! Units wait until the window of the clock they fell into is settled: 30 s, or less if too much waits.

use std::collections::VecDeque;
use std::io;

use jiangtai_core::rtp::Packet;

use crate::clock::Clock;
use crate::depacketise::{Broken, Depacketiser};
use crate::input::{Source, Start, TrackId};
use crate::lipsync::{Delay, LipSync};
use crate::output::{Output, Written};
use crate::reorder::{Counts, Ordered, Reorder};
use crate::sink::Sink;
use crate::timeline::Timeline;
use crate::unit::Unit;

/// Bytes and units of one track that may wait; more settles the clock's window early.
const MAX_WAITING_BYTES: usize = 16 << 20;
const MAX_WAITING: usize = 20_000;

/// No packet for so long: the clock's window is over without one to say so.
const SILENT_US: u64 = 31_000_000;

/// What became of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub start: Start,
    pub files: Vec<Written>,
    /// The name of its playlist; WebM has none.
    pub playlist: Option<String>,
    pub packets: Counts,
    pub broken: Broken,
    /// Samples in the files, and how many of them are silence that was put in.
    pub samples: u64,
    pub filled: u64,
    /// Sound that lay before other sound.
    pub dropped: u64,
}

/// Units whose time is not known yet.
#[derive(Debug, Default)]
struct Waiting {
    units: VecDeque<Unit>,
    bytes: usize,
}

impl Waiting {
    fn push(&mut self, unit: Unit) {
        self.bytes = self.bytes.saturating_add(unit.data.capacity());
        self.units.push_back(unit);
    }

    fn pop(&mut self) -> Option<Unit> {
        let unit = self.units.pop_front()?;
        self.bytes = self.bytes.saturating_sub(unit.data.capacity());
        Some(unit)
    }
}

#[derive(Debug)]
pub struct Track {
    start: Start,
    ssrc: Option<u32>,
    clock: Clock,
    reorder: Reorder,
    depacketiser: Depacketiser,
    waiting: Waiting,
    /// The last packet came.
    last_us: u64,
    timeline: Timeline,
    output: Output,
}

impl Track {
    pub fn new(id: TrackId, start: Start, stem: String, origin_us: u64, from_zero: bool) -> Self {
        let timeline = Timeline::new(start.codec, origin_us);
        let output = Output::new(id, stem, timeline.timescale(), start.codec.is_video(), from_zero);
        Self {
            start,
            ssrc: None,
            clock: Clock::new(start.clock_rate),
            reorder: Reorder::default(),
            depacketiser: Depacketiser::new(&start),
            waiting: Waiting::default(),
            last_us: 0,
            timeline,
            output,
        }
    }

    pub fn packet(&mut self, sequence: u64, arrival_us: u64, bytes: &[u8], sync: &LipSync, sink: &mut impl Sink) -> io::Result<()> {
        let Ok(packet) = Packet::parse(bytes) else { return Ok(()) };
        if self.ssrc.replace(packet.ssrc()).is_some_and(|ssrc| ssrc != packet.ssrc()) {
            self.layer(arrival_us, sync, sink)?;
        }
        let wanted = self.start.payload_type.is_none_or(|wanted| wanted == packet.payload_type());
        if !wanted && self.start.red != Some(packet.payload_type()) {
            return Ok(());
        }
        self.last_us = arrival_us;
        let Self { start, clock, reorder, depacketiser, waiting, .. } = self;
        let delay = |delay| correction(start, sync, delay, arrival_us);
        let mut ordered = |packet: Ordered<'_>| depacketiser.push(packet, &mut |unit| waiting.push(unit));
        // Padding has a place in the order but no time of its own.
        let mark = clock.observe(sequence, arrival_us, packet.timestamp(), delay);
        reorder.push(sequence, arrival_us, mark, bytes, &mut ordered);
        if self.waiting.bytes > MAX_WAITING_BYTES || self.waiting.units.len() > MAX_WAITING {
            self.clock.settle(|delay| correction(&self.start, sync, delay, arrival_us));
        }
        self.drain(sink)
    }

    /// Writes what waits if no packet came for longer than a window takes.
    pub fn elapsed(&mut self, now_us: u64, sync: &LipSync, sink: &mut impl Sink) -> io::Result<()> {
        if self.waiting.units.is_empty() || now_us.saturating_sub(self.last_us) < SILENT_US {
            return Ok(());
        }
        self.clock.settle(|delay| correction(&self.start, sync, delay, now_us));
        self.drain(sink)
    }

    /// What follows is numbered and timed anew; pictures go on at a key frame.
    pub fn layer(&mut self, now_us: u64, sync: &LipSync, sink: &mut impl Sink) -> io::Result<()> {
        let Self { start, clock, reorder, depacketiser, waiting, .. } = self;
        reorder.restart(&mut |packet| depacketiser.push(packet, &mut |unit| waiting.push(unit)));
        depacketiser.end();
        clock.restart(|delay| correction(start, sync, delay, now_us));
        self.ssrc = None;
        self.drain(sink)
    }

    pub fn start(&self) -> Start {
        self.start
    }

    pub fn sender_report(&mut self, ntp: u64, rtp_timestamp: u32, arrival_us: u64, sync: &mut LipSync) {
        self.clock.report(ntp, rtp_timestamp);
        if self.start.source == Source::Microphone {
            if let Some(delay) = self.clock.delay() {
                sync.heard(self.start.participant, delay, arrival_us);
            }
        }
    }

    /// The playlist of what is written so far.
    pub fn playlist(&self, origin_ms: i64) -> Option<String> {
        self.output.playlist(origin_ms, false)
    }

    pub fn finish(mut self, now_us: u64, origin_ms: i64, sync: &LipSync, sink: &mut impl Sink) -> io::Result<Report> {
        let Self { reorder, depacketiser, waiting, .. } = &mut self;
        reorder.flush(&mut |packet| depacketiser.push(packet, &mut |unit| waiting.push(unit)));
        self.depacketiser.end();
        self.clock.settle(|delay| correction(&self.start, sync, delay, now_us));
        self.drain(sink)?;
        let (mut result, output) = (Ok(()), &mut self.output);
        self.timeline.end(now_us, &mut |sample| {
            if result.is_ok() {
                result = output.push(&sample, sink);
            }
        });
        result?;
        let playlist = self.output.finish(origin_ms, sink)?;
        Ok(Report {
            start: self.start,
            playlist,
            packets: self.reorder.counts,
            broken: self.depacketiser.broken(),
            samples: self.output.samples,
            filled: self.timeline.filled,
            dropped: self.timeline.dropped,
            files: self.output.files,
        })
    }

    /// Writes the units whose time is known by now.
    fn drain(&mut self, sink: &mut impl Sink) -> io::Result<()> {
        let Self { clock, waiting, timeline, output, .. } = self;
        let mut result = Ok(());
        while let Some(server_us) = waiting.units.front().and_then(|unit| clock.map(unit.mark)) {
            let Some(unit) = waiting.pop() else { break };
            timeline.push(server_us, unit, &mut |sample| {
                if result.is_ok() {
                    result = output.push(&sample, sink);
                }
            });
            if result.is_err() {
                break;
            }
        }
        result
    }
}

/// Sound of the microphone is what the others follow.
fn correction(start: &Start, sync: &LipSync, delay: Delay, now_us: u64) -> Option<i64> {
    if start.source == Source::Microphone {
        return None;
    }
    sync.correction(start.participant, delay, now_us)
}
