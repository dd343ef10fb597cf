//! TLS over real connections: who is let in by which certificate, and that a certificate without its key is none.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystead_base::Secret;
use rcgen::{CertifiedKey as Made, generate_simple_self_signed};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tests::Desk;
use super::*;
use crate::certificate_key;
use crate::tokens::{Scope, Shelf, TokenFile, TokenRecord};

/// A certificate that its holder signed, and its key.
struct Held {
    chain: CertificateDer<'static>,
    key: Vec<u8>,
    pem: String,
}

impl Held {
    fn make() -> Self {
        let Made { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let chain = cert.der().clone();
        let pem = pem("CERTIFICATE", &chain);
        Self { chain, key: signing_key.serialize_der(), pem }
    }

    fn shown_with(&self, key: &Held) -> Arc<CertifiedKey> {
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.key.clone()));
        let signer = aws_lc_rs::sign::any_supported_type(&der).unwrap();
        Arc::new(CertifiedKey::new(vec![self.chain.clone()], signer))
    }

    fn write(&self, folder: &Path, name: &str) -> std::path::PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, &self.pem).unwrap();
        path
    }
}

fn pem(kind: &str, der: &[u8]) -> String {
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der))
}

/// Shows this, whether or not the two belong together.
#[derive(Debug)]
struct Shows(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

struct Port {
    desk: Desk,
    server: Held,
    folder: tempfile::TempDir,
}

impl Port {
    /// A port that knows these.
    async fn open(tokens: &[TokenRecord]) -> Self {
        let (folder, server) = (tempfile::tempdir().unwrap(), Held::make());
        let certificate = server.write(folder.path(), "server.pem");
        let key = folder.path().join("server.key");
        std::fs::write(&key, pem("PRIVATE KEY", &server.key)).unwrap();
        write(folder.path(), tokens);
        let shelf = Shelf::open(&folder.path().join("tokens.json")).unwrap();
        let tls = Some(Tls::open(&certificate, &key).unwrap());
        let doors = Doors { tokens: Some(Arc::new(shelf)), tls, ..Doors::default() };
        let desk = Desk::open_within(doors, HttpLimits::default()).await;
        Self { desk, server, folder }
    }

    async fn connect(&self, shows: Option<Arc<CertifiedKey>>) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.server.chain.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(Shows(shows)));
        let socket = TcpStream::connect(self.desk.server.address()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap()
    }

    /// The status of an answer; none when the connection ends without one.
    async fn asks(&self, shows: Option<Arc<CertifiedKey>>, token: Option<&Secret<String>>) -> Option<u16> {
        ask(&mut self.connect(shows).await, token).await
    }
}

async fn ask(stream: &mut TlsStream<TcpStream>, token: Option<&Secret<String>>) -> Option<u16> {
    let bearer = token.map(|it| format!("authorization: Bearer {}\r\n", it.expose())).unwrap_or_default();
    let head = format!("GET /v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n{bearer}\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.ok()?;
    std::str::from_utf8(&start).ok()?.rsplit(' ').next()?.parse().ok()
}

fn write(folder: &Path, tokens: &[TokenRecord]) {
    let (part, path) = (folder.join("part"), folder.join("tokens.json"));
    std::fs::write(&part, serde_json::to_vec(&TokenFile { tokens: tokens.to_vec() }).unwrap()).unwrap();
    std::fs::rename(part, path).unwrap();
}

fn minted(name: &str, byte: u8) -> (Secret<String>, TokenRecord) {
    let ends = crate::clock::now().plus_seconds(3600);
    let what = (vec![Scope::Read], Vec::new());
    TokenRecord::mint(name.parse().unwrap(), what, ends, &Secret::new([byte; 32]))
}

#[tokio::test]
async fn a04_a_bound_token_is_nothing_without_the_key_of_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (owner, other, alone) = (Held::make(), Held::make(), Held::make());
    let key = |held: &Held, name: &str| certificate_key(&held.write(folder.path(), name)).unwrap();
    let (token, record) = minted("payouts", 1);
    let (what, ends) = ((vec![Scope::Read], Vec::new()), crate::clock::now().plus_seconds(3600));
    let machine =
        TokenRecord::of_certificate("machine".parse().unwrap(), what, ends, key(&alone, "alone.pem"));
    let port = Port::open(&[record.bound_to(key(&owner, "owner.pem")), machine.clone()]).await;
    let own = |held: &Held| Some(held.shown_with(held));
    for (what, shows, token, status) in [
        ("its certificate", own(&owner), Some(&token), Some(200)),
        ("another certificate", own(&other), Some(&token), Some(401)),
        ("a certificate that is good for itself", own(&alone), Some(&token), Some(401)),
        ("no certificate", None, Some(&token), Some(401)),
        ("its certificate without the token", own(&owner), None, Some(401)),
        ("its certificate without the key", Some(owner.shown_with(&other)), Some(&token), None),
        ("a certificate that is good for itself, alone", own(&alone), None, Some(200)),
        ("that one without the key", Some(alone.shown_with(&other)), None, None),
        ("nothing", None, None, Some(401)),
    ] {
        assert_eq!(port.asks(shows, token).await, status, "{what}");
    }
    // On a connection that stays, what was taken back is good for no further request.
    let mut kept = port.connect(own(&alone)).await;
    write(port.folder.path(), &[]);
    assert_eq!(ask(&mut kept, None).await, Some(401));
}

#[tokio::test]
async fn a01_a_port_that_speaks_tls_speaks_nothing_else() {
    let port = Port::open(&[]).await;
    let answer = port.desk.say(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(!answer.contains("HTTP/1.1"), "{answer}");
    assert_eq!(port.desk.server.url(), format!("https://{}", port.desk.server.address()));
    for (certificate, key) in
        [("server.pem", "server.pem"), ("server.key", "server.key"), ("none", "server.key")]
    {
        let at = |name: &str| port.folder.path().join(name);
        let refused = Tls::open(&at(certificate), &at(key)).map(drop);
        assert_eq!(
            refused.err().map(|error| keystead_base::Coded::code(&error)),
            Some("coordinator.certificate")
        );
    }
}
