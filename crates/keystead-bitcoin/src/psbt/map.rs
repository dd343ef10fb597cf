//! Key-value maps, and the bytes that they are read from and written to.

use std::collections::BTreeMap;

use super::field::{self, Field, KeyData};
use super::{Kept, MAX_PAIRS, PsbtError, PsbtVersion, Scope};

/// The pairs of one map by their keys: type first, then the key's data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Map(BTreeMap<Vec<u8>, Vec<u8>>);

impl Map {
    /// Reads pairs to the end of the map. A key stands once.
    pub(crate) fn read(reader: &mut Reader<'_>, scope: Scope) -> Result<Self, PsbtError> {
        let mut map = Self::default();
        loop {
            let key = reader.sized(scope)?;
            if key.is_empty() {
                return Ok(map);
            }
            let value = reader.sized(scope)?;
            if map.0.len() >= MAX_PAIRS {
                return Err(PsbtError::TooManyPairs { scope, limit: MAX_PAIRS });
            }
            if map.0.insert(key.to_vec(), value.to_vec()).is_some() {
                return Err(PsbtError::Duplicate { scope, field: field::name(scope, key) });
            }
        }
    }

    /// Writes the pairs and the end of the map.
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        for (key, value) in &self.0 {
            write_sized(bytes, key);
            write_sized(bytes, value);
        }
        bytes.push(0);
    }

    /// Holds each key to what its type's BIP says of it: its data, and the versions that it is in.
    pub(crate) fn check(&self, scope: Scope, version: PsbtVersion) -> Result<(), PsbtError> {
        for key in self.0.keys() {
            let Some(known) = field::known(scope, key) else { continue };
            if !known.is_in(version) {
                return Err(PsbtError::NotInVersion { scope, field: known.name, version });
            }
            if !data_fits(known.data, key.get(1..).unwrap_or_default()) {
                return Err(PsbtError::KeyData { scope, field: known.name });
            }
        }
        Ok(())
    }

    /// The value of a key that is its type alone.
    pub(crate) fn get(&self, field: Field) -> Option<&[u8]> {
        self.0.get([field.0].as_slice()).map(Vec::as_slice)
    }

    /// The same, and the pair is gone.
    pub(crate) fn take(&mut self, field: Field) -> Option<Vec<u8>> {
        self.0.remove([field.0].as_slice())
    }

    /// The key data and values of all pairs of a type.
    pub(crate) fn all(&self, field: Field) -> impl Iterator<Item = (&[u8], &[u8])> {
        let of_type = self.0.iter().filter_map(move |(key, value)| Some((key.split_first()?, value)));
        of_type
            .filter(move |((number, _), _)| **number == field.0)
            .map(|((_, data), value)| (data, value.as_slice()))
    }

    /// Puts a pair in, over one with the same key.
    pub(crate) fn put(&mut self, field: Field, data: &[u8], value: Vec<u8>) {
        self.0.insert([&[field.0], data].concat(), value);
    }

    /// Takes a pair out by its whole key.
    #[cfg(test)]
    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.0.remove(key);
    }

    /// The pairs that nothing here reads.
    pub(crate) fn kept(&self, scope: Scope) -> Vec<Kept> {
        let unread = self.0.keys().filter(|key| !field::known(scope, key).is_some_and(|it| it.read));
        unread.map(|key| Kept { scope, name: field::name(scope, key), key: key.clone() }).collect()
    }
}

fn data_fits(expected: KeyData, found: &[u8]) -> bool {
    match expected {
        KeyData::Nothing => found.is_empty(),
        KeyData::PublicKey => {
            matches!(found.len(), 33 | 65) && bitcoin::secp256k1::PublicKey::from_slice(found).is_ok()
        }
        KeyData::XOnly => bitcoin::XOnlyPublicKey::from_slice(found).is_ok(),
        KeyData::Length(length) => found.len() == length,
        // 33 bytes, then up to 128 hashes of 32 (BIP-341, "Script validation rules").
        KeyData::ControlBlock => found.len() >= 33 && found.len() <= 33 + 128 * 32 && found.len() % 32 == 1,
        KeyData::Free => true,
    }
}

/// A compact size (Bitcoin's `CompactSize`), in its shortest form.
pub(super) fn write_compact(bytes: &mut Vec<u8>, value: usize) {
    let number = bitcoin::VarInt::from(value);
    bytes.extend(bitcoin::consensus::serialize(&number));
}

fn write_sized(bytes: &mut Vec<u8>, content: &[u8]) {
    write_compact(bytes, content.len());
    bytes.extend_from_slice(content);
}

/// Bytes from the front on.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A length and as many bytes.
    fn sized(&mut self, scope: Scope) -> Result<&'a [u8], PsbtError> {
        let length = self.compact().ok_or(PsbtError::Truncated { scope })?;
        let length = usize::try_from(length?).map_err(|_| PsbtError::Truncated { scope })?;
        self.take(length).ok_or(PsbtError::Truncated { scope })
    }

    /// A compact size; the inner error when it is longer than it has to be.
    pub(crate) fn compact(&mut self) -> Option<Result<u64, PsbtError>> {
        let [first] = self.take(1)? else { return None };
        let (width, least) = match *first {
            0xfd => (2, 0xfd),
            0xfe => (4, 0x1_0000),
            0xff => (8, 0x1_0000_0000),
            small => return Some(Ok(u64::from(small))),
        };
        let bytes = self.take(width)?;
        let value = bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        Some(if value < least { Err(PsbtError::CompactSize) } else { Ok(value) })
    }
}
