//! A key's new home: the enclave takes the backup that is handed over to it, and only then the log is told.

use keystead_base::{Canonical as _, Name, RequestId};
use keystead_decision::{Certificate, Key, KeyStep, Phase, State};
use keystead_intent::{Action, AuthorityChange, KeyCeremony};
use keystead_keys::{BackupFile, Purpose, Sealed};
use keystead_ledger::{Ledger, LedgerError};
use keystead_policy::AssuranceLevel;
use keystead_signing::ClientError;
use keystead_wire::{EntryAnswer, Refused};
use tokio::sync::oneshot;

use crate::NodeError;
use crate::error::CallError;
use crate::log_token::Asker;
use crate::shared::Shared;
use crate::signer::Signer;

/// A backup for the one-time key of this node's enclave, and who waits for what becomes of it.
pub(crate) struct HandOver {
    request: RequestId,
    file: BackupFile,
    answer: oneshot::Sender<Result<(Name, KeyStep), Refused>>,
}

impl Shared {
    /// Takes a backup from a person, has it restored, and reports to the log.
    pub(crate) async fn restore(
        &self,
        request: RequestId,
        document: &[u8],
    ) -> Result<EntryAnswer, CallError> {
        let file = BackupFile::from_document(document)?;
        if let Err(refused) = self.may_restore(request, &file) {
            return Ok(EntryAnswer::Refused(refused));
        }
        let (answer, answered) = oneshot::channel();
        // Where the signer ended, its own stage reports it, and the answer does not come.
        let _ = self.hand_overs.send(HandOver { request, file, answer }).await;
        match answered.await {
            Ok(Ok((key, step))) => self.report_key(Asker::Node, key, step).await,
            Ok(Err(refused)) => Ok(EntryAnswer::Refused(refused)),
            Err(_) => {
                let text = "the enclave is away; try again".to_owned();
                Ok(EntryAnswer::Refused(Refused { code: "node.no_enclave".to_owned(), text }))
            }
        }
    }
}

impl Shared {
    /// The enclave acts before the log hears of it, so what the log would refuse is refused before.
    fn may_restore(&self, request: RequestId, file: &BackupFile) -> Result<(), Refused> {
        let (state, key) = (self.state(), &file.subject.key);
        if !is_of(file, &state) {
            let text = format!("the log has no key `{key}` with the public side of this backup");
            return Err(Refused { code: "node.other_key".to_owned(), text });
        }
        if !is_permitted(&state, &request, key, &self.node) {
            let node = &self.node;
            let text = format!("{request} is no open permission to restore `{key}` at `{node}`; ask for one");
            return Err(Refused { code: "node.no_permission".to_owned(), text });
        }
        Ok(())
    }
}

/// INVARIANT S13: whether people permitted this node to restore the key, and nobody has done it yet.
fn is_permitted(state: &State, request: &RequestId, key: &Name, node: &Name) -> bool {
    let Some(request) = state.request(request).filter(|it| it.phase == Phase::Applied) else { return false };
    match &request.intent.action {
        Action::Authority(AuthorityChange::Key(KeyCeremony::Restore { key: asked, home })) => {
            asked == key && home == node
        }
        _ => false,
    }
}

/// Whether the log knows the key by the public side that the backup names.
fn is_of(file: &BackupFile, state: &State) -> bool {
    let subject = &file.subject;
    state.key(&subject.key).is_some_and(|key| key.account == subject.account)
}

impl Signer {
    /// This node is to be a key's home: its enclave says what the backup is to be encrypted to.
    pub(crate) async fn receive(
        &mut self,
        request: RequestId,
        certificate: Certificate,
    ) -> Result<(), NodeError> {
        let recipient = self.enclave.receive(certificate)?;
        let digest = self.shared.ledger.save_backup(recipient.as_bytes()).await?;
        self.shared.board.wrote(&request, digest);
        Ok(())
    }

