//! Who watched a seed being made: words over its receipt, counted by a roster, beside those whom the receipt only names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use keystead_base::{Canonical as _, Coded as _, Digest, HybridPublicKey, Name, Signed};
use keystead_decision::{Entry, WitnessWord, Witnessed};
use keystead_entropy::{EntropyReceipt, EntropyWitness, WitnessError};
use keystead_policy::{Device, Roster};
use serde_json::{Value, json};

use crate::commands::{Global, Session};
use crate::config::Config;
use crate::failure::{Advise as _, Failure};
use crate::member::{self, Files, Member};
use crate::output::Report;
use crate::table::Table;
use crate::{asking, outside, reading, vaulting};

/// What was watched, and what was written down.
#[derive(Debug, Args)]
pub(crate) struct WitnessArgs {
    #[command(flatten)]
    receipt: ReceiptArgs,
    /// The promise of the machine, as you wrote it down before anybody rolled.
    #[arg(long, value_name = "HEX")]
    promise: Option<Digest>,
}

/// Which words, and by which roster.
#[derive(Debug, Args)]
pub(crate) struct WitnessedArgs {
    #[command(flatten)]
    receipt: ReceiptArgs,
    /// What witnesses signed.
    words: Vec<PathBuf>,
    /// Ask no node: count by the roster of the pinned genesis.
    #[arg(long)]
    pinned: bool,
}

/// Whose receipt, and which words.
#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    /// The key.
    key: Name,
    /// What witnesses signed.
    #[arg(required = true)]
    words: Vec<PathBuf>,
}

/// Which receipt.
#[derive(Debug, Args)]
pub(crate) struct ReceiptArgs {
    /// A receipt, or what `keystead key show KEY --json` says.
    receipt: PathBuf,
    /// Whose receipt, of a key that several nodes hold.
    #[arg(long, value_name = "NODE")]
    of: Option<Name>,
}

impl ReceiptArgs {
    fn read(&self) -> Result<EntropyReceipt, Failure> {
        let told: Value = json(&self.receipt)?;
        let found = match told.pointer("/key/life/receipts") {
            None => serde_json::from_value(told).ok(),
            Some(all) => serde_json::from_value(all.clone()).ok().and_then(|all| self.chosen(all)),
        };
        found.ok_or_else(|| {
            let what = format!("{} has no receipt, or several", self.receipt.display());
            let next =
                "name a receipt.json, or what `keystead key show KEY --json` says; of several --of NODE";
            Failure::new("entropy_witness.file", what, next)
        })
    }

    fn chosen(&self, mut all: BTreeMap<Name, EntropyReceipt>) -> Option<EntropyReceipt> {
        match &self.of {
            Some(node) => all.remove(node),
            None if all.len() == 1 => all.into_values().next(),
            None => None,
        }
    }
}

/// Signs that this receipt is of what the person watched.
pub(super) fn witness(global: &Global, args: &WitnessArgs) -> Result<Report, Failure> {
    let receipt = args.receipt.read()?;
    let body = receipt.witness(args.promise, outside::now())?;
    let config = Config::read(&global.dir)?;
    let files = Files::chosen(&config, global.person.as_ref(), global.passphrase_file.as_ref())?;
    let member = Member::open(&files.key, &files.passphrase)?;
    let word = Signed::new(body, member.name.clone(), &member.signer)?;
    let mut table = Table::pairs();
    table.pair("receipt", word.body.receipt).pair("made by", &receipt.maker).pair("at", receipt.at);
    for it in &receipt.sources {
        table.pair("source", format!("{}: {} samples, {} bits claimed", it.source, it.samples, it.bits()));
    }
    let noted = match (word.body.noted, receipt.promise) {
        (Some(_), _) => "it is the promise that you wrote down",
        (None, Some(_)) => "YOU WROTE NO PROMISE DOWN: your word says so",
        (None, None) => "the machine promised nothing: nobody brought a source",
    };
    table.pair("promise", noted).pair("witness", &word.signer);
    let text = table.render()
        + "next: what --json prints belongs beside the receipt; `keystead entropy witnessed RECEIPT FILE…` counts it, \
           `keystead entropy record KEY FILE…` has the log keep it";
    Ok(Report::new(json!(word), text))
}

