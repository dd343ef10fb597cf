//! The signing back end of the key `hot`: it believes the light client and nobody else.

use keystead_base::{Digest, Timestamp, merkle::Inclusion};
use keystead_decision::{
    Commit, Decision, Entry, FreshAnswer, Grant, LightClient, LightError, SignedGenesis, State, Transition,
    leaves,
};

use crate::disk::Disk;

/// A back end with what it knows of the log.
#[derive(Debug)]
pub(crate) struct BackEnd {
    light: LightClient,
    /// A quorum has named the newest head since it started.
    confirmed: bool,
}

impl BackEnd {
    /// Starts from the pinned genesis and the blocks of its node's disk.
    pub(crate) fn start(genesis: &SignedGenesis, disk: &Disk) -> Result<Self, LightError> {
        let light = LightClient::new(genesis, genesis.genesis.cluster())?;
        let mut back_end = Self { light, confirmed: false };
        let blocks = disk.blocks();
        for (index, stored) in blocks.iter().enumerate() {
            let changes = stored.commit.header.policy != back_end.light.policy();
            if changes || index + 1 == blocks.len() {
                back_end.learn(&stored.commit, &stored.entries, &stored.state)?;
            }
        }
        Ok(back_end)
    }

    /// Takes a newer head over; `after` is the state after its block.
    pub(crate) fn learn(
        &mut self,
        commit: &Commit,
        entries: &[Entry],
        after: &State,
    ) -> Result<(), LightError> {
        if commit.header.policy == self.light.policy() {
            return self.light.advance(commit);
        }
        let policy = after.policy().engine.version().clone();
        self.light.follow(&Transition::of(commit.clone(), policy, entries))
    }

    /// Takes the nodes' word on which head is the newest, unless it has it already.
    pub(crate) fn confirm(&mut self, nonce: Digest, answers: Vec<FreshAnswer>, now: Timestamp) {
        if self.confirmed {
            return;
        }
        self.light.ask_fresh(nonce, now);
        let answer = FreshAnswer::gather(answers);
        self.confirmed = answer.is_some_and(|it| self.light.confirm_fresh(&it, now).is_ok());
    }

    /// The right to sign what the decision at this place of the newest block allows.
    pub(crate) fn permit(
        &self,
        commit: &Commit,
        decisions: &[Decision],
        index: usize,
        digest: &Digest,
        now: Timestamp,
    ) -> Option<Grant> {
        let proof = Inclusion::prove(&leaves(decisions), index)?;
        let decision = decisions.get(index)?;
        self.light
            .permit_decided(&commit.header, decision, &proof, digest, now)
            .ok()
            .map(|it| it.into_grant())
    }
}
