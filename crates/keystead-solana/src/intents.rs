//! Effects in the forms that policy reads.

use alloy_primitives::{Address, B256};
use keystead_base::Amount;
use keystead_intent::{Allowance, Asset, AuthorityKind, Effect, EffectKind as Kind, OpaqueReason};

use crate::effects::{self, EffectKind, NewTokenAccount, TokenAllowance, TokenMove};
use crate::program::{SYSTEM, is_token};
use crate::{Cluster, Pubkey};

/// What policy reads of one effect of a signature by `account`; never nothing.
pub(crate) fn items(effect: &effects::Effect, account: Pubkey, cluster: Cluster) -> Vec<Effect> {
    let ids = Ids { account, cluster };
    let kinds = ids.kinds(effect);
    let plain = matches!(effect.kind, EffectKind::Coins { .. });
    let item = |kind| Effect {
        path: vec![effect.instruction],
        contract: (!plain).then(|| ids.of(effect.program)),
        selector: effect.selector.filter(|_| !plain),
        arguments: Vec::new(),
        kind,
    };
    kinds.into_iter().map(item).collect()
}

struct Ids {
    account: Pubkey,
    cluster: Cluster,
}

impl Ids {
    fn of(&self, key: Pubkey) -> Address {
        key.id(self.cluster)
    }

    fn kinds(&self, effect: &effects::Effect) -> Vec<Kind> {
        match &effect.kind {
            EffectKind::Coins { from, to, wallet, lamports } => {
                vec![self.coins(*from, wallet.unwrap_or(*to), *lamports)]
            }
            EffectKind::Tokens(it) => vec![self.tokens(it)],
            EffectKind::NewAccount { funder, account, lamports, owner, .. } => {
                self.new_account(*funder, *account, *lamports, *owner)
            }
            EffectKind::NewTokenAccount(it) => vec![self.new_token_account(effect, it)],
            EffectKind::Allowance(it) => self.allowance(effect, it),
            // The one that makes the transaction durable takes its place, and voids no other that was not void by that.
            EffectKind::NonceAdvance { .. } if effect.instruction == 0 => vec![Kind::NoValue],
            EffectKind::Revocation { owner: account, .. }
            | EffectKind::NonceAdvance { authority: account, .. } => {
                vec![Kind::Cancel { account: self.of(*account) }]
            }
            EffectKind::Authority { change, target, subject, .. } => {
                vec![self.authority(*change, *target, *subject)]
            }
            EffectKind::Close { destination, .. } if *destination != self.account => {
                vec![self.unstated(effect, *destination)]
            }
            EffectKind::Close { .. } | EffectKind::Recount { .. } | EffectKind::Budget(_) => {
                vec![Kind::NoValue]
            }
            EffectKind::Memo { text } => vec![Kind::Statement { message: text.clone().into_bytes().into() }],
            EffectKind::Opaque { reason } => vec![self.opaque(effect, effect.program, *reason)],
        }
    }

    fn coins(&self, from: Pubkey, to: Pubkey, lamports: u64) -> Kind {
        let (from, to) = (self.of(from), self.of(to));
        Kind::Transfer { asset: Asset::Native, from, to, amount: lamports.into() }
    }

    /// From whoever signs for them: whose account it is, the bytes do not say.
    fn tokens(&self, it: &TokenMove) -> Kind {
        let (from, to) = (self.of(it.authority), self.of(it.wallet.unwrap_or(it.destination)));
        Kind::Transfer { asset: Asset::Token(self.of(it.mint)), from, to, amount: it.amount.into() }
    }

    /// Coins for a new account of a program that is not understood are that program's; and an account of ours is never
    /// given to any.
    fn new_account(&self, funder: Pubkey, account: Pubkey, lamports: u64, owner: Pubkey) -> Vec<Kind> {
        let mut kinds = vec![self.coins(funder, account, lamports)];
        if account == self.account || !(owner == SYSTEM || is_token(owner)) {
            kinds.push(self.authority(AuthorityKind::Owner, account, Some(owner)));
        }
        kinds
    }

    /// Its owner may close it, and has then what its place cost.
    fn new_token_account(&self, effect: &effects::Effect, it: &NewTokenAccount) -> Kind {
        match it.lamports {
            Some(lamports) => self.coins(it.funder, it.wallet, lamports),
            None if it.wallet == self.account => Kind::NoValue,
            None => self.unstated(effect, it.wallet),
        }
    }

    /// Without a mint the token is not known: its account stands for it, and the amount means nothing.
    fn allowance(&self, effect: &effects::Effect, it: &TokenAllowance) -> Vec<Kind> {
        let amount = if it.unlimited() { Amount::MAX } else { it.amount.into() };
        let allowance = Allowance {
            token: self.of(it.mint.unwrap_or(it.source)),
            owner: self.of(it.owner),
            spender: self.of(it.delegate),
            amount,
            increase: false,
            deadline: None,
            by_signature: false,
        };
        let unstated = it.mint.is_none().then(|| self.unstated(effect, it.delegate));
        [Some(Kind::Allowance(allowance)), unstated].into_iter().flatten().collect()
    }

    fn authority(&self, change: AuthorityKind, target: Pubkey, subject: Option<Pubkey>) -> Kind {
        Kind::Authority { change, target: self.of(target), subject: subject.map(|it| self.of(it)) }
    }

    /// Something leaves for somebody; how much of what, only the chain knows.
    fn unstated(&self, effect: &effects::Effect, to: Pubkey) -> Kind {
        self.opaque(effect, to, OpaqueReason::UnstatedAmount)
    }

    fn opaque(&self, effect: &effects::Effect, to: Pubkey, reason: OpaqueReason) -> Kind {
        let data_hash = B256::from(effect.hash.0);
        Kind::Opaque { to: Some(self.of(to)), value: Amount::ZERO, data_hash, reason }
    }
}
