//! The folder of somebody who was there before: which rebuild it follows, and its way to the new nodes.

use std::path::Path;

use keystead_base::Canonical as _;
use keystead_decision::SignedGenesis;
use keystead_decision::rebuild::{CheckedRebuild, FinishedRebuild, RebuildBundle};

use super::REBUILD;
use super::install::{INSTALLED, NOT_OURS};
use crate::anchoring::{Anchored, WORD};
use crate::config::{Config, FILE};
use crate::failure::{Advise as _, Failure};
use crate::{member, outside, setup};

/// A folder that was there before, and the rebuild that it is told of.
pub(crate) struct Told {
    config: Config,
    finished: FinishedRebuild,
    anchored: Anchored,
    /// This folder follows it already, and the word is all that is new.
    brings_a_word: bool,
}

impl Told {
    /// Verified from the pinned genesis on and by the pinned anchor, no step back from what this folder follows, and for no
    /// node that goes on.
    pub(crate) fn of(folder: &Path, bundle: RebuildBundle, word: Option<&Path>) -> Result<Self, Failure> {
        let config = Config::read(folder)?;
        let genesis = member::genesis(&config)?;
        let finished = bundle.verify(&genesis, config.cluster).advise(NOT_OURS)?;
        let anchored = Anchored::of(config.anchor, word)?;
        goes_on(&config, &genesis, finished.checked())?;
        let known = member::followed(&config, &genesis)?;
        let known = known.is_some_and(|it| it.checked().fingerprint() == finished.checked().fingerprint());
        let brings_a_word = known && word.is_some();
        let told = Self { config, finished, anchored, brings_a_word };
        if !brings_a_word && told.is_of_a_new_node(&genesis)? {
            setup::not_installed(folder, INSTALLED)?;
        }
        told.anchored.holds(&told.finished)?;
        Ok(told)
    }

    /// What it is told of.
    pub(crate) fn finished(&self) -> &FinishedRebuild {
        &self.finished
    }

    /// The folder keeps keys, genesis and pin; from now on it looks for the new nodes.
    pub(crate) fn follow(&self, folder: &Path) -> Result<(), Failure> {
        let word = self.config.client.genesis.with_file_name(WORD);
        if self.brings_a_word {
            return self.anchored.keep(&word);
        }
        let path = folder.join(FILE);
        let text = outside::read_text(&path)?;
        let next = self.pointed_at_the_new(&text)?;
        keep_old(&folder.join(BEFORE), text.as_bytes())?;
        outside::replace(&path, next.as_bytes())?;
        self.anchored.keep(&word)?;
        // Last: a run that was interrupted is run again, and a lost node beside this rebuild would pass for a new one.
        let beside = self.config.client.genesis.with_file_name(REBUILD);
        outside::replace(&beside, &self.finished.bundle().to_document())
    }

    fn pointed_at_the_new(&self, text: &str) -> Result<String, Failure> {
        let failed = |error: String| Failure::new("config.toml", error, "mend keystead.toml (docs/cli.md)");
        let mut table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| failed(error.to_string()))?;
        let nodes = setup::contributed_nodes(&self.finished.checked().draft().contributions);
        let nodes = toml::Value::try_from(nodes).map_err(|error| failed(error.to_string()))?;
        if let Some(client) = table.get_mut("client").and_then(toml::Value::as_table_mut) {
            client.insert("nodes".to_owned(), nodes);
        }
        // A node that shared this folder is lost with the others.
        table.remove("node");
        toml::to_string_pretty(&table).map_err(|error| failed(error.to_string()))
    }

    /// A node of the rebuild, known by its key, and one that came to it later keep what they have.
    fn is_of_a_new_node(&self, genesis: &SignedGenesis) -> Result<bool, Failure> {
        let Some(node) = &self.config.node else { return Ok(false) };
        let known = member::followed(&self.config, genesis)?;
        if known.is_some_and(|it| it.checked().fingerprint() == self.finished.checked().fingerprint()) {
            return Ok(true);
        }
        // A disk without the node's key has no node that could go on.
        if !node.member.key.exists() {
            return Ok(false);
        }
        let file = member::key_file(&node.member.key)?;
        Ok(self.finished.roster().nodes.iter().any(|it| it.key == file.public().signing))
    }
}

/// INVARIANT L2: who follows one rebuild follows, and signs, another one only where that one's log went through it: an
/// older or a rival one is another log.
pub(crate) fn goes_on(
    config: &Config,
    genesis: &SignedGenesis,
    next: &CheckedRebuild,
) -> Result<(), Failure> {
    let Some(followed) = member::followed(config, genesis)? else { return Ok(()) };
    let (known, found) = (followed.checked().fingerprint(), next.fingerprint());
    if known == found || next.draft().leads_through(&known) {
        return Ok(());
    }
    let file = config.client.genesis.with_file_name(REBUILD);
    let what = format!(
        "this folder follows the rebuild {known}, and {found} does not go on from it: another log, or an older one"
    );
    let next = format!(
        "take the newest; only if all agree that {known} is void, and none of its nodes was started: move {} away",
        file.display()
    );
    Err(Failure::new("rebuild.rival", what, next))
}

/// The configuration of before the first rebuild stays.
fn keep_old(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if path.exists() { Ok(()) } else { outside::create(path, bytes) }
}

/// The configuration as it was before.
const BEFORE: &str = "keystead.toml.before-rebuild";
