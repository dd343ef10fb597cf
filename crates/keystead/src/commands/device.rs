//! `keystead device`: which hardware the keys of nodes and approvers are on, and that none of it counts twice.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use keystead_attest::TokenTestimony;
use keystead_attest::tpm::{Credential, Errand, ErrandReply};
use keystead_base::{Canonical as _, Digest, Signed};
use keystead_intent::{Action, AuthorityChange};
use keystead_policy::{
    DeviceProof, Engine, Enrolment, Holder, PolicyVersion, RequiredOf, Roster, RosterDevices, check_next,
};
use keystead_wire::RequestStage;
use serde_json::json;

use super::tpm::{another, errand};
use super::{Global, REQUEST_LIFETIME, Session};
use crate::asking::standing;
use crate::config::Config;
use crate::enrolling::{Answer, Asked, Kept, MakerArgs, Shown, holder, json_file};
use crate::failure::Failure;
use crate::handheld::TokenArgs;
use crate::member::{Files, Member};
use crate::output::Report;
use crate::table::Table;
use crate::{outside, reading};

/// One device, one share: where each key of the roster lives, proven by hardware and seen by a witness. A person of the roster
/// asks, whoever holds the key answers with its TPM, token or authenticator, the witness checks and signs, and others approve the roster that
/// names it. No node takes a roster in which two have the same device.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Show which devices the roster knows, and who has shown none.
    ///
    /// Example: keystead device show
    Show,
    /// Ask a holder for its device: write what it has to bind, and keep what is needed to check the answer.
    ///
    /// The holder is a node, or a person and one of the person's devices. Of a TPM, the holder's machine shows its identity key first:
    /// `keystead tpm identity --key identity.tpm --json`; the answer then opens a credential that only this TPM opens.
    ///
    /// A PKCS#11 token is on your machine while you ask: nobody certifies what its module says, so you load the module yourself. The
    /// token makes a key that never leaves, and goes to the holder, where that key signs.
    ///
    /// Example: keystead device ask node-2 --keep asked.kept --tpm identity.json --root maker.pem --json
    ///
    /// Example: keystead device ask node-2 --keep asked.kept --token two --module /usr/lib/vendor.so --pin two.pin --json
    ///
    /// Example: keystead device ask ben/laptop --keep asked.kept --json
    Ask(AskArgs),
    /// Answer with this machine's TPM, a token, or what an authenticator attested, and with the holder's own key.
    ///
    /// An authenticator makes a credential for the 32 bytes under `binds` as the hash of its client's data, with attestation by its
    /// maker (`--fido`: its authenticator data, signature and certificate in hex, as JSON).
    ///
    /// Example: keystead device answer asked.json --tpm device:/dev/tpmrm0 --key identity.tpm --as node-2 --json
    ///
    /// Example: keystead device answer asked.json --fido attested.json --as ben --json
    ///
    /// Example: keystead device answer asked.json --token two --module /usr/lib/vendor.so --pin two.pin --as node-2 --json
    Answer(AnswerArgs),
    /// Check an answer against what you asked, and sign that you saw this device.
    ///
    /// The certificates of makers are yours to choose and to fetch from the makers themselves: whoever you trust here makes devices.
    ///
    /// Example: keystead device witness asked.kept answer.json --root maker.pem --as ana --json
    Witness(WitnessArgs),
    /// Ask for records to come into the roster, and for devices to be required. Others approve.
    ///
    /// Example: keystead device enroll node-1.json node-2.json --as ana
    ///
    /// Example: keystead device enroll --require everybody --as ana
    Enroll(EnrollArgs),
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct AskArgs {
    /// NODE, or PERSON/DEVICE.
    #[arg(value_parser = holder)]
    holder: Holder,
    /// Where to keep what the answer is checked against; for you alone.
    #[arg(long, value_name = "FILE")]
    keep: PathBuf,
    /// The identity key of the holder's TPM, with its certificate.
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    tpm: Option<PathBuf>,
    #[command(flatten)]
    token: TokenArgs,
    /// Take a token that is a program, too. Its record says so to all who approve it, and is none where devices are required.
    #[arg(long, requires = "token")]
    software: bool,
    /// The fingerprint of the holder's key, of one that comes in; else it is read from the roster in force.
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<Digest>,
    #[command(flatten)]
    makers: MakerArgs,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// What was asked.
    asked: PathBuf,
    /// This machine's TPM: device:/dev/tpmrm0.
    #[arg(long, value_name = "DEVICE", requires = "key", required_unless_present_any = ["fido", "token"])]
    tpm: Option<String>,
    /// The file of its identity key.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// What an authenticator attested.
    #[arg(long, value_name = "FILE", conflicts_with = "tpm")]
    fido: Option<PathBuf>,
    #[command(flatten)]
    token: TokenArgs,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct WitnessArgs {
    /// What you kept when you asked.
    kept: PathBuf,
    /// The answer.
    answer: PathBuf,
    #[command(flatten)]
    makers: MakerArgs,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct EnrollArgs {
    /// What witnesses signed.
    records: Vec<PathBuf>,
    /// Who has to have shown a device from then on.
    #[arg(long, value_name = "WHOM")]
    require: Option<Whom>,
}

/// Who has to have shown a device.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Whom {
    /// Nobody.
    Nobody,
    /// Nodes that are to hold shares.
    Holders,
    /// All nodes, and all devices of people.
    Everybody,
}

pub(crate) async fn run(global: &Global, command: DeviceCommand) -> Result<Report, Failure> {
    match command {
        DeviceCommand::Show => {
            let session = Session::open(global).await?;
            Ok(shown(&reading::policy_in_force(&session.config, &session.link).await?.roster))
        }
        DeviceCommand::Ask(args) => ask(global, args).await,
        DeviceCommand::Answer(args) => answer(global, args),
        DeviceCommand::Witness(args) => witness(global, &args),
        DeviceCommand::Enroll(args) => enroll(global, args).await,
    }
}

async fn ask(global: &Global, args: AskArgs) -> Result<Report, Failure> {
    let key = match args.fingerprint {
        Some(fingerprint) => fingerprint,
        None => {
            let session = Session::open(global).await?;
            let roster = reading::policy_in_force(&session.config, &session.link).await?.roster;
            let next = "name the fingerprint of its key with --fingerprint where it comes in only now";
            let unknown =
                || Failure::new("device.holder", format!("the roster has no {}", args.holder), next);
            roster.holder_key(&args.holder).ok_or_else(unknown)?.fingerprint()
        }
    };
    let tpm = args.tpm.as_deref().map(json_file).transpose()?;
    let token = args.token.open()?.map(|it| it.testify(&key, args.software)).transpose()?;
    let kept = Kept::new(args.holder, key, (tpm, token));
    let asked = kept.asked(&args.makers.read()?)?;
    outside::create_secret(&args.keep, kept.to_json().as_bytes())?;
    let binds = asked.challenge.digest();
    let mut table = Table::pairs();
    table
        .pair("holder", &asked.challenge.holder)
        .pair("key", key)
        .pair("binds", binds)
        .pair("kept", args.keep.display());
    if let Some(TokenTestimony { manufacturer, model, serial, software, .. }) = &asked.token {
        let what = if *software { "PROGRAM that passes for a token" } else { "token" };
        table.pair(what, format!("model {model:?} of {manufacturer:?}, serial number {serial:?}"));
    }
    let text = table.render()
        + "next: hand what --json prints to the holder, who runs `keystead device answer` on the machine with the device";
    Ok(Report::new(
        json!({"challenge": asked.challenge, "binds": binds, "credential": asked.credential, "token": asked.token}),
        text,
    ))
}

fn answer(global: &Global, args: AnswerArgs) -> Result<Report, Failure> {
    let asked: Asked = json_file(&args.asked)?;
    let config = Config::read(&global.dir)?;
    let files = Files::chosen(&config, global.person.as_ref(), global.passphrase_file.as_ref())?;
    let member = Member::chosen(&config, &files)?;
    let own = member.signer.public().fingerprint();
    if own != asked.challenge.key {
        let what = format!(
            "you are asked for the device of key {}, and `{}` has key {own}",
            asked.challenge.key, member.name
        );
        return Err(Failure::new("device.key", what, "answer with the key of the holder: --as NAME"));
    }
    let shown = match (args.tpm, args.key, args.fido, args.token.open()?) {
        (None, None, None, Some(token)) => {
            Shown::Token { signature: token.sign(&asked.challenge.key, &asked.challenge.digest())? }
        }
        (None, _, Some(file), None) => Shown::Fido(json_file(&file)?),
        (Some(device), Some(key), None, None) => by_tpm(&asked, device, key)?,
        _ => {
            let next =
                "add --tpm DEVICE --key FILE, or --token LABEL --module FILE --pin FILE, or --fido FILE";
            return Err(Failure::usage("expected one device", next));
        }
    };
    let word = Signed::new(asked.challenge, member.name.clone(), &member.signer)?;
    let answer = Answer { word, key: member.signer.public().clone(), shown };
    let text = "next: hand what --json prints back to the witness, who runs `keystead device witness`";
    Ok(Report::new(json!(answer), text))
}

fn by_tpm(asked: &Asked, device: String, key: PathBuf) -> Result<Shown, Failure> {
    let next = "the witness asks with --tpm FILE, which `keystead tpm identity --json` writes here";
    let credential = asked.credential.as_ref();
    let credential =
        credential.ok_or_else(|| Failure::new("device.credential", "you were not asked for a TPM", next))?;
    let Credential { blob, secret } = credential.clone().into();
    let activate = Errand::Activate { device: device.clone(), key: key.clone(), blob, secret };
    let ErrandReply::Activated { found } = errand(&activate)? else { return Err(another()) };
    let (pcrs, data) = (keystead_attest::ENROLMENT_PCRS.parse()?, asked.challenge.digest());
    let quote = Errand::Quote { device, key, pcrs, data };
    let ErrandReply::Quote { evidence } = errand(&quote)? else { return Err(another()) };
    Ok(Shown::Tpm { found, evidence })
}

fn witness(global: &Global, args: &WitnessArgs) -> Result<Report, Failure> {
    let (kept, answer): (Kept, Answer) = (json_file(&args.kept)?, json_file(&args.answer)?);
    let config = Config::read(&global.dir)?;
    let files = Files::chosen(&config, global.person.as_ref(), global.passphrase_file.as_ref())?;
    let member = Member::chosen(&config, &files)?;
    let record = kept.check(&answer, &args.makers.read()?, outside::now())?;
    let signed = Signed::new(record, member.name.clone(), &member.signer)?;
    let mut table = Table::pairs();
    table
        .pair("holder", &signed.body.holder)
        .pair("hardware", kind(&signed.body.proof))
        .pair("device", signed.body.proof.device())
        .pair("witness", &signed.signer);
    let text = table.render()
        + "next: `keystead device enroll FILE` with what --json prints asks for it to come into the roster";
    Ok(Report::new(json!(signed), text))
}

async fn enroll(global: &Global, args: EnrollArgs) -> Result<Report, Failure> {
    let records = records(&args.records)?;
    if records.is_empty() && args.require.is_none() {
        return Err(Failure::usage("nothing is asked for", "name records, or --require WHOM"));
    }
    let session = Session::open(global).await?;
    let current = reading::policy_in_force(&session.config, &session.link).await?;
    let mut roster = current.roster.clone();
    add(&mut roster, records, args.require.map(RequiredOf::from));
    let (number, previous) = (current.number.saturating_add(1), current.digest());
    let next = PolicyVersion { number, previous, roster, ..current.clone() }.into_canonical();
    Engine::compile(next.clone())?;
    check_next(&current, &next)?;
    let document = next.to_document().into();
    let action = Action::Authority(AuthorityChange::Roster { document });
    let view = session.speaker().ask(action, REQUEST_LIFETIME).await?;
    let text = format!(
        "request {}\n{}\n{}\nnext: others run `keystead approve {}`\n",
        view.request,
        standing(&view),
        table(&next.roster),
        view.request
    );
    let mut report = Report::new(json!({"request": view, "devices": next.roster.devices}), text);
    report.holds = view.stage != RequestStage::Denied;
    Ok(report)
}

pub(super) fn records(files: &[PathBuf]) -> Result<Vec<Signed<Enrolment>>, Failure> {
    files.iter().map(json_file).collect()
}

/// A new record of a holder takes the place of the one before.
pub(super) fn add(roster: &mut Roster, records: Vec<Signed<Enrolment>>, require: Option<RequiredOf>) {
    // First, so that a record of another key that comes in now is refused by name and not left out.
    roster.drop_stale_devices();
    let nothing = RosterDevices { required_of: RequiredOf::Nobody, records: Vec::new() };
    let devices = roster.devices.get_or_insert(nothing);
    for record in records {
        devices.records.retain(|it| it.body.holder != record.body.holder);
        devices.records.push(record);
    }
    devices.required_of = require.unwrap_or(devices.required_of);
    if devices.required_of == RequiredOf::Nobody && devices.records.is_empty() {
        roster.devices = None;
    }
}

fn shown(roster: &Roster) -> Report {
    let required_of = roster.devices.as_ref().map_or(RequiredOf::Nobody, |it| it.required_of);
    let records = roster.devices.as_ref().map(|it| it.records.as_slice()).unwrap_or_default();
    let row = |it: &Signed<Enrolment>| {
        let (holder, device) = (&it.body.holder, it.body.proof.device());
        json!({"holder": holder, "proof": it.body.proof, "device": device, "witness": it.signer})
    };
    let missing: Vec<Holder> = missing(roster).collect();
    let rows: Vec<_> = records.iter().map(row).collect();
    let json = json!({"required_of": required_of, "devices": rows, "missing": missing});
    Report::new(json, format!("devices are required of {}\n{}", required_of.as_str(), table(roster)))
}

fn table(roster: &Roster) -> String {
    let mut table = Table::new(&["holder", "hardware", "device", "witness"]);
    for it in roster.devices.iter().flat_map(|it| &it.records) {
        let Signed { body: Enrolment { holder, proof, .. }, signer, .. } = it;
        table.row([holder.to_string(), kind(proof).to_owned(), proof.device().short(), signer.to_string()]);
    }
    for holder in missing(roster) {
        table.row([holder.to_string(), "none shown".to_owned(), "-".to_owned(), "-".to_owned()]);
    }
    table.render()
}

fn missing(roster: &Roster) -> impl Iterator<Item = Holder> {
    let has = |holder: &Holder| roster.devices.as_ref().is_some_and(|it| it.of(holder).is_some());
    roster.holders().filter(move |it| !has(it))
}

fn kind(proof: &DeviceProof) -> &'static str {
    match proof {
        DeviceProof::Tpm { .. } => "TPM",
        DeviceProof::Fido { .. } => "authenticator, counted by its model",
        DeviceProof::FidoSerial { .. } => "authenticator with a number",
        DeviceProof::TokenKey { software: true, .. } => "PROGRAM that passes for a token",
        DeviceProof::Token { .. } | DeviceProof::TokenKey { .. } => "token",
    }
}

impl From<Whom> for RequiredOf {
    fn from(whom: Whom) -> Self {
        match whom {
            Whom::Nobody => Self::Nobody,
            Whom::Holders => Self::Holders,
            Whom::Everybody => Self::Everybody,
        }
    }
}
