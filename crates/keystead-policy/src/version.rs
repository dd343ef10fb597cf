//! A policy version: the one signed bundle that says what may be signed.

use alloy_primitives::Address;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Amount, Canonical, Digest, HybridPublicKey, Name, Timestamp};
use keystead_intent::{Asset, AssetEntry, ChainId, ChangeKind, ContractEntry, DangerClass, SimulatedBlock};
use serde::{Deserialize, Serialize};

use crate::{BitcoinTerms, FeeCap, RequiredProtections, Roster};

/// One version of all that decides. Version 0 is signed by the founders at genesis; each later one
/// names the digest of the one before (S13).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyVersion {
    /// 0, 1, 2, … without gaps.
    pub number: u64,
    /// The digest of the version before; zero for version 0.
    pub previous: Digest,
    /// Who is who.
    pub roster: Roster,
    /// Cedar rules; nothing is allowed that no rule permits.
    pub rules: Vec<Rule>,
    /// Limits over time.
    pub windows: Vec<Window>,
    /// Who has to approve what.
    pub quorums: Vec<QuorumRow>,
    /// Destinations with names (S12), by chain and address ascending.
    pub address_book: Vec<AddressEntry>,
    /// Which assets there are, by chain and asset ascending.
    pub assets: Vec<AssetEntry>,
    /// What other contracts are, by chain and address ascending.
    pub contracts: Vec<ContractEntry>,
    /// The chains that may be signed for (S8), ascending.
    pub chains: Vec<ChainId>,
    /// Whose prices count, if fiat limits are used.
    pub prices: Option<PriceRule>,
    /// How much value each kind of key home may guard.
    pub caps: Vec<AssuranceCap>,
    /// What each kind of key home must have before its keys sign, by level ascending.
    pub protections: Vec<RequiredProtections>,
    /// How fresh the head must be under which a key of each home signs, by level ascending. A level that is
    /// not listed asks for each batch of signatures.
    pub fresh_heads: Vec<FreshHeadRule>,
    /// Which transactions every node runs before they are allowed, if any.
    pub simulation: Option<SimulationRule>,
    /// Spans and ages.
    pub timing: Timing,
    /// What is said of Bitcoin alone, if anything.
    pub bitcoin: Option<BitcoinTerms>,
    /// The most that may be offered for fees, by id ascending.
    pub fee_caps: Vec<FeeCap>,
    /// By how much balances of an asset may fall short of what its events say, by chain and asset ascending. Of all
    /// others: by nothing.
    pub tolerances: Vec<Tolerance>,
}

impl Canonical for PolicyVersion {
    const DOMAIN: &'static str = "keystead/policy/v1";
}

impl PolicyVersion {
    /// Number and digest.
    #[must_use]
    pub fn reference(&self) -> PolicyRef {
        PolicyRef { number: self.number, digest: self.digest() }
    }

    /// By how much balances of an asset may fall short.
    #[must_use]
    pub fn tolerance(&self, chain: ChainId, asset: Asset) -> Tolerance {
        let listed = self.tolerances.iter().find(|it| it.chain == chain && it.asset == asset);
        listed.copied().unwrap_or(Tolerance { chain, asset, flow_bps: 0, hold_bps: 0 })
    }

    /// When a back end of this level asks a quorum for the newest head.
    #[must_use]
    pub fn fresh_head(&self, level: AssuranceLevel) -> FreshHeadDemand {
        let listed = self.fresh_heads.iter().find(|rule| rule.level == level);
        listed.map_or(FreshHeadDemand::PerSignature, |rule| rule.demand)
    }
}

/// An asset of which not everything stands in its events: a share is taken of what moves, or of what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// The chain.
    pub chain: ChainId,
    /// The asset.
    pub asset: Asset,
    /// Of what goes and comes, in basis points: a fee on transfer, a rounding.
    pub flow_bps: u32,
    /// Of what is held, in basis points for each comparison: a rebase.
    pub hold_bps: u32,
}

/// A policy version by number and digest.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct PolicyRef {
    /// The version's number.
    pub number: u64,
    /// The digest of its document.
    pub digest: Digest,
}

/// One Cedar policy with a name that decisions cite.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name.
    pub id: Name,
    /// One `permit` or `forbid` in Cedar, checked against the schema.
    pub cedar: String,
}

