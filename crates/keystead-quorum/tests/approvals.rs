//! Approvals, vetoes and freezes against the strict checks, and each attack with its check taken out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use keystead_base::{
    ClusterId, Coded as _, Digest, HYBRID_SEED_BYTES, HybridPublicKey, HybridSigner, Name, RequestId, Secret,
    Signed, Timestamp,
};
use keystead_intent::{Approval, Freeze, Verdict, Veto};
use keystead_policy::{Device, Factor, Need, Person, PolicyRef, Requirement, Roster, TransportKey};
use keystead_quorum::{
    Authorization, Checks, Context, MAX_APPROVALS, Refusal, Shortfall, Strict, Verified, authorize,
    verify_freeze, verify_one, verify_veto,
};

const CLUSTER: ClusterId = ClusterId(Digest([1; 32]));
const REQUEST: RequestId = RequestId(Digest([2; 32]));
const DIGEST: Digest = Digest([3; 32]);
const POLICY: PolicyRef = PolicyRef { number: 7, digest: Digest([4; 32]) };
const ANNOUNCED: Timestamp = Timestamp(1_000_000);
const LIFETIME: u64 = 3600;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn signer(byte: u8) -> HybridSigner {
    HybridSigner::from_seed(&Secret::new([byte; HYBRID_SEED_BYTES])).unwrap()
}

/// Whose device has which key.
fn key_of(person: &str, device: &str) -> HybridSigner {
    let place = ["ana", "ben", "cleo", "desk", "eve"].iter().position(|it| *it == person).unwrap();
    signer(10 * u8::try_from(place + 1).unwrap() + u8::from(device != "laptop"))
}

fn person(who: &str, roles: &[&str]) -> Person {
    let device = |text: &str| Device {
        name: name(text),
        factor: Factor::Software,
        key: key_of(who, text).public().clone(),
        transport: TransportKey(Digest::ZERO),
    };
    let roles = roles.iter().map(|role| name(role)).collect();
    Person { name: name(who), roles, devices: vec![device("laptop"), device("phone")], recipient: None }
}

fn roster() -> Roster {
    Roster {
        quorum: 1,
        nodes: Vec::new(),
        services: Vec::new(),
        people: vec![
            person("ana", &["approver", "officer"]),
            person("ben", &["approver"]),
            person("cleo", &["clerk"]),
            person("desk", &["approver"]),
            person("eve", &["freezer", "vetoer"]),
        ],
        devices: None,
    }
}

fn need(role: &str, count: u32) -> Need {
    Need { role: name(role), count, factors: Vec::new() }
}

fn requirement(needs: &[Need], delay_seconds: u64) -> Requirement {
    Requirement { needs: needs.to_vec(), delay_seconds, vetoers: vec![name("vetoer")], rows: Vec::new() }
}

struct Scene {
    roster: Roster,
    requester: Name,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        Self { roster: roster(), requester: name("desk"), now: ANNOUNCED.plus_seconds(60) }
    }

    fn context(&self) -> Context<'_> {
        Context {
            cluster: CLUSTER,
            request: REQUEST,
            signing_digest: DIGEST,
            policy: POLICY,
            requester: &self.requester,
            announced: ANNOUNCED,
            expires: ANNOUNCED.plus_seconds(1000),
            now: self.now,
            max_lifetime_seconds: LIFETIME,
            roster: &self.roster,
        }
    }

    fn authorize(
        &self,
        requirement: &Requirement,
        approvals: &[Signed<Approval>],
    ) -> Result<Authorization, Shortfall> {
        authorize(requirement, &self.context(), approvals, &Strict)
    }
}

fn body(person: &str, device: &str) -> Approval {
    Approval {
        cluster: CLUSTER,
        request: REQUEST,
        signing_digest: DIGEST,
        policy_version: POLICY.number,
        verdict: Verdict::Approve,
        person: name(person),
        device: name(device),
        expires: ANNOUNCED.plus_seconds(500),
    }
}

fn sign(body: Approval) -> Signed<Approval> {
    let key = key_of(body.person.as_str(), body.device.as_str());
    let signer = body.person.clone();
    Signed::new(body, signer, &key).unwrap()
}

fn yes(person: &str) -> Signed<Approval> {
    sign(body(person, "laptop"))
}

fn changed(change: impl FnOnce(&mut Approval)) -> Signed<Approval> {
    let mut body = body("ana", "laptop");
    change(&mut body);
    sign(body)
}

