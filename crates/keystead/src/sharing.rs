//! Keys in shares as people ask for them and see them.

use keystead_base::Name;
use keystead_intent::{Action, AuthorityChange, KeyCeremony, KeyKind};
use keystead_wire::{ConveningView, KeyView, NodeStatus, PartView, RunPurpose, RunView, SharingView};

use crate::failure::Failure;
use crate::link::Link;
use crate::vaulting::named;
use crate::watch::words;

/// What a key in shares signs.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum SchemeArg {
    /// Ethereum accounts, and `wpkh` coins of Bitcoin.
    Ecdsa,
    /// Taproot coins of Bitcoin alone.
    Bip340,
    /// Messages of Solana's alone.
    Ed25519,
}

impl SchemeArg {
    /// As terms name it.
    pub(crate) fn scheme(self) -> keystead_base::KeyScheme {
        match self {
            Self::Ecdsa => keystead_base::KeyScheme::Ecdsa,
            Self::Bip340 => keystead_base::KeyScheme::Bip340,
            Self::Ed25519 => keystead_base::KeyScheme::Ed25519,
        }
    }
}

/// The request that makes a key in shares.
pub(crate) fn generation(key: &Name, scheme: SchemeArg, threshold: u8, holders: &[Name]) -> Action {
    let kind = match scheme {
        SchemeArg::Ecdsa => KeyKind::ThresholdSecp256k1,
        SchemeArg::Bip340 => KeyKind::ThresholdBip340,
        SchemeArg::Ed25519 => KeyKind::ThresholdEd25519,
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
    let dealers = match dealers.is_empty() {
        true => who_can_deal(&shared(link, key).await?),
        false => dealers,
    };
    Ok(asked(KeyCeremony::Reshare { key: key.clone(), threshold, holders: holders.to_vec(), dealers }))
}

/// The request that gives a holder a share again. Where nobody says who deals, all who have one do.
pub(crate) async fn repair(
    link: &Link,
    key: &Name,
    lost: Name,
    helpers: Vec<Name>,
) -> Result<Action, Failure> {
    let helpers = match helpers.is_empty() {
        true => who_can_deal(&shared(link, key).await?).into_iter().filter(|it| *it != lost).collect(),
        false => helpers,
    };
    Ok(asked(KeyCeremony::Repair { key: key.clone(), lost, helpers }))
}

/// The request that ends the ceremony under way, and no other one.
pub(crate) async fn abort(link: &Link, key: &Name) -> Result<Action, Failure> {
    let under_way = link.status().await?.ceremonies.into_iter().find(|it| it.key == *key);
    let request = under_way.map(|it| it.request).ok_or_else(|| {
        let what = format!("no ceremony of a key `{key}` is under way");
        Failure::new("key.no_ceremony", what, "`keystead key list` shows those that are")
    })?;
    Ok(asked(KeyCeremony::Abort { key: key.clone(), request }))
}

/// The request that lets a node take part again.
pub(crate) fn lift(key: &Name, node: Name) -> Action {
    asked(KeyCeremony::Lift { key: key.clone(), node })
}

async fn shared(link: &Link, key: &Name) -> Result<SharingView, Failure> {
    named(link, key).await?.sharing.ok_or_else(|| {
        let what = format!("key `{key}` is not in shares");
        Failure::new("key.whole", what, "`keystead key generate` makes a key in shares")
    })
}

fn who_can_deal(so_far: &SharingView) -> Vec<Name> {
    so_far.holders.iter().filter(|it| !so_far.lost.contains(it)).cloned().collect()
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
    let lost: Vec<_> = it.lost.iter().map(Name::as_str).collect();
    let note = if lost.is_empty() { String::new() } else { format!(" (LOST: {})", lost.join(", ")) };
    format!("any {} of {}{note}", it.threshold, names.join(", "))
}

/// A ceremony under way, in one line: each node, and the round of its run as the node that was asked sees it.
pub(crate) fn progress(it: &ConveningView, runs: &[RunView]) -> String {
    let part = |part: &PartView| format!("{} {}", part.node, part.word());
    let parts: Vec<_> = it.parts.iter().map(part).collect();
    let disagree = it.parts.iter().filter(|it| it.dealt).count() == it.next.holders.len() && !it.agreed;
    let note = if disagree { "; THEY DO NOT SAY THE SAME ABOUT THE SHARES" } else { "" };
    let rounds: String = runs.iter().filter(|run| run.request == it.request).filter_map(rounds).collect();
    format!(
        "{} of `{}`, epoch {}, {}; attempt {}: {}{rounds}{note}",
        it.change,
        it.key,
        it.epoch,
        shares(&it.next),
        it.attempt,
        parts.join(", ")
    )
}

/// The runs of these ceremonies at the node that was asked.
pub(crate) fn runs(status: &NodeStatus, of: impl Fn(&ConveningView) -> bool) -> Vec<&RunView> {
    let served = |run: &&RunView| status.ceremonies.iter().any(|it| it.request == run.request && of(it));
    status.runs.iter().filter(served).collect()
}

fn rounds(run: &RunView) -> Option<String> {
    let what = match run.purpose {
        RunPurpose::Share => "the shares",
        RunPurpose::Proof => "the proof of this node's share",
        RunPurpose::Signature => return None,
    };
    run.round.as_ref().map(|it| format!("; {what}: {}", words::round(it)))
}

#[cfg(test)]
mod tests {
    use keystead_base::{Digest, RequestId, Timestamp};
    use keystead_intent::ChangeKind;
    use keystead_wire::RoundView;

    use super::*;

    #[test]
    fn a_ceremony_says_each_node_and_the_round_that_it_is_in() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let part = |node: &str, dealt| PartView { node: name(node), seated: true, dealt, proven: false };
        let request = RequestId(Digest([1; 32]));
        let next =
            SharingView { threshold: 2, holders: vec![name("node-1"), name("node-2")], lost: Vec::new() };
        let it = ConveningView {
            key: name("hot"),
            request,
            change: ChangeKind::RefreshKey,
            epoch: 3,
            next,
            attempt: 1,
            parts: vec![part("node-1", true), part("node-2", false)],
            agreed: false,
            expires: Timestamp(0),
        };
        let round = RoundView { round: 3, rounds: 4, missing: vec![name("node-2")] };
        let run = |request, purpose, round| {
            let (attempts, signers, since) = (1, Vec::new(), Timestamp(0));
            RunView { request, purpose, attempts, signers, since, round }
        };
        let other = RequestId(Digest([2; 32]));
        let runs = [
            run(other, RunPurpose::Share, Some(round.clone())),
            run(request, RunPurpose::Proof, None),
            run(request, RunPurpose::Share, Some(round)),
        ];
        let said = progress(&it, &runs);
        let nodes = "attempt 1: node-1 dealt, node-2 seated";
        let rounds = "; the shares: round 2 of 4, echo: waits for node-2";
        assert!(said.ends_with(&format!("{nodes}{rounds}")), "{said}");
        assert!(progress(&it, &[]).ends_with(nodes), "a node that runs nothing of it says so much");
    }
}
