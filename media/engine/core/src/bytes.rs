//! Bounded big-endian reading and writing, shared by every wire module.
//!
//! Nothing here panics or grows: reads past the end are `None`, writes past the end are `Full` and write nothing.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// The caller's buffer has no room for what was to be written; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// A cursor over received bytes; every read is checked.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `n` bytes, or None (and nothing consumed) if fewer are left.
    pub fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(n)?;
        self.rest = tail;
        Some(head)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u24(&mut self) -> Option<u32> {
        self.array::<3>().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
}

/// A cursor over a caller's output buffer; every write is checked.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0 }
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.at
    }

    pub fn is_empty(&self) -> bool {
        self.at == 0
    }

    /// Bytes that still fit.
    pub fn room(&self) -> usize {
        self.out.len().saturating_sub(self.at)
    }

    /// What has been written so far.
    pub fn written(&self) -> &[u8] {
        self.out.get(..self.at).unwrap_or(&[])
    }

    /// Forget everything written after `len`.
    pub fn truncate(&mut self, len: usize) {
        self.at = self.at.min(len);
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.at.checked_add(bytes.len()).ok_or(Full)?;
        self.out.get_mut(self.at..end).ok_or(Full)?.copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    /// `n` zero bytes.
    pub fn zeros(&mut self, n: usize) -> Result<(), Full> {
        let end = self.at.checked_add(n).ok_or(Full)?;
        self.out.get_mut(self.at..end).ok_or(Full)?.fill(0);
        self.at = end;
        Ok(())
    }

    pub fn u8(&mut self, v: u8) -> Result<(), Full> {
        self.bytes(&[v])
    }

    pub fn u16(&mut self, v: u16) -> Result<(), Full> {
        self.bytes(&v.to_be_bytes())
    }

    /// The low 24 bits of `v`.
    pub fn u24(&mut self, v: u32) -> Result<(), Full> {
        let [_, a, b, c] = v.to_be_bytes();
        self.bytes(&[a, b, c])
    }

    pub fn u32(&mut self, v: u32) -> Result<(), Full> {
        self.bytes(&v.to_be_bytes())
    }

    pub fn u64(&mut self, v: u64) -> Result<(), Full> {
        self.bytes(&v.to_be_bytes())
    }

    /// Overwrite two bytes that were written earlier.
    pub fn patch_u16(&mut self, at: usize, v: u16) -> Result<(), Full> {
        let end = at.checked_add(2).filter(|&end| end <= self.at).ok_or(Full)?;
        self.out.get_mut(at..end).ok_or(Full)?.copy_from_slice(&v.to_be_bytes());
        Ok(())
    }

    /// Overwrite one byte that was written earlier.
    pub fn patch_u8(&mut self, at: usize, v: u8) -> Result<(), Full> {
        if at >= self.at {
            return Err(Full);
        }
        *self.out.get_mut(at).ok_or(Full)? = v;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::{Full, Reader, Writer};

    #[test]
    fn what_is_written_is_read_back() {
        let mut buf = [0u8; 32];
        let mut w = Writer::new(&mut buf);
        w.u8(1).unwrap();
        w.u16(0x0203).unwrap();
        w.u24(0xff_04_05_06).unwrap();
        w.u32(0x0708_090a).unwrap();
        w.u64(0x0b0c_0d0e_0f10_1112).unwrap();
        w.zeros(2).unwrap();
        w.patch_u16(1, 0xaabb).unwrap();
        let n = w.len();
        assert_eq!((n, w.room()), (20, 12));
        let mut r = Reader::new(&buf[..n]);
        assert_eq!((r.u8(), r.u16(), r.u24(), r.u32()), (Some(1), Some(0xaabb), Some(0x04_05_06), Some(0x0708_090a)));
        assert_eq!((r.u64(), r.take(2), r.u8()), (Some(0x0b0c_0d0e_0f10_1112), Some(&[0u8, 0][..]), None));
    }

    #[test]
    fn a_short_buffer_changes_nothing() {
        let mut buf = [9u8; 3];
        let mut w = Writer::new(&mut buf);
        assert_eq!(w.u32(1), Err(Full));
        assert_eq!(w.zeros(4), Err(Full));
        assert_eq!(w.patch_u16(0, 1), Err(Full));
        assert_eq!(w.patch_u8(0, 1), Err(Full));
        assert_eq!((w.len(), buf), (0, [9, 9, 9]));
        let mut r = Reader::new(&buf);
        assert_eq!((r.u32(), r.take(4), r.take(3)), (None, None, Some(&[9u8, 9, 9][..])));
    }
}
