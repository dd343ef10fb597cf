//! A real chain of Bitcoin's: Bitcoin Core's validation decides which blocks there are, and the test mines them.
//!
//! What stands in blocks is read back from Core. A pool of what waits is kept here, as the kernel has none: it takes what
//! Core's script rules take and replaces by BIP-125. Servers of Esplora's and of Core's shape only translate both.

mod core;
mod esplora;
mod kernel;
mod mining;
mod pool;
mod serve;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bitcoin::{Block, BlockHash, OutPoint, ScriptBuf, Transaction, TxOut, Txid};

use kernel::Kernel;
pub use serve::{Lie, Shape, Source};

/// One chain. Clones are the same one.
#[derive(Clone)]
pub struct Regtest {
    inner: Arc<Mutex<Chain>>,
}

/// What Core has, read back, and what waits.
pub(crate) struct Chain {
    kernel: Kernel,
    blocks: Vec<Block>,
    pool: Vec<Transaction>,
}

impl Regtest {
    /// A chain with a block for each of the first hundred coins of the miner and one more: one coin can be spent.
    ///
    /// # Panics
    ///
    /// When the kernel does not start.
    #[must_use]
    pub fn start() -> Self {
        let mut chain = Chain { kernel: Kernel::start(), blocks: Vec::new(), pool: Vec::new() };
        chain.read_back();
        let regtest = Self { inner: Arc::new(Mutex::new(chain)) };
        regtest.mine(101);
        regtest
    }

    /// Mines blocks with what waits.
    ///
    /// # Panics
    ///
    /// When Core does not take them.
    pub fn mine(&self, count: usize) {
        for _ in 0..count {
            self.lock().mine();
        }
    }

    /// Mines a block whose coin is somebody else's.
    ///
    /// # Panics
    ///
    /// When Core does not take it.
    pub fn mine_to(&self, script: &ScriptBuf) {
        self.lock().mine_to(script);
    }

    /// Pays a script from the miner's coins, and mines it.
    ///
    /// # Panics
    ///
    /// When the miner has no coin.
    pub fn fund(&self, script: &ScriptBuf, sat: u64) -> OutPoint {
        let paid = self.lock().pay(script, sat);
        self.mine(1);
        paid
    }

    /// Gives a transaction to the pool.
    ///
    /// # Errors
    ///
    /// Core's words for what is not taken.
    pub fn send(&self, transaction: &Transaction) -> Result<(), &'static str> {
        self.lock().admit(transaction)
    }

    /// Whether Core takes a block with exactly these transactions into the chain.
    #[must_use]
    pub fn takes(&self, transactions: &[Transaction]) -> bool {
        self.lock().takes(transactions)
    }

    /// Gives up the last blocks for a longer branch without what was in them.
    ///
    /// # Panics
    ///
    /// When Core does not follow.
    pub fn reorganize(&self, blocks: usize) {
        self.lock().reorganize(blocks);
    }

    /// The height of the chain.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.lock().height()
    }

    /// The hash of the block at a height.
    #[must_use]
    pub fn block_hash(&self, height: u32) -> Option<BlockHash> {
        self.lock().hash_at(height)
    }

    /// The height of the block that a transaction is in.
    #[must_use]
    pub fn height_of(&self, txid: Txid) -> Option<u32> {
        self.lock().found(txid).map(|(height, _)| height)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Chain> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chain {
    /// The blocks of the active chain, as Core says after whatever happened.
    fn read_back(&mut self) {
        let mut height = 0;
        while let Some(hash) = self.kernel.hash(height) {
            let at = usize::try_from(height).expect("a height");
            if self.blocks.get(at).map(Block::block_hash) != Some(hash) {
                self.blocks.truncate(at);
                self.blocks.push(self.kernel.block(height));
            }
            height += 1;
        }
        self.blocks.truncate(usize::try_from(height).expect("a height"));
    }

    fn height(&self) -> u32 {
        u32::try_from(self.blocks.len() - 1).expect("a height")
    }

    fn hash_at(&self, height: u32) -> Option<BlockHash> {
        self.blocks.get(usize::try_from(height).ok()?).map(Block::block_hash)
    }

    /// Every transaction of the chain with its height, the oldest first.
    fn all(&self) -> impl Iterator<Item = (u32, &Transaction)> {
        self.blocks
            .iter()
            .zip(0..)
            .flat_map(|(block, height)| block.txdata.iter().map(move |it| (height, it)))
    }

    fn found(&self, txid: Txid) -> Option<(u32, &Transaction)> {
        self.all().find(|(_, it)| it.compute_txid() == txid)
    }

    /// Every output that there ever was, of what waits too.
    fn outputs(&self) -> BTreeMap<OutPoint, TxOut> {
        let all = self.all().map(|(_, it)| it).chain(&self.pool);
        all.flat_map(|it| {
            let txid = it.compute_txid();
            it.output.iter().zip(0..).map(move |(output, vout)| (OutPoint { txid, vout }, output.clone()))
        })
        .collect()
    }

    fn spender(&self, coin: OutPoint) -> Option<(Option<u32>, &Transaction)> {
        let spends = |it: &Transaction| it.input.iter().any(|input| input.previous_output == coin);
        let mined = self.all().find(|(_, it)| spends(it)).map(|(height, it)| (Some(height), it));
        mined.or_else(|| self.pool.iter().find(|it| spends(it)).map(|it| (None, it)))
    }
}
