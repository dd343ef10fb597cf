//! Transactions of NEAR's: read here for the key itself, signed by ML-DSA-65, and verified before they leave.

use keystead_base::{Canonical as _, Timestamp};
use keystead_decision::{Grant, Header};
use keystead_intent::NearTransaction;
use keystead_near::{Network, Unsigned};

use super::{Enclave, EnclaveControls, granted, in_epoch};
use crate::EnclaveError;
use crate::protocol::{BatchItem, ReleasedMessage};

/// The payload of an item, where it is a transaction of NEAR's.
pub(super) fn payload_of(item: &BatchItem) -> Option<NearTransaction> {
    NearTransaction::from_document(&item.unsigned).ok()
}

impl<C: EnclaveControls> Enclave<C> {
    /// INVARIANT S2, S3: what is granted must be the digest of the transaction that is read here, for the key that this process has.
    pub(super) fn sign_near(
        &mut self,
        header: &Header,
        item: &BatchItem,
        payload: &NearTransaction,
        now: Timestamp,
    ) -> Result<ReleasedMessage, EnclaveError> {
        let (name, chain) = (&payload.account.key, payload.chain);
        let key = self.vault.ml_dsa_65(name)?;
        let network = Network::of(chain).ok_or(EnclaveError::NoNetwork { chain })?;
        let unsigned = Unsigned::read(network, &self.vault.public(name)?, &payload.transaction)?;
        let digest = self.controls.transaction_to_grant(&unsigned, granted(item));
        let log = self.log.as_ref().ok_or(EnclaveError::NotReady)?;
        let grant = log.permit_decided(header, &item.decision, &item.proof, &digest, now)?.into_grant();
        in_epoch(name, self.vault.key(name)?.epoch, grant.epoch)?;
        fits(&grant, payload, &unsigned)?;
        let signing_digest = unsigned.signing_digest();
        let signature = self.sign_quantum(&key, &signing_digest)?.as_bytes().to_vec();
        // INVARIANT S7: by the code that every other node verifies it with.
        unsigned.sign_into(&signature)?;
        Ok(ReleasedMessage { signing_digest, account: grant.address, signature })
    }
}

/// The decision's account, chain and signer are the payload's (S8).
fn fits(grant: &Grant, payload: &NearTransaction, unsigned: &Unsigned) -> Result<(), EnclaveError> {
    if grant.chain != payload.chain {
        return Err(EnclaveError::Chain { expected: grant.chain, found: payload.chain });
    }
    let expected = unsigned.signer();
    if grant.address != expected || grant.account != payload.account || payload.account.index != ONLY_ACCOUNT
    {
        return Err(EnclaveError::Account { expected, found: grant.address });
    }
    Ok(())
}

/// A key of ML-DSA-65 has no children here.
const ONLY_ACCOUNT: u32 = 0;
