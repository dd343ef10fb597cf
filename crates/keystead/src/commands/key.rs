//! `keystead key`: the life of keys.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use keystead_base::{Name, RequestId};
use keystead_decision::KeyState;
use keystead_signing::TaprootAccount;
use keystead_wire::{KeyView, RequestStage};
use serde_json::json;

use super::sweep::SweepArgs;
use super::{Global, REQUEST_LIFETIME, Session};
use crate::asking::{approvers_next, standing};
use crate::failure::Failure;
use crate::following::Stay;
use crate::output::{Report, Voice};
use crate::table::Table;
use crate::{handing, importing, outside, sharing, vaulting};

/// No address is shown before a backup of its key was restored and proved control.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Ask for a new key, born in the enclave or in its tokens. Others approve.
    ///
    /// A key in PKCS#11 tokens never leaves them, and nobody backs it up: with the tokens it is lost. It has one account, and is
    /// made only where policy names `create_token_key` (docs/homes.md).
    ///
    /// Example: keystead key create hot --as ana
    ///
    /// Example: keystead key create vera --scheme ml-dsa-65 --as ana
    Create {
        /// Its name.
        key: Name,
        /// NODE: the node whose enclave it is born in; the node that this command talks to, unless named. token:GROUP, or
        /// NODE/token:GROUP: in these tokens of that node.
        #[arg(long, value_name = "HOME")]
        home: Option<vaulting::HomeArg>,
        /// What it signs: accounts of Ethereum and wallets of Bitcoin, or transactions of NEAR's by ML-DSA-65 and nothing else.
        #[arg(long, value_enum, default_value_t)]
        scheme: vaulting::WholeScheme,
    },
    /// Ask for a key that is whole to be dealt to nodes in shares; its addresses stay. It WAS WHOLE, which the log remembers: every
    /// copy of it signs for ever. The file holds BIP-39 words (accounts at m/44'/60'/0'/0, or with --taproot a wallet of Bitcoin), one
    /// raw key in hexadecimal, or the 64 numbers of solana-keygen, for Solana alone; a confined process of its own reads it, and
    /// refuses what weak generators make. Without a file, the home of a whole key of this log deals it. Others approve; then `key deal`
    /// does it.
    ///
    /// Example: keystead key import treasury --secret words --threshold 2 --holders node-1,node-2,node-3 --as ana
    ///
    /// Example: keystead key import coins --secret words --taproot "m/86'/0'/0'" --threshold 2 --holders node-1,node-2,node-3 --as ana
    ///
    /// Example: keystead key import hot --threshold 2 --holders node-1,node-2,node-3 --as ana
    Import {
        /// Its name: unused so far, or that of a whole key of this log.
        key: Name,
        /// The file with the whole key. It is never named to any node.
        #[arg(long, value_name = "FILE")]
        secret: Option<PathBuf>,
        /// Which taproot wallet of the words (BIP-86): m/86'/0'/0' is the first one on Bitcoin, m/86'/1'/0' on its test networks. It signs
        /// for its coins alone.
        #[arg(long, value_name = "PATH", requires = "secret", value_parser = importing::taproot_account)]
        taproot: Option<TaprootAccount>,
        /// How many of the holders sign.
        #[arg(long, value_name = "N")]
        threshold: u8,
        /// The nodes that hold a share each.
        #[arg(long, value_name = "NODES", value_delimiter = ',', required = true)]
        holders: Vec<Name>,
        /// Try every seed of every weak generator that is known, on one core.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        stay: Stay,
    },
    /// Deal the whole key of an import that people approved: to the enclaves that the log convened, which is checked here block for
    /// block, each share encrypted to its holder's alone. Goes on until the shares have signed.
    ///
    /// Example: keystead key deal 5f0c… --secret words --as ana
    Deal {
        /// The request of the import.
        request: RequestId,
        /// The file with the whole key.
        #[arg(long, value_name = "FILE")]
        secret: PathBuf,
        /// The taproot wallet that was asked for.
        #[arg(long, value_name = "PATH", value_parser = importing::taproot_account)]
        taproot: Option<TaprootAccount>,
        /// Try every seed of every weak generator that is known, on one core.
        #[arg(long)]
        all: bool,
    },
    /// List what a key still has, and move it to another key: what resharing cannot take from old holders, and an import not from old
    /// copies, a sweep ends. Balances of its accounts and coins as the chains show them, registered tokens, one ordinary request
    /// for each, which policy decides about like any other. Nothing is asked for without --send.
    ///
    /// Example: keystead key sweep treasury --to vault
    ///
    /// Example: keystead key sweep treasury --to vault --send --as ana
    Sweep(SweepArgs),
    /// Show one key: where it stands, who holds it, its terms, the receipts of its entropy, which are checked here, certificates of
    /// its destruction, and whether it ever was whole. With --witness who watched its birth, and signed it.
    ///
    /// Example: keystead key show treasury
    Show {
        /// The key.
        key: Name,
        /// What witnesses signed: `keystead entropy witness`.
        #[arg(long, value_name = "FILES", value_delimiter = ',')]
        witness: Vec<PathBuf>,
    },
    /// Show the keys and where each stands in its life.
    ///
    /// Example: keystead key list
    List,
    /// Ask for a backup that each of the named people can read. Others approve.
    ///
    /// Example: keystead key backup hot --to ana,ben --as ana
    Backup {
        /// The key.
        key: Name,
        /// Who can read it.
        #[arg(long, value_delimiter = ',', required = true)]
        to: Vec<Name>,
    },
    /// Restore the latest backup in a scratch enclave on this machine and prove control: only then the key
    /// has addresses.
    ///
    /// Example: keystead key drill hot --as ana
    Drill {
        /// The key.
        key: Name,
    },
    /// Ask for a key to leave the enclave, for good, for one person. Others approve; the log remembers.
    ///
    /// Example: keystead key export hot --to ana --as ben
    Export {
        /// The key.
        key: Name,
        /// Who receives it.
        #[arg(long)]
        to: Name,
    },
    /// Ask for a key to stop signing until it is resumed. Others approve; rights that were given and not
    /// used yet end with it. To stop at once, freeze.
    ///
    /// Example: keystead key suspend hot --as ana
    Suspend {
        /// The key.
        key: Name,
    },
    /// Ask for a suspended key to sign again. Others approve.
    ///
    /// Example: keystead key resume hot --as ana
    Resume {
        /// The key.
        key: Name,
    },
    /// Ask for a key to be wiped from enclave and ledger, for good, after the delay that policy names for
    /// it. It is suspended first. Backups that people hold are not reached.
    ///
    /// Example: keystead key destroy hot --as ana
    Destroy {
        /// The key.
        key: Name,
    },
    /// Ask for a new key in shares: any so many of the named nodes sign with it together, and it never exists whole.
    /// Others approve; it has addresses once the share of every holder has signed. `key list` and `status` show how far
    /// each node is.
    ///
    /// Example: keystead key generate treasury --threshold 2 --holders node-1,node-2,node-3 --as ana
    Generate {
        /// Its name.
        key: Name,
        /// How many of the holders sign.
        #[arg(long, value_name = "N")]
        threshold: u8,
        /// The nodes that hold a share each.
        #[arg(long, value_name = "NODES", value_delimiter = ',', required = true)]
        holders: Vec<Name>,
        /// What it signs.
        #[arg(long, value_enum, default_value = "ecdsa")]
        scheme: sharing::SchemeArg,
        #[command(flatten)]
        stay: Stay,
    },
    /// Ask for new shares of a key, for the same holders: what was stolen of the old ones is worth nothing, unless it
    /// was as many as sign. Others approve; the key signs on meanwhile.
    ///
    /// Example: keystead key refresh treasury --as ana
    Refresh {
        /// The key.
        key: Name,
        #[command(flatten)]
        stay: Stay,
    },
    /// Ask for a key's shares to go to other nodes, or for another threshold; its addresses stay. Others approve; the
    /// key signs on meanwhile. It does not take the key from as many old holders as signed so far, should they keep
    /// their shares together.
    ///
    /// Example: keystead key reshare treasury --threshold 3 --holders node-1,node-2,node-4,node-5 --as ana
    Reshare {
        /// The key.
        key: Name,
        /// How many of the next holders sign.
        #[arg(long, value_name = "N")]
        threshold: u8,
        /// The nodes that hold a share each from then on.
        #[arg(long, value_name = "NODES", value_delimiter = ',', required = true)]
        holders: Vec<Name>,
        /// Who of the holders so far deals the new shares; all, unless named. Leave out whoever is lost.
        #[arg(long, value_name = "NODES", value_delimiter = ',')]
        dealers: Vec<Name>,
        #[command(flatten)]
        stay: Stay,
    },
    /// Ask for a holder whose share is lost to get one again: the others deal new shares to all. Others approve; the
    /// key signs on meanwhile. The holder's node says by itself, at its start, that its share is gone (`key list`).
    ///
    /// Example: keystead key repair treasury --lost node-2 --as ana
    Repair {
        /// The key.
        key: Name,
        /// The holder whose share is lost.
        #[arg(long, value_name = "NODE")]
        lost: Name,
        /// Who of the others deals the new shares; all, unless named.
        #[arg(long, value_name = "NODES", value_delimiter = ',')]
        helpers: Vec<Name>,
        #[command(flatten)]
        stay: Stay,
    },
    /// Ask for a key in shares to leave for good, for standard tools: each holder's enclave encrypts its share to the
    /// recipients (`age-keygen -pq`), and the key signs here no more. Whoever reads as many shares as signed has the whole
    /// key. Refused unless policy names `exit_key`; others approve, after the delay that it names (docs/exit.md).
    ///
    /// Example: keystead key exit treasury --recipients heirs.txt --as ana
    Exit {
        /// The key.
        key: Name,
        /// A file with one `age1pq1…` recipient in a line; lines that begin with # are comments.
        #[arg(long, value_name = "FILE")]
        recipients: PathBuf,
    },
    /// Save the encrypted shares of a key that left, one age file for each holder.
    ///
    /// Example: keystead key shares treasury --folder shares
    Shares {
        /// The key.
        key: Name,
        /// Where to write them.
        #[arg(long, value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Read the log from its genesis on, check every block, and show all that it holds of one key: who asked and approved,
    /// each node's word in each ceremony, public keys, fingerprints, attempts, and who voted for it.
    ///
    /// Example: keystead key transcript treasury
    Transcript {
        /// The key.
        key: Name,
    },
    /// Ask for the ceremony of a key in shares that is under way to end without effect. Others approve; the shares so far
    /// sign on. One that takes its place meanwhile goes on.
    ///
    /// Example: keystead key abort treasury --as ana
    Abort {
        /// The key, which there may be none of yet.
        key: Name,
    },
    /// Ask the holders of a key in shares to run with a node again that their enclaves keep out, because its words broke a
    /// run. Find out why first: after a failed multiplication each further run can cost bits of a share, and a node that told
    /// two things in one round (threshold.two_things) signed both. Others approve.
    ///
    /// Example: keystead key lift treasury --holder node-2 --as ana
    Lift {
        /// The key.
        key: Name,
        /// The node that is kept out. (`--node` is where the question goes.)
        #[arg(long, value_name = "NODE")]
        holder: Name,
    },
    /// Ask for a key to be restored from its backup at another node, which signs with it from then on: its home is
    /// lost, or is to go. Others approve; then a person who can read the backup hands it over.
    ///
    /// Example: keystead key restore hot --home node-2 --as ana
    Restore {
        /// The key.
        key: Name,
        /// The node that is to be its home.
        #[arg(long, value_name = "NODE")]
        home: Name,
    },
    /// Hand your copy of a backup over to the enclave that a `key restore` named. It is read in a scratch enclave on
    /// this machine and encrypted again to a one-time key of that enclave; talk to that node (`--node`). From then on
    /// the old home signs with the key no more. Back the key up anew afterwards.
    ///
    /// Example: keystead key hand-over 5f0c… --backup hot.backup --node node-2 --as ana
    HandOver {
        /// The request of the ceremony.
        request: RequestId,
        /// The backup file that `key fetch` saved; that node's own copy when not named.
        #[arg(long, value_name = "FILE")]
        backup: Option<PathBuf>,
    },
    #[command(flatten)]
    Life(super::life::LifeCommand),
    /// Save the file that a backup or export wrote.
    ///
    /// Example: keystead key fetch 5f0c… --file hot.backup
    Fetch {
        /// The request of the ceremony.
        request: RequestId,
        /// Where to write it.
        #[arg(long)]
        file: PathBuf,
    },
}

