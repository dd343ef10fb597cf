//! Roads between nodes over a NATS broker, which sees the bytes of their TLS.
//!
//! Core requests and replies carry pieces of a stream: each is answered when the other end has taken it, which is the back-pressure,
//! and one that is lost ends the road. What the nodes say to one another on it is protected end to end, as on any other road
//! (specs/wire.md, "Over a broker"): nothing rests on what the broker does, and nothing of it is a record.

mod broker;
mod carry;
mod error;

pub use broker::{Broker, Login, OverBroker};
pub use error::NatsError;
