//! A way to a node: directly, or through a coordinator that carries bytes it cannot change unnoticed.

use std::time::Duration;

use keystead_base::{Canonical as _, Digest, Name, RequestId};
use keystead_decision::Entry;
use keystead_node::PeerConfig;
use keystead_policy::{PolicyVersion, Roster};
use keystead_transmit::{Endpoint, EndpointError, Limits as EndpointLimits, Roots};
use keystead_wire::{
    Client, DrillReport, EntryAnswer, Hello, ImportReport, KeyPage, KeyView, Limits, MAX_LISTED_KEYS,
    NodeReply, NodeRequest, NodeStatus, RequestDetail, RequestView, Role, SentBlock, Target,
};
use serde_json::json;

use crate::config::Config;
use crate::failure::{Advise as _, Failure};
use crate::member::{self, Member};
use crate::{outside, reading};

/// The way.
pub(crate) enum Link {
    /// Our own pinned connection.
    Direct(Client),
    /// The URL of a coordinator.
    Relay(Endpoint),
}

/// Takes the content out of the one fitting reply.
macro_rules! ask {
    ($self:ident, $request:expr, $kind:ident) => {
        match $self.ask(&$request).await? {
            NodeReply::$kind(content) => Ok(content),
            _ => Err(unfit()),
        }
    };
}

impl Link {
    /// Connects as `member`, to the nodes of the configuration or to one that is named.
    pub(crate) async fn direct(
        config: &Config,
        member: &Member,
        role: Role,
        chosen: Option<&str>,
    ) -> Result<Self, Failure> {
        let founders = member::roster(config)?;
        let first = match targets_in(config, &founders, member, role, chosen) {
            Ok(targets) => Self::among(targets).await,
            Err(failure) => Err(failure),
        };
        match (first, chosen) {
            (Err(failure), Some(_)) => {
                let joined = Self::joined(config, member, role, chosen).await;
                joined.map_err(|_| failure)
            }
            (first, _) => first,
        }
    }

    /// INVARIANT S13: the key of a node that joined, or took a name over, after the founding is the one of the roster
    /// in force, each change of which is verified from the pinned genesis on. The other nodes show it.
    async fn joined(
        config: &Config,
        member: &Member,
        role: Role,
        chosen: Option<&str>,
    ) -> Result<Self, Failure> {
        let others = Self::among(targets(config, member, role, None)?).await?;
        let roster = reading::policy_in_force(config, &others).await?.roster;
        Self::among(targets_in(config, &roster, member, role, chosen)?).await
    }

    async fn among(targets: Vec<Target>) -> Result<Self, Failure> {
        let shown: Vec<_> = targets.iter().map(|target| target.address.as_str()).collect();
        let next = format!(
            "is the node running? `keystead node` or `keystead up` start it; tried {}",
            shown.join(", ")
        );
        Ok(Self::Direct(Client::among(targets)?.connected().await.advise(&next)?))
    }

    /// Goes through a coordinator, with its token if it wants one.
    pub(crate) fn relay(config: &Config, url: &str) -> Result<Self, Failure> {
        let name = RELAY_NAME.parse()?;
        let limits = EndpointLimits { time: RELAY_TIME, ..EndpointLimits::default() };
        let roots = Roots::named(config.client.ca.as_ref());
        let token = config.client.token.as_deref().map(outside::passphrase).transpose()?;
        Ok(Self::Relay(Endpoint::with_token(name, url, limits, &roots, token.as_ref())?))
    }

    pub(crate) async fn submit(&self, entry: Entry) -> Result<EntryAnswer, Failure> {
        let answers: Vec<EntryAnswer> = ask!(self, NodeRequest::Submit(vec![entry]), Submitted)?;
        match answers.into_iter().next() {
            Some(EntryAnswer::Refused(refused)) => {
                let next = "the log has no trace of it; change what was sent and try again";
                Err(Failure::new(&refused.code, refused.text, next))
            }
            Some(answer) => Ok(answer),
            None => Err(unfit()),
        }
    }

    pub(crate) async fn request(&self, id: RequestId) -> Result<RequestDetail, Failure> {
        let detail: Option<Box<RequestDetail>> = ask!(self, NodeRequest::Request(id), Request)?;
        detail.map(|it| *it).ok_or_else(|| unknown(id))
    }

