//! Two enclaves with a key in shares: what they begin, and what they do not.

use std::collections::{BTreeMap, VecDeque};

use keystead_base::{Canonical, Digest, KeyScheme, Name, PublicAccount, RequestId};
use keystead_bitcoin::{Spend, SpendSignatures, wallet_in_shares};
use keystead_chain::Unsigned;
use keystead_decision::{Certificate, Convened, Grant, Outcome, Seat, share_challenge};
use keystead_intent::{AccountRef, ChainId, DangerClass, KeyCeremony, KeyKind, PsbtSpend, SolanaMessage};
use keystead_keys::Sealed;
use keystead_signing::{
    BatchItem, ClientError, DealtShare, EnclaveClient, Ended, Fault, HeldKey, ItemResult, Progress, RunAim,
    RunEnd, RunStart, SeatFor, Standing,
};
use keystead_solana::{Draft, Pubkey, Version, compile, order};

use crate::Test;
use crate::fixture::{Cluster, advance, ceremony, grant, message, name, soon};
use crate::spending::{grant as grant_of, psbt};

pub(crate) const TESTS: &[Test] = &[
    (
        "s03_s14_shares_sign_what_the_log_allows_as_long_as_it_does",
        s03_s14_shares_sign_what_the_log_allows_as_long_as_it_does,
    ),
    (
        "s07_shares_of_a_bip340_key_sign_taproot_inputs_and_nothing_else",
        s07_shares_of_a_bip340_key_sign_taproot_inputs_and_nothing_else,
    ),
    ("s14_no_share_leaves_after_a_freeze_that_only_a_quorum_told_of", s14_no_share_leaves_once_frozen),
    (
        "s02_s07_shares_of_an_ed25519_key_sign_the_granted_message_and_nothing_else",
        s02_s07_shares_of_an_ed25519_key_sign_the_granted_message_and_nothing_else,
    ),
    (
        "s07_a_fault_after_its_run_lets_no_signature_of_shares_leave",
        s07_a_fault_after_its_run_lets_no_signature_of_shares_leave,
    ),
];

/// What the certificates of the fixture are about.
pub(crate) const REQUEST: RequestId = RequestId(Digest([3; 32]));

/// The holders' enclaves, and what is on the way between them.
pub(crate) struct Pair {
    enclaves: BTreeMap<Name, EnclaveClient>,
    wire: VecDeque<(Name, Vec<u8>)>,
    ended: Vec<(Name, Ended)>,
    /// Where runs stood, turn by turn.
    stands: Vec<(Name, Standing)>,
    /// How many messages the enclaves have said.
    said: usize,
}

