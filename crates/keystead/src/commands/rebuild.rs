//! `keystead rebuild`: a cluster all of whose nodes are lost goes on from a backup of its log, with new nodes, frozen.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keystead_base::{Canonical as _, ClusterId, Digest, Name};
use keystead_decision::ceremony::SignedContribution;
use keystead_decision::rebuild::{CheckedRebuild, RebuildAssent, RebuildBundle, RebuildDraft, RebuildError};
use keystead_decision::{SignedGenesis, State};
use keystead_ledger::ExportedLog;
use serde_json::json;

use super::Global;
use super::rebuild_check::{CheckArgs, check};
use crate::anchoring::Anchored;
use crate::ceremony::{Heard, Seat, grouped, unheard};
use crate::config::{Config, FILE};
use crate::failure::{Advise as _, Failure};
use crate::member::{self, Files, Member};
use crate::output::{Report, Voice};
use crate::outside;
use crate::rebuild::{Backup, Installed, Shown, Told, goes_on, new_node, remembered};
use crate::setup::Place;

/// For the day on which all nodes are gone. What must be left: an exported log (`audit export`), backups of the keys, and
/// people with their own folders. New machines make their keys with `keystead ceremony join --part node`, under new
/// names; people sign which machines they are, one more of them than a change of the roster takes; the log goes on from
/// its last block, frozen. Then keys are restored, the chains are compared, and the same larger number thaws.
#[derive(Debug, Subcommand)]
pub(crate) enum RebuildCommand {
    /// Put a backup of the log and the contributions of new nodes together: the document that people sign.
    ///
    /// Replays the whole backup from the genesis that this folder is pinned to. Name what witnesses and others remember
    /// (--remembered): where it is more than the backup has, blocks are lost, and the draft is refused.
    ///
    /// Example: keystead rebuild draft --log backup --remembered witness.state --out draft node-5.contribution
    Draft(DraftArgs),
    /// Read a draft or a finished rebuild in plain words, danger first.
    ///
    /// With --log the whole backup is replayed and compared, too.
    ///
    /// Example: keystead rebuild show draft --log backup --dir ana
    Show(ShowArgs),
    /// Sign a draft as a person of the roster, after comparing its fingerprint with the others by voice.
    ///
    /// A person signs one rebuild from a block, in one folder: two that enough people sign are two logs.
    ///
    /// Example: keystead rebuild sign draft --log backup --dir ana --as ana --fingerprint '5f0c 91a2 …'
    Sign(SignArgs),
    /// Put the signatures to a draft; says how many of which role are missing. Anybody can: who has no folder of this
    /// cluster adds --log BACKUP --cluster ID.
    ///
    /// Example: keystead rebuild finish draft *.rebuild-assent --out bundle
    Finish(FinishArgs),
    /// Verify a finished rebuild, and set this machine up for it; no older one, and no other from the same block.
    ///
    /// On a new node's machine (the folder of `ceremony join`): replays the backup from the genesis of the cluster that
    /// --cluster names, reads it into a fresh ledger, and writes keystead.toml. Start the node then. A machine that comes
    /// later, and is not in the rebuild, does the same, and waits until the roster names it. In the folder of a person or
    /// a coordinator: verifies with the pinned genesis, and points keystead.toml at the new nodes.
    ///
    /// Example: keystead rebuild install bundle --dir node-5 --log backup --cluster 8a1f… --endpoint http://127.0.0.1:8545
    ///
    /// Where an anchor is pinned (`anchor` in keystead.toml; of a new node --anchor), its word on this rebuild has to be there, too.
    ///
    /// Example: keystead rebuild install bundle --dir ana
    ///
    /// Example: keystead rebuild install bundle --dir ana --anchored bundle.anchor
    Install(InstallArgs),
    /// Compare the chain with the log before anybody thaws: whose transactions does nobody here remember?
    ///
    /// Replays the log from a node, and asks the endpoints of one chain how many transactions are final: of the first
    /// addresses of each key, and of all that the log gave a nonce. Exit code 2 where one is not in the log. What others
    /// may move (allowances, owners of contracts), and what is not final yet, it does not see.
    ///
    /// Example: keystead rebuild check --endpoint http://127.0.0.1:8545 --as ana
    Check(CheckArgs),
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct DraftArgs {
    /// What the new nodes contributed (`keystead ceremony join`), in any order.
    #[arg(required = true)]
    contributions: Vec<PathBuf>,
    /// The backup: a folder that `keystead audit export` wrote.
    #[arg(long, value_name = "FOLDER")]
    log: PathBuf,
    /// What others remember of the log: state files of witnesses, checkpoints that were kept.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    remembered: Vec<PathBuf>,
    /// Go on although somebody remembers more blocks than the backup has; the loss is part of what people sign.
    #[arg(long)]
    accept_loss: bool,
    /// The cluster's id as it was read out, for whoever has no folder of this cluster: the genesis is the backup's then.
    #[arg(long, value_name = "HEX")]
    cluster: Option<Heard>,
    /// Where to write the draft.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// A draft, or a finished rebuild.
    file: PathBuf,
    /// The backup, to replay all of it here.
    #[arg(long, value_name = "FOLDER")]
    log: Option<PathBuf>,
    /// The cluster's id as it was read out, for whoever has no folder of this cluster: the genesis is the backup's then.
    #[arg(long, value_name = "HEX")]
    cluster: Option<Heard>,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The draft.
    draft: PathBuf,
    #[command(flatten)]
    compared: Compared,
    /// Where else to write the signature; it always stays in this folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What whoever signs a rebuild holds it to, with a person's key or with an anchor's.
#[derive(Debug, Args)]
pub(crate) struct Compared {
    /// The backup, which is replayed before anything is signed; `anchor sign` needs it on a machine without a folder of this cluster.
    #[arg(long, value_name = "FOLDER")]
    pub(super) log: Option<PathBuf>,
    /// The fingerprint that the others read out; blanks do not matter.
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<Heard>,
}

impl Compared {
    /// Shows what is signed, replayed where there is a backup, and gives what was heard of it.
    pub(super) fn shown(&self, checked: &CheckedRebuild, voice: Voice) -> Result<Digest, Failure> {
        let audited = audited(self.log.as_ref(), checked.draft().rebuild.cluster, checked, voice)?;
        voice.line(&Shown { rebuild: checked, signed: Vec::new(), audited: audited.as_ref() }.text());
        Ok(self.fingerprint.ok_or_else(|| unheard("rebuild"))?.0)
    }
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct FinishArgs {
    /// The draft.
    draft: PathBuf,
    /// People's signatures, in any order.
    #[arg(required = true)]
    signatures: Vec<PathBuf>,
    /// The backup, to replay all of it here.
    #[arg(long, value_name = "FOLDER")]
    log: Option<PathBuf>,
    /// The cluster's id as it was read out, for whoever has no folder of this cluster: the genesis is the backup's then.
    #[arg(long, value_name = "HEX")]
    cluster: Option<Heard>,
    /// Where to write the finished rebuild.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// What `keystead rebuild finish` wrote.
    bundle: PathBuf,
    /// The backup that it was drafted from; a new node needs it.
    #[arg(long, value_name = "FOLDER")]
    log: Option<PathBuf>,
    /// The cluster's id as it was read out; blanks do not matter. A new node has nothing yet that it is pinned to.
    #[arg(long, value_name = "HEX")]
    cluster: Option<Heard>,
    /// The anchor's word on this rebuild: `keystead anchor finish`.
    #[arg(long, value_name = "FILE")]
    anchored: Option<PathBuf>,
    /// The anchor as it was read out, which a new node is pinned to from then on; blanks do not matter.
    #[arg(long, value_name = "HEX", requires = "anchored")]
    anchor: Option<Heard>,
    #[command(flatten)]
    place: Place,
    /// The database of a new node, `postgres://…`; SQLite in its folder unless named.
    #[arg(long, value_name = "URL")]
    ledger: Option<String>,
}

pub(crate) async fn run(global: &Global, command: RebuildCommand, voice: Voice) -> Result<Report, Failure> {
    match command {
        RebuildCommand::Draft(args) => draft(global, &args, voice),
        RebuildCommand::Show(args) => show(global, &args, voice),
        RebuildCommand::Sign(args) => sign(global, &args, voice),
        RebuildCommand::Finish(args) => finish(global, &args, voice),
        RebuildCommand::Install(args) => install(global, &args, voice).await,
        RebuildCommand::Check(args) => check(global, &args, voice).await,
    }
}

fn draft(global: &Global, args: &DraftArgs, voice: Voice) -> Result<Report, Failure> {
    let (cluster, genesis) = ground(global, Some(&args.log), args.cluster)?;
    let contributions = args.contributions.iter().map(|path| outside::document(path));
    let contributions: Vec<SignedContribution> = contributions.collect::<Result<_, _>>()?;
    let memories = remembered(&args.remembered)?;
    voice.progress("replaying the backup");
    let backup = Backup::read(&args.log, cluster, &memories)?;
    let state = backup.state.clone();
    let basis = backup.basis(cluster, &memories, args.accept_loss, outside::now())?;
    let checked = RebuildDraft::assemble(&genesis, cluster, basis, contributions).advise(DRAFTING)?;
    outside::create(&args.out, &checked.draft().to_document())?;
    Ok(shown(&Shown { rebuild: &checked, signed: Vec::new(), audited: Some(&state) }))
}

fn show(global: &Global, args: &ShowArgs, voice: Voice) -> Result<Report, Failure> {
    let (cluster, genesis) = ground(global, args.log.as_ref(), args.cluster)?;
    let bytes = outside::read(&args.file)?;
    if let Ok(bundle) = RebuildBundle::from_document(&bytes) {
        let finished = bundle.verify(&genesis, cluster)?;
        let audited = audited(args.log.as_ref(), cluster, finished.checked(), voice)?;
        let signed = finished.signed().signatures.iter().map(|it| it.person.clone()).collect();
        return Ok(shown(&Shown { rebuild: finished.checked(), signed, audited: audited.as_ref() }));
    }
    let draft: RebuildDraft = outside::document(&args.file)?;
    let checked = draft.check(&genesis, cluster).advise(NOT_SOUND)?;
    let audited = audited(args.log.as_ref(), cluster, &checked, voice)?;
    Ok(shown(&Shown { rebuild: &checked, signed: Vec::new(), audited: audited.as_ref() }))
}

fn shown(shown: &Shown<'_>) -> Report {
    Report::new(shown.json(), format!("{}\n\n{}", shown.text(), shown.next()))
}

/// The state at the end of the whole backup: an error where it is not what the draft says, none where nobody looked.
fn audited(
    log: Option<&PathBuf>,
    cluster: ClusterId,
    checked: &CheckedRebuild,
    voice: Voice,
) -> Result<Option<State>, Failure> {
    let Some(folder) = log else { return Ok(None) };
    voice.progress("replaying the backup");
    let backup = Backup::read(folder, cluster, &[])?;
    backup.state.goes_on(&checked.draft().rebuild).advise(NOT_SOUND)?;
    Ok(Some(backup.state))
}

fn sign(global: &Global, args: &SignArgs, voice: Voice) -> Result<Report, Failure> {
    let config = Config::read(&global.dir).advise("use the folder of a person of this cluster")?;
    let genesis = member::genesis(&config)?;
    let draft: RebuildDraft = outside::document(&args.draft)?;
    let checked = draft.check(&genesis, config.cluster).advise(NOT_SOUND)?;
    let heard = args.compared.shown(&checked, voice)?;
    goes_on(&config, &genesis, &checked)?;
    let files = Files::chosen(&config, global.person.as_ref(), global.passphrase_file.as_ref())?;
    let member = Member::open(&files.key, &files.passphrase)?;
    let assent = checked.sign(&member.name, heard, &member.signer).advise(NOT_HEARD)?;
    let file = kept(global, &member.name, &assent, checked.draft())?;
    let file = match &args.out {
        Some(out) => {
            outside::create(out, &assent.to_document())?;
            out.clone()
        }
        None => file,
    };
    let json = json!({"person": member.name, "fingerprint": assent.rebuild, "assent": file});
    let text = format!("\nsigned by `{}`\nnext: send {} to whoever finishes", member.name, file.display());
    Ok(Report::new(json, text))
}

/// The signature stays here; who has signed one rebuild signs no other in the same folder, unless the log went on with
/// that one and was lost again.
fn kept(
    global: &Global,
    person: &Name,
    assent: &RebuildAssent,
    draft: &RebuildDraft,
) -> Result<PathBuf, Failure> {
    let file = global.dir.join(format!("{person}.rebuild-assent"));
    if !file.exists() {
        outside::create(&file, &assent.to_document())?;
        return Ok(file);
    }
    let earlier: RebuildAssent = outside::document(&file)?;
    if earlier.rebuild == assent.rebuild {
        return Ok(file);
    }
    if draft.leads_through(&earlier.rebuild) {
        outside::replace(&file, &assent.to_document())?;
        return Ok(file);
    }
    let what = format!(
        "{} is on the rebuild {}, this one is {}; two that enough people sign are two logs",
        file.display(),
        earlier.rebuild,
        assent.rebuild
    );
    let next = "only if all agree that the earlier one is void, and none of its nodes was started: move that file away";
    Err(Failure::new("rebuild.signed", what, next))
}

fn finish(global: &Global, args: &FinishArgs, voice: Voice) -> Result<Report, Failure> {
    let (cluster, genesis) = ground(global, args.log.as_ref(), args.cluster)?;
    let draft: RebuildDraft = outside::document(&args.draft)?;
    let signatures = args.signatures.iter().map(|path| outside::document(path));
    let signatures: Vec<RebuildAssent> = signatures.collect::<Result<_, _>>()?;
    let checked = draft.check(&genesis, cluster)?;
    audited(args.log.as_ref(), cluster, &checked, voice)?;
    let finished = checked.finish(signatures);
    let finished =
        finished.advise("people sign this very draft: `keystead rebuild sign` on their machines")?;
    outside::create(&args.out, &finished.bundle().to_document())?;
    let signed: Vec<Name> = finished.signed().signatures.iter().map(|it| it.person.clone()).collect();
    let json = json!({
        "cluster": cluster, "fingerprint": finished.checked().fingerprint(), "signed": signed,
        "bundle": args.out,
    });
    let shown = Shown { rebuild: finished.checked(), signed, audited: None };
    let text = format!(
        "fingerprint {}\nsigned by {}\n{}",
        grouped(&finished.checked().fingerprint()),
        shown.signed.iter().map(Name::as_str).collect::<Vec<_>>().join(", "),
        shown.next()
    );
    Ok(Report::new(json, text))
}

async fn install(global: &Global, args: &InstallArgs, voice: Voice) -> Result<Report, Failure> {
    let bundle: RebuildBundle = outside::document(&args.bundle)?;
    if global.dir.join(FILE).exists() {
        return follow(global, args, bundle, voice);
    }
    let seat = Seat::open(&global.dir)?;
    let (log, cluster) = match (&args.log, args.cluster) {
        (Some(log), Some(heard)) => (log, ClusterId(heard.0)),
        _ => return Err(unpinned()),
    };
    voice.progress("replaying the backup into a fresh ledger");
    let anchored = Anchored::of(args.anchor.map(|it| it.0), args.anchored.as_deref())?;
    let Installed { height, votes } =
        new_node(&seat, bundle, log, (cluster, anchored), (&args.place, args.ledger.clone())).await?;
    let json = json!({
        "node": seat.name, "cluster": cluster, "height": height, "votes": votes, "config": global.dir.join(FILE),
    });
    let then = match votes {
        true => "",
        false => "\nIt waits at the door, and follows as soon as the roster names it.",
    };
    let text = format!(
        "`{}` has the log of cluster {cluster} up to block {height}, and goes on with the rebuild\nnext: keystead node \
         --dir {}{then}",
        seat.name,
        global.dir.display()
    );
    Ok(Report::new(json, text))
}

/// In the folder of somebody who was there before.
fn follow(
    global: &Global,
    args: &InstallArgs,
    bundle: RebuildBundle,
    voice: Voice,
) -> Result<Report, Failure> {
    let told = Told::of(&global.dir, bundle, args.anchored.as_deref())?;
    let other = args.ledger.as_ref().map(|_| "--ledger").or(args.anchor.map(|_| "--anchor"));
    if let Some(option) = args.place.named().or(other) {
        let what = format!("`{option}` is said of a new node, and this folder was there before");
        return Err(Failure::usage(what, "leave it out, or name the new node's folder with --dir"));
    }
    let (checked, roster) = (told.finished().checked(), told.finished().roster());
    let cluster = checked.draft().rebuild.cluster;
    same_cluster(cluster, args.cluster)?;
    audited(args.log.as_ref(), cluster, checked, voice)?;
    told.follow(&global.dir)?;
    let nodes: Vec<&Name> = roster.nodes.iter().map(|it| &it.name).collect();
    let names = nodes.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(", ");
    let json = json!({"fingerprint": checked.fingerprint(), "nodes": nodes});
    let text =
        format!("this folder looks for {names} now\nnext: keystead --dir {} status", global.dir.display());
    Ok(Report::new(json, text))
}

fn unpinned() -> Failure {
    Failure::usage(
        "whoever has no folder of this cluster reads the backup, from a genesis that people name",
        "add `--log BACKUP --cluster ID`: the id stands in every member's keystead.toml; or name the folder of a member with \
         --dir",
    )
}

/// The genesis and its id: of this folder, or, for whoever has none of this cluster, of the backup under the id that was
/// read out.
pub(super) fn ground(
    global: &Global,
    log: Option<&PathBuf>,
    heard: Option<Heard>,
) -> Result<(ClusterId, SignedGenesis), Failure> {
    if global.dir.join(FILE).exists() {
        let config = Config::read(&global.dir)?;
        same_cluster(config.cluster, heard)?;
        return Ok((config.cluster, member::genesis(&config)?));
    }
    let (Some(log), Some(heard)) = (log, heard) else { return Err(unpinned()) };
    let log = ExportedLog::open(log).advise(WHOLE)?;
    Ok((ClusterId(heard.0), log.genesis().clone()))
}

fn same_cluster(expected: ClusterId, heard: Option<Heard>) -> Result<(), Failure> {
    match heard.map(|it| ClusterId(it.0)).filter(|it| *it != expected) {
        Some(found) => Err(RebuildError::Cluster { expected, found }.into()),
        None => Ok(()),
    }
}

const DRAFTING: &str = "a rebuilt cluster takes 1, 3, 4 or 7 new machines, each with `keystead ceremony join FOLDER NEW-NAME \
                        --cluster NAME --part node …`, and changes nothing but them";
pub(super) const NOT_SOUND: &str = "do NOT sign: whoever drafted this made a mistake or lies";
pub(super) const NOT_HEARD: &str = "do NOT sign: you and the others look at different files; have each run `keystead rebuild show` and \
                         find who differs";
const WHOLE: &str = "is it a folder that `keystead audit export FOLDER` wrote, whole?";
