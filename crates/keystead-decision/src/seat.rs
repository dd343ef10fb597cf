//! The keys of an enclave for one ceremony, and the proof that somebody has their secret side.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{
    Canonical, ClusterId, HybridPublicKey, HybridSignature, HybridSigner, KeyError, Name, RequestId,
    signing_message,
};
use serde::{Deserialize, Serialize};

/// The keys of one holder's enclave, for one ceremony and for the epoch that it makes.
///
/// The holder's node announces them in the log, so that all take the same ones. Nothing attests that they are an
/// enclave's.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    /// What the enclave signs its messages with.
    pub signing: HybridPublicKey,
    /// What messages to it alone are encrypted to: 1,216 bytes of X-Wing.
    pub recipient: Vec<u8>,
}

impl Seat {
    /// Whether messages to it can be encrypted: both halves of its recipient key are keys.
    pub(crate) fn is_well_formed(&self) -> bool {
        let (lattice, curve) = self.recipient.split_at_checked(ML_KEM_768_BYTES).unwrap_or_default();
        curve.len() == X25519_BYTES
            && is_ml_kem_768(lattice)
            && !LOW_ORDER.iter().any(|it| it.as_slice() == curve)
    }
}

/// FIPS 203, section 7.2: each coefficient of an encapsulation key is below q.
fn is_ml_kem_768(key: &[u8]) -> bool {
    let (coefficients, _) = key.split_at_checked(ML_KEM_768_BYTES - 32).unwrap_or_default();
    coefficients.chunks_exact(3).all(|it| {
        let [one, two, three] = [0, 1, 2].map(|at| it.get(at).copied().map_or(0, u16::from));
        let pair = [one | (two & 0x0f) << 8, two >> 4 | three << 4];
        pair.iter().all(|it| *it < ML_KEM_Q)
    })
}

/// What the keys of a seat sign, so that no node announces keys whose secret another one has.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeatClaim {
    /// The cluster.
    pub cluster: ClusterId,
    /// The key whose ceremony it is.
    pub key: Name,
    /// The request that allowed it.
    pub request: RequestId,
    /// The node that announces it.
    pub node: Name,
    /// The keys.
    pub seat: Seat,
}

impl Canonical for SeatClaim {
    const DOMAIN: &'static str = "keystead/seat-claim/v1";
}

impl SeatClaim {
    /// Signs it with the signing key of the seat itself.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the library fails to sign.
    pub fn prove(self, signer: &HybridSigner) -> Result<ProvenSeat, KeyError> {
        let proof = signer.sign(&signing_message(&self.digest()))?;
        Ok(ProvenSeat { seat: self.seat, proof })
    }

    /// INVARIANT S3: whether whoever has the secret of the seat's signing key says that it is this node's.
    pub(crate) fn is_proven(&self, proof: &HybridSignature) -> bool {
        self.seat.signing.verify(&signing_message(&self.digest()), proof).is_ok()
    }
}

/// A seat as its enclave hands it over.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvenSeat {
    /// The keys.
    pub seat: Seat,
    /// Their signature of the [`SeatClaim`].
    pub proof: HybridSignature,
}

/// Bytes of an encapsulation key of ML-KEM-768 (FIPS 203, table 3).
const ML_KEM_768_BYTES: usize = 1184;
const ML_KEM_Q: u16 = 3329;
const X25519_BYTES: usize = 32;
/// Points whose shared secret is zero, whatever it is shared with (RFC 7748, section 6.1).
const LOW_ORDER: [[u8; X25519_BYTES]; 7] = [
    [0; 32],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda,
        0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04,
        0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    // The field's prime, and the numbers beside it.
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    [
        0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    [
        0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
];

#[cfg(test)]
mod tests {
    use keystead_base::{HYBRID_SEED_BYTES, Secret};

    use super::*;

    fn seat(recipient: Vec<u8>) -> Seat {
        let signer = HybridSigner::from_seed(&Secret::new([7; HYBRID_SEED_BYTES])).unwrap();
        Seat { signing: signer.public().clone(), recipient }
    }

    /// What X-Wing's library encrypts to, it takes; what it does not, the log does not either.
    #[test]
    fn d03_nobody_announces_a_seat_that_nobody_can_encrypt_to() {
        assert!(seat(vec![7; 1216]).is_well_formed());
        assert!(!seat(vec![7; 1215]).is_well_formed());
        assert!(!seat(vec![7; 1217]).is_well_formed());
        assert!(!seat(vec![0xff; 1216]).is_well_formed(), "coefficients of 4,095");
        let with = |at: usize, bytes: &[u8]| {
            let mut recipient = vec![7; 1216];
            recipient.splice(at..at + bytes.len(), bytes.iter().copied());
            seat(recipient).is_well_formed()
        };
        assert!(with(0, &[0x00, 0x0d, 0x00]), "3,328");
        assert!(!with(0, &[0x01, 0x0d, 0x00]), "3,329");
        assert!(!with(1149, &[0x00, 0x10, 0xd0]), "3,329 at the end");
        assert!(with(1152, &[0xff; 32]), "the seed of the matrix is any");
        assert!(LOW_ORDER.iter().all(|point| !with(1184, point)));
    }
}
