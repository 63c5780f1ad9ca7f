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
    /// The last number that waits to be told of.
    pub fn newest(&self) -> u64 {
        self.waiting.last().map_or(0, |waiting| waiting.0)
    }

    pub fn add(&mut self, sequence: u16, us: u64) {
        let expected = self.waiting.last().map(|w| w.0 + 1).or(self.next).unwrap_or(1 << 20 | u64::from(sequence));
        let number = expected.wrapping_add_signed(i64::from(sequence.wrapping_sub(expected as u16) as i16));
        // A packet from before the last feedback was told as missing; it stays so.
        if self.next.is_some_and(|next| number < next) {
            return;
        }
        if self.waiting.last().is_none_or(|last| last.0 < number) {
            return self.waiting.push((number, us));
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
        let (mut symbols, mut deltas) = (vec![0u8; (end - base) as usize], Vec::<u8>::new());
        let mut clock = reference * (REFERENCE_US / TICK_US);
        for (number, us) in list {
            let delta = (us / TICK_US) as i64 - clock as i64;
            let symbol = if (0..256).contains(&delta) { 1 } else { 2 };
            let delta = delta.clamp(i16::MIN.into(), i16::MAX.into());
            symbols[(number - base) as usize] = symbol;
            deltas.extend_from_slice(&(delta as i16).to_be_bytes()[usize::from(symbol == 1)..]);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// (type, count or format, body) of each packet.
    fn packets(compound: &[u8]) -> Vec<(u8, u8, Vec<u8>)> {
        let (mut rest, mut found) = (compound, Vec::new());
        while !rest.is_empty() {
            let len = 4 * (usize::from(u16::from_be_bytes([rest[2], rest[3]])) + 1);
            found.push((rest[1], rest[0] & 31, rest[4..len].to_vec()));
            rest = &rest[len..];
        }
        found
    }

    /// Number to arrival in microseconds, of those that arrived.
    fn read_feedback(body: &[u8]) -> (u16, Vec<Option<u64>>) {
        let word = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
        let (base, count) = (word(8), usize::from(word(10)));
        let mut clock = (u64::from(u32_at(body, 12).unwrap()) >> 8) * REFERENCE_US;
        let (mut at, mut symbols) = (16, Vec::new());
        while symbols.len() < count {
            let chunk = word(at);
            at += 2;
            if chunk >> 15 == 0 {
                symbols.extend(std::iter::repeat_n(chunk >> 13, usize::from(chunk & 0x1fff)));
            } else {
                assert_eq!(chunk >> 14, 3, "two-bit symbols");
                symbols.extend((0..7).map(|i| chunk >> (12 - 2 * i) & 3));
            }
        }
        symbols.truncate(count);
        let arrivals = symbols.into_iter().map(|symbol| {
            let delta = match symbol {
                0 => return None,
                1 => i64::from(body[at]),
                _ => i64::from(word(at) as i16),
            };
            at += usize::from(symbol);
            clock = clock.checked_add_signed(delta * TICK_US as i64).unwrap();
            Some(clock)
        });
        (base, arrivals.collect())
    }

    #[test]
    fn a_report_is_whole_and_names_us() {
        let mut out = Vec::new();
        let block = Block { ssrc: 9, fraction_lost: 128, lost: 3, highest: 0x1_0005, jitter: 7, last_report: 8, delay: 9 };
        write_report(&mut out, 5, &[block]);
        let found = packets(&out);
        assert_eq!((found[0].0, found[0].1, found[0].2.len()), (201, 1, 28));
        assert_eq!(found[0].2[4..16], [0, 0, 0, 9, 128, 0, 0, 3, 0, 1, 0, 5]);
        assert_eq!((found[1].0, &found[1].2[4..11]), (202, &b"\x01\x05swarm"[..]));
    }

    #[test]
    fn what_is_missing_is_asked_for_in_as_few_words_as_possible() {
        let mut out = Vec::new();
        write_nack(&mut out, 5, 9, &[65_534, 65_535, 1, 14, 15, 40]);
        let words: Vec<(u16, u16)> =
            packets(&out)[0].2[8..].chunks(4).map(|c| (u16::from_be_bytes([c[0], c[1]]), u16::from_be_bytes([c[2], c[3]]))).collect();
        assert_eq!(words, [(65_534, 1 | 1 << 2 | 1 << 15), (15, 0), (40, 0)]);
        let mut out = Vec::new();
        write_pli(&mut out, 5, 9);
        assert_eq!(packets(&out), [(206, 1, vec![0, 0, 0, 5, 0, 0, 0, 9])]);
    }

    #[test]
    fn arrivals_read_back_as_they_came() {
        let mut arrivals = Arrivals::default();
        let mut out = Vec::new();
        assert!(!arrivals.write(&mut out, 5, 9));
        // A gap, a long one in time, one out of order, across the wrap.
        let came: Vec<(u16, u64)> =
            [(65_530, 10_000_000), (65_531, 10_000_250), (65_534, 10_200_000), (65_533, 10_201_000), (2, 10_201_250)].into();
        came.iter().for_each(|(n, us)| arrivals.add(*n, *us));
        assert!(arrivals.write(&mut out, 5, 9));
        let (base, read) = read_feedback(&packets(&out)[0].2);
        assert_eq!((base, read.len()), (65_530, 9));
        for (n, us) in came {
            let found = read[usize::from(n.wrapping_sub(base))].unwrap();
            assert!(found.abs_diff(us) < 500, "{n}: {found} for {us}");
        }
        assert_eq!(read.iter().flatten().count(), 5);
    }

    #[test]
    fn what_was_told_is_not_told_again_and_losses_between_are() {
        let mut arrivals = Arrivals::default();
        (100..400).for_each(|n| arrivals.add(n, 1_000_000 + u64::from(n) * 1000));
        let mut out = Vec::new();
        arrivals.write(&mut out, 5, 9);
        let (base, read) = read_feedback(&packets(&out)[0].2);
        assert_eq!((base, read.len(), read.iter().flatten().count()), (100, 300, 300));
        arrivals.add(399, 2_000_000);
        arrivals.add(402, 2_000_000);
        let mut out = Vec::new();
        assert!(arrivals.write(&mut out, 5, 9));
        let (base, read) = read_feedback(&packets(&out)[0].2);
        assert_eq!((base, read.iter().map(Option::is_some).collect::<Vec<_>>()), (400, vec![false, false, true]));
        assert!(!arrivals.write(&mut out, 5, 9));
    }

    #[test]
    fn sender_reports_are_found_among_others_and_cut_ones_ignored() {
        let mut compound = Vec::new();
        write_pli(&mut compound, 1, 2);
        compound.extend([0x80, 200, 0, 6, 0, 0, 0, 9, 0xaa, 0xbb, 0x12, 0x34, 0x56, 0x78, 0xcc, 0xdd]);
        compound.extend([0; 12]);
        let report = SenderReport { ssrc: 9, middle: 0x1234_5678 };
        assert_eq!(sender_reports(&compound), [report]);
        assert!((0..compound.len()).all(|cut| sender_reports(&compound[..cut]).is_empty()));
    }
}
