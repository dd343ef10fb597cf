//! An identity key outside of any TPM, which signs whatever a test wants it to: what a TPM never signs has to be refused, too.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use keystead_base::Digest;

use crate::tpm::{TpmEvidence, TpmIdentity};

/// `fixedTPM`, `fixedParent`, `sensitiveDataOrigin`, `userWithAuth`, `noDA`, `restricted`, `sign`.
pub(super) const ATTRIBUTES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 16 | 1 << 18;

pub(super) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(super) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(super) fn identity(&self) -> TpmIdentity {
        TpmIdentity::new(Digest([8; 32]), public(ATTRIBUTES, self.0.public_key().as_ref()))
    }

    pub(super) fn sign(&self, quote: &[u8]) -> TpmEvidence {
        let signed = self.0.sign(&SystemRandom::new(), quote).unwrap();
        let (r, s) = signed.as_ref().split_at(32);
        let signature = [&[0, 0x18, 0, 0x0b], sized(r).as_slice(), &sized(s)].concat();
        TpmEvidence { quote: quote.to_vec(), signature }
    }
}

/// A `TPMT_PUBLIC` of P-256 for ECDSA.
pub(super) fn public(attributes: u32, point: &[u8]) -> Vec<u8> {
    let (x, y) = point[1..].split_at(32);
    let head = [&[0, 0x23, 0, 0x0b], attributes.to_be_bytes().as_slice(), &[0, 0]].concat();
    let scheme = [0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10];
    [head.as_slice(), &scheme, &sized(x), &sized(y)].concat()
}

/// The parts of a `TPMS_ATTEST`, each of which may be a wrong one.
#[derive(Clone)]
pub(super) struct Statement {
    pub(super) magic: u32,
    pub(super) kind: u16,
    pub(super) banks: u32,
    pub(super) bank: u16,
    pub(super) bitmap: Vec<u8>,
    pub(super) behind: Vec<u8>,
}

impl Statement {
    /// Registers 0, 4 and 7 of the bank of SHA-256.
    pub(super) fn right() -> Self {
        let (bitmap, behind) = (vec![0x91, 0, 0], Vec::new());
        Self { magic: 0xff54_4347, kind: 0x8018, banks: 1, bank: 0x0b, bitmap, behind }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.magic.to_be_bytes().to_vec();
        bytes.extend(self.kind.to_be_bytes());
        bytes.extend(sized(&[1; 34]));
        bytes.extend(sized(&[7; 32]));
        bytes.extend([0; 8 + 4 + 4 + 1]);
        bytes.extend(9_u64.to_be_bytes());
        bytes.extend(self.banks.to_be_bytes());
        bytes.extend(self.bank.to_be_bytes());
        bytes.push(u8::try_from(self.bitmap.len()).unwrap());
        bytes.extend(&self.bitmap);
        bytes.extend(sized(&[6; 32]));
        bytes.extend(&self.behind);
        bytes
    }
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [u16::try_from(bytes.len()).unwrap().to_be_bytes().as_slice(), bytes].concat()
}
