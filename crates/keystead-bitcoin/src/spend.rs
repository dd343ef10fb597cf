//! One request's PSBT against one recorded wallet: what is granted, what it does, and the signatures that end it.

use alloy_primitives::Address;
use bitcoin::Transaction;
use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::PublicKey;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Amount, Blame, Canonical, Coded, Digest};
use keystead_intent::{
    Asset, BitcoinDestination, BitcoinWallet, ChainId, CoinSpend, EffectKind as Kind, Fee, OpaqueReason,
};
use serde::{Deserialize, Serialize};

use crate::account::{AccountError, read_with_own};
use crate::effects::{Effect, EffectKind, explain};
use crate::psbt::{Psbt, PsbtError};
use crate::view::Owner;
use crate::{
    AddressError, DerivedKey, FinalizeError, Finalized, InputSignature, Network, Refusal, Scheme,
    SigningDigest, Terms, View, parse_address,
};

/// The most inputs of a request.
pub const MAX_SPEND_INPUTS: usize = 100;

/// The most outputs of a request.
pub const MAX_SPEND_OUTPUTS: usize = 100;

/// What one account would sign on one network. There is no other way to one than [`Spend::read`].
///
/// ```compile_fail,E0451
/// fn unchecked(spend: keystead_bitcoin::Spend) -> keystead_bitcoin::Spend {
///     keystead_bitcoin::Spend { wallet: Default::default(), ..spend }
/// }
/// ```
#[derive(Debug)]
pub struct Spend {
    chain: ChainId,
    wallet: Address,
    psbt: Psbt,
    view: View,
    /// Which of a script's keys is ours.
    own: usize,
}

