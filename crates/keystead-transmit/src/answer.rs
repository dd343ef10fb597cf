//! Answers of the execution API, parsed into what is compared.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, Bytes, U256};
use keystead_base::Amount;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::scan::{MovedFacts, Payment, ScannedBlock, SentFacts, Sought, TRANSFER, WITHDRAWAL};
use crate::{EndpointError, History, RanFacts};

/// Where a transaction stands on the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptFacts {
    /// The block's number.
    pub block: u64,
    /// The block's hash.
    pub block_hash: B256,
    /// Whether its execution succeeded; a reverted one is settled as well and has paid its fee.
    pub succeeded: bool,
    /// What it paid: gas used times the effective price.
    pub fee: Amount,
}

/// What is read of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockFacts {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Its time in seconds since the Unix epoch.
    pub time_seconds: u64,
}

/// What is read of a block's header, to run something after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderFacts {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Its time in seconds since the Unix epoch.
    pub time_seconds: u64,
    /// Who built it.
    pub beneficiary: Address,
    /// Its gas limit.
    pub gas_limit: u64,
    /// Its base fee per gas in wei; none before EIP-1559.
    pub base_fee: Option<u64>,
    /// Its randomness (EIP-4399).
    pub randomness: B256,
}

/// A number as the execution API writes it: `0x` and hex digits. A JSON number is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quantity(pub(crate) U256);

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").filter(|digits| !digits.is_empty() && digits.len() <= 64);
        let number = digits.and_then(|digits| U256::from_str_radix(digits, 16).ok());
        number.map(Self).ok_or_else(|| serde::de::Error::custom("a quantity is hex after 0x"))
    }
}

impl Quantity {
    pub(crate) fn small(self) -> Result<u64, EndpointError> {
        u64::try_from(self.0).map_err(|_| EndpointError::Malformed { expected: "a number below 2^64" })
    }
}

pub(crate) fn parse<T: DeserializeOwned>(raw: &RawValue, expected: &'static str) -> Result<T, EndpointError> {
    serde_json::from_str(raw.get()).map_err(|_| EndpointError::Malformed { expected })
}

pub(crate) fn number(raw: &RawValue) -> Result<u64, EndpointError> {
    parse::<Quantity>(raw, "a quantity")?.small()
}

pub(crate) fn amount(raw: &RawValue) -> Result<Amount, EndpointError> {
    parse::<Quantity>(raw, "a quantity").map(|quantity| Amount(quantity.0))
}

pub(crate) fn bytes(raw: &RawValue) -> Result<Bytes, EndpointError> {
    parse(raw, "hex bytes")
}

pub(crate) fn receipt(raw: &RawValue, asked: B256) -> Result<Option<ReceiptFacts>, EndpointError> {
    let Some(fields) = parse::<Option<ReceiptFields>>(raw, "a receipt")? else {
        return Ok(None);
    };
    if fields.transaction_hash != asked {
        return Err(EndpointError::Malformed { expected: "the receipt of the transaction asked for" });
    }
    let gas = fields.gas_used.0.saturating_mul(fields.effective_gas_price.0);
    let blobs = fields
        .blob_gas_used
        .unwrap_or_default()
        .0
        .saturating_mul(fields.blob_gas_price.unwrap_or_default().0);
    // A rollup takes a part for the chain below it, and one for who runs it, beside the gas.
    let beside = fields.l1_fee.unwrap_or_default().0.saturating_add(fields.operator_fee());
    let fee = gas.saturating_add(blobs).saturating_add(beside);
    Ok(Some(ReceiptFacts {
        block: fields.block_number.small()?,
        block_hash: fields.block_hash,
        succeeded: fields.status.0 == U256::ONE,
        fee: Amount(fee),
    }))
}