#[test]
fn s11_an_approval_counts_only_as_it_was_given() {
    let scene = Scene::new();
    let mut unsigned = yes("ana");
    unsigned.body.expires = ANNOUNCED.plus_seconds(501);
    let mut other_signer = yes("ana");
    other_signer.signer = name("ben");
    let foreign = Signed::new(body("ana", "laptop"), name("ana"), &signer(99)).unwrap();
    let unknown_device = Signed::new(body("ana", "watch"), name("ana"), &signer(10)).unwrap();
    let unknown_person = Signed::new(
        Approval { person: name("mallory"), ..body("ana", "laptop") },
        name("mallory"),
        &signer(10),
    )
    .unwrap();
    for (signed, code) in [
        (changed(|it| it.cluster = ClusterId(Digest([9; 32]))), "approval.cluster"),
        (changed(|it| it.request = RequestId(Digest([9; 32]))), "approval.request"),
        (changed(|it| it.signing_digest = Digest([9; 32])), "approval.digest"),
        (changed(|it| it.policy_version = 6), "approval.policy"),
        (changed(|it| it.policy_version = 8), "approval.policy"),
        (changed(|it| it.expires = ANNOUNCED.plus_seconds(59)), "approval.expired"),
        (changed(|it| it.expires = ANNOUNCED.plus_seconds(60 + LIFETIME + 1)), "approval.lives_too_long"),
        (yes("desk"), "approval.requester"),
        (unknown_device, "approval.not_enrolled"),
        (unknown_person, "approval.not_enrolled"),
        (other_signer, "approval.signer"),
        (unsigned, "approval.signature"),
        (foreign, "approval.signature"),
    ] {
        assert_eq!(verify_one(&signed, &scene.context(), &Strict).unwrap_err().code(), code);
        let refused = scene.authorize(&requirement(&[need("approver", 1)], 0), &[signed]).unwrap_err();
        assert_eq!((refused.code(), refused.refused[0].refusal.code()), ("quorum.missing", code));
    }
    for expires in [ANNOUNCED.plus_seconds(60), ANNOUNCED.plus_seconds(60 + LIFETIME)] {
        let signed = changed(|it| it.expires = expires);
        assert!(verify_one(&signed, &scene.context(), &Strict).is_ok(), "the last moment counts");
    }
}

#[test]
fn s11_people_are_counted_and_devices_are_not() {
    let scene = Scene::new();
    let both = [need("approver", 1), need("officer", 1)];
    let phone = || sign(body("ana", "phone"));
    for (needs, approvals, missing) in [
        (vec![], vec![], 0),
        (vec![need("approver", 2)], vec![yes("ana"), yes("ben")], 0),
        (vec![need("approver", 2)], vec![yes("ana")], 1),
        (vec![need("approver", 2)], vec![yes("ana"), yes("ana")], 1),
        (vec![need("approver", 2)], vec![yes("ana"), phone()], 1),
        (vec![need("approver", 2)], vec![yes("ana"), yes("cleo")], 1),
        (vec![need("approver", 2)], vec![yes("ana"), yes("desk")], 1),
        (both.to_vec(), vec![yes("ana")], 1),
        (both.to_vec(), vec![yes("ana"), yes("ben")], 0),
        (both.to_vec(), vec![yes("ben"), yes("ana")], 0),
    ] {
        let found = scene.authorize(&requirement(&needs, 0), &approvals);
        let found = found.map_or_else(|it| it.missing.iter().map(|need| need.count).sum(), |_| 0_u32);
        assert_eq!(found, missing, "{needs:?}");
    }
}

#[test]
fn s11_a_yes_that_fills_no_need_is_refused() {
    let scene = Scene::new();
    let refused = |needs: &[Need], who: &str| {
        let found = scene.authorize(&requirement(needs, 61), &[yes(who)]).unwrap_err();
        found.refused.first().map(|it| (it.refusal.code(), it.refusal.to_string()))
    };
    let both = [need("approver", 1), need("officer", 1)];
    assert_eq!(refused(&both, "ana"), None);
    assert_eq!(refused(&both, "ben"), None);
    let text = "`cleo` fills no need of this request: it needs `approver`, `officer`, with the factors that policy asks for";
    assert_eq!(refused(&both, "cleo"), Some(("approval.not_needed", text.to_owned())));
    assert_eq!(refused(&[need("officer", 1)], "ben").unwrap().0, "approval.not_needed");
    let text = "`ana` fills no need of this request: it needs nobody's approval";
    assert_eq!(refused(&[], "ana"), Some(("approval.not_needed", text.to_owned())));
}

