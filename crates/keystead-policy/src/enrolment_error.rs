//! Why a device is not enrolled.

use keystead_base::{Blame, Coded, Digest, Name};

use crate::Holder;
use crate::device::MAX_TOKEN_TEXT;

/// Why a device is not enrolled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentError {
    /// One piece of hardware for two.
    #[error(
        "device {} is that of {holder} already and cannot be that of {found}: one device holds one share, bring another one",
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
        "the authenticators of {holder} and {found} are of model {aaguid} and may be one: bring another model, or two whose maker certifies their serial numbers"
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
    #[error("{holder} has two device records: leave one of them out")]
    SameHolder {
        /// Who.
        holder: Box<Holder>,
    },
    /// A holder without a device.
    #[error(
        "{holder} has shown no device: have a witness enroll it (`keystead device witness`), then ask again"
    )]
    Missing {
        /// Who.
        holder: Box<Holder>,
    },
    /// A holder whose device is a program.
    #[error(
        "the token of {holder} is a program, whose files anybody copies: where devices are required it is none, enroll one of hardware"
    )]
    Software {
        /// Who.
        holder: Box<Holder>,
    },
    /// A record of nobody.
    #[error("the roster has no {holder}, of whom a device record speaks: leave the record out")]
    NoHolder {
        /// Who.
        holder: Box<Holder>,
    },
    /// A record of another key.
    #[error(
        "{holder} has key {}, and its device record is of key {}: enroll the device of the key in the roster",
        expected.short(), found.short()
    )]
    OtherKey {
        /// Who.
        holder: Box<Holder>,
        /// The fingerprint of its key in the roster.
        expected: Digest,
        /// The one in the record.
        found: Digest,
    },
    /// A record by its own holder.
    #[error(
        "the device record of {holder} is signed by that person: somebody else of the roster has to be the witness"
    )]
    OwnWord {
        /// Who.
        holder: Box<Holder>,
    },
    /// A record that no device of the witness in the roster in force signed.
    #[error(
        "`{witness}` has no key in the roster in force that signed the device record of {holder}: have a person of it sign"
    )]
    Witness {
        /// Whose device it is.
        holder: Box<Holder>,
        /// Whose word it is said to be.
        witness: Name,
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
        "expected a token's maker and model in 1 to {MAX_TOKEN_TEXT} characters of ASCII without blanks around them, found {found:?}"
    )]
    NoMaker {
        /// What it says.
        found: String,
    },
}

impl Coded for EnrolmentError {
    fn code(&self) -> &'static str {
        match self {
            Self::SameDevice { .. } => "enrolment.same_device",
            Self::SameModel { .. } => "enrolment.same_model",
            Self::SameHolder { .. } => "enrolment.same_holder",
            Self::Missing { .. } => "enrolment.missing",
            Self::Software { .. } => "enrolment.software",
            Self::NoHolder { .. } => "enrolment.no_holder",
            Self::OtherKey { .. } => "enrolment.other_key",
            Self::OwnWord { .. } => "enrolment.own_word",
            Self::Witness { .. } => "enrolment.witness",
            Self::NoModel => "enrolment.no_model",
            Self::NoSerial { .. } => "enrolment.no_serial",
            Self::NoMaker { .. } => "enrolment.no_maker",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}
