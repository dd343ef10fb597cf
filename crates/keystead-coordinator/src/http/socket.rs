//! JSON-RPC over a WebSocket: the same door and the same calls, one message for one body.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout_at};

use super::{HttpLimits, Served, refuse};
use crate::caller::Caller;
use crate::door::Visitor;
use crate::once::IDEMPOTENCY_KEY;
use crate::rpc::{Asking, Subscriptions, Told};
use crate::share::Place;
use crate::tls::PeerKey;

/// The most calls of one socket that are under way; further messages are not read meanwhile.
const MAX_SOCKET_CALLS: usize = 16;

/// Whether a request says in one way only how long it is. A proxy that reads it in another way takes what comes
/// behind for a request of its own, one that nobody let in.
pub(super) fn is_framed_in_one_way(headers: &HeaderMap) -> bool {
    !headers.contains_key(TRANSFER_ENCODING)
}

/// An answer to a request that wanted another protocol and did not get it: a proxy may believe that it did, and
/// then passes on whatever comes, unread.
pub(super) fn last_unless_upgraded(upgrades: bool, response: Response) -> Response {
    match upgrades && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        true => last(response),
        false => response,
    }
}

/// Nothing that comes behind this on the same connection is read.
pub(super) fn last(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Takes a connection over.
pub(super) async fn upgrade(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    Extension(key): Extension<PeerKey>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return refuse(rejection.status(), "http.upgrade", HOW_TO_SPEAK),
    };
    // Its body would be the first bytes of the socket, or a request of its own.
    if headers.get(CONTENT_LENGTH).is_some_and(|it| it != "0") {
        return refuse(StatusCode::BAD_REQUEST, "http.upgrade", HOW_TO_SPEAK);
    }
    if headers.contains_key(IDEMPOTENCY_KEY) {
        let message = "an Idempotency-Key is for one body, and a socket carries many";
        return refuse(StatusCode::BAD_REQUEST, "http.idempotency_key", message);
    }
    let own = served.coordinator.inner.shares.of(caller.word()).take(Place::Socket);
    let Ok(own) = own else {
        let message = "this caller has as many sockets open as one token may; close one";
        return refuse(StatusCode::TOO_MANY_REQUESTS, "request.share", message);
    };
    let Ok(place) = Arc::clone(&served.sockets).try_acquire_owned() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "http.sockets", "too many sockets are open");
    };
    let limits = served.limits;
    let sized = upgrade.max_message_size(limits.body_bytes).max_frame_size(limits.body_bytes);
    let (doors, method, path) = (Arc::clone(&served.doors), Method::GET, "/".to_owned());
    let visitor = Visitor { doors, method, path, headers, key };
    let guest = Guest { served, visitor, word: caller.word().to_owned() };
    sized.on_upgrade(move |socket| serve(socket, guest, [own, place]))
}

/// Whoever was let in.
struct Guest {
    served: Served,
    visitor: Visitor,
    word: String,
}

