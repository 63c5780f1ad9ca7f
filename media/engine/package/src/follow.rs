//! Reads the journal of one recording while it is written, or afterwards, and tells a packager what it says.
//!
//! A recording lies in files of its class, in order; each file has times of its own engine's monotonic clock, tied to the wall clock in the
//! head of that engine's first file: a wall clock that is set later moves nothing. All times here are microseconds of the wall clock, so a
//! recording that went on after a restart goes on in time, too. A file that goes on with a track says so again at its begin; a track of
//! another engine is another track, whatever its number.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiangtai_journal::files;
use jiangtai_journal::format::{find_sync, get, Broken, Head, Kind, Record, HEAD, INFERRED};

use crate::input::{Input, Source, What};
use crate::label::Label;
use crate::packager::Packager;
use crate::sink::Sink;
use crate::TrackId;

/// Bytes taken from a file at a time.
const PORTION: usize = 4 << 20;
/// Tracks of one recording; more are not packaged.
const MAX_LABELS: usize = 4_096;

/// What is known of a track.
#[derive(Debug, Clone)]
pub struct Known {
    pub label: Label,
    person: u64,
    /// The payload type that plays, once packets came; none of a picture that is switched off.
    playing: Option<u8>,
    /// What the newest layer record said.
    layer: Option<Vec<u8>>,
    /// No packet of it could be taken.
    pub strange: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    seed: u32,
    number: u32,
    /// What was read and not yet understood.
    rest: Vec<u8>,
}

/// Where the reading of a recording stands.
#[derive(Debug)]
pub struct Follower {
    folder: PathBuf,
    recording: String,
    open: Option<Open>,
    /// The last file looked at.
    number: u32,
    /// The first head of the engine that wrote what is read now.
    engine: Option<Head>,
    /// Number in the journal -> number in the package.
    live: BTreeMap<u16, TrackId>,
    known: BTreeMap<TrackId, Known>,
    /// Numbers of participants, who each have one clock.
    people: BTreeMap<String, u64>,
    /// Microseconds since 1970 of the last record.
    now_us: u64,
    /// Bytes that were no records.
    pub damaged: u64,
}

impl Follower {
    /// Errors: a name that cannot be a class's.
    pub fn new(root: &Path, class: &str, recording: &str) -> io::Result<Follower> {
        let folder = files::folder(root, class)?;
        Ok(Follower {
            folder,
            recording: recording.into(),
            open: None,
            number: 0,
            engine: None,
            live: BTreeMap::new(),
            known: BTreeMap::new(),
            people: BTreeMap::new(),
            now_us: 0,
            damaged: 0,
        })
    }

    /// The time of the last record, microseconds since 1970; 0 before the first.
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Every track there was, in order.
    pub fn tracks(&self) -> impl Iterator<Item = (TrackId, &Known)> {
        self.known.iter().map(|(track, known)| (*track, known))
    }

    /// Takes the next portion; true if there was none.
    pub fn advance<S: Sink>(&mut self, packager: &mut Packager<S>) -> io::Result<bool> {
        let Some(mut open) = self.open.take() else { return Ok(!self.next_file(packager)?) };
        let before = open.rest.len();
        open.file.by_ref().take(PORTION as u64).read_to_end(&mut open.rest)?;
        if open.rest.len() > before {
            self.understand(&mut open, packager, false)?;
            self.open = Some(open);
            return Ok(false);
        }
        // Nothing more has come: is there a file behind it? Then this one is whole.
        let (number, later) = (open.number, files::numbers(&self.folder)?.into_iter().any(|number| number > open.number));
        if later {
            // What was written between the two looks.
            open.file.by_ref().take(PORTION as u64).read_to_end(&mut open.rest)?;
            self.understand(&mut open, packager, true)?;
            self.number = number;
            return Ok(false);
        }
        self.open = Some(open);
        packager.elapsed(self.now_us)?;
        Ok(true)
    }

    /// Nothing more comes: what is left of the last file is looked through.
    pub fn finish<S: Sink>(&mut self, packager: &mut Packager<S>) -> io::Result<()> {
        while !self.advance(packager)? {}
        match self.open.take() {
            Some(mut open) => self.understand(&mut open, packager, true),
            None => Ok(()),
        }
    }

    /// Opens the next file of the recording, if there is one with a whole head.
    fn next_file<S: Sink>(&mut self, packager: &mut Packager<S>) -> io::Result<bool> {
        let before = self.number;
        for number in files::numbers(&self.folder)?.into_iter().filter(|number| *number > before) {
            let mut file = File::open(files::path(&self.folder, number))?;
            let mut bytes = [0; HEAD];
            match file.read_exact(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                read => read?,
            }
            let head = Head::decode(&bytes).filter(|head| head.recording == self.recording);
            let Some(head) = head else {
                self.number = number;
                continue;
            };
            if self.engine.as_ref().is_none_or(|engine| engine.boot != head.boot) {
                // The engine that sent them is gone, and nobody else says that they ended.
                for track in std::mem::take(&mut self.live).into_values() {
                    packager.push(Input { track, arrival_us: self.now_us, what: What::End })?;
                }
                self.engine = Some(head);
            }
            self.open = Some(Open { file, seed: Head::seed(&bytes), number, rest: Vec::new() });
            return Ok(true);
        }
        Ok(false)
    }

