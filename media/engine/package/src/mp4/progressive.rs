//! One plain MP4 of chosen tracks for download: the index first ("fast start"), then the media, interleaved (ISO/IEC 14496-12
//! section 8.1.1).
//!
//! Nothing is decoded. The fragmented files are read twice, first their `moof`s for the sample tables (12 bytes a sample are
//! kept), then their media.

mod read;

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::header::{file_type, media, media_header, movie_header, track_header};
use super::sample_entry::roll_group;
use crate::boxes::{boxed, full, u16, u32, u64};
use crate::unit::Config;
pub(crate) use read::{fragments, Sample};

/// Of the movie; tracks keep their own.
const MOVIE_TIMESCALE: u32 = 1_000;

/// A fragmented file as this crate writes them, with what its header says.
#[derive(Debug)]
pub struct Part<R> {
    pub config: Config,
    pub timescale: u32,
    pub file: R,
}

/// The media of one fragment.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    part: usize,
    offset: u64,
    bytes: u64,
    time: u64,
    samples: u32,
}

#[derive(Debug, Default)]
struct Table {
    timescale: u32,
    start: u64,
    end: u64,
    samples: Vec<Sample>,
    chunks: Vec<Chunk>,
}

impl Table {
    fn scan<R: Read + Seek>(parts: &mut [Part<R>]) -> io::Result<Self> {
        let mut table = Self { timescale: parts.first().map_or(1, |part| part.timescale.max(1)), ..Self::default() };
        for (number, part) in parts.iter_mut().enumerate() {
            fragments(&mut part.file, |fragment| {
                if table.chunks.is_empty() {
                    (table.start, table.end) = (fragment.time, fragment.time);
                }
                // What came before lasts until here.
                if let Some(last) = table.samples.last_mut().filter(|_| fragment.time > table.end) {
                    let longer = u64::from(last.duration).saturating_add(fragment.time - table.end);
                    last.duration = u32::try_from(longer).unwrap_or(u32::MAX);
                    table.end = fragment.time;
                }
                let long = fragment.samples.iter().map(|sample| u64::from(sample.duration)).sum();
                table.end = table.end.saturating_add(long);
                let bytes = fragment.samples.iter().map(|sample| u64::from(sample.size)).sum();
                let samples = fragment.samples.len() as u32;
                table.chunks.push(Chunk { part: number, offset: fragment.data_offset, bytes, time: fragment.time, samples });
                table.samples.extend(fragment.samples);
            })?;
        }
        Ok(table)
    }

    fn ms(&self, ticks: u64) -> u64 {
        ticks.saturating_mul(u64::from(MOVIE_TIMESCALE)) / u64::from(self.timescale)
    }

    /// The sample table (section 8.5) after `stsd`.
    fn write(&self, out: &mut Vec<u8>, offsets: &[u64], sound: bool) {
        full(out, b"stts", 0, 0, |out| runs(out, self.samples.iter().map(|sample| sample.duration)));
        if self.samples.iter().any(|sample| !sample.key) {
            let keys: Vec<u32> = (1..).zip(&self.samples).filter(|(_, sample)| sample.key).map(|(number, _)| number).collect();
            full(out, b"stss", 0, 0, |out| {
                u32(out, keys.len() as u32);
                keys.iter().for_each(|&key| u32(out, key));
            });
        }
        full(out, b"stsc", 0, 0, |out| {
            let mut entries: Vec<(u32, u32, u32)> = Vec::new();
            for (number, chunk) in (1..).zip(&self.chunks) {
                let entry = (number, chunk.samples, chunk.part as u32 + 1);
                if entries.last().is_none_or(|last| (last.1, last.2) != (entry.1, entry.2)) {
                    entries.push(entry);
                }
            }
            u32(out, entries.len() as u32);
            entries
                .iter()
                .for_each(|&(first, samples, description)| [first, samples, description].iter().for_each(|&value| u32(out, value)));
        });
        full(out, b"stsz", 0, 0, |out| {
            u32(out, 0);
            u32(out, self.samples.len() as u32);
            self.samples.iter().for_each(|sample| u32(out, sample.size));
        });
        full(out, b"co64", 0, 0, |out| {
            u32(out, offsets.len() as u32);
            offsets.iter().for_each(|&offset| u64(out, offset));
        });
        if sound {
            roll_group(out, self.samples.len() as u32);
        }
    }
}

/// (count, value) of equal neighbours.
fn runs(out: &mut Vec<u8>, values: impl Iterator<Item = u32>) {
    let mut all: Vec<(u32, u32)> = Vec::new();
    for value in values {
        match all.last_mut() {
            Some((count, last)) if *last == value => *count += 1,
            _ => all.push((1, value)),
        }
    }
    u32(out, all.len() as u32);
    for (count, value) in all {
        u32(out, count);
        u32(out, value);
    }
}

