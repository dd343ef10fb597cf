//! The signer node: log, ledger, enclave and peers wired together.
//!
//! A pipeline of stages with bounded queues between them:
//!
//! ```text
//! wire ──► intake ──► replica ──► writer ──► signer
//!          verifies   decides     group      owns the enclave,
//!          senders    with the    commit     signs what is durable
//!             ▲       others         │          │
//!             │          ▲           ▼          │
//!             │          └─ peers ◄─ sends      │
//!             └──── own entries ◄────┴──────────┘
//! ```

mod answer;
mod backups;
mod bitcoin;
mod blocks;
mod board;
mod ceremony;
mod checkpoint;
mod clock;
mod coins;
mod config;
mod consensus;
mod convenings;
mod enclave;
mod errands;
mod error;
mod event;
mod fresh;
mod gauges;
mod health;
mod intake;
mod life;
mod log_token;
mod meters;
mod near;
mod own;
mod peers;
mod probe;
mod recent;
mod reconcile;
mod rehearse;
mod replica;
mod restore;
mod resume;
mod rolls;
mod root;
mod run;
mod self_test;
mod settle;
mod share;
mod shared;
mod sightings;
mod signer;
mod simulate;
mod solana;
mod spent;
mod stages;
mod status;
mod sweep;
mod threshold;
mod tokens;
mod tpm;
mod traces;
mod turns;
mod views;
mod writer;

pub use coins::{CoinSourceConfig, CoinSourceKind, CoinsConfig};
pub use config::{
    BitcoinConfig, ChainConfig, Config, DEFAULT_LISTEN, EnclaveConfig, EndpointConfig, MemberConfig,
    NodeLimits, PeerConfig,
};
pub use enclave::{enclave_arguments, parse_enclave_arguments, scratch_arguments};
pub use error::NodeError;
pub use event::{Event, Events, Silent};
pub use keystead_consensus::Times;
pub use log_token::{LogToken, LogTokenConfig};
pub use rolls::RollsFolder;
pub use root::{RootConfig, parse_token_arguments};
pub use run::{RunningNode, run, run_traced, run_under};
pub use share::recovered_signature;
pub use tokens::{TokenConfig, process as token_process};
pub use tpm::tpm_errand;
