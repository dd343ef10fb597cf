//! Vectors of the wire forms, and the post between two nodes.

use std::collections::BTreeMap;

use keystead_base::{
    Canonical, ClusterId, Digest, HYBRID_SEED_BYTES, HybridSigner, Name, RequestId, Secret, tagged_hash,
};
use keystead_keys::{RECIPIENT_SEED_BYTES, RecipientKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use keystead_base::Signed;

use super::*;
use crate::channel::{ChannelEnds, LetterPlace};
use crate::deal::ProofPlace;
use crate::ecdsa::StoredEcdsa;
use crate::echo::payload_digest;
use crate::post::associated;
use crate::share::Stored;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vector {
    name: String,
    domain: String,
    json: Value,
    document: String,
    digest: Digest,
}

fn vector(name: &str, domain: &str, json: Value, document: &[u8]) -> Vector {
    let (digest, body) = (tagged_hash(domain, &document[1 + domain.len()..]), const_hex::encode(document));
    Vector { name: name.to_owned(), domain: domain.to_owned(), json, document: body, digest }
}

fn of<T: Canonical + Serialize>(name: &str, value: &T) -> Vector {
    let made = vector(name, T::DOMAIN, serde_json::to_value(value).unwrap(), &value.to_document());
    assert_eq!(made.digest, value.digest());
    made
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn names(text: &str) -> Vec<Name> {
    text.split_whitespace().map(name).collect()
}

fn session(purpose: Purpose) -> Session {
    Session {
        cluster: ClusterId(Digest([1; 32])),
        key: name("hot"),
        scheme: Scheme::EcdsaDkls23,
        epoch: 2,
        holders: Holders::new(2, names("n1 n2 n3")).unwrap(),
        policy_version: 5,
        purpose,
        attempt: Digest([2; 32]),
    }
}

fn purposes() -> Vec<Purpose> {
    vec![
        Purpose::Generate,
        Purpose::Sign { signers: names("n1 n3"), digest: Digest([3; 32]), path: vec![0, 7] },
        Purpose::Refresh,
        Purpose::Reshare { dealers: names("n1 n2"), next: Holders::new(3, names("n2 n3 n4 n5 n6")).unwrap() },
        Purpose::Repair { lost: name("n2"), helpers: names("n1 n3") },
        Purpose::Import { dealer: name("n9") },
        Purpose::Take { dealing: Digest([6; 32]) },
    ]
}

fn attempt() -> Attempt {
    let (ground, request) = (Digest([4; 32]), RequestId(Digest([5; 32])));
    Attempt { ground, request, number: 1, signers: names("n3 n1") }
}

fn envelope() -> Envelope {
    let session = session(Purpose::Generate).id();
    Envelope { session, round: 2, kind: Kind::DealCommitment, payload: vec![1, 2, 3] }
}

fn channel() -> Channel {
    Channel { to: name("n2"), encapsulated: vec![4; 8], secret: vec![5; 48] }
}

fn letter_place() -> LetterPlace {
    let session = session(Purpose::Generate).id();
    let (from, to) = (name("n1"), name("n2"));
    LetterPlace { session, round: 2, kind: Kind::DealShare, from, to, to_all: false, salt: [6; 32] }
}

fn records() -> [Record; 5] {
    let id = session(Purpose::Generate).id();
    let aborted =
        |culprit, fault| Record::Aborted { key: name("hot"), abort: Abort { session: id, culprit, fault } };
    [
        Record::Begun { key: name("hot"), session: id },
        aborted(Culprit::Node(name("n2")), Fault::Multiplication),
        aborted(Culprit::OneOf { sender: name("n2"), witness: name("n3") }, Fault::Equivocation),
        Record::Lifted { key: name("hot"), node: name("n2") },
        aborted(Culprit::Node(name("n2")), Fault::TwoThings),
    ]
}

fn vectors() -> Vec<Vector> {
    let mut all: Vec<Vector> = purposes().into_iter().map(|purpose| of("a run", &session(purpose))).collect();
    all.push(of("a try to sign", &attempt()));
    all.push(of("a message to all", &envelope()));
    all.push(of("a channel to one other node", &channel()));
    let ends = ChannelEnds { from: name("n1"), to: name("n2") };
    let (json, document) = (json!({ "from": "n1", "to": "n2" }), ends.to_document());
    all.push(vector("whose a channel's secret is", ChannelEnds::DOMAIN, json, &document));
    let (session_id, document) = (session(Purpose::Generate).id(), letter_place().to_document());
    let place = json!({
        "session": session_id, "round": 2, "kind": "deal_share", "from": "n1", "to": "n2", "to_all": false,
        "salt": vec![6; 32],
    });
    all.push(vector("where a letter belongs", LetterPlace::DOMAIN, place, &document));
    all.extend(records().iter().map(|record| of("a line of the journal", record)));
    let id = session(Purpose::Generate).id();
    let place = json!({ "session": id, "round": 2, "from": "n1", "to": "n2" });
    let document = associated(id, 2, &name("n1"), &name("n2"));
    all.push(vector("where a point that was dealt belongs", "keystead/threshold-place/v1", place, &document));
    let domain = "keystead/threshold-payload/v1";
    let document = [&[29], domain.as_bytes(), &borsh::to_vec(&vec![1u8, 2, 3]).unwrap()].concat();
    let payload = vector("what an echo repeats of a broadcast", domain, json!([1, 2, 3]), &document);
    assert_eq!(payload.digest, payload_digest(&[1, 2, 3]));
    all.push(payload);
    let coefficients = vec![vec![8; 33], vec![9; 33]];
    let proof = json!({ "session": id, "dealer": "n1", "coefficients": coefficients });
    let value = ProofPlace { session: id, dealer: name("n1"), coefficients };
    all.push(vector("what a dealer's proof is bound to", ProofPlace::DOMAIN, proof, &value.to_document()));
    all.push(share());
    let (stored, json) = (
        ecdsa(),
        json!({
            "share": vec![1; 4], "chain_code": const_hex::encode([7; 32]), "engine": 1, "state": vec![2; 4],
        }),
    );
    all.push(vector("an ECDSA share at rest", StoredEcdsa::DOMAIN, json, &stored.to_document()));
    all
}

fn ecdsa() -> StoredEcdsa {
    let (share, state) = (vec![1; 4].into(), vec![2; 4].into());
    StoredEcdsa { share, chain_code: [7; 32], engine: 1, state }
}

fn share() -> Vector {
    let public = PublicShares {
        holders: Holders::new(2, names("n1 n2")).unwrap(),
        key: vec![2; 33],
        shares: vec![vec![3; 33], vec![4; 33]],
    };
    let (key, me, scalar) = (name("hot"), name("n2"), Secret::new([6; 32]));
    let share = KeyShare { key, scheme: Scheme::Bip340Frost, epoch: 4, me, scalar, public };
    let json = json!({
        "key": "hot", "scheme": "bip340_frost", "epoch": 4, "me": "n2", "scalar": const_hex::encode([6; 32]),
        "public": share.public,
    });
    vector("a share at rest, before it is sealed", Stored::DOMAIN, json, share.to_secret().expose())
}

/// `KEYSTEAD_BLESS=1` writes them anew: a change of wire form, which needs a new version in its domain.
#[test]
fn the_vectors_hold() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/threshold.json");
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        let mut text = serde_json::to_string_pretty(&vectors()).unwrap();
        text.push('\n');
        std::fs::write(path, text).unwrap();
    }
    let stored: Vec<Vector> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(stored, vectors());
}

