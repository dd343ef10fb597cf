//! The people of the story, each with a connection of their own to the node.

use std::path::PathBuf;
use std::sync::Arc;

use alloy_primitives::{Address, U256};
use keystead_base::{Canonical, Name, RequestId, RequestNonce, Signed};
use keystead_devnet::{Devnet, DevnetServer};
use keystead_intent::{
    AccountRef, Action, Approval, Asset, AuthorityChange, GasTerms, Intent, KeyCeremony, RequestBatch,
    Transfer, Verdict,
};
use keystead_ledger::{Ledger, SignedCheckpoint};
use keystead_node::{
    ChainConfig, Config, EnclaveConfig, EndpointConfig, MemberConfig, NodeLimits, RunningNode, Silent,
};
use keystead_policy::PolicyVersion;
use keystead_wire::{
    EntryAnswer, Hello, Identity, KeyView, Limits, NodeClient, RequestStage, RequestView, Role, Target,
};

use super::home::{DEVICE, Home, VAULT, fill, now};
use super::sample::{CHAIN, ETHER};
use super::story::Story;
use super::{PATIENCE, Trouble};

/// The running parts.
pub(crate) struct Desk {
    /// Keys and files.
    pub(crate) home: Home,
    /// The chain.
    pub(crate) chain: DevnetServer,
    /// The node as the desk's service sees it.
    pub(crate) client: NodeClient,
    node: RunningNode,
    config: Config,
    nonce: u64,
}

impl Desk {
    /// Starts the chain and the node, whose enclave is a child process.
    pub(crate) async fn open(home: Home, story: &mut Story<'_>) -> Result<Self, Trouble> {
        let mut act = story.act("A node starts; its enclave is a process without files or network");
        let clock = Arc::new(|| now().seconds());
        let devnet = Devnet::new(CHAIN.0, now().seconds());
        let listen = ([127, 0, 0, 1], 0).into();
        let chain =
            DevnetServer::start(listen, devnet, clock).await.map_err(Trouble::of("starting the chain"))?;
        let config = config(&home, &chain)?;
        let node = keystead_node::run(config.clone(), Arc::new(Silent)).await;
        let node = node.map_err(Trouble::of("starting the node"))?;
        let client = connect(&home, &node, "desk", Role::Service).await?;
        let status = client.status().await.map_err(Trouble::of("asking the node how it is"))?;
        act.say(format!(
            "node     {} on {}, TLS 1.3 with X25519MLKEM768, pinned keys",
            status.node,
            node.address()
        ));
        let (on, off): (Vec<_>, Vec<_>) = status.protections.iter().partition(|it| it.status == "on");
        let names = |list: &[&keystead_wire::Protection]| {
            list.iter().map(|it| it.name.clone()).collect::<Vec<_>>().join(", ")
        };
        act.say(format!("enclave  {}", names(&on)));
        for protection in off {
            act.say(format!("         {} is {}: {}", protection.name, protection.status, protection.lost));
        }
        act.say("this cluster of one withstands no lying and no lost node: `keystead status` says so");
        act.expect("the node answers for the cluster that was founded", status.cluster == node.cluster());
        story.tell(act);
        Ok(Self { home, chain, client, node, config, nonce: 0 })
    }

    /// Stops the node and leaves the log where `keystead audit` finds it.
    pub(crate) async fn close(self) -> Result<PathBuf, Trouble> {
        let note = self.client.checkpoint().await.map_err(Trouble::of("asking for a checkpoint"))?;
        self.node.shutdown().await.map_err(Trouble::of("stopping the node"))?;
        let folder = self.home.folder.clone();
        if let Some(note) = note {
            let checkpoint = SignedCheckpoint::parse(&note).map_err(Trouble::of("reading the checkpoint"))?;
            let ledger =
                Ledger::open(&self.config.ledger_url()).await.map_err(Trouble::of("opening the ledger"))?;
            ledger
                .export(&folder.join("log"), &checkpoint)
                .await
                .map_err(Trouble::of("exporting the log"))?;
            ledger.close().await;
        }
        Ok(folder)
    }

