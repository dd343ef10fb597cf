//! Workflow, JSON-RPC and broadcast; holds no key of value and is trusted by nobody.
//!
//! It is a client of the nodes like any other: what it says about a request, nobody believes. The worst
//! that it can do is to stay silent, and approvers reach the nodes without it.

mod accounts;
mod batcher;
mod clock;
mod coordinator;
mod error;
mod follow;
mod http;
mod journal;
mod life;
mod nonces;
mod rpc;
mod transaction;

pub use batcher::{Batcher, MAX_BATCH_BYTES};
pub use coordinator::{Coordinator, Settings};
pub use error::{CoordinatorError, RequestError};
pub use http::{HttpLimits, HttpServer, MAX_BODY_BYTES};
pub use life::{Stage, Step};
pub use rpc::{MAX_CALLS, RpcError};
