//! The packager for Python: a recording's journal in, files and placed sound out. Everything here releases the GIL while it works.

use std::path::PathBuf;
use std::sync::Mutex;

use jiangtai_package::follow::Follower;
use jiangtai_package::mp4::codecs;
use jiangtai_package::{Config, Folder, Options, Packager, Report, Sink, Source, TrackId};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// Packets of sound told at a time.
const SOUNDS: usize = 20_000;

/// (track, milliseconds since the recording began, packet)
type Sound = (TrackId, f64, Vec<u8>);
/// (name, MIME type, from, to in milliseconds, width, height)
type File = (String, String, f64, f64, Option<u16>, Option<u16>);

/// Files go to a folder, sound is kept until it is asked for.
#[derive(Debug)]
struct Kept {
    folder: Folder,
    sounds: Vec<Sound>,
}

impl Sink for Kept {
    fn append(&mut self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        self.folder.append(name, bytes)
    }

    fn overwrite(&mut self, name: &str, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.folder.overwrite(name, offset, bytes)
    }

    fn close(&mut self, name: &str) -> std::io::Result<()> {
        self.folder.close(name)
    }

    fn sound(&mut self, track: TrackId, time: u64, packet: &[u8]) {
        self.sounds.push((track, time as f64 / 48.0, packet.to_vec()));
    }
}

struct Work {
    follower: Follower,
    packager: Option<Packager<Kept>>,
    started_us: u64,
}

/// One recording on its way to files.
#[pyclass(frozen)]
pub struct Package {
    work: Mutex<Work>,
}

#[pymethods]
impl Package {
    /// `started_ms` (since 1970) becomes 0 in all files, which go to the folder `out`. Raises ValueError, OSError.
    #[new]
    fn new(journal: PathBuf, name: &str, recording: &str, started_ms: u64, out: PathBuf) -> PyResult<Package> {
        let follower = Follower::new(&journal, name, recording)?;
        let origin_us = started_ms.checked_mul(1000).ok_or_else(|| PyValueError::new_err("started_ms"))?;
        let options = Options { origin_us, origin_ms: started_ms as i64 };
        let sink = Kept { folder: Folder::new(out), sounds: Vec::new() };
        let packager = Some(Packager::new(options, sink).from_zero());
        Ok(Package { work: Mutex::new(Work { follower, packager, started_us: origin_us }) })
    }

    /// Reads on: (whether all that is written was read, how far the recording has come in milliseconds, sounds).
    fn advance(&self, py: Python<'_>) -> PyResult<(bool, f64, Vec<Sound>)> {
        py.detach(|| {
            let mut work = self.work.lock().map_err(|_| PyRuntimeError::new_err("a panic came before"))?;
            let Work { follower, packager, started_us } = &mut *work;
            let packager = packager.as_mut().ok_or_else(finished)?;
            let mut caught_up = false;
            while !caught_up && packager.sink_mut().sounds.len() < SOUNDS {
                caught_up = follower.advance(packager)?;
            }
            let now_ms = follower.now_us().saturating_sub(*started_us) as f64 / 1000.0;
            Ok((caught_up, now_ms, std::mem::take(&mut packager.sink_mut().sounds)))
        })
    }

    /// Ends all files: (duration in milliseconds, sounds, (track, participant, source, files, why there are none) of each track).
    #[allow(clippy::type_complexity)]
    fn finish(&self, py: Python<'_>) -> PyResult<(f64, Vec<Sound>, Vec<(TrackId, String, &'static str, Vec<File>, Option<String>)>)> {
        py.detach(|| {
            let mut work = self.work.lock().map_err(|_| PyRuntimeError::new_err("a panic came before"))?;
            let Work { follower, packager, started_us } = &mut *work;
            let mut ending = packager.take().ok_or_else(finished)?;
            follower.finish(&mut ending)?;
            let duration = follower.now_us().saturating_sub(*started_us) as f64 / 1000.0;
            let (reports, kept) = ending.finish()?;
            let mut tracks = Vec::new();
            for (track, known) in follower.tracks() {
                let files: Vec<File> = reports.iter().filter(|(of, _)| *of == track).flat_map(|(_, report)| files(report)).collect();
                let why = match (files.is_empty(), known.strange) {
                    (false, _) => None,
                    (true, true) => Some("codec".to_owned()),
                    (true, false) => Some("empty".to_owned()),
                };
                tracks.push((track, known.label.participant.clone(), name(known.label.source), files, why));
            }
            Ok((duration, kept.sounds, tracks))
        })
    }
}

fn finished() -> PyErr {
    PyRuntimeError::new_err("it is finished")
}

fn files(report: &Report) -> Vec<File> {
    let scale = if report.start.codec.is_video() { 90.0 } else { 48.0 };
    let told = |file: &jiangtai_package::Written| {
        let (width, height) = file.config.size().unzip();
        (file.name.clone(), media_type(&file.config), file.begin as f64 / scale, file.end as f64 / scale, width, height)
    };
    report.files.iter().filter(|file| file.end > file.begin).map(told).collect()
}

/// With codecs (RFC 6381).
fn media_type(config: &Config) -> String {
    let container = match config {
        Config::Avc(_) => "video/mp4",
        Config::Vp8 { .. } => "video/webm",
        Config::Opus => "audio/mp4",
    };
    format!("{container}; codecs=\"{}\"", codecs(config))
}

fn name(source: Source) -> &'static str {
    match source {
        Source::Camera => "camera",
        Source::Microphone => "microphone",
        Source::Screen => "screen",
        Source::ScreenAudio => "screen_audio",
    }
}
