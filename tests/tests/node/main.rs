//! Nodes as a whole, alone and as clusters: real TLS, real ledgers, real enclave processes, real chains.

mod away;
mod coin_nodes;
mod coin_strays;
mod concurrency;
mod contended;
mod four_nodes;
mod hostile;
mod key_life;
mod lifecycle;
mod many_keys;
mod membership;
mod people;
mod reconciled_nodes;
mod settlement;
mod simulated_nodes;
mod threshold_mended;
mod threshold_nodes;
mod threshold_rounds;
mod verified;
