//! What publishers send: real VP8, H.264 and Opus, encoded once by clips.py and packetised at start.
//!
//! A video clip is a row of segments, each beginning with its only key frame and each showing the source differently, so that a publisher
//! asked for a key frame can jump to the next segment at once and no two packets of a clip are alike, but for the parameter sets of H.264.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::path::Path;
use std::sync::Arc;

use crate::packetise;
use crate::rtp::Codec;

/// Simulcast layers, lowest first: RID and name of the file.
pub const LAYERS: [(&str, &str); 3] = [("l", "low"), ("m", "mid"), ("h", "high")];

/// One encoded picture.
pub struct Frame {
    pub key: bool,
    /// Payloads; of VP8 without their descriptors.
    pub parts: Vec<Vec<u8>>,
}

/// 20 ms of Opus.
pub struct Word {
    /// dB below full scale, 0-127.
    pub level: u8,
    pub payload: Arc<[u8]>,
}

/// Everything publishers send.
pub struct Clips {
    pub codec: Codec,
    /// By layer, lowest first.
    pub video: Vec<Vec<Frame>>,
    pub audio: Vec<Word>,
    known: Known,
}

/// Which packet of the clips a payload is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Piece {
    Video {
        layer: u8,
        frame: u32,
        part: u32,
    },
    /// The beginning of several frames: parameter sets. What follows tells which.
    Alike,
    Audio {
        word: u32,
    },
}

impl Clips {
    /// Reads these layers from var/swarm, the others stay empty; an error says what is missing.
    pub fn load(directory: &Path, codec: Codec, layers: &[usize]) -> Result<Clips, String> {
        let read = |name: String| std::fs::read(directory.join(&name)).map_err(|e| format!("{name} in {}: {e}", directory.display()));
        let mut video = Vec::new();
        for (layer, (_, name)) in LAYERS.into_iter().enumerate() {
            if !layers.contains(&layer) {
                video.push(Vec::new());
                continue;
            }
            let frames = match codec {
                Codec::H264 => annex_b(&read(format!("h264-{name}.h264"))?),
                _ => ivf(&read(format!("vp8-{name}.ivf"))?),
            };
            match frames {
                Some(frames) if frames.first().is_some_and(|f| f.key) => video.push(frames),
                _ => return Err(format!("{name}: not a clip; run clips.py again")),
            }
        }
        let audio = words(&read("opus.words".into())?).filter(|w| !w.is_empty()).ok_or("opus.words: not a clip; run clips.py again")?;
        let clips = Clips::new(codec, video, audio);
        // What is not recognised is no picture of ours: that must hold for every packet of every frame.
        let known = |frame: &Frame| frame.parts.iter().all(|part| clips.recognise(part).is_some());
        match clips.video.iter().flatten().all(known) {
            true => Ok(clips),
            false => Err("two packets of the clips look alike; run clips.py again".into()),
        }
    }

    pub fn new(codec: Codec, video: Vec<Vec<Frame>>, audio: Vec<Word>) -> Clips {
        let mut known = Known::default();
        let mut learn = |body: &[u8], piece: Piece| {
            // What looks like something else cannot be recognised; frames that only begin alike are told apart by their next packet.
            let begins = |piece: Piece| matches!(piece, Piece::Video { part: 0, .. } | Piece::Alike);
            let alike = |other: Option<Piece>| other.filter(|other| begins(*other) && begins(piece)).map(|_| Piece::Alike);
            known.entry(fingerprint(body)).and_modify(|known| *known = alike(*known)).or_insert(Some(piece));
        };
        for (layer, frames) in video.iter().enumerate() {
            for (at, frame) in frames.iter().enumerate() {
                for (i, part) in frame.parts.iter().enumerate() {
                    learn(part, Piece::Video { layer: layer as u8, frame: at as u32, part: i as u32 });
                }
            }
        }
        for (at, word) in audio.iter().enumerate() {
            learn(&word.payload, Piece::Audio { word: at as u32 });
        }
        Clips { codec, video, audio, known }
    }

    /// The piece with these codec data.
    pub fn recognise(&self, body: &[u8]) -> Option<Piece> {
        *self.known.get(&fingerprint(body))?
    }
}

/// Pieces by fingerprint, which is a hash already.
type Known = HashMap<u64, Option<Piece>, BuildHasherDefault<AsItIs>>;

