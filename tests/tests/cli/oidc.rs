//! People whom a real OpenID provider knows: looking and asking, by its keys of the day, and nothing else.

use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_tests::pki::curl;
use keystead_tests::{Service, root};
use serde_json::{Value, json};

use crate::crash::beside;
use crate::desk::{Desk, succeeds};
use crate::plain::{get, post};
use crate::rest::Serving;

const AUDIENCE: &str = "urn:keystead:desk";

struct Provider {
    issuer: String,
    _service: Service,
}

impl Provider {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder").keep();
        let script = root().join("tests/npm/clients/idp.mjs");
        let command = ["node", script.to_str().expect("a path")];
        let service = Service::start(&folder, &command, "issuer ");
        let issuer = service.ready_line().trim().trim_start_matches("issuer ").to_owned();
        Self { issuer, _service: service }
    }

    /// A header with a new access token for a client.
    fn token(&self, client: &str, resource: &str) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id={client}&client_secret=secret&scope=desk&resource={resource}"
        );
        let (status, answer) = curl(&["--data", &form, &format!("{}/token", self.issuer)]);
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// A new access token of somebody who signs in on the provider's pages.
    fn token_of_a_person(&self, person: &str) -> String {
        let script = root().join("tests/npm/clients/person.mjs");
        let mut browser = Command::new("node");
        let output = succeeds(browser.arg(script).args([&self.issuer, person, AUDIENCE]));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn rotate(&self, how: &str) {
        assert_eq!(curl(&["--request", "POST", &format!("{}/{how}", self.issuer)]).1, "rotated");
    }
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

#[test]
fn a04_a_provider_s_word_is_good_for_looking_and_asking_as_long_as_its_keys_are() {
    let (desk, provider) = (Desk::open(), Provider::start());
    let home = beside(&desk);
    let file = home.path().join("keystead.toml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    std::fs::remove_file(&file).expect("a link");
    let text = text.replace("data = \"coordinator\"", "data = \"coordinator-for-people\"");
    let oidc = format!(
        "\n[coordinator.oidc]\nissuer = \"{}\"\naudience = \"{AUDIENCE}\"\nnetworks = [\"127.0.0.0/8\"]\n\
         [[coordinator.oidc.grants]]\nclaim = \"groups\"\nvalue = \"treasury\"\nscopes = [\"read\", \"request\"]\nkeys = [\"hot\"]\n",
        provider.issuer
    );
    std::fs::write(&file, format!("{text}{oidc}")).expect("a folder");
    let serving = Serving::start(home.path());
    let looks = |token: &str| get(&serving.url, "/v1/keys/hot", &bearer(token)).status;

    let tokens = ["RS256", "ES256", "EdDSA"].map(|client| provider.token(client, AUDIENCE));
    for token in &tokens {
        assert_eq!(looks(token), 200, "{token}");
    }
    let [token, ..] = &tokens;
    what_is_no_word_of_the_provider_s_is_refused(&looks, &provider, token);
    what_it_is_not_good_for_is_refused(&serving.url, token);
    people_have_what_their_groups_have(&looks, &serving.url, &provider);
    its_time_ends(&looks, &provider);

    provider.rotate("rotate");
    let later = provider.token("RS256", AUDIENCE);
    until(|| looks(&later) == 200, "new keys are fetched");
    assert_eq!(looks(token), 401, "the keys of before are nobody's");
    provider.rotate("rotate-quietly");
    let quiet = provider.token("RS256", AUDIENCE);
    until(|| looks(&quiet) == 200, "other keys under the same names are fetched, too");
    assert_eq!(looks(&later), 401, "the keys of before are nobody's");
}

fn what_is_no_word_of_the_provider_s_is_refused(
    looks: &dyn Fn(&str) -> u16,
    provider: &Provider,
    token: &str,
) {
    let parts: Vec<&str> = token.split('.').collect();
    let [_, payload, signature] = parts.as_slice() else { panic!("{token}") };
    let text = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let mut claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("Base64")).expect("JSON");
    claims["groups"] = json!(["treasury", "more"]);
    for (what, token) in [
        ("nobody's signature", format!("{}.{payload}.", text(&json!({"alg": "none"})))),
        ("other claims", token.replace(*payload, &text(&claims))),
        ("another algorithm", format!("{}.{payload}.{signature}", text(&json!({"alg": "HS256"})))),
        ("another audience", provider.token("RS256", "urn:keystead:other")),
        ("nobody whom a grant names", provider.token("guest", AUDIENCE)),
    ] {
        assert_eq!(looks(&token), 401, "{what}");
    }
}

/// Not for what other keys sign, not for all of JSON-RPC, and never to approve.
fn what_it_is_not_good_for_is_refused(url: &str, token: &str) {
    let headers = bearer(token);
    let ask = |key: &str| {
        let message = json!({"account": {"key": key, "index": 0}, "chain": 31337, "bytes": "0x68656c6c6f"});
        post(url, "/v1/requests", &headers, &json!({"action": {"message": message}}).to_string()).status
    };
    assert_eq!((ask("hot"), ask("cold")), (201, 403));
    for (path, body) in [("/v1/approvals", "{\"document\":\"00\"}"), ("/v1/entries", "{}"), ("/", "{}")] {
        assert_eq!(post(url, path, &headers, body).status, 403, "{path}");
    }
}

fn people_have_what_their_groups_have(looks: &dyn Fn(&str) -> u16, url: &str, provider: &Provider) {
    let (maria, otto) = (provider.token_of_a_person("maria"), provider.token_of_a_person("otto"));
    assert_eq!((looks(&maria), looks(&otto)), (200, 401), "{maria} {otto}");
    what_it_is_not_good_for_is_refused(url, &maria);
}

fn its_time_ends(looks: &dyn Fn(&str) -> u16, provider: &Provider) {
    let brief = provider.token("brief", AUDIENCE);
    until(|| looks(&brief) == 401, "it ends");
}

fn until(holds: impl Fn() -> bool, what: &str) {
    let end = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::yield_now();
    }
}
