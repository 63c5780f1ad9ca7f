//! Who sent which piece of the clips when: lets a viewer tell where a frame comes from, what came before it there, and how long it took.
//!
//! Publishers play the same clips from different positions, and a clip comes round again, so of every frame and word the last few
//! times it was sent are kept per publisher. Times are nanoseconds since 1970.

/// Older occasions do not count: no server keeps a frame that long. Ours gives who comes pictures of the last two seconds, repair takes one
/// more, and a machine that is too slow some.
pub const OLDEST_NS: u64 = 5_000_000_000;
/// Occasions remembered per frame: a publisher asked for key frames all the time comes round its clip of four segments every 1.2 s, and
/// what is younger than `OLDEST_NS` must still be known.
const KEPT: usize = 5;

/// One sending of one frame: its number in the publisher's stream, and when.
#[derive(Clone, Copy, Default)]
struct Occasion {
    number: u32,
    at: u64,
}

#[derive(Clone, Default)]
struct Occasions([Occasion; KEPT]);

impl Occasions {
    fn add(&mut self, number: u32, at: u64) {
        self.0.rotate_right(1);
        self.0[0] = Occasion { number, at };
    }

    /// Latest first, those that can have arrived at `arrived`.
    fn before(&self, arrived: u64) -> impl Iterator<Item = Occasion> + '_ {
        self.0.iter().copied().filter(move |o| o.at != 0 && o.at <= arrived && arrived - o.at < OLDEST_NS)
    }
}

struct Log {
    room: u32,
    /// By layer, then frame of the clip.
    frames: Vec<Vec<Occasions>>,
    words: Vec<Occasions>,
    next: Vec<u32>,
}

/// Where a received frame comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Origin {
    pub publisher: u32,
    pub layer: u8,
    /// The frame of the clip.
    pub frame: u32,
    /// Counts the frames of that publisher's layer.
    pub number: u32,
    pub at: u64,
}

impl Origin {
    /// Whether a publisher sent `other` right before this.
    pub fn follows(&self, other: &Origin) -> bool {
        (self.publisher, self.layer, self.number) == (other.publisher, other.layer, other.number.wrapping_add(1))
    }
}

/// What all publishers sent.
#[derive(Default)]
pub struct Sent {
    logs: Vec<Log>,
}

impl Sent {
    /// A further publisher; returns its number. `frames` per layer of the clips.
    pub fn add(&mut self, room: u32, frames: &[usize], words: usize) -> u32 {
        let log = Log {
            room,
            frames: frames.iter().map(|n| vec![Occasions::default(); *n]).collect(),
            words: vec![Occasions::default(); words],
            next: vec![0; frames.len()],
        };
        self.logs.push(log);
        self.logs.len() as u32 - 1
    }

    /// The publisher sends this frame of the clip as the next of that layer.
    pub fn frame(&mut self, publisher: u32, layer: u8, frame: u32, at: u64) {
        let log = &mut self.logs[publisher as usize];
        let number = &mut log.next[usize::from(layer)];
        log.frames[usize::from(layer)][frame as usize].add(*number, at);
        *number += 1;
    }

    pub fn word(&mut self, publisher: u32, word: u32, at: u64) {
        self.logs[publisher as usize].words[word as usize].add(0, at);
    }

    /// The origin of a frame that arrived, and of the one that arrived before it: if any publisher of the room can have sent one right after
    /// the other, that one, the same as before if possible; else whoever sent it last.
    pub fn origin(&self, room: u32, layer: u8, frame: u32, arrived: u64, previous: Option<Origin>) -> Option<(Origin, Option<Origin>)> {
        let of = |publisher: u32, frame: u32| {
            let occasions = self.logs.get(publisher as usize)?.frames.get(usize::from(layer))?.get(frame as usize)?;
            Some(occasions.before(arrived).map(move |o| Origin { publisher, layer, frame, number: o.number, at: o.at }))
        };
        let others = (0..self.logs.len() as u32).filter(|p| self.logs[*p as usize].room == room);
        if let Some(previous) = previous.filter(|p| p.layer == layer) {
            let here = of(previous.publisher, frame).and_then(|mut found| found.find(|o| o.follows(&previous)));
            if let Some(origin) = here {
                return Some((origin, Some(previous)));
            }
            for publisher in others.clone() {
                for before in of(publisher, previous.frame).into_iter().flatten() {
                    if let Some(origin) = of(publisher, frame).and_then(|mut found| found.find(|o| o.follows(&before))) {
                        return Some((origin, Some(before)));
                    }
                }
            }
        }
        let latest = others.filter_map(|publisher| of(publisher, frame)?.next()).max_by_key(|origin| origin.at)?;
        Some((latest, previous))
    }

