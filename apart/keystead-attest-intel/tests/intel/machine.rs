//! A machine under a root of our own, and the authorities over it: what they say is Intel's, but for what a test changes, and signed anew.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystead_attest::Platform;
use keystead_attest_intel::IntelVerifier;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, RevokedCertParams, SerialNumber,
    SigningKey as _, date_time_ymd,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::collateral;

/// Serial numbers of its certificates.
pub(crate) const BETWEEN: u64 = 2;
pub(crate) const SIGNER: u64 = 3;
pub(crate) const MACHINE: u64 = 4;

/// What a test changes.
#[derive(Clone)]
pub(crate) struct Says {
    /// Of the machine's firmware.
    pub(crate) status: &'static str,
    /// The first byte of the program's attributes.
    pub(crate) flags: u8,
    /// The fourth byte, of a domain: `SEPT_VE_DISABLE`, without which the host reads by faults.
    pub(crate) security: u8,
    /// Each byte of what a domain of TDX 1.5 says of service domains, which can move it: zeros where none is bound. None is TDX 1.0.
    pub(crate) service: Option<u8>,
    /// The first byte of the quoting enclave's.
    pub(crate) quoting_flags: u8,
    /// What the program bound.
    pub(crate) data: [u8; 64],
    /// Certificates that the root revoked.
    pub(crate) revoked_by_root: Vec<u64>,
    /// Certificates that the authority of machines revoked.
    pub(crate) revoked_between: Vec<u64>,
    /// The last day of both lists, in June 2025.
    pub(crate) lists_until: u8,
}

pub(crate) struct Machine {
    platform: Platform,
    root_der: Vec<u8>,
    root: Issuer<'static, KeyPair>,
    between_der: Vec<u8>,
    between: Issuer<'static, KeyPair>,
    signer_der: Vec<u8>,
    signer: KeyPair,
    der: Vec<u8>,
    key: KeyPair,
    /// The quoting enclave's.
    attestation: KeyPair,
}

impl Machine {
    pub(crate) fn new(platform: Platform) -> Self {
        let [root_key, between_key, signer, key, attestation] = std::array::from_fn(|_| fresh());
        let root = authority("root", 1);
        let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
        let root = Issuer::new(root, root_key);
        let between = authority("between", BETWEEN);
        let between_der = between.signed_by(&between_key, &root).unwrap().der().to_vec();
        let between = Issuer::new(between, between_key);
        let signer_der = params("signer", SIGNER).signed_by(&signer, &root).unwrap().der().to_vec();
        let mut machine = params("machine", MACHINE);
        machine.custom_extensions = vec![CustomExtension::from_oid_content(SGX, extension(platform))];
        let der = machine.signed_by(&key, &between).unwrap().der().to_vec();
        Self { platform, root_der, root, between_der, between, signer_der, signer, der, key, attestation }
    }

    pub(crate) fn root(&self) -> Vec<u8> {
        self.root_der.clone()
    }

    /// With the firmware up to date, nobody revoked, and no debugger.
    pub(crate) fn says(&self) -> Says {
        let (flags, lists_until) = (if self.platform == Platform::Sgx { 0b101 } else { 0 }, 30);
        let (revoked_by_root, revoked_between) = Default::default();
        Says {
            status: "UpToDate",
            flags,
            security: 0x10,
            service: None,
            quoting_flags: 0x11,
            data: [5; 64],
            revoked_by_root,
            revoked_between,
            lists_until,
        }
    }

    pub(crate) fn verifier(&self, says: &Says) -> IntelVerifier {
        let genuine = genuine(self.platform);
        let mut info = parsed(&genuine["tcb_info"]);
        info["tcbLevels"][0]["tcbStatus"] = says.status.into();
        let signed = |text: &str| const_hex::encode(fixed(&self.signer.sign(text.as_bytes()).unwrap()));
        let (info, identity) = (info.to_string(), genuine["qe_identity"].as_str().unwrap());
        let chain = pem(&[&self.signer_der, &self.root_der]);
        let list = |by, revoked: &[u64]| const_hex::encode(list(by, revoked, says.lists_until));
        let collateral = json!({
            "pck_crl_issuer_chain": pem(&[&self.between_der, &self.root_der]),
            "root_ca_crl": list(&self.root, &says.revoked_by_root),
            "pck_crl": list(&self.between, &says.revoked_between),
            "tcb_info_issuer_chain": chain,
            "tcb_info": info,
            "tcb_info_signature": signed(&info),
            "qe_identity_issuer_chain": chain,
            "qe_identity": identity,
            "qe_identity_signature": signed(identity),
        });
        IntelVerifier::new(self.root(), collateral.to_string().as_bytes()).unwrap()
    }

    pub(crate) fn quote(&self, says: &Says) -> Vec<u8> {
        let signed = [header(self.platform, says), described(self.platform, says)].concat();
        let signature = fixed(&self.attestation.sign(&signed).unwrap());
        let key = &self.attestation.public_key_raw()[1..];
        let quoting = self.quoting_enclave(says, key);
        let certified = certification(5, pem(&[&self.der, &self.between_der, &self.root_der]).as_bytes());
        let by = fixed(&self.key.sign(&quoting).unwrap());
        let certified = [quoting, by, [32_u16.to_le_bytes().as_slice(), NOTE].concat(), certified].concat();
        let certified = if self.platform == Platform::Sgx { certified } else { certification(6, &certified) };
        let rest = [&signature, key, &certified].concat();
        [signed, u32::try_from(rest.len()).unwrap().to_le_bytes().to_vec(), rest].concat()
    }

