//! A backup in shares: written under a committed ceremony, opened by its people, put together in scratch enclaves alone.

use keystead_base::Timestamp;
use keystead_decision::drill_challenge;
use keystead_intent::{BackupGroup, ChainId, KeyCeremony};
use keystead_keys::{MemberKey, MemberKeyFile, RecipientKey, Sealed, SeedShares};
use keystead_signing::{
    Advance, EnclaveClient, Gathering, GatheringAim, HeldKey, MAX_GATHERED, ShareToOpen, WalletOf,
};

use crate::Test;
use crate::certificates::code;
use crate::fixture::{Cluster, ceremony, name};

pub(crate) const TESTS: &[Test] = &[
    ("d2_shares_restore_a_key_in_a_scratch_enclave_and_prove_control_of_every_account", drilled),
    ("d1_a_key_is_handed_over_from_shares_and_lives_at_its_new_home", handed_over),
    ("k4_a_key_is_split_for_whom_a_committed_ceremony_names_alone", split_for_nobody_else),
];

/// A key whose shares `ann` and `ben` have.
pub(crate) struct Circle {
    pub(crate) cluster: Cluster,
    pub(crate) enclave: EnclaveClient,
    pub(crate) held: HeldKey,
    pub(crate) file: SeedShares,
    ben: MemberKeyFile,
}

impl Circle {
    pub(crate) fn new() -> Self {
        Self::of(|cluster| cluster.with_hot_key(&[]))
    }

    /// With the key `hot` as it is made.
    pub(crate) fn of(make: impl FnOnce(&mut Cluster) -> (EnclaveClient, Sealed, HeldKey)) -> Self {
        let mut cluster = Cluster::new();
        let (mut enclave, _, held) = make(&mut cluster);
        let ben = MemberKey::generate(name("ben"), &mut |bytes| bytes.fill(8));
        let recipient = ben.recipient().unwrap().public().as_bytes().to_vec();
        let sealed = ben.seal(cluster.passphrase.as_bytes(), &mut |bytes| bytes.fill(9)).unwrap();
        let enrolled = cluster.changed_policy(|policy| {
            let people = &mut policy.roster.people;
            let ann = people.iter().find(|it| it.name == name("ann")).unwrap().clone();
            let at = people.iter().position(|it| it.name > name("ben")).unwrap_or(people.len());
            people
                .insert(at, keystead_policy::Person { name: name("ben"), recipient: Some(recipient), ..ann });
        });
        enclave.advance(Advance { transitions: vec![enrolled], head: None }).unwrap();
        let groups = vec![BackupGroup { threshold: 2, members: vec![name("ann"), name("ben")] }];
        let split = KeyCeremony::Split { key: name("hot"), group_threshold: 1, groups };
        let file = enclave.split(cluster.certificate(ceremony(split))).unwrap();
        Self { cluster, enclave, held, file, ben: sealed }
    }

    pub(crate) fn to_open(&self, who: &str) -> ShareToOpen {
        let member = if who == "ben" { &self.ben } else { &self.cluster.ann };
        ShareToOpen { file: self.file.clone(), recipient: name(who), member: member.clone() }
    }

    pub(crate) fn words(&self) -> Vec<String> {
        let open = |who| {
            self.cluster
                .start("scratch", &[])
                .open_share(self.to_open(who))
                .unwrap()
                .into_secret()
                .expose()
                .clone()
        };
        vec![open("ann"), open("ben")]
    }

    pub(crate) fn gathering(&self, words: &[String], aim: GatheringAim) -> Gathering {
        Gathering { file: self.file.clone(), words: words.to_vec(), aim }
    }
}

pub(crate) fn aim() -> GatheringAim {
    GatheringAim::Drill { accounts: 3, networks: vec![ChainId::BITCOIN_REGTEST], after: Some(Timestamp(7)) }
}

fn drilled() {
    let mut circle = Circle::new();
    let words = circle.words();
    let scratch = || circle.cluster.start("scratch", &[]);
    let proof = scratch().drill_shares(circle.gathering(&words, aim())).unwrap();
    let challenge = drill_challenge(circle.cluster.id(), &name("hot"), 0, &proof.backup, Some(Timestamp(7)));
    let account = circle.held.account;
    for (index, it) in (0..).zip(&proof.proofs) {
        assert!(account.account_proves_control(index, &challenge, &it.0), "account {index}");
        assert!(!account.account_proves_control(index + 1, &challenge, &it.0));
    }
    assert_eq!((proof.proofs.len(), proof.refused_without), (3, 2));
    let wallet =
        circle.enclave.wallet(WalletOf { key: name("hot"), chain: ChainId::BITCOIN_REGTEST }).unwrap();
    assert_eq!(proof.wallets, [wallet.wallet], "the wallet that the home itself says");
    let one_less = circle.gathering(&words[1..], aim());
    assert_eq!(code(scratch().drill_shares(one_less)), "slip39.members");
    let twice = circle.gathering(&[words[0].clone(), words[0].clone()], aim());
    assert_eq!(code(scratch().drill_shares(twice)), "slip39.twice");
    let many = circle.gathering(&vec![words[0].clone(); MAX_GATHERED + 1], aim());
    assert_eq!(code(scratch().drill_shares(many)), "enclave.batch_size", "a backup has no more");
    let none = GatheringAim::Drill { accounts: 0, networks: Vec::new(), after: None };
    assert_eq!(code(scratch().drill_shares(circle.gathering(&words, none))), "enclave.batch_size");
    let (to_open, drill) = (circle.to_open("ann"), circle.gathering(&words, aim()));
    assert_eq!(code(circle.enclave.drill_shares(drill)), "enclave.role", "never where keys live");
    assert_eq!(code(circle.enclave.open_share(to_open)), "enclave.role");
}

fn handed_over() {
    let mut circle = Circle::new();
    let words = circle.words();
    let here = KeyCeremony::Restore { key: name("hot"), home: name("node-1") };
    let key = circle.enclave.receive(circle.cluster.certificate(ceremony(here))).unwrap();
    let aim = GatheringAim::HandOver { home: name("node-1"), key };
    let alone = circle.gathering(&words[..1], aim.clone());
    assert_eq!(code(circle.cluster.start("scratch", &[]).hand_over_shares(alone)), "slip39.members");
    let together = circle.gathering(&words, aim);
    let handed = circle.cluster.start("scratch", &[]).hand_over_shares(together).unwrap();
    let restored = circle.enclave.restore(handed).unwrap();
    assert_eq!((restored.held.account, restored.held.epoch), (circle.held.account, 1));
}

fn split_for_nobody_else() {
    let mut circle = Circle::new();
    let split = |who: &str| KeyCeremony::Split {
        key: name("hot"),
        group_threshold: 1,
        groups: vec![BackupGroup { threshold: 2, members: vec![name("ann"), name(who)] }],
    };
    let stranger = circle.cluster.certificate(ceremony(split("eve")));
    assert_eq!(code(circle.enclave.split(stranger)), "enclave.recipient");
    let another = circle.cluster.certificate(ceremony(KeyCeremony::Suspend { key: name("hot") }));
    assert_eq!(code(circle.enclave.split(another)), "enclave.ceremony");
    let stolen = RecipientKey::from_seed(&keystead_base::Secret::new([3; 32])).unwrap();
    assert!(circle.file.open(&name("ann"), &stolen).is_err());
}
