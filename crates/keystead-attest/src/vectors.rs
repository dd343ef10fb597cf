//! Vectors of specs/attestation.md: read by the product here, and recomputed by `specs/check.py`.
//!
//! `KEYSTEAD_BLESS=1 cargo test -p keystead-attest vectors` writes them anew: a change of form, which needs a new version in
//! its domain.

use std::path::Path;

use keystead_base::{Canonical, ClusterId, Digest, Secret, Timestamp, tagged_hash};
use keystead_keys::RecipientKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::tpm::{MarkKey, RollbackMark, TpmEvidence, TpmKey, TpmSeal};
use crate::{
    AllowList, AllowedProgram, DeviceProof, Enrolment, Holder, Platform, Released, Tcb, measurement,
    report_data,
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/attestation.json");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vector {
    name: String,
    domain: String,
    json: serde_json::Value,
    document: String,
    digest: Digest,
}

#[test]
fn the_stored_vectors_are_what_is_computed_today() {
    let today = vectors();
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        std::fs::write(Path::new(FILE), serde_json::to_string_pretty(&today).unwrap() + "\n").unwrap();
    }
    let stored: Vec<Vector> = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    assert_eq!(stored, today);
    read::<AllowList>(&stored);
    read::<Released>(&stored);
    read::<Enrolment>(&stored);
    read::<TpmEvidence>(&stored);
    read::<TpmSeal>(&stored);
    read::<TpmKey>(&stored);
    read::<RollbackMark>(&stored);
}

fn read<T: Canonical + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(stored: &[Vector]) {
    let vector = stored.iter().find(|it| it.domain == T::DOMAIN).unwrap();
    let document = const_hex::decode(&vector.document).unwrap();
    let value = T::from_document(&document).unwrap();
    assert_eq!(value.digest(), vector.digest);
    assert_eq!(serde_json::from_value::<T>(vector.json.clone()).unwrap(), value);
    for cut in [document.len() - 1, document.len() / 2, 1, 0] {
        assert!(T::from_document(&document[..cut]).is_err(), "{} cut to {cut} bytes", vector.name);
    }
}

fn vectors() -> Vec<Vector> {
    let key = RecipientKey::from_seed(&Secret::new([4; 32])).unwrap().public();
    let (nonce, raw) = (Digest([5; 32]), [&[0x91, 0, 0], [6; 32].as_slice()].concat());
    let program = measurement(Platform::Tpm, &raw);
    let bound = [nonce.as_bytes().as_slice(), key.as_bytes()].concat();
    let report = tagged("what evidence binds", "keystead/report-data/v1", &bound);
    assert_eq!(report.digest, Digest(report_data(&nonce, &key).0));
    let measured =
        tagged("the measurement of PCRs 0, 4 and 7", "keystead/measurement/v1", &[&[0], raw.as_slice()].concat());
    assert_eq!(measured.digest, program);
    let enrolment = Enrolment {
        cluster: ClusterId(Digest([1; 32])),
        holder: Holder::Approver { person: "ana".parse().unwrap(), device: "key".parse().unwrap() },
        proof: DeviceProof::Fido { aaguid: [8; 16], credential: Digest([9; 32]) },
    };
    let mut device = vector("the id of that device", &enrolment);
    device.domain = "keystead/device/v1".to_owned();
    device.json = serde_json::to_value(&enrolment.proof).unwrap();
    let bytes = borsh::to_vec(&enrolment.proof).unwrap();
    device.document = const_hex::encode([b"\x12keystead/device/v1".as_slice(), &bytes].concat());
    device.digest = enrolment.proof.device();
    vec![
        vector("one program on a TPM, and a device that was taken out", &allow_list(program)),
        vector("a release", &released(nonce, program)),
        report,
        measured,
        vector("an approver's security key", &enrolment),
        device,
        vector("a quote", &TpmEvidence { quote: vec![1, 2, 3], signature: vec![4, 5] }),
        vector("a seal", &seal()),
        vector("an identity key", &TpmKey { parent: vec![0, 11, 1], public: vec![2], private: vec![3; 4] }),
        vector("a mark", &RollbackMark::new(&MarkKey(Secret::new([7; 32])), 3, 1000, Digest([2; 32]))),
    ]
}

fn allow_list(program: Digest) -> AllowList {
    AllowList {
        cluster: ClusterId(Digest([1; 32])),
        number: 1,
        previous: Digest([2; 32]),
        proposer: "dora".parse().unwrap(),
        expires: Timestamp(1_795_464_000_000),
        programs: vec![AllowedProgram {
            platform: Platform::Tpm,
            measurement: program,
            floor: Tcb(vec![7]),
        }],
        revoked: vec![Digest([3; 32])],
    }
}

fn released(nonce: Digest, measurement: Digest) -> Released {
    let list = allow_list(measurement).digest();
    Released { nonce, list, measurement, encapsulated: vec![1; 1120], tag: vec![2; 16], ciphertext: vec![3; 32] }
}

fn seal() -> TpmSeal {
    TpmSeal {
        pcrs: "0,4,7".parse().unwrap(),
        parent: vec![0, 11, 1],
        counter: 0x0180_4b53,
        public: vec![2, 3],
        private: vec![4; 8],
    }
}

fn tagged(name: &str, domain: &str, bytes: &[u8]) -> Vector {
    let length = u8::try_from(domain.len()).unwrap();
    Vector {
        name: name.to_owned(),
        domain: domain.to_owned(),
        json: serde_json::to_value(const_hex::encode(bytes)).unwrap(),
        document: const_hex::encode([&[length], domain.as_bytes(), bytes].concat()),
        digest: tagged_hash(domain, bytes),
    }
}

fn vector<T: Canonical + Serialize>(name: &str, value: &T) -> Vector {
    Vector {
        name: name.to_owned(),
        domain: T::DOMAIN.to_owned(),
        json: serde_json::to_value(value).unwrap(),
        document: const_hex::encode(value.to_document()),
        digest: value.digest(),
    }
}
