//! The stream of one class while it is recorded: records in, files out, a new one every 64 MiB or five minutes.
//!
//! `put` takes a record into memory and never waits for the disk; `tick` writes what is there. When the disk does not take
//! it, packets are lost from a bound on, counted, and said so in the file once it takes bytes again; nothing in the file is
//! ever half written in the middle, since writing goes on at the very byte where it stopped.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::compose::Composer;
use crate::files;
use crate::format::{Head, Kind, Record, Seal, HEAD};

/// Size and age at which a file is sealed and the next begun.
pub const FILE_BYTES: u64 = 64 << 20;
pub const FILE_US: u64 = 300_000_000;
/// How often both clocks are noted.
pub const CLOCK_US: u64 = 5_000_000;
/// Bytes that are written at once at the latest.
pub const WRITE: usize = 256 << 10;
/// Bytes kept when the disk does not take them, and what only records other than packets may use.
const KEPT: usize = 512 << 10;
const RESERVE: usize = 64 << 10;

/// The same moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub monotonic_us: u64,
    pub wall_us: u64,
}

/// What a stream is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub class: String,
    pub recording: String,
    pub boot: [u8; 16],
}

/// Why the server lost packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// The way to the writer was full.
    Overload = 1,
    /// The disk took nothing.
    Disk = 2,
}

/// A file that is whole, though perhaps not on disk yet.
#[derive(Debug, Clone)]
pub struct Sealed {
    pub file: Arc<File>,
    pub number: u32,
    pub bytes: u64,
    pub seal: Seal,
}

#[derive(Debug, Default)]
struct Lost {
    packets: u32,
    bytes: u32,
}

/// A track that is live: what its first record said, and its newest layer record.
struct Live {
    start: Vec<u8>,
    layer: Option<Vec<u8>>,
}

/// See the module.
pub struct Stream {
    label: Label,
    folder: PathBuf,
    number: u32,
    file: Arc<File>,
    composer: Composer,
    out: Vec<u8>,
    /// How much of `out` is written.
    sent: usize,
    written: u64,
    synced: u64,
    began_us: u64,
    clock_us: u64,
    tracks: BTreeMap<u16, Live>,
    lost: BTreeMap<u16, Lost>,
    lost_in_all: u64,
    /// A record that was no packet got lost: everything live is told again.
    forgot: bool,
    bytes_before: u64,
    file_bytes: u64,
    file_us: u64,
}

impl Stream {
    /// Begins the next file of a class below `root`.
    pub fn create(root: &Path, label: Label, now: Now) -> io::Result<Stream> {
        let folder = files::folder(root, &label.class)?;
        files::make_folder(&folder)?;
        let last = files::numbers(&folder)?.last().copied().unwrap_or(0);
        let previous = match last {
            0 => None,
            last => files::ends(&files::path(&folder, last))?.1,
        };
        let number = last + 1;
        let file = Arc::new(files::create(&folder, number)?);
        let mut out = Vec::with_capacity(WRITE);
        let head = head(&label, number, previous.map_or([0; 32], |seal| seal.digest), now);
        let composer = Composer::begin(&head, &mut out);
        let mut stream = Stream {
            label,
            folder,
            number,
            file,
            composer,
            out,
            sent: 0,
            written: 0,
            synced: 0,
            began_us: now.monotonic_us,
            clock_us: now.monotonic_us,
            tracks: BTreeMap::new(),
            lost: BTreeMap::new(),
            lost_in_all: 0,
            forgot: false,
            bytes_before: 0,
            file_bytes: FILE_BYTES,
            file_us: FILE_US,
        };
        stream.note_clock(now);
        Ok(stream)
    }

    /// Other bounds for a file's size and age.
    pub fn bounded(mut self, bytes: u64, us: u64) -> Stream {
        (self.file_bytes, self.file_us) = (bytes, us);
        self
    }

    /// Whether a track of this number is live.
    pub fn knows(&self, track: u16) -> bool {
        self.tracks.contains_key(&track)
    }

