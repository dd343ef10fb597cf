//! `keystead up` and `keystead node`: the parts that run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alloy_primitives::{Address, U256};
use clap::Args;
use keystead_base::Name;
use keystead_coordinator::HttpServer;
use keystead_devnet::DevnetServer;
use keystead_node::{ChainConfig, EndpointConfig, PeerConfig, RunningNode};
use serde_json::json;
use tokio::sync::watch;

use super::Global;
use crate::address::address;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::{Report, Voice};
use crate::processes::NodeProcess;
use crate::table::Table;
use crate::{machine, processes};

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// The folder that `keystead init` made.
    folder: Option<PathBuf>,
    /// Bring a chain along, in this process; it forgets everything at the end.
    #[arg(long)]
    devnet: bool,
    /// Where the chain of --devnet listens.
    #[arg(long, default_value_t = 8546)]
    devnet_port: u16,
    /// Give this address 1000 ether on the chain of --devnet; as often as you like.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    fund: Vec<Address>,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// Stop as soon as the node serves: shows that everything opens.
    #[arg(long)]
    check: bool,
    /// Look at the chain of `keystead up --devnet` instead of that chain's endpoints in keystead.toml.
    #[arg(long, value_name = "ID=URL", value_parser = brought_along, hide = true)]
    devnet: Option<(u64, String)>,
    /// Stop when standard input ends: with whoever started it.
    #[arg(long, hide = true)]
    supervised: bool,
}

pub(crate) async fn run(global: &Global, args: &UpArgs, voice: Voice) -> Result<Report, Failure> {
    let folder = args.folder.as_ref().unwrap_or(&global.dir);
    let mut config = Config::read(folder)?;
    let devnet = match args.devnet {
        true => Some(machine::devnet(config.coordinator()?.chain, args.devnet_port).await?),
        false => None,
    };
    let (url, mut chain) = (devnet.as_ref().map(DevnetServer::url), None);
    if let Some(devnet) = &devnet {
        let id = config.coordinator()?.chain;
        use_chain(&mut config, id, &devnet.url());
        chain = Some(format!("{id}={}", devnet.url()));
        args.fund.iter().for_each(|address| devnet.chain().fund(*address, thousand_ether()));
    }
    let nodes = Nodes::start(folder, &mut config, chain.as_deref(), voice).await?;
    // A machine that joined has a node and nothing else.
    let coordinator = match config.coordinator {
        Some(_) => Some(machine::coordinator(&config, None).await?),
        None => None,
    };
    announce(voice, url.as_deref(), &config.client.nodes, coordinator.as_ref());
    nodes.run(voice).await?;
    drop(coordinator);
    Ok(Report::new(json!({"stopped": true}), "stopped"))
}

/// The nodes of this run: the folder's own in this process, the others in processes of their own.
struct Nodes {
    own: Option<RunningNode>,
    others: Vec<NodeProcess>,
}

impl Nodes {
    /// Starts them, and notes where each of them really listens. The others are where the configuration says.
    async fn start(
        folder: &Path,
        config: &mut Config,
        chain: Option<&str>,
        voice: Voice,
    ) -> Result<Self, Failure> {
        let own = match config.node {
            Some(_) => Some(machine::node(config, voice).await?),
            None => None,
        };
        let homes = processes::homes(folder, config);
        if own.is_none() && homes.is_empty() {
            return config.node().map(|_| Self { own: None, others: Vec::new() });
        }
        let others = processes::start_all(homes, chain).await?;
        let mut here: BTreeMap<Name, String> =
            others.iter().map(|it| (it.name.clone(), it.address().to_owned())).collect();
        here.extend(own.as_ref().map(|it| (it.name().clone(), it.address().to_string())));
        for node in &mut config.client.nodes {
            node.address = here.remove(&node.name).unwrap_or_else(|| std::mem::take(&mut node.address));
        }
        Ok(Self { own, others })
    }

    /// Until somebody says stop, or this process's own node can go on no longer. A process of another one that ends
    /// by itself is started again.
    async fn run(self, voice: Voice) -> Result<(), Failure> {
        let (stop, stopped) = watch::channel(false);
        let keep = |node| tokio::spawn(keep(node, stopped.clone(), voice));
        let kept: Vec<_> = self.others.into_iter().map(keep).collect();
        let ended = match self.own {
            Some(node) => node.until(machine::told_to_stop()).await.unwrap_or_else(|error| Err(error.into())),
            None => machine::told_to_stop().await,
        };
        stop.send_replace(true);
        for node in kept {
            node.await.unwrap_or(Ok(()))?;
        }
        ended
    }
}

