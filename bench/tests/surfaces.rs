//! `cargo xtask bench surfaces --quick` once: every answer is right, and every figure is there. No time is asserted.

use std::process::{Command, Stdio};

use serde_json::Value;

fn quick_report() -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_keystead-bench"))
        .args(["surfaces", "--quick", "--json"])
        .stderr(Stdio::inherit())
        .output()
        .expect("the benchmark starts");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn rows<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().expect(name)
}

/// A figure that was measured is a number above zero.
fn is_there(row: &Value, names: &[&str]) {
    for name in names {
        let found = row[name].as_f64();
        assert!(found.is_some_and(|it| it.is_finite() && it > 0.0), "{name} is {found:?} in {row}");
    }
}

#[test]
fn every_surface_answers_rightly_under_load_and_every_figure_is_there() {
    let report = quick_report();
    let surfaces = rows(&report, "surfaces");
    assert_eq!(
        surfaces.len(),
        6 * 2,
        "five over HTTP and the decision alone, each with two numbers of clients"
    );
    surfaces.iter().for_each(|it| is_there(it, &["clients", "per_second", "p50_micros", "p99_micros"]));
    is_there(&report["simulation"], &["without_p50_micros", "with_p50_micros", "with_per_second"]);
    let starts = rows(&report, "starts");
    let keys: Vec<_> = starts.iter().filter_map(|it| it["keys"].as_u64()).collect();
    assert_eq!(keys, [2, 4]);
    starts.iter().for_each(|it| {
        is_there(it, &["answers_millis", "signs_millis", "created_per_second", "lists_millis"])
    });
}
