//! What one caller may hold at once: whatever a program's token does, places are left for those of all others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keystead_transmit::{MAX_ANSWER_BYTES, ReadError};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::RequestError;

/// Places of every caller.
pub(crate) struct Shares {
    common: Arc<Common>,
    each: Mutex<BTreeMap<String, Arc<Share>>>,
}

/// What all callers have together.
#[derive(Debug)]
struct Common {
    asks: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    fills: Arc<Semaphore>,
}

/// Places of one caller.
#[derive(Debug)]
pub(crate) struct Share {
    common: Arc<Common>,
    waits: Arc<Semaphore>,
    submits: Arc<Semaphore>,
    fills: Arc<Semaphore>,
    asks: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    sockets: Arc<Semaphore>,
    psbts: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

/// What a caller may hold several of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A call that is kept until its request is signed.
    Wait,
    /// A request that waits for its batch, and for what the log says to it.
    Submit,
    /// A stream of events.
    Stream,
    /// A WebSocket.
    Socket,
    /// A PSBT that is read.
    Psbt,
}

impl Default for Shares {
    fn default() -> Self {
        let (asks, answers) = (places(MAX_ASK_UNITS), places(MAX_ANSWER_UNITS));
        let fills = places(MAX_FILLS);
        Self { common: Arc::new(Common { asks, answers, fills }), each: Mutex::default() }
    }
}

impl Shares {
    /// The share of a caller by its word. Whoever may do everything has no word, and what all have together.
    pub(crate) fn of(&self, word: &str) -> Arc<Share> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if each.len() >= MAX_SHARES {
            each.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let new = || Arc::new(Share::new(Arc::clone(&self.common), word.is_empty()));
        Arc::clone(each.entry(word.to_owned()).or_insert_with(new))
    }
}

impl Share {
    fn new(common: Arc<Common>, everything: bool) -> Self {
        let of = |own: u32| places(if everything { u32::MAX } else { own });
        Self {
            common,
            waits: of(MAX_OWN_WAITS),
            submits: of(MAX_OWN_SUBMITS),
            fills: of(MAX_OWN_FILLS),
            asks: of(MAX_OWN_ASK_UNITS),
            streams: of(MAX_OWN_STREAMS),
            sockets: of(MAX_OWN_SOCKETS),
            psbts: of(MAX_OWN_PSBTS),
            answers: of(MAX_OWN_ANSWER_UNITS),
        }
    }

    /// One place more, unless this caller has them all.
    pub(crate) fn take(&self, place: Place) -> Result<OwnedSemaphorePermit, RequestError> {
        let places = match place {
            Place::Wait => &self.waits,
            Place::Submit => &self.submits,
            Place::Stream => &self.streams,
            Place::Socket => &self.sockets,
            Place::Psbt => &self.psbts,
        };
        Arc::clone(places).try_acquire_owned().map_err(|_| RequestError::Share)
    }

    /// Room at the node for a question of so many bytes: held until the node has answered it, as the node holds it.
    pub(crate) fn ask(&self, bytes: usize) -> Result<[OwnedSemaphorePermit; 2], RequestError> {
        let units = u32::try_from(bytes.div_ceil(ASK_UNIT_BYTES)).unwrap_or(u32::MAX).max(1);
        let own = Arc::clone(&self.asks).try_acquire_many_owned(units).map_err(|_| RequestError::Share)?;
        let all = Arc::clone(&self.common.asks);
        Ok([own, all.try_acquire_many_owned(units).map_err(|_| RequestError::Busy)?])
    }

    /// A place for what is read to fill in a transaction, as soon as others have left it.
    pub(crate) async fn fill(&self) -> Result<[OwnedSemaphorePermit; 2], RequestError> {
        self.own_fill().await?.begin().await
    }

    /// A place among this caller's own fill-ins: whoever has a turn of an account to wait for takes it before, so that a caller
    /// with too many of them holds up no turn.
    pub(crate) async fn own_fill(&self) -> Result<OwnFill, RequestError> {
        let own = timeout(ROOM_TIME, Arc::clone(&self.fills).acquire_owned()).await;
        let own = own.ok().and_then(Result::ok).ok_or(RequestError::Busy)?;
        Ok(OwnFill { own, all: Arc::clone(&self.common.fills) })
    }

    /// How many of its questions' places are free.
    #[cfg(test)]
    pub(crate) fn free_asks(&self) -> usize {
        self.asks.available_permits()
    }

