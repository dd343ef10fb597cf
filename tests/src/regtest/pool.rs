//! What waits to be mined: taken if Core's script rules take it, and replaced as BIP-125 says.

use bitcoin::{Transaction, TxOut};

use super::Chain;
use crate::purse::consensus_takes;

impl Chain {
    pub(super) fn admit(&mut self, transaction: &Transaction) -> Result<(), &'static str> {
        let txid = transaction.compute_txid();
        if self.found(txid).is_some() {
            return Err("Transaction outputs already in utxo set");
        }
        if self.pool.iter().any(|it| it.compute_txid() == txid) {
            return Err("txn-already-in-mempool");
        }
        let spent = self.spent_by(transaction).ok_or("bad-txns-inputs-missingorspent")?;
        let fee = fee(transaction, &spent).ok_or("bad-txns-in-belowout")?;
        if !consensus_takes(transaction, &spent) {
            return Err("mandatory-script-verify-flag-failed");
        }
        if fee < u64::try_from(transaction.vsize()).expect("a size") {
            return Err("min relay fee not met");
        }
        self.replace(transaction, fee)?;
        self.pool.push(transaction.clone());
        Ok(())
    }

    /// What it spends; none if something of it is nowhere, or spent in a block.
    fn spent_by(&self, transaction: &Transaction) -> Option<Vec<TxOut>> {
        let outputs = self.outputs();
        let spent = transaction.input.iter().map(|it| {
            let in_block = self.spender(it.previous_output).is_some_and(|(height, _)| height.is_some());
            outputs.get(&it.previous_output).filter(|_| !in_block).cloned()
        });
        spent.collect()
    }

    /// Takes out what it replaces (BIP-125, rules 1, 3 and 4, and Core's own about the rate).
    fn replace(&mut self, transaction: &Transaction, fee: u64) -> Result<(), &'static str> {
        let conflicts = |it: &Transaction| {
            let coins = it.input.iter().map(|input| input.previous_output);
            coins.into_iter().any(|coin| transaction.input.iter().any(|input| input.previous_output == coin))
        };
        let size = |it: &Transaction| u64::try_from(it.vsize()).expect("a size");
        for it in self.pool.iter().filter(|it| conflicts(it)) {
            let before = self.spent_by(it).and_then(|spent| self::fee(it, &spent)).expect("it waits");
            if !it.is_explicitly_rbf() {
                return Err("txn-mempool-conflict");
            }
            if fee < before + size(transaction) || fee * size(it) <= before * size(transaction) {
                return Err("insufficient fee");
            }
        }
        self.pool.retain(|it| !conflicts(it));
        Ok(())
    }
}

fn fee(transaction: &Transaction, spent: &[TxOut]) -> Option<u64> {
    let sum = |outputs: &[TxOut]| outputs.iter().map(|it| it.value.to_sat()).sum::<u64>();
    sum(spent).checked_sub(sum(&transaction.output))
}
