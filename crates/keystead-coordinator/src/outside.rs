//! What clients send, without the sockets around it: for whoever feeds the parsers with garbage.

use keystead_decision::Entry;
use keystead_intent::{AccountRef, Action, ChainId, GasTerms};

use crate::http;
use crate::transaction::{Complete, TransactionRequest};

/// The action that a transaction object of JSON-RPC means, with what it leaves open filled in.
///
/// # Errors
///
/// What is unknown in it, or contradicts itself.
pub fn read_transaction(
    json: &str,
    account: AccountRef,
    chain: ChainId,
    gas: GasTerms,
) -> Result<Action, String> {
    let request: TransactionRequest = serde_json::from_str(json).map_err(|error| error.to_string())?;
    request.check(chain)?;
    Ok(request.action(&Complete { account, chain, gas }))
}

/// The entries of a body for `/v1/entries`.
///
/// # Errors
///
/// What is wrong with the body, or with one of its documents.
pub fn read_entries(body: &[u8]) -> Result<Vec<Entry>, String> {
    http::parse_entries(body)
}
