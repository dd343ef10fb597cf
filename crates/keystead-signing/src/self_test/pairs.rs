//! Pairwise consistency: what a fresh pair of keys does with one half, the other half undoes.

use keystead_base::{HybridSigner, Secret, SelfTestError};
use keystead_keys::RecipientKey;
use subtle::ConstantTimeEq as _;

use crate::entropy::kernel_random;

/// A fresh hybrid signer signs, and its public key verifies.
pub(crate) fn signer_fits(signer: &HybridSigner, strike: &dyn Fn(&mut [u8])) -> Result<(), SelfTestError> {
    let what = "hybrid signing key";
    let mut said = *PAIRWISE;
    let signature = signer.sign(&said).map_err(|_| SelfTestError::Pair { what })?;
    strike(&mut said);
    signer.public().verify(&said, &signature).map_err(|_| SelfTestError::Pair { what })
}

/// A fresh recipient opens what is sealed to its public key.
pub(crate) fn recipient_fits(key: &RecipientKey, strike: &dyn Fn(&mut [u8])) -> Result<(), SelfTestError> {
    let failed = SelfTestError::Pair { what: "X-Wing key" };
    let mut secret = Secret::new(*PAIRWISE);
    let sealed =
        key.public().seal(PAIRWISE, PAIRWISE, secret.expose_mut(), &mut kernel_random).ok_or(failed)?;
    strike(secret.expose_mut());
    key.open(PAIRWISE, &sealed, PAIRWISE, secret.expose_mut()).ok_or(failed)?;
    bool::from(secret.expose().ct_eq(PAIRWISE)).then_some(()).ok_or(failed)
}

/// What is signed or sealed for a moment, and kept nowhere.
const PAIRWISE: &[u8; 16] = b"pairwise test of";

#[cfg(test)]
mod tests {
    use keystead_base::HYBRID_SEED_BYTES;

    use super::*;

    #[test]
    fn s07_two_halves_that_do_not_belong_together_are_noticed() {
        let signer = HybridSigner::from_seed(&Secret::new([1; HYBRID_SEED_BYTES])).unwrap();
        let recipient = RecipientKey::from_seed(&Secret::new([1; 32])).unwrap();
        let flip = |bytes: &mut [u8]| bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1);
        assert_eq!((signer_fits(&signer, &|_| {}), recipient_fits(&recipient, &|_| {})), (Ok(()), Ok(())));
        let pair = |what| Err(SelfTestError::Pair { what });
        assert_eq!(signer_fits(&signer, &flip), pair("hybrid signing key"));
        assert_eq!(recipient_fits(&recipient, &flip), pair("X-Wing key"));
    }
}
