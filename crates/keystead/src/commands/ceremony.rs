//! `keystead ceremony`: founding a cluster over several machines; only public files travel.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use keystead_base::{Canonical as _, Name};
use keystead_decision::SignedGenesis;
use keystead_decision::ceremony::{
    Assent, FinishedCeremony, FounderPart, NodePart, Part, ServicePart, SignedContribution, SignedTranscript,
    Transcript,
};
use keystead_keys::MemberPublic;
use serde_json::json;

use super::Global;
use super::first_policy::FirstPolicy;
use crate::ceremony::{CEREMONY, Heard, Joining, Seat, Shown, contribution, grouped, install, join, unheard};
use crate::failure::{Advise as _, Failure};
use crate::founding::GENESIS;
use crate::node_token;
use crate::output::{Report, Voice};
use crate::outside;
use crate::setup::Place;

/// Each member makes its keys where they stay and hands on a public contribution; anybody puts the contributions
/// together; every member reads the result on its own machine, compares its fingerprint with the others by voice,
/// and signs; whoever has all signatures finishes it.
#[derive(Debug, Subcommand)]
pub(crate) enum CeremonyCommand {
    /// Make this member's keys in a new folder, and its contribution: one public file for whoever drafts.
    ///
    /// Run it on the member's own machine. Keys, sealed, and their passphrase stay in FOLDER/members; a node gets a
    /// passphrase for its vault, too. Only FOLDER/NAME.contribution travels, signed by the key that it names.
    ///
    /// Example: keystead ceremony join desk-node node-1 --cluster treasury --part node --address 10.0.0.1:7400
    /// --operator 'Alpha Ltd' --host rack-7 --provider own
    ///
    /// Example: keystead ceremony join ana ana --cluster treasury --part founder
    ///
    /// Example: keystead ceremony join desk desk --cluster treasury --part service
    Join(JoinArgs),
    /// Put contributions and a first policy together: the transcript that everybody reads.
    ///
    /// Checks every contribution: signature, distinct names and keys, 1, 3, 4 or 7 nodes, at least three founders.
    /// Whoever drafts is trusted by nobody: each member computes it again.
    ///
    /// Example: keystead ceremony draft --cluster treasury --chain 1 --allow exchange=0x7099… --out draft
    /// *.contribution
    ///
    /// Example: keystead ceremony draft --cluster treasury --policy own.json --out draft *.contribution
    Draft(DraftArgs),
    /// Read a contribution, a draft or a finished ceremony in plain words, danger first.
    ///
    /// In a member's own folder (--dir) it also says whether that member's contribution is in it, byte for byte.
    ///
    /// Example: keystead ceremony show draft --dir ana
    Show(ShowArgs),
    /// Sign a draft as the member of this folder, after comparing its fingerprint with the others by voice.
    ///
    /// Refuses unless this member's own contribution is in it byte for byte, the genesis is what contributions and
    /// policy make it, and the fingerprint is the one that was read out. A member signs one draft in its life.
    ///
    /// Example: keystead ceremony sign draft --dir ana --fingerprint '5f0c 91a2 …'
    Sign(SignArgs),
    /// Put all signatures to a draft: the genesis, and the transcript beside it.
    ///
    /// Signatures come in any order, from anywhere; who has not signed yet is named.
    ///
    /// Example: keystead ceremony finish draft *.assent --out bundle
    Finish(FinishArgs),
    /// Verify a finished ceremony against this member's own keys and signature, and configure this machine.
    ///
    /// Writes genesis, transcript and keystead.toml into the member's folder: a node's with its peers, a
    /// coordinator's, or a founder's with the way to the nodes.
    ///
    /// Example: keystead ceremony install bundle --dir desk-node --endpoint http://127.0.0.1:8545
    ///
    /// Example: keystead ceremony install bundle --dir ana
    Install(InstallArgs),
}

