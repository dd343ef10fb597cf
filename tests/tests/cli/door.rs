//! Who may speak to the port, and where secrets come from: tokens, host names, credentials of the service manager.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use keystead_tests::binary;
use serde_json::{Value, json};

use crate::crash::beside;
use crate::desk::{Desk, path, post_to};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_port_for_other_machines_takes_a_token_and_secrets_may_be_credentials() {
    let desk = Desk::open();
    let home = beside(&desk);
    let credentials = tempfile::tempdir().unwrap();
    let give = |name: &str, text: &[u8]| std::fs::write(credentials.path().join(name), text).unwrap();
    let refused = serve(home.path(), None, "0.0.0.0:0").wait_with_output().unwrap();
    assert_eq!(code(&refused), "coordinator.exposed");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("openssl rand"), "{refused:?}");

    configure(home.path());
    let refused = serve(home.path(), None, "0.0.0.0:0").wait_with_output().unwrap();
    assert_eq!(code(&refused), "config.credential", "no folder of credentials");
    let refused = serve(home.path(), Some(credentials.path()), "0.0.0.0:0").wait_with_output().unwrap();
    assert_eq!(code(&refused), "cli.file", "no such credential");
    give("desk", &std::fs::read(desk.folder.join("members/desk.passphrase")).unwrap());
    give("token", b"short\n");
    let refused = serve(home.path(), Some(credentials.path()), "0.0.0.0:0").wait_with_output().unwrap();
    assert_eq!(code(&refused), "coordinator.token");
    give("token", format!("{TOKEN}\n").as_bytes());
    let serving = Serving::start(serve(home.path(), Some(credentials.path()), "0.0.0.0:0"));
    the_token_is_asked_for(&serving.url);
    people_go_through(&desk, home.path(), credentials.path(), &serving.url);
}

fn the_token_is_asked_for(url: &str) {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}).to_string();
    let bearer = |token: &str| format!("authorization: Bearer {token}\r\n");
    for (headers, status) in
        [(String::new(), 401), (bearer(&TOKEN.replace('f', "e")), 401), (bearer(TOKEN), 200)]
    {
        let (found, answer) = post_to(url, &call, &headers);
        assert_eq!(found, status, "{answer}");
    }
    let (status, answer) = post_to(url, &call, &format!("{}origin: http://127.0.0.1\r\n", bearer(TOKEN)));
    assert_eq!((status, &answer["error"]["code"]), (403, &json!("http.origin")));
}

/// A person's own configuration names the token's file.
fn people_go_through(desk: &Desk, home: &Path, credentials: &Path, url: &str) {
    let without = desk.command("ana", &["--through", url, "approver", "inbox"]);
    assert_eq!(code(&without), "endpoint.status");
    assert!(String::from_utf8_lossy(&without.stderr).contains("under [client]"), "{without:?}");
    let mut command = Command::new(binary("keystead"));
    command.env("CREDENTIALS_DIRECTORY", credentials).args(["--json", "--dir", path(home), "--as", "ana"]);
    let with = command.args(["--through", url, "approver", "inbox"]).output().unwrap();
    assert!(with.status.success(), "{with:?}");
}

/// The coordinator's secrets become credentials; people show the same token.
fn configure(home: &Path) {
    let file = home.join("keystead.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let text = text.replace("\"members/desk.passphrase\"", "\"credential:desk\"");
    let text = text.replace("[client]\n", "[client]\ntoken = \"credential:token\"\n");
    let text = text.replace("[coordinator]\n", "[coordinator]\ntoken = \"credential:token\"\n");
    std::fs::write(&file, text).unwrap();
}

fn serve(home: &Path, credentials: Option<&Path>, listen: &str) -> Child {
    let mut command = Command::new(binary("keystead"));
    command.args(["--json", "--dir", path(home), "serve", "--listen", listen]);
    command.env_remove("CREDENTIALS_DIRECTORY").envs(credentials.map(|it| ("CREDENTIALS_DIRECTORY", it)));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

struct Serving {
    process: Child,
    url: String,
}

impl Serving {
    fn start(mut process: Child) -> Self {
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let url = ready["ready"]["coordinator"].as_str().unwrap().replace("0.0.0.0", "127.0.0.1");
        Self { process, url }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn code(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error: Value =
        serde_json::from_slice(&output.stderr).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    error["error"]["code"].as_str().unwrap().to_owned()
}
