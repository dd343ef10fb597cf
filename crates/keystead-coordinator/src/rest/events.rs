//! A request's way as server-sent events: one event for each stage that it comes to.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use keystead_base::{Name, RequestId};
use keystead_wire::{RequestStage, RequestView};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use crate::RequestError;
use crate::caller::Caller;
use crate::coordinator::Inner;
use crate::door::Visitor;
use crate::http::Served;
use crate::rest::Problem;
use crate::rest::page::nothing;
use crate::rest::requests::{find, parse};
use crate::share::Place;
use crate::tls::PeerKey;

/// Streams that are open at once.
pub(crate) const MAX_STREAMS: usize = 128;

/// `GET /v1/requests/{id}/events`: begins with the stage that it has, ends with a stage after which nothing comes, or after
/// some minutes: a browser's EventSource and its like connect again by themselves.
pub(crate) async fn stream(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<PeerKey>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    nothing(query.as_deref())?;
    let detail = find(&served, &caller, parse(&id)?).await?;
    let inner = Arc::clone(&served.coordinator.inner);
    let own = inner.shares.of(caller.word()).take(Place::Stream)?;
    let place = Arc::clone(&inner.streams).try_acquire_owned().map_err(|_| RequestError::Busy)?;
    let (doors, method, path) = (Arc::clone(&served.doors), Method::GET, format!("/v1/requests/{id}/events"));
    let visitor = Visitor { doors, method, path, headers, key: peer };
    let key = detail.intent.action.account().map(|account| account.key.clone());
    let (events, queue) = mpsc::channel(1);
    let listener = Listener { visitor, key, events, _places: [own, place] };
    tokio::spawn(tell(inner, detail.view, listener));
    let heads = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((heads, Body::new(Events(queue))).into_response())
}

/// Who is told, for as long as its token is one.
struct Listener {
    visitor: Visitor,
    key: Option<Name>,
    events: mpsc::Sender<Bytes>,
    _places: [OwnedSemaphorePermit; 2],
}

impl Listener {
    fn is_still_admitted(&self) -> bool {
        self.visitor.is_still_admitted(self.key.as_ref())
    }
}

async fn tell(inner: Arc<Inner>, view: RequestView, listener: Listener) {
    let (request, end) = (view.request, Instant::now() + STREAM_TIME);
    let mut told = None;
    let mut view = Some(view);
    while let Some(now) = view {
        let line = match told == Some(now.stage) {
            // A client that is gone is noticed by what cannot be sent to it.
            true => Bytes::from_static(b":\n\n"),
            false => event(&now),
        };
        if !listener.is_still_admitted() || listener.events.send(line).await.is_err() {
            return;
        }
        if is_final(&now) || Instant::now() >= end {
            return;
        }
        told = Some(now.stage);
        view = inner.next(request, now.stage, end, &listener).await;
    }
}

impl Inner {
    /// The request as it is when it has left a stage, or after a while; nothing for whoever may not look any more.
    async fn next(
        &self,
        request: RequestId,
        stage: RequestStage,
        end: Instant,
        listener: &Listener,
    ) -> Option<RequestView> {
        let rest = end.saturating_duration_since(Instant::now()).min(BEAT);
        let start = Instant::now();
        loop {
            let view = match stage.is_over() {
                // A wait ends at once for what is signed: what comes after that is looked for now and then.
                true => self.node.request(request).await.ok()??.view,
                false => self.node.wait(request, LOOK_EVERY).await.ok()??,
            };
            if view.stage != stage || start.elapsed() >= rest {
                return Some(view);
            }
            if !listener.is_still_admitted() {
                return None;
            }
            if stage.is_over() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}

fn event(view: &RequestView) -> Bytes {
    let (word, data) = (view.stage.word(), facts(view));
    Bytes::from(format!("event: stage\nid: {word}\ndata: {data}\n\n"))
}

/// What is told of a request that came to a stage.
pub(crate) fn facts(view: &RequestView) -> Value {
    json!({
        "request": view.request, "stage": view.stage, "height": view.decision.height,
        "refusal": view.refusal, "transaction": view.signed.as_ref().and_then(|it| it.transaction),
    })
}

/// What is signed and no transaction is over with its signature.
pub(crate) fn is_final(view: &RequestView) -> bool {
    match view.stage {
        RequestStage::Denied
        | RequestStage::Applied
        | RequestStage::Settled
        | RequestStage::Dead
        | RequestStage::Failed => true,
        RequestStage::Signed => view.signed.as_ref().is_some_and(|it| it.transaction.is_none()),
        RequestStage::Waiting | RequestStage::Allowed | RequestStage::Reorged => false,
    }
}

/// What the task says, as a body.
struct Events(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

/// How often what the node does not announce is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often something is sent although nothing happened.
const BEAT: Duration = Duration::from_secs(15);
/// The longest stream.
const STREAM_TIME: Duration = Duration::from_secs(600);
