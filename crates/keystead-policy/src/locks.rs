//! Which transactions of Bitcoin's may wait, and for how long: what no rule lets wait is final at once, or denied.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Name, Timestamp};
use keystead_intent::{ChainId, Effects, SpendLock};
use serde::{Deserialize, Serialize};

use crate::findings::Findings;
use crate::limits::{MAX_INNER, MAX_SPAN_SECONDS};
use crate::structure::{Known, ascending, at_most, inner, unknown, within};
use crate::{BitcoinFinality, PolicyError, Reason, SharedWallet, WrittenAddress, finality, shared, written};

/// What policy says of Bitcoin alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BitcoinTerms {
    /// Which transactions may wait, by chain and keys ascending.
    pub lock_times: Vec<LockTimeRule>,
    /// The wallets that keys share with others, by chain and name ascending.
    pub shared_wallets: Vec<SharedWallet>,
    /// From how many blocks on one is final, by chain ascending.
    pub finality: Vec<BitcoinFinality>,
    /// Destinations of the address book as they are written, by chain and address ascending.
    #[serde(default)]
    pub written: Vec<WrittenAddress>,
}

impl BitcoinTerms {
    /// The wallet of this name that this key shares on a network.
    #[must_use]
    pub fn shared_wallet(&self, chain: ChainId, key: &Name, name: &Name) -> Option<&SharedWallet> {
        self.shared_wallets.iter().find(|it| it.chain == chain && it.key == *key && it.name == *name)
    }
}

/// Which transactions of one network may wait (BIP-65, 68, 113). One rule permits all that a transaction waits for, or it
/// permits none of it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockTimeRule {
    /// The network.
    pub chain: ChainId,
    /// The keys it speaks of; empty speaks of all.
    pub keys: Vec<Name>,
    /// Up to which block; none permits no lock time by height.
    pub height: Option<HeightLimit>,
    /// Up to so many seconds after the moment of the decision; none permits no lock time by time.
    pub ahead_seconds: Option<u64>,
    /// The longest that an input may wait after what it spends, in blocks.
    pub relative_blocks: u16,
    /// The longest that an input may wait after what it spends, in seconds.
    pub relative_seconds: u32,
}

/// A block that lock times may go up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeightLimit {
    /// The height.
    pub height: u32,
    /// From this moment on, one block more for each ten minutes: `height` is then what people saw as the newest block at
    /// that moment, and so many more as wallets may be ahead. Without, it stays.
    pub grows_from: Option<Timestamp>,
}

impl HeightLimit {
    /// The highest block at a moment. No node's view of a chain has a say in it.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> u64 {
        let seconds = self.grows_from.map_or(0, |from| now.seconds().saturating_sub(from.seconds()));
        u64::from(self.height).saturating_add(seconds / BLOCK_SECONDS)
    }
}

impl LockTimeRule {
    fn speaks(&self, key: &Name, chain: ChainId) -> bool {
        self.chain == chain && (self.keys.is_empty() || self.keys.contains(key))
    }

    fn permits(&self, lock: &SpendLock, now: Timestamp) -> bool {
        let absolute = match lock.lock_time {
            0 => true,
            height @ 1..SpendLock::FIRST_TIME => {
                self.height.is_some_and(|it| u64::from(height) <= it.at(now))
            }
            time => self.ahead_seconds.is_some_and(|it| u64::from(time) <= now.seconds().saturating_add(it)),
        };
        let relative =
            lock.relative_blocks <= self.relative_blocks && lock.relative_seconds <= self.relative_seconds;
        absolute && relative
    }
}

/// INVARIANT S2: what is signed today and good only later is signed where policy names it, and nowhere else.
pub(crate) fn judge(
    terms: Option<&BitcoinTerms>,
    key: &Name,
    effects: &Effects,
    now: Timestamp,
    findings: &mut Findings,
) {
    let Some(lock) = effects.coins.as_ref().map(|it| it.lock).filter(|it| !it.is_final()) else { return };
    let mut rules = terms.into_iter().flat_map(|it| &it.lock_times);
    if !rules.any(|rule| rule.speaks(key, effects.chain) && rule.permits(&lock, now)) {
        findings.object(Reason::LockTime { lock });
    }
}

pub(crate) fn check(terms: &BitcoinTerms, known: &Known) -> Result<(), PolicyError> {
    shared::check(&terms.shared_wallets, known)?;
    finality::check(&terms.finality, known)?;
    written::check(&terms.written, known)?;
    at_most("the list of lock times", terms.lock_times.len(), MAX_INNER)?;
    ascending("lock times", terms.lock_times.iter().map(|it| (it.chain, &it.keys)))?;
    terms.lock_times.iter().try_for_each(|rule| {
        known.check_chain("lock times", rule.chain)?;
        if rule.chain.bitcoin().is_none() {
            return Err(unknown("lock times", "network of Bitcoin's", rule.chain));
        }
        inner("the keys of a lock time", &rule.keys)?;
        let height = rule.height.map_or(0, |it| it.height);
        within("the height of a lock time", height.into(), u64::from(SpendLock::FIRST_TIME) - 1)?;
        let ahead = rule.ahead_seconds.unwrap_or_default();
        within("a lock time's seconds", ahead, MAX_SPAN_SECONDS)
    })
}

