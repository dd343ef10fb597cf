//! What an enclave computes before it uses a key, beside the known answers.

mod pairs;
mod verifying;

use keystead_base::{BASE_SELF_TESTS, Digest, Secret, SelfTest, SelfTestError};
use keystead_bitcoin::{Scheme, Sighash, SigningDigest};
use keystead_entropy::ENTROPY_SELF_TESTS;
use keystead_keys::{KEYS_SELF_TESTS, SEAL_SELF_TESTS};
use keystead_threshold::THRESHOLD_SELF_TESTS;
use secp256k1::{PublicKey, Secp256k1, SecretKey};

use crate::curve::Curve;
use crate::{EnclaveControls, Strict, Struck};

pub(crate) use self::pairs::{recipient_fits, signer_fits};
pub use self::verifying::VERIFYING_SELF_TESTS;

/// Those of the enclave's own signing, which [`power_on`] runs last.
const ENCLAVE_SELF_TESTS: &[SelfTest] = &[
    // A well-known example of RFC 6979 on this curve: key 1, SHA-256 of a name; then whether a neighbor's digest recovers the key.
    SelfTest {
        name: "ecdsa_secp256k1",
        compute: ecdsa,
        answer: "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8\
                 2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5\
                 0100",
    },
    // BIP-340, test vector 1.
    SelfTest {
        name: "bip_340",
        compute: bip340,
        answer: "6896bd60eeae296db48a229ff71dfe071bde413e6d43f917dc8dcf8c78de3341\
                 8906d11ac976abccb20b091292bff4ea897efcb639ea871cfa95f6de339e4b0a",
    },
];

/// Runs every self-test, and gives the names of all of them.
///
/// # Errors
///
/// [`SelfTestError`] names the first that failed; the others are not run any more.
pub fn power_on(controls: &impl EnclaveControls) -> Result<Vec<&'static str>, SelfTestError> {
    let seam = |name: &'static str, found: &mut [u8]| controls.strike(Struck::SelfTest(name), found);
    let all = [
        BASE_SELF_TESTS,
        SEAL_SELF_TESTS,
        KEYS_SELF_TESTS,
        ENTROPY_SELF_TESTS,
        THRESHOLD_SELF_TESTS,
        ENCLAVE_SELF_TESTS,
    ];
    all.into_iter().flatten().map(|test| test.run(&seam).map(|()| test.name)).collect()
}

fn ecdsa() -> Option<Vec<u8>> {
    let mut one = [0; 32];
    one.iter_mut().rev().take(1).for_each(|byte| *byte = 1);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"Satoshi Nakamoto");
    let digest = Digest(hash.as_ref().try_into().ok()?);
    let key = SecretKey::from_byte_array(one).ok()?;
    let public = PublicKey::from_secret_key(&Secp256k1::signing_only(), &key);
    let signature = curve().sign(&Secret::new(one), &public, &digest).ok()?;
    let verdicts =
        [digest, Digest(one)].map(|it| u8::from(signature.recover(&it) == Some(public.serialize())));
    Some([signature.rs.as_slice(), &verdicts].concat())
}

fn bip340() -> Option<Vec<u8>> {
    let key = SecretKey::from_byte_array(BIP_340_SECRET).ok()?;
    let digest = SigningDigest {
        input: 0,
        digest: Digest(BIP_340_MESSAGE),
        scheme: Scheme::Schnorr,
        sighash: Sighash::Default,
        keys: Vec::new(),
    };
    let mut aux = Secret::new([0; 32]);
    aux.expose_mut().iter_mut().rev().take(1).for_each(|byte| *byte = 1);
    // A tweak of nothing leaves the key.
    curve().schnorr(&key, &digest, [0; 32], &aux).ok().map(|(signature, _)| signature)
}

/// Blinded with nothing: every key of these tests is public.
fn curve() -> Curve<Strict> {
    Curve::new(&Secret::new([0; 32]), Strict)
}

const BIP_340_SECRET: [u8; 32] = [
    0xb7, 0xe1, 0x51, 0x62, 0x8a, 0xed, 0x2a, 0x6a, 0xbf, 0x71, 0x58, 0x80, 0x9c, 0xf4, 0xf3, 0xc7, 0x62,
    0xe7, 0x16, 0x0f, 0x38, 0xb4, 0xda, 0x56, 0xa7, 0x84, 0xd9, 0x04, 0x51, 0x90, 0xcf, 0xef,
];
const BIP_340_MESSAGE: [u8; 32] = [
    0x24, 0x3f, 0x6a, 0x88, 0x85, 0xa3, 0x08, 0xd3, 0x13, 0x19, 0x8a, 0x2e, 0x03, 0x70, 0x73, 0x44, 0xa4,
    0x09, 0x38, 0x22, 0x29, 0x9f, 0x31, 0xd0, 0x08, 0x2e, 0xfa, 0x98, 0xec, 0x4e, 0x6c, 0x89,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Strikes(&'static str);

    impl EnclaveControls for Strikes {
        fn strike(&self, at: Struck, bytes: &mut [u8]) {
            if at == Struck::SelfTest(self.0) {
                bytes.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1);
            }
        }
    }

    #[test]
    fn s07_every_self_test_passes_and_each_can_fail() {
        let passed = power_on(&Strict).unwrap();
        assert!(passed.len() >= 20, "{passed:?}");
        for name in passed {
            assert_eq!(power_on(&Strikes(name)), Err(SelfTestError::Answer { test: name }));
        }
    }
}
