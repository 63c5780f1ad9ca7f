//! Deterministic randomness and damaged inputs for tests.

/// A xorshift generator: the same seed gives the same run everywhere.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// 0..bound, 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((self.next() >> 16) as usize).checked_rem(bound).unwrap_or(0)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 24) as u8).collect()
    }
}

/// Call `check` with `rounds` damaged copies of the seeds (times the environment's DAMAGE, for long proofs), and with noise
/// of all lengths up to 64.
pub fn damaged(seeds: &[Vec<u8>], rounds: usize, mut check: impl FnMut(&[u8])) {
    let rounds = rounds * std::env::var("DAMAGE").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let mut noise = Noise::new(seeds.len() as u64 + 7);
    for len in 0..64 {
        check(&noise.bytes(len));
    }
    for _ in 0..rounds {
        let mut bytes = seeds[noise.below(seeds.len())].clone();
        for _ in 0..=noise.below(4) {
            damage(&mut noise, &mut bytes);
        }
        check(&bytes);
    }
}

fn damage(noise: &mut Noise, bytes: &mut Vec<u8>) {
    const EDGES: [u8; 8] = [0, 1, 0x0f, 0x10, 0x7f, 0x80, 0xfe, 0xff];
    let at = noise.below(bytes.len());
    match noise.below(7) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, noise.next() as u8),
        2 if !bytes.is_empty() => {
            bytes.remove(at);
        }
        3 => {
            let extra = noise.below(40);
            bytes.extend(noise.bytes(extra));
        }
        4 if !bytes.is_empty() => bytes[at] = EDGES[noise.below(EDGES.len())],
        5 if !bytes.is_empty() => bytes[at] ^= 1 << noise.below(8),
        _ if !bytes.is_empty() => bytes[at] = noise.next() as u8,
        _ => {}
    }
}

/// Bytes from hex digits; white space is ignored.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Bytes from binary digits, the last byte filled up with zeros; white space is ignored.
pub fn binary(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let byte = |eight: &[u8]| (0..8).fold(0, |byte, n| byte << 1 | (eight.get(n).unwrap_or(&b'0') - b'0'));
    digits.chunks(8).map(byte).collect()
}

/// One payload that a real encoder made, and what is known of it.
pub struct Recorded {
    pub starts_picture: bool,
    pub starts_key_frame: bool,
    pub size: Option<(u16, u16)>,
    pub payload: Vec<u8>,
}

/// Reads the lines of an `encoded.txt` and a `browser.txt` (tests/support/payloads.py tells their form).
pub fn recorded(encoded: &str, browser: &str) -> Vec<Recorded> {
    let lines = encoded.lines().chain(browser.lines()).map(|line| line.split(' ').collect::<Vec<_>>());
    lines
        .filter(|words| words[0] != "stream")
        .map(|words| {
            let size = words[1].split_once('x').map(|(w, h)| (w.parse().unwrap(), h.parse().unwrap()));
            let starts_key_frame = words[0] == "key";
            let starts_picture = words[0] == "start" || size.is_some();
            Recorded { starts_picture, starts_key_frame, size, payload: hex(words.last().unwrap()) }
        })
        .collect()
}
