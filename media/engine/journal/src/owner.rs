//! Whose a record is: a track's label names its participant, and a track keeps its number while its stream lasts.
//!
//! What cannot be told to be somebody else's (a track whose label is lost, bytes that are no record) goes with the person in
//! a stream that names the person, or of which something was taken before: nothing can play it anyway.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::format::{Kind, Record};

/// One run of the writer.
pub type Boot = [u8; 16];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// One of those who are taken out.
    Theirs,
    Other,
    Unknown,
}

/// What was seen in one file before anything is changed.
#[derive(Debug, Default)]
struct Seen {
    boot: Boot,
    tracks: BTreeSet<u16>,
    named: bool,
    damaged: bool,
}

/// What is known of a class's streams; bounded by its files and the 65,536 track numbers of each stream.
#[derive(Debug)]
pub struct Owners<'a> {
    participants: &'a [String],
    /// The first label of each track: packets may come before it when the disk was full.
    first: BTreeMap<(Boot, u16), Owner>,
    /// Tracks that were theirs at some time.
    theirs: BTreeSet<(Boot, u16)>,
    /// Streams that name them, or of which something was taken.
    guilty: BTreeSet<Boot>,
    files: BTreeMap<u32, Seen>,
    /// The newest label of each track, while files are gone through in order.
    now: BTreeMap<u16, Owner>,
    boot: Boot,
}

impl<'a> Owners<'a> {
    pub fn new(participants: &'a [String]) -> Owners<'a> {
        Owners {
            participants,
            first: BTreeMap::new(),
            theirs: BTreeSet::new(),
            guilty: BTreeSet::new(),
            files: BTreeMap::new(),
            now: BTreeMap::new(),
            boot: [0; 16],
        }
    }

    /// A file of a stream is looked at; `taken`: something was taken out of it before.
    pub fn file(&mut self, number: u32, boot: Boot, taken: bool) {
        self.files.insert(number, Seen { boot, ..Seen::default() });
        if taken {
            self.guilty.insert(boot);
        }
    }

    /// Takes note of what is in a file: a record, or bytes that are none.
    pub fn see(&mut self, number: u32, record: Option<&Record<'_>>) {
        let Some(seen) = self.files.get_mut(&number) else { return };
        let Some(record) = record else {
            seen.damaged = true;
            return;
        };
        if record.track == 0 {
            if record.kind == Kind::Event && mentions(record.payload, self.participants) {
                seen.named = true;
                self.guilty.insert(seen.boot);
            }
            return;
        }
        seen.tracks.insert(record.track);
        if record.kind == Kind::TrackStart {
            let (key, owner) = ((seen.boot, record.track), owner(record.payload, self.participants));
            self.first.entry(key).or_insert(owner);
            if owner == Owner::Theirs {
                self.theirs.insert(key);
                self.guilty.insert(seen.boot);
            }
        }
    }

    /// Whether something of this file goes.
    pub fn touches(&self, number: u32) -> bool {
        let Some(seen) = self.files.get(&number) else { return false };
        let suspect = |track: &u16| {
            let key = (seen.boot, *track);
            self.theirs.contains(&key) || matches!(self.first.get(&key), None | Some(Owner::Unknown))
        };
        seen.named || (self.guilty.contains(&seen.boot) && (seen.damaged || seen.tracks.iter().any(suspect)))
    }

    /// Whether this record, or these bytes that are none, go; to be asked of all of a stream in order.
    pub fn goes(&mut self, boot: Boot, record: Option<&Record<'_>>) -> bool {
        if boot != self.boot {
            self.boot = boot;
            self.now.clear();
        }
        let guilty = self.guilty.contains(&boot);
        let Some(record) = record else { return guilty };
        if record.track == 0 {
            return record.kind == Kind::Event && mentions(record.payload, self.participants);
        }
        if record.kind == Kind::TrackStart {
            self.now.insert(record.track, owner(record.payload, self.participants));
        }
        let known = self.now.get(&record.track).or_else(|| self.first.get(&(boot, record.track)));
        match known.unwrap_or(&Owner::Unknown) {
            Owner::Theirs => true,
            Owner::Other => false,
            Owner::Unknown => guilty,
        }
    }
}

/// Whose track a label begins.
fn owner(label: &[u8], participants: &[String]) -> Owner {
    let value: Option<Value> = serde_json::from_slice(label).ok();
    match value.as_ref().and_then(|value| value.get("participant")?.as_str()) {
        Some(participant) if participants.iter().any(|theirs| theirs == participant) => Owner::Theirs,
        Some(_) => Owner::Other,
        None => Owner::Unknown,
    }
}

/// Whether a text names one of them anywhere.
fn mentions(json: &[u8], participants: &[String]) -> bool {
    match serde_json::from_slice::<Value>(json) {
        Ok(value) => named_in(&value, participants),
        Err(_) => participants.iter().any(|id| !id.is_empty() && json.windows(id.len()).any(|part| part == id.as_bytes())),
    }
}

/// serde_json nests 128 deep at most.
fn named_in(value: &Value, participants: &[String]) -> bool {
    match value {
        Value::String(text) => participants.contains(text),
        Value::Array(values) => values.iter().any(|value| named_in(value, participants)),
        Value::Object(fields) => fields.iter().any(|(name, value)| participants.contains(name) || named_in(value, participants)),
        _ => false,
    }
}