    /// When the latest word of this kind in the room was sent.
    pub fn word_at(&self, room: u32, word: u32, arrived: u64) -> Option<u64> {
        let here = self.logs.iter().filter(|log| log.room == room);
        here.filter_map(|log| log.words.get(word as usize)?.before(arrived).next()).map(|o| o.at).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn a_frame_is_traced_to_the_stream_it_continues() {
        let mut sent = Sent::default();
        let (a, b) = (sent.add(0, &[10], 5), sent.add(0, &[10], 5));
        sent.frame(a, 0, 3, 100 * S);
        sent.frame(b, 0, 4, 100 * S + 1);
        sent.frame(a, 0, 4, 100 * S + 2);
        let (first, _) = sent.origin(0, 0, 3, 100 * S + 9, None).unwrap();
        assert_eq!(first, Origin { publisher: a, layer: 0, frame: 3, number: 0, at: 100 * S });
        sent.frame(b, 0, 5, 100 * S + 3);
        sent.frame(b, 0, 4, 100 * S + 4);
        let second = Origin { publisher: a, layer: 0, frame: 4, number: 1, at: 100 * S + 2 };
        assert_eq!(sent.origin(0, 0, 4, 100 * S + 9, Some(first)), Some((second, Some(first))));
        assert_eq!(sent.origin(0, 0, 4, 100 * S + 9, None).unwrap().0.publisher, b);
    }

    #[test]
    fn publishers_in_step_are_told_apart_once_they_part() {
        let mut sent = Sent::default();
        let (a, b) = (sent.add(0, &[10], 5), sent.add(0, &[10], 5));
        sent.frame(a, 0, 1, 100 * S);
        sent.frame(b, 0, 1, 100 * S + 1);
        let (guess, _) = sent.origin(0, 0, 1, 100 * S + 9, None).unwrap();
        assert_eq!(guess.publisher, b);
        sent.frame(a, 0, 2, 100 * S + 10);
        sent.frame(b, 0, 7, 100 * S + 11);
        let (origin, before) = sent.origin(0, 0, 2, 100 * S + 19, Some(guess)).unwrap();
        assert!(origin.publisher == a && origin.follows(&before.unwrap()));
        let (origin, before) = sent.origin(0, 0, 2, 100 * S + 19, Some(Origin { frame: 5, ..guess })).unwrap();
        assert!(!origin.follows(&before.unwrap()));
    }

    #[test]
    fn what_a_server_may_still_have_is_known_however_often_key_frames_are_asked_for() {
        let mut sent = Sent::default();
        let a = sent.add(0, &[10], 5);
        let (round, first) = (4 * 300_000_000, 100 * S);
        let last = first + OLDEST_NS - 1;
        (first..=last).step_by(round).for_each(|at| sent.frame(a, 0, 3, at));
        let before = Origin { publisher: a, layer: 0, frame: 2, number: u32::MAX, at: first };
        assert_eq!(sent.origin(0, 0, 3, last, Some(before)).map(|(origin, _)| origin.at), Some(first));
    }

    #[test]
    fn nothing_comes_from_the_future_another_room_or_long_ago() {
        let mut sent = Sent::default();
        let (a, _) = (sent.add(0, &[10], 5), sent.add(1, &[10], 5));
        sent.frame(a, 0, 3, 100 * S);
        sent.word(a, 2, 100 * S);
        assert_eq!(sent.origin(0, 0, 3, 99 * S, None), None);
        assert_eq!(sent.origin(1, 0, 3, 101 * S, None), None);
        assert_eq!(sent.origin(0, 0, 3, 106 * S, None), None);
        assert_eq!((sent.word_at(0, 2, 101 * S), sent.word_at(1, 2, 101 * S), sent.word_at(0, 1, 101 * S)), (Some(100 * S), None, None));
    }
}