#[test]
fn documents_read_back_and_nothing_shorter_does() {
    fn check<T: Canonical + PartialEq + std::fmt::Debug>(value: &T) {
        let document = value.to_document();
        assert_eq!(T::from_document(&document).as_ref(), Ok(value));
        assert!((0..document.len()).all(|cut| T::from_document(&document[..cut]).is_err()));
    }
    purposes().into_iter().for_each(|purpose| check(&session(purpose)));
    check(&attempt());
    check(&envelope());
    check(&channel());
    records().iter().for_each(check);
}

fn keys(byte: u8) -> (HybridSigner, RecipientKey) {
    let signer = HybridSigner::from_seed(&Secret::new([byte; HYBRID_SEED_BYTES])).unwrap();
    (signer, RecipientKey::from_seed(&Secret::new([byte; RECIPIENT_SEED_BYTES])).unwrap())
}

fn post(me: &str) -> Post {
    let nodes = [("n1", 1), ("n2", 2), ("n3", 3)];
    let address = |(node, byte)| {
        let (signer, recipient) = keys(byte);
        (name(node), Address { signing: signer.public().clone(), recipient: recipient.public() })
    };
    let byte = nodes.iter().find(|(node, _)| *node == me).unwrap().1;
    let (signer, recipient) = keys(byte);
    Post::new(name(me), signer, recipient, nodes.into_iter().map(address).collect::<BTreeMap<_, _>>())
}

