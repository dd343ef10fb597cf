//! A broker, and how nodes find one another at it.

use std::fmt;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Subject};
use bytes::Bytes;
use futures_util::StreamExt as _;
use keystead_base::{ClusterId, Name, Secret};
use keystead_wire::{AnyRoad, Dial, Opening, WireError};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::NatsError;
use crate::carry;

/// A connection to a broker, which is made anew whenever it ends. Clones share it.
#[derive(Clone)]
pub struct Broker {
    client: Client,
    cluster: ClusterId,
}

impl Broker {
    /// The broker at this URL (`nats://host:port`, or `tls://host:port`), which may ask who this node is. It need not be there
    /// yet.
    ///
    /// # Errors
    ///
    /// [`NatsError`] when the URL does not do.
    pub async fn connect(url: &str, login: Option<Login>, cluster: ClusterId) -> Result<Self, NatsError> {
        let options = ConnectOptions::new()
            .retry_on_initial_connect()
            .request_timeout(Some(ANSWER_TIME))
            .subscription_capacity(MAX_WAITING_PIECES);
        let options = match login {
            Some(Login { user, password }) => {
                options.user_and_password(user, password.expose().as_str().to_owned())
            }
            None => options,
        };
        let client = options.connect(url).await;
        let client = client.map_err(|error| NatsError::Broker { reason: error.to_string() })?;
        Ok(Self { client, cluster })
    }

    /// The roads that others open to this node, from now on. Whoever opens one has yet to prove who it is.
    ///
    /// # Errors
    ///
    /// [`NatsError`] when the broker does not take the subscription.
    pub async fn roads_to(&self, node: &Name) -> Result<mpsc::Receiver<AnyRoad>, NatsError> {
        let calls = self.client.subscribe(self.subject(node)).await;
        let mut calls = calls.map_err(|error| NatsError::Broker { reason: error.to_string() })?;
        let (opened, roads) = mpsc::channel(MAX_WAITING_ROADS);
        let client = self.client.clone();
        tokio::spawn(async move {
            while let Some(call) = calls.next().await {
                // A full queue is answered by silence, and an answer that nobody can have is none.
                let (Ok(place), Some(answer)) = (opened.try_reserve(), call.reply) else { continue };
                let Some(caller) = carry::inbox(&call.payload) else { continue };
                if let Some((road, inbox)) = carry::road(&client, caller).await {
                    let told = client.publish(answer, inbox.into_bytes().into()).await;
                    if told.is_ok() {
                        place.send(road);
                    }
                }
                if opened.is_closed() {
                    return;
                }
            }
        });
        Ok(roads)
    }

    /// Opens roads to a node.
    #[must_use]
    pub fn to(&self, node: Name) -> OverBroker {
        OverBroker { broker: self.clone(), node }
    }

    fn subject(&self, node: &Name) -> Subject {
        Subject::from(format!("keystead.{}.{node}", self.cluster.0))
    }

    async fn open(&self, node: &Name) -> Result<AnyRoad, WireError> {
        let asked = carry::Opening::begin(&self.client).await.ok_or(WireError::Closed)?;
        let call = Bytes::copy_from_slice(asked.inbox().as_bytes());
        let answered = timeout(ANSWER_TIME, self.client.request(self.subject(node), call)).await;
        let answer = answered.map_err(|_| WireError::Closed)?.map_err(|_| WireError::Closed)?;
        let to = carry::inbox(&answer.payload).ok_or(WireError::Protocol)?;
        Ok(asked.join(to))
    }
}

/// Who this node is at its broker. It opens nothing but the broker: nodes prove themselves to one another by their own keys.
#[derive(Debug)]
pub struct Login {
    user: String,
    password: Secret<String>,
}

impl Login {
    /// Reads `user:password`, on one line.
    ///
    /// # Errors
    ///
    /// [`NatsError::Login`] for anything else.
    pub fn parse(text: &str) -> Result<Self, NatsError> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let plain = !line.contains(char::is_control) && line.len() <= MAX_LOGIN_BYTES;
        match line.split_once(':') {
            Some((user, password)) if plain && !user.is_empty() && !password.is_empty() => {
                Ok(Self { user: user.to_owned(), password: Secret::new(password.to_owned()) })
            }
            _ => Err(NatsError::Login),
        }
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// Reaches one node over a broker.
#[derive(Clone, Debug)]
pub struct OverBroker {
    broker: Broker,
    node: Name,
}

impl Dial for OverBroker {
    fn dial(&self) -> Opening<'_> {
        Box::pin(self.broker.open(&self.node))
    }
}

/// Roads that nobody has taken yet; a further one is not opened.
const MAX_WAITING_ROADS: usize = 32;
/// How long a piece may take to be taken.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Pieces of one road that wait here; its other end waits for an answer to each, so that more come from nobody honest, and are
/// lost.
const MAX_WAITING_PIECES: usize = 32;
/// A user and a password.
const MAX_LOGIN_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_a_user_and_a_password_on_one_line() {
        for (text, fits) in [
            ("node-1:secret\n", true),
            ("node-1:se:cret", true),
            ("node-1", false),
            ("node-1:", false),
            (":secret", false),
            ("node-1:secret\nnode-2:other\n", false),
        ] {
            assert_eq!(Login::parse(text).is_ok(), fits, "{text:?}");
        }
        let shown = format!("{:?}", Login::parse("node-1:hush").unwrap());
        assert!(!shown.contains("hush"), "{shown}");
    }
}
