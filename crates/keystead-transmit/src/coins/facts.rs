//! What is read of a chain of coins: pure, and the same whoever it was read from.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{Block, BlockHash, OutPoint, ScriptBuf, Transaction, Txid};

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mined {
    /// The block's height.
    pub height: u32,
    /// The block's hash.
    pub block: BlockHash,
}

/// A coin that nobody has spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which output it is.
    pub outpoint: OutPoint,
    /// What it is worth, in satoshi.
    pub sat: u64,
    /// What locks it.
    pub script: ScriptBuf,
    /// Where its transaction stands.
    pub mined: Mined,
    /// Whether a miner made it: then it cannot be spent for a hundred blocks.
    pub coinbase: bool,
}

/// Who spent a coin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The coin as it was.
    pub held: Held,
    /// The transaction.
    pub by: Txid,
    /// Where it stands.
    pub mined: Mined,
}

/// What happened to some scripts from one height up to a block, both included. What waits in pools is no part of it, and
/// neither are coins from before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The block that it goes up to.
    pub until: Mined,
    /// The scripts that were ever paid to.
    pub used: BTreeSet<ScriptBuf>,
    /// The coins that are left, in the order of their outpoints.
    pub coins: Vec<Held>,
    /// The coins that were spent, and by whom.
    pub spent: BTreeMap<OutPoint, Spent>,
}

/// A transaction in a block, as far as it says who pays whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) txid: Txid,
    pub(crate) coinbase: bool,
    pub(crate) spends: Vec<OutPoint>,
    pub(crate) pays: Vec<(ScriptBuf, u64)>,
    pub(crate) mined: Mined,
}

impl Seen {
    pub(crate) fn of(transaction: &Transaction, mined: Mined) -> Self {
        let pays = transaction.output.iter().map(|it| (it.script_pubkey.clone(), it.value.to_sat()));
        Self {
            txid: transaction.compute_txid(),
            coinbase: transaction.is_coinbase(),
            spends: transaction.input.iter().map(|it| it.previous_output).collect(),
            pays: pays.collect(),
            mined,
        }
    }

    /// The outputs that some of the scripts lock.
    pub(crate) fn funds(&self, scripts: &BTreeSet<ScriptBuf>) -> Vec<Held> {
        let ours = self.pays.iter().zip(0..).filter(|((script, _), _)| scripts.contains(script));
        let held = ours.map(|((script, sat), vout)| Held {
            outpoint: OutPoint { txid: self.txid, vout },
            sat: *sat,
            script: script.clone(),
            mined: self.mined,
            coinbase: self.coinbase,
        });
        held.collect()
    }
}

impl History {
    /// What transactions mean for scripts; those below the first height and above the last block do not count, whoever
    /// tells of them: one kind of source knows of them, the other does not. Their order does not matter, nor how often each
    /// of them is there.
    pub(crate) fn of(from: u32, until: Mined, scripts: &BTreeSet<ScriptBuf>, seen: &[Seen]) -> Self {
        let counts = |it: &&Seen| (from..=until.height).contains(&it.mined.height);
        let seen: Vec<&Seen> = seen.iter().filter(counts).collect();
        let funded = seen.iter().flat_map(|it| it.funds(scripts)).map(|it| (it.outpoint, it));
        let mut coins: BTreeMap<OutPoint, Held> = funded.collect();
        let used = coins.values().map(|it| it.script.clone()).collect();
        let mut spent = BTreeMap::new();
        for it in seen {
            for (outpoint, held) in it.spends.iter().filter_map(|outpoint| coins.get_key_value(outpoint)) {
                spent.insert(*outpoint, Spent { held: held.clone(), by: it.txid, mined: it.mined });
            }
        }
        coins.retain(|outpoint, _| !spent.contains_key(outpoint));
        Self { until, used, coins: coins.into_values().collect(), spent }
    }
}

/// Whether a block is what its hash promises: its transactions make its roots, and no transaction stands for a branch of
/// the tree of hashes, as the first one is a miner's and none is there twice.
pub(crate) fn is_whole(block: &Block) -> bool {
    let mut known = BTreeSet::new();
    block.txdata.first().is_some_and(Transaction::is_coinbase)
        && block.txdata.iter().all(|it| known.insert(it.compute_txid()))
        && block.check_merkle_root()
        && block.check_witness_commitment()
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash as _;

    use super::*;

    fn mined(height: u32) -> Mined {
        Mined { height, block: BlockHash::from_byte_array([u8::try_from(height).unwrap(); 32]) }
    }

    fn seen(number: u8, spends: &[OutPoint], pays: &[(&ScriptBuf, u64)], height: u32) -> Seen {
        Seen {
            txid: Txid::from_byte_array([number; 32]),
            coinbase: false,
            spends: spends.to_vec(),
            pays: pays.iter().map(|(script, sat)| ((*script).clone(), *sat)).collect(),
            mined: mined(height),
        }
    }

    #[test]
    fn a_history_says_who_has_what_and_who_spent_what() {
        let (ours, theirs) = (ScriptBuf::from_bytes(vec![1]), ScriptBuf::from_bytes(vec![2]));
        let at = |number: u8, vout| OutPoint { txid: Txid::from_byte_array([number; 32]), vout };
        let all = [
            seen(3, &[at(1, 1)], &[(&theirs, 5)], 7),
            seen(1, &[], &[(&theirs, 9), (&ours, 6), (&ours, 4)], 5),
            seen(1, &[], &[(&theirs, 9), (&ours, 6), (&ours, 4)], 5),
            seen(4, &[at(1, 2)], &[(&ours, 3)], 9),
        ];
        let scripts = BTreeSet::from([ours.clone(), ScriptBuf::from_bytes(vec![3])]);
        let history = History::of(0, mined(8), &scripts, &all);
        assert_eq!(history.used, BTreeSet::from([ours.clone()]));
        assert_eq!(history.coins.iter().map(|it| (it.outpoint, it.sat)).collect::<Vec<_>>(), [(at(1, 2), 4)]);
        let (sat, script, coinbase) = (6, ours, false);
        let held = Held { outpoint: at(1, 1), sat, script, mined: mined(5), coinbase };
        let spent = Spent { held, by: Txid::from_byte_array([3; 32]), mined: mined(7) };
        assert_eq!(history.spent, BTreeMap::from([(at(1, 1), spent)]), "what comes later does not count");
        let later = History::of(0, mined(9), &scripts, &all);
        assert_eq!(later.coins.iter().map(|it| it.outpoint).collect::<Vec<_>>(), [at(4, 0)]);
        let shorter = History::of(6, mined(9), &scripts, &all);
        assert_eq!(shorter.coins, later.coins);
        assert!(shorter.spent.is_empty(), "what came before is nobody's to tell");
    }

    #[test]
    fn a_block_with_something_else_in_it_is_not_whole() {
        let block = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
        assert!(is_whole(&block));
        let (mut empty, mut twice, mut other) = (block.clone(), block.clone(), block.clone());
        empty.txdata.clear();
        twice.txdata.push(block.txdata[0].clone());
        other.txdata[0].output[0].value += bitcoin::Amount::from_sat(1);
        assert!([empty, twice, other].iter().all(|it| !is_whole(it)));
    }
}
