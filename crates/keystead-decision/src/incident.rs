//! A declared compromise: nothing signs but what sweeps, until everything that may be known was replaced.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Name, Timestamp};
use keystead_intent::{KeyMove, KeyState, MAX_SUSPECTS, MAX_WHY_BYTES, Rotation, Suspect, is_plain};
use keystead_policy::{LifeReason, Reason};

use crate::turn::Turn;
use crate::{Controls, Outcome, State};

/// What was declared since the last time that all of it was replaced.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Incident {
    /// The time of the block with the first declaration.
    pub since: Timestamp,
    /// What people said of it, the first declaration first.
    pub why: Vec<String>,
    /// All that has to be replaced, or was.
    pub rotate: BTreeSet<Rotation>,
}

impl State {
    /// What was declared and is not over.
    #[must_use]
    pub fn incident(&self) -> Option<&Incident> {
        self.incident.as_deref()
    }

    /// What is not replaced yet, ascending.
    #[must_use]
    pub fn to_rotate(&self) -> Vec<Rotation> {
        let all = self.incident.iter().flat_map(|it| it.rotate.iter());
        all.filter(|it| !self.is_rotated(it)).cloned().collect()
    }

    pub(crate) fn not_rotated(&self) -> Reason {
        Reason::Life(LifeReason::NotRotated { rotate: self.to_rotate() })
    }

    fn is_rotated(&self, rotation: &Rotation) -> bool {
        let roster = self.roster();
        match rotation {
            Rotation::Key { key } => self.is_succeeded(key),
            Rotation::Share { key, node, epoch } => self.keys.get(key).is_none_or(|it| {
                let elsewhere = it.epoch > *epoch && it.sharing.as_ref().is_some_and(|it| !it.holds(node));
                elsewhere || it.state.is_wiped() || self.is_succeeded(key)
            }),
            Rotation::Node { node, key } => roster.node(node).is_none_or(|it| it.key.fingerprint() != *key),
            Rotation::Device { person, device, key } => {
                roster.device(person, device).is_none_or(|it| it.key.fingerprint() != *key)
            }
            Rotation::Service { service, key } => {
                roster.service(service).is_none_or(|it| it.key.fingerprint() != *key)
            }
        }
    }

    /// A key that somebody else may know signs nothing but sweeps; what takes its place is ready, or it is wiped.
    fn is_succeeded(&self, key: &Name) -> bool {
        let Some(key) = self.keys.get(key) else { return true };
        let next = key.life.successor.as_ref().and_then(|it| self.keys.get(it));
        let ready = next.is_some_and(|it| it.state == KeyState::Active);
        key.state == KeyState::DestroyedCompromised || (key.state == KeyState::Compromised && ready)
    }

    /// What the suspects make to be replaced; none where one is not ours.
    fn rotations(&self, suspects: &[Suspect]) -> Option<BTreeSet<Rotation>> {
        let mut all = BTreeSet::new();
        for suspect in suspects {
            match suspect {
                Suspect::Key { key } => {
                    self.keys.get(key).filter(|it| it.state != KeyState::DestroyedCompromised)?;
                    all.insert(Rotation::Key { key: key.clone() });
                }
                Suspect::Node { node } => {
                    let key = self.roster().node(node)?.key.fingerprint();
                    all.insert(Rotation::Node { node: node.clone(), key });
                    all.extend(self.secrets_at(node));
                }
                Suspect::Device { person, device } => {
                    let key = self.roster().device(person, device)?.key.fingerprint();
                    all.insert(Rotation::Device { person: person.clone(), device: device.clone(), key });
                }
                Suspect::Service { service } => {
                    let key = self.roster().service(service)?.key.fingerprint();
                    all.insert(Rotation::Service { service: service.clone(), key });
                }
            }
        }
        all.extend(self.known_by_shares(&all));
        Some(all)
    }

    /// The keys and shares in the enclave of a node.
    fn secrets_at(&self, node: &Name) -> impl Iterator<Item = Rotation> {
        let held = self.keys.iter().filter(|(_, key)| key.is_held_by(node) && !key.state.is_wiped());
        held.map(|(name, key)| match &key.sharing {
            None => Rotation::Key { key: name.clone() },
            Some(_) => Rotation::Share { key: name.clone(), node: node.clone(), epoch: key.epoch },
        })
    }

