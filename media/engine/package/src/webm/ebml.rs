//! Elements of EBML (RFC 8794): an id, a length, a body.

/// An element id as it is written: 1 to 4 bytes, its marker bit included.
pub fn id(out: &mut Vec<u8>, id: u32) {
    let skip = id.leading_zeros() as usize / 8;
    out.extend(id.to_be_bytes().into_iter().skip(skip));
}

/// An element; `body` writes what is in it.
pub fn element(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    body(&mut inner);
    id(out, kind);
    length(out, inner.len() as u64);
    out.append(&mut inner);
}

/// An element of elements.
pub fn master(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    element(out, kind, body);
}

pub fn uint(out: &mut Vec<u8>, kind: u32, value: u64) {
    let bytes = (8 - value.leading_zeros() as usize / 8).max(1);
    element(out, kind, |out| out.extend(value.to_be_bytes().into_iter().skip(8 - bytes)));
}

pub fn float(out: &mut Vec<u8>, kind: u32, value: f64) {
    element(out, kind, |out| out.extend(value.to_be_bytes()));
}

pub fn string(out: &mut Vec<u8>, kind: u32, value: &str) {
    element(out, kind, |out| out.extend(value.as_bytes()));
}

/// A Void element (section 11.3.2) of `bytes` in all: 2..=128.
pub fn void(out: &mut Vec<u8>, bytes: usize) {
    element(out, 0xec, |out| out.resize(bytes - 2, 0));
}

/// The shortest length (section 4); all ones means "unknown" and is never the shortest.
fn length(out: &mut Vec<u8>, value: u64) {
    let bytes = (1..8).find(|&n| value < (1 << (7 * n)) - 1).unwrap_or(8);
    let marked = value | 1 << (7 * bytes);
    out.extend(marked.to_be_bytes().into_iter().skip(8 - bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn lengths_take_as_few_bytes_as_they_need() {
        assert_eq!(written(|out| length(out, 126)), [0xfe]);
        assert_eq!(written(|out| length(out, 127)), [0x40, 0x7f]);
        assert_eq!(written(|out| length(out, 16_382)), [0x7f, 0xfe]);
        assert_eq!(written(|out| length(out, 16_383)), [0x20, 0x3f, 0xff]);
        assert_eq!(written(|out| length(out, 1 << 50)), [0x01, 0x04, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn elements_read_as_in_the_standard() {
        assert_eq!(written(|out| uint(out, 0x4286, 1)), [0x42, 0x86, 0x81, 1]);
        assert_eq!(written(|out| uint(out, 0xd7, 0)), [0xd7, 0x81, 0]);
        assert_eq!(written(|out| uint(out, 0x2ad7b1, 1_000_000)), [0x2a, 0xd7, 0xb1, 0x83, 0x0f, 0x42, 0x40]);
        assert_eq!(written(|out| void(out, 5)), [0xec, 0x83, 0, 0, 0]);
        assert_eq!(written(|out| string(out, 0x4282, "webm")), *b"\x42\x82\x84webm");
    }
}