/// Counts words over a receipt.
pub(super) async fn witnessed(global: &Global, args: &WitnessedArgs) -> Result<Report, Failure> {
    let receipt = args.receipt.read()?;
    let words = words(&args.words)?;
    let roster = match args.pinned {
        true => member::roster(&Config::read(&global.dir)?)?,
        false => {
            let session = Session::open(global).await?;
            reading::policy_in_force(&session.config, &session.link).await?.roster
        }
    };
    receipt.hold()?;
    let watched = Watched::by(&receipt, &words, &roster, None);
    let mut table = Table::pairs();
    table.pair("receipt", receipt.digest());
    watched.tell(&mut table);
    let holds = watched.refused.is_empty();
    Ok(Report { holds, ..Report::new(watched.json(), table.render()) })
}

/// Brings words to the log: none of them before all of them are known to be of this key.
pub(super) async fn record(global: &Global, args: &RecordArgs) -> Result<Report, Failure> {
    let words = words(&args.words)?;
    let session = Session::open(global).await?;
    let key = vaulting::named(&session.link, &args.key).await?;
    let roster = reading::policy_in_force(&session.config, &session.link).await?.roster;
    let mut entries = Vec::with_capacity(words.len());
    for word in words {
        let of_it = |it: &(&Name, &EntropyReceipt)| it.1.digest() == word.body.receipt;
        let Some((node, receipt)) = key.life.receipts.iter().find(of_it) else {
            let what = format!("the log has no receipt {} of key `{}`", word.body.receipt, args.key);
            let next = format!("`keystead key show {}` shows its receipts", args.key);
            return Err(Failure::new("entropy_witness.receipt", what, next));
        };
        receipt
            .witnessed(&word, devices(&roster, &word.signer))
            .advise("hand over what `keystead entropy witness --json` printed, unchanged")?;
        entries.push(WitnessWord { key: args.key.clone(), node: node.clone(), word });
    }
    let mut table = Table::pairs();
    let mut recorded = Vec::with_capacity(entries.len());
    for entry in entries {
        let witness = entry.word.signer.clone();
        let decisions = asking::counted(session.link.submit(Entry::Witness(entry)).await?)?;
        let height = decisions.first().map(|it| it.height);
        table.pair("witness", format!("{witness}: in block {}", height.unwrap_or_default()));
        recorded.push(json!({"witness": witness, "height": height}));
    }
    Ok(Report::new(json!({"key": args.key, "recorded": recorded}), table.render()))
}

fn devices<'a>(roster: &'a Roster, person: &Name) -> impl Iterator<Item = &'a HybridPublicKey> {
    let devices = roster.person(person).map(|it| it.devices.as_slice()).unwrap_or_default();
    devices.iter().map(|it: &Device| &it.key)
}

/// What witnesses signed, from their files.
pub(in crate::commands) fn words(files: &[PathBuf]) -> Result<Vec<Signed<EntropyWitness>>, Failure> {
    files.iter().map(|it| json(it)).collect()
}

/// Who signed, who is only named, and whose word counts for nothing.
pub(in crate::commands) struct Watched {
    /// Each once.
    signed: BTreeMap<Name, Said>,
    named: Vec<Name>,
    pub(in crate::commands) refused: Vec<(Name, WitnessError)>,
}

/// What somebody signed.
#[derive(Clone, Copy, Default)]
struct Said {
    /// They had written the promise down.
    noted: bool,
    /// The block of the log that has it.
    height: Option<u64>,
}

