//! The tree of commands. Each has a module, a help text that teaches, and an example.

mod approve;
mod approver;
mod audit;
mod completions;
pub(crate) mod enclave;
mod freeze;
mod init;
mod key;
mod policy;
mod quickstart;
mod request;
mod serve;
mod status;
pub(crate) mod up;
mod vault;
mod witness;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use keystead_base::Name;
use keystead_wire::Role;

use crate::config::Config;
use crate::failure::Failure;
use crate::link::Link;
use crate::member::{Files, Member};
use crate::output::{Report, Voice};

/// A replicated log decides, and nothing signs what the log has not committed.
///
/// New here? `keystead quickstart` shows the whole way in a folder of its own, in a few seconds.
#[derive(Debug, Parser)]
#[command(name = "keystead", version, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Print JSON, one object, for scripts.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The folder with keystead.toml.
    #[arg(long, global = true, env = "KEYSTEAD_DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Who speaks: a key file NAME.key in the members folder.
    #[arg(long = "as", global = true, env = "KEYSTEAD_AS", value_name = "NAME")]
    pub(crate) person: Option<Name>,
    /// The file with the passphrase of that key; NAME.passphrase beside the key when it is not named.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Talk to the node at this address instead of the one in keystead.toml.
    #[arg(long, global = true, value_name = "HOST:PORT", conflicts_with = "through")]
    pub(crate) node: Option<String>,
    /// Go through a coordinator: it carries bytes that it cannot change unnoticed.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) through: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Found a cluster: keys, first policy, signed genesis, keystead.toml.
    Init(init::InitArgs),
    /// Run node and coordinator together on this machine.
    Up(up::UpArgs),
    /// Run the coordinator: JSON-RPC for wallets, HTTP for scripts. It holds no key.
    Serve(serve::ServeArgs),
    /// Run the node: the log, and the enclave with the keys.
    Node(up::NodeArgs),
    /// Show what protects the keys on this machine.
    Vault(vault::VaultArgs),
    /// Create, back up, drill, list and export keys.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Check, propose, and show policy versions.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Make an approver's keys, show them, see what waits.
    #[command(subcommand)]
    Approver(approver::ApproverCommand),
    /// Ask for a signature, and see what became of it.
    #[command(subcommand)]
    Request(request::RequestCommand),
    /// Say yes to a request, after reading its raw bytes on this machine.
    Approve(approve::ApproveArgs),
    /// Say no to a request: ends it.
    Reject(approve::ApproveArgs),
    /// Stop a request during its delay.
    Veto(approve::VetoArgs),
    /// Stop signing: of one key, or of everything.
    Freeze(freeze::FreezeArgs),
    /// Ask for signing to go on; needs more people than freezing did.
    Thaw(freeze::FreezeArgs),
    /// Verify, prove and export the log.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Cosign a checkpoint from outside, so that no node can rewrite history unseen.
    Witness(witness::WitnessArgs),
    /// The node, the keys and what waits, on one screen.
    Status,
    /// Print a completion script for a shell.
    Completions(completions::CompletionsArgs),
    /// The whole way in a few seconds: found, ask, approve, refuse, execute, verify.
    Quickstart(quickstart::QuickstartArgs),
}

pub(crate) async fn run(cli: Cli, voice: Voice) -> Result<Report, Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Init(args) => init::run(&args, voice),
        Command::Up(args) => up::run(global, &args, voice).await,
        Command::Serve(args) => serve::run(global, &args, voice).await,
        Command::Node(args) => up::node(global, &args, voice).await,
        Command::Vault(args) => vault::run(global, &args).await,
        Command::Key(command) => key::run(global, command, voice).await,
        Command::Policy(command) => policy::run(global, command, voice).await,
        Command::Approver(command) => approver::run(global, command).await,
        Command::Request(command) => request::run(global, command, voice).await,
        Command::Approve(args) => approve::approve(global, &args, voice).await,
        Command::Reject(args) => approve::reject(global, &args, voice).await,
        Command::Veto(args) => approve::veto(global, &args).await,
        Command::Freeze(args) => freeze::freeze(global, &args).await,
        Command::Thaw(args) => freeze::thaw(global, &args).await,
        Command::Audit(command) => audit::run(global, command, voice).await,
        Command::Witness(args) => witness::run(global, &args),
        Command::Status => status::run(global).await,
        Command::Completions(args) => Ok(completions::run(&args)),
        Command::Quickstart(args) => quickstart::run(&args, voice).await,
    }
}

/// Somebody at work: configuration, keys, and the way to a node.
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) member: Member,
    pub(crate) files: Files,
    pub(crate) link: Link,
}

impl Session {
    /// Opens the keys of the person named, and connects.
    pub(crate) async fn open(global: &Global) -> Result<Self, Failure> {
        let config = Config::read(&global.dir)?;
        let (person, passphrase) = (global.person.as_ref(), global.passphrase_file.as_ref());
        let files = Files::chosen(&config, person, passphrase)?;
        let member = Member::open(&files.key, &files.passphrase)?;
        let link = match &global.through {
            Some(url) => Link::relay(url)?,
            None => Link::direct(&config, &member, Role::Person, global.node.as_deref()).await?,
        };
        Ok(Self { config, member, files, link })
    }

    pub(crate) fn speaker(&self) -> crate::asking::Speaker<'_> {
        crate::asking::Speaker { cluster: self.config.cluster, member: &self.member, link: &self.link }
    }
}

/// How long a request of a person lives: long enough for people to meet, within every sane policy.
pub(crate) const REQUEST_LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// How long an approval counts.
pub(crate) const APPROVAL_LIFETIME: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }
}
