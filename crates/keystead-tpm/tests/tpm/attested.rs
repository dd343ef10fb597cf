//! Attested release, end to end: a program is booted, measured, allowed, upgraded, refused, and its device revoked.

use keystead_attest::tpm::{TpmIdentity, TpmVerifier};
use keystead_attest::{
    AllowList, AllowedProgram, Challenge, Custodian, Platform, ReleaseError, Rules, Tcb, Verifier as _,
    release, report_data,
};
use keystead_attest::{Attester as _, ReportData};
use keystead_base::{Canonical as _, ClusterId, Coded as _, Digest, Secret, Signed, Timestamp};
use keystead_fixture::{BIRTH, Desk, name, swtpm::Emulator};
use keystead_intent::{Approval, Verdict};
use keystead_keys::RecipientKey;
use keystead_policy::{Need, PolicyRef, Requirement};
use keystead_tpm::{Device, Tpm, TpmAttester};

use super::identity::{count, enrolled, makers};
use super::tpm;

const DAY: u64 = 86_400;
const SHARE: &[u8] = b"a share of a key";

struct Stage {
    emulator: Emulator,
    key: keystead_attest::tpm::TpmKey,
    identity: TpmIdentity,
    desk: Desk,
    custodian: Custodian,
    now: Timestamp,
}

impl Stage {
    /// One machine with program 1, which the founders' list allows.
    fn new() -> Self {
        let emulator = Emulator::start();
        let makers = makers(&emulator);
        let (key, identity) = {
            let mut tpm = tpm(&emulator);
            let mut device = Device::generate(&mut tpm).unwrap();
            let identity = enrolled(&mut device, &makers);
            (device.key().clone(), identity)
        };
        let pinned = AllowList {
            cluster: ClusterId(Digest([1; 32])),
            number: 0,
            previous: Digest::ZERO,
            proposer: name("dora"),
            expires: BIRTH.plus_seconds(365 * DAY),
            programs: Vec::new(),
            revoked: Vec::new(),
        };
        let custodian = Custodian::new(pinned.clone()).unwrap();
        let mut stage = Self { emulator, key, identity, desk: Desk::default(), custodian, now: BIRTH };
        stage.boot(1);
        let program = stage.running();
        stage.custodian = Custodian::new(AllowList { programs: vec![program], ..pinned }).unwrap();
        stage
    }

    fn boot(&mut self, program: u8) {
        self.emulator.reboot();
        self.emulator.measure(4, &[program; 32]);
    }

    fn evidence(&self, data: &ReportData) -> Vec<u8> {
        let mut tpm: Tpm = tpm(&self.emulator);
        let device = Device::load(&mut tpm, self.key.clone());
        TpmAttester { device, pcrs: "0,4,7".parse().unwrap() }.attest(data).unwrap()
    }

    fn verifier(&self) -> TpmVerifier {
        TpmVerifier::new(self.identity.clone(), "0,4,7".parse().unwrap())
    }

    /// What an allow list has to say of the program that runs.
    fn running(&self) -> AllowedProgram {
        let report = self.verifier().read(&self.evidence(&ReportData([0; 32])), self.now).unwrap();
        AllowedProgram { platform: Platform::Tpm, measurement: report.measurement, floor: report.tcb }
    }

    fn ask(&self) -> Result<Vec<u8>, ReleaseError> {
        self.ask_and_wait(0)
    }

    /// Some seconds pass between the answer and the release.
    fn ask_and_wait(&self, seconds: u64) -> Result<Vec<u8>, ReleaseError> {
        let challenge = Challenge::new(self.now, &mut count());
        let nonce = challenge.nonce();
        let key = RecipientKey::from_seed(&Secret::new([3; 32])).unwrap();
        let evidence = self.evidence(&report_data(&nonce, &key.public()));
        let attested = challenge.answer(&self.verifier(), &evidence, &key.public(), self.now).unwrap();
        let secret = Secret::new(SHARE.to_vec());
        let then = self.now.plus_seconds(seconds);
        let released = release(attested, &self.custodian, secret, then, &mut count())?;
        let other = RecipientKey::from_seed(&Secret::new([4; 32])).unwrap();
        assert_eq!(released.open(&other, &nonce).unwrap_err(), ReleaseError::Sealed);
        assert_eq!(released.open(&key, &Digest([9; 32])).unwrap_err(), ReleaseError::Sealed);
        Ok(released.open(&key, &nonce)?.expose().clone())
    }

    fn next(&self, change: impl FnOnce(&mut AllowList)) -> AllowList {
        let before = self.custodian.in_force();
        let mut next = AllowList { number: before.number + 1, previous: before.digest(), ..before.clone() };
        change(&mut next);
        next.programs.sort_by_key(|it| (it.platform, it.measurement));
        next
    }

