//! `keystead tpm`: a node's vault behind its machine's TPM. The program `keystead-tpm` beside this one talks to it.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use keystead_attest::tpm::{Errand, ErrandReply, Pcrs, TpmPlace};
use keystead_base::Digest;
use keystead_node::{NodeError, tpm_errand};
use serde_json::{Value, json};

use super::Global;
use crate::config::Config;
use crate::failure::{Advise as _, Failure};
use crate::output::Report;
use crate::table::Table;

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum TpmCommand {
    /// Seal the vault's passphrase to this machine as it booted now, and to a value of yours.
    ///
    /// Needs `[node.enclave.tpm]` in keystead.toml, and writes the files that it names. PCRs 16 and 23 are refused: every
    /// program resets them. From then on the enclave gets the passphrase from the TPM, and the disk is held against the TPM's
    /// counter at every start. Keep the passphrase's file elsewhere: after an upgrade of firmware or kernel you seal anew from it.
    ///
    /// DANGER: a few wrong values lock the TPM for hours. Whoever loses both passphrase and TPM loses the vault's keys on this node.
    ///
    /// Example: keystead tpm seal --pcrs 0,2,4,7 --dir treasury
    Seal(SealArgs),
    /// Show the TPM: maker, firmware, wrong values so far, and how many lock it.
    ///
    /// Example: keystead tpm status --device device:/dev/tpmrm0
    Status(DeviceArgs),
    /// Make this machine's identity key, or show it, with the certificate of the TPM's maker.
    ///
    /// Example: keystead tpm identity --key identity.tpm
    Identity(KeyArgs),
    /// Have the identity key say what was booted, over 32 bytes of somebody who asks.
    ///
    /// Example: keystead tpm quote --key identity.tpm --pcrs 0,2,4,7 --data 5f0c…
    Quote(QuoteArgs),
    /// Take a disk that was put back on purpose for the newest one from now on.
    ///
    /// The node then starts again. Nothing that its enclave had in memory comes back, and in a cluster the others keep it
    /// silent until people readmit it (`roster readmit`): what it signed since is known to them and not to its disk.
    ///
    /// DANGER: the next start wipes every share on this disk; people deal new ones (`key reshare`). Accept no more disks at once than a
    /// key can lose holders. In a cluster of one nobody else remembers what was signed since: limits and nonces of the lost blocks
    /// count no more.
    ///
    /// Example: keystead tpm accept-restore --dir treasury --yes
    AcceptRestore(AcceptArgs),
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct SealArgs {
    /// The registers of measured boot, 0 to 15.
    #[arg(long, value_name = "NUMBERS")]
    pcrs: Pcrs,
    /// The index of the counter in the TPM's memory.
    #[arg(long, value_name = "HEX", default_value = "0x01804b53", value_parser = index)]
    counter: u32,
}

/// Which TPM.
#[derive(Debug, Args)]
pub(crate) struct DeviceArgs {
    /// The device, or an emulator: swtpm:host=127.0.0.1,port=2321.
    #[arg(long, value_name = "DEVICE", default_value = "device:/dev/tpmrm0")]
    device: String,
}

/// Which key in which TPM.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    #[command(flatten)]
    device: DeviceArgs,
    /// The file of the identity key; made when it is not there.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct QuoteArgs {
    #[command(flatten)]
    key: KeyArgs,
    /// The registers.
    #[arg(long, value_name = "NUMBERS")]
    pcrs: Pcrs,
    /// What it binds, in hex: whoever asks gives it.
    #[arg(long, value_name = "DIGEST")]
    data: Digest,
}

/// Its arguments.
#[derive(Debug, Args)]
pub(crate) struct AcceptArgs {
    /// Say that you mean it.
    #[arg(long)]
    yes: bool,
}

pub(crate) fn run(global: &Global, command: TpmCommand) -> Result<Report, Failure> {
    match command {
        TpmCommand::Seal(args) => seal(&global.dir, &args),
        TpmCommand::Status(args) => status(args.device),
        TpmCommand::Identity(args) => identity(args),
        TpmCommand::Quote(args) => quote(args),
        TpmCommand::AcceptRestore(args) => accept(&global.dir, &args),
    }
}

