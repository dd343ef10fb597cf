//! One endpoint: JSON-RPC 2.0 over HTTP/1.1, plain or in TLS, bounded in time and size.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use keystead_base::{Name, Secret};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::error::MAX_MESSAGE_CHARS;
use crate::http::{Http, Login};
use crate::panel::Named;
use crate::{EndpointError, Roots, TransmitError};

/// The longest answer.
pub const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Bounds of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the question to the last byte of its answer.
    pub time: Duration,
    /// Bytes of an answer.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: ANSWER_TIME, bytes: MAX_ANSWER_BYTES }
    }
}

const ANSWER_TIME: Duration = Duration::from_secs(10);

/// A chain endpoint. Clones share its connections.
#[derive(Clone)]
pub struct Endpoint {
    inner: Arc<Inner>,
}

struct Inner {
    name: Name,
    http: Http,
    next: AtomicU64,
}

impl Endpoint {
    /// An endpoint at `http://host[:port][/path]` or `https://…`; behind TLS the roots say who vouches for it.
    ///
    /// # Errors
    ///
    /// [`TransmitError::Url`] when it is written in another way, [`TransmitError::Roots`] when nobody could
    /// vouch for an endpoint behind TLS.
    pub fn new(name: Name, url: &str, limits: Limits, roots: &Roots) -> Result<Self, TransmitError> {
        Self::with_token(name, url, limits, roots, None)
    }

    /// The same for a server that wants a bearer token (RFC 6750): a coordinator, for instance.
    ///
    /// # Errors
    ///
    /// As [`Endpoint::new`], and [`TransmitError::Token`] when the token cannot stand in a header.
    pub fn with_token(
        name: Name,
        url: &str,
        limits: Limits,
        roots: &Roots,
        token: Option<&Secret<Vec<u8>>>,
    ) -> Result<Self, TransmitError> {
        Self::with_login(name, url, limits, roots, token.map_or(Ok(Login::None), Login::bearer)?)
    }

    pub(crate) fn with_login(
        name: Name,
        url: &str,
        limits: Limits,
        roots: &Roots,
        login: Login,
    ) -> Result<Self, TransmitError> {
        let http = Http::new(url, limits, roots, login)?;
        Ok(Self { inner: Arc::new(Inner { name, http, next: AtomicU64::new(1) }) })
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.inner.name
    }

    /// Asks one question and gives the raw result. What one endpoint says is not yet believed.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] when there is no usable answer.
    pub async fn ask(&self, method: &str, params: Value) -> Result<Box<RawValue>, EndpointError> {
        self.ask_within(method, params, self.inner.http.limits().time).await
    }

    /// The same for what takes longer to answer.
    pub(crate) async fn ask_within(
        &self,
        method: &str,
        params: Value,
        limit: Duration,
    ) -> Result<Box<RawValue>, EndpointError> {
        let id = self.ids(1);
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
        parse(&self.post(body, limit).await?, id)
    }

    /// The first of so many numbers that nothing else is asked under.
    pub(crate) fn ids(&self, count: u64) -> u64 {
        self.inner.next.fetch_add(count, Ordering::Relaxed)
    }

    pub(crate) fn time(&self) -> Duration {
        self.inner.http.limits().time
    }

    pub(crate) async fn post(&self, body: String, limit: Duration) -> Result<Bytes, EndpointError> {
        let (status, bytes) = self.inner.http.call(Method::POST, "", Some(body), limit).await?;
        readable(status, bytes)
    }
}

/// Some nodes send error objects with statuses of their own: the body decides, if it parses. A server that wants a
/// login or refuses one says nothing about the question.
fn readable(status: StatusCode, bytes: Bytes) -> Result<Bytes, EndpointError> {
    let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
    match !refused && (status == StatusCode::OK || bytes.first() == Some(&b'{')) {
        true => Ok(bytes),
        false => Err(EndpointError::Status { found: status.as_u16() }),
    }
}

impl Named for Endpoint {
    fn name(&self) -> &Name {
        &self.inner.name
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path or the user part of a URL often is an access key.
        write!(f, "Endpoint({} at {})", self.inner.name, self.inner.http.host())
    }
}

