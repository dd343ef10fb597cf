//! The first map: which version it is, and what the transaction is as far as this map says.

use bitcoin::consensus::{Decodable as _, deserialize};
use bitcoin::transaction::Version;
use bitcoin::{Transaction, TxIn, TxOut, absolute};

use super::field::{self, Field};
use super::map::{Map, Reader};
use super::version_two::VersionTwo;
use super::{MAX_INPUTS, MAX_OUTPUTS, PsbtError, PsbtVersion, Scope};

/// The transaction as far as the first map says.
pub(super) enum Skeleton {
    /// All of it.
    Zero(Transaction),
    /// The rest is in the maps that follow.
    Two(VersionTwo),
}

/// The skeleton, and the map without what is in it.
pub(super) fn parse(mut map: Map) -> Result<(Skeleton, Map), PsbtError> {
    let version = version(&mut map)?;
    map.check(Scope::Global, version)?;
    let skeleton = match version {
        PsbtVersion::Zero => Skeleton::Zero(unsigned(&mut map)?),
        PsbtVersion::Two => Skeleton::Two(VersionTwo::parse(&mut map)?),
    };
    let (inputs, outputs) = skeleton.counts();
    if inputs > MAX_INPUTS {
        return Err(PsbtError::TooManyInputs { limit: MAX_INPUTS, found: inputs });
    }
    if outputs > MAX_OUTPUTS {
        return Err(PsbtError::TooManyOutputs { limit: MAX_OUTPUTS, found: outputs });
    }
    Ok((skeleton, map))
}

impl Skeleton {
    /// How many maps follow for inputs and for outputs.
    pub(super) fn counts(&self) -> (usize, usize) {
        match self {
            Self::Zero(transaction) => (transaction.input.len(), transaction.output.len()),
            Self::Two(it) => (it.inputs, it.outputs),
        }
    }

    pub(super) fn version(&self) -> PsbtVersion {
        match self {
            Self::Zero(_) => PsbtVersion::Zero,
            Self::Two(_) => PsbtVersion::Two,
        }
    }

    /// The transaction, and the maps without what is in it.
    pub(super) fn complete(
        self,
        mut inputs: Vec<Map>,
        mut outputs: Vec<Map>,
    ) -> Result<(Transaction, Vec<Map>, Vec<Map>), PsbtError> {
        let version = self.version();
        inputs.iter().enumerate().try_for_each(|(at, it)| it.check(Scope::Input(at), version))?;
        outputs.iter().enumerate().try_for_each(|(at, it)| it.check(Scope::Output(at), version))?;
        let transaction = match self {
            Self::Zero(transaction) => transaction,
            Self::Two(it) => it.transaction(&mut inputs, &mut outputs)?,
        };
        Ok((transaction, inputs, outputs))
    }
}

/// Version 0 need not say so.
fn version(map: &mut Map) -> Result<PsbtVersion, PsbtError> {
    match word(map, Scope::Global, field::VERSION, "VERSION")? {
        None | Some(0) => Ok(PsbtVersion::Zero),
        Some(2) => Ok(PsbtVersion::Two),
        Some(found) => Err(PsbtError::Version { found }),
    }
}

/// In the serialization without witnesses, so that a transaction without inputs reads as well.
fn unsigned(map: &mut Map) -> Result<Transaction, PsbtError> {
    let (scope, field) = (Scope::Global, "UNSIGNED_TX");
    let bytes = map.take(field::UNSIGNED_TX).ok_or(PsbtError::Missing { scope, field })?;
    let transaction = legacy(&bytes).ok_or(PsbtError::Value { scope, field })?;
    match transaction.input.iter().position(|it| !it.script_sig.is_empty()) {
        Some(input) => Err(PsbtError::Signed { input }),
        None => Ok(transaction),
    }
}

fn legacy(mut bytes: &[u8]) -> Option<Transaction> {
    let version = Version::consensus_decode(&mut bytes).ok()?;
    let input = Vec::<TxIn>::consensus_decode(&mut bytes).ok()?;
    let output = Vec::<TxOut>::consensus_decode(&mut bytes).ok()?;
    let lock_time = absolute::LockTime::consensus_decode(&mut bytes).ok()?;
    bytes.is_empty().then_some(Transaction { version, lock_time, input, output })
}

/// Takes four bytes, least significant first.
pub(super) fn word(
    map: &mut Map,
    scope: Scope,
    field: Field,
    name: &'static str,
) -> Result<Option<u32>, PsbtError> {
    let wrong = PsbtError::Value { scope, field: name };
    match map.take(field) {
        None => Ok(None),
        Some(value) => deserialize(&value).map(Some).map_err(|_| wrong),
    }
}

/// Takes a compact size.
pub(super) fn count(map: &mut Map, field: Field, name: &'static str) -> Result<usize, PsbtError> {
    let scope = Scope::Global;
    let value = map.take(field).ok_or(PsbtError::Missing { scope, field: name })?;
    let mut reader = Reader::new(&value);
    let number = reader.compact().and_then(Result::ok).filter(|_| reader.is_empty());
    number.and_then(|it| usize::try_from(it).ok()).ok_or(PsbtError::Value { scope, field: name })
}
