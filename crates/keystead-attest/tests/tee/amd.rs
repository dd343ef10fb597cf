//! A report of a real Milan, from `sev`; and what no real one shows, by a chip of our own under a root of our own.

use keystead_attest::{AmdVerifier, Makers, Platform, Verifier as _};
use keystead_base::{Coded as _, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, RevokedCertParams, SerialNumber,
    SigningKey as _, date_time_ymd,
};

use super::{code, data, fixed};

/// 2025-11-24.
const NOW: Timestamp = Timestamp(1_764_000_000_000);
const YEAR: u64 = 365 * 86_400;

fn genuine() -> AmdVerifier {
    let (roots, intermediates) = (vec![data("ark_milan.der")], vec![data("ask_milan.der")]);
    AmdVerifier::new(Makers { roots, intermediates, revocations: Vec::new() }, data("vcek_milan.der"))
}

fn report() -> Vec<u8> {
    const_hex::decode(String::from_utf8(data("report_milan.hex")).unwrap().trim()).unwrap()
}

#[test]
fn a_genuine_report_of_sev_snp_is_read_and_a_tampered_one_refused() {
    let read = genuine().read(&report(), NOW).unwrap();
    assert_eq!(
        (read.platform, read.debug, read.data.as_slice()),
        (Platform::SevSnp, false, &report()[0x50..0x90])
    );
    assert_eq!(read.tcb.0, [3, 0, 8, 115]);
    // Whatever is signed: version, policy, level, data, measurement, firmware, chip, and the last byte.
    for at in [0, 4, 8, 0x30, 0x50, 0x90, 0x180, 0x1a0, 0x29f] {
        let mut altered = report();
        altered[at] ^= 1;
        assert_eq!(code(genuine().read(&altered, NOW)), "evidence.signature", "byte {at:#x}");
    }
    // The signature's own numbers, and what stands above them.
    for (at, refused) in
        [(0x2a0, "evidence.signature"), (0x2a0 + 48, "evidence.form"), (0x2a0 + 72, "evidence.signature")]
    {
        let mut altered = report();
        altered[at] ^= 1;
        assert_eq!(code(genuine().read(&altered, NOW)), refused, "byte {at:#x}");
    }
    for length in [0, 1183] {
        assert_eq!(code(genuine().read(&report()[..length], NOW)), "evidence.form");
    }
}

#[test]
fn a_key_that_amd_did_not_certify_or_not_for_this_moment_signs_nothing() {
    let makers = || Makers {
        roots: vec![data("ark_milan.der")],
        intermediates: vec![data("ask_milan.der")],
        revocations: vec![],
    };
    for at in [100, data("vcek_milan.der").len() - 1] {
        let mut forged = data("vcek_milan.der");
        forged[at] ^= 1;
        assert_eq!(code(AmdVerifier::new(makers(), forged).read(&report(), NOW)), "evidence.chain");
    }
    assert_eq!(code(AmdVerifier::new(makers(), vec![0x30, 0]).read(&report(), NOW)), "evidence.chain");
    let without = Makers { intermediates: Vec::new(), ..makers() };
    assert_eq!(
        code(AmdVerifier::new(without, data("vcek_milan.der")).read(&report(), NOW)),
        "evidence.chain"
    );
    // The chip's certificate is good from 2023 to 2030.
    assert_eq!(code(genuine().read(&report(), NOW.plus_seconds(5 * YEAR))), "evidence.chain");
    assert_eq!(code(genuine().read(&report(), Timestamp(0))), "evidence.chain");
    // One chip's key does not speak for another one's.
    assert_eq!(code(Chip::new().verifier(&[]).read(&report(), NOW)), "evidence.signature");
}

/// A chip under a root of our own.
struct Chip {
    makers: Makers,
    root: Issuer<'static, KeyPair>,
    vcek: Vec<u8>,
    key: KeyPair,
}

