//! Effects in plain words for people, the worst danger first. Every number is formatted here and nowhere else.

use std::cmp::Reverse;
use std::fmt;

use keystead_base::Amount;
use keystead_intent::{AuthorityKind, DangerClass, OpaqueReason};
use keystead_speech::{Language, Phrase, texts_look_alike};

use crate::effects::{Effect, EffectKind, Effects, Lifetime, NewTokenAccount, TokenAllowance, TokenMove};
use crate::fee::BudgetTerm;
use crate::{Fee, Pubkey};

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

/// What somebody knows who puts effects into words.
pub struct Speaker<'a> {
    /// The signed address book: the name of an address.
    pub names: &'a dyn Fn(Pubkey) -> Option<String>,
    /// Whatever a message speaks of: those with names are what others may look like.
    pub beside: &'a [Pubkey],
    /// The reader's language.
    pub language: Language,
}

/// Puts effects into words: first the danger class of the whole, then every effect, worst first, then what it costs, who
/// else signs, and how long it may be used.
///
/// `names` is the signed address book. An address without a name there is shown in full and said to be unknown.
#[must_use]
pub fn describe(effects: &Effects, names: &dyn Fn(Pubkey) -> Option<String>) -> Vec<Line> {
    describe_as(effects, &Speaker { names, beside: &[], language: Language::English })
}

/// The same, as somebody says it who knows another language.
#[must_use]
pub fn describe_as(effects: &Effects, speaker: &Speaker<'_>) -> Vec<Line> {
    let class = effects.class();
    let words = Words { effects, speaker };
    let mut items: Vec<(DangerClass, &Effect)> =
        effects.items.iter().map(|it| (effects.class_of(it), it)).collect();
    items.sort_by_key(|(class, _)| Reverse(*class));
    let said = items.into_iter().map(|(class, it)| Line { class: Some(class), text: words.effect(it) });
    let plain = |text| Line { class: None, text };
    let headline = Line { class: Some(class), text: words.say(headline(class)) };
    std::iter::once(headline).chain(said).chain(words.terms().into_iter().map(plain)).collect()
}

fn headline(class: DangerClass) -> Phrase<'static> {
    match class {
        DangerClass::Statement => Phrase::Statement {},
        DangerClass::Transfer => Phrase::Transfer {},
        DangerClass::Allowance => Phrase::Allowance {},
        DangerClass::UnlimitedAllowance => Phrase::UnlimitedAllowance {},
        DangerClass::Authority => Phrase::Authority {},
        _ => Phrase::PartlyOpaque {},
    }
}

struct Words<'a> {
    effects: &'a Effects,
    speaker: &'a Speaker<'a>,
}

