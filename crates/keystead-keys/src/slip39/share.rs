//! One share: its fields, and the words that they are written as.

use keystead_base::Secret;

use super::Slip39Error;
use super::field::Point;
use super::words::{self, CHECKSUM_WORDS, LONGEST_WORD, ten_bits};

/// What all shares of one set have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) identifier: u16,
    pub(super) extendable: bool,
    pub(super) exponent: u8,
    pub(super) group_threshold: u8,
    pub(super) group_count: u8,
}

/// One share of a secret; it says nothing of the secret, and is wiped.
pub struct Slip39Share {
    head: Head,
    group: u8,
    member: u8,
    threshold: u8,
    pub(super) value: Secret<Vec<u8>>,
}

impl Slip39Share {
    pub(super) fn new(head: Head, group: u8, member: u8, threshold: u8, value: Secret<Vec<u8>>) -> Self {
        Self { head, group, member, threshold, value }
    }

    /// The same with another threshold in its words: a lie, and their checksum holds.
    #[cfg(test)]
    pub(crate) fn saying(&self, threshold: u8) -> Self {
        Self::new(self.head, self.group, self.member, threshold, self.point().value)
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// The number that all shares of one set have, below 2^15.
    #[must_use]
    pub fn identifier(&self) -> u16 {
        self.head.identifier
    }

    /// Its group, from 0.
    #[must_use]
    pub fn group(&self) -> u8 {
        self.group
    }

    /// Its place in the group, from 0.
    #[must_use]
    pub fn member(&self) -> u8 {
        self.member
    }

    /// How many groups there are, and how many of them it takes.
    #[must_use]
    pub fn groups(&self) -> (u8, u8) {
        (self.head.group_count, self.head.group_threshold)
    }

    /// How many of its group it takes.
    #[must_use]
    pub fn threshold(&self) -> u8 {
        self.threshold
    }

    pub(super) fn point(&self) -> Point {
        Point { at: self.member, value: Secret::new(self.value.expose().clone()) }
    }

    /// Its words, joined by single spaces.
    #[must_use]
    pub fn words(&self) -> Secret<String> {
        let mut values = Secret::new(Vec::with_capacity(MAX_WORDS));
        values.expose_mut().extend(self.prefix());
        packed(self.value.expose(), values.expose_mut());
        let sum = words::checksum(self.head.extendable, values.expose());
        values.expose_mut().extend(sum);
        // Reserved at once, so that no half-written copy stays behind in a buffer that grew.
        let mut text = Secret::new(String::with_capacity(MAX_WORDS * (LONGEST_WORD + 1)));
        for value in values.expose() {
            write_word(text.expose_mut(), &words::word(*value));
        }
        text
    }

    /// Reads words as a person wrote them down: any white space between them, any letter case, and of each word all of it or its
    /// first four letters.
    ///
    /// # Errors
    ///
    /// [`Slip39Error`] says which word, or that the checksum is wrong.
    pub fn from_words(text: &str) -> Result<Self, Slip39Error> {
        let mut values = Secret::new(Vec::with_capacity(MAX_WORDS));
        for (at, word) in text.split_whitespace().enumerate().take(MAX_WORDS) {
            let index = words::index(word).ok_or(Slip39Error::Word { position: at + 1 })?;
            values.expose_mut().push(index);
        }
        let found = text.split_whitespace().count();
        let bytes = LENGTHS.iter().find(|(count, _)| *count == found).map(|it| it.1);
        let bytes = bytes.ok_or(Slip39Error::WordCount { found })?;
        Self::from_values(values.expose(), bytes)
    }

    fn from_values(values: &[u16], bytes: usize) -> Result<Self, Slip39Error> {
        let (prefix, rest) = values.split_first_chunk::<PREFIX_WORDS>().ok_or(Slip39Error::Checksum)?;
        let packed = prefix.iter().fold(0_u64, |bits, value| (bits << 10) | u64::from(*value));
        let field = |shift: u32, bits: u32| {
            let value = (packed >> shift) & ((1 << bits) - 1);
            u16::try_from(value).unwrap_or_default()
        };
        let nibble = |shift| u8::try_from(field(shift, 4)).unwrap_or_default();
        let extendable = field(24, 1) == 1;
        if !words::holds(extendable, values) {
            return Err(Slip39Error::Checksum);
        }
        let head = Head {
            identifier: field(25, 15),
            extendable,
            exponent: nibble(20),
            group_threshold: nibble(12) + 1,
            group_count: nibble(8) + 1,
        };
        let (body, _) = rest.split_at(rest.len() - CHECKSUM_WORDS);
        let value = unpacked(body, bytes).ok_or(Slip39Error::Fields)?;
        let group = nibble(16);
        if head.group_threshold > head.group_count || group >= head.group_count {
            return Err(Slip39Error::Fields);
        }
        Ok(Self::new(head, group, nibble(4), nibble(0) + 1, value))
    }

    /// 40 bits before the value.
    fn prefix(&self) -> [u16; PREFIX_WORDS] {
        let head = &self.head;
        let mut bits = u64::from(head.identifier);
        bits = (bits << 1) | u64::from(head.extendable);
        let nibbles = [
            head.exponent,
            self.group,
            head.group_threshold - 1,
            head.group_count - 1,
            self.member,
            self.threshold - 1,
        ];
        bits = nibbles.iter().fold(bits, |bits, it| (bits << 4) | u64::from(*it));
        [30, 20, 10, 0].map(|shift| u16::try_from((bits >> shift) & 1023).unwrap_or_default())
    }
}

/// How long a text is shows how long its words are: the one thing that depends on them here, and so a function of its own
/// (`cargo xtask constant-time`).
#[inline(never)]
fn write_word(text: &mut String, word: &Secret<[u8; LONGEST_WORD]>) {
    if !text.is_empty() {
        text.push(' ');
    }
    let word = word.expose();
    let letters = word.iter().filter(|it| **it != 0);
    letters.for_each(|it| text.push(char::from(*it)));
}

/// Ten bits a word; the first one begins with zeros.
fn packed(bytes: &[u8], values: &mut Vec<u16>) {
    let padding = (10 - bytes.len() * 8 % 10) % 10;
    let (mut kept, mut bits) = (0_u32, padding);
    for byte in bytes {
        kept = (kept << 8) | u32::from(*byte);
        bits += 8;
        if bits >= 10 {
            bits -= 10;
            values.push(ten_bits(kept >> bits));
            kept &= (1 << bits) - 1;
        }
    }
}

/// None where the padding is not zero.
fn unpacked(values: &[u16], bytes: usize) -> Option<Secret<Vec<u8>>> {
    let padding = values.len() * 10 - bytes * 8;
    let (mut kept, mut bits) = (0_u32, 0_usize);
    let mut out = Secret::new(Vec::with_capacity(bytes));
    for (at, value) in values.iter().enumerate() {
        kept = (kept << 10) | u32::from(*value);
        bits += 10;
        if at == 0 {
            bits -= padding;
            if kept >> bits != 0 {
                return None;
            }
        }
        while bits >= 8 {
            bits -= 8;
            let [byte, ..] = (kept >> bits).to_le_bytes();
            out.expose_mut().push(byte);
            kept &= (1 << bits) - 1;
        }
    }
    Some(out)
}

const PREFIX_WORDS: usize = 4;
const MAX_WORDS: usize = 33;
/// Words of a share, and the bytes of its secret: 12 and 24 words of BIP-39.
const LENGTHS: [(usize, usize); 2] = [(20, 16), (33, 32)];
