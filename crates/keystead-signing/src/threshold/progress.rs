//! What parent and enclave say to each other of runs (specs/enclave.md).

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Name, PublicAccount, RequestId};
use keystead_bitcoin::SpendSignature;
use keystead_decision::RunAim;
use keystead_entropy::EntropyReceipt;
use keystead_keys::Sealed;
use keystead_threshold::{Abort, Record, SessionId};
use serde::{Deserialize, Serialize};

use crate::{Released, ReleasedMessage};

/// A run to begin: what it signs, and with whom. The enclave makes the session of it itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStart {
    /// What is to be signed.
    pub aim: RunAim,
    /// Counts the tries: each is another session.
    pub attempt: u32,
    /// Who signs, as many as the threshold says.
    pub signers: Vec<Name>,
}

/// What moved. The parent works it off in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// To be durable before anything else happens (S5, K6).
    pub records: Vec<Record>,
    /// To be sent.
    pub messages: Vec<Outgoing>,
    /// Runs that ended.
    pub ended: Vec<Ended>,
    /// Where each run that moved on and goes on stands now.
    pub stands: Vec<Standing>,
}

impl Progress {
    /// What moved after it, to be worked off with it.
    pub fn add(&mut self, later: Self) {
        self.records.extend(later.records);
        self.messages.extend(later.messages);
        self.ended.extend(later.ended);
        self.stands.extend(later.stands);
    }
}

/// Where a run stands, for whoever looks: nothing depends on it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The run.
    pub session: SessionId,
    /// The request that it serves.
    pub request: RequestId,
    /// Its round, as envelopes count: even ones are the protocol's, odd ones echoes.
    pub round: u8,
    /// How many rounds it has, echoes not counted.
    pub rounds: u8,
    /// Who has not been heard in it.
    pub missing: Vec<Name>,
}

/// A message for one node.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outgoing {
    /// For whom.
    pub to: Name,
    /// A broadcast, or a letter.
    #[serde(with = "const_hex")]
    pub message: Vec<u8>,
}

/// A run that ended.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// The run.
    pub session: SessionId,
    /// The request that it served.
    pub request: RequestId,
    /// How.
    pub end: RunEnd,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// A signature, verified inside (S7).
    Signed {
        /// The height whose block allowed it.
        height: u64,
        /// The signature.
        released: Released,
    },
    /// A share: the parent makes the seal durable before it tells the log.
    Dealt(Box<DealtShare>),
    /// This node holds no share afterwards.
    Dismissed,
    /// 64 bytes over `keystead_decision::share_challenge`: ECDSA by the account with index 0, BIP-340 and
    /// Ed25519 by the key itself.
    Proved {
        /// Whose share was among those that signed.
        prover: Name,
        /// The signature.
        #[serde(with = "const_hex")]
        proof: Vec<u8>,
    },
    /// Nothing. The record of it is among the records.
    Aborted(Abort),
    /// The signature of one input, verified inside (S7).
    SignedInput {
        /// The height whose block allowed it.
        height: u64,
        /// The signature.
        signature: SpendSignature,
    },
    /// The signature of a message of Solana's, verified inside (S7).
    SignedMessage {
        /// The height whose block allowed it.
        height: u64,
        /// The signature.
        released: ReleasedMessage,
    },
}

/// A share that a ceremony made.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DealtShare {
    /// The key.
    pub key: Name,
    /// The epoch of the share.
    pub epoch: u32,
    /// The shared key's public side.
    pub account: PublicAccount,
    /// The public side of each holder's share, in the holders' order.
    pub shares: Vec<Vec<u8>>,
    /// The share, sealed.
    pub sealed: Sealed,
    /// At a birth: what this holder's contribution to the key was made of.
    pub receipt: Option<EntropyReceipt>,
}
