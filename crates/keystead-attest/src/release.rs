//! A secret, encrypted to the key that evidence binds, and only to what the allow list names.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, Secret, Timestamp};
use keystead_keys::{ENCAPSULATED_BYTES, Encapsulated, Fill, RecipientKey, TAG_BYTES};
use serde::{Deserialize, Serialize};

use crate::{AllowList, Attested, Custodian, ReleaseError};

/// The longest secret that is released at once: a share of a key in its sealed form.
pub const MAX_RELEASED_BYTES: usize = 1024 * 1024;

/// What travels to the attester.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// The challenge that was answered.
    pub nonce: Digest,
    /// The list by which it was released.
    pub list: Digest,
    /// The program that it was released to.
    pub measurement: Digest,
    /// The X-Wing ciphertext.
    #[serde(with = "const_hex")]
    pub encapsulated: Vec<u8>,
    /// The Poly1305 tag.
    #[serde(with = "const_hex")]
    pub tag: Vec<u8>,
    /// The secret under it.
    #[serde(with = "const_hex")]
    pub ciphertext: Vec<u8>,
}

impl Canonical for Released {
    const DOMAIN: &'static str = "keystead/attested-release/v1";
}

impl Released {
    /// Opens it with the secret side of the key that the evidence bound.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::Sealed`].
    pub fn open(&self, key: &RecipientKey, nonce: &Digest) -> Result<Secret<Vec<u8>>, ReleaseError> {
        let encapsulated: [u8; ENCAPSULATED_BYTES] =
            self.encapsulated.as_slice().try_into().map_err(|_| ReleaseError::Sealed)?;
        let tag: [u8; TAG_BYTES] = self.tag.as_slice().try_into().map_err(|_| ReleaseError::Sealed)?;
        if self.nonce != *nonce {
            return Err(ReleaseError::Sealed);
        }
        let mut secret = Secret::new(self.ciphertext.clone());
        let from = Encapsulated { key: encapsulated, tag };
        key.open(INFO, &from, &self.associated(), secret.expose_mut()).ok_or(ReleaseError::Sealed)?;
        Ok(secret)
    }

    /// Everything but what the encryption makes, under the document's own domain.
    fn associated(&self) -> Vec<u8> {
        let (encapsulated, tag, ciphertext) = Default::default();
        Self { encapsulated, tag, ciphertext, ..*self }.to_document()
    }
}

/// Releases `secret` to the program behind the evidence. The evidence is used up.
///
/// # Errors
///
/// [`ReleaseError`] says which condition does not hold.
pub fn release(
    attested: Attested,
    custodian: &Custodian,
    mut secret: Secret<Vec<u8>>,
    now: Timestamp,
    fill: Fill<'_>,
) -> Result<Released, ReleaseError> {
    let list = custodian.in_force();
    admit(&attested, list, now)?;
    let found = secret.expose().len();
    if !(1..=MAX_RELEASED_BYTES).contains(&found) {
        return Err(ReleaseError::Length { limit: MAX_RELEASED_BYTES, found });
    }
    let (encapsulated, tag, ciphertext) = Default::default();
    let measurement = attested.report().measurement;
    let mut released =
        Released { nonce: attested.nonce(), list: list.digest(), measurement, encapsulated, tag, ciphertext };
    let sealed = attested.key().seal(INFO, &released.associated(), secret.expose_mut(), fill);
    let Encapsulated { key, tag } = sealed.ok_or(ReleaseError::Key)?;
    released.encapsulated = key.to_vec();
    released.tag = tag.to_vec();
    // By now these bytes are the ciphertext.
    released.ciphertext.clone_from(secret.expose());
    Ok(released)
}

/// Whether the list in force lets this program have a secret, on this device, now.
fn admit(attested: &Attested, list: &AllowList, now: Timestamp) -> Result<(), ReleaseError> {
    let report = attested.report();
    if attested.until() < now {
        return Err(ReleaseError::Late { until: attested.until(), now });
    }
    if list.expires < now {
        return Err(ReleaseError::Expired { number: list.number, expired: list.expires });
    }
    if list.revoked.contains(&report.device) {
        return Err(ReleaseError::Device { device: report.device });
    }
    if report.debug {
        return Err(ReleaseError::Debug);
    }
    let (platform, measurement) = (report.platform, report.measurement);
    let allowed = list.program(platform, &measurement).ok_or(ReleaseError::Measurement {
        platform,
        measurement,
        number: list.number,
    })?;
    match report.tcb.reaches(&allowed.floor) {
        true => Ok(()),
        false => Err(ReleaseError::Tcb { floor: allowed.floor.clone(), found: report.tcb.clone() }),
    }
}

const INFO: &[u8] = b"keystead/attested-release/v1";
