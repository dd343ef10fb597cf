//! One device, one share: which devices the roster knows, and that none of them is there twice.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{HybridPublicKey, Name, Signed};
use serde::{Deserialize, Serialize};

use crate::structure::{at_most, not_zero};
use crate::{Enrolment, EnrolmentError, Holder, PolicyError, PolicyVersion, Roster};

/// The devices of a roster.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterDevices {
    /// Who has to have shown one.
    pub required_of: RequiredOf,
    /// What witnesses signed, by holder ascending.
    pub records: Vec<Signed<Enrolment>>,
}

/// Who has to have shown a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequiredOf {
    /// Nobody; whoever has shown one shows another one than everybody else.
    Nobody,
    /// Each node that is to hold a share of a key.
    Holders,
    /// Those, and each node and each approver's device in the roster.
    Everybody,
}

impl RequiredOf {
    /// Its stable name, as JSON writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Holders => "holders",
            Self::Everybody => "everybody",
        }
    }
}

impl RosterDevices {
    /// The record of this holder.
    #[must_use]
    pub fn of(&self, holder: &Holder) -> Option<&Signed<Enrolment>> {
        self.records.iter().find(|it| it.body.holder == *holder)
    }

    /// INVARIANT S11: whoever has to have a device has shown hardware.
    fn check_required(&self, holder: Holder) -> Result<(), EnrolmentError> {
        let holder = Box::new(holder);
        match self.of(&holder) {
            _ if self.required_of == RequiredOf::Nobody => Ok(()),
            None => Err(EnrolmentError::Missing { holder }),
            Some(record) if record.body.proof.is_software() => Err(EnrolmentError::Software { holder }),
            Some(_) => Ok(()),
        }
    }

    /// INVARIANT S11: no piece of hardware counts for two.
    fn check_distinct<'a>(records: impl IntoIterator<Item = &'a Enrolment>) -> Result<(), EnrolmentError> {
        let (mut devices, mut models) = (BTreeMap::new(), BTreeMap::new());
        for Enrolment { holder, proof, .. } in records {
            for device in [Some(proof.device()), proof.token_key()].into_iter().flatten() {
                if let Some(other) = devices.insert(device, holder) {
                    let (holder, found) = (Box::new(other.clone()), Box::new(holder.clone()));
                    return Err(EnrolmentError::SameDevice { device, holder, found });
                }
            }
            // Of an authenticator without a certified serial number nothing says that it is another one than the next of its
            // model: it makes as many credentials as it is asked for.
            let Some((aaguid, certified)) = proof.model() else { continue };
            if let Some((other, all_certified)) = models.insert(aaguid, (holder, certified))
                && !(certified && all_certified)
            {
                let (holder, found) = (Box::new(other.clone()), Box::new(holder.clone()));
                return Err(EnrolmentError::SameModel { aaguid: const_hex::encode(aaguid), holder, found });
            }
        }
        Ok(())
    }
}

impl Roster {
    /// The key of a holder.
    #[must_use]
    pub fn holder_key(&self, holder: &Holder) -> Option<&HybridPublicKey> {
        match holder {
            Holder::Node(node) => self.node(node).map(|it| &it.key),
            Holder::Approver { person, device } => self.device(person, device).map(|it| &it.key),
        }
    }

    /// INVARIANT S11: whether these nodes may hold the shares of one key: where policy requires devices, each on one of its own.
    ///
    /// # Errors
    ///
    /// [`EnrolmentError::Missing`] or [`EnrolmentError::Software`] of the first that has shown none,
    /// [`EnrolmentError::SameDevice`] or [`EnrolmentError::SameModel`] of two that have shown one.
    pub fn devices_of_holders(&self, nodes: &[Name]) -> Result<(), EnrolmentError> {
        let Some(devices) = &self.devices else { return Ok(()) };
        let mut shown = Vec::new();
        for node in nodes {
            let holder = Holder::Node(node.clone());
            shown.extend(devices.of(&holder).map(|record| &record.body));
            devices.check_required(holder)?;
        }
        RosterDevices::check_distinct(shown)
    }

    /// Leaves out the records of keys that are not there any more.
    pub fn drop_stale_devices(&mut self) {
        let Some(mut devices) = self.devices.take() else { return };
        devices.records.retain(|it| {
            self.holder_key(&it.body.holder).is_some_and(|key| key.fingerprint() == it.body.key)
        });
        let says_something = devices.required_of != RequiredOf::Nobody || !devices.records.is_empty();
        self.devices = says_something.then_some(devices);
    }

