//! Backups in shares: written for people by a committed ceremony, opened and put together in scratch enclaves alone.

use keystead_base::{Canonical as _, Timestamp};
use keystead_decision::{Certificate, drill_challenge};
use keystead_intent::{BackupGroup, ChainId, KeyCeremony};
use keystead_keys::{BackupFile, BackupSubject, HdSeed, Purpose, SeedShares, ShareCircle, Slip39Share};

use super::spending::{RECORDED_ACCOUNT, wallet};
use super::{Enclave, EnclaveControls, Role, in_epoch};
use crate::EnclaveError;
use crate::entropy::kernel_random;
use crate::protocol::{
    AccountProof, GatheredProof, Gathering, GatheringAim, MAX_DRILLED_ACCOUNTS, MAX_GATHERED, Reply,
    ShareToOpen, ShareWords,
};

impl<C: EnclaveControls> Enclave<C> {
    /// INVARIANT K4: a backup in shares is for those alone whom people named in a committed ceremony.
    pub(super) fn split(&mut self, it: &Certificate, now: Timestamp) -> Result<SeedShares, EnclaveError> {
        let (ceremony, epoch) = self.ceremony(it, now)?.into_parts();
        let KeyCeremony::Split { key: name, group_threshold, groups } = ceremony else {
            return Err(EnclaveError::Ceremony);
        };
        let (key, account) = (self.vault.key(&name)?, self.vault.public(&name)?);
        in_epoch(&name, key.epoch, epoch)?;
        let circles = groups.into_iter().map(|it| self.circle(it)).collect::<Result<Vec<_>, _>>()?;
        let (cluster, purpose) = (self.cluster()?, key.purpose);
        let subject = BackupSubject { cluster, key: name, purpose, epoch, account };
        let seed = self.vault.seed(&key);
        Ok(SeedShares::write(subject, &seed, group_threshold, &circles, &mut kernel_random)?)
    }

    fn circle(&self, group: BackupGroup) -> Result<ShareCircle, EnclaveError> {
        let members = group.members.into_iter().map(|it| self.recipient(it)).collect::<Result<_, _>>()?;
        Ok(ShareCircle { threshold: group.threshold, members })
    }

    /// One share says nothing of the key, and its owner is to have it on paper.
    pub(super) fn open_words(&mut self, it: &ShareToOpen) -> Result<ShareWords, EnclaveError> {
        self.scratch()?;
        let member = self.start.passphrase.open(&it.member)?;
        let share = it.file.open(&it.recipient, &member.recipient()?)?;
        Ok(share.words().into())
    }

    /// The key is whole in this process alone, which ends with it.
    pub(super) fn gather(&mut self, it: &Gathering) -> Result<Reply, EnclaveError> {
        self.scratch()?;
        if it.words.len() > MAX_GATHERED {
            return Err(EnclaveError::BatchSize { limit: MAX_GATHERED, found: it.words.len() });
        }
        let shares: Vec<_> = it
            .words
            .iter()
            .map(|words| Slip39Share::from_words(words))
            .collect::<Result<_, _>>()
            .map_err(|error| EnclaveError::Shares(error.into()))?;
        let seed = it.file.restore(&shares)?;
        match &it.aim {
            GatheringAim::Drill { accounts, networks, after } => {
                let refused_without = it.file.insist(&shares)?;
                let proof = self.control(&it.file, &seed, (*accounts, networks), *after)?;
                Ok(Reply::Gathered(Box::new(GatheredProof { refused_without, ..proof })))
            }
            GatheringAim::HandOver { home, key } => {
                let recipients = [(home.clone(), key.clone())];
                let subject = it.file.subject.clone();
                let file = BackupFile::write(subject, &seed, &recipients, &mut kernel_random)?;
                Ok(Reply::BackedUp(Box::new(file)))
            }
        }
    }

    /// Signs the challenge with each account, and derives the wallets anew.
    fn control(
        &mut self,
        file: &SeedShares,
        seed: &HdSeed,
        (accounts, networks): (u32, &[ChainId]),
        after: Option<Timestamp>,
    ) -> Result<GatheredProof, EnclaveError> {
        let (limit, found) = (MAX_DRILLED_ACCOUNTS as usize, accounts as usize);
        if found == 0 || found > limit {
            return Err(EnclaveError::BatchSize { limit, found });
        }
        let BackupSubject { cluster, key, purpose, epoch, .. } = &file.subject;
        let backup = file.digest();
        let challenge = drill_challenge(*cluster, key, *epoch, &backup, after);
        self.vault.add(key.clone(), *epoch, (*purpose, seed))?;
        if *purpose == Purpose::MlDsa65Seed {
            // One account, and no wallet on any chain that has any.
            let proofs = vec![AccountProof(self.shows_control(key, &challenge)?)];
            self.vault.wipe(key)?;
            return Ok(GatheredProof { backup, proofs, wallets: Vec::new(), refused_without: 0 });
        }
        let mut proofs = Vec::new();
        for index in 0..accounts {
            let account = self.vault.account(key, index)?;
            let signature = self.curve.sign(&self.vault.scalar(&account), &account.public, &challenge)?;
            proofs.push(AccountProof(signature.rs.to_vec()));
        }
        let root = seed.root()?;
        let wallets =
            networks.iter().map(|it| wallet(&root, *it, RECORDED_ACCOUNT)).collect::<Result<_, _>>()?;
        self.vault.wipe(key)?;
        Ok(GatheredProof { backup, proofs, wallets, refused_without: 0 })
    }

    fn scratch(&self) -> Result<(), EnclaveError> {
        match self.start.role {
            Role::Scratch => self.hardened(),
            Role::Signer(_) => Err(EnclaveError::Role),
        }
    }
}
