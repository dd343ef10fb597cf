//! A proof that a decision stands in the log, complete in itself: checked offline with the pinned genesis alone.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, ClusterId, Digest, RequestId, merkle, merkle::Inclusion};
use keystead_decision::{
    Certificate, Decision, LightClient, SignedGenesis, Transition, leaves, verify_commit,
};
use serde::{Deserialize, Serialize};

use crate::{Checkpoint, Consistency, Ledger, LedgerError, LogError, LogKeys, SignedCheckpoint};

/// The most changes of policy that a proof leads through.
pub const MAX_TRANSITIONS: usize = 10_000;

/// A decision and everything that shows where it stands.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The decision, its block's votes, and its place in the block's decision tree.
    pub certificate: Certificate,
    /// The header's place in the log's tree.
    pub header: Inclusion,
    /// The signed checkpoint of that tree: a note.
    pub checkpoint: String,
    /// From the older checkpoint, if one was named, to this one.
    pub consistency: Option<Consistency>,
    /// Every change of policy before the checkpoint, so that its signers and voters are known.
    pub transitions: Vec<Transition>,
}

impl Canonical for Proof {
    const DOMAIN: &'static str = "keystead/log-proof/v1";
    const MAX_BYTES: usize = MAX_PROOF_BYTES;
}

/// What a proof shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// The decision.
    pub decision: Decision,
    /// The size of the log that it stands in.
    pub size: u64,
    /// That log's root.
    pub root: Digest,
    /// The size of the older checkpoint that this log is shown to continue.
    pub continues: Option<u64>,
}

impl Ledger {
    /// Proves the latest decision about a request, or about any other subject of the log, under the
    /// latest checkpoint that covers it. `older` is the size of a checkpoint that somebody remembers.
    ///
    /// Gives `None` when the log does not speak of the request, or no checkpoint covers it yet.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] from the database; [`LogError::Size`] when `older` is larger than the checkpoint.
    pub async fn prove(&self, subject: &RequestId, older: Option<u64>) -> Result<Option<Proof>, LedgerError> {
        let Some(checkpoint) = self.latest_checkpoint().await? else { return Ok(None) };
        let size = checkpoint.body().size;
        let mut decisions = self.decisions_about(subject).await?;
        decisions.retain(|decision| decision.height <= size);
        let Some(decision) = decisions.pop() else { return Ok(None) };
        let consistency = match older {
            Some(older) => Some(self.consistency(older, size).await?),
            None => None,
        };
        Ok(Some(Proof {
            header: self.inclusion(decision.height, size).await?,
            certificate: self.certificate(decision).await?,
            checkpoint: checkpoint.to_note(),
            consistency,
            transitions: self.transitions(size).await?,
        }))
    }

    /// The certificate of a decision in the log.
    ///
    /// # Errors
    ///
    /// [`LogError::NotIncluded`] when the block holds no such decision.
    pub async fn certificate(&self, decision: Decision) -> Result<Certificate, LedgerError> {
        let all = self.decisions(decision.height).await?;
        let index = all.iter().position(|it| *it == decision);
        let proof = index.and_then(|index| Inclusion::prove(&leaves(&all), index));
        let (Some(proof), Some(block)) = (proof, self.block(decision.height).await?) else {
            return Err(LogError::NotIncluded { what: "decision" }.into());
        };
        Ok(Certificate { commit: block.commit, decision, proof })
    }
}

impl Proof {
    /// Checks a proof with nothing but the pinned genesis and, where there is one, an older checkpoint.
    ///
    /// # Errors
    ///
    /// [`LogError`] names the first link that fails.
    pub fn check(
        &self,
        genesis: &SignedGenesis,
        pinned: ClusterId,
        older: Option<&Checkpoint>,
    ) -> Result<Shown, LogError> {
        if self.transitions.len() > MAX_TRANSITIONS {
            return Err(LogError::ProofLength { limit: MAX_TRANSITIONS, found: self.transitions.len() });
        }
        self.check_decision(genesis, pinned)?;
        let keys = LogKeys::follow(genesis, pinned, &self.transitions)?;
        let signed = SignedCheckpoint::parse(&self.checkpoint)?;
        let checkpoint = signed.verify(&keys)?;
        self.check_header(checkpoint)?;
        let continues = older.map(|older| self.check_older(older, checkpoint)).transpose()?;
        let decision = self.certificate.decision.clone();
        Ok(Shown { decision, size: checkpoint.size, root: checkpoint.root, continues })
    }

    /// The block was committed by the roster of its time, and holds the decision.
    fn check_decision(&self, genesis: &SignedGenesis, pinned: ClusterId) -> Result<(), LogError> {
        let Certificate { commit, decision, proof } = &self.certificate;
        let mut client = LightClient::new(genesis, pinned)?;
        for transition in self.transitions.iter().filter(|it| it.commit.header.height < commit.header.height)
        {
            client.follow(transition)?;
        }
        verify_commit(pinned, client.roster(), commit)?;
        let leaf = merkle::leaf_hash(&decision.to_document());
        let included = decision.height == commit.header.height
            && proof.path.len() <= crate::MAX_PROOF_HASHES
            && proof.root(&leaf) == Some(commit.header.decisions);
        if included { Ok(()) } else { Err(LogError::NotIncluded { what: "decision" }) }
    }

    /// The block's header is the leaf of its height under the checkpoint's root.
    fn check_header(&self, checkpoint: &Checkpoint) -> Result<(), LogError> {
        let header = &self.certificate.commit.header;
        let leaf = merkle::leaf_hash(&header.to_document());
        let included = self.header.size == checkpoint.size
            && self.header.index.checked_add(1) == Some(header.height)
            && self.header.path.len() <= crate::MAX_PROOF_HASHES
            && self.header.root(&leaf) == Some(checkpoint.root);
        if included { Ok(()) } else { Err(LogError::NotIncluded { what: "header" }) }
    }

    fn check_older(&self, older: &Checkpoint, newer: &Checkpoint) -> Result<u64, LogError> {
        if older.origin != newer.origin {
            return Err(LogError::Origin { expected: older.origin.clone(), found: newer.origin.clone() });
        }
        continues(self.consistency.as_ref(), older, newer)?;
        Ok(older.size)
    }
}

/// INVARIANT L2: a newer checkpoint continues the one remembered.
pub(crate) fn continues(
    proof: Option<&Consistency>,
    older: &Checkpoint,
    newer: &Checkpoint,
) -> Result<(), LogError> {
    if newer.size < older.size {
        return Err(LogError::RolledBack { remembered: older.size, found: newer.size });
    }
    let trivial = Consistency { older: older.size, newer: newer.size, path: Vec::new() };
    let proof = proof.unwrap_or(&trivial);
    if (proof.older, proof.newer) != (older.size, newer.size) {
        return Err(LogError::ProofStart { expected: older.size, found: proof.older });
    }
    proof.verify(&older.root, &newer.root)
}

/// The longest proof: every policy version that the cluster ever had is in it, each some ten thousand bytes.
const MAX_PROOF_BYTES: usize = 256 * 1024 * 1024;
