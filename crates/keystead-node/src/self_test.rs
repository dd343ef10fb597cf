//! What a node computes before it reads its key or believes a signature, beside the known answers. Its enclave has tests of its own.

use keystead_base::{BASE_SELF_TESTS, SelfTestError, SelfTested};
use keystead_keys::SEAL_SELF_TESTS;
use keystead_signing::VERIFYING_SELF_TESTS;

/// INVARIANT S7: hashes, MACs and hybrid keys, what opens the file of its key, and what it finds signers with.
pub(crate) fn power_on(seam: &dyn Fn(&'static str, &mut [u8])) -> Result<SelfTested, SelfTestError> {
    SelfTested::power_on(&[BASE_SELF_TESTS, SEAL_SELF_TESTS, VERIFYING_SELF_TESTS], seam)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn s07_a_node_that_computes_one_answer_wrongly_does_not_start() {
        let names = RefCell::new(Vec::new());
        power_on(&|name, _| names.borrow_mut().push(name)).unwrap();
        let names = names.into_inner();
        assert!(["ml_dsa_65", "argon2id", "recover_secp256k1"].iter().all(|it| names.contains(it)));
        for name in names {
            let struck = power_on(&|it, found| {
                found.iter_mut().take(usize::from(it == name)).for_each(|byte| *byte ^= 1);
            });
            assert_eq!(struck.unwrap_err(), SelfTestError::Answer { test: name });
        }
    }
}
