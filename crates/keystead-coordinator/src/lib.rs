//! Workflow, JSON-RPC and broadcast; holds no key of value and is trusted by nobody.
//!
//! It is a client of the nodes like any other: what it says about a request, nobody believes. The worst
//! that it can do is to stay silent, and approvers reach the nodes without it.

mod accounts;
mod again;
mod batcher;
mod bundle;
mod caller;
mod clock;
mod coordinator;
mod door;
mod error;
mod feed;
mod follow;
mod hooks;
mod http;
mod journal;
mod life;
mod meters;
mod nonces;
mod oidc;
mod once;
pub mod outside;
mod probes;
mod quantity;
mod relay;
mod rest;
mod rpc;
mod share;
mod stored;
mod tls;
mod tokens;
mod transaction;
mod web3signer;
mod wording;

pub use batcher::{Batcher, MAX_BATCH_BYTES};
pub use coordinator::{Coordinator, Settings};
pub use door::{Doors, MIN_TOKEN_BYTES, Token};
pub use error::{CoordinatorError, RequestError};
pub use hooks::{Hook, MIN_HOOK_SECRET_BYTES};
pub use http::{HttpLimits, HttpServer, MAX_BODY_BYTES};
pub use life::{Stage, Step};
pub use oidc::{Grant, Issuer};
pub use once::{IdempotencyKey, MAX_KEY_BYTES};
pub use relay::Relay;
pub use rest::OPENAPI;
pub use rpc::{MAX_CALLS, RpcError};
pub use tls::{Tls, certificate_key};
pub use tokens::{MAX_TOKENS, Scope, Shelf, TokenFile, TokenRecord};
