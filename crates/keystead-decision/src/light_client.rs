//! The light client: what a signing back end checks for itself before it touches a key (S3).
//!
//! It starts from the pinned genesis, follows policy versions by their own commits, and believes
//! nothing else: not the node that it runs under, not the coordinator.

use keystead_base::{Canonical, ClusterId, Digest, Name, Timestamp, merkle, signing_message};
use keystead_policy::{AssuranceLevel, Feature, FreshHeadDemand, PolicyRef, PolicyVersion, Roster};

use crate::fresh::{Asked, is_recent, place};
use crate::{
    CeremonyPermit, Certificate, Commit, ConvenedPermit, Decision, FreshAnswer, Frozen, Grant, Header,
    HeldPermit, LightError, Outcome, SignedGenesis, SignedRebuild, SigningPermit, Transition, Vote,
};

/// What is known of the log.
#[derive(Debug)]
pub struct LightClient {
    cluster: ClusterId,
    policy: PolicyRef,
    /// The version in force: who votes, and who could sign a rebuild.
    version: PolicyVersion,
    /// How fresh the head must be under which this back end signs.
    demand: FreshHeadDemand,
    height: u64,
    time: Timestamp,
    frozen: Frozen,
    /// The header verified last: a block's votes are checked once, however many grants it holds.
    head: Option<Digest>,
    /// The nonce that is out.
    asked: Option<Asked>,
    /// The newest head that a quorum confirmed.
    confirmed: Option<Confirmed>,
}

/// A head that a quorum called its newest.
#[derive(Debug)]
struct Confirmed {
    height: u64,
    frozen: Frozen,
    round: Option<Round>,
}

/// The signatures that rest on one nonce where policy asks for each: those of one block, for a short time.
#[derive(Debug)]
struct Round {
    /// When the nonce was drawn.
    at: Timestamp,
    /// The block, from the first one shown on.
    block: Option<Digest>,
}

impl LightClient {
    /// Starts from the genesis that the back end is pinned to.
    ///
    /// # Errors
    ///
    /// [`LightError::Genesis`] when it is another one, or its signatures fail.
    pub fn new(signed: &SignedGenesis, pinned: ClusterId) -> Result<Self, LightError> {
        let (genesis, cluster) = signed.verify()?;
        if cluster != pinned {
            return Err(LightError::Cluster { expected: pinned, found: cluster });
        }
        Ok(Self {
            cluster,
            policy: genesis.policy.reference(),
            version: genesis.policy.clone(),
            demand: genesis.policy.fresh_head(HOME),
            height: 0,
            time: genesis.created,
            frozen: Frozen::default(),
            head: None,
            asked: None,
            confirmed: None,
        })
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The policy version in force, as far as this client was told.
    #[must_use]
    pub fn policy(&self) -> PolicyRef {
        self.policy
    }

    /// The roster in force, as far as this client was told.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.version.roster
    }

    /// The policy version in force itself.
    #[must_use]
    pub fn version(&self) -> &PolicyVersion {
        &self.version
    }

    /// The protections that the policy in force demands of a kind of key home.
    #[must_use]
    pub fn required(&self, level: AssuranceLevel) -> &[Feature] {
        self.version.protections.iter().find(|it| it.level == level).map_or(&[], |it| it.features.as_slice())
    }