/// Writes the tracks, each with its parts in order, as one file that begins when the first of them does.
pub fn remux<R: Read + Seek>(tracks: &mut [Vec<Part<R>>], out: &mut impl Write) -> io::Result<()> {
    let tables = tracks.iter_mut().map(|parts| Table::scan(parts)).collect::<io::Result<Vec<_>>>()?;
    let start_ms = tables.iter().filter(|table| !table.chunks.is_empty()).map(|table| table.ms(table.start)).min().unwrap_or(0);
    let mut order: Vec<(usize, Chunk)> =
        tables.iter().enumerate().flat_map(|(track, table)| table.chunks.iter().map(move |&chunk| (track, chunk))).collect();
    order.sort_by_key(|&(track, chunk)| (tables[track].ms(chunk.time), track));

    let configs: Vec<Vec<Config>> = tracks.iter().map(|parts| parts.iter().map(|part| part.config.clone()).collect()).collect();
    let mut head = Vec::new();
    file_type(&mut head, b"isom", &[b"isom", b"iso6", b"mp41"]);
    // Offsets do not change the length of what tells them.
    let len = movie(&tables, &configs, &order, start_ms, 0).len();
    let media_at = (head.len() + len + 16) as u64;
    head.extend(movie(&tables, &configs, &order, start_ms, media_at));
    let bytes: u64 = order.iter().map(|(_, chunk)| chunk.bytes).sum();
    u32(&mut head, 1);
    head.extend(b"mdat");
    u64(&mut head, bytes + 16);
    out.write_all(&head)?;
    for (track, chunk) in order {
        let file = &mut tracks[track][chunk.part].file;
        file.seek(SeekFrom::Start(chunk.offset))?;
        if io::copy(&mut file.take(chunk.bytes), out)? != chunk.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

fn movie(tables: &[Table], configs: &[Vec<Config>], order: &[(usize, Chunk)], start_ms: u64, media_at: u64) -> Vec<u8> {
    let mut offsets: Vec<Vec<u64>> = vec![Vec::new(); tables.len()];
    let mut at = media_at;
    for (track, chunk) in order {
        offsets[*track].push(at);
        at += chunk.bytes;
    }
    let until = tables.iter().map(|table| table.ms(table.end)).max().unwrap_or(0);
    let mut out = Vec::new();
    boxed(&mut out, b"moov", |out| {
        movie_header(out, MOVIE_TIMESCALE, until.saturating_sub(start_ms), tables.len() as u32 + 1);
        for (number, ((table, configs), offsets)) in tables.iter().zip(configs).zip(&offsets).enumerate() {
            let Some(config) = configs.first().filter(|_| !table.chunks.is_empty()) else { continue };
            boxed(out, b"trak", |out| {
                let (late, long) = (table.ms(table.start) - start_ms, table.ms(table.end - table.start));
                track_header(out, number as u32 + 1, config, late + long);
                boxed(out, b"edts", |out| edits(out, late, long));
                boxed(out, b"mdia", |out| {
                    media_header(out, table.timescale, table.end - table.start);
                    media(out, configs, |out| table.write(out, offsets, config.size().is_none()));
                });
            });
        }
    });
    out
}

/// The edit list (section 8.6.6): nothing while the track has not begun, then all of it.
fn edits(out: &mut Vec<u8>, late: u64, long: u64) {
    full(out, b"elst", 1, 0, |out| {
        let mut entries = vec![(long, 0)];
        if late > 0 {
            entries.insert(0, (late, u64::MAX));
        }
        u32(out, entries.len() as u32);
        for (duration, media_time) in entries {
            u64(out, duration);
            u64(out, media_time);
            u16(out, 1);
            u16(out, 0);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mp4::Fragmenter;
    use std::io::Cursor;

    #[test]
    fn times_at_the_end_of_all_time_are_no_overflow() {
        let mut fragmenter = Fragmenter::new(true);
        let mut fragment = |time| {
            fragmenter.push(time, &crate::timeline::Sample { time, duration: 960, key: true, data: vec![1], config: None });
            fragmenter.cut(0).0
        };
        let file = [fragment(0), fragment(u64::MAX - 1), fragment(5)].concat();
        let part = Part { config: Config::Opus, timescale: 48_000, file: Cursor::new(file) };
        let table = Table::scan(&mut [part]).unwrap();
        assert_eq!((table.start, table.end, table.samples[0].duration), (0, u64::MAX, u32::MAX));
    }
}
