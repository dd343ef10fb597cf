//! NEAR on a node's way: the transaction that is read for the enclave, and what a signature of it makes.

use keystead_base::RequestId;
use keystead_decision::{Decision, Grant, State};
use keystead_intent::{Intent, NearTransaction};
use keystead_ledger::SignatureRecord;
use keystead_near::{Refusal, Unsigned};
use keystead_wire::Refused;

/// INVARIANT S2: the transaction is read here as everywhere, for the key that this node's own log recorded.
pub(crate) fn read(state: &State, it: &NearTransaction) -> Result<Unsigned, Refused> {
    state.near_transaction(it).map_err(|reason| Refused::of(&reason))
}

/// INVARIANT S7: the record of a signature; none unless it verifies under the key that the transaction names. It holds the signed
/// transaction as NEAR takes it; that is named by the digest that was signed.
pub(crate) fn record(
    (request, height, position): (RequestId, u64, u64),
    unsigned: &Unsigned,
    signature: &[u8],
) -> Result<SignatureRecord, Refusal> {
    let signed = unsigned.sign_into(signature)?;
    let signing_digest = unsigned.signing_digest();
    let signature = signature.to_vec();
    Ok(SignatureRecord { request, height, position, signing_digest, signature, signed, transaction: None })
}

/// INVARIANT S7: what another node's signature makes under a decision at this place of its block; none unless the decision
/// allows exactly this transaction for this account.
pub(crate) fn recovered(
    state: &State,
    (decision, grant, position): (&Decision, &Grant, u64),
    intent: &Intent,
    it: &NearTransaction,
    signature: &[u8],
) -> Option<SignatureRecord> {
    let unsigned = state.near_transaction(it).ok()?;
    let granted = grant.address == unsigned.signer() && grant.signing_digest == unsigned.signing_digest();
    if !granted || intent.id() != decision.subject {
        return None;
    }
    record((decision.subject, decision.height, position), &unsigned, signature).ok()
}
