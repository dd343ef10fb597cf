//! Key ceremonies: the enclave acts, the file becomes durable, and only then the log is told.

use std::collections::HashSet;
use std::sync::Arc;

use keystead_base::{Canonical, Digest, Name, RequestId, merkle::Inclusion};
use keystead_decision::{Certificate, Key, KeyState, KeyStep, Outcome, State, leaves};
use keystead_intent::{KeyCeremony, KeyKind};
use keystead_ledger::LedgerError;
use keystead_policy::AssuranceLevel;
use keystead_signing::{Brought, ClientError, CreatedKey, Creation, HeldKey, OpenedKey};
use keystead_wire::Refused;

use crate::blocks::Durable;
use crate::own::why_not;
use crate::restore::is_share;
use crate::rolls::{takes_rolls, unused};
use crate::signer::Signer;
use crate::{Event, NodeError};

impl Signer {
    /// Carries one decision of a block out, if it is a ceremony.
    pub(crate) async fn ceremony(&mut self, block: &Durable, index: usize) -> Result<(), NodeError> {
        let Some(decision) = block.decisions.get(index) else { return Ok(()) };
        let Outcome::Ceremony { ceremony, .. } = &decision.outcome else { return Ok(()) };
        if !self.shared.is_home_of(&block.state, ceremony) {
            return Ok(());
        }
        let Some(proof) = Inclusion::prove(&leaves(&block.decisions), index) else { return Ok(()) };
        let certificate = Certificate { commit: block.commit.clone(), decision: decision.clone(), proof };
        let request = decision.subject;
        let done = match ceremony {
            KeyCeremony::Create { key, kind, .. } => self.create(request, key, *kind, certificate).await,
            KeyCeremony::CreateInTokens { key, .. } => {
                self.create(request, key, KeyKind::TokenSecp256k1, certificate).await
            }
            KeyCeremony::Backup { key, .. } => self.backup(request, key, certificate).await,
            KeyCeremony::Split { key, .. } => self.split(request, key, certificate).await,
            KeyCeremony::Export { key, .. } => self.export(request, key, certificate).await,
            KeyCeremony::Destroy { key } => self.destroy(request, key, certificate).await,
            KeyCeremony::Exit { key, .. } => self.leave(request, key, certificate).await,
            KeyCeremony::Restore { .. } => self.receive(request, certificate).await,
            // Of many back ends together: not by the home alone.
            KeyCeremony::Generate { .. }
            | KeyCeremony::Refresh { .. }
            | KeyCeremony::Reshare { .. }
            | KeyCeremony::Repair { .. }
            | KeyCeremony::Import { .. }
            | KeyCeremony::Abort { .. } => Ok(()),
            KeyCeremony::Lift { key, node } => self.lift(key, node, certificate).await,
            // The log carries these out alone, and gives no permission for them.
            KeyCeremony::Suspend { .. }
            | KeyCeremony::Resume { .. }
            | KeyCeremony::Deactivate { .. }
            | KeyCeremony::Limit { .. }
            | KeyCeremony::Succeed { .. } => Ok(()),
        };
        let refused = match done {
            Err(NodeError::Enclave(ClientError::Refused(refusal))) => {
                Refused { code: refusal.code, text: refusal.text }
            }
            // INVARIANT E1: without its TPM this machine draws no seed.
            Err(NodeError::Tpm { code, text }) => Refused { code, text },
            // INVARIANT D4: what lies under a name that people gave again stops the ceremony and not the node.
            Err(NodeError::Ledger(error @ LedgerError::SealTaken { .. })) => Refused::of(&error),
            other => return other,
        };
        self.shared.board.failed(&request, refused.clone());
        self.shared.event(Event::NotSigned { request, refused });
        Ok(())
    }

    async fn create(
        &mut self,
        request: RequestId,
        key: &Name,
        kind: KeyKind,
        certificate: Certificate,
    ) -> Result<(), NodeError> {
        let created = match self.home.rolls.read(key)? {
            None => {
                self.pour()?;
                let created = self.enclave.create(certificate)?;
                // What a birth that was broken off left opens nothing of this key.
                self.wipe_rolls(key);
                created
            }
            // INVARIANT E1: whoever rolled gets no key without their rolls.
            Some(_) if !takes_rolls(kind) => return Err(unused(key).into()),
            Some(rolled) => self.create_from(key, certificate, rolled)?,
        };
        let held = created.held;
        // Durable before the log knows of the key: a key that the log names can always be opened again.
        let seal = created.sealed.to_document();
        let receipt = created.receipt.map(|it| it.to_document());
        let saved = self.shared.ledger.save_born_key(&held.key, held.epoch, &seal, receipt.as_deref()).await;
        if let Err(LedgerError::SealTaken { .. }) = saved {
            // By a share of a ceremony that ended without a key, whose name is free again.
            self.enclave.erase_shares(held.key.clone(), u32::MAX)?;
            self.erase_seals(|name, _, sealed| *name == held.key && is_share(sealed)).await?;
            self.shared.ledger.save_born_key(&held.key, held.epoch, &seal, receipt.as_deref()).await?;
        } else {
            saved?;
        }
        self.forget_rolls(key);
        self.report_created(request, kind, held)
    }

