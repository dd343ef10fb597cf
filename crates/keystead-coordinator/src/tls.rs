//! TLS 1.3 of the coordinator's port, and the key that a client's certificate proves.
//!
//! No authority vouches for a client: what it shows is a key that it holds, and the file of tokens says what that key is good
//! for. So any certificate is taken here whose key its client has, self-signed or not, and names nobody by itself.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keystead_base::Digest;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::version::TLS13;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, ServerConfig,
    SignatureScheme,
};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::CoordinatorError;

/// SHA-256 over the `SubjectPublicKeyInfo` of the certificate that a connection's client has proved to hold the key of;
/// none where it showed none, or does not speak TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerKey(pub(crate) Option<Digest>);

/// The server's side of TLS. Clones share it.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl Tls {
    /// Takes the server's own certificates, its own one first, and their key, both in PEM form.
    ///
    /// # Errors
    ///
    /// [`CoordinatorError::Certificate`] when one of them cannot be read, or they do not belong together.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, CoordinatorError> {
        let chain = certificates(certificate)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unfit(key, &error))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(AnyKey(Arc::clone(&provider)));
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map(|it| it.with_client_cert_verifier(verifier))
            .and_then(|it| it.with_single_cert(chain, key));
        let mut config = config.map_err(|error| unfit(certificate, &error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A resumed session proves no key anew.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// A connection, and the key of whoever it is with; none of a client that fails or takes too long.
    pub(crate) async fn accept(
        &self,
        socket: TcpStream,
        limit: Duration,
    ) -> Option<(TlsStream<TcpStream>, PeerKey)> {
        let stream = timeout(limit, self.0.accept(socket)).await.ok()?.ok()?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let key = PeerKey(shown.and_then(|shown| key_of(shown).ok()));
        Some((stream, key))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// What a client's certificate is known by: SHA-256 over its `SubjectPublicKeyInfo`, so that a certificate that is
/// renewed with its key is the same. Of several in the file the first one counts.
///
/// # Errors
///
/// [`CoordinatorError::Certificate`] when the file has no certificate in PEM form.
pub fn certificate_key(file: &Path) -> Result<Digest, CoordinatorError> {
    let chain = certificates(file)?;
    let first = chain.first().ok_or_else(|| unfit(file, &"it has no certificate"))?;
    key_of(first).map_err(|error| unfit(file, &error))
}

fn key_of(certificate: &CertificateDer<'_>) -> Result<Digest, Error> {
    let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
    Ok(Digest(Sha256::digest(key.as_ref()).into()))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, CoordinatorError> {
    let read = CertificateDer::pem_file_iter(file).map_err(|error| unfit(file, &error))?;
    read.collect::<Result<_, _>>().map_err(|error| unfit(file, &error))
}

fn unfit(file: &Path, reason: &dyn fmt::Display) -> CoordinatorError {
    CoordinatorError::Certificate { file: file.to_owned(), reason: reason.to_string() }
}

/// Takes any certificate, and demands proof that its client holds its key.
struct AnyKey(Arc<CryptoProvider>);

impl fmt::Debug for AnyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyKey")
    }
}

impl ClientCertVerifier for AnyKey {
    fn client_auth_mandatory(&self) -> bool {
        // Probes and programs with a token alone show none; what the token needs, the door knows.
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _more: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match key_of(shown) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(_) => Err(Error::InvalidCertificate(CertificateError::BadEncoding)),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    /// INVARIANT A4: whoever shows a certificate holds its key.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, shown, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
