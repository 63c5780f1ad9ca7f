//! What came of one slot, and whether it can be decoded.

use std::collections::BTreeMap;

use jiangtai_core::media::CodecName;

use super::mark::Mark;
use super::world::Stream;
use crate::client::Received;

/// A packet as the slot put it out, at first or again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Got {
    pub mark: Mark,
    /// Picture id and TL0PICIDX, where the codec has them.
    ids: Option<(u16, u8)>,
    timestamp: u32,
    marker: bool,
}

pub struct Place {
    pub slot: u64,
    pub ssrc: u32,
    pub wanted: Option<u8>,
    pub most: Option<u8>,
    pub highest: u64,
    pub got: BTreeMap<u64, Got>,
}

impl Place {
    pub fn take(&mut self, codec: CodecName, packet: &Received) {
        let payload = match packet.ssrc.wrapping_sub(self.ssrc) {
            0 => &packet.payload[..],
            // Without payload it is a probe.
            1 if packet.payload.len() > 2 => &packet.payload[2..],
            _ => return,
        };
        let sequence = if packet.ssrc == self.ssrc { packet.sequence } else { u16::from_be_bytes([packet.payload[0], packet.payload[1]]) };
        if self.got.is_empty() {
            self.highest = 1 << 20 | u64::from(sequence);
        }
        let number = self.highest.wrapping_add_signed(i64::from(sequence.wrapping_sub(self.highest as u16) as i16));
        self.highest = self.highest.max(number);
        let (mark, ids) = Mark::read(codec, payload);
        let got = Got { mark, ids, timestamp: packet.timestamp, marker: packet.marker };
        assert_eq!(*self.got.entry(number).or_insert(got), got, "the same again");
    }

    /// Whether packets are missing since the last key frame. In the end whatever is missing was lost or late on the way in.
    pub fn judge(&self, streams: &[Stream], end: bool) -> bool {
        let disturbed = |mark: &Mark, from: u32, to: u32| {
            let stream = streams.iter().find(|stream| stream.track == mark.track).unwrap();
            stream.layers[usize::from(mark.layer)].sent[from as usize..to as usize].iter().any(|sent| sent.disturbed)
        };
        let mut broken = false;
        let mut before: Option<(u64, Got)> = None;
        for (number, got) in &self.got {
            let Got { mark, ids, timestamp, marker } = got;
            let begins = mark.key && mark.part == 0;
            assert_eq!(*marker, mark.part + 1 == mark.parts, "{mark:?}");
            let Some((last, old)) = before.replace((*number, *got)) else {
                assert!(begins, "first comes a key frame and not {mark:?}");
                continue;
            };
            let was = old.mark;
            let (step, ticks) = ((number - last) as u32, timestamp.wrapping_sub(old.timestamp) as i32);
            let goes_on = (mark.track, mark.layer) == (was.track, was.layer) && mark.number.wrapping_sub(was.number) == step;
            let pictures = if goes_on { mark.picture - was.picture } else { 1 };
            assert!(goes_on || begins && step == 1, "a change at a key frame only, and without a gap: {was:?} {mark:?} {step}");
            assert!(if pictures == 0 { ticks == 0 } else { ticks > 0 }, "time goes on: {ticks} {was:?} {mark:?}");
            if let (Some((id, tl0)), Some((old_id, old_tl0))) = (ids, old.ids) {
                let by = (id.wrapping_sub(old_id) & 0x7fff, tl0.wrapping_sub(old_tl0));
                assert_eq!(by, (pictures as u16, pictures as u8), "pictures are counted: {was:?} {mark:?}");
            }
            broken = (broken && !begins) || goes_on && step > 1;
            let late = step > 1 && !disturbed(mark, was.number.saturating_sub(8), mark.number);
            assert!(!end || !late, "missing without a reason between {was:?} and {mark:?}");
        }
        broken
    }

    /// A picture that was left unfinished for another source, and that one.
    pub fn unfinished(&self) -> Option<(Mark, Mark)> {
        let marks: Vec<Mark> = self.got.values().map(|got| got.mark).collect();
        marks.windows(2).map(|pair| (pair[0], pair[1])).find(|(was, mark)| mark.part == 0 && was.part + 1 != was.parts)
    }
}
