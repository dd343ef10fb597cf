//! One device, one share: who holds something proves a piece of hardware, and no piece is counted twice.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Canonical, ClusterId, Coded, Digest, Name, tagged_hash};
use serde::{Deserialize, Serialize};

/// The hardware that a holder showed. Whoever makes the record has checked the proof itself.
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

/// The record of one enrolment.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The cluster.
    pub cluster: ClusterId,
    /// What the device is there for.
    pub holder: Holder,
    /// The device.
    pub proof: DeviceProof,
}

impl Canonical for Enrolment {
    const DOMAIN: &'static str = "keystead/enrolment/v1";
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

    fn check(&self) -> Result<(), EnrolmentError> {
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

    /// Of an authenticator without a certified serial number nothing says that it is another one than the next of its model: it
    /// makes as many credentials as it is asked for.
    fn unproven_model(&self, other: &Self) -> Option<[u8; 16]> {
        match (self, other) {
            (
                Self::Fido { aaguid, .. },
                Self::Fido { aaguid: same, .. } | Self::FidoSerial { aaguid: same, .. },
            )
            | (Self::FidoSerial { aaguid, .. }, Self::Fido { aaguid: same, .. }) => {
                (aaguid == same).then_some(*aaguid)
            }
            _ => None,
        }
    }
}

/// All devices of a cluster, none twice: only [`Self::enroll`] adds one.
#[derive(Debug)]
pub struct Enrolments {
    cluster: ClusterId,
    records: Vec<Enrolment>,
}

impl Enrolments {
    /// Nobody yet.
    #[must_use]
    pub fn new(cluster: ClusterId) -> Self {
        Self { cluster, records: Vec::new() }
    }

    /// Adds one: this cluster, a holder that has no device yet, and a device that nobody has.
    ///
    /// # Errors
    ///
    /// [`EnrolmentError`].
    pub fn enroll(&mut self, enrolment: Enrolment) -> Result<(), EnrolmentError> {
        if enrolment.cluster != self.cluster {
            return Err(EnrolmentError::Cluster { expected: self.cluster, found: enrolment.cluster });
        }
        enrolment.proof.check()?;
        if self.records.len() >= MAX_ENROLMENTS {
            return Err(EnrolmentError::TooMany { limit: MAX_ENROLMENTS });
        }
        let (device, holder) = (enrolment.proof.device(), &enrolment.holder);
        if let Some(other) = self.records.iter().find(|it| it.proof.device() == device) {
            return Err(EnrolmentError::SameDevice {
                device,
                holder: other.holder.clone().into(),
                found: holder.clone().into(),
            });
        }
        let models = self.records.iter().map(|it| (it, it.proof.unproven_model(&enrolment.proof)));
        if let Some((other, aaguid)) = models.flat_map(|(it, model)| model.map(|model| (it, model))).next() {
            return Err(EnrolmentError::SameModel {
                aaguid: const_hex::encode(aaguid),
                holder: other.holder.clone().into(),
                found: holder.clone().into(),
            });
        }
        if self.records.iter().any(|it| it.holder == *holder) {
            return Err(EnrolmentError::SameHolder { holder: holder.clone().into() });
        }
        self.records.push(enrolment);
        Ok(())
    }

    /// Whether each of these holders has a device, and so each another one.
    ///
    /// # Errors
    ///
    /// [`EnrolmentError::Missing`] names the first that has none.
    pub fn cover<'a>(&self, holders: impl IntoIterator<Item = &'a Holder>) -> Result<(), EnrolmentError> {
        let missing = holders.into_iter().find(|holder| self.records.iter().all(|it| it.holder != **holder));
        missing.map_or(Ok(()), |holder| Err(EnrolmentError::Missing { holder: holder.clone().into() }))
    }
}

/// Why a device is not enrolled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentError {
    /// For another cluster.
    #[error("the record is for cluster {found}, this is {expected}")]
    Cluster {
        /// This cluster.
        expected: ClusterId,
        /// The record's.
        found: ClusterId,
    },
    /// One piece of hardware for two.
    #[error(
        "device {} is enrolled for {holder:?} already and cannot be that of {found:?}: one device holds one share, bring another one",
        device.short()
    )]
    SameDevice {
        /// The device.
        device: Digest,
        /// Who has it.
        holder: Box<Holder>,
        /// Who wants it, too.
        found: Box<Holder>,
    },
    /// Two authenticators that may be one.
    #[error(
        "the authenticators of {holder:?} and {found:?} are of model {aaguid} and may be one: bring another model, or two whose maker certifies their serial numbers"
    )]
    SameModel {
        /// The model, in hex.
        aaguid: String,
        /// Who has the first.
        holder: Box<Holder>,
        /// Who shows the second.
        found: Box<Holder>,
    },
    /// One holder with two devices.
    #[error("{holder:?} has a device already")]
    SameHolder {
        /// Who.
        holder: Box<Holder>,
    },
    /// A holder without a device.
    #[error("{holder:?} has shown no device")]
    Missing {
        /// Who.
        holder: Box<Holder>,
    },
    /// An authenticator that names no model.
    #[error(
        "the authenticator names no model (its AAGUID is zero): it may be software, ask for its attestation"
    )]
    NoModel,
    /// A token that names no serial number.
    #[error(
        "expected a serial number of 1 to {MAX_TOKEN_TEXT} visible characters that are not all zero, found {found:?}"
    )]
    NoSerial {
        /// What it says.
        found: String,
    },
    /// A token that names no maker.
    #[error(
        "expected a token's maker in 1 to {MAX_TOKEN_TEXT} characters of ASCII without blanks around them, found {found:?}"
    )]
    NoMaker {
        /// What it says.
        found: String,
    },
    /// More than any cluster has.
    #[error("at most {limit} devices are enrolled")]
    TooMany {
        /// The most.
        limit: usize,
    },
}

