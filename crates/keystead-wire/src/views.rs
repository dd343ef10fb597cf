//! How requests, keys and nodes look from outside.

use std::collections::BTreeMap;
use std::fmt;

use alloy_primitives::{Address, Bytes};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{ClusterId, Digest, Name, RequestId, Timestamp};
use keystead_decision::{Decision, Finding, Frozen, KeyLife, KeyState, Outcome, PublicAccount, Rehearsed};
use keystead_intent::{BitcoinWallet, Intent, KeyKind, Rotation};
use serde::{Deserialize, Serialize};

use crate::{
    AbortView, ConveningView, KeptOut, LinkView, Refused, RunView, SharingView, SpendOnly, WaitingView,
    WindowView,
};

/// Where a request stands, for those who wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestStage {
    /// Refused, rejected, vetoed or expired.
    Denied,
    /// Waits for people or for a delay.
    Waiting,
    /// May be signed or carried out, and is not yet.
    Allowed,
    /// Signed.
    Signed,
    /// A change of authority was carried out.
    Applied,
    /// Its transaction is final.
    Settled,
    /// It can never execute.
    Dead,
    /// Signed, and the block that had its transaction is not one of the chain's any more: it is sent again.
    Reorged,
    /// Its transaction is final and failed: what it was to move stayed, and its fee is paid.
    Failed,
}

impl RequestStage {
    /// Where a request stands after a decision about it; `None` when the decision leaves it where it is.
    #[must_use]
    pub fn after(before: Option<Self>, outcome: &Outcome) -> Option<Self> {
        match outcome {
            // A renewal or a settlement that is denied takes no right back.
            Outcome::Deny { .. } if before.is_some_and(|it| it != Self::Waiting) => None,
            Outcome::Deny { .. } => Some(Self::Denied),
            Outcome::Wait { .. } | Outcome::Simulate { .. } => Some(Self::Waiting),
            Outcome::Allow(_) if before == Some(Self::Signed) => None,
            Outcome::Allow(_) | Outcome::Ceremony { .. } => Some(Self::Allowed),
            Outcome::Activated { .. } | Outcome::Thawed { .. } | Outcome::Compromised { .. } => {
                Some(Self::Applied)
            }
            Outcome::Ended { fate: keystead_decision::Fate::Settled { .. } } => Some(Self::Settled),
            Outcome::Ended { fate: keystead_decision::Fate::Dead { .. } } => Some(Self::Dead),
            Outcome::Ended { fate: keystead_decision::Fate::Reverted { .. } } => Some(Self::Failed),
            // About a request it is what people asked for; key events of nodes are no requests.
            Outcome::Key { .. } => before.map(|_| Self::Applied),
            Outcome::Counted { .. }
            | Outcome::Refused { .. }
            | Outcome::Frozen { .. }
            | Outcome::Priced
            | Outcome::Simulated
            | Outcome::Convened(_)
            | Outcome::Found { .. } => None,
        }
    }

    /// Whether nobody needs to wait any longer.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Allowed)
    }

    /// A word for tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Waiting => "waiting",
            Self::Allowed => "allowed",
            Self::Signed => "signed",
            Self::Applied => "applied",
            Self::Settled => "settled",
            Self::Dead => "dead",
            Self::Reorged => "reorged",
            Self::Failed => "failed",
        }
    }
}

/// A request in one look.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestView {
    /// The request.
    pub request: RequestId,
    /// Where it stands.
    pub stage: RequestStage,
    /// The decision that put it there.
    pub decision: Decision,
    /// What was signed.
    pub signed: Option<SignedPayload>,
    /// Why the back end did not do what was allowed, if it refused.
    pub refusal: Option<Refused>,
    /// The file that a backup or an export ceremony wrote.
    pub file: Option<Digest>,
}

/// A signature, and the bytes that it makes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedPayload {
    /// The 32 bytes that were signed.
    pub signing_digest: Digest,
    /// 65 bytes `r || s || y-parity`; for a PSBT the document of its inputs' signatures; for a message of Solana's 64 bytes.
    pub signature: Bytes,
    /// The signed transaction (EIP-2718) or authorization (RLP); for messages and typed data `r || s || v`; for a
    /// PSBT the transaction that the network takes, or where others sign, too, the PSBT with our signatures in it.
    pub raw: Bytes,
    /// The transaction's hash, where there is one, or will be one once others have signed, too.
    pub transaction: Option<Digest>,
}

