//! What nodes find on the chains that the log did not allow, and what follows: its key is frozen.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Amount, Blame, Canonical, ClusterId, Coded, Digest, Name, RequestId, Signed, Timestamp};
use keystead_intent::{AccountRef, Asset, ChainId, Coin, EffectKind, Effects, KeyState, Slot};
use keystead_policy::Reason;
use serde::{Deserialize, Serialize};

use crate::turn::Turn;
use crate::{Controls, Outcome, State};

/// What a node found on a chain. Every node that looks at that chain finds the same, word for word, whenever it looks:
/// there is no time in it and no name, so that one finding freezes once. Each other node looks itself before it lets
/// this pass.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The cluster.
    pub cluster: ClusterId,
    /// The chain.
    pub chain: ChainId,
    /// The account that it is about. Its key is frozen.
    pub account: AccountRef,
    /// Its address; on Bitcoin the id of its wallet, the key's own or one that it shares.
    pub address: Address,
    /// What was found.
    pub what: Discrepancy,
}

impl Canonical for Finding {
    const DOMAIN: &'static str = "keystead/finding/v1";
}

/// How a chain and the log contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Discrepancy {
    /// A transaction of the account that no request made.
    Transaction {
        /// The final block that has it.
        block: FinalBlock,
        /// Its hash.
        hash: Digest,
        /// Its nonce.
        nonce: u64,
    },
    /// A nonce that is gone, by no transaction and by no right that the log gave: a delegation (EIP-7702), for one.
    Nonce {
        /// The nonce.
        nonce: u64,
    },
    /// Tokens that somebody else's transaction took, where no request gave a right over them.
    Tokens {
        /// The final block that has it.
        block: FinalBlock,
        /// That transaction.
        transaction: Digest,
        /// The token's contract.
        token: Address,
        /// How many, in base units; of an NFT its number.
        amount: Amount,
    },
    /// Less is there than what was there before, what went, and what came leave (L3).
    Balance {
        /// The final block after which it is not there.
        block: FinalBlock,
        /// Of what.
        asset: Asset,
        /// How much must be there at least, in base units.
        expected: Amount,
        /// How much is there.
        found: Amount,
    },
    /// A transaction of Bitcoin's spent a coin of the wallet, and no request made it.
    Spend {
        /// The final block that has it.
        block: FinalBlock,
        /// Its hash, as its bytes are.
        transaction: Digest,
        /// The first of the wallet's coins that it spends.
        coin: Coin,
    },
}

/// A block that counts as final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalBlock {
    /// Its number.
    pub number: u64,
    /// Its hash; of Bitcoin's as its bytes are, which people see reversed.
    pub hash: B256,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain, account: AccountRef { key, index }, address, what, .. } = self;
        match what {
            Discrepancy::Transaction { block, hash, nonce } => write!(
                f,
                "in block {} {address} sent transaction 0x{hash} with nonce {nonce}, and no request made it",
                block.number
            )?,
            Discrepancy::Nonce { nonce } => write!(f, "nonce {nonce} of {address} is gone by no request")?,
            Discrepancy::Tokens { block, transaction, token, amount } => write!(
                f,
                "in block {} transaction 0x{transaction} took {amount} of token {token} from {address}, and no request \
                 gave that right",
                block.number
            )?,
            Discrepancy::Balance { block, asset, expected, found } => {
                let what = match asset {
                    Asset::Native if chain.bitcoin().is_some() => "satoshi".to_owned(),
                    Asset::Native => "wei".to_owned(),
                    Asset::Token(token) => format!("of token {token}"),
                };
                let number = block.number;
                write!(
                    f,
                    "after block {number} {address} has {found} {what}, and at least {expected} must be there"
                )?;
            }
            Discrepancy::Spend { block, transaction, coin } => {
                let mut seen = *transaction;
                seen.0.reverse();
                let number = block.number;
                write!(
                    f,
                    "in block {number} transaction {seen} spent coin {coin} of wallet {address}, and no request made it"
                )?;
            }
        }
        write!(f, " (key `{key}`, index {index}, on {chain})")
    }
}

/// A finding in the log, and when it entered.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Found {
    height: u64,
    time: Timestamp,
    finding: Finding,
}

/// Something was found about a key after people were asked to thaw it: what they agreed to was said without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {height} found something newer about key `{key}`: look into it, and ask again")]
pub(crate) struct FoundSince {
    key: Name,
    height: u64,
}

