//! A key by ML-DSA that is born in a token (PKCS#11 3.2), as far as a module makes one: beside the product, whose homes ask for none so far.

use aws_lc_rs::signature::{ML_DSA_65, UnparsedPublicKey};
use cryptoki::mechanism::dsa::{HedgeType, SignAdditionalContext};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, MlDsaParameterSetType, ObjectClass};

use crate::Test;
use crate::staying::{is_kept, object, session};
use crate::tokens::{Maker, maker};

pub(crate) const TESTS: &[Test] =
    &[("k05_a_token_s_key_by_ml_dsa_never_leaves_and_another_library_verifies_it", born)];

const NAME: &str = "lattices/key";

fn born() {
    let session = session("alone");
    let slot = session.get_session_info().unwrap().slot_id();
    let listed = crate::staying::module().get_mechanism_list(slot).unwrap();
    if !listed.contains(&MechanismType::ML_DSA_KEY_PAIR_GEN) {
        assert!(maker() != Maker::Kryoptic, "Kryoptic makes keys by ML-DSA: {listed:?}");
        return println!(
            "SKIPPED: this module makes no key by ML-DSA (`cargo xtask kryoptic` has one that does)"
        );
    }
    let named = || Attribute::Label(NAME.as_bytes().to_vec());
    let public = [
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::ParameterSet(MlDsaParameterSetType::ML_DSA_65.into()),
        named(),
    ];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        named(),
    ];
    session.generate_key_pair(&Mechanism::MlDsaKeyPairGen, &public, &private).unwrap();
    let (public, private) =
        (object(&session, ObjectClass::PUBLIC_KEY, NAME), object(&session, ObjectClass::PRIVATE_KEY, NAME));
    is_kept(&session, private);
    let Ok([Attribute::Value(key)]) =
        <[Attribute; 1]>::try_from(session.get_attributes(public, &[AttributeType::Value]).unwrap())
    else {
        panic!("no public key");
    };
    assert_eq!(key.len(), 1952, "FIPS 204, table 2");
    let other = UnparsedPublicKey::new(&ML_DSA_65, &key);
    for hedge in [HedgeType::Preferred, HedgeType::DeterministicRequired] {
        let mechanism = Mechanism::MlDsa(SignAdditionalContext::new(hedge, None));
        let signature = session.sign(&mechanism, private, b"a message").unwrap();
        assert_eq!(signature.len(), 3309, "FIPS 204, table 2");
        assert!(other.verify(b"a message", &signature).is_ok());
        assert!(other.verify(b"another one", &signature).is_err());
    }
    session.destroy_object(private).unwrap();
    session.destroy_object(public).unwrap();
}
