//! A second implementation of ML-DSA, which verifies what the first one signed before it is let out.

use ml_dsa::{
    EncodedSignature, EncodedVerifyingKey, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Signature, VerifyingKey,
};

use crate::{QuantumPublicKey, QuantumSignature};

/// Whether the second implementation takes the signature, too. SLH-DSA has none here, and passes.
pub(crate) fn agrees(key: &QuantumPublicKey, message: &[u8], signature: &QuantumSignature) -> bool {
    match (key, signature) {
        (QuantumPublicKey::MlDsa44(key), QuantumSignature::MlDsa44(it)) => {
            verifies::<MlDsa44>(key.as_bytes(), message, it.as_bytes())
        }
        (QuantumPublicKey::MlDsa65(key), QuantumSignature::MlDsa65(it)) => {
            verifies::<MlDsa65>(key.as_bytes(), message, it.as_bytes())
        }
        (QuantumPublicKey::MlDsa87(key), QuantumSignature::MlDsa87(it)) => {
            verifies::<MlDsa87>(key.as_bytes(), message, it.as_bytes())
        }
        (QuantumPublicKey::SlhDsaSha2128s(_), QuantumSignature::SlhDsaSha2128s(_)) => true,
        _ => false,
    }
}

fn verifies<P: MlDsaParams>(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = EncodedVerifyingKey::<P>::try_from(key) else { return false };
    let Ok(signature) = EncodedSignature::<P>::try_from(signature) else { return false };
    let Some(signature) = Signature::decode(&signature) else { return false };
    VerifyingKey::<P>::decode(&key).verify_with_context(message, b"", &signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{QuantumKey, Scheme};

    #[test]
    fn s07_the_second_implementation_judges_for_itself() {
        for scheme in [Scheme::MlDsa44, Scheme::MlDsa65, Scheme::MlDsa87] {
            let [key, other] = [1, 2].map(|byte| QuantumKey::from_seed(scheme, &[byte; 32]).unwrap());
            let signature = key.sign(b"message").unwrap();
            assert!(agrees(key.public(), b"message", &signature));
            assert!(!agrees(key.public(), b"messagE", &signature));
            assert!(!agrees(other.public(), b"message", &signature));
            let mut bytes = signature.as_bytes().to_vec();
            bytes[100] ^= 1;
            let bent = QuantumSignature::from_bytes(scheme, &bytes).unwrap();
            assert!(!agrees(key.public(), b"message", &bent));
        }
    }
}
