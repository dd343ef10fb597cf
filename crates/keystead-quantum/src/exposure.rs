//! Whose eyes an address's public key stands before, for whom a quantum computer would make a signature of it.

use keystead_base::Timestamp;
use serde::Serialize;

/// What an address is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// The hash of one key: Bitcoin's P2PKH, P2WPKH and P2SH-P2WPKH. The key shows with the first spend.
    KeyHash,
    /// The hash of a script with several keys: Bitcoin's P2WSH. The keys show with the first spend.
    ScriptHash,
    /// The key itself, as taproot has it: a hidden script path protects nothing, as the output is a point whose key is found.
    OutputKey,
    /// An account of Ethereum: the hash of one key, which every signature gives away. It stays the same after it.
    Account,
    /// An account that is named by its Ed25519 key.
    KeyAccount,
}

/// Who knows the extended public key that an address grows from: with it, every key of its family is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Nobody: it grows from no extended public key, or no one has it.
    Unknown,
    /// Whoever holds the log, or a file made of it for watching.
    Log,
    /// Others, too: those who share the wallet.
    CoSigners,
}

/// What is known of one address, or of all unspent places of one branch of a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it is made of.
    pub lock: Lock,
    /// How many signatures under its key the log allowed: each counts as seen, as nobody can show that it was not.
    pub signatures: u64,
    /// When the first of them was allowed.
    pub since: Option<Timestamp>,
    /// Who has the extended public key.
    pub family: Family,
    /// What is there, where somebody looked.
    pub holding: Option<Holding>,
}

/// What lies at an address, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// In the chain's smallest unit.
    pub amount: u64,
    /// The amount of each coin times the blocks since it came, added up.
    pub amount_blocks: u64,
}

/// Before whom a key stands, the widest circle first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Everybody: it is on the chain, or has to be taken for it.
    Everybody,
    /// The wallet's other signers, and whoever holds the log.
    CoSigners,
    /// Whoever holds the log, or a file made of it for watching.
    LogHolders,
    /// Nobody.
    Nobody,
}

/// What can be done about it today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WayOut {
    /// Nothing is to be done but to keep who holds the log few.
    KeepTheLog,
    /// Move all that is left there to a place that never was, in one transaction; use this one never again.
    FreshPlace,
    /// Move what lies long to a form that hashes its keys (P2WPKH, P2WSH); keep this one for what moves soon.
    HashedForm,
    /// Move what lies long to an account that never signed, or to a contract whose owner can become another scheme's.
    FreshAccount,
    /// This chain has no account without its key: let little lie there, or hold it on a chain that takes ML-DSA.
    OtherChain,
}

/// A verdict about one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Exposure {
    /// Before whom its public key stands.
    pub audience: Audience,
    /// What to do.
    pub way_out: WayOut,
    /// Amount times blocks, where somebody looked: the longer more lies there, the earlier it should leave.
    pub weight: Option<u64>,
}

impl Facts {
    /// Judges an address.
    #[must_use]
    pub fn exposure(&self) -> Exposure {
        let audience = self.audience();
        Exposure {
            audience,
            way_out: self.way_out(audience),
            weight: self.holding.map(|holding| match audience {
                Audience::Nobody => 0,
                Audience::Everybody | Audience::CoSigners | Audience::LogHolders => holding.amount_blocks,
            }),
        }
    }

    fn audience(&self) -> Audience {
        match (self.lock, self.signatures, self.family) {
            (Lock::OutputKey | Lock::KeyAccount, _, _) => Audience::Everybody,
            (Lock::KeyHash | Lock::ScriptHash | Lock::Account, 1.., _) => Audience::Everybody,
            (Lock::KeyHash | Lock::ScriptHash | Lock::Account, 0, Family::CoSigners) => Audience::CoSigners,
            (Lock::KeyHash | Lock::ScriptHash | Lock::Account, 0, Family::Log) => Audience::LogHolders,
            (Lock::KeyHash | Lock::ScriptHash | Lock::Account, 0, Family::Unknown) => Audience::Nobody,
        }
    }

    fn way_out(&self, audience: Audience) -> WayOut {
        if audience != Audience::Everybody {
            return WayOut::KeepTheLog;
        }
        match self.lock {
            Lock::KeyHash | Lock::ScriptHash => WayOut::FreshPlace,
            Lock::OutputKey => WayOut::HashedForm,
            Lock::Account => WayOut::FreshAccount,
            Lock::KeyAccount => WayOut::OtherChain,
        }
    }
}

impl Exposure {
    /// The order in which they are shown: what everybody sees first, and in each circle the heaviest. What nobody looked at
    /// comes before all that was.
    #[must_use]
    pub fn rank(&self) -> (Audience, std::cmp::Reverse<u64>) {
        (self.audience, std::cmp::Reverse(self.weight.unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(lock: Lock, signatures: u64, family: Family) -> Facts {
        Facts { lock, signatures, since: None, family, holding: None }
    }

    #[test]
    fn a_hash_hides_its_key_until_it_signs() {
        for (lock, way_out) in [
            (Lock::KeyHash, WayOut::FreshPlace),
            (Lock::ScriptHash, WayOut::FreshPlace),
            (Lock::Account, WayOut::FreshAccount),
        ] {
            for (family, before) in [
                (Family::Unknown, Audience::Nobody),
                (Family::Log, Audience::LogHolders),
                (Family::CoSigners, Audience::CoSigners),
            ] {
                let unspent = facts(lock, 0, family).exposure();
                assert_eq!((unspent.audience, unspent.way_out), (before, WayOut::KeepTheLog), "{lock:?}");
                let spent = facts(lock, 1, family).exposure();
                assert_eq!((spent.audience, spent.way_out), (Audience::Everybody, way_out), "{lock:?}");
            }
        }
    }

    #[test]
    fn an_address_that_is_its_key_is_seen_from_the_first_day() {
        for (lock, way_out) in [(Lock::OutputKey, WayOut::HashedForm), (Lock::KeyAccount, WayOut::OtherChain)]
        {
            let found = facts(lock, 0, Family::Unknown).exposure();
            assert_eq!((found.audience, found.way_out), (Audience::Everybody, way_out));
        }
    }

    #[test]
    fn more_for_longer_comes_first_and_the_unknown_before_it() {
        let held = |amount, blocks| {
            let holding = Some(Holding { amount, amount_blocks: amount * blocks });
            Facts { holding, ..facts(Lock::OutputKey, 0, Family::Log) }.exposure()
        };
        let (short, long, unknown) =
            (held(100, 2), held(50, 20), facts(Lock::OutputKey, 0, Family::Log).exposure());
        let hidden = facts(Lock::KeyHash, 0, Family::Log).exposure();
        let mut all = [hidden, short, long, unknown];
        all.sort_by_key(Exposure::rank);
        assert_eq!(all, [unknown, long, short, hidden]);
        let safe = Facts {
            holding: Some(Holding { amount: 5, amount_blocks: 50 }),
            ..facts(Lock::KeyHash, 0, Family::Unknown)
        };
        assert_eq!(safe.exposure().weight, Some(0), "what nobody sees weighs nothing");
    }
}
