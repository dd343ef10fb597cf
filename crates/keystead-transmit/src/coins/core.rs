//! Bitcoin Core's JSON-RPC. A node without a wallet is enough; it needs `-blockfilterindex` to find what scripts did (BIP-158).

use std::collections::BTreeSet;

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Block, BlockHash, OutPoint, ScriptBuf, Transaction, Txid};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::answer;
use super::facts::{History, Mined, Seen};
use super::source::SCAN_TIME;
use crate::{Endpoint, EndpointError};

pub(crate) struct Core {
    pub(crate) endpoint: Endpoint,
}

impl Core {
    pub(crate) async fn height(&self) -> Result<u32, EndpointError> {
        answer::core_height(&self.ask("getblockcount", json!([])).await?)
    }

    /// None above the tip.
    pub(crate) async fn block_hash(&self, height: u32) -> Result<Option<BlockHash>, EndpointError> {
        match self.ask("getblockhash", json!([height])).await {
            Err(EndpointError::Rpc { code: OUT_OF_RANGE, .. }) => Ok(None),
            other => answer::core_hash(&other?).map(Some),
        }
    }

    pub(crate) async fn block(&self, hash: BlockHash) -> Result<Block, EndpointError> {
        let raw = self.ask("getblock", json!([hash.to_string(), 0])).await?;
        answer::block_hex(&answer::text(&raw, "a block in hex")?, hash)
    }

    /// With the block that it is in no index is needed.
    pub(crate) async fn transaction(
        &self,
        txid: Txid,
        block: Option<BlockHash>,
    ) -> Result<Transaction, EndpointError> {
        let mut params = vec![json!(txid.to_string()), json!(false)];
        params.extend(block.map(|it| json!(it.to_string())));
        let raw = self.ask("getrawtransaction", params.into()).await?;
        answer::transaction(&answer::text(&raw, "a transaction in hex")?, txid)
    }

    /// Needs `-txindex` to say that there is none.
    pub(crate) async fn mined(&self, txid: Txid) -> Result<Option<Mined>, EndpointError> {
        let block = match self.ask("getrawtransaction", json!([txid.to_string(), true])).await {
            Err(EndpointError::Rpc { message, .. }) if message.starts_with(NOWHERE) => None,
            other => answer::block_of(&other?, txid)?,
        };
        match block {
            Some(block) => self.header(block).await.map(Some),
            None => Ok(None),
        }
    }

    /// A coin that the node does not know counts as spent.
    pub(crate) async fn is_spent(&self, coin: OutPoint) -> Result<bool, EndpointError> {
        let raw = self.ask("gettxout", json!([coin.txid.to_string(), coin.vout, true])).await?;
        Ok(raw.get() == "null")
    }

    pub(crate) async fn fee_rate(&self, blocks: u16) -> Result<u64, EndpointError> {
        answer::smart_fee(&self.ask("estimatesmartfee", json!([blocks])).await?)
    }

    pub(crate) async fn send(&self, transaction: &Transaction) -> Result<(), EndpointError> {
        let raw = self.ask("sendrawtransaction", json!([serialize_hex(transaction)])).await?;
        match answer::text(&raw, "the id of what was sent")? == transaction.compute_txid().to_string() {
            true => Ok(()),
            false => Err(EndpointError::Malformed { expected: "the id of what was sent" }),
        }
    }

    /// The filters say which blocks may have something; those are read whole, and held to their hashes.
    pub(crate) async fn history(
        &self,
        scripts: &BTreeSet<ScriptBuf>,
        until: Mined,
        from: u32,
    ) -> Result<History, EndpointError> {
        let sought: Vec<String> = scripts.iter().map(|it| format!("raw({})", it.to_hex_string())).collect();
        let params = json!(["start", sought, from, until.height, "basic"]);
        let raw = self.endpoint.ask_within("scanblocks", params, SCAN_TIME).await?;
        let blocks = answer::relevant(&raw, from, until.height)?;
        if blocks.len() > MAX_BLOCKS {
            return Err(EndpointError::TooMany { limit: MAX_BLOCKS, what: "blocks with something of ours" });
        }
        let mut mined = Vec::with_capacity(blocks.len());
        for hash in blocks {
            mined.push(self.header(hash).await?);
        }
        mined.sort_unstable();
        let mut ours = Ours { scripts, coins: BTreeSet::new(), seen: Vec::new() };
        for it in mined {
            ours.take(&self.block(it.block).await?, it);
        }
        Ok(History::of(from, until, scripts, &ours.seen))
    }

    async fn header(&self, hash: BlockHash) -> Result<Mined, EndpointError> {
        answer::header(&self.ask("getblockheader", json!([hash.to_string(), true])).await?, hash)
    }

    async fn ask(&self, method: &str, params: Value) -> Result<Box<RawValue>, EndpointError> {
        self.endpoint.ask(method, params).await
    }
}

/// What blocks, in their order, hold of some scripts: of thousands of transactions the few that matter.
struct Ours<'a> {
    scripts: &'a BTreeSet<ScriptBuf>,
    coins: BTreeSet<OutPoint>,
    seen: Vec<Seen>,
}

impl Ours<'_> {
    fn take(&mut self, block: &Block, mined: Mined) {
        for transaction in &block.txdata {
            let pays = transaction.output.iter().any(|it| self.scripts.contains(&it.script_pubkey));
            let spends = transaction.input.iter().any(|it| self.coins.contains(&it.previous_output));
            if pays || spends {
                let seen = Seen::of(transaction, mined);
                self.coins.extend(seen.funds(self.scripts).into_iter().map(|it| it.outpoint));
                self.seen.push(seen);
            }
        }
    }
}

/// `RPC_INVALID_PARAMETER`: block height out of range.
const OUT_OF_RANGE: i64 = -8;
/// What a node with an index of all transactions says of one that is nowhere.
const NOWHERE: &str = "No such mempool or blockchain transaction";
/// How many blocks of one history are read.
const MAX_BLOCKS: usize = 5_000;
