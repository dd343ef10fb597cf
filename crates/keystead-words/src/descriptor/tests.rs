//! What is a descriptor and what is not: versions 1 and 2 of the standard, and each thing that is refused.

use keystead_base::Coded as _;
use serde_json::{Value as Json, json};

use super::*;

const VAULT: &str = "0x5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d";

/// A file that is accepted.
fn file() -> Json {
    json!({
        "$schema": "https://eips.ethereum.org/assets/eip-7730/erc7730-v2.schema.json",
        "context": {"$id": "vault", "contract": {"deployments": [{"chainId": 1, "address": VAULT}]}},
        "metadata": {
            "owner": "Us",
            "info": {"url": "https://example.org"},
            "constants": {"most": "0xff", "again": "$.metadata.constants.most"},
            "enums": {"mode": {"1": "one"}},
            "maps": {"coin": {"$keyType": "chain", "values": {"1": VAULT}}},
        },
        "display": {
            "definitions": {"sum": {"label": "Sum", "format": "unit", "params": {"base": "m", "decimals": 1}}},
            "formats": {"act(address who,uint256 sum)": {
                "intent": {"Deed": "Act", "Kind": "Test"},
                "interpolatedIntent": "Act for {who}",
                "fields": [
                    {"path": "who", "label": "Who", "format": "addressName"},
                    {"path": "sum", "$ref": "$.display.definitions.sum", "params": {"decimals": 2}},
                ],
            }},
        },
    })
}

fn parse(file: &Json) -> Result<Descriptor, DescriptorError> {
    Descriptor::parse(&file.to_string())
}

/// The file with one value put at a JSON pointer.
fn with(pointer: &str, value: Json) -> Json {
    let mut file = file();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match file.pointer_mut(parent).unwrap() {
        Json::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        parent => parent[key] = value,
    }
    file
}

const FORMAT: &str = "/display/formats/act(address who,uint256 sum)";

#[test]
fn a_file_of_version_2_is_read() {
    let descriptor = parse(&file()).unwrap();
    assert!(descriptor.is_deployed_at(ChainId(1), VAULT.parse().unwrap()));
    assert!(!descriptor.is_deployed_at(ChainId(2), VAULT.parse().unwrap()));
    assert_eq!(descriptor.described().collect::<Vec<_>>(), ["act(address,uint256)"]);
    let (_, shown) = descriptor.calls.values().next().unwrap();
    let Field::One(sum) = &shown.fields[1] else { panic!("a field") };
    assert_eq!(sum.format, Format::Unit { base: "m".to_owned(), decimals: 2, prefix: false });
}

#[test]
fn what_the_standard_does_not_have_is_refused() {
    let long = "a".repeat(600);
    for (file, code) in [
        (with("/$schema", json!("erc7730-v3.schema.json")), "descriptor.version"),
        (with("/$schema", json!("erc7730-v2-rc.1.schema.json")), "descriptor.version"),
        (with("/more", json!(1)), "descriptor.shape"),
        (with("/context/contract/code", json!(1)), "descriptor.shape"),
        (with("/metadata/owners", json!("x")), "descriptor.shape"),
        (with("/metadata/owner", json!("a\u{202e}b")), "descriptor.text"),
        (with("/context", json!({})), "descriptor.unbound"),
        (with("/context", json!({"contract": {}, "eip712": {}})), "descriptor.unbound"),
        (with("/context/contract/deployments/0/address", json!("0x5D")), "descriptor.address"),
        (
            with(
                "/context/contract/deployments/0/address",
                json!("0xa0B86991c6218b36c1d19D4a2e9Eb0cE3606eB48"),
            ),
            "descriptor.address",
        ),
        (with("/includes", json!("erc20.json")), "descriptor.include"),
        (with("/display/formats/act(uint256)", json!({})), "descriptor.signature"),
        (with("/display/formats/act(uint who)", json!({})), "descriptor.signature"),
        (with("/display/formats/act(address to,uint256 value)", json!({})), "descriptor.twice"),
        (with(&format!("{FORMAT}/required"), json!(["who"])), "descriptor.foreign_part"),
        (with(&format!("{FORMAT}/excluded"), json!(["who"])), "descriptor.foreign_part"),
        (with(&format!("{FORMAT}/intent"), json!(long)), "descriptor.text"),
        (with(&format!("{FORMAT}/intent"), json!("two\nlines")), "descriptor.text"),
        (with(&format!("{FORMAT}/interpolatedIntent"), json!("to {who")), "descriptor.template"),
    ] {
        assert_eq!(parse(&file).unwrap_err().code(), code, "{file}");
    }
}

