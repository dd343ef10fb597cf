//! Effects in plain words for people, the worst danger first.

use std::cmp::Reverse;
use std::fmt;

use keystead_intent::{DangerClass, SpendLock};
use keystead_speech::{Language, Phrase, grouped, texts_look_alike};

use crate::effects::{Effect, EffectKind, Effects};
use crate::{Branch, Form, Owned};

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
    pub names: &'a dyn Fn(&str) -> Option<String>,
    /// Addresses as they are written, with their names, to tell those apart that only look like one of them.
    pub known: &'a [(String, String)],
    /// The reader's language.
    pub language: Language,
}

/// Puts effects into words: first the danger class of the whole, then every output, worst first, then what it
/// costs, and what else there is to know.
///
/// `names` is the signed address book. An address without a name there is shown in full and said to be unknown.
#[must_use]
pub fn describe(effects: &Effects, names: &dyn Fn(&str) -> Option<String>) -> Vec<Line> {
    describe_as(effects, &Speaker { names, known: &[], language: Language::English })
}

/// The same, as somebody says it who knows more addresses, or another language.
#[must_use]
pub fn describe_as(effects: &Effects, speaker: &Speaker<'_>) -> Vec<Line> {
    let class = effects.class();
    let mut lines = vec![Line { class: Some(class), text: speaker.say(headline(class)) }];
    let mut items: Vec<&Effect> = effects.items.iter().collect();
    items.sort_by_key(|it| Reverse((it.class(), !matches!(it.kind, EffectKind::Return { .. }))));
    lines.extend(
        items.into_iter().map(|it| Line { class: Some(it.class()), text: speaker.words(it, effects) }),
    );
    let plain = |text| Line { class: None, text };
    lines.extend(speaker.costs(effects).into_iter().map(plain));
    lines.extend(speaker.conditions(effects).into_iter().map(plain));
    lines
}

fn headline(class: DangerClass) -> Phrase<'static> {
    match class {
        DangerClass::Transfer => Phrase::Transfer {},
        _ => Phrase::PartlyOpaque {},
    }
}

