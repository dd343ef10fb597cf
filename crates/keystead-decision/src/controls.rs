//! The controls, each a method with its strict body.
//!
//! A node of the product runs under [`Strict`] and has no setting for another. A test binary that shows what a
//! control is good for overrides exactly one method, and so does the lying node that the quickstart outvotes.

use alloy_primitives::Address;
use keystead_base::{Digest, Name, RequestId, Timestamp};
use keystead_bitcoin::{Spend, SpendError};
use keystead_chain::{AssetIndex, BuildError, Unsigned};
use keystead_intent::{Action, BitcoinWallet, CoinSpend, Effects, KeyCeremony, Slot};
use keystead_policy::{Charge, Engine, PolicyError, PolicyVersion, Question, Reason, Ruling, Sections};
use keystead_solana::{Cluster, Pubkey, UnsignedError};

use crate::{Finding, Frozen, Key, Purse, State};

/// What stands between a request and a signature.
pub trait Controls: Send + Sync {
    /// The checks on approvals.
    type Checks: keystead_quorum::Checks;

    /// The checks on approvals (S11).
    fn checks(&self) -> &Self::Checks;

    /// INVARIANT S2: the bytes to sign are built from the intent by every node itself.
    ///
    /// # Errors
    ///
    /// [`BuildError`] where the intent has no bytes.
    fn build(&self, action: &Action, account: Address) -> Result<Unsigned, BuildError> {
        keystead_chain::build(action, account)
    }

    /// INVARIANT S2: the effects are read from those bytes, by every node itself.
    fn explain(&self, unsigned: &Unsigned, assets: &AssetIndex) -> Effects {
        keystead_chain::explain(unsigned, assets)
    }

    /// The policy decides.
    fn rule(&self, engine: &Engine, question: &Question<'_>) -> Ruling {
        engine.decide(question)
    }

    /// INVARIANT S4: at most one digest per slot, unless a replacement names the one before.
    ///
    /// # Errors
    ///
    /// [`Reason::SlotTaken`] or [`Reason::NotReplacing`].
    fn slot(
        &self,
        state: &State,
        slot: &Slot,
        asks: &RequestId,
        replaces: Option<&RequestId>,
    ) -> Result<(), Reason> {
        state.slot_admits(slot, asks, replaces)
    }

    /// INVARIANT S2: a PSBT is read against the wallet that the log recorded, by every node itself.
    ///
    /// # Errors
    ///
    /// [`SpendError`] where it is refused.
    fn read_psbt(&self, wallet: &BitcoinWallet, psbt: &[u8]) -> Result<Spend, SpendError> {
        Spend::read(wallet, psbt)
    }

    /// INVARIANT S2: the effects are read from what was derived.
    fn explain_psbt(&self, spend: &Spend) -> Effects {
        spend.effects()
    }

    /// INVARIANT S2: a message of Solana's is read for the key that the log recorded, by every node itself.
    ///
    /// # Errors
    ///
    /// [`UnsignedError`] where it is refused.
    fn read_message(
        &self,
        cluster: Cluster,
        account: Pubkey,
        message: &[u8],
    ) -> Result<keystead_solana::Unsigned, UnsignedError> {
        keystead_solana::Unsigned::read(cluster, account, message)
    }

    /// INVARIANT S2: the effects are read from its bytes.
    fn explain_message(&self, unsigned: &keystead_solana::Unsigned) -> Effects {
        unsigned.effects()
    }

    /// INVARIANT S2, S9: the effects of a transaction of NEAR's are read from its bytes, each action for itself, and its tokens are those
    /// of the registry.
    fn explain_near(&self, unsigned: &keystead_near::Unsigned, assets: &AssetIndex) -> Effects {
        unsigned.effects(assets)
    }

    /// INVARIANT S4: at most one transaction for any coin, unless a replacement names the one before.
    ///
    /// # Errors
    ///
    /// [`Reason::CoinTaken`] or [`Reason::NotReplacing`].
    fn coins(
        &self,
        state: &State,
        purse: &Purse,
        spend: &CoinSpend,
        asks: &RequestId,
        replaces: Option<&RequestId>,
    ) -> Result<(), Reason> {
        state.coins_admit(purse, spend, asks, replaces)
    }

    /// INVARIANT S10: no window's sum exceeds its limit by one unit.
    ///
    /// # Errors
    ///
    /// [`Reason::LimitExceeded`] with the sum.
    fn window(&self, state: &State, charge: &Charge) -> Result<(), Reason> {
        state.window_admits(charge)
    }

    /// INVARIANT S13: versions follow one another without gaps and never go back.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] says what was expected and what was found.
    fn successor(&self, current: &PolicyVersion, next: &PolicyVersion) -> Result<Sections, PolicyError> {
        keystead_policy::check_step(current, next)
    }

    /// INVARIANT S11: no device counts for two seats, approvers, or a seat and an approver.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names both, or whose device is missing.
    fn devices(&self, current: &PolicyVersion, next: &PolicyVersion) -> Result<(), PolicyError> {
        keystead_policy::check_devices(Some(current), next)
    }

    /// INVARIANT K3: what is dealt in an import, and what its holders then hold, is the key that people approved: `point` is
    /// its public key.
    fn imports(&self, ceremony: &KeyCeremony, point: &[u8]) -> bool {
        matches!(ceremony, KeyCeremony::Import { account, .. } if point == account.public_key())
    }

    /// INVARIANT S14: what is frozen is not allowed.
    fn frozen(&self, frozen: &Frozen, key: &Name) -> bool {
        frozen.holds(key)
    }

    /// INVARIANT L4: what a chain shows and the log did not allow freezes its key.
    fn freezes_on(&self, _finding: &Finding) -> bool {
        true
    }

    /// INVARIANT S14: what its state and its period let a key sign: all that policy lets, or only what sweeps it.
    ///
    /// # Errors
    ///
    /// [`Reason`] says why it signs nothing.
    fn signs<'a>(&self, key: &'a Key, name: &Name, now: Timestamp) -> Result<Option<&'a Name>, Reason> {
        key.signs_at(name, now)
    }

    /// INVARIANT S14: after a compromise nothing is thawed before all that may be known was replaced.
    fn waits_for_rotation(&self) -> bool {
        true
    }

    /// INVARIANT S11: a change of policy voids the approvals gathered before it.
    fn voids_approvals(&self) -> bool {
        true
    }

    /// INVARIANT S10: an amount counts until its transaction is final, not until the clock says so.
    fn counts_unsettled(&self) -> bool {
        true
    }

    /// The digest that a grant names: the one of the bytes that were explained.
    fn granted_digest(&self, unsigned: &Unsigned) -> Digest {
        unsigned.signing_digest()
    }
}

/// Every control as it is meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strict(keystead_quorum::Strict);

impl Controls for Strict {
    type Checks = keystead_quorum::Strict;

    fn checks(&self) -> &Self::Checks {
        &self.0
    }
}
