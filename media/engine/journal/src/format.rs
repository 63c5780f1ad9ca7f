//! The bytes of a journal file. All numbers are little endian.
//!
//! ```text
//! head    256 bytes: magic, version, boot id, times, class, recording, digest of the file before, CRC32C
//! record  sync u16 | type u8 | flags u8 | track u16 | len u16 | arrival_us u64 | roc u32 | crc32c u32 | payload
//! ```
//! The checksum of a record is CRC32C over its first 20 bytes and its payload, begun with the checksum of the head.
//! The head holds 128 random bits that nobody in class knows, so a sender cannot make a payload that reads as a record.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// Bytes of a file's head.
pub const HEAD: usize = 256;
/// Bytes before a record's payload.
pub const RECORD: usize = 24;
/// The longest payload.
pub const PAYLOAD: usize = 65_535;
/// How many bytes a name (class, recording) may have.
pub const NAME: usize = 64;

const MAGIC: [u8; 8] = *b"\x89RJ\r\n\x1a\n\0";
const VERSION: u16 = 1;
const SYNC: u16 = 0x4a52;
/// Where the head's checksum is.
const HEAD_CHECKED: usize = 252;
/// What a record's checksum covers of its header.
const CHECKED: usize = 20;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A track begins (or goes on in a new file): who, what, codecs, extensions as JSON.
    TrackStart = 1,
    /// It ends: the reason as text.
    TrackEnd = 2,
    /// One RTP packet, decrypted, without padding, as its sender numbered it.
    Rtp = 3,
    /// A sender's report: NTP u64, RTP timestamp u32, SSRC u32.
    SenderReport = 4,
    /// Which encoding of the track follows: layer u8, epoch u32, SSRC u32, then its RID. A new epoch begins its numbers anew.
    Layer = 5,
    /// The track may not be heard or seen now.
    Mute = 6,
    Unmute = 7,
    /// What the server itself lost of a track: packets u32, bytes u32, reason u8.
    Loss = 8,
    /// A key frame begins in the record at this offset: u64.
    KeyFrame = 9,
    /// The same moment on both clocks: monotonic_us u64, wall_us u64.
    Clock = 10,
    /// A moment of the class log, as JSON.
    Event = 11,
    /// Everything before this offset was synced to disk: u64.
    Checkpoint = 12,
    /// Key frames of this file: (track u16, offset u64, arrival_us u64) each.
    Index = 13,
    /// The last record: see `Seal`.
    Seal = 14,
    /// Something was taken out of this file: see `mark::Mark`.
    Redacted = 15,
}

impl Kind {
    pub fn parse(byte: u8) -> Option<Kind> {
        Some(match byte {
            1 => Kind::TrackStart,
            2 => Kind::TrackEnd,
            3 => Kind::Rtp,
            4 => Kind::SenderReport,
            5 => Kind::Layer,
            6 => Kind::Mute,
            7 => Kind::Unmute,
            8 => Kind::Loss,
            9 => Kind::KeyFrame,
            10 => Kind::Clock,
            11 => Kind::Event,
            12 => Kind::Checkpoint,
            13 => Kind::Index,
            14 => Kind::Seal,
            15 => Kind::Redacted,
            _ => return None,
        })
    }
}

/// A key frame begins with this packet.
pub const KEY_FRAME: u8 = 1;
/// The packet came as a retransmission (RFC 4588); its header is a plain one.
pub const RESENT: u8 = 2;
/// Observed by the engine, not announced in class.
pub const INFERRED: u8 = 4;
/// All flags there are.
pub const FLAGS: u8 = KEY_FRAME | RESENT | INFERRED;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    pub kind: Kind,
    pub flags: u8,
    /// 0 = about no track.
    pub track: u16,
    /// Microseconds of the writer's monotonic clock.
    pub arrival_us: u64,
    /// RTP: how often the sequence number has wrapped (RFC 3711); it begins with 1.
    pub roc: u32,
    pub payload: &'a [u8],
}

