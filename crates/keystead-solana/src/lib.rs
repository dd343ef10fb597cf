//! Bytes to effects and back for Solana.
//!
//! A [`Message`] is what somebody would have us sign, read strictly: what is accepted is written again as the very same
//! bytes. [`Unsigned::read`] holds it to one account of one [`Cluster`]; [`explain`] and [`describe`] say what its
//! signature does; [`Unsigned::assemble`] joins it with verified signatures. [`compile`] makes a message of
//! [`Instruction`]s, such as [`order`] has.

mod canonical;
mod cluster;
mod compile;
mod derive;
mod effects;
mod fee;
mod intents;
mod message;
pub mod order;
pub mod program;
mod pubkey;
mod reader;
mod reading;
mod unsigned;
mod words;

pub use canonical::{SolanaAccount, SolanaInstruction};
pub use cluster::{Cluster, ClusterError};
pub use compile::{Draft, compile};
pub use derive::associated_account;
pub use effects::{
    Effect, EffectKind, Effects, Lifetime, NewTokenAccount, TokenAllowance, TokenMove, explain,
};
pub use fee::{BudgetTerm, Fee, LAMPORTS_PER_SIGNATURE, MAX_COMPUTE_UNITS};
pub use message::{AccountMeta, Instruction, MAX_TRANSACTION_BYTES, Message, MessageError, Version};
pub use pubkey::{MAX_PUBKEY_LETTERS, Pubkey, PubkeyError};
pub use unsigned::{Assembled, SignatureError, Unsigned, UnsignedError};
pub use words::{Line, Speaker, describe, describe_as};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod random;
#[cfg(test)]
mod vectors;

#[cfg(test)]
mod examples;
