//! Vectors of specs/attestation.md: read by the product here, and recomputed by `specs/check.py`.
//!
//! `KEYSTEAD_BLESS=1 cargo test -p keystead-attest vectors` writes them anew: a change of form, which needs a new version in
//! its domain.

use keystead_base::{Canonical as _, ClusterId, Digest, Secret, Timestamp};
use keystead_fixture::vectors::{Vector, first, hold};
use keystead_keys::RecipientKey;
use keystead_policy::{DeviceProof, Enrolment, Holder};

use crate::tpm::{MarkKey, RollbackMark, TpmEvidence, TpmKey, TpmSeal};
use crate::{
    AllowList, AllowedProgram, EnrolmentChallenge, Platform, Released, Tcb, measurement, report_data,
};

#[test]
fn the_stored_vectors_are_what_is_computed_today() {
    let stored = hold("attestation", &vectors());
    first::<AllowList>(&stored);
    first::<Released>(&stored);
    first::<Enrolment>(&stored);
    first::<EnrolmentChallenge>(&stored);
    first::<TpmEvidence>(&stored);
    first::<TpmSeal>(&stored);
    first::<TpmKey>(&stored);
    first::<RollbackMark>(&stored);
}

fn vectors() -> Vec<Vector> {
    let key = RecipientKey::from_seed(&Secret::new([4; 32])).unwrap().public();
    let (nonce, raw) = (Digest([5; 32]), [&[0x91, 0, 0], [6; 32].as_slice()].concat());
    let program = measurement(Platform::Tpm, &raw);
    let bound = [nonce.as_bytes().as_slice(), key.as_bytes()].concat();
    let report = Vector::tagged("what evidence binds", "keystead/report-data/v1", &bound);
    assert_eq!(report.digest, Digest(report_data(&nonce, &key).0));
    let measured = Vector::tagged(
        "the measurement of PCRs 0, 4 and 7",
        "keystead/measurement/v1",
        &[&[0], raw.as_slice()].concat(),
    );
    assert_eq!(measured.digest, program);
    let enrolment = Enrolment {
        holder: Holder::Approver { person: "ana".parse().unwrap(), device: "key".parse().unwrap() },
        key: Digest([1; 32]),
        proof: DeviceProof::Fido { aaguid: [8; 16], credential: Digest([9; 32]) },
    };
    let numbered = Enrolment {
        proof: DeviceProof::FidoSerial { aaguid: [8; 16], serial: vec![1, 2, 3, 4] },
        ..enrolment.clone()
    };
    let asked =
        EnrolmentChallenge { holder: enrolment.holder.clone(), key: enrolment.key, nonce: Digest([2; 32]) };
    let token = token(&enrolment);
    vec![
        Vector::of("one program on a TPM, and a device that was taken out", &allow_list(program)),
        Vector::of("a release", &released(nonce, program)),
        report,
        measured,
        Vector::of("an approver's security key", &enrolment),
        device("the id of that device", &enrolment.proof, &enrolment),
        Vector::of("an approver's security key whose maker certifies its number", &numbered),
        Vector::of("an approver's token, which says that it is a program", &token),
        device("the id of that token: maker and number", &plain(&token.proof), &token),
        Vector::of("what a device binds", &asked),
        Vector::of("a quote", &TpmEvidence { quote: vec![1, 2, 3], signature: vec![4, 5] }),
        Vector::of("a seal", &seal()),
        Vector::of(
            "an identity key",
            &TpmKey { parent: vec![0, 11, 1], public: vec![2], private: vec![3; 4] },
        ),
        Vector::of("a mark", &RollbackMark::new(&mark_key(), 3, 1000, Digest([2; 32]))),
        Vector::of("the mark of a disk that people accepted", &RollbackMark::accepted(&mark_key(), 4)),
    ]
}

/// The id of the device of `enrolment`, which is that of `proof`.
fn device(name: &str, proof: &DeviceProof, enrolment: &Enrolment) -> Vector {
    let bytes = borsh::to_vec(proof).unwrap();
    let mut device = Vector::of(name, enrolment);
    device.domain = "keystead/device/v1".to_owned();
    device.json = serde_json::to_value(proof).unwrap();
    device.document = const_hex::encode([b"\x12keystead/device/v1".as_slice(), &bytes].concat());
    device.digest = enrolment.proof.device();
    device
}

fn token(enrolment: &Enrolment) -> Enrolment {
    let proof = DeviceProof::TokenKey {
        manufacturer: "SoftHSM project".to_owned(),
        model: "SoftHSM v2".to_owned(),
        serial: "0f1e2d3c4b5a6978".to_owned(),
        key: Digest([7; 32]),
        software: true,
    };
    Enrolment { proof, ..enrolment.clone() }
}

fn plain(proof: &DeviceProof) -> DeviceProof {
    let DeviceProof::TokenKey { manufacturer, serial, .. } = proof.clone() else { unreachable!() };
    DeviceProof::Token { manufacturer, serial }
}

fn allow_list(program: Digest) -> AllowList {
    AllowList {
        cluster: ClusterId(Digest([1; 32])),
        number: 1,
        previous: Digest([2; 32]),
        proposer: "dora".parse().unwrap(),
        expires: Timestamp(1_795_464_000_000),
        programs: vec![AllowedProgram { platform: Platform::Tpm, measurement: program, floor: Tcb(vec![7]) }],
        revoked: vec![Digest([3; 32])],
    }
}

fn released(nonce: Digest, measurement: Digest) -> Released {
    let list = allow_list(measurement).digest();
    Released {
        nonce,
        list,
        measurement,
        encapsulated: vec![1; 1120],
        tag: vec![2; 16],
        ciphertext: vec![3; 32],
    }
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

fn mark_key() -> MarkKey {
    MarkKey(Secret::new([7; 32]))
}
