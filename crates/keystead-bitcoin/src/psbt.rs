//! Partially signed transactions, version 0 and 2: strict, bounded, and every byte accounted for (BIP-174, 370, 371).

mod add;
mod error;
mod field;
mod global;
mod input;
mod map;
mod output;
mod version_two;
mod write;

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bitcoin::Transaction;
use bitcoin::bip32::{DerivationPath, Fingerprint};

pub use error::PsbtError;
pub use input::Input;
pub(crate) use map::Map;
pub use output::Output;

use map::Reader;

/// The longest PSBT; each input may carry the whole transaction that it spends from.
pub const MAX_PSBT_BYTES: usize = 1024 * 1024;
/// The most inputs: more would not fit into a transaction that nodes relay.
pub const MAX_INPUTS: usize = 1_000;
/// The most outputs.
pub const MAX_OUTPUTS: usize = 2_500;
/// The most key-value pairs of one map.
pub const MAX_PAIRS: usize = 256;

/// A parsed PSBT. It is the same whatever version it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Psbt {
    transaction: Transaction,
    global: Map,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
}

/// The version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PsbtVersion {
    /// The unsigned transaction is one field (BIP-174).
    Zero,
    /// Inputs and outputs have fields of their own (BIP-370).
    Two,
}

/// Which of a PSBT's maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The map of the whole.
    Global,
    /// The map of the input with this position.
    Input(usize),
    /// The map of the output with this position.
    Output(usize),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::Input(at) => write!(f, "input {at}"),
            Self::Output(at) => write!(f, "output {at}"),
        }
    }
}

/// A pair that is kept as it is and means nothing here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// Where it stands.
    pub scope: Scope,
    /// What the BIPs call it; `PROPRIETARY` or `unknown` for the rest.
    pub name: &'static str,
    /// Its key, type and all.
    pub key: Vec<u8>,
}

/// Who is said to hold a key. Nobody vouches for it: it says where to look, and never what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The fingerprint of the master key.
    pub fingerprint: Fingerprint,
    /// The path from it.
    pub path: DerivationPath,
}

impl Psbt {
    /// Parses either version.
    ///
    /// # Errors
    ///
    /// [`PsbtError`] says where, what was expected, and what was found.
    pub fn parse(bytes: &[u8]) -> Result<Self, PsbtError> {
        if bytes.len() > MAX_PSBT_BYTES {
            return Err(PsbtError::TooLong { limit: MAX_PSBT_BYTES, found: bytes.len() });
        }
        let body = bytes.strip_prefix(MAGIC).ok_or(PsbtError::Magic)?;
        let mut reader = Reader::new(body);
        let (skeleton, global) = global::parse(Map::read(&mut reader, Scope::Global)?)?;
        let (inputs, outputs) = skeleton.counts();
        let inputs = maps(&mut reader, inputs, Scope::Input)?;
        let outputs = maps(&mut reader, outputs, Scope::Output)?;
        if !reader.is_empty() {
            return Err(PsbtError::Trailing { found: reader.len() });
        }
        let (transaction, inputs, outputs) = skeleton.complete(inputs, outputs)?;
        let numbered = |(at, map)| Input::parse(map, Scope::Input(at));
        let inputs = inputs.into_iter().enumerate().map(numbered).collect::<Result<_, _>>()?;
        let numbered = |(at, map)| Output::parse(map, Scope::Output(at));
        let outputs = outputs.into_iter().enumerate().map(numbered).collect::<Result<_, _>>()?;
        Ok(Self { transaction, global, inputs, outputs })
    }

    /// Which version these bytes are of.
    ///
    /// # Errors
    ///
    /// [`PsbtError`] where they are of neither.
    pub fn version(bytes: &[u8]) -> Result<PsbtVersion, PsbtError> {
        let body = bytes.strip_prefix(MAGIC).ok_or(PsbtError::Magic)?;
        let (skeleton, _) = global::parse(Map::read(&mut Reader::new(body), Scope::Global)?)?;
        Ok(skeleton.version())
    }

    /// Parses Base64, as people copy it: the standard alphabet, padded, nothing around it.
    ///
    /// # Errors
    ///
    /// [`PsbtError`], as [`Psbt::parse`].
    pub fn parse_text(text: &str) -> Result<Self, PsbtError> {
        let longest = MAX_PSBT_BYTES.div_ceil(3) * 4;
        if text.len() > longest {
            return Err(PsbtError::TooLong { limit: longest, found: text.len() });
        }
        Self::parse(&Self::decode_text(text)?)
    }

    /// The bytes behind Base64, as people copy it; whether they are a PSBT, [`Psbt::parse`] says.
    ///
    /// # Errors
    ///
    /// [`PsbtError::Base64`].
    pub fn decode_text(text: &str) -> Result<Vec<u8>, PsbtError> {
        BASE64_STANDARD.decode(text).map_err(|_| PsbtError::Base64)
    }

    /// A PSBT of a transaction without signatures, and nothing else in it.
    #[must_use]
    pub(crate) fn of(transaction: Transaction) -> Self {
        let inputs = transaction.input.iter().map(|_| Input::default()).collect();
        let outputs = transaction.output.iter().map(|_| Output::default()).collect();
        Self { transaction, global: Map::default(), inputs, outputs }
    }

    /// The bytes in a version, the pairs of each map in the order of their keys.
    ///
    /// Version 2 says nowhere that anything may still be added: signatures here cover everything.
    #[must_use]
    pub fn to_bytes(&self, version: PsbtVersion) -> Vec<u8> {
        write::write(self, version)
    }

    /// The same in Base64.
    #[must_use]
    pub fn to_text(&self, version: PsbtVersion) -> String {
        BASE64_STANDARD.encode(self.to_bytes(version))
    }

    /// The transaction, unsigned.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// What it says about each input.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// What it says about each output.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Everything in it that means nothing here: kept, named, and without influence on what is signed.
    #[must_use]
    pub fn kept(&self) -> Vec<Kept> {
        let global = self.global.kept(Scope::Global);
        let inputs = self.inputs.iter().enumerate().flat_map(|(at, it)| it.map().kept(Scope::Input(at)));
        let outputs = self.outputs.iter().enumerate().flat_map(|(at, it)| it.map().kept(Scope::Output(at)));
        global.into_iter().chain(inputs).chain(outputs).collect()
    }
}

fn maps(reader: &mut Reader<'_>, count: usize, scope: fn(usize) -> Scope) -> Result<Vec<Map>, PsbtError> {
    (0..count).map(|at| Map::read(reader, scope(at))).collect()
}

/// `psbt` and a byte that no text has (BIP-174, "Specification").
const MAGIC: &[u8] = b"psbt\xff";

#[cfg(test)]
mod tests;
