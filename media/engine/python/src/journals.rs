//! Journal files for Python: recover, verify, export, redact. Everything here releases the GIL while it reads.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use jiangtai_journal::format::is_name;
use jiangtai_journal::recover::{self, Outcome};
use jiangtai_journal::redact::{self, Outcome as Ended};
use jiangtai_journal::stream::Label;
use jiangtai_journal::{export, files, mark, verify};
use jiangtai_net::disk::free_permille;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// What a record beside packets may hold.
const CONTENT: usize = 16 << 10;
/// A file is sealed at 64 MiB; a larger one is none of ours.
const FILE: u64 = 256 << 20;

pub fn label(class: &str, recording: &str) -> PyResult<Label> {
    if !is_name(class) || !is_name(recording) {
        return Err(PyValueError::new_err("name, recording: 1 to 64 letters, digits, _ or -"));
    }
    let mut boot = [0u8; 16];
    jiangtai_journal::fill_random(&mut boot).ok_or_else(|| PyOSError::new_err("no random numbers"))?;
    Ok(Label { class: class.to_owned(), recording: recording.to_owned(), boot })
}

pub fn content(argument: &str, content: &[u8]) -> PyResult<Vec<u8>> {
    match content.len() <= CONTENT {
        true => Ok(content.to_vec()),
        false => Err(PyValueError::new_err(format!("{argument}: at most {CONTENT} bytes"))),
    }
}

/// Class, file number, "sealed" or "aside", records kept, bytes cut, bytes damaged.
type Recovered = (String, u32, &'static str, u64, u64, u64);

/// Every file that was not whole.
#[pyfunction]
fn recover_journals(py: Python<'_>, root: PathBuf) -> PyResult<Vec<Recovered>> {
    let recovered = py.detach(|| recover::all(&root))?;
    let told = recovered.into_iter().map(|file| match file.outcome {
        Outcome::Sealed { records, cut, damaged } => (file.class, file.number, "sealed", records, cut, damaged),
        Outcome::Aside | Outcome::Whole => (file.class, file.number, "aside", 0, 0, 0),
    });
    Ok(told.collect())
}

/// The numbers of a class's files, ascending.
#[pyfunction]
fn journal_files(root: PathBuf, name: &str) -> PyResult<Vec<u32>> {
    Ok(files::numbers(&files::folder(&root, name)?)?)
}

/// What a file says of itself: recording, times, of a sealed one records and loss, of a redacted one what is gone. None if its head is not whole.
#[pyfunction]
fn journal_ends(py: Python<'_>, path: PathBuf) -> PyResult<Option<Bound<'_, PyDict>>> {
    let bytes = std::fs::metadata(&path)?.len();
    let (head, seal) = files::ends(&path)?;
    let Some(head) = head else { return Ok(None) };
    let dict = PyDict::new(py);
    dict.set_item("class", &head.class)?;
    dict.set_item("recording", &head.recording)?;
    dict.set_item("number", head.number)?;
    dict.set_item("wall_us", head.wall_us)?;
    dict.set_item("monotonic_us", head.monotonic_us)?;
    dict.set_item("previous", hex(&head.previous))?;
    dict.set_item("bytes", bytes)?;
    dict.set_item("sealed", seal.is_some())?;
    if let Some(seal) = seal {
        dict.set_item("records", seal.records)?;
        dict.set_item("first_us", seal.first_us)?;
        dict.set_item("last_us", seal.last_us)?;
        dict.set_item("lost", seal.lost)?;
        dict.set_item("digest", hex(&seal.digest))?;
        if let Some(mark) = mark::of(&path)? {
            dict.set_item("known_as", hex(&mark.known_as))?;
            dict.set_item("taken", (mark.records, mark.bytes))?;
        }
    }
    Ok(Some(dict))
}

/// Reads a whole file: whole, records, damaged bytes, digest, and by track (packets, bytes, key frames, lost). None: no journal.
#[pyfunction]
fn verify_journal(py: Python<'_>, path: PathBuf) -> PyResult<Option<Bound<'_, PyDict>>> {
    let Some(verdict) = py.detach(|| read(&path).map(|bytes| verify::file(&bytes)))? else { return Ok(None) };
    let dict = PyDict::new(py);
    dict.set_item("whole", verdict.is_whole())?;
    dict.set_item("records", verdict.records)?;
    dict.set_item("damaged", verdict.damaged)?;
    dict.set_item("recording", &verdict.head.recording)?;
    dict.set_item("previous", hex(&verdict.head.previous))?;
    dict.set_item("digest", verdict.seal.map(|seal| hex(&seal.digest)))?;
    let tracks = PyDict::new(py);
    for (track, figures) in &verdict.tracks {
        tracks.set_item(track, (figures.packets, figures.bytes, figures.key_frames, figures.lost))?;
    }
    dict.set_item("tracks", tracks)?;
    Ok(Some(dict))
}

/// Writes files, in order, as "pcapng" (all tracks) or "rtpdump" (one track); returns the packets written.
#[pyfunction]
#[pyo3(signature = (paths, out, kind, track = 0))]
fn export_journals(py: Python<'_>, paths: Vec<PathBuf>, out: PathBuf, kind: &str, track: u16) -> PyResult<u64> {
    let dump = match kind {
        "pcapng" => false,
        "rtpdump" => true,
        _ => return Err(PyValueError::new_err("kind: pcapng or rtpdump")),
    };
    py.detach(|| {
        let files: Vec<Vec<u8>> = paths.iter().map(|path| read(path)).collect::<std::io::Result<_>>()?;
        let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
        let mut out = BufWriter::new(File::create(&out)?);
        let written = match dump {
            true => export::rtpdump(&files, track, &mut out)?,
            false => export::pcapng(&files, &mut out)?,
        };
        out.flush()?;
        written.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "a file is no journal"))
    })
    .map_err(PyErr::from)
}

/// Files, records and bytes that something was taken out of or that were, and the recordings they are of.
type Redacted = (u32, u64, u64, Vec<String>);

/// Takes participants out of a class or of one of its recordings; None while a file of it is being written.
#[pyfunction]
#[pyo3(signature = (root, name, participants, recording = None))]
fn redact_journals(
    py: Python<'_>,
    root: PathBuf,
    name: &str,
    participants: Vec<String>,
    recording: Option<&str>,
) -> PyResult<Option<Redacted>> {
    match py.detach(|| redact::class(&root, name, recording, &participants))? {
        Ended::BeingWritten(_) => Ok(None),
        Ended::Done(done) => Ok(Some((done.files, done.records, done.bytes, done.recordings.into_iter().collect()))),
    }
}

/// How much of a thousand parts of the disk a path is on is free; -1 if it cannot be told.
#[pyfunction]
fn disk_free_permille(path: PathBuf) -> i64 {
    free_permille(&path).map_or(-1, |free| free as i64)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.len() > FILE {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "too large for a journal file"));
    }
    std::fs::read(path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(recover_journals, module)?)?;
    module.add_function(wrap_pyfunction!(journal_files, module)?)?;
    module.add_function(wrap_pyfunction!(journal_ends, module)?)?;
    module.add_function(wrap_pyfunction!(verify_journal, module)?)?;
    module.add_function(wrap_pyfunction!(export_journals, module)?)?;
    module.add_function(wrap_pyfunction!(redact_journals, module)?)?;
    module.add_function(wrap_pyfunction!(disk_free_permille, module)?)
}
