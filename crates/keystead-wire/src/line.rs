//! Lines: how a coordinator carries a connection between two nodes that cannot reach each other (specs/wire.md).
//!
//! Whoever carries offers each node lines, which wait there. A node takes one, names another node on it, and from the answer on every
//! byte is carried to that node and back. On them the two nodes speak their own TLS with their own pins: the carrier sees
//! sizes and times, and can end a connection or delay it.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Name};
use rustls::pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::hello::{self, Greeting};
use crate::road::{AnyRoad, Dial, Opening};
use crate::{Peer, Stage, Target, TransportKey, WireError, tls};

/// The one word of a node on a line that waits.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct LineCall {
    /// Whom the line is to reach.
    pub node: Name,
}

impl Canonical for LineCall {
    const DOMAIN: &'static str = "keystead/line-call/v1";
}

/// The one word of the carrier on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum LineAnswer {
    /// From here on all bytes are carried.
    Joined,
    /// They are not, and the line ends.
    Refused(LineRefusal),
}

impl Canonical for LineAnswer {
    const DOMAIN: &'static str = "keystead/line-answer/v1";
}

/// Why a line does not reach a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum LineRefusal {
    /// The carrier knows no such node.
    Unknown,
    /// It does not reach the node either.
    Unreachable,
    /// It carries as much for the caller as it carries for anybody.
    Full,
}

impl fmt::Display for LineRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "it knows no such node",
            Self::Unreachable => "it does not reach the node either",
            Self::Full => "it carries no more for this node",
        })
    }
}

/// A line at the node to which it was offered.
pub struct Line {
    /// Who offered it, by a pinned key.
    pub peer: Arc<Peer>,
    pub(crate) road: AnyRoad,
}

impl Line {
    async fn reach(mut self, node: Name, limit: Duration) -> Result<AnyRoad, WireError> {
        hello::send(&mut self.road, &LineCall { node }, limit).await?;
        match hello::receive(&mut self.road, limit).await? {
            LineAnswer::Joined => Ok(self.road),
            LineAnswer::Refused(reason) => Err(WireError::Line(reason)),
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("peer", &self.peer.name).finish_non_exhaustive()
    }
}

/// The lines that wait at this node. Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<VecDeque<Line>>>);

impl Lines {
    /// Keeps a line until it is needed. Where too many wait the oldest of whoever has most goes: its carrier may be gone for
    /// long.
    ///
    /// INVARIANT D3: whoever offers many takes no place of another carrier's.
    pub fn park(&self, line: Line) {
        let mut lines = self.lock();
        let offered = line.peer.key;
        lines.push_back(line);
        while lines.iter().filter(|it| it.peer.key == offered).count() > MAX_PARKED_OF_ONE {
            let oldest = lines.iter().position(|it| it.peer.key == offered);
            oldest.and_then(|at| lines.remove(at));
        }
        while lines.len() > MAX_PARKED {
            let of = |line: &Line| lines.iter().filter(|it| it.peer.key == line.peer.key).count();
            let most = lines.iter().map(of).max().unwrap_or_default();
            let oldest = lines.iter().position(|it| of(it) == most);
            oldest.and_then(|at| lines.remove(at));
        }
    }

    /// Whether one waits.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.lock().is_empty()
    }

