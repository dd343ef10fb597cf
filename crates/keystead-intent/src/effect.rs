//! What signed bytes would do, as typed facts.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, Bytes, U256};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Amount, Digest};
use serde::{Deserialize, Serialize};

use crate::{Asset, ChainId, CoinSpend, DangerClass, TypedForm};

/// From here on an allowance counts as unlimited: 2^128 base units exceed any supply, and the
/// largest values of the narrow fields in use (Permit2's `uint160`) lie above it.
pub const UNLIMITED_ALLOWANCE: U256 = U256::from_limbs([0, 0, 1, 0]);

/// The most words of a call's arguments that an effect carries.
pub const MAX_ARGUMENT_WORDS: usize = 16;

/// Everything that one signature would do.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effects {
    /// Keccak-256 of the signing preimage: the 32 bytes that the key signs. On Bitcoin, where each input has a digest of
    /// its own, the digest over all of them (specs/bitcoin.md).
    pub signing_digest: Digest,
    /// The chain.
    pub chain: ChainId,
    /// The slot that a transaction or authorization takes; none for messages and typed data.
    pub slot: Option<Slot>,
    /// The most that the network may take; zero for what is not sent by the account itself.
    pub fee: Fee,
    /// The effects, in the order of execution; never empty.
    pub items: Vec<Effect>,
    /// For typed data, what is signed and where it is valid.
    pub typed: Option<TypedForm>,
    /// For a transaction of Bitcoin's, the coins that it spends.
    pub coins: Option<CoinSpend>,
}

impl Effects {
    /// The class of the worst effect; of none, the worst class there is.
    #[must_use]
    pub fn class(&self) -> DangerClass {
        self.items.iter().map(Effect::class).max().unwrap_or(DangerClass::BlindDigest)
    }

    /// Whether all of it is an empty call of the account itself: nothing but its nonce is used.
    #[must_use]
    pub fn only_uses_nonce(&self, account: Option<Address>) -> bool {
        let is_empty = |it: &Effect| {
            let call = (it.path.is_empty(), it.selector, it.arguments.is_empty());
            it.kind == EffectKind::NoValue && call == (true, None, true) && it.contract == account
        };
        account.is_some() && self.slot.is_some() && matches!(&self.items[..], [it] if is_empty(it))
    }

    /// The tokens that the effects name: those that move, and those that rights are about.
    #[must_use]
    pub fn tokens(&self) -> BTreeSet<Address> {
        self.items.iter().filter_map(|it| it.kind.token()).collect()
    }
}

/// One place in an account's sequence: at most one digest may be signed for it (S4).
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// The chain.
    pub chain: ChainId,
    /// The account.
    pub account: Address,
    /// Its nonce.
    pub nonce: u64,
}

/// Network fees.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    /// Gas limit × fee ceiling, blobs included, in wei; on Bitcoin the fee, in satoshi.
    pub max: Amount,
    /// The ceiling per gas, in wei (EIP-1559); the price where a form has one price only. Zero on Bitcoin.
    pub per_gas: Amount,
    /// What of it whoever makes the block may keep, in wei per gas: the tip (EIP-1559). Where a form has one price only
    /// nothing bounds the tip but the price.
    pub tip_per_gas: Amount,
}

/// Where in nested calls an effect stands: `[]` for the outermost call, `[2, 0]` for the first call
/// inside the third inner call.
pub type CallPath = Vec<u16>;

/// One effect and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// The place among nested calls.
    pub path: CallPath,
    /// The contract called, or the EIP-712 verifying contract; none for a plain transfer, a message
    /// or a creation.
    pub contract: Option<Address>,
    /// The function selector, where calldata has one.
    pub selector: Option<[u8; 4]>,
    /// The first [`MAX_ARGUMENT_WORDS`] whole words of calldata after the selector: its arguments, where
    /// they are static (Solidity's contract ABI).
    pub arguments: Vec<B256>,
    /// What happens.
    pub kind: EffectKind,
}

