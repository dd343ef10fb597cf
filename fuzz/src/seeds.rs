//! Good examples: the vectors of `specs/`, the files of `fuzz/seeds`, and a few that are made.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use keystead_base::{Canonical as _, Digest, HYBRID_SEED_BYTES, HybridSigner, Name, Secret, Signed};
use keystead_decision::{Block, Commit, Entry, SignedGenesis, Snapshot, State};
use keystead_ledger::{
    Checkpoint, Consistency, CosignRequest, LogKeys, SignedCheckpoint, StoredBlock, block_bundle,
    entry_bundle,
};
use keystead_policy::PolicyVersion;
use keystead_threshold::{Channel, Envelope, Kind, Letter, Message, SessionId};
use serde_json::{Value, json};

/// The documents of one domain in `specs/vectors`, in the order of files and places.
pub(crate) fn vectors(domain: &str) -> Vec<Vec<u8>> {
    let of_domain = VECTORS.iter().filter(|(of, _)| of == domain);
    of_domain.map(|(_, document)| document.clone()).collect()
}

static VECTORS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let files = files(&root().join("specs/vectors"));
    let all = files.iter().map(|file| -> Vec<Value> {
        serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("a list of vectors")
    });
    let text = |it: &Value, field: &str| it[field].as_str().unwrap_or_default().to_owned();
    let pairs = all.flatten().map(|it| (text(&it, "domain"), text(&it, "document")));
    pairs.map(|(domain, hex)| (domain, const_hex::decode(hex).expect("hex"))).collect()
});

/// The files of `fuzz/seeds/NAME`: those that end in `.hex` have one example a line, and comments.
pub(crate) fn stored(name: &'static str) -> Vec<Vec<u8>> {
    files(&root().join("fuzz/seeds").join(name)).iter().flat_map(|file| examples(file)).collect()
}

fn examples(file: &Path) -> Vec<Vec<u8>> {
    if file.extension().is_none_or(|it| it != "hex") {
        return vec![std::fs::read(file).expect("a file")];
    }
    let text = std::fs::read_to_string(file).expect("a file");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| const_hex::decode(line).expect("hex")).collect()
}

/// The state after a genesis.
pub(crate) fn states(_: &'static str) -> Vec<Vec<u8>> {
    let state = |it: SignedGenesis| State::genesis(&it.genesis).expect("a genesis that compiles");
    genesis().into_iter().map(|it| Snapshot(state(it)).to_document()).collect()
}

/// The transactions of `specs/examples/near.json` that are read.
pub(crate) fn near_transactions(_: &'static str) -> Vec<Vec<u8>> {
    let text = std::fs::read(root().join("specs/examples/near.json")).expect("a file");
    let examples: Vec<Value> = serde_json::from_slice(&text).expect("a list of examples");
    let read = examples.iter().filter(|it| it["refused"].is_null());
    let hex = read.map(|it| it["transaction"].as_str().unwrap_or_default());
    hex.map(|it| const_hex::decode(it).expect("hex")).collect()
}

/// An account, a key and code.
pub(crate) fn near_subjects(_: &'static str) -> Vec<Vec<u8>> {
    let key = "ed25519:Anu7LYDfpLtkP7E16LT9imXF694BdQaa9ufVkQiwTQxC".to_owned();
    let subjects = ["vault-1.bob_2.near".to_owned(), key, format!("code:{}", "0a".repeat(32))];
    subjects.map(String::into_bytes).to_vec()
}

/// Policy versions as people write them.
pub(crate) fn policies(_: &'static str) -> Vec<Vec<u8>> {
    let versions = genesis().into_iter().map(|it| it.genesis.policy);
    versions.map(|it: PolicyVersion| serde_json::to_vec(&it).expect("JSON")).collect()
}

fn genesis() -> Vec<SignedGenesis> {
    let documents = vectors(SignedGenesis::DOMAIN);
    documents.iter().map(|it| SignedGenesis::from_document(it).expect("a vector")).collect()
}

/// A checkpoint, and the one key that signs it.
pub(crate) struct SignedNote {
    pub(crate) keys: LogKeys,
    pub(crate) signed: Checkpoint,
    note: SignedCheckpoint,
}

/// The signed checkpoint of all runs.
pub(crate) static LOG_KEYS: LazyLock<SignedNote> = LazyLock::new(|| {
    let signer = HybridSigner::from_seed(&Secret::new([1; HYBRID_SEED_BYTES])).expect("a key");
    let signed =
        Checkpoint { origin: "keystead/hot/0123456789abcdef".to_owned(), size: 7, root: Digest([9; 32]) };
    let nodes = vec![("node-1".parse().expect("a name"), signer.public().clone())];
    let keys = LogKeys { origin: signed.origin.clone(), quorum: 1, nodes };
    let note = SignedCheckpoint::sign(signed.clone(), &signer).expect("a signature");
    SignedNote { keys, signed, note }
});

