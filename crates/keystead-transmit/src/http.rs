//! HTTP/1.1 to one server, plain or in TLS, bounded in time and size.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use keystead_base::Secret;
use tokio::time::timeout;

use crate::error::MAX_MESSAGE_CHARS;
use crate::tls::{Connector, connector, distrust};
use crate::{EndpointError, Limits, Roots, TransmitError};

/// Somebody's server: a URL, connections to it, and what is shown to be let in.
pub(crate) struct Http {
    uri: Uri,
    client: Client<Connector, Full<Bytes>>,
    limits: Limits,
    login: Login,
}

/// What a server wants to see first.
pub(crate) enum Login {
    None,
    /// A bearer token (RFC 6750), marked as sensitive: its Debug shows nothing.
    Bearer(HeaderValue),
    /// A file with `user:password` (RFC 7617), read anew for every question: Bitcoin Core writes another one at
    /// each start.
    File(PathBuf),
}

impl Http {
    pub(crate) fn new(url: &str, limits: Limits, roots: &Roots, login: Login) -> Result<Self, TransmitError> {
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
        Ok(Self { uri, client, limits, login })
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// One question at the URL with `path` after it, and its whole answer, whatever the status.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        limit: Duration,
    ) -> Result<(StatusCode, Bytes), EndpointError> {
        let answered = timeout(limit, self.exchange(method, path, body)).await;
        answered.unwrap_or(Err(EndpointError::Late { limit }))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<(StatusCode, Bytes), EndpointError> {
        let mut request = Request::builder().method(method).uri(self.at(path)?);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(shown) = self.login.header()? {
            request = request.header(AUTHORIZATION, shown);
        }
        let request =
            request.body(Full::from(body.unwrap_or_default())).map_err(|error| unreachable(&error))?;
        let response = self.client.request(request).await.map_err(|error| unreachable(&error))?;
        let (status, limit) = (response.status(), self.limits.bytes);
        let body = Limited::new(response.into_body(), limit).collect().await;
        let bytes = body.map_err(|error| too_long_or_broken(error.as_ref(), limit))?.to_bytes();
        Ok((status, bytes))
    }

    fn at(&self, path: &str) -> Result<Uri, EndpointError> {
        match path {
            "" => Ok(self.uri.clone()),
            _ => {
                let url = format!("{}{path}", self.uri.to_string().trim_end_matches('/'));
                url.parse().map_err(|error: hyper::http::uri::InvalidUri| unreachable(&error))
            }
        }
    }
}

impl Login {
    pub(crate) fn bearer(token: &Secret<Vec<u8>>) -> Result<Self, TransmitError> {
        let value = Secret::new([b"Bearer ".as_slice(), token.expose()].concat());
        header(&value).map(Self::Bearer)
    }

    fn header(&self) -> Result<Option<HeaderValue>, EndpointError> {
        match self {
            Self::None => Ok(None),
            Self::Bearer(value) => Ok(Some(value.clone())),
            Self::File(path) => {
                let unread = |reason: String| EndpointError::Login { reason };
                let bytes = std::fs::read(path).map_err(|error| unread(error.to_string()))?;
                basic(&Secret::new(bytes)).map(Some).ok_or_else(|| unread(NO_PAIR.to_owned()))
            }
        }
    }
}

/// `user:password`; one line break at its end is not part of it.
fn basic(found: &Secret<Vec<u8>>) -> Option<HeaderValue> {
    let pair = found.expose();
    let pair = pair.strip_suffix(b"\n").unwrap_or(pair);
    let fits =
        pair.len() <= MAX_LOGIN_BYTES && pair.contains(&b':') && !pair.iter().any(u8::is_ascii_control);
    let encoded = fits.then(|| Secret::new(STANDARD.encode(pair).into_bytes()))?;
    header(&Secret::new([b"Basic ".as_slice(), encoded.expose()].concat())).ok()
}

fn header(value: &Secret<Vec<u8>>) -> Result<HeaderValue, TransmitError> {
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

const NO_PAIR: &str = "expected user:password on one line";
const MAX_LOGIN_BYTES: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_one_pair_and_its_header_shows_nothing() {
        for (text, fits) in [
            ("ana:secret", true),
            ("__cookie__:0f0f\n", true),
            ("ana:", true),
            ("ana", false),
            ("", false),
            ("a:b\nc", false),
        ] {
            let found = basic(&Secret::new(text.as_bytes().to_vec()));
            assert_eq!(found.is_some(), fits, "{text}");
            assert!(!format!("{found:?}").contains("Basic"), "{found:?}");
        }
        let shown = basic(&Secret::new(b"ana:secret\n".to_vec())).unwrap();
        assert_eq!(shown.as_bytes(), b"Basic YW5hOnNlY3JldA==");
    }

    #[test]
    fn paths_follow_the_url() {
        for (url, path, found) in [
            ("http://a:1", "/tx/1", "http://a:1/tx/1"),
            ("http://a:1/", "/tx/1", "http://a:1/tx/1"),
            ("https://a/signet/api/", "/tx/1", "https://a/signet/api/tx/1"),
            ("http://a:1/key", "", "http://a:1/key"),
        ] {
            let http =
                Http::new(&url.replace("https", "http"), Limits::default(), &Roots::System, Login::None);
            let uri = http.unwrap().at(path).unwrap().to_string();
            assert_eq!(uri, found.replace("https", "http"));
        }
    }
}
