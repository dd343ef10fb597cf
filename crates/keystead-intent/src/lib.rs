//! What somebody asks for, parsed once; effects and danger classes.

mod action;
mod approval;
mod asset;
mod authority;
mod bitcoin;
mod change_kind;
mod danger;
mod effect;
mod incident;
mod intent;
mod key_state;
mod key_terms;
mod near;
mod plain_text;
mod simulation;
mod solana;
mod typed_form;

pub use action::{
    AccountRef, Asset, ChainId, ContractCall, GasTerms, MAX_PAYLOAD_BYTES, Message, RawEthereum, Replacement,
    Transfer, TypedData,
};
pub use approval::{Approval, Freeze, Verdict, Veto};
pub use asset::{
    AssetEntry, AssetError, AssetIndex, AssetKind, ContractEntry, ContractKind, MAX_DECIMALS,
    MAX_REGISTRY_ENTRIES, MAX_SYMBOL_BYTES, PERMIT2,
};
pub use authority::{
    AuthorityChange, BackupGroup, Importer, KeyCeremony, KeyKind, MAX_BACKUP_MEMBERS, MAX_EXIT_RECIPIENTS,
    MAX_HOLDERS,
};
pub use bitcoin::{
    BitcoinDestination, BitcoinWallet, Coin, CoinSpend, MAX_EIP155_CHAIN, PsbtSpend, SpendLock,
};
pub use change_kind::ChangeKind;
pub use danger::DangerClass;
pub use effect::{
    Allowance, AuthorityKind, CallPath, Effect, EffectKind, Effects, Fee, MAX_ARGUMENT_WORDS, OpaqueReason,
    Slot, UNLIMITED_ALLOWANCE,
};
pub use incident::{MAX_SUSPECTS, MAX_WHY_BYTES, Rotation, Suspect};
pub use intent::{Action, ActionKind, Intent, IntentError, MAX_BATCH_INTENTS, RequestBatch};
pub use key_state::{KeyMove, KeyState};
pub use key_terms::{KeyTerm, KeyTerms};
pub use near::{NearAccount, NearTransaction};
pub use plain_text::is_plain;
pub use simulation::{
    BalanceChange, Ending, MAX_REVERT_BYTES, MAX_RUN_CHANGES, NotTaken, Piece, Right, RightChange, Run,
    SimulatedBlock,
};
pub use solana::{SolanaAddress, SolanaMessage, SolanaNonce};
pub use typed_form::{
    MAX_TYPED_FIELDS, MAX_TYPED_VALUE_BYTES, TypedDomain, TypedField, TypedForm, TypedValue,
};
