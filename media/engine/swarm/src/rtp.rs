//! Views of RTP packets (RFC 3550 section 5.1, RFC 8285) and of the payloads a viewer looks into (RFC 7741, RFC 6184). Pure.

/// A parsed header; offsets are into the packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    /// Header, contributing sources and extensions: what is authenticated but not encrypted.
    pub len: usize,
    pub padding: bool,
    /// Where the extensions are and which profile they have.
    extensions: Option<(u16, usize, usize)>,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

impl Header {
    /// None if this is no RTP packet.
    pub fn parse(packet: &[u8]) -> Option<Header> {
        let (first, second) = (*packet.first()?, *packet.get(1)?);
        if first >> 6 != 2 {
            return None;
        }
        let mut len = 12 + 4 * usize::from(first & 0x0f);
        let mut extensions = None;
        if first & 0x10 != 0 {
            let (profile, words) = (u16_at(packet, len)?, usize::from(u16_at(packet, len + 2)?));
            extensions = Some((profile, len + 4, len + 4 + 4 * words));
            len += 4 + 4 * words;
        }
        if packet.len() < len {
            return None;
        }
        Some(Header {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16_at(packet, 2)?,
            timestamp: u32_at(packet, 4)?,
            ssrc: u32_at(packet, 8)?,
            len,
            padding: first & 0x20 != 0,
            extensions,
        })
    }

    /// The value of header extension `id`.
    pub fn extension<'a>(&self, packet: &'a [u8], id: u8) -> Option<&'a [u8]> {
        let (profile, mut at, end) = self.extensions?;
        let two_bytes = match profile {
            0xbede => false,
            p if p >> 4 == 0x100 => true,
            _ => return None,
        };
        while at < end {
            let byte = *packet.get(at)?;
            if byte == 0 {
                at += 1;
                continue;
            }
            let (found, len, head) =
                if two_bytes { (byte, usize::from(*packet.get(at + 1)?), 2) } else { (byte >> 4, usize::from(byte & 15) + 1, 1) };
            if found == 15 && !two_bytes {
                return None;
            }
            if found == id {
                return packet.get(at + head..at + head + len);
            }
            at += head + len;
        }
        None
    }

    /// The decrypted payload without its padding; empty if all of it is padding. None if the padding is malformed.
    pub fn payload<'a>(&self, packet: &'a [u8]) -> Option<&'a [u8]> {
        let payload = packet.get(self.len..)?;
        if !self.padding {
            return Some(payload);
        }
        let padded = usize::from(*payload.last()?);
        if padded == 0 {
            return None;
        }
        payload.get(..payload.len().checked_sub(padded)?)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Vp8,
    H264,
    Opus,
}

/// What a checker needs to know of a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// First packet of a frame, where the codec tells.
    pub start: Option<bool>,
    /// First packet of a key frame.
    pub key: bool,
    /// Picture id and how many bits it has.
    pub picture: Option<(u16, u8)>,
    /// Where the codec's own data begin, which a server leaves alone.
    pub body: usize,
}

/// None if the payload is malformed.
pub fn look(codec: Codec, payload: &[u8]) -> Option<Look> {
    match codec {
        Codec::Vp8 => look_vp8(payload),
        Codec::H264 => look_h264(payload),
        Codec::Opus => (!payload.is_empty()).then(Look::default),
    }
}

/// RFC 7741 section 4.2 and the frame tag of RFC 6386 section 9.1.
fn look_vp8(payload: &[u8]) -> Option<Look> {
    let first = *payload.first()?;
    let (mut at, mut picture) = (1, None);
    if first & 0x80 != 0 {
        let flags = *payload.get(1)?;
        at = 2;
        if flags & 0x80 != 0 {
            let id = *payload.get(at)?;
            if id & 0x80 != 0 {
                picture = Some((u16_at(payload, at)? & 0x7fff, 15));
                at += 2;
            } else {
                picture = Some((u16::from(id), 7));
                at += 1;
            }
        }
        at += usize::from(flags & 0x40 != 0) + usize::from(flags & 0x30 != 0);
    }
    let start = first & 0x10 != 0 && first & 0x07 == 0;
    let tag = *payload.get(at)?;
    Some(Look { start: Some(start), key: start && tag & 1 == 0, picture, body: at })
}

