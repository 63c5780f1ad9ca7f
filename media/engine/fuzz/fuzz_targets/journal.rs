//! Journal files: whatever the bytes, reading ends, records lie where they are said to be, what recovery keeps is whole, and what is left
//! without a person are the others' records.
//!
//! The first byte chooses: the rest is a file as it is; or it is put behind a good head as records are (a list of lengths); or
//! it damages such a file.
#![no_main]
use jiangtai_journal::compose::Composer;
use jiangtai_journal::format::{Head, Kind, Record, Seal, HEAD};
use jiangtai_journal::owner::Owners;
use jiangtai_journal::read::{Found, Reader};
use jiangtai_journal::redact::{rewrite, Job};
use jiangtai_journal::{export, verify};

/// A head whose secret follows from the whole input: as in class, no payload can be made that knows its checksum.
fn head(data: &[u8]) -> Head {
    let secret = data.iter().fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    let mut boot = [5; 16];
    boot[..8].copy_from_slice(&secret.to_le_bytes());
    Head { class: "c".into(), recording: "r".into(), number: 1, boot, monotonic_us: 0, wall_us: 0, previous: [0; 32] }
}

/// Every record read, as (place, kind, length).
fn read(bytes: &[u8]) -> Vec<(usize, Kind, usize)> {
    let Some((_, reader)) = Reader::open(bytes) else { return Vec::new() };
    let (mut next, mut records) = (HEAD, Vec::new());
    for found in reader {
        let (at, len) = match found {
            Found::Record { at, record } => {
                records.push((at, record.kind, record.payload.len()));
                (at, record.len())
            }
            Found::Damage { at, len } => (at, len),
        };
        assert_eq!(at, next);
        assert!(len > 0);
        next = at + len;
    }
    assert_eq!(next, bytes.len());
    records
}

/// Takes "p" out; every record that is left was there. None without a whole head.
fn redact(bytes: &[u8]) -> Option<Vec<u8>> {
    let (head, reader) = Reader::open(bytes)?;
    let who = ["p".to_owned()];
    let mut owners = Owners::new(&who);
    owners.file(1, head.boot, false);
    let mut payloads = Vec::new();
    for found in reader {
        let record = match found {
            Found::Record { record, .. } => Some(record),
            Found::Damage { .. } => None,
        };
        owners.see(1, record.as_ref());
        payloads.extend(record.map(|record| (record.kind, record.track, record.arrival_us, record.payload.to_vec())));
    }
    let seal = verify::file(bytes).and_then(|verdict| verdict.seal);
    let job = Job { seal: seal.unwrap_or(EMPTY), previous: [1; 32], known_as: [2; 32] };
    let mut out = Vec::new();
    rewrite(&mut &*bytes, bytes.len() as u64, &job, &mut |record| owners.goes(head.boot, record), &mut out).unwrap();
    let verdict = verify::file(&out).unwrap();
    assert!(verdict.digest_holds && verdict.seal.is_some_and(|seal| seal.records == verdict.records));
    let mut before = payloads.iter();
    for found in Reader::open(&out).unwrap().1 {
        let Found::Record { record, .. } = found else { continue };
        if !matches!(record.kind, Kind::KeyFrame | Kind::Checkpoint | Kind::Index | Kind::Seal | Kind::Redacted) {
            let told = (record.kind, record.track, record.arrival_us, record.payload.to_vec());
            assert!(before.any(|known| *known == told), "in the order they were in");
        }
    }
    Some(out)
}

const EMPTY: Seal = Seal { index_at: 0, records: 0, first_us: 0, last_us: 0, lost: 0, digest: [0; 32] };

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let mut bytes = Vec::new();
    let mut composer = Composer::begin(&head(data), &mut bytes);
    match choice % 3 {
        0 => bytes = rest.to_vec(),
        1 => bytes.extend_from_slice(rest),
        _ => {
            for (n, payload) in rest.chunks(37).enumerate() {
                let kind = Kind::parse(1 + (n % 12) as u8).unwrap();
                let label: &[u8] = if n % 36 == 0 { br#"{"participant":"p"}"# } else { br#"{"participant":"q"}"# };
                let payload = if kind == Kind::TrackStart { label } else { payload };
                composer.put(&Record { kind, flags: choice & 7, track: n as u16, arrival_us: n as u64, roc: 1, payload }, &mut bytes);
            }
            let whole = read(&bytes);
            assert!(whole.len() >= rest.len().div_ceil(37));
            let sealed = {
                let mut sealed = bytes.clone();
                composer.seal(&mut sealed);
                sealed
            };
            assert!(verify::file(&sealed).unwrap().is_whole());
            assert!(verify::file(&redact(&sealed).unwrap()).unwrap().is_whole());
            // Damage it at a place the input chooses: the other records are as before.
            let at = HEAD + usize::from(u16::from_be_bytes([*choice, rest.first().copied().unwrap_or(0)])) % (bytes.len() - HEAD + 1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= rest.last().copied().unwrap_or(0) | 1;
                assert!(read(&bytes).iter().all(|record| whole.contains(record)));
            }
            bytes.truncate(at);
            assert!(read(&bytes).iter().all(|record| whole.contains(record)));
        }
    }
    read(&bytes);
    let _ = verify::file(&bytes);
    redact(&bytes);
    let mut out = Vec::new();
    let _ = export::pcapng(&[&bytes], &mut out);
    let _ = export::rtpdump(&[&bytes], 1, &mut out);
});
