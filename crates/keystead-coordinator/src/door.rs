//! Who may speak to the port: programs of this machine, or whoever shows the token; never a web page.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use alloy_primitives::keccak256;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use keystead_base::{Name, Secret};
use subtle::ConstantTimeEq as _;

use crate::caller::{Caller, Need, need};
use crate::oidc::Issuer;
use crate::tls::{PeerKey, Tls};
use crate::tokens::Shelf;
use crate::{CoordinatorError, clock};

/// The shortest token: 128 bits in hexadecimal.
pub const MIN_TOKEN_BYTES: usize = 32;
const MAX_TOKEN_BYTES: usize = 512;

/// What callers have to show.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    /// One that is good for everything.
    pub token: Option<Token>,
    /// Those that are good for something. With neither of the two the port is on loopback alone.
    pub tokens: Option<Arc<Shelf>>,
    /// Who else says who people are.
    pub oidc: Option<Arc<Issuer>>,
    /// With it the port speaks TLS 1.3 and nothing else.
    pub tls: Option<Tls>,
    /// Names besides `localhost` and plain addresses by which callers may call this server.
    pub hosts: Vec<String>,
}

/// A bearer token (RFC 6750). Only its digest is kept: digests are compared, in constant time.
#[derive(Clone, Debug)]
pub struct Token(Arc<Secret<[u8; 32]>>);

impl Token {
    /// Takes the token's bytes.
    ///
    /// # Errors
    ///
    /// [`CoordinatorError::Token`] when it is short, long or not visible ASCII.
    pub fn new(bytes: &[u8]) -> Result<Self, CoordinatorError> {
        let fits = (MIN_TOKEN_BYTES..=MAX_TOKEN_BYTES).contains(&bytes.len());
        match fits && bytes.iter().all(u8::is_ascii_graphic) {
            true => Ok(Self(Arc::new(digest(bytes)))),
            false => Err(CoordinatorError::Token {
                min: MIN_TOKEN_BYTES,
                max: MAX_TOKEN_BYTES,
                found: bytes.len(),
            }),
        }
    }

    fn is(&self, shown: &[u8]) -> bool {
        self.0.ct_eq(&digest(shown)).into()
    }
}

fn digest(bytes: &[u8]) -> Secret<[u8; 32]> {
    Secret::new(keccak256(bytes).0)
}

/// Whoever was let in, and what was shown for it: asked again for as long as something is told to it.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) doors: Arc<Doors>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) key: PeerKey,
}

impl Visitor {
    /// INVARIANT A4: a token that ended, or was taken back, is good for nothing more of what it opened.
    pub(crate) fn is_still_admitted(&self, key: Option<&Name>) -> bool {
        let caller = self.doors.admit(&self.method, &self.path, &self.headers, self.key);
        caller.is_ok_and(|caller| key.is_none_or(|key| caller.holds(Some(key))))
    }
}

/// Why a caller is sent away: status, stable code, sentence.
pub(crate) type Refusal = (StatusCode, &'static str, &'static str);

impl Doors {
    /// A port that other machines reach needs a token.
    ///
    /// # Errors
    ///
    /// [`CoordinatorError::Exposed`].
    pub fn check(&self, listen: SocketAddr) -> Result<(), CoordinatorError> {
        match listen.ip().to_canonical().is_loopback() || self.asks() {
            true => Ok(()),
            false => Err(CoordinatorError::Exposed { address: listen.to_string() }),
        }
    }

    /// Lets a request in by its head and the key of its connection, and says who asks.
    pub(crate) fn admit(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        key: PeerKey,
    ) -> Result<Caller, Refusal> {
        if !self.is_called_by_its_name(headers) {
            return Err(HOST_REFUSED);
        }
        // A web page in somebody's browser reaches every port of that machine; browsers say so.
        let typed = |value: &axum::http::HeaderValue| value == "none";
        if headers.contains_key(ORIGIN) || headers.get(SEC_FETCH_SITE).is_some_and(|it| !typed(it)) {
            return Err(ORIGIN_REFUSED);
        }
        let (caller, need) = (self.caller(headers, key), need(method, path));
        match caller {
            Caller::Nobody if need != Need::Nothing => Err(TOKEN_REFUSED),
            caller if caller.has(need) => Ok(caller),
            _ => Err(SCOPE_REFUSED),
        }
    }