impl Effect {
    /// The effect's danger class.
    #[must_use]
    pub fn class(&self) -> DangerClass {
        match &self.kind {
            EffectKind::Statement { .. } => DangerClass::Statement,
            EffectKind::Transfer { .. }
            | EffectKind::NftTransfer { .. }
            | EffectKind::MultiTokenTransfer { .. }
            | EffectKind::AllowanceReduction { .. }
            | EffectKind::Cancel { .. }
            | EffectKind::NoValue => DangerClass::Transfer,
            EffectKind::Allowance(allowance) if allowance.unlimited() => DangerClass::UnlimitedAllowance,
            EffectKind::Allowance(_) | EffectKind::NftApproval { .. } => DangerClass::Allowance,
            EffectKind::OperatorApproval { approved: true, .. } => DangerClass::UnlimitedAllowance,
            EffectKind::OperatorApproval { approved: false, .. } => DangerClass::Allowance,
            EffectKind::Authority { .. } | EffectKind::Delegation { .. } | EffectKind::Creation { .. } => {
                DangerClass::Authority
            }
            EffectKind::DelegateCall { .. } => DangerClass::DelegateCall,
            EffectKind::Opaque { .. } => DangerClass::Opaque,
            EffectKind::BlindDigest { .. } => DangerClass::BlindDigest,
        }
    }
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum EffectKind {
    /// Coins or ERC-20 tokens move.
    Transfer {
        /// What.
        asset: Asset,
        /// From whom.
        from: Address,
        /// To whom.
        to: Address,
        /// How much, in the asset's smallest unit.
        amount: Amount,
    },
    /// An ERC-721 token moves.
    NftTransfer {
        /// The collection.
        token: Address,
        /// From whom.
        from: Address,
        /// To whom.
        to: Address,
        /// Which one.
        id: Amount,
    },
    /// ERC-1155 tokens move.
    MultiTokenTransfer {
        /// The collection.
        token: Address,
        /// From whom.
        from: Address,
        /// To whom.
        to: Address,
        /// Which one.
        id: Amount,
        /// How many.
        amount: Amount,
    },
    /// A spender may take ERC-20 tokens.
    Allowance(Allowance),
    /// A spender may take fewer ERC-20 tokens than before.
    AllowanceReduction {
        /// The token.
        token: Address,
        /// Whose tokens.
        owner: Address,
        /// Who may take fewer.
        spender: Address,
        /// How many fewer.
        amount: Amount,
    },
    /// A spender may take one ERC-721 token.
    NftApproval {
        /// The collection.
        token: Address,
        /// Whose token.
        owner: Address,
        /// Who may take it.
        spender: Address,
        /// Which one.
        id: Amount,
    },
    /// An operator may take every token of a collection.
    OperatorApproval {
        /// The collection.
        token: Address,
        /// Whose tokens.
        owner: Address,
        /// Who may take them.
        operator: Address,
        /// Whether the right is given or taken away.
        approved: bool,
    },
    /// Who controls a contract changes.
    Authority {
        /// How.
        change: AuthorityKind,
        /// The contract whose authority changes.
        target: Address,
        /// Who gains or loses it, where one address says so.
        subject: Option<Address>,
    },
    /// The account's own code becomes that of another contract (EIP-7702).
    Delegation {
        /// Whose code changes.
        authority: Option<Address>,
        /// The code's address; zero takes the delegation back.
        delegate: Address,
        /// The authorization's chain id; zero is valid on every chain.
        chain: ChainId,
        /// The authorization's nonce.
        nonce: u64,
    },
    /// A contract is created.
    Creation {
        /// Keccak-256 of the init code.
        init_code_hash: B256,
    },
    /// Foreign code runs in the caller's place.
    DelegateCall {
        /// The account whose storage the code sees.
        caller: Address,
        /// The code's address.
        target: Address,
    },
    /// An off-chain order or nonce is revoked.
    Cancel {
        /// The account.
        account: Address,
    },
    /// A call or transfer without any value or effect (an empty call of zero wei).
    NoValue,
    /// EIP-191 text.
    Statement {
        /// The message.
        message: Bytes,
    },
    /// Bytes that are not understood.
    Opaque {
        /// The contract they go to.
        to: Option<Address>,
        /// Wei that go along.
        value: Amount,
        /// Keccak-256 of the calldata or of the typed data's struct.
        data_hash: B256,
        /// Why they are not understood.
        reason: OpaqueReason,
    },
    /// A hash without its preimage.
    BlindDigest {
        /// The hash.
        digest: B256,
    },
}

impl EffectKind {
    /// The token that it is about.
    fn token(&self) -> Option<Address> {
        match self {
            Self::Transfer { asset: Asset::Token(token), .. }
            | Self::NftTransfer { token, .. }
            | Self::MultiTokenTransfer { token, .. }
            | Self::Allowance(Allowance { token, .. })
            | Self::AllowanceReduction { token, .. }
            | Self::NftApproval { token, .. }
            | Self::OperatorApproval { token, .. } => Some(*token),
            Self::Transfer { asset: Asset::Native, .. }
            | Self::Authority { .. }
            | Self::Delegation { .. }
            | Self::Creation { .. }
            | Self::DelegateCall { .. }
            | Self::Cancel { .. }
            | Self::NoValue
            | Self::Statement { .. }
            | Self::Opaque { .. }
            | Self::BlindDigest { .. } => None,
        }
    }
}

/// A right to take tokens later.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// The token.
    pub token: Address,
    /// Whose tokens.
    pub owner: Address,
    /// Who may take them.
    pub spender: Address,
    /// How many; for an increase, how many more.
    pub amount: Amount,
    /// Whether the amount is added to what is allowed already.
    pub increase: bool,
    /// Until when, in Unix seconds, where the form says so.
    pub deadline: Option<Amount>,
    /// Whether it is given by a signature that anybody may submit, not by a transaction.
    pub by_signature: bool,
}

