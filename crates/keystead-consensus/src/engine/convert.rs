//! Between the engine's types and ours.

use arc_malachitebft_core_consensus as core;
use arc_malachitebft_core_types as mb;
use keystead_decision::VoteSignature;

use super::context::{EngineProposal, EngineVote, HeaderId, Height, Mark, Protocol, Voter};
use crate::{Ballot, Polka, Proposal, Record, RoundKind, RoundProof, Step, TimeoutStep};

pub(super) type SignedVote = mb::SignedVote<Protocol>;
pub(super) type SignedProposal = mb::SignedProposal<Protocol>;
pub(super) type Input = core::Input<Protocol>;

pub(super) fn round_of(round: mb::Round) -> u32 {
    round.as_u32().unwrap_or_default()
}

fn engine_round(round: Option<u32>) -> mb::Round {
    round.map_or(mb::Round::Nil, mb::Round::new)
}

fn value(header: Option<keystead_base::Digest>) -> mb::NilOrVal<HeaderId> {
    header.map_or(mb::NilOrVal::Nil, |it| mb::NilOrVal::Val(HeaderId(it)))
}

fn header(value: &mb::NilOrVal<HeaderId>) -> Option<keystead_base::Digest> {
    match value {
        mb::NilOrVal::Nil => None,
        mb::NilOrVal::Val(id) => Some(id.0),
    }
}

fn step(kind: mb::VoteType) -> Step {
    match kind {
        mb::VoteType::Prevote => Step::Prevote,
        mb::VoteType::Precommit => Step::Precommit,
    }
}

fn kind(step: Step) -> mb::VoteType {
    match step {
        Step::Prevote => mb::VoteType::Prevote,
        Step::Precommit => mb::VoteType::Precommit,
    }
}

pub(super) fn vote_parts(vote: &EngineVote) -> (Step, (u64, u32), Option<keystead_base::Digest>) {
    (step(vote.kind), (vote.height.0, round_of(vote.round)), header(&vote.value))
}

pub(super) fn ballot(signed: SignedVote) -> Ballot {
    let (step, (height, round), header) = vote_parts(&signed.message);
    Ballot { step, height, round, header, node: signed.message.node.0, signature: signed.signature.0 }
}

pub(super) fn signed_vote(ballot: Ballot) -> SignedVote {
    let vote = EngineVote {
        kind: kind(ballot.step),
        height: Height(ballot.height),
        round: mb::Round::new(ballot.round),
        value: value(ballot.header),
        node: Voter(ballot.node),
    };
    mb::SignedMessage::new(vote, Mark(ballot.signature))
}

pub(super) fn proposal(signed: SignedProposal) -> Proposal {
    let it = signed.message;
    Proposal {
        height: it.height.0,
        round: round_of(it.round),
        valid_round: it.valid_round.as_u32(),
        header: it.value.0,
        node: it.node.0,
        signature: signed.signature.0,
    }
}

pub(super) fn signed_proposal(proposal: Proposal) -> SignedProposal {
    let it = EngineProposal {
        height: Height(proposal.height),
        round: mb::Round::new(proposal.round),
        value: HeaderId(proposal.header),
        valid_round: engine_round(proposal.valid_round),
        node: Voter(proposal.node),
    };
    mb::SignedMessage::new(it, Mark(proposal.signature))
}

pub(super) fn polka(certificate: mb::PolkaCertificate<Protocol>) -> Polka {
    let vote =
        |it: mb::PolkaSignature<Protocol>| VoteSignature { node: it.address.0, signature: it.signature.0 };
    Polka {
        height: certificate.height.0,
        round: round_of(certificate.round),
        header: certificate.value_id.0,
        votes: certificate.polka_signatures.into_iter().map(vote).collect(),
    }
}

pub(super) fn polka_certificate(polka: Polka) -> mb::PolkaCertificate<Protocol> {
    let vote = |it: VoteSignature| mb::PolkaSignature::new(Voter(it.node), Mark(it.signature));
    mb::PolkaCertificate {
        height: Height(polka.height),
        round: mb::Round::new(polka.round),
        value_id: HeaderId(polka.header),
        polka_signatures: polka.votes.into_iter().map(vote).collect(),
    }
}

pub(super) fn round_proof(certificate: mb::RoundCertificate<Protocol>) -> RoundProof {
    let (height, round) = (certificate.height.0, round_of(certificate.round));
    let ballot = |it: mb::RoundSignature<Protocol>| Ballot {
        step: step(it.vote_type),
        height,
        round,
        header: header(&it.value_id),
        node: it.address.0,
        signature: it.signature.0,
    };
    let kind = match certificate.cert_type {
        mb::RoundCertificateType::Skip => RoundKind::Skip,
        mb::RoundCertificateType::Precommit => RoundKind::Precommit,
    };
    let ballots = certificate.round_signatures.into_iter().map(ballot).collect();
    RoundProof { height, round, kind, ballots }
}