    /// What this member asks for: the request as it stands afterwards.
    pub(crate) async fn ask(&self, who: &str, action: Action) -> Result<RequestView, Trouble> {
        let member = self.home.member(who)?;
        let mut nonce = [0; 16];
        fill(&mut nonce);
        let intent = Intent {
            cluster: self.node.cluster(),
            requester: member.name().clone(),
            nonce: RequestNonce(nonce),
            expires: now().plus_seconds(3600),
            action,
        };
        let signer = member.signer().map_err(Trouble::of("opening a key"))?;
        let batch = RequestBatch { intents: vec![intent] };
        let signed =
            Signed::new(batch, member.name().clone(), &signer).map_err(Trouble::of("signing a request"))?;
        let answers = self.client.submit(vec![keystead_decision::Entry::Requests(signed)]).await;
        match answers.map_err(Trouble::of("asking the node"))?.pop() {
            Some(EntryAnswer::Requests(mut views)) if views.len() == 1 => {
                views.pop().ok_or_else(|| Trouble::because("asking the node", "no answer"))
            }
            other => Err(Trouble::because("asking the node", format!("{other:?}"))),
        }
    }

    /// A change of authority that cleo asks for, and that ana and ben approve.
    pub(crate) async fn ceremony(&self, ceremony: KeyCeremony) -> Result<RequestView, Trouble> {
        let view = self.ask("cleo", Action::Authority(AuthorityChange::Key(ceremony))).await?;
        self.approve("ana", &view.request).await?;
        self.approve("ben", &view.request).await?;
        self.finished(&view.request).await
    }

    /// One person looks at a request with an own client, and approves it: the words that were read.
    pub(crate) async fn approve(&self, who: &str, request: &RequestId) -> Result<Vec<String>, Trouble> {
        let client = connect(&self.home, &self.node, who, Role::Person).await?;
        let detail = client.request(*request).await.map_err(Trouble::of("reading a request"))?;
        let detail =
            detail.ok_or_else(|| Trouble::because("reading a request", "the node does not know it"))?;
        let policy = in_force(&client).await?;
        let (digest, words) = read_for_oneself(&detail, &policy)?;
        let member = self.home.member(who)?;
        let approval = Approval {
            cluster: self.node.cluster(),
            request: *request,
            signing_digest: digest,
            policy_version: policy.number,
            verdict: Verdict::Approve,
            person: member.name().clone(),
            device: DEVICE.parse().map_err(Trouble::of("naming a device"))?,
            expires: now().plus_seconds(600),
        };
        let signer = member.signer().map_err(Trouble::of("opening a key"))?;
        let signed = Signed::new(approval, member.name().clone(), &signer)
            .map_err(Trouble::of("signing an approval"))?;
        let entry = keystead_decision::Entry::Approval(signed);
        client.submit(vec![entry]).await.map_err(Trouble::of("sending an approval"))?;
        Ok(words)
    }

    /// Waits until a request is over.
    pub(crate) async fn finished(&self, request: &RequestId) -> Result<RequestView, Trouble> {
        let view =
            self.client.wait(*request, PATIENCE).await.map_err(Trouble::of("waiting for a request"))?;
        let view =
            view.ok_or_else(|| Trouble::because("waiting for a request", "the node does not know it"))?;
        match view.stage {
            RequestStage::Waiting | RequestStage::Allowed => {
                Err(Trouble::because("waiting for a request", format!("it is still {}", view.stage.word())))
            }
            _ => Ok(view),
        }
    }

    /// The key `hot`.
    pub(crate) async fn hot(&self) -> Result<Option<KeyView>, Trouble> {
        let keys = self.client.keys().await.map_err(Trouble::of("reading the keys"))?;
        Ok(keys.into_iter().find(|key| key.name.as_str() == HOT))
    }

    /// A payment of wei at the next nonce.
    pub(crate) fn pay(&mut self, to: Address, wei: u128) -> Result<Action, Trouble> {
        let gas = self.gas();
        Ok(Action::Transfer(Transfer {
            account: account()?,
            chain: CHAIN,
            asset: Asset::Native,
            to,
            amount: wei.into(),
            gas,
        }))
    }

    /// Terms at the next nonce.
    pub(crate) fn gas(&self) -> GasTerms {
        GasTerms {
            nonce: self.nonce,
            gas_limit: 100_000,
            max_fee_per_gas: 2_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
        }
    }

