//! The thread that writes recordings: it empties the shards' decks, puts every packet into its class's stream, writes every
//! 40 ms. A second thread syncs each class every 1.5 s, not all at once (`syncer`).
//!
//! Shards never wait for it: a deck is taken or left by `try_lock`, bounded by `tape::LIMIT`, and what does not fit is
//! counted by the shard. So a killed process loses less than 100 ms and a power cut less than two seconds.

use std::collections::HashMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiangtai_core::clock::Clock;
use jiangtai_core::event::{Event, JournalState};
use jiangtai_core::tape::{entries, Label as TapeLabel, Taped};
use jiangtai_journal::format::{Kind, Record};
use jiangtai_journal::stream::{Label, Now, Sealed, Stream};

use crate::deck::Deck;
use crate::disk::free_permille;
use crate::queue::EventQueue;
use crate::recorder::{JournalMetrics, Request};
use crate::syncer::{Job, Synced};

/// How often what came is written.
const WRITE_EVERY: Duration = Duration::from_millis(40);
/// How often the decks are looked at when nothing is recorded.
const IDLE: Duration = Duration::from_secs(1);
/// How often a class's file is synced: with a write before and a slow disk behind it stays below two seconds.
const SYNC_EVERY: Duration = Duration::from_millis(1500);
/// A recording that ends waits this long for what is on its way.
const GRACE: Duration = Duration::from_millis(150);
/// How long a disk that takes nothing may hold up the end of a recording; recovery does the rest.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests heard in one turn.
const NOTES: usize = 4096;
const DISK_EVERY: Duration = Duration::from_secs(1);
/// Of a thousand parts free: below the first no recording begins, below the second only sound and screens are recorded.
const FREE_TO_BEGIN: u64 = 100;
const FREE_TO_GO_ON: u64 = 20;
/// Turns in a row that may panic before the thread gives up.
const PANICS: u32 = 8;

/// One class that is recorded.
pub struct Recording {
    stream: Stream,
    root: PathBuf,
    ends: Option<Instant>,
    sync_due: Instant,
    syncing: bool,
    stalled: bool,
    /// What the metrics know of it.
    bytes: u64,
    lost: u64,
}

/// See the module.
pub struct Scribe {
    pub inbox: Receiver<Request>,
    pub jobs: SyncSender<Job>,
    pub synced: Receiver<Synced>,
    pub decks: Vec<Arc<Deck>>,
    pub metrics: Arc<JournalMetrics>,
    pub events: Arc<EventQueue>,
    pub clock: Clock,
    pub recordings: HashMap<u64, Recording>,
    /// For each deck what was on it.
    pub spare: Vec<Vec<u8>>,
    pub disk_due: Instant,
    pub stopping: bool,
}

impl Scribe {
    /// Serves until told to stop; then makes everything whole.
    pub fn run(mut self) {
        let mut panics = 0;
        while !self.stopping {
            let wait = if self.recordings.is_empty() { IDLE } else { WRITE_EVERY };
            let until = Instant::now() + wait;
            match catch_unwind(AssertUnwindSafe(|| self.turn(until))) {
                Ok(()) => panics = 0,
                Err(_) => {
                    self.metrics.journal_panics.inc();
                    panics += 1;
                    if panics >= PANICS {
                        eprintln!("journal: stopped: one panic after another");
                        let rooms: Vec<u64> = self.recordings.drain().map(|(room, _)| room).collect();
                        rooms.into_iter().for_each(|room| self.tell(room, JournalState::Failed, (0, 0, 0, 0)));
                        return;
                    }
                }
            }
        }
        let end = Instant::now() + PATIENCE;
        self.recordings.values_mut().for_each(|recording| recording.ends = Some(Instant::now()));
        while !self.recordings.is_empty() && Instant::now() < end {
            self.write(Instant::now());
            if !self.recordings.is_empty() {
                std::thread::sleep(WRITE_EVERY);
            }
        }
    }

