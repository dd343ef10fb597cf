//! The tree of commands. Each has a module, a help text that teaches, and an example.

mod anchor;
mod approve;
mod approver;
mod audit;
mod backup;
mod ceremony;
mod completions;
mod descriptor;
mod device;
pub(crate) mod enclave;
mod entropy;
mod exposure;
mod first_policy;
mod freeze;
mod init;
mod key;
mod life;
mod near;
mod newcomer;
mod policy;
mod policy_prove;
mod psbt;
mod psbt_build;
mod psbt_bump;
mod psbt_watch;
mod quickstart;
mod rebuild;
mod rebuild_check;
mod replace;
mod request;
mod root;
mod roster;
mod serve;
mod solana;
mod status;
mod sweep;
mod token;
mod tpm;
mod transcript;
pub(crate) mod up;
mod vault;
mod witness;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use keystead_base::Name;
use keystead_wire::Role;
use keystead_words::{Language, Library};

pub(crate) use self::key::solana_address;
use crate::config::Config;
use crate::failure::Failure;
use crate::link::Link;
use crate::member::{Files, Member};
use crate::output::{Report, Voice};
use crate::reading;

pub(crate) use psbt_build::place as psbt_place;

/// A replicated log decides, and nothing signs what the log has not committed.
///
/// New here? `keystead quickstart` shows the whole way in a folder of its own, in a few seconds.
///
/// Exit code 0: done. 1: an error, with a stable code. 2: it worked, and the answer was no.
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
#[command(next_help_heading = "Options of every command")]
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
    /// Talk to this node: NAME or HOST:PORT as in keystead.toml, or NAME@HOST:PORT. Without it, to the first that
    /// can be reached.
    #[arg(long, global = true, value_name = "NODE", conflicts_with = "through")]
    pub(crate) node: Option<String>,
    /// The language of the words that people approve by: en or de.
    #[arg(long, global = true, env = "KEYSTEAD_LANGUAGE", value_name = "TAG", default_value_t)]
    pub(crate) language: Language,
    /// Go through a coordinator: it carries bytes that it cannot change unnoticed.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) through: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Found a cluster: keys, first policy, signed genesis, keystead.toml.
    ///
    /// Makes a folder with keys for nodes, a coordinator and the founders, a first policy, the genesis that all
    /// founders sign, and keystead.toml. Each member gets a key file and a passphrase file that only you can
    /// read; in earnest, each founder moves their own two files to their own machine. Of several nodes each has a
    /// folder of its own, which can be moved to another machine as it is.
    ///
    /// Example: keystead init treasury --nodes 4
    ///
    /// Example: keystead init treasury --chain 1 --endpoint http://127.0.0.1:8545 --allow exchange=0x7099…
    ///
    /// Example: keystead init treasury --founders dora,emil,fay --policy own.json
    Init(init::InitArgs),
    /// Found a cluster over several machines: each member makes its own keys, and all sign one transcript.
    #[command(subcommand)]
    Ceremony(ceremony::CeremonyCommand),
    /// Go on from a backup of the log with new nodes, frozen, after all nodes were lost.
    #[command(subcommand)]
    Rebuild(rebuild::RebuildCommand),
    /// Run nodes and coordinator together on this machine.
    ///
    /// Runs nodes, enclaves and coordinator of one folder together, until Ctrl-C. Nodes with folders of their own are
    /// processes of their own: one that ends is started again, and says why in its folder's `log`. With --devnet an
    /// Ethereum virtual machine runs in the same process, so that nothing else is needed.
    ///
    /// Example: keystead up treasury --devnet
    Up(up::UpArgs),
    /// Run the coordinator: JSON-RPC for wallets, HTTP for scripts. It holds no key.
    ///
    /// Runs the coordinator of one folder until Ctrl-C. Ethereum JSON-RPC at /, HTTP for scripts under /v1. Nobody
    /// believes what it says, and approvers reach the node without it. It listens on this machine alone unless
    /// keystead.toml names a token.
    ///
    /// Example: keystead serve --dir treasury
    Serve(serve::ServeArgs),
    /// Run the node: the log, and the enclave with the keys.
    ///
    /// Runs the node of one folder until Ctrl-C: the log, and the enclave as a child process.
    ///
    /// Example: keystead node --dir treasury
    ///
    /// Example: keystead node --dir treasury --check    (opens everything, says that it serves, and stops)
    Node(up::NodeArgs),
    /// Show what protects the keys on this machine.
    ///
    /// Shows the protections of the enclave process, what is lost where the kernel lacks one, and the keys.
    ///
    /// Example: keystead vault
    Vault(vault::VaultArgs),
    /// Create, back up, drill, list, move, stop, export and destroy keys.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Back keys up in shares, print them, drill and restore them.
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// Check, propose, and show policy versions.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Add, replace, remove and readmit the nodes that vote.
    #[command(subcommand)]
    Roster(roster::RosterCommand),
    /// Check a descriptor (ERC-7730) of one's own, and list those that are read here.
    #[command(subcommand)]
    Descriptor(descriptor::DescriptorCommand),
    /// Make an approver's keys, show them, see what waits.
    #[command(subcommand)]
    Approver(approver::ApproverCommand),
    /// Ask for a signature, and see what became of it.
    #[command(subcommand)]
    Request(request::RequestCommand),
    /// Find coins, hand out addresses; build, sign and finalize Bitcoin's partially signed transactions.
    #[command(subcommand)]
    Psbt(psbt::PsbtCommand),
    /// Read messages and addresses of Solana's, offline; `request solana` asks for signatures.
    #[command(subcommand)]
    Solana(solana::SolanaCommand),
    /// Read transactions and accounts of NEAR's, offline; `request near` asks for signatures.
    #[command(subcommand)]
    Near(near::NearCommand),
    /// Say yes to a request, after reading its raw bytes on this machine.
    ///
    /// Fetches the raw request, reads it on this machine with the signed registry, shows it in plain words with the
    /// danger first, computes the digest, and refuses when the server names another. Then it signs with this
    /// device's key, and the log counts it once: for this digest, this policy version, this hour.
    ///
    /// Example: keystead approve 5f0c… --as ben
    ///
    /// Example: keystead approve 5f0c… --as ben --node node-2    (directly, past the coordinator)
    Approve(approve::ApproveArgs),
    /// Say no to a request: ends it.
    ///
    /// Shows what is refused in the same words as `keystead approve`, read on this machine. One no is enough.
    ///
    /// Example: keystead reject 5f0c… --as ben
    Reject(approve::ApproveArgs),
    /// Stop a request during its delay, or while it waits for people.
    ///
    /// Takes one person whom the policy names as a vetoer for this kind of request. What is signed already cannot
    /// be vetoed: freeze instead.
    ///
    /// Example: keystead veto 5f0c… --as cleo
    Veto(approve::VetoArgs),
    /// Stop signing: of one key, or of everything.
    ///
    /// Takes one person with the role `freezer`, goes to any node, and holds once committed: certificates that are
    /// out already sign nothing any more. This machine checks that a quorum committed the order; exit code 2 when it
    /// could not, whoever says that it is frozen.
    ///
    /// Example: keystead freeze --as ana
    ///
    /// Example: keystead freeze --key hot --as ana
    Freeze(freeze::FreezeArgs),
    /// Ask for signing to go on; needs more people than freezing did.
    ///
    /// Thawing is a change of authority: it needs the approvals that policy asks for.
    ///
    /// Example: keystead thaw --key hot --as ana
    Thaw(freeze::FreezeArgs),
    /// Declare that somebody else may know something of ours. Others approve; then every key is frozen, and nothing is thawed
    /// before all of it is replaced: `status` shows what. Until others have approved, `freeze` stops at once.
    ///
    /// Example: keystead compromise --keys hot --why "found in a paste" --as ana
    Compromise(life::CompromiseArgs),
    /// Verify, prove and export the log.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Make the part of a node's sealing secret that a token alone decrypts.
    #[command(subcommand)]
    Root(root::RootCommand),
    /// Make, sign and check with an anchor: keys kept offline, without which no rebuild is followed where they are pinned.
    #[command(subcommand)]
    Anchor(anchor::AnchorCommand),
    /// Cosign a checkpoint from outside, so that no node can rewrite history unseen.
    ///
    /// Cosigns a checkpoint that continues the one this witness remembers, and never another: whoever holds the
    /// state file notices a rewritten, shortened or forked log. Run it on a machine of somebody else, with what
    /// `keystead audit cosign-request` wrote.
    ///
    /// Example: keystead witness --request request --state witness.state --out lines --as cleo
    Witness(witness::WitnessArgs),
    /// The node, the keys and what waits, on one screen.
    ///
    /// Shows the cluster and what it withstands, the height of the log, the policy in force, how each chain is
    /// watched, the keys, how full each limit window is, and every request that waits for people. With --watch it
    /// goes on looking, at every node that the configuration names, and shows what changes; without a terminal one
    /// snapshot for each interval, with --json one object a line.
    ///
    /// Example: keystead status --dir treasury --as ana
    ///
    /// Example: keystead status --watch --every 2
    Status(status::StatusArgs),
    /// Show which public keys lie open to whoever has a quantum computer some day, and the way out for each.
    ///
    /// Reads the whole log, checked from the pinned genesis on: which addresses there are, what each is made of, and what
    /// was allowed to be signed with it. An address that hashes its key hides it until it signs; who holds the log knows
    /// the keys of whole families. What is not known here is said.
    ///
    /// Example: keystead exposure
    ///
    /// Example: keystead exposure --coins --json
    Exposure(exposure::ExposureArgs),
    /// Make, list and take back tokens for programs that call the coordinator.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Seal a node's vault to its machine's TPM, look at the TPM, make its identity key quote.
    #[command(subcommand)]
    Tpm(tpm::TpmCommand),
    /// Show which hardware the keys of nodes and approvers are on, witness it, and have none of it count twice.
    #[command(subcommand)]
    Device(device::DeviceCommand),
    /// Roll dice or flip coins for a seed, offline, with a receipt; search a seed for weak generators.
    #[command(subcommand)]
    Entropy(entropy::EntropyCommand),
    /// Print a completion script for a shell.
    ///
    /// Example: keystead completions bash > /etc/bash_completion.d/keystead
    ///
    /// Example: keystead completions fish > ~/.config/fish/completions/keystead.fish
    Completions(completions::CompletionsArgs),
    /// The whole way in a few seconds: found, ask, approve, refuse, execute, verify.
    ///
    /// Founds a cluster of four nodes in a fresh folder, makes a key and proves its backup, moves coins on an Ethereum
    /// virtual machine in this process, is refused what has to be refused, kills one node, has another one lie, and
    /// verifies the log from outside. The exit code is 0 only if all of it held.
    ///
    /// Example: keystead quickstart
    ///
    /// Example: keystead quickstart --folder first-steps --json
    Quickstart(quickstart::QuickstartArgs),
}

