//! Effects in plain words for people, the worst danger first. Every number is formatted here and nowhere else.

use std::cmp::Reverse;
use std::fmt;

use keystead_intent::{DangerClass, SpendLock};

use crate::effects::{Effect, EffectKind, Effects};
use crate::{Branch, Form, Network, Owned};

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

/// Puts effects into words: first the danger class of the whole, then every output, worst first, then what it
/// costs, and what else there is to know.
///
/// `names` is the signed address book. An address without a name there is shown in full and said to be unknown.
#[must_use]
pub fn describe(effects: &Effects, names: &dyn Fn(&str) -> Option<String>) -> Vec<Line> {
    let class = effects.class();
    let mut lines = vec![Line { class: Some(class), text: headline(class).to_owned() }];
    let mut items: Vec<&Effect> = effects.items.iter().collect();
    items.sort_by_key(|it| Reverse((it.class(), !matches!(it.kind, EffectKind::Return { .. }))));
    let network = effects.network;
    lines.extend(
        items.into_iter().map(|it| Line { class: Some(it.class()), text: words(it, network, names) }),
    );
    let plain = |text| Line { class: None, text };
    lines.extend(costs(effects).into_iter().map(plain));
    lines.extend(conditions(effects).into_iter().map(plain));
    lines
}

fn headline(class: DangerClass) -> &'static str {
    match class {
        DangerClass::Transfer => "TRANSFER: value leaves once, by the amounts below",
        _ => "NOT UNDERSTOOD: nobody can say what a part of this transaction does",
    }
}

fn words(effect: &Effect, network: Network, names: &dyn Fn(&str) -> Option<String>) -> String {
    let amount = coins(effect.sat, network);
    match &effect.kind {
        EffectKind::Payment { address } => match names(address) {
            Some(name) => format!("Sends {amount} to {name} ({address})"),
            None => format!("Sends {amount} to {address}, NOT IN THE ADDRESS BOOK"),
        },
        EffectKind::Return { name, form, owned } => {
            let what = match owned.place.branch {
                Branch::Change => "Change",
                Branch::Receive => "To ourselves",
            };
            format!("{what}: {amount} back to ours at {}, proven", place(name, *form, *owned))
        }
        EffectKind::Data { bytes } => {
            format!("Writes {} bytes that others may take for an order: {}", bytes.len(), shown(bytes))
        }
        EffectKind::Unknown => {
            let script = shown(effect.script.as_bytes());
            format!("Sends {amount} to a script that nobody here understands: {script}")
        }
    }
}

fn place(name: &str, form: Form, owned: Owned) -> String {
    format!("{} {name}/{}", form.as_str(), owned.place)
}

fn costs(effects: &Effects) -> Vec<String> {
    let network = effects.network;
    let (fee, rate) = (grouped(effects.fee_sat), effects.rate_tenths());
    let (whole, tenth) = (grouped(rate / 10), rate % 10);
    let mut lines = vec![format!(
        "Fee {fee} sat, {whole}.{tenth} sat/vB for at most {} vB, on {network}",
        grouped(effects.virtual_bytes)
    )];
    let ours = effects.inputs.iter().filter(|it| it.ours.is_some()).count();
    lines.push(format!("Spends {} of ours with {}", pieces(ours), coins(effects.ours_sat(), network)));
    let others = effects.inputs.len().saturating_sub(ours);
    if others > 0 {
        lines.push(format!(
            "Others pay along with {} of {}",
            pieces(others),
            coins(effects.foreign_sat(), network)
        ));
    }
    lines
        .push(format!("Altogether {} leave us, the fee included", coins(effects.net_outflow_sat(), network)));
    lines
}

fn conditions(effects: &Effects) -> Vec<String> {
    let mut lines = Vec::new();
    if effects.replaceable {
        lines.push("Until it is in a block, another transaction with a higher fee may replace it".to_owned());
    }
    lines.extend(waits(effects.lock));
    lines.extend(
        effects
            .kept
            .iter()
            .take(MAX_KEPT_LINES)
            .map(|it| format!("{}: kept, and not read: {} (key {})", it.scope, it.name, shown(&it.key))),
    );
    match effects.kept.len().saturating_sub(MAX_KEPT_LINES) {
        0 => {}
        more => lines.push(format!("{more} more fields are kept, and not read")),
    }
    lines.push(format!("Coins: {}", keystead_base::Canonical::digest(&effects.spends)));
    lines
}

/// What is signed now and good only later.
fn waits(lock: SpendLock) -> Vec<String> {
    let absolute = match lock.lock_time {
        0 => None,
        height @ 1..SpendLock::FIRST_TIME => {
            Some(format!("NOT VALID BEFORE block {}", grouped(height.into())))
        }
        time => Some(format!("NOT VALID BEFORE {time} (Unix time)")),
    };
    let (blocks, seconds) = (lock.relative_blocks, lock.relative_seconds);
    let blocks = (blocks > 0).then(|| format!("NOT VALID BEFORE what it spends is {blocks} blocks old"));
    let seconds = (seconds > 0)
        .then(|| format!("NOT VALID BEFORE what it spends is {} seconds old", grouped(seconds.into())));
    [absolute, blocks, seconds].into_iter().flatten().collect()
}

/// Bytes in hex, as many as anybody would read; how many more there are is said.
fn shown(bytes: &[u8]) -> String {
    match bytes.split_at_checked(MAX_SHOWN_BYTES) {
        Some((first, rest)) if !rest.is_empty() => {
            format!("{}… and {} bytes more", const_hex::encode(first), rest.len())
        }
        _ => const_hex::encode(bytes),
    }
}

fn pieces(count: usize) -> String {
    match count {
        1 => "1 coin".to_owned(),
        _ => format!("{count} coins"),
    }
}

/// All eight digits, so that amounts stand below each other and none hides a factor of ten.
fn coins(sat: u64, network: Network) -> String {
    format!("{}.{:08} {}", sat / SAT_PER_COIN, sat % SAT_PER_COIN, network.symbol())
}

/// Thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 3 == first {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Bitcoin Core's limit for an `OP_RETURN` script for long, and far more than a standard script has.
const MAX_SHOWN_BYTES: usize = 83;
const MAX_KEPT_LINES: usize = 20;
const SAT_PER_COIN: u64 = 100_000_000;

#[cfg(test)]
mod tests;