impl Spend {
    /// Reads a PSBT that spends coins of a recorded wallet: all inputs are ours, and no signature of ours came along. What it waits
    /// for is among its effects, and policy's to judge; everything else is under the default [`Terms`].
    ///
    /// INVARIANT S2: what it does is derived from the wallet and from the transactions before; the PSBT is believed in
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`SpendError`] says what is wrong.
    pub fn read(recorded: &BitcoinWallet, psbt: &[u8]) -> Result<Self, SpendError> {
        let (wallet, own) = read_with_own(recorded)?;
        let psbt = Psbt::parse(psbt)?;
        let (inputs, outputs) = (psbt.inputs().len(), psbt.outputs().len());
        if inputs > MAX_SPEND_INPUTS || outputs > MAX_SPEND_OUTPUTS {
            return Err(SpendError::Large { inputs, outputs });
        }
        let view = View::read(&psbt, &wallet, &Terms::LOCKS_TO_OTHERS)?;
        let spend = Self { chain: recorded.chain, wallet: recorded.id(), psbt, view, own };
        spend.check_signatures().map(|()| spend)
    }

    /// Those that came along are of others, and good: what is added to them must make a transaction some day.
    fn check_signatures(&self) -> Result<(), SpendError> {
        let came = |owner: &Owner| matches!(owner, Owner::Ours(ours) if !ours.signatures.is_empty());
        if !self.view.inputs().iter().any(|it| came(&it.owner)) {
            return Ok(());
        }
        for digest in self.view.digests() {
            let input = digest.input;
            let Some(Owner::Ours(ours)) = self.view.inputs().get(input).map(|it| &it.owner) else { continue };
            for (key, bytes) in &ours.signatures {
                if self.own_key(&digest).is_none_or(|own| own.public == *key) {
                    return Err(SpendError::Signed { input });
                }
                digest.verify(&InputSignature { input, key: *key, bytes: bytes.clone() })?;
            }
        }
        Ok(())
    }

    /// The key of ours among those that can sign an input.
    #[must_use]
    pub fn own_key<'d>(&self, digest: &'d SigningDigest) -> Option<&'d DerivedKey> {
        digest.keys.get(self.own)
    }

    /// The network's chain.
    #[must_use]
    pub fn chain(&self) -> ChainId {
        self.chain
    }

    /// The id of the wallet whose coins are spent.
    #[must_use]
    pub fn wallet(&self) -> Address {
        self.wallet
    }

    /// What was read.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// What people agree to and the log grants: the digest over what is signed for every input.
    #[must_use]
    pub fn signing_digest(&self) -> Digest {
        let inputs = self.view.digests().iter().map(InputDigest::of).collect();
        SpendDigest { chain: self.chain, wallet: self.wallet, inputs }.digest()
    }

    /// What signing does, as policy sees it: an effect for each output, change among them as a transfer to the wallet
    /// itself.
    #[must_use]
    pub fn effects(&self) -> keystead_intent::Effects {
        let effects = explain(&self.view);
        keystead_intent::Effects {
            signing_digest: self.signing_digest(),
            chain: self.chain,
            slot: None,
            fee: Fee { max: Amount::from(effects.fee_sat), ..Fee::default() },
            items: effects.items.iter().map(|it| self.item(it)).collect(),
            typed: None,
            coins: Some(CoinSpend {
                coins: effects.spends.coins.into_iter().collect(),
                fee_rate: effects.fee_sat.div_ceil(effects.virtual_bytes.max(1)),
                lock: effects.lock,
            }),
        }
    }

    fn item(&self, effect: &Effect) -> keystead_intent::Effect {
        let amount = Amount::from(effect.sat);
        let script = BitcoinDestination { chain: self.chain, script: effect.script.to_bytes().into() };
        let moves = |to| Kind::Transfer { asset: Asset::Native, from: self.wallet, to, amount };
        let opaque =
            |reason| Kind::Opaque { to: None, value: amount, data_hash: script.digest().0.into(), reason };
        let kind = match effect.kind {
            EffectKind::Payment { .. } => moves(script.id()),
            EffectKind::Return { .. } => moves(self.wallet),
            EffectKind::Data { .. } => opaque(OpaqueReason::DataOutput),
            EffectKind::Unknown => opaque(OpaqueReason::UnknownScript),
        };
        let (path, contract, selector, arguments) = (Vec::new(), None, None, Vec::new());
        keystead_intent::Effect { path, contract, selector, arguments, kind }
    }

    /// The PSBT with signatures in it, in the version that it is written in.
    ///
    /// # Errors
    ///
    /// [`SpendError`]: a signature that is not what it says.
    pub fn sign_into(&self, signatures: &SpendSignatures) -> Result<Psbt, SpendError> {
        Ok(self.view.sign_into(&self.psbt, &signatures.inputs()?)?)
    }

    /// What our signatures make, one of our key for each input: the transaction, or where others sign too and have not
    /// yet, the PSBT with ours in it.
    ///
    /// INVARIANT S7: each is verified against its key and the digest that was computed here.
    ///
    /// # Errors
    ///
    /// [`SpendError`]: a signature that is not what it says or not of our key, or an input without one.
    pub fn complete(self, signatures: &SpendSignatures) -> Result<Completed, SpendError> {
        let given = signatures.inputs()?;
        let psbt = self.view.sign_into(&self.psbt, &given)?;
        for digest in self.view.digests() {
            let (input, own) = (digest.input, self.own_key(&digest).map(|it| it.public));
            let mut of_input = given.iter().filter(|it| it.input == input);
            let first = of_input.next().ok_or(FinalizeError::Missing { input, expected: 1, found: 0 })?;
            if own != Some(first.key) || of_input.next().is_some() {
                return Err(FinalizeError::ForeignKey { input }.into());
            }
        }
        match self.view.finalize(&given) {
            Ok(done) => Ok(Completed::Transaction(done)),
            Err(FinalizeError::Missing { .. }) => Ok(Completed::Partly(Box::new(psbt))),
            Err(error) => Err(error.into()),
        }
    }

    /// Joins the signatures to the transaction that the network takes.
    ///
    /// INVARIANT S7: each is verified against its key and the digest that was computed here.
    ///
    /// # Errors
    ///
    /// [`SpendError`]: a signature that is not what it says, or too few.
    pub fn finalize(self, signatures: &SpendSignatures) -> Result<Finalized, SpendError> {
        Ok(self.view.finalize(&signatures.inputs()?)?)
    }
}

/// What signatures of ours make.
#[derive(Debug)]
pub enum Completed {
    /// The transaction that the network takes.
    Transaction(Finalized),
    /// The PSBT with ours: others sign too.
    Partly(Box<Psbt>),
}

/// The hash of a transaction as its bytes are, which people see reversed.
#[must_use]
pub fn transaction_digest(finalized: &Finalized) -> Digest {
    transaction_id(finalized.transaction())
}

