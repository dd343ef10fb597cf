//! A key gets another home: its backup is handed over to a one-time key of the enclave that restores it.

use keystead_base::{Canonical as _, Name, Secret, Timestamp};
use keystead_decision::{Certificate, drill_challenge};
use keystead_intent::KeyCeremony;
use keystead_keys::{
    BackupFile, HdSeed, Purpose, RECIPIENT_SEED_BYTES, RecipientKey, RecipientPublicKey, SealLabel, Sealed,
};

use super::{Enclave, EnclaveControls, Role, Struck, held};
use crate::EnclaveError;
use crate::entropy::kernel_random;
use crate::protocol::{Drill, DrillProof, HandOver, RestoredKey};
use crate::self_test::recipient_fits;

/// What this enclave may restore, and the one-time key that it is handed over to.
pub(super) struct Receiving {
    key: Name,
    home: Name,
    epoch: u32,
    seed: Secret<[u8; RECIPIENT_SEED_BYTES]>,
}

impl<C: EnclaveControls> Enclave<C> {
    /// In a scratch enclave: a backup that is restored proves control.
    pub(super) fn drill(&mut self, drill: &Drill) -> Result<DrillProof, EnclaveError> {
        if self.start.role != Role::Scratch {
            return Err(EnclaveError::Role);
        }
        self.hardened()?;
        let member = self.start.passphrase.open(&drill.member)?;
        let seed = drill.file.restore(&drill.recipient, &member.recipient()?)?;
        let subject = &drill.file.subject;
        let backup = drill.file.digest();
        self.vault.add(subject.key.clone(), subject.epoch, (subject.purpose, &seed))?;
        let challenge = drill_challenge(subject.cluster, &subject.key, subject.epoch, &backup, drill.after);
        Ok(DrillProof { backup, proof: self.shows_control(&subject.key, &challenge)? })
    }

    /// A committed ceremony names this home: a key of this very life that a backup can be encrypted to. The
    /// last ceremony counts.
    pub(super) fn receive(
        &mut self,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<RecipientPublicKey, EnclaveError> {
        let (ceremony, epoch) = self.ceremony(certificate, now)?.into_parts();
        let KeyCeremony::Restore { key, home } = ceremony else { return Err(EnclaveError::Ceremony) };
        self.protected()?;
        let draw = self.draw();
        let (seed, _) = self.sources.seed(&draw, now)?;
        let one_time = one_time(&seed)?;
        recipient_fits(&one_time, &|bytes| self.controls.strike(Struck::Pair("X-Wing key"), bytes))?;
        let public = one_time.public();
        self.receiving = Some(Receiving { key, home, epoch: epoch.saturating_add(1), seed });
        Ok(public)
    }

    /// Restores what was handed over, seals it for this home, and proves control to the log. A file that is not
    /// the one that is waited for changes nothing.
    pub(super) fn restore(&mut self, file: &BackupFile) -> Result<RestoredKey, EnclaveError> {
        let cluster = self.cluster()?;
        let receiving = self.receiving.as_ref().ok_or(EnclaveError::NotReceiving)?;
        let Receiving { key, home, epoch, seed } = receiving;
        if file.subject.cluster != cluster || file.subject.key != *key {
            return Err(EnclaveError::ForeignSeal { name: file.subject.key.clone() });
        }
        let one_time = one_time(seed)?;
        let recipient = one_time.public().fingerprint();
        let (restored, key, epoch) = (file.restore(home, &one_time)?, key.clone(), *epoch);
        let purpose = file.subject.purpose;
        let sealed = self.sealed(&key, epoch, (purpose, &restored))?;
        if self.vault.key(&key).is_ok() {
            self.vault.wipe(&key)?;
        }
        let public = self.vault.add(key.clone(), epoch, (purpose, &restored))?;
        self.receiving = None;
        let challenge = drill_challenge(cluster, &key, epoch, &recipient, None);
        let proof = self.shows_control(&key, &challenge)?;
        Ok(RestoredKey { held: held(&key, epoch, &public), sealed, recipient, proof })
    }

    fn sealed(
        &self,
        key: &Name,
        epoch: u32,
        (purpose, seed): (Purpose, &HdSeed),
    ) -> Result<Sealed, EnclaveError> {
        let cluster = Some(self.cluster()?);
        let label = SealLabel { cluster, name: key.clone(), purpose, epoch };
        let sealing = self.sealing.as_ref().ok_or(EnclaveError::NotReady)?;
        Ok(sealing.seal(label, seed.entropy().expose(), &mut kernel_random)?)
    }

    /// In a scratch enclave: reads a backup with its recipient's key, and encrypts it to the one-time key of a
    /// key's new home. Nothing of it leaves in the clear.
    pub(super) fn hand_over(&mut self, it: &HandOver) -> Result<BackupFile, EnclaveError> {
        if self.start.role != Role::Scratch {
            return Err(EnclaveError::Role);
        }
        self.hardened()?;
        let member = self.start.passphrase.open(&it.drill.member)?;
        let seed = it.drill.file.restore(&it.drill.recipient, &member.recipient()?)?;
        let recipients = [(it.home.clone(), it.key.clone())];
        Ok(BackupFile::write(it.drill.file.subject.clone(), &seed, &recipients, &mut kernel_random)?)
    }
}

fn one_time(seed: &Secret<[u8; RECIPIENT_SEED_BYTES]>) -> Result<RecipientKey, EnclaveError> {
    RecipientKey::from_seed(seed).ok_or(EnclaveError::NotReceiving)
}
