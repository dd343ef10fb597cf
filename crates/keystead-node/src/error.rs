//! Why a node does not start, or stops.

use std::io;
use std::path::PathBuf;

use keystead_base::{Blame, CanonError, ClusterId, Coded, Digest, KeyError, Name, SelfTestError};
use keystead_decision::GenesisError;
use keystead_homes::HomeError;
use keystead_keys::MemberError;
use keystead_ledger::{LedgerError, SignError};
use keystead_nats::NatsError;
use keystead_signing::ClientError;
use keystead_transmit::TransmitError;
use keystead_wire::WireError;

/// Why a node does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A file of the configuration.
    #[error("{} cannot be read: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file of the configuration that is not what it should be.
    #[error("{}: {error}", path.display())]
    Document {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: CanonError,
    },
    /// A passphrase longer than any.
    #[error("{} is longer than {limit} bytes", path.display())]
    Passphrase {
        /// Which file.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// The port of `[node] metrics`.
    #[error("{address} cannot be the node's port for metrics: {reason}")]
    Metrics {
        /// The address.
        address: String,
        /// Why.
        reason: String,
    },
    /// The genesis.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The node's key file.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// A signature could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The token with half of the node's signing key.
    #[error(
        "half of this node's signing key is in token `{token}`, without which it says nothing: {error}; bring the token back, or \
         mend [node.member.token], and start the node again"
    )]
    LogToken {
        /// The token's label.
        token: String,
        /// What it lacks.
        error: HomeError,
    },
    /// The key is not the one that the roster has for this node.
    #[error("the roster of cluster {cluster} has no node `{name}` with this key")]
    NotInRoster {
        /// The cluster.
        cluster: ClusterId,
        /// The name in the key file.
        name: Name,
    },
    /// The other nodes committed what this node computes differently.
    #[error(
        "at height {height} this node computes header {expected}, the quorum committed {found}; it stops: find \
         out which build is wrong"
    )]
    Diverged {
        /// The height.
        height: u64,
        /// The digest of the header that this node computes.
        expected: Digest,
        /// The digest of the one that was committed.
        found: Digest,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The enclave process.
    #[error(transparent)]
    Enclave(#[from] ClientError),
    /// A chain's endpoints.
    #[error(transparent)]
    Transmit(#[from] TransmitError),
    /// The listener.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The broker.
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// A stage ended without being asked to.
    #[error("the {stage} ended unexpectedly")]
    Stage {
        /// Which.
        stage: &'static str,
    },
    /// The TPM, or the program that talks to it.
    #[error("{text}")]
    Tpm {
        /// The code that the program gave.
        code: String,
        /// Its words.
        text: String,
    },
    /// A thread could not be started.
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
    /// This process computes wrongly.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
}

impl Coded for NodeError {
    fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "node.file",
            Self::Document { .. } => "node.document",
            Self::Passphrase { .. } => "node.passphrase",
            Self::Metrics { .. } => "node.metrics",
            Self::Genesis(error) => error.code(),
            Self::Member(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::LogToken { error, .. } => error.code(),
            Self::NotInRoster { .. } => "node.not_in_roster",
            Self::Diverged { .. } => "node.diverged",
            Self::Ledger(error) => error.code(),
            Self::Enclave(error) => error.code(),
            Self::Transmit(error) => error.code(),
            Self::Wire(error) => error.code(),
            Self::Nats(error) => error.code(),
            Self::Stage { .. } => "node.stage",
            Self::Tpm { code, .. } => TPM_CODES.iter().find(|known| *known == code).unwrap_or(&"tpm.refused"),
            Self::Thread(_) => "node.thread",
            Self::SelfTest(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Ledger(error) => error.blame(),
            Self::Enclave(error) => error.blame(),
            Self::Wire(error) => error.blame(),
            Self::LogToken { error, .. } => error.blame(),
            Self::Nats(error) => error.blame(),
            Self::File { .. }
            | Self::Document { .. }
            | Self::Passphrase { .. }
            | Self::Metrics { .. }
            | Self::Tpm { .. }
            | Self::Genesis(_)
            | Self::Member(_)
            | Self::Key(_)
            | Self::NotInRoster { .. }
            | Self::Diverged { .. }
            | Self::Transmit(_)
            | Self::Stage { .. }
            | Self::Thread(_)
            | Self::SelfTest(_) => Blame::Environment,
        }
    }
}

/// Why a fact of another node's is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FactError {
    /// This node's endpoints do not say what became of the transaction.
    #[error("this node's endpoints do not say what became of request {request}")]
    Unknown {
        /// Which request.
        request: keystead_base::RequestId,
    },
    /// This node cannot run the transaction.
    #[error("this node cannot simulate request {request}: {error} ({})", error.code())]
    Unsimulated {
        /// Which request.
        request: keystead_base::RequestId,
        /// What is missing.
        error: RunError,
    },
    /// It comes to something else.
    #[error("this node's own simulation of request {request} comes to something else")]
    SimulatesOtherwise {
        /// Which request.
        request: keystead_base::RequestId,
    },
    /// This node found nothing of the kind.
    #[error("this node's own look at chain {chain} has not found that")]
    NotFound {
        /// The chain's id.
        chain: u64,
    },
    /// They say something else.
    #[error("this node's endpoints say something else of request {request}")]
    Differs {
        /// Which request.
        request: keystead_base::RequestId,
    },
}

impl Coded for FactError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "fact.unknown",
            Self::Differs { .. } => "fact.differs",
            Self::NotFound { .. } => "fact.not_found",
            Self::Unsimulated { .. } => "fact.simulation_unknown",
            Self::SimulatesOtherwise { .. } => "fact.simulation_differs",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

/// Why a transaction is not run here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RunError {
    /// Another node has too many of them checked already.
    #[error("too many runs that {node} hands over are being checked")]
    Crowded {
        /// Which node.
        node: Name,
    },
    /// The run would not count, whatever comes of it.
    #[error("the run would not count: {0}")]
    NotAwaited(#[from] keystead_policy::Reason),
    /// The request is not in this node's log.
    #[error("it is not in the log of this node")]
    NoRequest,
    /// The request is about something else.
    #[error("there is nothing to sign")]
    NothingToSign,
    /// Its key has no address.
    #[error("its key has no address")]
    NoAddress,
    /// Its bytes cannot be built.
    #[error(transparent)]
    Build(#[from] keystead_chain::BuildError),
    /// This node knows nothing of its chain.
    #[error("this node has no endpoints of chain {chain}")]
    NoEndpoints {
        /// Which.
        chain: keystead_intent::ChainId,
    },
    /// The endpoints do not agree on the block.
    #[error(transparent)]
    Block(#[from] keystead_transmit::Unknown),
    /// The run itself.
    #[error(transparent)]
    Rehearsal(#[from] keystead_rehearsal::RehearsalError),
    /// The run's thread ended.
    #[error("its run broke off")]
    BrokeOff,
    /// Nothing is sent to a chain.
    #[error("it is no transaction")]
    NoTransaction,
}

impl RunError {
    pub(crate) fn of(self, request: keystead_base::RequestId) -> FactError {
        FactError::Unsimulated { request, error: self }
    }
}

impl Coded for RunError {
    fn code(&self) -> &'static str {
        match self {
            Self::Crowded { .. } => "run.crowded",
            Self::NotAwaited(reason) => reason.code(),
            Self::NoRequest => "run.no_request",
            Self::NothingToSign => "run.nothing_to_sign",
            Self::NoAddress => "run.no_address",
            Self::Build(error) => error.code(),
            Self::NoEndpoints { .. } => "run.no_endpoints",
            Self::Block(_) => "run.block_unknown",
            Self::Rehearsal(error) => error.code(),
            Self::BrokeOff => "run.broke_off",
            Self::NoTransaction => "run.no_transaction",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Crowded { .. } | Self::NotAwaited(_) => Blame::Peer,
            Self::Build(error) => error.blame(),
            Self::NoRequest
            | Self::NothingToSign
            | Self::NoAddress
            | Self::NoEndpoints { .. }
            | Self::Block(_)
            | Self::Rehearsal(_)
            | Self::BrokeOff
            | Self::NoTransaction => Blame::Environment,
        }
    }
}

/// Why a call is not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The message is not one.
    #[error("the message does not parse: {0}")]
    Message(#[from] CanonError),
    /// Too many entries at once.
    #[error("a submission has 1 to {limit} entries, found {found}")]
    Entries {
        /// The limit.
        limit: usize,
        /// The number found.
        found: usize,
    },
    /// Too many marks at once.
    #[error("a submission has at most {limit} marks of traces, found {found}")]
    Marks {
        /// The limit.
        limit: usize,
        /// The number found.
        found: usize,
    },
    /// An entry that is too long.
    #[error("an entry has at most {limit} bytes, found {found}")]
    EntryTooLong {
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// An entry that only this node itself writes.
    #[error("a node writes its own settlements, key events, renewals and ticks")]
    OwnEntry,
    /// The sender left the roster while the entry was on its way.
    #[error("the sender is no longer admitted")]
    NotAdmitted,
    /// Only nodes of the roster talk to nodes like that.
    #[error("{name} is not a node of the roster")]
    NotANode {
        /// Who.
        name: Name,
    },
    /// The pipeline is closed.
    #[error("the node is stopping")]
    Stopping,
    /// The last durable block is not in the ledger.
    #[error("block {height} is the last one, and is not in the ledger")]
    NoHead {
        /// Its height.
        height: u64,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A checkpoint or an own entry could not be signed.
    #[error("the node failed to sign: {0}")]
    Sign(#[from] SignError),
}

impl Coded for CallError {
    fn code(&self) -> &'static str {
        match self {
            Self::Message(_) => "node.message",
            Self::Entries { .. } => "node.entries",
            Self::Marks { .. } => "node.marks",
            Self::EntryTooLong { .. } => "node.entry_too_long",
            Self::OwnEntry => "node.own_entry",
            Self::NotAdmitted => "node.not_admitted",
            Self::NotANode { .. } => "node.not_a_node",
            Self::Stopping => "node.stopping",
            Self::NoHead { .. } => "node.no_head",
            Self::Ledger(error) => error.code(),
            Self::Sign(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Message(_)
            | Self::Entries { .. }
            | Self::Marks { .. }
            | Self::EntryTooLong { .. }
            | Self::OwnEntry
            | Self::NotAdmitted
            | Self::NotANode { .. } => Blame::Caller,
            Self::Ledger(error) => error.blame(),
            Self::NoHead { .. } | Self::Stopping | Self::Sign(_) => Blame::Environment,
        }
    }
}

/// The codes that `keystead-tpm` gives; any other one is a refusal of the TPM.
const TPM_CODES: &[&str] = &[
    "tpm.device",
    "tpm.auth",
    "tpm.locked_out",
    "tpm.measured",
    "tpm.auth_length",
    "tpm.secret_length",
    "tpm.no_lock_out",
    "tpm.other_tpm",
    "tpm.no_certificate",
    "tpm.counter_taken",
    "tpm.file",
    "tpm.document",
    "tpm.errand",
    "tpm.program",
    "tpm.answer",
    "tpm.mark_forged",
    "tpm.rolled_back",
    "tpm.other_counter",
    "tpm.ledger_shorter",
    "tpm.other_log",
    "evidence.resettable_pcr",
    "evidence.pcrs",
];