/// A request with all that people need to judge it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestDetail {
    /// Where it stands.
    pub view: RequestView,
    /// What was asked. The reader builds the payload from it and trusts no words about it.
    pub intent: Intent,
    /// The address that would sign; the reader needs it to build the payload.
    pub address: Option<Address>,
    /// Everything that was decided about it, oldest first.
    pub decisions: Vec<Decision>,
    /// What the nodes found when they ran it, where policy demands that and while the request is remembered.
    pub simulation: Option<Rehearsed>,
    /// For a PSBT, the wallet whose coins would be spent; the reader needs it to read the payload.
    pub wallet: Option<BitcoinWallet>,
}

/// A key in one look.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyView {
    /// Its name.
    pub name: Name,
    /// What kind.
    pub kind: KeyKind,
    /// Counts changes of the secret.
    pub epoch: u32,
    /// The node whose enclave holds it.
    pub home: Name,
    /// Where it stands in its life.
    pub state: KeyState,
    /// Whether it is frozen, alone or with everything.
    pub frozen: bool,
    /// The digest of the latest backup file.
    pub backup: Option<Digest>,
    /// What its addresses derive from, only once a backup was restored, while it is in use and its proof of control is as
    /// new as its terms ask: nobody may be paid there before or after.
    pub account: Option<PublicAccount>,
    /// The address with index 0, under the same condition.
    pub address: Option<Address>,
    /// Its wallets on Bitcoin, under the same condition.
    pub wallets: Vec<BitcoinWallet>,
    /// Who holds its shares, where it is in shares; `home` is the first of them then.
    pub sharing: Option<SharingView>,
    /// The digests of the files that its shares left in, by holder.
    pub exits: BTreeMap<Name, Digest>,
    /// When a backup of it was restored last and proved control.
    pub drilled: Option<Timestamp>,
    /// The digest of that backup; the latest one was drilled where it is that of `backup`.
    pub drilled_backup: Option<Digest>,
    /// Whether it was whole once, and then dealt in shares: whoever has a copy of it from then signs with it.
    pub imported: bool,
    /// Whose it is, its terms, its successor, its receipts, and when its home proved control.
    pub life: KeyLife,
    /// Where it moves things from while no address of it is handed out.
    pub spend_only: Option<SpendOnly>,
}

/// A node in one look.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeStatus {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its name.
    pub name: Name,
    /// This node.
    pub node: Name,
    /// How often this node was started.
    pub boot: u64,
    /// The height of the last durable block.
    pub height: u64,
    /// The time of the last durable block.
    pub time: Timestamp,
    /// The number of the policy version in force.
    pub policy: u64,
    /// Its digest.
    pub policy_digest: Digest,
    /// What is frozen.
    pub frozen: Frozen,
    /// The first keys by name, at most [`MAX_SHOWN_KEYS`].
    pub keys: Vec<KeyView>,
    /// Requests that wait for people or delays.
    pub open: u64,
    /// Requests that are allowed and not final on their chain: they count in every window.
    pub unsettled: u64,
    /// How many nodes there are.
    pub nodes: u32,
    /// How many votes commit a block.
    pub quorum: u32,
    /// What the cluster withstands.
    pub withstands: Withstands,
    /// Whether this node votes, in words.
    pub standing: String,
    /// The round of the height under way, while there is something to decide.
    pub round: Option<u32>,
    /// The other nodes, as this one sees them.
    pub peers: Vec<PeerView>,
    /// The protections of the enclave process.
    pub protections: Vec<Protection>,
    /// Signatures since the start.
    pub signatures: u64,
    /// Payloads that the enclave refused since the start.
    pub refusals: u64,
    /// How each chain of the policy is watched.
    pub chains: Vec<ChainStatus>,
    /// The fullest counts of the limit windows, at most [`MAX_SHOWN_WINDOWS`](crate::MAX_SHOWN_WINDOWS).
    pub windows: Vec<WindowView>,
    /// How many counts there are.
    pub counts: u64,
    /// The oldest requests that wait, at most [`MAX_SHOWN_WAITING`](crate::MAX_SHOWN_WAITING).
    pub waiting: Vec<WaitingView>,
    /// Why keys are frozen that no person froze: the newest, at most [`MAX_SHOWN_FOUND`].
    pub found: Vec<FoundView>,
    /// The ceremonies of shared keys that are under way.
    pub ceremonies: Vec<ConveningView>,
    /// How many keys there are.
    pub key_count: u64,
    /// How long a transaction of this node's ledger takes, its sync included, smoothed, in microseconds; none before the first.
    pub sync_micros: Option<u32>,
    /// The threshold runs that are wanted or under way here, the oldest first; at most [`MAX_SHOWN_RUNS`](crate::MAX_SHOWN_RUNS).
    pub runs: Vec<RunView>,
    /// Those that came to nothing, the newest first; at most [`MAX_SHOWN_ABORTS`](crate::MAX_SHOWN_ABORTS).
    pub aborts: Vec<AbortView>,
    /// The tokens in which keys of this node live, by group.
    pub tokens: Vec<TokenView>,
    /// What has to be replaced before anything but sweeps is signed, since a compromise was declared.
    pub rotate: Vec<Rotation>,
    /// Why people declared a compromise that is not over.
    pub incident: Vec<String>,
    /// Whom this node keeps out of which key's runs; at most [`MAX_KEPT_OUT`](crate::MAX_KEPT_OUT).
    pub kept_out: Vec<KeptOut>,
}