/// A signed note.
pub(crate) fn notes(_: &'static str) -> Vec<Vec<u8>> {
    vec![LOG_KEYS.note.to_note().into_bytes()]
}

/// Requests to a witness, with and without hashes.
pub(crate) fn cosign_requests(_: &'static str) -> Vec<Vec<u8>> {
    let request = |older, path| CosignRequest {
        consistency: Consistency { older, newer: 7, path },
        checkpoint: LOG_KEYS.note.clone(),
    };
    let requests = [request(0, Vec::new()), request(3, vec![Digest([1; 32]), Digest([2; 32])])];
    requests.iter().map(|it| it.to_body().into_bytes()).collect()
}

/// The bundles of one block and of none.
pub(crate) fn bundles(_: &'static str) -> Vec<Vec<u8>> {
    let commits = vectors(Commit::DOMAIN).into_iter().map(|it| Commit::from_document(&it).expect("a vector"));
    let blocks = vectors(Block::DOMAIN).into_iter().map(|it| Block::from_document(&it).expect("a vector"));
    let stored = commits.zip(blocks).map(|(commit, block)| StoredBlock { commit, entries: block.entries });
    let stored: Vec<StoredBlock> = stored.collect();
    let joined = |blocks: &[StoredBlock]| {
        let entries = entry_bundle(blocks).expect("short headers");
        let length = u32::try_from(entries.len()).expect("a length").to_be_bytes();
        [length.as_slice(), &entries, &block_bundle(blocks)].concat()
    };
    vec![joined(&stored), joined(stored.get(..1).unwrap_or_default()), joined(&[])]
}

/// Every message of the wire in a frame.
pub(crate) fn wire_frames(_: &'static str) -> Vec<Vec<u8>> {
    let messages = ["keystead/node-request/v1", "keystead/node-reply/v1", "keystead/hello/v1"];
    let framed = |message: Vec<u8>| {
        let length = u32::try_from(message.len() + 8).expect("a length");
        [&length.to_be_bytes(), 7_u64.to_be_bytes().as_slice(), &message].concat()
    };
    messages.iter().flat_map(|domain| vectors(domain)).map(framed).collect()
}

/// Every message between the parent and the enclave in a frame.
pub(crate) fn enclave_frames(_: &'static str) -> Vec<Vec<u8>> {
    let messages = ["keystead/enclave-request/v1", "keystead/enclave-reply/v1"];
    let framed = |message: Vec<u8>| {
        let length = u32::try_from(message.len()).expect("a length");
        [length.to_le_bytes().as_slice(), &message].concat()
    };
    messages.iter().flat_map(|domain| vectors(domain)).map(framed).collect()
}

/// A broadcast, and a letter in a channel.
pub(crate) fn run_messages(_: &'static str) -> Vec<Vec<u8>> {
    let signer = HybridSigner::from_seed(&Secret::new([1; HYBRID_SEED_BYTES])).expect("a key");
    let me: Name = "node-1".parse().expect("a name");
    let envelopes = vectors(Envelope::DOMAIN).into_iter().map(|it| {
        let envelope = Envelope::from_document(&it).expect("a vector");
        Message::Broadcast(Signed::new(envelope, me.clone(), &signer).expect("a signature"))
    });
    let letters = vectors(Channel::DOMAIN).into_iter().map(|it| {
        let channel = Channel::from_document(&it).expect("a vector");
        let channel = Signed::new(channel, me.clone(), &signer).expect("a signature");
        let (session, ciphertext) = (SessionId(Digest([2; 32])), vec![3; 48]);
        let kind = Kind::MultiplyOffer;
        Message::Letter(Box::new(Letter {
            channel,
            session,
            round: 0,
            kind,
            to_all: false,
            salt: [4; 32],
            ciphertext,
        }))
    });
    envelopes.chain(letters).map(|it| it.to_bytes().expect("a message")).collect()
}

/// Entries in the body of an HTTP request.
pub(crate) fn http_entries(_: &'static str) -> Vec<Vec<u8>> {
    let hex: Vec<String> = vectors(Entry::DOMAIN).iter().map(const_hex::encode).collect();
    let small = hex.iter().min_by_key(|it| it.len()).cloned().unwrap_or_default();
    vec![
        json!({"entries": [small]}).to_string().into_bytes(),
        json!({"entries": hex}).to_string().into_bytes(),
    ]
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths
}

/// The workspace's root.
fn root() -> PathBuf {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    fuzz.parent().unwrap_or(fuzz).to_owned()
}
