//! Who is heard: loudest-N by RFC 6464 section 3 levels with hysteresis, and who is speaking.
//!
//! A room has N audio places. A place is taken by a voice when one is free, when a priority track needs it, or when the
//! newcomer is clearly louder than the quietest holder for a while. Priority tracks are never displaced by others.

use std::time::{Duration, Instant};

/// Levels are kept as loudness: 127 - dBov, 0 = silence.
const SPEECH: f32 = 127.0 - 50.0;
/// How much louder a newcomer must be.
const MARGIN: f32 = 6.0;
/// A holder keeps its place at least this long.
const HOLD: Duration = Duration::from_millis(600);
/// A holder that has not spoken for this long gives way to any voice.
const QUIET: Duration = Duration::from_millis(1500);
/// A track without packets for this long is not sending.
const GONE: Duration = Duration::from_secs(2);
/// Tracks followed per room; more are forwarded only by explicit assignment.
const TRACKS: usize = 1024;

#[derive(Debug)]
struct Voice {
    track: u64,
    priority: bool,
    loudness: f32,
    last_packet: Instant,
    last_speech: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Holder {
    track: u64,
    since: Instant,
}

/// The ranking of one room.
#[derive(Debug)]
pub struct AudioRoom {
    voices: Vec<Voice>,
    places: Vec<Option<Holder>>,
    reported: Vec<(u64, u8)>,
}

impl AudioRoom {
    pub fn new(places: usize) -> AudioRoom {
        AudioRoom { voices: Vec::new(), places: vec![None; places], reported: Vec::new() }
    }

    /// The track in each place, 0 = empty.
    pub fn tracks(&self) -> Vec<u64> {
        self.places.iter().map(|p| p.map_or(0, |h| h.track)).collect()
    }

    /// The place a track holds.
    pub fn place_of(&self, track: u64) -> Option<usize> {
        self.places.iter().position(|p| p.is_some_and(|h| h.track == track))
    }

    /// One packet with level `dbov` (0 loudest, 127 silent); returns whether the places changed.
    pub fn heard(&mut self, track: u64, priority: bool, dbov: u8, now: Instant) -> bool {
        let loudness = 127.0 - f32::from(dbov.min(127));
        let at = match self.voices.iter().position(|v| v.track == track) {
            Some(at) => at,
            None if self.voices.len() < TRACKS => {
                self.voices.push(Voice { track, priority, loudness: 0.0, last_packet: now, last_speech: None });
                self.voices.len() - 1
            }
            None => return false,
        };
        let voice = &mut self.voices[at];
        // Fast attack, slow decay: words count, pauses between them do not.
        let weight = if loudness > voice.loudness { 0.35 } else { 0.06 };
        voice.loudness += (loudness - voice.loudness) * weight;
        voice.priority = priority;
        voice.last_packet = now;
        if voice.loudness >= SPEECH {
            voice.last_speech = Some(now);
        }
        let (speaking, loudness) = (voice.loudness >= SPEECH, voice.loudness);
        if self.place_of(track).is_some() {
            return false;
        }
        let place = if priority || speaking { self.place_for(priority, loudness, now) } else { None };
        match place {
            Some(place) => {
                self.places[place] = Some(Holder { track, since: now });
                true
            }
            None => false,
        }
    }

    /// The place a newcomer may take: a free one, else the weakest holder it outranks.
    fn place_for(&self, priority: bool, loudness: f32, now: Instant) -> Option<usize> {
        if let Some(free) = self.places.iter().position(Option::is_none) {
            return Some(free);
        }
        let weakest = (0..self.places.len())
            .filter_map(|i| {
                let holder = self.places[i]?;
                let voice = self.voices.iter().find(|v| v.track == holder.track)?;
                Some((i, holder, voice))
            })
            .min_by(|a, b| (a.2.priority, a.2.loudness).partial_cmp(&(b.2.priority, b.2.loudness)).unwrap_or(std::cmp::Ordering::Equal));
        let (place, holder, voice) = weakest?;
        if voice.priority && !priority {
            return None;
        }
        if priority && !voice.priority {
            return Some(place);
        }
        let quiet = voice.last_speech.is_none_or(|at| now.saturating_duration_since(at) > QUIET);
        let louder = loudness > voice.loudness + MARGIN && now.saturating_duration_since(holder.since) > HOLD;
        (louder || (quiet && loudness > voice.loudness)).then_some(place)
    }

    /// The track is gone or may no longer be heard; returns whether the places changed.
    pub fn forget(&mut self, track: u64) -> bool {
        self.voices.retain(|v| v.track != track);
        self.vacate(|holder| holder == track)
    }

