//! What somebody asks for, parsed once; effects and danger classes.

mod action;
mod approval;
mod asset;
mod authority;
mod danger;
mod effect;
mod intent;

pub use action::{
    AccountRef, Asset, ChainId, ContractCall, GasTerms, MAX_PAYLOAD_BYTES, Message, RawEthereum, Replacement,
    Transfer, TypedData,
};
pub use approval::{Approval, Freeze, Verdict, Veto};
pub use asset::{
    AssetEntry, AssetError, AssetIndex, AssetKind, ContractEntry, ContractKind, MAX_DECIMALS,
    MAX_REGISTRY_ENTRIES, MAX_SYMBOL_BYTES, PERMIT2,
};
pub use authority::{AuthorityChange, KeyCeremony, KeyKind};
pub use danger::DangerClass;
pub use effect::{
    Allowance, AuthorityKind, CallPath, Effect, EffectKind, Effects, Fee, OpaqueReason, Slot,
    UNLIMITED_ALLOWANCE,
};
pub use intent::{Action, ActionKind, Intent, IntentError, MAX_BATCH_INTENTS, RequestBatch};
