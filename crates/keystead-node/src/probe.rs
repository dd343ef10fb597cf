//! `/livez`, `/readyz` and `/metrics` of a node, on a loopback address and nowhere else.
//!
//! The port takes three questions and no orders. It has no tokens: whoever has to ask from another machine does so through
//! something on this one that asks who they are.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::replica::VOTES;
use crate::shared::Shared;
use crate::{NodeError, clock, status};

type Answer = Response<Full<Bytes>>;

/// Binds the port of `[node] metrics`, if there is one.
pub(crate) async fn bind(listen: Option<&str>) -> Result<Option<TcpListener>, NodeError> {
    let Some(listen) = listen else { return Ok(None) };
    let failed = |reason: String| NodeError::Metrics { address: listen.to_owned(), reason };
    let address: SocketAddr =
        listen.parse().map_err(|_| failed("expected an address and a port".to_owned()))?;
    if !address.ip().to_canonical().is_loopback() {
        return Err(failed("other machines would reach it, and nobody would have to log in".to_owned()));
    }
    TcpListener::bind(address).await.map(Some).map_err(|error| failed(error.to_string()))
}

/// Answers until the node stops.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    tokio::select! {
        () = accept(shared, listener) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    Ok(())
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else {
            // Out of descriptors, most likely: others have to go first.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let asked = service_fn(|request| {
                let answer = answer(&shared, &request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).keep_alive(false);
            // A client that breaks off is its own affair.
            let _ = http.serve_connection(TokioIo::new(socket), asked).await;
            drop(place);
        });
    }
}

fn answer(shared: &Shared, request: &Request<Incoming>) -> Answer {
    if !is_called_by_its_name(request) || request.headers().contains_key(ORIGIN) {
        return text(StatusCode::FORBIDDEN, PLAIN, "this port is for programs of this machine".to_owned());
    }
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/livez") => text(StatusCode::OK, PLAIN, "ok".to_owned()),
        (&Method::GET, "/readyz") => ready(shared),
        (&Method::GET, "/metrics") => metrics(shared),
        _ => text(StatusCode::NOT_FOUND, PLAIN, "GET /livez, /readyz or /metrics".to_owned()),
    }
}

/// A web page under a name that was pointed at this machine still sends that name.
fn is_called_by_its_name(request: &Request<Incoming>) -> bool {
    let Some(host) = request.headers().get(HOST).and_then(|it| it.to_str().ok()) else { return false };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost"
        || host.parse::<IpAddr>().is_ok()
        || host.parse::<SocketAddr>().is_ok()
        || name.parse::<IpAddr>().is_ok()
}

/// A node that votes is ready; one that is silent says why.
fn ready(shared: &Shared) -> Answer {
    match shared.view_of_cluster(|view| view.standing) {
        VOTES => text(StatusCode::OK, PLAIN, "ok".to_owned()),
        standing => text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("this node {standing}")),
    }
}

fn metrics(shared: &Shared) -> Answer {
    let state = shared.state();
    let now = clock::now().max(state.time());
    if shared.traces.is_on() {
        shared.meters.spans(shared.traces.counted());
    }
    match shared.meters.text(&status::status(shared), &state, now) {
        Ok(metrics) => text(StatusCode::OK, OPENMETRICS, metrics),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, error.to_string()),
    }
}

fn text(status: StatusCode, kind: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    answer
}

const PLAIN: &str = "text/plain; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const HEAD_TIME: Duration = Duration::from_secs(5);
const MAX_CONNECTIONS: usize = 16;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
