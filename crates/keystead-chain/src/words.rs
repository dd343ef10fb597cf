//! Effects in plain words for people, the worst danger first.

mod book;
mod simulated;
mod speaker;
mod typed;

use std::fmt;

pub use book::{AddressBook, look_alike};
pub use speaker::{Speaker, moment};

use alloy_primitives::Address;
use keystead_base::Amount;
use keystead_intent::{
    Allowance, Asset, AssetIndex, AuthorityKind, DangerClass, Effect, EffectKind, Effects, OpaqueReason, Run,
    SimulatedBlock,
};

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
    let mut lines = vec![Line { class: Some(class), text: headline(class).to_owned() }];
    let mut items: Vec<&Effect> = effects.items.iter().collect();
    items.sort_by_key(|effect| std::cmp::Reverse(effect.class()));
    lines.extend(items.into_iter().map(|effect| speaker.line(effect)));
    let plain = |text: String| Line { class: None, text };
    if let Some(form) = &effects.typed {
        let contract = form.domain.verifying_contract.map(|it| speaker.who(it));
        lines.push(plain(typed::headline(form, contract)));
        // What is understood stands above in words; what is not is shown value by value.
        let unknown = effects.items.iter().any(|it| it.class() == DangerClass::Opaque);
        lines.extend(typed::fields(form, speaker).filter(|_| unknown).map(plain));
    }
    if let Some(slot) = effects.slot {
        let fee = speaker.amount(Asset::Native, effects.fee.max);
        lines.push(plain(format!("Network fee: at most {fee}, on {}", effects.chain)));
        lines.push(plain(format!("Nonce {} of {}", slot.nonce, speaker.giver(slot.account))));
    }
    lines.push(plain(format!("Digest to be signed: 0x{}", effects.signing_digest)));
    lines
}

/// Puts a run into words, with the same names, numbers and addresses as [`describe_as`].
#[must_use]
pub fn describe_run(block: &SimulatedBlock, run: &Run, speaker: &Speaker<'_>) -> Vec<Line> {
    let lines = simulated::lines(speaker, block, run).into_iter();
    lines.map(|text| Line { class: None, text }).collect()
}

fn headline(class: DangerClass) -> &'static str {
    match class {
        DangerClass::Statement => "STATEMENT: words are signed; nothing moves on a chain",
        DangerClass::Transfer => "TRANSFER: value leaves once, by the amounts below",
        DangerClass::Allowance => "ALLOWANCE: somebody may take the amounts below later",
        DangerClass::UnlimitedAllowance => "UNLIMITED ALLOWANCE: somebody may take everything later",
        DangerClass::Authority => "CHANGE OF CONTROL: who commands an account or a contract changes",
        DangerClass::DelegateCall => {
            "FOREIGN CODE TAKES OVER: it may do anything with the account that runs it"
        }
        DangerClass::Opaque => "NOT UNDERSTOOD: nobody can say what these bytes do",
        DangerClass::BlindDigest => "BLIND: only a hash is visible, and it can stand for anything",
        DangerClass::Cancel => "CANCELED: an earlier transaction is called off; nothing moves",
        DangerClass::Replacement => "REPLACED: another transaction takes the place of an earlier one",
    }
}