/// What is said at the end of a socket, if anything is.
type Farewell = Option<(u16, &'static str)>;

/// How often a socket on which nothing happens is asked whether its token still is one.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const ENDED: Farewell = Some((close_code::POLICY, "the token has ended"));
const HOW_TO_SPEAK: &str = "JSON-RPC is posted, or spoken over a WebSocket (RFC 6455, version 13)";

/// Until the client closes, is silent for too long, or says what is no message.
async fn serve(mut socket: WebSocket, guest: Guest, places: [OwnedSemaphorePermit; 2]) {
    let limits = guest.served.limits;
    let mut calls = JoinSet::new();
    let mut heard = Heard::now();
    let mut looks = interval(LOOK_EVERY);
    let (told, mut notes) = guest.subscriptions();
    let farewell = loop {
        let room = calls.len() < MAX_SOCKET_CALLS;
        tokio::select! {
            Some(answer) = calls.join_next() => match say(&mut socket, answer, &told, limits).await {
                true => heard = Heard::now(),
                false => break None,
            },
            Some(note) = notes.recv() => if let Err(farewell) = guest.pass_on(&mut socket, note).await {
                break farewell;
            },
            _ = looks.tick() => if !guest.visitor.is_still_admitted(None) { break ENDED },
            next = timeout_at(heard.until(limits), socket.recv()), if room => match next {
                Ok(Some(Ok(Message::Text(_)))) if !guest.visitor.is_still_admitted(None) => break ENDED,
                Ok(Some(Ok(Message::Text(text)))) => {
                    heard = Heard::now();
                    calls.spawn(guest.answer(text, &told));
                }
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => heard = Heard::now(),
                Ok(Some(Ok(Message::Binary(_)))) => break Some((close_code::UNSUPPORTED, "calls are text")),
                Ok(Some(Ok(Message::Close(_))) | None) => break None,
                Ok(Some(Err(_))) => break Some((close_code::SIZE, "a message is text of a bounded size")),
                // Whoever waits for an answer of ours is not silent.
                Err(_) if !calls.is_empty() => heard = Heard::now(),
                Err(_) if heard.asked => break Some((close_code::AWAY, "nothing was said for too long")),
                Err(_) => match ask(&mut socket, limits).await {
                    true => heard = Heard { asked: true, at: Instant::now() },
                    false => break None,
                },
            },
        }
    };
    close(socket, farewell, limits).await;
    drop(places);
}

impl Guest {
    /// Sends a notification to whoever still may have it; how the socket ends otherwise.
    async fn pass_on(&self, socket: &mut WebSocket, note: Told) -> Result<(), Farewell> {
        match note {
            Told::Note(..) if !self.visitor.is_still_admitted(None) => Err(ENDED),
            Told::Note(note, _held) => {
                let sent = send(socket, Message::Text(note.to_string().into()), self.served.limits).await;
                sent.then_some(()).ok_or(None)
            }
            Told::Lost => Err(Some((close_code::ERROR, "something was missed: subscribe again"))),
        }
    }

    fn subscriptions(&self) -> (Arc<Subscriptions>, mpsc::Receiver<Told>) {
        let inner = Arc::clone(&self.served.coordinator.inner);
        let share = inner.shares.of(&self.word);
        Subscriptions::new(inner, share)
    }

    /// The answer to one message, with the room that it takes until it is sent.
    fn answer(
        &self,
        text: Utf8Bytes,
        told: &Arc<Subscriptions>,
    ) -> impl Future<Output = (Value, Asking)> + Send + use<> {
        let coordinator = self.served.coordinator.clone();
        let asking = Asking { told: Some(Arc::clone(told)), ..coordinator.asking(&self.word) };
        async move { (coordinator.answer_to(text.as_bytes(), &asking).await, asking) }
    }
}

/// When a client was heard last, and whether it was asked for a sign of life since.
struct Heard {
    at: Instant,
    asked: bool,
}

impl Heard {
    fn now() -> Self {
        Self { at: Instant::now(), asked: false }
    }

    fn until(&self, limits: HttpLimits) -> Instant {
        self.at + limits.silence
    }
}

async fn say(
    socket: &mut WebSocket,
    answer: Result<(Value, Asking), tokio::task::JoinError>,
    told: &Subscriptions,
    limits: HttpLimits,
) -> bool {
    match answer {
        Ok((answer, _held)) => {
            let sent = send(socket, Message::Text(answer.to_string().into()), limits).await;
            told.begin(&answer);
            sent
        }
        // A task that panicked answers nothing; its caller finds the socket closed.
        Err(_) => false,
    }
}

async fn ask(socket: &mut WebSocket, limits: HttpLimits) -> bool {
    send(socket, Message::Ping(Default::default()), limits).await
}

/// A client that does not read holds no task for ever.
async fn send(socket: &mut WebSocket, message: Message, limits: HttpLimits) -> bool {
    matches!(within(limits.body, socket.send(message)).await, Some(Ok(())))
}

async fn close(mut socket: WebSocket, farewell: Farewell, limits: HttpLimits) {
    if let Some((code, reason)) = farewell {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        send(&mut socket, Message::Close(Some(frame)), limits).await;
    }
}

async fn within<F: Future>(limit: Duration, work: F) -> Option<F::Output> {
    tokio::time::timeout(limit, work).await.ok()
}

/// As many sockets as these limits permit at once.
pub(super) fn places(limits: HttpLimits) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(limits.sockets))
}