/// A limit on what leaves within a sliding span (S10).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The name that decisions cite.
    pub id: Name,
    /// The keys it counts for; empty counts all.
    pub keys: Vec<Name>,
    /// The chains it counts for; empty counts all.
    pub chains: Vec<ChainId>,
    /// The destinations it counts for; empty counts all.
    pub destinations: Vec<Address>,
    /// What is counted.
    pub measure: Measure,
    /// What splits the count into separate ones.
    pub per: Vec<Dimension>,
    /// The sum never exceeds this by one unit: a number of requests, base units, or micro-units of fiat.
    pub limit: Amount,
    /// The span, in seconds.
    pub span_seconds: u64,
}

/// What a window counts.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Measure {
    /// Requests.
    Count,
    /// Base units of one asset on one chain.
    Asset {
        /// The chain.
        chain: ChainId,
        /// The asset.
        asset: Asset,
    },
    /// Micro-units of the fiat currency of [`PriceRule`], over all assets that leave.
    Fiat,
}

/// What splits a window.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// One count per key.
    Key,
    /// One count per destination.
    Destination,
    /// One count per chain.
    Chain,
    /// One count per requester: whoever takes one's token fills no other's.
    Requester,
}

/// Who has to approve what. Every matching row must be satisfied, and no matching row is a denial.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuorumRow {
    /// The name that decisions cite.
    pub id: Name,
    /// The keys it speaks of; empty speaks of all.
    pub keys: Vec<Name>,
    /// The danger classes it speaks of.
    pub classes: Vec<DangerClass>,
    /// The changes of Keystead's own authority it speaks of; empty speaks of everything in its classes.
    pub changes: Vec<ChangeKind>,
    /// From which amount on; a row without one always matches.
    pub from: Option<Threshold>,
    /// So many people of each role; none means that no approval is needed.
    pub needs: Vec<Need>,
    /// How long the request waits, in seconds, from the block that announced it.
    pub delay_seconds: u64,
    /// The roles that may veto while it waits.
    pub vetoers: Vec<Name>,
}

/// An amount from which on a row matches: the sum of what leaves in the request, the most that the network may take
/// with it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// An asset or fiat; a count means nothing here and is refused.
    pub measure: Measure,
    /// The row matches at this amount and above.
    pub amount: Amount,
}

/// So many distinct people of a role.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// The role.
    pub role: Name,
    /// How many people.
    pub count: u32,
    /// The kinds of factor that count; empty takes any.
    pub factors: Vec<crate::Factor>,
}

/// A destination with a name.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressEntry {
    /// The chain.
    pub chain: ChainId,
    /// The address.
    pub address: Address,
    /// The name people see.
    pub name: Name,
    /// Not before this moment does the entry count, and not before its cool-off is over
    /// ([`Timing::cool_off_seconds`]).
    pub usable_from: Timestamp,
}

/// Whose prices count.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceRule {
    /// ISO 4217, for instance `USD`.
    pub currency: String,
    /// The sources, by name ascending.
    pub sources: Vec<PriceSource>,
    /// So many must have a fresh price; the highest of the k lowest-deviating is taken, so limits err to deny.
    pub agree: u32,
    /// The oldest price that counts, in seconds.
    pub max_age_seconds: u64,
    /// The largest spread between the sources that count, in basis points of the lowest.
    pub max_spread_bps: u32,
    /// How far the log's price of a source may be from a newer one of the same source that a node holds itself,
    /// in basis points of the lower: beyond that the node votes for no block that leaves the newer one out.
    pub tolerance_bps: u32,
}

/// A named source of prices.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceSource {
    /// Its name.
    pub name: Name,
    /// The key that signs its prices.
    pub key: HybridPublicKey,
}

/// What one unit is worth, according to one source.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The chain.
    pub chain: ChainId,
    /// The asset.
    pub asset: Asset,
    /// The currency, as in [`PriceRule`].
    pub currency: String,
    /// Micro-units of fiat for 10^`decimals` base units.
    pub micro_per_unit: u64,
    /// The asset's decimals.
    pub decimals: u8,
    /// When the source saw it.
    pub at: Timestamp,
}

impl Canonical for Price {
    const DOMAIN: &'static str = "keystead/price/v1";
}

/// How much value a kind of key home may guard, as a fiat or asset amount per request.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssuranceCap {
    /// The kind of key home.
    pub level: AssuranceLevel,
    /// What is capped.
    pub measure: Measure,
    /// The most that one request may move.
    pub amount: Amount,
}

