//! Framed mutual TLS 1.3 with pinned peers, and the messages that travel in the frames.
//!
//! Both ends show a bare Ed25519 key (RFC 7250) and are accepted only when that key is pinned: there
//! is no certificate, no authority and no host name. The key exchange is X25519MLKEM768 and nothing
//! else, so that recorded traffic stays closed to a quantum adversary (A7).

mod client;
mod error;
mod frame;
mod gauges;
mod hello;
mod identity;
mod limits;
mod line;
mod link;
mod messages;
mod node_client;
mod peer;
mod places;
mod pulse;
mod road;
mod server;
mod shared_views;
mod spend_only;
#[cfg(test)]
mod tests;
mod tls;
mod trace;
mod views;

pub use client::{Client, Target};
pub use error::{Stage, WireError};
pub use frame::{MAX_FRAME_BYTES, MAX_HELLO_BYTES, read_body, read_length, split_call};
pub use gauges::{
    MAX_SHOWN_PEOPLE, MAX_SHOWN_WAITING, MAX_SHOWN_WINDOWS, MissingView, WaitingView, WindowView,
};
pub use hello::{Greeting, Hello, PROTOCOL_VERSION, Refusal, Role};
pub use identity::{Identity, TransportKey};
pub use limits::Limits;
pub use line::{Line, LineAnswer, LineCall, LineRefusal, Lines, Offer, OverLines};
pub use messages::{
    DrillReport, EntryAnswer, ImportReport, KeyPage, MAX_LISTED_KEYS, MAX_SENT_BLOCKS, MAX_SENT_KEYS,
    MAX_SUBMITTED_ENTRIES, MAX_WAIT_MILLIS, NodeReply, NodeRequest, Refused, SentBlock,
};
pub use node_client::{NodeCallError, NodeClient};
pub use peer::{MAX_PEER_MESSAGES, PeerMessage, RunCall, SharedSignature};
pub use pulse::{
    AbortView, ClockView, KeptOut, LinkView, MAX_KEPT_OUT, MAX_SHOWN_ABORTS, MAX_SHOWN_RUNS, Pulse,
    RoundTrip, RoundView, RunPurpose, RunView,
};
pub use road::{AnyRoad, Dial, Opening, Road};
pub use server::{Fault, Handler, LineKeeper, Observer, Peer, Server};
pub use shared_views::{ConveningView, PartView, SharingView};
pub use spend_only::SpendOnly;
pub use tls::{ALPN, Pins, pins};
pub use trace::{MAX_TRACE_MARKS, TraceContext, TraceMark};
pub use views::{
    ChainStatus, ChainWatch, FoundView, KeyView, MAX_SHOWN_FOUND, MAX_SHOWN_KEYS, NodeStatus, ObjectionView,
    PeerView, Protection, ReconciledView, RequestDetail, RequestStage, RequestView, SignedPayload, TokenView,
    Withstands,
};
