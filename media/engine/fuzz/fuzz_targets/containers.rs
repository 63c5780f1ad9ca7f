//! Files read back: whatever the bytes, reading ends and holds no more memory than so many times the input, whatever lengths it
//! claims. What is refused as sound of an MP4 is refused as sound of a WebM. What is written is whole: boxes fill an MP4 to its
//! end, a WebM is read back and written as it was. A label says of each payload type what the track begins with.
//!
//! The first byte chooses what is read (WebM, MP4, label) and whether the rest is the file, or a list of damages to a good one.
#![no_main]
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{self, Cursor};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use jiangtai_core::bytes::Reader;
use jiangtai_package::label::Label;
use jiangtai_package::mp4::{self, Fragmenter};
use jiangtai_package::timeline::Sample;
use jiangtai_package::webm::{self, Step, Writer};
use jiangtai_package::Config;

const VP8: Config = Config::Vp8 { width: 64, height: 48 };
const LABEL: &[u8] = br#"{"participant":"p7","source":"microphone","codecs":[[111,"opus",null],[63,"red"],[96,"vp8"],[102,"h264"]]}"#;
/// Bytes that may be held: these, and so many for each of the input. The dearest is JSON of many small objects.
const HELD_ANYHOW: usize = 64 << 10;
const HELD_PER_BYTE: usize = 512;

/// Counts the bytes that are held, and the most there were.
struct Counting;
static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(HELD.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        System.alloc(layout)
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        System.dealloc(at, layout);
    }
}

/// Four frames in two clusters, from 0 on and with a track of sound: as it would be written again.
fn good_webm() -> Vec<u8> {
    let (mut writer, head) = Writer::new(&[VP8, Config::Opus]).unwrap();
    let mut steps = vec![head];
    steps.extend((0..4).filter_map(|n| writer.push(0, n * 1_100, (n + 1) * 1_100, n % 2 == 0, &[n as u8; 6])));
    steps.extend(writer.finish());
    let mut file = Vec::new();
    for step in steps {
        match step {
            Step::Append(bytes) => file.extend(bytes),
            Step::Overwrite(at, bytes) => file[at as usize..][..bytes.len()].copy_from_slice(&bytes),
        }
    }
    file
}

/// Four packets of sound in two fragments.
fn good_mp4() -> Vec<u8> {
    let (mut file, mut fragmenter) = (mp4::header(&Config::Opus, 48_000), Fragmenter::new(true));
    for n in 0..4 {
        let time = 240_000 + n * 960;
        fragmenter.push(time, &Sample { time, duration: 960, key: true, data: vec![n as u8; 6], config: None });
        if n % 2 == 1 {
            file.extend(fragmenter.cut(0).0);
        }
    }
    file
}

/// Each damage is how and where, and a byte: that byte there, eight of it, an end, or so many bytes of there once more.
fn damage(file: &mut Vec<u8>, input: &[u8]) {
    let mut input = Reader::new(input);
    while let (Some([high, low, with]), 1..4_096) = (input.array(), file.len()) {
        let at = usize::from(u16::from_be_bytes([high & 0x3f, low])) % file.len();
        let until = |len: usize| file.len().min(at + len);
        match high >> 6 {
            0 => file[at] = with,
            1 => {
                let until = until(8);
                file[at..until].fill(with);
            }
            2 => file.truncate(at),
            _ => file.extend_from_within(at..until(usize::from(with))),
        }
    }
}

/// A WebM of these pictures and this sound.
fn remux(pictures: &[u8], sound: &[&[u8]]) -> io::Result<Vec<u8>> {
    let mut out = Cursor::new(Vec::new());
    let mut parts: Vec<_> = sound.iter().map(|file| part(file)).collect();
    webm::remux(&VP8, &mut Cursor::new(pictures), &mut parts, &mut out)?;
    Ok(out.into_inner())
}

fn part(file: &[u8]) -> mp4::Part<Cursor<&[u8]>> {
    mp4::Part { config: Config::Opus, timescale: 48_000, file: Cursor::new(file) }
}

fn read_webm(file: &[u8]) -> bool {
    let Ok(out) = remux(file, &[]) else { return false };
    assert!(out == file || file != good_webm());
    // Times before the first are the first's once it is written, and do not change any more.
    let again = remux(&out, &[]).unwrap();
    assert!(remux(&again, &[]).unwrap() == again);
    remux(file, &[&good_mp4()]).unwrap();
    true
}

fn read_mp4(file: &[u8]) -> bool {
    let mut out = Vec::new();
    let plain = mp4::remux(&mut [vec![part(file), part(&good_mp4())], vec![part(file)]], &mut out);
    assert_eq!(plain.is_ok(), remux(&good_webm(), &[file]).is_ok());
    let (mut boxes, mut kinds) = (Reader::new(&out), Vec::new());
    while let (true, Some(len)) = (plain.is_ok(), boxes.u32()) {
        kinds.push(boxes.array::<4>().unwrap());
        let body = if len == 1 { boxes.u64().unwrap() - 16 } else { u64::from(len) - 8 };
        boxes.take(body as usize).unwrap();
    }
    assert!(plain.is_err() || (boxes.is_empty() && kinds == [*b"ftyp", *b"moov", *b"mdat"]));
    plain.is_ok()
}

fn read_label(json: &[u8]) -> bool {
    let Some(label) = Label::parse(json) else { return false };
    for start in (0..=255).filter_map(|payload_type| label.start(payload_type, 1).filter(|start| start.payload_type == Some(payload_type)))
    {
        assert_eq!((start.source, start.red, start.clock_rate == 90_000), (label.source, label.red, start.codec.is_video()));
    }
    assert!(label.participant.len() < json.len() && label.opus().is_none_or(|opus| label.start(opus, 1).is_some()));
    true
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let (good, read): (_, fn(&[u8]) -> bool) = match choice % 4 {
        0 => (good_webm(), read_webm),
        1 => (good_mp4(), read_mp4),
        _ => (LABEL.to_vec(), read_label),
    };
    let mut file = rest.to_vec();
    if choice & 4 != 0 {
        file.clone_from(&good);
        damage(&mut file, rest);
    }
    let before = HELD.load(Relaxed);
    MOST.store(before, Relaxed);
    assert!(read(&file) || file != good, "a good file is read");
    let held = MOST.load(Relaxed) - before;
    assert!(held <= HELD_ANYHOW + HELD_PER_BYTE * file.len(), "{held} bytes for {}", file.len());
});
