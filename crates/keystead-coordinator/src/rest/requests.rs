//! Requests: asked for, listed, and shown.

use alloy_primitives::{Bytes, keccak256};
use axum::Extension;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Json, Response};
use keystead_base::{Canonical as _, Digest, Name, RequestId};
use keystead_intent::{Action, Intent};
use keystead_wire::{RequestDetail, RequestView, SignedPayload};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::coordinator::Inner;
use crate::http::{Served, idempotency_key};
use crate::journal::{Place, Promise};
use crate::rest::page::{Page, nothing, page};
use crate::rest::{Asked, Problem};
use crate::{IdempotencyKey, MAX_KEY_BYTES, RequestError, clock, share};

/// What somebody asks for. The coordinator adds who asks, a nonce and an end, and signs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    action: Action,
    /// For how long it lives; as the configuration says when it is not named.
    #[serde(default, deserialize_with = "named")]
    lifetime_seconds: Option<u64>,
    /// Whether the coordinator sends it to the chain once it is signed.
    #[serde(default)]
    broadcast: bool,
}

/// What is there has a value: `null` is none.
fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(deserializer).map(Some)
}

/// `POST /v1/requests`: 201 once the log has decided, whatever it decided: the request stands there either way.
pub(crate) async fn create(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Problem> {
    nothing(query.as_deref())?;
    let key = idempotency_key(request.headers()).map_err(|()| {
        let detail = format!("an Idempotency-Key is one string of 1 to {MAX_KEY_BYTES} visible characters");
        Problem::bad_request("http.idempotency_key", detail)
    })?;
    let body = match served.body(request).await {
        Ok(body) => body,
        Err(refusal) => return Ok(*refusal),
    };
    let wanted = read(&body)?;
    if !caller.holds(wanted.action.account().map(|account| &account.key)) {
        let detail = "this token is good for other keys alone";
        return Err(Problem::new(StatusCode::FORBIDDEN, "http.key", detail));
    }
    let inner = &served.coordinator.inner;
    if wanted.broadcast {
        inner.chain()?;
    }
    let _place = inner.shares.of(caller.word()).take(share::Place::Submit)?;
    let view = inner.ask_once(&caller, key.as_ref(), &wanted, &body).await?;
    let place = [(LOCATION, format!("/v1/requests/{}", view.request))];
    Ok((StatusCode::CREATED, place, Json(view)).into_response())
}

fn read(body: &[u8]) -> Result<Wanted, Problem> {
    let wanted: Wanted = serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request("http.request", format!("no request: {error}")))?;
    let refused = |detail: String| Err(Problem::bad_request("http.request", detail));
    if !wanted.lifetime_seconds.is_none_or(|it| (1..=MAX_LIFETIME_SECONDS).contains(&it)) {
        return refused(format!("`lifetime_seconds` is from 1 to {MAX_LIFETIME_SECONDS}"));
    }
    match wanted.broadcast && !is_transaction(&wanted.action) {
        true => refused("`broadcast` is for transactions".to_owned()),
        false => Ok(wanted),
    }
}

/// What a chain takes. An authorization (EIP-7702) goes into somebody's transaction.
fn is_transaction(action: &Action) -> bool {
    match action {
        Action::Transfer(_) | Action::ContractCall(_) | Action::Replacement(_) => true,
        Action::RawEthereum(raw) => raw.preimage.first() != Some(&AUTHORIZATION),
        // A PSBT is finalized by whoever asked, with the signatures of others.
        Action::TypedData(_) | Action::Message(_) | Action::Authority(_) => false,
        Action::Psbt(_) | Action::Solana(_) | Action::Near(_) => false,
    }
}

impl Inner {
    /// Under a key the same call is one request, however often it comes, and another one is refused.
    async fn ask_once(
        &self,
        caller: &Caller,
        key: Option<&IdempotencyKey>,
        wanted: &Wanted,
        body: &[u8],
    ) -> Result<RequestView, RequestError> {
        let mut intent = self.intent(wanted.action.clone())?;
        if let Some(lifetime) = wanted.lifetime_seconds {
            intent.expires = clock::now().plus_seconds(lifetime);
        }
        intent.check()?;
        let Some(key) = key else { return self.begin_asked(caller, wanted, intent).await };
        let asked = Asked {
            caller: caller.word().to_owned(),
            key: key.as_str().to_owned(),
            asked: Digest(keccak256(body).0),
            intent: intent.to_document().into(),
            at: clock::now(),
        };
        let kept = self.keep(asked.clone())?;
        let intent = Intent::from_document(&kept.intent)
            .map_err(|error| RequestError::Environment(format!("the file of keys is damaged: {error}")))?;
        if kept.asked != asked.asked {
            return Err(RequestError::KeyReused { request: intent.id() });
        }
        // INVARIANT S5: it is the very same request; a node that knows it shows it as it stands.
        match self.node.request(intent.id()).await? {
            Some(detail) => Ok(detail.view),
            None => self.begin_asked(caller, wanted, intent).await,
        }
    }