    /// Executes signed bytes, as a coordinator would broadcast them: true when they succeeded.
    pub(crate) fn execute(&mut self, view: &RequestView) -> Result<bool, Trouble> {
        let Some(signed) = &view.signed else { return Ok(false) };
        let receipt =
            self.chain.chain().execute_raw(&signed.raw).map_err(Trouble::of("executing a transaction"))?;
        self.nonce += 1;
        Ok(receipt.outcome.is_success())
    }

    /// An account's wei.
    pub(crate) fn balance(&self, account: Address) -> U256 {
        self.chain.chain().balance(account)
    }

    /// Gives the first account of `hot` a hundred ether to work with.
    pub(crate) fn fund(&self, account: Address) {
        self.chain.chain().fund(account, U256::from(100 * ETHER));
    }
}

/// The policy in force, as the node has it; its number and digest stand in every header that a
/// quorum voted for.
async fn in_force(client: &NodeClient) -> Result<PolicyVersion, Trouble> {
    let document = client.policy(None).await.map_err(Trouble::of("reading the policy"))?;
    let document = document.ok_or_else(|| Trouble::because("reading the policy", "there is none"))?;
    PolicyVersion::from_document(&document).map_err(Trouble::of("reading the policy"))
}

/// INVARIANT S2: builds the bytes from the request, and reads words and digest from those bytes.
fn read_for_oneself(
    detail: &keystead_wire::RequestDetail,
    policy: &PolicyVersion,
) -> Result<(keystead_base::Digest, Vec<String>), Trouble> {
    let Some(address) = detail.address else {
        return Ok((detail.intent.digest(), vec![format!("{:?}", detail.intent.action)]));
    };
    let unsigned =
        keystead_chain::build(&detail.intent.action, address).map_err(Trouble::of("building a payload"))?;
    let registry = keystead_intent::AssetIndex::new(&policy.assets, &policy.contracts);
    let registry = registry.map_err(Trouble::of("reading the asset registry"))?;
    let effects = keystead_chain::explain(&unsigned, &registry);
    let book = &policy.address_book;
    let names = |address| book.iter().find(|it| it.address == address).map(|it| it.name.to_string());
    let words = keystead_chain::describe(&effects, &registry, &names);
    Ok((unsigned.signing_digest(), words.iter().map(ToString::to_string).collect()))
}

async fn connect(home: &Home, node: &RunningNode, who: &str, role: Role) -> Result<NodeClient, Trouble> {
    let member = home.member(who)?;
    let server = home.member("node-1")?.public().map_err(Trouble::of("reading the node's key"))?;
    let target = Target {
        address: node.address().to_string(),
        server: server.transport,
        identity: Identity::from_seed(&member.transport_seed())
            .map_err(Trouble::of("making a TLS identity"))?,
        hello: Hello::new(node.cluster(), role, 0),
        limits: Limits::default(),
    };
    NodeClient::connect(target).await.map_err(Trouble::of("connecting to the node"))
}

fn config(home: &Home, chain: &DevnetServer) -> Result<Config, Trouble> {
    let endpoint: Name = "devnet".parse().map_err(Trouble::of("naming an endpoint"))?;
    Ok(Config {
        data: home.folder.join("node"),
        genesis: home.folder.join("genesis.ks"),
        member: MemberConfig { key: home.key_file("node-1"), passphrase: home.passphrase_file("node-1") },
        enclave: EnclaveConfig {
            program: None,
            passphrase: home.passphrase_file(VAULT),
            require: Vec::new(),
        },
        ledger: None,
        listen: "127.0.0.1:0".to_owned(),
        chains: vec![ChainConfig {
            chain: CHAIN.0,
            agree: 1,
            endpoints: vec![EndpointConfig { name: endpoint, url: chain.url() }],
            confirmations: Some(1),
        }],
        limits: NodeLimits { settlement_seconds: 1, ..NodeLimits::default() },
    })
}

/// The first account of `hot`.
pub(crate) fn account() -> Result<AccountRef, Trouble> {
    Ok(AccountRef { key: HOT.parse().map_err(Trouble::of("naming a key"))?, index: 0 })
}

/// The story's key.
pub(crate) const HOT: &str = "hot";