#[test]
fn fields_that_the_standard_does_not_have_are_refused() {
    let field = |value: Json| with(&format!("{FORMAT}/fields/0"), value);
    for (file, code) in [
        (field(json!({"path": "who", "label": "Who", "format": "ens"})), "descriptor.shape"),
        (field(json!({"path": "who", "label": "Who", "color": "red"})), "descriptor.shape"),
        (field(json!({"path": "who.", "label": "Who"})), "descriptor.path"),
        (field(json!({"path": "@.gas", "label": "Who"})), "descriptor.path"),
        (field(json!({"label": "Who"})), "descriptor.foreign_part"),
        (field(json!({"path": "who", "value": 1, "label": "Who"})), "descriptor.foreign_part"),
        (field(json!({"path": "who", "$ref": "$.display.definitions.none"})), "descriptor.reference"),
        (field(json!({"value": "$.metadata.constants.none", "label": "x"})), "descriptor.reference"),
        (field(json!({"value": "$.metadata.constants.again", "label": "x"})), "descriptor.reference"),
        (field(json!({"path": "sum", "format": "raw", "params": {"base": "m"}})), "descriptor.parameters"),
        (field(json!({"path": "sum", "format": "date"})), "descriptor.parameters"),
        (field(json!({"path": "sum", "format": "enum"})), "descriptor.parameters"),
        (
            field(json!({"path": "sum", "format": "enum", "params": {"$ref": "$.metadata.enums.none"}})),
            "descriptor.reference",
        ),
        (field(json!({"path": "sum", "format": "nftName"})), "descriptor.parameters"),
        (field(json!({"path": "sum", "format": "calldata"})), "descriptor.parameters"),
        (
            field(
                json!({"path": "sum", "format": "tokenAmount", "params": {"token": VAULT, "tokenPath": "who"}}),
            ),
            "descriptor.parameters",
        ),
        (
            field(json!({"path": "sum", "format": "tokenAmount", "params": {"threshold": "many"}})),
            "descriptor.parameters",
        ),
        (
            field(json!({"path": "sum", "format": "unit", "params": {"base": "m", "decimals": 78}})),
            "descriptor.parameters",
        ),
        (
            field(json!({"path": "sum", "visible": {"ifNotIn": [1], "mustMatch": [1]}})),
            "descriptor.foreign_part",
        ),
        (field(json!({"path": "sum", "visible": "sometimes"})), "descriptor.shape"),
        (field(json!({"path": "sum", "iteration": "bundled"})), "descriptor.foreign_part"),
        (field(json!({"path": "sum", "format": "raw", "fields": []})), "descriptor.foreign_part"),
    ] {
        assert_eq!(parse(&file).unwrap_err().code(), code, "{file}");
    }
}

#[test]
fn a_text_that_can_be_read_in_two_ways_is_refused() {
    let text = file().to_string();
    let twice = text.replace("\"owner\":\"Us\"", "\"owner\":\"Us\",\"owner\":\"Them\"");
    assert_eq!(Descriptor::parse(&twice).unwrap_err().code(), "descriptor.json");
    let float = text.replace("\"decimals\":1", "\"decimals\":1.0");
    assert_eq!(Descriptor::parse(&float).unwrap_err().code(), "descriptor.json");
    let long = format!("{}{}", " ".repeat(MAX_DESCRIPTOR_BYTES), text);
    assert_eq!(Descriptor::parse(&long).unwrap_err().code(), "descriptor.too_long");
    assert_eq!(Descriptor::parse("[]").unwrap_err().code(), "descriptor.shape");
}