    /// The keys of which as many shares may be known as sign.
    fn known_by_shares(&self, all: &BTreeSet<Rotation>) -> Vec<Rotation> {
        let known = self.keys.iter().filter(|(name, key)| {
            let earlier = self.incident.iter().flat_map(|it| it.rotate.iter());
            let shares: BTreeSet<&Name> = all
                .iter()
                .chain(earlier)
                .filter_map(|it| match it {
                    Rotation::Share { key: of, node, epoch } if of == *name && *epoch == key.epoch => {
                        Some(node)
                    }
                    _ => None,
                })
                .collect();
            key.sharing.as_ref().is_some_and(|it| shares.len() >= usize::from(it.threshold))
        });
        known.map(|(key, _)| Rotation::Key { key: key.clone() }).collect()
    }
}

impl<C: Controls> Turn<'_, C> {
    /// Whether all that is named is ours, and why is said in words.
    pub(crate) fn can_be_declared(&self, suspects: &[Suspect], why: &str) -> Result<(), Reason> {
        said(why)?;
        let ascend = suspects.iter().zip(suspects.iter().skip(1)).all(|(one, next)| one < next);
        let fits = (1..=MAX_SUSPECTS).contains(&suspects.len()) && ascend;
        match fits && self.state.rotations(suspects).is_some() {
            true => Ok(()),
            false => Err(Reason::Life(LifeReason::SuspectsRefused)),
        }
    }

    /// INVARIANT S14: from this block's header on every key is frozen, but those that are compromised: their states stop
    /// them, and once they have successors they sign what sweeps them there.
    pub(crate) fn declared(&mut self, suspects: &[Suspect], why: &str) -> Outcome {
        let rotate = self.state.rotations(suspects).unwrap_or_default();
        for rotation in &rotate {
            if let Rotation::Key { key } = rotation {
                // What was declared before stays what it is.
                let _known = self.move_key(key, KeyMove::Compromise);
                self.state.convened.remove(key);
            }
        }
        // INVARIANT K3: no share that somebody else may know is born while all are replaced.
        let nodes: BTreeSet<&Name> = suspects
            .iter()
            .filter_map(|it| match it {
                Suspect::Node { node } => Some(node),
                _ => None,
            })
            .collect();
        let shared = self.state.convened.iter().filter(|(_, it)| !it.participants().is_disjoint(&nodes));
        for key in shared.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.state.convened.remove(&key);
        }
        let since = self.now();
        let mut incident = self
            .state
            .incident
            .take()
            .map_or_else(|| Incident { since, why: Vec::new(), rotate: BTreeSet::new() }, |it| (*it).clone());
        incident.why.push(why.to_owned());
        incident.rotate.extend(rotate);
        self.state.incident = Some(std::sync::Arc::new(incident));
        self.freeze_each();
        Outcome::Compromised { rotate: self.state.to_rotate() }
    }

    /// Every key by its name in the place of everything, so that what is compromised can be swept.
    fn freeze_each(&mut self) {
        let sweeps = |key: &crate::Key| key.state == KeyState::Compromised;
        let (compromised, others): (Vec<_>, Vec<_>) =
            self.state.keys.iter().filter(|(_, key)| !key.state.is_wiped()).partition(|(_, key)| sweeps(key));
        let names =
            |keys: Vec<(&Name, &crate::Key)>| keys.into_iter().map(|(name, _)| name.clone()).collect();
        let (compromised, others): (Vec<Name>, Vec<Name>) = (names(compromised), names(others));
        self.state.frozen.keys.extend(others);
        for name in &compromised {
            self.state.frozen.keys.remove(name);
        }
        // After the loss of all nodes people thaw first, whatever else was found.
        self.state.frozen.everything = self.state.rebuilt;
    }

    /// INVARIANT S14: no thaw before everything that may be known was replaced, but of a key that only sweeps.
    pub(crate) fn can_thaw(&self, key: Option<&Name>) -> Result<(), Reason> {
        let sweeps = key.and_then(|it| self.state.keys.get(it)).is_some_and(|it| it.state.sweeps());
        match sweeps || self.state.to_rotate().is_empty() || !self.controls.waits_for_rotation() {
            true => Ok(()),
            false => Err(self.state.not_rotated()),
        }
    }
}

/// The reason that people give: one line that shows what it says.
pub(crate) fn said(why: &str) -> Result<(), Reason> {
    match !why.trim().is_empty()
        && why.len() <= MAX_WHY_BYTES
        && why.chars().all(|it| is_plain(it) && !it.is_control())
    {
        true => Ok(()),
        false => Err(Reason::Life(LifeReason::WhyRefused)),
    }
}
