//! `keystead anchor`: keys that are kept offline and sign a rebuild beside people.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use keystead_base::{Canonical as _, ClusterId, Digest, Secret};
use keystead_decision::rebuild::{CheckedRebuild, RebuildBundle, RebuildDraft, RebuildError};
use keystead_keys::Mnemonic;
use keystead_quantum::{
    AnchorPart, AnchorStatement, AnchorWord, QuantumKey, QuantumNode, QuantumPublicKey, QuantumQuorum, Scheme,
};
use serde_json::json;

use super::Global;
use super::rebuild::{Compared, NOT_HEARD, NOT_SOUND, ground};
use crate::anchoring::statement;
use crate::ceremony::{Heard, grouped};
use crate::config::{Config, FILE};
use crate::failure::{Advise as _, Failure};
use crate::output::{Report, Voice};
use crate::table::Table;
use crate::weakness::{Aim, Brought};
use crate::{outside, weakness};

/// A rebuild puts new nodes in the place of all old ones, and people's keys on connected machines are enough for it. Whoever writes
/// `anchor = "…"` into keystead.toml follows none that the anchor did not sign as well: one key by SLH-DSA, which rests on hashes alone,
/// or k of n keys by ML-DSA or SLH-DSA, each grown from words that are used for nothing else, on machines without a network.
#[derive(Debug, Subcommand)]
pub(crate) enum AnchorCommand {
    /// Grow a key of an anchor from words (`keystead entropy dice`), offline, and write its public key.
    ///
    /// Example: keystead anchor public cold/words --out vault.public
    ///
    /// Example: keystead anchor public cold/words --scheme ML-DSA-65 --out ana.public
    Public(PublicArgs),
    /// Put public keys together: the anchor, whose digest everybody pins.
    ///
    /// Example: keystead anchor make vault.public --out anchor
    ///
    /// Example: keystead anchor make --threshold 2 ana.public ben.public cleo.public --out anchor
    Make(MakeArgs),
    /// Sign a draft or a finished rebuild with one key of the anchor, offline, after comparing its fingerprint with the others by voice.
    ///
    /// Reads and checks it from the genesis on; a machine without a folder of this cluster takes --log BACKUP --cluster ID.
    ///
    /// Example: keystead anchor sign bundle --anchor anchor --words cold/words --log backup --cluster 8a1f… --fingerprint '5f0c 91a2 …' --out vault.part
    Sign(SignArgs),
    /// Put the parts of as many keys together as the anchor asks for: its word, for `keystead rebuild install --anchored`.
    ///
    /// Example: keystead anchor finish anchor vault.part --out bundle.anchor
    Finish(FinishArgs),
    /// Check a word: by which anchor, on which rebuild. By the anchor that this folder is pinned to, unless --pinned names one.
    ///
    /// Example: keystead anchor check bundle.anchor --fingerprint '5f0c 91a2 …'
    Check(CheckArgs),
}