impl Pair {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        Self::under(cluster, &[])
    }

    /// `a` is started with these options.
    fn under(cluster: &Cluster, options: &[&str]) -> Self {
        let enclave = |(who, options)| (name(who), cluster.signer(Vec::new(), options).unwrap());
        let enclaves = [("a", options), ("b", &[])].map(enclave).into();
        Self { enclaves, wire: VecDeque::new(), ended: Vec::new(), stands: Vec::new(), said: 0 }
    }

    /// Both started anew, with the shares that they sealed.
    pub(crate) fn again(cluster: &Cluster, seals: Vec<Sealed>) -> Self {
        let enclaves = ["a", "b"].into_iter().zip(seals);
        let enclave = |(who, seal)| (name(who), cluster.signer(vec![seal], &[]).unwrap());
        let enclaves = enclaves.map(enclave).collect();
        Self { enclaves, wire: VecDeque::new(), ended: Vec::new(), stands: Vec::new(), said: 0 }
    }

    pub(crate) fn at(&mut self, who: &str) -> &mut EnclaveClient {
        self.enclaves.get_mut(&name(who)).unwrap()
    }

    pub(crate) fn took(&mut self, who: &Name, progress: Progress) {
        self.said += progress.messages.len();
        self.wire.extend(progress.messages.into_iter().map(|it| (it.to, it.message)));
        self.ended.extend(progress.ended.into_iter().map(|ended| (who.clone(), ended)));
        self.stands.extend(progress.stands.into_iter().map(|it| (who.clone(), it)));
    }

    pub(crate) fn carry(&mut self) -> Vec<RunEnd> {
        self.carried().into_iter().map(|(_, ended)| ended.end).collect()
    }

    fn carried(&mut self) -> Vec<(Name, Ended)> {
        while let Some((to, message)) = self.wire.pop_front() {
            let progress = self.enclaves.get_mut(&to).unwrap().deliver(vec![message]).unwrap();
            self.took(&to, progress);
        }
        std::mem::take(&mut self.ended)
    }

    pub(crate) fn seats(&mut self) -> BTreeMap<Name, Seat> {
        let claim = |who: &Name| SeatFor { request: REQUEST, key: name("hot"), node: who.clone() };
        self.enclaves.iter_mut().map(|(who, it)| (who.clone(), it.seat(claim(who)).unwrap().seat)).collect()
    }

    pub(crate) fn birth(&mut self, convened: &Certificate) -> Vec<DealtShare> {
        for who in ["a", "b"] {
            let progress = self.at(who).convene(convened.clone()).unwrap();
            self.took(&name(who), progress);
        }
        self.dealt()
    }

    /// The shares that the runs so far end with, in the holders' order.
    pub(crate) fn dealt(&mut self) -> Vec<DealtShare> {
        let mut ended = self.carried();
        ended.sort_by(|(one, _), (other, _)| one.cmp(other));
        let ends = ended.into_iter().map(|(_, it)| match it.end {
            RunEnd::Dealt(share) => *share,
            other => panic!("{other:?}"),
        });
        ends.collect()
    }

    /// Both join; the code of a refusal, if it is one.
    fn join(&mut self, aim: &RunAim, attempt: u32) -> Result<(), String> {
        for who in ["a", "b"] {
            let start = RunStart { aim: aim.clone(), attempt, signers: vec![name("a"), name("b")] };
            match self.at(who).join(start) {
                Ok(progress) => self.took(&name(who), progress),
                Err(ClientError::Refused(refusal)) => return Err(refusal.code),
                Err(error) => panic!("{error}"),
            }
        }
        Ok(())
    }

    fn admitted(&mut self, certificate: &Certificate, unsigned: &impl Canonical) {
        for who in ["a", "b"] {
            assert_eq!(self.shown(who, certificate, unsigned), ItemResult::Admitted);
        }
    }

    fn shown(&mut self, who: &str, certificate: &Certificate, unsigned: &impl Canonical) -> ItemResult {
        let (decision, proof) = (certificate.decision.clone(), certificate.proof.clone());
        let item = BatchItem { decision, proof, unsigned: unsigned.to_document() };
        self.at(who).sign(&certificate.commit, vec![item]).unwrap().remove(0)
    }
}

fn convened(kind: KeyKind, seats: BTreeMap<Name, Seat>) -> Outcome {
    let holders = vec![name("a"), name("b")];
    let key = name("hot");
    let ceremony = KeyCeremony::Generate { key, kind, threshold: 2, holders: holders.clone() };
    let (epoch, attempt, threshold, expires) = (0, 1, 2, soon());
    Outcome::Convened(Convened {
        ceremony,
        epoch,
        attempt,
        threshold,
        holders,
        old: None,
        account: None,
        seats,
        expires,
    })
}

