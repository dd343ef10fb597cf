//! Why a TPM does not do what it was asked for.

use std::io;
use std::path::PathBuf;

use keystead_attest::EvidenceError;
use keystead_attest::tpm::RollbackError;
use keystead_base::{Blame, CanonError, Coded};
use tss_esapi::constants::response_code::Tss2ResponseCodeKind as Kind;

/// Why a TPM does not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TpmError {
    /// No such device, or somebody else has it.
    #[error(
        "{device:?} is no TPM that answers: {error}. Name for instance device:/dev/tpmrm0, and check who may open it"
    )]
    Device {
        /// As it was named.
        device: String,
        /// What the library says.
        error: tss_esapi::Error,
    },
    /// Anything else.
    #[error("the TPM refuses to {what}: {error}")]
    Refused {
        /// What it was asked for.
        what: &'static str,
        /// What the library says.
        error: tss_esapi::Error,
    },
    /// A wrong authorization value. It counts.
    #[error("the authorization value is wrong, and the TPM has counted the try: too many lock it for hours")]
    Auth,
    /// Too many wrong ones.
    #[error(
        "the TPM is locked after too many wrong authorization values: wait for its recovery time, or have its administrator lift it (tpm2_dictionarylockout)"
    )]
    LockedOut,
    /// Other programs were booted than when it was sealed.
    #[error(
        "the registers of measured boot are not those of the seal: this machine booted something else. After an upgrade of yours, seal again from the passphrase that people keep"
    )]
    Measured,
    /// An authorization value of another length.
    #[error("an authorization value has 8 to 32 bytes and does not end in a zero byte, found {found} bytes")]
    AuthLength {
        /// How long it is.
        found: usize,
    },
    /// A secret of another length.
    #[error("a sealed secret has 1 to {limit} bytes, found {found}")]
    SecretLength {
        /// The most.
        limit: usize,
        /// How long it is.
        found: usize,
    },
    /// A TPM that lets everybody guess.
    #[error(
        "this TPM locks after {tries} wrong values and forgives one in {recovery_seconds} seconds: expected 1 to {limit}, and a time that is not zero. Set it (tpm2_dictionarylockout), and seal then"
    )]
    NoLockOut {
        /// What it says.
        tries: u32,
        /// The most.
        limit: u32,
        /// One is forgiven after so many seconds; zero switches the lock-out off.
        recovery_seconds: u32,
    },
    /// Another TPM answers.
    #[error(
        "the storage key of this TPM is not the one that the file was made under: it is another TPM, or was cleared"
    )]
    OtherTpm,
    /// The TPM has no certificate.
    #[error("the TPM has no certificate of its endorsement key (RSA, 2,048 bits): its maker has to give one")]
    NoCertificate,
    /// The counter's place is taken.
    #[error(
        "NV index {index:#010x} is taken already: name another one, or free it (tpm2_nvundefine) if it is an old one of yours"
    )]
    CounterTaken {
        /// Which.
        index: u32,
    },
    /// A file.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file that is not what it should be.
    #[error("{}: {error}", path.display())]
    Document {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        error: CanonError,
    },
    /// The disk is not the newest one.
    #[error(transparent)]
    Rollback(#[from] RollbackError),
    /// Registers that measure nothing.
    #[error(transparent)]
    Pcrs(#[from] EvidenceError),
    /// What it was asked for is no errand.
    #[error("expected one errand in JSON, on one line: {0}")]
    Errand(serde_json::Error),
    /// An unsealing goes on after its answer, and so needs the program.
    #[error("an unsealing is an errand of the program's own: start it, and ask there")]
    Unserved,
    /// An answer that no TPM gives.
    #[error("asked to {what}, the TPM answers something else than {expected}: it is broken, or is none")]
    Answer {
        /// What it was asked for.
        what: &'static str,
        /// What it should have been.
        expected: &'static str,
    },
}

impl TpmError {
    /// Says of the TPM's answer what it means.
    pub(crate) fn of(what: &'static str, error: tss_esapi::Error) -> Self {
        match error {
            tss_esapi::Error::Tss2Error(code) => match code.kind() {
                Some(Kind::AuthFail | Kind::BadAuth) => Self::Auth,
                Some(Kind::Lockout) => Self::LockedOut,
                Some(Kind::PolicyFail) => Self::Measured,
                _ => Self::Refused { what, error },
            },
            _ => Self::Refused { what, error },
        }
    }
}

impl TpmError {
    /// Whether the TPM says that nothing has the number that was named.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { error: tss_esapi::Error::Tss2Error(code), .. } if code.kind() == Some(Kind::Handle))
    }
}

impl Coded for TpmError {
    fn code(&self) -> &'static str {
        match self {
            Self::Device { .. } => "tpm.device",
            Self::Refused { .. } => "tpm.refused",
            Self::Auth => "tpm.auth",
            Self::LockedOut => "tpm.locked_out",
            Self::Measured => "tpm.measured",
            Self::AuthLength { .. } => "tpm.auth_length",
            Self::SecretLength { .. } => "tpm.secret_length",
            Self::NoLockOut { .. } => "tpm.no_lock_out",
            Self::OtherTpm => "tpm.other_tpm",
            Self::NoCertificate => "tpm.no_certificate",
            Self::CounterTaken { .. } => "tpm.counter_taken",
            Self::File { .. } => "tpm.file",
            Self::Document { .. } => "tpm.document",
            Self::Rollback(error) => error.code(),
            Self::Pcrs(error) => error.code(),
            Self::Errand(_) | Self::Unserved => "tpm.errand",
            Self::Answer { .. } => "tpm.answer",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::AuthLength { .. }
            | Self::SecretLength { .. }
            | Self::CounterTaken { .. }
            | Self::Pcrs(_)
            | Self::Errand(_)
            | Self::Unserved => Blame::Caller,
            _ => Blame::Environment,
        }
    }
}
