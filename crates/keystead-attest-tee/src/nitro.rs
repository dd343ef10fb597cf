//! AWS Nitro Enclaves: a COSE document (RFC 9052) by the hypervisor's key, whose certificate leads to AWS's root.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use ciborium::Value;
use keystead_attest::{EvidenceError, Platform, Report, Tcb, Verifier, measurement};
use keystead_base::{Digest, Timestamp};
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest as _, Sha256};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, aws_lc_rs};

/// Reads documents of enclaves under one root.
#[derive(Clone, Debug)]
pub struct NitroVerifier {
    root: Vec<u8>,
}

impl NitroVerifier {
    /// Under this root certificate, in DER: AWS publishes its own.
    #[must_use]
    pub fn new(root: Vec<u8>) -> Self {
        Self { root }
    }

    /// Checks the chain at this moment, and gives the point of the key at its end.
    fn key(&self, document: &Document, now: Timestamp) -> Result<Vec<u8>, EvidenceError> {
        let root = CertificateDer::from(self.root.as_slice());
        let anchor = anchor_from_trusted_cert(&root).map_err(chain)?;
        let certificate = CertificateDer::from(document.bytes("certificate")?);
        let between: Vec<CertificateDer<'_>> = document.bundle()?;
        let leaf = EndEntityCert::try_from(&certificate).map_err(chain)?;
        let at = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
        let usage = KeyUsage::client_auth();
        let algorithms = &[aws_lc_rs::ECDSA_P384_SHA384];
        leaf.verify_for_usage(algorithms, &[anchor], &between, at, usage, None, None).map_err(chain)?;
        let key = leaf.subject_public_key_info();
        let point = key.len().checked_sub(P384_POINT).and_then(|start| key.get(start..));
        point.map(<[u8]>::to_vec).ok_or_else(|| form("a key on P-384", "a shorter one"))
    }
}

impl Verifier for NitroVerifier {
    fn read(&self, evidence: &[u8], now: Timestamp) -> Result<Report, EvidenceError> {
        if evidence.len() > MAX_DOCUMENT {
            return Err(form("a document of at most 16 KiB", "a longer one"));
        }
        let signed = Envelope::read(evidence)?;
        let document = Document::read(&signed.payload)?;
        let key = self.key(&document, now)?;
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &key)
            .verify(&signed.message()?, &signed.signature)
            .map_err(|_| EvidenceError::Signature { reason: "ECDSA over P-384".to_owned() })?;
        let pcrs = [document.pcr(0)?, document.pcr(1)?, document.pcr(2)?];
        let module = document.text("module_id")?;
        Ok(Report {
            platform: Platform::Nitro,
            measurement: measurement(Platform::Nitro, &pcrs.concat()),
            tcb: Tcb(vec![0]),
            // An enclave in debug mode is measured as zeros.
            debug: pcrs.iter().any(|pcr| pcr.iter().all(|byte| *byte == 0)),
            device: Digest(Sha256::digest(module.as_bytes()).into()),
            data: document.bytes("user_data")?.to_vec(),
        })
    }
}

/// `COSE_Sign1`: protected header, unprotected header, payload, signature.
struct Envelope {
    protected: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl Envelope {
    fn read(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let mut parts = match parse(bytes)? {
            Value::Tag(18, inner) => *inner,
            other => other,
        };
        let parts = parts.as_array_mut().map(std::mem::take).unwrap_or_default();
        let [Value::Bytes(protected), Value::Map(_), Value::Bytes(payload), Value::Bytes(signature)] =
            <[Value; 4]>::try_from(parts).map_err(|_| form("COSE_Sign1", "another structure"))?
        else {
            return Err(form("COSE_Sign1", "other parts"));
        };
        let header = parse(&protected)?;
        let named = header.as_map().and_then(|map| map.iter().find(|(key, _)| *key == Value::from(1)));
        match named {
            Some((_, algorithm)) if *algorithm == Value::from(ES384) => Ok(Self { protected, payload, signature }),
            _ => Err(form("a signature by ES384", "another algorithm")),
        }
    }

    /// What is signed (section 4.4).
    fn message(&self) -> Result<Vec<u8>, EvidenceError> {
        let parts = [
            Value::Text("Signature1".to_owned()),
            Value::Bytes(self.protected.clone()),
            Value::Bytes(Vec::new()),
            Value::Bytes(self.payload.clone()),
        ];
        let mut bytes = Vec::new();
        ciborium::into_writer(&Value::Array(parts.to_vec()), &mut bytes)
            .map_err(|error| form("an encoding", &error.to_string()))?;
        Ok(bytes)
    }
}

/// The map that the hypervisor signed.
struct Document(Vec<(Value, Value)>);

impl Document {
    fn read(payload: &[u8]) -> Result<Self, EvidenceError> {
        match parse(payload)? {
            Value::Map(map) => Ok(Self(map)),
            _ => Err(form("an attestation document", "another structure")),
        }
    }

    fn field(&self, name: &'static str) -> Result<&Value, EvidenceError> {
        let mut found = self.0.iter().filter(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value);
        match (found.next(), found.next()) {
            (Some(value), None) => Ok(value),
            _ => Err(form(name, "none, or several")),
        }
    }

    fn bytes(&self, name: &'static str) -> Result<&[u8], EvidenceError> {
        self.field(name)?.as_bytes().map(Vec::as_slice).ok_or_else(|| form(name, "no bytes"))
    }

    fn text(&self, name: &'static str) -> Result<&str, EvidenceError> {
        self.field(name)?.as_text().ok_or_else(|| form(name, "no text"))
    }

    fn bundle(&self) -> Result<Vec<CertificateDer<'_>>, EvidenceError> {
        let list = self.field("cabundle")?.as_array().ok_or_else(|| form("cabundle", "no list"))?;
        let read = |it: &Value| it.as_bytes().map(|der| CertificateDer::from(der.clone()));
        list.iter().map(read).collect::<Option<_>>().ok_or_else(|| form("cabundle", "no certificates"))
    }

    fn pcr(&self, index: u8) -> Result<&[u8], EvidenceError> {
        let map = self.field("pcrs")?.as_map().ok_or_else(|| form("pcrs", "no map"))?;
        let found = map.iter().find(|(key, _)| *key == Value::from(index));
        let bytes = found.and_then(|(_, value)| value.as_bytes()).filter(|bytes| bytes.len() == 48);
        bytes.map(Vec::as_slice).ok_or_else(|| form("PCR 0, 1 and 2 by SHA-384", "others"))
    }
}

fn parse(bytes: &[u8]) -> Result<Value, EvidenceError> {
    let mut rest = bytes;
    let value = ciborium::from_reader(&mut rest).map_err(|error| form("CBOR", &error.to_string()))?;
    if rest.is_empty() { Ok(value) } else { Err(form("the end of CBOR", "bytes behind it")) }
}

fn form(expected: &'static str, found: &str) -> EvidenceError {
    EvidenceError::Form { expected, found: found.to_owned() }
}

fn chain(error: webpki::Error) -> EvidenceError {
    EvidenceError::Chain { reason: error.to_string() }
}

const ES384: i64 = -35;
const P384_POINT: usize = 97;
const MAX_DOCUMENT: usize = 16 * 1024;