    /// The devices after a rebuild, whose nodes are all new and have shown none: they vote, and hold no share before they have.
    #[must_use]
    pub fn with_devices_of_rebuild(mut self) -> Self {
        self.drop_stale_devices();
        if let Some(devices) = &mut self.devices
            && devices.required_of == RequiredOf::Everybody
        {
            devices.required_of = RequiredOf::Holders;
        }
        self
    }

    /// Everybody who can have a device: each node, and each device of a person.
    pub fn holders(&self) -> impl Iterator<Item = Holder> {
        let nodes = self.nodes.iter().map(|it| Holder::Node(it.name.clone()));
        let devices = self.people.iter().flat_map(|person| {
            let holder =
                move |device: &Name| Holder::Approver { person: person.name.clone(), device: device.clone() };
            person.devices.iter().map(move |it| holder(&it.name))
        });
        nodes.chain(devices)
    }
}

/// Checks the devices of the next version: each record about a holder and its key, none twice, none missing where policy requires
/// it, and what is new signed by somebody whom the version before knows.
///
/// # Errors
///
/// [`PolicyError::Enrolment`], or the list's form.
pub fn check_devices(before: Option<&PolicyVersion>, next: &PolicyVersion) -> Result<(), PolicyError> {
    let roster = &next.roster;
    let known = before.map_or(roster, |it| &it.roster);
    let Some(devices) = &roster.devices else { return Ok(()) };
    at_most("the list of device records", devices.records.len(), MAX_ENROLMENTS)?;
    let says_nothing = devices.required_of == RequiredOf::Nobody && devices.records.is_empty();
    not_zero("what is said of devices", "roster", u64::from(!says_nothing))?;
    check_order(&devices.records)?;
    devices.records.iter().try_for_each(|it| check_record(roster, &it.body))?;
    RosterDevices::check_distinct(devices.records.iter().map(|it| &it.body))?;
    let kept = known.devices.as_ref().filter(|_| before.is_some());
    let is_new = |it: &&Signed<Enrolment>| kept.is_none_or(|kept| !kept.records.contains(it));
    devices.records.iter().filter(is_new).try_for_each(|it| check_witness(known, it))?;
    if devices.required_of == RequiredOf::Everybody {
        roster.holders().try_for_each(|it| devices.check_required(it))?;
    }
    Ok(())
}

/// One holder, one record.
fn check_order(records: &[Signed<Enrolment>]) -> Result<(), PolicyError> {
    for (first, second) in records.iter().zip(records.iter().skip(1)) {
        let (first, second) = (&first.body.holder, &second.body.holder);
        match first.cmp(second) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => {
                return Err(EnrolmentError::SameHolder { holder: Box::new(first.clone()) }.into());
            }
            std::cmp::Ordering::Greater => {
                let (first, second) = (first.to_string(), second.to_string());
                return Err(PolicyError::Order { list: "device records", first, second });
            }
        }
    }
    Ok(())
}

fn check_record(roster: &Roster, record: &Enrolment) -> Result<(), EnrolmentError> {
    record.proof.check()?;
    let holder = || Box::new(record.holder.clone());
    let key =
        roster.holder_key(&record.holder).ok_or_else(|| EnrolmentError::NoHolder { holder: holder() })?;
    let expected = key.fingerprint();
    if record.key == expected {
        Ok(())
    } else {
        Err(EnrolmentError::OtherKey { holder: holder(), expected, found: record.key })
    }
}

/// INVARIANT S11: nobody is a witness for a device of their own, and nobody becomes one by the change that the word is for.
fn check_witness(known: &Roster, record: &Signed<Enrolment>) -> Result<(), EnrolmentError> {
    let (holder, witness) = (Box::new(record.body.holder.clone()), record.signer.clone());
    if matches!(&*holder, Holder::Approver { person, .. } if *person == witness) {
        return Err(EnrolmentError::OwnWord { holder });
    }
    let devices = known.person(&witness).map(|it| it.devices.as_slice()).unwrap_or_default();
    // A key that moves to another name is a word about itself all the same.
    if devices.iter().any(|it| it.key.fingerprint() == record.body.key) {
        return Err(EnrolmentError::OwnWord { holder });
    }
    if devices.iter().any(|it| record.verify(&it.key).is_ok()) {
        Ok(())
    } else {
        Err(EnrolmentError::Witness { holder, witness })
    }
}

const MAX_ENROLMENTS: usize = 4096;

#[cfg(test)]
mod tests;
