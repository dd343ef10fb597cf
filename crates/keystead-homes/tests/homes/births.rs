//! Keys that are born or come: wholly or not at all, one at a time, and under a label that is theirs alone.

use std::collections::BTreeSet;
use std::thread;

use cryptoki::object::{Attribute, ObjectClass};
use keystead_base::{Coded as _, Secret};
use keystead_homes::{Home as _, Pool, PublicKey, ToSign};

use crate::Test;
use crate::conformance::{digest, verifies};
use crate::staying::{object, session};
use crate::tokens::{TWINS, apart, curve, here, label, send};

pub(crate) const TESTS: &[Test] = &[
    ("k05_a_key_that_comes_by_half_leaves_nothing", by_half),
    ("k05_births_at_once_do_not_disturb_each_other", at_once),
    ("e03_two_of_one_label_are_used_by_nobody", ambiguous),
];

/// The private part is taken first, and its public side is none: nothing of it may stay.
fn by_half() {
    if !send() {
        return;
    }
    let (sender, receiver) = (here("alone"), here("strict"));
    let key = label("half/key");
    let public = sender.generate_to_send(&key, curve()).unwrap();
    let none = PublicKey { scheme: curve(), bytes: vec![2; 7] };
    let of_another = sender.generate(&label("half/other"), curve()).unwrap();
    for wrong in [&none, &of_another] {
        let parcel = sender.send(&key, &receiver.receiver().unwrap()).unwrap();
        receiver.receive(&key, wrong, &parcel).unwrap_err();
        let left = session("strict").find_objects(&[Attribute::Label(b"half/key".to_vec())]).unwrap();
        assert_eq!(left.len(), 0, "half a key");
    }
    let parcel = sender.send(&key, &receiver.receiver().unwrap()).unwrap();
    receiver.receive(&key, &public, &parcel).unwrap();
    let refused = receiver.import(&key, curve(), &Secret::new([3; 32])).unwrap_err();
    assert_eq!(refused.code(), "home.exists");
    assert_eq!(receiver.public(&key).unwrap(), public, "and whose label it was keeps it");
    receiver.destroy(&key).unwrap();
    ["half/key", "half/other"].iter().for_each(|it| sender.destroy(&label(it)).unwrap());
}

/// Several callers of one group: each key arrives in every home, and of one label there is one.
fn at_once() {
    if !send() {
        return;
    }
    let pool = Pool::new("the tokens", ["one", "two"].map(apart).into()).unwrap();
    let born: Vec<_> = thread::scope(|scope| {
        let pool = &pool;
        let births = ["a", "b", "c", "same", "same", "same"].map(|name| {
            scope.spawn(move || (name, pool.generate(&label(&format!("at-once/{name}")), curve())))
        });
        births.map(|it| it.join().unwrap()).into()
    });
    let good: Vec<_> = born.iter().filter_map(|(name, it)| Some((name, it.as_ref().ok()?))).collect();
    let names: BTreeSet<_> = good.iter().map(|(name, _)| **name).collect();
    assert_eq!((good.len(), names), (4, ["a", "b", "c", "same"].into()), "{born:?}");
    let refused = born.iter().filter_map(|(_, it)| it.as_ref().err());
    assert!(refused.map(|it| it.code()).eq(["home.exists"; 2]), "{born:?}");
    for (name, public) in good {
        let key = label(&format!("at-once/{name}"));
        for home in pool.homes() {
            assert!(verifies(public, 1, &home.sign(&key, ToSign::Digest(&digest(1))).unwrap()));
        }
        pool.destroy(&key).unwrap();
    }
}

/// Tokens take any number of objects with one label, and there may be two tokens of one label.
fn ambiguous() {
    let [key, other] = ["ambiguous/key", "ambiguous/other"].map(label);
    let home = here("strict");
    home.generate(&key, curve()).unwrap();
    home.generate(&other, curve()).unwrap();
    let session = session("strict");
    let second = object(&session, ObjectClass::PRIVATE_KEY, other.as_str());
    session.update_attributes(second, &[Attribute::Label(key.as_str().into())]).unwrap();
    let fresh = here("strict");
    assert_eq!(fresh.sign(&key, ToSign::Digest(&digest(1))).unwrap_err().code(), "home.ambiguous");
    assert_eq!(fresh.public(&key).unwrap_err().code(), "home.ambiguous");
    [&key, &other].iter().for_each(|it| fresh.destroy(it).unwrap());

    for name in ["ambiguous/wrapping", "ambiguous/second"] {
        home.make_wrapping(&label(name)).unwrap();
    }
    let second = object(&session, ObjectClass::SECRET_KEY, "ambiguous/second");
    session.update_attributes(second, &[Attribute::Label(b"ambiguous/wrapping".to_vec())]).unwrap();
    let wrapped = home.wrap(&label("ambiguous/wrapping"), b"", &Secret::new(vec![1]));
    assert_eq!(wrapped.unwrap_err().code(), "home.ambiguous");
    home.destroy(&label("ambiguous/wrapping")).unwrap();

    assert_eq!(here(TWINS).public(&key).unwrap_err().code(), "home.ambiguous", "two tokens of one label");

    // Homes of one group that do not hold the same key.
    let homes = ["one", "two"].map(here);
    for (home, secret) in homes.iter().zip([3, 4]) {
        home.import(&key, curve(), &Secret::new([secret; 32])).unwrap();
    }
    let pool = Pool::new("the tokens", homes.into()).unwrap();
    assert_eq!(pool.public(&key).unwrap_err().code(), "home.ambiguous");
    pool.destroy(&key).unwrap();
}
