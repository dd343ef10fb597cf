//! What a transaction does when it is executed, from its bytes alone.

use keystead_base::Digest;
use keystead_intent::{DangerClass, OpaqueReason};
use serde::Deserialize;

use crate::{AccountId, Action, Permission, PublicKey, Transaction, intents};

/// One effect, and which action has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The action's position, from 0.
    pub action: usize,
    /// What happens.
    pub kind: EffectKind,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EffectKind {
    /// Coins leave the signer.
    Transfer {
        /// To whom.
        to: AccountId,
        /// How many yoctoNEAR.
        amount: u128,
    },
    /// Tokens leave the signer: `ft_transfer` of NEP-141, in its one form.
    TokenTransfer {
        /// The token's contract.
        token: AccountId,
        /// To whom.
        to: AccountId,
        /// How many of the token's smallest units.
        amount: u128,
    },
    /// An account is created under the signer's.
    AccountCreated {
        /// Which.
        account: AccountId,
    },
    /// Somebody can act for an account.
    KeyAdded {
        /// Whose account.
        account: AccountId,
        /// The key.
        key: PublicKey,
        /// What it may do.
        permission: Permission,
    },
    /// A key can act for an account no more; the last one that can leaves nobody.
    KeyDeleted {
        /// Whose account.
        account: AccountId,
        /// The key.
        key: PublicKey,
    },
    /// An account's code is replaced: it does with the account what it likes.
    CodeReplaced {
        /// Whose account.
        account: AccountId,
        /// The code's SHA-256.
        code: Digest,
    },
    /// Coins are locked for a validator, whose key is never one of ML-DSA-65.
    Staked {
        /// How many yoctoNEAR in all.
        amount: u128,
    },
    /// An account ends, and everything in it goes to somebody.
    AccountDeleted {
        /// Which.
        account: AccountId,
        /// To whom.
        beneficiary: AccountId,
    },
    /// A call that is not understood.
    Opaque {
        /// The contract.
        contract: AccountId,
        /// The method.
        method: String,
        /// The yoctoNEAR that go along.
        deposit: u128,
        /// Why nobody understands it.
        reason: OpaqueReason,
    },
}

impl EffectKind {
    /// How bad it can be.
    #[must_use]
    pub fn class(&self) -> DangerClass {
        match self {
            Self::Transfer { .. } | Self::TokenTransfer { .. } => DangerClass::Transfer,
            Self::AccountCreated { .. }
            | Self::KeyAdded { .. }
            | Self::KeyDeleted { .. }
            | Self::CodeReplaced { .. }
            | Self::Staked { .. }
            | Self::AccountDeleted { .. } => DangerClass::Authority,
            Self::Opaque { .. } => DangerClass::Opaque,
        }
    }
}

/// The effects of a transaction, one for each action.
#[must_use]
pub fn explain(transaction: &Transaction) -> Vec<Effect> {
    let receiver = transaction.receiver();
    let effects = transaction.actions().iter().map(|action| kind(receiver, action));
    effects.enumerate().map(|(action, kind)| Effect { action, kind }).collect()
}

fn kind(receiver: &AccountId, action: &Action) -> EffectKind {
    let account = receiver.clone();
    match action {
        Action::CreateAccount => EffectKind::AccountCreated { account },
        Action::DeployContract { code } => {
            EffectKind::CodeReplaced { account, code: Digest(intents::hash(code).0) }
        }
        Action::FunctionCall { method, args, deposit, .. } => {
            token_transfer(receiver, method, args, *deposit).unwrap_or_else(|| EffectKind::Opaque {
                contract: account,
                method: method.clone(),
                deposit: *deposit,
                reason: match method.as_str() {
                    FT_TRANSFER => OpaqueReason::MalformedArguments,
                    _ => OpaqueReason::UnknownSelector,
                },
            })
        }
        Action::Transfer { deposit } => EffectKind::Transfer { to: account, amount: *deposit },
        Action::Stake { stake, .. } => EffectKind::Staked { amount: *stake },
        Action::AddKey { key, permission, .. } => {
            EffectKind::KeyAdded { account, key: key.clone(), permission: permission.clone() }
        }
        Action::DeleteKey { key } => EffectKind::KeyDeleted { account, key: key.clone() },
        Action::DeleteAccount { beneficiary } => {
            EffectKind::AccountDeleted { account, beneficiary: beneficiary.clone() }
        }
    }
}

/// INVARIANT S9: what `ft_transfer` of a contract does that is no token's, nobody knows, whatever its arguments say.
pub(crate) fn of_tokens(kind: EffectKind, is_token: impl Fn(&AccountId) -> bool) -> EffectKind {
    match kind {
        EffectKind::TokenTransfer { token, .. } if !is_token(&token) => EffectKind::Opaque {
            contract: token,
            method: FT_TRANSFER.to_owned(),
            deposit: 1,
            reason: OpaqueReason::AmbiguousContract,
        },
        known => known,
    }
}

/// `ft_transfer` with exactly its two arguments and exactly one yoctoNEAR (NEP-141); a field twice, one more (a memo, which nobody
/// judges), or a list of them is another form.
fn token_transfer(token: &AccountId, method: &str, args: &[u8], deposit: u128) -> Option<EffectKind> {
    if method != FT_TRANSFER || deposit != 1 || !args.starts_with(b"{") {
        return None;
    }
    let args: FtTransfer = serde_json::from_slice(args).ok()?;
    let canonical = args.amount == "0" || !args.amount.starts_with(['0', '+']);
    let amount = args.amount.parse().ok().filter(|_| canonical)?;
    Some(EffectKind::TokenTransfer { token: token.clone(), to: args.receiver_id.parse().ok()?, amount })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FtTransfer {
    receiver_id: String,
    amount: String,
}

const FT_TRANSFER: &str = "ft_transfer";
