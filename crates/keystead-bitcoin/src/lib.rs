//! Bytes to effects and back for Bitcoin.
//!
//! A [`Wallet`] is what is ours: [`Descriptor`]s of one [`Network`], as data. A [`Psbt`] is what somebody would have
//! us sign. [`View::read`] holds one against the other, under [`Terms`], and refuses or says what would be signed;
//! [`explain`] and [`describe`] say what that does; [`View::digests`] are the bytes that keys sign, and
//! [`View::finalize`] makes a transaction of the signatures. [`Spends`] is what S4 means for coins, and [`Spend`] a
//! request's PSBT against a wallet that the log recorded.

mod account;
mod address;
mod checksum;
mod compose;
mod derive;
mod descriptor;
mod document;
mod effects;
mod finalize;
#[cfg(test)]
mod fixture;
mod memo;
mod network;
mod plan;
mod progress;
mod psbt;
#[cfg(test)]
mod random;
mod refusal;
mod search;
mod sighash;
mod spend;
mod spends;
mod taken;
mod terms;
mod view;
mod wallet;
mod weight;
mod words;

pub use account::{
    AccountError, AccountKey, PURPOSES, account_paths, check_shared, cosigner_path, first_in_shares,
    read_account, read_wallet, record_wallet, shared_wallet, wallet_in_shares,
};
pub use address::{AddressError, address_of, parse_address};
pub use compose::{ComposeError, Draft, DraftInput, DraftOutput, compose};
pub use derive::{Branch, Derived, DerivedKey, Place};
pub use descriptor::{Descriptor, DescriptorError, Form, Key, MAX_DESCRIPTOR_BYTES, MAX_KEYS};
pub use effects::{Effect, EffectKind, Effects, Spending, explain};
pub use finalize::{FinalizeError, Finalized, InputSignature};
pub use keystead_intent::Coin;
pub use network::{Network, NetworkError};
pub use plan::{MAX_PLANNED_COINS, PlanError, Target, consolidate, plan, replan};
pub use progress::Progress;
pub use psbt::{
    Claim, Input, Kept, MAX_INPUTS, MAX_OUTPUTS, MAX_PAIRS, MAX_PSBT_BYTES, Output, Psbt, PsbtError,
    PsbtVersion, Scope,
};
pub use refusal::Refusal;
pub use search::{GAP_LIMIT, MAX_GAP, MAX_SEARCHED_INDEX, Search};
pub use sighash::{Scheme, SigningDigest, tap_tweak};
pub use spend::{
    Completed, InputDigest, MAX_SPEND_INPUTS, MAX_SPEND_OUTPUTS, Spend, SpendDigest, SpendError,
    SpendSignature, SpendSignatures, destination_id, transaction_digest, transaction_id,
};
pub use spends::{NotReplacing, Replacement, Spends, check_replacement, coin_at};
pub use taken::{is_of_psbt, is_signed_by_others, same_payment};
pub use terms::Terms;
pub use view::{Finished, Ours, Owner, Sighash, View, ViewInput, ViewOutput};
pub use wallet::{MAX_DESCRIPTORS, Owned, Wallet, WalletError};
pub use words::{Line, Speaker, describe, describe_as};
