//! Bitcoin as `k` of `m` sources show it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bitcoin::{Block, BlockHash, OutPoint, ScriptBuf, Transaction, Txid};
use keystead_base::Name;

use super::facts::{History, Mined};
use super::source::CoinSource;
use crate::agreement::Tally;
use crate::panel::{Asked, Panel, next};
use crate::{EndpointError, Quorum, TransmitError, Unknown};

/// The most scripts that one history is asked for.
pub const MAX_SCRIPTS: usize = 1_000;

/// Several sources of one network. Clones share their connections.
#[derive(Clone)]
pub struct CoinView {
    genesis: BlockHash,
    panel: Panel<CoinSource>,
}

/// Where a transaction was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its id, computed here.
    pub txid: Txid,
    /// Who took it, or had it already.
    pub taken: Vec<Name>,
    /// Who did not.
    pub refusals: Vec<(Name, EndpointError)>,
}

impl CoinView {
    /// A view of the chain whose first block has this hash, which believes what `agree` of the sources say.
    ///
    /// # Errors
    ///
    /// [`TransmitError::Quorum`] unless more than half of the sources must agree.
    pub fn new(genesis: BlockHash, sources: Vec<CoinSource>, agree: usize) -> Result<Self, TransmitError> {
        let quorum = Quorum::new(agree, sources.len())?;
        Ok(Self { genesis, panel: Panel { endpoints: sources, quorum } })
    }

    /// The hash of the first block of the chain that this view is for.
    #[must_use]
    pub fn genesis(&self) -> BlockHash {
        self.genesis
    }

    /// The height that enough sources have reached.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few answer.
    pub async fn height(&self) -> Result<u32, Unknown> {
        let asked = self.spread(|it| async move { it.height().await.map(u64::from) });
        let height = self.panel.highest("the height of the chain", asked).await?;
        Ok(u32::try_from(height).unwrap_or(u32::MAX))
    }

