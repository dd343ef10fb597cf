//! What the program that talks to the TPM is asked for, one line of JSON each way. Secrets go by files, not in these
//! lines, but for the answer to a credential, which counts once.

use std::path::PathBuf;

use keystead_base::Digest;
use serde::{Deserialize, Serialize};

use crate::tpm::Pcrs;

/// The program's name; it stands beside `keystead`.
pub const PROGRAM: &str = "keystead-tpm";

/// Where the TPM is and which sealed files belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TpmPlace {
    /// `device:/dev/tpmrm0`, or `swtpm:host=127.0.0.1,port=2321` of an emulator.
    #[serde(default = "default_device")]
    pub device: String,
    /// The file of the seal.
    pub seal: PathBuf,
    /// The file with the authorization value: 8 to 32 bytes; a line break at its end is not part of it.
    pub auth: PathBuf,
    /// The file of the rollback mark.
    pub mark: PathBuf,
}

fn default_device() -> String {
    "device:/dev/tpmrm0".to_owned()
}

/// One errand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Errand {
    /// Seals what stands in `secret`, defines the counter, and writes the first mark.
    Seal {
        /// Where to.
        place: TpmPlace,
        /// The file with the secret, 1 to 96 bytes.
        secret: PathBuf,
        /// Which registers it is bound to.
        pcrs: Pcrs,
        /// The counter's index.
        counter: u32,
    },
    /// Makes a named pipe, and writes the secret into it once somebody reads.
    Unseal {
        /// Where from.
        place: TpmPlace,
        /// The pipe.
        pipe: PathBuf,
    },
    /// Checks the mark against counter and ledger, writes the next one, and counts up.
    Advance {
        /// Where.
        place: TpmPlace,
        /// The ledger's height.
        height: u64,
        /// Its newest header; zero at height 0.
        head: Digest,
        /// Its header at the mark's height, where it has one.
        head_at_mark: Option<Digest>,
    },
    /// Takes a disk that was put back for the newest one from now on.
    Accept {
        /// Where.
        place: TpmPlace,
    },
    /// What the TPM says of itself.
    Status {
        /// The device.
        device: String,
        /// With the index of the counter that this seal names.
        seal: Option<PathBuf>,
    },
    /// Makes or reads the identity key, and shows it with the certificate of the endorsement key.
    Identity {
        /// The device.
        device: String,
        /// The file of the identity key.
        key: PathBuf,
    },
    /// Opens a credential that was made for the identity key.
    Activate {
        /// The device.
        device: String,
        /// The file of the identity key.
        key: PathBuf,
        /// The contents of a `TPM2B_ID_OBJECT`.
        #[serde(with = "const_hex")]
        blob: Vec<u8>,
        /// The contents of a `TPM2B_ENCRYPTED_SECRET`.
        #[serde(with = "const_hex")]
        secret: Vec<u8>,
    },
    /// A quote by the identity key.
    Quote {
        /// The device.
        device: String,
        /// The file of the identity key.
        key: PathBuf,
        /// Which registers.
        pcrs: Pcrs,
        /// What it binds.
        data: Digest,
    },
    /// Random bytes of the TPM's generator, for a seed that they are one source of.
    Random {
        /// The device.
        device: String,
    },
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ErrandReply {
    /// Sealed; the counter's value.
    Sealed {
        /// The counter.
        counter: u64,
    },
    /// The secret waits in the pipe.
    Waiting,
    /// Marked; the counter's value.
    Marked {
        /// The counter.
        counter: u64,
    },
    /// What the TPM says of itself.
    Status(TpmStatus),
    /// The identity key's public area, and the certificate.
    Identity {
        /// `TPMT_PUBLIC`.
        #[serde(with = "const_hex")]
        public: Vec<u8>,
        /// In DER.
        #[serde(with = "const_hex")]
        certificate: Vec<u8>,
    },
    /// What stood in the credential.
    Activated {
        /// To be shown to whoever made it.
        #[serde(with = "const_hex")]
        found: Vec<u8>,
    },
    /// A `keystead/tpm-evidence/v1` document.
    Quote {
        /// The document.
        #[serde(with = "const_hex")]
        evidence: Vec<u8>,
    },
    /// [`TPM_RANDOM_BYTES`] of its generator, in hexadecimal. One source of a seed: without the others it says nothing of it.
    Random {
        /// The bytes.
        samples: RandomSamples,
    },
    /// Refused.
    Refused {
        /// The stable code.
        code: String,
        /// In words.
        text: String,
    },
}

/// Raw bytes of a TPM's generator, in hexadecimal. They are no secret of their own, and are not printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RandomSamples(pub String);

impl std::fmt::Debug for RandomSamples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RandomSamples({})", self.0.len() / 2)
    }
}

/// As few as a source takes whose generator nobody here knows.
pub const TPM_RANDOM_BYTES: usize = 256;

/// What a TPM says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TpmStatus {
    /// Its maker, four letters.
    pub manufacturer: String,
    /// Its firmware.
    pub firmware: u64,
    /// Wrong values since the last forgiven one.
    pub failed_tries: u32,
    /// So many lock it.
    pub max_tries: u32,
    /// One is forgiven after so many seconds.
    pub recovery_seconds: u32,
    /// Where the counter lies, as a seal names it: an NV index.
    pub counter_index: Option<u32>,
}