    fn approvals(&self, list: &AllowList, who: &[&str]) -> Vec<Signed<Approval>> {
        let approve = |who: &&str| {
            let approval = Approval {
                cluster: list.cluster,
                request: list.request(),
                signing_digest: list.digest(),
                policy_version: 0,
                verdict: Verdict::Approve,
                person: name(who),
                device: name("laptop"),
                expires: self.now.plus_seconds(3600),
            };
            Signed::new(approval, name(who), &self.desk.person(who).signer).unwrap()
        };
        who.iter().map(approve).collect()
    }

    fn announce(&mut self, list: &AllowList) -> Result<(), &'static str> {
        self.announce_by(list, "dora", "dora")
    }

    /// In the name of one, with the key of another.
    fn announce_by(&mut self, list: &AllowList, signer: &str, key: &str) -> Result<(), &'static str> {
        let signed = Signed::new(list.clone(), name(signer), &self.desk.person(key).signer).unwrap();
        self.custodian.announce(signed, &self.desk.roster(), self.now).map_err(|error| error.code())
    }

    fn adopt(&mut self, list: &AllowList, who: &[&str]) -> Result<(), &'static str> {
        let needs = vec![Need { role: name("approver"), count: 2, factors: Vec::new() }];
        self.adopt_under(list, who, &Requirement { needs, delay_seconds: DAY, ..Requirement::default() })
    }

    fn adopt_under(
        &mut self,
        list: &AllowList,
        who: &[&str],
        requirement: &Requirement,
    ) -> Result<(), &'static str> {
        let approvals = self.approvals(list, who);
        let policy = PolicyRef { number: 0, digest: Digest([2; 32]) };
        let roster = self.desk.roster();
        let rules = Rules { requirement, policy, roster: &roster, max_lifetime_seconds: DAY };
        self.custodian.adopt(list, &approvals, &rules, self.now).map_err(|error| error.code())
    }
}

fn code(result: Result<Vec<u8>, ReleaseError>) -> &'static str {
    result.expect_err("it is refused").code()
}

#[test]
fn s09_a_share_is_released_to_what_people_allowed_across_an_upgrade_and_a_revocation() {
    let mut stage = Stage::new();
    assert_eq!(stage.ask().unwrap(), SHARE);
    assert_eq!(stage.ask_and_wait(60).unwrap(), SHARE);
    assert_eq!(code(stage.ask_and_wait(61)), "release.late");

    // Another program, which nobody allowed yet.
    stage.boot(2);
    assert_eq!(code(stage.ask()), "release.measurement");
    let program = stage.running();
    let upgrade = stage.next(|list| list.programs.push(program));
    assert_eq!(stage.adopt(&upgrade, &["ana", "ben"]), Err("allow.unannounced"));
    stage.announce(&upgrade).unwrap();
    assert_eq!(stage.adopt(&upgrade, &["ana", "ben"]), Err("quorum.waiting"), "the time lock");
    stage.now = stage.now.plus_seconds(DAY - 1);
    assert_eq!(stage.adopt(&upgrade, &["ana", "ben"]), Err("quorum.waiting"), "to its last second");
    stage.now = stage.now.plus_seconds(1);
    assert_eq!(stage.adopt(&upgrade, &["ana"]), Err("quorum.missing"));
    assert_eq!(stage.adopt(&upgrade, &["ana", "ana"]), Err("quorum.missing"));
    assert_eq!(code(stage.ask()), "release.measurement");
    stage.adopt(&upgrade, &["ana", "ben"]).unwrap();
    assert_eq!(stage.ask().unwrap(), SHARE);

    // The old one goes, at once: that takes people, and no delay.
    stage.boot(1);
    let old = stage.running();
    assert_eq!(stage.ask().unwrap(), SHARE, "both are allowed");
    let without = stage.next(|list| list.programs.retain(|it| it.measurement != old.measurement));
    stage.announce(&without).unwrap();
    assert_eq!(stage.adopt(&without, &["ana"]), Err("quorum.missing"));
    stage.adopt(&without, &["ana", "cleo"]).unwrap();
    assert_eq!(code(stage.ask()), "release.measurement");
    stage.boot(2);
    assert_eq!(stage.ask().unwrap(), SHARE);

    // Firmware with a known hole: a higher floor.
    let higher = stage.next(|list| {
        list.programs.iter_mut().for_each(|it| it.floor = Tcb(it.floor.0.iter().map(|it| it + 1).collect()));
    });
    let held = stage.custodian.in_force().clone();
    stage.announce(&higher).unwrap();
    stage.adopt(&higher, &["ben", "cleo"]).unwrap();
    assert_eq!(code(stage.ask()), "release.tcb");

    // The machine itself.
    stage.custodian = Custodian::new(held).unwrap();
    let device = stage.identity.device();
    let revoked = stage.next(|list| list.revoked.push(device));
    stage.announce(&revoked).unwrap();
    stage.adopt(&revoked, &["ana", "ben"]).unwrap();
    assert_eq!(code(stage.ask()), "release.device");
    // Nobody lets it in again without the time lock.
    let again = stage.next(|list| list.revoked.clear());
    stage.announce(&again).unwrap();
    assert_eq!(stage.adopt(&again, &["ana", "ben"]), Err("quorum.waiting"));
    stage.now = BIRTH.plus_seconds(366 * DAY);
    assert_eq!(code(stage.ask()), "release.expired");
}

