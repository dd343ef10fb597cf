//! AWS Nitro Enclaves: a COSE document (RFC 9052) by the hypervisor's key, whose certificate leads to AWS's root.

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use keystead_base::{Digest, Timestamp};
use sha2::{Digest as _, Sha256};
use webpki::{KeyUsage, aws_lc_rs as webpki_algorithms};

use crate::cbor::{BYTES, TEXT, Value, string};
use crate::makers::p384_point;
use crate::{EvidenceError, Makers, Platform, Reason, Report, Tcb, Verifier, measurement};

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

    /// Checks the chain at this moment, and gives the key at its end. The certificates are good for hours, and nobody lists revoked ones.
    fn key(&self, document: &Document<'_>, now: Timestamp) -> Result<Vec<u8>, EvidenceError> {
        let (roots, intermediates) = (vec![self.root.clone()], document.bundle()?);
        let makers = Makers { roots, intermediates, revocations: Vec::new() };
        let certificate = document.bytes("certificate")?;
        makers.certify(certificate, KeyUsage::client_auth(), &[webpki_algorithms::ECDSA_P384_SHA384], now)
    }
}

impl Verifier for NitroVerifier {
    fn read(&self, evidence: &[u8], now: Timestamp) -> Result<Report, EvidenceError> {
        if evidence.len() > MAX_DOCUMENT {
            return Err(form("a document of at most 16 KiB", "a longer one"));
        }
        let signed = Envelope::read(evidence)?;
        let document = Document(Value::read(signed.payload)?);
        let key = self.key(&document, now)?;
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, p384_point(&key)?)
            .verify(&signed.message(), signed.signature)
            .map_err(|_| EvidenceError::Signature { reason: Reason::Words("ECDSA over P-384".to_owned()) })?;
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
struct Envelope<'a> {
    protected: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, EvidenceError> {
        let parts = match Value::read(bytes)? {
            Value::Tagged(COSE_SIGN1, inner) => *inner,
            other => other,
        };
        let Value::Array(parts) = parts else { return Err(form("COSE_Sign1", "no list")) };
        let [Value::Bytes(protected), Value::Map(_), Value::Bytes(payload), Value::Bytes(signature)] =
            *parts.as_slice()
        else {
            return Err(form("COSE_Sign1", "other parts"));
        };
        match Value::read(protected)?.get(&Value::Unsigned(ALGORITHM)) {
            Some(&ES384) => Ok(Self { protected, payload, signature }),
            _ => Err(form("a signature by ES384", "another algorithm")),
        }
    }

    /// What is signed (section 4.4).
    fn message(&self) -> Vec<u8> {
        let context = string(TEXT, b"Signature1");
        let parts = [self.protected, &[], self.payload].map(|part| string(BYTES, part));
        [&[ARRAY_OF_FOUR], context.as_slice(), &parts.concat()].concat()
    }
}

/// The map that the hypervisor signed.
struct Document<'a>(Value<'a>);

impl<'a> Document<'a> {
    fn field(&self, name: &'static str) -> Result<&Value<'a>, EvidenceError> {
        self.0.get(&Value::Text(name)).ok_or_else(|| form(name, "none, or several"))
    }

    fn bytes(&self, name: &'static str) -> Result<&'a [u8], EvidenceError> {
        match *self.field(name)? {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(form(name, "no bytes")),
        }
    }

    fn text(&self, name: &'static str) -> Result<&'a str, EvidenceError> {
        match *self.field(name)? {
            Value::Text(text) => Ok(text),
            _ => Err(form(name, "no text")),
        }
    }

    fn bundle(&self) -> Result<Vec<Vec<u8>>, EvidenceError> {
        let Value::Array(list) = self.field("cabundle")? else { return Err(form("cabundle", "no list")) };
        let read = |it: &Value<'_>| match it {
            Value::Bytes(der) => Some(der.to_vec()),
            _ => None,
        };
        list.iter().map(read).collect::<Option<_>>().ok_or_else(|| form("cabundle", "no certificates"))
    }

    fn pcr(&self, index: u64) -> Result<&'a [u8], EvidenceError> {
        match self.field("pcrs")?.get(&Value::Unsigned(index)) {
            Some(Value::Bytes(bytes)) if bytes.len() == 48 => Ok(bytes),
            _ => Err(form("PCR 0, 1 and 2 by SHA-384", "others")),
        }
    }
}

fn form(expected: &'static str, found: &str) -> EvidenceError {
    EvidenceError::Form { expected, found: found.to_owned() }
}

const COSE_SIGN1: u64 = 18;
const ARRAY_OF_FOUR: u8 = 0x84;
const ALGORITHM: u64 = 1;
/// −35.
const ES384: Value<'_> = Value::Negative(34);
const MAX_DOCUMENT: usize = 16 * 1024;
