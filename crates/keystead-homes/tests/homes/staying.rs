//! What is in a token stays there, and what a token says of itself is not believed.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use keystead_base::Coded as _;
use keystead_homes::{Home as _, Pool, ToSign};

use crate::Test;
use crate::conformance::digest;
use crate::tokens::{apart, curve, folder, here, label, place, schemes, send};

pub(crate) const TESTS: &[Test] = &[
    ("k05_no_key_leaves_a_token", stays),
    ("k05_a_key_that_was_sent_leaves_none_of_its_tokens", sent),
    ("s07_a_token_that_names_another_public_key_gives_no_signature", swapped),
];

/// The module, beside the product.
pub(crate) fn module() -> Pkcs11 {
    let module = Pkcs11::new(place("alone").module).unwrap();
    let _already = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    module
}

/// Whoever has the PIN, beside the product.
pub(crate) fn session(token: &str) -> Session {
    let module = module();
    let slots = module.get_slots_with_initialized_token().unwrap();
    let slot = slots.into_iter().find(|it| module.get_token_info(*it).unwrap().label() == token).unwrap();
    let session = module.open_rw_session(slot).unwrap();
    let pin = std::fs::read_to_string(folder().join("pin")).unwrap();
    let _already = session.login(UserType::User, Some(&pin.trim_end().into()));
    session
}

pub(crate) fn object(session: &Session, class: ObjectClass, name: &str) -> ObjectHandle {
    let template = [Attribute::Class(class), Attribute::Label(name.as_bytes().to_vec())];
    let found = session.find_objects(&template).unwrap();
    assert_eq!(found.len(), 1, "{name}");
    found[0]
}

fn flags(session: &Session, key: ObjectHandle) -> Vec<Attribute> {
    let asked = [AttributeType::Sensitive, AttributeType::Extractable, AttributeType::Private];
    session.get_attributes(key, &asked).unwrap()
}

pub(crate) fn is_kept(session: &Session, key: ObjectHandle) {
    let kept = [Attribute::Sensitive(true), Attribute::Extractable(false), Attribute::Private(true)];
    assert_eq!(flags(session, key), kept);
    let value = session.get_attributes(key, &[AttributeType::Value]);
    assert!(value.is_err() || value.unwrap().is_empty(), "its value is not told");
    let template = [Attribute::Token(false), Attribute::Wrap(true), Attribute::ValueLen(32.into())];
    let wrapping = session.generate_key(&Mechanism::AesKeyGen, &template).unwrap();
    assert!(session.wrap_key(&Mechanism::AesKeyWrapPad, wrapping, key).is_err(), "it is not wrapped");
    assert!(session.update_attributes(key, &[Attribute::Extractable(true)]).is_err(), "for good");
    assert!(session.update_attributes(key, &[Attribute::Sensitive(false)]).is_err(), "for good");
}

fn stays() {
    let home = here("strict");
    for scheme in schemes() {
        let key = label(&format!("stays/{scheme}"));
        home.generate(&key, scheme).unwrap();
        let session = session("strict");
        let handle = object(&session, ObjectClass::PRIVATE_KEY, key.as_str());
        is_kept(&session, handle);
        let born = [AttributeType::AlwaysSensitive, AttributeType::NeverExtractable, AttributeType::Local];
        let expected =
            [Attribute::AlwaysSensitive(true), Attribute::NeverExtractable(true), Attribute::Local(true)];
        assert_eq!(session.get_attributes(handle, &born).unwrap(), expected);
    }
    home.make_wrapping(&label("stays/wrapping")).unwrap();
    let session = session("strict");
    is_kept(&session, object(&session, ObjectClass::SECRET_KEY, "stays/wrapping"));
}

fn sent() {
    if !send() {
        return;
    }
    let pool = Pool::new("the tokens", ["one", "two", "three"].map(here).into()).unwrap();
    let key = label("sent/ecdsa");
    pool.generate(&key, curve()).unwrap();
    for token in ["one", "two", "three"] {
        let session = session(token);
        let all = session.find_objects(&[]).unwrap();
        let leftover = all.iter().filter(|it| {
            let class = session.get_attributes(**it, &[AttributeType::Class]).unwrap();
            class != [Attribute::Class(ObjectClass::PUBLIC_KEY)]
                && class != [Attribute::Class(ObjectClass::PRIVATE_KEY)]
        });
        assert_eq!(leftover.count(), 0, "no wrapping key is left behind in {token}");
        is_kept(&session, object(&session, ObjectClass::PRIVATE_KEY, key.as_str()));
    }
    pool.destroy(&key).unwrap();
}

/// Somebody with the PIN puts another public key beside a key.
fn swapped() {
    let [key, other] = ["swapped/key", "swapped/other"].map(label);
    let home = apart("swapped");
    home.generate(&key, curve()).unwrap();
    home.generate(&other, curve()).unwrap();
    assert!(home.sign(&key, ToSign::Digest(&digest(1))).is_ok());
    drop(home);
    let session = session("swapped");
    session.destroy_object(object(&session, ObjectClass::PUBLIC_KEY, key.as_str())).unwrap();
    let foreign = object(&session, ObjectClass::PUBLIC_KEY, other.as_str());
    session.update_attributes(foreign, &[Attribute::Label(key.as_str().as_bytes().to_vec())]).unwrap();
    let refused = apart("swapped").sign(&key, ToSign::Digest(&digest(1))).unwrap_err();
    assert_eq!(refused.code(), "home.unverified");
}
