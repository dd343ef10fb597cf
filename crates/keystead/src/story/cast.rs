//! Who plays: the chain, nodes, coordinator and people of one folder, all of them real.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alloy_primitives::{Address, address};
use keystead_base::{Name, RequestId};
use keystead_coordinator::HttpServer;
use keystead_decision::KeyState;
use keystead_devnet::DevnetServer;
use keystead_intent::{Action, ChainId, ContractEntry, ContractKind, Verdict};
use keystead_node::PeerConfig;
use keystead_transmit::{Endpoint, Limits, Roots};
use keystead_wire::Role;
use keystead_words::{Language, Library};

use super::Ending;
use crate::asking::{Speaker, standing};
use crate::commands::up::{thousand_ether, use_chain};
use crate::commands::{APPROVAL_LIFETIME, REQUEST_LIFETIME};
use crate::config::Config;
use crate::failure::Failure;
use crate::founding::{Founded, Plan, found};
use crate::link::Link;
use crate::member::{Files, Member};
use crate::output::Voice;
use crate::processes::{NodeProcess, homes, start_all};
use crate::sample::{self, World};
use crate::{machine, outside, reading, vaulting};

/// A destination of the address book.
pub(super) const EXCHANGE: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");
/// The token of the registry.
pub(super) const USDC: Address = address!("5FbDB2315678afecb367f032d93F642f64180aa3");
/// The Safe of the registry.
pub(super) const TREASURY: Address = address!("CF7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9");
/// The key.
pub(super) const KEY: &str = "hot";
/// The node whose enclave holds it.
pub(super) const HOME: &str = "node-4";
/// The chain's id.
pub(super) const CHAIN: u64 = 31337;

/// A person with keys and a connection.
pub(super) struct Player {
    pub(super) member: Member,
    pub(super) link: Link,
}

/// Everybody.
pub(super) struct Cast {
    pub(super) folder: PathBuf,
    pub(super) config: Config,
    pub(super) devnet: DevnetServer,
    pub(super) nodes: Vec<NodeProcess>,
    pub(super) coordinator: HttpServer,
    pub(super) wallet: Endpoint,
    pub(super) people: Vec<Player>,
    pub(super) account: Address,
    voice: Voice,
}

impl Cast {
    /// Founds a cluster and starts everything.
    pub(super) async fn assemble(folder: &Path, voice: Voice) -> Result<Self, Failure> {
        let plan = plan()?;
        let world = world()?;
        let founded =
            found(folder, &plan, voice, |roster, created| Ok(sample::policy(&world, roster, created)?))?;
        let mut config = Config::read(folder)?;
        let devnet = machine::devnet(CHAIN, 0).await?;
        use_chain(&mut config, CHAIN, &devnet.url());
        any_port(&mut config);
        voice.progress("four nodes start, each a process with an enclave of its own");
        let chain = format!("{CHAIN}={}", devnet.url());
        let nodes = start_all(homes(folder, &config), Some(&chain)).await?;
        let coordinator = machine::coordinator(&config, None).await?;
        let limits = Limits { time: Duration::from_secs(70), ..Limits::default() };
        let url = format!("http://{}", coordinator.address());
        let wallet = Endpoint::new("wallet".parse()?, &url, limits, &Roots::System)?;
        let people = players(&config, &founded).await?;
        let (folder, account) = (folder.to_owned(), Address::ZERO);
        Ok(Self { folder, config, devnet, nodes, coordinator, wallet, people, account, voice })
    }

    pub(super) fn introduction(&self) -> Vec<String> {
        let first = vec![
            format!("folder       {}", self.folder.display()),
            format!("cluster      {}", self.config.cluster),
        ];
        let nodes =
            self.nodes.iter().map(|node| format!("{:<12} {} (and its enclave)", node.name, node.address()));
        let others = [
            format!("coordinator  http://{} (holds no key)", self.coordinator.address()),
            format!("chain        {} (an Ethereum virtual machine in this process)", self.devnet.url()),
        ];
        first.into_iter().chain(nodes).chain(others).collect()
    }

    pub(super) async fn leave(self) -> Result<(), Failure> {
        drop(self.coordinator);
        for mut node in self.nodes {
            node.stop().await?;
        }
        Ok(())
    }

    pub(super) fn player(&self, index: usize) -> Result<&Player, Failure> {
        self.people
            .get(index)
            .ok_or_else(|| Failure::new("story.cast", "somebody is missing", "report this as a bug"))
    }

