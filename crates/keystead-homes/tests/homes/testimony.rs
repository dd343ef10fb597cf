//! What tokens say of themselves and of their keys, and of which keys they cannot say it.

use cryptoki::object::{Attribute, ObjectClass};
use keystead_base::{Coded as _, Secret};
use keystead_homes::{Home, Scheme, SoftwareHome};

use crate::Test;
use crate::staying::{object, session};
use crate::tokens::{Maker, apart, here, label, maker};

pub(crate) const TESTS: &[Test] = &[
    ("s11_a_token_says_which_one_it_is_and_of_a_key_that_it_was_born_there", says),
    ("s11_a_key_that_came_or_could_leave_is_no_token_s_own", foreign),
    ("s11_a_public_side_that_was_put_beside_a_key_is_not_taken_for_its", put_beside),
];

fn says() {
    let key = label("says/key");
    let homes: [Box<dyn Home>; 2] = [Box::new(here("alone")), Box::new(apart("strict"))];
    let said = homes.map(|home| {
        let public = home.generate(&key, Scheme::EcdsaP256).unwrap();
        let said = home.testify(&key).unwrap();
        assert_eq!(home.testify(&key).unwrap(), said, "the same each time");
        assert_eq!(said.public, public);
        let of_maker = match maker() {
            Maker::SoftHsm => ("SoftHSM project", "SoftHSM v2"),
            Maker::Kryoptic => ("Kryoptic Project", "v1"),
        };
        assert_eq!((said.manufacturer.as_str(), said.model.as_str()), of_maker);
        // What both say of their slots is that there is no hardware.
        assert!(!said.hardware);
        assert_eq!(home.testify(&label("says/nobody")).unwrap_err().code(), "home.unknown");
        home.destroy(&key).unwrap();
        said
    });
    assert_eq!(said[0].serial.len(), 16, "{said:?}");
    assert_ne!(said[0].serial, said[1].serial, "two tokens of one module");
    let software = SoftwareHome::new("software");
    software.generate(&key, Scheme::EcdsaP256).unwrap();
    assert_eq!(software.testify(&key).unwrap_err().code(), "home.cannot");
}

fn foreign() {
    let home = here("alone");
    let [imported, sent, born] = ["foreign/imported", "foreign/sent", "foreign/born"].map(label);
    home.import(&imported, Scheme::EcdsaP256, &Secret::new([3; 32])).unwrap();
    home.generate_to_send(&sent, Scheme::EcdsaP256).unwrap();
    let refused = |key| {
        let error = home.testify(key).unwrap_err();
        (error.code(), error.to_string())
    };
    let (code, text) = refused(&imported);
    assert!(code == "home.foreign" && text.contains("CKA_LOCAL"), "{text}");
    let (code, text) = refused(&sent);
    assert!(code == "home.foreign" && text.contains("CKA_EXTRACTABLE"), "{text}");
    // It could leave once, and may have.
    home.stay(&sent).unwrap();
    let (code, text) = refused(&sent);
    assert!(code == "home.foreign" && text.contains("CKA_NEVER_EXTRACTABLE"), "{text}");
    // The other of that token's keys is none the worse for it.
    home.generate(&born, Scheme::EcdsaP256).unwrap();
    home.testify(&born).unwrap();
    [&imported, &sent, &born].iter().for_each(|it| home.destroy(it).unwrap());
}

/// Somebody with the PIN puts the public side of a key that lies elsewhere beside one that was born here.
fn put_beside() {
    let home = here("strict");
    let [born, elsewhere] = ["beside/born", "beside/elsewhere"].map(label);
    home.generate(&born, Scheme::EcdsaP256).unwrap();
    home.import(&elsewhere, Scheme::EcdsaP256, &Secret::new([4; 32])).unwrap();
    let session = session("strict");
    session.destroy_object(object(&session, ObjectClass::PUBLIC_KEY, born.as_str())).unwrap();
    let public = object(&session, ObjectClass::PUBLIC_KEY, elsewhere.as_str());
    session.update_attributes(public, &[Attribute::Label(born.as_str().as_bytes().to_vec())]).unwrap();
    let fresh = here("strict");
    assert_eq!(fresh.testify(&born).unwrap_err().code(), "home.unverified");
    [&born, &elsewhere].iter().for_each(|it| fresh.destroy(it).unwrap());
}