impl Coded for FoundSince {
    fn code(&self) -> &'static str {
        "thaw.found_since"
    }

    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

impl<C: Controls> Turn<'_, C> {
    /// INVARIANT L4: what the log did not allow freezes the key that must have done it, once for each finding.
    pub(crate) fn found(&mut self, signed: &Signed<Finding>) {
        let (finding, subject) = (&signed.body, signed.body.digest());
        if let Err(reason) = self.finding_counts(finding, &subject) {
            let person = signed.signer.clone();
            return self.decide(RequestId(subject), Vec::new(), Outcome::Refused { person, reason });
        }
        let key = finding.account.key.clone();
        // What is compromised signs only sweeps: whoever else has it must not be able to stop those.
        let sweeps = self.state.keys.get(&key).is_some_and(|it| it.state == KeyState::Compromised);
        if self.controls.freezes_on(finding) && !sweeps {
            self.state.frozen.keys.insert(key);
        }
        let (height, time) = (self.state.height, self.state.time);
        let found = Found { height, time, finding: finding.clone() };
        self.state.findings.insert(subject, Arc::new(found));
        self.decide(RequestId(subject), Vec::new(), Outcome::Found { finding: finding.clone() });
    }

    fn finding_counts(&self, finding: &Finding, subject: &Digest) -> Result<(), Reason> {
        if self.state.has_found(subject) {
            return Err(Reason::Duplicate { of: RequestId(*subject) });
        }
        let AccountRef { key, index } = &finding.account;
        let known = self.state.keys.get(key).ok_or_else(|| Reason::KeyUnknown { key: key.clone() })?;
        // Whatever became of the key: who holds its secret can go on using it.
        let is_its_own = match finding.chain.bitcoin() {
            None => known.account.address(*index) == Some(finding.address),
            Some(_) => {
                let wallets = self.state.wallets_on(finding.chain);
                wallets.iter().any(|(of, it)| *of == finding.account && it.id() == finding.address)
            }
        };
        match is_its_own {
            true => Ok(()),
            false => Err(Reason::KeyInactive { key: key.clone() }),
        }
    }

    /// Remembers over whose tokens a request gives others a right that they can use later.
    pub(crate) fn note_rights(&mut self, account: Address, effects: &Effects) {
        for token in rights_of(account, effects) {
            self.state.rights.insert((effects.chain, account, token));
            self.state.accounts.insert(account);
        }
    }
}

/// The tokens of an account over which somebody else has a right from now on; zero stands for all of them.
fn rights_of(account: Address, effects: &Effects) -> impl Iterator<Item = Address> {
    let is_signature = effects.slot.is_none();
    effects.items.iter().filter_map(move |effect| match &effect.kind {
        // What only takes a right back gives none.
        EffectKind::Allowance(it) if it.owner == account && it.amount != Amount::ZERO => Some(it.token),
        EffectKind::NftApproval { token, owner, spender, .. } if *owner == account && !spender.is_zero() => {
            Some(*token)
        }
        EffectKind::OperatorApproval { token, owner, approved: true, .. } if *owner == account => {
            Some(*token)
        }
        // A signature that others submit (EIP-3009) moves what it says in their transaction.
        EffectKind::Transfer { asset: Asset::Token(token), from, .. }
        | EffectKind::NftTransfer { token, from, .. }
        | EffectKind::MultiTokenTransfer { token, from, .. }
            if is_signature && *from == account =>
        {
            Some(*token)
        }
        EffectKind::Delegation { delegate, .. } if delegate.is_zero() => None,
        // What is not understood can give any right.
        EffectKind::Opaque { .. }
        | EffectKind::BlindDigest { .. }
        | EffectKind::DelegateCall { .. }
        | EffectKind::Delegation { .. } => Some(Address::ZERO),
        _ => None,
    })
}

impl State {
    /// Whether the log holds this finding.
    #[must_use]
    pub fn has_found(&self, finding: &Digest) -> bool {
        self.findings.contains_key(finding) || self.cleared.contains_key(finding)
    }

    /// The newest finding about a key that entered the log after `asked`.
    pub(crate) fn found_since(&self, key: &Name, asked: Timestamp) -> Option<FoundSince> {
        let newer = self.findings.values().filter(|it| it.finding.account.key == *key && it.time > asked);
        let height = newer.map(|it| it.height).max()?;
        Some(FoundSince { key: key.clone(), height })
    }

