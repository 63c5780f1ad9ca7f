//! The thread that waits for the disk, so that nobody else does: fdatasync of journal files, one after another.

use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Something to be brought to disk.
pub enum Job {
    /// What is written of a file: up to `offset`, at least.
    Data { room: u64, file: Arc<File>, number: u32, offset: u64 },
    /// A folder in which a file was made.
    Folder(PathBuf),
}

/// A file is on disk up to `offset`, or the disk failed.
pub struct Synced {
    pub room: u64,
    pub number: u32,
    pub offset: u64,
    pub took: Duration,
    pub good: bool,
}

/// Serves until nobody asks any more.
pub fn run(jobs: &Receiver<Job>, done: &Sender<Synced>) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Data { room, file, number, offset } => {
                let begin = Instant::now();
                let good = file.sync_data().is_ok();
                let _ = done.send(Synced { room, number, offset, took: begin.elapsed(), good });
            }
            Job::Folder(path) => drop(File::open(path).and_then(|folder| folder.sync_all())),
        }
    }
}
