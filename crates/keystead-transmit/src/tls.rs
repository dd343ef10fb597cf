//! TLS to endpoints: 1.2 and 1.3, X25519MLKEM768 first, and always with a certificate that proves the name.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::error::MAX_MESSAGE_CHARS;
use crate::{Distrust, TransmitError};

/// Who vouches for an endpoint behind TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// The authorities of the operating system's store.
    #[default]
    System,
    /// The authorities of this PEM file, and nobody else.
    File(PathBuf),
}

impl Roots {
    /// The file if one is named, the system's store otherwise.
    #[must_use]
    pub fn named(file: Option<&PathBuf>) -> Self {
        file.map_or(Self::System, |file| Self::File(file.clone()))
    }

    fn store(&self) -> Result<RootCertStore, TransmitError> {
        match self {
            Self::System => system(),
            Self::File(path) => file(path),
        }
    }
}

pub(crate) type Connector = HttpsConnector<HttpConnector>;

/// Speaks plainly to `http` URLs and TLS to `https` ones. Only an encrypted endpoint needs authorities.
pub(crate) fn connector(encrypted: bool, roots: &Roots) -> Result<Connector, TransmitError> {
    let config = client_config(encrypted, roots)?;
    Ok(HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build())
}

pub(crate) fn client_config(encrypted: bool, roots: &Roots) -> Result<ClientConfig, TransmitError> {
    let roots = if encrypted { roots.store()? } else { RootCertStore::empty() };
    let versions = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| TransmitError::Roots { reason: error.to_string() })?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

/// A damaged entry of the store is passed over, as every program of the system does; none at all is an error.
fn system() -> Result<RootCertStore, TransmitError> {
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(found.certs);
    let why = || found.errors.first().map_or("it is empty".to_owned(), ToString::to_string);
    match added {
        0 => Err(TransmitError::Roots {
            reason: format!("the system's store ({}); install `ca-certificates`, or name a `ca` file", why()),
        }),
        _ => Ok(store),
    }
}

fn file(path: &Path) -> Result<RootCertStore, TransmitError> {
    let wrong = |why: &dyn std::fmt::Display| TransmitError::Roots {
        reason: format!("{}: expected certificates in PEM form: {why}", path.display()),
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
        store.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    match store.is_empty() {
        true => Err(wrong(&"found none")),
        false => Ok(store),
    }
}

/// What is wrong with a certificate, if that is why a connection failed.
pub(crate) fn distrust(error: &(dyn Error + 'static)) -> Option<Distrust> {
    match find(error)? {
        rustls::Error::InvalidCertificate(error) => Some(reason(error)),
        _ => None,
    }
}

/// An `io::Error` does not name what it wraps as its source.
fn find<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found);
    }
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let inner = inner.map(|inner| inner as &(dyn Error + 'static));
    inner.or_else(|| error.source()).and_then(find)
}

fn reason(error: &CertificateError) -> Distrust {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Distrust::Authority,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Distrust::Name,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Distrust::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Distrust::NotYetValid,
        other => Distrust::Other(other.to_string().chars().take(MAX_MESSAGE_CHARS).collect()),
    }
}
