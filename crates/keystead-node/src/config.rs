//! The node's part of `keystead.toml`.

use std::path::PathBuf;

use keystead_attest::tpm::TpmPlace;
use keystead_base::Name;
use keystead_consensus::Times;
use keystead_transmit::{Endpoint, Limits, Roots, TransmitError};
use serde::{Deserialize, Serialize};

use crate::{CoinsConfig, LogTokenConfig, RootConfig, TokenConfig};

/// Where a node listens unless it is told otherwise: nobody outside the machine reaches it.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:7400";

/// What a node is started with. Unknown keys are refused; secrets stand in files of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder of the embedded database.
    pub data: PathBuf,
    /// The signed genesis, a `keystead/signed-genesis/v1` document.
    pub genesis: PathBuf,
    /// The node's own keys.
    pub member: MemberConfig,
    /// The process that holds the keys of the vault.
    pub enclave: EnclaveConfig,
    /// `sqlite:…` or `postgres://…`; `ledger.sqlite` in the data folder when it is not named.
    #[serde(default)]
    pub ledger: Option<String>,
    /// `host:port` for peers and clients; port 0 takes a free one.
    #[serde(default = "default_listen")]
    pub listen: String,
    /// Where the node says how it is and what it counts: `host:port` on loopback; nowhere when it is not named.
    #[serde(default)]
    pub metrics: Option<String>,
    /// The node's own view of the chains, for settlements.
    #[serde(default)]
    pub chains: Vec<ChainConfig>,
    /// The node's own view of Bitcoin's networks, for settlements and broadcasts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bitcoin: Vec<BitcoinConfig>,
    /// Where the other nodes of the cluster listen. Their keys are those of the roster.
    #[serde(default)]
    pub peers: Vec<PeerConfig>,
    /// The URL of a NATS broker that carries the connections between nodes where sockets do not reach; none when it is not
    /// named. A peer whose address is `nats` is reached over it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats: Option<String>,
    /// The file that says who this node is to the broker: `user:password` on one line. Nobody is asked when it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats_login: Option<PathBuf>,
    /// How long a round of the consensus waits.
    #[serde(default)]
    pub times: Times,
    /// Sizes of batches and intervals.
    #[serde(default)]
    pub limits: NodeLimits,
}

impl Config {
    /// The ledger's URL.
    #[must_use]
    pub fn ledger_url(&self) -> String {
        match &self.ledger {
            Some(url) => url.clone(),
            None => format!("sqlite:{}", self.data.join("ledger.sqlite").display()),
        }
    }
}

/// Another node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    /// Its name in the roster.
    pub name: Name,
    /// `host:port`, or `nats` of one that only the broker reaches.
    pub address: String,
}

/// A member's key file and the file with its passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberConfig {
    /// A `keystead/member-key/v1` document, or `v2` where a token has half of the key.
    pub key: PathBuf,
    /// Its passphrase; one line break at its end is not part of it.
    pub passphrase: PathBuf,
    /// The token with the Ed25519 half of a node's signing key; none of a key that is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<LogTokenConfig>,
}

/// How the enclave process is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnclaveConfig {
    /// The program; this very program when it is not named.
    #[serde(default)]
    pub program: Option<PathBuf>,
    /// The file with the passphrase of the vault; the enclave reads it, the node does not.
    pub passphrase: PathBuf,
    /// The TPM that opens the vault, in the place of the passphrase's file; without it that file does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<TpmPlace>,
    /// Protections without which the enclave does not serve, by their stable names.
    #[serde(default)]
    pub require: Vec<String>,
    /// The token without which nothing that is sealed opens; none where the passphrase is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<RootConfig>,
    /// The tokens in which keys may live.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenConfig>,
}

/// The endpoints of one chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainConfig {
    /// The chain's id.
    pub chain: u64,
    /// How many endpoints must agree: more than half of them.
    pub agree: usize,
    /// The endpoints.
    pub endpoints: Vec<EndpointConfig>,
    /// A block with so many blocks counts as final, itself included; the chain's own word when not named.
    #[serde(default)]
    pub confirmations: Option<u64>,
}

/// One network of Bitcoin's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BitcoinConfig {
    /// The network and its sources.
    pub coins: CoinsConfig,
    /// A block with so many blocks counts as final for this node, itself included, where that is more than the signed policy
    /// says; fewer change nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmations: Option<u32>,
    /// Whether this node, where it is the home of a key, gives what the key signed to the sources until a block has it.
    #[serde(default = "default_broadcast")]
    pub broadcast: bool,
}

fn default_broadcast() -> bool {
    true
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// Its name in status and logs.
    pub name: Name,
    /// `http://host[:port][/path]`, or `https://…`.
    pub url: String,
    /// The PEM file with the authorities that may vouch for it; the system's store when it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

impl EndpointConfig {
    /// The endpoint, with the ordinary limits.
    ///
    /// # Errors
    ///
    /// [`TransmitError`] when the URL or the authorities are wrong.
    pub fn open(&self) -> Result<Endpoint, TransmitError> {
        let limits = Limits { bytes: MAX_BLOCK_ANSWER_BYTES, ..Limits::default() };
        Endpoint::new(self.name.clone(), &self.url, limits, &Roots::named(self.ca.as_ref()))
    }
}

/// Sizes of batches and intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeLimits {
    /// The most entries of one block.
    pub block_entries: usize,
    /// The most bytes of the entries of one block.
    pub block_bytes: usize,
    /// A snapshot is kept every so many blocks.
    pub snapshot_blocks: u64,
    /// Seconds between two looks at the chains.
    pub settlement_seconds: u64,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self { block_entries: 512, block_bytes: 1024 * 1024, snapshot_blocks: 10_000, settlement_seconds: 4 }
    }
}

fn default_listen() -> String {
    DEFAULT_LISTEN.to_owned()
}

/// The longest answer that a node reads: a block of 60 million gas that is nothing but zeros in calldata (EIP-7623) has
/// 12 MB as JSON, and whoever pays for one may not keep nodes from comparing it with the log.
const MAX_BLOCK_ANSWER_BYTES: usize = 32 * 1024 * 1024;