    /// The newest, the likeliest to live, of a carrier that was not tried yet; of those that were where no other one waits.
    pub(crate) fn take(&self, tried: &BTreeSet<TransportKey>) -> Option<Line> {
        let mut lines = self.lock();
        let untried = lines.iter().rposition(|it| !tried.contains(&it.peer.key));
        let at = untried.or_else(|| lines.len().checked_sub(1))?;
        lines.remove(at)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reaches one node over whatever line waits.
pub struct OverLines {
    lines: Lines,
    node: Name,
    limit: Duration,
    /// Who carries the last one that was joined.
    carrier: Mutex<Option<Name>>,
}

impl OverLines {
    /// To `node`; `limit` is how long one line may take.
    #[must_use]
    pub fn to(lines: Lines, node: Name, limit: Duration) -> Self {
        Self { lines, node, limit, carrier: Mutex::default() }
    }

    /// Who carries the connection, by its name.
    #[must_use]
    pub fn carrier(&self) -> Option<Name> {
        self.carrier.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn reach(&self) -> Result<AnyRoad, WireError> {
        let mut failure = WireError::NoLine;
        // Some may have ended while they waited, and another carrier may reach whom one does not.
        let mut tried = BTreeSet::new();
        for _ in 0..MAX_PARKED {
            let Some(line) = self.lines.take(&tried) else { break };
            tried.insert(line.peer.key);
            let carrier = line.peer.name.clone();
            let (node, limit) = (self.node.clone(), self.limit);
            let reached = timeout(limit, line.reach(node, limit)).await;
            match reached.unwrap_or(Err(WireError::Late { stage: Stage::Handshake, limit })) {
                Ok(road) => {
                    *self.carrier.lock().unwrap_or_else(PoisonError::into_inner) = Some(carrier);
                    return Ok(road);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

impl Dial for OverLines {
    fn dial(&self) -> Opening<'_> {
        Box::pin(self.reach())
    }
}

impl fmt::Debug for OverLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OverLines").field("node", &self.node).finish_non_exhaustive()
    }
}

/// A line at its carrier, who offered it.
pub struct Offer {
    road: AnyRoad,
    limit: Duration,
}

impl Offer {
    /// Offers a line to a node over this road, as whoever `target` names.
    ///
    /// # Errors
    ///
    /// [`WireError`] when the node is not the pinned one, or refuses.
    pub async fn over(road: AnyRoad, target: &Target) -> Result<Self, WireError> {
        let limit = target.limits.handshake;
        let offered = timeout(limit, Self::offer(road, target)).await;
        offered.unwrap_or(Err(WireError::Late { stage: Stage::Handshake, limit }))
    }

    async fn offer(road: AnyRoad, target: &Target) -> Result<Self, WireError> {
        let limit = target.limits.handshake;
        let config = tls::line_config(&target.identity, target.server)?;
        let nameless = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
        let mut stream = TlsConnector::from(Arc::new(config)).connect(nameless, road).await?;
        tls::proven_key(stream.get_ref().1)?;
        hello::send(&mut stream, &target.hello, limit).await?;
        match hello::receive(&mut stream, limit).await? {
            Greeting::Welcome(theirs) => target.hello.agrees_with(&theirs)?,
            Greeting::Refused(reason) => return Err(WireError::Refused(reason)),
        }
        Ok(Self { road: Box::new(stream), limit })
    }

    /// Waits, however long, until the node calls another one on it.
    ///
    /// # Errors
    ///
    /// [`WireError`] when the line ended, or what came is no call.
    pub async fn called(mut self) -> Result<(LineCall, Self), WireError> {
        let call = hello::receive(&mut self.road, self.limit).await?;
        Ok((call, self))
    }

    /// The other node is reached: from here on every byte is the two nodes' own.
    ///
    /// # Errors
    ///
    /// [`WireError`] when the line ended.
    pub async fn join(mut self) -> Result<AnyRoad, WireError> {
        hello::send(&mut self.road, &LineAnswer::Joined, self.limit).await?;
        Ok(self.road)
    }

    /// It is not.
    ///
    /// # Errors
    ///
    /// [`WireError`] when the line ended.
    pub async fn refuse(mut self, reason: LineRefusal) -> Result<(), WireError> {
        hello::send(&mut self.road, &LineAnswer::Refused(reason), self.limit).await
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer").finish_non_exhaustive()
    }
}

/// Lines that wait at a node.
const MAX_PARKED: usize = 8;
/// Of them, one carrier's: as many as it offers where it means well.
const MAX_PARKED_OF_ONE: usize = 2;
