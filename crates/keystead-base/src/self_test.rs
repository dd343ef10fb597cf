//! Known-answer tests: what the code of this very process computes, beside the answer that is known (FIPS 140-3's self-tests).

use crate::{Blame, Coded, HYBRID_SEED_BYTES, HybridPublicKey, HybridSignature, HybridSigner, Secret};

/// The test of one primitive.
#[derive(Clone, Copy)]
pub struct SelfTest {
    /// The stable name of the primitive.
    pub name: &'static str,
    /// What this process computes; none where the code refuses.
    pub compute: fn() -> Option<Vec<u8>>,
    /// What is known to be right, in hex.
    pub answer: &'static str,
}

impl SelfTest {
    /// Computes and compares. `seam` is handed what was computed before it is compared: a test strikes there.
    ///
    /// # Errors
    ///
    /// [`SelfTestError::Answer`].
    pub fn run(&self, seam: &dyn Fn(&'static str, &mut [u8])) -> Result<(), SelfTestError> {
        let mut found = (self.compute)().ok_or(SelfTestError::Answer { test: self.name })?;
        seam(self.name, &mut found);
        match const_hex::encode(found) == self.answer {
            true => Ok(()),
            false => Err(SelfTestError::Answer { test: self.name }),
        }
    }
}

/// That a process passed its tests. What is made of a key or a stranger's word asks for one, so that nobody leaves the tests out.
#[derive(Debug)]
pub struct SelfTested(());

impl SelfTested {
    /// Runs all tests of these lists. `seam` is that of [`SelfTest::run`].
    ///
    /// # Errors
    ///
    /// [`SelfTestError`] names the first that failed; the others are not run any more.
    pub fn power_on(
        lists: &[&[SelfTest]],
        seam: &dyn Fn(&'static str, &mut [u8]),
    ) -> Result<Self, SelfTestError> {
        lists.iter().copied().flatten().try_for_each(|test| test.run(seam)).map(|()| Self(()))
    }
}

/// Why a process is in its error state. It gives out nothing that it computed, and stays so until it is started anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelfTestError {
    /// A primitive gave another answer than the known one.
    #[error(
        "the self-test of {test} expected the known answer and found another: this process is in its error state and signs \
         nothing until it is started anew; if the test fails again, take another machine or another build"
    )]
    Answer {
        /// The primitive.
        test: &'static str,
    },
    /// What was just made does not fit together.
    #[error(
        "the two halves of a fresh {what} do not belong together: this process is in its error state and signs nothing until it \
         is started anew; what was made is not used"
    )]
    Pair {
        /// What was made.
        what: &'static str,
    },
    /// A signature that this process made by itself does not verify.
    #[error(
        "a fresh {what} signature did not verify and was kept: this process is in its error state and signs nothing until it is \
         started anew; if it happens again, take another machine"
    )]
    Signature {
        /// Of which scheme.
        what: &'static str,
    },
}

impl Coded for SelfTestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "self_test.answer",
            Self::Pair { .. } => "self_test.pair",
            Self::Signature { .. } => "self_test.signature",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

/// Those of this crate: hashes, MACs, and both halves of hybrid keys.
pub const BASE_SELF_TESTS: &[SelfTest] = &[
    // FIPS 180-4's example.
    SelfTest {
        name: "sha_256",
        compute: || Some(<sha2::Sha256 as sha2::Digest>::digest(b"abc").to_vec()),
        answer: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    },
    SelfTest {
        name: "sha_512",
        compute: || Some(<sha2::Sha512 as sha2::Digest>::digest(b"abc").to_vec()),
        answer: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    },
    // As Ethereum hashes, before FIPS 202 changed the padding.
    SelfTest {
        name: "keccak_256",
        compute: || Some(alloy_primitives::keccak256(b"abc").to_vec()),
        answer: "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
    },
    // RFC 4231, test case 2, by either library that is linked.
    SelfTest { name: "hmac_sha_512", compute: hmac_by_hmac, answer: HMAC_ANSWER },
    SelfTest { name: "hmac_sha_512_aws", compute: hmac_by_aws, answer: HMAC_ANSWER },
    // RFC 8032, 7.1, TEST 2: the key, the signature, and the word of the verification.
    SelfTest {
        name: "ed25519",
        compute: ed25519,
        answer: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c\
                 92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00\
                 0100",
    },
    // A case of Wycheproof's: the key of its seed, hashed, its signature, and the same with one bit flipped.
    SelfTest { name: "ml_dsa_65", compute: ml_dsa_65, answer: ML_DSA_ANSWER },
];

