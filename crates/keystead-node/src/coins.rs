//! Where coins of Bitcoin's are looked up: a part of `keystead.toml` that nodes and clients share.

use std::path::PathBuf;

use keystead_base::Name;
use keystead_bitcoin::Network;
use keystead_transmit::coins::{CoinSource, CoinView};
use keystead_transmit::{Limits, Roots, TransmitError};
use serde::{Deserialize, Serialize};

/// The sources of coins of one network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoinsConfig {
    /// The network: mainnet, testnet4, signet or regtest.
    pub network: Network,
    /// How many sources must agree: more than half of them.
    pub agree: usize,
    /// The sources.
    pub sources: Vec<CoinSourceConfig>,
}

/// One source of coins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoinSourceConfig {
    /// Its name in errors and logs.
    pub name: Name,
    /// What it speaks.
    pub kind: CoinSourceKind,
    /// `http://host[:port][/path]`, or `https://…`.
    pub url: String,
    /// The PEM file with the authorities that may vouch for it; the system's store when it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// For Bitcoin Core, the file with `user:password`: its `.cookie`, for instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<PathBuf>,
}

/// What a source of coins speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoinSourceKind {
    /// Esplora's HTTP.
    Esplora,
    /// Bitcoin Core's JSON-RPC.
    Core,
}

impl CoinsConfig {
    /// The network as these sources show it.
    ///
    /// # Errors
    ///
    /// [`TransmitError`] when a URL, the authorities or the quorum are wrong.
    pub fn open(&self) -> Result<CoinView, TransmitError> {
        let sources = self.sources.iter().map(CoinSourceConfig::open).collect::<Result<Vec<_>, _>>()?;
        CoinView::new(self.network.genesis(), sources, self.agree)
    }
}

impl CoinSourceConfig {
    fn open(&self) -> Result<CoinSource, TransmitError> {
        let (name, roots, limits) = (self.name.clone(), Roots::named(self.ca.as_ref()), Limits::default());
        match self.kind {
            CoinSourceKind::Esplora => CoinSource::esplora(name, &self.url, limits, &roots),
            CoinSourceKind::Core => CoinSource::core(name, &self.url, limits, &roots, self.login.clone()),
        }
    }
}
