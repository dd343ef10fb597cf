//! An in-process EVM that speaks enough JSON-RPC to execute what was signed.
//!
//! Each transaction is a block of its own, executed by `revm` under the Osaka rules with the checks a
//! real node makes: signature, chain id, nonce, balance, fees, the gas cap per transaction (EIP-7825).
//! Everything is deterministic: block times are handed in, and no randomness is drawn.
//! What is *not* there: a network, a mempool, state roots, blob sidecars, reorganizations of its own
//! (a test makes one by returning to an earlier clone).

mod block;
mod chain;
mod error;
mod evm;
mod outcome;
mod rpc;
#[cfg(test)]
mod tests;
mod transaction;

pub use block::{Block, Receipt};
pub use chain::{BASE_FEE_WEI, BLOCK_GAS_LIMIT, Devnet, PRIORITY_FEE_WEI};
pub use error::DevnetError;
pub use evm::Message;
pub use outcome::{AccountChange, Changed, Frame, FrameKind, Log, Outcome, Status};
pub use rpc::{BlockClock, DevnetServer, MAX_BATCH, MAX_BODY_BYTES};
pub use transaction::MAX_RAW_TRANSACTION_BYTES;
