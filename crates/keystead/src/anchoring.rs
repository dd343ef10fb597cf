//! The word of a pinned anchor on a rebuild, and where it lies.

use std::path::Path;

use keystead_base::{Canonical as _, Digest};
use keystead_decision::LightClient;
use keystead_decision::rebuild::{CheckedRebuild, FinishedRebuild, Rebuild};
use keystead_ledger::{Ledger, LedgerError};
use keystead_quantum::{AnchorStatement, AnchorWord};

use crate::config::Config;
use crate::failure::{Advise as _, Failure};
use crate::outside;

/// The file of the word, beside the one of the rebuild.
pub(crate) const WORD: &str = "rebuild.anchor";

/// What an anchor signs of a rebuild.
pub(crate) fn statement(rebuild: &CheckedRebuild) -> AnchorStatement {
    AnchorStatement { cluster: rebuild.draft().rebuild.cluster, rebuild: rebuild.fingerprint() }
}

/// INVARIANT S13: where an anchor is pinned, a rebuild without its word is none, whoever else signed it.
pub(crate) fn held(pinned: Option<Digest>, rebuild: &FinishedRebuild, file: &Path) -> Result<(), Failure> {
    let Some(pinned) = pinned else { return Ok(()) };
    if !file.exists() {
        return Err(missing(pinned, rebuild.checked()));
    }
    let word: AnchorWord = outside::document(file)?;
    word.verify(pinned, statement(rebuild.checked())).advise(NOT_ANCHORED)
}

/// INVARIANT S13: where an anchor is pinned, a log that is followed goes on by no rebuild but the one whose word is here, and those that
/// this one went through, whoever shows it.
pub(crate) fn leads(
    pinned: Option<Digest>,
    found: &Rebuild,
    here: Option<&FinishedRebuild>,
) -> Result<(), Failure> {
    let Some(pinned) = pinned else { return Ok(()) };
    let found = found.digest();
    let known = |it: &&FinishedRebuild| {
        it.checked().fingerprint() == found || it.checked().draft().leads_through(&found)
    };
    match here.filter(known) {
        Some(_) => Ok(()),
        None => Err(unanchored(pinned, found)),
    }
}

/// INVARIANT S13: the same of a node's own ledger, whatever the file in its folder says: of each rebuild that its log went through, and
/// of the one that its next block is to be. Each change of policy is verified, so that whoever writes the database hides none.
pub(crate) async fn ledger_leads(
    config: &Config,
    url: &str,
    here: Option<&FinishedRebuild>,
) -> Result<(), Failure> {
    let ledger = Ledger::open(url).await?;
    let led = read_leads(config, &ledger, here).await;
    ledger.close().await;
    led
}

async fn read_leads(config: &Config, ledger: &Ledger, here: Option<&FinishedRebuild>) -> Result<(), Failure> {
    let genesis = match ledger.genesis().await {
        Ok(genesis) => genesis,
        // A node that never ran.
        Err(LedgerError::Empty) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut log = LightClient::new(&genesis, config.cluster)?;
    let (height, _) = ledger.tip().await?;
    for transition in ledger.transitions(height).await? {
        if let Some(it) = &transition.rebuild {
            leads(config.anchor, &it.rebuild, here)?;
        }
        log.follow(&transition)?;
    }
    if let Some(tip) = ledger.block(height).await? {
        log.advance(&tip.commit)?;
    }
    match ledger.awaited_rebuild().await? {
        Some(it) => leads(config.anchor, &it.rebuild, here),
        None => Ok(()),
    }
}

/// A pin, and the word that came with a rebuild.
pub(crate) struct Anchored {
    pinned: Option<Digest>,
    word: Option<AnchorWord>,
}

impl Anchored {
    /// A word that nobody could check is refused: whoever hands it over believes that it guards them.
    pub(crate) fn of(pinned: Option<Digest>, word: Option<&Path>) -> Result<Self, Failure> {
        if pinned.is_none() && word.is_some() {
            let next = "write the anchor that was read out as `anchor` into keystead.toml; of a new node add --anchor HEX";
            return Err(Failure::new(
                "anchor.unpinned",
                "no anchor is pinned here to check the word by",
                next,
            ));
        }
        Ok(Self { pinned, word: word.map(outside::document).transpose()? })
    }

    pub(crate) fn pinned(&self) -> Option<Digest> {
        self.pinned
    }

    /// INVARIANT S13, before anything is written.
    pub(crate) fn holds(&self, rebuild: &FinishedRebuild) -> Result<(), Failure> {
        match (self.pinned, &self.word) {
            (None, _) => Ok(()),
            (Some(pinned), None) => Err(missing(pinned, rebuild.checked())),
            (Some(pinned), Some(word)) => {
                word.verify(pinned, statement(rebuild.checked())).advise(NOT_ANCHORED)
            }
        }
    }

    /// Before the rebuild itself: one without its word would stop this folder.
    pub(crate) fn keep(&self, file: &Path) -> Result<(), Failure> {
        match &self.word {
            Some(word) => outside::replace(file, &word.to_document()),
            None => Ok(()),
        }
    }
}

fn missing(pinned: Digest, rebuild: &CheckedRebuild) -> Failure {
    unanchored(pinned, rebuild.fingerprint())
}

fn unanchored(pinned: Digest, rebuild: Digest) -> Failure {
    let what = format!("no word of the pinned anchor {pinned} is here on the rebuild {rebuild}");
    let next = "have the holders of the anchor's keys sign it (`keystead anchor sign`, `finish`), and add --anchored FILE";
    Failure::new("anchor.missing", what, next)
}

const NOT_ANCHORED: &str =
    "do NOT follow this rebuild before you have heard from the holders of the anchor's keys what they signed";
