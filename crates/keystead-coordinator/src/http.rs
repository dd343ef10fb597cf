//! The HTTP side: who may connect, how much they may say, and how slowly.

mod crowd;
mod socket;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_socket;
#[cfg(test)]
mod tests_tls;
mod traced;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_TYPE, UPGRADE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use keystead_base::Canonical as _;
use keystead_decision::Entry;
use keystead_wire::MAX_SUBMITTED_ENTRIES;
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::crowd::Crowd;
use crate::caller::Caller;
use crate::once::{IDEMPOTENCY_KEY, MAX_KEY_BYTES};
use crate::rest::Problem;
use crate::rpc::Asking;
use crate::share::{Answering, Weighed};
use crate::tls::{PeerKey, Tls};
use crate::{Coordinator, CoordinatorError, Doors, IdempotencyKey, probes, rest, web3signer};

/// The longest body, unless [`HttpLimits`] say otherwise.
pub const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// Bounds of one connection.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// From the head to the last byte of the body.
    pub body: Duration,
    /// Connections at once; further ones wait to be accepted.
    pub connections: usize,
    /// Of those, of one address; one more is closed.
    pub connections_of_address: usize,
    /// Bytes of a body, and of a WebSocket's message.
    pub body_bytes: usize,
    /// WebSockets at once, beside the connections.
    pub sockets: usize,
    /// How long a WebSocket may say nothing before it is asked, and after that.
    pub silence: Duration,
    /// For how long a client may leave unread what it was sent, before its connection ends.
    pub unread: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            head: HEAD_TIME,
            body: BODY_TIME,
            connections: MAX_CONNECTIONS,
            connections_of_address: MAX_ADDRESS_CONNECTIONS,
            body_bytes: MAX_BODY_BYTES,
            sockets: MAX_SOCKETS,
            silence: SILENCE,
            unread: UNREAD,
        }
    }
}

/// A coordinator that listens. Dropping it closes the port.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    encrypted: bool,
    task: JoinHandle<()>,
}

impl HttpServer {
    /// Binds `listen` (port 0 takes a free one) and answers from then on.
    ///
    /// # Errors
    ///
    /// [`CoordinatorError::Listen`] when the port cannot be bound, [`CoordinatorError::Exposed`] when other
    /// machines would reach it and nobody would have to show a token.
    pub async fn start(
        listen: SocketAddr,
        coordinator: Coordinator,
        doors: Doors,
        limits: HttpLimits,
    ) -> Result<Self, CoordinatorError> {
        doors.check(listen)?;
        let failed = |error| CoordinatorError::Listen { address: listen.to_string(), error };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        if let Some(oidc) = &doors.oidc {
            oidc.keep_fresh();
        }
        let tls = doors.tls.clone();
        let (encrypted, app) = (tls.is_some(), router(coordinator, doors, limits));
        Ok(Self { address, encrypted, task: tokio::spawn(accept(listener, app, tls, limits)) })
    }

    /// Where it listens, as clients name it.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, app: Router, tls: Option<Tls>, limits: HttpLimits) {
    let (places, crowd) = (Arc::new(Semaphore::new(limits.connections)), Arc::new(Crowd::default()));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((socket, from)) = listener.accept().await else {
            // Out of descriptors, most likely: others have to go first.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // INVARIANT A1: whoever holds connections without a word leaves some to others.
        let Some(member) = crowd.enter(from.ip(), limits.connections_of_address) else { continue };
        let _ = socket.set_nodelay(true);
        // A client that reads nothing holds its place no longer than this.
        let _ = SockRef::from(&socket).set_tcp_user_timeout(Some(limits.unread));
        let (app, tls) = (app.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => converse(socket, Connection::new(app, PeerKey::default()), limits).await,
                Some(tls) => {
                    if let Some((stream, key)) = tls.accept(socket, limits.head).await {
                        converse(stream, Connection::new(app, key), limits).await;
                    }
                }
            }
            drop((place, member));
        });
    }
}

async fn converse<S>(stream: S, connection: Connection, limits: HttpLimits)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head);
    // A client that breaks off is its own affair.
    let _ = http.serve_connection(TokioIo::new(stream), connection).with_upgrades().await;
}

/// The routes, with the key that a connection's client proved beside each of its requests.
struct Connection {
    app: TowerToHyperService<Router>,
    key: PeerKey,
}

impl Connection {
    fn new(app: Router, key: PeerKey) -> Self {
        Self { app: TowerToHyperService::new(app), key }
    }
}

impl Service<hyper::Request<Incoming>> for Connection {
    type Response = Response;
    type Error = Infallible;
    type Future = <TowerToHyperService<Router> as Service<hyper::Request<Incoming>>>::Future;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.key);
        self.app.call(request)
    }
}

#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) coordinator: Coordinator,
    limits: HttpLimits,
    sockets: Arc<Semaphore>,
    pub(crate) doors: Arc<Doors>,
}

fn router(coordinator: Coordinator, doors: Doors, limits: HttpLimits) -> Router {
    let doors = Arc::new(doors);
    let served = Served { coordinator, limits, sockets: socket::places(limits), doors: Arc::clone(&doors) };
    Router::new()
        .route("/", post(rpc).get(socket::upgrade))
        .route("/v1/entries", post(entries))
        .route("/v1/status", get(status))
        .merge(probes::routes())
        .merge(rest::routes())
        .merge(web3signer::routes())
        .with_state(served.clone())
        // Inside the door: whoever is sent away is told to nobody.
        .layer(from_fn_with_state(served.clone(), traced::traced))
        .layer(from_fn_with_state(doors, door))
        .layer(from_fn_with_state(served, measure))
}

