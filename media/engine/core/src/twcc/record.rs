//! Collecting arrivals and writing feedback (the draft's section 3.1: run length and status vector chunks, receive deltas).

use super::{LARGE, MISSING, SMALL, TICKS_PER_REFERENCE, TICK_US};
use crate::bytes::{Full, Writer};
use crate::rtp::Extended;

/// Arrivals remembered, packets (a power of two); also the most one feedback packet reports on.
pub const REMEMBERED: usize = 1024;

const ONE_BIT: usize = 14;
const TWO_BIT: usize = 7;
/// Longest run a chunk can express.
const MAX_RUN: usize = 0x1fff;
/// Base, count, reference time and feedback count, a partly filled last chunk, padding to 32 bits.
const OVERHEAD: usize = 8 + 2 + 3;

/// Arrival times of one transport, by transport-wide sequence number.
#[derive(Debug, Default)]
pub struct Recorder {
    line: Extended,
    /// First number the next feedback reports on.
    base: u64,
    feedback_count: u8,
    /// Ticks + 1 by `number % REMEMBERED`, 0 = not arrived; allocated with the first arrival.
    arrivals: Vec<u64>,
}

impl Recorder {
    pub fn new() -> Self {
        Self::default()
    }

    /// A packet with this transport-wide number arrived at `now_us` (any steady clock). Duplicates keep the first time; a
    /// number that was already reported lost is reported again; one older than what is remembered is ignored.
    pub fn record(&mut self, sequence: u16, now_us: u64) {
        if self.arrivals.is_empty() {
            self.arrivals.resize(REMEMBERED, 0);
        }
        let before = self.line.highest();
        let number = self.line.update(sequence);
        match before {
            None => self.base = number,
            Some(highest) if number > highest => {
                for skipped in highest.max(number.saturating_sub(REMEMBERED as u64)).saturating_add(1)..number {
                    self.set(skipped, 0);
                }
                self.base = self.base.max(number.saturating_sub(REMEMBERED as u64).saturating_add(1));
            }
            Some(highest) if highest.saturating_sub(number) >= REMEMBERED as u64 || self.get(number) != 0 => return,
            Some(_) => self.base = self.base.min(number),
        }
        self.set(number, (now_us / TICK_US).saturating_add(1));
    }

    /// Is there anything to report?
    pub fn pending(&self) -> bool {
        self.line.highest().is_some_and(|highest| self.base <= highest)
    }

    /// Write the body after the two SSRCs of one feedback packet; what did not fit stays for the next. With `Full`, and
    /// when nothing is pending, nothing changes.
    pub(crate) fn write(&mut self, w: &mut Writer<'_>) -> Result<(), Full> {
        let highest = self.line.highest().filter(|_| self.pending()).ok_or(Full)?;
        let first = (self.base..=highest).map(|number| self.get(number)).find(|ticks| *ticks != 0).ok_or(Full)?;
        let reference = first.saturating_sub(1) / TICKS_PER_REFERENCE;
        let mut symbols = [MISSING; REMEMBERED];
        let len = self.classify(&mut symbols, highest, reference, w.room())?;
        let symbols = symbols.get(..len).ok_or(Full)?;
        let start = w.len();
        let result = self.write_parts(w, symbols, reference);
        if result.is_err() {
            w.truncate(start);
            return result;
        }
        self.feedback_count = self.feedback_count.wrapping_add(1);
        self.base = self.base.saturating_add(len as u64);
        Ok(())
    }

    /// The status of each number from `base`, as many as one packet of `room` bytes can express.
    fn classify(&self, symbols: &mut [u8], highest: u64, reference: u64, room: usize) -> Result<usize, Full> {
        let mut last = reference.saturating_mul(TICKS_PER_REFERENCE).saturating_add(1);
        // Chunks are counted at their worst: seven statuses in two bytes.
        let mut used_sevenths = OVERHEAD.saturating_mul(TWO_BIT);
        let mut len = 0usize;
        for (symbol, number) in symbols.iter_mut().zip(self.base..=highest) {
            let ticks = self.get(number);
            if ticks != 0 {
                match (ticks as i64).saturating_sub(last as i64) {
                    0..=255 => *symbol = SMALL,
                    delta if i16::try_from(delta).is_ok() => *symbol = LARGE,
                    _ => break,
                }
                last = ticks;
            }
            let bytes = usize::from(*symbol);
            used_sevenths = used_sevenths.saturating_add(bytes.saturating_mul(TWO_BIT)).saturating_add(2);
            if used_sevenths > room.saturating_mul(TWO_BIT) {
                break;
            }
            len = len.saturating_add(1);
        }
        if len == 0 {
            Err(Full)
        } else {
            Ok(len)
        }
    }

    fn write_parts(&self, w: &mut Writer<'_>, symbols: &[u8], reference: u64) -> Result<(), Full> {
        w.u16(self.base as u16)?;
        w.u16(symbols.len() as u16)?;
        w.u24(reference as u32)?;
        w.u8(self.feedback_count)?;
        write_chunks(w, symbols)?;
        let mut last = reference.saturating_mul(TICKS_PER_REFERENCE).saturating_add(1);
        for (symbol, number) in symbols.iter().zip(self.base..) {
            let ticks = self.get(number);
            let delta = (ticks as i64).saturating_sub(last as i64);
            match *symbol {
                SMALL => w.u8(delta as u8)?,
                LARGE => w.u16(delta as u16)?,
                _ => continue,
            }
            last = ticks;
        }
        Ok(())
    }

    fn get(&self, number: u64) -> u64 {
        self.arrivals.get(place(number)).copied().unwrap_or(0)
    }

    fn set(&mut self, number: u64, ticks: u64) {
        if let Some(slot) = self.arrivals.get_mut(place(number)) {
            *slot = ticks;
        }
    }
}

fn place(number: u64) -> usize {
    number as usize & REMEMBERED.saturating_sub(1)
}

fn write_chunks(w: &mut Writer<'_>, mut symbols: &[u8]) -> Result<(), Full> {
    while let Some(&symbol) = symbols.first() {
        let run = symbols.iter().take(MAX_RUN).take_while(|s| **s == symbol).count();
        let next = symbols.get(..ONE_BIT).unwrap_or(symbols);
        let used = if run >= ONE_BIT || run == symbols.len() {
            w.u16(u16::from(symbol) << 13 | run as u16)?;
            run
        } else if next.iter().all(|s| *s != LARGE) {
            w.u16(0x8000 | pack(next, 1, ONE_BIT))?;
            next.len()
        } else if run >= TWO_BIT {
            w.u16(u16::from(symbol) << 13 | run as u16)?;
            run
        } else {
            let next = symbols.get(..TWO_BIT).unwrap_or(symbols);
            w.u16(0xc000 | pack(next, 2, TWO_BIT))?;
            next.len()
        };
        symbols = symbols.get(used..).unwrap_or(&[]);
    }
    Ok(())
}

/// Symbols of `width` bits packed from the left of a field of `places` places.
fn pack(symbols: &[u8], width: u32, places: usize) -> u16 {
    let padded = symbols.iter().copied().chain(std::iter::repeat(MISSING)).take(places);
    padded.fold(0, |word: u16, symbol| word.wrapping_shl(width) | u16::from(symbol))
}
