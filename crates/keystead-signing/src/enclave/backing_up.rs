//! A key is encrypted to people: copies of its seed, each of which restores it alone.

use keystead_base::{Name, Timestamp};
use keystead_decision::Certificate;
use keystead_intent::KeyCeremony;
use keystead_keys::{BackupFile, BackupSubject, RecipientPublicKey};

use super::{Enclave, EnclaveControls, in_epoch};
use crate::EnclaveError;
use crate::entropy::kernel_random;

impl<C: EnclaveControls> Enclave<C> {
    pub(super) fn backup(
        &mut self,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<BackupFile, EnclaveError> {
        let (name, epoch, people) = self.leaving(certificate, now)?;
        let (key, account) = (self.vault.key(&name)?, self.vault.public(&name)?);
        in_epoch(&name, key.epoch, epoch)?;
        let recipients =
            people.into_iter().map(|person| self.recipient(person)).collect::<Result<Vec<_>, _>>()?;
        let (cluster, purpose) = (self.cluster()?, key.purpose);
        let subject = BackupSubject { cluster, key: name, purpose, epoch, account };
        Ok(BackupFile::write(subject, &self.vault.seed(&key), &recipients, &mut kernel_random)?)
    }

    /// Which key a committed ceremony gives to whom, in which epoch.
    pub(super) fn leaving(
        &mut self,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<(Name, u32, Vec<Name>), EnclaveError> {
        let (ceremony, epoch) = self.ceremony(certificate, now)?.into_parts();
        match ceremony {
            KeyCeremony::Backup { key, recipients } => Ok((key, epoch, recipients)),
            KeyCeremony::Export { key, recipient } => Ok((key, epoch, vec![recipient])),
            KeyCeremony::Create { .. }
            | KeyCeremony::Suspend { .. }
            | KeyCeremony::Resume { .. }
            | KeyCeremony::Destroy { .. }
            | KeyCeremony::Restore { .. }
            | KeyCeremony::Generate { .. }
            | KeyCeremony::Refresh { .. }
            | KeyCeremony::Reshare { .. }
            | KeyCeremony::Repair { .. }
            | KeyCeremony::Exit { .. }
            | KeyCeremony::Abort { .. }
            | KeyCeremony::Split { .. }
            | KeyCeremony::CreateInTokens { .. }
            | KeyCeremony::Lift { .. }
            | KeyCeremony::Import { .. }
            | KeyCeremony::Deactivate { .. }
            | KeyCeremony::Limit { .. }
            | KeyCeremony::Succeed { .. } => Err(EnclaveError::Ceremony),
        }
    }

    /// A recipient's key comes from the roster in force, never from the request.
    pub(super) fn recipient(&self, person: Name) -> Result<(Name, RecipientPublicKey), EnclaveError> {
        let log = self.log.as_ref().ok_or(EnclaveError::NotReady)?;
        let listed = log.roster().person(&person).and_then(|it| it.recipient.as_deref());
        match listed.and_then(RecipientPublicKey::from_bytes) {
            Some(key) => Ok((person, key)),
            None => Err(EnclaveError::Recipient { person }),
        }
    }
}
