//! Answers the engine's effects: signs, verifies, and keeps what it wants done for the replica.

use std::sync::Arc;

use arc_malachitebft_core_consensus::{
    ConsensusMsg, Effect, Error, LivenessMsg, Resumable as _, Resume, SignedConsensusMsg,
};
use arc_malachitebft_core_types as mb;
use keystead_base::{ClusterId, Digest, HybridSignature, HybridSigner, KeyError, Name};
use keystead_decision::VoteSignature;

use super::certify;
use super::context::{EngineProposal, EngineVote, Mark, NodeKey, Protocol};
use super::convert::{
    Input, ballot, polka, proposal, record, round_of, round_proof, timeout_step, vote_parts,
};
use crate::ballot::{claim_message, vote_message};
use crate::{Ballot, Message, Misbehavior, Polka, Proposal, Record, RoundProof, Step, TimeoutStep};

/// Something that the engine wants done, in order.
#[derive(Debug)]
pub(crate) enum Act {
    /// Record it before anything that follows is sent.
    Record(Record),
    /// Send a proposal with its block.
    Propose(Proposal),
    /// Send a vote or a proof.
    Say(Message),
    /// Set a timer.
    Timer(TimeoutStep, u32),
    /// This node proposes in this round: build a block.
    WantsBlock(u32),
    /// A round begins.
    Round(u32, Name),
    /// A quorum agrees.
    Decided(Decided),
    /// A node said two things.
    Misbehaved(Misbehavior),
}

/// What a quorum agreed on.
#[derive(Debug)]
pub(crate) struct Decided {
    /// In which round.
    pub(crate) round: u32,
    /// The header's digest.
    pub(crate) header: Digest,
    /// The precommits, by node name ascending.
    pub(crate) votes: Vec<VoteSignature>,
}

/// Whether this node says anything at this height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// It does.
    Speaks,
    /// Something could not be signed, and later things rest on it: nothing more is said by this instance.
    Unsigned,
    /// Nothing is said any more at this height, whoever sits down: the engine contradicts its record, or the library
    /// signs wrongly.
    Broken,
}

/// The node's keys, and the list of what the engine wants.
#[derive(Debug)]
pub(super) struct Hands {
    cluster: ClusterId,
    signer: Arc<HybridSigner>,
    boot: u64,
    /// Whether there is no other node that could hear what this one says.
    alone: bool,
    /// What this instance signed itself, and for which words: it needs no second look.
    own: Vec<(Vec<u8>, HybridSignature)>,
    acts: Vec<Act>,
    pub(super) voice: Voice,
    /// Whether what happens is read from the record and not to be recorded again.
    pub(super) replays: bool,
}

type Answer = Result<Resume<Protocol>, Error<Protocol>>;

impl Hands {
    pub(super) fn new(cluster: ClusterId, signer: Arc<HybridSigner>, boot: u64, alone: bool) -> Self {
        let (own, acts) = (Vec::new(), Vec::new());
        Self { cluster, signer, boot, alone, own, acts, voice: Voice::Speaks, replays: false }
    }

