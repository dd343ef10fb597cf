//! Before whom public keys stand, as the real program reads it from the log of a desk that signed.

use serde_json::json;

use crate::commands::aligned;
use crate::desk::Desk;
use crate::script::{Script, ok};

/// The account signed: its key stands before everybody.
pub(crate) fn an_account(script: &mut Script) {
    script.play([ok("ana", "exposure")
        .has("/addresses/0/key", "hot")
        .has("/addresses/0/seen_by", "everybody")
        .has("/addresses/0/way_out", "fresh_account")
        .has("/addresses/0/since", "")
        .has("/not_known", "elsewhere")]);
    script.play([ok("ana", "exposure --balances")
        .has("/addresses/0/balances/0/asset", "native")
        .has("/addresses/0/balances/0/shown", " ETH")
        .has("/not_known", "policy does not register")]);
    for command in ["exposure", "exposure --balances"] {
        let text = script.text("ana", command);
        assert!(text.contains("EVERYBODY") && text.contains("not known here:"), "{text}");
        aligned(&text);
    }
}

/// What was spent from shows its key; what hashes its key hides it from all but those who hold the log; taproot hides nothing.
pub(crate) fn coins(desk: &Desk) {
    let report = desk.as_person("ana", &["exposure", "--coins"]);
    let rows = report["addresses"].as_array().unwrap();
    let seen = |place: &str| {
        let row = rows.iter().find(|it| it["place"].as_str().unwrap().starts_with(place));
        let row = row.unwrap_or_else(|| panic!("{place}: {report}"));
        (row["seen_by"].clone(), row["way_out"].clone(), row["signatures"].as_u64().unwrap() > 0)
    };
    assert_eq!(seen("bip84/"), (json!("everybody"), json!("fresh_place"), true), "{report}");
    assert_eq!(seen("bip84:"), (json!("log_holders"), json!("keep_the_log"), false), "{report}");
    assert_eq!(seen("bip44:"), (json!("log_holders"), json!("keep_the_log"), false), "{report}");
    assert_eq!(seen("bip86:"), (json!("everybody"), json!("hashed_form"), false), "{report}");
    let unknown = report["not_known"].to_string();
    assert!(unknown.contains("no sources of coins"), "{unknown}");
}
