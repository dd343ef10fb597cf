//! A mined block and the receipt of its one transaction.

use alloy_consensus::{BlockHeader as _, Header};
use alloy_primitives::{Address, B256, Bytes, U256};

use crate::Outcome;
use crate::transaction::SignedTransaction;

/// A block: a header, and at most one transaction.
#[derive(Clone, Debug)]
pub struct Block {
    header: Header,
    hash: B256,
    transaction: Option<B256>,
}

impl Block {
    pub(crate) fn new(header: Header, transaction: Option<B256>) -> Self {
        Self { hash: header.hash_slow(), header, transaction }
    }

    /// Its number; genesis has 0.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.header.number()
    }

    /// Its hash: Keccak-256 of the header, whose state and receipt roots are empty here.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.hash
    }

    /// Its time in seconds since the Unix epoch.
    #[must_use]
    pub fn time_seconds(&self) -> u64 {
        self.header.timestamp()
    }

    /// The whole header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The hash of its transaction, if it has one.
    #[must_use]
    pub fn transaction(&self) -> Option<B256> {
        self.transaction
    }
}

/// What became of a transaction.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The transaction's hash. A transaction without a signature has a made-up one.
    pub hash: B256,
    /// The sender.
    pub from: Address,
    /// The destination; `None` for a creation.
    pub to: Option<Address>,
    /// The sender's nonce.
    pub nonce: u64,
    /// Wei sent along.
    pub value: U256,
    /// Wei per gas that were paid.
    pub gas_price: u128,
    /// The block's number.
    pub block: u64,
    /// The block's hash.
    pub block_hash: B256,
    /// The block's time in seconds.
    pub time_seconds: u64,
    /// What the execution did.
    pub outcome: Outcome,
    /// The signed transaction; `None` when it was sent without a signature.
    pub(crate) signed: Option<SignedTransaction>,
}

impl Receipt {
    /// The raw signed bytes, unless the transaction was sent without a signature.
    #[must_use]
    pub fn raw(&self) -> Option<&Bytes> {
        self.signed.as_ref().map(|signed| &signed.raw)
    }

    /// The fee paid in wei.
    #[must_use]
    pub fn fee(&self) -> U256 {
        U256::from(self.gas_price).saturating_mul(U256::from(self.outcome.gas_used))
    }
}
