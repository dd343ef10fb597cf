//! Solana on a node's way: the message that is read for the enclave, and what a signature of it makes.

use keystead_base::RequestId;
use keystead_decision::{Decision, Grant, State};
use keystead_intent::{Intent, SolanaMessage};
use keystead_ledger::SignatureRecord;
use keystead_solana::{Cluster, SignatureError, Unsigned};
use keystead_wire::Refused;

/// INVARIANT S2: the message is read here as everywhere, for the key that this node's own log recorded.
pub(crate) fn read(state: &State, it: &SolanaMessage) -> Result<Unsigned, Refused> {
    let (cluster, account) = state.solana_signer(it).map_err(|reason| Refused::of(&reason))?;
    Unsigned::read(cluster, account, &it.message).map_err(|error| Refused::of(&error))
}

/// INVARIANT S7: the record of a signature; none unless it verifies under the account over the very message. It holds the
/// transaction as clusters take it, with zeros where others sign, too. Nothing here watches a cluster: no digest of ours names it.
pub(crate) fn record(
    (request, height, position): (RequestId, u64, u64),
    message: &Unsigned,
    signature: &[u8],
) -> Result<SignatureRecord, SignatureError> {
    let invalid = || SignatureError::Invalid { signer: message.account() };
    let signed = message.sign_into(signature.try_into().map_err(|_| invalid())?)?;
    Ok(SignatureRecord {
        request,
        height,
        position,
        signing_digest: message.signing_digest(),
        signature: signature.to_vec(),
        signed,
        transaction: None,
    })
}

/// INVARIANT S7: what another node's signature makes under a decision at this place of its block; none unless the decision
/// allows exactly this message for this account.
pub(crate) fn recovered(
    state: &State,
    (decision, grant, position): (&Decision, &Grant, u64),
    intent: &Intent,
    it: &SolanaMessage,
    signature: &[u8],
) -> Option<SignatureRecord> {
    let (cluster, account) = (Cluster::of(it.chain)?, state.solana_address(&it.account)?);
    let message = Unsigned::read(cluster, account, &it.message).ok()?;
    let granted = grant.address == account.id(cluster) && grant.signing_digest == message.signing_digest();
    if !granted || intent.id() != decision.subject {
        return None;
    }
    record((decision.subject, decision.height, position), &message, signature).ok()
}