impl Allowance {
    /// Whether the amount is beyond any supply.
    #[must_use]
    pub fn unlimited(&self) -> bool {
        self.amount.0 >= UNLIMITED_ALLOWANCE
    }
}

/// How authority changes.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum AuthorityKind {
    /// An owner, signer or threshold of a multisig.
    Owner,
    /// A role of access control.
    Role,
    /// A module that may act without owners.
    Module,
    /// A guard, fallback handler or hook.
    Guard,
    /// The code behind a proxy.
    Upgrade,
    /// A pause, blacklist or other switch.
    Switch,
    /// A change of Keystead's own authority: policy, roster, address book, freeze, key.
    Keystead,
}

impl AuthorityKind {
    /// The kind's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Role => "role",
            Self::Module => "module",
            Self::Guard => "guard",
            Self::Upgrade => "upgrade",
            Self::Switch => "switch",
            Self::Keystead => "keystead",
        }
    }
}

/// Why bytes are opaque.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum OpaqueReason {
    /// No known function has this selector.
    UnknownSelector,
    /// The selector is known and the arguments do not decode strictly.
    MalformedArguments,
    /// The function is known on another standard's contract, and the registry does not say which this is.
    AmbiguousContract,
    /// Nested too deep or too many.
    TooDeep,
    /// Typed data of an unknown type.
    UnknownTypedData,
    /// The amount is not in the bytes: it depends on gas or on the chain's state.
    UnstatedAmount,
    /// A message that is not plain text.
    NotText,
    /// Bytes in an output that the network gives no meaning, and others may (`OP_RETURN`).
    DataOutput,
    /// Coins locked with a script of no standard form.
    UnknownScript,
}

impl OpaqueReason {
    /// The reason's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownSelector => "unknown_selector",
            Self::MalformedArguments => "malformed_arguments",
            Self::AmbiguousContract => "ambiguous_contract",
            Self::TooDeep => "too_deep",
            Self::UnknownTypedData => "unknown_typed_data",
            Self::UnstatedAmount => "unstated_amount",
            Self::NotText => "not_text",
            Self::DataOutput => "data_output",
            Self::UnknownScript => "unknown_script",
        }
    }
}