/// Answers carry other fields in the wild; of ours, exactly one of `result` and `error` counts.
#[derive(Deserialize)]
pub(crate) struct Answer {
    #[serde(default, deserialize_with = "number_or_none")]
    pub(crate) id: u64,
    #[serde(default, deserialize_with = "present")]
    result: Option<Box<RawValue>>,
    pub(crate) error: Option<Failure>,
}

#[derive(Deserialize)]
pub(crate) struct Failure {
    code: i64,
    #[serde(default)]
    message: String,
    data: Option<Box<RawValue>>,
}

/// `"result": null` is a result; a missing one is none.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// What refers to no question has no number; nothing is asked under zero.
fn number_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Option::<u64>::deserialize(deserializer).map(Option::unwrap_or_default)
}

pub(crate) fn parse(bytes: &[u8], id: u64) -> Result<Box<RawValue>, EndpointError> {
    let answer: Answer = serde_json::from_slice(bytes).map_err(|_| malformed())?;
    match answer.id == id {
        true => answer.content(),
        false => Err(malformed()),
    }
}

pub(crate) fn malformed() -> EndpointError {
    EndpointError::Malformed { expected: "an answer of JSON-RPC 2.0" }
}

impl Answer {
    pub(crate) fn content(self) -> Result<Box<RawValue>, EndpointError> {
        match (self.result, self.error) {
            (Some(result), None) => Ok(result),
            (_, Some(failure)) => Err(failure.into()),
            (None, None) => Err(malformed()),
        }
    }
}

impl From<Failure> for EndpointError {
    fn from(failure: Failure) -> Self {
        Self::Rpc {
            code: failure.code,
            message: failure.message.chars().take(MAX_MESSAGE_CHARS).collect(),
            data: failure.data.map(|data| data.get().chars().take(MAX_DATA_CHARS).collect()),
        }
    }
}

const MAX_DATA_CHARS: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one authority, so that the test needs none of the system's.
    fn trusted(folder: &std::path::Path) -> Roots {
        let key = rcgen::KeyPair::generate().unwrap();
        let authority = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let path = folder.join("ca.pem");
        std::fs::write(&path, authority.pem()).unwrap();
        Roots::File(path)
    }

    #[test]
    fn only_http_and_https_urls_are_endpoints() {
        let folder = tempfile::tempdir().unwrap();
        let roots = trusted(folder.path());
        for (url, fits) in [
            ("http://127.0.0.1:8545", true),
            ("http://node.example/v1/key", true),
            ("https://node.example", true),
            ("ftp://node.example", false),
            ("127.0.0.1:8545", false),
            ("http://", false),
            ("file:///etc/passwd", false),
            ("", false),
        ] {
            let endpoint = Endpoint::new("a".parse().unwrap(), url, Limits::default(), &roots);
            assert_eq!(endpoint.is_ok(), fits, "{url}");
        }
    }

    #[test]
    fn k01_debug_does_not_show_the_path() {
        let url = "http://node.example/v1/secret-access-key";
        let endpoint = Endpoint::new("a".parse().unwrap(), url, Limits::default(), &Roots::System).unwrap();
        assert_eq!(format!("{endpoint:?}"), "Endpoint(a at node.example)");
    }

    #[test]
    fn answers_parse_strictly() {
        for (text, expected) in [
            (r#"{"jsonrpc":"2.0","id":7,"result":"0x1"}"#, Ok(r#""0x1""#)),
            (r#"{"jsonrpc":"2.0","id":7,"result":null}"#, Ok("null")),
            (r#"{"jsonrpc":"2.0","id":8,"result":"0x1"}"#, Err("endpoint.malformed")),
            (r#"{"jsonrpc":"2.0","id":7}"#, Err("endpoint.malformed")),
            (r#"[]"#, Err("endpoint.malformed")),
            (r#"{"id":7,"error":{"code":-32000,"message":"no"}}"#, Err("endpoint.rpc")),
            (r#"{"id":7,"result":null,"error":{"code":3,"message":"no"}}"#, Err("endpoint.rpc")),
            (r#"{"id":null,"error":{"code":-32600,"message":"no"}}"#, Err("endpoint.malformed")),
        ] {
            let found = parse(text.as_bytes(), 7);
            let found = found.as_ref().map(|raw| raw.get()).map_err(keystead_base::Coded::code);
            assert_eq!(found, expected, "{text}");
        }
    }
}