    /// Room for the longest answers of so many endpoints, as soon as others have left it.
    async fn room(&self, endpoints: usize) -> Result<[OwnedSemaphorePermit; 2], RequestError> {
        let endpoints = u32::try_from(endpoints).unwrap_or(u32::MAX).clamp(1, MAX_ROOMS);
        let units = endpoints.saturating_mul(LONGEST_ANSWER_UNITS);
        let own = Arc::clone(&self.answers).acquire_many_owned(units);
        let all = Arc::clone(&self.common.answers).acquire_many_owned(units);
        let both = async { Ok::<_, tokio::sync::AcquireError>([own.await?, all.await?]) };
        timeout(ROOM_TIME, both).await.ok().and_then(Result::ok).ok_or(RequestError::Busy)
    }
}

/// A place among a caller's own fill-ins.
#[derive(Debug)]
pub(crate) struct OwnFill {
    own: OwnedSemaphorePermit,
    all: Arc<Semaphore>,
}

impl OwnFill {
    /// With one among everybody's: now the chain is read.
    pub(crate) async fn begin(self) -> Result<[OwnedSemaphorePermit; 2], RequestError> {
        let all = timeout(ROOM_TIME, self.all.acquire_owned()).await;
        Ok([self.own, all.ok().and_then(Result::ok).ok_or(RequestError::Busy)?])
    }
}

/// One body on its way: whose it is, and what is held of its answers until they are written.
#[derive(Debug)]
pub(crate) struct Answering {
    share: Arc<Share>,
    turns: Semaphore,
    held: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: usize,
    room: Vec<OwnedSemaphorePermit>,
}

/// Why an endpoint's answer is not handed on.
#[derive(Debug)]
pub(crate) enum Unread {
    /// What the endpoints say, or that they do not agree.
    Chain(ReadError),
    /// Others have taken all room.
    Busy(RequestError),
    /// The answers of one body are too long together.
    TooLong,
}

impl Answering {
    pub(crate) fn new(share: Arc<Share>) -> Arc<Self> {
        Arc::new(Self { share, turns: Semaphore::new(MAX_TURNS), held: Mutex::default() })
    }

    /// Whose body it is.
    pub(crate) fn share(&self) -> &Share {
        &self.share
    }

    /// What so many endpoints answer; the room of their answer is this body's until its answers are written.
    pub(crate) async fn read<F>(&self, endpoints: usize, asked: F) -> Result<Value, Unread>
    where
        F: Future<Output = Result<Value, ReadError>> + Send,
    {
        let _turn = self.turns.acquire().await.map_err(|_| Unread::Busy(RequestError::Busy))?;
        if self.held.lock().unwrap_or_else(PoisonError::into_inner).bytes >= MAX_BODY_ANSWERS {
            return Err(Unread::TooLong);
        }
        let room = self.share.room(endpoints).await.map_err(Unread::Busy)?;
        let answer = asked.await.map_err(Unread::Chain)?;
        match self.keep(length(&answer), room) {
            true => Ok(answer),
            false => Err(Unread::TooLong),
        }
    }

    /// Keeps as much room as the answer takes.
    fn keep(&self, bytes: usize, room: [OwnedSemaphorePermit; 2]) -> bool {
        let units = bytes.div_ceil(ANSWER_UNIT_BYTES);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = held.bytes.saturating_add(bytes);
        if whole > MAX_BODY_ANSWERS {
            return false;
        }
        held.bytes = whole;
        held.room.extend(room.into_iter().filter_map(|mut it| it.split(units)));
        true
    }
}

/// A body's bytes, with the room that they take.
pub(crate) struct Weighed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) _room: Arc<Answering>,
}

impl AsRef<[u8]> for Weighed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// How long a value's text is, without writing it.
fn length(value: &Value) -> usize {
    let mut count = Count(0);
    // Counting never fails.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn places(count: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS)))
}

