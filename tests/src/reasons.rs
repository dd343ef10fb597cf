//! Each reason of a denial, for vectors.

use keystead_base::{Amount, Digest, RequestId};
use keystead_decision::KeyState;
use keystead_intent::{Asset, ChangeKind, Coin, DangerClass, KeyKind, KeyTerm, Rotation, Slot, SpendLock};
use keystead_policy::{AssuranceLevel, Bucket, Feature, FeePart, LifeReason, Reason, ShareFault};

use crate::fixture::{BIRTH, CHAIN, FRIEND, name};

/// Every reason once: their numbers are wire form.
#[must_use]
pub fn every_reason(request: RequestId) -> Vec<Reason> {
    let (key, rule, window) = (name("hot"), name("a-rule"), name("a-window"));
    let (amount, address, chain, asset) = (Amount::from(7_u64), FRIEND, CHAIN, Asset::Native);
    let bucket = Bucket { key: Some(key.clone()), destination: Some(address), ..Bucket::default() };
    let text = || "words".to_owned();
    let class = DangerClass::Opaque;
    let slot = Slot { chain, account: address, nonce: 1 };
    vec![
        Reason::UnknownRequester { requester: name("mallory") },
        Reason::KeyUnknown { key: key.clone() },
        Reason::KeyInactive { key: key.clone() },
        Reason::Undecodable { code: text(), text: text() },
        Reason::ChainNotAllowed { chain },
        Reason::NoRulePermits { effect: 1, class },
        Reason::Forbidden { rule: rule.clone() },
        Reason::RuleError { rule },
        Reason::Opaque { call: text() },
        Reason::BlindDigest,
        Reason::DestinationUnknown { address },
        Reason::DestinationCooling { address, until: BIRTH },
        Reason::NoQuorumRow { class },
        Reason::CapExceeded { level: AssuranceLevel::Process, limit: amount, asked: amount },
        Reason::AmountTooLarge { window: window.clone(), limit: amount, asked: amount },
        Reason::LimitExceeded { window, bucket, limit: amount, used: amount, asked: amount },
        Reason::NoPriceRule,
        Reason::PriceMissing { chain, asset, needed: 2, found: 1 },
        Reason::PriceStale { chain, asset, needed: 2, fresh: 1 },
        Reason::PriceSpread { chain, asset, limit_bps: 50 },
        Reason::SlotTaken { slot, by: request },
        Reason::Frozen { key: Some(key.clone()) },
        Reason::Expired { at: BIRTH },
        Reason::LivesTooLong { latest: BIRTH, found: BIRTH.plus_seconds(1) },
        Reason::NotReplacing { replaces: request, text: text() },
        Reason::PolicyChanged { gathered: 1, current: 2 },
        Reason::Vetoed { by: name("eve") },
        Reason::Rejected { by: name("ana") },
        Reason::Duplicate { of: request },
        Reason::NotCounted { code: text(), text: text() },
        Reason::KeyExists { key: key.clone() },
        Reason::DrillFailed { key: key.clone() },
        Reason::NoRecipients,
        Reason::NotARecipient { person: name("dora") },
        Reason::RequestUnknown { request },
        Reason::NotOpen { request },
        Reason::TooManyOpen { limit: 10_000 },
        Reason::PolicyRefused { code: text(), text: text() },
        Reason::KeyStopped { key: key.clone(), state: KeyState::Suspended },
        Reason::KeyStep { key: key.clone(), state: KeyState::Destroyed, change: ChangeKind::ResumeKey },
        Reason::Unprotected { key: key.clone(), missing: vec![Feature::Landlock] },
        Reason::ChangeNotNamed { change: ChangeKind::DestroyKey },
        Reason::CoinTaken { coin: Coin { transaction: Digest([7; 32]), output: 3 }, by: request },
        Reason::RequesterNotPermitted { requester: name("mallory"), key: key.clone() },
        Reason::TooManyPsbts { requester: name("mallory"), limit: 100, limit_bytes: 1 << 24 },
        Reason::LockTime {
            lock: SpendLock { lock_time: 800_000, relative_blocks: 3, relative_seconds: 512 },
        },
        Reason::FeeTooHigh { cap: name("gas"), part: FeePart::Fee, limit: amount, asked: amount },
        Reason::HoldersRefused { key: key.clone(), threshold: 1, holders: vec![name("node-1")] },
        Reason::DealersRefused { key: key.clone(), threshold: 2, dealers: vec![name("node-1")] },
        Reason::KindRefused { key: key.clone(), kind: KeyKind::ThresholdSecp256k1 },
        Reason::NotLost { key: key.clone(), node: name("node-1") },
        Reason::RecipientsRefused { key: key.clone() },
        Reason::BackupShape { key: key.clone() },
        Reason::DevicesRefused { key, code: text(), text: text() },
    ]
}

/// Every reason of the life of a key.
#[must_use]
pub fn every_life_reason() -> Vec<Reason> {
    let key = name("hot");
    vec![
        Reason::Life(LifeReason::PeriodOver { key: key.clone(), at: BIRTH }),
        Reason::Life(LifeReason::UsedUp { key: key.clone(), limit: 1 }),
        Reason::Life(LifeReason::Term { key: key.clone(), term: KeyTerm::Blind }),
        Reason::Life(LifeReason::SweepsOnly { key: key.clone(), successor: name("warm") }),
        Reason::Life(LifeReason::NotASuccessor { key: key.clone(), successor: name("warm") }),
        Reason::Life(LifeReason::NotRotated { rotate: vec![Rotation::Key { key }] }),
        Reason::Life(LifeReason::SuspectsRefused),
        Reason::Life(LifeReason::WhyRefused),
    ]
}

/// Every fault in the ceremony of a shared key, as a reason: their numbers are wire form, too.
#[must_use]
pub fn every_share_fault() -> Vec<Reason> {
    let faults = [
        ShareFault::Stranger,
        ShareFault::Attempt,
        ShareFault::Seat,
        ShareFault::Spent,
        ShareFault::Account,
        ShareFault::Shares,
        ShareFault::Contradiction,
        ShareFault::Unagreed,
        ShareFault::Proof,
        ShareFault::Epoch,
        ShareFault::Dealer,
        ShareFault::Dealing,
        ShareFault::OtherKey,
        ShareFault::Wallets,
    ];
    let (key, node) = (name("treasury"), name("node-1"));
    faults.map(|fault| Reason::ShareRefused { key: key.clone(), node: node.clone(), fault }).into()
}