impl Watched {
    /// INVARIANT E1: a name is no word, and a word counts by a key of the roster, or because the log counted it.
    pub(in crate::commands) fn by<'a>(
        receipt: &EntropyReceipt,
        words: impl IntoIterator<Item = &'a Signed<EntropyWitness>>,
        roster: &Roster,
        log: Option<&BTreeMap<Name, Witnessed>>,
    ) -> Self {
        let in_log = log.into_iter().flatten();
        let said = |it: &Witnessed| Said { noted: it.noted, height: Some(it.height) };
        let signed = in_log.map(|(witness, it)| (witness.clone(), said(it))).collect();
        let mut watched = Self { signed, named: Vec::new(), refused: Vec::new() };
        for word in words {
            match receipt.witnessed(word, devices(roster, &word.signer)) {
                Ok(()) => {
                    watched.signed.entry(word.signer.clone()).or_default().noted |= word.body.noted.is_some();
                }
                Err(error) => watched.refused.push((word.signer.clone(), error)),
            }
        }
        let unsigned = |it: &&Name| !watched.signed.contains_key(*it);
        watched.named = receipt.witnesses.iter().filter(unsigned).cloned().collect();
        watched
    }

    pub(in crate::commands) fn tell(&self, table: &mut Table) {
        for (witness, said) in &self.signed {
            let what = if said.noted { "signed, and had written the promise down" } else { "signed" };
            let place = said.height.map(|it| format!(", in block {it}")).unwrap_or_default();
            table.pair("witness", format!("{witness}: {what}{place}"));
        }
        for name in &self.named {
            table.pair("witness", format!("{name}: named, signed nothing"));
        }
        for (name, error) in &self.refused {
            table.pair("witness", format!("{name}: DOES NOT COUNT: {error}"));
        }
        if self.signed.is_empty() && self.named.is_empty() && self.refused.is_empty() {
            table.pair("witness", "nobody");
        }
    }

    pub(in crate::commands) fn json(&self) -> Value {
        let signed = |(witness, said): (&Name, &Said)| json!({"witness": witness, "noted": said.noted, "height": said.height});
        let refused =
            |(witness, error): &(Name, WitnessError)| json!({"witness": witness, "code": error.code()});
        json!({
            "signed": self.signed.iter().map(signed).collect::<Vec<_>>(),
            "named": self.named,
            "refused": self.refused.iter().map(refused).collect::<Vec<_>>(),
        })
    }
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    serde_json::from_slice(&outside::read(path)?).map_err(|error| {
        let what = format!("{}: {error}", path.display());
        let next = "hand over what the command before printed with --json, unchanged";
        Failure::new("entropy_witness.file", what, next)
    })
}

#[cfg(test)]
mod tests {
    use keystead_base::{HybridSigner, Secret, Timestamp};
    use keystead_policy::{Factor, Person, TransportKey};
    use keystead_signing::MachineDraw;

    use super::*;

    fn signer(byte: u8) -> HybridSigner {
        HybridSigner::from_seed(&Secret::new([byte; 64])).unwrap()
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn person(text: &str, byte: u8) -> Person {
        let (key, transport) = (signer(byte).public().clone(), TransportKey(Digest([byte; 32])));
        let device = Device { name: name("laptop"), factor: Factor::Software, key, transport };
        Person { name: name(text), roles: Vec::new(), devices: vec![device], recipient: None }
    }

    #[test]
    fn e1_who_is_named_and_signed_nothing_is_no_witness() {
        let draw = MachineDraw::new();
        let mixture = draw.mixture().unwrap();
        let (_, receipt) = mixture.finish("test", Timestamp(1), vec![name("ben"), name("cleo")]).unwrap();
        let people = vec![person("ana", 1), person("ben", 2), person("cleo", 3)];
        let roster = Roster { quorum: 1, nodes: Vec::new(), services: Vec::new(), people, devices: None };
        let word = |who: &str, byte: u8| {
            let body = receipt.witness(None, Timestamp(2)).unwrap();
            Signed::new(body, name(who), &signer(byte)).unwrap()
        };
        let words = [word("ana", 1), word("ben", 2), word("ben", 2), word("cleo", 2), word("dora", 4)];
        let log = [(name("ana"), Witnessed { height: 7, noted: false })].into();
        let watched = Watched::by(&receipt, &words, &roster, Some(&log));
        let expected = json!({
            "signed": [
                {"witness": "ana", "noted": false, "height": 7},
                {"witness": "ben", "noted": false, "height": null},
            ],
            "named": ["cleo"],
            "refused": [
                {"witness": "cleo", "code": "entropy_witness.signature"},
                {"witness": "dora", "code": "entropy_witness.stranger"},
            ],
        });
        assert_eq!(watched.json(), expected);
        let mut table = Table::pairs();
        watched.tell(&mut table);
        let shown = table.render();
        for words in
            ["ben: signed", "cleo: named, signed nothing", "cleo: DOES NOT COUNT", "no person `dora`"]
        {
            assert!(shown.contains(words), "{words}: {shown}");
        }
    }
}