impl Record<'_> {
    /// Bytes it takes in a file.
    pub fn len(&self) -> usize {
        RECORD.saturating_add(self.payload.len())
    }

    pub fn is_empty(&self) -> bool {
        false
    }
}

/// What a file begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub class: String,
    pub recording: String,
    /// Place of the file in the class's line, from 1.
    pub number: u32,
    /// Random, new with every start of the engine.
    pub boot: [u8; 16],
    /// The same moment on both clocks.
    pub monotonic_us: u64,
    pub wall_us: u64,
    /// The digest in the seal of the file before; zeros if there is none.
    pub previous: [u8; 32],
}

/// Whether a name may stand in a head and in a path.
pub fn is_name(name: &str) -> bool {
    (1..=NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl Head {
    /// The bytes; names that are too long are cut.
    pub fn encode(&self) -> [u8; HEAD] {
        let mut out = [0u8; HEAD];
        let mut writer = Writer(&mut out);
        writer.put(&MAGIC);
        writer.put(&VERSION.to_le_bytes());
        writer.put(&(HEAD as u16).to_le_bytes());
        writer.put(&self.number.to_le_bytes());
        writer.put(&self.boot);
        writer.put(&self.monotonic_us.to_le_bytes());
        writer.put(&self.wall_us.to_le_bytes());
        writer.put(&self.previous);
        for name in [&self.class, &self.recording] {
            let name = name.as_bytes().get(..NAME).unwrap_or(name.as_bytes());
            let mut field = [0u8; NAME];
            Writer(&mut field).put(name);
            writer.put(&[name.len() as u8]);
            writer.put(&field);
        }
        let (checked, rest) = out.split_at_mut(HEAD_CHECKED);
        rest.copy_from_slice(&crc32c::crc32c(checked).to_le_bytes());
        out
    }

    /// The head at the begin of a file, if it is whole.
    pub fn decode(bytes: &[u8]) -> Option<Head> {
        let bytes = bytes.get(..HEAD)?;
        let (checked, sum) = bytes.split_at_checked(HEAD_CHECKED)?;
        if u32::from_le_bytes(sum.try_into().ok()?) != crc32c::crc32c(checked) {
            return None;
        }
        let mut cursor = Cursor(checked);
        if cursor.array()? != MAGIC || u16::from_le_bytes(cursor.array()?) != VERSION || usize::from(cursor.u16()?) != HEAD {
            return None;
        }
        let number = cursor.u32()?;
        let boot = cursor.array()?;
        let (monotonic_us, wall_us) = (cursor.u64()?, cursor.u64()?);
        let previous = cursor.array()?;
        let (class, recording) = (cursor.name()?, cursor.name()?);
        Some(Head { class, recording, number, boot, monotonic_us, wall_us, previous })
    }

    /// What the checksums of the file's records begin with: the head's own, over its first 252 bytes (with itself behind them
    /// every checksum would be the same).
    pub fn seed(bytes: &[u8; HEAD]) -> u32 {
        crc32c::crc32c(bytes.get(..HEAD_CHECKED).unwrap_or(bytes))
    }
}

/// Appends a record; payloads longer than a record can hold are cut.
pub fn put(out: &mut Vec<u8>, seed: u32, record: &Record<'_>) {
    let payload = record.payload.get(..PAYLOAD).unwrap_or(record.payload);
    let mut header = [0u8; CHECKED];
    let mut writer = Writer(&mut header);
    writer.put(&SYNC.to_le_bytes());
    writer.put(&[record.kind as u8, record.flags & FLAGS]);
    writer.put(&record.track.to_le_bytes());
    writer.put(&(payload.len() as u16).to_le_bytes());
    writer.put(&record.arrival_us.to_le_bytes());
    writer.put(&record.roc.to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c_append(seed, &header), payload);
    out.extend_from_slice(&header);
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(payload);
}

/// Why no record begins here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The bytes end before the record does.
    Short,
    /// These are no record's bytes; what was checked of them.
    Wrong { checked: usize },
}

/// The record at the begin of these bytes.
pub fn get(bytes: &[u8], seed: u32) -> Result<Record<'_>, Broken> {
    let wrong = Broken::Wrong { checked: 0 };
    if bytes.get(..2).is_some_and(|sync| sync != SYNC.to_le_bytes()) {
        return Err(wrong);
    }
    let (header, rest) = bytes.split_at_checked(RECORD).ok_or(Broken::Short)?;
    let (checked, sum) = header.split_at_checked(CHECKED).ok_or(Broken::Short)?;
    let mut cursor = Cursor(checked.get(2..).ok_or(Broken::Short)?);
    let [kind, flags] = cursor.array().ok_or(Broken::Short)?;
    let kind = Kind::parse(kind).filter(|_| flags & !FLAGS == 0).ok_or(wrong)?;
    let (track, len) = (cursor.u16().ok_or(wrong)?, cursor.u16().ok_or(wrong)?);
    let (arrival_us, roc) = (cursor.u64().ok_or(wrong)?, cursor.u32().ok_or(wrong)?);
    let payload = rest.get(..usize::from(len)).ok_or(Broken::Short)?;
    if sum != crc32c::crc32c_append(crc32c::crc32c_append(seed, checked), payload).to_le_bytes() {
        return Err(Broken::Wrong { checked: RECORD.saturating_add(payload.len()) });
    }
    Ok(Record { kind, flags, track, arrival_us, roc, payload })
}