/// One story, because a birth takes seconds.
fn s03_s14_shares_sign_what_the_log_allows_as_long_as_it_does() {
    let mut cluster = Cluster::new();
    let mut pair = Pair::of(&cluster);
    let strangers = Pair::of(&cluster).seats();
    let kind = KeyKind::ThresholdSecp256k1;
    let certificate = cluster.certificate(convened(kind, strangers));
    let refused = pair.at("a").convene(certificate).unwrap_err();
    assert!(matches!(refused, ClientError::Refused(it) if it.code == "threshold.no_seat"));

    let certificate = cluster.certificate(convened(kind, pair.seats()));
    let dealt = pair.birth(&certificate);
    assert_eq!((dealt.len(), dealt[0].account), (2, dealt[1].account));
    proves(&mut pair, &cluster, (&certificate, 0), &dealt[0].account);

    let held = HeldKey { key: name("hot"), epoch: 0, account: dealt[0].account };
    let unsigned = message(&held, "hello");
    let height = cluster.height + 1;
    let aim = RunAim::Request { request: REQUEST, height };
    assert_eq!(pair.join(&aim, 0).unwrap_err(), "threshold.not_admitted", "no right, no run");
    let certificate = cluster.certificate(Outcome::Allow(grant(&unsigned)));
    pair.admitted(&certificate, &unsigned);
    pair.join(&aim, 0).unwrap();
    assert_eq!(signatures(&pair.carry(), &unsigned), 2);
    assert_eq!(pair.join(&aim, 0).unwrap_err(), "threshold_begin.begun_before");
    let input = RunAim::Input { request: REQUEST, height, input: 0 };
    assert_eq!(pair.join(&input, 0).unwrap_err(), "threshold.not_admitted", "it has no inputs");
    spends(&mut pair, &mut cluster, kind, &held.account);

    // A freeze that comes while a run is under way: nothing of it is let go, and none begins.
    pair.join(&aim, 1).unwrap();
    cluster.frozen.keys.insert(name("hot"));
    cluster.height += 1;
    let frozen = cluster.commit(keystead_base::merkle::root(&[]));
    ["a", "b"].iter().for_each(|who| advance(pair.at(who), Vec::new(), Some(frozen.clone())));
    let said = pair.said;
    assert_eq!(signatures(&pair.carry(), &unsigned), 0);
    assert_eq!(pair.said, said, "not a word more of it leaves");
    assert_eq!(pair.join(&aim, 2).unwrap_err(), "certificate.frozen");
}

/// Short, as FROST sets nothing up.
fn s07_shares_of_a_bip340_key_sign_taproot_inputs_and_nothing_else() {
    let (mut cluster, kind) = (Cluster::new(), KeyKind::ThresholdBip340);
    let mut pair = Pair::of(&cluster);
    let certificate = cluster.certificate(convened(kind, pair.seats()));
    let dealt = pair.birth(&certificate);
    let account = dealt[0].account;
    assert_eq!((dealt.len(), account.scheme()), (2, Some(KeyScheme::Bip340)));
    says_whom_each_round_waits_for(&pair);
    proves(&mut pair, &cluster, (&certificate, 0), &account);
    spends(&mut pair, &mut cluster, kind, &account);
    // The same point as an account of Ethereum's, which the log would never grant.
    let whole = PublicAccount::new(account.compressed(), account.chain_code.0);
    let unsigned = message(&HeldKey { key: name("hot"), epoch: 0, account: whole }, "hello");
    let certificate = cluster.certificate(Outcome::Allow(grant(&unsigned)));
    assert_eq!(code(pair.shown("a", &certificate, &unsigned)), "threshold.unusable_share");
}

/// Turn by turn, until the run ended.
fn says_whom_each_round_waits_for(pair: &Pair) {
    let (first, at) = &pair.stands[0];
    assert_eq!((first, at.request, at.round, &at.missing), (&name("a"), REQUEST, 0, &vec![name("b")]));
    assert!(pair.stands.iter().all(|(_, it)| it.rounds == 2 && it.round < 4), "{:?}", pair.stands);
    for who in ["a", "b"] {
        let rounds: Vec<u8> =
            pair.stands.iter().filter(|(it, _)| *it == name(who)).map(|it| it.1.round).collect();
        assert!(rounds.is_sorted() && rounds.last() > Some(&0), "{who}: {rounds:?}");
    }
    let waits_for_itself = |(who, it): &(Name, Standing)| it.missing.contains(who);
    assert!(!pair.stands.iter().any(waits_for_itself), "{:?}", pair.stands);
}

