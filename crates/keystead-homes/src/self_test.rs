//! Known-answer tests of a token's process: what it verifies signatures with, which is all that it computes by itself.

use keystead_base::{BASE_SELF_TESTS, Digest, SelfTest};

use crate::{Home, HomeError, Label, PublicKey, Scheme, ToSign, finish};

/// Those of this crate: a raw signature becomes the known one, and with one bit flipped none.
const HOMES_SELF_TESTS: &[SelfTest] = &[
    // The well-known example of RFC 6979 on this curve: key 1, SHA-256 of a name; its recovery id.
    SelfTest {
        name: "finish_ecdsa_secp256k1",
        compute: || finished(Scheme::EcdsaSecp256k1, SECP256K1_KEY, SECP256K1_DIGEST, SECP256K1_SIGNATURE),
        answer: "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8\
                 2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5\
                 0100",
    },
    // RFC 6979, A.2.5, SHA-256 of `sample`, whose s is brought down.
    SelfTest {
        name: "finish_ecdsa_p256",
        compute: || finished(Scheme::EcdsaP256, P256_KEY, P256_DIGEST, P256_SIGNATURE),
        answer: "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
                 0834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a9\
                 ff00",
    },
    // RFC 8032, 7.1, TEST 2.
    SelfTest {
        name: "finish_ed25519",
        compute: || finished(Scheme::Ed25519, ED25519_KEY, "72", ED25519_SIGNATURE),
        answer: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00\
                 ff00",
    },
];

/// Runs the tests before the PIN is read.
///
/// # Errors
///
/// [`HomeError::SelfTest`] names the first that failed.
pub fn power_on(seam: &dyn Fn(&'static str, &mut [u8])) -> Result<(), HomeError> {
    let mut all = BASE_SELF_TESTS.iter().chain(HOMES_SELF_TESTS);
    all.try_for_each(|test| test.run(seam)).map_err(|error| HomeError::SelfTest { reason: error.to_string() })
}

/// INVARIANT S7: a key that a home has just made signs for the public side that it told.
pub(crate) fn pairwise(
    home: &impl Home,
    label: &Label,
    public: PublicKey,
    seam: &dyn Fn(&'static str, &mut [u8]),
) -> Result<PublicKey, HomeError> {
    let mut digest = Digest([0; 32]);
    home.random(&mut digest.0)?;
    let what = match public.scheme {
        Scheme::EcdsaSecp256k1 | Scheme::EcdsaP256 => ToSign::Digest(&digest),
        Scheme::Ed25519 => ToSign::Message(&digest.0),
    };
    let signed = home.sign(label, what).and_then(|signature| {
        let mut raw = signature.bytes;
        seam("pair", &mut raw);
        finish(&home.name(), &public, what, &raw)
    });
    match signed {
        Ok(_) => Ok(public),
        Err(HomeError::Unverified { home: name }) => {
            home.destroy(label)?;
            let reason =
                format!("the key that {name} made does not sign for its public side, and was destroyed");
            Err(HomeError::SelfTest { reason })
        }
        Err(error) => Err(error),
    }
}

fn finished(scheme: Scheme, key: &str, signed: &str, signature: &str) -> Option<Vec<u8>> {
    let public = PublicKey { scheme, bytes: bytes(key)? };
    let (message, mut raw) = (bytes(signed)?, bytes(signature)?);
    let digest = message.as_slice().try_into().map(Digest);
    let what = match &digest {
        Ok(digest) => ToSign::Digest(digest),
        Err(_) => ToSign::Message(&message),
    };
    let known = finish("self-test", &public, what, &raw).ok()?;
    raw.iter_mut().take(1).for_each(|byte| *byte ^= 1);
    let altered = u8::from(finish("self-test", &public, what, &raw).is_ok());
    Some([known.bytes.as_slice(), &[known.recovery.unwrap_or(u8::MAX), altered]].concat())
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(digit).collect()
}

const SECP256K1_KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const SECP256K1_DIGEST: &str = "a0dc65ffca799873cbea0ac274015b9526505daaaed385155425f7337704883e";
const SECP256K1_SIGNATURE: &str = "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8\
                                   2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5";
const P256_KEY: &str = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                        7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
const P256_DIGEST: &str = "af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf";
const P256_SIGNATURE: &str = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
                              f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
const ED25519_KEY: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
const ED25519_SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                                 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SoftwareHome;

    #[test]
    fn s07_every_answer_is_given_and_one_flipped_bit_of_it_is_noticed() {
        power_on(&|_, _| {}).unwrap();
        for test in BASE_SELF_TESTS.iter().chain(HOMES_SELF_TESTS) {
            let struck = power_on(&|name, found| {
                if name == test.name {
                    found.iter_mut().take(1).for_each(|byte| *byte ^= 1);
                }
            });
            assert!(struck.unwrap_err().to_string().contains(test.name), "{}", test.name);
        }
    }

    #[test]
    fn s07_a_fresh_key_that_does_not_sign_for_its_public_side_is_destroyed() {
        let (home, none) = (SoftwareHome::new("software"), |_: &'static str, _: &mut [u8]| {});
        for scheme in Scheme::ALL {
            let label = Label::new(scheme.as_str()).unwrap();
            let public = home.generate(&label, scheme).unwrap();
            assert_eq!(pairwise(&home, &label, public.clone(), &none).as_ref(), Ok(&public));
            let struck =
                pairwise(&home, &label, public, &|_, raw| raw.iter_mut().take(1).for_each(|it| *it ^= 1));
            assert!(matches!(struck, Err(HomeError::SelfTest { .. })), "{scheme}: {struck:?}");
            assert!(matches!(home.public(&label), Err(HomeError::Unknown { .. })));
        }
    }
}