fn parcel(to: Option<&str>, payload: &[u8]) -> Parcel {
    let (session, payload) = (session(Purpose::Generate).id(), Secret::new(payload.to_vec()));
    Parcel { session, round: 2, kind: Kind::DealShare, to: to.map(name), payload }
}

/// Who else takes part in a run of three, for whoever reads: only how many counts.
fn two() -> Vec<Name> {
    names("n8 n9")
}

/// What several are told, or one.
fn pack(from: &str, parcel: &Parcel) -> Vec<u8> {
    let others: Vec<Name> = names("n1 n2 n3").into_iter().filter(|it| *it != name(from)).collect();
    packed(&post(from), parcel, &others)
}

fn packed(post: &Post, parcel: &Parcel, others: &[Name]) -> Vec<u8> {
    let mut drawn = 0;
    let mut fill = |bytes: &mut [u8]| {
        drawn += 1;
        bytes.fill(drawn);
    };
    post.pack(parcel, others, &mut fill).unwrap().pop().unwrap().1
}

fn letter(bytes: &[u8]) -> Letter {
    match Message::read(bytes).unwrap() {
        Message::Letter(letter) => *letter,
        Message::Broadcast(_) => panic!("for one"),
    }
}

fn bytes_of(letter: &Letter) -> Vec<u8> {
    Message::Letter(Box::new(letter.clone())).to_bytes().unwrap()
}

fn broadcast(bytes: &[u8]) -> Signed<Envelope> {
    match Message::read(bytes).unwrap() {
        Message::Broadcast(signed) => signed,
        Message::Letter(_) => panic!("for all"),
    }
}

fn bytes_of_all(signed: &Signed<Envelope>) -> Vec<u8> {
    Message::Broadcast(signed.clone()).to_bytes().unwrap()
}

#[test]
fn a_letter_is_read_by_one_node_and_in_its_place() {
    let bytes = pack("n1", &parcel(Some("n2"), b"a point of a polynomial"));
    assert!(!bytes.windows(7).any(|it| it == b"a point"), "it travels encrypted");
    let read = post("n2").open(&bytes, &two()).unwrap();
    assert_eq!(
        (read.from, read.to, read.payload.expose().as_slice()),
        (name("n1"), Some(name("n2")), b"a point of a polynomial".as_slice())
    );
    assert_eq!(post("n3").open(&bytes, &two()).unwrap_err(), PostError::Misrouted { to: name("n2") });
    let written = letter(&bytes);
    let elsewhere = SessionId(Digest([8; 32]));
    for moved in [
        Letter { session: elsewhere, ..written.clone() },
        Letter { round: 4, ..written.clone() },
        Letter { kind: Kind::RepairDelta, ..written.clone() },
        Letter { to_all: true, ..written.clone() },
        Letter { salt: [7; 32], ..written.clone() },
        Letter { ciphertext: vec![7; written.ciphertext.len()], ..written.clone() },
        Letter { ciphertext: Vec::new(), ..written.clone() },
    ] {
        let n2 = post("n2");
        let altered = PostError::Altered { from: name("n1") };
        assert_eq!(
            n2.open(&bytes_of(&moved), &two()).unwrap_err(),
            altered,
            "whoever carries it names nobody"
        );
        assert_eq!(n2.open(&bytes, &two()).unwrap().round, 2, "and keeps nothing from being read");
        assert_eq!(
            n2.open(&bytes_of(&moved), &two()).unwrap_err(),
            altered,
            "in a channel that is known, too"
        );
    }
}

