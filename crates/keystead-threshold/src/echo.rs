//! Echo broadcast: all tell all what they heard from each, before anybody builds on it.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Digest, Name, tagged_hash};

use crate::{Abort, Begun, Culprit, Fault};

/// What one node heard in a round, itself included: the digest of each sender's payload.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct View(BTreeMap<Name, Digest>);

impl View {
    pub(crate) fn new<'a>(
        me: &Name,
        ours: Option<Digest>,
        heard: impl Iterator<Item = (&'a Name, &'a Vec<u8>)>,
    ) -> Self {
        let mut view: BTreeMap<Name, Digest> =
            heard.map(|(from, payload)| (from.clone(), payload_digest(payload))).collect();
        view.extend(ours.map(|ours| (me.clone(), ours)));
        Self(view)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        borsh::to_vec(self).unwrap_or_default()
    }

    /// Compares what a witness heard with all that this node heard.
    pub(crate) fn agrees(&self, begun: &Begun, witness: &Name, echo: &[u8]) -> Result<(), Abort> {
        let theirs = Self::read(begun, witness, echo)?;
        if !theirs.0.keys().eq(self.0.keys()) {
            return Err(begun.blame(witness, Fault::Malformed));
        }
        self.differs_nowhere(begun, witness, &theirs)
    }

    /// Compares what a witness heard of another with what this node heard already. What it says of itself, or of this node, waits
    /// for the rest of the round: nothing that somebody could show settles it.
    pub(crate) fn agrees_so_far(&self, begun: &Begun, witness: &Name, echo: &[u8]) -> Result<(), Abort> {
        let mut theirs = Self::read(begun, witness, echo)?;
        theirs.0.retain(|sender, _| sender != witness && sender != begun.me());
        self.differs_nowhere(begun, witness, &theirs)
    }

    fn read(begun: &Begun, witness: &Name, echo: &[u8]) -> Result<Self, Abort> {
        Self::try_from_slice(echo).map_err(|_| begun.blame(witness, Fault::Malformed))
    }

    fn differs_nowhere(&self, begun: &Begun, witness: &Name, theirs: &Self) -> Result<(), Abort> {
        let differs = |(sender, ours): &(&Name, &Digest)| theirs.0.get(*sender).is_some_and(|it| it != *ours);
        match self.0.iter().find(differs) {
            Some((sender, _)) => Err(begun.abort(culprit(begun, sender, witness), Fault::Equivocation)),
            None => Ok(()),
        }
    }
}

/// The digest of a broadcast's payload.
pub(crate) fn payload_digest(payload: &[u8]) -> Digest {
    tagged_hash("keystead/threshold-payload/v1", &borsh::to_vec(payload).unwrap_or_default())
}

fn culprit(begun: &Begun, sender: &Name, witness: &Name) -> Culprit {
    // What we said ourselves we know; and whoever reports of itself what it did not tell us told two things.
    if sender == begun.me() || sender == witness {
        return Culprit::Node(witness.clone());
    }
    Culprit::OneOf { sender: sender.clone(), witness: witness.clone() }
}
