//! `keystead.toml`: one file, unknown keys refused, secrets only by the names of their files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keystead_base::{ClusterId, Digest, Name};
use keystead_bitcoin::Network as BitcoinNetwork;
use keystead_coordinator::{Doors, Grant, Hook, Issuer, Shelf, Tls, Token};
use keystead_node::{
    CoinsConfig, Config as NodeConfig, EndpointConfig, MemberConfig, PeerConfig, TokenConfig,
};
use keystead_trace::{Collector, Resource, Tracer};
use keystead_transmit::coins::CoinView;
use keystead_transmit::{ChainView, Courier, Finality, Network, Roots};
use serde::{Deserialize, Serialize};

use crate::failure::{Advise as _, Failure};
use crate::outside;

/// The file's name in its folder.
pub(crate) const FILE: &str = "keystead.toml";

/// The whole file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The pinned cluster: a genesis with another id is refused.
    pub(crate) cluster: ClusterId,
    /// The pinned anchor: with it no rebuild is followed that these keys did not sign as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) anchor: Option<Digest>,
    /// Where clients find a node, and their own keys.
    pub(crate) client: ClientConfig,
    /// What `keystead node` needs.
    #[serde(default)]
    pub(crate) node: Option<NodeConfig>,
    /// What `keystead serve` needs.
    #[serde(default)]
    pub(crate) coordinator: Option<CoordinatorConfig>,
    /// Who is told of which requests took which way; nobody when it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) telemetry: Option<TelemetryConfig>,
}

/// A collector of traces (OpenTelemetry).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TelemetryConfig {
    /// Its URL; `/v1/traces` below it takes OTLP over HTTP.
    pub(crate) otlp: String,
    /// The PEM file with the authorities that may vouch for it; the system's store when it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Private networks that its name may point into, besides this machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) networks: Vec<String>,
}

impl TelemetryConfig {
    fn open(&self) -> Result<Collector, Failure> {
        let networks = self.networks.iter().map(|it| it.parse()).collect::<Result<Vec<Network>, _>>()?;
        Ok(Collector::new(&self.otlp, networks, &Roots::named(self.ca.as_ref()))?)
    }
}

/// Where clients find things: a node by its name in the roster, and their own keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientConfig {
    /// The signed genesis.
    pub(crate) genesis: PathBuf,
    /// The folder with key files `NAME.key` and their passphrases `NAME.passphrase`.
    pub(crate) members: PathBuf,
    /// Who speaks when `--as` names nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) person: Option<Name>,
    /// The file with the token that the coordinator of `--through` wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<PathBuf>,
    /// The PEM file with the authorities that may vouch for the coordinator of `--through`, behind `https`;
    /// the system's store when it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// How many days after the last drill of a key's backup the next one is due; `status` says so. 90 when it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) drill_days: Option<u32>,
    /// Where this machine looks up coins of Bitcoin's, for `keystead psbt`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) bitcoin: Vec<CoinsConfig>,
    /// Where the nodes listen, the one to talk to first at the beginning. Their keys are those of the roster.
    pub(crate) nodes: Vec<PeerConfig>,
}

/// What a coordinator needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CoordinatorConfig {
    /// Its service key.
    pub(crate) member: MemberConfig,
    /// Where JSON-RPC and HTTP listen.
    pub(crate) listen: String,
    /// The folder of its journal.
    pub(crate) data: PathBuf,
    /// The chain that it speaks for.
    pub(crate) chain: u64,
    /// Its endpoints.
    #[serde(default)]
    pub(crate) endpoints: Vec<EndpointConfig>,
    /// How many endpoints must agree.
    #[serde(default = "one")]
    pub(crate) agree: usize,
    /// How long a caller is kept while people are waited for.
    #[serde(default = "deadline")]
    pub(crate) deadline_seconds: u64,
    /// How long a request lives.
    #[serde(default = "lifetime")]
    pub(crate) lifetime_seconds: u64,
    /// How many addresses of each key are listed.
    #[serde(default = "addresses")]
    pub(crate) addresses_per_key: u32,
    /// The file with the token that callers must show; needed where other machines reach the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<PathBuf>,
    /// The file with the tokens of `keystead token`; with it callers must show one of them, or the one of `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tokens: Option<PathBuf>,
    /// Whether it carries connections between nodes that cannot reach each other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) relay: bool,
    /// With it the port speaks TLS 1.3 and nothing else, and callers may show certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<TlsConfig>,
    /// The identity provider whose tokens callers may show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) oidc: Option<OidcConfig>,
    /// The servers that are told what becomes of requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) webhooks: Vec<WebhookConfig>,
    /// Names by which callers call this server, besides `localhost` and plain addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) hosts: Vec<String>,
}