/// Whoever reads a letter's channel knows who signed it; nobody else's secret opens it, and nobody else's word opens one.
#[test]
fn k06_nobody_opens_a_channel_in_another_nodes_name() {
    let bytes = pack("n1", &parcel(Some("n2"), b"a point"));
    let mut forged = letter(&bytes);
    forged.channel.signer = name("n3");
    assert_eq!(
        post("n2").open(&bytes_of(&forged), &two()).unwrap_err(),
        PostError::Signature { from: name("n3") }
    );
    forged.channel.signer = name("n9");
    assert_eq!(
        post("n2").open(&bytes_of(&forged), &two()).unwrap_err(),
        PostError::Unknown { name: name("n9") }
    );
    // What `n1` wrote to `n2` and `n3` signs as its own: the secret stays where it was.
    let mut taken = letter(&bytes);
    taken.channel = Signed::new(taken.channel.body, name("n3"), &keys(3).0).unwrap();
    let (from, session) = (name("n3"), taken.session);
    assert_eq!(post("n2").open(&bytes_of(&taken), &two()).unwrap_err(), PostError::Sealed { from, session });
    // A reader who would write to a third in the writer's name.
    let mut passed = letter(&bytes);
    passed.channel.body.to = name("n3");
    assert_eq!(
        post("n3").open(&bytes_of(&passed), &two()).unwrap_err(),
        PostError::Signature { from: name("n1") }
    );
    // A known channel is one whose signature was verified, and no other one's with the same body.
    let n2 = post("n2");
    n2.open(&bytes, &two()).unwrap();
    let mut unsigned = letter(&bytes);
    unsigned.channel.signature = Signed::new(channel(), name("n1"), &keys(1).0).unwrap().signature;
    assert_eq!(n2.open(&bytes_of(&unsigned), &two()).unwrap_err(), PostError::Signature { from: name("n1") });
}

/// Sealed wrongly, or for a key of an earlier seat: a channel is signed for no run, so whoever kept it brings it into any.
#[test]
fn k06_a_channel_that_does_not_open_says_so() {
    let (from, session) = (name("n1"), session(Purpose::Generate).id());
    let written = letter(&pack("n1", &parcel(Some("n2"), b"a point")));
    let mut bent = written.channel.body.clone();
    bent.secret[0] ^= 1;
    let short = Channel { encapsulated: vec![4; 8], ..written.channel.body.clone() };
    let long = Channel { secret: vec![4; 49], ..written.channel.body.clone() };
    for body in [bent, short, long] {
        let channel = Signed::new(body, name("n1"), &keys(1).0).unwrap();
        let letter = Letter { channel, ..written.clone() };
        let sealed = PostError::Sealed { from: from.clone(), session };
        assert_eq!(post("n2").open(&bytes_of(&letter), &two()).unwrap_err(), sealed);
    }
}

