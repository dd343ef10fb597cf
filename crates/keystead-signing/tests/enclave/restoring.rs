//! A key at another home: by a committed ceremony, by the one-time key of this very process, and in its next epoch.

use keystead_decision::Outcome;
use keystead_intent::KeyCeremony;
use keystead_signing::{Drill, HandOver};

use crate::Test;
use crate::certificates::code;
use crate::fixture::{Cluster, ceremony, grant, message, name, sign};

pub(crate) const TESTS: &[Test] =
    &[("d01_a_key_is_restored_by_a_one_time_key_and_the_old_home_signs_no_more", restored)];

fn restored() {
    let mut cluster = Cluster::new();
    let (mut old, _, held) = cluster.with_hot_key(&[]);
    let file = cluster.backup(&mut old);
    let mut new = cluster.signer(Vec::new(), &[]).unwrap();
    assert_eq!(code(new.restore(file.clone())), "enclave.not_receiving", "nobody asked for it");
    let another = cluster.certificate(ceremony(KeyCeremony::Destroy { key: name("hot") }));
    assert_eq!(code(new.receive(another)), "enclave.ceremony");

    let here = KeyCeremony::Restore { key: name("hot"), home: name("node-1") };
    let key = new.receive(cluster.certificate(ceremony(here))).unwrap();
    let drill =
        Drill { file: file.clone(), recipient: name("ann"), member: cluster.ann.clone(), after: None };
    let hand_over = HandOver { drill, home: name("node-1"), key: key.clone() };
    assert_eq!(
        code(new.hand_over(hand_over.clone())),
        "enclave.role",
        "only a scratch enclave reads backups"
    );
    let handed = cluster.start("scratch", &[]).hand_over(hand_over).unwrap();
    assert_eq!(code(new.restore(file)), "backup.no_copy", "a backup for people is none for an enclave");
    let restored = new.restore(handed.clone()).unwrap();
    assert_eq!((restored.held.account, restored.held.epoch), (held.account, 1));
    assert_eq!(restored.recipient, key.fingerprint());
    let challenge =
        keystead_decision::drill_challenge(cluster.id(), &name("hot"), 1, &restored.recipient, None);
    assert!(held.account.proves_control(&challenge, &restored.proof));
    assert_eq!(code(new.restore(handed)), "enclave.not_receiving", "a one-time key serves once");

    let payload = message(&held, "hello");
    let mut next = grant(&payload);
    next.epoch = 1;
    let right = cluster.certificate(Outcome::Allow(next));
    assert!(sign(&mut new, &right, &payload).is_ok());
    assert_eq!(sign(&mut old, &right, &payload).unwrap_err(), "enclave.epoch");
    drop(new);
    let mut again = cluster.signer(vec![restored.sealed], &[]).unwrap();
    let mut next = grant(&payload);
    next.epoch = 1;
    let right = cluster.certificate(Outcome::Allow(next));
    assert!(sign(&mut again, &right, &payload).is_ok(), "the seal opens again at the new home");
}
