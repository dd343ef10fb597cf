//! One question to a server of somebody else's, at an address that was looked at first: what a webhook needs, and whoever reads
//! an identity provider's keys.
//!
//! Whoever chooses the name chooses where it points, at any time: at a machine inside our network, or at the one that hands out a
//! cloud's credentials. So the address is checked when it is connected to, and that very address is connected to; an
//! answer that sends us elsewhere is not followed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::http::request::Builder;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use keystead_base::{Blame, Coded};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::error::MAX_MESSAGE_CHARS;
use crate::tls::client_config;
use crate::{Roots, TransmitError};

/// From the look-up of the name to the head of the answer.
pub const DELIVERY_TIME: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const MAX_FETCHED_BYTES: usize = 256 * 1024;

/// Delivers to one URL. Every delivery is a connection of its own.
#[derive(Clone)]
pub struct Courier {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
    networks: Vec<Network>,
}

impl Courier {
    /// To `https://host[:port][/path]`, or `http://…` where the address is in one of `networks`. Other addresses of private and special
    /// networks are refused.
    ///
    /// # Errors
    ///
    /// [`TransmitError::Url`] when it is written in another way, [`TransmitError::Roots`] when nobody could vouch for it.
    pub fn new(url: &str, networks: Vec<Network>, roots: &Roots) -> Result<Self, TransmitError> {
        let wrong = || TransmitError::Url { found: url.chars().take(MAX_MESSAGE_CHARS).collect() };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (tls, usual) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(TlsConnector::from(Arc::new(client_config(true, roots)?))), 443),
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        // What stands before an `@` is a name and a password to some readers, and a host to others.
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(usual);
        Ok(Self { uri, host, port, tls, networks })
    }

    /// Delivers a JSON body with these headers. Any status from 200 to 299 is a receipt.
    ///
    /// # Errors
    ///
    /// [`Undelivered`] says why it is not.
    pub async fn deliver(&self, headers: &[(&'static str, String)], body: String) -> Result<(), Undelivered> {
        let request = Request::post(self.path()).header(CONTENT_TYPE, "application/json");
        self.send(headers.iter().fold(request, |it, (name, value)| it.header(*name, value)), body.into())
            .await
    }

    /// Posts a body of this media type. Any status from 200 to 299 is a receipt.
    ///
    /// # Errors
    ///
    /// [`Undelivered`] says why it is not.
    pub async fn post(&self, kind: &'static str, body: Vec<u8>) -> Result<(), Undelivered> {
        self.send(Request::post(self.path()).header(CONTENT_TYPE, kind), body.into()).await
    }

    /// What a GET answers, with a status from 200 to 299: at most 256 KiB.
    ///
    /// # Errors
    ///
    /// [`Undelivered`] says why there is nothing.
    pub async fn fetch(&self) -> Result<Vec<u8>, Undelivered> {
        let request = self.request(Request::get(self.path())).body(Full::default()).map_err(broken)?;
        let fetched = async {
            let (response, _open) = self.ask(request).await?;
            let body = Limited::new(response.into_body(), MAX_FETCHED_BYTES).collect().await;
            body.map(|body| body.to_bytes().to_vec()).map_err(broken)
        };
        timeout(DELIVERY_TIME, fetched).await.unwrap_or(Err(Undelivered::Late))
    }

    async fn send(&self, request: Builder, body: Bytes) -> Result<(), Undelivered> {
        let request = self.request(request).body(Full::new(body)).map_err(broken)?;
        timeout(DELIVERY_TIME, self.ask(request)).await.unwrap_or(Err(Undelivered::Late)).map(drop)
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Undelivered> {
        let socket = TcpStream::connect(self.address().await?).await.map_err(broken)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(socket)) };
        let name = ServerName::try_from(self.host.clone()).map_err(broken)?;
        Ok(Box::new(tls.connect(name, socket).await.map_err(broken)?))
    }

    /// The first address of the name that may be connected to.
    async fn address(&self) -> Result<SocketAddr, Undelivered> {
        let found: Vec<SocketAddr> =
            lookup_host((self.host.as_str(), self.port)).await.map_err(broken)?.take(MAX_ADDRESSES).collect();
        let allowed = found.iter().find(|it| self.admits(it.ip()));
        let refused = || Undelivered::Address { found: found.first().map(SocketAddr::ip) };
        allowed.copied().ok_or_else(refused)
    }

    fn admits(&self, address: IpAddr) -> bool {
        let listed = self.networks.iter().any(|network| network.holds(address));
        listed || (self.tls.is_some() && is_public(address))
    }

    fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |it| it.as_str())
    }

    fn request(&self, request: Builder) -> Builder {
        request.header(HOST, self.uri.authority().map(|it| it.as_str()).unwrap_or_default())
    }

    /// An answer that is a receipt, and the connection that its body comes over.
    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<(Response<Incoming>, Open), Undelivered> {
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
        let open = Open(tokio::spawn(async move { drop(connection.await) }));
        let response = sender.send_request(request).await.map_err(broken)?;
        match response.status() {
            status if status.is_success() => Ok((response, open)),
            status => Err(Undelivered::Status { found: status.as_u16() }),
        }
    }
}