    fn vacate(&mut self, gone: impl Fn(u64) -> bool) -> bool {
        let mut changed = false;
        for place in &mut self.places {
            if place.is_some_and(|h| gone(h.track)) {
                *place = None;
                changed = true;
            }
        }
        changed
    }

    /// Drops tracks that stopped sending; returns whether the places changed.
    pub fn sweep(&mut self, now: Instant) -> bool {
        let gone: Vec<u64> = self.voices.iter().filter(|v| now.saturating_duration_since(v.last_packet) > GONE).map(|v| v.track).collect();
        if gone.is_empty() {
            return false;
        }
        self.voices.retain(|v| !gone.contains(&v.track));
        self.vacate(|track| gone.contains(&track))
    }

    /// Whether anybody is being followed (and `sweep`, `speakers` are worth calling).
    pub fn is_idle(&self) -> bool {
        self.voices.is_empty() && self.reported.is_empty()
    }

    /// Who speaks now, loudest first, if it differs from the last report.
    pub fn speakers(&mut self, now: Instant) -> Option<Vec<(u64, u8)>> {
        let recent = |v: &&Voice| v.last_speech.is_some_and(|at| now.saturating_duration_since(at) < Duration::from_millis(500));
        let mut speaking: Vec<(u64, u8)> =
            self.voices.iter().filter(recent).map(|v| (v.track, 127 - v.loudness.clamp(0.0, 127.0) as u8)).collect();
        speaking.sort_by_key(|&(track, level)| (level, track));
        speaking.truncate(16);
        if speaking == self.reported {
            return None;
        }
        self.reported.clone_from(&speaking);
        Some(speaking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        room: AudioRoom,
        now: Instant,
    }

    impl Scene {
        fn new() -> Scene {
            Scene { room: AudioRoom::new(3), now: Instant::now() }
        }
        /// 20 ms packets of every listed (track, dbov) for a while.
        fn play(&mut self, ms: u64, voices: &[(u64, u8)]) -> usize {
            let mut changes = 0;
            for _ in 0..ms / 20 {
                self.now += Duration::from_millis(20);
                for &(track, dbov) in voices {
                    changes += usize::from(self.room.heard(track, track >= 100, dbov, self.now));
                }
            }
            changes
        }
    }

    #[test]
    fn the_three_loudest_of_ten_hold_the_places_and_nobody_flaps() {
        let mut scene = Scene::new();
        let voices: Vec<(u64, u8)> = (1..=10).map(|t| (t, 60 - t as u8 * 4)).collect();
        scene.play(3000, &voices);
        let mut held = scene.room.tracks();
        held.sort_unstable();
        assert_eq!(held, vec![8, 9, 10]);
        assert_eq!(scene.play(10_000, &voices), 0);
    }

    #[test]
    fn silence_takes_no_place_and_two_equal_voices_do_not_swap() {
        let mut scene = Scene::new();
        scene.play(1000, &[(1, 127), (2, 90)]);
        assert_eq!(scene.room.tracks(), vec![0, 0, 0]);
        scene.play(1000, &[(1, 30), (2, 30), (3, 30), (4, 32)]);
        let before = scene.room.tracks();
        assert_eq!(scene.play(5000, &[(1, 30), (2, 30), (3, 30), (4, 28)]), 0);
        assert_eq!(scene.room.tracks(), before);
    }

    #[test]
    fn a_priority_track_is_heard_even_when_silent_and_never_displaced() {
        let mut scene = Scene::new();
        scene.play(1000, &[(1, 20), (2, 20), (3, 20)]);
        scene.play(40, &[(1, 20), (2, 20), (3, 20), (100, 127)]);
        assert!(scene.room.place_of(100).is_some());
        scene.play(10_000, &[(1, 10), (2, 10), (3, 10), (4, 5), (100, 127)]);
        assert!(scene.room.place_of(100).is_some());
    }

    #[test]
    fn a_track_that_stops_sending_frees_its_place() {
        let mut scene = Scene::new();
        scene.play(500, &[(1, 20)]);
        assert_eq!(scene.room.place_of(1), Some(0));
        assert!(!scene.room.sweep(scene.now + Duration::from_millis(500)));
        assert!(scene.room.sweep(scene.now + Duration::from_secs(3)));
        assert_eq!(scene.room.tracks(), vec![0, 0, 0]);
    }

    #[test]
    fn speakers_are_told_loudest_first_and_once() {
        let mut scene = Scene::new();
        scene.play(1000, &[(1, 30), (2, 20)]);
        let told = scene.room.speakers(scene.now).unwrap();
        assert_eq!(told.iter().map(|s| s.0).collect::<Vec<_>>(), vec![2, 1]);
        assert_eq!(scene.room.speakers(scene.now), None);
        assert_eq!(scene.room.speakers(scene.now + Duration::from_secs(1)), Some(vec![]));
    }
}