/// The certificate is of before the freeze, whose block the enclave was not shown: a quorum confirmed a later head to it.
fn s14_no_share_leaves_once_frozen() {
    let (mut cluster, kind) = (Cluster::new(), KeyKind::ThresholdBip340);
    let mut pair = Pair::of(&cluster);
    let certificate = cluster.certificate(convened(kind, pair.seats()));
    pair.birth(&certificate);
    let recipients = vec!["age1pq1nobody".to_owned()];
    let exit = cluster.certificate(ceremony(KeyCeremony::Exit { key: name("hot"), recipients }));
    let refused = |it: Result<Vec<u8>, ClientError>| match it {
        Err(ClientError::Refused(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(pair.at("b").leave(exit.clone())),
        "age.recipient",
        "it comes as far as the recipients"
    );
    cluster.frozen.keys.insert(name("hot"));
    cluster.height += 1;
    cluster.confirm(pair.at("a")).unwrap();
    assert_eq!(refused(pair.at("a").leave(exit)), "certificate.frozen");
}

/// Short, too. What leaves is a signature of the message itself, which a library verifies that took no part in it.
fn s02_s07_shares_of_an_ed25519_key_sign_the_granted_message_and_nothing_else() {
    let (mut cluster, kind) = (Cluster::new(), KeyKind::ThresholdEd25519);
    let mut pair = Pair::of(&cluster);
    let certificate = cluster.certificate(convened(kind, pair.seats()));
    let dealt = pair.birth(&certificate);
    let account = dealt[0].account;
    assert_eq!((dealt.len(), account.scheme()), (2, Some(KeyScheme::Ed25519)));
    proves(&mut pair, &cluster, (&certificate, 0), &account);

    let us = Pubkey(account.ed25519_key().unwrap());
    let asked = |payer, lamports| {
        let instructions = vec![order::transfer(payer, Pubkey([2; 32]), lamports)];
        let draft = Draft { version: Version::Zero, payer, blockhash: [9; 32], instructions };
        let message = compile(&draft).unwrap().to_bytes().into();
        SolanaMessage { account: hot(0), chain: ChainId::SOLANA_DEVNET, message }
    };
    let (granted, height) = (asked(us, 5), cluster.height + 1);
    let unsigned = keystead_solana::Unsigned::read(DEVNET, us, &granted.message).unwrap();
    let right = Grant {
        account: hot(0),
        address: us.id(DEVNET),
        epoch: 0,
        chain: granted.chain,
        signing_digest: unsigned.signing_digest(),
        slot: None,
        class: DangerClass::Transfer,
        expires: soon(),
    };
    let certificate = cluster.certificate(Outcome::Allow(right.clone()));
    for (other, expected) in [
        (asked(us, 6), "certificate.digest"),
        (asked(Pubkey([3; 32]), 5), "solana.not_a_signer"),
        (SolanaMessage { chain: ChainId::SOLANA_MAINNET, ..granted.clone() }, "enclave.chain"),
        (SolanaMessage { chain: ChainId(1), ..granted.clone() }, "enclave.no_cluster"),
        (SolanaMessage { account: hot(1), ..granted.clone() }, "enclave.account"),
    ] {
        assert_eq!(code(pair.shown("a", &certificate, &other)), expected, "{other:?}");
    }
    pair.admitted(&certificate, &granted);
    let input = RunAim::Input { request: REQUEST, height, input: 0 };
    assert_eq!(pair.join(&input, 0).unwrap_err(), "threshold.not_admitted", "it has no inputs");
    pair.join(&RunAim::Request { request: REQUEST, height }, 0).unwrap();
    let key = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, us.0);
    let good = |end: &&RunEnd| match end {
        RunEnd::SignedMessage { released, .. } => {
            (released.account, released.signing_digest) == (right.address, right.signing_digest)
                && key.verify(&granted.message, &released.signature).is_ok()
        }
        _ => false,
    };
    assert_eq!(pair.carry().iter().filter(good).count(), 2);

    // A grant of another address, as a lying log would make it.
    let elsewhere = Grant { address: Pubkey([3; 32]).id(DEVNET), ..right };
    let certificate = cluster.certificate(Outcome::Allow(elsewhere));
    assert_eq!(code(pair.shown("a", &certificate, &granted)), "enclave.account");
}

/// The run verified it in both enclaves; then a bit flips in one of them, which tells its node that it is over and gives nothing.
fn s07_a_fault_after_its_run_lets_no_signature_of_shares_leave() {
    let (mut cluster, kind) = (Cluster::new(), KeyKind::ThresholdBip340);
    let mut pair = Pair::under(&cluster, &["fault", "signature"]);
    let certificate = cluster.certificate(convened(kind, pair.seats()));
    let account = pair.birth(&certificate)[0].account;
    let recorded = wallet_in_shares(ChainId::BITCOIN_REGTEST, kind, &account).unwrap();
    let (asked, height) = (psbt(&recorded, &[0], 90_000), cluster.height + 1);
    let certificate = cluster.certificate(Outcome::Allow(grant_of(&recorded, &asked)));
    pair.admitted(&certificate, &asked);
    pair.join(&RunAim::Input { request: REQUEST, height, input: 0 }, 0).unwrap();
    let ends = pair.carry();
    let signed = ends.iter().filter(|it| matches!(it, RunEnd::SignedInput { .. })).count();
    let kept = |it: &&RunEnd| matches!(it, RunEnd::Aborted(abort) if abort.fault == Fault::Own);
    assert_eq!((signed, ends.iter().filter(kept).count(), ends.len()), (1, 1, 2), "{ends:?}");
}

fn hot(index: u32) -> AccountRef {
    AccountRef { key: name("hot"), index }
}

const DEVNET: keystead_solana::Cluster = keystead_solana::Cluster::Devnet;

fn code(result: ItemResult) -> String {
    match result {
        ItemResult::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    }
}

/// INVARIANT S2, S7: a PSBT of the wallet that follows from the shared key is signed input by input, as it was granted.
fn spends(pair: &mut Pair, cluster: &mut Cluster, kind: KeyKind, account: &PublicAccount) {
    spends_in(pair, cluster, (kind, 0), account);
}

/// The same with the shares of an epoch.
pub(crate) fn spends_in(
    pair: &mut Pair,
    cluster: &mut Cluster,
    (kind, epoch): (KeyKind, u32),
    account: &PublicAccount,
) {
    let recorded = wallet_in_shares(ChainId::BITCOIN_REGTEST, kind, account).unwrap();
    let (asked, other) = (psbt(&recorded, &[0, 0], 190_000), psbt(&recorded, &[0, 0], 180_000));
    let height = cluster.height + 1;
    let certificate = cluster.certificate(Outcome::Allow(Grant { epoch, ..grant_of(&recorded, &asked) }));
    assert_eq!(code(pair.shown("a", &certificate, &other)), "certificate.digest");
    let shared = PsbtSpend { shared: Some(name("vault")), ..asked.clone() };
    assert_eq!(code(pair.shown("a", &certificate, &shared)), "enclave.no_wallet");
    pair.admitted(&certificate, &asked);
    let whole = RunAim::Request { request: REQUEST, height };
    assert_eq!(
        pair.join(&whole, 0).unwrap_err(),
        "threshold.not_admitted",
        "nobody signs the digest over all"
    );
    let input = |input| RunAim::Input { request: REQUEST, height, input };
    assert_eq!(pair.join(&input(2), 0).unwrap_err(), "threshold.not_admitted");
    let mut signatures = Vec::new();
    for at in [0, 1] {
        pair.join(&input(at), 0).unwrap();
        let ends = pair.carry();
        let made = ends.iter().filter_map(|end| match end {
            RunEnd::SignedInput { signature, .. } => Some(signature.clone()),
            _ => None,
        });
        let made: Vec<_> = made.collect();
        assert!(made.len() == 2 && made.iter().all(|it| it.input == at), "{ends:?}");
        signatures.extend(made.into_iter().take(1));
    }
    let spend = Spend::read(&recorded, &asked.psbt).unwrap();
    spend.finalize(&SpendSignatures { signatures }).unwrap();
}

/// Both sign for `b`'s share of an epoch.
pub(crate) fn proves(
    pair: &mut Pair,
    cluster: &Cluster,
    (certificate, epoch): (&Certificate, u32),
    account: &PublicAccount,
) {
    let aim = RunAim::Proof { request: REQUEST, prover: name("b") };
    pair.join(&aim, 0).unwrap();
    let digest = certificate.decision.digest();
    let challenge = share_challenge(cluster.id(), &name("hot"), epoch, &digest, &name("b"));
    let proves = |end: &RunEnd| match end {
        RunEnd::Proved { prover, proof } => *prover == name("b") && account.proves_control(&challenge, proof),
        _ => false,
    };
    assert_eq!(pair.carry().iter().filter(|end| proves(end)).count(), 2);
}

fn signatures(ends: &[RunEnd], unsigned: &Unsigned) -> usize {
    let of_it = |end: &&RunEnd| match end {
        RunEnd::Signed { released, .. } => {
            let key = released.signature.recover(&unsigned.signing_digest()).unwrap();
            let point = secp256k1::PublicKey::from_slice(&key).unwrap().serialize_uncompressed();
            alloy_primitives::Address::from_raw_public_key(&point[1..]) == unsigned.account()
        }
        _ => false,
    };
    ends.iter().filter(of_it).count()
}
