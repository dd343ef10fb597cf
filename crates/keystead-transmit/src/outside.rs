//! What endpoints answer, without the connection around it: for whoever feeds the parsers with garbage.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, Bytes, U256};
use bitcoin::hashes::Hash as _;
use bitcoin::{BlockHash, Txid};
use keystead_base::Amount;

use crate::answer;
use crate::coins::{Mined, answer as coins};
use crate::endpoint;
use crate::{
    BlockFacts, EndpointError, HeaderFacts, History, MovedFacts, ReceiptFacts, ScannedBlock, Sought,
};

/// What one answer says to each question that may have been asked.
#[derive(Debug)]
pub struct Readings {
    /// As a quantity below 2^64.
    pub number: Result<u64, EndpointError>,
    /// As a quantity.
    pub amount: Result<Amount, EndpointError>,
    /// As bytes.
    pub bytes: Result<Bytes, EndpointError>,
    /// As the receipt of the transaction whose hash is zero.
    pub receipt: Result<Option<ReceiptFacts>, EndpointError>,
    /// As a block.
    pub block: Result<BlockFacts, EndpointError>,
    /// As a block's header.
    pub header: Result<HeaderFacts, EndpointError>,
    /// As a word of storage.
    pub word: Result<U256, EndpointError>,
    /// As a block in which the zero address sent its first transaction.
    pub sent_in: Result<Option<B256>, EndpointError>,
    /// As a block in which the zero address sent something.
    pub scanned: Result<ScannedBlock, EndpointError>,
    /// As logs by which a token at the zero address left the zero address.
    pub moved: Result<Vec<MovedFacts>, EndpointError>,
    /// As a fee history.
    pub history: Result<History, EndpointError>,
}

/// Reads the body of an answer to call number `id`.
///
/// # Errors
///
/// [`EndpointError`] when it is no answer to this call, or an error.
pub fn read_answer(body: &[u8], id: u64) -> Result<Readings, EndpointError> {
    let raw = endpoint::parse(body, id)?;
    Ok(Readings {
        number: answer::number(&raw),
        amount: answer::amount(&raw),
        bytes: answer::bytes(&raw),
        receipt: answer::receipt(&raw, B256::ZERO),
        block: answer::block(&raw),
        header: answer::header(&raw),
        word: answer::word(&raw),
        sent_in: answer::sent_in(&raw, Address::ZERO, 0),
        scanned: answer::scanned(&raw, &zero()).map(|(block, _)| block),
        moved: answer::moved(&raw, &Sought { accounts: zero(), tokens: zero() }),
        history: answer::history(&raw),
    })
}

/// What one answer of a source of coins says to each question that may have been asked.
#[derive(Debug)]
pub struct CoinReadings {
    /// As a height.
    pub height: Result<u32, EndpointError>,
    /// As the hash of a block.
    pub block_hash: Result<BlockHash, EndpointError>,
    /// As a whole block with the hash that it has.
    pub block: Result<bitcoin::Block, EndpointError>,
    /// As a whole transaction in hex with the id that it has.
    pub transaction: Result<bitcoin::Transaction, EndpointError>,
    /// As a page of a script's transactions: how many there are.
    pub page: Result<usize, EndpointError>,
    /// As the status of a transaction.
    pub status: Result<Option<Mined>, EndpointError>,
    /// As whether a coin is spent.
    pub outspend: Result<bool, EndpointError>,
    /// As estimates of fees, in satoshi for a thousand virtual bytes.
    pub estimates: Result<u64, EndpointError>,
    /// As Bitcoin Core's results, in the order of its questions.
    pub core: [bool; 6],
}

/// Reads the body of an answer of Esplora's, and of Bitcoin Core's to call number `id`.
#[must_use]
pub fn read_coin_answer(body: &[u8], id: u64) -> CoinReadings {
    let hash = body.get(..80).map_or(BlockHash::all_zeros(), BlockHash::hash);
    let word = coins::word::<String>(body, "hex");
    let found: Option<bitcoin::Transaction> =
        word.as_ref().ok().and_then(|it| bitcoin::consensus::encode::deserialize_hex(it).ok());
    let txid = found.map_or(Txid::all_zeros(), |it| it.compute_txid());
    CoinReadings {
        height: coins::height(body),
        block_hash: coins::block_hash(body),
        block: coins::block(body, hash),
        transaction: word.and_then(|it| coins::transaction(&it, txid)),
        page: coins::page(body).map(|it| it.len()),
        status: coins::status(body),
        outspend: coins::outspend(body),
        estimates: coins::estimates(body, 6),
        core: core(body, id),
    }
}

fn core(body: &[u8], id: u64) -> [bool; 6] {
    let Ok(raw) = endpoint::parse(body, id) else { return [false; 6] };
    let hash = coins::text(&raw, "hex").ok().and_then(|it| it.parse().ok());
    [
        coins::core_height(&raw).is_ok(),
        coins::core_hash(&raw).ok() == hash && hash.is_some(),
        coins::header(&raw, BlockHash::all_zeros()).is_ok(),
        coins::block_of(&raw, Txid::all_zeros()).is_ok(),
        coins::relevant(&raw, 0, 0).is_ok(),
        coins::smart_fee(&raw).is_ok(),
    ]
}

fn zero() -> BTreeSet<Address> {
    BTreeSet::from([Address::ZERO])
}
