//! The pool of `JSBN`'s `SecureRandom`, filled by a `Math.random` that a clock started, and read through RC4.

use std::ops::Range;

/// The millisecond among `seeds` whose pool, read up to `delay` milliseconds later, gives `secret`.
pub(super) fn search(secret: &[u8], seeds: Range<u64>, delay: u8) -> Option<u64> {
    seeds.into_iter().find(|millis| {
        let filled = filled(*millis);
        (0..=delay).any(|later| gives(filled, millis + u64::from(later), secret))
    })
}

/// The pool after the page was loaded: 128 numbers of 16 bits, and the clock over the first four bytes.
fn filled(millis: u64) -> [u8; POOL_BYTES] {
    let mut random = Random::new(millis);
    let mut pool = [0; POOL_BYTES];
    for pair in pool.chunks_exact_mut(2) {
        pair.copy_from_slice(&random.sixteen_bits().to_be_bytes());
    }
    with_clock(&mut pool, 0, millis);
    pool
}

/// The clock once more when the first byte is asked for, then the whole pool is RC4's key.
fn gives(mut pool: [u8; POOL_BYTES], millis: u64, secret: &[u8]) -> bool {
    with_clock(&mut pool, 4, millis);
    let mut cipher = Rc4::new(&pool);
    secret.iter().all(|byte| cipher.byte() == *byte)
}

fn with_clock(pool: &mut [u8; POOL_BYTES], at: usize, millis: u64) {
    for (byte, of_clock) in pool.iter_mut().skip(at).zip((millis as u32).to_le_bytes()) {
        *byte ^= of_clock;
    }
}

/// SpiderMonkey's `Math.random` until 2015: the congruence of Java, started from the clock.
struct Random(u64);

impl Random {
    fn new(millis: u64) -> Self {
        Self((millis ^ MULTIPLIER) & MASK)
    }

    fn next(&mut self) -> u64 {
        self.0 = (self.0.wrapping_mul(MULTIPLIER) + 0xb) & MASK;
        self.0
    }

    /// `Math.floor(65536 * Math.random())`: a number has 26 bits of one step above 27 of the next.
    fn sixteen_bits(&mut self) -> u16 {
        let high = self.next() >> 32;
        self.next();
        high as u16
    }
}

struct Rc4 {
    state: [u8; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    fn new(key: &[u8; POOL_BYTES]) -> Self {
        let mut cipher = Self { state: std::array::from_fn(|at| at as u8), i: 0, j: 0 };
        let mut j = 0_u8;
        for (i, byte) in (0..=255_u8).zip(key) {
            j = j.wrapping_add(cipher.at(i)).wrapping_add(*byte);
            cipher.swap(i, j);
        }
        cipher
    }

    fn byte(&mut self) -> u8 {
        self.i = self.i.wrapping_add(1);
        self.j = self.j.wrapping_add(self.at(self.i));
        self.swap(self.i, self.j);
        self.at(self.at(self.i).wrapping_add(self.at(self.j)))
    }

    fn at(&self, place: u8) -> u8 {
        self.state.get(usize::from(place)).copied().unwrap_or_default()
    }

    fn swap(&mut self, one: u8, other: u8) {
        self.state.swap(usize::from(one), usize::from(other));
    }
}

const POOL_BYTES: usize = 256;
const MULTIPLIER: u64 = 0x5_deec_e66d;
const MASK: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6229 with its key of 256 bits, which key schedules repeat up to 256 bytes.
    #[test]
    fn the_cipher_is_that_of_rfc_6229() {
        let key: [u8; POOL_BYTES] = std::array::from_fn(|at| (at % 32) as u8 + 1);
        let mut cipher = Rc4::new(&key);
        let stream: Vec<u8> = (0..16).map(|_| cipher.byte()).collect();
        assert_eq!(const_hex::encode(stream), "eaa6bd25880bf93d3f5d1e4ca2611d91");
    }
}
