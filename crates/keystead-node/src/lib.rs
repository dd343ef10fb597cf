//! The signer node: log, ledger, enclave and peers wired together.
//!
//! A pipeline of stages with bounded queues between them:
//!
//! ```text
//! wire ──► intake ──► builder ──► writer ──► signer
//!          verifies   owns the    group      owns the enclave,
//!          senders    state       commit     signs what is durable
//!             ▲                      │          │
//!             └──── own entries ◄────┴──────────┘
//! ```

mod answer;
mod blocks;
mod board;
mod builder;
mod ceremony;
mod clock;
mod config;
mod enclave;
mod error;
mod event;
mod fresh;
mod intake;
mod own;
mod resume;
mod run;
mod settle;
mod shared;
mod signer;
mod stages;
mod status;
mod sweep;
mod views;
mod writer;

pub use config::{
    ChainConfig, Config, DEFAULT_LISTEN, EnclaveConfig, EndpointConfig, MemberConfig, NodeLimits,
};
pub use enclave::{enclave_arguments, parse_enclave_arguments, scratch_arguments};
pub use error::NodeError;
pub use event::{Event, Events, Silent};
pub use run::{RunningNode, run};
