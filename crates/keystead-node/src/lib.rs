//! The signer node: log, ledger, enclave and peers wired together.