    /// Whether callers have to show anything.
    fn asks(&self) -> bool {
        self.token.is_some() || self.tokens.is_some() || self.oidc.is_some()
    }

    /// Before a request is let in: what a provider's new keys are.
    pub(crate) async fn prepare(&self, headers: &HeaderMap) {
        if let (Some(oidc), Some(shown)) = (&self.oidc, bearer(headers)) {
            oidc.prepare(shown, clock::now()).await;
        }
    }

    fn caller(&self, headers: &HeaderMap, key: PeerKey) -> Caller {
        if !self.asks() {
            return Caller::Everything;
        }
        let shown = bearer(headers);
        if shown.is_some_and(|shown| self.token.as_ref().is_some_and(|token| token.is(shown))) {
            return Caller::Everything;
        }
        // What is no bearer token may be meant as one.
        if shown.is_none() && headers.contains_key(AUTHORIZATION) {
            return Caller::Nobody;
        }
        let find = |tokens: &Arc<Shelf>| tokens.find(shown, key.0.as_ref(), clock::now());
        let person = || self.oidc.as_ref().and_then(|oidc| oidc.verify(shown?, clock::now()));
        let known = self.tokens.as_ref().and_then(find).or_else(person);
        known.map_or(Caller::Nobody, Caller::Token)
    }

    /// DNS rebinding points a name of the attacker's at this machine; the page's requests still carry that
    /// name. An address in its place names nobody else.
    fn is_called_by_its_name(&self, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(HOST).iter();
        let (Some(host), None) = (named.next().and_then(|it| it.to_str().ok()), named.next()) else {
            return false;
        };
        let host = without_port(host);
        let is = |known: &str| known.eq_ignore_ascii_case(host);
        host.parse::<IpAddr>().is_ok() || is("localhost") || self.hosts.iter().any(|known| is(known))
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn without_port(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|it| it.split_once(']')) {
        return address;
    }
    host.split_once(':').map_or(host, |(name, _)| name)
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(BEARER.len())?;
    scheme.eq_ignore_ascii_case(BEARER).then_some(token.trim_ascii())
}

const BEARER: &[u8] = b"Bearer ";
const SEC_FETCH_SITE: &str = "sec-fetch-site";
const HOST_REFUSED: Refusal = (
    StatusCode::FORBIDDEN,
    "http.host",
    "this server is called by an address, by localhost, or by a name listed as `hosts` in keystead.toml",
);
const ORIGIN_REFUSED: Refusal = (StatusCode::FORBIDDEN, "http.origin", "requests of web pages are refused");
const SCOPE_REFUSED: Refusal = (
    StatusCode::FORBIDDEN,
    "http.scope",
    "this token is not good for that; `keystead token list` shows what it is for",
);
const TOKEN_REFUSED: Refusal = (
    StatusCode::UNAUTHORIZED,
    "http.token",
    "expected `Authorization: Bearer TOKEN` with a token of this server that has not ended, and the certificate that it is \
     bound to, if it is bound to one",
);

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;
    use crate::tokens::{Scope, TokenFile, TokenRecord};

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn doors(token: bool) -> Doors {
        let token = token.then(|| Token::new(SECRET.as_bytes()).unwrap());
        Doors { token, hosts: vec!["desk.example".to_owned()], ..Doors::default() }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn let_in(doors: &Doors, headers: &HeaderMap) -> Result<(), Refusal> {
        doors.admit(&Method::POST, "/", headers, PeerKey::default()).map(drop)
    }

    #[test]
    fn a_port_for_other_machines_needs_a_token() {
        for (listen, token, code) in [
            ("127.0.0.1:8550", false, None),
            ("127.8.8.8:1", false, None),
            ("[::1]:8550", false, None),
            ("[::ffff:127.0.0.1]:8550", false, None),
            ("0.0.0.0:8550", false, Some("coordinator.exposed")),
            ("[::]:8550", false, Some("coordinator.exposed")),
            ("10.0.0.7:8550", false, Some("coordinator.exposed")),
            ("10.0.0.7:8550", true, None),
        ] {
            let checked = doors(token).check(listen.parse().unwrap());
            assert_eq!(checked.as_ref().err().map(keystead_base::Coded::code), code, "{listen}");
        }
        for short in ["", "0123456789abcdef0123456789abcde", "0123456789abcdef 0123456789abcdef"] {
            assert_eq!(Token::new(short.as_bytes()).unwrap_err().code(), "coordinator.token");
        }
    }

    #[test]
    fn a_name_of_somebody_else_is_refused() {
        for (host, admitted) in [
            ("127.0.0.1:8550", true),
            ("[::1]:8550", true),
            ("[::1]", true),
            ("localhost", true),
            ("LOCALHOST:8550", true),
            ("desk.example:8550", true),
            ("rebound.example:8550", false),
            ("localhost.rebound.example", false),
            ("127.0.0.1.rebound.example", false),
            ("", false),
        ] {
            assert_eq!(let_in(&doors(false), &headers(&[("host", host)])).is_ok(), admitted, "{host}");
        }
        assert_eq!(let_in(&doors(false), &HeaderMap::new()), Err(HOST_REFUSED));
        let mut twice = headers(&[("host", "localhost")]);
        twice.append(HOST, "rebound.example".parse().unwrap());
        assert_eq!(let_in(&doors(false), &twice), Err(HOST_REFUSED));
    }

    #[test]
    fn a_page_is_refused_and_a_typed_address_is_not() {
        for (name, value, admitted) in [
            ("origin", "http://localhost:8550", false),
            ("origin", "null", false),
            ("sec-fetch-site", "same-origin", false),
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "none", true),
        ] {
            let found = let_in(&doors(false), &headers(&[("host", "localhost"), (name, value)]));
            assert_eq!(found.is_ok(), admitted, "{name}: {value}");
        }
    }

