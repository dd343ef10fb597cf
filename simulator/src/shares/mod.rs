//! Keys in shares among the nodes of a cluster: ceremonies that the log convenes, and runs that sign what it allows.
//!
//! The log is the product's, and so are dealings, machines and journals, with real cryptography. What signs is a cheap
//! engine of the simulator's own ([`engine`]). Sealing, the enclave's process and encryption are not in it.

mod ceremonies;
mod engine;
mod keys;
mod runs;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use keystead_base::{Digest, Name, PublicAccount, RequestId, Timestamp};
use keystead_decision::{Convened, ProvenSeat};
use keystead_threshold::{Journal, SessionId, Tried};

pub(crate) use self::watch::SharesReport;
use crate::threshold::evil::Mischief;
use crate::threshold::run::Run;
use crate::threshold::shell::Wire;

/// What travels between the enclaves of two nodes.
#[derive(Clone, Debug)]
pub(crate) enum Mail {
    /// A message of a run; who sent it is known, as the product's signatures make it known.
    Wire(Wire),
    /// A leader's call to a run.
    Call(Call),
    /// A signature was made.
    Signed(RequestId),
}

/// A call to a run: for a right, or for the proof of a holder's new share.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(super) request: RequestId,
    pub(super) prover: Option<Name>,
    pub(super) number: u32,
    pub(super) signers: Vec<Name>,
}

/// What a node's process has in memory of keys in shares.
#[derive(Default)]
pub(crate) struct Holder {
    journal: Journal,
    /// The seats of this life.
    seats: BTreeMap<RequestId, ProvenSeat>,
    /// When the log was told of something last.
    told: BTreeMap<(RequestId, &'static str), u64>,
    /// What was convened, as this life began it.
    convened: BTreeMap<RequestId, Begun>,
    rights: BTreeMap<RequestId, Right>,
    runs: BTreeMap<SessionId, Live>,
    early: BTreeMap<SessionId, Vec<Wire>>,
    signed: BTreeSet<RequestId>,
    /// Which sets of signers came to nothing: the product's own memory of them.
    tried: Tried,
    /// Since when the epochs before this one are over.
    over: BTreeMap<u32, u64>,
    /// What a malicious node heard.
    heard: Vec<Wire>,
}

/// A ceremony that this life takes part in, and how far it is.
struct Begun {
    convened: Convened,
    digest: Digest,
    policy_version: u64,
    dealt: Option<(PublicAccount, Vec<Vec<u8>>)>,
    proof: Option<Vec<u8>>,
}

/// What the log allows and this node holds a share for.
#[derive(Clone)]
struct Right {
    digest: Digest,
    header: Digest,
    epoch: u32,
    policy_version: u64,
    expires: Timestamp,
    since: u64,
}

/// A run under way.
struct Live {
    run: Box<dyn Run>,
    aim: Aim,
    others: Vec<Name>,
    mischief: Mischief,
    deadline: u64,
    draw: crate::Dice,
}

/// What a run is for.
#[derive(Clone, Debug)]
enum Aim {
    Deal { request: RequestId, attempt: u32, epoch: u32 },
    Prove { request: RequestId, prover: Name },
    Sign { request: RequestId, digest: Digest, epoch: u32 },
}

/// The key.
pub(crate) fn vault() -> Name {
    keystead_fixture::name("vault")
}
