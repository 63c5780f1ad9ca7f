//! Boxes of the ISO base media file format (ISO/IEC 14496-12 section 4.2): a length, a type, a body.

/// Append a box; `body` writes what is in it.
pub fn boxed(out: &mut Vec<u8>, kind: &[u8; 4], body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend([0; 4]);
    out.extend(kind);
    body(out);
    let len = u32::try_from(out.len() - at).expect("boxes we write stay below 4 GiB; media data of downloads has its own header");
    out[at..at + 4].copy_from_slice(&len.to_be_bytes());
}

/// Append a full box (section 4.2: version and flags in front).
pub fn full(out: &mut Vec<u8>, kind: &[u8; 4], version: u8, flags: u32, body: impl FnOnce(&mut Vec<u8>)) {
    boxed(out, kind, |out| {
        u32(out, u32::from(version) << 24 | flags & 0x00ff_ffff);
        body(out);
    });
}

pub fn u8(out: &mut Vec<u8>, value: u8) {
    out.push(value);
}

pub fn u16(out: &mut Vec<u8>, value: u16) {
    out.extend(value.to_be_bytes());
}

pub fn u32(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_be_bytes());
}

pub fn u64(out: &mut Vec<u8>, value: u64) {
    out.extend(value.to_be_bytes());
}

pub fn zeros(out: &mut Vec<u8>, n: usize) {
    out.resize(out.len() + n, 0);
}
