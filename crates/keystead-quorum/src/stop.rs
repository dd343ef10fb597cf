//! Vetoes and freezes: one enrolled person with the right role is enough to stop.

use keystead_base::{Canonical, ClusterId, HybridPublicKey, Name, Signed, Timestamp};
use keystead_intent::{Freeze, Veto};
use keystead_policy::{Person, Roster};

use crate::checks::lifetime;
use crate::{Context, Refusal};

/// The role whose people may freeze (S14).
pub const FREEZER: &str = "freezer";

/// Who stopped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopper {
    /// The person.
    pub person: Name,
    /// The device.
    pub device: Name,
}

/// Checks a veto: this cluster, this request, unexpired, an enrolled device of somebody with one of
/// the `vetoers` roles, both halves of the signature. The requester may veto too.
///
/// # Errors
///
/// [`Refusal`]: the first check that fails.
pub fn verify_veto(
    signed: &Signed<Veto>,
    context: &Context<'_>,
    vetoers: &[Name],
) -> Result<Stopper, Refusal> {
    let veto = &signed.body;
    if veto.request != context.request {
        return Err(Refusal::Request { expected: context.request, found: veto.request });
    }
    in_cluster(context.cluster, veto.cluster)?;
    lifetime(context.now, veto.expires, context.max_lifetime_seconds)?;
    let stopper = Stopper { person: veto.person.clone(), device: veto.device.clone() };
    speaks(signed, &stopper, context.roster, |person| vetoers.iter().any(|role| person.has_role(role)))?;
    Ok(stopper)
}

/// Checks a freeze: this cluster, unexpired, an enrolled device of somebody with the role
/// [`FREEZER`], both halves of the signature. One person is enough; to thaw takes more.
///
/// # Errors
///
/// [`Refusal`]: the first check that fails.
pub fn verify_freeze(
    signed: &Signed<Freeze>,
    cluster: ClusterId,
    roster: &Roster,
    now: Timestamp,
    max_lifetime_seconds: u64,
) -> Result<Stopper, Refusal> {
    let freeze = &signed.body;
    in_cluster(cluster, freeze.cluster)?;
    lifetime(now, freeze.expires, max_lifetime_seconds)?;
    let stopper = Stopper { person: freeze.person.clone(), device: freeze.device.clone() };
    speaks(signed, &stopper, roster, |person| person.roles.iter().any(|role| role.as_str() == FREEZER))?;
    Ok(stopper)
}

fn in_cluster(expected: ClusterId, found: ClusterId) -> Result<(), Refusal> {
    if found == expected { Ok(()) } else { Err(Refusal::Cluster { expected, found }) }
}

/// The signature is that of an enrolled device of a person who may do this.
fn speaks<T: Canonical>(
    signed: &Signed<T>,
    by: &Stopper,
    roster: &Roster,
    may: impl Fn(&Person) -> bool,
) -> Result<(), Refusal> {
    if signed.signer != by.person {
        return Err(Refusal::Signer { person: by.person.clone(), signer: signed.signer.clone() });
    }
    if !roster.person(&by.person).is_some_and(may) {
        return Err(Refusal::Role { person: by.person.clone() });
    }
    let key = device_key(roster, by)?;
    signed.verify(key).map(|_| ()).map_err(|error| Refusal::Signature { person: by.person.clone(), error })
}

fn device_key<'r>(roster: &'r Roster, by: &Stopper) -> Result<&'r HybridPublicKey, Refusal> {
    roster
        .device(&by.person, &by.device)
        .map(|device| &device.key)
        .ok_or_else(|| Refusal::NotEnrolled { person: by.person.clone(), device: by.device.clone() })
}
