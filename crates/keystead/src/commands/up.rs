//! `keystead up` and `keystead node`: the parts that run.

use std::path::PathBuf;

use alloy_primitives::{Address, U256};
use clap::Args;
use keystead_coordinator::HttpServer;
use keystead_devnet::DevnetServer;
use keystead_node::{ChainConfig, EndpointConfig, RunningNode};
use serde_json::json;

use super::Global;
use crate::config::Config;
use crate::failure::Failure;
use crate::machine;
use crate::output::{Report, Voice};
use crate::table::Table;

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
    #[arg(long, value_name = "ADDRESS")]
    fund: Vec<Address>,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// Stop as soon as the node serves: shows that everything opens.
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(global: &Global, args: &UpArgs, voice: Voice) -> Result<Report, Failure> {
    let folder = args.folder.as_ref().unwrap_or(&global.dir);
    let mut config = Config::read(folder)?;
    let devnet = match args.devnet {
        true => Some(machine::devnet(config.coordinator()?.chain, args.devnet_port).await?),
        false => None,
    };
    if let Some(devnet) = &devnet {
        use_chain(&mut config, &devnet.url());
        args.fund.iter().for_each(|address| devnet.chain().fund(*address, thousand_ether()));
    }
    let node = machine::node(&config, voice).await?;
    // Port 0 takes a free one.
    let address = node.address().to_string();
    config.client.nodes.iter_mut().for_each(|it| it.address.clone_from(&address));
    let coordinator = machine::coordinator(&config, None).await?;
    announce(voice, devnet.as_ref().map(DevnetServer::url), &node, &coordinator);
    machine::told_to_stop().await?;
    drop(coordinator);
    node.shutdown().await?;
    Ok(Report::new(json!({"stopped": true}), "stopped"))
}

pub(crate) async fn node(global: &Global, args: &NodeArgs, voice: Voice) -> Result<Report, Failure> {
    let config = Config::read(&global.dir)?;
    let node = machine::node(&config, voice).await?;
    let (address, cluster) = (node.address(), node.cluster());
    voice.ready(&json!({"node": address.to_string()}), &format!("node  {address}"));
    if !args.check {
        machine::told_to_stop().await?;
    }
    node.shutdown().await?;
    Ok(Report::new(json!({"node": address.to_string(), "cluster": cluster, "stopped": true}), "stopped"))
}

fn announce(voice: Voice, chain: Option<String>, node: &RunningNode, coordinator: &HttpServer) {
    let (node, url) = (node.address().to_string(), format!("http://{}", coordinator.address()));
    let mut table = Table::pairs();
    if let Some(chain) = &chain {
        table.pair("chain", chain);
    }
    table.pair("node", &node).pair("coordinator", &url);
    let text = format!(
        "{}ready: cast send --unlocked --rpc-url {url} --from ADDRESS TO --value 0.1ether",
        table.render()
    );
    voice.ready(&json!({"chain": chain, "node": node, "coordinator": url}), &text);
}

/// Node and coordinator of this run look at this chain and no other.
pub(crate) fn use_chain(config: &mut Config, url: &str) {
    let Ok(name) = "devnet".parse() else { return };
    let endpoints = vec![EndpointConfig { name, url: url.to_owned(), ca: None }];
    let chain = config.coordinator.as_ref().map(|it| it.chain).unwrap_or_default();
    if let Some(node) = &mut config.node {
        let endpoints = endpoints.clone();
        node.chains = vec![ChainConfig { chain, agree: 1, endpoints, confirmations: Some(1) }];
    }
    if let Some(coordinator) = &mut config.coordinator {
        coordinator.endpoints = endpoints;
        coordinator.agree = 1;
    }
}

pub(crate) fn thousand_ether() -> U256 {
    U256::from(1000) * U256::from(crate::sample::ETHER)
}
