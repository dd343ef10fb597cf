//! Signs under a certificate that it verifies itself; the enclave process.
//!
//! The parent starts a child by [`EnclaveClient`]; the child becomes an enclave by [`run`]. What the
//! enclave believes is the log that it follows itself from the pinned genesis, and nothing its parent says.

mod client;
mod confine;
mod curve;
mod enclave;
mod entropy;
mod frame;
mod hardening;
mod kernel;
mod passphrase;
mod process;
mod protocol;
mod refusal;
mod repeats;
mod root;
mod self_test;
mod threshold;
mod tokens;
mod vault;

pub use client::{ClientError, EnclaveClient};
pub use confine::forbid_cores;
pub use curve::{CurveError, EthereumSignature};
pub use enclave::{EnclaveControls, Role, Strict, Struck};
pub use entropy::{MachineDraw, Opening};
pub use frame::{FrameError, MAX_FRAME_BYTES, read as read_frame, write as write_frame};
pub use hardening::{FeatureReport, Hardening, Status};
pub use keystead_entropy::{EntropyError, EntropyPromise, Source};
pub use keystead_policy::Feature;
pub use keystead_threshold::{Abort, Culprit, Fault, Journal, MAX_ENVELOPE_BYTES, Record, SessionId, Tried};
pub use process::{EnclaveOptions, ProcessError, confined, run, run_with};
pub use protocol::{
    AccountProof, Advance, Batch, BatchItem, Brought, ControlProof, CreatedFrom, CreatedKey, Creation,
    DealTo, Drill, DrillProof, GatheredProof, Gathering, GatheringAim, HandOver, HeldKey, Hello, ItemResult,
    MAX_BATCH_ITEMS, MAX_DRILLED_ACCOUNTS, MAX_GATHERED, OpenedKey, Position, ProvenWallet, Ready, Refusal,
    Released, ReleasedMessage, ReleasedSpend, Reply, Request, RestoredKey, SeatFor, SeedToOpen, ShareToOpen,
    ShareWords, SplitWhole, TakeDealing, TaprootAccount, WalletOf, WholeKey,
};
pub use refusal::EnclaveError;
pub use root::TokenRoot;
pub use self_test::{VERIFYING_SELF_TESTS, power_on};
pub use threshold::{
    DealtShare, Ended, Outgoing, Progress, RunAim, RunEnd, RunStart, Seat, Standing, ThresholdError,
};
pub use tokens::{TokenGroup, TokenKeyError, TokenReport};
pub use vault::{MAX_KEYS, VaultError};