#[test]
fn a_channel_is_signed_once_for_many_letters_and_not_for_ever() {
    let (n1, n2, to) = (post("n1"), post("n2"), names("n2"));
    let mut seed = 0u8;
    let mut write = |round| {
        seed = seed.wrapping_add(1);
        let said = Parcel { round, ..parcel(Some("n2"), &[round; 40]) };
        n1.pack(&said, &to, &mut |bytes: &mut [u8]| bytes.fill(seed)).unwrap().pop().unwrap().1
    };
    let first = write(0);
    let mut channels = vec![letter(&first).channel];
    for round in 0..=255 {
        for _ in 0..20 {
            let bytes = write(round);
            assert_eq!(n2.open(&bytes, &two()).unwrap().payload.expose(), &[round; 40]);
            let channel = letter(&bytes).channel;
            if channels.last() != Some(&channel) {
                channels.push(channel);
            }
        }
    }
    assert_eq!(channels.len(), 1 + 256 * 20 / 1024, "one for each 1,024 letters");
    let (one, again) = (letter(&write(3)), letter(&write(3)));
    assert!(one.salt != again.salt && one.ciphertext != again.ciphertext, "no two letters have one key");
    assert_eq!(n2.open(&first, &two()).unwrap().round, 0, "what is older is read, too");
    let anew =
        post("n1").pack(&parcel(Some("n2"), b"x"), &to, &mut |bytes: &mut [u8]| bytes.fill(99)).unwrap();
    assert_ne!(letter(&anew[0].1).channel, channels[0], "another life, another channel");
    n2.open(&anew[0].1, &two()).unwrap();
}

/// Where one other takes part nobody else could be shown anything; the receiver knows that all were told it.
#[test]
fn what_is_said_to_all_of_one_other_is_a_letter() {
    let bytes = packed(&post("n1"), &parcel(None, b"for all"), &names("n2"));
    let read = post("n2").open(&bytes, &names("n1")).unwrap();
    assert_eq!((read.to, read.payload.expose().as_slice()), (None, b"for all".as_slice()));
    // INVARIANT K6: where others are told something they could be told something else, and nobody could show it.
    assert_eq!(
        post("n2").open(&bytes, &two()).unwrap().to,
        Some(name("n2")),
        "it is said to this node alone"
    );
    assert!(Said::signed(&bytes, &name("n1"), post("n2").keys_of(&name("n1")).unwrap()).is_none());
    broadcast(&pack("n1", &parcel(None, b"for all")));
}

#[test]
fn nobody_writes_in_another_nodes_name() {
    let bytes = pack("n1", &parcel(None, b"for all"));
    assert_eq!(post("n2").open(&bytes, &two()).unwrap().from, name("n1"));
    let mut forged = broadcast(&bytes);
    forged.signer = name("n3");
    let refused = post("n2").open(&bytes_of_all(&forged), &two()).unwrap_err();
    assert_eq!(refused, PostError::Signature { from: name("n3") });
    forged.signer = name("n9");
    let refused = post("n2").open(&bytes_of_all(&forged), &two()).unwrap_err();
    assert_eq!(refused, PostError::Unknown { name: name("n9") });
    for bytes in [bytes, pack("n1", &parcel(Some("n2"), b"for one"))] {
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert!(post("n2").open(&bytes[..cut], &two()).is_err());
        }
    }
}

fn said(parcel: &Parcel) -> Option<Said> {
    let keys = post("n3").keys_of(&name("n1")).unwrap().clone();
    Said::signed(&pack("n1", parcel), &name("n1"), &keys)
}

#[test]
fn k06_two_signed_envelopes_settle_who_lied() {
    let one = said(&parcel(None, b"one")).unwrap();
    let is_proof = |other: Parcel| told_two_things(&one, &said(&other).unwrap()).is_some();
    let elsewhere = SessionId(Digest([8; 32]));
    assert!(is_proof(parcel(None, b"other")));
    assert!(is_proof(Parcel { kind: Kind::DealCommitment, ..parcel(None, b"one") }));
    assert!(!is_proof(parcel(None, b"one")), "the same again");
    assert!(!is_proof(Parcel { round: 4, ..parcel(None, b"other") }), "another round");
    assert!(!is_proof(Parcel { session: elsewhere, ..parcel(None, b"other") }), "another run");
    assert!(said(&parcel(Some("n2"), b"other")).is_none(), "what is said to one is said to one");

    let by_another = pack("n2", &parcel(None, b"other"));
    let keys = |who: &str| post("n3").keys_of(&name(who)).unwrap().clone();
    assert!(Said::signed(&by_another, &name("n1"), &keys("n1")).is_none(), "whoever only says so");
    let other = Said::signed(&by_another, &name("n2"), &keys("n2")).unwrap();
    assert_eq!(told_two_things(&one, &other), None);
    let mut forged = broadcast(&by_another);
    forged.signer = name("n1");
    assert!(Said::signed(&bytes_of_all(&forged), &name("n1"), &keys("n1")).is_none());
    assert_eq!(Said::of(&post("n3").open(&pack("n1", &parcel(None, b"one")), &two()).unwrap()), Some(one));
}

