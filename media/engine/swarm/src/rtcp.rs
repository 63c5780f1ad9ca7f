//! The RTCP a viewer reads and writes itself (RFC 3550 section 6.4, RFC 4585 section 6, transport-wide congestion control feedback). Pure.

use crate::rtp::u32_at;

/// A sender report: its source and the middle of its NTP time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SenderReport {
    pub ssrc: u32,
    pub middle: u32,
}

/// The sender reports of an opened compound; what is malformed ends it.
pub fn sender_reports(mut compound: &[u8]) -> Vec<SenderReport> {
    let mut found = Vec::new();
    while let [_, kind, high, low, ..] = compound {
        let len = 4 * (usize::from(u16::from_be_bytes([*high, *low])) + 1);
        let Some(packet) = compound.get(..len) else { break };
        if let (200, Some(ssrc), Some(seconds), Some(fraction)) = (*kind, u32_at(packet, 4), u32_at(packet, 8), u32_at(packet, 12)) {
            found.push(SenderReport { ssrc, middle: seconds << 16 | fraction >> 16 });
        }
        compound = &compound[len..];
    }
    found
}

/// What a receiver report says of one source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Block {
    pub ssrc: u32,
    /// Of 256, since the last report.
    pub fraction_lost: u8,
    pub lost: u32,
    pub highest: u32,
    pub jitter: u32,
    pub last_report: u32,
    /// 1/65536 s since then.
    pub delay: u32,
}

fn head(out: &mut Vec<u8>, count: u8, kind: u8) -> usize {
    let at = out.len();
    out.extend([0x80 | count, kind, 0, 0]);
    at
}

/// Fills in the length of the packet that began at `at`.
fn close(out: &mut Vec<u8>, at: usize) {
    out.resize(out.len().next_multiple_of(4), 0);
    let words = ((out.len() - at) / 4 - 1) as u16;
    out[at + 2..at + 4].copy_from_slice(&words.to_be_bytes());
}

/// A receiver report of at most 31 blocks and the CNAME that must go with it.
pub fn write_report(out: &mut Vec<u8>, sender: u32, blocks: &[Block]) {
    let at = head(out, blocks.len().min(31) as u8, 201);
    out.extend(sender.to_be_bytes());
    for block in blocks.iter().take(31) {
        out.extend(block.ssrc.to_be_bytes());
        out.extend((u32::from(block.fraction_lost) << 24 | block.lost.min(0x7f_ffff)).to_be_bytes());
        for word in [block.highest, block.jitter, block.last_report, block.delay] {
            out.extend(word.to_be_bytes());
        }
    }
    close(out, at);
    let at = head(out, 1, 202);
    out.extend(sender.to_be_bytes());
    out.extend([1, 5]);
    out.extend(b"swarm\0");
    close(out, at);
}

/// Picture loss indication.
pub fn write_pli(out: &mut Vec<u8>, sender: u32, media: u32) {
    let at = head(out, 1, 206);
    out.extend(sender.to_be_bytes());
    out.extend(media.to_be_bytes());
    close(out, at);
}

/// Generic NACK for ascending sequence numbers.
pub fn write_nack(out: &mut Vec<u8>, sender: u32, media: u32, missing: &[u16]) {
    let at = head(out, 1, 205);
    out.extend(sender.to_be_bytes());
    out.extend(media.to_be_bytes());
    let mut rest = missing;
    while let [first, tail @ ..] = rest {
        let followers = tail.iter().take_while(|n| (1..=16).contains(&n.wrapping_sub(*first))).count();
        let mask = tail[..followers].iter().fold(0u16, |mask, n| mask | 1 << (n.wrapping_sub(*first) - 1));
        out.extend(first.to_be_bytes());
        out.extend(mask.to_be_bytes());
        rest = &tail[followers..];
    }
    close(out, at);
}

