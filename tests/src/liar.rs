//! Somebody with a node's keys in the node's place, who speaks the real protocol and says what they like.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keystead_base::{Canonical as _, ClusterId, Digest, HybridSignature, Name, Secret, signing_message};
use keystead_consensus::{Abstention, Ballot, Claim, Message, Prevote, Proposal, Purpose, Step};
use keystead_decision::{Block, FreshAnswer, State, Strict, Vote, validate};
use keystead_wire::{
    Client, Hello, Identity, Limits, NodeClient, NodeReply, NodeRequest, Peer, PeerMessage, Role, Server,
    Target, pins,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::cluster::{NodeHome, Station};
use crate::fixture::{Desk, Member};

/// A liar. It listens where the node listened, and forgets whatever it said.
pub(crate) struct Liar {
    keys: Member,
    cluster: ClusterId,
    clients: BTreeMap<Name, Client>,
    heard: mpsc::UnboundedReceiver<(Name, Message)>,
    task: JoinHandle<()>,
}

impl Liar {
    /// Takes the place of a node that was stopped, and can talk to these ones.
    pub(crate) async fn in_place_of(home: &NodeHome, keys: Member, others: &[&Station]) -> Self {
        let identity = identity(&keys);
        let cluster = home.genesis.genesis.cluster();
        let hello = Hello::new(cluster, Role::Node, 9);
        let listen = home.config.listen.as_str();
        let server = Server::bind(listen, &identity, known(&home.desk), hello).await.expect("its port");
        let target =
            |other: &&Station| (node_name(other), Client::new(target(other, &keys)).expect("a client"));
        let clients: BTreeMap<Name, Client> = others.iter().map(target).collect();
        let (hears, heard) = mpsc::unbounded_channel();
        let answers = clients.clone();
        let handler = move |peer: Arc<Peer>, request: Vec<u8>| {
            let (hears, answers) = (hears.clone(), answers.clone());
            async move { take(&peer.name, &request, &hears, &answers) }
        };
        let task = tokio::spawn(server.serve(handler));
        Self { keys, cluster, clients, heard, task }
    }

    /// Its name in the roster.
    pub(crate) fn name(&self) -> &Name {
        &self.keys.name
    }

    /// Tells one node something; it is in that node's queue when this returns.
    pub(crate) async fn say(&self, to: &Station, message: Message) {
        let client = &self.clients[&node_name(to)];
        let request = NodeRequest::Peer(vec![document(message)]).to_document();
        // A node that was started again ends the connection that there was.
        let reply = loop {
            match client.call_within(request.clone(), PATIENCE).await {
                Ok(reply) => break reply,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(NodeReply::from_document(&reply), Ok(NodeReply::Heard));
    }

    /// The next word that some node says to it.
    pub(crate) async fn hears(&mut self) -> (Name, Message) {
        self.heard.recv().await.expect("nodes that talk")
    }

    /// How far a node is once it has heard all that was said to it before.
    pub(crate) async fn height_of(&mut self, station: &Station) -> u64 {
        self.say(station, Message::Head { height: 0, seen: None, purpose: Purpose::Asks }).await;
        loop {
            if let Message::Head { height, purpose: Purpose::Answers, .. } = self.hears().await.1 {
                return height;
            }
        }
    }

    /// A vote of its own, for whatever.
    pub(crate) fn ballot(&self, step: Step, (height, round): (u64, u32), header: Option<Digest>) -> Ballot {
        let (cluster, boot) = (self.cluster, 0);
        let digest = match (step, header) {
            (Step::Prevote, header) => Prevote { cluster, height, round, header, boot }.digest(),
            (Step::Precommit, Some(header)) => Vote { cluster, height, round, header, boot }.digest(),
            (Step::Precommit, None) => Abstention { cluster, height, round, boot }.digest(),
        };
        let (node, signature) = (self.keys.name.clone(), self.sign(&digest));
        Ballot { step, height, round, header, node, signature }
    }

    /// A proposal of its own.
    pub(crate) fn proposal(&self, round: u32, block: &Block) -> Message {
        let (cluster, height, header) = (self.cluster, block.header.height, block.header.digest());
        let claim = Claim { cluster, height, round, valid_round: None, header, boot: 0 };
        let (node, signature) = (self.keys.name.clone(), self.sign(&claim.digest()));
        let proposal = Proposal { height, round, valid_round: None, header, node, signature };
        Message::Proposal { proposal: Box::new(proposal), block: Box::new(block.clone()) }
    }

    /// Its word on the newest head.
    pub(crate) fn fresh_word(&self, nonce: Digest, head: keystead_decision::Commit) -> FreshAnswer {
        let (node, key) = (self.keys.name.clone(), &self.keys.signer);
        FreshAnswer::by_node(self.cluster, nonce, Some(head), node, key).expect("a word")
    }

    fn sign(&self, digest: &Digest) -> HybridSignature {
        self.keys.signer.sign(&signing_message(digest)).expect("a signature")
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a node answers to whoever comes with another node's keys.
pub(crate) fn as_node(station: &Station, keys: &Member) -> NodeClient {
    NodeClient::new(target(station, keys)).expect("a client")
}

/// The state after all that a node committed, computed again from its blocks.
pub(crate) async fn state_of(station: &Station) -> State {
    let mut state = State::genesis(&station.home.genesis.genesis).expect("a policy that compiles");
    let client = station.client("eve").await;
    loop {
        let blocks = client.blocks(state.height() + 1, 256).await.expect("blocks");
        if blocks.is_empty() {
            return state;
        }
        for block in blocks {
            let block = Block { header: block.commit.header, entries: block.entries };
            state = validate(&state, block, &Strict::default()).expect("a valid block").state;
        }
    }
}

/// Takes what nodes say; whoever asks what it said before hears that nobody knows of anything.
fn take(
    from: &Name,
    request: &[u8],
    hears: &mpsc::UnboundedSender<(Name, Message)>,
    clients: &BTreeMap<Name, Client>,
) -> Vec<u8> {
    let Ok(NodeRequest::Peer(documents)) = NodeRequest::from_document(request) else {
        return NodeReply::Heard.to_document();
    };
    for document in documents {
        let Ok(PeerMessage::Consensus(message)) = PeerMessage::from_document(&document) else { continue };
        if let (Message::Head { height, purpose: Purpose::Asks, .. }, Some(client)) =
            (message.as_ref(), clients.get(from))
        {
            forget(client.clone(), *height);
        }
        // Nobody listens once the attack is over.
        let _ = hears.send((from.clone(), *message));
    }
    NodeReply::Heard.to_document()
}

fn forget(client: Client, height: u64) {
    let answer = Message::Head { height, seen: None, purpose: Purpose::Answers };
    let request = NodeRequest::Peer(vec![document(answer)]).to_document();
    tokio::spawn(async move { client.call_within(request, PATIENCE).await });
}

fn document(message: Message) -> Vec<u8> {
    PeerMessage::Consensus(Box::new(message)).to_document()
}

fn target(station: &Station, keys: &Member) -> Target {
    let hello = Hello::new(station.node.cluster(), Role::Node, 9);
    let limits = Limits { handshake: PATIENCE, frame: PATIENCE, call: PATIENCE, ..Limits::default() };
    Target { identity: identity(keys), hello, limits, ..station.target(station.member("eve")) }
}

fn node_name(station: &Station) -> Name {
    station.node_member().name.clone()
}

fn identity(keys: &Member) -> Identity {
    Identity::from_seed(&Secret::new(keys.transport_seed)).expect("a seed")
}

fn known(desk: &Desk) -> keystead_wire::Pins {
    pins(desk.nodes.iter().map(|node| (node.transport().0.0, node.name.clone())))
}

const PATIENCE: Duration = Duration::from_secs(120);
