//! As much of CBOR (RFC 8949) as an attestation document of Nitro's needs: definite lengths, and one way to write each number.

use crate::EvidenceError;

/// One data item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Unsigned(u64),
    /// −1 less this.
    Negative(u64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Array(Vec<Value<'a>>),
    Map(Vec<(Value<'a>, Value<'a>)>),
    Tagged(u64, Box<Value<'a>>),
    Null,
}

impl<'a> Value<'a> {
    /// Reads one item to the end of the bytes.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, EvidenceError> {
        let mut reader = Reader(bytes);
        let value = reader.value(MAX_DEPTH)?;
        match reader.0.is_empty() {
            true => Ok(value),
            false => Err(form(format!("{} bytes behind it", reader.0.len()))),
        }
    }

    /// What a map has under this key, if it has it once.
    pub(crate) fn get(&self, key: &Value<'_>) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        let mut found = entries.iter().filter(|(it, _)| it == key).map(|(_, value)| value);
        found.next().filter(|_| found.next().is_none())
    }
}

/// The bytes of a string, with their head in front.
pub(crate) fn string(major: u8, bytes: &[u8]) -> Vec<u8> {
    let major = major << 5;
    let head = match bytes.len() as u64 {
        length @ 0..=23 => vec![major | length.to_be_bytes()[7]],
        length @ 24..=0xff => vec![major | 24, length.to_be_bytes()[7]],
        length @ 0x100..=0xffff => [&[major | 25], &length.to_be_bytes()[6..]].concat(),
        length => [&[major | 26], &length.to_be_bytes()[4..]].concat(),
    };
    [head.as_slice(), bytes].concat()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, EvidenceError> {
        let depth = depth.checked_sub(1).ok_or_else(|| form(format!("more than {MAX_DEPTH} levels")))?;
        let [first] = *self.array::<1>()?;
        if first == NULL {
            return Ok(Value::Null);
        }
        let argument = self.argument(first & 0x1f)?;
        Ok(match first >> 5 {
            0 => Value::Unsigned(argument),
            1 => Value::Negative(argument),
            BYTES => Value::Bytes(self.take(argument)?),
            TEXT => {
                let text = str::from_utf8(self.take(argument)?);
                Value::Text(text.map_err(|_| form("text that is no UTF-8".to_owned()))?)
            }
            4 => Value::Array(self.many(argument, |reader| reader.value(depth))?),
            5 => Value::Map(self.many(argument, |reader| Ok((reader.value(depth)?, reader.value(depth)?)))?),
            6 => Value::Tagged(argument, Box::new(self.value(depth)?)),
            _ => return Err(form(format!("the byte {first:#04x}"))),
        })
    }

    /// Each number has its shortest form.
    fn argument(&mut self, info: u8) -> Result<u64, EvidenceError> {
        let (found, least) = match info {
            0..=23 => return Ok(info.into()),
            24 => (u64::from(self.array::<1>()?[0]), 24),
            25 => (u16::from_be_bytes(*self.array()?).into(), 1 << 8),
            26 => (u32::from_be_bytes(*self.array()?).into(), 1 << 16),
            27 => (u64::from_be_bytes(*self.array()?), 1 << 32),
            _ => return Err(form("an item of no definite length".to_owned())),
        };
        if found < least { Err(form(format!("a longer form of {found}"))) } else { Ok(found) }
    }

    fn many<T>(
        &mut self,
        count: u64,
        mut one: impl FnMut(&mut Self) -> Result<T, EvidenceError>,
    ) -> Result<Vec<T>, EvidenceError> {
        // Each has a byte at least.
        if count > self.0.len() as u64 {
            return Err(form(format!("{count} items in {} bytes", self.0.len())));
        }
        (0..count).map(|_| one(self)).collect()
    }

    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], EvidenceError> {
        let (taken, rest) =
            self.0.split_first_chunk().ok_or_else(|| form("an end in the middle".to_owned()))?;
        self.0 = rest;
        Ok(taken)
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], EvidenceError> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or_else(|| form("an end in the middle".to_owned()))?;
        self.0 = rest;
        Ok(taken)
    }
}

fn form(found: String) -> EvidenceError {
    EvidenceError::Form { expected: "CBOR", found }
}

/// The major type of bytes.
pub(crate) const BYTES: u8 = 2;
/// The major type of text.
pub(crate) const TEXT: u8 = 3;
const NULL: u8 = 0xf6;
const MAX_DEPTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hex: &str) -> Option<String> {
        let bytes = const_hex::decode(hex).unwrap();
        Value::read(&bytes).ok().map(|value| format!("{value:?}"))
    }

    /// From appendix A of RFC 8949.
    #[test]
    fn items_are_read_in_their_one_form() {
        for (hex, expected) in [
            ("1903e8", "Unsigned(1000)"),
            ("1bffffffffffffffff", "Unsigned(18446744073709551615)"),
            ("3903e7", "Negative(999)"),
            ("4401020304", "Bytes([1, 2, 3, 4])"),
            ("62c3bc", "Text(\"ü\")"),
            ("83010203", "Array([Unsigned(1), Unsigned(2), Unsigned(3)])"),
            ("a201020304", "Map([(Unsigned(1), Unsigned(2)), (Unsigned(3), Unsigned(4))])"),
            ("d28101", "Tagged(18, Array([Unsigned(1)]))"),
            ("f6", "Null"),
        ] {
            assert_eq!(read(hex).as_deref(), Some(expected), "{hex}");
        }
        // Longer forms, no definite length, what is not needed, an end in the middle, and something behind the end.
        for hex in [
            "1817",
            "190017",
            "1a0000ffff",
            "5f4101ff",
            "9f01ff",
            "f4",
            "f93c00",
            "4401",
            "62c3",
            "9bffffffffffffffff",
            "0000",
            "",
        ] {
            assert_eq!(read(hex), None, "{hex}");
        }
        assert_eq!(read(&("81".repeat(8) + "00")), None, "too deep");
        assert!(read(&("81".repeat(7) + "00")).is_some());
    }

    #[test]
    fn a_key_that_a_map_has_twice_it_has_not() {
        let bytes = const_hex::decode("a301020103040a").unwrap();
        let map = Value::read(&bytes).unwrap();
        assert_eq!(map.get(&Value::Unsigned(1)), None);
        assert_eq!(map.get(&Value::Unsigned(4)), Some(&Value::Unsigned(10)));
    }

    #[test]
    fn a_string_is_written_as_it_is_read() {
        for length in [0, 23, 24, 255, 256, 65_535, 65_536] {
            let bytes = vec![7; length];
            let written = string(BYTES, &bytes);
            assert_eq!(Value::read(&written).unwrap(), Value::Bytes(&bytes));
        }
    }
}