    /// Its report, which the machine's key signs and which names the key that quotes are signed by.
    fn quoting_enclave(&self, says: &Says, key: &[u8]) -> Vec<u8> {
        let identity = parsed(&genuine(self.platform)["qe_identity"]);
        let mut report = vec![0; 384];
        report[48] = says.quoting_flags;
        report[128..160].copy_from_slice(&const_hex::decode(identity["mrsigner"].as_str().unwrap()).unwrap());
        report[256] = u8::try_from(identity["isvprodid"].as_u64().unwrap()).unwrap();
        report[258] = 200;
        report[320..352].copy_from_slice(&Sha256::digest([key, NOTE].concat()));
        report
    }
}

fn header(platform: Platform, says: &Says) -> Vec<u8> {
    let (version, hardware) = match (platform, says.service) {
        (Platform::Sgx, _) => (3, 0),
        (_, None) => (4, 0x81),
        (_, Some(_)) => (5, 0x81),
    };
    let vendor = const_hex::decode("939a7233f79c4ca9940a0db3957f0607").unwrap();
    [vec![version, 0, 2, 0, hardware, 0, 0, 0, 0, 0, 0, 0], vendor, vec![0; 20]].concat()
}

/// The report; of TDX 1.5 after its kind and length, and with what that adds.
fn described(platform: Platform, says: &Says) -> Vec<u8> {
    let body = body(platform, says);
    let Some(service) = says.service else { return body };
    let all = [&body, &body[..16], &[service; 48]].concat();
    let length = u32::try_from(all.len()).unwrap();
    [3_u16.to_le_bytes().as_slice(), &length.to_le_bytes(), &all].concat()
}

fn body(platform: Platform, says: &Says) -> Vec<u8> {
    let mut body = vec![7; if platform == Platform::Sgx { 384 } else { 584 }];
    let end = body.len() - 64;
    body[end..].copy_from_slice(&says.data);
    if platform == Platform::Sgx {
        body[48] = says.flags;
        return body;
    }
    // The version of the module, its signer (Intel's is written as zeros) and its attributes.
    body[..16].fill(0);
    (body[0], body[2]) = (5, 2);
    body[64..128].fill(0);
    (body[120], body[123]) = (says.flags, says.security);
    body
}

fn certification(kind: u16, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap();
    [kind.to_le_bytes().as_slice(), &length.to_le_bytes(), content].concat()
}

/// What Intel writes into the certificate of a machine: its id, its firmware, its model.
fn extension(platform: Platform) -> Vec<u8> {
    let model = parsed(&genuine(platform)["tcb_info"])["fmspc"].as_str().unwrap().to_owned();
    let field = |arcs: &[u8], value: Vec<u8>| {
        let oid = [&[0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01], arcs].concat();
        der(0x30, &[der(0x06, &oid), value].concat())
    };
    let firmware = [field(&[2, 17], der(0x02, &[13])), field(&[2, 18], der(0x04, &[0xff; 16]))].concat();
    let fields = [
        field(&[1], der(0x04, &[9; 16])),
        field(&[2], der(0x30, &firmware)),
        field(&[3], der(0x04, &[0; 2])),
        field(&[4], der(0x04, &const_hex::decode(model).unwrap())),
        field(&[5], der(0x0a, &[0])),
    ];
    der(0x30, &fields.concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [head, content.to_vec()].concat()
}

fn genuine(platform: Platform) -> Value {
    collateral(if platform == Platform::Sgx {
        "sgx_quote_collateral.json"
    } else {
        "tdx_quote_collateral.json"
    })
}

fn parsed(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

fn list(by: &Issuer<'static, KeyPair>, revoked: &[u64], until: u8) -> Vec<u8> {
    let entry = |serial: &u64| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: date_time_ymd(2025, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2025, 1, 1),
        next_update: date_time_ymd(2025, 6, until),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(by).unwrap().der().to_vec()
}

fn fresh() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn authority(name: &str, serial: u64) -> CertificateParams {
    let mut params = params(name, serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn params(name: &str, serial: u64) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(serial));
    params
}

fn pem(ders: &[&[u8]]) -> String {
    let one = |der: &&[u8]| {
        let text = STANDARD.encode(der);
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    ders.iter().map(one).collect()
}

/// `r || s` of a signature in DER.
fn fixed(der: &[u8]) -> Vec<u8> {
    let number = |der: &[u8]| {
        let length = usize::from(der[1]);
        let value = &der[2..2 + length];
        let value = value.strip_prefix(&[0]).unwrap_or(value);
        ([vec![0; 32 - value.len()], value.to_vec()].concat(), 2 + length)
    };
    let (r, used) = number(&der[2..]);
    let (s, _) = number(&der[2 + used..]);
    [r, s].concat()
}

/// 1.2.840.113741.1.13.1
const SGX: &[u64] = &[1, 2, 840, 113_741, 1, 13, 1];
/// What the quoting enclave signs beside its key.
const NOTE: &[u8] = &[3; 32];