impl Chip {
    fn new() -> Self {
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let authority = |name: &str, serial: u64| {
            let mut params = params(name, serial);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            params
        };
        let (root_key, between_key, own) = (key(), key(), key());
        let (root, between) = (authority("ARK", 1), authority("ASK", 2));
        let roots = vec![root.self_signed(&root_key).unwrap().der().to_vec()];
        let root = Issuer::new(root, root_key);
        let intermediates = vec![between.signed_by(&between_key, &root).unwrap().der().to_vec()];
        let between = Issuer::new(between, between_key);
        let mut chip = params("VCEK", 0);
        let extension = |arcs: &[u64], content: Vec<u8>| {
            let oid = [[1, 3, 6, 1, 4, 1, 3704, 1].as_slice(), arcs].concat();
            CustomExtension::from_oid_content(&oid, content)
        };
        chip.custom_extensions = [(1, 3), (2, 0), (3, 8), (8, 115)]
            .map(|(of, version)| extension(&[3, of], vec![2, 1, version]))
            .to_vec();
        chip.custom_extensions.push(extension(&[4], vec![9; 64]));
        let vcek = chip.signed_by(&own, &between).unwrap().der().to_vec();
        Self { makers: Makers { roots, intermediates, revocations: Vec::new() }, root, vcek, key: own }
    }

    fn verifier(&self, lists: &[Vec<u8>]) -> AmdVerifier {
        AmdVerifier::new(Makers { revocations: lists.to_vec(), ..self.makers.clone() }, self.vcek.clone())
    }

    /// A signed report with some bytes of its own.
    fn report(&self, parts: &[(usize, u8)]) -> Vec<u8> {
        let mut report = vec![0; 0x4a0];
        report[0x34] = 1;
        report[0x50..0x90].fill(5);
        (report[0x180], report[0x186], report[0x187]) = (3, 8, 115);
        report[0x1a0..0x1e0].fill(9);
        for (at, byte) in parts {
            report[*at] = *byte;
        }
        let signature = fixed(&self.key.sign(&report[..0x2a0]).unwrap());
        for (number, at) in signature.chunks(48).zip([0x2a0, 0x2a0 + 72]) {
            let little: Vec<u8> = number.iter().rev().copied().collect();
            report[at..at + 48].copy_from_slice(&little);
        }
        report
    }

    /// AMD's list: in force through the year 2025.
    fn list(&self, revoked: &[u64]) -> Vec<u8> {
        let entry = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(2026, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.root).unwrap().der().to_vec()
    }
}

fn params(name: &str, serial: u64) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(serial));
    params
}

/// Each is signed by the chip itself.
#[test]
fn a_guest_that_others_look_into_says_so_and_firmware_that_amd_did_not_certify_is_refused() {
    let chip = Chip::new();
    let read = |parts: &[(usize, u8)]| chip.verifier(&[]).read(&chip.report(parts), NOW);
    assert!(!read(&[]).unwrap().debug);
    assert!(read(&[(0x0a, 1 << 3)]).unwrap().debug, "a debugger");
    assert!(read(&[(0x0a, 1 << 2)]).unwrap().debug, "a migration agent");
    assert!(!read(&[(0x0a, 0b11)]).unwrap().debug, "threads of one core, and the bit that is always set");
    // It says that its firmware is a newer one, or that it is another chip.
    for at in [0x180, 0x181, 0x186, 0x187, 0x1a0] {
        assert_eq!(code(read(&[(at, 200)])), "evidence.signature", "byte {at:#x}");
    }
    assert_eq!(code(read(&[(0x30, 1)])), "evidence.form", "privilege level 1");
    assert_eq!(code(read(&[(0x34, 2)])), "evidence.form", "another algorithm");
    assert_eq!(code(read(&[(0x48, 1 << 2)])), "evidence.form", "a key that is loaded (VLEK)");
}

#[test]
fn an_authority_that_amd_revoked_vouches_for_no_chip_and_an_old_list_for_nobody() {
    let chip = Chip::new();
    let report = chip.report(&[]);
    let read = |lists: &[Vec<u8>], now| {
        chip.verifier(lists).read(&report, now).map(drop).map_err(|error| error.code())
    };
    assert_eq!(read(&[chip.list(&[])], NOW), Ok(()));
    assert_eq!(read(&[chip.list(&[7])], NOW), Ok(()));
    assert_eq!(read(&[chip.list(&[2])], NOW), Err("evidence.revoked"));
    assert_eq!(read(&[chip.list(&[])], NOW.plus_seconds(YEAR)), Err("evidence.stale"));
    assert_eq!(read(&[Chip::new().list(&[])], NOW), Err("evidence.chain"), "a list of somebody else's");
}
