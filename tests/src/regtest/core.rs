//! Bitcoin Core's JSON-RPC, translated from what Core's validation has.

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Block, OutPoint, ScriptBuf, Transaction};
use serde_json::{Value, json};

use super::Chain;
use super::serve::Answer;

/// A result, or a code and a message.
type Result = std::result::Result<Value, (i64, &'static str)>;

impl Chain {
    pub(super) fn core(&mut self, body: &str, estimate: f64) -> Answer {
        let asked: Value = serde_json::from_str(body).expect("a question");
        let (method, given) = (asked["method"].as_str().expect("a method"), &asked["params"]);
        let answer = match self.call(method, given, estimate) {
            Ok(result) => json!({"result": result, "error": null, "id": asked["id"]}),
            Err((code, message)) => {
                json!({"result": null, "error": {"code": code, "message": message}, "id": asked["id"]})
            }
        };
        Answer::json(&answer)
    }

    fn call(&mut self, method: &str, given: &Value, estimate: f64) -> Result {
        match method {
            "getblockcount" => Ok(json!(self.height())),
            "getblockhash" => self.hash_of(&given[0]),
            "getblock" => self.named(&given[0]).map(|(_, block)| json!(serialize_hex(block))),
            "getblockheader" => self.named(&given[0]).map(|(height, block)| self.header(height, block)),
            "getrawtransaction" => self.raw_transaction(given),
            "gettxout" => self.output(given),
            "scanblocks" => Ok(self.scan(given)),
            "estimatesmartfee" => {
                // As Esplora's shape has it: whoever has a day pays the least.
                let rate = if given[0].as_u64() >= Some(144) { 1.0 } else { estimate };
                Ok(json!({"feerate": rate / 100_000.0, "blocks": given[0]}))
            }
            "sendrawtransaction" => self.given(&given[0]),
            _ => Err((-32601, "Method not found")),
        }
    }

    fn hash_of(&self, height: &Value) -> Result {
        let height = u32::try_from(height.as_u64().expect("a height")).expect("a height");
        self.hash_at(height).map(|it| json!(it.to_string())).ok_or((-8, "Block height out of range"))
    }

    fn named(&self, hash: &Value) -> std::result::Result<(usize, &Block), (i64, &'static str)> {
        let hash = hash.as_str().unwrap_or_default();
        let found = self.blocks.iter().enumerate().find(|(_, it)| it.block_hash().to_string() == hash);
        found.ok_or((-5, "Block not found"))
    }

    fn header(&self, height: usize, block: &Block) -> Value {
        let confirmations = self.blocks.len() - height;
        json!({"hash": block.block_hash().to_string(), "height": height, "confirmations": confirmations})
    }

    /// A node without an index of all transactions: it looks into its pool, and into the block that it is told.
    fn raw_transaction(&self, given: &Value) -> Result {
        let txid = given[0].as_str().unwrap_or_default();
        let is = |it: &&Transaction| it.compute_txid().to_string() == txid;
        let block = given[2].as_str().map(|_| self.named(&given[2])).transpose()?;
        let found = match block {
            Some((_, block)) => block.txdata.iter().find(is),
            None => self.pool.iter().find(is).or_else(|| self.all().map(|(_, it)| it).find(is)),
        };
        let found = found.ok_or((
            -5,
            "No such mempool or blockchain transaction. Use gettransaction for wallet transactions.",
        ))?;
        if given[1] == json!(false) {
            return Ok(json!(serialize_hex(found)));
        }
        let height = self.found(found.compute_txid()).map(|(height, _)| height);
        let hash = height.and_then(|it| self.hash_at(it)).map(|it| it.to_string());
        Ok(hash.map_or_else(|| json!({"txid": txid}), |hash| json!({"txid": txid, "blockhash": hash})))
    }

    fn output(&self, given: &Value) -> Result {
        let txid = given[0].as_str().unwrap_or_default().parse().map_err(|_| (-8, "txid"))?;
        let vout = u32::try_from(given[1].as_u64().unwrap_or_default()).map_err(|_| (-8, "n"))?;
        let coin = OutPoint { txid, vout };
        let found = self.outputs().remove(&coin).filter(|_| self.spender(coin).is_none());
        Ok(found.map_or(Value::Null, |it| json!({"value": it.value.to_btc()})))
    }

    /// Exact, where a real filter names a few more blocks.
    fn scan(&self, given: &Value) -> Value {
        let sought = given[1].as_array().expect("descriptors").iter().map(|it| {
            let text = it.as_str().expect("a descriptor");
            let hex = text.strip_prefix("raw(").and_then(|it| it.strip_suffix(")")).expect("a raw script");
            ScriptBuf::from_hex(hex).expect("a script")
        });
        let (sought, outputs): (Vec<ScriptBuf>, _) = (sought.collect(), self.outputs());
        let concerns = |it: &Transaction| {
            let spent = it.input.iter().filter_map(|input| outputs.get(&input.previous_output));
            it.output.iter().chain(spent).any(|output| sought.contains(&output.script_pubkey))
        };
        let (from, to) = (given[2].as_u64().expect("a height"), given[3].as_u64().expect("a height"));
        let within = (0_u64..).zip(&self.blocks).filter(|(height, _)| (from..=to).contains(height));
        let hits = within.filter(|(_, block)| block.txdata.iter().any(concerns));
        let hashes: Vec<String> = hits.map(|(_, block)| block.block_hash().to_string()).collect();
        json!({"from_height": from, "to_height": to, "relevant_blocks": hashes, "completed": true})
    }

    fn given(&mut self, hex: &Value) -> Result {
        let transaction: Transaction =
            deserialize_hex(hex.as_str().unwrap_or_default()).map_err(|_| (-22, "TX decode failed"))?;
        self.admit(&transaction).map_err(|reason| (-26, reason))?;
        Ok(json!(transaction.compute_txid().to_string()))
    }
}
