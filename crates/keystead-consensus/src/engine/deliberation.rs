//! The engine's work on one height.

use std::fmt;
use std::sync::Arc;

use arc_malachitebft_core_consensus as core;
use arc_malachitebft_core_types as mb;
use keystead_base::{ClusterId, Digest, HybridSigner, Name};
use keystead_policy::Roster;

use super::certify::thresholds;
use super::context::{HeaderId, Height, Members, Protocol, Voter};
use super::convert::{
    Input, judged, polka_certificate, recorded, round_certificate, signed_proposal, signed_vote, timeout,
};
use super::hands::{Act, Hands, Voice};
use crate::{Ballot, Polka, Proposal, Record, RoundProof, Timer};

/// Who sits at the table, and in which seat this node is.
pub(crate) struct Seat<'a> {
    pub(crate) cluster: ClusterId,
    pub(crate) height: u64,
    pub(crate) roster: &'a Roster,
    /// Who built the last block.
    pub(crate) last: Option<&'a Name>,
    pub(crate) me: &'a Name,
    pub(crate) signer: Arc<HybridSigner>,
    /// Whether this node votes, or only listens.
    pub(crate) votes: bool,
}

/// One height, from its start to its decision.
pub(crate) struct Deliberation {
    engine: core::State<Protocol>,
    hands: Hands,
    members: Members,
    height: u64,
}

impl Deliberation {
    /// Sits down; [`Self::start`] begins.
    pub(crate) fn new(seat: Seat<'_>) -> Self {
        let members = Members::new(seat.roster, seat.last, seat.height);
        let boot = seat.roster.node(seat.me).map(|node| node.boot).unwrap_or_default();
        let params = core::Params {
            address: Voter(seat.me.clone()),
            threshold_params: thresholds(members.len(), seat.roster.quorum),
            value_payload: mb::ValuePayload::ProposalAndParts,
            enabled: seat.votes,
        };
        let height = Height(seat.height);
        // Messages for later heights are kept by the replica, bounded for each node; the engine keeps none.
        let engine = core::State::new(Protocol, height, members.clone(), params, NO_QUEUE, NO_QUEUE);
        let hands = Hands::new(seat.cluster, seat.signer, boot, members.len() == 1);
        Self { engine, hands, members, height: seat.height }
    }

    /// Begins round 0, and says again what the record holds.
    pub(crate) fn start(&mut self, records: Vec<Record>) -> Vec<Act> {
        let height = self.height;
        let inputs: Vec<Input> = records.into_iter().filter_map(|it| recorded(it, height)).collect();
        self.engine.index_wal_entries(&inputs);
        self.hands.replays = true;
        let members = self.members.clone();
        self.feed(core::Input::StartHeight(
            Height(height),
            members,
            false,
            None,
            mb::VoteExtensionPolicy::Disabled,
        ));
        for input in inputs {
            self.feed(input);
        }
        self.engine.reset_entries_index();
        self.hands.replays = false;
        self.acts()
    }

    /// A vote of another node.
    pub(crate) fn ballot(&mut self, ballot: Ballot) -> Vec<Act> {
        self.feed(core::Input::Vote(signed_vote(ballot)));
        self.acts()
    }

    /// A proposal of another node.
    pub(crate) fn proposal(&mut self, proposal: Proposal) -> Vec<Act> {
        self.feed(core::Input::Proposal(signed_proposal(proposal)));
        self.acts()
    }

    /// This node's verdict on a proposed block.
    pub(crate) fn judged(
        &mut self,
        rounds: (u32, Option<u32>),
        proposer: Name,
        header: Digest,
        valid: bool,
    ) -> Vec<Act> {
        let value = judged(self.height, rounds, Voter(proposer), header, valid);
        self.feed(core::Input::ProposedValue(value, mb::ValueOrigin::Consensus));
        self.acts()
    }

    /// This node's own block.
    pub(crate) fn propose(&mut self, round: u32, header: Digest) -> Vec<Act> {
        let (height, round) = (Height(self.height), mb::Round::new(round));
        self.feed(core::Input::Propose(core::LocallyProposedValue::new(height, round, HeaderId(header))));
        self.acts()
    }

    /// A quorum's prevotes.
    pub(crate) fn polka(&mut self, polka: Polka) -> Vec<Act> {
        self.feed(core::Input::PolkaCertificate(polka_certificate(polka)));
        self.acts()
    }

    /// What justifies a round.
    pub(crate) fn round_proof(&mut self, proof: RoundProof) -> Vec<Act> {
        if let Some(certificate) = round_certificate(proof) {
            self.feed(core::Input::RoundCertificate(certificate));
        }
        self.acts()
    }

    /// A timer ran out.
    pub(crate) fn timer(&mut self, timer: Timer) -> Vec<Act> {
        if timer.height == self.height {
            self.feed(core::Input::TimeoutElapsed(timeout(timer.step, timer.round)));
        }
        self.acts()
    }

    /// Whether the block that this node was asked to build is still waited for.
    pub(crate) fn awaits_block(&self, round: u32) -> bool {
        self.engine.round() == mb::Round::new(round) && self.engine.driver.step_is_propose()
    }

    /// The round under way.
    pub(crate) fn round(&self) -> u32 {
        self.engine.round().as_u32().unwrap_or_default()
    }

    /// Who proposes in a round.
    pub(crate) fn leader(&self, round: u32) -> Option<&Name> {
        self.members.leader(round).map(|it| &it.voter.0)
    }

    /// Whether it fell silent for want of a signature, and speaks again once somebody sits down anew.
    pub(crate) fn is_unsigned(&self) -> bool {
        self.hands.voice == Voice::Unsigned
    }

    fn acts(&mut self) -> Vec<Act> {
        self.hands.take()
    }

    fn feed(&mut self, input: Input) {
        let Self { engine, hands, .. } = self;
        let result: Result<(), core::Error<Protocol>> = core::process!(
            input: input,
            state: &mut *engine,
            metrics: &(),
            with: effect => hands.handle(effect)
        );
        // INVARIANT S3: an engine that contradicts its own record says nothing more at this height.
        if result.is_err() {
            hands.voice = Voice::Broken;
        }
    }
}

impl fmt::Debug for Deliberation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliberation")
            .field("height", &self.height)
            .field("round", &self.engine.round())
            .finish()
    }
}

/// The smallest queue that the engine can have.
const NO_QUEUE: usize = 1;