/// A connection that ends with this.
struct Open(JoinHandle<()>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The path of a URL often is an access key.
        write!(f, "Courier(to {})", self.host)
    }
}

fn broken(error: impl std::fmt::Display) -> Undelivered {
    Undelivered::Broken { reason: error.to_string().chars().take(MAX_MESSAGE_CHARS).collect() }
}

/// Why something was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// The name points where nothing is sent.
    #[error("its address {} is private or special, or is spoken to without TLS, and is in none of its `networks`",
        found.map_or("(none)".to_owned(), |it| it.to_string()))]
    Address {
        /// Where it points; nowhere if there is none.
        found: Option<IpAddr>,
    },
    /// It answered something else than a receipt.
    #[error("it answered with status {found}")]
    Status {
        /// The status.
        found: u16,
    },
    /// It did not answer in time.
    #[error("it did not answer within {DELIVERY_TIME:?}")]
    Late,
    /// The connection.
    #[error("it cannot be reached: {reason}")]
    Broken {
        /// Why.
        reason: String,
    },
}

impl Coded for Undelivered {
    fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "webhook.address",
            Self::Status { .. } => "webhook.status",
            Self::Late => "webhook.late",
            Self::Broken { .. } => "webhook.broken",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Address { .. } | Self::Status { .. } | Self::Late => Blame::Peer,
            Self::Broken { .. } => Blame::Environment,
        }
    }
}

/// A network in CIDR form: `10.0.0.0/8`, `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn holds(&self, address: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u32| {
            let rest = width.saturating_sub(self.bits);
            a.checked_shr(rest).unwrap_or_default() == b.checked_shr(rest).unwrap_or_default()
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = TransmitError;

    fn from_str(text: &str) -> Result<Self, TransmitError> {
        let wrong = || TransmitError::Network { found: text.chars().take(MAX_MESSAGE_CHARS).collect() };
        let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits: u32 = bits.parse().map_err(|_| wrong())?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        match bits <= widest {
            true => Ok(Self { address, bits }),
            false => Err(wrong()),
        }
    }
}

/// Whether an address is one of the open Internet (IANA's special-purpose registries say which are not).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast();
    // This network, shared by providers, protocol assignments, relays of 6to4, benchmarks, reserved.
    let reserved =
        matches!((a, b, c), (0, ..) | (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99) | (198, 18..=19, _))
            || a >= 240;
    !special && !reserved
}

/// Global unicast without what carries an IPv4 address or is there for examples.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = a & 0xe000 == 0x2000;
    global && a != 0x2002 && !(a == 0x2001 && (b < 0x0200 || b == 0x0db8)) && a != 0x3fff
}

/// The most addresses of one name that are looked at.
const MAX_ADDRESSES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a01_only_addresses_of_the_open_internet_are_public() {
        for (address, public) in [
            ("1.1.1.1", true),
            ("93.184.216.34", true),
            ("2606:4700:4700::1111", true),
            ("::ffff:1.1.1.1", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.0.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("198.18.0.1", false),
            ("192.0.0.8", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:169.254.169.254", false),
            ("::7f00:1", false),
            ("64:ff9b::a9fe:a9fe", false),
            ("2002:7f00:1::", false),
            ("2001:0:53aa:64c::", false),
            ("2001:db8::1", false),
            ("fe80::1", false),
            ("fd00:ec2::254", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn a_network_holds_its_addresses() {
        for (network, address, held) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("127.0.0.1/32", "127.0.0.1", true),
            ("127.0.0.1/32", "127.0.0.2", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("fd00::/8", "fd12::1", true),
            ("::/0", "::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.holds(address.parse().unwrap()), held, "{network:?} {address}");
        }
        for text in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129", "10.0.0.0/-1"] {
            assert_eq!(text.parse::<Network>().unwrap_err().code(), "transmit.network");
        }
    }

    #[tokio::test]
    async fn a01_where_a_name_points_is_looked_at_and_nothing_is_sent_there() {
        let inside = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = inside.local_addr().unwrap().port();
        let networks = || vec!["127.0.0.0/8".parse::<Network>().unwrap()];
        for (url, networks, code) in [
            (format!("http://localhost:{port}/"), Vec::new(), "webhook.address"),
            (format!("http://127.0.0.1:{port}/"), Vec::new(), "webhook.address"),
            (format!("http://[::ffff:127.0.0.1]:{port}/"), Vec::new(), "webhook.address"),
            (format!("http://2130706433:{port}/"), Vec::new(), "webhook.address"),
            (format!("http://0x7f000001:{port}/"), Vec::new(), "webhook.address"),
            ("http://1.1.1.1/".to_owned(), networks(), "webhook.address"),
        ] {
            let courier = Courier::new(&url, networks, &Roots::System).unwrap();
            let found = courier.deliver(&[], String::new()).await.unwrap_err();
            // What the resolver takes for no name at all points nowhere.
            assert!([code, "webhook.broken"].contains(&found.code()), "{url}: {found:?}");
        }
        let waiting = timeout(Duration::from_millis(1), inside.accept()).await;
        assert!(waiting.is_err(), "nobody connected");
        for url in ["ftp://x/", "http://", "http://a@b/", "x"] {
            assert!(Courier::new(url, Vec::new(), &Roots::System).is_err(), "{url}");
        }
    }
}
