//! One node: its replica while it runs, its disk, its clock, and what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keystead_base::{HYBRID_SEED_BYTES, HybridSigner, Name, RequestId, Secret};
use keystead_consensus::Replica;
use keystead_decision::State;

use crate::Bug;
use crate::back_end::BackEnd;
use crate::controls::Planted;
use crate::disk::Disk;
use crate::rules::node_name;
use crate::shares::Holder;
use crate::token::Token;

/// A node.
pub(crate) struct Place {
    pub(crate) name: Name,
    pub(crate) signer: Arc<HybridSigner>,
    /// The same key, of which the token has half: the replica's.
    pub(crate) voter: Arc<HybridSigner>,
    pub(crate) token: Arc<Token>,
    pub(crate) controls: Planted,
    /// None while it is down.
    pub(crate) replica: Option<Replica<Planted>>,
    /// Counts its lives: timers of an earlier one are void.
    pub(crate) life: u32,
    pub(crate) disk: Disk,
    /// The back end of the key `hot`, at its home only.
    pub(crate) back_end: Option<BackEnd>,
    /// How far its clock is off, in milliseconds.
    pub(crate) offset: i64,
    /// Whether it deviates from the protocol.
    pub(crate) lies: bool,
    /// A crash strikes after so many more steps of a write or send.
    pub(crate) fuse: Option<u64>,
    /// The last height of which it may have forgotten what it said, and the boot number that it had, once it was
    /// put back to an older snapshot.
    pub(crate) rolled_back: Option<(u64, u64)>,
    /// The latest height of votes of each other node that this one was told in this life.
    pub(crate) heard: BTreeMap<usize, u64>,
    /// Honest nodes that hold votes of an earlier life of this node which its disk does not.
    pub(crate) witnesses: BTreeSet<usize>,
    /// When this node last reported the end of a request.
    pub(crate) reported: BTreeMap<RequestId, u64>,
    /// What its process knows of keys in shares; none while it is down.
    pub(crate) holder: Option<Holder>,
}

impl Place {
    pub(crate) fn new(index: usize, genesis: State, bug: Option<Bug>, lies: bool) -> Self {
        let byte = u8::try_from(index + 1).unwrap_or(u8::MAX);
        let seed = Secret::new([byte; HYBRID_SEED_BYTES]);
        let signer = HybridSigner::from_seed(&seed).expect("a seed of a test");
        let (token, voter) = Token::of(&seed);
        Self {
            name: node_name(index),
            signer: Arc::new(signer),
            voter: Arc::new(voter),
            token,
            controls: Planted::new(if lies { None } else { bug }),
            replica: None,
            life: 0,
            disk: Disk::new(genesis),
            back_end: None,
            offset: 0,
            lies,
            fuse: None,
            rolled_back: None,
            heard: BTreeMap::new(),
            witnesses: BTreeSet::new(),
            reported: BTreeMap::new(),
            holder: None,
        }
    }

    /// The state that it is in, or that its disk left it in.
    pub(crate) fn state(&self) -> &State {
        self.replica.as_ref().map_or(self.disk.state(), Replica::state)
    }
}