    /// Records of the file being written.
    pub fn records(&self) -> u64 {
        self.composer.records()
    }

    /// The number of the file being written.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Where the files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes written by this stream, in all files.
    pub fn bytes(&self) -> u64 {
        self.bytes_before + self.written
    }

    /// Packets the server lost.
    pub fn lost(&self) -> u64 {
        self.lost_in_all
    }

    /// Bytes waiting for the disk.
    pub fn pending(&self) -> usize {
        self.out.len() - self.sent
    }

    /// The file and how much of it is written, if that is more than what is known to be synced.
    pub fn unsynced(&self) -> Option<(Arc<File>, u32, u64)> {
        (self.written > self.synced).then(|| (self.file.clone(), self.number, self.written))
    }

    /// Everything before this offset of this file is on disk.
    pub fn synced(&mut self, number: u32, offset: u64, now: Now) {
        if number == self.number && offset > self.synced {
            self.synced = offset;
            self.note(Kind::Checkpoint, 0, now.monotonic_us, &offset.to_le_bytes());
        }
    }

    /// Takes a record; a packet is lost and counted if too much waits for the disk.
    pub fn put(&mut self, record: &Record<'_>) {
        match record.kind {
            Kind::TrackStart => {
                self.tracks.insert(record.track, Live { start: record.payload.to_vec(), layer: None });
            }
            Kind::TrackEnd => drop(self.tracks.remove(&record.track)),
            Kind::Layer => {
                if let Some(live) = self.tracks.get_mut(&record.track) {
                    live.layer = Some(record.payload.to_vec());
                }
            }
            _ => {}
        }
        let packet = record.kind == Kind::Rtp;
        let room = if packet { KEPT } else { KEPT + RESERVE };
        if self.pending() + record.len() > room {
            match packet {
                true => self.lose(record.track, record.payload.len()),
                false => self.forgot = true,
            }
            return;
        }
        if !self.lost.is_empty() || self.forgot {
            self.tell_losses(record.arrival_us);
        }
        self.composer.put(record, &mut self.out);
    }

    /// Counts packets of a track that never came here.
    pub fn missed(&mut self, track: u16, packets: u32, bytes: u32, arrival_us: u64) {
        self.count_lost(u64::from(packets));
        self.note_loss(track, &Lost { packets, bytes }, Reason::Overload, arrival_us);
    }

    /// Notes clocks, writes what is there, begins a new file when it is time. The last file, if it became whole just now.
    pub fn tick(&mut self, now: Now) -> io::Result<Option<Sealed>> {
        if now.monotonic_us.saturating_sub(self.clock_us) >= CLOCK_US {
            self.note_clock(now);
        }
        self.flush()?;
        let old = now.monotonic_us.saturating_sub(self.began_us) >= self.file_us;
        if old || self.composer.length() >= self.file_bytes {
            return self.rotate(now).map(Some);
        }
        Ok(None)
    }

