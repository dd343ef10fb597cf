//! What a node tells its log: one line for each event, at the edge.

use std::fmt;
use std::net::SocketAddr;

use alloy_primitives::{Address, B256};
use keystead_base::{Name, RequestId};
use keystead_decision::Finding;
use keystead_intent::Coin;
use keystead_signing::Abort;
use keystead_wire::Refused;

/// Takes events; the shell prints them.
pub trait Events: Send + Sync + 'static {
    /// One event.
    fn event(&self, event: Event);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Events for Silent {
    fn event(&self, _event: Event) {}
}

/// Something that an operator may want to know. No variant carries a secret (K1).
#[derive(Clone, Debug)]
pub enum Event {
    /// The node serves.
    Listening {
        /// Where.
        address: SocketAddr,
        /// At which height.
        height: u64,
    },
    /// A connection ended badly.
    Connection {
        /// Where it came from.
        address: Option<SocketAddr>,
        /// Whose it was, once proved.
        peer: Option<Name>,
        /// Why it ended.
        refused: Refused,
    },
    /// A peer sent something that does not enter the log.
    NotAdmitted {
        /// Who.
        peer: Name,
        /// Why.
        refused: Refused,
    },
    /// The enclave refused what the log allows.
    NotSigned {
        /// Which request.
        request: RequestId,
        /// Why.
        refused: Refused,
    },
    /// A threshold run ended without a signature or share.
    RunAborted {
        /// What it served.
        request: RequestId,
        /// How it ended.
        abort: Abort,
    },
    /// The enclave ended and was started again.
    EnclaveRestarted {
        /// Why it ended.
        refused: Refused,
    },
    /// The node asks the log for a fresh certificate.
    Renewing {
        /// Which request.
        request: RequestId,
    },
    /// Something beside the pipeline failed and will be tried again.
    Postponed {
        /// What.
        what: &'static str,
        /// Why.
        refused: Refused,
    },
    /// A node of the cluster can be reached again.
    Connected {
        /// Which.
        node: Name,
        /// Who carries the connection, where it is not a direct one.
        relay: Option<Name>,
    },
    /// A node of the cluster cannot be reached.
    Unreachable {
        /// Which.
        node: Name,
        /// Why.
        refused: Refused,
    },
    /// A node, perhaps this one, does not vote for a block.
    Objected {
        /// Which.
        node: Name,
        /// At which height.
        height: u64,
        /// Why.
        refused: Refused,
    },
    /// A node signed two words that contradict each other.
    Misbehaved {
        /// Which.
        node: Name,
        /// At which height.
        height: u64,
        /// In which round.
        round: u32,
    },
    /// A round could not decide, and another begins.
    Round {
        /// At which height.
        height: u64,
        /// Which.
        round: u32,
        /// Who proposes in it.
        leader: Name,
    },
    /// A chain shows what the log did not allow.
    Found {
        /// What.
        finding: Finding,
    },
    /// What this node found, and too few others ever did: it is forgotten.
    Unshared {
        /// What.
        finding: Finding,
    },
    /// Others spent from a wallet that a key shares, without that key: it freezes nothing.
    SpentByOthers {
        /// The network's id.
        chain: u64,
        /// The wallet's id.
        wallet: Address,
        /// The height of the block.
        block: u64,
        /// The first coin of the wallet that went.
        coin: Coin,
    },
    /// A chain gave up a block that counted as final.
    Reorganized {
        /// The chain's id.
        chain: u64,
        /// The block that does not follow the ones before.
        block: u64,
    },
    /// A chain gave up the block that had a signed transaction; it is in none now.
    TransactionReorged {
        /// Which request's.
        request: RequestId,
        /// The chain's id.
        chain: u64,
        /// The number of the block.
        block: u64,
        /// Its hash.
        hash: B256,
    },
    /// The enclave opens more keys than fit one page.
    LoadingKeys {
        /// How many it has opened so far.
        loaded: u64,
        /// How many are sealed here.
        of: u64,
    },
    /// Whether this node votes, when that changes.
    Standing {
        /// In one word.
        word: &'static str,
    },
    /// The node stopped.
    Stopped,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { address, height } => write!(f, "listening on {address} at height {height}"),
            Self::Connection { address: None, refused, .. } => write!(f, "accepting failed: {refused}"),
            Self::Connection { address: Some(address), peer: None, refused } => {
                write!(f, "connection from {address} refused: {refused}")
            }
            Self::Connection { address: Some(address), peer: Some(peer), refused } => {
                write!(f, "connection of {peer} from {address} ended: {refused}")
            }
            Self::NotAdmitted { peer, refused } => write!(f, "{peer} sent what is not admitted: {refused}"),
            Self::NotSigned { request, refused } => write!(f, "request {request} is not signed: {refused}"),
            Self::RunAborted { request, abort } => {
                write!(f, "a run for {request} ended with {:?}: {abort}", abort.culprit)
            }
            Self::EnclaveRestarted { refused } => write!(f, "the enclave was started again: {refused}"),
            Self::Renewing { request } => write!(f, "request {request} needs a fresh certificate"),
            Self::Postponed { what, refused } => write!(f, "{what} is postponed: {refused}"),
            Self::Connected { node, relay: None } => write!(f, "connected to {node}"),
            Self::Connected { node, relay: Some(relay) } => write!(f, "connected to {node} through {relay}"),
            Self::Unreachable { node, refused } => write!(f, "{node} cannot be reached: {refused}"),
            Self::Objected { node, height, refused } => {
                write!(f, "{node} does not vote for a block at height {height}: {refused}")
            }
            Self::Misbehaved { node, height, round } => {
                write!(f, "{node} said two things at height {height} in round {round}")
            }
            Self::Round { height, round, leader } => {
                write!(f, "round {round} at height {height}, {leader} proposes")
            }
            Self::Found { finding } => write!(f, "not in the log: {finding}"),
            Self::Unshared { finding } => write!(f, "forgotten, as too few nodes found it: {finding}"),
            Self::SpentByOthers { chain, wallet, block, coin } => write!(
                f,
                "not in the log, and not signed by us: in block {block} of chain {chain} coin {coin} of shared wallet {wallet} \
                 was spent"
            ),
            Self::Reorganized { chain, block } => {
                write!(
                    f,
                    "chain {chain} gave up final blocks: block {block} has another parent than was final"
                )
            }
            Self::TransactionReorged { request, chain, block, hash } => write!(
                f,
                "chain {chain} gave up block {block} ({hash}), which had the transaction of request {request}"
            ),
            Self::LoadingKeys { loaded, of } => {
                write!(f, "loading keys {} of {}", grouped(*loaded), grouped(*of))
            }
            Self::Standing { word } => write!(f, "this node {word}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// A number with a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let comma = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    digits
        .char_indices()
        .flat_map(|(at, digit)| comma(at).then_some(',').into_iter().chain([digit]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loading_says_how_far_it_is() {
        for (loaded, of, line) in [
            (7, 10, "loading keys 7 of 10"),
            (999, 1_000, "loading keys 999 of 1,000"),
            (3_200, 10_000, "loading keys 3,200 of 10,000"),
            (123_456, 1_234_567, "loading keys 123,456 of 1,234,567"),
        ] {
            assert_eq!(Event::LoadingKeys { loaded, of }.to_string(), line);
        }
    }
}
