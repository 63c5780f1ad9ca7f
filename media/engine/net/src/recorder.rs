//! Recordings as the engine sees them: decks the shards put packets on, requests, counters. The thread that writes them
//! (`scribe`) starts with the first recording.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{channel, sync_channel, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use jiangtai_core::clock::Clock;
use jiangtai_core::event::{Event, JournalState};
use jiangtai_core::metrics::Counter;
use jiangtai_journal::stream::Label;

use crate::deck::Deck;
use crate::queue::EventQueue;
use crate::scribe::Scribe;
use crate::syncer;

/// Requests and syncs kept waiting.
const QUEUE: usize = 4096;

macro_rules! metrics {
    ($($name:ident),* $(,)?) => {
        /// Counters of the recorder.
        #[derive(Debug, Default)]
        pub struct JournalMetrics { $(pub $name: Counter),* }

        impl JournalMetrics {
            /// Name and value of every counter.
            pub fn read(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.get())),*]
            }
        }
    };
}

metrics! {
    journal_recordings, journal_files, journal_bytes, journal_records, journal_lost, journal_unclaimed, journal_refused,
    journal_write_errors, journal_syncs, journal_sync_us, journal_sync_us_max, journal_sync_errors, journal_sync_behind,
    journal_free_permille, journal_panics,
}

/// What the recorder is asked.
pub enum Request {
    Open {
        room: u64,
        root: PathBuf,
        label: Box<Label>,
    },
    Close {
        room: u64,
    },
    /// A moment of the class log.
    Note {
        room: u64,
        content: Vec<u8>,
    },
    Stop,
}

/// The recorder as the engine holds it; its threads start with the first recording.
pub struct Recorder {
    pub decks: Vec<Arc<Deck>>,
    pub metrics: Arc<JournalMetrics>,
    events: Arc<EventQueue>,
    clock: Clock,
    running: Mutex<Option<Running>>,
}

struct Running {
    requests: SyncSender<Request>,
    thread: JoinHandle<()>,
}

impl Recorder {
    pub fn new(shards: usize, events: Arc<EventQueue>, clock: Clock) -> Recorder {
        let decks = (0..shards).map(|_| Arc::default()).collect();
        Recorder { decks, metrics: Arc::default(), events, clock, running: Mutex::new(None) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for something; false if the queue is full now. A recording that can never begin is told of by an event.
    pub fn ask(&self, request: Request) -> bool {
        let mut running = self.lock();
        if running.is_none() && matches!(request, Request::Open { .. }) {
            *running = self.start().ok();
        }
        let refused = match running.as_ref() {
            Some(running) => match running.requests.try_send(request) {
                Ok(()) => return true,
                Err(TrySendError::Full(_)) => return false,
                // The thread gave up.
                Err(TrySendError::Disconnected(request)) => request,
            },
            // The threads did not start; or nothing was ever recorded, so that there is nothing to end or to note.
            None => request,
        };
        if let Request::Open { room, .. } = refused {
            self.events.push([Event::Journal { room, state: JournalState::Failed, file: 0, bytes: 0, records: 0, lost: 0 }].into_iter());
        }
        true
    }

    fn start(&self) -> io::Result<Running> {
        let (requests, inbox) = sync_channel(QUEUE);
        let (jobs, todo) = sync_channel(QUEUE);
        let (done, synced) = channel();
        let syncer = std::thread::Builder::new().name("journal-sync".into()).spawn(move || syncer::run(&todo, &done))?;
        let scribe = Scribe {
            inbox,
            jobs,
            synced,
            decks: self.decks.clone(),
            metrics: self.metrics.clone(),
            events: self.events.clone(),
            clock: self.clock,
            recordings: HashMap::new(),
            spare: vec![Vec::new(); self.decks.len()],
            disk_due: Instant::now(),
            stopping: false,
        };
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || {
            scribe.run();
            let _ = syncer.join();
        })?;
        Ok(Running { requests, thread })
    }

    /// Makes every recording whole and ends the threads (idempotent); the shards must have stopped.
    pub fn stop(&self) {
        let Some(Running { requests, thread }) = self.lock().take() else { return };
        let _ = requests.send(Request::Stop);
        let _ = thread.join();
    }
}
