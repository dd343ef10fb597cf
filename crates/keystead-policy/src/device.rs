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
    /// A PKCS#11 token, by a key that was born in it: all of it is what its module said on the witness's machine.
    TokenKey {
        /// Its maker, as the token says it.
        manufacturer: String,
        /// Its model, as the token says it.
        model: String,
        /// Its serial number.
        serial: String,
        /// `SHA-256` of the key's point on P-256, uncompressed (SEC 1, 2.3.3): it signed the challenge.
        key: Digest,
        /// Whether its slot says that no hardware is behind it: a program, whose files are copied as all files are.
        software: bool,
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
    /// The same for the same piece of hardware, whatever it is there for: of a token maker and serial number, whichever of its keys
    /// signed.
    #[must_use]
    pub fn device(&self) -> Digest {
        if let Self::TokenKey { manufacturer, serial, .. } = self {
            return Self::Token { manufacturer: manufacturer.clone(), serial: serial.clone() }.device();
        }
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
            Self::Token { manufacturer, serial } => check_token(&[manufacturer], serial),
            Self::TokenKey { manufacturer, model, serial, .. } => check_token(&[manufacturer, model], serial),
        }
    }

    /// The model of an authenticator, and whether its maker certifies which one of them it is.
    pub(crate) fn model(&self) -> Option<([u8; 16], bool)> {
        match self {
            Self::Fido { aaguid, .. } => Some((*aaguid, false)),
            Self::FidoSerial { aaguid, .. } => Some((*aaguid, true)),
            Self::Tpm { .. } | Self::Token { .. } | Self::TokenKey { .. } => None,
        }
    }

    /// The key in a token: no two tokens have one, unless one of them is a copy.
    pub(crate) fn token_key(&self) -> Option<Digest> {
        match self {
            Self::TokenKey { key, .. } => Some(*key),
            Self::Tpm { .. } | Self::Fido { .. } | Self::FidoSerial { .. } | Self::Token { .. } => None,
        }
    }

    /// Whether it says itself that it is no hardware.
    #[must_use]
    pub fn is_software(&self) -> bool {
        matches!(self, Self::TokenKey { software: true, .. })
    }
}

/// A token says who made it, and which one it is.
fn check_token(makers: &[&String], serial: &str) -> Result<(), EnrolmentError> {
    if let Some(found) = makers.iter().find(|it| !fits(it) || it.trim() != **it) {
        return Err(EnrolmentError::NoMaker { found: (*found).clone() });
    }
    let named = fits(serial) && !serial.contains(' ') && serial.bytes().any(|it| it != b'0');
    if named { Ok(()) } else { Err(EnrolmentError::NoSerial { found: serial.to_owned() }) }
}

fn fits(text: &str) -> bool {
    (1..=MAX_TOKEN_TEXT).contains(&text.len()) && text.bytes().all(|it| it == b' ' || it.is_ascii_graphic())
}

pub(crate) const MAX_TOKEN_TEXT: usize = 64;
