//! Coins on Bitcoin, as `k` of `m` sources show them: who has which, who spent which, and in which block.
//!
//! A [`CoinSource`] is an Esplora server or a Bitcoin Core node; a [`CoinView`] asks several of one network and believes
//! what enough of them say. What is named by its hash is no matter of belief: a transaction and a block are taken from
//! whoever has them, and only if they have that hash. Facts are those up to a height that enough sources have reached,
//! so that sources which differ in what waits in their pools still agree.

pub(crate) mod answer;
mod core;
mod esplora;
mod facts;
mod source;
mod view;

pub use facts::{Held, History, Mined, Spent};
pub use source::{CoinSource, SCAN_TIME};
pub use view::{CoinView, MAX_SCRIPTS, Sent};