    /// Writes once there is enough to write.
    pub fn flush_large(&mut self) -> io::Result<()> {
        if self.pending() >= WRITE {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes everything that waits. What cannot be written is kept and tried again.
    pub fn flush(&mut self) -> io::Result<()> {
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match (&*self.file).write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.sent += n;
                    self.written += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.out.drain(..self.sent);
                    self.sent = 0;
                    return Err(error);
                }
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }

    /// Ends the stream; to be called again while the disk takes nothing. None: it took all but the seal, which recovery adds.
    pub fn finish(&mut self, now: Now) -> io::Result<Option<Sealed>> {
        self.flush()?;
        self.note_clock(now);
        self.tell_losses(now.monotonic_us);
        let composer = std::mem::replace(&mut self.composer, Composer::resume(&[0; HEAD]));
        let seal = composer.seal(&mut self.out);
        let result = self.flush();
        self.out.clear();
        self.sent = 0;
        Ok(result.is_ok().then_some(Sealed { file: self.file.clone(), number: self.number, bytes: self.written, seal }))
    }

    fn rotate(&mut self, now: Now) -> io::Result<Sealed> {
        let number = self.number + 1;
        let file = Arc::new(files::create(&self.folder, number)?);
        let mut out = Vec::with_capacity(WRITE);
        let mut tail = Vec::new();
        let composer = std::mem::replace(&mut self.composer, Composer::resume(&[0; HEAD]));
        let seal = composer.seal(&mut tail);
        let sealed = Sealed { file: self.file.clone(), number: self.number, bytes: self.written + tail.len() as u64, seal };
        // If the disk refuses the seal the file stays as after a crash: recovery seals it.
        let result = (&*self.file).write_all(&tail);
        self.composer = Composer::begin(&head(&self.label, number, seal.digest, now), &mut out);
        self.bytes_before += sealed.bytes;
        (self.number, self.file, self.out) = (number, file, out);
        (self.sent, self.written, self.synced) = (0, 0, 0);
        self.began_us = now.monotonic_us;
        self.note_clock(now);
        self.announce(now.monotonic_us);
        result.map(|()| sealed)
    }

    fn note_clock(&mut self, now: Now) {
        self.clock_us = now.monotonic_us;
        let mut payload = [0u8; 16];
        let (first, second) = payload.split_at_mut(8);
        first.copy_from_slice(&now.monotonic_us.to_le_bytes());
        second.copy_from_slice(&now.wall_us.to_le_bytes());
        self.note(Kind::Clock, 0, now.monotonic_us, &payload);
    }

    /// Everything that is live, so that what follows can be read without what came before.
    fn announce(&mut self, arrival_us: u64) {
        let tracks = std::mem::take(&mut self.tracks);
        for (track, live) in &tracks {
            self.note(Kind::TrackStart, *track, arrival_us, &live.start);
            if let Some(layer) = &live.layer {
                self.note(Kind::Layer, *track, arrival_us, layer);
            }
        }
        self.tracks = tracks;
    }

    fn lose(&mut self, track: u16, bytes: usize) {
        self.count_lost(1);
        let lost = self.lost.entry(track).or_default();
        lost.packets = lost.packets.saturating_add(1);
        lost.bytes = lost.bytes.saturating_add(bytes as u32);
    }

    fn count_lost(&mut self, packets: u64) {
        self.lost_in_all += packets;
        self.composer.lost(packets);
    }

    fn tell_losses(&mut self, arrival_us: u64) {
        if std::mem::take(&mut self.forgot) {
            self.announce(arrival_us);
        }
        for (track, lost) in std::mem::take(&mut self.lost) {
            self.note_loss(track, &lost, Reason::Disk, arrival_us);
        }
    }

    fn note_loss(&mut self, track: u16, lost: &Lost, reason: Reason, arrival_us: u64) {
        let mut payload = [0u8; 9];
        let (packets, rest) = payload.split_at_mut(4);
        packets.copy_from_slice(&lost.packets.to_le_bytes());
        let (bytes, last) = rest.split_at_mut(4);
        bytes.copy_from_slice(&lost.bytes.to_le_bytes());
        last.fill(reason as u8);
        self.note(Kind::Loss, track, arrival_us, &payload);
    }

    fn note(&mut self, kind: Kind, track: u16, arrival_us: u64, payload: &[u8]) {
        let record = Record { kind, flags: 0, track, arrival_us, roc: 0, payload };
        if self.pending() + record.len() <= KEPT + RESERVE {
            self.composer.put(&record, &mut self.out);
        } else {
            self.forgot = true;
        }
    }
}

fn head(label: &Label, number: u32, previous: [u8; 32], now: Now) -> Head {
    Head {
        class: label.class.clone(),
        recording: label.recording.clone(),
        number,
        boot: label.boot,
        monotonic_us: now.monotonic_us,
        wall_us: now.wall_us,
        previous,
    }
}
