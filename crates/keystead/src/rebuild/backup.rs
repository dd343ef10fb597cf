//! The exported log that a rebuild goes on from, and what others remember beyond it.

use std::path::{Path, PathBuf};

use keystead_base::{Canonical as _, ClusterId, Timestamp};
use keystead_decision::rebuild::Basis;
use keystead_decision::{Commit, State, Strict, Transition};
use keystead_ledger::{Checkpoint, ExportedLog, LogError, SignedCheckpoint, WitnessState, origin};

use crate::failure::{Advise as _, Failure};
use crate::outside;

/// What somebody outside remembers: a witness's own file, or a checkpoint that was kept.
pub(crate) struct Memory {
    file: PathBuf,
    body: Checkpoint,
}

/// Reads what is remembered. Nothing in it is verified: whoever says that the log was longer is heard by people.
pub(crate) fn remembered(files: &[PathBuf]) -> Result<Vec<Memory>, Failure> {
    let read = |file: &PathBuf| {
        let bytes = outside::read(file)?;
        let body = match WitnessState::from_document(&bytes) {
            Ok(state) => state.remembered(),
            Err(_) => SignedCheckpoint::parse(&String::from_utf8_lossy(&bytes))
                .advise("name the state file of a witness, or a checkpoint that was kept")?
                .body()
                .clone(),
        };
        Ok(Memory { file: file.clone(), body })
    };
    files.iter().map(read).collect()
}

/// An exported log, replayed from the pinned genesis.
pub(crate) struct Backup {
    pub(crate) log: ExportedLog,
    pub(crate) state: State,
    before: Vec<Transition>,
    head: Option<Commit>,
}

impl Backup {
    /// Every vote, rule and root of it verified, and compared with what is remembered as far as it reaches.
    pub(crate) fn read(folder: &Path, pinned: ClusterId, memories: &[Memory]) -> Result<Self, Failure> {
        let log = ExportedLog::open(folder)
            .advise("is it a folder that `keystead audit export FOLDER` wrote, whole?")?;
        let bodies: Vec<Checkpoint> = memories.iter().map(|it| it.body.clone()).collect();
        let (state, before, head) = log
            .replayed(pinned, &bodies, &Strict::default())
            .advise("take another backup: this one is not the log that the nodes signed")?;
        Ok(Self { log, state, before, head })
    }

    /// What a draft is made from. Blocks that are known to be lost have to be said aloud.
    pub(crate) fn basis(
        self,
        pinned: ClusterId,
        memories: &[Memory],
        accept_loss: bool,
        at: Timestamp,
    ) -> Result<Basis, Failure> {
        let expected = origin(&self.log.genesis().genesis.name, pinned);
        if let Some(stray) = memories.iter().find(|it| it.body.origin != expected) {
            return Err(LogError::Origin { expected, found: stray.body.origin.clone() }.into());
        }
        let height = self.state.height();
        let longest = memories.iter().max_by_key(|it| it.body.size).filter(|it| it.body.size > height);
        if let Some(longest) = longest.filter(|_| !accept_loss) {
            return Err(lost(longest, height));
        }
        let remembered = longest.map_or(height, |it| it.body.size);
        let root = self.state.history().root();
        Ok(Basis { before: self.before, head: self.head, root, remembered, at })
    }
}

fn lost(memory: &Memory, height: u64) -> Failure {
    let what = format!(
        "{} remembers {} blocks, and this backup has {height}: {} blocks are lost, with all that they allowed",
        memory.file.display(),
        memory.body.size,
        memory.body.size.saturating_sub(height)
    );
    let next = "look for a later backup: every node's disk, every person, every witness; only where there is none, \
                --accept-loss puts the loss into what people sign";
    Failure::new("rebuild.lost", what, next)
}