impl Words<'_> {
    fn say(&self, phrase: Phrase<'_>) -> String {
        self.speaker.language.say(&phrase)
    }

    fn effect(&self, effect: &Effect) -> String {
        match &effect.kind {
            EffectKind::Coins { from, to, wallet, lamports } => {
                let (from, to) = (&self.key(*from), &self.target(*to, *wallet));
                self.say(Phrase::SolanaSends { amount: &coins(*lamports), from, to })
            }
            EffectKind::Tokens(it) => self.tokens(it),
            EffectKind::NewAccount { funder, account, lamports, space, owner } => {
                let (account, program, funder) = (&self.key(*account), &self.key(*owner), &self.key(*funder));
                let (space, amount) = (&space.to_string(), &coins(*lamports));
                self.say(Phrase::SolanaNewAccount { account, space, amount, funder, program })
            }
            EffectKind::NewTokenAccount(it) => self.new_token_account(it),
            EffectKind::Allowance(it) => self.allowance(it),
            EffectKind::Revocation { account, .. } => {
                self.say(Phrase::SolanaRevokes { account: &account.to_string() })
            }
            EffectKind::Authority { change, target, subject, .. } => {
                self.authority(*change, *target, *subject)
            }
            EffectKind::Close { account, destination, .. } => {
                self.say(Phrase::SolanaCloses { account: &account.to_string(), to: &self.key(*destination) })
            }
            EffectKind::NonceAdvance { account, .. } => {
                self.say(Phrase::SolanaUsesNonce { account: &account.to_string() })
            }
            EffectKind::Recount { account } => {
                self.say(Phrase::SolanaRecounts { account: &account.to_string() })
            }
            EffectKind::Budget(term) => self.budget(*term),
            EffectKind::Memo { text } => self.say(Phrase::SolanaSays { text: &format!("{text:?}") }),
            EffectKind::Opaque { reason } => {
                let (program, why) = (&self.key(effect.program), &self.why(*reason));
                self.say(Phrase::SolanaNotUnderstood { program, why })
            }
        }
    }

    fn why(&self, reason: OpaqueReason) -> String {
        match reason {
            OpaqueReason::UnknownSelector => self.say(Phrase::WhyUnknownSelector {}),
            OpaqueReason::MalformedArguments => self.say(Phrase::WhyMalformedArguments {}),
            OpaqueReason::UnstatedAmount => self.say(Phrase::WhyUnstatedAmount {}),
            other => other.as_str().to_owned(),
        }
    }

    fn tokens(&self, it: &TokenMove) -> String {
        let amount = &self.amount(it.amount, it.decimals, it.mint);
        let (by, to) = (&self.key(it.authority), &self.target(it.destination, it.wallet));
        self.say(Phrase::SolanaSendsTokens { amount, source: &it.source.to_string(), by, to })
    }

    fn new_token_account(&self, it: &NewTokenAccount) -> String {
        let cost = &match it.lamports {
            Some(lamports) => self.say(Phrase::SolanaAtMost { amount: &coins(lamports) }),
            None => self.say(Phrase::SolanaUnstatedCost {}),
        };
        let (wallet, funder) = (&self.key(it.wallet), &self.key(it.funder));
        let (account, mint) = (&it.account.to_string(), &it.mint.to_string());
        self.say(Phrase::SolanaNewTokenAccount { account, wallet, mint, cost, funder })
    }

    fn allowance(&self, it: &TokenAllowance) -> String {
        let amount = &match (it.unlimited(), it.mint) {
            (true, _) => self.say(Phrase::SolanaEverything {}),
            (false, Some(mint)) => self.amount(it.amount, it.decimals, mint),
            (false, None) => self.say(Phrase::SolanaUnitsOfUnnamed { amount: &it.amount.to_string() }),
        };
        let (delegate, source) = (&self.key(it.delegate), &it.source.to_string());
        self.say(Phrase::SolanaMayTake { delegate, amount, source })
    }

    fn authority(&self, change: AuthorityKind, target: Pubkey, subject: Option<Pubkey>) -> String {
        let (change, target) = (change.as_str(), &self.key(target));
        match subject {
            Some(subject) => self.say(Phrase::SolanaGives { change, target, subject: &self.key(subject) }),
            None => self.say(Phrase::SolanaGivesUp { change, target }),
        }
    }

    /// Whoever receives, and where nothing proves who that is, the account alone.
    fn target(&self, account: Pubkey, wallet: Option<Pubkey>) -> String {
        match wallet {
            Some(wallet) => {
                let (whom, account) = (&self.key(wallet), &account.to_string());
                self.say(Phrase::SolanaProven { whom, account })
            }
            None => self.key(account),
        }
    }

    fn key(&self, key: Pubkey) -> String {
        let address = &key.to_string();
        let said = match (self.speaker.names)(key) {
            _ if key == self.effects.account => return self.say(Phrase::SolanaOurselves { address }),
            Some(name) => self.say(Phrase::NamedAddress { name: &name, address }),
            None => self.say(Phrase::AddressNotInBook { address }),
        };
        said + &self.warning(key)
    }

    /// INVARIANT S12: an address that begins and ends like ours, or like a named one that the message speaks of, is another,
    /// and is said to be, whatever it is called.
    fn warning(&self, key: Pubkey) -> String {
        let address = key.to_string();
        let mut known = self.speaker.beside.iter().chain([&self.effects.account]);
        let alike = known.find(|it| {
            let named = **it == self.effects.account || (self.speaker.names)(**it).is_some();
            named && texts_look_alike(&it.to_string(), &address)
        });
        alike.map_or_else(String::new, |it| {
            let own = || self.say(Phrase::SolanaOurselves { address: &it.to_string() });
            let name = (self.speaker.names)(*it).unwrap_or_else(own).escape_default().to_string();
            self.say(Phrase::LooksLike { name: &name, address: &it.to_string() })
        })
    }

    fn amount(&self, amount: u64, decimals: Option<u8>, mint: Pubkey) -> String {
        let mint = &mint.to_string();
        match decimals {
            Some(decimals) => {
                let amount = &Amount::from(amount).with_decimals(decimals).to_string();
                self.say(Phrase::SolanaTokens { amount, mint })
            }
            None => self.say(Phrase::SolanaUnits { amount: &amount.to_string(), mint }),
        }
    }

    fn budget(&self, term: BudgetTerm) -> String {
        match term {
            BudgetTerm::HeapBytes(it) => self.say(Phrase::SolanaHeapBytes { bytes: &it.to_string() }),
            BudgetTerm::UnitLimit(it) => self.say(Phrase::SolanaUnitLimit { units: &it.to_string() }),
            BudgetTerm::UnitPrice(it) => self.say(Phrase::SolanaUnitPrice { price: &it.to_string() }),
            BudgetTerm::LoadedBytes(it) => self.say(Phrase::SolanaLoadedBytes { bytes: &it.to_string() }),
        }
    }

    fn terms(&self) -> Vec<String> {
        let Effects { cluster, payer, others, fee, lifetime, account, .. } = self.effects;
        let (total, parts) = (&coins(fee.total()), &self.parts(fee));
        let mut lines = vec![match payer == account {
            true => self.say(Phrase::SolanaFeeOurs { fee: total, parts }),
            false => self.say(Phrase::SolanaFeeOthers { fee: total, parts }),
        }];
        lines.extend(others.iter().map(|it| self.say(Phrase::SolanaAlsoSigns { whom: &self.key(*it) })));
        lines.push(match lifetime {
            Lifetime::Recent { .. } => self.say(Phrase::SolanaGoodForAMinute {}),
            Lifetime::Durable { account, .. } => {
                self.say(Phrase::SolanaGoodAnyTime { account: &account.to_string() })
            }
        });
        lines.push(self.say(Phrase::SolanaMeantFor { cluster: cluster.as_str() }));
        lines
    }

    fn parts(&self, fee: &Fee) -> String {
        let Fee { signatures, unit_price, unit_limit, base, priority } = fee;
        let units = &match unit_limit {
            Some(units) => self.say(Phrase::SolanaUnitCount { units: &units.to_string() }),
            None => self.say(Phrase::SolanaUnitsAsGiven {}),
        };
        let (base, signatures) = (&base.to_string(), &signatures.to_string());
        let (priority, price) = (&priority.to_string(), &unit_price.to_string());
        self.say(Phrase::SolanaFeeParts { base, signatures, priority, units, price })
    }
}

/// All nine digits, so that amounts stand below each other and none hides a factor of ten.
fn coins(lamports: u64) -> String {
    format!("{} SOL", Amount::from(lamports).with_all_decimals(SOL_DECIMALS))
}

const SOL_DECIMALS: u8 = 9;