#[test]
fn s11_one_key_under_two_names_counts_once() {
    let mut scene = Scene::new();
    let key = scene.roster.people[0].devices[0].key.clone();
    scene.roster.people[1].devices[0].key = key;
    let ben = Signed::new(body("ben", "laptop"), name("ben"), &key_of("ana", "laptop")).unwrap();
    let refused = scene.authorize(&requirement(&[need("approver", 2)], 0), &[yes("ana"), ben]).unwrap_err();
    assert_eq!(refused.refused[0].refusal.code(), "approval.same_device");
}

#[test]
fn delays_rejections_and_expiry_stop() {
    let mut scene = Scene::new();
    let no = |who: &str| sign(Approval { verdict: Verdict::Reject, ..body(who, "laptop") });
    let one = |delay| requirement(&[need("approver", 1)], delay);
    for (delay, approvals, code) in [
        (60, vec![yes("ana")], None),
        (61, vec![yes("ana")], Some("quorum.waiting")),
        (61, vec![], Some("quorum.missing")),
        (0, vec![yes("ana"), no("ben")], Some("quorum.rejected")),
        (0, vec![yes("ana"), no("ana")], Some("quorum.rejected")),
        (0, vec![yes("ana"), no("eve")], Some("quorum.rejected")),
        (0, vec![yes("ana"), no("cleo")], None),
    ] {
        let found = scene.authorize(&one(delay), &approvals);
        assert_eq!(found.as_ref().err().map(|it| it.code()), code, "{found:?}");
    }
    scene.now = ANNOUNCED.plus_seconds(1001);
    let late = scene.authorize(&requirement(&[], 0), &[]).unwrap_err();
    assert!(late.is_final() && late.to_string().contains("expired"));
}

#[test]
fn s11_only_so_many_approvals_are_looked_at() {
    let flood: Vec<_> = (0..MAX_APPROVALS).map(|_| changed_cheaply()).chain([yes("ana")]).collect();
    let refused = Scene::new().authorize(&requirement(&[need("approver", 1)], 0), &flood).unwrap_err();
    assert_eq!(refused.refused.last().unwrap().refusal.code(), "approval.too_many");
}

/// Refused before its signature is looked at.
fn changed_cheaply() -> Signed<Approval> {
    static ONE: std::sync::LazyLock<Signed<Approval>> =
        std::sync::LazyLock::new(|| changed(|it| it.policy_version = 1));
    ONE.clone()
}

#[test]
fn s03_an_authorization_fits_one_digest_one_policy_and_one_time() {
    let scene = Scene::new();
    let authorization = || scene.authorize(&requirement(&[need("approver", 1)], 0), &[yes("ana")]).unwrap();
    let expires = ANNOUNCED.plus_seconds(500);
    assert_eq!((authorization().request(), authorization().expires()), (REQUEST, expires));
    let other = PolicyRef { digest: Digest([9; 32]), ..POLICY };
    for (digest, policy, now, code) in [
        (DIGEST, POLICY, expires, None),
        (Digest([9; 32]), POLICY, expires, Some("authorization.digest")),
        (DIGEST, other, expires, Some("authorization.policy")),
        (DIGEST, POLICY, Timestamp(expires.0 + 1), Some("authorization.expired")),
    ] {
        let found = authorization().redeem(digest, policy, now);
        assert_eq!(found.as_ref().err().map(|it| it.code()), code);
        if let Ok(granted) = found {
            let who: Vec<_> = granted.endorsements.iter().map(|it| it.person.as_str()).collect();
            assert_eq!(who, ["ana"], "only those that were needed");
        }
    }
}

#[test]
fn s14_a_freeze_takes_one_enrolled_freezer() {
    let freeze = |who: &str, seconds| Freeze {
        cluster: CLUSTER,
        key: None,
        person: name(who),
        device: name("laptop"),
        expires: ANNOUNCED.plus_seconds(seconds),
    };
    let sign = |body: Freeze, key: &HybridSigner| Signed::new(body.clone(), body.person, key).unwrap();
    let eve = key_of("eve", "laptop");
    let other = Freeze { cluster: ClusterId(Digest::ZERO), ..freeze("eve", 60) };
    let watch = Freeze { device: name("watch"), ..freeze("eve", 60) };
    for (signed, code) in [
        (sign(freeze("eve", 60), &eve), None),
        (sign(freeze("eve", 59), &eve), Some("approval.expired")),
        (sign(freeze("eve", 61 + LIFETIME), &eve), Some("approval.lives_too_long")),
        (sign(freeze("ana", 60), &key_of("ana", "laptop")), Some("approval.role")),
        (sign(freeze("eve", 60), &key_of("eve", "phone")), Some("approval.signature")),
        (sign(other, &eve), Some("approval.cluster")),
        (sign(watch, &eve), Some("approval.not_enrolled")),
    ] {
        let found = verify_freeze(&signed, CLUSTER, &roster(), ANNOUNCED.plus_seconds(60), LIFETIME);
        assert_eq!(found.as_ref().err().map(|it| it.code()), code, "{found:?}");
    }
}

