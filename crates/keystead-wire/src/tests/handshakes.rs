//! Handshakes that must fail, each against a server that keeps answering an honest client.

use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, CertificateError, ClientConfig, Error};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

fn config() -> ClientConfig {
    tls::client_config(&client_identity(), *server_identity().key()).unwrap()
}

/// What both ends say when a client with this configuration comes.
async fn refused(server: &mut Running, config: ClientConfig) -> (Option<Error>, WireError) {
    let socket = TcpStream::connect(server.address).await.unwrap();
    let client_says = match TlsConnector::from(Arc::new(config)).connect(nameless(), socket).await {
        Err(error) => Some(WireError::from(error)),
        Ok(mut stream) => stream.read_u8().await.err().map(WireError::from),
    };
    let client_says = client_says.and_then(|error| match error {
        WireError::Tls(error) => Some(error),
        _ => None,
    });
    let server_says = server.fault().await;
    assert_eq!(server.client().await.call(b"still".to_vec()).await, Ok(b"still".to_vec()));
    (client_says, server_says)
}

#[tokio::test]
async fn a07_a_classical_key_exchange_is_refused() {
    let mut server = Running::echo(Limits::default()).await;
    let ours = config();
    let mut provider = default_provider();
    provider.kx_groups = vec![kx_group::X25519, kx_group::SECP256R1];
    let mut classical = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(tls::Pinned::new(Arc::new(|_| true))))
        .with_client_cert_resolver(Arc::clone(&ours.client_auth_cert_resolver));
    classical.alpn_protocols = ours.alpn_protocols;
    let (client, server) = refused(&mut server, classical).await;
    assert_eq!(client, Some(Error::AlertReceived(AlertDescription::HandshakeFailure)));
    assert_eq!(server, WireError::Tls(rustls::PeerIncompatible::NoKxGroupsInCommon.into()));
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let mut server = Running::echo(Limits::default()).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(&tls12_client_hello()).await.unwrap();
    let mut alert = Vec::new();
    socket.read_to_end(&mut alert).await.unwrap();
    // Alert (21), TLS 1.2, two bytes: fatal (2), protocol_version (70).
    assert_eq!(alert, [21, 3, 3, 0, 2, 2, 70]);
    assert_eq!(server.fault().await.code(), "wire.tls");
}

/// RFC 5246, section 7.4.1.2: version 1.2, one suite, and the extensions of an ordinary client.
fn tls12_client_hello() -> Vec<u8> {
    let groups = [0, 10, 0, 4, 0, 2, 0, 29];
    let points = [0, 11, 0, 2, 1, 0];
    let algorithms = [0, 13, 0, 4, 0, 2, 8, 7];
    let extensions = [groups.as_slice(), &points, &algorithms].concat();
    let mut body = vec![3, 3];
    body.extend([9; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0, 0, u8::try_from(extensions.len()).unwrap()]);
    body.extend(extensions);
    let length = u8::try_from(body.len()).unwrap();
    [vec![22, 3, 1, 0, length + 4, 1, 0, 0, length], body].concat()
}

#[tokio::test]
async fn an_unpinned_client_is_refused() {
    let mut server = Running::echo(Limits::default()).await;
    let stranger = tls::client_config(&identity(9), *server_identity().key()).unwrap();
    let (client, server_says) = refused(&mut server, stranger).await;
    assert_eq!(client, Some(Error::AlertReceived(AlertDescription::AccessDenied)));
    let expected = Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
    assert_eq!(server_says, WireError::Tls(expected));
    let error = Client::connect(server.target(identity(9))).await.unwrap_err();
    assert_eq!((error.code(), error.blame()), ("wire.tls", keystead_base::Blame::Peer));
}

#[tokio::test]
async fn an_unpinned_server_is_refused() {
    let mut server = Running::echo(Limits::default()).await;
    let target = Target { server: *identity(5).key(), ..server.target(client_identity()) };
    let expected = Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
    assert_eq!(Client::connect(target).await.unwrap_err(), WireError::Tls(expected));
    assert_eq!(server.fault().await.code(), "wire.tls");
}

#[tokio::test]
async fn a_pinned_key_without_its_secret_is_refused() {
    let mut server = Running::echo(Limits::default()).await;
    let (victim, thief) = (client_identity().certified(), identity(9).certified());
    let forged = CertifiedKey::new(victim.cert.clone(), Arc::clone(&thief.key));
    let mut config = config();
    config.client_auth_cert_resolver = Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::new(forged)));
    let (client, server) = refused(&mut server, config).await;
    assert_eq!(client, Some(Error::AlertReceived(AlertDescription::DecryptError)));
    assert_eq!(server, WireError::Tls(Error::InvalidCertificate(CertificateError::BadSignature)));
}

#[tokio::test]
async fn a_client_without_a_key_is_refused() {
    let mut server = Running::echo(Limits::default()).await;
    let mut config = config();
    config.client_auth_cert_resolver = Arc::new(Nothing);
    let (_, server) = refused(&mut server, config).await;
    assert_eq!(server.code(), "wire.tls");
}

#[tokio::test]
async fn another_protocol_is_refused() {
    let mut server = Running::echo(Limits::default()).await;
    let mut other = config();
    other.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (client, server_says) = refused(&mut server, other).await;
    assert_eq!(client, Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)));
    assert_eq!(server_says, WireError::Tls(Error::NoApplicationProtocol));
    let mut none = config();
    none.alpn_protocols.clear();
    assert_eq!(refused(&mut server, none).await.1, WireError::Protocol);
}

#[tokio::test]
async fn garbage_and_silence_are_refused() {
    let limits = Limits { handshake: SHORT, ..Limits::default() };
    let mut server = Running::echo(limits).await;
    let mut garbage = TcpStream::connect(server.address).await.unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(server.fault().await.code(), "wire.tls");
    let _silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(server.fault().await, WireError::Late { stage: Stage::Handshake, limit: SHORT });
}

#[tokio::test]
async fn a01_slow_strangers_push_out_each_other_and_not_the_honest() {
    let limits = Limits { handshakes: 4, ..Limits::default() };
    let mut server = Running::echo(limits).await;
    let mut strangers = Vec::new();
    for _ in 0..20 {
        strangers.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert_eq!(server.client().await.call(b"in".to_vec()).await, Ok(b"in".to_vec()));
    assert_eq!(server.fault().await, WireError::PushedOut);
}

#[derive(Debug)]
struct Nothing;

impl rustls::client::ResolvesClientCert for Nothing {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }

    fn has_certs(&self) -> bool {
        false
    }
}
