//! Effects in plain words for people, the worst danger first.

mod book;
mod simulated;
mod speaker;
mod typed;

use std::fmt;

pub use book::AddressBook;
pub use speaker::{Speaker, moment};

use alloy_primitives::Address;
use keystead_base::Amount;
use keystead_intent::{
    Allowance, Asset, AssetIndex, AuthorityKind, DangerClass, Effect, EffectKind, Effects, OpaqueReason, Run,
    SimulatedBlock,
};

use keystead_speech::Phrase;

use crate::call::signature;

/// One line of what people read before they say yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The danger class of what the line says; none for fees and numbers.
    pub class: Option<DangerClass>,
    /// The words.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Puts effects into words: first the danger class of the whole, then every effect, worst first,
/// then the fee, the slot and the digest.
///
/// An address without a name in the signed address book is shown in full and said to be unknown.
#[must_use]
pub fn describe(effects: &Effects, registry: &AssetIndex, book: &AddressBook) -> Vec<Line> {
    describe_as(effects, &Speaker::new(effects.chain, registry, book))
}

/// The same, as somebody says it who may know the account of one's own that would sign.
#[must_use]
pub fn describe_as(effects: &Effects, speaker: &Speaker<'_>) -> Vec<Line> {
    let class = effects.class();
    let mut lines = vec![Line { class: Some(class), text: speaker.say(headline(class)) }];
    let mut items: Vec<&Effect> = effects.items.iter().collect();
    items.sort_by_key(|effect| std::cmp::Reverse(effect.class()));
    lines.extend(items.into_iter().map(|effect| speaker.line(effect)));
    let plain = |text: String| Line { class: None, text };
    if let Some(form) = &effects.typed {
        let contract = form.domain.verifying_contract.map(|it| speaker.who(it));
        lines.push(plain(typed::headline(form, contract, speaker)));
        // What is understood stands above in words; what is not is shown value by value.
        let unknown = effects.items.iter().any(|it| it.class() == DangerClass::Opaque);
        lines.extend(typed::fields(form, speaker).filter(|_| unknown).map(plain));
    }
    if let Some(slot) = effects.slot {
        let (fee, chain) = (speaker.amount(Asset::Native, effects.fee.max), effects.chain.to_string());
        lines.push(plain(speaker.say(Phrase::NetworkFee { fee: &fee, chain: &chain })));
        let (nonce, account) = (slot.nonce.to_string(), speaker.giver(slot.account));
        lines.push(plain(speaker.say(Phrase::Nonce { nonce: &nonce, account: &account })));
    }
    let digest = effects.signing_digest.to_string();
    lines.push(plain(speaker.say(Phrase::DigestToSign { digest: &digest })));
    lines
}

/// Puts a run into words, with the same names, numbers and addresses as [`describe_as`].
#[must_use]
pub fn describe_run(block: &SimulatedBlock, run: &Run, speaker: &Speaker<'_>) -> Vec<Line> {
    let lines = simulated::lines(speaker, block, run).into_iter();
    lines.map(|text| Line { class: None, text }).collect()
}

fn headline(class: DangerClass) -> Phrase<'static> {
    match class {
        DangerClass::Statement => Phrase::Statement {},
        DangerClass::Transfer => Phrase::Transfer {},
        DangerClass::Allowance => Phrase::Allowance {},
        DangerClass::UnlimitedAllowance => Phrase::UnlimitedAllowance {},
        DangerClass::Authority => Phrase::Authority {},
        DangerClass::DelegateCall => Phrase::DelegateCall {},
        DangerClass::Opaque => Phrase::Opaque {},
        DangerClass::BlindDigest => Phrase::BlindDigest {},
        DangerClass::Cancel => Phrase::Cancel {},
        DangerClass::Replacement => Phrase::Replacement {},
    }
}

