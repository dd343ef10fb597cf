//! Every parser of bytes and texts that come from outside, fed with spoiled copies of what is good.
//!
//! A parser may refuse; it may not panic, and what it accepts it must write again as the very same bytes. The
//! run is bounded and deterministic: `KEYSTEAD_SEED` chooses another one, `KEYSTEAD_CASES` a longer one.

use keystead_base::{Amount, Canonical, Name};
use keystead_chain::Unsigned;
use keystead_decision::{
    Block, Certificate, Commit, Decision, Entry, Genesis, Header, KeyEvent, Renewal, Settlement,
    SignedGenesis, Snapshot, Strict, Vote,
};
use keystead_intent::{Approval, Freeze, Intent, RequestBatch, Veto};
use keystead_keys::{BackupFile, MemberKeyFile, MemberPublic, Sealed};
use keystead_ledger::{Checkpoint, Proof, SignedCheckpoint};
use keystead_policy::{PolicyVersion, Price, Roster};
use keystead_signing::{Hardening, Reply, Request};
use keystead_tests::fixture::FRIEND;
use keystead_tests::root;
use keystead_tests::world::World;
use keystead_wire::{Hello, NodeReply, NodeRequest, SentBlock};

#[test]
fn spoiled_documents_are_refused_or_mean_one_thing() {
    let corpus = corpus();
    let mut spoiler = Spoiler::seeded();
    let counts = [
        feed::<Intent>(&corpus, &mut spoiler),
        feed::<RequestBatch>(&corpus, &mut spoiler),
        feed::<Approval>(&corpus, &mut spoiler),
        feed::<Veto>(&corpus, &mut spoiler),
        feed::<Freeze>(&corpus, &mut spoiler),
        feed::<Price>(&corpus, &mut spoiler),
        feed::<Roster>(&corpus, &mut spoiler),
        feed::<PolicyVersion>(&corpus, &mut spoiler),
        feed::<Genesis>(&corpus, &mut spoiler),
        feed::<SignedGenesis>(&corpus, &mut spoiler),
        feed::<Entry>(&corpus, &mut spoiler),
        feed::<Settlement>(&corpus, &mut spoiler),
        feed::<KeyEvent>(&corpus, &mut spoiler),
        feed::<Renewal>(&corpus, &mut spoiler),
        feed::<Header>(&corpus, &mut spoiler),
        feed::<Block>(&corpus, &mut spoiler),
        feed::<Vote>(&corpus, &mut spoiler),
        feed::<Commit>(&corpus, &mut spoiler),
        feed::<Decision>(&corpus, &mut spoiler),
        feed::<Certificate>(&corpus, &mut spoiler),
        feed::<Unsigned>(&corpus, &mut spoiler),
        feed::<Sealed>(&corpus, &mut spoiler),
        feed::<BackupFile>(&corpus, &mut spoiler),
        feed::<MemberPublic>(&corpus, &mut spoiler),
        feed::<MemberKeyFile>(&corpus, &mut spoiler),
        feed::<Hello>(&corpus, &mut spoiler),
        feed::<NodeRequest>(&corpus, &mut spoiler),
        feed::<NodeReply>(&corpus, &mut spoiler),
        feed::<SentBlock>(&corpus, &mut spoiler),
        feed::<Request>(&corpus, &mut spoiler),
        feed::<Reply>(&corpus, &mut spoiler),
        feed::<Hardening>(&corpus, &mut spoiler),
        feed::<Proof>(&corpus, &mut spoiler),
        feed::<Snapshot>(&corpus, &mut spoiler),
    ];
    let (accepted, refused) = counts.iter().fold((0, 0), |(a, r), it| (a + it.0, r + it.1));
    println!(
        "{} parsers of documents: {accepted} spoiled documents accepted, {refused} refused",
        counts.len()
    );
    assert!(refused > accepted, "most spoiled documents are refused");
}

#[test]
fn spoiled_texts_are_refused_or_read() {
    let world = World::new(Strict::default());
    let mut spoiler = Spoiler::seeded();
    let policy = serde_json::to_string(world.state.policy().engine.version()).unwrap();
    let intent = r#"{"cluster":"0000000000000000000000000000000000000000000000000000000000000000","requester":"desk",
        "nonce":"11111111111111111111111111111111","expires":1,"action":{"authority":{"thaw":{"key":null}}}}"#;
    let body =
        Checkpoint { origin: "keystead/x/0011".to_owned(), size: 3, root: keystead_base::Digest([1; 32]) };
    let note = SignedCheckpoint::sign(body, &world.desk.nodes[0].signer).unwrap().to_note();
    for _ in 0..cases() {
        drop(Intent::from_json(&spoiler.text(intent)));
        drop(SignedCheckpoint::parse(&spoiler.text(&note)));
        drop(spoiler.text("hot-1.x").parse::<Name>());
        drop(spoiler.text("115792089237316195423570985008687907853").parse::<Amount>());
    }
    for _ in 0..cases() / 20 {
        drop(PolicyVersion::from_json(&spoiler.text(&policy)));
    }
}

/// Feeds spoiled copies of every good document of a type: how many were accepted and refused.
fn feed<T: Canonical>(corpus: &[Vec<u8>], spoiler: &mut Spoiler) -> (u64, u64) {
    let good: Vec<&Vec<u8>> = corpus.iter().filter(|it| T::from_document(it).is_ok()).collect();
    assert!(!good.is_empty(), "no good document of {}", T::DOMAIN);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..cases() {
        let original = good[round % good.len()];
        // The long ones cost more and are mostly keys and signatures.
        if original.len() > 20_000 && round % 10 != 0 {
            continue;
        }
        let spoiled = spoiler.bytes(original);
        match T::from_document(&spoiled) {
            Ok(value) => {
                assert!(value.to_document() == spoiled, "{} has two encodings", T::DOMAIN);
                accepted += 1;
            }
            Err(_) => refused += 1,
        }
    }
    (accepted, refused)
}

/// Every document of specs/vectors, and a state.
fn corpus() -> Vec<Vec<u8>> {
    let mut documents = Vec::new();
    for file in std::fs::read_dir(root().join("specs/vectors")).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
        let texts = vectors.as_array().unwrap().iter().map(|it| it["document"].as_str().unwrap());
        documents.extend(texts.map(|it| const_hex::decode(it).unwrap()));
    }
    let mut world = World::new(Strict::default());
    world.ask("desk", world.ether(FRIEND, 1, 0));
    documents.push(Snapshot(world.state.clone()).to_document());
    documents
}

fn cases() -> usize {
    std::env::var("KEYSTEAD_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(1_000)
}

/// Spoils bytes the same way in every run with the same seed (xorshift64*).
struct Spoiler(u64);

impl Spoiler {
    fn seeded() -> Self {
        let seed = std::env::var("KEYSTEAD_SEED").ok().and_then(|it| it.parse().ok()).unwrap_or(20_261_123);
        println!("KEYSTEAD_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(mixed).unwrap() % limit.max(1)
    }

    fn bytes(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(3) {
            self.spoil(&mut bytes);
        }
        bytes
    }

    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        let byte = u8::try_from(self.below(256)).unwrap();
        match self.below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            1 if !bytes.is_empty() => bytes[at] = byte,
            2 => bytes.insert(at, byte),
            3 => bytes.truncate(at),
            4 => bytes.push(byte),
            _ => {
                // A length that promises more than there is.
                bytes.iter_mut().skip(at).take(4).for_each(|it| *it = 0xff);
            }
        }
    }

    fn text(&mut self, good: &str) -> String {
        String::from_utf8_lossy(&self.bytes(good.as_bytes())).into_owned()
    }
}
