//! Random cases against implementations of others: the same bytes, the same digests, the same signatures.
//!
//! ethers 6 and eth-account read and sign the same transactions and typed data, `@scure/btc-signer` the same PSBTs. Each
//! is asked once for all cases. `KEYSTEAD_SEED` chooses other cases, `KEYSTEAD_CASES` how many each test draws.

mod books;
mod dice;
mod other;
mod pairs;
mod psbts;
mod public;
mod purse;
mod spoiled;
mod transactions;
mod typed_cases;
mod typed_data;