pub(crate) async fn run(global: &Global, command: KeyCommand, voice: Voice) -> Result<Report, Failure> {
    let session = Session::open(global).await?;
    match command {
        KeyCommand::Create { key, home, scheme } => {
            let home = home.unwrap_or_default();
            if home.tokens.is_some() && scheme != vaulting::WholeScheme::Ecdsa {
                let what = "tokens make keys of secp256k1 alone here";
                return Err(Failure::usage(what, "leave out --scheme, or name a node without tokens"));
            }
            let node = match home.node {
                Some(node) => node,
                None => session.link.status().await?.node,
            };
            ask(&session, vaulting::creation(&key, scheme.kind(), &node, home.tokens.as_ref())).await
        }
        KeyCommand::Backup { key, to } => ask(&session, vaulting::backup(&key, &to)).await,
        KeyCommand::Export { key, to } => ask(&session, vaulting::export(&key, &to)).await,
        KeyCommand::Suspend { key } => ask(&session, vaulting::suspension(&key)).await,
        KeyCommand::Resume { key } => ask(&session, vaulting::resumption(&key)).await,
        KeyCommand::Destroy { key } => ask(&session, vaulting::destruction(&key)).await,
        KeyCommand::Generate { key, threshold, holders, scheme, stay } => {
            let asked = sharing::generation(&key, scheme, threshold, &holders);
            convene(&session, &key, asked, (stay, voice)).await
        }
        KeyCommand::Refresh { key, stay } => {
            convene(&session, &key, sharing::refresh(&key), (stay, voice)).await
        }
        KeyCommand::Reshare { key, threshold, holders, dealers, stay } => {
            let asked = sharing::resharing(&session.link, &key, threshold, &holders, dealers).await?;
            convene(&session, &key, asked, (stay, voice)).await
        }
        KeyCommand::Repair { key, lost, helpers, stay } => {
            let asked = sharing::repair(&session.link, &key, lost, helpers).await?;
            convene(&session, &key, asked, (stay, voice)).await
        }
        KeyCommand::Exit { key, recipients } => ask(&session, crate::leaving::exit(&key, &recipients)?).await,
        KeyCommand::Shares { key, folder } => crate::leaving::save(&session.link, &key, &folder).await,
        KeyCommand::Transcript { key } => super::transcript::run(&session, &key, voice).await,
        KeyCommand::Abort { key } => ask(&session, sharing::abort(&session.link, &key).await?).await,
        KeyCommand::Lift { key, holder } => ask(&session, sharing::lift(&key, holder)).await,
        KeyCommand::Import { key, secret, taproot, threshold, holders, all, stay } => {
            let secret = secret.as_deref();
            let wanted =
                importing::Wanted { key: &key, secret, everything: all, taproot, threshold, holders };
            let asked = importing::asked(&session, wanted).await?;
            convene(&session, &key, asked, (stay, voice)).await
        }
        KeyCommand::Deal { request, secret, taproot, all } => {
            let from = importing::Dealt { secret: &secret, everything: all, taproot };
            importing::deal(&session, request, from, voice).await
        }
        KeyCommand::Sweep(args) => super::sweep::run(global, &session, &args, voice).await,
        KeyCommand::Show { key, witness } => super::life::show(&session, &key, &witness).await,
        KeyCommand::Life(command) => super::life::run(&session, command).await,
        KeyCommand::List => list(&session).await,
        KeyCommand::Drill { key } => drill(&session, &key, voice).await,
        KeyCommand::Restore { key, home } => ask(&session, vaulting::restoration(&key, &home)).await,
        KeyCommand::HandOver { request, backup } => {
            voice.progress("reading the backup in a scratch enclave");
            let key = handing::hand_over(&session, request, backup.as_deref()).await?;
            let text = format!(
                "key `{}` lives at {} now, epoch {}
next: back it up again with `keystead key backup {} --to NAME`",
                key.name, key.home, key.epoch, key.name
            );
            Ok(Report::new(json!({"key": key}), text))
        }
        KeyCommand::Fetch { request, file } => fetch(&session, request, file).await,
    }
}