/// A key frame begins with its parameter sets, as browsers send them.
fn look_h264(payload: &[u8]) -> Option<Look> {
    let kind = payload.first()? & 0x1f;
    let key = match kind {
        1..=23 => matches!(kind, 5 | 7),
        24 => matches!(payload.get(3)? & 0x1f, 5 | 7),
        28 => payload.get(1)? & 0x9f == 0x85,
        _ => return None,
    };
    Some(Look { key, ..Look::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, 0x80 | 96, 0, 7, 0, 0, 0, 9, 0, 0, 0, 5];
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn header_extensions_are_found_in_both_forms() {
        let one = packet(0x90, &[0xbe, 0xde, 0, 2, 0x31, 1, 2, 0x50, 9, 0, 0, 0, 0xaa]);
        let header = Header::parse(&one).unwrap();
        assert_eq!((header.sequence, header.timestamp, header.ssrc, header.marker, header.payload_type), (7, 9, 5, true, 96));
        assert_eq!(header.extension(&one, 3), Some(&[1u8, 2][..]));
        assert_eq!(header.extension(&one, 5), Some(&[9u8][..]));
        assert_eq!(header.extension(&one, 4), None);
        assert_eq!(header.payload(&one), Some(&[0xaau8][..]));
        let two = packet(0x90, &[0x10, 0, 0, 1, 3, 2, 1, 2, 0xaa]);
        assert_eq!(Header::parse(&two).unwrap().extension(&two, 3), Some(&[1u8, 2][..]));
    }

    #[test]
    fn padding_is_no_payload() {
        let padded = packet(0xa0, &[1, 2, 0, 0, 3]);
        assert_eq!(Header::parse(&padded).unwrap().payload(&padded), Some(&[1u8, 2][..]));
        let only = packet(0xa0, &[0, 2]);
        assert_eq!(Header::parse(&only).unwrap().payload(&only), Some(&[][..]));
        for wrong in [&[1u8, 3][..], &[0]] {
            let wrong = packet(0xa0, wrong);
            assert_eq!(Header::parse(&wrong).unwrap().payload(&wrong), None);
        }
    }

    #[test]
    fn cut_packets_are_refused_at_every_length() {
        let whole = packet(0x91, &[0, 0, 0, 1, 0xbe, 0xde, 0, 1, 0x12, 1, 2, 3]);
        assert!(Header::parse(&whole).is_some());
        assert!((0..whole.len()).all(|cut| Header::parse(&whole[..cut]).is_none()));
    }

    #[test]
    fn vp8_descriptors_of_every_shape() {
        let short = look(Codec::Vp8, &[0x10, 0x00, 1]).unwrap();
        assert_eq!((short.start, short.key, short.picture, short.body), (Some(true), true, None, 1));
        let long = look(Codec::Vp8, &[0x90, 0xe0, 0x81, 0x02, 4, 0x20, 0x01]).unwrap();
        assert_eq!((long.start, long.key, long.picture, long.body), (Some(true), false, Some((0x102, 15)), 6));
        let middle = look(Codec::Vp8, &[0x80, 0x80, 0x11, 0x00]).unwrap();
        assert_eq!((middle.start, middle.key, middle.picture, middle.body), (Some(false), false, Some((0x11, 7)), 3));
        assert!(look(Codec::Vp8, &[0x90, 0xe0, 0x81, 0x02, 4, 0x20]).is_none());
    }

    #[test]
    fn h264_key_frames_begin_with_parameter_sets() {
        assert!(look(Codec::H264, &[24, 0, 4, 0x67]).unwrap().key);
        assert!(!look(Codec::H264, &[0x61, 0]).unwrap().key);
        assert!(look(Codec::H264, &[28, 0x85]).unwrap().key);
        assert!(!look(Codec::H264, &[28, 0x05]).unwrap().key);
        assert!(look(Codec::H264, &[0x1f]).is_none());
    }
}
