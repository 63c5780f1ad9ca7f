//! Judges one received stream: can a decoder play all of it? Pure.
//!
//! Packets are taken as they arrive, put in order, and held against three things: their own numbers (sequence, timestamp, picture id), the
//! clip they were cut from (all parts of a frame, in order), and the stream their publisher sent (a frame that is not a key frame follows
//! there the same frame as here). After a break the stream is judged again from its next key frame, as a decoder would show it.

use std::collections::BTreeMap;

use crate::clip::{Clips, Piece};
use crate::flow::Flow;
use crate::report::Spread;
use crate::rtp::{Codec, Look};
use crate::sent::{Origin, Sent};

/// A hole that is not filled by then stays one; nobody repairs audio.
const PATIENCE_NS: u64 = 1_000_000_000;
const AUDIO_PATIENCE_NS: u64 = 200_000_000;
/// Packets kept behind a hole.
const BEHIND: usize = 2000;

/// Ways for a stream to break, in the order they are reported in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Break {
    /// A hole in the sequence numbers that was not filled in time.
    Lost,
    /// A picture id that is not the next.
    Picture,
    /// A timestamp that goes back, or two in one frame.
    Timestamp,
    /// The first frame is not a key frame.
    Start,
    /// A frame that refers to one that was not here before it, or that nobody in the room sent lately.
    Reference,
    /// A frame with parts missing or out of order or of no clip, or a malformed payload.
    Form,
}

pub const BREAKS: [&str; 6] = ["lost", "picture", "timestamp", "start", "reference", "form"];

/// What is known of a packet when it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    /// Nanoseconds since 1970.
    pub at: u64,
    /// Nothing but padding.
    pub empty: bool,
    /// None if the payload is malformed.
    pub look: Option<Look>,
    pub piece: Option<Piece>,
}

/// What came of a stream so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub frames: u64,
    pub key_frames: u64,
    /// Frames that were sent before the stream began: kept by the server for who comes.
    pub replayed: u64,
    pub lost: u64,
    pub repaired: u64,
    pub duplicates: u64,
    /// Packets of no clip.
    pub foreign: u64,
    pub layers: [u64; 3],
    pub layer_changes: u64,
    pub breaks: [u64; 6],
    pub first_break: Option<String>,
    pub first_packet: Option<u64>,
    pub first_frame: Option<u64>,
    pub last_packet: u64,
}

struct Frame {
    timestamp: u32,
    picture: Option<(u16, u8)>,
    key: bool,
    origin: Option<Origin>,
    /// (layer, frame of the clip, next part, parts); none as long as it looks like others.
    piece: Option<(u8, u32, u32, u32)>,
}

/// What is no break in this run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// The server may begin in the middle of a group of pictures.
    pub late_start: bool,
    /// The path loses packets: holes in audio are for the decoder to hide.
    pub lossy: bool,
}

pub struct Checker {
    codec: Codec,
    room: u32,
    rules: Rules,
    next: Option<u64>,
    behind: BTreeMap<u64, Arrival>,
    hole_since: u64,
    /// Frames up to the next key frame are not shown.
    blind: bool,
    current: Option<Frame>,
    previous: Option<Frame>,
    pub tally: Tally,
    pub flow: Flow,
}

impl Checker {
    pub fn new(codec: Codec, room: u32, rules: Rules) -> Checker {
        let behind = BTreeMap::new();
        let blind = rules.late_start && codec != Codec::Opus;
        let (current, previous, tally, flow) = (None, None, Tally::default(), Flow::default());
        Checker { codec, room, rules, next: None, behind, hole_since: 0, blind, current, previous, tally, flow }
    }

    /// Whether only a key frame helps.
    pub fn wants_key_frame(&self) -> bool {
        self.blind && self.next.is_some()
    }