async fn list(session: &Session) -> Result<Report, Failure> {
    let status = session.link.status().await?;
    let under_way = status.ceremonies.iter().map(|it| format!("{}\n", sharing::progress(it, &status.runs)));
    let text = [table(&status.keys)].into_iter().chain(under_way).collect::<String>();
    let solana: BTreeMap<_, _> =
        status.keys.iter().filter_map(|it| Some((&it.name, solana_address(it)?))).collect();
    let (keys, ceremonies, runs) = (&status.keys, &status.ceremonies, sharing::runs(&status, |_| true));
    Ok(Report::new(json!({"keys": keys, "ceremonies": ceremonies, "runs": runs, "solana": solana}), text))
}

/// Asks for a ceremony of a key in shares, and stays with it where that is wanted.
async fn convene(
    session: &Session,
    key: &Name,
    asked: keystead_intent::Action,
    (stay, voice): (Stay, Voice),
) -> Result<Report, Failure> {
    match stay.follow {
        true => crate::following::follow(session, key, asked, voice).await,
        false => ask(session, asked).await,
    }
}

async fn ask(session: &Session, action: keystead_intent::Action) -> Result<Report, Failure> {
    let view = session.speaker().ask(action, REQUEST_LIFETIME).await?;
    let next = approvers_next(&view, "keystead approve");
    let text = format!("request {}\n{}{next}", view.request, standing(&view));
    let mut report = Report::new(json!({"request": view}), text);
    report.holds = view.stage != RequestStage::Denied;
    Ok(report)
}