    pub(super) fn take(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.acts)
    }

    /// One effect. Nothing in here may fail: the engine would go on as if it had succeeded.
    pub(super) fn handle(&mut self, effect: Effect<Protocol>) -> Answer {
        Ok(match effect {
            Effect::SignVote(vote, resume) => resume.resume_with(self.sign_vote(vote)),
            Effect::SignProposal(it, resume) => resume.resume_with(self.sign_proposal(it)),
            Effect::VerifySignature(signed, key, resume) => {
                resume.resume_with(self.holds(&signed.message, &signed.signature, &key))
            }
            Effect::VerifyCommitCertificate(it, members, thresholds, resume) => {
                resume.resume_with(certify::verify_commit(&it, &members, thresholds))
            }
            Effect::VerifyPolkaCertificate(it, members, thresholds, resume) => {
                resume.resume_with(certify::verify_polka(self.cluster, &it, &members, thresholds))
            }
            Effect::VerifyRoundCertificate(it, members, thresholds, resume) => {
                resume.resume_with(certify::verify_round(self.cluster, &it, &members, thresholds))
            }
            Effect::VerifyExtendedCommitCertificate(_, _, _, _, resume) => {
                resume.resume_with(Err(mb::CertificateError::VerificationError(None)))
            }
            Effect::ExtendVote(_, _, _, _, resume) => resume.resume_with(None),
            Effect::VerifyVoteExtension(_, _, _, _, _, _, resume) => resume.resume_with(Ok(())),
            other => {
                self.note(other);
                Resume::Continue
            }
        })
    }

    /// Effects that want no answer.
    fn note(&mut self, effect: Effect<Protocol>) {
        match effect {
            Effect::WalAppend(_, input, _) => {
                // INVARIANT S1: what is signed for the first time while the record is read is new to it.
                let is_new = !self.replays || self.has_signed(&input);
                self.acts.extend(record(input).filter(|_| is_new).map(Act::Record));
            }
            Effect::PublishConsensusMsg(SignedConsensusMsg::Vote(vote), _)
            | Effect::RepublishVote(vote, _) => {
                self.say_ballot(ballot(vote));
            }
            Effect::PublishConsensusMsg(SignedConsensusMsg::Proposal(it), _) => {
                self.acts.extend(self.speaks().then(|| Act::Propose(proposal(it))));
            }
            Effect::PublishLivenessMsg(message, _) => self.say_liveness(message),
            Effect::RepublishRoundCertificate(it, _) => self.say_round(round_proof(it)),
            Effect::ScheduleTimeout(timeout, _) => {
                let timer = timeout_step(timeout).map(|step| Act::Timer(step, round_of(timeout.round)));
                self.acts.extend(timer);
            }
            Effect::GetValue(_, round, _, _) => {
                self.acts.extend(self.speaks().then(|| Act::WantsBlock(round_of(round))));
            }
            Effect::StartRound(_, round, leader, _, _) => {
                self.acts.push(Act::Round(round_of(round), leader.0));
            }
            Effect::Decide(certificate, _, _) => self.decided(certificate),
            Effect::Finalize(_, _, evidence, _) => self.misbehaved(&evidence),
            // Stale timers do nothing; blocks travel with their proposals; the log is caught up with beside
            // the engine.
            _ => {}
        }
    }

    fn speaks(&self) -> bool {
        self.voice == Voice::Speaks
    }

    fn say_ballot(&mut self, ballot: Ballot) {
        if self.speaks() {
            self.acts.push(Act::Say(Message::Ballot(ballot)));
        }
    }

    fn say_round(&mut self, proof: RoundProof) {
        self.acts.push(Act::Say(Message::Round(proof)));
    }

    fn say_polka(&mut self, polka: Polka) {
        self.acts.push(Act::Say(Message::Polka(polka)));
    }

    fn say_liveness(&mut self, message: LivenessMsg<Protocol>) {
        match message {
            LivenessMsg::Vote(vote) => self.say_ballot(ballot(vote)),
            LivenessMsg::PolkaCertificate(it) => self.say_polka(polka(it)),
            LivenessMsg::SkipRoundCertificate(it) => self.say_round(round_proof(it)),
        }
    }

    fn decided(&mut self, certificate: mb::CommitCertificate<Protocol>) {
        let vote = |it: mb::CommitSignature<Protocol>| VoteSignature {
            node: it.address.0,
            signature: it.signature.0,
        };
        let mut votes: Vec<_> = certificate.commit_signatures.into_iter().map(vote).collect();
        votes.sort_by(|a, b| a.node.cmp(&b.node));
        let (round, header) = (round_of(certificate.round), certificate.value_id.0);
        self.acts.push(Act::Decided(Decided { round, header, votes }));
    }

    fn misbehaved(&mut self, evidence: &arc_malachitebft_core_consensus::MisbehaviorEvidence<Protocol>) {
        for node in evidence.votes.iter() {
            let Some((first, _)) = node.1.first() else { continue };
            let (_, (height, round), _) = vote_parts(&first.message);
            let it = Misbehavior { node: node.0.0.clone(), height, round, proposals: false };
            self.acts.push(Act::Misbehaved(it));
        }
        for node in evidence.proposals.iter() {
            let Some((first, _)) = node.1.first() else { continue };
            let (height, round) = (first.message.height.0, round_of(first.message.round));
            let it = Misbehavior { node: node.0.0.clone(), height, round, proposals: true };
            self.acts.push(Act::Misbehaved(it));
        }
    }

    fn sign_vote(&mut self, vote: EngineVote) -> mb::SignedVote<Protocol> {
        let (step, place, header) = vote_parts(&vote);
        let words = vote_message(self.cluster, step, place, header, self.boot);
        let mark = if step == Step::Precommit { self.sign(&words) } else { self.sign_for_others(words) };
        mb::SignedMessage::new(vote, mark)
    }

    fn sign_proposal(&mut self, it: EngineProposal) -> mb::SignedProposal<Protocol> {
        let place = (it.height.0, round_of(it.round));
        let valid_round = it.valid_round.as_u32();
        let words = claim_message(self.cluster, place, valid_round, it.value.0, self.boot);
        let mark = self.sign_for_others(words);
        mb::SignedMessage::new(it, mark)
    }

    /// A signature under a proposal or a prevote. They convince other nodes and nobody else: a node that is alone
    /// spares them. Its precommit is in the certificate, and is signed; so is all that the record is read for.
    fn sign_for_others(&mut self, words: Vec<u8>) -> Mark {
        if !self.alone || self.replays {
            return self.sign(&words);
        }
        let mark = void();
        self.own.push((words, mark.0.clone()));
        mark
    }

    /// A signature of this node. When there is none, a void one is counted and recorded by nobody, here included. The
    /// engine goes on as if it had spoken, so that from then on this instance says nothing and asks for no signature:
    /// whoever waits for a key that is away waits once.
    fn sign(&mut self, message: &[u8]) -> Mark {
        if !self.speaks() {
            return void();
        }
        match self.signer.sign(message) {
            Ok(signature) => {
                self.own.push((message.to_vec(), signature.clone()));
                Mark(signature)
            }
            Err(error) => {
                self.voice = match error {
                    KeyError::Away | KeyError::Busy | KeyError::Sign => Voice::Unsigned,
                    KeyError::Seed | KeyError::Unverified => Voice::Broken,
                };
                void()
            }
        }
    }

    /// Whether this instance signed it, and did not read it from the record.
    fn has_signed(&self, input: &Input) -> bool {
        match input {
            Input::Vote(vote) => self.is_own(&vote.signature),
            Input::Proposal(it) => self.is_own(&it.signature),
            _ => false,
        }
    }

    fn is_own(&self, mark: &Mark) -> bool {
        self.own.iter().any(|(_, signature)| *signature == mark.0)
    }

    /// INVARIANT S3: what this instance signed holds for this node and for those very words alone. Under another
    /// node's name, or over another header, a lying node would have it counted for what nobody said.
    fn holds(&self, message: &ConsensusMsg<Protocol>, mark: &Mark, key: &NodeKey) -> bool {
        let words = certify::words(self.cluster, message, key.boot);
        let is_own = |it: &(Vec<u8>, HybridSignature)| it.0 == words && it.1 == mark.0;
        let made_here = || self.own.iter().any(is_own) || self.spared(message, mark);
        let own = key.key == *self.signer.public() && made_here();
        own || key.key.verify(&words, &mark.0).is_ok()
    }

    /// INVARIANT S3: a node that is alone left these signatures out itself. Read from its own record, its words bind
    /// it as ever: it does not propose or vote a second time.
    fn spared(&self, message: &ConsensusMsg<Protocol>, mark: &Mark) -> bool {
        let for_others = match message {
            ConsensusMsg::Vote(vote) => vote_parts(vote).0 == Step::Prevote,
            ConsensusMsg::Proposal(_) => true,
        };
        self.alone && self.replays && for_others && *mark == void()
    }
}

/// No signature: no key verifies it.
fn void() -> Mark {
    Mark(HybridSignature::from_parts([0; 64], Box::new([0; keystead_base::ML_DSA_65_SIGNATURE_BYTES])))
}