/// What a node counts a question as at least ([`keystead_wire::Limits`]): its places of one client are 512 of these.
const ASK_UNIT_BYTES: usize = 64 * 1024;
/// Of those, for questions that are carried; the rest is for callers that wait, and for the coordinator's own.
const MAX_ASK_UNITS: u32 = 128;
const MAX_OWN_ASK_UNITS: u32 = 48;
const MAX_OWN_WAITS: u32 = 96;
/// Of the 4,096 requests that may wait for their batch.
const MAX_OWN_SUBMITS: u32 = 512;
/// Transactions that are filled in at once: each reads a few short answers one after the other.
const MAX_FILLS: u32 = 64;
const MAX_OWN_FILLS: u32 = 16;
/// PSBTs that are read at once: each takes a thread for as long as its keys are derived.
const MAX_OWN_PSBTS: u32 = 8;
const MAX_OWN_STREAMS: u32 = 32;
const MAX_OWN_SOCKETS: u32 = 64;
/// Reads of one body at once.
const MAX_TURNS: usize = 4;
/// Bytes of what endpoints answered to the calls of one body.
const MAX_BODY_ANSWERS: usize = 32 * 1024 * 1024;
const ANSWER_UNIT_BYTES: usize = 1024;
const LONGEST_ANSWER_UNITS: u32 = (MAX_ANSWER_BYTES / ANSWER_UNIT_BYTES) as u32;
/// So many endpoints' longest answers are one read's room at most: what one caller may hold.
const MAX_ROOMS: u32 = 12;
/// 256 MiB of answers that are read or wait to be written, and 96 MiB of one caller's.
const MAX_ANSWER_UNITS: u32 = 32 * LONGEST_ANSWER_UNITS;
const MAX_OWN_ANSWER_UNITS: u32 = MAX_ROOMS * LONGEST_ANSWER_UNITS;
/// How long a read waits for room.
const ROOM_TIME: Duration = Duration::from_secs(20);
/// Callers whose places are remembered beside those that hold one.
const MAX_SHARES: usize = 2000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a04_one_caller_never_takes_the_places_of_all() {
        let shares = Shares::default();
        let (one, other, everything) = (shares.of("one"), shares.of("other"), shares.of(""));
        let mut held = Vec::new();
        for place in [Place::Wait, Place::Submit, Place::Stream, Place::Socket, Place::Psbt] {
            while let Ok(it) = one.take(place) {
                held.push(it);
            }
            assert!(other.take(place).is_ok() && everything.take(place).is_ok(), "{place:?}");
        }
        let mut asked = Vec::new();
        while let Ok(it) = one.ask(1) {
            asked.push(it);
        }
        assert!(asked.len() < usize::try_from(MAX_ASK_UNITS).unwrap() / 2);
        assert!(matches!(shares.of("one").ask(1), Err(RequestError::Share)), "it is the same caller");
        assert!(other.ask(1024 * 1024).is_ok() && everything.ask(1).is_ok());
        asked.pop();
        assert!(one.ask(1).is_ok(), "a place that is left is free");
    }

    /// What is there without waiting.
    async fn at_once<F: Future>(it: F) -> Option<F::Output> {
        let mut it = std::pin::pin!(it);
        std::future::poll_fn(|context| match it.as_mut().poll(context) {
            std::task::Poll::Ready(found) => std::task::Poll::Ready(Some(found)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }

    #[tokio::test]
    async fn a04_one_caller_never_reads_for_all_transactions_of_all() {
        let shares = Shares::default();
        let (one, other) = (shares.of("one"), shares.of("other"));
        let mut held = Vec::new();
        while let Some(place) = at_once(one.fill()).await {
            held.push(place.unwrap());
        }
        assert_eq!(held.len(), usize::try_from(MAX_OWN_FILLS).unwrap());
        assert!(at_once(other.fill()).await.is_some_and(|it| it.is_ok()));
        held.pop();
        assert!(at_once(one.fill()).await.is_some(), "a place that is left is free");
    }

    #[tokio::test]
    async fn a01_what_a_body_reads_has_a_bound_and_is_held_until_it_is_written() {
        let shares = Shares::default();
        let answering = Answering::new(shares.of(""));
        let long = || async { Ok(json!("x".repeat(MAX_ANSWER_BYTES - 2))) };
        let most = MAX_BODY_ANSWERS / MAX_ANSWER_BYTES;
        for _ in 0..most {
            assert!(answering.read(1, long()).await.is_ok());
        }
        let more = answering.read(1, async { Ok(json!(1)) }).await;
        assert!(matches!(more, Err(Unread::TooLong)), "{more:?}");
        let free = || shares.common.answers.available_permits();
        let all = usize::try_from(MAX_ANSWER_UNITS).unwrap();
        assert_eq!(free(), all - MAX_BODY_ANSWERS / ANSWER_UNIT_BYTES);
        let weighed = Weighed { bytes: Vec::new(), _room: answering };
        assert!(free() < all, "until it is written");
        drop(weighed);
        assert_eq!(free(), all);
    }
}