    pub fn has_hole(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Whether a retransmission helps.
    pub fn wants_repair(&self) -> bool {
        self.has_hole() && self.codec != Codec::Opus
    }

    /// The sequence numbers that are missing, at most `limit`.
    pub fn missing(&self, limit: usize) -> Vec<u16> {
        let (Some(next), Some(last)) = (self.next, self.behind.keys().next_back()) else { return Vec::new() };
        (next..*last).filter(|n| !self.behind.contains_key(n)).take(limit).map(|n| n as u16).collect()
    }

    /// Takes one packet; times from publisher to here go to `delays`.
    pub fn push(&mut self, arrival: Arrival, clips: &Clips, sent: &Sent, mut delays: Option<&mut Spread>) {
        self.tally.first_packet.get_or_insert(arrival.at);
        self.tally.last_packet = arrival.at;
        let next = self.next.unwrap_or(1 << 32 | u64::from(arrival.sequence));
        let ahead = arrival.sequence.wrapping_sub(next as u16) as i16;
        self.next = Some(next);
        if ahead < 0 {
            self.tally.duplicates += 1;
            return;
        }
        let number = next + ahead as u64;
        if ahead > 0 {
            if self.behind.is_empty() {
                self.hole_since = arrival.at;
            }
            self.tally.duplicates += u64::from(self.behind.insert(number, arrival).is_some());
            if self.behind.len() > BEHIND {
                self.give_up(clips, sent, &mut delays);
            }
            return;
        }
        self.tally.repaired += u64::from(self.has_hole());
        self.next = Some(number + 1);
        self.take(arrival, clips, sent, &mut delays);
        self.hole_since = arrival.at;
        self.catch_up(clips, sent, &mut delays);
    }

    /// Gives up holes that are too old. `now` in nanoseconds since 1970.
    pub fn expire(&mut self, now: u64, clips: &Clips, sent: &Sent, mut delays: Option<&mut Spread>) {
        let patience = if self.codec == Codec::Opus { AUDIO_PATIENCE_NS } else { PATIENCE_NS };
        if self.has_hole() && now.saturating_sub(self.hole_since) > patience {
            self.hole_since = now;
            self.give_up(clips, sent, &mut delays);
        }
    }

    fn give_up(&mut self, clips: &Clips, sent: &Sent, delays: &mut Option<&mut Spread>) {
        let (Some(next), Some(first)) = (self.next, self.behind.keys().next().copied()) else { return };
        self.tally.lost += first - next;
        if self.codec != Codec::Opus || !self.rules.lossy {
            self.broken(Break::Lost, || format!("{} packets from {}", first - next, next as u16));
        }
        self.next = Some(first);
        self.catch_up(clips, sent, delays);
    }

    fn catch_up(&mut self, clips: &Clips, sent: &Sent, delays: &mut Option<&mut Spread>) {
        while let Some(entry) = self.behind.first_entry().filter(|entry| Some(*entry.key()) == self.next) {
            let (number, arrival) = entry.remove_entry();
            self.next = Some(number + 1);
            self.take(arrival, clips, sent, delays);
        }
    }

    fn broken(&mut self, what: Break, how: impl FnOnce() -> String) {
        self.tally.breaks[what as usize] += 1;
        let (frames, current) = (self.tally.frames, self.current.as_ref().and_then(|c| c.piece));
        self.tally.first_break.get_or_insert_with(|| format!("{} after {frames} frames, in {current:?}: {}", BREAKS[what as usize], how()));
        self.current = None;
        self.previous = None;
        self.blind = self.codec != Codec::Opus;
    }

    /// The next packet in order.
    fn take(&mut self, arrival: Arrival, clips: &Clips, sent: &Sent, delays: &mut Option<&mut Spread>) {
        if arrival.empty {
            return;
        }
        let Some(look) = arrival.look else {
            return self.broken(Break::Form, || format!("malformed payload in packet {}", arrival.sequence));
        };
        self.tally.foreign += u64::from(arrival.piece.is_none());
        if self.codec == Codec::Opus {
            return self.take_word(arrival, sent, delays);
        }
        let begins = look.start.unwrap_or(self.current.as_ref().is_none_or(|c| c.timestamp != arrival.timestamp));
        if self.blind {
            if !(begins && look.key) {
                return;
            }
            self.blind = false;
        }
        match &self.current {
            Some(_) if begins => return self.broken(Break::Form, || format!("frame {} begins before the last ended", arrival.timestamp)),
            Some(current) => {
                if current.timestamp != arrival.timestamp {
                    let before = current.timestamp;
                    return self.broken(Break::Timestamp, || format!("two in one frame: {before}, then {arrival:?}"));
                }
                if current.picture != look.picture {
                    return self.broken(Break::Picture, || format!("two in one frame: {:?}", look.picture));
                }
            }
            // The path took the stream's first packet: nobody can tell, so it begins with the next key frame.
            None if !begins && self.rules.lossy && self.previous.is_none() && self.tally.first_break.is_none() => {
                self.blind = true;
                return;
            }
            None if !begins => return self.broken(Break::Form, || format!("frame {} has no beginning", arrival.timestamp)),
            None => {
                if !self.begin(arrival, look) {
                    return;
                }
            }
        }
        if self.current.as_ref().is_some_and(|c| c.piece.is_none()) {
            if let Err((what, how)) = self.place(arrival, begins, look, clips, sent) {
                return self.broken(what, || how);
            }
        }
        self.continue_frame(arrival, delays);
    }

    fn take_word(&mut self, arrival: Arrival, sent: &Sent, delays: &mut Option<&mut Spread>) {
        if let Some(previous) = &self.previous {
            let step = arrival.timestamp.wrapping_sub(previous.timestamp) as i32;
            if step <= 0 {
                return self
                    .broken(Break::Timestamp, || format!("{} after {}", arrival.timestamp, arrival.timestamp.wrapping_sub(step as u32)));
            }
        }
        self.previous = Some(Frame { timestamp: arrival.timestamp, picture: None, key: true, origin: None, piece: None });
        self.tally.frames += 1;
        self.tally.first_frame.get_or_insert(arrival.at);
        self.flow.add(arrival.at);
        if let (Some(delays), Some(Piece::Audio { word })) = (delays, arrival.piece) {
            if let Some(at) = sent.word_at(self.room, word, arrival.at) {
                delays.add((arrival.at - at) / 1000);
            }
        }
    }

    /// A frame begins; false if it must not begin like this.
    fn begin(&mut self, arrival: Arrival, look: Look) -> bool {
        let mut wrong = None;
        if let Some(previous) = &self.previous {
            let step = arrival.timestamp.wrapping_sub(previous.timestamp) as i32;
            if step <= 0 {
                wrong = Some((Break::Timestamp, format!("{} after {}", arrival.timestamp, previous.timestamp)));
            } else if look.picture != previous.picture.map(|(id, bits)| (id.wrapping_add(1) & (u16::MAX >> (16 - bits)), bits)) {
                wrong = Some((Break::Picture, format!("{:?} after {:?}", look.picture, previous.picture)));
            }
        } else if !look.key {
            wrong = Some((Break::Start, format!("frame {} is not a key frame", arrival.timestamp)));
        }
        if let Some((what, how)) = wrong {
            self.broken(what, || how);
            return false;
        }
        self.current = Some(Frame { timestamp: arrival.timestamp, picture: look.picture, key: look.key, origin: None, piece: None });
        true
    }

    /// Which frame of the clips the current one is, and whether it may come here.
    fn place(&mut self, arrival: Arrival, begins: bool, look: Look, clips: &Clips, sent: &Sent) -> Result<(), (Break, String)> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let (layer, frame, part) = match arrival.piece {
            Some(Piece::Video { layer, frame, part }) => (layer, frame, part),
            // Its next packet tells.
            Some(Piece::Alike) if begins && !arrival.marker => return Ok(()),
            other => return Err((Break::Form, format!("packet {} of frame {} is {other:?}", arrival.sequence, arrival.timestamp))),
        };
        if part != u32::from(!begins) {
            return Err((Break::Form, format!("frame {} begins with part {part}", arrival.timestamp)));
        }
        let before = self.previous.as_ref().and_then(|p| p.origin);
        let Some((origin, before)) = sent.origin(self.room, layer, frame, arrival.at, before) else {
            return Err((Break::Reference, format!("nobody sent frame {frame} of layer {layer} lately")));
        };
        if !(current.key || look.key) && before.is_none_or(|before| !origin.follows(&before)) {
            return Err((Break::Reference, format!("{origin:?} after {before:?}")));
        }
        current.origin = Some(origin);
        current.piece = Some((layer, frame, part, clips.video[usize::from(layer)][frame as usize].parts.len() as u32));
        Ok(())
    }