/// Where the sync mark is next.
pub fn find_sync(bytes: &[u8]) -> Option<usize> {
    let [first, second] = SYNC.to_le_bytes();
    bytes.windows(2).position(|pair| pair == [first, second])
}

/// The payload of the last record of a sealed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// Where the index begins.
    pub index_at: u64,
    /// Records before the index.
    pub records: u64,
    pub first_us: u64,
    pub last_us: u64,
    /// Packets the server itself lost, in all.
    pub lost: u64,
    /// SHA-256 of everything before the seal.
    pub digest: [u8; 32],
}

/// Bytes of a seal with its header: the end of every sealed file.
pub const SEAL: usize = RECORD + 72;

impl Seal {
    pub fn encode(&self) -> [u8; SEAL - RECORD] {
        let mut out = [0u8; SEAL - RECORD];
        let mut writer = Writer(&mut out);
        for number in [self.index_at, self.records, self.first_us, self.last_us, self.lost] {
            writer.put(&number.to_le_bytes());
        }
        writer.put(&self.digest);
        out
    }

    pub fn decode(payload: &[u8]) -> Option<Seal> {
        let mut cursor = Cursor(payload);
        let seal = Seal {
            index_at: cursor.u64()?,
            records: cursor.u64()?,
            first_us: cursor.u64()?,
            last_us: cursor.u64()?,
            lost: cursor.u64()?,
            digest: cursor.array()?,
        };
        cursor.0.is_empty().then_some(seal)
    }
}

/// A key frame in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub track: u16,
    pub at: u64,
    pub arrival_us: u64,
}

/// Bytes of an entry of the index.
pub const ENTRY: usize = 18;

impl Entry {
    pub fn encode(&self) -> [u8; ENTRY] {
        let mut out = [0u8; ENTRY];
        let mut writer = Writer(&mut out);
        writer.put(&self.track.to_le_bytes());
        writer.put(&self.at.to_le_bytes());
        writer.put(&self.arrival_us.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Option<Entry> {
        let mut cursor = Cursor(bytes);
        Some(Entry { track: cursor.u16()?, at: cursor.u64()?, arrival_us: cursor.u64()? })
    }
}

/// Writes as far as there is room.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let room = std::mem::take(&mut self.0);
        if let Some((here, rest)) = room.split_at_mut_checked(bytes.len()) {
            here.copy_from_slice(bytes);
            self.0 = rest;
        }
    }
}

/// Reads numbers; None past the end.
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl Cursor<'_> {
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (here, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*here)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn name(&mut self) -> Option<String> {
        let [len] = self.array()?;
        let field: [u8; NAME] = self.array()?;
        let name = std::str::from_utf8(field.get(..usize::from(len))?).ok()?;
        is_name(name).then(|| name.to_owned())
    }
}