    /// What the enclave refuses is the caller's; an enclave that ended is started again at the next block.
    pub(crate) async fn hand_over(&mut self, it: HandOver) -> Result<(), NodeError> {
        let HandOver { request, file, answer } = it;
        let restored = match self.restore(request, file).await {
            Ok(step) => Ok(step),
            Err(NodeError::Enclave(ClientError::Refused(it))) => {
                Err(Refused { code: it.code, text: it.text })
            }
            Err(NodeError::Enclave(error)) => Err(Refused::of(&error)),
            Err(error) => return Err(error),
        };
        // The caller may be gone; the log is then told nothing, and people ask again.
        let _ = answer.send(restored);
        Ok(())
    }

    async fn restore(&mut self, request: RequestId, file: BackupFile) -> Result<(Name, KeyStep), NodeError> {
        let restored = self.enclave.restore(file)?;
        let (key, epoch) = (restored.held.key, restored.held.epoch);
        // Of an earlier try that the log was not told of: no right names this epoch yet.
        self.shared.ledger.erase_sealed_epoch(&key, epoch).await?;
        self.shared.ledger.save_sealed_key(&key, epoch, &restored.sealed.to_document()).await?;
        let (assurance, protections) = (AssuranceLevel::Process, self.in_force.clone());
        let (recipient, proof) = (restored.recipient, restored.proof);
        Ok((key, KeyStep::Restored { request, recipient, assurance, protections, proof }))
    }

    /// After a start: a seal from before the key got another home is of no use to anybody honest.
    pub(crate) async fn forget_moved(&self) -> Result<(), NodeError> {
        let state = self.shared.state();
        self.wipe_moved_rolls(&state);
        let of_no_use = |name: &Name, key: &Key, (epoch, sealed): (u32, &[u8])| {
            // The ceremony that made a share ended without it.
            let is_of_shares = key.sharing.is_some() || is_share(sealed);
            let stray = is_of_shares && epoch > key.epoch && state.convening(name).is_none();
            key.epoch > epoch
                || stray
                || (key.sharing.is_some() && (key.state.is_wiped() || key.life.wiping.is_some()))
        };
        self.erase_seals(|name, epoch, sealed| match state.key(name) {
            Some(key) => of_no_use(name, key, (epoch, sealed)),
            None => state.convening(name).is_none() && is_share(sealed),
        })
        .await
    }

    /// What is left of the birth of a key that lives elsewhere by now.
    fn wipe_moved_rolls(&self, state: &State) {
        if !self.home.rolls.path().is_dir() {
            return;
        }
        let moved = |key: &Key| key.sharing.is_none() && key.home != self.shared.node;
        for (name, _) in state.keys().filter(|(_, key)| moved(key)) {
            self.wipe_rolls(name);
        }
    }

    /// Erases each seal of which that is true, a page after the other.
    pub(crate) async fn erase_seals(
        &self,
        gone: impl Fn(&Name, u32, &[u8]) -> bool,
    ) -> Result<(), NodeError> {
        Ok(erase_seals(&self.shared.ledger, gone).await?)
    }
}

/// Erases each seal that `gone` says is none any more.
pub(crate) async fn erase_seals(
    ledger: &Ledger,
    gone: impl Fn(&Name, u32, &[u8]) -> bool,
) -> Result<(), LedgerError> {
    let (mut last, mut erased) = (None, Vec::new());
    loop {
        let page = ledger.sealed_keys(last.as_ref()).await?;
        let Some((name, epoch, _)) = page.last() else { break };
        last = Some((name.clone(), *epoch));
        let of_page = page.into_iter().filter(|(name, epoch, sealed)| gone(name, *epoch, sealed));
        erased.extend(of_page.map(|(name, epoch, _)| (name, epoch)));
    }
    ledger.erase_sealed_epochs(&erased).await
}

/// Whether it is a share, whose birth the log then ended without a key. Of a seed the log may yet be told.
pub(crate) fn is_share(sealed: &[u8]) -> bool {
    Sealed::from_document(sealed).is_ok_and(|it| it.label().purpose == Purpose::ThresholdShare)
}
