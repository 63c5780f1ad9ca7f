//! H.264 (RFC 6184): single NAL units, STAP-A and FU-A, the packetisation modes 0 and 1; the others break their access unit.
//!
//! Parameter sets leave the access units and become the configuration (ISO/IEC 14496-15 section 5.3.3: `avc1`), delimiters and
//! filler go, supplemental information stays. A configuration changes with an instantaneous decoder refresh (IDR) picture
//! only.

use jiangtai_core::bits::Bits;
use jiangtai_core::bytes::Reader;
use jiangtai_core::h264::{dimensions, next_unit};
use jiangtai_core::rtp::Packet;

use super::Broken;
use crate::reorder::{Mark, Ordered};
use crate::unit::{Avc, Config, Unit, MAX_UNIT};

const SLICE: u8 = 1;
const IDR: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Longest parameter set taken, bytes.
pub const MAX_PARAMETER_SET: usize = 512;
/// Picture parameter sets of one configuration.
const MAX_PPS: usize = 8;

#[derive(Debug, Default)]
pub struct H264 {
    unit: Option<Partial>,
    /// Pictures up to now hang together; false at first and after a loss, until an IDR picture.
    whole: bool,
    /// The parameter sets heard last.
    heard: Avc,
    /// What the units that left are decoded with.
    told: Option<Avc>,
    pub broken: Broken,
}

/// An access unit that is being put together.
#[derive(Debug)]
struct Partial {
    mark: Mark,
    idr: bool,
    data: Vec<u8>,
    /// Where the length of the NAL unit is that is being put together from fragments.
    fragment: Option<usize>,
}

impl H264 {
    pub fn push(&mut self, ordered: Ordered<'_>, packet: &Packet<'_>, out: &mut impl FnMut(Unit)) {
        let payload = packet.payload();
        if ordered.after_loss {
            self.spoil();
        }
        if payload.is_empty() {
            return;
        }
        if self.unit.as_ref().is_some_and(|unit| unit.mark != ordered.mark) {
            // Not all senders set the marker; without a loss a new timestamp ends the unit as well.
            self.finish(out);
        }
        if self.unit.is_none() {
            // After a loss only what surely begins an access unit does.
            if !self.whole && !begins_picture(payload) {
                return;
            }
            self.unit = Some(Partial { mark: ordered.mark, idr: false, data: Vec::new(), fragment: None });
        }
        if self.take(payload).is_none() {
            return self.spoil();
        }
        if packet.marker() {
            self.finish(out);
        }
    }

    pub fn end(&mut self) {
        if self.unit.is_some() {
            self.spoil();
        }
    }

    fn spoil(&mut self) {
        self.broken.units = self.broken.units.saturating_add(u64::from(self.unit.take().is_some()));
        self.whole = false;
    }

    /// Adds a payload to the unit; None if it is malformed or of a kind that is not taken.
    fn take(&mut self, payload: &[u8]) -> Option<()> {
        let kind = payload.first()? & 0x1f;
        if kind != FU_A && self.unit.as_ref()?.fragment.is_some() {
            return None;
        }
        match kind {
            STAP_A => {
                let mut reader = Reader::new(payload.get(1..)?);
                while !reader.is_empty() {
                    self.nal(next_unit(&mut reader)?)?;
                }
                Some(())
            }
            FU_A => self.fragment(payload),
            1..=23 => self.nal(payload),
            _ => None,
        }
    }

    /// A whole NAL unit.
    fn nal(&mut self, nal: &[u8]) -> Option<()> {
        match nal.first()? & 0x1f {
            SPS => self.sequence_parameters(nal),
            PPS => self.picture_parameters(nal),
            kind @ SLICE..=SEI => {
                let unit = self.unit.as_mut()?;
                unit.idr |= kind == IDR;
                let len = u32::try_from(nal.len()).ok()?;
                extend(&mut unit.data, &[&len.to_be_bytes(), nal])
            }
            _ => Some(()),
        }
    }

