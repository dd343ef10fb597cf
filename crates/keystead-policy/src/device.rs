//! Which piece of hardware somebody showed, and what it is there for.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest, Name, tagged_hash};
use serde::{Deserialize, Serialize};

use crate::EnrolmentError;

/// The hardware that a holder showed. Whoever signs the record has checked the proof itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DeviceProof {
    /// A TPM: the digest of its endorsement key, shown by its certificate and by activating a credential.
    Tpm {
        /// `SHA-256` of the key in the certificate, as it stands there (SubjectPublicKeyInfo).
        endorsement: Digest,
    },
    /// A FIDO authenticator: its model and the key that it made.
    Fido {
        /// The model.
        #[serde(with = "const_hex")]
        aaguid: [u8; 16],
        /// `SHA-256` of the credential's public key (COSE).
        credential: Digest,
    },
    /// A PKCS#11 token.
    Token {
        /// Its maker, as the token says it.
        manufacturer: String,
        /// Its serial number.
        serial: String,
    },
    /// A FIDO authenticator whose maker certifies which one it is (enterprise attestation).
    FidoSerial {
        /// The model.
        #[serde(with = "const_hex")]
        aaguid: [u8; 16],
        /// The serial number in its attestation certificate (`id-fido-gen-ce-sernum`, 1.3.6.1.4.1.45724.1.1.2).
        #[serde(with = "const_hex")]
        serial: Vec<u8>,
    },
}

/// What a device is there for.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Holder {
    /// A node, and with it its share of each key.
    Node(Name),
    /// A person's device for approvals.
    Approver {
        /// The person.
        person: Name,
        /// The device in the roster.
        device: Name,
    },
}

/// What a witness signs who saw the proof: this key is on this device. It names the key and not the cluster, so that the record of
/// a machine that was replaced says nothing of the next one of its name.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// What the device is there for.
    pub holder: Holder,
    /// The fingerprint of the holder's key in the roster.
    pub key: Digest,
    /// The device.
    pub proof: DeviceProof,
}

impl Canonical for Enrolment {
    const DOMAIN: &'static str = "keystead/enrolment/v2";
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node `{node}`"),
            Self::Approver { person, device } => write!(f, "device `{device}` of `{person}`"),
        }
    }
}

impl DeviceProof {
    /// The same for the same piece of hardware, whatever it is there for.
    #[must_use]
    pub fn device(&self) -> Digest {
        let mut bytes = Vec::new();
        // Writing to a vector fails only when a length exceeds u32, which `check` forbids.
        let written = BorshSerialize::serialize(self, &mut bytes);
        assert!(written.is_ok(), "a proof within its limits always encodes");
        tagged_hash("keystead/device/v1", &bytes)
    }

    /// Whether it says which one it is.
    ///
    /// # Errors
    ///
    /// [`EnrolmentError::NoModel`], [`EnrolmentError::NoSerial`] or [`EnrolmentError::NoMaker`].
    pub fn check(&self) -> Result<(), EnrolmentError> {
        match self {
            Self::Tpm { .. } => Ok(()),
            // Authenticators without a model of their own all say zero, and so would every software key.
            Self::Fido { aaguid, .. } | Self::FidoSerial { aaguid, .. } if *aaguid == [0; 16] => {
                Err(EnrolmentError::NoModel)
            }
            Self::Fido { .. } => Ok(()),
            Self::FidoSerial { serial, .. } => {
                let named = (1..=MAX_TOKEN_TEXT).contains(&serial.len()) && serial.iter().any(|it| *it != 0);
                if named {
                    Ok(())
                } else {
                    Err(EnrolmentError::NoSerial { found: const_hex::encode(serial) })
                }
            }
            Self::Token { manufacturer, serial } => {
                if !fits(manufacturer) || manufacturer.trim() != manufacturer {
                    return Err(EnrolmentError::NoMaker { found: manufacturer.clone() });
                }
                let named = fits(serial) && !serial.contains(' ') && serial.bytes().any(|it| it != b'0');
                if named { Ok(()) } else { Err(EnrolmentError::NoSerial { found: serial.clone() }) }
            }
        }
    }

    /// The model of an authenticator, and whether its maker certifies which one of them it is.
    pub(crate) fn model(&self) -> Option<([u8; 16], bool)> {
        match self {
            Self::Fido { aaguid, .. } => Some((*aaguid, false)),
            Self::FidoSerial { aaguid, .. } => Some((*aaguid, true)),
            Self::Tpm { .. } | Self::Token { .. } => None,
        }
    }
}

fn fits(text: &str) -> bool {
    (1..=MAX_TOKEN_TEXT).contains(&text.len()) && text.bytes().all(|it| it == b' ' || it.is_ascii_graphic())
}

pub(crate) const MAX_TOKEN_TEXT: usize = 64;