#[test]
fn s09_a_veto_takes_one_of_the_named_roles() {
    let scene = Scene::new();
    let veto = |who: &str| Veto {
        cluster: CLUSTER,
        request: REQUEST,
        person: name(who),
        device: name("laptop"),
        expires: ANNOUNCED.plus_seconds(60),
    };
    let sign = |body: Veto| {
        Signed::new(body.clone(), body.person.clone(), &key_of(body.person.as_str(), "laptop")).unwrap()
    };
    let mut as_other = sign(veto("eve"));
    as_other.signer = name("ana");
    for (signed, code) in [
        (sign(veto("eve")), None),
        (sign(veto("ana")), Some("approval.role")),
        (sign(Veto { request: RequestId(Digest::ZERO), ..veto("eve") }), Some("approval.request")),
        (sign(Veto { cluster: ClusterId(Digest::ZERO), ..veto("eve") }), Some("approval.cluster")),
        (sign(Veto { expires: ANNOUNCED, ..veto("eve") }), Some("approval.expired")),
        (as_other, Some("approval.signer")),
    ] {
        let found = verify_veto(&signed, &scene.context(), &[name("vetoer")]);
        assert_eq!(found.as_ref().err().map(|it| it.code()), code, "{found:?}");
    }
}

macro_rules! without {
    ($name:ident, $($method:tt)*) => {
        struct $name;
        impl Checks for $name {
            $($method)*
        }
    };
}

without!(
    NoRequest,
    fn binds_request(&self, _: &Context<'_>, _: &Approval) -> Result<(), Refusal> {
        Ok(())
    }
);
without!(
    NoPolicy,
    fn binds_policy(&self, _: &Context<'_>, _: &Approval) -> Result<(), Refusal> {
        Ok(())
    }
);
without!(
    NoExpiry,
    fn unexpired(&self, _: &Context<'_>, _: Timestamp) -> Result<(), Refusal> {
        Ok(())
    }
);
without!(
    NoRequester,
    fn not_requester(&self, _: &Context<'_>, _: &Name) -> Result<(), Refusal> {
        Ok(())
    }
);
without!(
    NoDistinct,
    fn distinct_device(&self, _: &[Verified], _: &Verified) -> Result<(), Refusal> {
        Ok(())
    }
);
without!(
    NoSignature,
    fn signature(&self, _: &Signed<Approval>, _: &HybridPublicKey) -> Result<(), Refusal> {
        Ok(())
    }
);

/// Each check holds by itself: with it the attack fails, without it alone the attack succeeds.
#[test]
fn s11_each_check_is_the_one_that_stops_its_attack() {
    let scene = Scene::new();
    let mut forged = yes("ben");
    forged.signature = yes("ana").signature;
    let one = requirement(&[need("approver", 1)], 0);
    let two = requirement(&[need("approver", 2)], 0);
    let attack = |requirement: &Requirement, approvals: &[Signed<Approval>], twin: bool| {
        assert!(scene.authorize(requirement, approvals).is_err(), "the control stops it");
        assert!(twin, "without the control it succeeds");
    };
    let context = scene.context();
    let replayed = [changed(|it| it.request = RequestId(Digest::ZERO))];
    attack(&one, &replayed, authorize(&one, &context, &replayed, &NoRequest).is_ok());
    let old = [changed(|it| it.policy_version = 6)];
    attack(&one, &old, authorize(&one, &context, &old, &NoPolicy).is_ok());
    let expired = [changed(|it| it.expires = ANNOUNCED)];
    attack(&one, &expired, authorize(&one, &context, &expired, &NoExpiry).is_ok());
    let own = [yes("desk")];
    attack(&one, &own, authorize(&one, &context, &own, &NoRequester).is_ok());
    let twice = [yes("ana"), yes("ana")];
    attack(&two, &twice, authorize(&two, &context, &twice, &NoDistinct).is_ok());
    let invented = [yes("ana"), forged];
    attack(&two, &invented, authorize(&two, &context, &invented, &NoSignature).is_ok());
}