/// Which key.
#[derive(Debug, Args)]
pub(crate) struct PublicArgs {
    /// A file with 12 to 24 words of BIP-39, for this alone.
    words: PathBuf,
    /// ML-DSA-44, ML-DSA-65, ML-DSA-87 or SLH-DSA-SHA2-128s.
    #[arg(long, default_value = "SLH-DSA-SHA2-128s")]
    scheme: Scheme,
    /// Where to write the public key.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Which keys.
#[derive(Debug, Args)]
pub(crate) struct MakeArgs {
    /// Public keys, in any order.
    #[arg(required = true)]
    keys: Vec<PathBuf>,
    /// How many of them sign.
    #[arg(long, default_value_t = 1)]
    threshold: u8,
    /// Where to write the anchor.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What to sign, and with what.
#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// A draft, or a finished rebuild.
    rebuild: PathBuf,
    /// The anchor.
    #[arg(long, value_name = "FILE")]
    anchor: PathBuf,
    /// The file with the words of one of its keys.
    #[arg(long, value_name = "FILE")]
    words: PathBuf,
    #[command(flatten)]
    compared: Compared,
    /// The cluster's id as it was read out, for whoever has no folder of this cluster.
    #[arg(long, value_name = "HEX")]
    cluster: Option<Heard>,
    /// Where to write this key's part.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What to put together.
#[derive(Debug, Args)]
pub(crate) struct FinishArgs {
    /// The anchor.
    anchor: PathBuf,
    /// Parts, in any order.
    #[arg(required = true)]
    parts: Vec<PathBuf>,
    /// Where to write the word.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What to check, by what.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The word.
    word: PathBuf,
    /// The fingerprint of the rebuild that the others read out.
    #[arg(long, value_name = "HEX")]
    fingerprint: Heard,
    /// The anchor that was read out, with --cluster, for whoever has no folder of this cluster.
    #[arg(long, value_name = "HEX", requires = "cluster")]
    pinned: Option<Heard>,
    /// The cluster's id as it was read out.
    #[arg(long, value_name = "HEX", requires = "pinned")]
    cluster: Option<Heard>,
}

pub(crate) fn run(global: &Global, command: &AnchorCommand, voice: Voice) -> Result<Report, Failure> {
    match command {
        AnchorCommand::Public(args) => public(args, voice),
        AnchorCommand::Make(args) => make(args),
        AnchorCommand::Sign(args) => sign(global, args, voice),
        AnchorCommand::Finish(args) => finish(args),
        AnchorCommand::Check(args) => check(global, args),
    }
}

/// INVARIANT E2: words that a weak generator made, or that follow a pattern, make no key of an anchor.
fn public(args: &PublicArgs, voice: Voice) -> Result<Report, Failure> {
    let words = read(&args.words)?;
    let aim = Aim { all: false, clock: None };
    let (_, sound) = weakness::search(&Brought::Entropy(words.entropy()), &aim, voice);
    sound.advise("roll new words: `keystead entropy dice`")?;
    let key = key_of(&words, args.scheme)?;
    outside::create(&args.out, &key.public().to_document())?;
    let fingerprint = key.public().digest();
    let text = format!(
        "{} key {}\nwrote {}\nnext: `keystead anchor make` puts it into an anchor; keep the words, and use them for nothing else",
        args.scheme,
        grouped(&fingerprint),
        args.out.display()
    );
    Ok(Report::new(
        json!({"scheme": args.scheme.name(), "fingerprint": fingerprint, "public": args.out}),
        text,
    ))
}

fn make(args: &MakeArgs) -> Result<Report, Failure> {
    let keys = args.keys.iter().map(|it| outside::document(it));
    let keys: Vec<QuantumPublicKey> = keys.collect::<Result<_, _>>()?;
    let anchor = QuantumQuorum::new(args.threshold, keys)?;
    outside::create(&args.out, &anchor.to_document())?;
    let digest = anchor.digest();
    let mut table = Table::pairs();
    table.pair("anchor", grouped(&digest));
    table.pair("signs", format!("{} of {}", anchor.threshold(), anchor.keys().len()));
    for key in anchor.keys() {
        table.pair("key", format!("{} {}", key.scheme(), key.digest()));
    }
    let text = format!(
        "{}next: read it out, and have everybody write `anchor = \"{digest}\"` into keystead.toml, before `[client]`",
        table.render()
    );
    let keys: Vec<_> =
        anchor.keys().iter().map(|it| json!({"scheme": it.scheme().name(), "key": it.digest()})).collect();
    Ok(Report::new(json!({"anchor": digest, "threshold": anchor.threshold(), "keys": keys}), text))
}

/// INVARIANT S13: a key signs what its holder's machine read, and what the others read out.
fn sign(global: &Global, args: &SignArgs, voice: Voice) -> Result<Report, Failure> {
    let checked = checked(global, args)?;
    let (statement, own) = (statement(&checked), checked.fingerprint());
    let heard = args.compared.shown(&checked, voice)?;
    if heard != own {
        return Err(RebuildError::Fingerprint { heard, computed: own }).advise(NOT_HEARD);
    }
    let anchor: QuantumQuorum = outside::document(&args.anchor)?;
    let part = statement.part(&anchor, &member(&args.words, &anchor)?)?;
    outside::create(&args.out, &part.to_document())?;
    let json = json!({"anchor": part.anchor, "fingerprint": own, "seat": part.seat.index, "part": args.out});
    let text = format!(
        "signed by key {} of the anchor\nnext: hand {} to whoever finishes",
        part.seat.index,
        args.out.display()
    );
    Ok(Report::new(json, text))
}

/// A draft, or a finished rebuild, from the pinned genesis on.
fn checked(global: &Global, args: &SignArgs) -> Result<CheckedRebuild, Failure> {
    let (cluster, genesis) = ground(global, args.compared.log.as_ref(), args.cluster)?;
    let bytes = outside::read(&args.rebuild)?;
    let draft = match RebuildBundle::from_document(&bytes) {
        Ok(bundle) => bundle.verify(&genesis, cluster).advise(NOT_SOUND)?.checked().draft().clone(),
        Err(_) => outside::document::<RebuildDraft>(&args.rebuild)?,
    };
    draft.check(&genesis, cluster).advise(NOT_SOUND)
}

/// The words are of whichever scheme the anchor has a key of theirs.
fn member(words: &Path, anchor: &QuantumQuorum) -> Result<QuantumKey, Failure> {
    let words = read(words)?;
    for scheme in Scheme::ALL {
        if !anchor.keys().iter().any(|it| it.scheme() == scheme) {
            continue;
        }
        let key = key_of(&words, scheme)?;
        if anchor.keys().contains(key.public()) {
            return Ok(key);
        }
    }
    Err(keystead_quantum::QuorumError::Stranger.into())
}

fn read(file: &Path) -> Result<Mnemonic, Failure> {
    let text = Secret::new(outside::read_text(file)?);
    Ok(Mnemonic::from_words(text.expose().trim())?)
}

fn key_of(words: &Mnemonic, scheme: Scheme) -> Result<QuantumKey, Failure> {
    Ok(QuantumNode::master(words.seed("").expose()).key(scheme, 0, 0)?)
}

fn finish(args: &FinishArgs) -> Result<Report, Failure> {
    let anchor: QuantumQuorum = outside::document(&args.anchor)?;
    let parts = args.parts.iter().map(|it| outside::document(it));
    let parts: Vec<AnchorPart> = parts.collect::<Result<_, _>>()?;
    let word = AnchorWord::of(anchor, parts)?;
    outside::create(&args.out, &word.to_document())?;
    let json =
        json!({"anchor": word.anchor.digest(), "fingerprint": word.statement.rebuild, "word": args.out});
    let text = format!(
        "the anchor signed rebuild {}\nnext: `keystead rebuild install BUNDLE --anchored {}`, in every folder",
        grouped(&word.statement.rebuild),
        args.out.display()
    );
    Ok(Report::new(json, text))
}

fn check(global: &Global, args: &CheckArgs) -> Result<Report, Failure> {
    let word: AnchorWord = outside::document(&args.word)?;
    let (pinned, cluster): (Digest, ClusterId) = match (args.pinned, args.cluster) {
        (Some(pinned), Some(cluster)) => (pinned.0, ClusterId(cluster.0)),
        _ => here(global)?,
    };
    let expected = AnchorStatement { cluster, rebuild: args.fingerprint.0 };
    word.verify(pinned, expected)?;
    let text = format!("the anchor {pinned} signed rebuild {} of cluster {cluster}", expected.rebuild);
    Ok(Report::new(json!({"verified": true, "anchor": pinned, "statement": expected}), text))
}

fn here(global: &Global) -> Result<(Digest, ClusterId), Failure> {
    let config = Config::read(&global.dir)?;
    let pinned = config.anchor.ok_or_else(|| {
        let what = format!("{} has no `anchor`", global.dir.join(FILE).display());
        Failure::new(
            "anchor.unpinned",
            what,
            "write it there as it was read out, or add --pinned HEX --cluster ID",
        )
    })?;
    Ok((pinned, config.cluster))
}