    /// The request as soon as it is over, or as it stands when time is up.
    pub(crate) async fn wait(&self, id: RequestId, limit: Duration) -> Result<RequestView, Failure> {
        let start = std::time::Instant::now();
        loop {
            let left = limit.saturating_sub(start.elapsed());
            let millis = u32::try_from(left.min(ONE_WAIT).as_millis()).unwrap_or(u32::MAX);
            let view: Option<Box<RequestView>> =
                ask!(self, NodeRequest::Wait { request: id, millis }, Waited)?;
            let view = view.ok_or_else(|| unknown(id))?;
            if view.stage.is_over() || view.refusal.is_some() || start.elapsed() >= limit {
                return Ok(*view);
            }
        }
    }

    pub(crate) async fn open(&self) -> Result<Vec<RequestView>, Failure> {
        ask!(self, NodeRequest::Open, Open)
    }

    pub(crate) async fn status(&self) -> Result<NodeStatus, Failure> {
        ask!(self, NodeRequest::Status, Status).map(|status: Box<NodeStatus>| *status)
    }

    /// All keys by name, a page after the other.
    pub(crate) async fn keys(&self) -> Result<Vec<KeyView>, Failure> {
        let mut keys: Vec<KeyView> = Vec::new();
        loop {
            let after = keys.last().map(|key| key.name.clone());
            let page: KeyPage = ask!(self, NodeRequest::Keys { after: after.clone() }, Keys)?;
            if !page.goes_on(after.as_ref()) {
                return Err(unfit());
            }
            keys.extend(page.keys);
            match page.more {
                false => return Ok(keys),
                true if keys.len() >= MAX_LISTED_KEYS => return Err(unfit()),
                true => {}
            }
        }
    }

    pub(crate) async fn key(&self, name: &Name) -> Result<Option<KeyView>, Failure> {
        let found: Option<Box<KeyView>> = ask!(self, NodeRequest::Key(name.clone()), Key)?;
        match found {
            Some(key) if key.name != *name => Err(unfit()),
            found => Ok(found.map(|key| *key)),
        }
    }

    /// A policy version; the one in force without a number.
    pub(crate) async fn policy(&self, number: Option<u64>) -> Result<PolicyVersion, Failure> {
        let document: Option<Vec<u8>> = ask!(self, NodeRequest::Policy(number), Policy)?;
        let document = document.ok_or_else(|| {
            Failure::usage("there is no such policy version", "`keystead policy show` shows the one in force")
        })?;
        Ok(PolicyVersion::from_document(&document)?)
    }

    pub(crate) async fn blocks(&self, from: u64) -> Result<Vec<SentBlock>, Failure> {
        ask!(self, NodeRequest::Blocks { from, limit: keystead_wire::MAX_SENT_BLOCKS }, Blocks)
    }

    /// One block; none when the log has not reached it.
    pub(crate) async fn block(&self, height: u64) -> Result<Option<SentBlock>, Failure> {
        let blocks: Vec<SentBlock> = ask!(self, NodeRequest::Blocks { from: height, limit: 1 }, Blocks)?;
        Ok(blocks.into_iter().next())
    }

    pub(crate) async fn checkpoint(&self) -> Result<Option<String>, Failure> {
        ask!(self, NodeRequest::Checkpoint, Checkpoint)
    }

    pub(crate) async fn backup(&self, digest: Digest) -> Result<Vec<u8>, Failure> {
        let file: Option<Vec<u8>> = ask!(self, NodeRequest::Backup(digest), Backup)?;
        file.ok_or_else(|| {
            Failure::usage("the node has no such backup", "make one with `keystead key backup`")
        })
    }

    pub(crate) async fn drill(&self, report: DrillReport) -> Result<EntryAnswer, Failure> {
        ask!(self, NodeRequest::Drill(report), Drilled)
    }

    pub(crate) async fn import(&self, report: ImportReport) -> Result<EntryAnswer, Failure> {
        ask!(self, NodeRequest::Import(Box::new(report)), Imported)
    }

    pub(crate) async fn restore(&self, request: RequestId, file: Vec<u8>) -> Result<EntryAnswer, Failure> {
        ask!(self, NodeRequest::Restore { request, file }, Restored)
    }

    /// Has the coordinator on this way broadcast a request once it is signed; a direct way has none.
    pub(crate) async fn track(&self, id: RequestId) -> Result<bool, Failure> {
        match self {
            Self::Direct(_) => Ok(false),
            Self::Relay(endpoint) => Ok(endpoint.ask("keystead_track", json!([id])).await.map(|_| true)?),
        }
    }

    async fn ask(&self, request: &NodeRequest) -> Result<NodeReply, Failure> {
        let document = request.to_document();
        let reply = match self {
            Self::Direct(client) => client.call_within(document, CALL_TIME).await?,
            Self::Relay(endpoint) => {
                let asked = endpoint.ask("keystead_ask", json!([const_hex::encode_prefixed(document)])).await;
                let raw = asked.map_err(relayed)?;
                let text: String = serde_json::from_str(raw.get()).map_err(|_| unfit())?;
                const_hex::decode(text).map_err(|_| unfit())?
            }
        };
        match NodeReply::from_document(&reply)? {
            NodeReply::Refused(refused) => {
                Err(Failure::new(&refused.code, refused.text, "change what was asked, and try again"))
            }
            reply => Ok(reply),
        }
    }
}

