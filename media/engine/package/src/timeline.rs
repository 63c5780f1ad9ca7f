//! From mapped units to samples without holes: when each begins and how long it lasts.
//!
//! A picture lasts until the next one. Sound lasts as long as it says, up to clock drift; where sound is missing (silence that
//! was not sent, loss, mute) the hole is filled with packets of silence, so that nothing is ever joined over a hole and
//! players find no gap in their buffers.

use crate::input::Codec;
use crate::unit::{Config, Unit};

/// Ticks per second of samples: of video as in RTP (RFC 6184, 7741), of sound as Opus decodes.
pub const VIDEO_TIMESCALE: u32 = 90_000;
pub const AUDIO_TIMESCALE: u32 = 48_000;
/// The latest time there is, ticks: in 300 years, so that nothing computed from it overflows.
const LATEST: u64 = 1 << 50;
/// Sound that lies off by less than this follows on directly, ticks (10 ms).
const TOLERANCE: u64 = 480;
/// A hole of more than this is not filled; the silence before it lasts longer, ticks (1 h).
const MAX_FILL: u64 = 3_600 * 48_000;
/// Six frames of 20 ms of silence, CELT, fullband, stereo, constant bit rate (RFC 6716 section 3.2.5), and one.
const SILENCE_120: [u8; 14] = [0xff, 0x06, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe];
const SILENCE_20: [u8; 3] = [0xfc, 0xff, 0xfe];

/// A unit with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// In ticks of the track's timescale since the recording began; decoding and showing coincide.
    pub time: u64,
    pub duration: u32,
    pub key: bool,
    pub data: Vec<u8>,
    pub config: Option<Config>,
}

#[derive(Debug)]
pub struct Timeline {
    timescale: u32,
    video: bool,
    origin_us: u64,
    /// Its duration is told by what follows.
    held: Option<(Sample, u32)>,
    /// Duration of the last picture, for the one that nothing follows.
    usual: u32,
    /// Sound that lies before what is already there.
    pub dropped: u64,
    /// Packets of silence put in.
    pub filled: u64,
}

impl Timeline {
    pub fn new(codec: Codec, origin_us: u64) -> Self {
        let video = codec.is_video();
        let timescale = if video { VIDEO_TIMESCALE } else { AUDIO_TIMESCALE };
        Self { timescale, video, origin_us, held: None, usual: timescale / 30, dropped: 0, filled: 0 }
    }

    pub fn timescale(&self) -> u32 {
        self.timescale
    }

    /// Takes a unit at its server time and hands on what is complete by it.
    pub fn push(&mut self, server_us: i64, unit: Unit, out: &mut impl FnMut(Sample)) {
        let time = self.time(server_us);
        let own = unit.ticks_long.unwrap_or(0);
        let mut sample = Sample { time, duration: own, key: unit.key, data: unit.data, config: unit.config };
        let Some((before, length)) = self.held.take() else {
            self.held = Some((sample, own));
            return;
        };
        let end = before.time + u64::from(length);
        if self.video {
            // Times only grow; a picture that comes out earlier than the one before is shown right after it.
            sample.time = time.max(before.time + 1);
            self.usual = ticks(sample.time - before.time);
        } else if time + TOLERANCE < end {
            // What plays already wins over what begins another line.
            self.dropped += 1;
            self.held = Some((before, length));
            return;
        } else if time > end + TOLERANCE {
            self.fill(before, length, time, out);
            self.held = Some((sample, own));
            return;
        }
        sample.time = sample.time.max(before.time + 1);
        out(Sample { duration: ticks(sample.time - before.time), ..before });
        self.held = Some((sample, own));
    }

    /// Nothing follows; a last picture stays until `end_us` (server time).
    pub fn end(&mut self, end_us: u64, out: &mut impl FnMut(Sample)) {
        let Some((last, length)) = self.held.take() else { return };
        let until = self.time(i64::try_from(end_us).unwrap_or(i64::MAX));
        let duration = if self.video { ticks(until.saturating_sub(last.time)).max(self.usual.min(self.timescale)) } else { length };
        out(Sample { duration: duration.max(1), ..last });
    }

