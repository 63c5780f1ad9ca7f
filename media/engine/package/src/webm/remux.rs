//! One WebM of a VP8 file and the sound that belongs to it, for download. Both are read once, cluster by cluster.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::read::{clusters, Frame};
use super::{Step, Writer};
use crate::mp4::{fragments, Part, Sample};
use crate::unit::Config;

/// A fragment of sound whose samples are not all written yet.
struct Sound {
    part: usize,
    /// Of the next sample: in the file's ticks, and in the file.
    time: u64,
    offset: u64,
    samples: std::vec::IntoIter<Sample>,
}

struct Mux<'a, W, R> {
    writer: Writer,
    out: &'a mut W,
    /// Bytes of the output before this file.
    base: u64,
    start_ms: u64,
    parts: &'a mut [Part<R>],
    sound: std::vec::IntoIter<Sound>,
    current: Option<Sound>,
}

/// Writes `pictures`, a WebM of this crate with that configuration, and `parts`, fragmented MP4 of Opus, as one file that begins when the first of them does.
pub fn remux<P, R, W>(config: &Config, pictures: &mut P, parts: &mut [Part<R>], out: &mut W) -> io::Result<()>
where
    P: Read + Seek,
    R: Read + Seek,
    W: Write + Seek,
{
    let mut sound = Vec::new();
    for (part, of) in parts.iter_mut().enumerate() {
        fragments(&mut of.file, |f| sound.push(Sound { part, time: f.time, offset: f.data_offset, samples: f.samples.into_iter() }))?;
    }
    let begins = sound.first().map(|first| ms(first.time, parts[first.part].timescale));
    let (writer, head) = Writer::new(&[config.clone(), Config::Opus]).ok_or(io::ErrorKind::InvalidInput)?;
    let base = out.stream_position()?;
    let mut mux = Mux { writer, out, base, start_ms: 0, parts, sound: sound.into_iter(), current: None };
    mux.step(head)?;
    // A frame lasts until the next one, the last as long as the one before it.
    let (mut held, mut usual, mut first): (Option<Frame>, u64, bool) = (None, 33, true);
    clusters(pictures, |frame| {
        if std::mem::take(&mut first) {
            mux.start_ms = begins.map_or(frame.time_ms, |begins| begins.min(frame.time_ms));
        }
        let next_ms = frame.time_ms;
        let Some(before) = held.replace(frame) else { return Ok(()) };
        usual = next_ms.saturating_sub(before.time_ms);
        mux.picture(&before, next_ms)
    })?;
    if let Some(last) = held {
        mux.picture(&last, last.time_ms.saturating_add(usual))?;
    }
    mux.sound_until(u64::MAX)?;
    let Mux { writer, out, .. } = mux;
    for step in writer.finish() {
        apply(out, base, step)?;
    }
    Ok(())
}

fn ms(ticks: u64, timescale: u32) -> u64 {
    ticks.saturating_mul(1_000) / u64::from(timescale.max(1))
}

fn apply<W: Write + Seek>(out: &mut W, base: u64, step: Step) -> io::Result<()> {
    match step {
        Step::Append(bytes) => out.write_all(&bytes),
        Step::Overwrite(offset, bytes) => {
            out.seek(SeekFrom::Start(base + offset))?;
            out.write_all(&bytes)?;
            out.seek(SeekFrom::End(0)).map(|_| ())
        }
    }
}

impl<W: Write + Seek, R: Read + Seek> Mux<'_, W, R> {
    fn step(&mut self, step: Step) -> io::Result<()> {
        apply(self.out, self.base, step)
    }

    fn picture(&mut self, frame: &Frame, end_ms: u64) -> io::Result<()> {
        self.sound_until(frame.time_ms)?;
        let (begin, end) = (frame.time_ms.saturating_sub(self.start_ms), end_ms.saturating_sub(self.start_ms));
        let full = self.writer.push(0, begin, end, frame.key, &frame.data);
        full.map_or(Ok(()), |step| self.step(step))
    }

    /// Writes the sound that begins before `until_ms`.
    fn sound_until(&mut self, until_ms: u64) -> io::Result<()> {
        loop {
            let Some(mut current) = self.current.take().or_else(|| self.sound.next()) else { return Ok(()) };
            let part = &mut self.parts[current.part];
            let begin = ms(current.time, part.timescale);
            if begin >= until_ms {
                self.current = Some(current);
                return Ok(());
            }
            let Some(sample) = current.samples.next() else { continue };
            let mut data = Vec::new();
            part.file.seek(SeekFrom::Start(current.offset))?;
            if part.file.by_ref().take(u64::from(sample.size)).read_to_end(&mut data)? as u64 != u64::from(sample.size) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            current.time = current.time.saturating_add(u64::from(sample.duration));
            current.offset = current.offset.saturating_add(u64::from(sample.size));
            let end = ms(current.time, part.timescale);
            self.current = Some(current);
            let full = self.writer.push(1, begin.saturating_sub(self.start_ms), end.saturating_sub(self.start_ms), true, &data);
            full.map_or(Ok(()), |step| self.step(step))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mp4::Fragmenter;
    use std::io::Cursor;

    #[test]
    fn sound_that_is_not_all_there_is_refused() {
        let mut fragmenter = Fragmenter::new(true);
        fragmenter.push(0, &crate::timeline::Sample { time: 0, duration: 960, key: true, data: vec![1; 5], config: None });
        let (mut sound, _) = fragmenter.cut(0);
        let remuxed = |sound: &[u8]| {
            let part = Part { config: Config::Opus, timescale: 48_000, file: Cursor::new(sound) };
            remux(&Config::Vp8 { width: 64, height: 48 }, &mut Cursor::new([]), &mut [part], &mut Cursor::new(Vec::new()))
        };
        remuxed(&sound).unwrap();
        // The box of the media is as short as the file.
        let media = sound.len() - 13;
        sound[media + 3] = 12;
        sound.pop();
        assert_eq!(remuxed(&sound).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
