//! What a block is made of. Each entry carries the proof of who sent it.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, ClusterId, Digest, Name, RequestId, Signed, Timestamp};
use keystead_entropy::EntropyReceipt;
use keystead_intent::{Approval, BitcoinWallet, Freeze, KeyKind, RequestBatch, Slot, Veto};
use keystead_policy::{AssuranceLevel, Feature, Price};
use serde::{Deserialize, Serialize};

use crate::{Dealing, Finding, ProvenSeat, PublicAccount, SignedRebuild, Simulation, WitnessWord};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Entry {
    /// Somebody asks.
    Requests(Signed<RequestBatch>),
    /// Somebody says yes or no.
    Approval(Signed<Approval>),
    /// Somebody stops a request during its delay.
    Veto(Signed<Veto>),
    /// Somebody stops signing.
    Freeze(Signed<Freeze>),
    /// A source says what something is worth.
    Price(Signed<Price>),
    /// A node says what became of a transaction; each node checks it against its own endpoints.
    Settlement(Signed<Settlement>),
    /// A node says what its signing back end did.
    Key(Signed<KeyEvent>),
    /// A node asks for a fresh certificate for what was allowed and not yet signed.
    Renew(Signed<Renewal>),
    /// Time passes: delays end, requests expire.
    Tick,
    /// The cluster goes on with new nodes after all others were lost: the only entry of its block, and admitted into
    /// no other.
    Rebuild(Box<SignedRebuild>),
    /// A node says what came of running a transaction; each node runs it itself.
    Simulation(Signed<Simulation>),
    /// A node found on a chain what the log did not allow; each node looks itself.
    Finding(Signed<Finding>),
    /// A person watched the seed of a key being made, and signed its receipt.
    Witness(WitnessWord),
}

impl Canonical for Entry {
    const DOMAIN: &'static str = "keystead/entry/v1";
}

/// What became of a signed transaction, finally.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// The cluster.
    pub cluster: ClusterId,
    /// The request that the transaction belongs to.
    pub request: RequestId,
    /// Its slot; none for signatures without one.
    pub slot: Option<Slot>,
    /// What happened.
    pub fate: Fate,
}

impl Canonical for Settlement {
    const DOMAIN: &'static str = "keystead/settlement/v1";
}

/// How a signature ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fate {
    /// Its transaction is final; its amounts count from now on and expire with the window.
    Settled {
        /// The transaction's hash.
        transaction: Digest,
    },
    /// Another transaction is final in its slot: it can never execute, and counts no more.
    Dead {
        /// The other transaction's hash.
        by: Digest,
    },
    /// Its transaction is final and failed: what it was to move stayed, and its fee is paid. Its amounts count as if they
    /// had moved.
    Reverted {
        /// The transaction's hash.
        transaction: Digest,
    },
}

/// What a signing back end did with a key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEvent {
    /// The cluster.
    pub cluster: ClusterId,
    /// The key.
    pub key: Name,
    /// What happened.
    pub step: KeyStep,
}

impl Canonical for KeyEvent {
    const DOMAIN: &'static str = "keystead/key-event/v1";
}

