//! Packages inputs from a file into a folder and prints what became of them as JSON: `package INPUTS FOLDER [download]`. Tests
//! drive it.
//!
//! An input is `length u32 | track u16 | arrival_us u64 | kind u8 | body`, big-endian, the length counting all after it.
//! Kinds: 0 start (codec u8: 0 H.264, 1 VP8, 2 Opus; clock rate u32, participant u64, source u8: 0 camera, 1 microphone, 2
//! screen, 3 its sound; payload type u8, type of redundancy u8, 255 = none), 1 packet (sequence u64, bytes), 2 sender report
//! (NTP u64, RTP timestamp u32), 3 mute, 4 unmute, 5 end, 6 layer. The recording begins with the first input, on 1970-01-01.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::Path;

use jiangtai_core::bytes::Reader;
use jiangtai_package::unit::Config;
use jiangtai_package::{mp4, webm, Codec, Folder, Input, Options, Packager, Report, Source, Start, TrackId, What};

fn input(record: &[u8]) -> Option<Input<'_>> {
    let mut reader = Reader::new(record);
    let (track, arrival_us, kind) = (reader.u16()?, reader.u64()?, reader.u8()?);
    let some = |byte: u8| (byte != 255).then_some(byte);
    let what = match kind {
        0 => What::Start(Start {
            codec: [Codec::H264, Codec::Vp8, Codec::Opus].get(usize::from(reader.u8()?)).copied()?,
            clock_rate: reader.u32()?,
            participant: reader.u64()?,
            source: [Source::Camera, Source::Microphone, Source::Screen, Source::ScreenAudio].get(usize::from(reader.u8()?)).copied()?,
            payload_type: some(reader.u8()?),
            red: some(reader.u8()?),
        }),
        1 => What::Rtp { sequence: reader.u64()?, packet: reader.rest() },
        2 => What::SenderReport { ntp: reader.u64()?, rtp_timestamp: reader.u32()? },
        3 => What::Mute,
        4 => What::Unmute,
        5 => What::End,
        _ => What::Layer,
    };
    Some(Input { track, arrival_us, what })
}

fn print(reports: &[(TrackId, Report)]) {
    let tracks: Vec<String> = reports
        .iter()
        .map(|(id, report)| {
            let files: Vec<String> = report
                .files
                .iter()
                .map(|file| {
                    let (name, codecs) = (&file.name, mp4::codecs(&file.config));
                    format!("{{\"name\":\"{name}\",\"bytes\":{},\"fragments\":{},\"codecs\":\"{codecs}\"}}", file.bytes, file.fragments.len())
                })
                .collect();
            format!(
                "{{\"track\":{id},\"samples\":{},\"filled\":{},\"dropped\":{},\"lost\":{},\"duplicates\":{},\"broken\":{},\"waiting\":{},\"files\":[{}]}}",
                report.samples,
                report.filled,
                report.dropped,
                report.packets.lost,
                report.packets.dropped,
                report.broken.units,
                report.broken.waiting,
                files.join(",")
            )
        })
        .collect();
    println!("[{}]", tracks.join(","));
}

/// `download.mp4` of all tracks that have a place in MP4, or `download.webm` of them and VP8.
fn download(folder: &Path, reports: &[(TrackId, Report)]) -> io::Result<()> {
    let mut tracks = Vec::new();
    for (_, report) in reports.iter().filter(|(_, report)| report.playlist.is_some()) {
        let timescale = if report.start.codec.is_video() { 90_000 } else { 48_000 };
        let part = |file: &jiangtai_package::Written| {
            Ok(mp4::Part { config: file.config.clone(), timescale, file: File::open(folder.join(&file.name))? })
        };
        tracks.push(report.files.iter().map(part).collect::<io::Result<Vec<_>>>()?);
    }
    let vp8 = reports.iter().flat_map(|(_, report)| &report.files).find(|file| matches!(file.config, Config::Vp8 { .. }));
    if let Some((vp8, sound)) = vp8.zip(tracks.first_mut()) {
        let mut out = File::create(folder.join("download.webm"))?;
        return webm::remux(&vp8.config, &mut File::open(folder.join(&vp8.name))?, sound, &mut out);
    }
    mp4::remux(&mut tracks, &mut io::BufWriter::new(File::create(folder.join("download.mp4"))?))
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [inputs, folder, rest @ ..] = &arguments[..] else {
        return Err(io::Error::other("package INPUTS FOLDER [download]"));
    };
    let (bytes, folder) = (std::fs::read(inputs)?, Path::new(folder));
    let mut reader = Reader::new(&bytes);
    let mut packager: Option<Packager<Folder>> = None;
    while let Some(record) = reader.u32().and_then(|len| reader.take(len as usize)) {
        let input = input(record).ok_or_else(|| io::Error::other("not an input"))?;
        let options = Options { origin_us: input.arrival_us, origin_ms: 0 };
        packager.get_or_insert_with(|| Packager::new(options, Folder::new(folder))).push(input)?;
    }
    let Some(packager) = packager else { return Ok(()) };
    let (reports, _) = packager.finish()?;
    if rest.iter().any(|word| word == "download") {
        download(folder, &reports)?;
    }
    print(&reports);
    Ok(())
}
