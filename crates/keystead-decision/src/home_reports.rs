//! What the home of a key reports of it: backups, drills, protections, and that it restored the key.

use keystead_base::{Name, RequestId};
use keystead_intent::{KeyCeremony, KeyMove, KeyState};
use keystead_policy::{AssuranceLevel, Feature, Reason};

use crate::turn::Turn;
use crate::{Controls, Event};

impl<C: Controls> Turn<'_, C> {
    pub(crate) fn backed_up(
        &mut self,
        request: &RequestId,
        name: &Name,
        backup: keystead_base::Digest,
    ) -> Result<KeyState, Reason> {
        self.asked_for(
            request,
            |it| matches!(it, KeyCeremony::Backup { key, .. } | KeyCeremony::Split { key, .. } if key == name),
        )?;
        let state = self.move_key(name, KeyMove::Backup)?;
        // Once: a home would otherwise put an older backup in the place of the latest one.
        self.step(request, Event::Settle);
        if let Some(key) = self.state.keys.get_mut(name) {
            key.backup = Some(backup);
        }
        Ok(state)
    }

    pub(crate) fn protected_by(
        &mut self,
        node: &Name,
        name: &Name,
        protections: &[Feature],
    ) -> Result<KeyState, Reason> {
        let key = self.state.keys.get_mut(name).ok_or_else(|| Reason::KeyUnknown { key: name.clone() })?;
        key.protected_at(node, protections);
        Ok(key.state)
    }

    /// INVARIANT S5: from here on rights name the next epoch, which the enclave of the old home does not hold.
    pub(crate) fn restored(
        &mut self,
        name: &Name,
        (home, assurance, protections): (Name, AssuranceLevel, Vec<Feature>),
        recipient: &keystead_base::Digest,
        proof: &[u8],
    ) -> Result<KeyState, Reason> {
        let cluster = self.state.cluster;
        let key = self.state.keys.get_mut(name).ok_or_else(|| Reason::KeyUnknown { key: name.clone() })?;
        let epoch = key.epoch.saturating_add(1);
        let challenge = crate::drill_challenge(cluster, name, epoch, recipient, None);
        if !key.state.receives() || !key.account.proves_control(&challenge, proof) {
            return Err(Reason::DrillFailed { key: name.clone() });
        }
        (key.home, key.assurance, key.protections, key.epoch) = (home, assurance, protections, epoch);
        // INVARIANT K4: what deals it away from the home that it had is over.
        self.state.convened.remove(name);
        // No drill: the log does not know which backup gave the key back, and none of this epoch was made yet.
        Ok(self.state_of(name))
    }

    pub(crate) fn drilled(
        &mut self,
        name: &Name,
        backup: keystead_base::Digest,
        proof: &[u8],
    ) -> Result<KeyState, Reason> {
        let cluster = self.state.cluster;
        let key = self.state.keys.get(name).ok_or_else(|| Reason::KeyUnknown { key: name.clone() })?;
        let challenge = crate::drill_challenge(cluster, name, key.epoch, &backup, key.drilled);
        if key.backup != Some(backup) || !key.account.proves_control(&challenge, proof) {
            return Err(Reason::DrillFailed { key: name.clone() });
        }
        let (state, now) = (self.move_key(name, KeyMove::Drill)?, self.now());
        if let Some(key) = self.state.keys.get_mut(name) {
            (key.drilled, key.drilled_backup) = (Some(now), Some(backup));
            if let Some(shown) = key.account.ml_dsa_65_key(proof) {
                key.life.public_key = shown.to_vec().into();
            }
        }
        Ok(state)
    }
}
