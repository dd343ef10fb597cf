//! What people read: effects with the names of the signed address book, and changes of authority.

use alloy_primitives::Address;
use keystead_base::{Canonical as _, Coded as _, Name, PublicAccount};
use keystead_bitcoin::{Network, Spend, destination_id, explain, first_in_shares};
use keystead_chain::{AddressBook, AssetIndex, Speaker, describe_as, describe_run};
use keystead_decision::Rehearsed;
use keystead_intent::{
    AccountRef, AuthorityChange, BackupGroup, ChainId, Effects, Importer, KeyCeremony, KeyKind, KeyTerms,
};
use keystead_policy::{PolicyVersion, check_next};
use keystead_speech::{Language, Phrase};

use crate::policy_words::{differences, look_alikes};

/// The plain words of effects, with the names of the signed address book, and of the account that would sign.
#[must_use]
pub fn effect_words(
    effects: &Effects,
    registry: &AssetIndex,
    policy: &PolicyVersion,
    own: Option<(Address, &AccountRef)>,
    language: Language,
) -> Vec<String> {
    let book = address_book(policy, effects.chain);
    let speaker = Speaker::new(effects.chain, registry, &book).with_own(own).with_language(language);
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
pub fn spend_words(spend: &Spend, policy: &PolicyVersion, language: Language) -> Vec<String> {
    let names = |address: &str| {
        let id = destination_id(address, spend.view().network()).ok()?;
        named(policy, spend.chain(), id)
    };
    // Destinations stand in the address book by their ids; how they look, people wrote down beside it.
    let written = policy.bitcoin.iter().flat_map(|it| &it.written).filter(|it| it.chain == spend.chain());
    let known: Vec<_> = written.filter_map(|it| Some((it.address.clone(), names(&it.address)?))).collect();
    let speaker = keystead_bitcoin::Speaker { names: &names, known: &known, language };
    keystead_bitcoin::describe_as(&explain(spend.view()), &speaker)
        .into_iter()
        .map(|line| line.text)
        .collect()
}

/// The plain words of a message of Solana's, with the names of the signed address book.
#[must_use]
pub fn message_words(
    message: &keystead_solana::Unsigned,
    policy: &PolicyVersion,
    language: Language,
) -> Vec<String> {
    let cluster = message.cluster();
    let names = |key: keystead_solana::Pubkey| named(policy, cluster.chain(), key.id(cluster));
    let speaker = keystead_solana::Speaker { names: &names, beside: message.message().keys(), language };
    let lines = keystead_solana::describe_as(&message.explain(), &speaker);
    lines.into_iter().map(|line| line.text).collect()
}

/// The plain words of a transaction of NEAR's, with the tokens of the signed registry and the names of the signed address book.
#[must_use]
pub fn near_words(
    unsigned: &keystead_near::Unsigned,
    registry: &AssetIndex,
    policy: &PolicyVersion,
    language: Language,
) -> Vec<String> {
    let network = unsigned.network();
    let names = |it: &keystead_near::AccountId| named(policy, network.chain(), it.id(network));
    let speaker = keystead_near::Speaker { registry, names: &names, language };
    keystead_near::describe_as(unsigned, &speaker).into_iter().map(|line| line.text).collect()
}

fn named(policy: &PolicyVersion, chain: ChainId, address: Address) -> Option<String> {
    let entry = policy.address_book.iter().find(|it| it.chain == chain && it.address == address);
    entry.map(|it| it.name.to_string())
}

/// A change of authority in words; a policy document is compared with the version in force.
#[must_use]
pub fn change_words(change: &AuthorityChange, policy: &PolicyVersion) -> Vec<String> {
    change_words_in(change, policy, Language::English)
}

/// The same in another language.
#[must_use]
pub fn change_words_in(change: &AuthorityChange, policy: &PolicyVersion, language: Language) -> Vec<String> {
    let headline = language.say(&Phrase::ChangeOfAuthority {});
    let line = match change {
        AuthorityChange::Policy { document }
        | AuthorityChange::Roster { document }
        | AuthorityChange::AddressBook { document } => {
            return [vec![headline], policy_change(document, policy, language)].concat();
        }
        AuthorityChange::Thaw { key: None } => language.say(&Phrase::ThawAll {}),
        AuthorityChange::Thaw { key: Some(key) } => language.say(&Phrase::ThawKey { key: key.as_str() }),
        AuthorityChange::Key(ceremony) => ceremony_words(ceremony, policy, language),
        AuthorityChange::Compromise { suspects, why } => {
            let suspects = suspects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            language.say(&Phrase::DeclareCompromise { suspects: &suspects, why })
        }
    };
    vec![headline, line]
}

/// What `sha256sum` says of a recipient's line without its end.
fn fingerprint(recipient: &str) -> String {
    use sha2::Digest as _;
    keystead_base::Digest(sha2::Sha256::digest(recipient).into()).to_string()
}

fn ceremony_words(ceremony: &KeyCeremony, policy: &PolicyVersion, language: Language) -> String {
    let key = ceremony.key().as_str();
    match ceremony {
        KeyCeremony::Create { home, kind, .. } => birth_words(key, home.as_str(), *kind, language),
        KeyCeremony::CreateInTokens { home, tokens, .. } => {
            let (home, tokens) = (home.as_str(), tokens.as_str());
            language.say(&Phrase::KeyCreateInTokens { key, home, tokens })
        }
        KeyCeremony::Backup { recipients, .. } => {
            language.say(&Phrase::KeyBackup { key, readers: &names(recipients) })
        }
        KeyCeremony::Split { group_threshold, groups, .. } => {
            let groups: Vec<_> = groups.iter().map(|it| group_words(it, language)).collect();
            let (needed, groups) = (group_threshold.to_string(), groups.join("; "));
            language.say(&Phrase::KeySplit { key, needed: &needed, groups: &groups })
        }
        KeyCeremony::Export { recipient, .. } => {
            language.say(&Phrase::KeyExport { key, reader: &recipient.to_string() })
        }
        KeyCeremony::Suspend { .. } => language.say(&Phrase::KeySuspend { key }),
        KeyCeremony::Resume { .. } => language.say(&Phrase::KeyResume { key }),
        KeyCeremony::Destroy { .. } => language.say(&Phrase::KeyDestroy { key }),
        KeyCeremony::Restore { home, .. } => language.say(&Phrase::KeyRestore { key, home: home.as_str() }),
        KeyCeremony::Generate { kind, threshold, holders, .. } => {
            let shares = &shares_words(*threshold, holders, language);
            // What such a key signs is said where it is less than what a key usually does.
            language.say(&match kind {
                KeyKind::HdSecp256k1
                | KeyKind::ThresholdSecp256k1
                | KeyKind::TokenSecp256k1
                | KeyKind::HdMlDsa65 => Phrase::KeyGenerate { key, shares },
                KeyKind::ThresholdBip340 => Phrase::KeyGenerateBip340 { key, shares },
                KeyKind::ThresholdEd25519 => Phrase::KeyGenerateEd25519 { key, shares },
            })
        }
        KeyCeremony::Refresh { .. } => language.say(&Phrase::KeyRefresh { key }),
        KeyCeremony::Reshare { threshold, holders, dealers, .. } => {
            let shares = &shares_words(*threshold, holders, language);
            language.say(&Phrase::KeyReshare { key, dealers: &names(dealers), shares })
        }
        KeyCeremony::Repair { lost, helpers, .. } => {
            let (dealers, lost) = (&names(helpers), lost.as_str());
            language.say(&Phrase::KeyRepair { key, dealers, lost })
        }
        KeyCeremony::Abort { request, .. } => {
            language.say(&Phrase::KeyAbort { key, request: &request.to_string() })
        }
        KeyCeremony::Lift { node, .. } => language.say(&Phrase::KeyLift { key, node: node.as_str() }),
        KeyCeremony::Import { account, from, threshold, holders, .. } => {
            let shares = &shares_words(*threshold, holders, language);
            let address = &first_address(account, policy);
            language.say(&match from {
                Importer::Person(who) => Phrase::KeyImport { key, who: who.as_str(), address, shares },
                Importer::Home(home) => {
                    Phrase::KeyImportFromHome { key, home: home.as_str(), address, shares }
                }
            })
        }
        KeyCeremony::Deactivate { why, .. } => language.say(&Phrase::KeyDeactivate { key, why }),
        KeyCeremony::Limit { terms, .. } => terms_words(key, terms, language),
        KeyCeremony::Succeed { successor, .. } => {
            language.say(&Phrase::KeySucceed { key, successor: successor.as_str() })
        }
        KeyCeremony::Exit { recipients, .. } => {
            let prints: Vec<_> = recipients.iter().map(|it| fingerprint(it)).collect();
            language.say(&Phrase::KeyExit { key, readers: &prints.join(", ") })
        }
    }
}

/// What its owner knows an imported key by: an address, of a taproot wallet the first one on each network of the policy.
fn first_address(account: &PublicAccount, policy: &PolicyVersion) -> String {
    let solana = || account.ed25519_key().map(|it| keystead_solana::Pubkey(it).to_string());
    let bitcoin = || {
        let listed: Vec<_> = policy.chains.iter().copied().filter(|it| Network::of(*it).is_some()).collect();
        let chains = if listed.is_empty() { vec![ChainId::BITCOIN_MAINNET] } else { listed };
        let first = |it| first_in_shares(it, KeyKind::ThresholdBip340, account);
        account.is_taproot().then(|| chains.into_iter().filter_map(first).collect::<Vec<_>>().join(", "))
    };
    let ethereum = account.address(0).map(|it| it.to_string());
    ethereum.or_else(solana).or_else(bitcoin).unwrap_or_default()
}

fn birth_words(key: &str, home: &str, kind: KeyKind, language: Language) -> String {
    language.say(&match kind {
        KeyKind::HdMlDsa65 => Phrase::KeyCreateMlDsa65 { key, home },
        _ => Phrase::KeyCreate { key, home },
    })
}

/// Every term by its name as the request has it, so that none is left out in any language.
fn terms_words(key: &str, terms: &KeyTerms, language: Language) -> String {
    let list = |all: Vec<String>| if all.is_empty() { "*".to_owned() } else { all.join(", ") };
    let number = |it: Option<u64>| it.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let schemes = terms.schemes.iter().map(|it| format!("{it:?}").to_lowercase()).collect();
    language.say(&Phrase::KeyLimit {
        key,
        until: &terms.until.map_or_else(|| "-".to_owned(), |it| it.to_string()),
        signatures: &number(terms.most_signatures),
        chains: &list(terms.chains.iter().map(ToString::to_string).collect()),
        schemes: &list(schemes),
        blind: if terms.no_blind { "no" } else { "-" },
        export: if terms.no_export { "no" } else { "-" },
        proof: &number(terms.proof_seconds),
    })
}

fn shares_words(threshold: u8, holders: &[Name], language: Language) -> String {
    let spare = holders.len().saturating_sub(usize::from(threshold)).to_string();
    let (threshold, holders) = (threshold.to_string(), names(holders));
    language.say(&Phrase::Shares { threshold: &threshold, holders: &holders, spare: &spare })
}

fn group_words(group: &BackupGroup, language: Language) -> String {
    let (threshold, members) = (group.threshold.to_string(), names(&group.members));
    language.say(&Phrase::BackupGroup { threshold: &threshold, members: &members })
}

fn names(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

/// INVARIANT S13: what people approve is each line that the document makes different, read from it on their machine.
fn policy_change(document: &[u8], policy: &PolicyVersion, language: Language) -> Vec<String> {
    let next = match PolicyVersion::from_document(document) {
        Ok(next) => next,
        Err(error) => {
            let (error, code) = (error.to_string(), error.code());
            return vec![language.say(&Phrase::PolicyUnreadable { error: &error, code })];
        }
    };
    let sections = match check_next(policy, &next) {
        Ok(sections) => sections,
        Err(error) => return vec![language.say(&Phrase::PolicyCannotFollow { error: &error.to_string() })],
    };
    let head = language.say(&Phrase::PolicyFollows {
        next: &next.number.to_string(),
        current: &policy.number.to_string(),
        sections: &sections.names().join(", "),
    });
    [look_alikes(policy, &next), vec![head], differences(policy, &next)].concat()
}