    /// Hands on the last sound and silence up to `until`; the last silence takes what does not fit a whole one.
    fn fill(&mut self, before: Sample, length: u32, until: u64, out: &mut impl FnMut(Sample)) {
        let mut at = before.time + u64::from(length);
        out(Sample { duration: length, ..before });
        let stop = until.min(at + MAX_FILL);
        while at < stop {
            let left = stop - at;
            let (data, long): (&[u8], u64) = if left >= 5_760 + 960 { (&SILENCE_120, 5_760) } else { (&SILENCE_20, 960) };
            let duration = if left < long + 960 { until - at } else { long };
            out(Sample { time: at, duration: ticks(duration), key: true, data: data.to_vec(), config: None });
            self.filled += 1;
            at += duration;
        }
    }

    /// What lies before the recording is moved to its beginning: a decoder needs it for what follows.
    fn time(&self, server_us: i64) -> u64 {
        let us = u64::try_from(server_us).unwrap_or(0).saturating_sub(self.origin_us);
        u64::try_from(u128::from(us) * u128::from(self.timescale) / 1_000_000).map_or(LATEST, |time| time.min(LATEST))
    }
}

fn ticks(long: u64) -> u32 {
    u32::try_from(long).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reorder::Mark;

    fn unit(long: Option<u32>) -> Unit {
        Unit { mark: Mark::default(), key: true, ticks_long: long, data: vec![1], config: None }
    }

    fn samples(codec: Codec, at_ms: &[i64], end_ms: u64) -> Vec<(u64, u32, usize)> {
        let (mut timeline, mut seen) = (Timeline::new(codec, 1_000_000), Vec::new());
        let long = (!codec.is_video()).then_some(960);
        let mut out = |sample: Sample| seen.push((sample.time, sample.duration, sample.data.len()));
        at_ms.iter().for_each(|ms| timeline.push(1_000_000 + ms * 1000, unit(long), &mut out));
        timeline.end(1_000_000 + end_ms * 1000, &mut out);
        assert!(seen.windows(2).all(|two| two[0].0 + u64::from(two[0].1) == two[1].0), "{seen:?}");
        seen
    }

    #[test]
    fn a_picture_lasts_until_the_next_and_the_last_until_the_end() {
        assert_eq!(samples(Codec::H264, &[0, 40, 1_040], 2_040), vec![(0, 3_600, 1), (3_600, 90_000, 1), (93_600, 90_000, 1)]);
    }

    #[test]
    fn pictures_before_the_recording_begin_with_it_and_time_only_grows() {
        assert_eq!(samples(Codec::Vp8, &[-5, 10, 5, 50], 90), vec![(0, 900, 1), (900, 1, 1), (901, 3_599, 1), (4_500, 3_600, 1)]);
    }

    #[test]
    fn sound_follows_on_directly_while_the_clocks_drift() {
        assert_eq!(samples(Codec::Opus, &[0, 21, 41, 60], 0), vec![(0, 1_008, 1), (1_008, 960, 1), (1_968, 912, 1), (2_880, 960, 1)]);
    }

    #[test]
    fn missing_sound_becomes_silence_of_the_same_length() {
        // 20 ms of sound, then 305 ms of nothing: 2 x 120, 2 x 20, and one of 25 ms.
        let seen = samples(Codec::Opus, &[0, 325], 0);
        assert_eq!(
            seen.iter().map(|s| (s.1, s.2)).collect::<Vec<_>>(),
            vec![(960, 1), (5_760, 14), (5_760, 14), (960, 3), (960, 3), (1_200, 3), (960, 1)]
        );
    }

    #[test]
    fn a_mute_of_hours_does_not_fill_the_disk() {
        let seen = samples(Codec::Opus, &[0, 4 * 3_600_000], 0);
        assert!(seen.len() < 30_010 && seen.last().unwrap().0 == 4 * 3_600 * 48_000);
    }

    #[test]
    fn sound_that_overlaps_what_plays_is_dropped() {
        assert_eq!(samples(Codec::Opus, &[0, 20, 5, 40], 0).len(), 3);
    }
}