    /// The height of the newest header verified.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.height
    }

    /// The height and the digest of the newest header verified; none before the first.
    #[must_use]
    pub fn head(&self) -> Option<(u64, Digest)> {
        self.head.map(|digest| (self.height, digest))
    }

    /// What is frozen, as far as this client was told.
    #[must_use]
    pub fn frozen(&self) -> &Frozen {
        &self.frozen
    }

    /// Follows a change of policy. Versions follow one another without gaps (S13).
    ///
    /// # Errors
    ///
    /// [`LightError`]; the client is unchanged then.
    pub fn follow(&mut self, transition: &Transition) -> Result<(), LightError> {
        let (header, next) = (&transition.commit.header, &transition.policy);
        let expected = self.policy.number + 1;
        if next.number != expected || next.previous != self.policy.digest {
            return Err(LightError::Gap { expected, found: next.number });
        }
        if header.policy != next.reference() || header.roster != next.roster.digest() {
            return Err(LightError::Policy { expected: next.reference(), found: header.policy });
        }
        match &transition.rebuild {
            None => self.verify_votes(&transition.commit)?,
            Some(signed) => self.verify_rebuild(signed, transition)?,
        }
        if transition.rebuild.is_some() {
            // What the lost nodes called their newest head is over with them.
            self.confirmed = None;
        }
        self.policy = next.reference();
        self.version = next.clone();
        self.demand = next.fresh_head(HOME);
        self.move_to(header);
        self.bind_round(header.digest());
        Ok(())
    }

    /// Notes a nonce of the back end's own randomness, to be answered by a quorum. One that was out before
    /// counts no more.
    pub fn ask_fresh(&mut self, nonce: Digest, now: Timestamp) {
        self.asked = Some(Asked::new(nonce, now));
    }

    /// INVARIANT S14: a quorum says that this is the newest head. What it froze is frozen from now on, whichever
    /// head the parent shows; a nonce is good for one answer, right or wrong.
    ///
    /// The client's place in the log stays: rights of blocks before this head can still be used, unless it
    /// froze them.
    ///
    /// # Errors
    ///
    /// [`LightError`] when it answers no nonce of this client, comes late, is older than what is known, is of
    /// another policy version, or has too few votes or words.
    pub fn confirm_fresh(&mut self, answer: &FreshAnswer, now: Timestamp) -> Result<(), LightError> {
        let asked = self.asked.take().ok_or(LightError::Nonce)?;
        let at = asked.answered(&answer.nonce, now)?;
        let (height, digest) = place(self.cluster, answer.head.as_ref());
        let newest = self.newest();
        let forks = height == self.height && self.head.is_some_and(|head| head != digest);
        if height < newest || forks {
            return Err(LightError::Old { newest, found: height });
        }
        let frozen = match &answer.head {
            Some(commit) => self.verified(commit)?.frozen.clone(),
            None => Frozen::default(),
        };
        answer.verify_words(self.cluster, &self.version.roster)?;
        self.confirmed = Some(Confirmed { height, frozen, round: Some(Round { at, block: None }) });
        Ok(())
    }

    /// Takes a newer head over: time passes, freezes begin and end.
    ///
    /// # Errors
    ///
    /// [`LightError`] when the votes fail, the head is older than the one known, or a change of
    /// policy was not shown first.
    pub fn advance(&mut self, commit: &Commit) -> Result<(), LightError> {
        let header = &commit.header;
        let digest = header.digest();
        // A second header at the newest height would be a fork: the first one verified is kept.
        let forks = header.height == self.height && self.head.is_some_and(|head| head != digest);
        if header.height < self.height || forks {
            return Err(LightError::Old { newest: self.height, found: header.height });
        }
        if self.head != Some(digest) {
            self.verified(commit)?;
            self.move_to(header);
        }
        self.bind_round(digest);
        Ok(())
    }

    /// Checks a certificate for `signing_digest`, which the caller computed from the very bytes.
    ///
    /// `now` is the back end's own clock.
    ///
    /// # Errors
    ///
    /// [`LightError`] says which check failed.
    pub fn permit_signing(
        &mut self,
        certificate: &Certificate,
        signing_digest: &Digest,
        now: Timestamp,
    ) -> Result<SigningPermit, LightError> {
        self.advance(&certificate.commit)?;
        self.permit_decided(
            &certificate.commit.header,
            &certificate.decision,
            &certificate.proof,
            signing_digest,
            now,
        )
    }

    /// As [`Self::permit_signing`], for one of many decisions of the head that was verified last.
    ///
    /// # Errors
    ///
    /// [`LightError`] says which check failed.
    pub fn permit_decided(
        &self,
        header: &Header,
        decision: &Decision,
        proof: &merkle::Inclusion,
        signing_digest: &Digest,
        now: Timestamp,
    ) -> Result<SigningPermit, LightError> {
        self.stands_in_head(header, decision, proof)?;
        let Outcome::Allow(grant) = &decision.outcome else {
            return Err(LightError::NotAllowed { found: decision.outcome.word() });
        };
        if &grant.signing_digest != signing_digest {
            return Err(LightError::Digest { expected: grant.signing_digest, found: *signing_digest });
        }
        self.is_fresh(now)?;
        self.permits(grant, now)
    }

    /// For a right that was admitted when its block was the head, and whose run with others begins now: whether it
    /// stands as far as this client knows by now. Under another policy version it does not: it is renewed.
    ///
    /// Where policy has each signature confirmed, the answer that its own block was confirmed with serves it as long as such
    /// an answer does, whatever blocks come meanwhile: a run takes longer than a block, and what they freeze counts.
    ///
    /// # Errors
    ///
    /// [`LightError`] says which check failed.
    pub fn still_permits(&self, held: &HeldPermit, now: Timestamp) -> Result<SigningPermit, LightError> {
        if held.policy != self.policy {
            return Err(LightError::Policy { expected: self.policy, found: held.policy });
        }
        self.is_fresh_still(held, now)?;
        self.permits(&held.grant, now).map(|permit| SigningPermit { fresh: held.fresh, ..permit })
    }

    fn permits(&self, grant: &Grant, now: Timestamp) -> Result<SigningPermit, LightError> {
        if self.holds(&grant.account.key) {
            return Err(LightError::Frozen { key: grant.account.key.clone() });
        }
        if self.frozen.stops(&grant.account.key) {
            return Err(LightError::Stopped { key: grant.account.key.clone() });
        }
        self.unexpired(grant.expires, now)?;
        let round = self.confirmed.as_ref().and_then(|it| it.round.as_ref());
        let fresh = match self.demand {
            FreshHeadDemand::AtBoot => None,
            FreshHeadDemand::PerSignature => round.map(|it| it.at),
        };
        Ok(SigningPermit { grant: grant.clone(), policy: self.policy, fresh })
    }

    /// Checks a certificate for a key ceremony.
    ///
    /// # Errors
    ///
    /// [`LightError`] says which check failed.
    pub fn permit_ceremony(
        &mut self,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<CeremonyPermit, LightError> {
        self.advance(&certificate.commit)?;
        self.stands_in_head(&certificate.commit.header, &certificate.decision, &certificate.proof)?;
        let Outcome::Ceremony { ceremony, epoch, expires } = &certificate.decision.outcome else {
            return Err(LightError::NotAllowed { found: certificate.decision.outcome.word() });
        };
        self.unexpired(*expires, now)?;
        self.confirmed.as_ref().ok_or(LightError::Stale)?;
        Ok(CeremonyPermit { ceremony: ceremony.clone(), epoch: *epoch })
    }

    /// Checks a certificate that begins the ceremony of a shared key.
    ///
    /// # Errors
    ///
    /// [`LightError`] says which check failed.
    pub fn permit_convened(
        &mut self,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<ConvenedPermit, LightError> {
        self.advance(&certificate.commit)?;
        let decision = &certificate.decision;
        self.stands_in_head(&certificate.commit.header, decision, &certificate.proof)?;
        let Outcome::Convened(convened) = &decision.outcome else {
            return Err(LightError::NotAllowed { found: decision.outcome.word() });
        };
        self.unexpired(convened.expires, now)?;
        self.confirmed.as_ref().ok_or(LightError::Stale)?;
        let (policy_version, decision) = (decision.policy.number, decision.digest());
        Ok(ConvenedPermit { convened: convened.clone(), policy_version, decision })
    }

    fn stands_in_head(
        &self,
        header: &Header,
        decision: &Decision,
        proof: &merkle::Inclusion,
    ) -> Result<(), LightError> {
        if self.head != Some(header.digest()) {
            return Err(LightError::Old { newest: self.height, found: header.height });
        }
        if decision.policy != self.policy {
            return Err(LightError::Policy { expected: self.policy, found: decision.policy });
        }
        let leaf = merkle::leaf_hash(&decision.to_document());
        if decision.height != header.height || proof.root(&leaf) != Some(header.decisions) {
            return Err(LightError::NotIncluded { height: header.height });
        }
        Ok(())
    }

    fn unexpired(&self, expires: Timestamp, now: Timestamp) -> Result<(), LightError> {
        // The log's own time bounds a clock that somebody set back.
        let now = now.max(self.time);
        if now >= expires { Err(LightError::Expired { at: expires, now }) } else { Ok(()) }
    }

    /// A commit under the policy version in force whose votes hold.
    fn verified<'a>(&self, commit: &'a Commit) -> Result<&'a Header, LightError> {
        let header = &commit.header;
        if header.policy != self.policy {
            return Err(LightError::Policy { expected: self.policy, found: header.policy });
        }
        self.verify_votes(commit)?;
        Ok(header)
    }

    /// Whether a quorum confirmed the head as often as policy asks.
    fn is_fresh(&self, now: Timestamp) -> Result<(), LightError> {
        let confirmed = self.confirmed.as_ref().ok_or(LightError::Stale)?;
        match self.demand {
            FreshHeadDemand::AtBoot => Ok(()),
            FreshHeadDemand::PerSignature => {
                let round = confirmed.round.as_ref().filter(|it| it.block == self.head);
                if round.is_some_and(|it| is_recent(it.at, now)) { Ok(()) } else { Err(LightError::Stale) }
            }
        }
    }

    /// INVARIANT S14: the same for a right that was fresh when its block was shown.
    fn is_fresh_still(&self, held: &HeldPermit, now: Timestamp) -> Result<(), LightError> {
        self.confirmed.as_ref().ok_or(LightError::Stale)?;
        match self.demand {
            FreshHeadDemand::AtBoot => Ok(()),
            FreshHeadDemand::PerSignature if held.fresh.is_some_and(|at| is_recent(at, now)) => Ok(()),
            FreshHeadDemand::PerSignature => Err(LightError::Stale),
        }
    }

    /// A round belongs to the first block that is shown in it; another block ends it.
    fn bind_round(&mut self, digest: Digest) {
        if let Some(confirmed) = &mut self.confirmed {
            confirmed.round =
                confirmed.round.take().filter(|it| it.block.is_none_or(|block| block == digest));
            if let Some(round) = &mut confirmed.round {
                round.block = Some(digest);
            }
        }
    }

    /// INVARIANT S14: whether a key is frozen where this client stands in the log, or at a head further on that a quorum
    /// confirmed.
    #[must_use]
    pub fn holds(&self, key: &Name) -> bool {
        let ahead = self.confirmed.as_ref().filter(|it| it.height > self.height);
        self.frozen.holds(key) || ahead.is_some_and(|it| it.frozen.holds(key))
    }

    fn verify_votes(&self, commit: &Commit) -> Result<(), LightError> {
        verify_commit(self.cluster, &self.version.roster, commit)
    }

    /// The highest block that this client knows of.
    fn newest(&self) -> u64 {
        self.height.max(self.confirmed.as_ref().map_or(0, |it| it.height))
    }

    /// INVARIANT S13: people of the roster in force, more of them than a change of the roster takes, named the nodes
    /// that voted for this block. INVARIANT L2: never from a block before the newest known.
    fn verify_rebuild(&self, signed: &SignedRebuild, transition: &Transition) -> Result<(), LightError> {
        let rebuild = signed.verify(self.cluster, &self.version)?;
        let (newest, header) = (self.newest(), &transition.commit.header);
        if rebuild.height < newest {
            return Err(LightError::Old { newest, found: rebuild.height });
        }
        let known = if self.height == 0 { Some(self.cluster.0) } else { self.head };
        let forks = rebuild.height == self.height && known.is_some_and(|known| known != rebuild.last);
        if forks || !signed.makes(header) || rebuild.policy != transition.policy {
            return Err(LightError::NotRebuilt { height: header.height });
        }
        verify_commit(self.cluster, &rebuild.policy.roster, &transition.commit)
    }

    fn move_to(&mut self, header: &Header) {
        self.height = header.height;
        self.time = header.time;
        self.frozen = header.frozen.clone();
        self.head = Some(header.digest());
    }
}