    /// The hash of the block at a height; none above the tip.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn block_hash(&self, height: u32) -> Result<Option<BlockHash>, Unknown> {
        let asked = self.spread(move |it| async move { it.block_hash(height).await });
        self.panel.agree("the block at a height", asked).await
    }

    /// The newest block that enough sources agree on: that at the height which enough of them have reached.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn tip(&self) -> Result<Mined, Unknown> {
        let height = self.height().await?;
        let hash = self.block_hash(height).await?;
        let none = || self.nobody("the newest block");
        hash.map(|block| Mined { height, block }).ok_or_else(none)
    }

    /// The whole block at a height: enough sources agree on its hash, and that says what it is.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree, or nobody has it.
    pub async fn block_at(&self, height: u32) -> Result<Block, Unknown> {
        let hash = self.block_hash(height).await?;
        self.block(hash.ok_or_else(|| self.nobody("the block at a height"))?).await
    }

    /// A whole block. Its hash says what it is, so that one source with it is enough.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when nobody has it.
    pub async fn block(&self, hash: BlockHash) -> Result<Block, Unknown> {
        let asked = self.spread(move |it| async move { it.block(hash).await });
        self.any("a block", asked).await
    }

    /// A whole transaction. Its id says what it is, so that one source with it is enough. `block`, where it is known,
    /// spares a Bitcoin Core node its index of all transactions.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when nobody has it.
    pub async fn transaction(&self, txid: Txid, block: Option<BlockHash>) -> Result<Transaction, Unknown> {
        let asked = self.spread(move |it| async move { it.transaction(txid, block).await });
        self.any("a transaction", asked).await
    }

    /// Where a transaction stands; none where it is in no block. A Bitcoin Core node needs `-txindex` to answer.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn mined(&self, txid: Txid) -> Result<Option<Mined>, Unknown> {
        let asked = self.spread(move |it| async move { it.mined(txid).await });
        self.panel.agree("where a transaction stands", asked).await
    }

    /// Whether a coin is spent, by what waits in pools too. Pools differ: a coin of which nothing is known is best left
    /// alone.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree.
    pub async fn is_spent(&self, coin: OutPoint) -> Result<bool, Unknown> {
        let asked = self.spread(move |it| async move { it.is_spent(coin).await });
        self.panel.agree("whether a coin is spent", asked).await
    }

    /// What scripts were paid and spent in blocks up to this one. Nothing is told of them below `from`: zero, or the
    /// height at which the first of them was made; it spares a Bitcoin Core node most of its search.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few agree on all of it, or more than [`MAX_SCRIPTS`] are asked for.
    pub async fn history(
        &self,
        scripts: BTreeSet<ScriptBuf>,
        until: Mined,
        from: u32,
    ) -> Result<History, Unknown> {
        if scripts.len() > MAX_SCRIPTS {
            return Err(self.too_many());
        }
        let scripts = Arc::new(scripts);
        let asked = self.spread(move |it| {
            let scripts = Arc::clone(&scripts);
            async move { it.history(&scripts, until, from).await }
        });
        self.panel.agree("what scripts were paid", asked).await
    }

    /// What to pay for being in one of the next blocks, in satoshi for a thousand virtual bytes: the middle of what at
    /// least as many sources estimate as have to agree, the lower one of two. A suggestion, no fact.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when too few have an estimate.
    pub async fn fee_rate(&self, blocks: u16) -> Result<u64, Unknown> {
        let mut asked = self.spread(move |it| async move { it.fee_rate(blocks).await });
        let needed = self.panel.quorum.agree();
        let (mut rates, mut failures) = (Vec::new(), Tally::new(self.panel.quorum));
        while let Some((name, answer)) = next(&mut asked, rates.len() >= needed).await {
            match answer {
                Ok(rate) => rates.push(rate),
                Err(error) => drop(failures.add(name, Err::<u64, _>(error))),
            }
        }
        rates.sort_unstable();
        let middle = rates.get(rates.len().saturating_sub(1) / 2).filter(|_| rates.len() >= needed);
        middle.copied().ok_or_else(|| failures.unknown("a fee rate"))
    }

    /// Gives a transaction to every source. One that takes it is enough: whether it ends up in a block is for
    /// [`CoinView::mined`] to say.
    ///
    /// # Errors
    ///
    /// [`TransmitError::Refused`] when none took it.
    pub async fn send(&self, transaction: &Transaction) -> Result<Sent, TransmitError> {
        let given = Arc::new(transaction.clone());
        let mut asked = self.spread(move |it| {
            let given = Arc::clone(&given);
            async move { it.send(&given).await }
        });
        let mut sent = Sent { txid: transaction.compute_txid(), taken: Vec::new(), refusals: Vec::new() };
        while let Some((name, answer)) = next(&mut asked, !sent.taken.is_empty()).await {
            match answer {
                Err(error) if !is_known_already(&error) => sent.refusals.push((name, error)),
                Ok(()) | Err(_) => sent.taken.push(name),
            }
        }
        match sent.taken.is_empty() {
            true => Err(TransmitError::Refused { refusals: sent.refusals }),
            false => Ok(sent),
        }
    }

    /// Sets every source to work at once, once it has shown the right chain.
    fn spread<T, F>(&self, ask: impl Fn(CoinSource) -> F + Clone + Send + Sync + 'static) -> Asked<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, EndpointError>> + Send + 'static,
    {
        let genesis = self.genesis;
        self.panel.spread(move |source: CoinSource| {
            let ask = ask.clone();
            async move {
                source.hold_to(genesis).await?;
                ask(source).await
            }
        })
    }

    /// The first one that is what its hash says.
    async fn any<T: 'static>(&self, question: &'static str, mut asked: Asked<T>) -> Result<T, Unknown> {
        let mut failures = Tally::new(self.panel.quorum);
        while let Some((name, answer)) = next(&mut asked, false).await {
            match answer {
                Ok(found) => return Ok(found),
                Err(error) => drop(failures.add(name, Err::<(), _>(error))),
            }
        }
        Err(failures.unknown(question))
    }

    fn nobody(&self, question: &'static str) -> Unknown {
        Tally::<()>::new(self.panel.quorum).unknown(question)
    }

    fn too_many(&self) -> Unknown {
        let error = EndpointError::TooMany { limit: MAX_SCRIPTS, what: "scripts in one question" };
        let mut failures = Tally::<()>::new(self.panel.quorum);
        for source in &self.panel.endpoints {
            failures.add(crate::panel::Named::name(source).clone(), Err(error.clone()));
        }
        failures.unknown("what scripts were paid")
    }
}

impl fmt::Debug for CoinView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (agree, sources) = (self.panel.quorum.agree(), &self.panel.endpoints);
        write!(f, "CoinView({}, {agree} of {sources:?})", self.genesis)
    }
}

/// What Bitcoin Core says of what it has, in its pool or in a block, also through Esplora.
fn is_known_already(error: &EndpointError) -> bool {
    let EndpointError::Rpc { message, .. } = error else {
        return false;
    };
    ["txn-already-in-mempool", "txn-already-known", "already in block chain", "already in utxo set"]
        .iter()
        .any(|words| message.contains(words))
}