/// The steps that only a back end can report.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyStep {
    /// The key was born, as the committed ceremony asked.
    Created {
        /// The request that allowed it.
        request: RequestId,
        /// What kind.
        kind: KeyKind,
        /// What its addresses derive from.
        account: PublicAccount,
        /// What kind of home it has.
        assurance: AssuranceLevel,
        /// The protections of that home that are fully in force, ascending.
        protections: Vec<Feature>,
    },
    /// A backup was written.
    BackedUp {
        /// The request that allowed it.
        request: RequestId,
        /// The digest of the backup file.
        backup: Digest,
    },
    /// A scratch enclave restored the backup and signed the challenge with the restored key.
    Drilled {
        /// The digest of the backup file that was restored.
        backup: Digest,
        /// 64 bytes r ‖ s over [`crate::drill_challenge`] by the address with index 0.
        proof: Vec<u8>,
    },
    /// The home of the key started anew, with other protections than it reported last.
    Protected {
        /// The protections that are fully in force, ascending.
        protections: Vec<Feature>,
    },
    /// The key was wiped from the enclave and the ledger, as the committed ceremony asked.
    Destroyed,
    /// A backup was restored in this node's enclave, as the committed ceremony asked: the key's next epoch.
    Restored {
        /// The request that allowed it.
        request: RequestId,
        /// The fingerprint of the enclave's one-time key that the backup was handed over to.
        recipient: Digest,
        /// What kind of home it has now.
        assurance: AssuranceLevel,
        /// The protections of that home that are fully in force, ascending.
        protections: Vec<Feature>,
        /// 64 bytes r ‖ s over [`crate::drill_challenge`] of the next epoch and `recipient`, by the address with
        /// index 0.
        proof: Vec<u8>,
    },
    /// The key's wallet on a network of Bitcoin's, as its enclave derived it.
    Wallet {
        /// The wallet.
        wallet: BitcoinWallet,
        /// 64 bytes r ‖ s over [`crate::wallet_challenge`] by the address with index 0.
        proof: Vec<u8>,
    },
    /// A participant's enclave has its keys for the ceremony of a shared key; said again with other keys, the ceremony
    /// begins anew.
    Seated {
        /// The request that allowed it.
        request: RequestId,
        /// The keys, and their proof that they are this node's ([`crate::SeatClaim`]).
        seat: Box<ProvenSeat>,
    },
    /// The new share of a holder is sealed and durable.
    Dealt {
        /// The request that allowed it.
        request: RequestId,
        /// The attempt that made it.
        attempt: u32,
        /// What the key's addresses derive from.
        account: PublicAccount,
        /// The public side of each new share, in the next holders' order: 33 bytes compressed.
        shares: Vec<Vec<u8>>,
        /// What kind of home the share has.
        assurance: AssuranceLevel,
        /// The protections of that home that are fully in force, ascending.
        protections: Vec<Feature>,
    },
    /// The new share of a holder signed, together with those of others.
    Proven {
        /// The request that allowed it.
        request: RequestId,
        /// The attempt that made it.
        attempt: u32,
        /// 64 bytes r ‖ s over [`crate::share_challenge`] by the address with index 0.
        proof: Vec<u8>,
    },
    /// A holder has no share of this epoch any more: it signs nothing until it gets a new one.
    Lost {
        /// The epoch in force.
        epoch: u32,
    },
    /// A holder's enclave encrypted its share to the recipients of the committed exit.
    Left {
        /// The request that allowed it.
        request: RequestId,
        /// The digest (SHA-256) of the age file.
        file: Digest,
    },
    /// A whole key was dealt to the holders of a committed import; whichever node brings it, its dealer signed it.
    Imported {
        /// The request that allowed it.
        request: RequestId,
        /// The attempt that it was dealt for.
        attempt: u32,
        /// What was dealt.
        dealing: Box<Signed<Dealing>>,
    },
    /// A key was born in this node's tokens, as the committed ceremony asked, and signed there: it has no backup to drill,
    /// and is active at once.
    InTokens {
        /// The request that allowed it.
        request: RequestId,
        /// Its one account.
        account: PublicAccount,
        /// What kind of home the enclave is that asks the tokens.
        assurance: AssuranceLevel,
        /// The protections of that home that are fully in force, ascending.
        protections: Vec<Feature>,
        /// 64 bytes r ‖ s over [`crate::drill_challenge`] of epoch 0 and the request in the place of a backup.
        proof: Vec<u8>,
    },
    /// What the seed of a key was made of, as the enclave said when the key was born.
    Received {
        /// The receipt.
        receipt: EntropyReceipt,
    },
    /// The certificate of a destruction: what is left of the key at this node.
    Wiped {
        /// The request that allowed it.
        request: RequestId,
        /// What the key's addresses derived from.
        account: PublicAccount,
        /// The last epoch of what was wiped.
        epoch: u32,
        /// How many sealed records of the key were erased from the ledger; none is left.
        erased: u32,
    },
    /// The home of a key signed the newest block that it knew: it controls the key.
    Controlled {
        /// The height of that block.
        height: u64,
        /// 64 bytes r ‖ s over [`crate::control_challenge`] by the address with index 0.
        proof: Vec<u8>,
    },
}

/// Asks for a fresh certificate.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// The cluster.
    pub cluster: ClusterId,
    /// The request.
    pub request: RequestId,
    /// When it was asked, so that two renewals are two entries.
    pub at: Timestamp,
}

impl Canonical for Renewal {
    const DOMAIN: &'static str = "keystead/renewal/v1";
}
