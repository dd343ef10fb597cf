//! Effects in plain words for people, the worst danger first.

use std::fmt;

use alloy_primitives::Address;
use keystead_base::Amount;
use keystead_intent::{
    Allowance, Asset, AssetIndex, AuthorityKind, ChainId, DangerClass, Effect, EffectKind, Effects,
    OpaqueReason,
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
/// `names` is the signed address book. An address without a name there is shown in full and said
/// to be unknown.
#[must_use]
pub fn describe(
    effects: &Effects,
    registry: &AssetIndex,
    names: &dyn Fn(Address) -> Option<String>,
) -> Vec<Line> {
    let speaker = Speaker { chain: effects.chain, registry, names };
    let class = effects.class();
    let mut lines = vec![Line { class: Some(class), text: headline(class).to_owned() }];
    let mut items: Vec<&Effect> = effects.items.iter().collect();
    items.sort_by_key(|effect| std::cmp::Reverse(effect.class()));
    lines.extend(items.into_iter().map(|effect| speaker.line(effect)));
    let plain = |text: String| Line { class: None, text };
    if let Some(slot) = effects.slot {
        let fee = speaker.amount(Asset::Native, effects.fee.max);
        lines.push(plain(format!("Network fee: at most {fee}, on {}", effects.chain)));
        lines.push(plain(format!("Nonce {} of {}", slot.nonce, speaker.who(slot.account))));
    }
    lines.push(plain(format!("Digest to be signed: 0x{}", effects.signing_digest)));
    lines
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
    }
}