pub(crate) async fn run(cli: Cli, voice: Voice) -> Result<Report, Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Init(args) => init::run(&args, voice),
        Command::Ceremony(command) => ceremony::run(global, &command, voice),
        Command::Rebuild(command) => rebuild::run(global, command, voice).await,
        Command::Up(args) => up::run(global, &args, voice).await,
        Command::Serve(args) => serve::run(global, &args, voice).await,
        Command::Node(args) => up::node(global, &args, voice).await,
        Command::Vault(args) => vault::run(global, &args).await,
        Command::Key(command) => key::run(global, command, voice).await,
        Command::Backup(command) => backup::run(global, command, voice).await,
        Command::Policy(command) => policy::run(global, command, voice).await,
        Command::Roster(command) => roster::run(global, command).await,
        Command::Approver(command) => approver::run(global, command).await,
        Command::Descriptor(command) => descriptor::run(global, command),
        Command::Request(command) => request::run(global, command, voice).await,
        Command::Psbt(command) => psbt::run(global, command).await,
        Command::Solana(command) => solana::run(command, global.language),
        Command::Near(command) => near::run(command, global.language),
        Command::Approve(args) => approve::approve(global, &args, voice).await,
        Command::Reject(args) => approve::reject(global, &args, voice).await,
        Command::Veto(args) => approve::veto(global, &args).await,
        Command::Freeze(args) => freeze::freeze(global, &args).await,
        Command::Thaw(args) => freeze::thaw(global, &args).await,
        Command::Compromise(args) => life::compromise(global, args).await,
        Command::Audit(command) => audit::run(global, command, voice).await,
        Command::Root(command) => root::run(global, &command),
        Command::Anchor(command) => anchor::run(global, &command, voice),
        Command::Witness(args) => witness::run(global, &args),
        Command::Status(args) => status::run(global, &args, voice).await,
        Command::Exposure(args) => exposure::run(global, &args, voice).await,
        Command::Token(command) => token::run(global, command),
        Command::Tpm(command) => tpm::run(global, command),
        Command::Entropy(command) => entropy::run(global, &command, voice).await,
        Command::Device(command) => device::run(global, command).await,
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
    /// What descriptors say of calls and messages.
    pub(crate) library: Library,
}

impl Session {
    /// Opens the keys of the person named, and connects.
    pub(crate) async fn open(global: &Global) -> Result<Self, Failure> {
        let config = Config::read(&global.dir)?;
        let (person, passphrase) = (global.person.as_ref(), global.passphrase_file.as_ref());
        let files = Files::chosen(&config, person, passphrase)?;
        let member = Member::open(&files.key, &files.passphrase)?;
        let link = match &global.through {
            Some(url) => Link::relay(&config, url)?,
            None => Link::direct(&config, &member, Role::Person, global.node.as_deref()).await?,
        };
        let library = reading::library(&global.dir, global.language)?;
        Ok(Self { config, member, files, link, library })
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
