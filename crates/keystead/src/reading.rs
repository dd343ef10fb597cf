//! The approver's own reading of a request: from raw bytes, never from the server's words (S2).

use alloy_primitives::Address;
use keystead_base::{Canonical as _, Coded as _, Digest, RequestId};
use keystead_chain::{AssetIndex, build, describe, explain};
use keystead_decision::{Decision, LightClient, Outcome, SignedGenesis, Transition};
use keystead_intent::{Action, AuthorityChange, ChainId, DangerClass, Effects, Intent, KeyCeremony};
use keystead_policy::{PolicyVersion, check_next};
use keystead_wire::RequestDetail;

use crate::config::Config;
use crate::failure::Failure;
use crate::link::Link;
use crate::{member, table};

/// A request, understood on this machine.
pub(crate) struct Understood {
    pub(crate) request: RequestId,
    pub(crate) digest: Digest,
    pub(crate) class: DangerClass,
    pub(crate) policy: PolicyVersion,
    pub(crate) lines: Vec<String>,
}

/// The policy in force, each change of it checked from the pinned genesis on.
pub(crate) async fn policy_in_force(config: &Config, link: &Link) -> Result<PolicyVersion, Failure> {
    let genesis = member::genesis(config)?;
    let current = link.policy(None).await?;
    if current.number == 0 {
        let expected = genesis.genesis.policy;
        return match expected.digest() == current.digest() {
            true => Ok(expected),
            false => Err(disagrees("policy version 0", &expected.digest(), &current.digest())),
        };
    }
    let log = follow(config, link, &genesis, current.number).await?;
    match log.policy() == current.reference() {
        true => Ok(current),
        false => Err(disagrees("the policy in force", &log.policy().digest, &current.digest())),
    }
}

/// Every change of policy by the block that committed it.
async fn follow(
    config: &Config,
    link: &Link,
    genesis: &SignedGenesis,
    last: u64,
) -> Result<LightClient, Failure> {
    let mut log = LightClient::new(genesis, config.cluster)?;
    let mut from = 1;
    while log.policy().number < last {
        let blocks = link.blocks(from).await?;
        if blocks.is_empty() {
            let what = format!("the log of the node ends before policy version {last} begins");
            return Err(Failure::new("approve.policy", what, "ask another node"));
        }
        from += blocks.len() as u64;
        for block in blocks {
            let number = block.commit.header.policy.number;
            if number > log.policy().number {
                let policy = link.policy(Some(number)).await?;
                log.follow(&Transition { commit: block.commit, policy })?;
            }
        }
    }
    Ok(log)
}

/// Reads a request, and refuses it where the server's words differ from its bytes.
pub(crate) fn understand(
    asked: RequestId,
    detail: &RequestDetail,
    policy: PolicyVersion,
) -> Result<Understood, Failure> {
    let found = detail.intent.id();
    if found != asked {
        return Err(disagrees("the request", &asked.0, &found.0));
    }
    let (digest, class, lines) = match &detail.intent.action {
        Action::Authority(change) => (found.0, DangerClass::Authority, authority(change, &policy)),
        _ => payload(&detail.intent, detail.address, &policy)?,
    };
    match said_digest(&detail.decisions) {
        Some(said) if said != digest => Err(disagrees("the digest to be signed", &digest, &said)),
        Some(_) | None => Ok(Understood { request: asked, digest, class, policy, lines }),
    }
}

type Read = (Digest, DangerClass, Vec<String>);

fn payload(intent: &Intent, address: Option<Address>, policy: &PolicyVersion) -> Result<Read, Failure> {
    let account = address.ok_or_else(|| {
        Failure::new(
            "approve.address",
            "the node names no address that would sign",
            "the key is not active yet",
        )
    })?;
    let unsigned = build(&intent.action, account)?;
    let registry = AssetIndex::new(&policy.assets, &policy.contracts)?;
    let effects = explain(&unsigned, &registry);
    let mut lines = words(&effects, &registry, policy);
    // The server names the address; only the key's own name is covered by what is approved.
    lines.extend(intent.action.account().map(|it| format!("Signed by key `{}`, index {}", it.key, it.index)));
    Ok((unsigned.signing_digest(), effects.class(), lines))
}

/// The plain words of effects, with the names of the signed address book.
pub(crate) fn words(effects: &Effects, registry: &AssetIndex, policy: &PolicyVersion) -> Vec<String> {
    let names = |address| named(policy, effects.chain, address);
    describe(effects, registry, &names).iter().map(|line| table::plain(&line.text)).collect()
}

fn named(policy: &PolicyVersion, chain: ChainId, address: Address) -> Option<String> {
    let entry = policy.address_book.iter().find(|it| it.chain == chain && it.address == address);
    entry.map(|it| it.name.to_string())
}

fn said_digest(decisions: &[Decision]) -> Option<Digest> {
    decisions.iter().rev().find_map(|decision| match &decision.outcome {
        Outcome::Wait { signing_digest, .. } => Some(*signing_digest),
        Outcome::Allow(grant) => Some(grant.signing_digest),
        _ => None,
    })
}

/// A change of authority in words; a policy document is compared with the one in force.
fn authority(change: &AuthorityChange, policy: &PolicyVersion) -> Vec<String> {
    let headline = "CHANGE OF AUTHORITY: who may do what changes".to_owned();
    let line = match change {
        AuthorityChange::Policy { document }
        | AuthorityChange::Roster { document }
        | AuthorityChange::AddressBook { document } => policy_change(document, policy),
        AuthorityChange::Thaw { key: None } => "Signing goes on for the whole cluster".to_owned(),
        AuthorityChange::Thaw { key: Some(key) } => format!("Signing goes on for key `{key}`"),
        AuthorityChange::Key(KeyCeremony::Create { key, .. }) => {
            format!("A new key `{key}` is born in the enclave")
        }
        AuthorityChange::Key(KeyCeremony::Backup { key, recipients }) => {
            let whom: Vec<_> = recipients.iter().map(ToString::to_string).collect();
            format!("A backup of key `{key}` is written that each of these can read: {}", whom.join(", "))
        }
        AuthorityChange::Key(KeyCeremony::Export { key, recipient }) => {
            format!("KEY `{key}` LEAVES THE ENCLAVE FOR GOOD, readable by {recipient}")
        }
        AuthorityChange::Key(KeyCeremony::Suspend { key }) => {
            format!("Key `{key}` signs nothing until it is resumed")
        }
        AuthorityChange::Key(KeyCeremony::Resume { key }) => format!("Suspended key `{key}` signs again"),
        AuthorityChange::Key(KeyCeremony::Destroy { key }) => {
            format!("KEY `{key}` IS WIPED FOR GOOD; only a backup that people hold could bring it back")
        }
    };
    vec![headline, line]
}

fn policy_change(document: &[u8], policy: &PolicyVersion) -> String {
    let next = match PolicyVersion::from_document(document) {
        Ok(next) => next,
        Err(error) => return format!("A policy document that does not parse: {} ({})", error, error.code()),
    };
    match check_next(policy, &next) {
        Ok(sections) => format!(
            "Policy version {} takes the place of version {}; these sections differ: {}",
            next.number,
            policy.number,
            sections.names().join(", ")
        ),
        Err(error) => format!("A policy version that cannot follow: {error}"),
    }
}

fn disagrees(what: &str, expected: &Digest, found: &Digest) -> Failure {
    Failure::new(
        "approve.disagrees",
        format!("{what} is not what the server says: computed here {expected}, the server says {found}"),
        "do NOT approve; the server lies or is broken: tell the others, and ask a node directly (--node)",
    )
}
