//! User stories, attacks and vectors against the real parts: what the tests share to reach those parts.
//!
//! Nothing here imitates a part. A service is the real program, on loopback or on a socket in a folder of its
//! own, and it ends with the test that started it, also when that test is killed.

mod anvil;
mod archive;
pub mod attacks;
mod broker;
pub mod canary;
mod captive;
pub mod chainside;
pub mod circle;
pub mod cluster;
pub mod coin_desk;
mod collector;
mod contracts;
mod edge;
mod far;
mod forking;
pub mod hall;
pub mod handed_over;
mod http;
mod impostor;
mod liar;
mod lines;
mod loopback;
mod many_keys;
mod nodes;
pub mod odd_tokens;
pub mod pki;
mod places;
pub mod poisoned;
mod postgres;
pub mod purse;
pub mod reasons;
pub mod rebuilding;
pub mod regtest;
pub mod rehearsals;
mod relay;
pub mod screen;
mod service;
mod solidity;
mod taken;
mod tell;
mod theft;
pub mod tracer;
pub mod twisted;
mod vault;
pub mod vectors;
pub mod world;

pub use anvil::Anvil;
pub use broker::Nats;
pub use collector::Collector;
pub use edge::server as listener;
pub use far::Far;
pub use http::{get, post};
pub use impostor::{Impostor, Lie};
pub use keystead_fixture as fixture;
pub use loopback::free_port;
pub use nodes::start_all;
pub use places::{binary, node_modules, npm_package, python_program, root, target_folder};
pub use postgres::Postgres;
pub use relay::Relay;
pub use service::Service;
pub use solidity::{Contract, compile, permit2_code};
pub use tell::tell;
pub use theft::{Approving, Loot, Signer};
