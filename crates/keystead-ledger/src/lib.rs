//! The only SQL: durable blocks, votes, state and tiles on SQLite and PostgreSQL, and the log that they make.
//!
//! The first half stores: [`Ledger`], [`Batch`]. The second half believes nothing that is stored:
//! [`Auditor`], [`Proof`], [`SignedCheckpoint`], [`cosign`].

mod audit;
mod audit_rows;
mod checkpoint;
mod consistency;
mod document;
mod engine;
mod error;
mod export;
mod keep;
mod ledger;
mod log_error;
mod note;
mod proof;
mod read;
mod rebuild;
mod reconciled;
mod record;
mod replay;
mod schema;
mod threshold;
mod tiles;
mod tree;
#[cfg(test)]
mod vectors;
mod witness;
mod write;

pub use audit::{AuditError, Auditor, Report};
pub use checkpoint::{Checkpoint, LogKeys, SignedCheckpoint, origin};
pub use consistency::{Consistency, MAX_PROOF_HASHES};
pub use error::LedgerError;
pub use export::ExportedLog;
pub use keep::MAX_SEALS_AT_ONCE;
pub use ledger::{Ledger, MAX_SNAPSHOT_BYTES, MarkedSnapshot};
pub use log_error::LogError;
pub use note::{MAX_NOTE_BYTES, SignError, verifier_key};
pub use proof::{MAX_TRANSITIONS, Proof, Shown};
pub use read::StoredRequest;
pub use record::{Appended, Batch, MAX_ENTRIES_BYTES, RecordRow, SignatureRecord};
pub use replay::{Replay, ReplayCause, ReplayError, StoredBlock};
pub use schema::SCHEMA_VERSION;
pub use threshold::{KEPT_RUNS, ThresholdRow};
pub use tiles::{block_bundle, entry_bundle, parse_bundles};
pub use witness::{CosignRequest, Cosigned, WitnessError, WitnessState, cosign, verify_cosignature};