/// An identity provider (OpenID Connect), and what its word is good for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OidcConfig {
    /// Its URL, as its tokens name it.
    pub(crate) issuer: String,
    /// For whom its tokens are made.
    pub(crate) audience: String,
    /// What its tokens call themselves (`typ`); `JWT` and `at+jwt` when it is not named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) types: Vec<String>,
    /// Whom it may name; the first that fits counts.
    pub(crate) grants: Vec<Grant>,
    /// The PEM file with the authorities that may vouch for it; the system's store when it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Private networks that its name may point into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) networks: Vec<String>,
}

impl OidcConfig {
    fn open(&self) -> Result<Issuer, Failure> {
        let networks = self.networks.iter().map(|it| it.parse()).collect::<Result<Vec<Network>, _>>()?;
        let way = (networks, Roots::named(self.ca.as_ref()));
        let issuer = Issuer::new(&self.issuer, &self.audience, self.grants.clone(), way);
        let issuer = issuer.advise("docs/cli.md has an example of [coordinator.oidc]")?;
        Ok(if self.types.is_empty() { issuer } else { issuer.of_types(self.types.clone()) })
    }
}

/// The coordinator's own side of TLS.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsConfig {
    /// The PEM file with its certificate, and those behind it.
    pub(crate) certificate: PathBuf,
    /// The PEM file with its key.
    pub(crate) key: PathBuf,
}

impl TlsConfig {
    fn open(&self) -> Result<Tls, Failure> {
        let next = "the certificate's file has its own one first; the key is PKCS#8, SEC 1 or PKCS#1";
        Tls::open(&self.certificate, &self.key).advise(next)
    }
}

/// A server that is told what becomes of requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookConfig {
    /// Its name in logs.
    pub(crate) name: Name,
    /// `https://…`, or `http://…` in one of `networks`.
    pub(crate) url: String,
    /// The file with the secret that signs.
    pub(crate) secret: PathBuf,
    /// The PEM file with the authorities that may vouch for it; the system's store when it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Private networks that its name may point into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) networks: Vec<String>,
}

impl WebhookConfig {
    fn open(&self) -> Result<Hook, Failure> {
        let networks = self.networks.iter().map(|it| it.parse()).collect::<Result<Vec<Network>, _>>()?;
        let courier = Courier::new(&self.url, networks, &Roots::named(self.ca.as_ref()))?;
        let hook = Hook::new(self.name.clone(), courier, outside::passphrase(&self.secret)?);
        hook.advise("`openssl rand -hex 32 > FILE` makes a good one; the receiver gets the same")
    }
}

