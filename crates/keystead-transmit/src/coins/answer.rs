//! What sources of coins answer, parsed into what is compared.

use std::collections::BTreeMap;
use std::str::FromStr;

use bitcoin::consensus::Decodable;
use bitcoin::consensus::encode::{deserialize, deserialize_hex};
use bitcoin::{Block, BlockHash, OutPoint, ScriptBuf, Transaction, Txid};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::facts::{Mined, Seen, is_whole};
use crate::EndpointError;
use crate::answer::parse;

const fn malformed(expected: &'static str) -> EndpointError {
    EndpointError::Malformed { expected }
}

pub(crate) fn json<T: for<'de> Deserialize<'de>>(
    bytes: &[u8],
    expected: &'static str,
) -> Result<T, EndpointError> {
    serde_json::from_slice(bytes).map_err(|_| malformed(expected))
}

/// A body that is nothing but one value as text.
pub(crate) fn word<T: FromStr>(bytes: &[u8], expected: &'static str) -> Result<T, EndpointError> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed(expected))?;
    // Numbers would be read with a sign, too.
    let plain = text.bytes().all(|it| it.is_ascii_alphanumeric());
    plain.then(|| text.parse().ok()).flatten().ok_or(malformed(expected))
}

pub(crate) fn height(bytes: &[u8]) -> Result<u32, EndpointError> {
    word(bytes, "a height")
}

pub(crate) fn block_hash(bytes: &[u8]) -> Result<BlockHash, EndpointError> {
    word(bytes, "the hash of a block")
}

fn hex<T: Decodable>(text: &str, expected: &'static str) -> Result<T, EndpointError> {
    deserialize_hex(text).map_err(|_| malformed(expected))
}

/// INVARIANT A1: a transaction is the one with this id, whoever says so.
pub(crate) fn transaction(text: &str, asked: Txid) -> Result<Transaction, EndpointError> {
    let found: Transaction = hex(text, "a transaction in hex")?;
    match found.compute_txid() == asked {
        true => Ok(found),
        false => Err(malformed("the transaction asked for")),
    }
}

/// INVARIANT A1: a block is the one with this hash, and has the transactions that its hash promises.
pub(crate) fn block(bytes: &[u8], asked: BlockHash) -> Result<Block, EndpointError> {
    held_to(deserialize(bytes).map_err(|_| malformed("a block"))?, asked)
}

pub(crate) fn block_hex(text: &str, asked: BlockHash) -> Result<Block, EndpointError> {
    held_to(hex(text, "a block in hex")?, asked)
}

fn held_to(found: Block, asked: BlockHash) -> Result<Block, EndpointError> {
    match found.block_hash() == asked && is_whole(&found) {
        true => Ok(found),
        false => Err(malformed("the block asked for")),
    }
}

/// Esplora's page of transactions of one script; those without a block are none of ours.
pub(crate) fn page(bytes: &[u8]) -> Result<Vec<Seen>, EndpointError> {
    let found: Vec<TransactionFields> = json(bytes, "a page of transactions")?;
    found.iter().map(TransactionFields::seen).collect()
}

/// Esplora's word on where a transaction stands.
pub(crate) fn status(bytes: &[u8]) -> Result<Option<Mined>, EndpointError> {
    json::<StatusFields>(bytes, "the status of a transaction")?.mined()
}

/// Esplora's word on whether a coin is spent, by something that waits too.
pub(crate) fn outspend(bytes: &[u8]) -> Result<bool, EndpointError> {
    json::<OutspendFields>(bytes, "whether a coin is spent").map(|it| it.spent)
}

/// Esplora's estimate for the nearest number of blocks that is not less, in satoshi for a thousand virtual bytes.
pub(crate) fn estimates(bytes: &[u8], blocks: u16) -> Result<u64, EndpointError> {
    let expected = malformed("fee estimates");
    let found: BTreeMap<u16, Box<RawValue>> = json(bytes, "fee estimates")?;
    let nearest = found.range(blocks..).next().or_else(|| found.last_key_value());
    let (_, rate) = nearest.ok_or(expected.clone())?;
    decimal(rate.get(), 3).ok_or(expected)
}

/// Bitcoin Core's estimate, in bitcoin for a thousand virtual bytes.
pub(crate) fn smart_fee(raw: &RawValue) -> Result<u64, EndpointError> {
    let found: SmartFeeFields = parse(raw, "a fee estimate")?;
    let rate = found.feerate.ok_or(malformed("a fee estimate, which the node has not"))?;
    decimal(rate.get(), 8).ok_or(malformed("a fee estimate"))
}

pub(crate) fn text(raw: &RawValue, expected: &'static str) -> Result<String, EndpointError> {
    parse(raw, expected)
}

pub(crate) fn core_height(raw: &RawValue) -> Result<u32, EndpointError> {
    parse(raw, "a height")
}

pub(crate) fn core_hash(raw: &RawValue) -> Result<BlockHash, EndpointError> {
    parse::<Shown<BlockHash>>(raw, "the hash of a block").map(|it| it.0)
}

/// Bitcoin Core's word on where a block stands; one that is not in the chain has a negative number of confirmations.
pub(crate) fn header(raw: &RawValue, asked: BlockHash) -> Result<Mined, EndpointError> {
    let found: HeaderFields = parse(raw, "a header")?;
    match found.hash.0 == asked && found.confirmations > 0 {
        true => Ok(Mined { height: found.height, block: asked }),
        false => Err(malformed("the header of a block of the chain")),
    }
}

