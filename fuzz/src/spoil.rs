//! Spoils good bytes, the same way in every run with the same seed.

/// A small generator (xorshift64*) and the ways in which it spoils.
#[derive(Debug)]
pub struct Spoiler(u64);

impl Spoiler {
    /// A spoiler of this seed; 0 is replaced, as the generator would stay there.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// A number below `limit`; 0 when `limit` is.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(mixed).expect("31 bits") % limit.max(1)
    }

    /// A copy with one to three faults.
    pub fn spoil(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(3) {
            self.fault(&mut bytes);
        }
        bytes
    }

    fn fault(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        let byte = u8::try_from(self.below(256)).expect("a byte");
        match self.below(7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            1 if !bytes.is_empty() => bytes[at] = byte,
            2 => bytes.insert(at, byte),
            3 => bytes.truncate(at),
            4 => bytes.push(byte),
            5 => self.copy_within(bytes, at),
            // A length that promises more than there is.
            _ => bytes.iter_mut().skip(at).take(4).for_each(|it| *it = 0xff),
        }
    }

    /// Something that stands elsewhere as well: a word, a field, a bracket.
    fn copy_within(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let from = self.below(bytes.len());
        let end = bytes.len().min(from + 1 + self.below(40));
        let piece = bytes[from..end].to_vec();
        bytes.splice(at..at, piece);
    }
}