/// The calls of the first simulated block (`eth_simulateV1`).
pub(crate) fn ran(raw: &RawValue) -> Result<Vec<RanFacts>, EndpointError> {
    #[derive(Deserialize)]
    struct Simulated {
        calls: Vec<Ran>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Ran {
        status: Quantity,
        gas_used: Quantity,
    }
    let blocks: Vec<Simulated> = parse(raw, "simulated blocks")?;
    let first = blocks.first().ok_or(EndpointError::Malformed { expected: "a simulated block" })?;
    let facts =
        |it: &Ran| Ok(RanFacts { succeeded: it.status.0 == U256::ONE, gas_used: it.gas_used.small()? });
    first.calls.iter().map(facts).collect()
}

pub(crate) fn block(raw: &RawValue) -> Result<BlockFacts, EndpointError> {
    let fields: BlockFields = parse(raw, "a block")?;
    Ok(BlockFacts {
        number: fields.number.small()?,
        hash: fields.hash,
        time_seconds: fields.timestamp.small()?,
    })
}

pub(crate) fn header(raw: &RawValue) -> Result<HeaderFacts, EndpointError> {
    let fields: HeaderFields = parse(raw, "a block with its header")?;
    Ok(HeaderFacts {
        number: fields.number.small()?,
        hash: fields.hash,
        time_seconds: fields.timestamp.small()?,
        beneficiary: fields.miner,
        gas_limit: fields.gas_limit.small()?,
        base_fee: fields.base_fee_per_gas.map(Quantity::small).transpose()?,
        randomness: fields.mix_hash.unwrap_or_default(),
    })
}

/// A word of storage: 32 bytes, where a quantity drops its zeros.
pub(crate) fn word(raw: &RawValue) -> Result<U256, EndpointError> {
    parse::<Quantity>(raw, "a word of storage").map(|word| word.0)
}

/// The hash of the block's transaction from `account` with `nonce`.
pub(crate) fn sent_in(raw: &RawValue, account: Address, nonce: u64) -> Result<Option<B256>, EndpointError> {
    let fields: FullBlock = parse(raw, "a block with its transactions")?;
    let sent = fields.transactions.iter().find(|tx| tx.from == account && tx.nonce.0 == U256::from(nonce));
    Ok(sent.map(|tx| tx.hash))
}

/// A block with the transactions that some accounts sent, and those by which some of them pay or are paid.
pub(crate) fn scanned(
    raw: &RawValue,
    accounts: &BTreeSet<Address>,
) -> Result<(ScannedBlock, Vec<Payment>), EndpointError> {
    let fields: ScannedFields = parse(raw, "a block with its transactions")?;
    let ours = fields.transactions.iter().filter(|it| accounts.contains(&it.from));
    let sent = ours.map(SignedFields::facts).collect::<Result<_, _>>()?;
    let concerns = |it: &&SignedFields| {
        accounts.contains(&it.from) || it.to.is_some_and(|to| accounts.contains(&to) && !it.value.0.is_zero())
    };
    let payments = fields.transactions.iter().filter(concerns).map(SignedFields::payment).collect();
    let (number, hash, parent) = (fields.number.small()?, fields.hash, fields.parent_hash);
    let (moved, came, flows) = (Vec::new(), Vec::new(), BTreeMap::new());
    Ok((ScannedBlock { number, hash, parent, sent, moved, came, flows }, payments))
}

/// The tokens that logs say to have left some accounts, or to have come. An event that moves nothing costs nobody anything: anyone can
/// have one written in anyone's name.
pub(crate) fn moved(raw: &RawValue, sought: &Sought) -> Result<Vec<MovedFacts>, EndpointError> {
    let logs: Vec<LogFields> = parse(raw, "logs")?;
    let asked_for = |log: &&LogFields| {
        sought.tokens.contains(&log.address) && log.topics.first() == Some(&TRANSFER) && !log.removed
    };
    let ours = |it: &MovedFacts| {
        (sought.accounts.contains(&it.from) || sought.accounts.contains(&it.to)) && it.from != it.to
    };
    Ok(logs.iter().filter(asked_for).filter_map(LogFields::moved).filter(ours).collect())
}

/// The wrapped coins that logs say some accounts to have unwrapped: they are burnt, as by a transfer to nobody.
pub(crate) fn unwrapped(raw: &RawValue, sought: &Sought) -> Result<Vec<MovedFacts>, EndpointError> {
    let logs: Vec<LogFields> = parse(raw, "logs")?;
    let asked_for = |log: &&LogFields| {
        sought.tokens.contains(&log.address) && log.topics.first() == Some(&WITHDRAWAL) && !log.removed
    };
    let ours = |it: &MovedFacts| sought.accounts.contains(&it.from);
    Ok(logs.iter().filter(asked_for).filter_map(LogFields::unwrapped).filter(ours).collect())
}

pub(crate) fn history(raw: &RawValue) -> Result<History, EndpointError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Fields {
        base_fee_per_gas: Vec<Quantity>,
        #[serde(default)]
        reward: Vec<Vec<Quantity>>,
    }
    let fields: Fields = parse(raw, "a fee history")?;
    let next = fields.base_fee_per_gas.last().ok_or(EndpointError::Malformed { expected: "base fees" })?;
    let rewards = fields.reward.iter().filter_map(|block| block.first());
    Ok(History {
        next_base_fee: Amount(next.0),
        priority_fees: rewards.map(|reward| Amount(reward.0)).collect(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptFields {
    transaction_hash: B256,
    block_number: Quantity,
    block_hash: B256,
    status: Quantity,
    gas_used: Quantity,
    effective_gas_price: Quantity,
    blob_gas_used: Option<Quantity>,
    blob_gas_price: Option<Quantity>,
    l1_fee: Option<Quantity>,
    operator_fee_scalar: Option<Quantity>,
    operator_fee_constant: Option<Quantity>,
    da_footprint_gas_scalar: Option<Quantity>,
}

impl ReceiptFields {
    /// What the operator of an OP Stack rollup takes: since Isthmus `gas × scalar / 10^6 + constant`, since Jovian, whose receipts
    /// have a footprint, `gas × scalar × 100 + constant`.
    fn operator_fee(&self) -> U256 {
        let of = |it: Option<Quantity>| it.unwrap_or_default().0;
        let product = self.gas_used.0.saturating_mul(of(self.operator_fee_scalar));
        let share = match self.da_footprint_gas_scalar {
            Some(_) => product.saturating_mul(U256::from(100)),
            None => product.wrapping_div(U256::from(1_000_000)),
        };
        share.saturating_add(of(self.operator_fee_constant))
    }
}

#[derive(Deserialize)]
struct BlockFields {
    number: Quantity,
    hash: B256,
    timestamp: Quantity,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeaderFields {
    number: Quantity,
    hash: B256,
    timestamp: Quantity,
    miner: Address,
    gas_limit: Quantity,
    base_fee_per_gas: Option<Quantity>,
    mix_hash: Option<B256>,
}

#[derive(Deserialize)]
struct FullBlock {
    transactions: Vec<TransactionFields>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScannedFields {
    number: Quantity,
    hash: B256,
    parent_hash: B256,
    transactions: Vec<SignedFields>,
}

/// Signatures may be missing where a development node sent something by itself: then they are zero, and nobody's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedFields {
    hash: B256,
    from: Address,
    nonce: Quantity,
    #[serde(default)]
    to: Option<Address>,
    value: Quantity,
    #[serde(default)]
    r: Option<Quantity>,
    #[serde(default)]
    s: Option<Quantity>,
    #[serde(default)]
    y_parity: Option<Quantity>,
    #[serde(default)]
    v: Option<Quantity>,
}

impl SignedFields {
    fn payment(&self) -> Payment {
        Payment { hash: self.hash, from: self.from, to: self.to, value: self.value.0 }
    }

    fn facts(&self) -> Result<SentFacts, EndpointError> {
        let zero = Quantity(U256::ZERO);
        Ok(SentFacts {
            hash: self.hash,
            from: self.from,
            nonce: self.nonce.small()?,
            r: self.r.unwrap_or(zero).0,
            s: self.s.unwrap_or(zero).0,
            odd_y: self.y_parity.or(self.v).is_some_and(|it| is_odd(it.0)),
        })
    }
}

/// The parity in any of the ways to write it: itself, 27 or 28, or as EIP-155 does, 35 or 36 and twice the chain's id.
fn is_odd(v: U256) -> bool {
    let small = v <= U256::ONE;
    v.bit(0) == small
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogFields {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
    transaction_hash: B256,
    #[serde(default)]
    removed: bool,
}

impl LogFields {
    fn unwrapped(&self) -> Option<MovedFacts> {
        let [_, from] = self.topics.as_slice() else { return None };
        Some(MovedFacts {
            transaction: self.transaction_hash,
            token: self.address,
            from: Address::from_word(*from),
            to: Address::ZERO,
            amount: self.data.get(..32).map(U256::from_be_slice)?,
        })
    }

    /// The amount is the data of an ERC-20, the fourth topic of an ERC-721. None where nothing moves.
    fn moved(&self) -> Option<MovedFacts> {
        let [_, from, to, rest @ ..] = self.topics.as_slice() else { return None };
        let said = self.data.get(..32).map(U256::from_be_slice);
        let amount = rest.first().map(|id| U256::from_be_bytes(id.0)).or(said);
        let facts = MovedFacts {
            transaction: self.transaction_hash,
            token: self.address,
            from: Address::from_word(*from),
            to: Address::from_word(*to),
            amount: amount.unwrap_or_default(),
        };
        (!rest.is_empty() || amount != Some(U256::ZERO)).then_some(facts)
    }
}

#[derive(Deserialize)]
struct TransactionFields {
    hash: B256,
    from: Address,
    nonce: Quantity,
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Address = Address::repeat_byte(0xaa);
    const THEIRS: Address = Address::repeat_byte(0xbb);
    const COIN: Address = Address::repeat_byte(7);

    fn log(token: Address, from: Address, to: Address, data: &[u8]) -> Box<RawValue> {
        let topics = [TRANSFER, from.into_word(), to.into_word()];
        let (data, transaction) = (Bytes::copy_from_slice(data), B256::repeat_byte(9));
        let log = serde_json::json!({"address": token, "topics": topics, "data": data, "transactionHash": transaction});
        serde_json::value::to_raw_value(&[log]).unwrap()
    }

    #[test]
    fn l04_only_what_moves_a_known_token_from_us_or_to_us_counts() {
        let sought = Sought { accounts: BTreeSet::from([OURS]), tokens: BTreeSet::from([COIN]) };
        let [one, none] = [U256::ONE, U256::ZERO].map(|it| it.to_be_bytes::<32>());
        for (log, amounts) in [
            (log(COIN, OURS, THEIRS, &one), vec![U256::ONE]),
            (log(THEIRS, OURS, THEIRS, &one), vec![]),
            (log(COIN, THEIRS, OURS, &one), vec![U256::ONE]),
            (log(COIN, THEIRS, THEIRS, &one), vec![]),
            (log(COIN, OURS, OURS, &one), vec![]),
            (log(COIN, OURS, THEIRS, &none), vec![]),
            // A token that says too little took something all the same.
            (log(COIN, OURS, THEIRS, &one[..31]), vec![U256::ZERO]),
        ] {
            let found = moved(&log, &sought).unwrap();
            assert_eq!(found.iter().map(|it| it.amount).collect::<Vec<_>>(), amounts, "{log}");
        }
    }

    #[test]
    fn a_parity_is_read_however_it_is_written() {
        for (v, odd) in [(0_u64, false), (1, true), (27, false), (28, true), (37, false), (38, true)] {
            assert_eq!(is_odd(U256::from(v)), odd, "{v}");
        }
    }

    #[test]
    fn quantities_parse_strictly() {
        for (text, found) in [
            (r#""0x0""#, Some(0)),
            (r#""0x10""#, Some(16)),
            (r#""0x""#, None),
            (r#""16""#, None),
            ("16", None),
            ("null", None),
            (r#""0x-1""#, None),
            (r#""0x10000000000000000""#, None),
        ] {
            let raw = RawValue::from_string(text.to_owned()).unwrap();
            assert_eq!(number(&raw).ok(), found, "{text}");
        }
    }
}
