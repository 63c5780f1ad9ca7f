//! VP8 (RFC 7741): a frame is the payloads of its packets without their descriptors.

use jiangtai_core::rtp::Packet;
use jiangtai_core::vp8::{dimensions, Descriptor};

use super::Broken;
use crate::reorder::{Mark, Ordered};
use crate::unit::{Config, Unit, MAX_UNIT};

#[derive(Debug, Default)]
pub struct Vp8 {
    frame: Option<Frame>,
    /// Frames up to now hang together; false at first and after a loss, until a key frame.
    whole: bool,
    last_picture: Option<(u16, u8)>,
    size: Option<(u16, u16)>,
    pub broken: Broken,
}

#[derive(Debug)]
struct Frame {
    mark: Mark,
    key: bool,
    size: Option<(u16, u16)>,
    picture: Option<(u16, u8)>,
    data: Vec<u8>,
}

impl Vp8 {
    pub fn push(&mut self, ordered: Ordered<'_>, packet: &Packet<'_>, out: &mut impl FnMut(Unit)) {
        let payload = packet.payload();
        let descriptor = Descriptor::parse(payload);
        if ordered.after_loss {
            self.lost(descriptor.filter(Descriptor::starts_frame));
        }
        if payload.is_empty() {
            return;
        }
        let (Some(descriptor), Some(body)) = (descriptor, descriptor.and_then(|d| payload.get(d.len..))) else {
            return self.spoil();
        };
        if self.frame.as_ref().is_some_and(|frame| frame.mark != ordered.mark) || (self.frame.is_some() && descriptor.starts_frame()) {
            // The last packet of the frame before never came.
            self.spoil();
        }
        if descriptor.starts_frame() {
            let key = body.first().is_some_and(|tag| tag & 1 == 0);
            let size = dimensions(payload);
            self.frame = Some(Frame { mark: ordered.mark, key, size, picture: descriptor.picture_id, data: Vec::new() });
        }
        let Some(frame) = &mut self.frame else {
            self.whole = false;
            return;
        };
        if frame.data.len().saturating_add(body.len()) > MAX_UNIT {
            return self.spoil();
        }
        frame.data.extend_from_slice(body);
        if packet.marker() {
            self.finish(out);
        }
    }

    pub fn end(&mut self) {
        if self.frame.is_some() {
            self.spoil();
        }
    }

    /// Packets are missing. Only if a frame has just ended and the next one begins with the next picture number, they were
    /// padding.
    fn lost(&mut self, next: Option<Descriptor>) {
        let follows = self.frame.is_none()
            && next.and_then(|d| d.picture_id).zip(self.last_picture).is_some_and(|((id, width), (last, _))| {
                let mask = if width == 7 { 0x7f } else { 0x7fff };
                id == last.wrapping_add(1) & mask
            });
        if !follows {
            self.spoil();
        }
    }

    fn spoil(&mut self) {
        self.broken.units = self.broken.units.saturating_add(u64::from(self.frame.take().is_some()));
        self.whole = false;
    }

    fn finish(&mut self, out: &mut impl FnMut(Unit)) {
        let Some(frame) = self.frame.take() else { return };
        self.last_picture = frame.picture;
        self.whole |= frame.key && frame.size.is_some_and(|(width, height)| width > 0 && height > 0);
        if !self.whole {
            self.broken.waiting = self.broken.waiting.saturating_add(1);
            return;
        }
        let changed = frame.size.filter(|&size| frame.key && self.size != Some(size));
        self.size = changed.or(self.size);
        let config = changed.map(|(width, height)| Config::Vp8 { width, height });
        out(Unit { mark: frame.mark, key: frame.key, ticks_long: None, data: frame.data, config });
    }
}
