//! `cargo xtask bench threshold --quick` once: every run ends in its signature or its shares, and every figure is there.

use std::process::{Command, Stdio};

use serde_json::Value;

fn quick_report() -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_keystead-bench"))
        .args(["threshold", "--quick", "--json"])
        .stderr(Stdio::inherit())
        .output()
        .expect("the benchmark starts");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn every_kind_of_shared_key_has_its_floor_and_its_full_path() {
    let report = quick_report();
    each_path_signs(&report);
    let floor = report["floor"].as_array().expect("floor");
    let schemes: Vec<_> = floor.iter().filter_map(|row| row["scheme"].as_str()).collect();
    assert_eq!(schemes, SCHEMES);
    for row in floor {
        // The clock ticks in tens of milliseconds: only what takes longer is above zero in the quick form.
        for name in ["sign_bytes", "share_bytes", "birth_bytes"] {
            assert!(row[name].as_f64().is_some_and(|it| it > 0.0), "{name} in {row}");
        }
        for name in
            ["sign_millis", "busy_millis", "plain_millis", "read_millis", "refresh_millis", "reshare_millis"]
        {
            assert!(row[name].as_f64().is_some_and(f64::is_finite), "{name} in {row}");
        }
    }
    assert!(floor[0]["birth_millis"].as_f64().is_some_and(|it| it > 0.0), "a birth takes its time: {report}");
}

fn each_path_signs(report: &Value) {
    let paths = report["paths"].as_array().expect("paths");
    let schemes: Vec<_> = paths.iter().filter_map(|path| path["scheme"].as_str()).collect();
    assert_eq!(schemes, SCHEMES);
    for path in paths {
        for load in path["loads"].as_array().expect("loads") {
            assert!(load["signatures"].as_u64().is_some_and(|it| it > 0), "signatures in {load}");
            let far = load["added_millis"].as_u64() != Some(0);
            assert_eq!(load["peer_bytes"].as_f64().is_some_and(|it| it > 0.0), far, "bytes in {load}");
        }
        for ceremony in path["ceremonies"].as_array().expect("ceremonies") {
            for name in ["birth_millis", "refresh_millis", "reshare_millis"] {
                assert!(ceremony[name].as_f64().is_some_and(|it| it > 0.0), "{name} in {ceremony}");
            }
        }
    }
    assert!(report["aims"].as_array().is_some_and(|it| !it.is_empty()), "{report}");
}

const SCHEMES: [&str; 3] = ["ECDSA", "BIP-340", "Ed25519"];