/// When a back end of one level asks a quorum for the newest head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreshHeadRule {
    /// The kind of key home.
    pub level: AssuranceLevel,
    /// When it asks.
    pub demand: FreshHeadDemand,
}

/// How often a quorum answers a nonce of the back end with the newest head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreshHeadDemand {
    /// Once, before the first signature or ceremony of a back end's life.
    AtBoot,
    /// At boot, and again for each batch of signatures.
    PerSignature,
}

/// Which transactions every node runs on the state of a recent block before they are allowed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulationRule {
    /// The keys it speaks of; empty speaks of all.
    pub keys: Vec<Name>,
    /// The danger classes it speaks of; empty speaks of all.
    pub classes: Vec<DangerClass>,
    /// The chains it speaks of; empty speaks of all.
    pub chains: Vec<ChainId>,
    /// The oldest block whose state counts when a request is allowed: from the block's own time, in seconds.
    pub max_age_seconds: u64,
    /// How long a request waits for a run before it is denied, in seconds.
    pub wait_seconds: u64,
    /// Whether what reverts, halts or would not be taken may be allowed.
    pub may_fail: bool,
    /// What else is run.
    #[serde(default)]
    pub simulate: Simulate,
}

/// Which transactions are run beside those that a [`SimulationRule`] speaks of.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Simulate {
    /// None.
    #[default]
    WhereAsked,
    /// Every other one: it waits for its run for at most so long, and goes on without one then.
    Always {
        /// How long, in seconds.
        wait_seconds: u64,
    },
    /// Every one, in the same way: the rule speaks of none, and nothing is denied for want of a run.
    Shown {
        /// How long, in seconds.
        wait_seconds: u64,
    },
}

/// How one transaction is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunTerms<'a> {
    /// What is common to all.
    pub rule: &'a SimulationRule,
    /// Whether it is denied without a run, and for a run that fails.
    pub demanded: bool,
    /// How long it waits for one, in seconds.
    pub wait_seconds: u64,
}

impl SimulationRule {
    /// How a transaction of this class is run; none where it is not.
    #[must_use]
    pub fn terms(&self, key: &Name, class: DangerClass, chain: ChainId) -> Option<RunTerms<'_>> {
        let demanded = self.demands(key, class, chain);
        let wait_seconds = match self.simulate {
            _ if demanded => self.wait_seconds,
            Simulate::WhereAsked => return None,
            Simulate::Always { wait_seconds } | Simulate::Shown { wait_seconds } => wait_seconds,
        };
        Some(RunTerms { rule: self, demanded, wait_seconds })
    }

    fn demands(&self, key: &Name, class: DangerClass, chain: ChainId) -> bool {
        let speaks_of_key = self.keys.is_empty() || self.keys.contains(key);
        let speaks_of_class = self.classes.is_empty() || self.classes.contains(&class);
        let speaks_of_chain = self.chains.is_empty() || self.chains.contains(&chain);
        let speaks = !matches!(self.simulate, Simulate::Shown { .. });
        speaks && speaks_of_key && speaks_of_class && speaks_of_chain
    }

    /// Whether the state after this block is recent enough at this moment of the log.
    #[must_use]
    pub fn is_recent(&self, block: &SimulatedBlock, now: Timestamp) -> bool {
        now.seconds().saturating_sub(block.time_seconds) <= self.max_age_seconds
    }
}

/// The kind of home a key has. More kinds come with later versions.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
// One variant so far would take no bytes in memory, and Borsh refuses lists of such a type.
#[repr(u8)]
pub enum AssuranceLevel {
    /// A confined child process; root on its host can inject code.
    Process,
}

impl AssuranceLevel {
    /// The level's stable name, as JSON and Cedar write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
        }
    }
}

impl std::fmt::Display for AssuranceLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Spans and ages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// How far in the future a request or approval may expire, in seconds.
    pub max_lifetime_seconds: u64,
    /// How long a certificate is good for, in seconds.
    pub certificate_seconds: u64,
    /// By how much clocks may differ, in seconds; windows are widened by it.
    pub skew_seconds: u64,
    /// For how long an entry of the address book does not count, in seconds from the block that added or
    /// changed it. Those of version 0 are the founders' word and count at once.
    pub cool_off_seconds: u64,
}
