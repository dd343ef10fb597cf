//! What this program reads for an approver: the policy from the pinned genesis on, the request from its bytes (S2).

use std::path::Path;

use alloy_primitives::Address;
use keystead_approver::{ReviewError, Reviewed};
use keystead_base::{Canonical as _, Digest, RequestId, merkle};
use keystead_chain::AssetIndex;
use keystead_decision::{Decision, Entry, LightClient, SignedGenesis, Transition, leaves};
use keystead_intent::{AccountRef, Effects};
use keystead_policy::PolicyVersion;
use keystead_wire::RequestDetail;
use keystead_words::{DescriptorError, Language, Library, MAX_DESCRIPTOR_BYTES};

use crate::config::Config;
use crate::failure::{Advise as _, Failure};
use crate::link::Link;
use crate::{anchoring, member, outside, table};

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

/// INVARIANT S14: whether an order to freeze is in the log and in force, by what a quorum signed; gives the block's
/// height. Neither a node's word nor a coordinator's is believed: the block holds this very order, its header
/// names what it froze, and the votes on it are those of the roster, followed from the pinned genesis.
pub(crate) async fn frozen(
    config: &Config,
    link: &Link,
    order: &Entry,
    decisions: &[Decision],
) -> Result<u64, Failure> {
    let Entry::Freeze(signed) = order else { return Err(unproven("this is no order to freeze")) };
    let decision = decisions.first().ok_or_else(|| unproven("no decision came back"))?;
    let mut log = follow(config, link, &member::genesis(config)?, decision.policy.number).await?;
    let block =
        link.block(decision.height).await?.ok_or_else(|| unproven("the block of it was not shown"))?;
    let header = &block.commit.header;
    if merkle::root(&leaves(&block.entries)) != header.entries || !block.entries.contains(order) {
        return Err(unproven("the block that was shown does not hold the order"));
    }
    log.advance(&block.commit)?;
    let holds = match &signed.body.key {
        Some(key) => header.frozen.holds(key),
        None => header.frozen.everything,
    };
    match holds {
        true => Ok(header.height),
        false => Err(unproven("the block holds the order, and did not freeze what it names")),
    }
}

fn unproven(what: &str) -> Failure {
    Failure::new("freeze.unproven", what, "ask a node directly (--node)")
}

/// Every change of policy by the block that committed it.
async fn follow(
    config: &Config,
    link: &Link,
    genesis: &SignedGenesis,
    last: u64,
) -> Result<LightClient, Failure> {
    let mut log = LightClient::new(genesis, config.cluster)?;
    let rebuilt = member::rebuilt(config, genesis)?;
    let mut from = 1;
    while log.policy().number < last {
        let blocks = link.blocks(from).await?;
        if blocks.is_empty() {
            let what = format!("the log of the node ends before policy version {last} begins");
            return Err(Failure::new("review.policy", what, "ask another node"));
        }
        from += blocks.len() as u64;
        for block in blocks {
            let number = block.commit.header.policy.number;
            if number > log.policy().number {
                let policy = link.policy(Some(number)).await?;
                let transition = Transition::of(block.commit, policy, &block.entries);
                if let Some(it) = &transition.rebuild {
                    anchoring::leads(config.anchor, &it.rebuild, rebuilt.as_ref())?;
                }
                log.follow(&transition)?;
            }
        }
    }
    Ok(log)
}

/// The bundled descriptors, and those of the folder `descriptors` beside `keystead.toml`.
pub(crate) fn library(dir: &Path, language: Language) -> Result<Library, Failure> {
    let mut library = Library::bundled(language)?;
    for path in outside::json_files(&dir.join("descriptors"), MAX_DESCRIPTOR_FILES)? {
        let file = path.display().to_string();
        library.add(&descriptor(&path)?).advise(&format!("mend {file}, or take it out of the folder"))?;
    }
    Ok(library)
}

/// The bytes of a descriptor's file; of one that is too long none are read.
pub(crate) fn descriptor(path: &Path) -> Result<Vec<u8>, Failure> {
    let found = std::fs::metadata(path).map_err(|error| Failure::file(path, &error))?.len();
    match usize::try_from(found) {
        Ok(found) if found <= MAX_DESCRIPTOR_BYTES => outside::read(path),
        found => {
            let found = found.unwrap_or(usize::MAX);
            Err(DescriptorError::TooLong { limit: MAX_DESCRIPTOR_BYTES, found }.into())
        }
    }
}

/// Reads a request with [`keystead_approver::review`]; the words are fit for a terminal.
pub(crate) fn understand(
    asked: RequestId,
    detail: &RequestDetail,
    policy: PolicyVersion,
    library: &Library,
) -> Result<Reviewed, Failure> {
    let reviewed = keystead_approver::review(asked, detail, policy, library).map_err(refused)?;
    let lines = reviewed.lines.iter().map(|line| table::plain(line)).collect();
    Ok(Reviewed { lines, ..reviewed })
}

/// The plain words of effects, fit for a terminal.
pub(crate) fn words(
    effects: &Effects,
    registry: &AssetIndex,
    policy: &PolicyVersion,
    own: Option<(Address, &AccountRef)>,
    language: Language,
) -> Vec<String> {
    let lines = keystead_approver::effect_words(effects, registry, policy, own, language);
    lines.iter().map(|it| table::plain(it)).collect()
}

fn refused(error: ReviewError) -> Failure {
    let next = match error {
        ReviewError::Request { .. } | ReviewError::Digest { .. } => LIES,
        ReviewError::NoAddress => "the key is not active yet",
        ReviewError::Build(_)
        | ReviewError::Spend(_)
        | ReviewError::Message(_)
        | ReviewError::Near(_)
        | ReviewError::Registry(_) => "do NOT approve what nobody can read; reject it",
    };
    Failure { next: next.to_owned(), ..error.into() }
}

fn disagrees(what: &str, expected: &Digest, found: &Digest) -> Failure {
    let what =
        format!("{what} is not what the server says: computed here {expected}, the server says {found}");
    Failure::new("review.policy", what, LIES)
}

const LIES: &str =
    "do NOT approve; the server lies or is broken: tell the others, and ask a node directly (--node)";
/// The most descriptors of one folder.
const MAX_DESCRIPTOR_FILES: usize = 256;
