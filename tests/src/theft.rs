//! How an attack ends: with loot that moved on the chain, or with the one who refused.

use alloy_consensus::{SignableTransaction, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes, Signature, U256, address, keccak256};
use keystead_base::{Coded, RequestId};
use keystead_chain::{Assembled, AssetIndex, Payload, Unsigned};
use keystead_decision::{Certificate, Controls, Outcome};
use keystead_devnet::{Devnet, Receipt};
use keystead_intent::{Effect, EffectKind, Effects};
use keystead_policy::{PolicyVersion, Reason, Rule};
use keystead_quorum::{Checks, Strict};
use keystead_wire::RequestView;
use secp256k1::{Message, PublicKey, Secp256k1, SecretKey};

use crate::cluster::Station;
use crate::fixture::{BIRTH, CHAIN, ETHER, name};
use crate::world::{World, outcome_of, reasons};

/// Where the loot goes. In no address book.
pub(crate) const THIEF: Address = address!("00000000000000000000000000000000000bad1e");

/// How an attack ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loot {
    /// The thief has it.
    Stolen {
        /// What.
        what: String,
    },
    /// Nothing was taken, and the honest ones go without.
    Harmed {
        /// What they lack.
        how: String,
    },
    /// Somebody refused, and nothing moved.
    Refused {
        /// The stable code of the refusal.
        by: String,
    },
}

impl Loot {
    /// Loot that the chain shows. An attack that got its signature and moved nothing shows nothing.
    pub(crate) fn stolen(amount: U256, what: &str) -> Self {
        assert!(!amount.is_zero(), "it was signed, and yet nobody has {what}");
        Self::Stolen { what: format!("{amount} {what}") }
    }

    pub(crate) fn harmed(how: impl Into<String>) -> Self {
        Self::Harmed { how: how.into() }
    }

    pub(crate) fn refused(by: impl Into<String>) -> Self {
        Self::Refused { by: by.into() }
    }

    pub(crate) fn refused_for(error: &impl Coded) -> Self {
        Self::refused(error.code())
    }

    /// A decision that is no right to sign.
    pub(crate) fn decided(outcome: &Outcome) -> Self {
        match reasons(outcome).first() {
            Some(reason) => Self::refused(code_of(reason)),
            None => Self::refused(outcome.word()),
        }
    }
}

/// What signs, once the log has spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The product's: checks the certificate itself, from the pinned genesis.
    LightClient,
    /// A naive product's: signs what its node hands in.
    Believer,
}

impl Signer {
    pub(crate) fn sign<C: Controls>(
        self,
        world: &mut World<C>,
        certificate: &Certificate,
        unsigned: &Unsigned,
    ) -> Result<Assembled, Loot> {
        match self {
            Self::LightClient => world.sign(certificate, unsigned).map_err(|error| Loot::refused_for(&error)),
            Self::Believer => {
                let (r, s, odd_y) = world.sign_digest(0, &unsigned.signing_digest());
                Ok(keystead_chain::assemble(unsigned, r, s, odd_y).expect("a signature of this account"))
            }
        }
    }
}

/// What only the checks on approvals differ in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Approving<K>(pub K);

impl<K: Checks + Send + Sync> Controls for Approving<K> {
    type Checks = K;

    fn checks(&self) -> &K {
        &self.0
    }
}

/// The strict checks on approvals, for controls that differ elsewhere.
pub(crate) static STRICT_CHECKS: Strict = Strict;

/// The signature over what the log allowed, or who refused.
pub(crate) fn signed<C: Controls>(
    world: &mut World<C>,
    id: &RequestId,
    outcome: &Outcome,
) -> Result<Assembled, Loot> {
    let Outcome::Allow(_) = outcome else { return Err(Loot::decided(outcome)) };
    let certificate = world.certificate(id).expect("a decision has a certificate");
    let unsigned = world.unsigned(id);
    Signer::LightClient.sign(world, &certificate, &unsigned)
}

/// The same, executed.
pub(crate) fn executed<C: Controls>(
    world: &mut World<C>,
    id: &RequestId,
    outcome: &Outcome,
) -> Result<Receipt, Loot> {
    let signed = signed(world, id, outcome)?;
    let receipt = world.chain.execute_raw(&signed.raw).map_err(|error| Loot::refused_for(&error))?;
    assert!(receipt.outcome.is_success(), "{:?}", receipt.outcome);
    Ok(receipt)
}