impl Config {
    /// Reads `DIR/keystead.toml`; relative paths in it begin there.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        let mut config: Self = toml::from_str(&outside::read_text(&path)?).map_err(|error| {
            let next = "every key of the file is explained in docs/cli.md";
            Failure::new("config.toml", format!("{}: {error}", path.display()), next)
        })?;
        config.resolve(folder)?;
        Ok(config)
    }

    fn resolve(&mut self, folder: &Path) -> Result<(), Failure> {
        let base = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let at = |path: &mut PathBuf| *path = base.join(&*path);
        let secret = |path: &mut PathBuf| secret(&base, path);
        at(&mut self.client.genesis);
        at(&mut self.client.members);
        self.client.ca.as_mut().map(at);
        self.telemetry.as_mut().and_then(|it| it.ca.as_mut()).map(at);
        self.client.token.as_mut().map(secret).transpose()?;
        for source in self.client.bitcoin.iter_mut().flat_map(|it| &mut it.sources) {
            source.ca.as_mut().map(at);
            source.login.as_mut().map(secret).transpose()?;
        }
        if let Some(node) = &mut self.node {
            at(&mut node.data);
            at(&mut node.genesis);
            secret(&mut node.enclave.passphrase)?;
            if let Some(tpm) = &mut node.enclave.tpm {
                at(&mut tpm.seal);
                at(&mut tpm.mark);
                secret(&mut tpm.auth)?;
            }
            if let Some(root) = &mut node.enclave.root {
                at(&mut root.module);
                at(&mut root.file);
                secret(&mut root.pin)?;
            }
            for token in &mut node.enclave.tokens {
                at(&mut token.module);
                secret(&mut token.pin)?;
                can_be_said(token)?;
            }
            at(&mut node.member.key);
            secret(&mut node.member.passphrase)?;
            if let Some(token) = &mut node.member.token {
                at(&mut token.module);
                secret(&mut token.pin)?;
            }
            node.chains
                .iter_mut()
                .flat_map(|it| &mut it.endpoints)
                .filter_map(|it| it.ca.as_mut())
                .for_each(at);
            for source in node.bitcoin.iter_mut().flat_map(|it| &mut it.coins.sources) {
                source.ca.as_mut().map(at);
                source.login.as_mut().map(secret).transpose()?;
            }
        }
        if let Some(coordinator) = &mut self.coordinator {
            at(&mut coordinator.data);
            at(&mut coordinator.member.key);
            secret(&mut coordinator.member.passphrase)?;
            no_token(&coordinator.member)?;
            coordinator.token.as_mut().map(secret).transpose()?;
            coordinator.tokens.as_mut().map(at);
            coordinator.oidc.as_mut().and_then(|it| it.ca.as_mut()).map(at);
            if let Some(tls) = &mut coordinator.tls {
                at(&mut tls.certificate);
                secret(&mut tls.key)?;
            }
            for hook in &mut coordinator.webhooks {
                secret(&mut hook.secret)?;
                hook.ca.as_mut().map(at);
            }
            coordinator.endpoints.iter_mut().filter_map(|it| it.ca.as_mut()).for_each(at);
        }
        Ok(())
    }

    /// A network of Bitcoin's, as the sources of this machine show it.
    pub(crate) fn coins(&self, network: BitcoinNetwork) -> Result<CoinView, Failure> {
        let listed = self.client.bitcoin.iter().find(|it| it.network == network);
        let listed = listed.ok_or_else(|| {
            let what = format!("{FILE} names no sources of coins on {network}");
            Failure::new("psbt.no_sources", what, "add [[client.bitcoin]] (docs/cli.md)")
        })?;
        Ok(listed.open()?)
    }

    /// Who is told of the requests of a process: a node or a coordinator, by its name.
    pub(crate) fn tracer(&self, service: &'static str, instance: Name) -> Result<Tracer, Failure> {
        let Some(telemetry) = &self.telemetry else { return Ok(Tracer::default()) };
        let resource =
            Resource { service, instance, version: env!("CARGO_PKG_VERSION"), cluster: self.cluster };
        Ok(Tracer::to(telemetry.open()?, resource))
    }

    pub(crate) fn node(&self) -> Result<&NodeConfig, Failure> {
        self.node.as_ref().ok_or_else(|| section("node"))
    }

    pub(crate) fn coordinator(&self) -> Result<&CoordinatorConfig, Failure> {
        self.coordinator.as_ref().ok_or_else(|| section("coordinator"))
    }
}

impl CoordinatorConfig {
    /// The coordinator's own view of its chain; none without endpoints.
    pub(crate) fn view(&self) -> Result<Option<ChainView>, Failure> {
        if self.endpoints.is_empty() {
            return Ok(None);
        }
        let endpoints = self.endpoints.iter().map(EndpointConfig::open).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(ChainView::new(self.chain, endpoints, self.agree, Finality::Finalized)?))
    }

    /// The chain as the coordinator forwards it; none where callers have to show a token, or speak TLS.
    pub(crate) fn forwarding(&self) -> Result<Option<ChainView>, Failure> {
        let Ok(name) = "coordinator".parse() else { return Ok(None) };
        if self.token.is_some() || self.tokens.is_some() || self.oidc.is_some() || self.tls.is_some() {
            return Ok(None);
        }
        let endpoint = EndpointConfig { name, url: format!("http://{}", self.listen), ca: None }.open()?;
        Ok(Some(ChainView::new(self.chain, vec![endpoint], 1, Finality::Finalized)?))
    }

    /// Who is told what becomes of requests.
    pub(crate) fn hooks(&self) -> Result<Vec<Hook>, Failure> {
        self.webhooks.iter().map(WebhookConfig::open).collect()
    }

    /// What callers have to show.
    pub(crate) fn doors(&self) -> Result<Doors, Failure> {
        let token = self.token.as_deref().map(outside::passphrase).transpose()?;
        let token = token.map(|token| Token::new(token.expose())).transpose();
        let token = token.advise("`openssl rand -hex 32 > FILE` makes a good one")?;
        let tokens = self.tokens.as_deref().map(Shelf::open).transpose();
        let tokens = tokens.advise("mend the file, or remove it and make the tokens anew")?;
        let tls = self.tls.as_ref().map(TlsConfig::open).transpose()?;
        let oidc = self.oidc.as_ref().map(OidcConfig::open).transpose()?.map(Arc::new);
        Ok(Doors { token, tokens: tokens.map(Arc::new), oidc, tls, hosts: self.hosts.clone() })
    }

    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_seconds)
    }
}

