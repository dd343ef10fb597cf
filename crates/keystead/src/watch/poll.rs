//! Asks each node on its own, so that one that is down holds up nobody's view of the others.

use std::time::Duration;

use keystead_base::Name;
use keystead_policy::Roster;
use keystead_wire::{Client, NodeStatus, Role, Target};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::failure::Failure;
use crate::link::{self, Link};
use crate::member::{self, Member};

/// A way to one node.
pub(crate) struct Door {
    address: String,
    /// Whom the configuration expects behind it.
    name: Option<Name>,
    link: Link,
}

/// What one node answered, or why it did not.
pub(crate) struct Seen {
    /// Which door, in the order in which they were given.
    pub(crate) door: usize,
    pub(crate) answer: Result<Box<NodeStatus>, Failure>,
}

impl Door {
    /// Its address, and whom to expect there.
    pub(crate) fn node(&self) -> (String, Option<Name>) {
        (self.address.clone(), self.name.clone())
    }

    /// Through a coordinator.
    pub(crate) fn relay(config: &Config, url: &str) -> Result<Self, Failure> {
        Ok(Self { address: url.to_owned(), name: None, link: Link::relay(config, url)? })
    }

    /// The node that is named, or every node that the configuration knows.
    pub(crate) fn direct(
        config: &Config,
        member: &Member,
        address: Option<&str>,
    ) -> Result<Vec<Self>, Failure> {
        let roster = member::roster(config)?;
        let targets = link::targets(config, member, Role::Person, address)?;
        targets.into_iter().map(|target| Self::to(target, &roster)).collect()
    }

    /// Connects with the first question, and anew whenever the connection ended.
    fn to(target: Target, roster: &Roster) -> Result<Self, Failure> {
        let node = roster.nodes.iter().find(|node| node.transport.0.0 == target.server);
        let (address, name) = (target.address.clone(), node.map(|node| node.name.clone()));
        Ok(Self { address, name, link: Link::Direct(Client::new(target)?) })
    }
}

/// Asks at every door, again and again, until nobody listens.
pub(crate) fn start(doors: Vec<Door>, every: Duration) -> mpsc::Receiver<Seen> {
    let (sender, receiver) = mpsc::channel(MAX_UNSEEN);
    for (door, way) in doors.into_iter().enumerate() {
        tokio::spawn(ask(door, way, every, sender.clone()));
    }
    receiver
}

async fn ask(door: usize, way: Door, every: Duration, seen: mpsc::Sender<Seen>) {
    loop {
        let answer = match timeout(ANSWER_TIME, way.link.status()).await {
            Ok(answer) => answer.map(Box::new),
            Err(_) => Err(Failure::new("watch.late", "no answer in time", "it is asked again")),
        };
        if seen.send(Seen { door, answer }).await.is_err() {
            return;
        }
        sleep(every).await;
    }
}

/// How long a node may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Answers that wait to be looked at.
const MAX_UNSEEN: usize = 64;