/// The block that Bitcoin Core has a transaction in; none for one that waits.
pub(crate) fn block_of(raw: &RawValue, asked: Txid) -> Result<Option<BlockHash>, EndpointError> {
    let found: VerboseFields = parse(raw, "a transaction with its block")?;
    match found.txid.0 == asked {
        true => Ok(found.blockhash.map(|it| it.0)),
        false => Err(malformed("the transaction asked for")),
    }
}

/// The blocks in which Bitcoin Core's filters find something.
pub(crate) fn relevant(raw: &RawValue, from: u32, to: u32) -> Result<Vec<BlockHash>, EndpointError> {
    let found: ScanFields = parse(raw, "the blocks of a scan")?;
    match found.completed && found.from_height == from && found.to_height == to {
        true => Ok(found.relevant_blocks.into_iter().map(|it| it.0).collect()),
        false => Err(malformed("the whole scan that was asked for")),
    }
}

/// Digits with at most one point, times ten to the power of `places`, rounded up.
pub(crate) fn decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |it: &str| !it.is_empty() && it.len() <= MAX_DIGITS && it.bytes().all(|it| it.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return None;
    }
    let (kept, rest) = part.split_at(part.len().min(places));
    let scaled: u64 = format!("{whole}{kept:0<places$}").parse().ok()?;
    scaled.checked_add(u64::from(rest.bytes().any(|it| it != b'0')))
}

/// More digits than any float is written with.
const MAX_DIGITS: usize = 40;

/// A hash as everybody writes it: hex, the last byte first.
#[derive(Clone, Copy)]
struct Shown<T>(T);

impl<'de, T: FromStr> Deserialize<'de> for Shown<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| serde::de::Error::custom("a hash is 64 hex digits"))
    }
}

/// A script in hex.
struct Script(ScriptBuf);

impl<'de> Deserialize<'de> for Script {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        ScriptBuf::from_hex(&text).map(Self).map_err(|_| serde::de::Error::custom("a script is hex"))
    }
}

// Servers add fields of their own: what is not read is passed over, and what is read must be there.

#[derive(Deserialize)]
struct TransactionFields {
    txid: Shown<Txid>,
    vin: Vec<InputFields>,
    vout: Vec<OutputFields>,
    status: StatusFields,
}

#[derive(Deserialize)]
struct InputFields {
    txid: Shown<Txid>,
    vout: u32,
    is_coinbase: bool,
}

#[derive(Deserialize)]
struct OutputFields {
    scriptpubkey: Script,
    value: u64,
}

#[derive(Deserialize)]
struct StatusFields {
    confirmed: bool,
    block_height: Option<u32>,
    block_hash: Option<Shown<BlockHash>>,
}

#[derive(Deserialize)]
struct OutspendFields {
    spent: bool,
}

#[derive(Deserialize)]
struct SmartFeeFields {
    feerate: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct HeaderFields {
    hash: Shown<BlockHash>,
    height: u32,
    confirmations: i64,
}

#[derive(Deserialize)]
struct VerboseFields {
    txid: Shown<Txid>,
    blockhash: Option<Shown<BlockHash>>,
}

#[derive(Deserialize)]
struct ScanFields {
    from_height: u32,
    to_height: u32,
    relevant_blocks: Vec<Shown<BlockHash>>,
    completed: bool,
}

impl TransactionFields {
    fn seen(&self) -> Result<Seen, EndpointError> {
        let mined = self.status.mined()?.ok_or(malformed("transactions in blocks"))?;
        Ok(Seen {
            txid: self.txid.0,
            coinbase: self.vin.iter().any(|it| it.is_coinbase),
            spends: self.vin.iter().map(|it| OutPoint { txid: it.txid.0, vout: it.vout }).collect(),
            pays: self.vout.iter().map(|it| (it.scriptpubkey.0.clone(), it.value)).collect(),
            mined,
        })
    }
}

impl StatusFields {
    fn mined(&self) -> Result<Option<Mined>, EndpointError> {
        match (self.confirmed, self.block_height, self.block_hash) {
            (false, ..) => Ok(None),
            (true, Some(height), Some(Shown(block))) => Ok(Some(Mined { height, block })),
            (true, ..) => Err(malformed("the block of what is in one")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_decimal_and_round_up() {
        for (text, places, found) in [
            ("1.0", 3, Some(1_000)),
            ("87.8821", 3, Some(87_883)),
            ("12", 3, Some(12_000)),
            ("0.00001234", 8, Some(1_234)),
            ("0.5", 3, Some(500)),
            ("-1", 3, None),
            ("1e3", 3, None),
            ("1.", 3, None),
            ("\"1\"", 3, None),
            ("99999999999999999999", 3, None),
        ] {
            assert_eq!(decimal(text, places), found, "{text}");
        }
        let given = br#"{"1": 20.0, "6": 7.5, "144": 1.001}"#;
        let rates = [1, 2, 6, 144, 1_000].map(|blocks| estimates(given, blocks).unwrap());
        assert_eq!(rates, [20_000, 7_500, 7_500, 1_001, 1_001]);
        assert!(estimates(b"{}", 1).is_err());
    }

    #[test]
    fn words_are_plain() {
        for (text, found) in
            [("17", true), ("+17", false), ("17\n", false), ("", false), ("4294967296", false)]
        {
            assert_eq!(height(text.as_bytes()).is_ok(), found, "{text:?}");
        }
    }
}
