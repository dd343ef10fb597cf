//! What endpoints answer, without the connection around it: for whoever feeds the parsers with garbage.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, Bytes, U256};
use keystead_base::Amount;

use crate::answer;
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

fn zero() -> BTreeSet<Address> {
    BTreeSet::from([Address::ZERO])
}
