//! Effects in plain words for people, the worst danger first. Every number is formatted here and nowhere else.

use std::cmp::Reverse;
use std::fmt;

use keystead_base::Amount;
use keystead_intent::{AuthorityKind, DangerClass};

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

/// Puts effects into words: first the danger class of the whole, then every effect, worst first, then what it costs, who
/// else signs, and how long it may be used.
///
/// `names` is the signed address book. An address without a name there is shown in full and said to be unknown.
#[must_use]
pub fn describe(effects: &Effects, names: &dyn Fn(Pubkey) -> Option<String>) -> Vec<Line> {
    let class = effects.class();
    let words = Words { effects, names };
    let mut items: Vec<(DangerClass, &Effect)> =
        effects.items.iter().map(|it| (effects.class_of(it), it)).collect();
    items.sort_by_key(|(class, _)| Reverse(*class));
    let said = items.into_iter().map(|(class, it)| Line { class: Some(class), text: words.effect(it) });
    let plain = |text| Line { class: None, text };
    let headline = Line { class: Some(class), text: headline(class).to_owned() };
    std::iter::once(headline).chain(said).chain(words.terms().into_iter().map(plain)).collect()
}

fn headline(class: DangerClass) -> &'static str {
    match class {
        DangerClass::Statement => "STATEMENT: words, and nothing moves",
        DangerClass::Transfer => "TRANSFER: value leaves once, by the amounts below",
        DangerClass::Allowance => "ALLOWANCE: somebody may take the amount below later",
        DangerClass::UnlimitedAllowance => "UNLIMITED ALLOWANCE: somebody may take everything later",
        DangerClass::Authority => "AUTHORITY: who controls something changes",
        _ => "NOT UNDERSTOOD: nobody can say what a part of this transaction does",
    }
}

struct Words<'a> {
    effects: &'a Effects,
    names: &'a dyn Fn(Pubkey) -> Option<String>,
}

