//! A key is born: of the machine's sources, and of what people bring to them.

use keystead_base::{Canonical as _, Digest, Name, Secret, Timestamp};
use keystead_decision::Certificate;
use keystead_entropy::{EntropyError, EntropyPromise, EntropyReceipt, SEED_BYTES};
use keystead_intent::{KeyCeremony, KeyKind};
use keystead_keys::{HdSeed, Purpose, SealLabel, Sealed, age_file};

use super::{Enclave, EnclaveControls, held, in_epoch};
use crate::EnclaveError;
use crate::entropy::{Contribution, MachineDraw, kernel_random, of_tpm};
use crate::protocol::{Brought, CreatedFrom, CreatedKey, Creation, SeedToOpen};

impl<C: EnclaveControls> Enclave<C> {
    pub(super) fn create(
        &mut self,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<CreatedKey, EnclaveError> {
        let (ceremony, epoch) = self.ceremony(certificate, now)?.into_parts();
        self.protected()?;
        let (key, purpose) = match ceremony {
            KeyCeremony::Create { key, kind: KeyKind::HdSecp256k1, .. } => (key, Purpose::HdSeed),
            KeyCeremony::Create { key, kind: KeyKind::HdMlDsa65, .. } => (key, Purpose::MlDsa65Seed),
            KeyCeremony::CreateInTokens { key, tokens, .. } => return self.create_in_tokens(&key, &tokens),
            _ => return Err(EnclaveError::Ceremony),
        };
        let draw = self.draw();
        let (seed, receipt) = self.sources.seed(&draw, now)?;
        self.born((key, purpose), epoch, seed, receipt)
    }

    /// What the machine's TPM gives to the next draw, as the parent had it from there. It can only add.
    pub(super) fn pour(&mut self, it: &Brought) -> Result<(), EnclaveError> {
        self.poured = Some(of_tpm(it)?);
        Ok(())
    }

    /// The machine's part of the next seed that people roll for, drawn, tested and bound by its digest before they do. It stays the
    /// same until a key is born of it, whatever was refused meanwhile.
    pub(super) fn promise(&mut self) -> Result<EntropyPromise, EnclaveError> {
        self.log.as_ref().ok_or(EnclaveError::NotReady)?;
        if self.promised.is_none() {
            let draw = self.draw();
            self.sources.check(&draw)?;
            self.promised = Some(draw);
        }
        let draw = self.promised.as_ref().ok_or(EnclaveError::NotReady)?;
        Ok(draw.mixture()?.promise())
    }

    /// INVARIANT E1: of the very part that was promised before people rolled, and of all that they brought.
    pub(super) fn create_from(&mut self, it: &Creation, now: Timestamp) -> Result<CreatedFrom, EnclaveError> {
        let (ceremony, epoch) = self.ceremony(&it.certificate, now)?.into_parts();
        self.protected()?;
        let KeyCeremony::Create { key, kind: KeyKind::HdSecp256k1, .. } = ceremony else {
            return Err(EnclaveError::Ceremony);
        };
        let brought = Contribution::read(&it.brought)?;
        let draw = self.promised_as(&it.promise)?;
        let made = self.born_from(key, epoch, &draw, &brought, now);
        if made.is_err() {
            self.promised = Some(draw);
        }
        made
    }

    fn promised_as(&mut self, promise: &Digest) -> Result<MachineDraw, EnclaveError> {
        let draw = self.promised.take().ok_or(EntropyError::Promise)?;
        if draw.mixture()?.promise().digest() == *promise {
            return Ok(draw);
        }
        self.promised = Some(draw);
        Err(EntropyError::Promise.into())
    }

    fn born_from(
        &mut self,
        key: Name,
        epoch: u32,
        draw: &MachineDraw,
        brought: &[Contribution],
        now: Timestamp,
    ) -> Result<CreatedFrom, EnclaveError> {
        let (seed, receipt) = self.sources.seed_with(draw, brought, now)?;
        let text = draw.openings_for(brought.iter().map(Contribution::salt));
        let openings = self.seal(&key, Purpose::SeedOpenings, epoch, text.expose().as_bytes())?;
        Ok(CreatedFrom { created: self.born((key, Purpose::HdSeed), epoch, seed, receipt)?, openings })
    }

    fn born(
        &mut self,
        (key, purpose): (Name, Purpose),
        epoch: u32,
        entropy: Secret<[u8; SEED_BYTES]>,
        receipt: EntropyReceipt,
    ) -> Result<CreatedKey, EnclaveError> {
        if self.tokens.key(&key).is_some() {
            return Err(crate::VaultError::Known { key }.into());
        }
        let seed = HdSeed::from_entropy(entropy);
        let sealed = self.seal(&key, purpose, epoch, seed.entropy().expose())?;
        let account = self.vault.add(key.clone(), epoch, (purpose, &seed))?;
        self.pairwise(&key)?;
        Ok(CreatedKey { held: held(&key, epoch, &account), sealed, receipt: Some(receipt) })
    }

    fn seal(&self, key: &Name, purpose: Purpose, epoch: u32, secret: &[u8]) -> Result<Sealed, EnclaveError> {
        let label = SealLabel { cluster: Some(self.cluster()?), name: key.clone(), purpose, epoch };
        let sealing = self.sealing.as_ref().ok_or(EnclaveError::NotReady)?;
        Ok(sealing.seal(label, secret, &mut kernel_random)?)
    }

    /// INVARIANT K4: what the commitments open to goes to those alone whom a committed ceremony gives the key itself: with their rolls it
    /// is the key.
    pub(super) fn open_seed(&mut self, it: &SeedToOpen, now: Timestamp) -> Result<Vec<u8>, EnclaveError> {
        let (name, epoch, people) = self.leaving(&it.certificate, now)?;
        in_epoch(&name, self.vault.key(&name)?.epoch, epoch)?;
        let recipients = people.into_iter().map(|person| self.recipient(person).map(|(_, key)| key));
        let recipients = recipients.collect::<Result<Vec<_>, _>>()?;
        let label = SealLabel { cluster: Some(self.cluster()?), name, purpose: Purpose::SeedOpenings, epoch };
        let sealing = self.sealing.as_ref().ok_or(EnclaveError::NotReady)?;
        let mut openings = Secret::new(vec![0; it.openings.secret_bytes()]);
        sealing.open(&it.openings, &label, openings.expose_mut())?;
        Ok(age_file(&openings, &recipients, &mut kernel_random)?)
    }
}