fn hmac_by_hmac() -> Option<Vec<u8>> {
    use hmac::{KeyInit as _, Mac as _};
    let mut mac = hmac::Hmac::<sha2::Sha512>::new_from_slice(HMAC_KEY).ok()?;
    mac.update(HMAC_TEXT);
    Some(mac.finalize().into_bytes().to_vec())
}

fn hmac_by_aws() -> Option<Vec<u8>> {
    use aws_lc_rs::hmac;
    Some(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, HMAC_KEY), HMAC_TEXT).as_ref().to_vec())
}

/// A signer of the two seeds that the halves' vectors have.
fn signer() -> Option<HybridSigner> {
    let mut seed = Secret::new([0; HYBRID_SEED_BYTES]);
    let both = ED25519_SEED.iter().chain(&ML_DSA_SEED);
    seed.expose_mut().iter_mut().zip(both).for_each(|(to, from)| *to = *from);
    HybridSigner::from_seed(&seed).ok()
}

fn ed25519() -> Option<Vec<u8>> {
    let signer = signer()?;
    let signature = signer.sign(&ED25519_MESSAGE).ok()?;
    let verdicts =
        [&ED25519_MESSAGE, &[0x73]].map(|it| u8::from(signer.public().verify(it, &signature).is_ok()));
    Some([signer.public().ed25519().as_slice(), signature.ed25519(), &verdicts].concat())
}

fn ml_dsa_65() -> Option<Vec<u8>> {
    let signer = signer()?;
    let key = <sha2::Sha256 as sha2::Digest>::digest(signer.public().ml_dsa_65());
    // Signatures are hedged, so that a fresh one has no known answer; it verifies, and so does the one that is known.
    let fresh = signer.sign(ML_DSA_MESSAGE).ok()?;
    let verdict = |ml_dsa_65: &[u8]| -> Option<u8> {
        let known = HybridSignature::from_parts(
            *fresh.ed25519(),
            ml_dsa_65.to_vec().into_boxed_slice().try_into().ok()?,
        );
        Some(u8::from(HybridPublicKey::verify(signer.public(), ML_DSA_MESSAGE, &known).is_ok()))
    };
    let mut flipped = ML_DSA_SIGNATURE.to_vec();
    flipped.iter_mut().take(1).for_each(|byte| *byte ^= 1);
    Some(
        [key.as_slice(), &[verdict(fresh.ml_dsa_65())?, verdict(ML_DSA_SIGNATURE)?, verdict(&flipped)?]]
            .concat(),
    )
}

const HMAC_KEY: &[u8] = b"Jefe";
const HMAC_TEXT: &[u8] = b"what do ya want for nothing?";
const HMAC_ANSWER: &str = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                           9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
const ED25519_SEED: [u8; 32] = [
    0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b,
    0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb,
];
const ED25519_MESSAGE: [u8; 1] = [0x72];
/// Wycheproof, `mldsa_65_sign_seed`, case 1: seed, message, signature.
const ML_DSA_SEED: [u8; 32] = [0x2a; 32];
const ML_DSA_MESSAGE: &[u8] = b"Hello world";
const ML_DSA_SIGNATURE: &[u8] = include_bytes!("self_test/ml_dsa_65.sig");
/// The SHA-256 of the public key, and three verdicts.
const ML_DSA_ANSWER: &str = "b7acce2ddb11f8cc1aa46e2bafac6eacfa2b732ef192bd636ad8d3a56d649c66010100";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s07_every_answer_is_given_and_one_flipped_bit_of_it_is_noticed() {
        for test in BASE_SELF_TESTS {
            test.run(&|_, _| {}).unwrap();
            for bit in [0, 7] {
                let struck =
                    test.run(&|_, found| found.iter_mut().take(1).for_each(|byte| *byte ^= 1 << bit));
                assert_eq!(struck, Err(SelfTestError::Answer { test: test.name }));
            }
        }
    }

    #[test]
    fn a_test_that_refuses_has_no_answer() {
        let refuses = SelfTest { name: "none", compute: || None, answer: "" };
        let error = refuses.run(&|_, _| {}).unwrap_err();
        assert_eq!((error.code(), error.to_string().contains("none")), ("self_test.answer", true));
    }
}
