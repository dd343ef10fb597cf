//! PSBTs of keys in shares: what is admitted is signed input by input, each in a run of its own.

use keystead_base::{Canonical as _, Digest, PublicAccount, Timestamp};
use keystead_bitcoin::{InputSignature, Sighash, SigningDigest, Spend, SpendSignature, wallet_in_shares};
use keystead_decision::{Grant, Header};
use keystead_intent::{KeyKind, PsbtSpend};
use keystead_threshold::Scheme;
use secp256k1::ecdsa::Signature;

use super::sharing::Admitted;
use super::{Enclave, EnclaveControls, granted, spending};
use crate::EnclaveError;
use crate::curve::SIGHASH_ALL;
use crate::protocol::{BatchItem, ItemResult};
use crate::threshold::{Made, ThresholdError};

impl<C: EnclaveControls> Enclave<C> {
    /// INVARIANT S2, S3: as for a whole key, against the wallet that follows from the shared key; what is kept of it are the
    /// digests that were computed here.
    pub(super) fn admit_spend(
        &mut self,
        header: &Header,
        item: &BatchItem,
        payload: &PsbtSpend,
        now: Timestamp,
    ) -> Result<ItemResult, EnclaveError> {
        let log = self.log.as_ref().ok_or(EnclaveError::NotReady)?;
        let (key, chain) = (&payload.account.key, payload.chain);
        let epoch = granted(item).ok_or(ThresholdError::NotAdmitted)?.epoch;
        let holding = self.threshold.holding(key, epoch)?;
        if payload.shared.is_some() {
            return Err(EnclaveError::NoWallet { chain });
        }
        let wallet = wallet_in_shares(chain, kind_of(holding.scheme), &holding.account)
            .map_err(|error| EnclaveError::Spend(error.into()))?;
        if payload.account.index != wallet.account {
            return Err(EnclaveError::NoWallet { chain });
        }
        let spend = Spend::read(&wallet, &payload.psbt)?;
        let digest = self.controls.spend_to_grant(&spend, granted(item));
        let permit = log.permit_decided(header, &item.decision, &item.proof, &digest, now)?.hold();
        spending::fits(permit.grant(), payload, &spend)?;
        let place = (item.decision.subject, header.height);
        let inputs = spend.view().digests();
        if inputs.is_empty() {
            return Err(ThresholdError::NotAdmitted.into());
        }
        let (header, policy_version) = (header.digest(), item.decision.policy.number);
        self.rights.admit(place, Admitted { permit, header, policy_version, inputs, message: None }, now);
        Ok(ItemResult::Admitted)
    }
}

/// INVARIANT S7: the signature of an input, verified by the code that every other node verifies it with.
pub(super) fn input_signed(input: &SigningDigest, made: &Made) -> Option<SpendSignature> {
    let key = input.keys.first()?.public;
    let bytes = match made {
        Made::Ecdsa(_) => {
            let signature = Signature::from_compact(&made.bytes()).ok()?;
            [signature.serialize_der().as_ref(), &[SIGHASH_ALL]].concat()
        }
        Made::Schnorr(signature) => match input.sighash {
            Sighash::Default => signature.to_vec(),
            Sighash::All => [&signature[..], &[SIGHASH_ALL]].concat(),
        },
    };
    let signature = InputSignature { input: input.input, key, bytes };
    input.verify(&signature).ok()?;
    let InputSignature { input: at, key, bytes } = signature;
    Some(SpendSignature { input: u32::try_from(at).ok()?, key: key.serialize(), bytes })
}

/// Which wallet a key of this scheme has.
fn kind_of(scheme: Scheme) -> KeyKind {
    match scheme {
        Scheme::EcdsaDkls23 => KeyKind::ThresholdSecp256k1,
        Scheme::Bip340Frost => KeyKind::ThresholdBip340,
        Scheme::Ed25519Frost => KeyKind::ThresholdEd25519,
    }
}

/// What a run signs.
pub(super) struct ToJoin {
    /// What its session names.
    pub(super) digest: Digest,
    /// Where the key of it is.
    pub(super) path: Vec<u32>,
    /// What is signed: the same 32 bytes, or a message of Solana's.
    pub(super) message: Vec<u8>,
}

impl ToJoin {
    fn digest(digest: Digest, path: Vec<u32>) -> Self {
        Self { digest, path, message: digest.as_bytes().to_vec() }
    }
}

impl Admitted {
    /// What a run of it signs, and where the key of it is: an input of its own where a PSBT was admitted, and only there.
    pub(super) fn signs(
        &self,
        grant: &Grant,
        account: &PublicAccount,
        input: Option<u32>,
    ) -> Result<ToJoin, ThresholdError> {
        match (input, &self.message) {
            (Some(input), None) => self.signs_input(input),
            (None, Some(it)) => {
                let (digest, message) = (grant.signing_digest, it.message().to_bytes());
                Ok(ToJoin { digest, path: Vec::new(), message })
            }
            (None, None) if self.inputs.is_empty() => {
                Ok(ToJoin::digest(grant.signing_digest, account.path(grant.account.index)))
            }
            _ => Err(ThresholdError::NotAdmitted),
        }
    }

    fn signs_input(&self, input: u32) -> Result<ToJoin, ThresholdError> {
        let found = self.inputs.iter().find(|it| u32::try_from(it.input) == Ok(input));
        let key = found.and_then(|it| Some(ToJoin::digest(it.digest, it.keys.first()?.path.to_u32_vec())));
        key.ok_or(ThresholdError::NotAdmitted)
    }
}