#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Length and last 24 bytes: encoded media are as good as random there.
fn fingerprint(body: &[u8]) -> u64 {
    let tail = &body[body.len().saturating_sub(24)..];
    let mut hash = body.len() as u64;
    for chunk in tail.rchunks(8) {
        let mut eight = [0; 8];
        eight[8 - chunk.len()..].copy_from_slice(chunk);
        hash = (hash.rotate_left(29) ^ u64::from_be_bytes(eight)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    hash ^ hash >> 32
}

/// IVF: a 32-byte file header, then 12 bytes (size, time) before each frame.
fn ivf(file: &[u8]) -> Option<Vec<Frame>> {
    let header = usize::from(u16::from_le_bytes(file.get(6..8)?.try_into().ok()?));
    let mut rest = file.strip_prefix(b"DKIF").and(file.get(header..))?;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let size = u32::from_le_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let frame = rest.get(12..12 + size)?;
        frames.push(Frame { key: frame.first()? & 1 == 0, parts: packetise::vp8(frame) });
        rest = &rest[12 + size..];
    }
    Some(frames)
}

/// Annex B with an access unit delimiter before each picture, which is not sent.
fn annex_b(file: &[u8]) -> Option<Vec<Frame>> {
    let mut pictures: Vec<Vec<&[u8]>> = Vec::new();
    for unit in units(file) {
        match unit.first()? & 0x1f {
            9 => pictures.push(Vec::new()),
            _ => pictures.last_mut()?.push(unit),
        }
    }
    let frames = pictures.into_iter().map(|units| Frame { key: units.iter().any(|u| u[0] & 0x1f == 5), parts: packetise::h264(&units) });
    Some(frames.collect())
}

/// The units between start codes.
fn units(file: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..file.len().saturating_sub(3)).filter(|i| file[*i..].starts_with(&[0, 0, 1])).map(|i| i + 3).collect();
    let ends = starts.iter().skip(1).map(|next| next - 3).chain([file.len()]);
    starts.iter().zip(ends).map(|(start, end)| file[*start..end].trim_zeros()).filter(|unit| !unit.is_empty()).collect()
}

trait TrimZeros {
    fn trim_zeros(&self) -> &Self;
}

impl TrimZeros for [u8] {
    /// Without the zeros that belong to the next start code.
    fn trim_zeros(&self) -> &[u8] {
        let len = self.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        &self[..len]
    }
}

/// A byte of level, two of length, then the packet, over and over.
fn words(file: &[u8]) -> Option<Vec<Word>> {
    let (mut rest, mut words) = (file, Vec::new());
    while let [level, high, low, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        words.push(Word { level: *level, payload: tail.get(..len)?.into() });
        rest = &tail[len..];
    }
    rest.is_empty().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ivf_of(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut file = b"DKIF\0\0\x20\0VP80".to_vec();
        file.resize(32, 0);
        for (i, frame) in frames.iter().enumerate() {
            file.extend((frame.len() as u32).to_le_bytes());
            file.extend((i as u64).to_le_bytes());
            file.extend(frame);
        }
        file
    }

    #[test]
    fn an_ivf_file_is_its_frames() {
        let frames = ivf(&ivf_of(&[vec![0; 3000], vec![1; 10]])).unwrap();
        assert_eq!(frames.iter().map(|f| (f.key, f.parts.len())).collect::<Vec<_>>(), [(true, 3), (false, 1)]);
        let file = ivf_of(&[vec![0; 30]]);
        assert!(ivf(&file[..file.len() - 1]).is_none() && ivf(b"RIFF").is_none());
    }

    #[test]
    fn an_annex_b_file_is_its_pictures_without_delimiters() {
        let file = [
            &[0u8, 0, 0, 1, 9, 0x10, 0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 1, 0x65, 3, 0, 0, 0, 1, 9, 0x30][..],
            &[0, 0, 1, 0x41, 4],
        ];
        let frames = annex_b(&file.concat()).unwrap();
        assert_eq!(frames.iter().map(|f| f.key).collect::<Vec<_>>(), [true, false]);
        assert_eq!(frames[0].parts, [vec![24 | 0x60, 0, 2, 0x67, 1, 0, 2, 0x68, 2], vec![0x65, 3]]);
        assert_eq!(frames[1].parts, [vec![0x41, 4]]);
    }

    #[test]
    fn opus_words_carry_their_level() {
        let read = words(&[40, 0, 2, 8, 9, 127, 0, 1, 7]).unwrap();
        assert_eq!(read.iter().map(|w| (w.level, w.payload.to_vec())).collect::<Vec<_>>(), [(40, vec![8, 9]), (127, vec![7])]);
        assert!(words(&[40, 0, 3, 8]).is_none() && words(&[40, 0]).is_none());
    }

    #[test]
    fn pieces_are_recognised_unless_they_look_alike() {
        let part = |n: u8| (0..100u8).map(|i| i ^ n).collect::<Vec<u8>>();
        let video = vec![vec![Frame { key: true, parts: vec![part(1), part(2)] }, Frame { key: false, parts: vec![part(3)] }]];
        let word = |n: u8| Word { level: 0, payload: part(n).into() };
        let clips = Clips::new(Codec::Vp8, video, vec![word(4), word(5), word(5)]);
        assert_eq!(clips.recognise(&part(2)), Some(Piece::Video { layer: 0, frame: 0, part: 1 }));
        assert_eq!(clips.recognise(&part(3)), Some(Piece::Video { layer: 0, frame: 1, part: 0 }));
        assert_eq!(clips.recognise(&part(4)), Some(Piece::Audio { word: 0 }));
        assert_eq!((clips.recognise(&part(5)), clips.recognise(&part(6))), (None, None));
    }

    #[test]
    fn frames_that_begin_alike_are_told_apart_by_what_follows() {
        let frame = |parts: &[u8]| Frame { key: true, parts: parts.iter().map(|n| vec![*n; 50]).collect() };
        let clips = Clips::new(Codec::H264, vec![vec![frame(&[1, 2]), frame(&[1, 3]), frame(&[4, 3])]], Vec::new());
        assert_eq!(clips.recognise(&[1; 50]), Some(Piece::Alike));
        assert_eq!(clips.recognise(&[2; 50]), Some(Piece::Video { layer: 0, frame: 0, part: 1 }));
        assert_eq!(clips.recognise(&[3; 50]), None);
    }
}