/// INVARIANT S3: a quorum of the roster, each node counted once, voted for this very header.
///
/// # Errors
///
/// [`LightError`] names the vote that fails, or says how many are missing.
pub fn verify_commit(cluster: ClusterId, roster: &Roster, commit: &Commit) -> Result<(), LightError> {
    if commit.header.cluster != cluster {
        return Err(LightError::Cluster { expected: cluster, found: commit.header.cluster });
    }
    let header = commit.header.digest();
    let mut last: Option<&Name> = None;
    let mut votes = 0_u32;
    for vote in &commit.votes {
        if last.is_some_and(|last| last >= &vote.node) {
            return Err(LightError::VoteOrder { node: vote.node.clone() });
        }
        last = Some(&vote.node);
        let node = roster.node(&vote.node).ok_or(LightError::Voter { node: vote.node.clone() })?;
        let (cluster, height, round) = (commit.header.cluster, commit.header.height, commit.round);
        let signed = Vote { cluster, height, round, header, boot: node.boot };
        let message = signing_message(&signed.digest());
        node.key
            .verify(&message, &vote.signature)
            .map_err(|error| LightError::Vote { node: vote.node.clone(), error })?;
        votes += 1;
    }
    if votes < roster.quorum.max(1) {
        return Err(LightError::Quorum { expected: roster.quorum.max(1), found: votes });
    }
    Ok(())
}

/// The home of the keys that are behind a light client: so far each is a process.
const HOME: AssuranceLevel = AssuranceLevel::Process;