    /// People looked into what was found about a key, or about all of them, until they were asked: it explains no freeze
    /// any more, and freezes nobody a second time while it is remembered.
    pub(crate) fn clear_findings(&mut self, key: Option<&Name>, asked: Timestamp) {
        let about = |it: &Found| it.time <= asked && key.is_none_or(|key| it.finding.account.key == *key);
        let cleared: Vec<Digest> =
            self.findings.iter().filter(|(_, it)| about(it)).map(|(digest, _)| *digest).collect();
        for digest in cleared {
            self.findings.remove(&digest);
            self.cleared.insert(digest, self.height);
        }
        self.forget_cleared();
    }

    /// The oldest go first. Whoever states one of those again freezes its key once more: people look again.
    fn forget_cleared(&mut self) {
        while self.cleared.len() > MAX_CLEARED {
            let oldest = self.cleared.iter().min_by_key(|(digest, height)| (**height, **digest));
            let Some(oldest) = oldest.map(|(digest, _)| *digest) else { break };
            self.cleared.remove(&oldest);
        }
    }

    /// The keys that something is found about which nobody cleared.
    pub(crate) fn keys_with_findings(&self) -> BTreeSet<Name> {
        self.findings.values().map(|it| it.finding.account.key.clone()).collect()
    }

    /// The findings that people did not clear by a thaw, with the height at which each of them entered the log.
    pub fn findings(&self) -> impl Iterator<Item = (u64, &Finding)> {
        self.findings.values().map(|it| (it.height, &it.finding))
    }

    /// Whether a request ever gave somebody a right over these tokens of an account, or one that nobody understands.
    #[must_use]
    pub fn gave_right(&self, chain: ChainId, account: Address, token: Address) -> bool {
        let held = |token| self.rights.contains(&(chain, account, token));
        held(token) || held(Address::ZERO)
    }

    /// The requests that were ever allowed for a slot, oldest first.
    #[must_use]
    pub fn allowed_at(&self, slot: &Slot) -> &[RequestId] {
        self.slots.get(slot).map(|held| held.requests.as_slice()).unwrap_or_default()
    }

    /// The accounts that ever had a slot on a chain, each with the first request of one of them.
    #[must_use]
    pub fn accounts_on(&self, chain: ChainId) -> Vec<(Address, RequestId)> {
        let mut accounts = Vec::new();
        let mut from = Bound::Included(Slot { chain, account: Address::ZERO, nonce: 0 });
        // A step for each account, however many slots it has.
        while let Some((slot, held)) = self.slots.range((from, Bound::Unbounded)).next() {
            if slot.chain != chain || accounts.len() >= MAX_ACCOUNTS {
                break;
            }
            accounts.extend(held.requests.first().map(|request| (slot.account, *request)));
            from = Bound::Excluded(Slot { nonce: u64::MAX, ..*slot });
        }
        accounts
    }
}

/// The most cleared findings that are remembered.
pub const MAX_CLEARED: usize = 1024;
/// The most accounts of one chain that are told apart by their slots.
const MAX_ACCOUNTS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l04_a_finding_reads_as_a_sentence() {
        let key = "hot".parse().unwrap();
        let block = FinalBlock { number: 7, hash: B256::ZERO };
        let finding = |what| Finding {
            cluster: ClusterId(Digest::ZERO),
            chain: ChainId(1),
            account: AccountRef { key: Name::clone(&key), index: 3 },
            address: Address::ZERO,
            what,
        };
        let sent = finding(Discrepancy::Transaction { block, hash: Digest::ZERO, nonce: 9 }).to_string();
        assert!(sent.contains("with nonce 9, and no request made it"), "{sent}");
        assert!(sent.ends_with("(key `hot`, index 3, on eip155:1)"), "{sent}");
        let mut transaction = Digest::ZERO;
        transaction.0[0] = 0xab;
        let coin = Coin { transaction, output: 2 };
        let mut spent = finding(Discrepancy::Spend { block, transaction, coin });
        spent.chain = ChainId::BITCOIN_REGTEST;
        let (spent, seen) = (spent.to_string(), format!("{}ab", "0".repeat(62)));
        assert!(spent.contains(&format!("transaction {seen} spent coin {seen}:2 of wallet 0x0")), "{spent}");
        let gone = finding(Discrepancy::Nonce { nonce: 9 }).to_string();
        assert!(gone.starts_with("nonce 9 of 0x0000000000000000000000000000000000000000 is gone"), "{gone}");
    }
}