/// Counts what goes out, by the route that took it.
async fn measure(State(served): State<Served>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let start = Instant::now();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let meters = &served.coordinator.inner.meters;
    meters.answered(route, response.status().as_u16(), start.elapsed());
    response
}

/// Before anything of a request is looked at.
async fn door(State(doors): State<Arc<Doors>>, request: Request, next: Next) -> Response {
    if !socket::is_framed_in_one_way(request.headers()) {
        let message = "a body has a Content-Length, and no Transfer-Encoding";
        return socket::last(refuse(StatusCode::LENGTH_REQUIRED, "http.framing", message));
    }
    let upgrades = request.headers().contains_key(UPGRADE);
    let response = admit(&doors, request, next).await;
    socket::last_unless_upgraded(upgrades, response)
}

async fn admit(doors: &Doors, mut request: Request, next: Next) -> Response {
    doors.prepare(request.headers()).await;
    let key = request.extensions().get().copied().unwrap_or_default();
    match doors.admit(request.method(), request.uri().path(), request.headers(), key) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err((status, code, message)) => {
            let mut response = refuse(status, code, message);
            if status == StatusCode::UNAUTHORIZED {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            response
        }
    }
}

async fn rpc(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let Ok(key) = idempotency_key(request.headers()) else {
        let message = format!("an Idempotency-Key is one string of 1 to {MAX_KEY_BYTES} visible characters");
        return refuse(StatusCode::BAD_REQUEST, "http.idempotency_key", &message);
    };
    let key = key.map(|key| key.of_caller(caller.word()));
    let asking = Asking { key, ..served.coordinator.asking(caller.word()) };
    match served.body(request).await {
        Ok(body) => {
            let answer = served.coordinator.answer_to(&body, &asking).await;
            weighed(&answer, asking.answering)
        }
        Err(refusal) => *refusal,
    }
}

/// An answer whose room is held until it is written.
fn weighed(answer: &Value, answering: Arc<Answering>) -> Response {
    let bytes = Bytes::from_owner(Weighed { bytes: answer.to_string().into_bytes(), _room: answering });
    ([(CONTENT_TYPE, "application/json")], bytes).into_response()
}

/// Carries signed documents to the node as they are.
async fn entries(State(served): State<Served>, request: Request) -> Response {
    let body = match served.body(request).await {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    let entries = match parse_entries(&body) {
        Ok(entries) => entries,
        Err(reason) => return refuse(StatusCode::BAD_REQUEST, "http.entries", &reason),
    };
    match served.coordinator.inner.node.submit(entries).await {
        Ok(answers) => Json(json!({"answers": answers})).into_response(),
        Err(error) => refuse(StatusCode::BAD_GATEWAY, "request.node", &error.to_string()),
    }
}

async fn status(State(served): State<Served>) -> Response {
    match served.coordinator.inner.node.status().await {
        Ok(status) => Json(status).into_response(),
        Err(error) => refuse(StatusCode::BAD_GATEWAY, "request.node", &error.to_string()),
    }
}

impl Served {
    pub(crate) async fn body(&self, request: Request) -> Result<Vec<u8>, Box<Response>> {
        let json = request.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
        if !json.is_some_and(|it| it.starts_with("application/json")) {
            let message = "the content type is application/json";
            return Err(Box::new(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "http.content_type", message)));
        }
        read(request.into_body(), self.limits).await
    }
}

async fn read(body: Body, limits: HttpLimits) -> Result<Vec<u8>, Box<Response>> {
    match timeout(limits.body, axum::body::to_bytes(body, limits.body_bytes)).await {
        Ok(Ok(bytes)) => Ok(bytes.to_vec()),
        Ok(Err(_)) => {
            let message = format!("a body has at most {} bytes, and arrives whole", limits.body_bytes);
            Err(Box::new(refuse(StatusCode::PAYLOAD_TOO_LARGE, "http.body", &message)))
        }
        Err(_) => {
            Err(Box::new(refuse(StatusCode::REQUEST_TIMEOUT, "http.slow", "the body did not arrive in time")))
        }
    }
}

/// None, or exactly one: of two nobody knows which is meant.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, ()> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().ok().and_then(IdempotencyKey::parse).map(Some).ok_or(()),
        (Some(_), Some(_)) => Err(()),
    }
}

pub(crate) fn parse_entries(body: &[u8]) -> Result<Vec<Entry>, String> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Documents {
        entries: Vec<String>,
    }
    let Documents { entries } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if entries.is_empty() || entries.len() > MAX_SUBMITTED_ENTRIES {
        return Err(format!("1 to {MAX_SUBMITTED_ENTRIES} entries, found {}", entries.len()));
    }
    let document = |hex: &String| {
        let bytes = const_hex::decode(hex).map_err(|error| error.to_string())?;
        Entry::from_document(&bytes).map_err(|error| error.to_string())
    };
    entries.iter().map(document).collect()
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    Problem::new(status, code, message).into_response()
}

const HEAD_TIME: Duration = Duration::from_secs(10);
const BODY_TIME: Duration = Duration::from_secs(10);
const MAX_CONNECTIONS: usize = 1024;
const MAX_ADDRESS_CONNECTIONS: usize = 512;
const MAX_SOCKETS: usize = 256;
const SILENCE: Duration = Duration::from_secs(30);
const UNREAD: Duration = Duration::from_secs(30);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
