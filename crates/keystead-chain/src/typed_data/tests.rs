//! Documents: the example of the standard, what is refused, and the same hashes as alloy's.

use alloy_primitives::{b256, keccak256};
use keystead_base::Coded as _;
use serde_json::{Value as Any, json};

use super::*;

fn mail() -> Any {
    json!({
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"}
            ],
            "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
            "Mail": [
                {"name": "from", "type": "Person"},
                {"name": "to", "type": "Person"},
                {"name": "contents", "type": "string"}
            ]
        },
        "primaryType": "Mail",
        "domain": {
            "name": "Ether Mail",
            "version": "1",
            "chainId": 1,
            "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"
        },
        "message": {
            "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
            "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
            "contents": "Hello, Bob!"
        }
    })
}

/// The example of EIP-712, with the hashes that the standard prints.
#[test]
fn the_mail_of_the_standard() {
    let document = Document::parse(&mail().to_string()).unwrap();
    assert_eq!(
        document.encode_type(),
        "Mail(Person from,Person to,string contents)Person(string name,address wallet)"
    );
    assert_eq!(
        document.domain().separator(),
        b256!("f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f")
    );
    assert_eq!(
        document.struct_hash(),
        b256!("c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e")
    );
    assert_eq!(
        keccak256(document.signing_preimage()),
        b256!("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2")
    );
}

/// Each change of one place of the mail, and the code of its refusal.
#[test]
fn s02_every_value_is_listed_by_its_path() {
    let form = Document::parse(&mail().to_string()).unwrap().form();
    let listed: Vec<_> = form.fields.iter().map(|it| format!("{}={}", it.path, it.value)).collect();
    assert_eq!(
        listed,
        [
            "from.name=Cow",
            "from.wallet=0xcd2a3d9f938e13cd947ec05abc7fe734df8dd826",
            "to.name=Bob",
            "to.wallet=0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "contents=Hello, Bob!",
        ]
    );
    assert_eq!((form.primary_type.as_str(), form.domain.name.as_deref()), ("Mail", Some("Ether Mail")));
    let long = with("/message/contents", json!("a".repeat(257)));
    let form = Document::parse(&long.to_string()).unwrap().form();
    assert_eq!(form.fields[4].value.to_string(), format!("keccak256:{}", keccak256("a".repeat(257))));
}

#[test]
fn s02_a_document_with_more_values_than_are_listed_lists_none() {
    let list = |count: usize| {
        let mut document = mail();
        document["types"]["Mail"] = json!([{"name": "steps", "type": "int8[]"}]);
        document["types"].as_object_mut().unwrap().remove("Person");
        document["message"] = json!({"steps": vec![-1; count]});
        Document::parse(&document.to_string()).unwrap()
    };
    let whole = list(255);
    let form = whole.form();
    assert!(whole.is_listed());
    assert_eq!(form.fields.len(), 256, "the length and each element");
    assert_eq!(
        (form.fields[0].path.as_str(), form.fields[0].value.to_string().as_str()),
        ("steps.length", "255")
    );
    assert_eq!(
        (form.fields[255].path.as_str(), form.fields[255].value.to_string().as_str()),
        ("steps[254]", "-1")
    );
    let beyond = list(256);
    assert!(!beyond.is_listed() && beyond.form().fields.is_empty());
}

#[test]
fn s02_what_is_not_signed_is_refused() {
    let address = json!("0x00000000000000000000000000000000000000ff");
    for (pointer, value, code) in [
        ("/extra", json!(1), "typed_data.unknown_field"),
        ("/message/extra", json!(1), "typed_data.unknown_field"),
        ("/message/from/extra", json!(1), "typed_data.unknown_field"),
        ("/domain/extra", json!(1), "typed_data.unknown_field"),
        ("/domain/salt", json!("0x00"), "typed_data.value"),
        ("/domain/salt", json!("0x".to_owned() + &"00".repeat(32)), "typed_data.domain_type"),
        ("/types/Unused", json!([]), "typed_data.unused_type"),
        ("/types/uint256", json!([]), "typed_data.type"),
        ("/types/Per son", json!([]), "typed_data.type"),
        ("/types/Person/0/extra", json!(1), "typed_data.unknown_field"),
        ("/types/Person/0/name", json!("wallet"), "typed_data.type"),
        ("/types/Person/0/name", json!("name,uint256 x"), "typed_data.type"),
        ("/types/Person/0/type", json!("uint"), "typed_data.type"),
        ("/types/Person/0/type", json!("uint257"), "typed_data.type"),
        ("/types/Person/1/type", json!("Address"), "typed_data.type"),
        ("/types/Person/0/type", json!("String"), "typed_data.type"),
        ("/types/Person/0/type", json!("Uint8"), "typed_data.type"),
        ("/types/Person/0/type", json!("bytes33"), "typed_data.type"),
        ("/types/Person/0/type", json!("string[0]"), "typed_data.type"),
        ("/types/Person/0/type", json!("string[01]"), "typed_data.type"),
        ("/types/Person/0/type", json!("string[]]"), "typed_data.type"),
        ("/types/Person/0/type", json!("string[][][][][]"), "typed_data.too_many"),
        ("/types/Person/0/type", json!("(string,string)"), "typed_data.type"),
        ("/types/Person/0/type", json!("Nobody"), "typed_data.type"),
        ("/types/Person/0/type", json!("EIP712Domain"), "typed_data.type"),
        ("/types/EIP712Domain/0/type", json!("bytes"), "typed_data.domain_type"),
        ("/primaryType", json!("Person"), "typed_data.unused_type"),
        ("/primaryType", json!("EIP712Domain"), "typed_data.type"),
        ("/message/contents", json!(1), "typed_data.value"),
        ("/message/contents", json!(null), "typed_data.value"),
        ("/message/to/wallet", json!("0xff"), "typed_data.value"),
        ("/message/to/wallet", json!(5), "typed_data.value"),
        ("/message/to", address.clone(), "typed_data.value"),
        ("/domain/chainId", json!(1.5), "typed_data.json"),
        ("/domain/chainId", json!(-1), "typed_data.value"),
        ("/domain/chainId", json!("1e3"), "typed_data.value"),
    ] {
        let found = Document::parse(&with(pointer, value).to_string()).map(|_| ());
        assert_eq!(found.unwrap_err().code(), code, "{pointer}");
    }
}