    pub(super) fn speaker<'a>(&self, player: &'a Player) -> Speaker<'a> {
        Speaker { cluster: self.config.cluster, member: &player.member, link: &player.link }
    }

    /// Ana asks, ben and cleo approve, one node's enclave makes the key, a scratch enclave restores.
    pub(super) async fn birth_of_a_key(&mut self) -> Ending {
        let key: Name = KEY.parse()?;
        let ana = self.player(0)?;
        self.voice.progress("a key is born, backed up and restored");
        let home: Name = HOME.parse()?;
        self.carried_out(vaulting::creation(&key, keystead_intent::KeyKind::HdSecp256k1, &home, None))
            .await?;
        let born = vaulting::reached(&ana.link, &key, KeyState::Created, None).await?;
        let early = born.address.is_none();
        let recipients: Vec<Name> = self.people.iter().map(|it| it.member.name.clone()).collect();
        self.carried_out(vaulting::backup(&key, &recipients)).await?;
        vaulting::reached(&ana.link, &key, KeyState::BackedUp, None).await?;
        let files = Files::of(&self.config.client.members, &ana.member.name);
        let view = vaulting::drill(&ana.link, &key, &ana.member.name, &files.key, &files.passphrase).await?;
        let address = view.address.unwrap_or_default();
        self.devnet.chain().fund(address, thousand_ether());
        self.account = address;
        let found = vec![
            "ana asked; ben and cleo approved, twice: for the key, and for its backup".to_owned(),
            format!("no address before the drill: {early}"),
            "a scratch enclave restored the backup from ana's key and signed the challenge".to_owned(),
            format!("address {address}, now with 1000 ether"),
        ];
        Ok((found, early && view.state == KeyState::Active))
    }

    /// A change of authority that ana asks for and the others approve.
    async fn carried_out(&self, action: Action) -> Result<(), Failure> {
        let view = self.speaker(self.player(0)?).ask(action, REQUEST_LIFETIME).await?;
        if view.stage.is_over() {
            return Err(Failure::new(
                "story.authority",
                standing(&view),
                "nobody approved yet: this is a bug",
            ));
        }
        self.approve(view.request, 1).await?;
        self.approve(view.request, 2).await.map(drop)
    }

    /// One person reads the raw bytes, and approves what they say.
    pub(super) async fn approve(&self, request: RequestId, who: usize) -> Result<Vec<String>, Failure> {
        let player = self.player(who)?;
        let policy = reading::policy_in_force(&self.config, &player.link).await?;
        let detail = player.link.request(request).await?;
        let library = Library::bundled(Language::English)?;
        let understood = reading::understand(request, &detail, policy, &library)?;
        self.speaker(player).answer(&understood, Verdict::Approve, APPROVAL_LIFETIME).await?;
        Ok(understood.lines)
    }

    /// The one request that waits for people.
    pub(super) async fn waiting(&self) -> Result<RequestId, Failure> {
        let ana = self.player(0)?;
        for _ in 0..TRIES {
            if let Some(view) = ana.link.open().await?.first() {
                return Ok(view.request);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Failure::new("story.waiting", "no request waits for people", "report this as a bug"))
    }

    /// From the node whose ledger is looked at.
    pub(super) async fn checkpoint(&self) -> Result<String, Failure> {
        let link = Link::direct(&self.config, &self.player(0)?.member, Role::Person, Some(HOME)).await?;
        link.checkpoint().await?.ok_or_else(|| {
            Failure::new("story.checkpoint", "the node has no checkpoint", "report this as a bug")
        })
    }
}

fn plan() -> Result<Plan, Failure> {
    Ok(Plan {
        name: "quickstart".parse()?,
        founders: vec!["ana".parse()?, "ben".parse()?, "cleo".parse()?],
        chain: CHAIN,
        endpoint: None,
        confirmations: None,
        nodes: free_addresses()?,
        coordinator_listen: "127.0.0.1:8550".to_owned(),
        tokens: BTreeMap::new(),
    })
}

fn world() -> Result<World, Failure> {
    let treasury = ContractEntry {
        chain: ChainId(CHAIN),
        address: TREASURY,
        name: "treasury".parse()?,
        kind: ContractKind::Safe,
    };
    Ok(World {
        chain: CHAIN,
        addresses: vec![("exchange".parse()?, EXCHANGE)],
        tokens: vec![("USDC".to_owned(), 6, USDC)],
        contracts: vec![treasury],
        cool_off_seconds: sample::COOL_OFF_SECONDS,
        // Its chain makes no block by itself: runs on it would soon be too old.
        can_run: false,
        drill_days: 0,
    })
}

/// Two quickstarts at once do not meet.
fn any_port(config: &mut Config) {
    if let Some(coordinator) = &mut config.coordinator {
        "127.0.0.1:0".clone_into(&mut coordinator.listen);
    }
}

/// Each node has to know where the others will listen: ports that are free at this moment, and none of those that
/// the kernel gives to outgoing connections.
fn free_addresses() -> Result<Vec<PeerConfig>, Failure> {
    let mut random = [0; 2];
    outside::fill(&mut random);
    let first = usize::from(u16::from_be_bytes(random));
    let ports = PORTS.cycle().skip(first % PORTS.len()).take(PORTS.len());
    let free = ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).take(NODES);
    let node = |(place, port): (usize, u16)| {
        Ok(PeerConfig { name: format!("node-{}", place + 1).parse()?, address: format!("127.0.0.1:{port}") })
    };
    let nodes = free.enumerate().map(node).collect::<Result<Vec<_>, Failure>>()?;
    match nodes.len() {
        NODES => Ok(nodes),
        found => {
            let what = format!("expected {NODES} free ports from {PORTS:?}, found {found}");
            Err(Failure::new("story.port", what, "stop what listens there, and try again"))
        }
    }
}

async fn players(config: &Config, founded: &Founded) -> Result<Vec<Player>, Failure> {
    let mut people = Vec::with_capacity(founded.people.len());
    for key in &founded.people {
        let member = Member::of(key)?;
        let link = Link::direct(config, &member, Role::Person, None).await?;
        people.push(Player { member, link });
    }
    Ok(people)
}

const NODES: usize = 4;
/// Linux gives outgoing connections ports from 32,768 on.
const PORTS: std::ops::Range<u16> = 12_000..32_000;
const PAUSE: Duration = Duration::from_millis(10);
const TRIES: u32 = 1000;
