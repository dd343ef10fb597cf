//! A stream of bytes in pieces: each is a request, and its reply says that the other end has taken it.

use async_nats::{Client, Subject, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use keystead_wire::AnyRoad;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf, duplex, split};

/// This end of a road, whose other end is not known yet.
pub(crate) struct Opening {
    client: Client,
    inbox: String,
    pieces: Subscriber,
}

impl Opening {
    /// An inbox for the pieces to this end.
    pub(crate) async fn begin(client: &Client) -> Option<Self> {
        let inbox = client.new_inbox();
        let pieces = client.subscribe(inbox.clone()).await.ok()?;
        Some(Self { client: client.clone(), inbox, pieces })
    }

    /// Where the other end sends its pieces.
    pub(crate) fn inbox(&self) -> &str {
        &self.inbox
    }

    /// The road to the end that takes its pieces at `to`.
    pub(crate) fn join(self, to: Subject) -> AnyRoad {
        let (near, far) = duplex(PIECE_BYTES);
        let (from, into) = split(far);
        let Self { client, pieces, .. } = self;
        tokio::spawn(async move {
            // Either direction that fails ends the road: half of one is of no use to TLS.
            tokio::select! {
                () = send(&client, to, from) => {}
                () = take(&client, pieces, into) => {}
            }
        });
        Box::new(near)
    }
}

/// An inbox that another end named. Whoever could put more than a plain word there would speak to the broker in our name.
pub(crate) fn inbox(named: &[u8]) -> Option<Subject> {
    let named = std::str::from_utf8(named).ok().filter(|it| it.len() <= MAX_INBOX_BYTES)?;
    let words = named.strip_prefix("_INBOX.")?.split('.');
    let plain = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    words.clone().all(plain).then(|| Subject::from(named.to_owned()))
}

/// A road to the end that takes its pieces at `to`, and the inbox of this end.
pub(crate) async fn road(client: &Client, to: Subject) -> Option<(AnyRoad, String)> {
    let opening = Opening::begin(client).await?;
    let inbox = opening.inbox().to_owned();
    Some((opening.join(to), inbox))
}

/// Until the stream ends, which the last piece says: it is empty.
async fn send(client: &Client, to: Subject, mut from: ReadHalf<DuplexStream>) {
    let mut buffer = vec![0; PIECE_BYTES];
    while let Ok(read) = from.read(&mut buffer).await {
        let piece = Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default());
        let taken = client.request(to.clone(), piece).await;
        if read == 0 || taken.is_err() {
            return;
        }
    }
}

/// Until an empty piece comes, or nobody reads any more.
async fn take(client: &Client, mut pieces: Subscriber, mut into: WriteHalf<DuplexStream>) {
    while let Some(piece) = pieces.next().await {
        // A larger one than this end would send is nobody's honest piece.
        let strange = piece.payload.len() > PIECE_BYTES;
        let over = strange || piece.payload.is_empty() || into.write_all(&piece.payload).await.is_err();
        if let Some(reply) = piece.reply {
            // Whoever sent it waits no longer than it likes.
            let _ = client.publish(reply, Bytes::new()).await;
        }
        if over {
            return;
        }
    }
}

/// Inboxes have some thirty.
const MAX_INBOX_BYTES: usize = 64;
/// Of one piece: brokers take a megabyte.
const PIECE_BYTES: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a01_nobody_speaks_to_the_broker_in_our_name() {
        for (named, fits) in [
            ("_INBOX.Zk1xq0", true),
            ("_INBOX.Zk1xq0.7", true),
            ("keystead.cluster.node-1", false),
            ("_INBOX.", false),
            ("_INBOX.*", false),
            ("_INBOX.>", false),
            ("_INBOX.a 0\r\n\r\nPUB x 0", false),
            ("_INBOX.a\tb", false),
        ] {
            assert_eq!(inbox(named.as_bytes()).is_some(), fits, "{named:?}");
        }
        assert_eq!(inbox(format!("_INBOX.{}", "a".repeat(MAX_INBOX_BYTES)).as_bytes()), None);
    }
}
