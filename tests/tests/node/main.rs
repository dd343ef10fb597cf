//! The node as a whole: real TLS, a real ledger, a real enclave process.

mod concurrency;
mod hostile;
mod key_life;
mod lifecycle;
mod many_keys;
mod people;
mod settlement;