#[test]
fn nothing_is_without_its_limit() {
    let mut group = json!({"path": "who", "label": "Who"});
    for _ in 0..8 {
        group = json!({"fields": [group]});
    }
    let fields = json!(vec![json!({"path": "who", "label": "Who"}); 129]);
    let deployments = json!(vec![json!({"chainId": 1, "address": VAULT}); 1025]);
    let mut many = file();
    for number in 0..192 {
        many["display"]["formats"][format!("f{number}()")] = json!({});
    }
    for file in [
        with(&format!("{FORMAT}/fields/0"), group),
        with(&format!("{FORMAT}/fields"), fields),
        with("/context/contract/deployments", deployments),
        many,
    ] {
        assert_eq!(parse(&file).unwrap_err().code(), "descriptor.too_many");
    }
}

#[test]
fn version_1_may_leave_names_to_an_abi_or_a_schema_in_the_file() {
    let mut file = file();
    file["$schema"] = json!("https://eips.ethereum.org/assets/eip-7730/erc7730-v1.schema.json");
    let format = json!({
        "intent": "Act",
        "fields": [{"path": "order.sum", "label": "Sum", "format": "raw"}],
        "required": ["order.sum"],
        "excluded": ["salt"],
    });
    file["display"]["formats"] = json!({"act((address,uint256)[],bytes32)": format});
    assert_eq!(parse(&file).unwrap_err().code(), "descriptor.signature", "no names anywhere");
    let components = json!([{"name": "who", "type": "address"}, {"name": "sum", "type": "uint256"}]);
    let inputs = json!([
        {"name": "orders", "type": "tuple[]", "components": components},
        {"name": "salt", "type": "bytes32"},
    ]);
    file["context"]["contract"]["abi"] = json!([{"type": "function", "name": "act", "inputs": inputs}]);
    let descriptor = parse(&file).unwrap();
    let (function, shown) = descriptor.calls.values().next().unwrap();
    assert_eq!(function.parts[0].name, "orders");
    assert_eq!(shown.fields.len(), 2, "what is excluded is a field that is never shown");
    let selector = const_hex::encode_prefixed(function.selector);
    let mut by_selector = file.clone();
    by_selector["display"]["formats"] = json!({selector: {}});
    assert!(parse(&by_selector).is_ok());
    file["$schema"] = json!("erc7730-v2.schema.json");
    assert!(parse(&file).is_err(), "version 2 wants names");
}

#[test]
fn typed_data_is_bound_by_its_domain() {
    let document = Document::parse(
        r#"{"types":{"Mail":[{"name":"to","type":"address"}]},"primaryType":"Mail","domain":{"name":"Post","version":"1","chainId":1,"verifyingContract":"0x5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d"},"message":{"to":"0x5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d"}}"#,
    )
    .unwrap();
    let separator = document.domain().separator().to_string();
    let mut file = file();
    file["display"]["formats"] = json!({"Mail(address to)": {"intent": "Send"}});
    for (eip712, admits) in [
        (json!({}), true),
        (json!({"domain": {"name": "Post", "version": "1", "chainId": 1, "verifyingContract": VAULT}}), true),
        (json!({"domain": {"name": "Mail"}}), false),
        (json!({"domain": {"version": "2"}}), false),
        (json!({"domain": {"chainId": 2}}), false),
        (json!({"domain": {"verifyingContract": "0x5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5e"}}), false),
        (json!({ "domainSeparator": separator }), true),
        (json!({"domainSeparator": format!("0x{}", "00".repeat(32))}), false),
    ] {
        file["context"] = json!({ "eip712": eip712 });
        let descriptor = parse(&file).unwrap();
        assert!(descriptor.message(&document).is_some());
        assert_eq!(descriptor.admits(document.domain()), admits, "{eip712}");
    }
    let schema = json!([{"primaryType": "Mail", "types": {"Mail": [{"name": "to", "type": "address"}]}}]);
    file["$schema"] = json!("erc7730-v1.schema.json");
    file["context"] = json!({"eip712": {"schemas": schema}});
    file["display"]["formats"] = json!({"Mail": {"intent": "Send"}});
    assert!(parse(&file).unwrap().message(&document).is_some(), "version 1 names the primary type");
}