struct Speaker<'a> {
    chain: ChainId,
    registry: &'a AssetIndex,
    names: &'a dyn Fn(Address) -> Option<String>,
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
                format!("{} go from {} to {}", self.amount(*asset, *amount), self.who(*from), self.who(*to))
            }
            EffectKind::NftTransfer { token, from, to, id } => {
                format!("{} no. {id} goes from {} to {}", self.token(*token), self.who(*from), self.who(*to))
            }
            EffectKind::MultiTokenTransfer { token, from, to, id, amount } => {
                let (token, from, to) = (self.token(*token), self.who(*from), self.who(*to));
                format!("{amount} pieces of {token} no. {id} go from {from} to {to}")
            }
            _ => "Nothing moves".to_owned(),
        }
    }

    fn allowance(&self, it: &Allowance) -> String {
        let (spender, owner) = (self.who(it.spender), self.who(it.owner));
        let amount = match it.unlimited() {
            true => format!("ALL {}", self.token(it.token)),
            false => self.amount(Asset::Token(it.token), it.amount),
        };
        let more = if it.increase { " more than before" } else { "" };
        let how = if it.by_signature { ", as soon as anybody submits this signature" } else { "" };
        let until = it.deadline.map(|until| format!(", until Unix second {until}")).unwrap_or_default();
        format!("{spender} may take {amount}{more} from {owner}{how}{until}")
    }

    fn right(&self, kind: &EffectKind) -> String {
        match kind {
            EffectKind::AllowanceReduction { token, owner, spender, amount } => {
                let less = match *amount == Amount::MAX {
                    true => format!("no {}", self.token(*token)),
                    false => format!("{} less than before", self.amount(Asset::Token(*token), *amount)),
                };
                format!("{} may take {less} from {}", self.who(*spender), self.who(*owner))
            }
            EffectKind::NftApproval { token, owner, spender, id } => {
                let (spender, token, owner) = (self.who(*spender), self.token(*token), self.who(*owner));
                format!("{spender} may take {token} no. {id} from {owner}")
            }
            EffectKind::OperatorApproval { token, owner, operator, approved } => {
                let may = if *approved { "may take EVERY" } else { "may no longer take any" };
                format!("{} {may} {} of {}", self.who(*operator), self.token(*token), self.who(*owner))
            }
            EffectKind::Cancel { account } => {
                format!("Signatures that {} gave earlier become void", self.who(*account))
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
                let whose = authority.map_or_else(|| "an unnamed account".to_owned(), |it| self.who(it));
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

    fn amount(&self, asset: Asset, amount: Amount) -> String {
        match (self.registry.asset(self.chain, asset), asset) {
            (Some(entry), _) => format!("{} {}", amount.with_decimals(entry.decimals), entry.symbol),
            (None, Asset::Native) => format!("{amount} wei"),
            (None, Asset::Token(token)) => format!("{amount} base units of {}", self.token(token)),
        }
    }

    fn token(&self, token: Address) -> String {
        match self.registry.asset(self.chain, Asset::Token(token)) {
            Some(entry) => entry.symbol.clone(),
            None => format!("the token {token} {NOT_IN_REGISTRY}"),
        }
    }

    fn who(&self, address: Address) -> String {
        let registered = || self.registry.contract(self.chain, address).map(|entry| entry.name.to_string());
        let token =
            || self.registry.asset(self.chain, Asset::Token(address)).map(|entry| entry.symbol.clone());
        match (self.names)(address).or_else(registered).or_else(token) {
            Some(name) => format!("{} ({address})", name.escape_default()),
            None if address.is_zero() => "NOBODY (the zero address)".to_owned(),
            None => format!("{address} {NOT_IN_ADDRESS_BOOK}"),
        }
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
    }
}

const NOT_IN_ADDRESS_BOOK: &str = "NOT IN ADDRESS BOOK";
const NOT_IN_REGISTRY: &str = "NOT IN REGISTRY";

#[cfg(test)]
mod tests {
    use alloy_primitives::{B256, Bytes};
    use keystead_base::Digest;
    use keystead_intent::{Fee, Slot};

    use super::*;
    use crate::fixture::{
        ALICE, CHAIN, GOVERNED, ITEM, MALLORY, MULTISEND, PUNK, SAFE, UNKNOWN, US, USDC, registry,
    };

    fn names(address: Address) -> Option<String> {
        let book = [(US, "treasury"), (ALICE, "alice")];
        book.iter().find(|(known, _)| *known == address).map(|(_, name)| (*name).to_owned())
    }

    fn effects(kinds: Vec<EffectKind>) -> Effects {
        let item = |kind| Effect { path: vec![], contract: None, selector: None, kind };
        Effects {
            signing_digest: Digest([0xdd; 32]),
            chain: CHAIN,
            slot: None,
            fee: Fee::default(),
            items: kinds.into_iter().map(item).collect(),
        }
    }

    /// The line of one effect, with addresses shortened to their first byte.
    fn line(kind: EffectKind) -> String {
        shorten(&describe(&effects(vec![kind]), &registry(), &names)[1].text)
    }

    fn shorten(text: &str) -> String {
        let mut text = text.to_owned();
        for address in [US, ALICE, MALLORY, UNKNOWN, USDC, PUNK, ITEM, SAFE, MULTISEND, GOVERNED] {
            let short = format!("0x{:02x}", address[0]);
            text = text.replace(&address.to_string(), &short);
        }
        text
    }

    fn allowance(amount: Amount, increase: bool, by_signature: bool) -> EffectKind {
        let deadline = by_signature.then(|| Amount::from(9_u64));
        let (token, owner, spender) = (USDC, US, MALLORY);
        EffectKind::Allowance(Allowance { token, owner, spender, amount, increase, deadline, by_signature })
    }

    #[test]
    fn every_effect_has_plain_words() {
        let (token, owner, amount) = (USDC, US, Amount::from(1_500_000_u64));
        let id = Amount::from(8_u64);
        let opaque = |reason| EffectKind::Opaque {
            to: Some(UNKNOWN),
            value: Amount::ZERO,
            data_hash: B256::ZERO,
            reason,
        };
        for (kind, expected) in [
            (
                EffectKind::Transfer { asset: Asset::Token(USDC), from: US, to: ALICE, amount },
                "1.5 USDC go from treasury (0x11) to alice (0xa1)",
            ),
            (
                EffectKind::Transfer {
                    asset: Asset::Native,
                    from: US,
                    to: MALLORY,
                    amount: Amount::from(1_u64),
                },
                "0.000000000000000001 ETH go from treasury (0x11) to 0x66 NOT IN ADDRESS BOOK",
            ),
            (
                EffectKind::Transfer { asset: Asset::Token(UNKNOWN), from: US, to: Address::ZERO, amount },
                "1500000 base units of the token 0x77 NOT IN REGISTRY go from treasury (0x11) to NOBODY (the zero address)",
            ),
            (
                EffectKind::NftTransfer { token: PUNK, from: US, to: ALICE, id },
                "PUNK no. 8 goes from treasury (0x11) to alice (0xa1)",
            ),
            (
                EffectKind::MultiTokenTransfer { token: ITEM, from: US, to: ALICE, id, amount: id },
                "8 pieces of ITEM no. 8 go from treasury (0x11) to alice (0xa1)",
            ),
            (
                allowance(amount, false, false),
                "0x66 NOT IN ADDRESS BOOK may take 1.5 USDC from treasury (0x11)",
            ),
            (
                allowance(amount, true, false),
                "0x66 NOT IN ADDRESS BOOK may take 1.5 USDC more than before from treasury (0x11)",
            ),
            (
                allowance(Amount::MAX, false, true),
                "0x66 NOT IN ADDRESS BOOK may take ALL USDC from treasury (0x11), \
                 as soon as anybody submits this signature, until Unix second 9",
            ),
            (
                EffectKind::AllowanceReduction { token, owner, spender: ALICE, amount },
                "alice (0xa1) may take 1.5 USDC less than before from treasury (0x11)",
            ),
            (
                EffectKind::AllowanceReduction { token, owner, spender: ALICE, amount: Amount::MAX },
                "alice (0xa1) may take no USDC from treasury (0x11)",
            ),
            (
                EffectKind::NftApproval { token: PUNK, owner, spender: ALICE, id },
                "alice (0xa1) may take PUNK no. 8 from treasury (0x11)",
            ),
            (
                EffectKind::OperatorApproval { token: PUNK, owner, operator: MALLORY, approved: true },
                "0x66 NOT IN ADDRESS BOOK may take EVERY PUNK of treasury (0x11)",
            ),
            (
                EffectKind::OperatorApproval { token: PUNK, owner, operator: ALICE, approved: false },
                "alice (0xa1) may no longer take any PUNK of treasury (0x11)",
            ),
            (
                EffectKind::Authority { change: AuthorityKind::Owner, target: SAFE, subject: Some(MALLORY) },
                "An owner of safe (0x5a) changes: 0x66 NOT IN ADDRESS BOOK",
            ),
            (
                EffectKind::Authority { change: AuthorityKind::Upgrade, target: GOVERNED, subject: None },
                "The code of vault (0x5d) changes",
            ),
            (
                EffectKind::Delegation { authority: Some(US), delegate: MALLORY, chain: CHAIN, nonce: 4 },
                "treasury (0x11) gets the code of 0x66 NOT IN ADDRESS BOOK on eip155:1 (EIP-7702, nonce 4)",
            ),
            (
                EffectKind::Delegation { authority: None, delegate: Address::ZERO, chain: CHAIN, nonce: 4 },
                "an unnamed account gets no code any more on eip155:1 (EIP-7702, nonce 4)",
            ),
            (
                EffectKind::DelegateCall { caller: SAFE, target: MALLORY },
                "The code of 0x66 NOT IN ADDRESS BOOK runs AS safe (0x5a) (delegatecall)",
            ),
            (EffectKind::Cancel { account: US }, "Signatures that treasury (0x11) gave earlier become void"),
            (EffectKind::NoValue, "Nothing moves"),
            (
                EffectKind::Statement { message: Bytes::from_static(b"line one\nline two") },
                "Signs the text: \"line one\\nline two\"",
            ),
            (
                opaque(OpaqueReason::AmbiguousContract),
                "Bytes for 0x77 NOT IN ADDRESS BOOK are not understood: the registry does not say what this contract is",
            ),
        ] {
            assert_eq!(line(kind), expected);
        }
    }

    #[test]
    fn the_worst_comes_first_and_numbers_come_last() {
        let transfer = EffectKind::Transfer {
            asset: Asset::Native,
            from: US,
            to: ALICE,
            amount: Amount::from(1_000_000_000_000_000_000_u64),
        };
        let mut effects =
            effects(vec![transfer, EffectKind::DelegateCall { caller: SAFE, target: MULTISEND }]);
        effects.items[1].path = vec![0, 4];
        effects.slot = Some(Slot { chain: CHAIN, account: US, nonce: 7 });
        effects.fee.max = Amount::from(3_000_000_000_000_000_u64);
        let lines: Vec<String> =
            describe(&effects, &registry(), &names).iter().map(|line| shorten(&line.to_string())).collect();
        assert_eq!(
            lines,
            [
                "FOREIGN CODE TAKES OVER: it may do anything with the account that runs it",
                "[call 1.5] The code of multisend (0x5b) runs AS safe (0x5a) (delegatecall)",
                "1 ETH go from treasury (0x11) to alice (0xa1)",
                "Network fee: at most 0.003 ETH, on eip155:1",
                "Nonce 7 of treasury (0x11)",
                &format!("Digest to be signed: 0x{}", "dd".repeat(32)),
            ]
        );
    }

    #[test]
    fn an_opaque_call_says_what_its_selector_looks_like() {
        let transfer = crate::call::erc20::encode_transfer(ALICE, Amount::from(1_u64));
        let effects = crate::fixture::effects_of(UNKNOWN, 0, &transfer);
        let lines = describe(&effects, &registry(), &names);
        assert_eq!(lines[0].text, "NOT UNDERSTOOD: nobody can say what these bytes do");
        assert_eq!(
            shorten(&lines[1].text),
            "Bytes for 0x77 NOT IN ADDRESS BOOK (function 0xa9059cbb, which elsewhere is transfer(address,uint256)) \
             are not understood: the registry does not say what this contract is"
        );
    }
}
