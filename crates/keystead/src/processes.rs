//! Nodes as processes of their own, each in its folder: started, watched, killed, stopped.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use keystead_base::Name;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use crate::config::{Config, FILE};
use crate::failure::Failure;

/// The folders below a cluster's own in which a node lives, by the nodes' names.
pub(crate) fn homes(folder: &Path, config: &Config) -> Vec<(Name, PathBuf)> {
    let home = |name: &Name| (name.clone(), folder.join(name.as_str()));
    let homes = config.client.nodes.iter().map(|node| home(&node.name));
    homes.filter(|(_, home)| home.join(FILE).is_file()).collect()
}

/// A node that runs. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct NodeProcess {
    pub(crate) name: Name,
    home: PathBuf,
    chain: Option<String>,
    address: String,
    child: Child,
    /// Its end is what tells the node to stop. Not left to [`Child`], which ends it when it is waited for.
    input: Option<ChildStdin>,
}

impl NodeProcess {
    /// Starts the node of a folder, and gives it when it serves. What it tells stands in the folder's `log`.
    ///
    /// `chain` is `ID=URL` of a chain that is brought along, in the place of that chain's endpoints in the configuration.
    pub(crate) async fn start(name: Name, home: PathBuf, chain: Option<String>) -> Result<Self, Failure> {
        let mut child = spawn(&home, chain.as_deref())?;
        let input = child.stdin.take();
        match ready(&mut child).await {
            Some(address) => Ok(Self { name, home, chain, address, child, input }),
            None => Err(unready(&name, &home)),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Starts it once more, after it ended.
    pub(crate) async fn again(&mut self) -> Result<(), Failure> {
        *self = Self::start(self.name.clone(), self.home.clone(), self.chain.clone()).await?;
        Ok(())
    }

    /// How it ended, whenever it does.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus, Failure> {
        self.child.wait().await.map_err(|error| Failure::file(&self.home, &error))
    }

    /// Kills it with SIGKILL, as a crash or a power cut would.
    pub(crate) async fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill().await.map_err(|error| Failure::file(&self.home, &error))
    }

    /// Stops it in good order: it finishes what is under way.
    pub(crate) async fn stop(&mut self) -> Result<(), Failure> {
        drop(self.input.take());
        match timeout(STOP_TIME, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(_) => Err(unready(&self.name, &self.home)),
            Err(_) => self.kill().await,
        }
    }
}

/// Starts the nodes of these folders together.
pub(crate) async fn start_all(
    homes: Vec<(Name, PathBuf)>,
    chain: Option<&str>,
) -> Result<Vec<NodeProcess>, Failure> {
    let start = |(name, home)| tokio::spawn(NodeProcess::start(name, home, chain.map(str::to_owned)));
    let starting: Vec<_> = homes.into_iter().map(start).collect();
    let mut nodes = Vec::with_capacity(starting.len());
    for node in starting {
        let lost =
            |_| Failure::new("node.start", "the start of a node was broken off", "report this as a bug");
        nodes.push(node.await.map_err(lost)??);
    }
    Ok(nodes)
}

fn spawn(home: &Path, chain: Option<&str>) -> Result<Child, Failure> {
    let path = home.join(LOG);
    let log = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    let log = log.map_err(|error| Failure::file(&path, &error))?;
    let program = std::env::current_exe().map_err(|error| Failure::file(Path::new("keystead"), &error))?;
    let mut command = Command::new(program);
    command.arg("--json").arg("--dir").arg(home).args(["node", "--supervised"]);
    if let Some(chain) = chain {
        command.args(["--devnet", chain]);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
    command.spawn().map_err(|error| Failure::file(home, &error))
}

/// Where the node says that it listens; none if it ends before.
async fn ready(child: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    let line = lines.next_line().await.ok()??;
    let said: Value = serde_json::from_str(&line).ok()?;
    let address = said.pointer("/ready/node")?.as_str()?.to_owned();
    // Nobody reads what it says when it stops; its pipe must not break before.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some(address)
}

fn unready(name: &Name, home: &Path) -> Failure {
    let log = home.join(LOG);
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let last = text.lines().last().unwrap_or("it said nothing");
    let next = format!(
        "{} has all that it said; `keystead --dir {} node` runs it alone",
        log.display(),
        home.display()
    );
    Failure::new("node.start", format!("{name} does not run: {last}"), next)
}

const LOG: &str = "log";
/// Longer than a node finishes what is under way.
const STOP_TIME: Duration = Duration::from_secs(20);
