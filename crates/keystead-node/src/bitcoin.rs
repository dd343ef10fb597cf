//! Bitcoin on a node's way: what is read for the enclave, what signatures make, and the wallets that the log is told of.

use keystead_base::{Canonical as _, Name, RequestId};
use keystead_bitcoin::{
    Completed, PsbtVersion, Spend, SpendError, SpendSignatures, shared_wallet, transaction_digest,
    transaction_id, wallet_in_shares,
};
use keystead_decision::{Decision, Grant, KeyStep, State};
use keystead_intent::{BitcoinWallet, ChainId, Intent, KeyKind, PsbtSpend};
use keystead_ledger::SignatureRecord;
use keystead_policy::PolicyVersion;
use keystead_signing::{ClientError, WalletOf};
use keystead_wire::Refused;

use crate::NodeError;
use crate::signer::Signer;

/// INVARIANT S2: the PSBT is read here as everywhere, against the wallet that this node's own log recorded.
pub(crate) fn read(state: &State, it: &PsbtSpend) -> Result<Spend, Refused> {
    let wallet = state.wallet_for(it).map_err(|reason| Refused::of(&reason))?;
    Spend::read(&wallet, &it.psbt).map_err(|error| Refused::of(&error))
}

/// INVARIANT S7: the record of a spend; none unless each signature verifies and is of our key. It holds the transaction, or
/// the PSBT with our signatures where others sign, too; no signature that they add changes the id of what they finish, as all
/// of it stands in witnesses (BIP-141).
pub(crate) fn record(
    (request, height, position): (RequestId, u64, u64),
    spend: Spend,
    signatures: &SpendSignatures,
) -> Result<SignatureRecord, SpendError> {
    let signing_digest = spend.signing_digest();
    let (signed, transaction) = match spend.complete(signatures)? {
        Completed::Transaction(done) => (done.to_bytes(), Some(transaction_digest(&done))),
        Completed::Partly(psbt) => {
            (psbt.to_bytes(PsbtVersion::Zero), Some(transaction_id(psbt.transaction())))
        }
    };
    Ok(SignatureRecord {
        request,
        height,
        position,
        signing_digest,
        signature: signatures.to_document(),
        signed,
        transaction,
    })
}

/// INVARIANT S7: what another node's signatures make under a decision at this place of its block; none unless the
/// decision allows exactly what this PSBT spends of this wallet.
pub(crate) fn recovered(
    decision: &Decision,
    grant: &Grant,
    position: u64,
    intent: &Intent,
    (wallet, spent): (&BitcoinWallet, &PsbtSpend),
    signature: &[u8],
) -> Option<SignatureRecord> {
    let spend = Spend::read(wallet, &spent.psbt).ok()?;
    let granted = spend.wallet() == grant.address && spend.signing_digest() == grant.signing_digest;
    if !granted || intent.id() != decision.subject {
        return None;
    }
    let signatures = SpendSignatures::from_document(signature).ok()?;
    record((decision.subject, decision.height, position), spend, &signatures).ok()
}

impl Signer {
    /// Tells the log which wallet each key at home has on the networks of Bitcoin's that policy lists. What is told
    /// twice is one; where a report was lost, it is made again later.
    pub(crate) fn report_wallets(&mut self, state: &State) -> Result<(), NodeError> {
        for (key, chain) in self.unrecorded(state) {
            if let Some(shared) = state.key(&key).filter(|it| it.kind.is_shared()) {
                // Everybody derives it, and whoever holds a share says it.
                if let Ok(wallet) = wallet_in_shares(chain, shared.kind, &shared.account) {
                    let step = KeyStep::Wallet { wallet, proof: Vec::new() };
                    self.shared.report_key_later(key.clone(), step);
                }
                self.told.insert((key, chain), state.height());
                continue;
            }
            match self.enclave.wallet(WalletOf { key: key.clone(), chain }) {
                Ok(it) => {
                    let step = KeyStep::Wallet { wallet: it.wallet, proof: it.proof };
                    self.shared.report_key_later(key.clone(), step);
                    self.told.insert((key, chain), state.height());
                }
                // A key that it does not hold yet, or a policy that it has not followed to yet.
                Err(ClientError::Refused(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn unrecorded(&self, state: &State) -> Vec<(Name, ChainId)> {
        let chains = &state.policy().engine.version().chains;
        let networks = || chains.iter().copied().filter(|it| it.bitcoin().is_some());
        let keys = state.keys();
        let keys = keys.filter(|(_, key)| {
            key.is_held_by(&self.shared.node) && !key.state.is_stopped() && has_wallets(key.kind)
        });
        let lacking = keys.flat_map(|(name, key)| {
            networks().filter(|it| !key.wallets.contains_key(it)).map(|chain| (name.clone(), chain))
        });
        let told = |place: &(Name, ChainId)| {
            self.told.get(place).is_some_and(|at| state.height() < at.saturating_add(HEIGHTS_TO_WAIT))
        };
        lacking.filter(|place| !told(place)).collect()
    }
}

/// What stands for the wallet among those that sign, for the record of a signature; of a shared one, what a version of the
/// policy says of it.
pub(crate) fn wallet_of(state: &State, version: &PolicyVersion, spent: &PsbtSpend) -> Option<BitcoinWallet> {
    let key = &spent.account.key;
    let own = state.key(key)?.wallets.get(&spent.chain)?;
    let Some(name) = &spent.shared else { return Some(own.clone()) };
    let terms = version.bitcoin.as_ref()?;
    shared_wallet(own, &terms.shared_wallet(spent.chain, key, name)?.descriptor).ok()
}

/// A key in tokens has one account, which is none of Bitcoin's, and one of ML-DSA-65 signs no coins.
fn has_wallets(kind: KeyKind) -> bool {
    !kind.is_in_tokens() && kind != KeyKind::HdMlDsa65
}

/// How many blocks a report of a wallet has time to be committed before it is made again.
const HEIGHTS_TO_WAIT: u64 = 64;
