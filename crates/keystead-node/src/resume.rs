//! After a start: what was allowed before a crash and is neither signed nor carried out.
//!
//! A right that has not expired is used from its own certificate, while the enclave follows the log to
//! its head; an expired one is renewed by the sweep. Nobody has to do anything (D4).

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use keystead_base::{Name, Timestamp};
use keystead_decision::{Decision, Outcome, Phase, State};
use keystead_ledger::LedgerError;
use keystead_signing::OpenedKey;

use crate::blocks::Durable;
use crate::ceremony::is_undone;
use crate::enclave::follow;
use crate::shared::Shared;
use crate::signer::Signer;
use crate::{NodeError, clock, views};

/// Puts every request that waits for people on the board; others come when somebody asks.
pub(crate) async fn fill_board(shared: &Shared, state: &State) -> Result<(), LedgerError> {
    for (id, _) in state.requests().filter(|(_, request)| request.phase == Phase::Open) {
        views::restore(shared, id).await?;
    }
    Ok(())
}

impl Signer {
    /// Brings the enclave to the head, and does on the way what was left undone.
    pub(crate) async fn resume(&mut self, held: Vec<OpenedKey>) -> Result<(), NodeError> {
        let state = self.shared.state();
        self.report_unknown_keys(&held)?;
        self.held = held.iter().map(|it| (it.key.clone(), it.epoch)).collect();
        let sealed: HashSet<Name> = held.into_iter().map(|it| it.key).collect();
        self.report_protections();
        self.finish_destructions().await?;
        self.forget_moved().await?;
        let mut transitions: VecDeque<_> = self.shared.ledger.transitions(state.height()).await?.into();
        let mut last = 0;
        for block in undone(&self.shared, &state, &sealed).await? {
            let height = block.commit.header.height;
            let before = transitions.partition_point(|it| it.commit.header.height <= height);
            let next: Vec<_> = transitions.drain(..before).collect();
            last = next.last().map_or(last, |it| it.commit.header.height);
            follow(&mut self.enclave, next, None)?;
            // What stands in a block that changed the policy was decided under the old one: it is renewed.
            if last < height {
                self.process(&block).await?;
            }
        }
        last = transitions.back().map_or(last, |it| it.commit.header.height);
        follow(&mut self.enclave, transitions.into(), None)?;
        let head = self.shared.ledger.block(state.height()).await?.map(|it| it.commit);
        self.frozen = state.frozen().clone();
        follow(&mut self.enclave, Vec::new(), head.filter(|it| it.header.height > last))?;
        self.shown = state.height();
        self.report_wallets(&state)?;
        self.report_life(&state).await?;
        self.convenings(&state).await
    }
}

/// The blocks, oldest first, whose unexpired rights were not used.
///
/// Signatures are made and stored in the order of the log: before a block whose rights were all used,
/// nothing was left.
async fn undone(
    shared: &Arc<Shared>,
    state: &State,
    sealed: &HashSet<Name>,
) -> Result<Vec<Durable>, NodeError> {
    let now = clock::now().max(state.time());
    let seconds = state.policy().engine.version().timing.certificate_seconds;
    let oldest = now.minus_seconds(seconds);
    let mut found = Vec::new();
    let mut height = state.height();
    while let Some(block) = shared.ledger.block(height).await? {
        let decisions = shared.ledger.decisions(height).await?;
        let (used, left) = rights(shared, state, &decisions, sealed, now).await?;
        if block.commit.header.time < oldest || (used > 0 && left == 0) {
            break;
        }
        if left > 0 {
            found.push(Durable { commit: block.commit, decisions, state: state.clone(), next_policy: None });
        }
        height = height.saturating_sub(1);
    }
    found.reverse();
    Ok(found)
}

/// How many rights of a block were used to sign, and how many can still be used.
async fn rights(
    shared: &Shared,
    state: &State,
    decisions: &[Decision],
    sealed: &HashSet<Name>,
    now: Timestamp,
) -> Result<(usize, usize), LedgerError> {
    let (mut used, mut left) = (0, 0);
    for decision in decisions {
        views::restore(shared, &decision.subject).await?;
        let signed = shared.board.view(&decision.subject).is_some_and(|it| it.signed.is_some());
        match &decision.outcome {
            Outcome::Allow(grant) if !shared.holds(state, &grant.account.key) => {}
            Outcome::Ceremony { ceremony, .. } if !shared.is_home_of(state, ceremony) => {}
            Outcome::Allow(_) if signed => used += 1,
            Outcome::Allow(grant) if grant.expires > now => left += 1,
            Outcome::Ceremony { ceremony, expires, .. } if *expires > now => {
                left += usize::from(is_undone(ceremony, state, sealed));
            }
            _ => {}
        }
    }
    Ok((used, left))
}
