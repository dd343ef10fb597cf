//! Esplora's answers, translated from what Core has.

use bitcoin::consensus::encode::{deserialize_hex, serialize, serialize_hex};
use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::{OutPoint, ScriptBuf, Transaction, Txid};
use serde_json::{Value, json};

use super::Chain;
use super::serve::Answer;

impl Chain {
    pub(super) fn esplora(&mut self, path: &str, body: &str, estimate: f64) -> Answer {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let found = match parts.as_slice() {
            ["blocks", "tip", "height"] => Some(Answer::text(self.height().to_string())),
            ["block-height", height] => self.text_at(height),
            ["block", hash, "raw"] => self.raw_block(hash),
            ["tx", txid, "hex"] => self.transaction(txid).map(|it| Answer::text(serialize_hex(&it))),
            ["tx", txid, "status"] => txid.parse().ok().map(|it| Answer::json(&self.status(it))),
            ["tx", txid, "outspend", vout] => self.outspend(txid, vout),
            ["scripthash", hash, "txs", "chain"] => Some(self.page(hash, None)),
            ["scripthash", hash, "txs", "chain", last] => Some(self.page(hash, last.parse().ok())),
            ["fee-estimates"] => Some(Answer::json(&json!({"1": estimate, "6": estimate, "144": 1.0}))),
            ["tx"] => Some(self.taken(body)),
            _ => None,
        };
        found.unwrap_or_else(|| Answer::refused(404, "not found"))
    }

    fn text_at(&self, height: &str) -> Option<Answer> {
        self.hash_at(height.parse().ok()?).map(|it| Answer::text(it.to_string()))
    }

    fn raw_block(&self, hash: &str) -> Option<Answer> {
        let found = self.blocks.iter().find(|it| it.block_hash().to_string() == hash)?;
        Some(Answer::bytes(serialize(found)))
    }

    fn transaction(&self, txid: &str) -> Option<Transaction> {
        let txid = txid.parse().ok()?;
        let waits = self.pool.iter().find(|it| it.compute_txid() == txid);
        self.found(txid).map(|(_, it)| it).or(waits).cloned()
    }

    fn status(&self, txid: Txid) -> Value {
        self.found(txid).map_or_else(|| json!({"confirmed": false}), |(height, _)| self.confirmed(height))
    }

    fn confirmed(&self, height: u32) -> Value {
        let hash = self.hash_at(height).expect("a block").to_string();
        json!({"confirmed": true, "block_height": height, "block_hash": hash, "block_time": 0})
    }

    fn outspend(&self, txid: &str, vout: &str) -> Option<Answer> {
        let coin = OutPoint { txid: txid.parse().ok()?, vout: vout.parse().ok()? };
        let answer = match self.spender(coin) {
            None => json!({"spent": false}),
            Some((height, by)) => {
                let status = height.map_or_else(|| json!({"confirmed": false}), |it| self.confirmed(it));
                json!({"spent": true, "txid": by.compute_txid().to_string(), "vin": 0, "status": status})
            }
        };
        Some(Answer::json(&answer))
    }

    /// The newest first, five and twenty at a time, as Esplora does it.
    fn page(&self, hash: &str, after: Option<Txid>) -> Answer {
        let outputs = self.outputs();
        let is = |script: &ScriptBuf| sha256::Hash::hash(script.as_bytes()).to_string() == hash;
        let concerns = |it: &Transaction| {
            let spent = it.input.iter().filter_map(|input| outputs.get(&input.previous_output));
            it.output.iter().chain(spent).any(|output| is(&output.script_pubkey))
        };
        let mut all: Vec<(u32, &Transaction)> = self.all().filter(|(_, it)| concerns(it)).collect();
        all.reverse();
        let from = after
            .and_then(|last| all.iter().position(|(_, it)| it.compute_txid() == last))
            .map_or(0, |it| it + 1);
        let page = all.into_iter().skip(from).take(25).map(|(height, it)| self.shown(height, it));
        Answer::json(&Value::Array(page.collect()))
    }

    fn shown(&self, height: u32, it: &Transaction) -> Value {
        let input = it.input.iter().map(|input| {
            let OutPoint { txid, vout } = input.previous_output;
            json!({"txid": txid.to_string(), "vout": vout, "is_coinbase": it.is_coinbase()})
        });
        let output = it.output.iter().map(|output| {
            json!({"scriptpubkey": output.script_pubkey.to_hex_string(), "value": output.value.to_sat()})
        });
        json!({
            "txid": it.compute_txid().to_string(),
            "vin": input.collect::<Vec<_>>(),
            "vout": output.collect::<Vec<_>>(),
            "status": self.confirmed(height),
        })
    }

    fn taken(&mut self, body: &str) -> Answer {
        let Ok(transaction) = deserialize_hex::<Transaction>(body) else {
            return Answer::refused(400, "sendrawtransaction RPC error: TX decode failed");
        };
        match self.admit(&transaction) {
            Ok(()) => Answer::text(transaction.compute_txid().to_string()),
            Err(reason) => Answer::refused(400, &format!("sendrawtransaction RPC error: {reason}")),
        }
    }
}
