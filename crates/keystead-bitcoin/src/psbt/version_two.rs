//! Version 2: the transaction from fields that stand in all maps (BIP-370).

use bitcoin::consensus::deserialize;
use bitcoin::hashes::Hash as _;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute};

use super::field;
use super::global::{count, word};
use super::map::Map;
use super::{PsbtError, Scope};

/// What the first map says of the transaction.
pub(super) struct VersionTwo {
    version: Version,
    fallback: u32,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

impl VersionTwo {
    pub(super) fn parse(map: &mut Map) -> Result<Self, PsbtError> {
        let scope = Scope::Global;
        let version = word(map, scope, field::TX_VERSION, "TX_VERSION")?;
        let version = version.ok_or(PsbtError::Missing { scope, field: "TX_VERSION" })?;
        let modifiable = map.take(field::TX_MODIFIABLE);
        if modifiable.is_some_and(|it| it.len() != 1) {
            return Err(PsbtError::Value { scope, field: "TX_MODIFIABLE" });
        }
        Ok(Self {
            version: Version::non_standard(version.cast_signed()),
            fallback: word(map, scope, field::FALLBACK_LOCKTIME, "FALLBACK_LOCKTIME")?.unwrap_or(0),
            inputs: count(map, field::INPUT_COUNT, "INPUT_COUNT")?,
            outputs: count(map, field::OUTPUT_COUNT, "OUTPUT_COUNT")?,
        })
    }

    pub(super) fn transaction(
        self,
        inputs: &mut [Map],
        outputs: &mut [Map],
    ) -> Result<Transaction, PsbtError> {
        let read = inputs.iter_mut().enumerate().map(|(at, map)| input(map, Scope::Input(at)));
        let read: Vec<(TxIn, Required)> = read.collect::<Result<_, _>>()?;
        let outputs = outputs.iter_mut().enumerate().map(|(at, map)| output(map, Scope::Output(at)));
        let output = outputs.collect::<Result<_, _>>()?;
        let required: Vec<&Required> = read.iter().map(|(_, it)| it).collect();
        let lock_time = absolute::LockTime::from_consensus(lock_time(&required, self.fallback)?);
        let input = read.into_iter().map(|(it, _)| it).collect();
        Ok(Transaction { version: self.version, lock_time, input, output })
    }
}

/// The lock times that an input's scripts need.
struct Required {
    time: Option<u32>,
    height: Option<u32>,
}

fn input(map: &mut Map, scope: Scope) -> Result<(TxIn, Required), PsbtError> {
    let missing = |field| PsbtError::Missing { scope, field };
    let value = |field| PsbtError::Value { scope, field };
    let txid = map.take(field::PREVIOUS_TXID).ok_or(missing("PREVIOUS_TXID"))?;
    let txid = Txid::from_slice(&txid).map_err(|_| value("PREVIOUS_TXID"))?;
    let vout = word(map, scope, field::OUTPUT_INDEX, "OUTPUT_INDEX")?.ok_or(missing("OUTPUT_INDEX"))?;
    let sequence = word(map, scope, field::SEQUENCE, "SEQUENCE")?.map_or(Sequence::MAX, Sequence);
    let time = word(map, scope, field::REQUIRED_TIME_LOCKTIME, "REQUIRED_TIME_LOCKTIME")?;
    let height = word(map, scope, field::REQUIRED_HEIGHT_LOCKTIME, "REQUIRED_HEIGHT_LOCKTIME")?;
    if time.is_some_and(|it| it < FIRST_TIME) {
        return Err(value("REQUIRED_TIME_LOCKTIME"));
    }
    if height.is_some_and(|it| it == 0 || it >= FIRST_TIME) {
        return Err(value("REQUIRED_HEIGHT_LOCKTIME"));
    }
    let previous_output = OutPoint { txid, vout };
    let input = TxIn { previous_output, sequence, script_sig: ScriptBuf::new(), witness: Witness::new() };
    Ok((input, Required { time, height }))
}

fn output(map: &mut Map, scope: Scope) -> Result<TxOut, PsbtError> {
    let missing = |field| PsbtError::Missing { scope, field };
    let amount = map.take(field::AMOUNT).ok_or(missing("AMOUNT"))?;
    let amount: u64 = deserialize(&amount).map_err(|_| PsbtError::Value { scope, field: "AMOUNT" })?;
    let script = map.take(field::SCRIPT).ok_or(missing("SCRIPT"))?;
    Ok(TxOut { value: Amount::from_sat(amount), script_pubkey: ScriptBuf::from_bytes(script) })
}

/// BIP-370, "Determining Lock Time": a kind that every demanding input takes, heights first, and of that the
/// latest.
fn lock_time(required: &[&Required], fallback: u32) -> Result<u32, PsbtError> {
    let demanding = || required.iter().filter(|it| it.time.is_some() || it.height.is_some());
    if demanding().next().is_none() {
        return Ok(fallback);
    }
    let heights: Option<Vec<u32>> = demanding().map(|it| it.height).collect();
    let times: Option<Vec<u32>> = demanding().map(|it| it.time).collect();
    let latest = heights.or(times).and_then(|it| it.into_iter().max());
    latest.ok_or(PsbtError::LockTimes)
}

/// From here on a lock time is a Unix time, below it is a height.
const FIRST_TIME: u32 = 500_000_000;
