//! Where files go. The packager appends, and fills places that it kept free when a file ends; nothing is read back.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;

use crate::input::TrackId;

pub trait Sink {
    /// Adds to the end of the file with this name; the first call makes it. Names are plain: letters, digits, `-` and `.`.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Replaces bytes that were appended before.
    fn overwrite(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Nothing more comes for this file.
    fn close(&mut self, name: &str) -> io::Result<()>;

    /// A packet of sound of this track lies here, in ticks of 48 kHz since the recording began; for whoever mixes.
    fn sound(&mut self, _track: TrackId, _time: u64, _packet: &[u8]) {}
}

/// Files in memory.
#[derive(Debug, Default)]
pub struct Memory {
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Sink for Memory {
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.files.entry(name.into()).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn overwrite(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let place = self.files.get_mut(name).and_then(|file| file.get_mut(usize::try_from(offset).ok()?..)?.get_mut(..bytes.len()));
        place.ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(bytes);
        Ok(())
    }

    fn close(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }
}

/// Files of one folder, which exists; a file that is there already is written anew.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    open: BTreeMap<String, File>,
}

impl Folder {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), open: BTreeMap::new() }
    }
}

impl Sink for Folder {
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if !self.open.contains_key(name) {
            let file = OpenOptions::new().write(true).create(true).truncate(true).open(self.path.join(name))?;
            self.open.insert(name.into(), file);
        }
        self.open.get_mut(name).ok_or(io::ErrorKind::NotFound)?.write_all(bytes)
    }

    fn overwrite(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.open.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)?;
        file.seek(SeekFrom::End(0))?;
        Ok(())
    }

    fn close(&mut self, name: &str) -> io::Result<()> {
        self.open.remove(name);
        Ok(())
    }
}