#[test]
fn s09_no_policy_without_people_or_delay_lets_a_program_in() {
    let mut stage = Stage::new();
    stage.boot(2);
    let program = stage.running();
    let upgrade = stage.next(|list| list.programs.push(program));
    stage.announce(&upgrade).unwrap();
    stage.now = stage.now.plus_seconds(DAY);
    let needs = vec![Need { role: name("approver"), count: 1, factors: Vec::new() }];
    let nobody = Requirement { delay_seconds: DAY, ..Requirement::default() };
    let at_once = Requirement { needs, ..Requirement::default() };
    assert_eq!(stage.adopt_under(&upgrade, &["ana"], &nobody), Err("allow.lax"));
    assert_eq!(stage.adopt_under(&upgrade, &["ana"], &at_once), Err("allow.lax"));
    // Lists follow one another, and another one in between begins its time lock anew.
    let gap = AllowList { number: 2, ..upgrade.clone() };
    assert_eq!(stage.announce(&gap), Err("allow.order"));
    let fork = AllowList { previous: Digest::ZERO, ..upgrade.clone() };
    assert_eq!(stage.announce(&fork), Err("allow.order"));
    let other = AllowList { cluster: ClusterId(Digest([2; 32])), ..upgrade.clone() };
    assert_eq!(stage.announce(&other), Err("allow.cluster"));
    let twice = stage.next(|list| list.programs.push(list.programs[0].clone()));
    assert_eq!(stage.announce(&twice), Err("allow.form"));
    let rival = AllowList { proposer: name("eve"), ..upgrade.clone() };
    stage.announce_by(&rival, "eve", "eve").unwrap();
    assert_eq!(stage.adopt(&upgrade, &["ana", "ben"]), Err("allow.unannounced"));
    stage.announce(&upgrade).unwrap();
    assert_eq!(stage.adopt(&upgrade, &["ana", "ben"]), Err("quorum.waiting"));
}

#[test]
fn an_answer_counts_once_in_time_and_for_its_key_alone() {
    let stage = Stage::new();
    let (key, other) =
        ([3, 4]).map(|it| RecipientKey::from_seed(&Secret::new([it; 32])).unwrap().public()).into();
    let asked = || Challenge::new(stage.now, &mut count());
    let evidence = stage.evidence(&report_data(&asked().nonce(), &key));
    let code = |challenge: Challenge, key, now| {
        challenge.answer(&stage.verifier(), &evidence, key, now).map(drop).map_err(|error| error.code())
    };
    assert_eq!(code(asked(), &key, stage.now.plus_seconds(60)), Ok(()));
    assert_eq!(code(asked(), &key, stage.now.plus_seconds(61)), Err("evidence.late"));
    assert_eq!(code(asked(), &key, stage.now.minus_seconds(1)), Err("evidence.late"));
    assert_eq!(code(asked(), &other, stage.now), Err("evidence.binding"));
    // Evidence for an earlier challenge.
    let fresh = Challenge::new(stage.now, &mut |bytes: &mut [u8]| bytes.fill(7));
    assert_eq!(code(fresh, &key, stage.now), Err("evidence.binding"));
}

/// Whoever proposes does not count: so nobody proposes in another's name.
#[test]
fn s11_a_list_is_proposed_by_who_signed_it_and_approved_by_others() {
    let mut stage = Stage::new();
    stage.boot(2);
    let program = stage.running();
    let upgrade = stage.next(|list| list.programs.push(program));
    assert_eq!(stage.announce_by(&upgrade, "ana", "ana"), Err("allow.proposer"));
    assert_eq!(stage.announce_by(&upgrade, "dora", "ana"), Err("allow.signature"));
    let stranger = AllowList { proposer: name("nobody"), ..upgrade.clone() };
    assert_eq!(stage.announce_by(&stranger, "nobody", "ana"), Err("allow.unknown"));
    let own = AllowList { proposer: name("ana"), ..upgrade };
    stage.announce_by(&own, "ana", "ana").unwrap();
    stage.now = stage.now.plus_seconds(DAY);
    assert_eq!(stage.adopt(&own, &["ana", "ben"]), Err("quorum.missing"), "the proposer does not count");
    stage.adopt(&own, &["ben", "cleo"]).unwrap();
    assert_eq!(stage.ask().unwrap(), SHARE);
}
