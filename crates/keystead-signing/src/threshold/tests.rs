//! Several enclaves' shares and runs in one process: a key is born, proves itself and signs.

mod disputes;

use std::collections::{BTreeMap, VecDeque};

use keystead_base::{ClusterId, Coded, Digest, Name, PublicAccount, RequestId};
use keystead_threshold::{Fault, Holders, Purpose, Record, Scheme, Session, SessionId};

use super::*;
use crate::Strict;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn names(text: &str) -> Vec<Name> {
    text.split_whitespace().map(name).collect()
}

fn session(purpose: Purpose, attempt: u8) -> Session {
    Session {
        cluster: ClusterId(Digest([1; 32])),
        key: name("treasury"),
        scheme: Scheme::EcdsaDkls23,
        epoch: 1,
        holders: Holders::new(2, names("a b c")).unwrap(),
        policy_version: 3,
        purpose,
        attempt: Digest([attempt; 32]),
    }
}

const REQUEST: RequestId = RequestId(Digest([9; 32]));

/// Enclaves by name, and what is on the way between them.
struct Table {
    enclaves: BTreeMap<Name, Threshold>,
    wire: VecDeque<(Name, Vec<u8>)>,
    ended: Vec<(Name, Finish)>,
    records: Vec<(Name, Record)>,
}

impl Table {
    fn of(who: &str) -> Self {
        let enclave = || Threshold::new(Arena::new(ARENA_BYTES).unwrap(), Speech::of(&Strict));
        let enclaves = names(who).into_iter().map(|name| (name, enclave())).collect();
        Self { enclaves, wire: VecDeque::new(), ended: Vec::new(), records: Vec::new() }
    }

    fn at(&mut self, who: &Name) -> &mut Threshold {
        self.enclaves.get_mut(who).unwrap()
    }

    fn took(&mut self, who: &Name, moved: Moved) {
        self.records.extend(moved.records.into_iter().map(|record| (who.clone(), record)));
        self.wire.extend(moved.messages);
        self.ended.extend(moved.ended.into_iter().map(|(_, finish)| (who.clone(), finish)));
    }

    fn carry(&mut self) {
        while let Some((to, message)) = self.wire.pop_front() {
            let moved = self.at(&to).deliver(vec![message]);
            self.took(&to, moved);
        }
    }

    /// A birth; the messages of the first reach the others before their certificate does.
    fn birth(&mut self) -> Vec<Dealt> {
        let members = names("a b c");
        let seats: BTreeMap<Name, Seat> =
            members.iter().map(|it| (it.clone(), self.at(it).seat(REQUEST).unwrap())).collect();
        for it in &members {
            let (session, seats) = (session(Purpose::Generate, 1), seats.clone());
            let convoked = Convoked { request: REQUEST, session, seats, old: None, seed: None };
            let moved = self.at(it).convene(convoked).unwrap();
            self.took(it, moved);
            self.carry();
        }
        let ended = std::mem::take(&mut self.ended);
        ended
            .into_iter()
            .map(|(_, finish)| match finish {
                Finish::Dealt(dealt) => *dealt,
                _ => panic!("a share"),
            })
            .collect()
    }

    fn sign(&mut self, signers: &str, attempt: u8, index: u32) -> Vec<(Name, Finish)> {
        let digest = Digest([7; 32]);
        for it in names(signers) {
            let purpose = Purpose::Sign { signers: names(signers), digest, path: vec![index] };
            let signature = signature(session(purpose, attempt));
            let moved = self.at(&it).sign(signature).unwrap();
            self.took(&it, moved);
        }
        self.carry();
        std::mem::take(&mut self.ended)
    }
}

fn signed_by(account: &PublicAccount, index: u32, ended: &[(Name, Finish)]) -> usize {
    let point = account.point(index).unwrap();
    let good = |finish: &Finish| match finish {
        Finish::Signed { digest, signature: Made::Ecdsa(signature), .. } => {
            let key = secp256k1::PublicKey::from_slice(&signature.key).unwrap().serialize_uncompressed();
            let rs = [signature.r, signature.s].concat();
            let parsed = secp256k1::ecdsa::Signature::from_compact(&rs).unwrap();
            let message = secp256k1::Message::from_digest(digest.0);
            let key_is_child = key[1..] == point;
            let public = secp256k1::PublicKey::from_slice(&key).unwrap();
            key_is_child
                && secp256k1::Secp256k1::verification_only().verify_ecdsa(message, &parsed, &public).is_ok()
        }
        _ => false,
    };
    ended.iter().filter(|(_, finish)| good(finish)).count()
}