impl Speaker<'_> {
    fn say(&self, phrase: Phrase<'_>) -> String {
        self.language.say(&phrase)
    }

    fn words(&self, effect: &Effect, effects: &Effects) -> String {
        let amount = &effects.network.amount(effect.sat);
        match &effect.kind {
            EffectKind::Payment { address } => {
                self.say(Phrase::Sends { amount, whom: &self.whom(address, effects) })
            }
            EffectKind::Return { name, form, owned } => {
                let place = &place(name, *form, *owned);
                self.say(match owned.place.branch {
                    Branch::Change => Phrase::Change { amount, place },
                    Branch::Receive => Phrase::ToOurselves { amount, place },
                })
            }
            EffectKind::Data { bytes } => {
                let (count, bytes) = (bytes.len().to_string(), self.shown(bytes));
                self.say(Phrase::WritesBytes { count: &count, bytes: &bytes })
            }
            EffectKind::Unknown => {
                let script = &self.shown(effect.script.as_bytes());
                self.say(Phrase::SendsToScript { amount, script })
            }
        }
    }

    fn whom(&self, address: &str, effects: &Effects) -> String {
        let said = match (self.names)(address) {
            Some(name) => self.say(Phrase::NamedAddress { name: &name, address }),
            None => self.say(Phrase::AddressNotInBook { address }),
        };
        said + &self.warning(address, effects)
    }

    /// INVARIANT S12: an address that begins and ends like a known one is another, and is said to be, whatever it is
    /// called. What has a name among the other outputs is known, too.
    fn warning(&self, address: &str, effects: &Effects) -> String {
        let beside = effects.items.iter().filter_map(|it| match &it.kind {
            EffectKind::Payment { address } => Some((address.clone(), (self.names)(address)?)),
            _ => None,
        });
        let mut known = self.known.iter().cloned().chain(beside);
        let alike = known.find(|(known, _)| texts_look_alike(known, address));
        alike.map_or_else(String::new, |(known, name)| {
            self.say(Phrase::LooksLike { name: &name.escape_default().to_string(), address: &known })
        })
    }

    fn costs(&self, effects: &Effects) -> Vec<String> {
        let (network, rate) = (effects.network, effects.rate_tenths());
        let rate = format!("{}.{}", grouped(rate / 10), rate % 10);
        let mut lines = vec![self.say(Phrase::Fee {
            fee: &grouped(effects.fee_sat),
            rate: &rate,
            size: &grouped(effects.virtual_bytes),
            network: &network.to_string(),
        })];
        let ours = effects.inputs.iter().filter(|it| it.ours.is_some()).count();
        let (pieces, amount) = (&self.pieces(ours), &network.amount(effects.ours_sat()));
        lines.push(self.say(Phrase::SpendsOurs { pieces, amount }));
        let others = effects.inputs.len().saturating_sub(ours);
        if others > 0 {
            let (pieces, amount) = (&self.pieces(others), &network.amount(effects.foreign_sat()));
            lines.push(self.say(Phrase::OthersPay { pieces, amount }));
        }
        lines.push(self.say(Phrase::LeavesUs { amount: &network.amount(effects.net_outflow_sat()) }));
        lines
    }

    fn conditions(&self, effects: &Effects) -> Vec<String> {
        let mut lines = Vec::new();
        if effects.replaceable {
            lines.push(self.say(Phrase::Replaceable {}));
        }
        lines.extend(self.waits(effects.lock));
        lines.extend(effects.kept.iter().take(MAX_KEPT_LINES).map(|it| {
            let (scope, key) = (it.scope.to_string(), self.shown(&it.key));
            self.say(Phrase::KeptField { scope: &scope, name: it.name, key: &key })
        }));
        match effects.kept.len().saturating_sub(MAX_KEPT_LINES) {
            0 => {}
            more => lines.push(self.say(Phrase::MoreKept { count: &more.to_string() })),
        }
        let digest = keystead_base::Canonical::digest(&effects.spends).to_string();
        lines.push(self.say(Phrase::CoinsDigest { digest: &digest }));
        lines
    }

    /// What is signed now and good only later.
    fn waits(&self, lock: SpendLock) -> Vec<String> {
        let absolute = match lock.lock_time {
            0 => None,
            height @ 1..SpendLock::FIRST_TIME => {
                Some(self.say(Phrase::NotBeforeBlock { height: &grouped(height.into()) }))
            }
            time => Some(self.say(Phrase::NotBeforeTime { seconds: &time.to_string() })),
        };
        let (blocks, seconds) = (lock.relative_blocks, lock.relative_seconds);
        let blocks = (blocks > 0).then(|| self.say(Phrase::NotBeforeBlocks { blocks: &blocks.to_string() }));
        let seconds =
            (seconds > 0).then(|| self.say(Phrase::NotBeforeSeconds { seconds: &grouped(seconds.into()) }));
        [absolute, blocks, seconds].into_iter().flatten().collect()
    }

    /// Bytes in hex, as many as anybody would read; how many more there are is said.
    fn shown(&self, bytes: &[u8]) -> String {
        match bytes.split_at_checked(MAX_SHOWN_BYTES) {
            Some((first, rest)) if !rest.is_empty() => {
                let (bytes, more) = (const_hex::encode(first), rest.len().to_string());
                self.say(Phrase::BytesCut { bytes: &bytes, more: &more })
            }
            _ => const_hex::encode(bytes),
        }
    }

    fn pieces(&self, count: usize) -> String {
        match count {
            1 => self.say(Phrase::OneCoin {}),
            _ => self.say(Phrase::Coins { count: &count.to_string() }),
        }
    }
}

fn place(name: &str, form: Form, owned: Owned) -> String {
    format!("{} {name}/{}", form.as_str(), owned.place)
}

/// Bitcoin Core's limit for an `OP_RETURN` script for long, and far more than a standard script has.
const MAX_SHOWN_BYTES: usize = 83;
const MAX_KEPT_LINES: usize = 20;

#[cfg(test)]
mod tests;