fn told(broadcasts: &[Parcel]) -> Told<Vec<u8>> {
    let mut told = Told::new(names("n1 n2"));
    for parcel in broadcasts {
        let bytes = pack("n1", parcel);
        told.keep(&post("n3").open(&bytes, &two()).unwrap(), || bytes.clone());
    }
    told
}

fn ended(culprit: Culprit, fault: Fault) -> Abort {
    Abort { session: session(Purpose::Generate).id(), culprit, fault }
}

#[test]
fn k06_a_dispute_shows_what_the_sender_signed_and_ends_by_what_it_signed_for_another() {
    let doubt = ended(Culprit::OneOf { sender: name("n1"), witness: name("n2") }, Fault::Equivocation);
    let next = Parcel { round: 3, ..parcel(None, b"next") };
    let broadcasts = [parcel(None, b"one"), parcel(None, b"one"), next];
    let shown = told(&broadcasts).show(&name("hot"), &doubt).unwrap();
    let rounds = shown.messages.iter().map(|bytes| post("n2").open(bytes, &two()).unwrap().round);
    assert_eq!(rounds.collect::<Vec<_>>(), [2, 3], "each once, and signed as it came");
    assert_eq!(shown.others, names("n2"), "and not to the sender");
    let dispute = shown.dispute.unwrap();
    assert_eq!((dispute.session(), dispute.sender()), (doubt.session, &name("n1")));
    for same in &broadcasts {
        assert!(dispute.settle(&said(same).unwrap()).is_none());
    }
    let settled = dispute.settle(&said(&parcel(None, b"other")).unwrap()).unwrap();
    let expected = ended(Culprit::Node(name("n1")), Fault::TwoThings);
    assert_eq!(*settled.record(), Record::Aborted { key: name("hot"), abort: expected.clone() });
    assert!(expected.fault.bans());
}

#[test]
fn k06_what_is_shown_of_a_run_depends_on_how_it_ended() {
    let both = [parcel(None, b"one"), parcel(None, b"other"), parcel(None, b"third")];
    let node = |fault| ended(Culprit::Node(name("n1")), fault);
    let proven = told(&both).show(&name("hot"), &node(Fault::TwoThings)).unwrap();
    assert_eq!(proven.messages.len(), 2, "two are enough, and no more are kept");
    assert!(proven.dispute.is_none(), "shown again after a lift, they keep nobody out");
    let named = told(&both[..1]).show(&name("hot"), &node(Fault::Equivocation)).unwrap();
    assert!(named.dispute.is_some(), "it said itself that it told another something else");
    for quiet in [node(Fault::Malformed), node(Fault::Silence), ended(Culprit::Unknown, Fault::Silence)] {
        assert!(told(&both[..1]).show(&name("hot"), &quiet).is_none(), "{quiet:?}");
    }
    let mut over = told(&both[..1]);
    over.forget_before(3);
    assert_eq!(over.show(&name("hot"), &node(Fault::Equivocation)).unwrap().messages.len(), 1, "the echo's");
    let mut over = told(&both[..1]);
    over.forget_before(4);
    assert!(over.show(&name("hot"), &node(Fault::Equivocation)).unwrap().messages.is_empty());
    let mut strange = Told::new(names("n2"));
    let bytes = pack("n1", &both[0]);
    strange.keep(&post("n3").open(&bytes, &two()).unwrap(), || panic!("of a stranger nothing is kept"));
    let _: Told<Vec<u8>> = strange;
}