    /// Of what people brought, too. The openings are durable before the key is: afterwards nobody has them any more.
    fn create_from(
        &mut self,
        key: &Name,
        certificate: Certificate,
        (promise, brought): (Digest, Vec<Brought>),
    ) -> Result<CreatedKey, NodeError> {
        let made = self.enclave.create_from(Creation { certificate, promise, brought })?;
        if let Err(error) = self.home.rolls.withdraw() {
            self.shared.postponed("the end of a promise", &error);
        }
        self.home.rolls.keep_openings(key, &made.openings)?;
        Ok(made.created)
    }

    fn report_created(&mut self, request: RequestId, kind: KeyKind, held: HeldKey) -> Result<(), NodeError> {
        let assurance = AssuranceLevel::Process;
        let (account, protections) = (held.account, self.in_force.clone());
        let step = match kind.is_in_tokens() {
            true => {
                let proof = self.enclave.prove(held.key.clone(), request)?;
                KeyStep::InTokens { request, account, assurance, protections, proof }
            }
            false => KeyStep::Created { request, kind, account, assurance, protections },
        };
        self.shared.report_key_later(held.key, step);
        Ok(())
    }

    async fn backup(
        &mut self,
        request: RequestId,
        key: &Name,
        certificate: Certificate,
    ) -> Result<(), NodeError> {
        let file = self.enclave.backup(certificate.clone())?;
        let backup = self.keep(request, &file).await?;
        self.open_seed(key, certificate)?;
        self.shared.report_key_later(key.clone(), KeyStep::BackedUp { request, backup });
        Ok(())
    }

    async fn split(
        &mut self,
        request: RequestId,
        key: &Name,
        certificate: Certificate,
    ) -> Result<(), NodeError> {
        let file = self.enclave.split(certificate)?;
        let backup = self.keep(request, &file).await?;
        self.shared.report_key_later(key.clone(), KeyStep::BackedUp { request, backup });
        Ok(())
    }

    async fn export(
        &mut self,
        request: RequestId,
        key: &Name,
        certificate: Certificate,
    ) -> Result<(), NodeError> {
        let file = self.enclave.backup(certificate.clone())?;
        self.keep(request, &file).await?;
        self.open_seed(key, certificate)?;
        self.shared.board.carried_out(&request);
        Ok(())
    }

    /// The file is durable before the log hears of it, so that whoever it is for finds it.
    async fn leave(
        &mut self,
        request: RequestId,
        key: &Name,
        certificate: Certificate,
    ) -> Result<(), NodeError> {
        let file = self.enclave.leave(certificate)?;
        let file = self.shared.ledger.save_backup(&file).await?;
        self.shared.board.wrote(&request, file);
        self.shared.report_key_later(key.clone(), KeyStep::Left { request, file });
        Ok(())
    }

    /// The enclave wipes first, then the ledger; only then the log is told that nothing is left here.
    async fn destroy(
        &mut self,
        request: RequestId,
        key: &Name,
        certificate: Certificate,
    ) -> Result<(), NodeError> {
        self.enclave.destroy(certificate)?;
        let erased = self.shared.ledger.erase_sealed_key(key).await?;
        self.wipe_rolls(key);
        let step = self.shared.state().key(key).map_or(KeyStep::Destroyed, |it| certificate_of(it, erased));
        let (shared, key) = (Arc::clone(&self.shared), key.clone());
        // Not awaited, as with every report: the back end does not wait for the log.
        tokio::spawn(async move {
            match shared.report_key_at_last(key, step).await {
                Ok(answer) => match why_not(&answer) {
                    None => shared.board.carried_out(&request),
                    Some(refused) => shared.board.failed(&request, refused),
                },
                Err(error) => shared.postponed("the report of a wiped key", &error),
            }
        });
        Ok(())
    }