/// Another node, as this one sees it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerView {
    /// Its name.
    pub name: Name,
    /// Whether this node's connection to it is open.
    pub reachable: bool,
    /// How far it said it is.
    pub height: u64,
    /// The latest block that it did not vote for, and why.
    pub objection: Option<ObjectionView>,
    /// Who carries this node's connection to it, where it is not a direct one.
    pub relay: Option<Name>,
    /// Since when it is reachable, or is not; none before the first connection.
    pub since: Option<Timestamp>,
    /// What this node measured, and it said, on the last connection.
    pub link: Option<LinkView>,
}

/// A node that did not vote for a block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectionView {
    /// At which height.
    pub height: u64,
    /// Why.
    pub refused: Refused,
}

/// How many nodes may fail, and how badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withstands {
    /// Nodes that lie.
    pub lying: u32,
    /// Nodes that are down.
    pub down: u32,
}

impl Withstands {
    /// What `nodes` with this quorum withstand: two quorums share more than the liars, and a quorum is left.
    #[must_use]
    pub fn of(nodes: u32, quorum: u32) -> Self {
        let shared = quorum.saturating_mul(2).saturating_sub(nodes);
        let down = nodes.saturating_sub(quorum);
        Self { lying: shared.saturating_sub(1).min(down), down }
    }
}

impl fmt::Display for Withstands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.lying, self.down) {
            (0, 0) => f.write_str("no node that lies, and none that is down"),
            (0, down) => write!(f, "{down} that is down, and none that lies: crash faults only"),
            (lying, down) if lying == down => write!(f, "{lying} that lies or is down"),
            (lying, down) => write!(f, "{lying} that lies, {down} that is down"),
        }
    }
}

/// One PKCS#11 token of the enclave, as it saw it last.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenView {
    /// Its group: all tokens of one hold the same keys.
    pub group: Name,
    /// What people call it.
    pub token: String,
    /// Why it signs nothing, where it is lost.
    pub lost: Option<String>,
    /// How often it answered since the enclave started.
    pub answered: u64,
}

/// One protection of the enclave process.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protection {
    /// Its stable name.
    pub name: String,
    /// `on`, `partial` or `off`.
    pub status: String,
    /// What is lost without it; empty where it is on.
    pub lost: String,
}

/// How one chain is watched.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainStatus {
    /// The chain's id.
    pub chain: u64,
    /// What is known of it.
    pub watch: ChainWatch,
    /// How far it was compared with the log.
    pub reconciled: ReconciledView,
}

/// How far a node has compared a chain with the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconciledView {
    /// The last block that was compared; none before the first look.
    pub upto: Option<u64>,
    /// The newest final block that was seen.
    pub final_height: Option<u64>,
    /// Why it does not go on, where it does not: what is unknown is not compared.
    pub held_up: Option<String>,
    /// The last block after which balances were compared; none where the state after the last such block was not to be
    /// had.
    pub balances_at: Option<u64>,
    /// How often the chain gave up blocks that were final, since the start.
    pub reorganized: u64,
    /// What was found and is not in the log yet: others have to find the same.
    pub suspects: u64,
}

/// What a chain shows and the log did not allow.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundView {
    /// The height at which it entered the log, and froze its key.
    pub height: u64,
    /// What, and where.
    pub finding: Finding,
}

/// The most keys in one status.
pub const MAX_SHOWN_KEYS: usize = 64;
/// The most findings in one status.
pub const MAX_SHOWN_FOUND: usize = 16;

/// What a node knows of a chain.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ChainWatch {
    /// No endpoints are configured: nothing settles, reservations go on counting.
    NotConfigured,
    /// Enough endpoints agree.
    Agreed {
        /// The highest block that enough endpoints have reached.
        head: u64,
    },
    /// Too few agree: nothing follows from what they say.
    Unknown {
        /// How it looks.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_withstands_what_the_table_says() {
        for (nodes, quorum, lying, down) in [(1, 1, 0, 0), (3, 2, 0, 1), (4, 3, 1, 1), (7, 5, 2, 2)] {
            assert_eq!(Withstands::of(nodes, quorum), Withstands { lying, down }, "{nodes} nodes");
        }
    }
}