#[test]
fn a_key_twice_is_ambiguous() {
    let text =
        mail().to_string().replace("\"contents\":\"Hello", "\"contents\":\"Bye\",\"contents\":\"Hello");
    assert_eq!(Document::parse(&text).unwrap_err().code(), "typed_data.json");
}

fn with(pointer: &str, value: Any) -> Any {
    let mut document = mail();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Any::Object(members) => {
            members.insert(key.to_owned(), value);
        }
        Any::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        _ => unreachable!(),
    }
    document
}

/// Every kind of value at its edges: the value and whether it belongs to the type.
#[test]
fn values_belong_to_their_types() {
    let max = format!("{}", alloy_primitives::U256::MAX);
    for (kind, value, good) in [
        ("uint8", json!(255), true),
        ("uint8", json!(256), false),
        ("uint8", json!("0xff"), true),
        ("uint8", json!("0x"), false),
        ("uint8", json!(""), false),
        ("uint8", json!("+1"), false),
        ("uint8", json!("1_0"), false),
        ("uint256", json!(max.clone()), true),
        ("uint256", json!(max.clone() + "0"), false),
        ("uint256", json!("-1"), false),
        ("int8", json!(127), true),
        ("int8", json!(128), false),
        ("int8", json!(-128), true),
        ("int8", json!("-128"), true),
        ("int8", json!(-129), false),
        ("int256", json!(max), false),
        ("bool", json!(true), true),
        ("bool", json!("true"), false),
        ("bool", json!(1), false),
        ("bytes4", json!("0x01020304"), true),
        ("bytes4", json!("0x010203"), false),
        ("bytes4", json!("01020304"), false),
        ("bytes", json!("0x"), true),
        ("bytes", json!("0x1"), false),
        ("bytes", json!([1, 2]), false),
        ("string[2]", json!(["a", "b"]), true),
        ("string[2]", json!(["a"]), false),
        ("string[]", json!({}), false),
    ] {
        let document = json!({
            "types": {"One": [{"name": "it", "type": kind}]},
            "primaryType": "One", "domain": {}, "message": {"it": value}
        });
        assert_eq!(Document::parse(&document.to_string()).is_ok(), good, "{document}");
    }
}

/// Types that refer to each other twice each would unfold to 2^31 structs; values bound the work.
#[test]
fn types_do_not_unfold() {
    let mut types = serde_json::Map::new();
    for level in 0..30 {
        let next = format!("T{}[]", level + 1);
        types.insert(format!("T{level}"), json!([{"name": "a", "type": next}, {"name": "b", "type": next}]));
    }
    types.insert("T30".into(), json!([]));
    let document = json!({
        "types": types, "primaryType": "T0", "domain": {}, "message": {"a": [], "b": []}
    });
    assert!(Document::parse(&document.to_string()).is_ok());
}

/// A struct may refer to itself through a list (EIP-712: "recursive struct types").
#[test]
fn recursion_ends_with_the_values() {
    let mut value = json!({"next": []});
    for _ in 0..40 {
        value = json!({"next": [value]});
    }
    let document = |message: Any| {
        json!({
            "types": {"Node": [{"name": "next", "type": "Node[]"}]},
            "primaryType": "Node", "domain": {}, "message": message
        })
        .to_string()
    };
    assert!(Document::parse(&document(json!({"next": [{"next": []}]}))).is_ok());
    assert_eq!(Document::parse(&document(value)).unwrap_err().code(), "typed_data.too_many");
}
