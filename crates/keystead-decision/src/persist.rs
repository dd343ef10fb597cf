//! Canonical bytes for the persistent maps of the state: their pairs, in order.

use std::sync::Arc;

use borsh::io::{Error, ErrorKind, Read, Result, Write};
use borsh::{BorshDeserialize, BorshSerialize};
use imbl::{OrdMap, OrdSet, Vector};

/// Writes a map as the vector of its pairs.
pub(crate) fn write_map<K, V, W>(map: &OrdMap<K, V>, writer: &mut W) -> Result<()>
where
    K: BorshSerialize + Ord + Clone,
    V: BorshSerialize + Clone,
    W: Write,
{
    write_pairs(map.len(), map.iter(), writer)
}

/// Writes a map whose values are shared in memory: the same bytes as [`write_map`].
pub(crate) fn write_shared<K, V, W>(map: &OrdMap<K, Arc<V>>, writer: &mut W) -> Result<()>
where
    K: BorshSerialize + Ord + Clone,
    V: BorshSerialize,
    W: Write,
{
    write_pairs(map.len(), map.iter().map(|(key, value)| (key, value.as_ref())), writer)
}

fn write_pairs<'a, K, V, W>(
    count: usize,
    mut pairs: impl Iterator<Item = (&'a K, &'a V)>,
    writer: &mut W,
) -> Result<()>
where
    K: BorshSerialize + 'a,
    V: BorshSerialize + 'a,
    W: Write,
{
    length(count)?.serialize(writer)?;
    pairs.try_for_each(|(key, value)| {
        key.serialize(writer)?;
        value.serialize(writer)
    })
}

/// Reads a map; keys must ascend.
pub(crate) fn read_map<K, V, R>(reader: &mut R) -> Result<OrdMap<K, V>>
where
    K: BorshDeserialize + Ord + Clone,
    V: BorshDeserialize + Clone,
    R: Read,
{
    read_pairs(reader, |value| value)
}

/// Reads a map whose values are shared in memory.
pub(crate) fn read_shared<K, V, R>(reader: &mut R) -> Result<OrdMap<K, Arc<V>>>
where
    K: BorshDeserialize + Ord + Clone,
    V: BorshDeserialize,
    R: Read,
{
    read_pairs(reader, Arc::new)
}

fn read_pairs<K, V, S, R>(reader: &mut R, keep: impl Fn(V) -> S) -> Result<OrdMap<K, S>>
where
    K: BorshDeserialize + Ord + Clone,
    V: BorshDeserialize,
    S: Clone,
    R: Read,
{
    let mut map = OrdMap::new();
    for _ in 0..u32::deserialize_reader(reader)? {
        let key = K::deserialize_reader(reader)?;
        if map.get_max().is_some_and(|(last, _)| *last >= key) {
            return Err(Error::new(ErrorKind::InvalidData, "keys do not ascend"));
        }
        map.insert(key, keep(V::deserialize_reader(reader)?));
    }
    Ok(map)
}

/// Writes a set as the vector of its members.
pub(crate) fn write_set<K, W>(set: &OrdSet<K>, writer: &mut W) -> Result<()>
where
    K: BorshSerialize + Ord + Clone,
    W: Write,
{
    length(set.len())?.serialize(writer)?;
    set.iter().try_for_each(|key| key.serialize(writer))
}

/// Reads a set; members must ascend.
pub(crate) fn read_set<K, R>(reader: &mut R) -> Result<OrdSet<K>>
where
    K: BorshDeserialize + Ord + Clone,
    R: Read,
{
    let mut set = OrdSet::new();
    for _ in 0..u32::deserialize_reader(reader)? {
        let key = K::deserialize_reader(reader)?;
        if set.get_max().is_some_and(|last| *last >= key) {
            return Err(Error::new(ErrorKind::InvalidData, "members do not ascend"));
        }
        set.insert(key);
    }
    Ok(set)
}

/// Writes a vector.
pub(crate) fn write_vector<V, W>(vector: &Vector<V>, writer: &mut W) -> Result<()>
where
    V: BorshSerialize + Clone,
    W: Write,
{
    length(vector.len())?.serialize(writer)?;
    vector.iter().try_for_each(|value| value.serialize(writer))
}

/// Reads a vector.
pub(crate) fn read_vector<V, R>(reader: &mut R) -> Result<Vector<V>>
where
    V: BorshDeserialize + Clone,
    R: Read,
{
    let length = u32::deserialize_reader(reader)?;
    (0..length).map(|_| V::deserialize_reader(reader)).collect()
}

fn length(found: usize) -> Result<u32> {
    u32::try_from(found).map_err(|_| Error::new(ErrorKind::InvalidData, "more than 2^32 - 1 members"))
}
