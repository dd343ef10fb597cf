//! TLS 1.3 with raw public keys (RFC 7250), pinned, over X25519MLKEM768 only.

use std::fmt;
use std::sync::Arc;

use keystead_base::Name;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved,
    ServerConfig, SignatureScheme,
};

use crate::identity::spki_key;
use crate::{Identity, TransportKey, WireError};

/// What both ends must agree to speak.
pub const ALPN: &[u8] = b"keystead/1";
/// What the two ends of a line must agree to speak.
const LINE_ALPN: &[u8] = b"keystead-line/1";

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Questions and answers.
    Calls,
    /// To be carried on to another node.
    Line,
}

/// Says whose key it is, at this moment; `None` refuses. The roster may change at any time: the server
/// asks at each handshake and again at each request.
pub type Pins = Arc<dyn Fn(&TransportKey) -> Option<Name> + Send + Sync>;

/// Pins that never change.
#[must_use]
pub fn pins(known: impl IntoIterator<Item = (TransportKey, Name)>) -> Pins {
    let known: std::collections::BTreeMap<TransportKey, Name> = known.into_iter().collect();
    Arc::new(move |key| known.get(key).cloned())
}

pub(crate) fn client_config(identity: &Identity, server: TransportKey) -> Result<ClientConfig, WireError> {
    let verifier = Pinned::new(Arc::new(move |key| *key == server));
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(WireError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(identity.certified())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session would skip the pin.
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}

/// As whoever offers a line.
pub(crate) fn line_config(identity: &Identity, server: TransportKey) -> Result<ClientConfig, WireError> {
    let mut config = client_config(identity, server)?;
    config.alpn_protocols = vec![LINE_ALPN.to_vec()];
    Ok(config)
}

pub(crate) fn server_config(identity: &Identity, pins: Pins) -> Result<ServerConfig, WireError> {
    let verifier = Pinned::new(Arc::new(move |key| pins(key).is_some()));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(WireError::Tls)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(identity.certified())));
    config.alpn_protocols = vec![ALPN.to_vec(), LINE_ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The key that the other end proved, and what both agreed to speak.
pub(crate) fn proven_key(connection: &rustls::CommonState) -> Result<(TransportKey, Purpose), WireError> {
    let purpose = match connection.alpn_protocol() {
        Some(ALPN) => Purpose::Calls,
        Some(LINE_ALPN) => Purpose::Line,
        _ => return Err(WireError::Protocol),
    };
    let shown = connection.peer_certificates().and_then(<[_]>::first);
    let key = shown.and_then(|spki| spki_key(spki)).ok_or(WireError::Tls(unpinned()))?;
    Ok((key, purpose))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768],
        ..aws_lc_rs::default_provider()
    })
}

/// Accepts a raw Ed25519 key if the pins do, and then demands proof that the other end holds it.
pub(crate) struct Pinned {
    accepts: Arc<dyn Fn(&TransportKey) -> bool + Send + Sync>,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    pub(crate) fn new(accepts: Arc<dyn Fn(&TransportKey) -> bool + Send + Sync>) -> Self {
        Self { accepts, provider: provider() }
    }

    fn check(&self, shown: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Result<(), Error> {
        let key = spki_key(shown).filter(|_| more.is_empty());
        match key {
            Some(key) if (self.accepts)(&key) => Ok(()),
            Some(_) => Err(unpinned()),
            None => Err(Error::InvalidCertificate(CertificateError::BadEncoding)),
        }
    }

    fn signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if signed.scheme != SignatureScheme::ED25519 {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let spki = SubjectPublicKeyInfoDer::from(shown.as_ref());
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &spki, signed, algorithms)
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pinned")
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(shown, more).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(shown, more).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

fn unpinned() -> Error {
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

fn tls12() -> Error {
    rustls::PeerIncompatible::Tls12NotOffered.into()
}
