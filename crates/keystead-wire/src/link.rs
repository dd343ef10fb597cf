//! One kept connection on which many calls are in flight.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{BufReader, BufWriter, ReadHalf, WriteHalf, split};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

use crate::frame::{self, MAX_FRAME_BYTES};
use crate::limits::MAX_QUEUED_FRAMES;
use crate::road::AnyRoad;
use crate::{Hello, WireError};

/// One connection. Dropping it ends it, and every open call with it.
pub(crate) struct Link {
    pub(crate) hello: Hello,
    outbox: mpsc::Sender<(u64, Vec<u8>)>,
    replies: Arc<Replies>,
    tasks: [JoinHandle<()>; 2],
}

impl Link {
    pub(crate) fn start(stream: TlsStream<AnyRoad>, hello: Hello, limit: Duration) -> Self {
        let (reader, writer) = split(stream);
        let (outbox, queue) = mpsc::channel(MAX_QUEUED_FRAMES);
        let replies = Arc::new(Replies::default());
        let (reads, writes) = (Arc::clone(&replies), Arc::clone(&replies));
        let tasks = [
            tokio::spawn(async move { reads.close(read_replies(reader, &reads, limit).await) }),
            tokio::spawn(async move { writes.close(write_requests(writer, queue, limit).await) }),
        ];
        Self { hello, outbox, replies, tasks }
    }

    pub(crate) async fn exchange(&self, request: Vec<u8>) -> Result<Vec<u8>, WireError> {
        let (call, reply) = self.replies.open()?;
        let _forget = Forget { replies: &self.replies, call };
        self.outbox.send((call, request)).await.map_err(|_| self.replies.reason())?;
        reply.await.unwrap_or_else(|_| Err(self.replies.reason()))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.replies.is_closed()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn read_replies(
    reader: ReadHalf<TlsStream<AnyRoad>>,
    replies: &Replies,
    limit: Duration,
) -> Result<(), WireError> {
    let mut reader = BufReader::new(reader);
    while let Some(length) = frame::read_length(&mut reader, MAX_FRAME_BYTES, limit).await? {
        let (call, reply) = frame::split_call(frame::read_body(&mut reader, length, limit).await?)?;
        replies.answer(call, reply)?;
    }
    Err(WireError::Closed)
}

async fn write_requests(
    writer: WriteHalf<TlsStream<AnyRoad>>,
    mut queue: mpsc::Receiver<(u64, Vec<u8>)>,
    limit: Duration,
) -> Result<(), WireError> {
    let mut writer = BufWriter::new(writer);
    while let Some((call, request)) = queue.recv().await {
        frame::write_call(&mut writer, call, &request, limit).await?;
        if queue.is_empty() {
            frame::flush(&mut writer, limit).await?;
        }
    }
    Ok(())
}

type Reply = Result<Vec<u8>, WireError>;

/// The calls that wait.
#[derive(Default)]
struct Replies(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    next: u64,
    calls: HashMap<u64, oneshot::Sender<Reply>>,
    ended: Option<WireError>,
}

impl Replies {
    fn open(&self) -> Result<(u64, oneshot::Receiver<Reply>), WireError> {
        let mut waiting = self.lock();
        if let Some(reason) = &waiting.ended {
            return Err(reason.clone());
        }
        let (sender, receiver) = oneshot::channel();
        let call = waiting.next;
        waiting.next = call.saturating_add(1);
        waiting.calls.insert(call, sender);
        Ok((call, receiver))
    }

    /// A reply may come after its caller gave up; one to a call never made is the peer's fault.
    fn answer(&self, call: u64, reply: Vec<u8>) -> Result<(), WireError> {
        let mut waiting = self.lock();
        if call >= waiting.next {
            return Err(WireError::UnknownCall { found: call });
        }
        if let Some(caller) = waiting.calls.remove(&call) {
            // The caller may be gone at this very moment.
            let _ = caller.send(Ok(reply));
        }
        Ok(())
    }

    fn close(&self, ended: Result<(), WireError>) {
        let mut waiting = self.lock();
        let reason = waiting.ended.get_or_insert(ended.err().unwrap_or(WireError::Closed)).clone();
        for (_, caller) in waiting.calls.drain() {
            let _ = caller.send(Err(reason.clone()));
        }
    }

    fn reason(&self) -> WireError {
        self.lock().ended.clone().unwrap_or(WireError::Closed)
    }

    fn is_closed(&self) -> bool {
        self.lock().ended.is_some()
    }

    fn forget(&self, call: u64) {
        self.lock().calls.remove(&call);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a call whose caller stopped waiting.
struct Forget<'a> {
    replies: &'a Replies,
    call: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.replies.forget(self.call);
    }
}