/// What a member is to be.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PartName {
    /// A signer node: votes, and keeps keys in its enclave.
    Node,
    /// A person: signs the genesis, and approves, vetoes and freezes afterwards.
    Founder,
    /// A coordinator: asks for signatures, and holds no key.
    Service,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// The folder to make.
    folder: PathBuf,
    /// The member's name.
    name: Name,
    /// The name of the cluster to be founded: all members give the same one.
    #[arg(long)]
    cluster: Name,
    /// What the member is to be.
    #[arg(long)]
    part: PartName,
    /// Where the others reach this node.
    #[arg(long, value_name = "HOST:PORT", required_if_eq("part", "node"))]
    address: Option<String>,
    /// Who runs this node.
    #[arg(long, required_if_eq("part", "node"))]
    operator: Option<String>,
    /// The machine of this node, as people call it.
    #[arg(long, required_if_eq("part", "node"))]
    host: Option<String>,
    /// The cloud or data center of this node.
    #[arg(long, required_if_eq("part", "node"))]
    provider: Option<String>,
    /// The roles: approver, founder, freezer and vetoer for founders and desk for services, unless named.
    #[arg(long, value_delimiter = ',')]
    roles: Vec<Name>,
    /// The founder's device.
    #[arg(long, default_value = "laptop")]
    device: Name,
    /// Have half of a node's signing key made in the token that this file names, where it stays: without the token the node
    /// does not vote. The file has the lines of [node.member.token].
    #[arg(long, value_name = "FILE")]
    node_token: Option<PathBuf>,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct DraftArgs {
    /// The members' contributions, in any order.
    #[arg(required = true)]
    contributions: Vec<PathBuf>,
    /// The name of the cluster to be founded.
    #[arg(long)]
    cluster: Name,
    #[command(flatten)]
    policy: FirstPolicy,
    /// Where to write the draft.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// A contribution, a draft, or a finished ceremony (the bundle's folder or the file in it).
    file: PathBuf,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The draft.
    draft: PathBuf,
    /// The fingerprint that the others read out; blanks do not matter.
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<Heard>,
    /// Where else to write the signature; it always stays in the member's folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct FinishArgs {
    /// The draft.
    draft: PathBuf,
    /// The members' signatures, in any order.
    #[arg(required = true)]
    signatures: Vec<PathBuf>,
    /// The folder to make, with the files genesis and ceremony.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// The folder that `keystead ceremony finish` made.
    bundle: PathBuf,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(global: &Global, command: &CeremonyCommand, voice: Voice) -> Result<Report, Failure> {
    match command {
        CeremonyCommand::Join(args) => joined(args, voice),
        CeremonyCommand::Draft(args) => draft(args),
        CeremonyCommand::Show(args) => show(global, args),
        CeremonyCommand::Sign(args) => sign(global, args, voice),
        CeremonyCommand::Finish(args) => finish(args),
        CeremonyCommand::Install(args) => installed(global, args),
    }
}

fn joined(args: &JoinArgs, voice: Voice) -> Result<Report, Failure> {
    voice.progress("making keys (Argon2id, a moment)");
    let roles = roles(args)?;
    let part = |public: &MemberPublic| part(args, roles.clone(), public);
    let token = args.node_token.as_deref().map(node_token::read).transpose()?;
    if token.is_some() && !matches!(args.part, PartName::Node) {
        return Err(Failure::usage("--node-token is for nodes", "leave it out: people keep whole keys"));
    }
    let joining = Joining { cluster: args.cluster.clone(), name: args.name.clone(), part: &part, token };
    let (seat, made) = join(&args.folder, &joining)?;
    let (body, file) = (made.body(), seat.contribution_file());
    let text = format!(
        "{}\n\nnext: send {} to whoever drafts, and keep {} here: its secrets go nowhere",
        contribution(body),
        file.display(),
        args.folder.join(crate::founding::MEMBERS).display(),
    );
    Ok(Report::new(json!({"name": body.name, "key": body.key.fingerprint(), "contribution": file}), text))
}

fn roles(args: &JoinArgs) -> Result<Vec<Name>, Failure> {
    let usual: &[&str] = match args.part {
        PartName::Node => &[],
        PartName::Founder => &["approver", "founder", "freezer", "vetoer"],
        PartName::Service => &["desk"],
    };
    let mut roles = args.roles.clone();
    if roles.is_empty() {
        roles = usual.iter().map(|it| it.parse()).collect::<Result<_, keystead_base::NameError>>()?;
    }
    roles.sort_unstable();
    roles.dedup();
    Ok(roles)
}

fn part(args: &JoinArgs, roles: Vec<Name>, public: &MemberPublic) -> Part {
    let label = |text: &Option<String>| text.clone().unwrap_or_default();
    match args.part {
        PartName::Node => Part::Node(NodePart {
            address: label(&args.address),
            operator: label(&args.operator),
            host: label(&args.host),
            provider: label(&args.provider),
            build: env!("CARGO_PKG_VERSION").to_owned(),
        }),
        PartName::Founder => Part::Founder(FounderPart {
            roles,
            device: args.device.clone(),
            recipient: public.recipient.as_bytes().to_vec(),
        }),
        PartName::Service => Part::Service(ServicePart { roles }),
    }
}

fn draft(args: &DraftArgs) -> Result<Report, Failure> {
    let contributions = args.contributions.iter().map(|path| outside::document(path));
    let contributions: Vec<SignedContribution> = contributions.collect::<Result<_, _>>()?;
    let created = outside::now();
    let policy = |roster| args.policy.version(roster, created);
    let checked: Result<_, Failure> =
        Transcript::assemble(args.cluster.clone(), created, contributions, policy);
    let checked = checked.map_err(|failure| match failure.code.starts_with("ceremony.") {
        true => Failure { next: DRAFTING.to_owned(), ..failure },
        false => failure,
    })?;
    outside::create(&args.out, &checked.transcript().to_document())?;
    let shown = Shown { transcript: &checked, signed: Vec::new(), own: None };
    Ok(Report::new(shown.json(), format!("{}\n\n{}", shown.text(), shown.next())))
}

fn show(global: &Global, args: &ShowArgs) -> Result<Report, Failure> {
    let path = if args.file.is_dir() { args.file.join(CEREMONY) } else { args.file.clone() };
    let bytes = outside::read(&path)?;
    if let Ok(signed) = SignedContribution::from_document(&bytes) {
        let body = signed.verify()?;
        return Ok(Report::new(json!({"contribution": body}), contribution(body)));
    }
    let (transcript, signed) = match SignedTranscript::from_document(&bytes) {
        Ok(signed) => {
            let finished = signed.verify()?;
            let names = finished.signed().assents.iter().map(|it| it.member.clone()).collect();
            (finished.signed().transcript.clone(), names)
        }
        Err(_) => (outside::document(&path)?, Vec::new()),
    };
    let checked = Transcript::check(transcript)?;
    let own = match Seat::open(&global.dir).and_then(|seat| seat.contribution()) {
        Ok(own) => Some((own.body().name.clone(), checked.holds(&own).is_ok())),
        Err(_) => None,
    };
    let shown = Shown { transcript: &checked, signed, own };
    let mut report = Report::new(shown.json(), format!("{}\n\n{}", shown.text(), shown.next()));
    report.holds = shown.own.as_ref().is_none_or(|(_, holds)| *holds);
    Ok(report)
}

fn sign(global: &Global, args: &SignArgs, voice: Voice) -> Result<Report, Failure> {
    let seat = Seat::open(&global.dir)?;
    let transcript: Transcript = outside::document(&args.draft)?;
    let checked = transcript.check().advise("do NOT sign: whoever drafted this made a mistake or lies")?;
    let own = Some((seat.name.clone(), checked.holds(&seat.contribution()?).is_ok()));
    voice.line(&Shown { transcript: &checked, signed: Vec::new(), own }.text());
    let heard = args.fingerprint.ok_or_else(|| unheard("ceremony"))?;
    let assent = seat.sign(&checked, heard.0, global.passphrase_file.as_ref())?;
    let file = match &args.out {
        Some(out) => {
            outside::create(out, &assent.to_document())?;
            out.clone()
        }
        None => seat.assent_file(),
    };
    let json = json!({"member": assent.member, "fingerprint": assent.transcript, "assent": file});
    let text = format!("\nsigned by `{}`\nnext: send {} to whoever finishes", assent.member, file.display());
    Ok(Report::new(json, text))
}

fn finish(args: &FinishArgs) -> Result<Report, Failure> {
    let transcript: Transcript = outside::document(&args.draft)?;
    let signatures = args.signatures.iter().map(|path| outside::document(path));
    let signatures: Vec<Assent> = signatures.collect::<Result<_, _>>()?;
    let finished = transcript.check()?.finish(signatures);
    let finished =
        finished.advise("every member signs this very draft: `keystead ceremony sign` on its machine")?;
    if args.out.exists() {
        let what = format!("{} is there already", args.out.display());
        return Err(Failure::new("ceremony.folder", what, "name a new folder with --out"));
    }
    std::fs::create_dir_all(&args.out).map_err(|error| Failure::file(&args.out, &error))?;
    outside::create(&args.out.join(GENESIS), &finished.genesis().to_document())?;
    outside::create(&args.out.join(CEREMONY), &finished.signed().to_document())?;
    let members: Vec<&Name> = finished.signed().assents.iter().map(|it| &it.member).collect();
    let cluster = finished.signed().transcript.genesis.cluster();
    let json = json!({
        "cluster": cluster, "fingerprint": finished.fingerprint(), "signed": members, "bundle": args.out,
    });
    let text = format!(
        "cluster {cluster}\nsigned by all {}\nnext: every member runs\n  keystead ceremony install {} --dir FOLDER",
        members.len(),
        args.out.display()
    );
    Ok(Report::new(json, text))
}

/// Both files of a bundle; the genesis is the one that the transcript makes.
fn bundle(folder: &Path) -> Result<FinishedCeremony, Failure> {
    let signed: SignedTranscript = outside::document(&folder.join(CEREMONY))?;
    let finished = signed.verify().advise("do NOT start this cluster: ask who finished it")?;
    let genesis: SignedGenesis = outside::document(&folder.join(GENESIS))?;
    if genesis == *finished.genesis() {
        return Ok(finished);
    }
    let what = format!(
        "{}: the genesis is not the one that the transcript makes (cluster {}, found {})",
        folder.display(),
        finished.genesis().genesis.cluster(),
        genesis.genesis.cluster()
    );
    Err(Failure::new("ceremony.bundle", what, "do NOT start this cluster: ask who finished it"))
}

fn installed(global: &Global, args: &InstallArgs) -> Result<Report, Failure> {
    let seat = Seat::open(&global.dir)?;
    let finished = bundle(&args.bundle)?;
    let file = install(&seat, &finished, &args.place)?;
    let cluster = finished.signed().transcript.genesis.cluster();
    let dir = seat.folder().display();
    let next = match seat.contribution()?.body().part {
        Part::Node(_) => format!("keystead node --dir {dir}"),
        Part::Service(_) => format!("keystead serve --dir {dir}"),
        Part::Founder(_) => format!("keystead --dir {dir} status"),
    };
    let json = json!({
        "member": seat.name, "cluster": cluster, "fingerprint": finished.fingerprint(), "config": file,
    });
    let text = format!(
        "`{}` is a member of cluster {cluster}\nfingerprint {}\nnext: {next}",
        seat.name,
        grouped(&finished.fingerprint())
    );
    Ok(Report::new(json, text))
}

const DRAFTING: &str = "a cluster takes 1, 3, 4 or 7 nodes and at least 3 founders, with one contribution each, made for it by \
                        `keystead ceremony join`; `keystead ceremony show FILE` reads one";
