//! Messages of Solana's: read here for the shared key itself, signed by a run, and verified before they leave.

use keystead_base::{Canonical as _, Digest, Timestamp};
use keystead_decision::{Grant, Header};
use keystead_intent::SolanaMessage;
use keystead_solana::{Cluster, Pubkey, Unsigned};

use super::sharing::Admitted;
use super::{Enclave, EnclaveControls, granted};
use crate::EnclaveError;
use crate::protocol::{BatchItem, ItemResult, ReleasedMessage};
use crate::threshold::{Made, ThresholdError};

/// The payload of an item, where it is a message of Solana's.
pub(super) fn payload_of(item: &BatchItem) -> Option<SolanaMessage> {
    SolanaMessage::from_document(&item.unsigned).ok()
}

impl<C: EnclaveControls> Enclave<C> {
    /// INVARIANT S2, S3: what is granted must be the digest of the message that is read here, for the key that this enclave has a
    /// share of. What is kept is the message: Ed25519 signs it and not its digest.
    pub(super) fn admit_message(
        &mut self,
        header: &Header,
        item: &BatchItem,
        payload: &SolanaMessage,
        now: Timestamp,
    ) -> Result<ItemResult, EnclaveError> {
        let log = self.log.as_ref().ok_or(EnclaveError::NotReady)?;
        let epoch = granted(item).ok_or(ThresholdError::NotAdmitted)?.epoch;
        let holding = self.threshold.holding(&payload.account.key, epoch)?;
        let account = holding.account.ed25519_key().map(Pubkey).ok_or(ThresholdError::Share)?;
        let chain = payload.chain;
        let cluster = Cluster::of(chain).ok_or(EnclaveError::NoCluster { chain })?;
        let message = Unsigned::read(cluster, account, &payload.message)?;
        let digest = self.controls.message_to_grant(&message, granted(item));
        let permit = log.permit_decided(header, &item.decision, &item.proof, &digest, now)?.hold();
        fits(permit.grant(), payload, &message)?;
        let place = (item.decision.subject, header.height);
        let (header, policy_version) = (header.digest(), item.decision.policy.number);
        let (inputs, message) = (Vec::new(), Some(Box::new(message)));
        self.rights.admit(place, Admitted { permit, header, policy_version, inputs, message }, now);
        Ok(ItemResult::Admitted)
    }
}

/// INVARIANT S7: the signature of a message, verified with the key of its account over the very message, by the code that every
/// other node verifies it with.
pub(super) fn message_signed(
    (grant, digest): (&Grant, Digest),
    message: &Unsigned,
    made: &Made,
) -> Option<ReleasedMessage> {
    let Made::Schnorr(signature) = made else { return None };
    message.verify(signature).ok()?;
    let is_granted = digest == grant.signing_digest && digest == message.signing_digest();
    let released =
        ReleasedMessage { signing_digest: digest, account: grant.address, signature: signature.to_vec() };
    is_granted.then_some(released)
}

/// The decision's account and cluster are the payload's, and the address is the shared key's (S8).
fn fits(grant: &Grant, payload: &SolanaMessage, message: &Unsigned) -> Result<(), EnclaveError> {
    if grant.chain != payload.chain {
        return Err(EnclaveError::Chain { expected: grant.chain, found: payload.chain });
    }
    let expected = message.account().id(message.cluster());
    if grant.address != expected || grant.account != payload.account || payload.account.index != ONLY_ACCOUNT
    {
        return Err(EnclaveError::Account { expected, found: grant.address });
    }
    Ok(())
}

/// A key of Ed25519 has no children here.
const ONLY_ACCOUNT: u32 = 0;