impl Speaker<'_> {
    fn line(&self, effect: &Effect) -> Line {
        let class = effect.class();
        let place: Vec<String> =
            effect.path.iter().map(|index| u32::from(*index).saturating_add(1).to_string()).collect();
        let (place, words) = (place.join("."), self.words(effect));
        let text = match place.is_empty() {
            true => words,
            false => self.say(Phrase::InCall { place: &place, words: &words }),
        };
        Line { class: Some(class), text }
    }

    fn words(&self, effect: &Effect) -> String {
        match &effect.kind {
            EffectKind::Transfer { .. }
            | EffectKind::NftTransfer { .. }
            | EffectKind::MultiTokenTransfer { .. }
            | EffectKind::NoValue => self.movement(&effect.kind),
            EffectKind::Allowance(it) => self.allowance(it),
            EffectKind::AllowanceReduction { .. }
            | EffectKind::NftApproval { .. }
            | EffectKind::OperatorApproval { .. }
            | EffectKind::Cancel { .. } => self.right(&effect.kind),
            EffectKind::Authority { .. }
            | EffectKind::Delegation { .. }
            | EffectKind::Creation { .. }
            | EffectKind::DelegateCall { .. } => self.control(&effect.kind),
            EffectKind::Statement { message } => {
                self.say(Phrase::SignsText { text: &format!("{:?}", String::from_utf8_lossy(message)) })
            }
            EffectKind::Opaque { to, reason, .. } => self.opaque(effect, *to, *reason),
            EffectKind::BlindDigest { digest } => {
                self.say(Phrase::ApprovesHash { digest: &digest.to_string() })
            }
        }
    }

    fn movement(&self, kind: &EffectKind) -> String {
        match kind {
            EffectKind::Transfer { asset, from, to, amount } => self.say(Phrase::Moves {
                amount: &self.amount(*asset, *amount),
                from: &self.giver(*from),
                to: &self.who(*to),
            }),
            EffectKind::NftTransfer { token, from, to, id } => self.say(Phrase::NftMoves {
                token: &self.token(*token),
                id: &id.to_string(),
                from: &self.giver(*from),
                to: &self.who(*to),
            }),
            EffectKind::MultiTokenTransfer { token, from, to, id, amount } => self.say(Phrase::PiecesMove {
                amount: &amount.to_string(),
                token: &self.token(*token),
                id: &id.to_string(),
                from: &self.giver(*from),
                to: &self.who(*to),
            }),
            _ => self.say(Phrase::NothingMoves {}),
        }
    }

    fn allowance(&self, it: &Allowance) -> String {
        let (spender, owner) = (&self.who(it.spender), &self.giver(it.owner));
        let amount = &match it.unlimited() {
            true => self.say(Phrase::All { token: &self.token(it.token) }),
            false => self.amount(Asset::Token(it.token), it.amount),
        };
        let said = match it.increase {
            true => self.say(Phrase::MayTakeMore { spender, amount, owner }),
            false => self.say(Phrase::MayTake { spender, amount, owner }),
        };
        let how = if it.by_signature { self.say(Phrase::BySignature {}) } else { String::new() };
        let until = it.deadline.map(|it| self.until(it)).unwrap_or_default();
        format!("{said}{how}{until}")
    }

    fn right(&self, kind: &EffectKind) -> String {
        match kind {
            EffectKind::AllowanceReduction { token, owner, spender, amount } => {
                let (spender, owner) = (&self.who(*spender), &self.giver(*owner));
                match *amount == Amount::MAX {
                    true => self.say(Phrase::MayTakeNo { spender, token: &self.token(*token), owner }),
                    false => {
                        let amount = &self.amount(Asset::Token(*token), *amount);
                        self.say(Phrase::MayTakeLess { spender, amount, owner })
                    }
                }
            }
            EffectKind::NftApproval { token, owner, spender, id } => self.say(Phrase::MayTakeNft {
                spender: &self.who(*spender),
                token: &self.token(*token),
                id: &id.to_string(),
                owner: &self.giver(*owner),
            }),
            EffectKind::OperatorApproval { token, owner, operator, approved } => {
                let (operator, token, owner) =
                    (&self.who(*operator), &self.token(*token), &self.giver(*owner));
                self.say(match *approved {
                    true => Phrase::MayTakeEvery { operator, token, owner },
                    false => Phrase::MayTakeNoneAnyMore { operator, token, owner },
                })
            }
            EffectKind::Cancel { account } => {
                self.say(Phrase::SignaturesBecomeVoid { account: &self.giver(*account) })
            }
            _ => String::new(),
        }
    }

    fn control(&self, kind: &EffectKind) -> String {
        match kind {
            EffectKind::Authority { change, target, subject } => {
                let said = self.say(changes(*change, &self.who(*target)));
                match subject {
                    Some(whom) => self.say(Phrase::Subject { change: &said, whom: &self.who(*whom) }),
                    None => said,
                }
            }
            EffectKind::Delegation { authority, delegate, chain, nonce } => {
                self.delegation(*authority, *delegate, &chain.to_string(), *nonce)
            }
            EffectKind::Creation { init_code_hash } => {
                self.say(Phrase::Creation { hash: &init_code_hash.to_string() })
            }
            EffectKind::DelegateCall { caller, target } => {
                self.say(Phrase::RunsAs { target: &self.who(*target), caller: &self.who(*caller) })
            }
            _ => String::new(),
        }
    }

    fn delegation(&self, authority: Option<Address>, delegate: Address, chain: &str, nonce: u64) -> String {
        let whose = authority.map_or_else(|| self.say(Phrase::UnnamedAccount {}), |it| self.giver(it));
        let (whose, nonce) = (&whose, &nonce.to_string());
        match delegate.is_zero() {
            true => self.say(Phrase::GetsNoCode { whose, chain, nonce }),
            false => self.say(Phrase::GetsCode { whose, delegate: &self.who(delegate), chain, nonce }),
        }
    }

    fn opaque(&self, effect: &Effect, to: Option<Address>, reason: OpaqueReason) -> String {
        let function = &effect.selector.map(|it| self.function(it)).unwrap_or_default();
        let why = &self.say(why(reason));
        match to {
            Some(to) => self.say(Phrase::NotUnderstoodFor { whom: &self.who(to), function, why }),
            None => self.say(Phrase::NotUnderstood { function, why }),
        }
    }

    fn function(&self, selector: [u8; 4]) -> String {
        let known = signature(selector);
        let selector = &const_hex::encode_prefixed(selector);
        self.say(match known {
            Some(signature) => Phrase::FunctionElsewhere { selector, signature },
            None => Phrase::Function { selector },
        })
    }
}

