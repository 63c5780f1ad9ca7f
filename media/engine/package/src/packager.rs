//! All tracks of a recording.

use std::collections::BTreeMap;
use std::io;

use crate::input::{Input, TrackId, What};
use crate::lipsync::LipSync;
use crate::sink::Sink;
use crate::track::{Report, Track};

/// Tracks at one time; more are not packaged.
const MAX_TRACKS: usize = 1_024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Server monotonic time that becomes 0 in all files.
    pub origin_us: u64,
    /// The wall clock then, milliseconds since 1970 (UTC).
    pub origin_ms: i64,
}

/// Takes a recording's inputs in order of arrival and writes files to a sink.
#[derive(Debug)]
pub struct Packager<S> {
    options: Options,
    sink: S,
    tracks: BTreeMap<TrackId, Track>,
    /// How often each number was started.
    started: BTreeMap<TrackId, u32>,
    sync: LipSync,
    reports: Vec<(TrackId, Report)>,
    now_us: u64,
    from_zero: bool,
}

impl<S: Sink> Packager<S> {
    pub fn new(options: Options, sink: S) -> Self {
        Self {
            options,
            sink,
            tracks: BTreeMap::new(),
            started: BTreeMap::new(),
            sync: LipSync::default(),
            reports: Vec::new(),
            now_us: options.origin_us,
            from_zero: false,
        }
    }

    /// Lets the times in each file begin with 0: a player of single files needs no offset of theirs.
    pub fn from_zero(mut self) -> Self {
        self.from_zero = true;
        self
    }

    /// What files go to.
    pub fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Time goes on without packets: what has waited too long for its clock's window is written. Errors are the sink's.
    pub fn elapsed(&mut self, now_us: u64) -> io::Result<()> {
        self.now_us = self.now_us.max(now_us);
        self.tracks.values_mut().try_for_each(|track| track.elapsed(now_us, &self.sync, &mut self.sink))
    }

    /// Takes one input. Errors are the sink's; inputs of unknown tracks and malformed packets are passed over.
    pub fn push(&mut self, input: Input<'_>) -> io::Result<()> {
        let Input { track: id, arrival_us, what } = input;
        self.now_us = self.now_us.max(arrival_us);
        if let What::Start(start) = what {
            if self.tracks.get(&id).is_some_and(|track| track.start() == start) {
                return Ok(());
            }
            self.end(id)?;
            if self.tracks.len() < MAX_TRACKS {
                let stem = self.stem(id);
                self.tracks.insert(id, Track::new(id, start, stem, self.options.origin_us, self.from_zero));
            }
            return Ok(());
        }
        let Some(track) = self.tracks.get_mut(&id) else { return Ok(()) };
        match what {
            What::Rtp { sequence, packet } => track.packet(sequence, arrival_us, packet, &self.sync, &mut self.sink),
            What::SenderReport { ntp, rtp_timestamp } => {
                track.sender_report(ntp, rtp_timestamp, arrival_us, &mut self.sync);
                Ok(())
            }
            What::Layer => track.layer(arrival_us, &self.sync, &mut self.sink),
            What::End => self.end(id),
            // The class's own timeline tells who is muted; here it is a hole like any other.
            What::Mute | What::Unmute | What::Start(_) => Ok(()),
        }
    }

    /// The media playlist of a track that still grows (EVENT, without an end); None before its first fragment, and for WebM.
    pub fn playlist(&self, track: TrackId) -> Option<String> {
        self.tracks.get(&track)?.playlist(self.options.origin_ms)
    }

    /// Ends all files; returns what became of each track, and the sink.
    pub fn finish(mut self) -> io::Result<(Vec<(TrackId, Report)>, S)> {
        while let Some(id) = self.tracks.first_key_value().map(|(&id, _)| id) {
            self.end(id)?;
        }
        Ok((self.reports, self.sink))
    }

    fn end(&mut self, id: TrackId) -> io::Result<()> {
        let Some(track) = self.tracks.remove(&id) else { return Ok(()) };
        let report = track.finish(self.now_us, self.options.origin_ms, &self.sync, &mut self.sink)?;
        self.reports.push((id, report));
        Ok(())
    }

    /// The names of a track's files begin with it; a number that is started again gets other names.
    fn stem(&mut self, id: TrackId) -> String {
        let started = self.started.entry(id).or_insert(0);
        *started += 1;
        match *started {
            1 => format!("track-{id}"),
            n => format!("track-{id}-{n}"),
        }
    }
}
