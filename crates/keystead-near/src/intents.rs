//! Effects in the forms that policy reads.

use alloy_primitives::B256;
use aws_lc_rs::digest::{SHA256, digest};
use keystead_base::Amount;
use keystead_intent::{Asset, AssetIndex, AuthorityKind, Effect, EffectKind as Kind};

use crate::{AccountId, Action, EffectKind, Permission, Subject, Unsigned};

/// What policy reads of a transaction: one effect for each action.
pub(crate) fn items(unsigned: &Unsigned, registry: &AssetIndex) -> Vec<Effect> {
    let actions = unsigned.transaction().actions();
    let effects = unsigned.explain(registry);
    effects.iter().zip(actions).map(|(effect, action)| item(unsigned, effect, action)).collect()
}

fn item(unsigned: &Unsigned, effect: &crate::Effect, action: &Action) -> Effect {
    let receiver = unsigned.id(unsigned.transaction().receiver());
    let selector = match action {
        Action::FunctionCall { method, .. } => Some(selector(method)),
        _ => None,
    };
    Effect {
        path: vec![u16::try_from(effect.action).unwrap_or(u16::MAX)],
        contract: (!matches!(action, Action::Transfer { .. })).then_some(receiver),
        selector,
        arguments: Vec::new(),
        kind: kind(unsigned, &effect.kind, action),
    }
}

fn kind(unsigned: &Unsigned, kind: &EffectKind, action: &Action) -> Kind {
    let (id, from) = (|it: &AccountId| unsigned.id(it), unsigned.signer());
    match kind {
        EffectKind::Transfer { to, amount } => {
            Kind::Transfer { asset: Asset::Native, from, to: id(to), amount: Amount::from(*amount) }
        }
        EffectKind::TokenTransfer { token, to, amount } => {
            Kind::Transfer { asset: Asset::Token(id(token)), from, to: id(to), amount: Amount::from(*amount) }
        }
        // INVARIANT S12: who can act from now on has a name, or is a stranger.
        EffectKind::KeyAdded { account, key, permission } => {
            let change = match permission {
                Permission::FullAccess => AuthorityKind::Owner,
                Permission::FunctionCall { .. } => AuthorityKind::Role,
            };
            let subject = Some(Subject::of_key(key).id(unsigned.network()));
            Kind::Authority { change, target: id(account), subject }
        }
        // Nobody gains by it.
        EffectKind::AccountCreated { account } | EffectKind::KeyDeleted { account, .. } => {
            Kind::Authority { change: AuthorityKind::Switch, target: id(account), subject: None }
        }
        EffectKind::AccountDeleted { account, beneficiary } => {
            let subject = Some(id(beneficiary));
            Kind::Authority { change: AuthorityKind::Owner, target: id(account), subject }
        }
        EffectKind::CodeReplaced { account, code } => {
            let subject = Some(Subject::of_code(*code).id(unsigned.network()));
            Kind::Authority { change: AuthorityKind::Upgrade, target: id(account), subject }
        }
        // Coins of the signer's own account, for a validator whose key is none of an account.
        EffectKind::Staked { .. } => {
            Kind::Authority { change: AuthorityKind::Role, target: from, subject: None }
        }
        EffectKind::Opaque { contract, deposit, reason, .. } => Kind::Opaque {
            to: Some(id(contract)),
            value: Amount::from(*deposit),
            data_hash: hash(&action.to_bytes()),
            reason: *reason,
        },
    }
}

/// By what rules name a method: the first four bytes of the SHA-256 of its name.
#[must_use]
pub fn selector(method: &str) -> [u8; 4] {
    let hash = hash(method.as_bytes());
    hash.first_chunk().copied().unwrap_or_default()
}

pub(crate) fn hash(bytes: &[u8]) -> B256 {
    B256::from_slice(digest(&SHA256, bytes).as_ref())
}