fn changes(change: AuthorityKind, target: &str) -> Phrase<'_> {
    match change {
        AuthorityKind::Owner => Phrase::OwnerChanges { target },
        AuthorityKind::Role => Phrase::RoleChanges { target },
        AuthorityKind::Module => Phrase::ModuleChanges { target },
        AuthorityKind::Guard => Phrase::GuardChanges { target },
        AuthorityKind::Upgrade => Phrase::CodeChanges { target },
        AuthorityKind::Switch => Phrase::SwitchChanges { target },
        AuthorityKind::Keystead => Phrase::AuthorityChanges { target },
    }
}

fn why(reason: OpaqueReason) -> Phrase<'static> {
    match reason {
        OpaqueReason::UnknownSelector => Phrase::WhyUnknownSelector {},
        OpaqueReason::MalformedArguments => Phrase::WhyMalformedArguments {},
        OpaqueReason::AmbiguousContract => Phrase::WhyAmbiguousContract {},
        OpaqueReason::TooDeep => Phrase::WhyTooDeep {},
        OpaqueReason::UnknownTypedData => Phrase::WhyUnknownTypedData {},
        OpaqueReason::UnstatedAmount => Phrase::WhyUnstatedAmount {},
        OpaqueReason::NotText => Phrase::WhyNotText {},
        OpaqueReason::DataOutput => Phrase::WhyDataOutput {},
        OpaqueReason::UnknownScript => Phrase::WhyUnknownScript {},
    }
}

#[cfg(test)]
mod tests;
