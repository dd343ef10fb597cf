//! One effect as policy sees it: what leaves or may leave, to whom, and how it is called.

use alloy_primitives::{Address, U256};
use keystead_base::Amount;
use keystead_intent::{Allowance, Asset, AuthorityKind, Effect, EffectKind};

/// The parts of an effect that rules, limits and the address book look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aspect {
    /// The kind's name in the schema.
    pub(crate) kind: &'static str,
    /// For changes of authority, which.
    pub(crate) change: &'static str,
    /// What leaves or may leave.
    pub(crate) asset: Option<Asset>,
    /// Whose it is.
    pub(crate) from: Option<Address>,
    /// Who receives it, or the right to it.
    pub(crate) destination: Option<Address>,
    /// How much leaves or may leave; the maximum, where there is no bound.
    pub(crate) amount: Amount,
    /// Until when a right can be taken up.
    pub(crate) deadline: Option<Amount>,
    /// Whether the right is beyond any supply.
    pub(crate) unlimited: bool,
    /// Whether it is given by a signature that anybody may submit.
    pub(crate) by_signature: bool,
    /// Whether it only takes a right back: such an effect needs no known destination.
    pub(crate) takes_back: bool,
}

impl Aspect {
    pub(crate) fn of(effect: &Effect) -> Self {
        match &effect.kind {
            EffectKind::Transfer { asset, from, to, amount } => moves("transfer", *asset, from, to, *amount),
            EffectKind::NftTransfer { token, from, to, .. } => {
                moves("nft_transfer", Asset::Token(*token), from, to, ONE)
            }
            EffectKind::MultiTokenTransfer { token, from, to, amount, .. } => {
                moves("multi_token_transfer", Asset::Token(*token), from, to, *amount)
            }
            EffectKind::Allowance(allowance) => allows(allowance),
            EffectKind::AllowanceReduction { token, owner, spender, .. } => {
                lends("allowance_reduction", token, owner, spender, Amount::ZERO)
            }
            EffectKind::NftApproval { token, owner, spender, .. } => lends(
                "nft_approval",
                token,
                owner,
                spender,
                if spender.is_zero() { Amount::ZERO } else { ONE },
            ),
            EffectKind::OperatorApproval { token, owner, operator, approved } => {
                let amount = if *approved { Amount::MAX } else { Amount::ZERO };
                lends("operator_approval", token, owner, operator, amount)
            }
            EffectKind::Authority { change, subject, .. } => empowers(*change, *subject),
            EffectKind::Delegation { authority, delegate, .. } => delegates(*authority, *delegate),
            EffectKind::DelegateCall { caller, target } => Self {
                kind: "delegate_call",
                from: Some(*caller),
                destination: Some(*target),
                ..Self::default()
            },
            EffectKind::Opaque { to, value, .. } => Self {
                kind: "opaque",
                asset: Some(Asset::Native),
                destination: *to,
                amount: *value,
                ..Self::default()
            },
            EffectKind::Cancel { account } => Self { from: Some(*account), ..named("cancel") },
            EffectKind::Creation { .. } => named("creation"),
            EffectKind::NoValue => named("no_value"),
            EffectKind::Statement { .. } => named("statement"),
            EffectKind::BlindDigest { .. } => named("blind_digest"),
        }
    }
}

fn named(kind: &'static str) -> Aspect {
    Aspect { kind, ..Aspect::default() }
}

fn moves(kind: &'static str, asset: Asset, from: &Address, to: &Address, amount: Amount) -> Aspect {
    Aspect { asset: Some(asset), from: Some(*from), destination: Some(*to), amount, ..named(kind) }
}

fn lends(kind: &'static str, token: &Address, owner: &Address, to: &Address, amount: Amount) -> Aspect {
    let takes_back = amount == Amount::ZERO;
    let unlimited = amount == Amount::MAX;
    Aspect { takes_back, unlimited, ..moves(kind, Asset::Token(*token), owner, to, amount) }
}

/// What may be taken later counts as if it left now.
fn allows(allowance: &Allowance) -> Aspect {
    let unlimited = allowance.unlimited();
    let amount = if unlimited { Amount::MAX } else { allowance.amount };
    Aspect {
        unlimited,
        deadline: allowance.deadline,
        by_signature: allowance.by_signature,
        takes_back: amount == Amount::ZERO && !allowance.increase,
        ..moves("allowance", Asset::Token(allowance.token), &allowance.owner, &allowance.spender, amount)
    }
}

fn empowers(change: AuthorityKind, subject: Option<Address>) -> Aspect {
    Aspect { change: change.as_str(), destination: subject, ..named("authority") }
}

fn delegates(authority: Option<Address>, delegate: Address) -> Aspect {
    let takes_back = delegate.is_zero();
    Aspect { from: authority, destination: Some(delegate), takes_back, ..named("delegation") }
}

const ONE: Amount = Amount(U256::ONE);