impl Words<'_> {
    fn effect(&self, effect: &Effect) -> String {
        match &effect.kind {
            EffectKind::Coins { from, to, wallet, lamports } => {
                format!("Sends {} from {} {}", coins(*lamports), self.key(*from), self.target(*to, *wallet))
            }
            EffectKind::Tokens(it) => self.tokens(it),
            EffectKind::NewAccount { funder, account, lamports, space, owner } => {
                let (account, owner) = (self.key(*account), self.key(*owner));
                let paid = format!("{} of {}", coins(*lamports), self.key(*funder));
                format!(
                    "Makes the account {account} of {space} bytes with {paid}; the program {owner} controls it"
                )
            }
            EffectKind::NewTokenAccount(it) => self.new_token_account(it),
            EffectKind::Allowance(it) => self.allowance(it),
            EffectKind::Revocation { account, .. } => {
                format!("Takes back what somebody may take from the token account {account}")
            }
            EffectKind::Authority { change, target, subject, .. } => {
                self.authority(*change, *target, *subject)
            }
            EffectKind::Close { account, destination, .. } => {
                format!("Closes the token account {account}: all its coins go to {}", self.key(*destination))
            }
            EffectKind::NonceAdvance { account, .. } => {
                format!("Uses up the value of the nonce account {account}")
            }
            EffectKind::Recount { account } => format!("Counts the wrapped coins of {account} again"),
            EffectKind::Budget(term) => budget(*term),
            EffectKind::Memo { text } => format!("Says: {text:?}"),
            EffectKind::Opaque { reason } => {
                let (program, reason) = (self.key(effect.program), reason.as_str());
                format!("Orders the program {program} something that nobody here understands ({reason})")
            }
        }
    }

    fn tokens(&self, it: &TokenMove) -> String {
        let amount = tokens(it.amount, it.decimals, it.mint);
        let by = self.key(it.authority);
        let to = self.target(it.destination, it.wallet);
        format!("Sends {amount} from the token account {} by {by} {to}", it.source)
    }

    fn new_token_account(&self, it: &NewTokenAccount) -> String {
        let cost = match it.lamports {
            Some(lamports) => format!("at most {}", coins(lamports)),
            None => "AN AMOUNT THAT THE BYTES DO NOT SAY".to_owned(),
        };
        let (wallet, funder) = (self.key(it.wallet), self.key(it.funder));
        format!(
            "Makes the token account {} of {wallet} for the mint {}, for {cost} of {funder}",
            it.account, it.mint
        )
    }

    fn allowance(&self, it: &TokenAllowance) -> String {
        let delegate = self.key(it.delegate);
        let amount = match (it.unlimited(), it.mint) {
            (true, _) => "EVERYTHING".to_owned(),
            (false, Some(mint)) => tokens(it.amount, it.decimals, mint),
            (false, None) => format!("{} base units OF A TOKEN THAT THE BYTES DO NOT NAME", it.amount),
        };
        format!("Lets {delegate} take {amount} from the token account {}", it.source)
    }

    fn authority(&self, change: AuthorityKind, target: Pubkey, subject: Option<Pubkey>) -> String {
        let change = change.as_str();
        match subject {
            Some(subject) => format!("Gives the control ({change}) of {target} to {}", self.key(subject)),
            None => format!("Gives the control ({change}) of {target} up for ever"),
        }
    }

    /// Whoever receives, and where nothing proves who that is, the account alone.
    fn target(&self, account: Pubkey, wallet: Option<Pubkey>) -> String {
        match wallet {
            Some(wallet) => format!("to {} (account {account}, proven)", self.key(wallet)),
            None => format!("to {}", self.key(account)),
        }
    }

    fn key(&self, key: Pubkey) -> String {
        match (self.names)(key) {
            _ if key == self.effects.account => format!("OURSELVES ({key})"),
            Some(name) => format!("{name} ({key})"),
            None => format!("{key}, NOT IN THE ADDRESS BOOK"),
        }
    }

    fn terms(&self) -> Vec<String> {
        let Effects { cluster, payer, others, fee, lifetime, account, .. } = self.effects;
        let pays = if payer == account { "we pay" } else { "somebody else pays" };
        let mut lines = vec![format!("Fee {} at most, {pays}: {}", coins(fee.total()), parts(fee))];
        lines.extend(others.iter().map(|it| format!("Signs with us: {}", self.key(*it))));
        lines.push(match lifetime {
            Lifetime::Recent { .. } => "Good for about a minute after its block".to_owned(),
            Lifetime::Durable { account, .. } => {
                format!("GOOD AT ANY TIME until the nonce account {account} has another value")
            }
        });
        lines.push(format!("Meant for {cluster}; the bytes say of no cluster that they are for it"));
        lines
    }
}

fn parts(fee: &Fee) -> String {
    let Fee { signatures, unit_price, unit_limit, base, priority } = fee;
    let units = match unit_limit {
        Some(units) => format!("{units} units"),
        None => "as many units as the cluster gives".to_owned(),
    };
    format!(
        "{base} lamports for {signatures} signatures, {priority} for {units} at {unit_price} micro-lamports"
    )
}

fn budget(term: BudgetTerm) -> String {
    match term {
        BudgetTerm::HeapBytes(it) => format!("May use {it} bytes of heap"),
        BudgetTerm::UnitLimit(it) => format!("May use {it} compute units"),
        BudgetTerm::UnitPrice(it) => format!("Offers {it} micro-lamports for a compute unit"),
        BudgetTerm::LoadedBytes(it) => format!("May load {it} bytes of accounts"),
    }
}

/// All nine digits, so that amounts stand below each other and none hides a factor of ten.
fn coins(lamports: u64) -> String {
    format!("{} SOL", Amount::from(lamports).with_all_decimals(SOL_DECIMALS))
}

fn tokens(amount: u64, decimals: Option<u8>, mint: Pubkey) -> String {
    match decimals {
        Some(decimals) => {
            format!("{} tokens of the mint {mint}", Amount::from(amount).with_decimals(decimals))
        }
        None => format!("{amount} base units of the mint {mint}"),
    }
}

const SOL_DECIMALS: u8 = 9;
