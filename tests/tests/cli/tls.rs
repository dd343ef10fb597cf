//! Programs that show certificates, as curl and OpenSSL do: a token that is bound to one, and one that is enough by itself.

use std::process::{Command, Stdio};

use keystead_tests::pki::{P256, certificate, curl};
use serde_json::json;

use crate::crash::beside;
use crate::desk::{Desk, path};
use crate::rest::{Serving, command, create};

#[test]
fn a04_a_program_is_known_by_the_key_of_its_certificate_until_it_is_taken_back() {
    let desk = Desk::open();
    let home = beside(&desk);
    let folder = home.path();
    certificate(folder, "server", &P256);
    certificate(folder, "payouts", &["rsa:2048"]);
    certificate(folder, "machine", &["ed25519"]);
    certificate(folder, "other", &P256);
    let file = folder.join("keystead.toml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    std::fs::remove_file(&file).expect("a link");
    let text = text.replace("[coordinator]\n", "[coordinator]\ntokens = \"tokens.json\"\n");
    let text = text.replace("data = \"coordinator\"", "data = \"coordinator-in-tls\"");
    let tls = "\n[coordinator.tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n";
    std::fs::write(&file, format!("{text}{tls}")).expect("a folder");
    let at = |name: &str| path(&folder.join(name)).to_owned();
    let bearer = create(folder, &["payouts", "--scope", "read", "--certificate", &at("payouts.pem")]);
    let bearer = bearer.trim();
    let alone =
        ["create", "machine", "--scope", "read", "--certificate", &at("machine.pem"), "--certificate-alone"];
    let made = command(folder, &alone);
    assert_eq!(made["token"], json!(null), "no token is made");

    let serving = Serving::start(folder);
    let url = format!("{}/v1/keys/hot", serving.url);
    assert!(url.starts_with("https://"), "{url}");
    let ask = |who: Option<&str>, more: &[&str]| {
        let (server, mine) =
            (at("server.pem"), who.map(|who| [at(&format!("{who}.pem")), at(&format!("{who}.key"))]));
        let mut options = vec!["--cacert", &*server];
        if let Some([certificate, key]) = &mine {
            options.extend(["--cert", certificate, "--key", key]);
        }
        options.extend(more);
        options.push(&url);
        curl(&options).0
    };
    let token = ["--header", bearer];
    for (what, who, more, status) in [
        ("the certificate and its token", Some("payouts"), &token[..], 200),
        ("another certificate", Some("other"), &token[..], 401),
        ("no certificate", None, &token[..], 401),
        ("no token", Some("payouts"), &[], 401),
        ("a certificate that is enough", Some("machine"), &[], 200),
        ("one that nobody knows", Some("other"), &[], 401),
        ("an older TLS", Some("machine"), &["--tls-max", "1.2"][..], 0),
    ] {
        assert_eq!(ask(who, more), status, "{what}");
    }
    assert_eq!(curl(&[&url.replace("https", "http")]).0, 0, "nothing is said in the clear");
    openssl_agrees_on_a_hybrid_or_a_curve(&serving.url, &at("server.pem"));
    command(folder, &["revoke", "machine"]);
    assert_eq!(ask(Some("machine"), &[]), 401, "taken back at once");
}

/// OpenSSL's own client sees TLS 1.3, and the server's certificate.
fn openssl_agrees_on_a_hybrid_or_a_curve(url: &str, server: &str) {
    let mut openssl = Command::new("openssl");
    let address = url.trim_start_matches("https://");
    openssl.args(["s_client", "-connect", address, "-CAfile", server, "-verify_return_error"]);
    let seen = openssl.stdin(Stdio::null()).output().expect("openssl");
    let text = String::from_utf8_lossy(&seen.stdout);
    assert!(text.contains("TLSv1.3") && text.contains("Verify return code: 0 (ok)"), "{text}");
}
