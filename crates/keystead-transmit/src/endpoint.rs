//! One endpoint: JSON-RPC 2.0 over HTTP/1.1, plain or in TLS, bounded in time and size.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use keystead_base::{Name, Secret};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::error::MAX_MESSAGE_CHARS;
use crate::tls::{Connector, connector, distrust};
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
    uri: Uri,
    client: Client<Connector, Full<Bytes>>,
    limits: Limits,
    /// Marked as sensitive: its Debug shows nothing.
    token: Option<HeaderValue>,
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
        let wrong = || TransmitError::Url { found: url.chars().take(MAX_MESSAGE_CHARS).collect() };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let encrypted = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        if uri.host().is_none_or(str::is_empty) {
            return Err(wrong());
        }
        let client = Client::builder(TokioExecutor::new()).build(connector(encrypted, roots)?);
        let token = token.map(bearer).transpose()?;
        Ok(Self { inner: Arc::new(Inner { name, uri, client, limits, token, next: AtomicU64::new(1) }) })
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
        let limit = self.inner.limits.time;
        let answered = timeout(limit, self.exchange(method, params)).await;
        answered.unwrap_or(Err(EndpointError::Late { limit }))
    }

    async fn exchange(&self, method: &str, params: Value) -> Result<Box<RawValue>, EndpointError> {
        let id = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string();
        let mut request = Request::post(self.inner.uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .map_err(|error| unreachable(&error))?;
        if let Some(token) = &self.inner.token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        let response = self.inner.client.request(request).await.map_err(|error| unreachable(&error))?;
        let bytes = self.read(response).await?;
        parse(&bytes, id)
    }

    async fn read<B>(&self, response: Response<B>) -> Result<Bytes, EndpointError>
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let (status, limit) = (response.status(), self.inner.limits.bytes);
        // Some nodes send error objects with statuses of their own: the body decides, if it parses. A server
        // that wants a login or refuses one says nothing about the question.
        if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
            return Err(EndpointError::Status { found: status.as_u16() });
        }
        let body = Limited::new(response.into_body(), limit).collect().await;
        let bytes = body.map_err(|error| too_long_or_broken(error.as_ref(), limit))?.to_bytes();
        match status == StatusCode::OK || bytes.first() == Some(&b'{') {
            true => Ok(bytes),
            false => Err(EndpointError::Status { found: status.as_u16() }),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path or the user part of a URL often is an access key.
        write!(f, "Endpoint({} at {})", self.inner.name, self.inner.uri.host().unwrap_or_default())
    }
}

/// Answers carry other fields in the wild; of ours, exactly one of `result` and `error` counts.
#[derive(Deserialize)]
struct Answer {
    id: u64,
    #[serde(default, deserialize_with = "present")]
    result: Option<Box<RawValue>>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: i64,
    #[serde(default)]
    message: String,
    data: Option<Box<RawValue>>,
}

/// `"result": null` is a result; a missing one is none.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

pub(crate) fn parse(bytes: &[u8], id: u64) -> Result<Box<RawValue>, EndpointError> {
    let malformed = EndpointError::Malformed { expected: "an answer of JSON-RPC 2.0" };
    let answer: Answer = serde_json::from_slice(bytes).map_err(|_| malformed.clone())?;
    match (answer.id == id, answer.result, answer.error) {
        (true, Some(result), None) => Ok(result),
        (true, _, Some(failure)) => Err(failure.into()),
        (true, None, None) | (false, ..) => Err(malformed),
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

fn bearer(token: &Secret<Vec<u8>>) -> Result<HeaderValue, TransmitError> {
    let value = Secret::new([b"Bearer ".as_slice(), token.expose()].concat());
    let mut value = HeaderValue::from_bytes(value.expose()).map_err(|_| TransmitError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

fn unreachable(error: &(dyn std::error::Error + 'static)) -> EndpointError {
    if let Some(reason) = distrust(error) {
        return EndpointError::Distrusted { reason };
    }
    let cause = std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error);
    EndpointError::Unreachable { reason: cause.to_string().chars().take(MAX_MESSAGE_CHARS).collect() }
}

fn too_long_or_broken(error: &(dyn std::error::Error + 'static), limit: usize) -> EndpointError {
    match error.is::<http_body_util::LengthLimitError>() {
        true => EndpointError::TooLong { limit },
        false => unreachable(error),
    }
}

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
        ] {
            let found = parse(text.as_bytes(), 7);
            let found = found.as_ref().map(|raw| raw.get()).map_err(keystead_base::Coded::code);
            assert_eq!(found, expected, "{text}");
        }
    }
}
