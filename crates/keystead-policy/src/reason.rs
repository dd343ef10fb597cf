//! Why a request is denied: typed, stable, and readable without the source.

use alloy_primitives::Address;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Amount, Name, RequestId, Timestamp};
use keystead_intent::{Asset, ChainId, ChangeKind, Coin, DangerClass, KeyKind, KeyState, Slot, SpendLock};
use serde::{Deserialize, Serialize};

use crate::{AssuranceLevel, Bucket, Feature, FeePart, LifeReason, ShareFault, SimulationReason, protection};

mod code;

/// The most reasons that one decision lists; the first found are kept.
pub const MAX_REASONS: usize = 32;

/// One reason for a denial. Those of the log itself (slots, freezes, expiry) stand here too, so that
/// a decision has one list of one type.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
    thiserror::Error,
)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reason {
    /// The requester is in no roster.
    #[error("`{requester}` is neither a person nor a service of the roster")]
    UnknownRequester {
        /// Who asked.
        requester: Name,
    },
    /// No such key.
    #[error("there is no key `{key}`")]
    KeyUnknown {
        /// The key.
        key: Name,
    },
    /// The key has no restored backup yet.
    #[error("key `{key}` signs nothing before a backup of it was restored and proved control")]
    KeyInactive {
        /// The key.
        key: Name,
    },
    /// The payload does not decode, or does not say what the request says.
    #[error("the payload is refused: {text}")]
    Undecodable {
        /// The decoder's stable code.
        code: String,
        /// What it says.
        text: String,
    },
    /// The chain is not configured, or an inner authorization names another one (S8).
    #[error("the policy names no chain {chain}")]
    ChainNotAllowed {
        /// The chain.
        chain: ChainId,
    },
    /// Default deny.
    #[error("no rule permits effect {effect} (class {class})")]
    NoRulePermits {
        /// The effect's place in the payload, from 0.
        effect: u32,
        /// Its class.
        class: DangerClass,
    },
    /// A rule forbids it.
    #[error("rule `{rule}` forbids it")]
    Forbidden {
        /// The rule.
        rule: Name,
    },
    /// A rule could not be evaluated; what it would have said is unknown, so the answer is no.
    #[error("rule `{rule}` fails to evaluate, which denies")]
    RuleError {
        /// The rule.
        rule: Name,
    },
    /// Bytes that are not understood, and no rule that names this contract and selector.
    #[error("the call {call} is not understood, and no permitting rule is annotated @opaque(\"{call}\")")]
    Opaque {
        /// Contract and selector, as the annotation would name them.
        call: String,
    },
    /// A bare hash, and no rule that takes one.
    #[error("only a hash is visible, and no permitting rule is annotated @blind(\"true\")")]
    BlindDigest,
    /// The destination has no name (S12).
    #[error("{address} is not in the address book")]
    DestinationUnknown {
        /// The destination.
        address: Address,
    },
    /// The destination's entry is too young (S12).
    #[error("{address} is in the address book, but not usable before {until}")]
    DestinationCooling {
        /// The destination.
        address: Address,
        /// The end of its cool-off.
        until: Timestamp,
    },
    /// Nobody is named who could approve it.
    #[error("no quorum row covers class {class} for this key and amount")]
    NoQuorumRow {
        /// The class.
        class: DangerClass,
    },
    /// The key's home may not guard that much.
    #[error("a key of level `{level}` may move at most {limit} at once, asked {asked}")]
    CapExceeded {
        /// The level.
        level: AssuranceLevel,
        /// The cap.
        limit: Amount,
        /// What the request moves; the maximum, where nobody can tell.
        asked: Amount,
    },
    /// More than a whole window, whatever was used of it.
    #[error("window `{window}` holds at most {limit}, asked {asked}")]
    AmountTooLarge {
        /// The window.
        window: Name,
        /// Its limit.
        limit: Amount,
        /// What the request counts.
        asked: Amount,
    },
    /// The window is too full (S10).
    #[error("window `{window}` ({bucket}) allows {limit}, used {used}, asked {asked}")]
    LimitExceeded {
        /// The window.
        window: Name,
        /// Which of its counts.
        bucket: Bucket,
        /// Its limit.
        limit: Amount,
        /// What counts already.
        used: Amount,
        /// What the request would add.
        asked: Amount,
    },
    /// A fiat limit applies and the policy names no sources.
    #[error("a fiat amount is needed, and the policy has no price rule")]
    NoPriceRule,
    /// Too few sources ever said what the asset is worth.
    #[error("no {needed} sources have a price for {} on {chain}, found {found}", asset_text(asset))]
    PriceMissing {
        /// The chain.
        chain: ChainId,
        /// The asset.
        asset: Asset,
        /// How many must have one.
        needed: u32,
        /// How many have one.
        found: u32,
    },
    /// Too few sources said it lately.
    #[error("no {needed} sources have a fresh price for {} on {chain}, found {fresh}", asset_text(asset))]
    PriceStale {
        /// The chain.
        chain: ChainId,
        /// The asset.
        asset: Asset,
        /// How many must have one.
        needed: u32,
        /// How many have one.
        fresh: u32,
    },
    /// The sources disagree.
    #[error("the prices of {} on {chain} differ by more than {limit_bps} basis points", asset_text(asset))]
    PriceSpread {
        /// The chain.
        chain: ChainId,
        /// The asset.
        asset: Asset,
        /// The largest spread that counts.
        limit_bps: u32,
    },
    /// Another digest took the slot (S4).
    #[error("nonce {nonce} of {account} on {chain} is taken by request {by}", nonce = slot.nonce, account = slot.account, chain = slot.chain)]
    SlotTaken {
        /// The slot.
        slot: Slot,
        /// The request that took it.
        by: RequestId,
    },
    /// Signing is stopped (S14).
    #[error("{} is frozen", frozen_what(key))]
    Frozen {
        /// The key, or none for everything.
        key: Option<Name>,
    },
    /// Too late.
    #[error("it expired at {at}")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// It would live for longer than the policy lets anything live.
    #[error("it expires at {found}; the policy allows {latest} at the latest")]
    LivesTooLong {
        /// The latest moment allowed.
        latest: Timestamp,
        /// The moment found.
        found: Timestamp,
    },
    /// A replacement that does not fit what it replaces.
    #[error("it does not replace request {replaces}: {text}")]
    NotReplacing {
        /// The request that was to be replaced.
        replaces: RequestId,
        /// What differs.
        text: String,
    },
    /// Approvals were gathered under a version that is not in force any more.
    #[error("the policy changed from version {gathered} to {current} meanwhile")]
    PolicyChanged {
        /// The version that the request was judged under.
        gathered: u64,
        /// The version in force.
        current: u64,
    },
    /// Somebody stopped it during its delay.
    #[error("`{by}` vetoed it")]
    Vetoed {
        /// Who.
        by: Name,
    },
    /// An approver said no.
    #[error("`{by}` rejected it")]
    Rejected {
        /// Who.
        by: Name,
    },
    /// The same request is in the log already.
    #[error("request {of} is in the log already")]
    Duplicate {
        /// The earlier request.
        of: RequestId,
    },
    /// An approval, veto or freeze that does not count.
    #[error("it does not count: {text}")]
    NotCounted {
        /// The stable code of the refusal.
        code: String,
        /// What it says.
        text: String,
    },
    /// A key of this name, or with this public key, exists already (E3).
    #[error("key `{key}`, or one with the same public key, exists already")]
    KeyExists {
        /// The key.
        key: Name,
    },
    /// A restored backup did not prove control of the key.
    #[error("the drill of key `{key}` does not prove that this backup restores it")]
    DrillFailed {
        /// The key.
        key: Name,
    },
    /// A backup for nobody.
    #[error("a backup needs at least one recipient")]
    NoRecipients,
    /// A backup for somebody who could not read it.
    #[error("`{person}` is not a person of the roster with a recipient key")]
    NotARecipient {
        /// The person.
        person: Name,
    },
    /// No such request, or one that is long over.
    #[error("no request {request} is known")]
    RequestUnknown {
        /// The request.
        request: RequestId,
    },
    /// The request is past the step that this is for.
    #[error("request {request} does not wait for this")]
    NotOpen {
        /// The request.
        request: RequestId,
    },
    /// Too many requests wait.
    #[error("{limit} requests wait already")]
    TooManyOpen {
        /// The most that may wait.
        limit: u64,
    },
    /// A document that cannot become the next policy version.
    #[error("the policy version is refused: {text}")]
    PolicyRefused {
        /// The stable code of the refusal.
        code: String,
        /// What it says.
        text: String,
    },
    /// A key that people stopped.
    #[error("key `{key}` is {state} and signs nothing")]
    KeyStopped {
        /// The key.
        key: Name,
        /// Where it stands in its life.
        state: KeyState,
    },
    /// A step that a key in this state cannot take.
    #[error("key `{key}` is {state}: {change} is no step from there")]
    KeyStep {
        /// The key.
        key: Name,
        /// Where it stands in its life.
        state: KeyState,
        /// What was asked.
        change: ChangeKind,
    },
    /// The home of the key lacks what policy demands of it.
    #[error("the home of key `{key}` lacks what policy demands: {}", protection::names(missing))]
    Unprotected {
        /// The key.
        key: Name,
        /// The protections that are not reported as fully in force, ascending.
        missing: Vec<Feature>,
    },
    /// A change that needs a quorum row of its own.
    #[error("no quorum row of this policy names {change} for this key")]
    ChangeNotNamed {
        /// The change.
        change: ChangeKind,
    },
    /// A report about a key by a node that does not hold it.
    #[error("key `{key}` lives at {home}, the report is of {node}")]
    NotHome {
        /// The key.
        key: Name,
        /// The node that holds it.
        home: Name,
        /// The node that reports.
        node: Name,
    },
    /// What a run of the transaction says, or that there is none.
    #[error(transparent)]
    Simulation(#[from] SimulationReason),
    /// Another transaction takes the coin (S4).
    #[error("coin {coin} is spent by request {by}")]
    CoinTaken {
        /// The coin.
        coin: Coin,
        /// The request whose transaction spends it.
        by: RequestId,
    },
    /// No rule lets this requester have anything of the kind signed with this key, whatever it says: nobody reads it.
    #[error("no rule lets `{requester}` have a PSBT signed with key `{key}`")]
    RequesterNotPermitted {
        /// Who asked.
        requester: Name,
        /// The key.
        key: Name,
    },
    /// Every node keeps what waits, and what may still be signed.
    #[error(
        "`{requester}` has {limit} PSBTs that wait, or {limit_bytes} bytes of PSBTs that wait or may be signed still: \
         let some of them end first"
    )]
    TooManyPsbts {
        /// Who asked.
        requester: Name,
        /// The most that may wait.
        limit: u64,
        /// The most bytes of those that wait or may be signed.
        limit_bytes: u64,
    },
    /// It is valid only later, and no rule of lock times lets it wait so long.
    #[error("it waits {lock}: no rule of lock times permits that")]
    LockTime {
        /// What it waits for.
        lock: SpendLock,
    },
    /// More is offered for fees than policy lets anybody offer.
    #[error("fee cap `{cap}` allows {limit} {part}, asked {asked}")]
    FeeTooHigh {
        /// The cap.
        cap: Name,
        /// Which of its ceilings.
        part: FeePart,
        /// The ceiling.
        limit: Amount,
        /// What the request offers.
        asked: Amount,
    },
    /// Not such holders as a shared key can have.
    #[error(
        "key `{key}` cannot be held by any {threshold} of {}: it takes 2 ≤ threshold ≤ holders ≤ 16, each another node of the roster",
        listed(holders)
    )]
    HoldersRefused {
        /// The key.
        key: Name,
        /// How many would sign.
        threshold: u8,
        /// Who would hold it.
        holders: Vec<Name>,
    },
    /// Not such dealers as a resharing takes.
    #[error(
        "new shares of key `{key}` are dealt by at least {threshold} of those who hold it, not by {}",
        listed(dealers)
    )]
    DealersRefused {
        /// The key.
        key: Name,
        /// How many it takes.
        threshold: u8,
        /// Who would deal.
        dealers: Vec<Name>,
    },
    /// A step that keys of this kind do not take.
    #[error("key `{key}` is a {kind} key: that is no step of such a key")]
    KindRefused {
        /// The key.
        key: Name,
        /// Its kind.
        kind: KeyKind,
    },
    /// The word of a node in the ceremony of a shared key does not count.
    #[error("what {node} says about its share of key `{key}` does not count: {fault}")]
    ShareRefused {
        /// The key.
        key: Name,
        /// Who said it.
        node: Name,
        /// Why.
        fault: ShareFault,
    },
    /// A share that is not known to be lost: only its holder's own node says so.
    #[error("the node {node} holds no share of key `{key}`, or did not say that it lost it")]
    NotLost {
        /// The key.
        key: Name,
        /// The node.
        node: Name,
    },
    /// Not such recipients as the shares of a leaving key are encrypted to.
    #[error("the shares of key `{key}` leave for 1 to 8 different recipients of the form age1pq1…")]
    RecipientsRefused {
        /// The key.
        key: Name,
    },
    /// A backup in shares that one person could restore, or nobody.
    #[error(
        "the shares of a backup of key `{key}` are for 2 to 16 different people: of each group of several at least 2 \
         restore it, and of a group of one that one with another group"
    )]
    BackupShape {
        /// The key.
        key: Name,
    },
    /// What the life of a key, or a declared compromise, does not let be done.
    #[error(transparent)]
    Life(#[from] LifeReason),
    /// Two of those who would hold a share have shown one device, or one has shown none where policy requires it.
    #[error("key `{key}` cannot be held so: {text}")]
    DevicesRefused {
        /// The key.
        key: Name,
        /// The code of what is wrong with the devices.
        code: String,
        /// The same in words.
        text: String,
    },
}

fn listed(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

fn frozen_what(key: &Option<Name>) -> String {
    key.as_ref().map_or_else(|| "the whole cluster".to_owned(), |key| format!("key `{key}`"))
}

pub(crate) fn asset_text(asset: &Asset) -> String {
    match asset {
        Asset::Native => "the coin".to_owned(),
        Asset::Token(token) => format!("token {token}"),
    }
}

#[cfg(test)]
mod tests;