/// `None` when a ballot is of another height or round than the proof.
pub(super) fn round_certificate(proof: RoundProof) -> Option<mb::RoundCertificate<Protocol>> {
    let place = (proof.height, proof.round);
    if proof.ballots.iter().any(|it| it.place() != place) {
        return None;
    }
    let vote = |it: Ballot| {
        mb::RoundSignature::new(kind(it.step), value(it.header), Voter(it.node), Mark(it.signature))
    };
    let cert_type = match proof.kind {
        RoundKind::Skip => mb::RoundCertificateType::Skip,
        RoundKind::Precommit => mb::RoundCertificateType::Precommit,
    };
    Some(mb::RoundCertificate {
        height: Height(proof.height),
        round: mb::Round::new(proof.round),
        cert_type,
        round_signatures: proof.ballots.into_iter().map(vote).collect(),
    })
}

/// `None` for the engine's times that we do not use.
pub(super) fn timeout_step(timeout: mb::Timeout) -> Option<TimeoutStep> {
    match timeout.kind {
        mb::TimeoutKind::Propose => Some(TimeoutStep::Propose),
        mb::TimeoutKind::Prevote => Some(TimeoutStep::Prevote),
        mb::TimeoutKind::Precommit => Some(TimeoutStep::Precommit),
        mb::TimeoutKind::Rebroadcast => Some(TimeoutStep::Rebroadcast),
        mb::TimeoutKind::FinalizeHeight(_) => None,
    }
}

pub(super) fn timeout(step: TimeoutStep, round: u32) -> mb::Timeout {
    let kind = match step {
        TimeoutStep::Propose => mb::TimeoutKind::Propose,
        TimeoutStep::Prevote => mb::TimeoutKind::Prevote,
        TimeoutStep::Precommit => mb::TimeoutKind::Precommit,
        TimeoutStep::Rebroadcast => mb::TimeoutKind::Rebroadcast,
    };
    mb::Timeout::new(mb::Round::new(round), kind)
}

/// What the engine wants recorded; `None` for inputs that it does not record.
pub(super) fn record(input: Input) -> Option<Record> {
    match input {
        core::Input::Vote(vote) => Some(Record::Ballot(ballot(vote))),
        core::Input::Proposal(signed) => Some(Record::Proposal(Box::new(proposal(signed)))),
        core::Input::PolkaCertificate(certificate) => Some(Record::Polka(polka(certificate))),
        core::Input::TimeoutElapsed(timeout) => {
            timeout_step(timeout).map(|step| Record::Timeout { step, round: round_of(timeout.round) })
        }
        core::Input::ProposedValue(it, _) => Some(Record::Judged {
            round: round_of(it.round),
            valid_round: it.valid_round.as_u32(),
            proposer: it.proposer.0,
            header: it.value.0,
            valid: it.validity.is_valid(),
        }),
        core::Input::StartHeight(..)
        | core::Input::RoundCertificate(_)
        | core::Input::Propose(_)
        | core::Input::SyncValueResponse(_) => None,
    }
}

/// A recorded line as the engine's input; `None` for blocks, which are judged beside it.
pub(super) fn recorded(record: Record, height: u64) -> Option<Input> {
    match record {
        Record::Block(_) => None,
        Record::Judged { round, valid_round, proposer, header, valid } => Some(core::Input::ProposedValue(
            judged(height, (round, valid_round), Voter(proposer), header, valid),
            mb::ValueOrigin::Consensus,
        )),
        Record::Proposal(it) => Some(core::Input::Proposal(signed_proposal(*it))),
        Record::Ballot(it) => Some(core::Input::Vote(signed_vote(it))),
        Record::Polka(it) => Some(core::Input::PolkaCertificate(polka_certificate(it))),
        Record::Timeout { step, round } => Some(core::Input::TimeoutElapsed(timeout(step, round))),
    }
}

pub(super) fn judged(
    height: u64,
    (round, valid_round): (u32, Option<u32>),
    proposer: Voter,
    header: keystead_base::Digest,
    valid: bool,
) -> core::ProposedValue<Protocol> {
    core::ProposedValue {
        height: Height(height),
        round: mb::Round::new(round),
        valid_round: engine_round(valid_round),
        proposer,
        value: HeaderId(header),
        validity: mb::Validity::from_bool(valid),
    }
}