/// Where the nodes are, and the key that each must prove: all of the configuration, or one that is chosen by its
/// name, its address, or both.
pub(crate) fn targets(
    config: &Config,
    member: &Member,
    role: Role,
    chosen: Option<&str>,
) -> Result<Vec<Target>, Failure> {
    targets_in(config, &member::roster(config)?, member, role, chosen)
}

/// The nodes of the configuration by name, for a coordinator that carries connections between them.
pub(crate) fn named_targets(config: &Config, member: &Member) -> Result<Vec<(Name, Target)>, Failure> {
    let roster = member::roster(config)?;
    let known = config.client.nodes.iter().filter(|peer| roster.node(&peer.name).is_some());
    let named = |peer: &PeerConfig| {
        let target = target(config, &roster, member, Role::Service, peer.clone())?;
        Ok((peer.name.clone(), target))
    };
    known.map(named).collect()
}

/// Those of `targets`, with the keys of a roster that was verified.
fn targets_in(
    config: &Config,
    roster: &Roster,
    member: &Member,
    role: Role,
    chosen: Option<&str>,
) -> Result<Vec<Target>, Failure> {
    let peers = match chosen {
        Some(text) => vec![choose(&config.client.nodes, roster, text)?],
        // Those that joined later are known once somebody was asked.
        None => {
            let mut peers = config.client.nodes.clone();
            peers.retain(|peer| roster.node(&peer.name).is_some());
            if peers.is_empty() { config.client.nodes.clone() } else { peers }
        }
    };
    peers.into_iter().map(|peer| target(config, roster, member, role, peer)).collect()
}

fn target(
    config: &Config,
    roster: &Roster,
    member: &Member,
    role: Role,
    peer: PeerConfig,
) -> Result<Target, Failure> {
    let node = roster.node(&peer.name).ok_or_else(|| stranger(&peer.name))?;
    Ok(Target {
        address: peer.address,
        server: node.transport.0.0,
        identity: member.identity.clone(),
        hello: Hello::new(config.cluster, role, 0),
        limits: Limits::default(),
    })
}

/// `NAME`, `HOST:PORT` of one that is configured or of the only node there is, or `NAME@HOST:PORT`.
fn choose(nodes: &[PeerConfig], roster: &Roster, text: &str) -> Result<PeerConfig, Failure> {
    if let Some((name, address)) = text.split_once('@') {
        return Ok(PeerConfig { name: name.parse()?, address: address.to_owned() });
    }
    let known = nodes.iter().find(|node| node.name.as_str() == text || node.address == text);
    match (known, roster.nodes.as_slice()) {
        (Some(node), _) => Ok(node.clone()),
        (None, [only]) => Ok(PeerConfig { name: only.name.clone(), address: text.to_owned() }),
        (None, _) => {
            let names: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
            let what = format!("expected one of {} or NAME@HOST:PORT, found {text:?}", names.join(", "));
            Err(Failure::usage(
                what,
                "the key that a node must prove is known by its name: `--node NAME@HOST:PORT`",
            ))
        }
    }
}

fn stranger(name: &Name) -> Failure {
    let what = format!("[client] names the node `{name}`, which the founders' roster does not");
    Failure::new("config.node", what, "name nodes as the roster does: `keystead roster show` lists them")
}

/// A coordinator that sends its caller away wants its token.
fn relayed(error: EndpointError) -> Failure {
    let refused = matches!(error, EndpointError::Status { found: 401 });
    let failure = Failure::from(error);
    match refused {
        true => Failure { next: TOKEN_WANTED.to_owned(), ..failure },
        false => failure,
    }
}

fn unfit() -> Failure {
    Failure::new("link.reply", "the node answered another question", "check that the address is a node's")
}

fn unknown(id: RequestId) -> Failure {
    Failure::new(
        "request.unknown",
        format!("no request {id} is known"),
        "`keystead request list` shows what waits",
    )
}

const TOKEN_WANTED: &str =
    "this coordinator wants its token: name the token's file as `token` under [client] in keystead.toml";
const RELAY_NAME: &str = "coordinator";
const ONE_WAIT: Duration = Duration::from_secs(20);
const CALL_TIME: Duration = Duration::from_secs(90);
const RELAY_TIME: Duration = Duration::from_secs(90);