fn seal(folder: &Path, args: &SealArgs) -> Result<Report, Failure> {
    let (place, secret) = place(folder)?;
    let (pcrs, counter) = (args.pcrs, args.counter);
    let sealed = Errand::Seal { place: place.clone(), secret: secret.clone(), pcrs, counter };
    let ErrandReply::Sealed { counter } = errand(&sealed)? else { return Err(another()) };
    let mut table = Table::pairs();
    table.pair("seal", place.seal.display()).pair("PCRs", pcrs).pair("counter", counter);
    let text = format!(
        "{}next: try `keystead --dir {} node --check`, then keep {} elsewhere, where people find it after an upgrade",
        table.render(),
        folder.display(),
        secret.display()
    );
    Ok(Report::new(json!({"seal": place.seal, "pcrs": pcrs.to_string(), "counter": counter}), text))
}

fn status(device: String) -> Result<Report, Failure> {
    let ErrandReply::Status(status) = errand(&Errand::Status { device, seal: None })? else {
        return Err(another());
    };
    let mut table = Table::pairs();
    table
        .pair("maker", &status.manufacturer)
        .pair("firmware", format!("{:016x}", status.firmware))
        .pair("wrong values", format!("{} of {} that lock it", status.failed_tries, status.max_tries))
        .pair("forgiven after", format!("{} s each", status.recovery_seconds));
    Ok(Report::new(value(&status), table.render()))
}

fn identity(args: KeyArgs) -> Result<Report, Failure> {
    let asked = Errand::Identity { device: args.device.device, key: args.key };
    let ErrandReply::Identity { public, certificate } = errand(&asked)? else { return Err(another()) };
    let (public, certificate) = (const_hex::encode(public), const_hex::encode(certificate));
    let mut table = Table::pairs();
    table.pair("identity key", &public).pair("certificate of the TPM", &certificate);
    Ok(Report::new(json!({"public": public, "certificate": certificate}), table.render()))
}

fn quote(args: QuoteArgs) -> Result<Report, Failure> {
    let KeyArgs { device, key } = args.key;
    let asked = Errand::Quote { device: device.device, key, pcrs: args.pcrs, data: args.data };
    let ErrandReply::Quote { evidence } = errand(&asked)? else { return Err(another()) };
    let evidence = const_hex::encode(evidence);
    Ok(Report::new(json!({"evidence": evidence}), evidence.clone()))
}

fn accept(folder: &Path, args: &AcceptArgs) -> Result<Report, Failure> {
    let (place, _) = place(folder)?;
    if !args.yes {
        let what = "DANGER: from then on nobody finds out that this disk is an old one, and the next start wipes its shares of keys";
        return Err(Failure::usage(what, "if you put it back yourself, say so with --yes"));
    }
    let ErrandReply::Marked { counter } = errand(&Errand::Accept { place })? else { return Err(another()) };
    let text = "the disk counts as the newest one from now on\nnext: start the node, which wipes its shares of keys; in a cluster, `keystead roster readmit` it and `keystead key reshare` those keys";
    Ok(Report::new(json!({"counter": counter}), text))
}

/// The files of the node's TPM, and its vault's passphrase.
fn place(folder: &Path) -> Result<(TpmPlace, PathBuf), Failure> {
    let enclave = Config::read(folder)?.node()?.enclave.clone();
    let place = enclave.tpm.ok_or_else(|| {
        Failure::new("tpm.config", "keystead.toml names no TPM", "add [node.enclave.tpm] (docs/cli.md)")
    })?;
    Ok((place, enclave.passphrase))
}

pub(super) fn errand(errand: &Errand) -> Result<ErrandReply, Failure> {
    tpm_errand(errand).advise("the message says what is missing; `keystead tpm status` shows the TPM")
}

pub(super) fn another() -> Failure {
    NodeError::Tpm { code: "tpm.errand".to_owned(), text: "another answer than asked for".to_owned() }.into()
}

fn value(status: &keystead_attest::tpm::TpmStatus) -> Value {
    json!({
        "manufacturer": status.manufacturer,
        "firmware": format!("{:016x}", status.firmware),
        "failed_tries": status.failed_tries,
        "max_tries": status.max_tries,
        "recovery_seconds": status.recovery_seconds,
    })
}

fn index(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u32::from_str_radix(digits, 16).map_err(|_| format!("expected an index in hex, found {text:?}"))
}
