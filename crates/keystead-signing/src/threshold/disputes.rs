//! Runs that ended because two nodes were told different things, until somebody shows what it was told.

use std::collections::VecDeque;

use keystead_threshold::{Address, Dispute, Post, Said, SessionId, Shown};

use super::Moved;
use super::run::{Aim, TurnEnd};

/// The oldest give way.
#[derive(Default)]
pub(super) struct Disputes(VecDeque<Open>);

struct Open {
    aim: Aim,
    /// The keys of the sender in doubt: no key of this enclave outlives its run here.
    keys: Address,
    dispute: Dispute,
}

impl Disputes {
    /// Hands on what this node was told, as it came, and waits for what the others were told.
    pub(super) fn open(&mut self, aim: &Aim, post: &Post, shown: Shown<Vec<u8>>, moved: &mut Moved) {
        let Shown { messages, others, dispute } = shown;
        for message in messages {
            moved.messages.extend(others.iter().map(|to| (to.clone(), message.clone())));
        }
        let Some(dispute) = dispute else { return };
        let Some(keys) = post.keys_of(dispute.sender()).cloned() else { return };
        while self.0.len() >= MAX_DISPUTES {
            self.0.pop_front();
        }
        self.0.push_back(Open { aim: aim.clone(), keys, dispute });
    }

    /// Whether there is one about a run.
    pub(super) fn has(&self, session: SessionId) -> bool {
        self.0.iter().any(|it| it.dispute.session() == session)
    }

    /// INVARIANT K6: what the sender signed for another ends the dispute where it is not what it signed for this node.
    pub(super) fn settle(&mut self, session: SessionId, message: &[u8]) -> Option<(SessionId, Aim, TurnEnd)> {
        let place = self.0.iter().position(|it| it.dispute.session() == session)?;
        let Open { keys, dispute, .. } = self.0.get(place)?;
        let theirs = Said::signed(message, dispute.sender(), keys)?;
        let abort = dispute.settle(&theirs)?;
        let Open { aim, .. } = self.0.remove(place)?;
        Some((session, aim, TurnEnd::Aborted(abort)))
    }
}

/// Each holds the digests of a few broadcasts.
const MAX_DISPUTES: usize = 16;