/// One story, because a birth takes seconds.
#[test]
fn k03_a_key_that_is_born_in_three_enclaves_signs_from_any_two_and_from_what_they_sealed() {
    let mut table = Table::of("a b c");
    let dealt = table.birth();
    assert_eq!(dealt.len(), 3);
    assert!(dealt.iter().all(|it| it.account == dealt[0].account && it.shares == dealt[0].shares));
    let account = dealt[0].account;
    for (attempt, signers) in [(1, "a b"), (2, "c a")] {
        let ended = table.sign(signers, attempt, 4);
        assert_eq!((signed_by(&account, 4, &ended), ended.len()), (2, 2), "{signers}");
    }
    let begun = |record: &Record| matches!(record, Record::Begun { .. });
    assert!(table.records.iter().all(|(_, record)| begun(record)) && table.records.len() == 3 + 4);

    s05_a_run_is_begun_once(&mut table);
    a_silent_signer_is_named(&mut table);
    let mut again = reopened(&dealt);
    let ended = again.sign("b c", 9, 0);
    assert_eq!(signed_by(&account, 0, &ended), 2, "what was sealed signs after a start");
    k05_an_erased_share_signs_nothing(&mut again);
    proves(&mut again, &account);
}

fn signature(session: Session) -> Signature {
    let message = signed_digest(&session).as_bytes().to_vec();
    Signature { request: REQUEST, height: 5, message, session }
}

fn s05_a_run_is_begun_once(table: &mut Table) {
    let purpose = Purpose::Sign { signers: names("a b"), digest: Digest([7; 32]), path: vec![4] };
    let signature = signature(session(purpose, 1));
    let refused = table.at(&name("a")).sign(signature).map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), "threshold_begin.begun_before");
}

fn a_silent_signer_is_named(table: &mut Table) {
    let purpose = Purpose::Sign { signers: names("a b"), digest: Digest([7; 32]), path: vec![4] };
    let session = session(purpose, 3);
    let id: SessionId = session.id();
    let begins = table.at(&name("a")).sign(signature(session));
    drop(begins.unwrap());
    let moved = table.at(&name("a")).give_up(id);
    assert!(matches!(moved.records.as_slice(), [Record::Aborted { .. }]), "durable before it is told");
    let [(_, Finish::Aborted { abort, .. })] = moved.ended.as_slice() else { panic!("it ended") };
    assert_eq!(abort.fault, Fault::Silence);
}

fn reopened(dealt: &[Dealt]) -> Table {
    let mut again = Table::of("a b c");
    for (who, it) in names("a b c").into_iter().zip(dealt) {
        // Shares were dealt in an order of their own: whose each is, it says itself.
        again.at(&who).open(name("treasury"), 1, &it.document).unwrap();
    }
    let holders: BTreeMap<Name, Threshold> = std::mem::take(&mut again.enclaves)
        .into_values()
        .map(|it| (it.holding(&name("treasury"), 1).unwrap().me.clone(), it))
        .collect();
    again.enclaves = holders;
    again
}

fn k05_an_erased_share_signs_nothing(table: &mut Table) {
    assert_eq!(table.at(&name("a")).erase(&name("treasury"), 1), [1]);
    let purpose = Purpose::Sign { signers: names("a b"), digest: Digest([7; 32]), path: vec![4] };
    let signature = signature(session(purpose, 20));
    let refused = table.at(&name("a")).sign(signature).map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), "threshold.no_share");
}

fn proves(table: &mut Table, account: &PublicAccount) {
    let challenge = Digest([8; 32]);
    for it in names("b c") {
        let purpose = Purpose::Sign { signers: names("b c"), digest: challenge, path: vec![0] };
        let proving =
            Proving { request: REQUEST, prover: name("c"), challenge, session: session(purpose, 30) };
        let moved = table.at(&it).prove(proving).unwrap();
        table.took(&it, moved);
    }
    table.carry();
    let proofs = table.ended.iter().filter(|(_, finish)| match finish {
        Finish::Proved { proof, .. } => account.proves_control(&challenge, proof),
        _ => false,
    });
    assert_eq!(proofs.count(), 2);
}

#[test]
fn d03_the_oldest_seat_makes_room_and_not_the_lowest() {
    let mut enclave = Threshold::new(Arena::new(ARENA_BYTES).unwrap(), Speech::of(&Strict));
    assert!(!enclave.has_begun());
    let request = |byte| RequestId(Digest([byte; 32]));
    let max = u8::try_from(MAX_SEATS).unwrap();
    // The later, the lower.
    let seats: Vec<Seat> = (0..max).map(|n| enclave.seat(request(200 - n)).unwrap()).collect();
    assert!(enclave.has_begun(), "from now on nobody recalls anything");
    let again = enclave.seat(request(200)).unwrap();
    assert_ne!(again, seats[0], "a seat that is drawn anew is the newest");
    enclave.seat(request(250)).unwrap();
    assert_eq!(enclave.seats.len(), MAX_SEATS);
    assert!(!enclave.seats.contains_key(&request(199)), "the oldest");
    for kept in [request(200), request(200 - max + 1), request(250)] {
        assert!(enclave.seats.contains_key(&kept), "{kept:?}");
    }
}
