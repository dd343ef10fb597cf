//! `keystead entropy`: a seed from dice or coins, offline, with a receipt that its owner can check.

mod bringing;
pub(super) mod witnessing;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use keystead_base::{Canonical as _, Coded as _, Name, Secret};
use keystead_entropy::{EntropyReceipt, MAX_WITNESSES, SALT_BYTES, Samples, Source};
use keystead_keys::{HdSeed, Mnemonic};
use keystead_signing::MachineDraw;
use serde_json::json;

use super::Global;
use crate::failure::Failure;
use crate::output::{Report, Voice};
use crate::weakness::{Aim, Brought};
use crate::{outside, rolling, weakness};

/// None of it talks to a node: do it on a machine without network.
#[derive(Debug, Subcommand)]
pub(crate) enum EntropyCommand {
    /// Roll a die for a seed, at least 99 times, and check afterwards that the machine used what you rolled.
    ///
    /// The machine draws and tests its own part first, and promises it by a digest that you write down. Then you type what the
    /// die shows. The folder gets `words` and `openings.json`, which are SECRET, and `receipt.json`, which anybody may see. With
    /// your rolls and these any software computes the seed again: specs/entropy.md says how.
    ///
    /// Example: keystead entropy dice --out cold --witness ben,cleo
    Dice(HandArgs),
    /// Flip a coin for a seed, at least 256 times; otherwise as `entropy dice`.
    ///
    /// Example: keystead entropy coins --out cold
    Coins(HandArgs),
    /// Roll a die, flip a coin (--coins) or bring a file of another generator (--file) for a key that is to be born in a node's
    /// enclave: on that node's machine, while it runs, before the key is approved.
    ///
    /// The enclave promises its own part first, by a digest that you write down. What you bring lies in the node's data folder, for its
    /// owner alone, until `key create` mixes it with that part; then it is overwritten. What is too little or hardly chance is refused,
    /// here and by the enclave, and an enclave that was started again wants new rolls.
    ///
    /// Example: keystead entropy roll hot --data node-1/data
    Roll(RollArgs),
    /// Open the machine's part of a key's seed: what it takes, beside your rolls, to compute the key again on other software. The result
    /// is SECRET. The file lies in `rolls` of the node's data folder once the key is backed up, for the recipients of the backup.
    ///
    /// Example: keystead entropy open node-1/data/rolls/hot.openings.age --out openings.json --as ana
    Open(OpenArgs),
    /// Sign that you watched this seed being made: a file beside its receipt, by your own key. Nothing is asked of a node.
    /// `entropy record` has the log keep it.
    ///
    /// The receipt is checked first, and with --promise that the machine kept what you wrote down before anybody rolled. A name that the
    /// receipt has is no signature; this is one.
    ///
    /// Example: keystead entropy witness cold/receipt.json --promise 5f0c… --as ben --json
    ///
    /// Example: keystead entropy witness hot.json --as ben --json
    Witness(witnessing::WitnessArgs),
    /// Count what witnesses signed of a receipt: who did, by a key that the roster has of them, and who is only named in it. Exit code 2: a
    /// word counts for nothing.
    ///
    /// Example: keystead entropy witnessed cold/receipt.json ben.json cleo.json
    Witnessed(witnessing::WitnessedArgs),
    /// Have the log keep what witnesses signed of the receipt that it has of a key. Whoever has the files may bring them.
    ///
    /// Each word is checked here first. In the log it counts beside its receipt from then on, also when the witness has left the roster;
    /// `key show KEY` says who signed, and in which block. A word counts once; one with the promise replaces one without.
    ///
    /// Example: keystead entropy record hot ben.json cleo.json
    Record(witnessing::RecordArgs),
    /// Search the words of a seed, or a private key, for generators that are known to be weak. Exit code 2: found, move the funds.
    ///
    /// Patterns, one generator and the hashes of short texts are looked for at once. With --all every one of the 2^32 seeds of Milk Sad
    /// (CVE-2023-39910) and of Trust Wallet's extension (CVE-2023-31290) is tried, on all cores: about eight minutes of one core each;
    /// for a key (--key) of Profanity (CVE-2022-40769), too, about sixteen. With --day every millisecond of a day in which a browser of 2011 to
    /// 2015 may have made it (Randstorm): about a minute of one core. What is not found may still be weak.
    ///
    /// Example: keystead entropy check words --all
    Check(CheckArgs),
}

/// Where the seed goes, and who was there.
#[derive(Debug, Args)]
pub(crate) struct HandArgs {
    /// The folder that is made for it.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Who watches; their names stand in the receipt.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    witness: Vec<Name>,
}

/// For which key, and where its home is.
#[derive(Debug, Args)]
pub(crate) struct RollArgs {
    /// The key that is to be born.
    key: Name,
    /// The data folder of the node that is to be its home.
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Flip a coin, at least 256 times, instead of rolling a die.
    #[arg(long)]
    coins: bool,
    /// Bring the bytes of a file, at least 256, instead of rolling a die. Each counts as one bit.
    #[arg(long, value_name = "FILE", conflicts_with = "coins")]
    file: Option<PathBuf>,
}

/// What to open, and where it goes.
#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// The age file.
    file: PathBuf,
    /// Where to write what is in it.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What to search, and how far.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// A file with 12 to 24 words of BIP-39.
    words: PathBuf,
    /// The file has a private key of 32 bytes in hexadecimal instead.
    #[arg(long)]
    key: bool,
    /// Try all 2^32 seeds of each family.
    #[arg(long)]
    all: bool,
    /// Try every millisecond of a day in UTC, from 2011 to 2015.
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<String>,
}