    /// After a start: keys whose end is committed and that a crash left in the ledger. The enclave was
    /// not given them any more. What is in tokens is wiped there under a permission alone: people ask again.
    pub(crate) async fn finish_destructions(&self) -> Result<(), NodeError> {
        let state = self.shared.state();
        let left = |key: &Key| key.life.wiping.is_some() && !key.state.is_wiped() && !key.kind.is_in_tokens();
        for (name, key) in state.keys().filter(|(_, key)| left(key)) {
            let erased = self.shared.ledger.erase_sealed_key(name).await?;
            self.wipe_rolls(name);
            self.shared.report_key_later(name.clone(), certificate_of(key, erased));
        }
        Ok(())
    }

    /// After a start of the enclave: tells the log where its protections are others than it knows.
    pub(crate) fn report_protections(&self) {
        let state = self.shared.state();
        let differs = |key: &Key| {
            let here = key.is_held_by(&self.shared.node) && !key.state.is_wiped();
            let share = key.sharing.as_ref().and_then(|it| it.homes.get(&self.shared.node));
            here && *share.map_or(&key.protections, |it| &it.protections) != self.in_force
        };
        for (name, _) in state.keys().filter(|(_, key)| differs(key)) {
            let protections = self.in_force.clone();
            self.shared.report_key_later(name.clone(), KeyStep::Protected { protections });
        }
    }

    async fn keep<F: Canonical>(&self, request: RequestId, file: &F) -> Result<Digest, NodeError> {
        let digest = self.shared.ledger.save_backup(&file.to_document()).await?;
        self.shared.board.wrote(&request, digest);
        Ok(digest)
    }

    /// After a start: keys that are sealed and that the log does not know yet.
    pub(crate) fn report_unknown_keys(&mut self, held: &[OpenedKey]) -> Result<(), NodeError> {
        let state = self.shared.state();
        for OpenedKey { key, .. } in held.iter().filter(|it| state.key(&it.key).is_none()) {
            if let Some((request, kind)) = asked_by(&state, key) {
                // A crash came between the seal and the end of what people brought.
                self.forget_rolls(key);
                let public = self.enclave.public(key.clone()).map_err(NodeError::from);
                match public.and_then(|held| self.report_created(request, kind, held)) {
                    // A share of a ceremony that ended, under a name that is free again; or tokens that are away.
                    Ok(()) | Err(NodeError::Enclave(ClientError::Refused(_))) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// What this node says of a key that is wiped here.
fn certificate_of(key: &Key, erased: u32) -> KeyStep {
    match key.life.wiping {
        Some(request) => KeyStep::Wiped { request, account: key.account, epoch: key.epoch, erased },
        None => KeyStep::Destroyed,
    }
}

/// Whether a ceremony that the log allowed has left no trace, so that it must be carried out again.
pub(crate) fn is_undone(ceremony: &KeyCeremony, state: &State, sealed: &HashSet<Name>) -> bool {
    match ceremony {
        KeyCeremony::Create { key, .. } | KeyCeremony::CreateInTokens { key, .. } => {
            state.key(key).is_none() && !sealed.contains(key)
        }
        KeyCeremony::Backup { key, .. } | KeyCeremony::Split { key, .. } => {
            state.key(key).is_some_and(|it| it.state == KeyState::Created)
        }
        // Whether an export reached its recipient is for people to say; they ask again.
        KeyCeremony::Export { .. } | KeyCeremony::Exit { .. } => false,
        // The one-time key ended with the enclave that had it: people ask again.
        KeyCeremony::Restore { .. } => false,
        // What a crash left of a destruction is finished from the state, not from the permission.
        KeyCeremony::Suspend { .. }
        | KeyCeremony::Resume { .. }
        | KeyCeremony::Destroy { .. }
        | KeyCeremony::Deactivate { .. }
        | KeyCeremony::Limit { .. }
        | KeyCeremony::Succeed { .. } => false,
        // What is under way stands in the state.
        KeyCeremony::Generate { .. }
        | KeyCeremony::Refresh { .. }
        | KeyCeremony::Reshare { .. }
        | KeyCeremony::Repair { .. }
        | KeyCeremony::Import { .. }
        | KeyCeremony::Abort { .. } => false,
        // INVARIANT K6: once more would lift a ban that came after it; the journal has what was done.
        KeyCeremony::Lift { .. } => false,
    }
}

fn asked_by(state: &State, name: &Name) -> Option<(RequestId, KeyKind)> {
    use keystead_intent::{Action, AuthorityChange};
    state.requests().find_map(|(id, request)| {
        let Action::Authority(AuthorityChange::Key(ceremony)) = &request.intent.action else { return None };
        let (key, kind) = match ceremony {
            KeyCeremony::Create { key, kind, .. } => (key, *kind),
            KeyCeremony::CreateInTokens { key, .. } => (key, KeyKind::TokenSecp256k1),
            _ => return None,
        };
        (key == name && request.phase == keystead_decision::Phase::Applied).then_some((*id, kind))
    })
}