/// One process, for as long as it is wanted.
async fn keep(mut node: NodeProcess, mut stop: watch::Receiver<bool>, voice: Voice) -> Result<(), Failure> {
    loop {
        let ended = tokio::select! {
            () = wanted_no_more(&mut stop) => return node.stop().await,
            ended = node.ended() => ended?,
        };
        voice.progress(&format!("{} ended ({ended}); it is started again", node.name));
        if !again(&mut node, &mut stop, voice).await {
            return Ok(());
        }
    }
}

/// Until it runs again, or is wanted no more: says which.
async fn again(node: &mut NodeProcess, stop: &mut watch::Receiver<bool>, voice: Voice) -> bool {
    loop {
        tokio::select! {
            () = wanted_no_more(stop) => return false,
            () = tokio::time::sleep(RESTART_PAUSE) => {}
        }
        match node.again().await {
            Ok(()) => return true,
            Err(failure) => voice.progress(&format!("{}; it is tried again", failure.what)),
        }
    }
}

/// A sender that is gone wants nothing more either.
async fn wanted_no_more(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

pub(crate) async fn node(global: &Global, args: &NodeArgs, voice: Voice) -> Result<Report, Failure> {
    let mut config = Config::read(&global.dir)?;
    if let Some((chain, url)) = &args.devnet {
        use_chain(&mut config, *chain, url);
    }
    let node = machine::node(&config, voice).await?;
    let (address, cluster) = (node.address(), node.cluster());
    voice.ready(&json!({"node": address.to_string()}), &format!("node  {address}"));
    let told = async {
        tokio::select! {
            told = machine::told_to_stop() => told,
            () = machine::input_ended(), if args.supervised => Ok(()),
        }
    };
    match args.check {
        true => node.shutdown().await?,
        false => node.until(told).await??,
    }
    Ok(Report::new(json!({"node": address.to_string(), "cluster": cluster, "stopped": true}), "stopped"))
}

fn announce(voice: Voice, chain: Option<&str>, nodes: &[PeerConfig], coordinator: Option<&HttpServer>) {
    let url = coordinator.map(HttpServer::url);
    let mut table = Table::pairs();
    if let Some(chain) = chain {
        table.pair("chain", chain);
    }
    for node in nodes {
        table.pair(if nodes.len() == 1 { "node" } else { node.name.as_str() }, &node.address);
    }
    let ready = match &url {
        Some(url) => {
            table.pair("coordinator", url);
            format!("ready: cast send --unlocked --rpc-url {url} --from ADDRESS TO --value 0.1ether")
        }
        None => "ready: a node, and no coordinator in this folder".to_owned(),
    };
    let text = format!("{}{ready}", table.render());
    let first = nodes.first().map(|node| &node.address);
    voice.ready(&json!({"chain": chain, "node": first, "nodes": nodes, "coordinator": url}), &text);
}

/// Node and coordinator of this run look at this chain through this endpoint and no other. Nothing outlives the chain,
/// so its blocks are final at once.
pub(crate) fn use_chain(config: &mut Config, chain: u64, url: &str) {
    let Ok(name) = "devnet".parse() else { return };
    let endpoints = vec![EndpointConfig { name, url: url.to_owned(), ca: None }];
    if let Some(node) = &mut config.node {
        let endpoints = endpoints.clone();
        node.chains.retain(|it| it.chain != chain);
        node.chains.push(ChainConfig { chain, agree: 1, endpoints, confirmations: Some(1) });
    }
    if let Some(coordinator) = &mut config.coordinator {
        coordinator.endpoints = endpoints;
        coordinator.agree = 1;
    }
}

fn brought_along(text: &str) -> Result<(u64, String), String> {
    let (chain, url) = text.split_once('=').ok_or("expected ID=URL")?;
    Ok((chain.parse().map_err(|_| format!("{chain:?} is no chain id"))?, url.to_owned()))
}

pub(crate) fn thousand_ether() -> U256 {
    U256::from(1000) * U256::from(crate::sample::ETHER)
}

/// A process that ends at once is not started again without end at full speed.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
