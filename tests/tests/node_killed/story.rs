//! One request's way, told again and again from the same folder; and what must still hold after each end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keystead_base::{ClusterId, Digest, RequestId, Secret};
use keystead_decision::{Entry, Outcome, Strict};
use keystead_intent::Freeze;
use keystead_ledger::{Auditor, StoredBlock};
use keystead_node::{Config, Silent, run};
use keystead_tests::cluster::{NodeHome, Station, ether, signed};
use keystead_tests::fixture::{ETHER, FRIEND, STRANGER, name};
use keystead_wire::{
    EntryAnswer, Hello, Identity, Limits, NodeClient, RequestStage, RequestView, Role, Target,
};

/// A node's folder with an active key, one request for it, and what is tried afterwards.
pub(crate) struct Story {
    home: NodeHome,
    cluster: ClusterId,
    request: Entry,
    id: RequestId,
    afterwards: Afterwards,
    raw: Vec<u8>,
}

/// What a node that recovered must still refuse, or keep waiting.
struct Afterwards {
    /// Another digest at the nonce of the request.
    other: Entry,
    /// To nobody of the address book.
    stranger: Entry,
    /// More than one person may move alone.
    large: Entry,
    freeze: Entry,
    /// Within all limits.
    small: Entry,
}

impl Story {
    pub(crate) async fn new() -> Self {
        let station = Station::with_hot_key().await;
        let now = station.now().await;
        let asked = |to, wei, nonce| station.entry(vec![station.intent("desk", ether(to, wei, nonce), now)]);
        let freeze = Freeze {
            cluster: station.node.cluster(),
            key: None,
            person: name("eve"),
            device: name("laptop"),
            expires: now.plus_seconds(3600),
        };
        let afterwards = Afterwards {
            other: asked(FRIEND, 2, 0),
            stranger: asked(STRANGER, 1, 1),
            large: asked(FRIEND, 2 * ETHER, 1),
            freeze: Entry::Freeze(signed(freeze, station.member("eve"))),
            small: asked(FRIEND, 1, 2),
        };
        let request = asked(FRIEND, 1, 0);
        let id = match &request {
            Entry::Requests(batch) => batch.body.intents[0].id(),
            other => panic!("{other:?}"),
        };
        let cluster = station.node.cluster();
        let home = station.stop().await;
        let mut story = Self { home, cluster, request, id, afterwards, raw: Vec::new() };
        let folder = tempfile::tempdir().unwrap();
        let config = story.copy(folder.path());
        story.raw = story.finish(config, false).await;
        story
    }

    /// A copy of the folder as it was before the request, with its configuration beside it.
    pub(crate) fn copy(&self, folder: &Path) -> Config {
        for file in std::fs::read_dir(&self.home.config.data).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
        let listen = "127.0.0.1:0".to_owned();
        let config = Config { data: folder.to_owned(), listen, ..self.home.config.clone() };
        std::fs::write(folder.join("config.json"), serde_json::to_string(&config).unwrap()).unwrap();
        config
    }

    /// Sends the request; whether an answer comes is the killer's choice.
    pub(crate) async fn ask(&self, address: &str) -> bool {
        let Ok(client) = self.connect(address).await else { return false };
        let answer = tokio::time::timeout(PATIENCE, client.submit(vec![self.request.clone()])).await;
        matches!(answer, Ok(Ok(_)))
    }

    /// Starts the node as anybody would: what was answered is there, the same request comes to the same bytes,
    /// and every guard stands.
    pub(crate) async fn recovers(&self, config: Config, answered: bool, killed_at: &str) {
        assert_eq!(self.finish(config, answered).await, self.raw, "killed at {killed_at}");
    }

    /// The signed bytes.
    async fn finish(&self, config: Config, answered: bool) -> Vec<u8> {
        let node = run(config, Arc::new(Silent)).await.unwrap();
        let client = self.connect(&node.address().to_string()).await.unwrap();
        let remembered = client.request(self.id).await.unwrap();
        assert!(
            remembered.is_some() || !answered,
            "INVARIANT S1: it was signed, and the log has forgotten it"
        );
        let view = self.stands(&client, &self.request).await;
        let view = match view.stage {
            RequestStage::Allowed => client.wait(view.request, PATIENCE).await.unwrap().unwrap(),
            _ => view,
        };
        assert_eq!(view.stage, RequestStage::Signed, "{view:?}");
        self.guards_stand(&client).await;
        self.audit(&client).await;
        node.shutdown().await.unwrap();
        view.signed.unwrap().raw.to_vec()
    }

    async fn guards_stand(&self, client: &NodeClient) {
        let Afterwards { other, stranger, large, freeze, small } = &self.afterwards;
        for (invariant, entry, expected) in [
            ("S4", other, RequestStage::Denied),
            ("S12", stranger, RequestStage::Denied),
            ("S11", large, RequestStage::Waiting),
        ] {
            let view = self.stands(client, entry).await;
            assert_eq!(view.stage, expected, "INVARIANT {invariant}: {view:?}");
        }
        let frozen = client.submit(vec![freeze.clone()]).await.unwrap();
        assert!(
            matches!(&frozen[0], EntryAnswer::Decided(it) if matches!(it[0].outcome, Outcome::Frozen { .. }))
        );
        let view = self.stands(client, small).await;
        assert_eq!(view.stage, RequestStage::Denied, "INVARIANT S14: {view:?}");
    }

    async fn stands(&self, client: &NodeClient, entry: &Entry) -> RequestView {
        match client.submit(vec![entry.clone()]).await.unwrap().pop() {
            Some(EntryAnswer::Requests(mut views)) => views.pop().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The whole log once more: every vote, every block by the rule that made it (S1–S3, S7–S13).
    async fn audit(&self, client: &NodeClient) {
        let strict = Strict::default();
        let mut auditor = Auditor::begin(&self.home.genesis, self.cluster, &strict).unwrap();
        let mut from = 1;
        loop {
            let blocks = client.blocks(from, 100).await.unwrap();
            if blocks.is_empty() {
                break;
            }
            from += blocks.len() as u64;
            for block in blocks {
                auditor.block(StoredBlock { commit: block.commit, entries: block.entries }).unwrap();
            }
        }
        assert!(auditor.finish().unwrap().blocks > 0);
    }

    async fn connect(&self, address: &str) -> Result<NodeClient, keystead_wire::WireError> {
        let desk = &self.home.desk;
        let Digest(server) = desk.nodes[0].transport().0;
        NodeClient::connect(Target {
            address: address.to_owned(),
            server,
            identity: Identity::from_seed(&Secret::new(desk.desk.transport_seed)).unwrap(),
            hello: Hello::new(self.cluster, Role::Service, 1),
            limits: Limits::default(),
        })
        .await
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
