//! A key that is whole in one enclave, dealt to two others.

use std::collections::BTreeMap;

use keystead_base::{Digest, HybridSigner, Name, PublicAccount, Secret, Signed};
use keystead_decision::{Convened, Dealing, Outcome, Seat};
use keystead_intent::{Importer, KeyCeremony, KeyKind};
use keystead_signing::{RunEnd, SplitWhole, TakeDealing};

use crate::Test;
use crate::certificates::code;
use crate::fixture::{Cluster, name, soon};
use crate::sharing::{Pair, REQUEST, proves};

pub(crate) const TESTS: &[Test] = &[(
    "k03_k04_a_whole_key_is_taken_as_its_owner_dealt_it_and_is_wiped_at_its_home",
    k03_k04_a_whole_key_is_taken_as_its_owner_dealt_it_and_is_wiped_at_its_home,
)];

fn convened(account: PublicAccount, from: Importer, seats: BTreeMap<Name, Seat>) -> Outcome {
    let (key, kind, holders) = (name("hot"), KeyKind::ThresholdSecp256k1, vec![name("a"), name("b")]);
    let ceremony = KeyCeremony::Import { key, kind, account, from, threshold: 2, holders: holders.clone() };
    Outcome::Convened(Convened {
        ceremony,
        epoch: 0,
        attempt: 1,
        threshold: 2,
        holders,
        old: None,
        account: Some(account),
        seats,
        expires: soon(),
    })
}

/// One story, because a set-up takes seconds.
fn k03_k04_a_whole_key_is_taken_as_its_owner_dealt_it_and_is_wiped_at_its_home() {
    let mut cluster = Cluster::new();
    let mut pair = Pair::of(&cluster);
    let (mut home, _, held) = cluster.with_hot_key(&[]);
    let (account, seats, node_1) = (held.account, pair.seats(), || Importer::Home(name("node-1")));

    // INVARIANT K3: a home deals no other key than people approved, and none that is a person's to deal.
    let other = PublicAccount { chain_code: Digest([9; 32]), ..account };
    let certificate = cluster.certificate(convened(other, node_1(), seats.clone()));
    assert_eq!(code(home.deal(certificate)), "enclave.other_key");
    let certificate = cluster.certificate(convened(account, Importer::Person(name("ann")), seats.clone()));
    assert_eq!(code(home.deal(certificate)), "enclave.ceremony");
    assert_eq!(code(home.whole(SplitWhole { everything: false, to: None })), "enclave.role");

    let certificate = cluster.certificate(convened(account, node_1(), seats));
    let dealing = home.deal(certificate.clone()).unwrap();
    let signed = |body: &Dealing, who: &str, by: &HybridSigner| TakeDealing {
        request: REQUEST,
        dealing: Signed::new(body.clone(), name(who), by).unwrap(),
    };
    let right = signed(&dealing, "node-1", &cluster.node);
    assert_eq!(code(pair.at("a").take(right.clone())), "threshold.not_admitted", "before it was convened");
    let stranger = HybridSigner::from_seed(&Secret::new([2; 64])).unwrap();
    let (mut elsewhere, mut swapped) = (dealing.clone(), dealing.clone());
    elsewhere.convened = Digest([9; 32]);
    swapped.coefficients.swap(0, 1);
    for (wrong, expected) in [
        (signed(&dealing, "node-1", &stranger), "threshold.dealer"),
        (signed(&dealing, "ann", &cluster.node), "threshold.dealer"),
        (signed(&elsewhere, "node-1", &cluster.node), "threshold.dealer"),
        (signed(&swapped, "node-1", &cluster.node), "threshold_split.other_key"),
    ] {
        pair.at("a").convene(certificate.clone()).unwrap();
        assert_eq!(code(pair.at("a").take(wrong)), expected);
    }
    for who in ["a", "b"] {
        pair.at(who).convene(certificate.clone()).unwrap();
        let progress = pair.at(who).take(right.clone()).unwrap();
        pair.took(&name(who), progress);
    }
    let is_dealt = |end: &RunEnd| matches!(end, RunEnd::Dealt(share) if share.account == account);
    assert_eq!(pair.carry().iter().filter(|end| is_dealt(end)).count(), 2);
    proves(&mut pair, &cluster, (&certificate, 1), &account);

    // INVARIANT K4: what was whole until its shares took over is not here any more.
    home.erase_shares(name("hot"), u32::MAX).unwrap();
    assert!(home.deal(certificate.clone()).is_ok(), "shares of an ended ceremony, and not the key");
    home.erase_before(name("hot"), 0).unwrap();
    assert_eq!(code(home.deal(certificate)), "vault.unknown");
}
