//! One source of coins: somebody else's server, of one of two kinds, held to one chain.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Block, BlockHash, OutPoint, ScriptBuf, Transaction, Txid};
use keystead_base::Name;
use tokio::sync::OnceCell;

use super::core::Core;
use super::esplora::Esplora;
use super::facts::{History, Mined};
use crate::http::{Http, Login};
use crate::panel::Named;
use crate::{Endpoint, EndpointError, Limits, Roots, TransmitError};

/// How long a source may search the whole chain.
pub const SCAN_TIME: Duration = Duration::from_secs(600);

/// A server that knows coins. Clones share its connections. What one source says is not yet believed.
#[derive(Clone)]
pub struct CoinSource {
    inner: Arc<Inner>,
}

struct Inner {
    name: Name,
    kind: Kind,
    /// Set once it has shown the right first block.
    checked: OnceCell<()>,
}

enum Kind {
    Esplora(Box<Esplora>),
    Core(Core),
}

impl CoinSource {
    /// An Esplora server, the path of its interface being part of the URL: `https://host/api`.
    ///
    /// # Errors
    ///
    /// [`TransmitError`] when the URL or the authorities are wrong.
    pub fn esplora(name: Name, url: &str, limits: Limits, roots: &Roots) -> Result<Self, TransmitError> {
        let http = Http::new(url, limits, roots, Login::None)?;
        Ok(Self::new(name, Kind::Esplora(Box::new(Esplora { http }))))
    }

    /// A Bitcoin Core node. `login` is a file with `user:password`, its own `.cookie` for instance; it is read for
    /// every question, as the node writes a new one at each start.
    ///
    /// # Errors
    ///
    /// [`TransmitError`] when the URL or the authorities are wrong.
    pub fn core(
        name: Name,
        url: &str,
        limits: Limits,
        roots: &Roots,
        login: Option<PathBuf>,
    ) -> Result<Self, TransmitError> {
        let login = login.map_or(Login::None, Login::File);
        let endpoint = Endpoint::with_login(name.clone(), url, limits, roots, login)?;
        Ok(Self::new(name, Kind::Core(Core { endpoint })))
    }

    fn new(name: Name, kind: Kind) -> Self {
        Self { inner: Arc::new(Inner { name, kind, checked: OnceCell::new() }) }
    }

    /// INVARIANT S8: nothing is asked of a source that shows another chain.
    pub(crate) async fn hold_to(&self, genesis: BlockHash) -> Result<(), EndpointError> {
        let check = || async {
            match self.block_hash(0).await? {
                Some(found) if found == genesis => Ok(()),
                Some(found) => Err(EndpointError::WrongChain { found: found.to_string() }),
                None => Err(EndpointError::Malformed { expected: "a first block" }),
            }
        };
        self.inner.checked.get_or_try_init(check).await.copied()
    }

    pub(crate) async fn height(&self) -> Result<u32, EndpointError> {
        match &self.inner.kind {
            Kind::Esplora(it) => it.height().await,
            Kind::Core(it) => it.height().await,
        }
    }

    pub(crate) async fn block_hash(&self, height: u32) -> Result<Option<BlockHash>, EndpointError> {
        match &self.inner.kind {
            Kind::Esplora(it) => it.block_hash(height).await,
            Kind::Core(it) => it.block_hash(height).await,
        }
    }

    pub(crate) async fn block(&self, hash: BlockHash) -> Result<Block, EndpointError> {
        match &self.inner.kind {
            Kind::Esplora(it) => it.block(hash).await,
            Kind::Core(it) => it.block(hash).await,
        }
    }

    pub(crate) async fn transaction(
        &self,
        txid: Txid,
        block: Option<BlockHash>,
    ) -> Result<Transaction, EndpointError> {
        match &self.inner.kind {
            Kind::Esplora(it) => it.transaction(txid).await,
            Kind::Core(it) => it.transaction(txid, block).await,
        }
    }

    pub(crate) async fn mined(&self, txid: Txid) -> Result<Option<Mined>, EndpointError> {
        match &self.inner.kind {
            Kind::Esplora(it) => it.mined(txid).await,
            Kind::Core(it) => it.mined(txid).await,
        }
    }

    pub(crate) async fn is_spent(&self, coin: OutPoint) -> Result<bool, EndpointError> {
        match &self.inner.kind {
            Kind::Esplora(it) => it.is_spent(coin).await,
            Kind::Core(it) => it.is_spent(coin).await,
        }
    }

    pub(crate) async fn fee_rate(&self, blocks: u16) -> Result<u64, EndpointError> {
        match &self.inner.kind {
            Kind::Esplora(it) => it.fee_rate(blocks).await,
            Kind::Core(it) => it.fee_rate(blocks).await,
        }
    }

    pub(crate) async fn send(&self, transaction: &Transaction) -> Result<(), EndpointError> {
        match &self.inner.kind {
            Kind::Esplora(it) => it.send(transaction).await,
            Kind::Core(it) => it.send(transaction).await,
        }
    }

    /// INVARIANT A1: a source that lags, or is on another branch, has no such block and says nothing.
    pub(crate) async fn history(
        &self,
        scripts: &BTreeSet<ScriptBuf>,
        until: Mined,
        from: u32,
    ) -> Result<History, EndpointError> {
        self.stands_at(until).await?;
        let found = match &self.inner.kind {
            Kind::Esplora(it) => it.history(scripts, until, from).await?,
            Kind::Core(it) => it.history(scripts, until, from).await?,
        };
        self.stands_at(until).await?;
        Ok(found)
    }

    async fn stands_at(&self, until: Mined) -> Result<(), EndpointError> {
        match self.block_hash(until.height).await? == Some(until.block) {
            true => Ok(()),
            false => Err(EndpointError::Malformed { expected: "the block that the others have" }),
        }
    }
}

impl Named for CoinSource {
    fn name(&self) -> &Name {
        &self.inner.name
    }
}

impl fmt::Debug for CoinSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path of a URL often is an access key.
        let (kind, host) = match &self.inner.kind {
            Kind::Esplora(it) => ("esplora", it.http.host().to_owned()),
            Kind::Core(it) => ("core", format!("{:?}", it.endpoint)),
        };
        write!(f, "CoinSource({} {kind} at {host})", self.inner.name)
    }
}
