//! Known-answer tests of threshold signing, where an answer can be fixed: FROST with a given key and given randomness.
//!
//! DKLs23's library draws randomness by itself, so that its runs have no known answer; of it the curve is tested, and every
//! signature that it makes is verified before it leaves (S7).

use std::collections::BTreeMap;

use frost_core::keys::{IdentifierList, KeyPackage};
use frost_core::{SigningKey, SigningPackage, keys, round1, round2};
use k256::elliptic_curve::group::GroupEncoding as _;
use keystead_base::SelfTest;

use crate::source::Source;
use crate::vss::Scalars;
use crate::{Bip340, Ed25519, Suite};

/// All of them.
pub const THRESHOLD_SELF_TESTS: &[SelfTest] = &[
    // Our own vectors: two of three sign `self-test`; then whether another message verifies.
    SelfTest {
        name: "frost_ed25519",
        compute: frost::<Ed25519>,
        answer: "1c6929828b24b44a00c8ec349cd47ea560bdf2b198234b9c3014bd64addd9bec\
                 525aed0a3f8a2740806a5768ba64880efc4282bdff365a99acdcbd2d6a4a2706\
                 00",
    },
    SelfTest {
        name: "frost_bip340",
        compute: frost::<Bip340>,
        answer: "208313cef3a618349af5856a1212a1c22a7eb5bac9452fa7332c1e59ba56f727\
                 dcc8f5f7b3ead2ecc6e2e92228673ad479750aacec36b38787ad0ba3abe7fc0a\
                 00",
    },
    // SEC 2's generator times 2, as DKLs23's library computes.
    SelfTest {
        name: "k256",
        compute: || {
            let two = k256::Scalar::from(2_u64);
            let point = (k256::ProjectivePoint::GENERATOR * two).to_affine();
            Some(point.to_bytes().to_vec())
        },
        answer: "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
    },
];

fn frost<C: Suite>() -> Option<Vec<u8>> {
    let mut counted = 0_u8;
    let mut fill = |bytes: &mut [u8]| {
        counted = counted.wrapping_add(1);
        bytes.fill(counted);
    };
    let mut fill: keystead_keys::Fill<'_> = &mut fill;
    let mut source = Source(&mut fill);
    let key = SigningKey::<C>::from_scalar(<Scalars<C> as frost_core::Field>::random(&mut source)).ok()?;
    let (shares, public) = keys::split(&key, 3, 2, IdentifierList::Default, &mut source).ok()?;
    let signers: Vec<_> =
        shares.into_values().take(2).map(KeyPackage::try_from).collect::<Result<_, _>>().ok()?;
    let (mut nonces, mut commitments) = (Vec::new(), BTreeMap::new());
    for signer in &signers {
        let (nonce, commitment) = round1::commit(signer.signing_share(), &mut source);
        commitments.insert(*signer.identifier(), commitment);
        nonces.push(nonce);
    }
    let package = SigningPackage::new(commitments, b"self-test");
    let signed = signers
        .iter()
        .zip(&nonces)
        .map(|(signer, nonces)| Some((*signer.identifier(), round2::sign(&package, nonces, signer).ok()?)));
    let signature = frost_core::aggregate(&package, &signed.collect::<Option<_>>()?, &public).ok()?;
    let other = public.verifying_key().verify(b"self-tesT", &signature).is_ok();
    public.verifying_key().verify(b"self-test", &signature).ok()?;
    Some([signature.serialize().ok()?.as_slice(), &[u8::from(other)]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s07_every_answer_is_given_and_one_flipped_bit_of_it_is_noticed() {
        let found =
            THRESHOLD_SELF_TESTS.iter().map(|test| (test.name, const_hex::encode((test.compute)().unwrap())));
        let answers = THRESHOLD_SELF_TESTS.iter().map(|test| (test.name, test.answer.to_owned()));
        assert_eq!(found.collect::<Vec<_>>(), answers.collect::<Vec<_>>());
        for test in THRESHOLD_SELF_TESTS {
            test.run(&|_, _| {}).unwrap();
            test.run(&|_, found| found.iter_mut().take(1).for_each(|byte| *byte ^= 1)).unwrap_err();
        }
    }
}
