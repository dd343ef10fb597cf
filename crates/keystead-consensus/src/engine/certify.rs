//! Verifies votes, proposals and what is made of them, before the engine counts them.

use std::collections::BTreeSet;

use arc_malachitebft_core_consensus as core;
use arc_malachitebft_core_types as mb;
use keystead_base::ClusterId;

use super::context::{EngineVote, HeaderId, Mark, Members, NodeKey, Protocol, Voter};
use super::convert::{round_of, vote_parts};
use crate::ballot::{claim_message, vote_message};

type Error = mb::CertificateError<Protocol>;

/// The thresholds of a roster: `quorum` votes, and so many that one of the voters is honest.
pub(super) fn thresholds(nodes: usize, quorum: u32) -> mb::ThresholdParams {
    let total = nodes.max(1) as u64;
    let count = u32::try_from(nodes).unwrap_or(u32::MAX);
    let more_than = |weight: u64| mb::ThresholdParam::new(weight, total);
    mb::ThresholdParams {
        quorum: more_than(u64::from(quorum).saturating_sub(1)),
        honest: more_than(u64::from(crate::lying_withstood(count, quorum))),
    }
}

/// Whether a message carries the signature of the node that it names.
fn is_signed(cluster: ClusterId, message: &core::ConsensusMsg<Protocol>, mark: &Mark, key: &NodeKey) -> bool {
    key.key.verify(&words(cluster, message, key.boot), &mark.0).is_ok()
}

/// The bytes that a node with this boot number signs for a message. They do not name the node: its key does.
pub(super) fn words(cluster: ClusterId, message: &core::ConsensusMsg<Protocol>, boot: u64) -> Vec<u8> {
    match message {
        core::ConsensusMsg::Vote(vote) => {
            let (step, place, header) = vote_parts(vote);
            vote_message(cluster, step, place, header, boot)
        }
        core::ConsensusMsg::Proposal(it) => {
            let place = (it.height.0, round_of(it.round));
            claim_message(cluster, place, it.valid_round.as_u32(), it.value.0, boot)
        }
    }
}

/// The voting power of the nodes that signed these votes, each counted once.
fn weigh<'a>(
    cluster: ClusterId,
    members: &Members,
    votes: impl Iterator<Item = (EngineVote, &'a Mark)>,
    wrong: impl Fn(&Voter, &Mark) -> Error,
) -> Result<mb::VotingPower, Error> {
    let mut seen = BTreeSet::new();
    for (vote, mark) in votes {
        let voter = vote.node.clone();
        let member = members.member(&voter.0).ok_or_else(|| Error::UnknownValidator(voter.clone()))?;
        if !seen.insert(voter.clone()) {
            return Err(Error::DuplicateVote(voter));
        }
        if !is_signed(cluster, &core::ConsensusMsg::Vote(vote), mark, &member.key) {
            return Err(wrong(&voter, mark));
        }
    }
    Ok(seen.len() as u64)
}

fn enough(signed: u64, members: &Members, threshold: mb::ThresholdParam) -> Result<(), Error> {
    let total = members.len() as u64;
    if threshold.is_met(signed, total) {
        return Ok(());
    }
    Err(Error::NotEnoughVotingPower { signed, total, expected: threshold.min_expected(total) })
}

/// A quorum's prevotes.
pub(super) fn verify_polka(
    cluster: ClusterId,
    it: &mb::PolkaCertificate<Protocol>,
    members: &Members,
    thresholds: mb::ThresholdParams,
) -> Result<(), Error> {
    let vote = |signature: &mb::PolkaSignature<Protocol>| EngineVote {
        kind: mb::VoteType::Prevote,
        height: it.height,
        round: it.round,
        value: mb::NilOrVal::Val(it.value_id),
        node: signature.address.clone(),
    };
    let votes = it.polka_signatures.iter().map(|signature| (vote(signature), &signature.signature));
    let wrong = |voter: &Voter, mark: &Mark| {
        Error::InvalidPolkaSignature(mb::PolkaSignature::new(voter.clone(), mark.clone()))
    };
    enough(weigh(cluster, members, votes, wrong)?, members, thresholds.quorum)
}

/// The votes that justify a round.
pub(super) fn verify_round(
    cluster: ClusterId,
    it: &mb::RoundCertificate<Protocol>,
    members: &Members,
    thresholds: mb::ThresholdParams,
) -> Result<(), Error> {
    let threshold = match it.cert_type {
        mb::RoundCertificateType::Skip => thresholds.honest,
        mb::RoundCertificateType::Precommit => thresholds.quorum,
    };
    let needs_precommits = it.cert_type == mb::RoundCertificateType::Precommit;
    if let Some(wrong) = it
        .round_signatures
        .iter()
        .find(|signature| needs_precommits && signature.vote_type == mb::VoteType::Prevote)
    {
        return Err(Error::InvalidVoteType(wrong.address.clone()));
    }
    let vote = |signature: &mb::RoundSignature<Protocol>| EngineVote {
        kind: signature.vote_type,
        height: it.height,
        round: it.round,
        value: signature.value_id,
        node: signature.address.clone(),
    };
    let votes = it.round_signatures.iter().map(|signature| (vote(signature), &signature.signature));
    let wrong = |voter: &Voter, mark: &Mark| {
        let (kind, value) = (mb::VoteType::Prevote, mb::NilOrVal::<HeaderId>::Nil);
        Error::InvalidRoundSignature(mb::RoundSignature::new(kind, value, voter.clone(), mark.clone()))
    };
    enough(weigh(cluster, members, votes, wrong)?, members, threshold)
}

/// A quorum's precommits.
///
/// The engine asks this only of votes that it verified one by one when they came; they are counted again.
pub(super) fn verify_commit(
    it: &mb::CommitCertificate<Protocol>,
    members: &Members,
    thresholds: mb::ThresholdParams,
) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for signature in &it.commit_signatures {
        let voter = signature.address.clone();
        if members.member(&voter.0).is_none() {
            return Err(Error::UnknownValidator(voter));
        }
        if !seen.insert(voter.clone()) {
            return Err(Error::DuplicateVote(voter));
        }
    }
    enough(seen.len() as u64, members, thresholds.quorum)
}