impl Speaker<'_> {
    fn line(&self, effect: &Effect) -> Line {
        let class = effect.class();
        let place: Vec<String> =
            effect.path.iter().map(|index| u32::from(*index).saturating_add(1).to_string()).collect();
        let place = if place.is_empty() { String::new() } else { format!("[call {}] ", place.join(".")) };
        Line { class: Some(class), text: format!("{place}{}", self.words(effect)) }
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
                format!("Signs the text: {:?}", String::from_utf8_lossy(message))
            }
            EffectKind::Opaque { to, reason, .. } => self.opaque(effect, *to, *reason),
            EffectKind::BlindDigest { digest } => {
                format!("Approves the hash {digest} without seeing what it stands for")
            }
        }
    }

    fn movement(&self, kind: &EffectKind) -> String {
        match kind {
            EffectKind::Transfer { asset, from, to, amount } => {
                format!("{} go from {} to {}", self.amount(*asset, *amount), self.giver(*from), self.who(*to))
            }
            EffectKind::NftTransfer { token, from, to, id } => {
                let (token, from, to) = (self.token(*token), self.giver(*from), self.who(*to));
                format!("{token} no. {id} goes from {from} to {to}")
            }
            EffectKind::MultiTokenTransfer { token, from, to, id, amount } => {
                let (token, from, to) = (self.token(*token), self.giver(*from), self.who(*to));
                format!("{amount} pieces of {token} no. {id} go from {from} to {to}")
            }
            _ => "Nothing moves".to_owned(),
        }
    }

    fn allowance(&self, it: &Allowance) -> String {
        let (spender, owner) = (self.who(it.spender), self.giver(it.owner));
        let amount = match it.unlimited() {
            true => format!("ALL {}", self.token(it.token)),
            false => self.amount(Asset::Token(it.token), it.amount),
        };
        let more = if it.increase { " more than before" } else { "" };
        let how = if it.by_signature { ", as soon as anybody submits this signature" } else { "" };
        let until = it.deadline.map(speaker::until).unwrap_or_default();
        format!("{spender} may take {amount}{more} from {owner}{how}{until}")
    }

    fn right(&self, kind: &EffectKind) -> String {
        match kind {
            EffectKind::AllowanceReduction { token, owner, spender, amount } => {
                let less = match *amount == Amount::MAX {
                    true => format!("no {}", self.token(*token)),
                    false => format!("{} less than before", self.amount(Asset::Token(*token), *amount)),
                };
                format!("{} may take {less} from {}", self.who(*spender), self.giver(*owner))
            }
            EffectKind::NftApproval { token, owner, spender, id } => {
                let (spender, token, owner) = (self.who(*spender), self.token(*token), self.giver(*owner));
                format!("{spender} may take {token} no. {id} from {owner}")
            }
            EffectKind::OperatorApproval { token, owner, operator, approved } => {
                let may = if *approved { "may take EVERY" } else { "may no longer take any" };
                format!("{} {may} {} of {}", self.who(*operator), self.token(*token), self.giver(*owner))
            }
            EffectKind::Cancel { account } => {
                format!("Signatures that {} gave earlier become void", self.giver(*account))
            }
            _ => String::new(),
        }
    }

    fn control(&self, kind: &EffectKind) -> String {
        match kind {
            EffectKind::Authority { change, target, subject } => {
                let whom = subject.map(|subject| format!(": {}", self.who(subject))).unwrap_or_default();
                format!("{} of {} changes{whom}", thing(*change), self.who(*target))
            }
            EffectKind::Delegation { authority, delegate, chain, nonce } => {
                let whose = authority.map_or_else(|| "an unnamed account".to_owned(), |it| self.giver(it));
                let code = match delegate.is_zero() {
                    true => "no code any more".to_owned(),
                    false => format!("the code of {}", self.who(*delegate)),
                };
                format!("{whose} gets {code} on {chain} (EIP-7702, nonce {nonce})")
            }
            EffectKind::Creation { init_code_hash } => {
                format!("A contract is created from code with the hash {init_code_hash}")
            }
            EffectKind::DelegateCall { caller, target } => {
                format!("The code of {} runs AS {} (delegatecall)", self.who(*target), self.who(*caller))
            }
            _ => String::new(),
        }
    }

    fn opaque(&self, effect: &Effect, to: Option<Address>, reason: OpaqueReason) -> String {
        let whom = to.map(|to| format!(" for {}", self.who(to))).unwrap_or_default();
        let function = effect.selector.map(function_name).unwrap_or_default();
        format!("Bytes{whom}{function} are not understood: {}", why(reason))
    }
}

fn function_name(selector: [u8; 4]) -> String {
    let looks = signature(selector).map(|it| format!(", which elsewhere is {it}")).unwrap_or_default();
    format!(" (function 0x{}{looks})", const_hex::encode(selector))
}

fn thing(change: AuthorityKind) -> &'static str {
    match change {
        AuthorityKind::Owner => "An owner",
        AuthorityKind::Role => "A role",
        AuthorityKind::Module => "A module",
        AuthorityKind::Guard => "A guard or handler",
        AuthorityKind::Upgrade => "The code",
        AuthorityKind::Switch => "A switch",
        AuthorityKind::Keystead => "The authority",
    }
}

fn why(reason: OpaqueReason) -> &'static str {
    match reason {
        OpaqueReason::UnknownSelector => "no known function is called",
        OpaqueReason::MalformedArguments => "the arguments are not encoded as the function wants them",
        OpaqueReason::AmbiguousContract => "the registry does not say what this contract is",
        OpaqueReason::TooDeep => "too many calls, or too deep in each other",
        OpaqueReason::UnknownTypedData => "no known contract takes this kind of data",
        OpaqueReason::UnstatedAmount => "an amount is paid that the bytes do not state",
        OpaqueReason::NotText => "the message is not plain text",
        OpaqueReason::DataOutput => "the network gives these bytes no meaning, and others may",
        OpaqueReason::UnknownScript => "the script has no standard form",
    }
}

#[cfg(test)]
mod tests;
