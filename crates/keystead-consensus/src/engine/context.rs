//! The engine's type parameters, filled with our words.

use std::fmt;

use arc_malachitebft_core_types as mb;
use keystead_base::{Digest, HybridPublicKey, HybridSignature, Name};
use keystead_policy::Roster;

/// The engine's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Protocol;

/// A node, as the engine addresses it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Voter(pub(crate) Name);

impl fmt::Display for Voter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl mb::Address for Voter {}

/// A height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Height(pub(crate) u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl mb::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

/// What is decided about: a header's digest. The block travels and is judged beside the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HeaderId(pub(crate) Digest);

impl fmt::Display for HeaderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl mb::Value for HeaderId {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

/// A vote inside the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EngineVote {
    pub(crate) kind: mb::VoteType,
    pub(crate) height: Height,
    pub(crate) round: mb::Round,
    pub(crate) value: mb::NilOrVal<HeaderId>,
    pub(crate) node: Voter,
}

impl mb::Vote<Protocol> for EngineVote {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> mb::Round {
        self.round
    }

    fn value(&self) -> &mb::NilOrVal<HeaderId> {
        &self.value
    }

    fn take_value(self) -> mb::NilOrVal<HeaderId> {
        self.value
    }

    fn vote_type(&self) -> mb::VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Voter {
        &self.node
    }

    fn extension(&self) -> Option<&mb::SignedExtension<Protocol>> {
        None
    }

    fn take_extension(&mut self) -> Option<mb::SignedExtension<Protocol>> {
        None
    }

    fn extend(self, _extension: mb::SignedExtension<Protocol>) -> Self {
        self
    }
}

/// A proposal inside the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EngineProposal {
    pub(crate) height: Height,
    pub(crate) round: mb::Round,
    pub(crate) value: HeaderId,
    pub(crate) valid_round: mb::Round,
    pub(crate) node: Voter,
}

impl mb::Proposal<Protocol> for EngineProposal {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> mb::Round {
        self.round
    }

    fn value(&self) -> &HeaderId {
        &self.value
    }

    fn take_value(self) -> HeaderId {
        self.value
    }

    fn pol_round(&self) -> mb::Round {
        self.valid_round
    }

    fn validator_address(&self) -> &Voter {
        &self.node
    }
}

/// Blocks do not travel in parts of the engine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoPart;

impl mb::ProposalPart<Protocol> for NoPart {
    fn is_first(&self) -> bool {
        true
    }

    fn is_last(&self) -> bool {
        true
    }
}

/// A node's key, and the boot number that its votes name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeKey {
    pub(crate) key: HybridPublicKey,
    pub(crate) boot: u64,
}

/// A node of the roster: one vote each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) voter: Voter,
    pub(crate) key: NodeKey,
}

impl mb::Validator<Protocol> for Member {
    fn address(&self) -> &Voter {
        &self.voter
    }

    fn public_key(&self) -> &NodeKey {
        &self.key
    }

    fn voting_power(&self) -> mb::VotingPower {
        1
    }
}

/// The nodes that decide about one height, and who of them proposes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members {
    members: Vec<Member>,
    first: usize,
}

impl Members {
    /// The roster's nodes. The last block's builder goes on, so that a node that is down costs time once and
    /// not at each of its turns; every [`TURN_HEIGHTS`] the turn passes on, so that nobody keeps it for ever.
    pub(crate) fn new(roster: &Roster, last: Option<&Name>, height: u64) -> Self {
        let member = |node: &keystead_policy::Node| Member {
            voter: Voter(node.name.clone()),
            key: NodeKey { key: node.key.clone(), boot: node.boot },
        };
        let members: Vec<Member> = roster.nodes.iter().map(member).collect();
        let place = last.and_then(|name| members.iter().position(|it| &it.voter.0 == name));
        let passes_on = usize::from(height.is_multiple_of(TURN_HEIGHTS));
        Self { members, first: place.unwrap_or_default() + passes_on }
    }

    /// Who proposes in a round.
    pub(crate) fn leader(&self, round: u32) -> Option<&Member> {
        let turn = self.first.checked_add(usize::try_from(round).ok()?)?;
        self.members.get(turn.checked_rem(self.members.len())?)
    }

    /// The node of this name.
    pub(crate) fn member(&self, name: &Name) -> Option<&Member> {
        self.members.iter().find(|it| &it.voter.0 == name)
    }

    /// The number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }
}

impl mb::ValidatorSet<Protocol> for Members {
    fn count(&self) -> usize {
        self.members.len()
    }

    fn total_voting_power(&self) -> mb::VotingPower {
        self.members.len() as u64
    }

    fn get_by_address(&self, address: &Voter) -> Option<&Member> {
        self.member(&address.0)
    }

    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.members.get(index)
    }
}

/// A hybrid signature, ordered by its bytes because the engine sorts votes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark(pub(crate) HybridSignature);

impl Ord for Mark {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let parts = |it: &Self| (*it.0.ed25519(), it.0.ml_dsa_65().to_vec());
        parts(self).cmp(&parts(other))
    }
}

impl PartialOrd for Mark {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Ed25519 and ML-DSA-65 together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hybrid;

impl mb::SigningScheme for Hybrid {
    type DecodingError = borsh::io::Error;
    type Signature = Mark;
    type PublicKey = NodeKey;
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<Mark, borsh::io::Error> {
        borsh::from_slice(bytes).map(Mark)
    }

    fn encode_signature(signature: &Mark) -> Vec<u8> {
        borsh::to_vec(&signature.0).unwrap_or_default()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<NodeKey, borsh::io::Error> {
        borsh::from_slice(bytes).map(|(key, boot)| NodeKey { key, boot })
    }

    fn encode_public_key(key: &NodeKey) -> Vec<u8> {
        borsh::to_vec(&(&key.key, key.boot)).unwrap_or_default()
    }
}

impl mb::Context for Protocol {
    type Address = Voter;
    type Height = Height;
    type ProposalPart = NoPart;
    type Proposal = EngineProposal;
    type Validator = Member;
    type ValidatorSet = Members;
    type Timeouts = mb::LinearTimeouts;
    type Value = HeaderId;
    type Vote = EngineVote;
    type Extension = ();
    type SigningScheme = Hybrid;

    fn select_proposer<'a>(&self, members: &'a Members, _height: Height, round: mb::Round) -> &'a Member {
        let leader = members.leader(round.as_u32().unwrap_or_default());
        #[expect(
            clippy::expect_used,
            reason = "the engine starts no height without members, and wants a reference"
        )]
        leader.expect("a height is decided by at least one node")
    }

    fn new_proposal(
        &self,
        height: Height,
        round: mb::Round,
        value: HeaderId,
        valid_round: mb::Round,
        node: Voter,
    ) -> EngineProposal {
        EngineProposal { height, round, value, valid_round, node }
    }

    fn new_prevote(
        &self,
        height: Height,
        round: mb::Round,
        value: mb::NilOrVal<HeaderId>,
        node: Voter,
    ) -> EngineVote {
        EngineVote { kind: mb::VoteType::Prevote, height, round, value, node }
    }

    fn new_precommit(
        &self,
        height: Height,
        round: mb::Round,
        value: mb::NilOrVal<HeaderId>,
        node: Voter,
    ) -> EngineVote {
        EngineVote { kind: mb::VoteType::Precommit, height, round, value, node }
    }
}

/// After so many heights the turn to propose passes on.
const TURN_HEIGHTS: u64 = 64;
