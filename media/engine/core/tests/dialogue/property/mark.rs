//! What a packet says of itself, whatever its codec.

use jiangtai_core::media::CodecName;

/// What a packet says of itself, behind what its codec wants to have in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub track: u8,
    pub layer: u8,
    pub key: bool,
    pub part: u8,
    pub parts: u8,
    pub picture: u32,
    /// Counts the packets of the layer.
    pub number: u32,
}

pub const MARK: usize = 13;

impl Mark {
    pub fn write(&self, codec: CodecName, wide: bool, len: usize) -> Vec<u8> {
        let (first, last) = (self.part == 0, self.part + 1 == self.parts);
        let flag = |set: bool, mask: u8| if set { mask } else { 0 };
        let mut out = vec![];
        let id = if wide { ((self.picture % 0x8000) as u16 | 0x8000).to_be_bytes().to_vec() } else { vec![self.picture as u8 & 0x7f] };
        match codec {
            CodecName::Vp8 => {
                out.extend([0x80 | flag(first, 0x10), 0xc0]);
                out.extend(id);
                // TL0PICIDX, and of a first packet the frame tag.
                out.extend([self.picture as u8, flag(!self.key || !first, 1)]);
            }
            CodecName::Vp9 => {
                out.push(0xa0 | flag(!self.key, 0x40) | flag(first, 0x08) | flag(last, 0x04));
                out.extend(id);
                out.extend([0, self.picture as u8, if self.key && first { 0x80 } else { 0x84 }]);
            }
            _ if self.key && first => out.extend([0x28 | flag(!last, 0x40), 2, 0x08, 0, 0x30]),
            _ => out.extend([0x10 | flag(!first, 0x80) | flag(!last, 0x40), 0x30]),
        }
        out.extend([self.track, self.layer, u8::from(self.key), self.part, self.parts]);
        out.extend([self.picture.to_be_bytes(), self.number.to_be_bytes()].concat());
        out.resize(out.len().max(len), self.picture as u8);
        out
    }

    /// With the (picture id, TL0PICIDX) that the slot gave it.
    pub fn read(codec: CodecName, payload: &[u8]) -> (Mark, Option<(u16, u8)>) {
        let id = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
        let (at, ids) = match codec {
            CodecName::Vp8 => (6, Some((id(2), payload[4]))),
            CodecName::Vp9 => (6, Some((id(1), payload[4]))),
            _ if payload[0] & 0x08 != 0 => (5, None),
            _ => (2, None),
        };
        let word = |n: usize| u32::from_be_bytes(payload[at + n..at + n + 4].try_into().unwrap());
        let [track, layer, key, part, parts] = payload[at..at + 5].try_into().unwrap();
        let mark = Mark { track, layer, key: key == 1, part, parts, picture: word(5), number: word(9) };
        let fill = &payload[at + MARK..];
        assert!(fill.iter().all(|byte| *byte == mark.picture as u8), "what was sent");
        if let Some((id, _)) = ids {
            assert_eq!(id & 0x8000, 0x8000, "fifteen bits");
        }
        (mark, ids.map(|(id, tl0)| (id & 0x7fff, tl0)))
    }
}