    /// A packet of the current frame, maybe its last.
    fn continue_frame(&mut self, arrival: Arrival, delays: &mut Option<&mut Spread>) {
        let Some(current) = &mut self.current else { return };
        if let (Some(delays), Some(origin)) = (delays, current.origin) {
            delays.add(arrival.at.saturating_sub(origin.at) / 1000);
        }
        if let Some((layer, frame, part, parts)) = &mut current.piece {
            let fits = arrival.piece == Some(Piece::Video { layer: *layer, frame: *frame, part: *part });
            *part += 1;
            let complete = *part == *parts;
            if !fits || arrival.marker != complete {
                let how =
                    format!("frame {}: part {} of {parts} is {:?}, last: {}", arrival.timestamp, *part - 1, arrival.piece, arrival.marker);
                return self.broken(Break::Form, || how);
            }
        }
        if !arrival.marker {
            return;
        }
        let whole = self.current.take();
        if let Some(frame) = &whole {
            self.tally.frames += 1;
            self.tally.key_frames += u64::from(frame.key);
            self.tally.first_frame.get_or_insert(arrival.at);
            let began = self.tally.first_packet.unwrap_or_default();
            self.tally.replayed += u64::from(frame.origin.is_some_and(|origin| origin.at < began));
            self.flow.add(arrival.at);
            if let Some(layer) = frame.piece.map(|p| p.0) {
                let before = self.previous.as_ref().and_then(|p| p.piece).map(|p| p.0);
                self.tally.layer_changes += u64::from(before.is_some_and(|b| b != layer));
                self.tally.layers[usize::from(layer)] += 1;
            }
        }
        self.previous = whole;
    }
}

#[cfg(test)]
mod tests;