/// The chain after it took what a node signed: its account was rich there.
pub(crate) async fn cashed(station: &Station, view: &RequestView) -> Result<Devnet, Loot> {
    let Some(signed) = &view.signed else { return Err(Loot::decided(&view.decision.outcome)) };
    let mut chain = Devnet::new(CHAIN.0, BIRTH.seconds());
    chain.fund(station.account().await, U256::from(1_000 * ETHER));
    let receipt = chain.execute_raw(&signed.raw).map_err(|error| Loot::refused_for(&error))?;
    assert!(receipt.outcome.is_success(), "{:?}", receipt.outcome);
    Ok(chain)
}

/// `ana` and `ben` approve what waits for them.
pub(crate) fn approved<C: Controls>(world: &mut World<C>, id: &RequestId, outcome: Outcome) -> Outcome {
    if !matches!(outcome, Outcome::Wait { .. }) {
        return outcome;
    }
    world.approve("ana", id);
    outcome_of(&world.approve("ben", id), id)
}

/// Adds a rule to a policy version.
pub(crate) fn add_rule(policy: &mut PolicyVersion, id: &str, cedar: &str) {
    policy.rules.push(Rule { id: name(id), cedar: cedar.to_owned() });
    policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
}

/// Controls whose decoder knows transfers only: whatever else there is moves nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransfersOnly;

impl Controls for TransfersOnly {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn explain(&self, unsigned: &Unsigned, assets: &AssetIndex) -> Effects {
        amounts_only(&keystead_chain::explain(unsigned, assets))
    }
}

/// What is left of effects for somebody who looks at amounts.
pub(crate) fn amounts_only(effects: &Effects) -> Effects {
    let mut effects = effects.clone();
    for effect in &mut effects.items {
        if !matches!(effect.kind, EffectKind::Transfer { .. }) {
            effect.kind = EffectKind::NoValue;
        }
    }
    effects
}

/// Controls whose decoder knows transactions only: typed data is a text with more structure.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransactionsOnly;

impl Controls for TransactionsOnly {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn explain(&self, unsigned: &Unsigned, assets: &AssetIndex) -> Effects {
        let mut effects = keystead_chain::explain(unsigned, assets);
        if let Payload::TypedData(text) = unsigned.payload() {
            let kind = EffectKind::Statement { message: Bytes::copy_from_slice(text.as_bytes()) };
            let (contract, selector, arguments) = (None, None, Vec::new());
            effects.items = vec![Effect { path: Vec::new(), contract, selector, arguments, kind }];
        }
        effects
    }
}

/// Somebody with a key of one's own, who pays for the gas.
pub(crate) struct Outsider {
    key: SecretKey,
}

impl Outsider {
    pub(crate) fn new() -> Self {
        Self { key: SecretKey::from_byte_array([0x66; 32]).expect("a scalar") }
    }

    pub(crate) fn address(&self) -> Address {
        let public = PublicKey::from_secret_key(&Secp256k1::new(), &self.key).serialize_uncompressed();
        Address::from_slice(&keccak256(&public[1..])[12..])
    }

    pub(crate) fn sign<T: SignableTransaction<Signature>>(&self, transaction: T) -> Vec<u8>
    where
        TxEnvelope: From<alloy_consensus::Signed<T>>,
    {
        let message = Message::from_digest(transaction.signature_hash().0);
        let (id, rs) = Secp256k1::new().sign_ecdsa_recoverable(message, &self.key).serialize_compact();
        let signature = Signature::from_bytes_and_parity(&rs, i32::from(id) == 1);
        TxEnvelope::from(transaction.into_signed(signature)).encoded_2718()
    }
}

/// The most telling code: of what lies inside, where a reason wraps another crate's refusal.
fn code_of(reason: &Reason) -> String {
    match reason {
        Reason::Undecodable { code, .. }
        | Reason::NotCounted { code, .. }
        | Reason::PolicyRefused { code, .. } => code.clone(),
        Reason::NoRulePermits { class, .. } => format!("{} {class}", reason.code()),
        other => other.code().to_owned(),
    }
}