/// `credential:NAME` is a file that the service manager puts into `$CREDENTIALS_DIRECTORY`.
fn secret(base: &Path, path: &mut PathBuf) -> Result<(), Failure> {
    let Some(name) = path.to_str().and_then(|text| text.strip_prefix(CREDENTIAL)).map(str::to_owned) else {
        *path = base.join(&*path);
        return Ok(());
    };
    // The names that systemd takes are plain: nothing leads out of the folder.
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        let what =
            format!("{FILE}: expected `{CREDENTIAL}NAME` with a plain name, found `{CREDENTIAL}{name}`");
        return Err(Failure::new("config.credential", what, "name it as the unit's LoadCredential= does"));
    }
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
        let what = format!(
            "{FILE} names `{CREDENTIAL}{name}`, and $CREDENTIALS_DIRECTORY, where it would lie, is not set"
        );
        let next = "start it as a systemd service with LoadCredential=, or name a file in keystead.toml";
        Failure::new("config.credential", what, next)
    })?;
    *path = PathBuf::from(folder).join(name);
    Ok(())
}

const CREDENTIAL: &str = "credential:";

fn section(name: &str) -> Failure {
    let what = format!("{FILE} has no section [{name}]");
    Failure::new(
        "config.section",
        what,
        "use the folder of a machine that has one, for instance `--dir DIR/node-1`, or add the section (docs/cli.md)",
    )
}

fn one() -> usize {
    1
}

fn deadline() -> u64 {
    60
}

fn lifetime() -> u64 {
    3600
}

fn addresses() -> u32 {
    4
}

/// The enclave is told of its tokens in words.
fn can_be_said(token: &TokenConfig) -> Result<(), Failure> {
    if token.module.to_str().and(token.pin.to_str()).is_some() {
        return Ok(());
    }
    let what = format!("a path of token `{}` is no UTF-8", token.token);
    Err(Failure::new("config.path", what, "move the folder to a path of plain letters"))
}

/// What a coordinator signs counts for nothing by itself: its key is not worth a token, and none is read here.
fn no_token(member: &MemberConfig) -> Result<(), Failure> {
    let Some(token) = &member.token else { return Ok(()) };
    let what = format!("{FILE} names token `{}` for the key of a coordinator", token.token);
    Err(Failure::new("config.token", what, "remove [coordinator.member.token]: tokens have keys of nodes"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn a_token_at_a_path_that_is_no_text_is_refused_and_not_left_out() {
        let at = |bytes: &[u8]| TokenConfig {
            group: "hsm".parse().unwrap(),
            token: "one".to_owned(),
            module: OsStr::from_bytes(bytes).into(),
            pin: "pin".into(),
            environment: Default::default(),
        };
        assert!(can_be_said(&at(b"/lib/module.so")).is_ok());
        assert_eq!(can_be_said(&at(b"/lib/\xff.so")).unwrap_err().code, "config.path");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let text = format!(
            "cluster = \"{}\"\ncolour = 1\n[client]\ngenesis = \"genesis\"\nmembers = \"m\"\nnodes = []\n",
            "0".repeat(64)
        );
        let error = toml::from_str::<Config>(&text).unwrap_err().to_string();
        assert!(error.contains("colour"), "{error}");
        assert!(toml::from_str::<Config>(&text.replace("colour = 1\n", "")).is_ok());
    }
}