impl Coded for EnrolmentError {
    fn code(&self) -> &'static str {
        match self {
            Self::Cluster { .. } => "enrolment.cluster",
            Self::SameDevice { .. } => "enrolment.same_device",
            Self::SameModel { .. } => "enrolment.same_model",
            Self::SameHolder { .. } => "enrolment.same_holder",
            Self::Missing { .. } => "enrolment.missing",
            Self::NoModel => "enrolment.no_model",
            Self::NoSerial { .. } => "enrolment.no_serial",
            Self::NoMaker { .. } => "enrolment.no_maker",
            Self::TooMany { .. } => "enrolment.too_many",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

fn fits(text: &str) -> bool {
    (1..=MAX_TOKEN_TEXT).contains(&text.len()) && text.bytes().all(|it| it == b' ' || it.is_ascii_graphic())
}

const MAX_TOKEN_TEXT: usize = 64;
const MAX_ENROLMENTS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> ClusterId {
        ClusterId(Digest([7; 32]))
    }

    fn node(name: &str, proof: DeviceProof) -> Enrolment {
        Enrolment { cluster: cluster(), holder: Holder::Node(name.parse().unwrap()), proof }
    }

    fn tpm(byte: u8) -> DeviceProof {
        DeviceProof::Tpm { endorsement: Digest([byte; 32]) }
    }

    fn token(serial: &str) -> DeviceProof {
        DeviceProof::Token { manufacturer: "maker".to_owned(), serial: serial.to_owned() }
    }

    #[test]
    fn s11_a_second_share_or_approver_on_the_same_device_is_refused() {
        let mut all = Enrolments::new(cluster());
        all.enroll(node("node-1", tpm(1))).unwrap();
        let code = |result: Result<(), EnrolmentError>| result.unwrap_err().code();
        assert_eq!(code(all.enroll(node("node-2", tpm(1)))), "enrolment.same_device");
        let approver = Holder::Approver { person: "ana".parse().unwrap(), device: "laptop".parse().unwrap() };
        let again = Enrolment { holder: approver.clone(), ..node("x", tpm(1)) };
        assert_eq!(code(all.enroll(again)), "enrolment.same_device");
        all.enroll(node("node-2", tpm(2))).unwrap();
        assert_eq!(code(all.enroll(node("node-2", tpm(3)))), "enrolment.same_holder");
        let holders = ["node-1", "node-2"].map(|name| Holder::Node(name.parse().unwrap()));
        all.cover(&holders).unwrap();
        assert_eq!(code(all.cover([&approver])), "enrolment.missing");
    }

    #[test]
    fn a_device_that_does_not_say_which_one_it_is_is_refused() {
        let mut all = Enrolments::new(cluster());
        let code = |result: Result<(), EnrolmentError>| result.unwrap_err().code();
        for serial in ["", "0000", "a b", &"x".repeat(65)] {
            assert_eq!(code(all.enroll(node("node-1", token(serial)))), "enrolment.no_serial", "{serial}");
        }
        for maker in ["", " maker", "maker ", "m\u{fc}ller", &"x".repeat(65)] {
            let proof = DeviceProof::Token { manufacturer: maker.to_owned(), serial: "17".to_owned() };
            assert_eq!(code(all.enroll(node("node-1", proof))), "enrolment.no_maker", "{maker:?}");
        }
        let maker = "Yubico (www.yubico.com)".to_owned();
        all.enroll(node("node-1", DeviceProof::Token { manufacturer: maker, serial: "17".to_owned() }))
            .unwrap();
        let fido = |aaguid| DeviceProof::Fido { aaguid, credential: Digest([5; 32]) };
        assert_eq!(code(all.enroll(node("node-2", fido([0; 16])))), "enrolment.no_model");
        let numbered = |aaguid, serial: &[u8]| DeviceProof::FidoSerial { aaguid, serial: serial.to_vec() };
        assert_eq!(code(all.enroll(node("node-2", numbered([0; 16], &[1])))), "enrolment.no_model");
        for serial in [[].as_slice(), &[0, 0], &[1; 65]] {
            assert_eq!(code(all.enroll(node("node-2", numbered([1; 16], serial)))), "enrolment.no_serial");
        }
        all.enroll(node("node-2", fido([1; 16]))).unwrap();
        assert_eq!(code(all.enroll(node("node-3", fido([1; 16])))), "enrolment.same_device");
    }

    #[test]
    fn s11_an_authenticator_makes_one_approver_however_many_credentials_it_makes() {
        let code = |result: Result<(), EnrolmentError>| result.map_err(|error| error.code());
        let plain = |model, key| DeviceProof::Fido { aaguid: [model; 16], credential: Digest([key; 32]) };
        let numbered = |model, serial| DeviceProof::FidoSerial { aaguid: [model; 16], serial: vec![serial] };
        let same_model = Err("enrolment.same_model");
        for (first, second, expected) in [
            (plain(1, 1), plain(1, 2), same_model),
            (plain(1, 1), numbered(1, 2), same_model),
            (numbered(1, 1), plain(1, 2), same_model),
            (numbered(1, 1), numbered(1, 1), Err("enrolment.same_device")),
            (numbered(1, 1), numbered(1, 2), Ok(())),
            (plain(1, 1), plain(2, 1), Ok(())),
        ] {
            let mut all = Enrolments::new(cluster());
            all.enroll(node("node-1", first.clone())).unwrap();
            assert_eq!(code(all.enroll(node("node-2", second.clone()))), expected, "{first:?} {second:?}");
        }
    }
}