async fn drill(session: &Session, key: &Name, voice: Voice) -> Result<Report, Failure> {
    vaulting::named(&session.link, key).await?;
    voice.progress("restoring the backup in a scratch enclave");
    let files = &session.files;
    vaulting::reached(&session.link, key, KeyState::BackedUp, None).await?;
    let view =
        vaulting::drill(&session.link, key, &session.member.name, &files.key, &files.passphrase).await?;
    let what = match (view.address, super::near::near_key(&view)) {
        (None, Some((near, _))) => format!("NEAR key {near}"),
        (address, _) => format!("address {}", address.map(|it| it.to_string()).unwrap_or_default()),
    };
    Ok(Report::new(json!({"key": view}), format!("the backup restores key `{key}`\n{what}")))
}

async fn fetch(session: &Session, request: RequestId, file: PathBuf) -> Result<Report, Failure> {
    let view = session.link.wait(request, Duration::ZERO).await?;
    let digest = view.file.ok_or_else(|| {
        Failure::new(
            "key.no_file",
            "this request wrote no file",
            "`keystead request show ID` says where it stands",
        )
    })?;
    outside::create_secret(&file, &session.link.backup(digest).await?)?;
    Ok(Report::new(json!({"file": file, "digest": digest}), format!("{} ({digest})", file.display())))
}

/// The address of a key of Ed25519, in Base58.
pub(crate) fn solana_address(key: &KeyView) -> Option<String> {
    key.account?.ed25519_key().map(|it| keystead_solana::Pubkey(it).to_string())
}

/// The keys, one row each.
pub(crate) fn table(keys: &[KeyView]) -> String {
    if keys.is_empty() {
        return "no keys yet: `keystead key create NAME`\n".to_owned();
    }
    let mut table = Table::new(&["key", "state", "home", "epoch", "address 0"]);
    for key in keys {
        let (state, _) = crate::watch::key_state(key);
        let address =
            key.address.map(|it| it.to_string()).or_else(|| solana_address(key)).unwrap_or_default();
        let (name, home) = (key.name.to_string(), sharing::home(key));
        table.row([name, state.to_owned(), home, key.epoch.to_string(), address]);
    }
    table.render()
}
