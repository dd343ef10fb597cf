//! Effects in plain words for people, the worst danger first. Every number is formatted here and nowhere else.

mod arguments;

use std::cmp::Reverse;
use std::fmt;

use keystead_base::Amount;
use keystead_intent::{AssetIndex, DangerClass};
use keystead_speech::{Language, Phrase, texts_look_alike};

use crate::{AccountId, Action, Effect, EffectKind, Permission, PublicKey, Unsigned, fee};

/// One line of what people read before they say yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The danger class of what the line says; none for terms and numbers.
    pub class: Option<DangerClass>,
    /// The words.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// What somebody knows who puts effects into words.
pub struct Speaker<'a> {
    /// The signed registry: which contracts are tokens.
    pub registry: &'a AssetIndex,
    /// The signed address book: the name of an account.
    pub names: &'a dyn Fn(&AccountId) -> Option<String>,
    /// The reader's language.
    pub language: Language,
}

/// Puts a transaction into words: first the danger class of the whole, then every effect, worst first, then who signs, what is counted
/// for gas, and how long it may be used.
#[must_use]
pub fn describe_as(unsigned: &Unsigned, speaker: &Speaker<'_>) -> Vec<Line> {
    let words = Words { unsigned, speaker };
    let mut items = unsigned.explain(speaker.registry);
    items.sort_by_key(|it| Reverse(it.kind.class()));
    let class = unsigned.effects(speaker.registry).class();
    let headline = Line { class: Some(class), text: words.say(headline(class)) };
    let said = items.iter().flat_map(|it| words.lines(it));
    let terms = words.terms().into_iter().map(|text| Line { class: None, text });
    std::iter::once(headline).chain(said).chain(terms).collect()
}

fn headline(class: DangerClass) -> Phrase<'static> {
    match class {
        DangerClass::Transfer => Phrase::Transfer {},
        DangerClass::Authority => Phrase::Authority {},
        _ => Phrase::PartlyOpaque {},
    }
}

struct Words<'a> {
    unsigned: &'a Unsigned,
    speaker: &'a Speaker<'a>,
}

impl Words<'_> {
    fn say(&self, phrase: Phrase<'_>) -> String {
        self.speaker.language.say(&phrase)
    }

    /// What happens; of a call that nobody understands its arguments, too.
    fn lines(&self, it: &Effect) -> Vec<Line> {
        let class = Some(it.kind.class());
        let mut lines = vec![Line { class, text: self.effect(&it.kind) }];
        if let EffectKind::Opaque { .. } = it.kind
            && let Some(Action::FunctionCall { args, .. }) =
                self.unsigned.transaction().actions().get(it.action)
        {
            lines.push(Line { class, text: arguments::say(self.speaker.language, args) });
        }
        lines
    }

    fn effect(&self, kind: &EffectKind) -> String {
        match kind {
            EffectKind::Transfer { to, amount } => {
                let (amount, from, to) = (&coins(*amount), &self.signer(), &self.account(to));
                self.say(Phrase::NearSends { amount, from, to })
            }
            EffectKind::TokenTransfer { token, to, amount } => {
                let (amount, token, to) = (&amount.to_string(), &self.account(token), &self.account(to));
                self.say(Phrase::NearSendsTokens { amount, token, to })
            }
            EffectKind::AccountCreated { account } => {
                self.say(Phrase::NearCreates { account: &self.account(account) })
            }
            EffectKind::KeyAdded { account, key, permission } => self.key_added(account, key, permission),
            EffectKind::KeyDeleted { account, key } => {
                let (account, key) = (&self.account(account), &key.listed());
                self.say(Phrase::NearDeletesKey { account, key })
            }
            EffectKind::CodeReplaced { account, code } => {
                let (account, hash) = (&self.account(account), &code.to_string());
                self.say(Phrase::NearReplacesCode { account, hash })
            }
            EffectKind::Staked { amount } => self.say(Phrase::NearStakes { amount: &coins(*amount) }),
            EffectKind::AccountDeleted { account, beneficiary } => {
                let (account, to) = (&self.account(account), &self.account(beneficiary));
                self.say(Phrase::NearDeletesAccount { account, to })
            }
            EffectKind::Opaque { contract, method, deposit, .. } => {
                let (contract, method) = (&self.account(contract), &format!("{method:?}"));
                self.say(Phrase::NearCalls { contract, method, amount: &coins(*deposit) })
            }
        }
    }

    fn key_added(&self, account: &AccountId, key: &PublicKey, permission: &Permission) -> String {
        let (account, key) = (&self.account(account), &key.listed());
        let Permission::FunctionCall { allowance, receiver, methods } = permission else {
            return self.say(Phrase::NearAddsFullKey { account, key });
        };
        // The chain takes any text for the contract and its methods.
        let contract = &format!("{receiver:?}");
        let methods = &match methods.is_empty() {
            true => self.say(Phrase::NearEveryMethod {}),
            false => methods.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>().join(", "),
        };
        let allowance = &allowance.map_or_else(|| self.say(Phrase::NearWithoutEnd {}), coins);
        self.say(Phrase::NearAddsKey { account, key, contract, methods, allowance })
    }

    fn signer(&self) -> String {
        self.say(Phrase::NearOurselves { account: self.unsigned.transaction().signer().as_str() })
    }

    fn account(&self, account: &AccountId) -> String {
        let signer = self.unsigned.transaction().signer();
        let address = account.as_str();
        let said = match (self.speaker.names)(account) {
            _ if account == signer => return self.signer(),
            Some(name) => self.say(Phrase::NamedAddress { name: &name, address }),
            None => self.say(Phrase::AddressNotInBook { address }),
        };
        match texts_look_alike(signer.as_str(), address) {
            true => said + &self.say(Phrase::LooksLike { name: &self.signer(), address: signer.as_str() }),
            false => said,
        }
    }

    fn terms(&self) -> Vec<String> {
        let transaction = self.unsigned.transaction();
        let effects = self.unsigned.explain(self.speaker.registry);
        let (gas, fee) = (&fee::gas(transaction).to_string(), &coins(fee::ceiling(transaction, &effects)));
        let key = &PublicKey::listed(transaction.key());
        vec![
            self.say(Phrase::NearGas { gas, fee }),
            self.say(Phrase::NearSignedWith { account: transaction.signer().as_str(), key }),
            self.say(Phrase::NearGoodForADay {}),
            self.say(Phrase::NearMeantFor { network: self.unsigned.network().as_str() }),
        ]
    }
}

/// All twenty-four digits, so that amounts stand below each other and none hides a factor of ten.
fn coins(yocto: u128) -> String {
    format!("{} NEAR", Amount::from(yocto).with_all_decimals(NEAR_DECIMALS))
}

const NEAR_DECIMALS: u8 = 24;
