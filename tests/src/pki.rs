//! Certificates that nobody but their holders signed, made by OpenSSL, and curl, which shows them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Makes `NAME.pem` and `NAME.key` in a folder, for `localhost`.
///
/// # Panics
///
/// Without the program `openssl`.
pub fn certificate(folder: &Path, name: &str, kind: &[&str]) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-nodes", "-days", "2", "-subj"]).arg(format!("/CN={name}"));
    openssl.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-newkey"]).args(kind);
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate).stdin(Stdio::null());
    let made = openssl.output().expect("openssl");
    assert!(made.status.success(), "{made:?}");
    (certificate, key)
}

/// The usual kind of key.
pub const P256: [&str; 3] = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// Asks with curl, behind these options: the status, 0 without an answer, and the body.
///
/// # Panics
///
/// Without the program `curl`.
pub fn curl(options: &[&str]) -> (u16, String) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--max-time", "60", "--write-out", "\n%{http_code}"]).args(options);
    let Output { stdout, .. } = curl.stdin(Stdio::null()).output().expect("curl");
    let text = String::from_utf8_lossy(&stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').expect("a status");
    (status.parse().expect("a number"), body.to_owned())
}