/// The same of any transaction, signed or not.
#[must_use]
pub fn transaction_id(transaction: &Transaction) -> Digest {
    Digest(transaction.compute_txid().to_byte_array())
}

/// The id of an address, under which the address book and windows name it.
///
/// # Errors
///
/// [`AddressError`] where it is no address of the network.
pub fn destination_id(address: &str, network: Network) -> Result<Address, AddressError> {
    let script = parse_address(address, network)?.into_bytes().into();
    Ok(BitcoinDestination { chain: network.chain(), script }.id())
}

/// What is signed for every input of ours, in their order: its digest is what grants and approvals name.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendDigest {
    /// The network's chain.
    pub chain: ChainId,
    /// The wallet's id.
    pub wallet: Address,
    /// The inputs.
    pub inputs: Vec<InputDigest>,
}

impl Canonical for SpendDigest {
    const DOMAIN: &'static str = "keystead/bitcoin-signing/v1";
}

/// What is signed for one input.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputDigest {
    /// Its position.
    pub input: u32,
    /// Whether the signature is Schnorr's (BIP-340), and not ECDSA.
    pub schnorr: bool,
    /// The 32 bytes of BIP-143, BIP-341, or from before them.
    pub digest: Digest,
}

impl InputDigest {
    fn of(it: &SigningDigest) -> Self {
        let input = u32::try_from(it.input).unwrap_or(u32::MAX);
        Self { input, schnorr: it.scheme == Scheme::Schnorr, digest: it.digest }
    }
}

/// The signatures of one spend as they travel and are kept.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendSignatures {
    /// One for each input, in their order.
    pub signatures: Vec<SpendSignature>,
}

impl Canonical for SpendSignatures {
    const DOMAIN: &'static str = "keystead/bitcoin-signatures/v1";
}

/// One input's signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendSignature {
    /// The input's position.
    pub input: u32,
    /// The key, compressed; for taproot the internal one.
    #[serde(with = "const_hex")]
    pub key: [u8; 33],
    /// As it goes into a witness or a `scriptSig`.
    #[serde(with = "const_hex")]
    pub bytes: Vec<u8>,
}

impl SpendSignatures {
    fn inputs(&self) -> Result<Vec<InputSignature>, SpendError> {
        let read = self.signatures.iter().map(|it| {
            let input = usize::try_from(it.input).unwrap_or(usize::MAX);
            let malformed = |_| FinalizeError::Malformed { input };
            let key = PublicKey::from_slice(&it.key).map_err(malformed)?;
            Ok(InputSignature { input, key, bytes: it.bytes.clone() })
        });
        read.collect()
    }
}

/// Why there is nothing to sign, or no transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpendError {
    /// What the log recorded is no wallet.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The bytes are no PSBT.
    #[error(transparent)]
    Psbt(#[from] PsbtError),
    /// What it would have us sign is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// More than a request may have: every node reads it each time that somebody says a word about it.
    #[error(
        "expected at most {MAX_SPEND_INPUTS} inputs and {MAX_SPEND_OUTPUTS} outputs, found {inputs} and {outputs}"
    )]
    Large {
        /// How many inputs.
        inputs: usize,
        /// How many outputs.
        outputs: usize,
    },
    /// A signature of ours is there already.
    #[error("input {input} has a signature already: ask with the PSBT as it was before it was signed")]
    Signed {
        /// The input.
        input: usize,
    },
    /// Signatures make no transaction of it.
    #[error(transparent)]
    Finalize(#[from] FinalizeError),
}

impl Coded for SpendError {
    fn code(&self) -> &'static str {
        match self {
            Self::Account(error) => error.code(),
            Self::Psbt(error) => error.code(),
            Self::Refused(error) => error.code(),
            Self::Large { .. } => "bitcoin.large",
            Self::Signed { .. } => "bitcoin.signed",
            Self::Finalize(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Account(_) => Blame::Environment,
            Self::Psbt(_)
            | Self::Refused(_)
            | Self::Large { .. }
            | Self::Signed { .. }
            | Self::Finalize(_) => Blame::Caller,
        }
    }
}

#[cfg(test)]
mod shared;
#[cfg(test)]
pub(crate) mod tests;
