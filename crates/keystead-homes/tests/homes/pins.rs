//! A PIN is tried once.

use std::fs;

use keystead_base::Coded as _;
use keystead_homes::{Home as _, Pin, ToSign};

use crate::Test;
use crate::conformance::digest;
use crate::staying::session;
use crate::tokens::{apart, curve, folder, label, with_pin};

pub(crate) const TESTS: &[Test] = &[
    ("a_wrong_pin_is_tried_once_and_said", wrong),
    ("a_pin_is_read_from_its_file_and_is_no_empty_word", read),
];

/// Whether it is tried again is seen on a token that would take it the second time.
fn wrong() {
    let pin = folder().join("pin-of-strict");
    fs::copy(folder().join("wrong-pin"), &pin).unwrap();
    let home = with_pin("strict", &pin);
    let key = label("pins/key");
    let refused = |home: &dyn keystead_homes::Home| home.sign(&key, ToSign::Digest(&digest(1))).unwrap_err();
    let first = refused(&home);
    assert_eq!(first.code(), "home.pin");
    assert!(!first.to_string().contains("0000"), "the PIN is not said: {first}");
    for _ in 0..20 {
        assert_eq!(
            refused(&home),
            first,
            "SoftHSM does not lock; a token that does still has its other tries"
        );
    }
    // Now the token takes that very PIN: a home that tried once more would be let in.
    let (right, other) = ("4711-0815".into(), "0000-0000".into());
    let beside = session("strict");
    beside.set_pin(&right, &other).unwrap();
    let still = refused(&home);
    beside.set_pin(&other, &right).unwrap();
    assert_eq!(still, first, "not before the process is started anew");
    drop(beside);
    fs::copy(folder().join("pin"), &pin).unwrap();
    drop(home);
    let home = with_pin("strict", &pin);
    home.generate(&key, curve()).unwrap();
    assert!(home.sign(&key, ToSign::Digest(&digest(1))).is_ok());
    home.destroy(&key).unwrap();
    // A process without a readable PIN ends, and says so as a home that is lost.
    assert_eq!(refused(&with_pin("strict", &folder().join("no-such-file"))).code(), "home.lost");
    assert_eq!(apart("no such token").public(&key).unwrap_err().code(), "home.no_token");
}

fn read() {
    for (file, good) in
        [("1234", true), ("1234\n", true), ("", false), ("\n", false), (&"1".repeat(256), false)]
    {
        assert_eq!(Pin::read(file.as_bytes()).is_ok(), good, "{file:?}");
    }
    assert!(Pin::read([0xff, 0xfe].as_slice()).is_err());
}
