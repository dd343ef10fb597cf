//! What a connection runs over: a socket, or a line that somebody else carries. TLS trusts neither.

use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::WireError;

/// A stream of bytes between two ends.
pub trait Road: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Road for T {}

/// Any of them.
pub type AnyRoad = Box<dyn Road>;

/// A road that is being opened.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<AnyRoad, WireError>> + Send + 'a>>;

/// Opens a road to one server, as often as one is needed.
pub trait Dial: Send + Sync {
    /// A new road. Whoever is at its other end has yet to prove that it is the server.
    fn dial(&self) -> Opening<'_>;
}

/// Over a socket of its own, to `host:port`.
pub(crate) struct Socket(pub(crate) String);

impl Dial for Socket {
    fn dial(&self) -> Opening<'_> {
        Box::pin(async move {
            let socket = TcpStream::connect(&self.0).await?;
            socket.set_nodelay(true)?;
            Ok(Box::new(socket) as AnyRoad)
        })
    }
}
