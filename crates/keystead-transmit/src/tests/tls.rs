//! Endpoints behind TLS, with authorities made for the test: the right one is believed, every other one is
//! unavailable.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{NamedGroup, ServerConfig, SupportedProtocolVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::*;

/// An authority with its file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), folder }
    }

    fn roots(&self) -> Roots {
        Roots::File(self.folder.path().join("ca.pem"))
    }

    fn config(&self, shown: &Shown) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![shown.name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(shown.from, 1, 1);
        params.not_after = date_time_ymd(shown.until, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[shown.version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap()
    }
}

/// What a server shows.
struct Shown {
    name: &'static str,
    from: i32,
    until: i32,
    version: &'static SupportedProtocolVersion,
}

const GOOD: Shown = Shown { name: "127.0.0.1", from: 2000, until: 4000, version: &rustls::version::TLS13 };

/// A node behind TLS, and which key exchange each connection agreed on.
struct Behind {
    url: String,
    groups: mpsc::UnboundedReceiver<NamedGroup>,
    task: JoinHandle<()>,
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends TLS in front of a node, as a proxy does.
async fn behind(node: &DevnetServer, config: ServerConfig) -> Behind {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let node = node.url().trim_start_matches("http://").to_owned();
    let (agreed, groups) = mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let (acceptor, node, agreed) = (acceptor.clone(), node.clone(), agreed.clone());
            tokio::spawn(async move {
                let Ok(mut outside) = acceptor.accept(socket).await else { return };
                let group = outside.get_ref().1.negotiated_key_exchange_group();
                agreed.send(group.unwrap().name()).unwrap();
                let mut inside = TcpStream::connect(node).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    Behind { url, groups, task }
}

fn endpoint(url: &str, roots: &Roots) -> Endpoint {
    Endpoint::new("node".parse().unwrap(), url, Limits::default(), roots).unwrap()
}

async fn chain_id(url: &str, roots: &Roots) -> Result<u64, EndpointError> {
    let view = ChainView::new(CHAIN, vec![endpoint(url, roots)], 1, Finality::Finalized).unwrap();
    view.reported_chain_id().await.map_err(|unknown| unknown.failures[0].1.clone())
}

#[tokio::test]
async fn an_authority_that_is_named_vouches_for_its_endpoint() {
    let node = serve(genesis()).await;
    let authority = Authority::new();
    for (shown, group) in [
        (GOOD, NamedGroup::X25519MLKEM768),
        (Shown { version: &rustls::version::TLS12, ..GOOD }, NamedGroup::X25519),
    ] {
        let mut front = behind(&node, authority.config(&shown)).await;
        assert_eq!(chain_id(&front.url, &authority.roots()).await, Ok(CHAIN));
        assert_eq!(front.groups.recv().await, Some(group), "q1");
    }
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_is_refused() {
    let node = serve(genesis()).await;
    let (authority, other) = (Authority::new(), Authority::new());
    let named = Shown { name: "localhost", ..GOOD };
    let over = Shown { until: 2001, ..GOOD };
    let early = Shown { from: 3999, ..GOOD };
    for (signer, shown, reason) in [
        (&other, GOOD, Distrust::Authority),
        (&authority, named, Distrust::Name),
        (&authority, over, Distrust::Expired),
        (&authority, early, Distrust::NotYetValid),
    ] {
        let front = behind(&node, signer.config(&shown)).await;
        let refused = chain_id(&front.url, &authority.roots()).await.unwrap_err();
        assert_eq!(refused, EndpointError::Distrusted { reason });
        assert_eq!(refused.code(), "endpoint.distrusted");
    }
    let plain = node.url().replace("http://", "https://");
    let refused = chain_id(&plain, &authority.roots()).await.unwrap_err();
    assert_eq!(refused.code(), "endpoint.unreachable", "no TLS there: {refused}");
}

#[tokio::test]
async fn an_endpoint_that_is_not_trusted_counts_as_one_that_is_down() {
    let node = serve(genesis()).await;
    let (authority, other) = (Authority::new(), Authority::new());
    let mut fronts = Vec::new();
    for signer in [&authority, &authority, &other] {
        fronts.push(behind(&node, signer.config(&GOOD)).await);
    }
    let endpoints: Vec<_> = fronts.iter().map(|it| endpoint(&it.url, &authority.roots())).collect();
    let two = ChainView::new(CHAIN, endpoints.clone(), 2, Finality::Finalized).unwrap();
    assert_eq!(two.reported_chain_id().await, Ok(CHAIN));
    let three = ChainView::new(CHAIN, endpoints, 3, Finality::Finalized).unwrap();
    let unknown = three.reported_chain_id().await.unwrap_err();
    assert_eq!(unknown.failures.len(), 1);
    assert_eq!(unknown.failures[0].1.code(), "endpoint.distrusted");
}

#[test]
fn without_an_authority_there_is_no_encrypted_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let missing = folder.path().join("missing.pem");
    for path in [missing, file("empty.pem", ""), file("text.pem", "no certificate")] {
        let roots = Roots::File(path.clone());
        let name = || "node".parse().unwrap();
        let error = Endpoint::new(name(), "https://node.example", Limits::default(), &roots).unwrap_err();
        assert_eq!(error.code(), "transmit.roots");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert!(Endpoint::new(name(), "http://node.example", Limits::default(), &roots).is_ok());
    }
}
