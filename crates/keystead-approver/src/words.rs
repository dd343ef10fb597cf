//! What people read: effects with the names of the signed address book, and changes of authority.

use alloy_primitives::Address;
use keystead_base::{Canonical as _, Coded as _, Name};
use keystead_bitcoin::{Spend, describe, destination_id, explain};
use keystead_chain::{AddressBook, AssetIndex, Speaker, describe_as, describe_run};
use keystead_decision::Rehearsed;
use keystead_intent::{AccountRef, AuthorityChange, ChainId, Effects, KeyCeremony};
use keystead_policy::{PolicyVersion, check_next};

use crate::policy_words::{differences, look_alikes};

/// The plain words of effects, with the names of the signed address book, and of the account that would sign.
#[must_use]
pub fn effect_words(
    effects: &Effects,
    registry: &AssetIndex,
    policy: &PolicyVersion,
    own: Option<(Address, &AccountRef)>,
) -> Vec<String> {
    let book = address_book(policy, effects.chain);
    let speaker = Speaker::new(effects.chain, registry, &book).with_own(own);
    describe_as(effects, &speaker).into_iter().map(|line| line.text).collect()
}

/// The plain words of a run.
#[must_use]
pub fn run_words(rehearsed: &Rehearsed, speaker: &Speaker<'_>) -> Vec<String> {
    let lines = describe_run(&rehearsed.block, &rehearsed.run, speaker);
    lines.into_iter().map(|line| line.text).collect()
}

/// The names of a policy's address book on one chain.
#[must_use]
pub fn address_book(policy: &PolicyVersion, chain: ChainId) -> AddressBook {
    let entries = policy.address_book.iter().filter(|it| it.chain == chain);
    AddressBook::new(entries.map(|it| (it.address, it.name.to_string())))
}

/// The plain words of a PSBT: outputs, proven change, fee and rate, with the names of the signed address book.
#[must_use]
pub fn spend_words(spend: &Spend, policy: &PolicyVersion) -> Vec<String> {
    let names = |address: &str| {
        let id = destination_id(address, spend.view().network()).ok()?;
        named(policy, spend.chain(), id)
    };
    describe(&explain(spend.view()), &names).into_iter().map(|line| line.text).collect()
}

fn named(policy: &PolicyVersion, chain: ChainId, address: Address) -> Option<String> {
    let entry = policy.address_book.iter().find(|it| it.chain == chain && it.address == address);
    entry.map(|it| it.name.to_string())
}

/// A change of authority in words; a policy document is compared with the version in force.
#[must_use]
pub fn change_words(change: &AuthorityChange, policy: &PolicyVersion) -> Vec<String> {
    let headline = "CHANGE OF AUTHORITY: who may do what changes".to_owned();
    let line = match change {
        AuthorityChange::Policy { document }
        | AuthorityChange::Roster { document }
        | AuthorityChange::AddressBook { document } => {
            return [vec![headline], policy_change(document, policy)].concat();
        }
        AuthorityChange::Thaw { key: None } => "Signing goes on for the whole cluster".to_owned(),
        AuthorityChange::Thaw { key: Some(key) } => format!("Signing goes on for key `{key}`"),
        AuthorityChange::Key(ceremony) => ceremony_words(ceremony),
    };
    vec![headline, line]
}

/// A ceremony in words: what cannot be undone, or gives a key to others, in capitals.
fn ceremony_words(ceremony: &KeyCeremony) -> String {
    match ceremony {
        KeyCeremony::Create { key, home, .. } => {
            format!("A new key `{key}` is born in the enclave of {home}")
        }
        KeyCeremony::Backup { key, recipients } => {
            let whom: Vec<_> = recipients.iter().map(ToString::to_string).collect();
            format!("A backup of key `{key}` is written that each of these can read: {}", whom.join(", "))
        }
        KeyCeremony::Export { key, recipient } => {
            format!("KEY `{key}` LEAVES THE ENCLAVE FOR GOOD, readable by {recipient}")
        }
        KeyCeremony::Suspend { key } => {
            format!("Key `{key}` signs nothing until it is resumed")
        }
        KeyCeremony::Resume { key } => format!("Suspended key `{key}` signs again"),
        KeyCeremony::Destroy { key } => {
            format!("KEY `{key}` IS WIPED FOR GOOD; only a backup that people hold could bring it back")
        }
        KeyCeremony::Restore { key, home } => {
            format!(
                "KEY `{key}` GETS ANOTHER HOME: a backup is restored in the enclave of {home}, which signs from then on"
            )
        }
        KeyCeremony::Generate { key, threshold, holders, .. } => {
            format!("A new key `{key}` is born in shares: {}", shares_words(*threshold, holders))
        }
        KeyCeremony::Refresh { key } => {
            format!("The holders of key `{key}` get new shares; the old ones combine with them no more")
        }
        KeyCeremony::Reshare { key, threshold, holders, dealers } => {
            let dealers: Vec<_> = dealers.iter().map(Name::as_str).collect();
            format!(
                "KEY `{key}` GETS OTHER SHARES, dealt by {}: {}",
                dealers.join(", "),
                shares_words(*threshold, holders)
            )
        }
        KeyCeremony::Repair { key, lost, helpers } => {
            let helpers: Vec<_> = helpers.iter().map(Name::as_str).collect();
            format!(
                "The holders of key `{key}` get new shares, dealt by {}: {lost}, whose share is lost, has one again",
                helpers.join(", ")
            )
        }
        KeyCeremony::Abort { key } => {
            format!("The ceremony of key `{key}` that is under way ends without effect")
        }
        KeyCeremony::Lift { key, node } => {
            format!(
                "THE HOLDERS OF KEY `{key}` RUN WITH {node} AGAIN, whose words broke runs: find out why first, each further \
                 run may cost bits of a share"
            )
        }
        KeyCeremony::Exit { key, recipients } => {
            let prints: Vec<_> = recipients.iter().map(|it| fingerprint(it)).collect();
            format!(
                "THE SHARES OF KEY `{key}` LEAVE FOR GOOD and it signs here no more. Whoever opens as many as signed HAS \
                 THE WHOLE KEY: the age recipients with SHA-256 {}",
                prints.join(", ")
            )
        }
    }
}

/// What `sha256sum` says of a recipient's line without its end.
fn fingerprint(recipient: &str) -> String {
    use sha2::Digest as _;
    keystead_base::Digest(sha2::Sha256::digest(recipient).into()).to_string()
}

fn shares_words(threshold: u8, holders: &[Name]) -> String {
    let names: Vec<_> = holders.iter().map(Name::as_str).collect();
    let spare = holders.len().saturating_sub(usize::from(threshold));
    let names = names.join(", ");
    format!(
        "any {threshold} of {names} sign; {spare} of them may be lost, and fewer than {threshold} sign nothing"
    )
}

/// INVARIANT S13: what people approve is each line that the document makes different, read from it on their machine.
fn policy_change(document: &[u8], policy: &PolicyVersion) -> Vec<String> {
    let next = match PolicyVersion::from_document(document) {
        Ok(next) => next,
        Err(error) => {
            return vec![format!("A policy document that does not parse: {} ({})", error, error.code())];
        }
    };
    let sections = match check_next(policy, &next) {
        Ok(sections) => sections,
        Err(error) => return vec![format!("A policy version that cannot follow: {error}")],
    };
    let (number, current, names) = (next.number, policy.number, sections.names().join(", "));
    let head = format!(
        "Policy version {number} takes the place of version {current}; these sections differ: {names}"
    );
    [look_alikes(policy, &next), vec![head], differences(policy, &next)].concat()
}
