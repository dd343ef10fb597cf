//! The state of one block, as somebody outside reads it.

use alloy_primitives::{Address, B256, Bytes, U256};
use keystead_intent::SimulatedBlock;

use crate::Unread;

/// An account after the block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadAccount {
    /// Its balance in wei.
    pub balance: U256,
    /// Its next nonce.
    pub nonce: u64,
    /// Its code; empty for a plain account.
    pub code: Bytes,
}

/// The block that a transaction is run after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which.
    pub block: SimulatedBlock,
    /// Who built it.
    pub beneficiary: Address,
    /// Its gas limit.
    pub gas_limit: u64,
    /// Its base fee per gas in wei; none before EIP-1559.
    pub base_fee: Option<u64>,
    /// Its randomness (EIP-4399).
    pub randomness: B256,
}

/// A piece of the state after one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Piece {
    /// An account.
    Account(Address),
    /// One slot of an account's storage.
    Slot(Address, U256),
    /// The hash of an earlier block.
    BlockHash(u64),
}

/// What a piece of the state is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Of [`Piece::Account`].
    Account(ReadAccount),
    /// Of [`Piece::Slot`].
    Slot(U256),
    /// Of [`Piece::BlockHash`].
    BlockHash(B256),
}

/// Reads the state after one block. Each answer is certain, or it is [`Unread`].
pub trait StateReader {
    /// An account.
    ///
    /// # Errors
    ///
    /// [`Unread`] when it is not known.
    fn account(&self, address: Address) -> Result<ReadAccount, Unread>;

    /// One slot of an account's storage.
    ///
    /// # Errors
    ///
    /// [`Unread`] when it is not known.
    fn storage(&self, address: Address, slot: U256) -> Result<U256, Unread>;

    /// The hash of an earlier block of the same chain.
    ///
    /// # Errors
    ///
    /// [`Unread`] when it is not known.
    fn block_hash(&self, number: u64) -> Result<B256, Unread>;

    /// Several pieces at once, for whoever can ask for them side by side. What is missing in the answer is asked for
    /// alone where it is needed; so a reader that has nothing to gain answers nothing.
    fn read_ahead(&self, pieces: &[Piece]) -> Vec<(Piece, Read)> {
        let _ = pieces;
        Vec::new()
    }
}