    /// Waits until it is time to write, or something begins or ends; then writes.
    fn turn(&mut self, until: Instant) {
        let mut requests = Vec::new();
        while requests.len() < NOTES {
            match self.inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(note @ Request::Note { .. }) => requests.push(note),
                Ok(request) => {
                    requests.push(request);
                    break;
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    self.stopping = true;
                    break;
                }
            }
        }
        // A track begins after its recording was asked for: whatever is on the decks now is of recordings that are heard of next.
        for (deck, spare) in self.decks.iter().zip(&mut self.spare) {
            deck.take(spare);
        }
        requests.extend(self.inbox.try_iter().take(NOTES));
        let (notes, orders): (Vec<_>, Vec<_>) = requests.into_iter().partition(|request| matches!(request, Request::Note { .. }));
        orders.into_iter().for_each(|request| self.heard(request));
        let now = Instant::now();
        self.collect();
        notes.into_iter().for_each(|note| self.heard(note));
        self.write(now);
        self.heard_syncs();
        self.sync(now);
        self.look_at_disk(now);
    }

    fn now(&self, now: Instant) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { monotonic_us: self.clock.micros(now), wall_us: wall.as_micros() as u64 }
    }

    fn heard(&mut self, request: Request) {
        match request {
            Request::Open { room, root, label } => self.open(room, &root, *label),
            Request::Close { room } => {
                if let Some(recording) = self.recordings.get_mut(&room) {
                    recording.ends.get_or_insert(Instant::now() + GRACE);
                }
            }
            Request::Note { room, content } => {
                let arrival_us = self.clock.micros(Instant::now());
                if let Some(recording) = self.recordings.get_mut(&room) {
                    recording.stream.put(&Record { kind: Kind::Event, flags: 0, track: 0, arrival_us, roc: 0, payload: &content });
                }
            }
            Request::Stop => self.stopping = true,
        }
    }

    fn open(&mut self, room: u64, root: &Path, label: Label) {
        let now = Instant::now();
        if self.recordings.contains_key(&room) {
            self.end(room, now);
        }
        let free = std::fs::create_dir_all(root).ok().and_then(|()| free_permille(root)).unwrap_or(0);
        self.metrics.journal_free_permille.set(free);
        if free < FREE_TO_BEGIN {
            self.metrics.journal_refused.inc();
            return self.tell(room, JournalState::DiskLow, (0, 0, 0, 0));
        }
        let stream = match Stream::create(root, label, self.now(now)) {
            Ok(stream) => stream,
            Err(_) => {
                self.metrics.journal_refused.inc();
                return self.tell(room, JournalState::Failed, (0, 0, 0, 0));
            }
        };
        let _ = self.jobs.try_send(Job::Folder(stream.folder().to_owned()));
        let number = stream.number();
        // Classes that begin together do not sync together.
        let sync_due = now + SYNC_EVERY * (room % 16) as u32 / 16;
        let (root, bytes, lost) = (root.to_owned(), 0, 0);
        self.recordings.insert(room, Recording { stream, root, ends: None, sync_due, syncing: false, stalled: false, bytes, lost });
        self.metrics.journal_recordings.set(self.recordings.len() as u64);
        self.tell(room, JournalState::Opened, (number, 0, 0, 0));
    }

    /// Takes in what was on the decks.
    fn collect(&mut self) {
        for taken in &mut self.spare {
            for (label, content) in entries(taken) {
                let recording = self.recordings.get_mut(&label.room);
                match recording.filter(|recording| label.kind == Taped::Start || recording.stream.knows(label.number)) {
                    Some(recording) => put(&mut recording.stream, &label, content),
                    None => self.metrics.journal_unclaimed.inc(),
                }
            }
            taken.clear();
        }
    }

    /// Writes what came, begins new files, ends what is to end.
    fn write(&mut self, now: Instant) {
        let at = self.now(now);
        let mut over = Vec::new();
        let rooms: Vec<u64> = self.recordings.keys().copied().collect();
        for room in rooms {
            let Some(recording) = self.recordings.get_mut(&room) else { continue };
            let result = recording.stream.tick(at);
            if recording.ends.is_some_and(|ends| ends <= now) {
                over.push(room);
            }
            let stalled = std::mem::replace(&mut recording.stalled, result.is_err());
            let figures = (recording.stream.number(), recording.stream.bytes(), recording.stream.records(), recording.stream.lost());
            self.count(room);
            match (result, stalled) {
                (Ok(Some(sealed)), _) => self.sealed(room, sealed, true),
                (Ok(None), true) => self.tell(room, JournalState::Resumed, figures),
                (Ok(None), false) => {}
                (Err(_), stalled) => {
                    self.metrics.journal_write_errors.inc();
                    if !stalled {
                        self.tell(room, JournalState::Stalled, figures);
                    }
                }
            }
        }
        for room in over {
            self.end(room, now);
        }
    }

    fn count(&mut self, room: u64) {
        let Some(recording) = self.recordings.get_mut(&room) else { return };
        let (bytes, lost) = (recording.stream.bytes(), recording.stream.lost());
        self.metrics.journal_bytes.add(bytes.saturating_sub(recording.bytes));
        self.metrics.journal_lost.add(lost.saturating_sub(recording.lost));
        (recording.bytes, recording.lost) = (bytes, lost);
    }

    /// A file is whole: bring it to disk, tell of it.
    fn sealed(&mut self, room: u64, sealed: Sealed, another: bool) {
        self.metrics.journal_files.inc();
        self.metrics.journal_records.add(sealed.seal.records);
        let Sealed { file, number, bytes, seal } = sealed;
        let _ = self.jobs.try_send(Job::Data { room, file, number, offset: bytes });
        let folder = self.recordings.get(&room).filter(|_| another).map(|recording| recording.stream.folder().to_owned());
        folder.into_iter().for_each(|folder| drop(self.jobs.try_send(Job::Folder(folder))));
        self.tell(room, JournalState::Sealed, (number, bytes, seal.records, seal.lost));
    }

    /// Ends a recording; one whose disk takes nothing is tried again for a while.
    fn end(&mut self, room: u64, now: Instant) {
        let at = self.now(now);
        let Some(recording) = self.recordings.get_mut(&room) else { return };
        let result = recording.stream.finish(at);
        let patient = recording.ends.is_some_and(|ends| now.saturating_duration_since(ends) < PATIENCE) && !self.stopping;
        if result.is_err() && patient {
            return;
        }
        self.count(room);
        if let Ok(Some(sealed)) = result {
            self.sealed(room, sealed, false);
        }
        if let Some(Recording { stream, .. }) = self.recordings.remove(&room) {
            self.tell(room, JournalState::Closed, (stream.number(), stream.bytes(), stream.records(), stream.lost()));
        }
        self.metrics.journal_recordings.set(self.recordings.len() as u64);
    }

    fn heard_syncs(&mut self) {
        while let Ok(Synced { room, number, offset, took, good }) = self.synced.try_recv() {
            let took = took.as_micros() as u64;
            self.metrics.journal_syncs.inc();
            self.metrics.journal_sync_us.add(took);
            self.metrics.journal_sync_us_max.set(self.metrics.journal_sync_us_max.get().max(took));
            let at = self.now(Instant::now());
            let Some(recording) = self.recordings.get_mut(&room) else { continue };
            recording.syncing = false;
            match good {
                true => recording.stream.synced(number, offset, at),
                false => self.metrics.journal_sync_errors.inc(),
            }
        }
    }

    fn sync(&mut self, now: Instant) {
        for (room, recording) in self.recordings.iter_mut().filter(|(_, recording)| recording.sync_due <= now) {
            recording.sync_due = now + SYNC_EVERY;
            if recording.syncing {
                self.metrics.journal_sync_behind.inc();
                continue;
            }
            let Some((file, number, offset)) = recording.stream.unsynced() else { continue };
            match self.jobs.try_send(Job::Data { room: *room, file, number, offset }) {
                Ok(()) => recording.syncing = true,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.metrics.journal_sync_behind.inc(),
            }
        }
    }

    fn look_at_disk(&mut self, now: Instant) {
        if now < self.disk_due {
            return;
        }
        self.disk_due = now + DISK_EVERY;
        let free = self.recordings.values().filter_map(|recording| free_permille(&recording.root)).min();
        if let Some(free) = free {
            self.metrics.journal_free_permille.set(free);
        }
        let essential = free.is_some_and(|free| free < FREE_TO_GO_ON);
        self.decks.iter().for_each(|deck| deck.essential.store(essential, Relaxed));
    }

    fn tell(&self, room: u64, state: JournalState, (file, bytes, records, lost): (u32, u64, u64, u64)) {
        self.events.push([Event::Journal { room, state, file, bytes, records, lost }].into_iter());
    }
}

/// Puts what a shard taped into a stream.
fn put(stream: &mut Stream, label: &TapeLabel, content: &[u8]) {
    let kind = match label.kind {
        Taped::Start => Kind::TrackStart,
        Taped::End => Kind::TrackEnd,
        Taped::Packet => Kind::Rtp,
        Taped::SenderReport => Kind::SenderReport,
        Taped::Layer => Kind::Layer,
        Taped::Mute => Kind::Mute,
        Taped::Unmute => Kind::Unmute,
        Taped::Loss => {
            let number = |at: usize| content.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
            return stream.missed(label.number, number(0), number(4), label.arrival_us);
        }
    };
    let TapeLabel { flags, number: track, arrival_us, roc, .. } = *label;
    stream.put(&Record { kind, flags, track, arrival_us, roc, payload: content });
    // A burst does not wait for its turn; what the disk does not take is found by the next `tick`.
    let _ = stream.flush_large();
}
