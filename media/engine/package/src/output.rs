//! The files of one track as they grow: fragmented MP4 for H.264 and Opus, WebM for VP8; a playlist for the former when it
//! ends.

use std::io;

use crate::hls;
use crate::input::TrackId;
use crate::mp4::{header, reserved, sidx, Fragment, Fragmenter};
use crate::sink::Sink;
use crate::timeline::Sample;
use crate::unit::Config;
use crate::webm::{Step, Writer};

/// Video is cut at a key frame this long after the last cut at one, in seconds.
const MIN_FRAGMENT_S: u64 = 2;
/// Without a key frame a fragment is cut when it is this long, or this large; so is sound.
const MAX_FRAGMENT_S: u64 = 4;
const MAX_FRAGMENT: usize = 2 << 20;
/// Configurations of one track that get a file; a sender that changes more often is not worth the files.
const MAX_FILES: usize = 1_000;

/// A file that is written, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub name: String,
    pub config: Config,
    pub bytes: u64,
    /// Of MP4: length of `ftyp` and `moov`.
    pub header_bytes: u64,
    /// Of MP4.
    pub fragments: Vec<Fragment>,
    /// Where its first sample lies and its last one ends, in ticks since the recording began.
    pub begin: u64,
    pub end: u64,
}

#[derive(Debug)]
pub struct Output {
    stem: String,
    timescale: u32,
    video: bool,
    fragmenter: Fragmenter,
    /// Begin of the last fragment that begins with a key frame.
    segment: u64,
    webm: Option<Box<Writer>>,
    pub files: Vec<Written>,
    /// Samples that were written.
    pub samples: u64,
    /// Nothing is written before the first configuration, nor after too many.
    open: bool,
    track: TrackId,
    /// Times in each file begin with 0, not with the recording.
    from_zero: bool,
    /// What is taken off the times of the open file.
    base: u64,
}

impl Output {
    pub fn new(track: TrackId, stem: String, timescale: u32, video: bool, from_zero: bool) -> Self {
        Self {
            stem,
            timescale,
            video,
            fragmenter: Fragmenter::new(!video),
            segment: 0,
            webm: None,
            files: Vec::new(),
            samples: 0,
            open: false,
            track,
            from_zero,
            base: 0,
        }
    }

    pub fn push(&mut self, sample: &Sample, sink: &mut impl Sink) -> io::Result<()> {
        if let Some(config) = &sample.config {
            self.configure(config, sample.time, sink)?;
        }
        if !self.open {
            return Ok(());
        }
        self.samples += 1;
        if !self.video {
            sink.sound(self.track, sample.time, &sample.data);
        }
        if let Some(file) = self.files.last_mut() {
            file.end = sample.time + u64::from(sample.duration);
        }
        if self.webm.is_some() {
            return self.block(sample, sink);
        }
        if self.is_due(sample) {
            self.cut(sink)?;
        }
        if self.fragmenter.is_empty() && sample.key {
            self.segment = sample.time;
        }
        self.fragmenter.push(sample.time - self.base, sample);
        Ok(())
    }

    /// Ends the files. `origin_ms`: wall clock of time 0.
    pub fn finish(&mut self, origin_ms: i64, sink: &mut impl Sink) -> io::Result<Option<String>> {
        self.close(sink)?;
        let Some(text) = self.playlist(origin_ms, true) else { return Ok(None) };
        let name = format!("{}.m3u8", self.stem);
        sink.append(&name, text.as_bytes())?;
        sink.close(&name)?;
        Ok(Some(name))
    }

    /// The playlist of what is written so far; None for WebM and for nothing.
    pub fn playlist(&self, origin_ms: i64, ended: bool) -> Option<String> {
        let named = |file: &Written| !file.fragments.is_empty();
        if !self.files.iter().any(named) {
            return None;
        }
        let files = self.files.iter().filter(|file| named(file));
        let parts: Vec<_> =
            files.map(|file| hls::Part { name: &file.name, header_bytes: file.header_bytes, fragments: &file.fragments }).collect();
        Some(hls::media_playlist(&parts, self.timescale, origin_ms, ended))
    }

