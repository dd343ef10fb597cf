//! The pairs of a PSBT's maps, to change one by one: no parser of the product is asked.

use bitcoin::VarInt;
use bitcoin::consensus::{Decodable as _, serialize};

use crate::dice::Dice;

/// Key and value.
type Pair = (Vec<u8>, Vec<u8>);

/// The maps, the first of which is the whole's; inputs and outputs follow.
#[derive(Clone)]
pub(crate) struct Pairs(pub(crate) Vec<Vec<Pair>>);

impl Pairs {
    /// Reads what some writer wrote.
    pub(crate) fn read(psbt: &[u8]) -> Self {
        let mut rest = psbt.strip_prefix(b"psbt\xff").expect("a PSBT");
        let (mut maps, mut map) = (Vec::new(), Vec::new());
        while !rest.is_empty() {
            let key = sized(&mut rest);
            if key.is_empty() {
                maps.push(std::mem::take(&mut map));
            } else {
                map.push((key, sized(&mut rest)));
            }
        }
        Self(maps)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut bytes = b"psbt\xff".to_vec();
        for map in &self.0 {
            for part in map.iter().flat_map(|(key, value)| [key, value]) {
                bytes.extend(serialize(&VarInt::from(part.len())));
                bytes.extend(part);
            }
            bytes.push(0);
        }
        bytes
    }

    /// Puts a pair into a map, where one with its key does not stand yet.
    pub(crate) fn add(&mut self, map: usize, key: &[u8], value: &[u8]) {
        if self.0[map].iter().all(|pair| pair.0 != key) {
            self.0[map].push((key.to_vec(), value.to_vec()));
        }
    }

    /// Changes one thing: a pair is gone, doubled, elsewhere, of another type, or has another value.
    pub(crate) fn spoil(&mut self, dice: &mut Dice) {
        let filled: Vec<usize> = (0..self.0.len()).filter(|at| !self.0[*at].is_empty()).collect();
        let map = *dice.pick(&filled);
        let at = dice.below(self.0[map].len());
        let target = dice.below(self.0.len());
        let pair = self.0[map][at].clone();
        match dice.below(9) {
            0 => drop(self.0[map].remove(at)),
            1 => self.0[map].push(pair),
            2 => self.0[target].push(pair),
            3 => self.0[map][at].0[0] = (dice.next() >> 59) as u8,
            4 => self.0[map][at].0.extend(dice.bytes(1)),
            5 => self.0[map][at].1.truncate(pair.1.len().saturating_sub(1)),
            6 => self.0[map][at].1.push(0),
            7 => self.0[map][at].1 = crate::spoiled::bytes(dice, pair.1),
            _ => {
                let (kind, length) = ((dice.next() >> 59) as u8, dice.below(70));
                let value = dice.bytes(length);
                self.0[target].push((vec![kind], value));
            }
        }
    }
}

fn sized(rest: &mut &[u8]) -> Vec<u8> {
    let length = usize::try_from(VarInt::consensus_decode(rest).expect("a length").0).expect("a length");
    let (taken, left) = rest.split_at(length);
    *rest = left;
    taken.to_vec()
}