    fn keep(&self, asked: Asked) -> Result<Asked, RequestError> {
        self.asked().find_or_keep(asked).map_err(|error| RequestError::unkept(&error))
    }

    /// INVARIANT D4: what is to be broadcast is promised before it leaves, so that no crash in between loses the
    /// promise of a request that a node has.
    async fn begin_asked(
        &self,
        caller: &Caller,
        wanted: &Wanted,
        intent: Intent,
    ) -> Result<RequestView, RequestError> {
        if !wanted.broadcast {
            return self.submit(intent).await;
        }
        let address = match wanted.action.account() {
            Some(account) => self.accounts.address(account).await?,
            None => None,
        };
        let place = address.and_then(|address| Place::of(&wanted.action, address));
        let (until, owner) = (Some(intent.expires), caller.word().to_owned());
        let _flight = self.flights.begin(intent.id());
        self.promise(intent.id(), Promise { at: clock::now(), until, owner, place, ..Promise::default() })?;
        self.submit_promised(intent).await
    }
}

/// `GET /v1/requests`: what waits for people, in the order of the ids.
pub(crate) async fn list(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let asked = Page::read(query.as_deref())?;
    let after = asked.request()?;
    let mut open = served.coordinator.inner.node.open().await?;
    open.sort_by_key(|view| view.request);
    let mut shown: Vec<RequestView> = Vec::new();
    for view in open.into_iter().filter(|view| after.is_none_or(|after| view.request > after)) {
        let view = seen(&caller, view);
        if shown.len() == asked.limit {
            let next = shown.last().map(|view| view.request.to_string());
            return Ok(Json(page(shown.iter().map(|view| json!(view)).collect(), next)));
        }
        if !caller.is_limited() || find(&served, &caller, view.request).await.is_ok() {
            shown.push(view);
        }
    }
    Ok(Json(page(shown.iter().map(|view| json!(view)).collect(), None)))
}

/// `GET /v1/requests/{id}`.
pub(crate) async fn show(
    State(served): State<Served>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<RequestDetail>, Problem> {
    nothing(query.as_deref())?;
    let detail = find(&served, &caller, parse(&id)?).await?;
    Ok(Json(RequestDetail { view: seen(&caller, detail.view), ..detail }))
}

/// INVARIANT A4: whoever may only look sees that something is signed, and no signature that could be used.
fn seen(caller: &Caller, view: RequestView) -> RequestView {
    let blank =
        |signed: SignedPayload| SignedPayload { signature: Bytes::new(), raw: Bytes::new(), ..signed };
    let signed = if caller.sees_signatures() { view.signed } else { view.signed.map(blank) };
    RequestView { signed, ..view }
}

pub(crate) fn parse(id: &str) -> Result<RequestId, Problem> {
    id.parse().map_err(|_| Problem::bad_request("http.request_id", "a request id has 64 hexadecimal digits"))
}

/// A request that is this caller's business. One that is not is as unknown as one that is not there.
pub(crate) async fn find(served: &Served, caller: &Caller, id: RequestId) -> Result<RequestDetail, Problem> {
    let detail = served.coordinator.inner.node.request(id).await?;
    let key = |detail: &RequestDetail| detail.intent.action.account().map(|account| account.key.clone());
    let ours = detail.filter(|detail| caller.holds(key(detail).as_ref() as Option<&Name>));
    ours.ok_or_else(|| Problem::unknown("request.unknown", "no such request is known"))
}

/// With which the signing preimage of an authorization begins (EIP-7702).
const AUTHORIZATION: u8 = 0x05;
/// A year: no policy lets a request live longer, and each has its own limit.
const MAX_LIFETIME_SECONDS: u64 = 366 * 86_400;