    /// Tells the packager all whole records; what follows damage is looked for only when the file is known to be complete.
    fn understand<S: Sink>(&mut self, open: &mut Open, packager: &mut Packager<S>, complete: bool) -> io::Result<()> {
        let rest = std::mem::take(&mut open.rest);
        let mut at = 0;
        while let Some(bytes) = rest.get(at..).filter(|bytes| !bytes.is_empty()) {
            match get(bytes, open.seed) {
                Ok(record) => {
                    self.take(&record, packager)?;
                    at += record.len();
                }
                Err(Broken::Short | Broken::Wrong { .. }) if !complete => break,
                Err(_) => {
                    let skipped = bytes.get(1..).and_then(find_sync).map_or(bytes.len(), |next| next + 1);
                    self.damaged += skipped as u64;
                    at += skipped;
                }
            }
        }
        open.rest = rest.get(at..).unwrap_or_default().to_vec();
        Ok(())
    }

    fn take<S: Sink>(&mut self, record: &Record<'_>, packager: &mut Packager<S>) -> io::Result<()> {
        let Some(engine) = &self.engine else { return Ok(()) };
        let arrival_us = engine.wall_us.saturating_add(record.arrival_us).saturating_sub(engine.monotonic_us);
        self.now_us = self.now_us.max(arrival_us);
        match record.kind {
            Kind::TrackStart => return self.begin(record, arrival_us, packager),
            // However much is read at once, what waits is told as soon as it would be in class.
            Kind::Clock => return packager.elapsed(self.now_us),
            _ => {}
        }
        let Some(&track) = self.live.get(&record.track) else { return Ok(()) };
        let mut tell = |what| packager.push(Input { track, arrival_us, what });
        match record.kind {
            Kind::Rtp => {
                let (Some(known), Some(second)) = (self.known.get_mut(&track), record.payload.get(1)) else { return Ok(()) };
                let Some(low) = record.payload.get(2..4).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes) else { return Ok(()) };
                let payload_type = second & 0x7f;
                if known.playing != Some(payload_type) && known.label.red != Some(payload_type) {
                    match known.label.start(payload_type, known.person) {
                        Some(start) => {
                            (known.playing, known.strange) = (Some(payload_type), false);
                            tell(What::Start(start))?;
                        }
                        None => {
                            known.strange |= known.playing.is_none();
                            return Ok(());
                        }
                    }
                }
                tell(What::Rtp { sequence: u64::from(record.roc) << 16 | u64::from(low), packet: record.payload })
            }
            Kind::SenderReport => {
                let Some((ntp, rest)) = record.payload.split_first_chunk() else { return Ok(()) };
                let Some((rtp, _)) = rest.split_first_chunk() else { return Ok(()) };
                tell(What::SenderReport { ntp: u64::from_le_bytes(*ntp), rtp_timestamp: u32::from_le_bytes(*rtp) })
            }
            Kind::TrackEnd => {
                self.live.remove(&record.track);
                tell(What::End)
            }
            Kind::Layer => {
                // A new file says again which one goes on.
                let Some(known) = self.known.get_mut(&track).filter(|known| known.layer.as_deref() != Some(record.payload)) else {
                    return Ok(());
                };
                known.layer = Some(record.payload.to_vec());
                tell(What::Layer)
            }
            Kind::Mute => match self.known.get_mut(&track).filter(|known| known.label.source.is_picture()) {
                // Switched off: there is nothing to see until packets come again. What just does not move stays.
                Some(known) if record.flags & INFERRED == 0 => {
                    known.playing = None;
                    tell(What::End)
                }
                _ => tell(What::Mute),
            },
            Kind::Unmute => tell(What::Unmute),
            _ => Ok(()),
        }
    }

    fn begin<S: Sink>(&mut self, record: &Record<'_>, arrival_us: u64, packager: &mut Packager<S>) -> io::Result<()> {
        if self.live.contains_key(&record.track) || self.known.len() >= MAX_LABELS {
            return Ok(());
        }
        let Some(label) = Label::parse(record.payload) else { return Ok(()) };
        let track = self.known.len() as TrackId + 1;
        self.live.insert(record.track, track);
        let next = self.people.len() as u64;
        let person = *self.people.entry(label.participant.clone()).or_insert(next);
        // Sound may begin as redundant packets, which do not tell the codec: there is but one.
        let first = label.red.and(label.opus());
        if let Some(start) = first.and_then(|payload_type| label.start(payload_type, person)) {
            packager.push(Input { track, arrival_us, what: What::Start(start) })?;
        }
        self.known.insert(track, Known { label, person, playing: first, layer: None, strange: false });
        Ok(())
    }
}

/// The name of a source in the class's log.
pub fn source(name: &str) -> Option<Source> {
    Some(match name {
        "camera" => Source::Camera,
        "microphone" => Source::Microphone,
        "screen" => Source::Screen,
        "screen_audio" => Source::ScreenAudio,
        _ => return None,
    })
}
