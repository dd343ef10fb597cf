//! A backup of the log becomes a new node's log, and the rebuild that its next block is to be lies beside it.

use keystead_base::{Canonical, ClusterId};
use keystead_decision::{Controls, SignedRebuild, State};

use crate::engine::bytes;
use crate::read::{PAGE, parsed};
use crate::record::Appended;
use crate::{AuditError, Auditor, ExportedLog, Ledger, LedgerError, SignatureRecord, StoredBlock};

impl Ledger {
    /// Reads a whole exported log into an empty database, every vote and rule of it checked from the pinned genesis.
    /// Asked again, it goes on from where it stopped. Gives the state at its end.
    ///
    /// # Errors
    ///
    /// [`AuditError`] names the first difference; what was written before it stays, and is as sound as the log.
    pub async fn import<C: Controls>(
        &self,
        log: &ExportedLog,
        pinned: ClusterId,
        controls: &C,
    ) -> Result<State, AuditError> {
        let mut auditor = Auditor::begin(log.genesis(), pinned, controls)?;
        auditor.expect_signed(log.checkpoint())?;
        self.begin(log.genesis()).await?;
        let (held, _) = self.tip().await?;
        if held > log.checkpoint().body().size {
            return Err(LedgerError::NotEmpty { found: held }.into());
        }
        let mut rows = Vec::new();
        for block in log.each_block() {
            let StoredBlock { commit, entries } = block?;
            let (height, round, votes) = (commit.header.height, commit.round, commit.votes.clone());
            let applied = auditor.apply(StoredBlock { commit, entries })?;
            if height > held {
                rows.push(Appended::new(&applied, round, votes));
            }
            if rows.len() as u64 >= PAGE {
                self.append(std::mem::take(&mut rows)).await?;
            }
        }
        self.append(rows).await?;
        if log.checkpoint().body().size > 0 {
            self.save_checkpoint(log.checkpoint()).await?;
        }
        let state = auditor.state().clone();
        auditor.finish()?;
        Ok(state)
    }

    /// Keeps signatures that an earlier node made, so that what became of their transactions can be looked up. The caller
    /// has checked each against the decision that it rests on.
    ///
    /// # Errors
    ///
    /// [`LedgerError::SignatureTaken`] where another signature is there.
    pub async fn keep_signatures(&self, signatures: Vec<SignatureRecord>) -> Result<(), LedgerError> {
        self.write(&crate::Batch { signatures, ..crate::Batch::default() }).await
    }

    /// Keeps the rebuild that the next block is to be. One that goes on from another place is refused, and so is a
    /// second one from the same.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Rebuild`] says what does not fit, [`LedgerError::RebuildTaken`] where another one is kept.
    pub async fn begin_rebuild(&self, state: &State, signed: &SignedRebuild) -> Result<(), LedgerError> {
        state.awaiting(signed)?;
        let mut session = self.engine.write().await?;
        let sql = "INSERT INTO meta (name, document) VALUES ('rebuild', $1) ON CONFLICT (name) DO NOTHING";
        if session.execute(sql, vec![bytes(signed.to_document())]).await? == 0 {
            let found = signed.rebuild.digest();
            let kept = kept(&mut session).await?.map(|kept| kept.rebuild.digest());
            if let Some(expected) = kept.filter(|kept| *kept != found) {
                return Err(LedgerError::RebuildTaken { expected, found });
            }
        }
        session.commit().await
    }

    /// The rebuild that the next block is to be, where one is kept and its block is not there yet.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Row`] when it does not parse.
    pub async fn awaited_rebuild(&self) -> Result<Option<SignedRebuild>, LedgerError> {
        let (height, _) = self.tip().await?;
        let kept = kept(&mut self.engine.read().await?).await?;
        Ok(kept.filter(|it| it.rebuild.height == height))
    }

    /// The state of a log whose next block is a rebuild that is kept here.
    pub(crate) async fn awaiting(&self, state: State) -> Result<State, LedgerError> {
        let mut session = self.engine.read().await?;
        match kept(&mut session).await? {
            Some(signed) if signed.rebuild.height == state.height() => Ok(state.awaiting(&signed)?),
            _ => Ok(state),
        }
    }
}

async fn kept(session: &mut crate::engine::Session) -> Result<Option<SignedRebuild>, LedgerError> {
    let row = session.row("SELECT document FROM meta WHERE name = 'rebuild'", vec![]).await?;
    let document = row.map(|row| row.bytes(0)).transpose()?;
    document.map(|it| parsed("meta", "rebuild", SignedRebuild::from_document(&it))).transpose()
}