/// Arrivals by transport-wide sequence number, told every now and then.
#[derive(Default)]
pub struct Arrivals {
    /// (number, microseconds), ascending, none twice
    waiting: Vec<(u64, u64)>,
    /// The next number that has not been told of.
    next: Option<u64>,
    told: u8,
}

/// Numbers told of in one packet.
const MOST_TOLD: u64 = 1000;
const TICK_US: u64 = 250;
const REFERENCE_US: u64 = 64_000;

impl Arrivals {
    pub fn add(&mut self, sequence: u16, us: u64) {
        let expected = self.waiting.last().map(|w| w.0 + 1).or(self.next).unwrap_or(1 << 20 | u64::from(sequence));
        let number = expected.wrapping_add_signed(i64::from(sequence.wrapping_sub(expected as u16) as i16));
        // A packet from before the last feedback was told as missing; it stays so.
        if self.next.is_some_and(|next| number < next) {
            return;
        }
        match self.waiting.binary_search_by_key(&number, |w| w.0) {
            Ok(_) => {}
            Err(at) => self.waiting.insert(at, (number, us)),
        }
    }

    /// Writes feedback on what came since the last; false if nothing did.
    pub fn write(&mut self, out: &mut Vec<u8>, sender: u32, media: u32) -> bool {
        let Some(&(first, _)) = self.waiting.first() else { return false };
        let base = self.next.unwrap_or(first).max(first.saturating_sub(MOST_TOLD / 2));
        let told = self.waiting.partition_point(|w| w.0 < base + MOST_TOLD);
        let (list, end) = (&self.waiting[..told], self.waiting[told - 1].0 + 1);
        let reference = list.iter().map(|w| w.1).min().unwrap_or(0) / REFERENCE_US;
        let (mut symbols, mut deltas) = (vec![0u8; (end - base) as usize], Vec::new());
        let mut clock = reference * (REFERENCE_US / TICK_US);
        for (number, us) in list {
            let delta = (us / TICK_US) as i64 - clock as i64;
            let symbol = if (0..256).contains(&delta) { 1 } else { 2 };
            let delta = delta.clamp(i16::MIN.into(), i16::MAX.into());
            symbols[(number - base) as usize] = symbol;
            deltas.extend(&(delta as i16).to_be_bytes()[usize::from(symbol == 1)..]);
            clock = clock.saturating_add_signed(delta);
        }
        let at = head(out, 15, 205);
        out.extend(sender.to_be_bytes());
        out.extend(media.to_be_bytes());
        out.extend((base as u16).to_be_bytes());
        out.extend((symbols.len() as u16).to_be_bytes());
        out.extend(((reference as u32) << 8 | u32::from(self.told)).to_be_bytes());
        write_symbols(out, &symbols);
        out.extend(deltas);
        // Padding is declared in its last byte.
        let odd = (4 - (out.len() - at) % 4) % 4;
        if odd > 0 {
            out[at] |= 0x20;
            out.resize(out.len() + odd - 1, 0);
            out.push(odd as u8);
        }
        close(out, at);
        self.told = self.told.wrapping_add(1);
        self.waiting.drain(..told);
        self.next = Some(end);
        true
    }
}

/// Runs of eight and more as run-length chunks, else seven symbols of two bits a chunk.
fn write_symbols(out: &mut Vec<u8>, symbols: &[u8]) {
    let mut rest = symbols;
    while let [first, ..] = rest {
        let run = rest.iter().take_while(|s| *s == first).count();
        let taken = if run >= 8 {
            out.extend((u16::from(*first) << 13 | run.min(8191) as u16).to_be_bytes());
            run.min(8191)
        } else {
            let chunk = (0..7).fold(3u16 << 14, |chunk, i| chunk | u16::from(rest.get(i).copied().unwrap_or(0)) << (12 - 2 * i));
            out.extend(chunk.to_be_bytes());
            rest.len().min(7)
        };
        rest = &rest[taken..];
    }
}
