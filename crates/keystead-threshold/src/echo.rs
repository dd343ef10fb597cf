//! Echo broadcast: all tell all what they heard from each, before anybody builds on it.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Digest, Name, Secret, tagged_hash};

use crate::{Abort, Begun, Culprit, Fault};

/// What one node heard in a round, itself included: the digest of each sender's payload.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct View(BTreeMap<Name, Digest>);

impl View {
    pub(crate) fn new(me: &Name, ours: Option<Digest>, heard: &BTreeMap<Name, Secret<Vec<u8>>>) -> Self {
        let mut view: BTreeMap<Name, Digest> =
            heard.iter().map(|(from, payload)| (from.clone(), payload_digest(payload.expose()))).collect();
        view.extend(ours.map(|ours| (me.clone(), ours)));
        Self(view)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        borsh::to_vec(self).unwrap_or_default()
    }
}

/// The digest of a broadcast's payload.
pub(crate) fn payload_digest(payload: &[u8]) -> Digest {
    tagged_hash("keystead/threshold-payload/v1", &borsh::to_vec(payload).unwrap_or_default())
}

/// Compares what the others heard with what this node heard.
pub(crate) fn agree(
    begun: &Begun,
    ours: &View,
    theirs: &BTreeMap<Name, Secret<Vec<u8>>>,
) -> Result<(), Abort> {
    for (witness, payload) in theirs {
        let view =
            View::try_from_slice(payload.expose()).map_err(|_| begun.blame(witness, Fault::Malformed))?;
        if !view.0.keys().eq(ours.0.keys()) {
            return Err(begun.blame(witness, Fault::Malformed));
        }
        let differs = ours.0.iter().find(|(sender, digest)| view.0.get(*sender) != Some(*digest));
        if let Some((sender, _)) = differs {
            return Err(begun.abort(culprit(begun, sender, witness), Fault::Equivocation));
        }
    }
    Ok(())
}

fn culprit(begun: &Begun, sender: &Name, witness: &Name) -> Culprit {
    // What we said ourselves we know; and whoever reports of itself what it did not tell us told two things.
    if sender == begun.me() || sender == witness {
        return Culprit::Node(witness.clone());
    }
    Culprit::OneOf { sender: sender.clone(), witness: witness.clone() }
}
