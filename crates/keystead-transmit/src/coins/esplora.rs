//! Esplora's HTTP interface, as blockstream.info, mempool.space and electrs serve it.

use std::collections::BTreeSet;
use std::time::Duration;

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::{Block, BlockHash, OutPoint, ScriptBuf, Transaction, Txid};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};

use super::answer;
use super::facts::{History, Mined, Seen};
use crate::EndpointError;
use crate::error::MAX_MESSAGE_CHARS;
use crate::http::Http;

pub(crate) struct Esplora {
    pub(crate) http: Http,
}

impl Esplora {
    pub(crate) async fn height(&self) -> Result<u32, EndpointError> {
        answer::height(&self.get("/blocks/tip/height").await?)
    }

    /// None above the tip.
    pub(crate) async fn block_hash(&self, height: u32) -> Result<Option<BlockHash>, EndpointError> {
        let found = had(self.get(&format!("/block-height/{height}")).await)?;
        found.map(|it| answer::block_hash(&it)).transpose()
    }

    pub(crate) async fn block(&self, hash: BlockHash) -> Result<Block, EndpointError> {
        answer::block(&self.get(&format!("/block/{hash}/raw")).await?, hash)
    }

    pub(crate) async fn transaction(&self, txid: Txid) -> Result<Transaction, EndpointError> {
        let body = self.get(&format!("/tx/{txid}/hex")).await?;
        answer::transaction(&answer::word::<String>(&body, "a transaction in hex")?, txid)
    }

    pub(crate) async fn mined(&self, txid: Txid) -> Result<Option<Mined>, EndpointError> {
        let found = had(self.get(&format!("/tx/{txid}/status")).await)?;
        found.map_or(Ok(None), |it| answer::status(&it))
    }

    pub(crate) async fn is_spent(&self, coin: OutPoint) -> Result<bool, EndpointError> {
        let OutPoint { txid, vout } = coin;
        answer::outspend(&self.get(&format!("/tx/{txid}/outspend/{vout}")).await?)
    }

    pub(crate) async fn fee_rate(&self, blocks: u16) -> Result<u64, EndpointError> {
        answer::estimates(&self.get("/fee-estimates").await?, blocks)
    }

    pub(crate) async fn send(&self, transaction: &Transaction) -> Result<(), EndpointError> {
        let body = Some(serialize_hex(transaction));
        let sent = self.ask(Method::POST, "/tx", body).await?;
        match answer::word::<Txid>(&sent, "the id of what was sent")? == transaction.compute_txid() {
            true => Ok(()),
            false => Err(EndpointError::Malformed { expected: "the id of what was sent" }),
        }
    }

    pub(crate) async fn history(
        &self,
        scripts: &BTreeSet<ScriptBuf>,
        until: Mined,
        from: u32,
    ) -> Result<History, EndpointError> {
        let mut seen = Vec::new();
        for script in scripts {
            seen.extend(self.all_of(script).await?);
        }
        Ok(History::of(from, until, scripts, &seen))
    }

    /// The transactions in blocks that pay to a script or spend from it, page by page, the newest first.
    async fn all_of(&self, script: &ScriptBuf) -> Result<Vec<Seen>, EndpointError> {
        let first = format!("/scripthash/{}/txs/chain", sha256::Hash::hash(script.as_bytes()));
        let (mut seen, mut path): (Vec<Seen>, String) = (Vec::new(), first.clone());
        for _ in 0..MAX_PAGES {
            let page = answer::page(&self.get(&path).await?)?;
            let Some(last) = page.last() else { return Ok(seen) };
            path = format!("{first}/{}", last.txid);
            let is_last = page.len() < PAGE;
            seen.extend(page);
            if is_last {
                return Ok(seen);
            }
        }
        Err(EndpointError::TooMany { limit: MAX_PAGES * PAGE, what: "transactions of one script" })
    }

    async fn get(&self, path: &str) -> Result<Bytes, EndpointError> {
        self.ask(Method::GET, path, None).await
    }

    /// What it refuses it says in the body, with a status of 400 or 404.
    async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Result<Bytes, EndpointError> {
        let limit: Duration = self.http.limits().time;
        let (status, bytes) = self.http.call(method, path, body, limit).await?;
        match status {
            StatusCode::OK => Ok(bytes),
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => Err(refusal(status, &bytes)),
            _ => Err(EndpointError::Status { found: status.as_u16() }),
        }
    }
}

fn refusal(status: StatusCode, bytes: &Bytes) -> EndpointError {
    let message = String::from_utf8_lossy(bytes.get(..bytes.len().min(LONGEST_REFUSAL)).unwrap_or_default());
    let message = message.chars().take(MAX_MESSAGE_CHARS).collect();
    EndpointError::Rpc { code: status.as_u16().into(), message, data: None }
}

/// "There is none" is an answer.
fn had<T>(answer: Result<T, EndpointError>) -> Result<Option<T>, EndpointError> {
    match answer {
        Err(EndpointError::Rpc { code: NONE, .. }) => Ok(None),
        other => other.map(Some),
    }
}

const NONE: i64 = 404;
/// How many transactions a full page has.
const PAGE: usize = 25;
/// How many pages of one script are read.
const MAX_PAGES: usize = 80;
const LONGEST_REFUSAL: usize = 4 * MAX_MESSAGE_CHARS;
