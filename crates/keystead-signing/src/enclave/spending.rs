//! Bitcoin: the wallet is derived from the seed, the PSBT is read against it here, and each input is signed.

use keystead_base::{Canonical as _, Name, Secret, Timestamp};
use keystead_bitcoin::{
    AccountKey, Network, Spend, SpendSignature, SpendSignatures, account_paths, cosigner_path, record_wallet,
    shared_wallet,
};
use keystead_decision::{Grant, Header, wallet_challenge};
use keystead_intent::{BitcoinWallet, ChainId, PsbtSpend};
use keystead_keys::HdRoot;
use keystead_policy::PolicyVersion;

use super::{Enclave, EnclaveControls, granted, in_epoch};
use crate::EnclaveError;
use crate::entropy::kernel_random;
use crate::protocol::{BatchItem, ProvenWallet, ReleasedSpend, WalletOf};

/// The payload of an item, where it is a PSBT.
pub(super) fn payload_of(item: &BatchItem) -> Option<PsbtSpend> {
    PsbtSpend::from_document(&item.unsigned).ok()
}

impl<C: EnclaveControls> Enclave<C> {
    /// Which wallet a key has, with the word of its first account that both grow from one seed.
    pub(super) fn prove_wallet(&mut self, it: &WalletOf) -> Result<ProvenWallet, EnclaveError> {
        let log = self.log.as_ref().ok_or(EnclaveError::NotReady)?;
        if log.version().chains.binary_search(&it.chain).is_err() {
            return Err(EnclaveError::NoWallet { chain: it.chain });
        }
        let wallet = wallet(&self.root(&it.key)?, it.chain, RECORDED_ACCOUNT)?;
        let challenge = wallet_challenge(self.cluster()?, &it.key, &wallet.digest());
        let account = self.vault.account(&it.key, 0)?;
        let signature = self.curve.sign(&self.vault.scalar(&account), &account.public, &challenge)?;
        Ok(ProvenWallet { wallet, proof: signature.rs.to_vec() })
    }

    /// INVARIANT S2, S3: what is granted must be the digest of what is read here, against the wallet of the key itself;
    /// a wallet that the log was told of and that is another one makes another digest.
    pub(super) fn spend(
        &mut self,
        header: &Header,
        item: &BatchItem,
        payload: &PsbtSpend,
        now: Timestamp,
    ) -> Result<ReleasedSpend, EnclaveError> {
        let log = self.log.as_ref().ok_or(EnclaveError::NotReady)?;
        let root = self.root(&payload.account.key)?;
        let wallet = spent_wallet(log.version(), &root, payload)?;
        let spend = Spend::read(&wallet, &payload.psbt)?;
        let digest = self.controls.spend_to_grant(&spend, granted(item));
        let permit = log.permit_decided(header, &item.decision, &item.proof, &digest, now)?;
        let grant = permit.into_grant();
        let name = &grant.account.key;
        in_epoch(name, self.vault.key(name)?.epoch, grant.epoch)?;
        fits(&grant, payload, &spend)?;
        let signatures = self.sign_inputs(&root, &spend)?;
        Ok(ReleasedSpend { signing_digest: spend.signing_digest(), wallet: spend.wallet(), signatures })
    }

    /// INVARIANT S7: each signature is verified before any of them leaves, and no r repeats.
    fn sign_inputs(&mut self, root: &HdRoot, spend: &Spend) -> Result<SpendSignatures, EnclaveError> {
        let mut signatures = Vec::new();
        for digest in spend.view().digests() {
            let key = spend.own_key(&digest).ok_or(EnclaveError::NoWallet { chain: spend.chain() })?;
            let scalar = root.descend(&key.path.to_u32_vec())?.scalar();
            let mut aux = Secret::new([0; 32]);
            kernel_random(aux.expose_mut());
            let (signature, r) = self.curve.sign_input(&scalar, key, &digest, &aux)?;
            if !self.repeats.admit(r, digest.digest) {
                return Err(EnclaveError::RepeatedNonce);
            }
            signatures.push(SpendSignature {
                input: u32::try_from(signature.input).unwrap_or(u32::MAX),
                key: signature.key.serialize(),
                bytes: signature.bytes,
            });
        }
        Ok(SpendSignatures { signatures })
    }

    fn root(&self, key: &Name) -> Result<HdRoot, EnclaveError> {
        Ok(self.vault.root(key)?)
    }
}

/// INVARIANT S2, S3: the key's own wallet, or one that the policy in force says it shares; in that one, too, the key's part
/// is derived here.
fn spent_wallet(
    policy: &PolicyVersion,
    root: &HdRoot,
    payload: &PsbtSpend,
) -> Result<BitcoinWallet, EnclaveError> {
    let own = wallet(root, payload.chain, payload.account.index)?;
    let Some(name) = &payload.shared else { return Ok(own) };
    let terms = policy.bitcoin.as_ref();
    let shared = terms.and_then(|it| it.shared_wallet(payload.chain, &payload.account.key, name));
    let shared = shared.ok_or(EnclaveError::NoWallet { chain: payload.chain })?;
    shared_wallet(&own, &shared.descriptor).map_err(|error| EnclaveError::Spend(error.into()))
}

pub(super) fn wallet(root: &HdRoot, chain: ChainId, account: u32) -> Result<BitcoinWallet, EnclaveError> {
    let network = Network::of(chain).ok_or(EnclaveError::NoWallet { chain })?;
    if account != RECORDED_ACCOUNT {
        return Err(EnclaveError::NoWallet { chain });
    }
    let mut keys = Vec::new();
    let key = |path: &[u32]| -> Result<AccountKey, EnclaveError> {
        let node = root.descend(path)?;
        Ok(AccountKey { parent: node.parent_fingerprint(), public: node.public() })
    };
    for path in account_paths(network, account) {
        keys.push(key(&path)?);
    }
    let cosigner = key(&cosigner_path(network, account))?;
    let keys: [AccountKey; 4] = keys.try_into().map_err(|_| EnclaveError::NoWallet { chain })?;
    record_wallet(network, account, root.fingerprint(), &keys, &cosigner)
        .map_err(|error| EnclaveError::Spend(error.into()))
}

/// The decision's account, wallet and network are the payload's and those derived here (S8).
pub(super) fn fits(grant: &Grant, payload: &PsbtSpend, spend: &Spend) -> Result<(), EnclaveError> {
    if grant.chain != spend.chain() {
        return Err(EnclaveError::Chain { expected: grant.chain, found: spend.chain() });
    }
    if grant.address != spend.wallet() || grant.account != payload.account {
        return Err(EnclaveError::Account { expected: spend.wallet(), found: grant.address });
    }
    Ok(())
}

/// The account of BIP-44 that the log records.
pub(super) const RECORDED_ACCOUNT: u32 = 0;