    #[test]
    fn the_token_is_compared_whole() {
        for (value, admitted) in [
            (format!("Bearer {SECRET}"), true),
            (format!("bearer {SECRET}"), true),
            (format!("Bearer {SECRET}0"), false),
            (format!("Bearer {}", &SECRET[..31]), false),
            (format!("Basic {SECRET}"), false),
            ("Bearer ".to_owned(), false),
            ("Bearer".to_owned(), false),
        ] {
            let found = let_in(&doors(true), &headers(&[("host", "localhost"), ("authorization", &value)]));
            assert_eq!(found.is_ok(), admitted, "{value}");
        }
        assert_eq!(let_in(&doors(true), &headers(&[("host", "localhost")])), Err(TOKEN_REFUSED));
    }

    #[test]
    fn a04_a_token_of_ones_own_opens_its_routes_and_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let mint = |name: &str, byte, expires| {
            let what = (vec![Scope::Read], Vec::new());
            TokenRecord::mint(name.parse().unwrap(), what, expires, &Secret::new([byte; 32]))
        };
        let (reads, reads_record) = mint("reads", 1, clock::now().plus_seconds(3600));
        let (ended, ended_record) = mint("ended", 2, clock::now());
        let file = TokenFile { tokens: vec![reads_record, ended_record] };
        std::fs::write(&path, serde_json::to_vec(&file).unwrap()).unwrap();
        let doors = Doors { tokens: Some(Arc::new(Shelf::open(&path).unwrap())), ..Doors::default() };
        assert!(doors.check("0.0.0.0:1".parse().unwrap()).is_ok());
        for (shown, method, path, code) in [
            (reads.expose().as_str(), Method::GET, "/v1/keys", None),
            (reads.expose(), Method::POST, "/v1/requests", Some("http.scope")),
            (reads.expose(), Method::POST, "/", Some("http.scope")),
            (ended.expose(), Method::GET, "/v1/keys", Some("http.token")),
            ("kst_", Method::GET, "/v1/keys", Some("http.token")),
            ("kst_", Method::GET, "/livez", None),
        ] {
            let bearer = format!("Bearer {shown}");
            let headers = headers(&[("host", "localhost"), ("authorization", &bearer)]);
            let found =
                doors.admit(&method, path, &headers, PeerKey::default()).err().map(|(_, code, _)| code);
            assert_eq!(found, code, "{method} {path}");
        }
        let nothing = headers(&[("host", "localhost")]);
        assert_eq!(
            doors.admit(&Method::GET, "/v1/keys", &nothing, PeerKey::default()).err(),
            Some(TOKEN_REFUSED)
        );
    }

    #[test]
    fn k01_debug_does_not_show_the_token() {
        assert!(!format!("{:?}", doors(true)).contains(SECRET));
    }
}
