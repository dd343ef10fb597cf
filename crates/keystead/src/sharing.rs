//! Keys in shares as people ask for them and see them.

use keystead_base::Name;
use keystead_intent::{Action, AuthorityChange, KeyCeremony, KeyKind};
use keystead_wire::{ConveningView, KeyView, PartView, SharingView};

use crate::failure::Failure;
use crate::link::Link;
use crate::vaulting::named;

/// What a key in shares signs.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum SchemeArg {
    /// Ethereum accounts, and `wpkh` coins of Bitcoin.
    Ecdsa,
    /// Taproot coins of Bitcoin alone.
    Bip340,
}

/// The request that makes a key in shares.
pub(crate) fn generation(key: &Name, scheme: SchemeArg, threshold: u8, holders: &[Name]) -> Action {
    let kind = match scheme {
        SchemeArg::Ecdsa => KeyKind::ThresholdSecp256k1,
        SchemeArg::Bip340 => KeyKind::ThresholdBip340,
    };
    asked(KeyCeremony::Generate { key: key.clone(), kind, threshold, holders: holders.to_vec() })
}

/// The request that gives a key's holders new shares.
pub(crate) fn refresh(key: &Name) -> Action {
    asked(KeyCeremony::Refresh { key: key.clone() })
}

/// The request that gives a key's shares to these holders. Where nobody says who deals them, all who hold it do.
pub(crate) async fn resharing(
    link: &Link,
    key: &Name,
    threshold: u8,
    holders: &[Name],
    dealers: Vec<Name>,
) -> Result<Action, Failure> {
    let so_far = named(link, key).await?.sharing.ok_or_else(|| {
        let what = format!("key `{key}` is not in shares");
        Failure::new("key.whole", what, "`keystead key generate` makes a key in shares")
    })?;
    let dealers = if dealers.is_empty() { so_far.holders } else { dealers };
    Ok(asked(KeyCeremony::Reshare { key: key.clone(), threshold, holders: holders.to_vec(), dealers }))
}

fn asked(ceremony: KeyCeremony) -> Action {
    Action::Authority(AuthorityChange::Key(ceremony))
}

/// Where a key lives, in words: its home, or any how many of whom sign.
pub(crate) fn home(key: &KeyView) -> String {
    key.sharing.as_ref().map_or_else(|| key.home.to_string(), shares)
}

/// Whether the node holds the key, or a share of it.
pub(crate) fn is_at(key: &KeyView, node: &Name) -> bool {
    match &key.sharing {
        Some(sharing) => sharing.holders.contains(node),
        None => key.home == *node,
    }
}

fn shares(it: &SharingView) -> String {
    let names: Vec<_> = it.holders.iter().map(Name::as_str).collect();
    format!("any {} of {}", it.threshold, names.join(", "))
}

/// A ceremony under way, in one line.
pub(crate) fn progress(it: &ConveningView) -> String {
    let part = |part: &PartView| format!("{} {}", part.node, part.word());
    let parts: Vec<_> = it.parts.iter().map(part).collect();
    let disagree = it.parts.iter().filter(|it| it.dealt).count() == it.next.holders.len() && !it.agreed;
    let note = if disagree { "; THEY DO NOT SAY THE SAME ABOUT THE SHARES" } else { "" };
    format!(
        "{} of `{}`, epoch {}, {}; attempt {}: {}{note}",
        it.change,
        it.key,
        it.epoch,
        shares(&it.next),
        it.attempt,
        parts.join(", ")
    )
}
