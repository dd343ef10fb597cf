//! The exact bytes that one of our keys would sign, and the transaction that its signature makes of them.

use alloy_primitives::Address;
use keystead_base::{Amount, Digest, PublicAccount};
use keystead_intent::{AssetIndex, AssetKind, ContractKind};
use keystead_quantum::{QuantumSignature, Scheme};

use crate::{AccountId, Effect, Network, Refusal, Transaction, effects, explain, fee, intents};

/// A transaction on one network that wants the signature of one key. There is no other way to one than [`Unsigned::read`].
///
/// ```compile_fail,E0451
/// fn unchecked(unsigned: keystead_near::Unsigned) -> keystead_near::Unsigned {
///     keystead_near::Unsigned { network: keystead_near::Network::Mainnet, ..unsigned }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    network: Network,
    transaction: Transaction,
}

impl Unsigned {
    /// Reads what the key with this account is asked to sign. **The bytes name no network**: all that is refused is a signer or a
    /// receiver whose name is another one's.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the bytes are no transaction that is read here, or name another key as their signer.
    pub fn read(network: Network, key: &PublicAccount, bytes: &[u8]) -> Result<Self, Refusal> {
        let unsigned = Self::of_any_key(network, bytes)?;
        let named = unsigned.transaction.signing_key()?.as_bytes().first_chunk();
        match named.is_some_and(|it| PublicAccount::ml_dsa_65(it) == *key) {
            true => Ok(unsigned),
            false => Err(Refusal::OtherKey),
        }
    }

    /// The same for whoever does not know which key is meant, and says so.
    ///
    /// # Errors
    ///
    /// [`Refusal`], also where the transaction names a key of another scheme.
    pub fn of_any_key(network: Network, bytes: &[u8]) -> Result<Self, Refusal> {
        let transaction = Transaction::read(bytes)?;
        transaction.signing_key()?;
        let named = [transaction.signer(), transaction.receiver()];
        if let Some(found) = named.into_iter().find(|it| network.is_foreign(it)) {
            return Err(Refusal::OtherNetwork { network, found: found.clone() });
        }
        Ok(Self { network, transaction })
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> Network {
        self.network
    }

    /// What was read.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// The id of the account that signs and pays.
    #[must_use]
    pub fn signer(&self) -> Address {
        self.id(self.transaction.signer())
    }

    pub(crate) fn id(&self, account: &AccountId) -> Address {
        account.id(self.network)
    }

    /// SHA-256 of the transaction: what people agree to, the log grants, and ML-DSA-65 signs.
    #[must_use]
    pub fn signing_digest(&self) -> Digest {
        self.transaction.hash()
    }

    /// What signing does, action by action. Tokens are those that the registry lists.
    #[must_use]
    pub fn explain(&self, registry: &AssetIndex) -> Vec<Effect> {
        let fungible = Some(ContractKind::Token(AssetKind::Fungible));
        let is_token = |it: &AccountId| registry.kind(self.network.chain(), self.id(it)) == fungible;
        let known = |it: Effect| Effect { kind: effects::of_tokens(it.kind, is_token), ..it };
        explain(&self.transaction).into_iter().map(known).collect()
    }

    /// What signing does, as policy sees it: one effect for each action.
    #[must_use]
    pub fn effects(&self, registry: &AssetIndex) -> keystead_intent::Effects {
        let max = Amount::from(fee::ceiling(&self.transaction, &self.explain(registry)));
        keystead_intent::Effects {
            signing_digest: self.signing_digest(),
            chain: self.network.chain(),
            slot: None,
            fee: keystead_intent::Fee { max, ..keystead_intent::Fee::default() },
            items: intents::items(self, registry),
            typed: None,
            coins: None,
        }
    }

    /// The signed transaction as nodes take it, of the 3,309 bytes of a signature.
    ///
    /// INVARIANT S7: verified under the key that the transaction itself names, over what was read here.
    ///
    /// # Errors
    ///
    /// [`Refusal::Signature`].
    pub fn sign_into(&self, signature: &[u8]) -> Result<Vec<u8>, Refusal> {
        let signature =
            QuantumSignature::from_bytes(Scheme::MlDsa65, signature).map_err(|_| Refusal::Signature)?;
        self.transaction.assemble(&signature)
    }
}