pub(crate) async fn run(global: &Global, command: &EntropyCommand, voice: Voice) -> Result<Report, Failure> {
    match command {
        EntropyCommand::Dice(args) => by_hand(args, Source::Dice, voice),
        EntropyCommand::Coins(args) => by_hand(args, Source::Coins, voice),
        EntropyCommand::Roll(args) => bringing::roll(args, voice),
        EntropyCommand::Open(args) => bringing::open(global, args),
        EntropyCommand::Witness(args) => witnessing::witness(global, args),
        EntropyCommand::Witnessed(args) => witnessing::witnessed(global, args).await,
        EntropyCommand::Record(args) => witnessing::record(global, args).await,
        EntropyCommand::Check(args) => check(args, voice),
    }
}

/// Whatever could fail but the rolls themselves fails before anybody rolls.
fn by_hand(args: &HandArgs, source: Source, voice: Voice) -> Result<Report, Failure> {
    let names: BTreeSet<&Name> = args.witness.iter().collect();
    if names.len() != args.witness.len() || names.len() > MAX_WITNESSES {
        let what = format!("a witness is named twice, or there are more than {MAX_WITNESSES}");
        return Err(Failure::usage(what, "name each of them once"));
    }
    if std::fs::read_dir(&args.out).map_or(args.out.exists(), |mut it| it.next().is_some()) {
        let what = format!("{} exists already", args.out.display());
        let next = "name a folder that is not there: a seed is never written over another";
        return Err(Failure::usage(what, next));
    }
    outside::private_folder(&args.out)?;
    rolled(args, source, voice).inspect_err(|_| {
        // Only an empty folder goes; one that stays does not hinder the next try.
        let _gone = std::fs::remove_dir(&args.out);
    })
}

/// The machine's part is bound before the first roll; what is rolled is judged before anything is mixed.
fn rolled(args: &HandArgs, source: Source, voice: Voice) -> Result<Report, Failure> {
    let draw = MachineDraw::new();
    let mut mixture = draw.mixture()?;
    let promise = mixture.promise();
    let digest = promise.digest();
    voice.ready(&json!({"promise": digest, "sources": promise.sources}), &rolling::opening(source, &promise));
    let symbols = rolling::typed(source, voice)?;
    let rolled = rolling::judged(&symbols)?;
    let mut salt = [0; SALT_BYTES];
    outside::fill(&mut salt);
    mixture.add(Samples::tested(source, rolled.expose(), &salt)?)?;
    let maker = concat!("keystead ", env!("CARGO_PKG_VERSION"));
    let (seed, receipt) = mixture.finish(maker, outside::now(), args.witness.clone())?;
    let openings = draw.openings_for([(source, &salt)]);
    keep(&args.out, &HdSeed::from_entropy(seed), &receipt, &openings)?;
    let [words, openings, shown] = ["words", "openings.json", "receipt.json"].map(|it| args.out.join(it));
    let json = json!({"receipt": receipt, "words": words, "openings": openings, "shown": shown});
    Ok(Report::new(json, rolling::closing(&args.out, &receipt)))
}

fn keep(
    folder: &Path,
    seed: &HdSeed,
    receipt: &EntropyReceipt,
    openings: &Secret<String>,
) -> Result<(), Failure> {
    let mut words = seed.mnemonic()?.words();
    words.expose_mut().push('\n');
    outside::create_secret(&folder.join("words"), words.expose().as_bytes())?;
    outside::create_secret(&folder.join("openings.json"), openings.expose().as_bytes())?;
    outside::create(&folder.join("receipt.json"), format!("{}\n", json!(receipt)).as_bytes())
}

fn check(args: &CheckArgs, voice: Voice) -> Result<Report, Failure> {
    let aim = Aim { all: args.all, clock: args.day.as_deref().map(day).transpose()? };
    if aim.all || aim.clock.is_some() {
        voice.progress("trying every seed of a family takes minutes; this says how far it is");
    }
    let (searched, found) = weakness::search(&brought(args)?, &aim, voice);
    let weak = found.as_ref().err().map(ToString::to_string);
    let code = found.err().map(|it| it.code());
    let text = match &weak {
        None => format!("nothing was found\nsearched: {searched}\nwhat is not found may still be weak"),
        Some(how) => {
            format!("DANGER: {how}\nnext: move what it guards to a new key at once; use this one no more")
        }
    };
    let holds = weak.is_none();
    let json = json!({"weak": weak, "code": code, "searched": searched});
    Ok(Report { holds, ..Report::new(json, text) })
}

fn brought(args: &CheckArgs) -> Result<Brought, Failure> {
    let text = Secret::new(outside::read_text(&args.words)?);
    let text = text.expose().trim();
    if !args.key {
        return Ok(Brought::Entropy(Mnemonic::from_words(text)?.entropy()));
    }
    let mut key = Secret::new([0; 32]);
    let digits = text.strip_prefix("0x").unwrap_or(text);
    const_hex::decode_to_slice(digits, key.expose_mut()).map_err(|_| {
        let what = format!("{} is no key of 32 bytes in hexadecimal", args.words.display());
        Failure::usage(
            what,
            "write its 64 digits into the file, and nothing else; without --key it has words",
        )
    })?;
    Ok(Brought::Key(key))
}

fn day(text: &str) -> Result<Range<u64>, Failure> {
    weakness::day(text).ok_or_else(|| {
        let what = format!("`{text}` is no day of 2011 to 2015");
        Failure::usage(what, "name it as 2013-06-01")
    })
}