    /// Section 5.8: the first fragment brings the NAL unit's type, all bring its bytes.
    fn fragment(&mut self, payload: &[u8]) -> Option<()> {
        let (&[indicator, header], body) = payload.split_first_chunk::<2>()?;
        let unit = self.unit.as_mut()?;
        let kind = header & 0x1f;
        let (start, end) = (header & 0x80 != 0, header & 0x40 != 0);
        if start == unit.fragment.is_some() || !(1..=23).contains(&kind) {
            return None;
        }
        if start {
            unit.fragment = Some(unit.data.len());
            extend(&mut unit.data, &[&[0; 4], &[indicator & 0xe0 | kind]])?;
        }
        extend(&mut unit.data, &[body])?;
        if !end {
            return Some(());
        }
        let at = unit.fragment.take()?;
        let begin = at.checked_add(4)?;
        if matches!(kind, SLICE..=SEI) {
            let len = u32::try_from(unit.data.len().checked_sub(begin)?).ok()?;
            unit.data.get_mut(at..begin)?.copy_from_slice(&len.to_be_bytes());
            unit.idr |= kind == IDR;
            return Some(());
        }
        // A parameter set in fragments, or something that goes: out of the unit again.
        let nal = unit.data.split_off(begin);
        unit.data.truncate(at);
        self.nal(&nal)
    }

    fn sequence_parameters(&mut self, nal: &[u8]) -> Option<()> {
        if nal.len() < 4 || nal.len() > MAX_PARAMETER_SET {
            return None;
        }
        let (width, height) = dimensions(nal)?;
        if self.heard.sps != nal {
            // Picture parameter sets of another sequence parameter set mean nothing any more; they follow.
            self.heard = Avc { sps: nal.to_vec(), pps: Vec::new(), width, height };
        }
        Some(())
    }

    fn picture_parameters(&mut self, nal: &[u8]) -> Option<()> {
        let id = picture_parameter_set_id(nal).filter(|_| nal.len() <= MAX_PARAMETER_SET)?;
        let sets = &mut self.heard.pps;
        if let Some(set) = sets.iter_mut().find(|set| picture_parameter_set_id(set) == Some(id)) {
            if set != nal {
                *set = nal.to_vec();
            }
            return Some(());
        }
        (sets.len() < MAX_PPS).then(|| sets.push(nal.to_vec()))
    }

    fn finish(&mut self, out: &mut impl FnMut(Unit)) {
        let Some(unit) = self.unit.take() else { return };
        if unit.fragment.is_some() {
            self.broken.units = self.broken.units.saturating_add(1);
            self.whole = false;
            return;
        }
        if unit.data.is_empty() {
            return;
        }
        let changed = self.told.as_ref() != Some(&self.heard);
        if unit.idr {
            self.whole = !self.heard.sps.is_empty() && !self.heard.pps.is_empty();
        } else if changed {
            // New parameter sets without a picture that starts from them.
            self.whole = false;
        }
        if !self.whole {
            self.broken.waiting = self.broken.waiting.saturating_add(1);
            return;
        }
        if changed {
            self.told = Some(self.heard.clone());
        }
        let config = changed.then(|| Config::Avc(self.heard.clone()));
        out(Unit { mark: unit.mark, key: unit.idr, ticks_long: None, data: unit.data, config });
    }
}

/// Adds the parts unless the unit becomes too long.
fn extend(data: &mut Vec<u8>, parts: &[&[u8]]) -> Option<()> {
    for part in parts {
        if data.len().saturating_add(part.len()) > MAX_UNIT {
            return None;
        }
        data.extend_from_slice(part);
    }
    Some(())
}

/// Does this payload surely begin an access unit that a decoder can start from: a delimiter, a sequence parameter set, or the
/// slice of an IDR picture with its first macroblock?
fn begins_picture(payload: &[u8]) -> bool {
    let first = |nal: &[u8]| match nal.first().map(|header| header & 0x1f) {
        Some(SPS | DELIMITER) => true,
        // first_mb_in_slice is the first Exp-Golomb number: a leading 1 is zero.
        Some(IDR) => nal.get(1).is_some_and(|byte| byte & 0x80 != 0),
        _ => false,
    };
    match payload.first().map(|header| header & 0x1f) {
        Some(STAP_A) => payload.get(1..).and_then(|rest| next_unit(&mut Reader::new(rest))).is_some_and(first),
        Some(FU_A) => match payload.get(1) {
            Some(header) if header & 0x80 != 0 => match header & 0x1f {
                SPS => true,
                IDR => payload.get(2).is_some_and(|byte| byte & 0x80 != 0),
                _ => false,
            },
            _ => false,
        },
        _ => first(payload),
    }
}

/// H.264 section 7.3.2.2: the first number of a picture parameter set.
fn picture_parameter_set_id(nal: &[u8]) -> Option<u32> {
    Bits::new(nal.get(1..)?).exp_golomb().filter(|&id| id <= 255)
}
