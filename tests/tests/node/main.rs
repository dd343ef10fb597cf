//! The node as a whole: real TLS, a real ledger, a real enclave process.

mod concurrency;
mod hostile;
mod lifecycle;
mod people;
mod settlement;