    /// A new configuration is a new file, except in WebM: VP8 tells its size in each key frame.
    fn configure(&mut self, config: &Config, begin: u64, sink: &mut impl Sink) -> io::Result<()> {
        if self.webm.is_some() {
            return Ok(());
        }
        self.close(sink)?;
        if self.files.len() >= MAX_FILES {
            return Ok(());
        }
        let number = match self.files.len() {
            0 => String::new(),
            n => format!(".{n}"),
        };
        let (name, bytes, header_bytes) = if let Config::Vp8 { .. } = config {
            let Some((writer, Step::Append(head))) = Writer::new(std::slice::from_ref(config)) else { return Ok(()) };
            let name = format!("{}{number}.webm", self.stem);
            sink.append(&name, &head)?;
            self.webm = Some(Box::new(writer));
            (name, head.len(), 0)
        } else {
            let name = format!("{}{number}.mp4", self.stem);
            let head = header(config, self.timescale);
            sink.append(&name, &head)?;
            sink.append(&name, &reserved())?;
            (name, head.len() + reserved().len(), head.len())
        };
        let file = Written {
            name,
            config: config.clone(),
            bytes: bytes as u64,
            header_bytes: header_bytes as u64,
            fragments: Vec::new(),
            begin,
            end: begin,
        };
        self.files.push(file);
        self.open = true;
        self.base = if self.from_zero { begin } else { 0 };
        Ok(())
    }

    fn is_due(&self, next: &Sample) -> bool {
        let scale = u64::from(self.timescale);
        let (duration, bytes) = (self.fragmenter.duration(), self.fragmenter.bytes());
        let begins = self.video && next.key && next.time.saturating_sub(self.segment) >= MIN_FRAGMENT_S * scale;
        begins || duration >= MAX_FRAGMENT_S * scale || bytes >= MAX_FRAGMENT
    }

    fn cut(&mut self, sink: &mut impl Sink) -> io::Result<()> {
        let Some(file) = self.files.last_mut().filter(|_| !self.fragmenter.is_empty()) else { return Ok(()) };
        let (bytes, fragment) = self.fragmenter.cut(file.bytes);
        sink.append(&file.name, &bytes)?;
        file.bytes += bytes.len() as u64;
        file.fragments.push(fragment);
        Ok(())
    }

    fn block(&mut self, sample: &Sample, sink: &mut impl Sink) -> io::Result<()> {
        let ms = |ticks: u64| (ticks * 1000 + u64::from(self.timescale) / 2) / u64::from(self.timescale);
        let (begin, end) = (ms(sample.time - self.base), ms(sample.time - self.base + u64::from(sample.duration)));
        let step = self.webm.as_mut().and_then(|writer| writer.push(0, begin, end, sample.key, &sample.data));
        self.step(step, sink)
    }

    fn step(&mut self, steps: impl IntoIterator<Item = Step>, sink: &mut impl Sink) -> io::Result<()> {
        let Some(file) = self.files.last_mut() else { return Ok(()) };
        for step in steps {
            match step {
                Step::Append(bytes) => {
                    sink.append(&file.name, &bytes)?;
                    file.bytes += bytes.len() as u64;
                }
                Step::Overwrite(offset, bytes) => sink.overwrite(&file.name, offset, &bytes)?,
            }
        }
        Ok(())
    }

    /// Ends the file that is open.
    fn close(&mut self, sink: &mut impl Sink) -> io::Result<()> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        if let Some(writer) = self.webm.take() {
            self.step(writer.finish(), sink)?;
        } else {
            self.cut(sink)?;
            if let Some(file) = self.files.last() {
                sink.overwrite(&file.name, file.header_bytes, &sidx(&file.fragments, self.timescale))?;
            }
        }
        self.files.last().map_or(Ok(()), |file| sink.close(&file.name))
    }
}
