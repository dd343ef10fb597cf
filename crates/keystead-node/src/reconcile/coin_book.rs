//! How far one network of Bitcoin's was compared with the log, and which coins are there: what is kept across restarts.

use std::collections::BTreeMap;

use bitcoin::hashes::Hash as _;
use bitcoin::{Block, BlockHash, OutPoint, ScriptBuf, Transaction, Txid};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Canonical;
use keystead_bitcoin::coin_at;
use keystead_decision::FinalBlock;
use keystead_intent::Coin;
use keystead_ledger::{Ledger, LedgerError};
use keystead_transmit::coins::{Held, Mined};

use super::wallets::{Places, Reached};

/// What is kept of a network. It is this node's own memory; nobody else believes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct CoinBook {
    /// The last block that was compared.
    place: Option<CoinPlace>,
    /// The wallets that are watched, and how far their places were used.
    pub(crate) reached: Reached,
    /// Their coins that no final block spends.
    pub(crate) coins: BTreeMap<Coin, HeldCoin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct CoinPlace {
    height: u32,
    block: [u8; 32],
}

/// A coin of ours.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct HeldCoin {
    pub(crate) sat: u64,
    pub(crate) script: Vec<u8>,
    pub(crate) height: u32,
}

/// A transaction of a final block that takes coins of ours.
#[derive(Clone, Debug)]
pub(crate) struct Taking {
    pub(crate) transaction: Transaction,
    pub(crate) block: FinalBlock,
    pub(crate) coins: BTreeMap<Coin, HeldCoin>,
}

impl Canonical for CoinBook {
    const DOMAIN: &'static str = "keystead/coins-reconciled/v1";
}

impl HeldCoin {
    pub(crate) fn of(held: &Held) -> Self {
        Self { sat: held.sat, script: held.script.to_bytes(), height: held.mined.height }
    }
}

/// As findings name a block.
pub(crate) fn final_block(mined: Mined) -> FinalBlock {
    FinalBlock { number: mined.height.into(), hash: mined.block.to_byte_array().into() }
}

impl CoinBook {
    /// What was kept of a network. What this version cannot read is begun anew.
    pub(crate) async fn kept(ledger: &Ledger, chain: u64) -> Result<Self, LedgerError> {
        let document = ledger.reconciled(chain).await?;
        Ok(document.and_then(|it| Self::from_document(&it).ok()).unwrap_or_default())
    }

    /// Makes it durable.
    pub(crate) async fn keep(&self, ledger: &Ledger, chain: u64) -> Result<(), LedgerError> {
        ledger.save_reconciled(chain, &self.to_document()).await
    }

    pub(crate) fn place(&self) -> Option<Mined> {
        self.place.map(|it| Mined { height: it.height, block: BlockHash::from_byte_array(it.block) })
    }

    pub(crate) fn come_to(&mut self, mined: Mined) {
        self.place = Some(CoinPlace { height: mined.height, block: mined.block.to_byte_array() });
    }

    /// Whether a block is the next one of the chain that this node came along.
    pub(crate) fn follows(&self, block: &Block) -> bool {
        self.place().is_none_or(|it| it.block == block.header.prev_blockhash)
    }

    /// Takes a block in: what it pays to ours is there from now on, and what it takes of it is not.
    pub(crate) fn take(&mut self, block: &Block, mined: Mined, places: &Places) -> Vec<Taking> {
        let mut takings = Vec::new();
        for transaction in &block.txdata {
            let spent = transaction.input.iter().map(|it| coin_at(it.previous_output));
            let coins: BTreeMap<_, _> =
                spent.filter_map(|coin| Some((coin, self.coins.remove(&coin)?))).collect();
            if !coins.is_empty() {
                let (transaction, block) = (transaction.clone(), final_block(mined));
                takings.push(Taking { transaction, block, coins });
            }
            self.gain(transaction, mined.height, places);
        }
        self.come_to(mined);
        takings
    }

    fn gain(&mut self, transaction: &Transaction, height: u32, places: &Places) {
        let txid: Txid = transaction.compute_txid();
        for (output, vout) in transaction.output.iter().zip(0..) {
            let script: &ScriptBuf = &output.script_pubkey;
            if places.owners(script).next().is_some() {
                let (sat, script) = (output.value.to_sat(), script.to_bytes());
                self.coins.insert(coin_at(OutPoint { txid, vout }), HeldCoin { sat, script, height });
            }
        }
    }
}
