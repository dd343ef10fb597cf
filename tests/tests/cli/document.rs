//! The OpenAPI document against the real server: Schemathesis asks what the document permits, and much that it does not.

use std::collections::BTreeSet;
use std::process::Command;

use keystead_coordinator::OPENAPI;
use keystead_tests::python_program;
use serde_json::Value;

use crate::desk::Desk;
use crate::plain::{get, post};
use crate::rest::{create, with_tokens};

#[test]
fn a01_no_call_has_an_answer_that_the_document_does_not_name() {
    let desk = Desk::open();
    let served = get(&desk.url, "/v1/openapi.json", "").json();
    assert_eq!(served, serde_json::from_str::<Value>(OPENAPI).expect("JSON"));
    let checks = format!("{CHECKS},unsupported_method");
    conforms(&desk.url, &["--checks", &checks, "--phases", "examples,coverage,fuzzing,stateful", "-n", "25"]);
}

/// Whoever may do some things alone meets 401 and 403 and what is unknown to it, and nothing that the document does not name.
#[test]
fn a01_no_call_with_a_token_of_its_own_has_such_an_answer_either() {
    let desk = Desk::open();
    let (home, serving) = with_tokens(&desk, "coordinator-for-some");
    for (name, rights) in
        [("asks", &["--scope", "read,request", "--key", "hot"][..]), ("approves", &["--scope", "approve"])]
    {
        let header = create(home.path(), &[&[name], rights].concat());
        let few = ["--checks", CHECKS, "--phases", "examples,fuzzing", "-n", "8", "--header", header.trim()];
        conforms(&serving.url, &few);
    }
    // Every method that a route does not have is for nobody with a token.
    let token = create(home.path(), &["reads", "--scope", "read"]);
    assert_eq!(post(&serving.url, "/v1/keys", &token, "{}").status, 403);
    conforms(
        &serving.url,
        &["--checks", CHECKS, "--phases", "fuzzing", "-n", "2", "--header", "Authorization: Bearer kst_0"],
    );
}

fn conforms(url: &str, more: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let document = keystead_tests::root().join(DOCUMENT);
    let mut command = Command::new(python_program("schemathesis"));
    command.current_dir(folder.path()).arg("run").arg(document).args(["--url", url, "--seed", SEED]);
    command.args(["--continue-on-failure", "--no-color", "--generation-database", "none"]);
    // A stream of events ends when the request does; nobody waits for that here.
    command.args(["--exclude-operation-id", "followRequest"]).args(more);
    let output = command.output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    // All but the stream of events.
    let tested = format!("Tested: {}\n", operations() - 1);
    assert!(text.contains(&tested), "{tested}: {text}");
}

/// How many there are in the document.
fn operations() -> usize {
    let document: Value = serde_json::from_str(OPENAPI).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    paths.values().map(|path| path.as_object().expect("operations").len()).sum()
}

/// The routes of the router and those of the document are the same ones.
#[test]
fn each_route_stands_in_the_document_and_the_other_way_round() {
    let router = std::fs::read_to_string(keystead_tests::root().join(ROUTER)).expect("the router");
    let routes = router.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let document: Value = serde_json::from_str(OPENAPI).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").keys().map(String::as_str);
    assert_eq!(routes.collect::<BTreeSet<_>>(), paths.collect::<BTreeSet<_>>());
}

const ROUTER: &str = "crates/keystead-coordinator/src/rest/mod.rs";
const DOCUMENT: &str = "crates/keystead-coordinator/src/rest/openapi.json";
/// No 5xx, no status, no content type, no header and no body that the document does not name; what is malformed is refused.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,negative_data_rejection";
const SEED: &str = "20261126";