/// How long Bitcoin's blocks are apart, by its design.
const BLOCK_SECONDS: u64 = 600;

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;
    use keystead_intent::CoinSpend;

    use super::*;
    use crate::fixture::{Ask, FRIEND, NOW, name, pay, verdict, version};
    use crate::{AddressEntry, Engine, PolicyVersion};

    const REGTEST: ChainId = ChainId::BITCOIN_REGTEST;

    fn rule() -> LockTimeRule {
        LockTimeRule {
            chain: REGTEST,
            keys: vec![name("hot")],
            height: Some(HeightLimit { height: 800_000, grows_from: None }),
            ahead_seconds: Some(3_600),
            relative_blocks: 144,
            relative_seconds: 512,
        }
    }

    fn with(lock_times: Vec<LockTimeRule>) -> PolicyVersion {
        let mut version = version();
        version.chains.push(REGTEST);
        let (address, usable_from) = (FRIEND, Timestamp(0));
        version.address_book.push(AddressEntry { chain: REGTEST, address, name: name("payee"), usable_from });
        version.bitcoin = Some(BitcoinTerms { lock_times, ..BitcoinTerms::default() });
        version.into_canonical()
    }

    fn asked(rules: Vec<LockTimeRule>, key: &str, lock: SpendLock, now: Timestamp) -> String {
        let engine = Engine::compile(with(rules)).unwrap();
        let ask = Ask::new(key, vec![pay(FRIEND, 1)]).with(|it| {
            it.effects.chain = REGTEST;
            it.effects.coins = Some(CoinSpend { coins: Vec::new(), fee_rate: 1, lock });
            it.now = now;
        });
        let found = verdict(&ask.of(&engine));
        found.iter().find(|it| it.as_str() == "deny.lock_time").cloned().unwrap_or_else(|| "fine".to_owned())
    }

    #[test]
    fn s02_what_waits_is_signed_only_where_policy_names_it() {
        let now = NOW.seconds();
        let time = |ahead: u64| u32::try_from(now + ahead).unwrap();
        let lock = |lock_time, relative_blocks, relative_seconds| SpendLock {
            lock_time,
            relative_blocks,
            relative_seconds,
        };
        for (lock, allowed) in [
            (lock(0, 0, 0), true),
            (lock(800_000, 0, 0), true),
            (lock(800_001, 0, 0), false),
            (lock(time(3_600), 0, 0), true),
            (lock(time(3_601), 0, 0), false),
            (lock(0, 144, 0), true),
            (lock(0, 145, 0), false),
            (lock(0, 0, 512), true),
            (lock(0, 0, 1_024), false),
            (lock(800_000, 145, 0), false),
        ] {
            let expected = |allowed| if allowed { "fine" } else { "deny.lock_time" };
            assert_eq!(asked(vec![rule()], "hot", lock, NOW), expected(allowed), "{lock:?}");
            let elsewhere = LockTimeRule { keys: vec![name("cold")], ..rule() };
            assert_eq!(asked(vec![elsewhere], "hot", lock, NOW), expected(lock.is_final()), "{lock:?}");
            assert_eq!(asked(Vec::new(), "hot", lock, NOW), expected(lock.is_final()), "{lock:?}");
        }
    }

    /// Two rules that permit a half each permit nothing together.
    #[test]
    fn s02_one_rule_permits_all_that_a_transaction_waits_for() {
        let height = LockTimeRule { keys: Vec::new(), relative_blocks: 0, ..rule() };
        let age = LockTimeRule { height: None, ..rule() };
        let lock = SpendLock { lock_time: 7, relative_blocks: 7, relative_seconds: 0 };
        assert_eq!(asked(vec![height, age], "hot", lock, NOW), "deny.lock_time");
        assert_eq!(asked(vec![rule()], "hot", lock, NOW), "fine");
    }

    #[test]
    fn s02_a_height_grows_by_a_block_in_ten_minutes_from_a_moment_on() {
        let height = Some(HeightLimit { height: 800_000, grows_from: Some(NOW) });
        let lock = |lock_time| SpendLock { lock_time, ..SpendLock::default() };
        for (height_asked, seconds, expected) in [
            (800_000, 0, "fine"),
            (800_001, 599, "deny.lock_time"),
            (800_001, 600, "fine"),
            (800_145, 86_400, "deny.lock_time"),
            (800_144, 86_400, "fine"),
        ] {
            let rules = vec![LockTimeRule { height, ..rule() }];
            assert_eq!(asked(rules, "hot", lock(height_asked), NOW.plus_seconds(seconds)), expected);
        }
        assert_eq!(HeightLimit { height: 5, grows_from: Some(NOW) }.at(Timestamp(0)), 5, "never before");
    }

    #[test]
    fn rules_of_lock_times_hold_together() {
        let code = |change: fn(&mut LockTimeRule)| {
            let mut rule = rule();
            change(&mut rule);
            Engine::compile(with(vec![rule])).map(|_| ()).map_err(|error| error.code())
        };
        assert_eq!(code(|_| {}), Ok(()));
        assert_eq!(code(|it| it.chain = ChainId::BITCOIN_MAINNET), Err("policy.unknown"));
        assert_eq!(code(|it| it.chain = crate::fixture::CHAIN), Err("policy.unknown"));
        assert_eq!(code(|it| it.ahead_seconds = Some(u64::MAX)), Err("policy.too_large"));
        let late = |it: &mut LockTimeRule| {
            it.height = Some(HeightLimit { height: 500_000_000, grows_from: None });
        };
        assert_eq!(code(late), Err("policy.too_large"));
        let twice = Engine::compile(with(vec![rule(), rule()])).map(|_| ()).map_err(|error| error.code());
        assert_eq!(twice, Err("policy.order"));
    }
}
