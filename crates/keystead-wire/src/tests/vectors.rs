//! The wire forms against `specs/vectors/wire.json`, which `specs/check.py` recomputes.
//!
//! `KEYSTEAD_BLESS=1 cargo test -p keystead-wire` writes the file anew: a change of wire form, which needs
//! a new version in its domain.

use std::collections::BTreeSet;
use std::path::PathBuf;

use alloy_primitives::{Address, Bytes};
use keystead_base::{Amount, Canonical, HybridSignature, KeyScheme, Name, RequestId, Signed, Timestamp};
use keystead_decision::{
    Commit, Dealing, Decision, Discrepancy, Entry, Finding, FreshAnswer, FreshWord, Frozen, Header, KeyLife,
    KeyState, Outcome, PublicAccount, SealedPoint, Witnessed,
};
use keystead_intent::{
    AccountRef, BitcoinWallet, ChainId, ChangeKind, DangerClass, KeyKind, KeyTerms, Rotation,
};
use keystead_policy::PolicyRef;
use serde_json::{Value, json, to_value};

use super::*;

#[test]
fn every_wire_form_is_that_of_its_vectors() {
    let vectors = Value::Array(vectors());
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../specs/vectors/wire.json");
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        std::fs::write(&file, serde_json::to_string_pretty(&vectors).unwrap() + "\n").unwrap();
    }
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(stored, vectors);
}

fn vectors() -> Vec<Value> {
    let mut all = vec![
        vector("a coordinator says hello", &hello(Role::Service), &hello_json(1)),
        vector("a witness says hello", &hello(Role::Witness), &hello_json(3)),
        vector("welcome", &Greeting::Welcome(hello(Role::Node)), &json!({"welcome": hello_json(0)})),
        vector(
            "another version",
            &Greeting::Refused(Refusal::Version { speaks: 1 }),
            &json!({"refused": {"version": {"speaks": 1}}}),
        ),
        vector("another cluster", &Greeting::Refused(Refusal::Cluster), &json!({"refused": "cluster"})),
        vector("no place", &Greeting::Refused(Refusal::Full), &json!({"refused": "full"})),
        vector("no hello", &Greeting::Refused(Refusal::Garbled), &json!({"refused": "garbled"})),
        vector("a block", &block(), &block_json()),
        vector("a line is called on", &LineCall { node: word("node-2") }, &json!({"node": "node-2"})),
        vector("a line is joined", &LineAnswer::Joined, &json!("joined")),
        vector(
            "a line is not joined",
            &LineAnswer::Refused(LineRefusal::Unreachable),
            &json!({"refused": "unreachable"}),
        ),
    ];
    all.extend(requests().iter().map(|(name, request, json)| vector(name, request, json)));
    all.extend(replies().iter().map(|(name, reply, json)| vector(name, reply, json)));
    all
}

/// Also shows that the document reads back, and that nothing shorter does.
pub(super) fn vector<T: Canonical + PartialEq + std::fmt::Debug>(
    name: &str,
    value: &T,
    json: &Value,
) -> Value {
    let document = value.to_document();
    assert_eq!(&T::from_document(&document).unwrap(), value, "{name}");
    for cut in [document.len() - 1, document.len() / 2, 0] {
        assert!(T::from_document(&document[..cut]).is_err(), "{name} cut to {cut} bytes");
    }
    json!({
        "name": name,
        "domain": T::DOMAIN,
        "json": json,
        "document": const_hex::encode(&document),
        "digest": value.digest(),
    })
}

fn hello_json(role: usize) -> Value {
    let role = ["node", "service", "person", "witness"][role];
    json!({"version": 1, "cluster": CLUSTER, "role": role, "boot": 1})
}

fn requests() -> Vec<(&'static str, NodeRequest, Value)> {
    let (id, digest) = (RequestId(Digest([3; 32])), Digest([4; 32]));
    let drill = DrillReport { key: word("hot"), backup: digest, proof: vec![5; 64] };
    let drill_json = to_value(&drill).unwrap();
    vec![
        ("submit", NodeRequest::Submit(vec![Entry::Tick]), json!({"submit": ["tick"]})),
        ("ask for a request", NodeRequest::Request(id), json!({"request": id})),
        (
            "wait",
            NodeRequest::Wait { request: id, millis: 250 },
            json!({"wait": {"request": id, "millis": 250}}),
        ),
        ("what is open", NodeRequest::Open, json!("open")),
        ("status", NodeRequest::Status, json!("status")),
        ("keys", NodeRequest::Keys { after: None }, json!({"keys": {"after": null}})),
        ("more keys", NodeRequest::Keys { after: Some(word("hot")) }, json!({"keys": {"after": "hot"}})),
        ("one key", NodeRequest::Key(word("hot")), json!({"key": "hot"})),
        ("the policy in force", NodeRequest::Policy(None), json!({"policy": null})),
        ("a policy version", NodeRequest::Policy(Some(2)), json!({"policy": 2})),
        ("how a node is", NodeRequest::Pulse, json!("pulse")),
        ("genesis", NodeRequest::Genesis, json!("genesis")),
        ("blocks", NodeRequest::Blocks { from: 1, limit: 256 }, json!({"blocks": {"from": 1, "limit": 256}})),
        ("checkpoint", NodeRequest::Checkpoint, json!("checkpoint")),
        ("certificate", NodeRequest::Certificate(id), json!({"certificate": id})),
        ("backup", NodeRequest::Backup(digest), json!({"backup": digest})),
        ("a drill", NodeRequest::Drill(drill), json!({"drill": drill_json})),
        ("which head is the newest", NodeRequest::FreshHead(digest), json!({"fresh_head": digest})),
        ("a node's own checkpoint", NodeRequest::CheckpointAt(7), json!({"checkpoint_at": 7})),
        (
            "a backup handed over",
            NodeRequest::Restore { request: id, file: vec![9] },
            json!({"restore": {"request": id, "file": [9]}}),
        ),
        (
            "submit as a part of a trace",
            NodeRequest::SubmitTraced { entries: vec![Entry::Tick], marks: vec![mark(id, true)] },
            json!({"submit_traced": {"entries": ["tick"], "marks": [mark_json(id, true)]}}),
        ),
        (
            "a node tells of traces",
            NodeRequest::Traces(vec![mark(id, false)]),
            json!({"traces": [mark_json(id, false)]}),
        ),
        ("a whole key dealt", NodeRequest::Import(Box::new(import(id))), json!({"import": import(id)})),
    ]
}

fn import(request: RequestId) -> ImportReport {
    let point = SealedPoint { encapsulated: vec![1; 1120], ciphertext: vec![2; 48] };
    let body = Dealing {
        cluster: CLUSTER,
        key: word("treasury"),
        convened: Digest([5; 32]),
        device: Some(word("laptop")),
        coefficients: vec![vec![2; 33], vec![3; 33]],
        proof: vec![4; 64],
        points: vec![point.clone(), point],
    };
    let signature = HybridSignature::from_parts([3; 64], Box::new([4; 3309]));
    ImportReport { request, attempt: 1, dealing: Signed { body, signer: word("ana"), signature } }
}

fn mark(request: RequestId, sampled: bool) -> TraceMark {
    TraceMark { request, context: TraceContext::new([0xab; 16], [0xcd; 8], sampled).unwrap() }
}

fn mark_json(request: RequestId, sampled: bool) -> Value {
    let context = json!({"trace": "ab".repeat(16), "span": "cd".repeat(8), "sampled": sampled});
    json!({"request": request, "context": context})
}

fn replies() -> Vec<(&'static str, NodeReply, Value)> {
    let refused = Refused { code: "node.busy".to_owned(), text: "later".to_owned() };
    let (view, view_json) = (view(), to_value(view()).unwrap());
    let answers = vec![
        EntryAnswer::Requests(vec![view.clone()]),
        EntryAnswer::Decided(vec![decision()]),
        EntryAnswer::Refused(refused.clone()),
    ];
    let answers_json = to_value(&answers).unwrap();
    let drilled = EntryAnswer::Decided(Vec::new());
    vec![
        ("receipts", NodeReply::Submitted(answers), json!({"submitted": answers_json})),
        ("no request", NodeReply::Request(None), json!({"request": null})),
        ("news", NodeReply::Waited(Some(Box::new(view.clone()))), json!({"waited": view_json})),
        ("no news", NodeReply::Waited(None), json!({"waited": null})),
        ("open requests", NodeReply::Open(vec![view]), json!({"open": [view_json]})),
        ("a status", NodeReply::Status(Box::new(status())), json!({"status": status()})),
        (
            "some keys",
            NodeReply::Keys(KeyPage { keys: vec![key()], more: true }),
            json!({"keys": {"keys": [key()], "more": true}}),
        ),
        ("a key", NodeReply::Key(Some(Box::new(key()))), json!({"key": key()})),
        ("no key", NodeReply::Key(None), json!({"key": null})),
        ("no policy", NodeReply::Policy(None), json!({"policy": null})),
        ("a policy", NodeReply::Policy(Some(vec![1, 2])), json!({"policy": [1, 2]})),
        ("one block", NodeReply::Blocks(vec![block()]), json!({"blocks": [block_json()]})),
        ("a note", NodeReply::Checkpoint(Some("note\n".to_owned())), json!({"checkpoint": "note\n"})),
        ("no certificate", NodeReply::Certificate(None), json!({"certificate": null})),
        ("a backup file", NodeReply::Backup(Some(vec![9])), json!({"backup": [9]})),
        ("a drill counted", NodeReply::Drilled(drilled.clone()), json!({"drilled": {"decided": []}})),
        ("a key restored", NodeReply::Restored(drilled.clone()), json!({"restored": {"decided": []}})),
        ("a key imported", NodeReply::Imported(drilled), json!({"imported": {"decided": []}})),
        ("a pulse", NodeReply::Pulse(pulse()), json!({"pulse": pulse()})),
        ("no", NodeReply::Refused(refused.clone()), json!({"refused": refused})),
        ("a fresh head", NodeReply::FreshHead(Box::new(fresh())), json!({"fresh_head": fresh()})),
    ]
}

fn view() -> RequestView {
    RequestView {
        request: RequestId(Digest([3; 32])),
        stage: RequestStage::Signed,
        decision: decision(),
        signed: Some(SignedPayload {
            signing_digest: Digest([6; 32]),
            signature: Bytes::from(vec![7; 65]),
            raw: Bytes::from_static(b"\x02raw"),
            transaction: Some(Digest([8; 32])),
        }),
        refusal: None,
        file: None,
    }
}

fn decision() -> Decision {
    Decision {
        cluster: CLUSTER,
        height: 9,
        subject: RequestId(Digest([3; 32])),
        policy: PolicyRef { number: 1, digest: Digest([2; 32]) },
        rules: vec![word("small-payments")],
        outcome: Outcome::Deny { class: Some(DangerClass::Transfer), reasons: Vec::new() },
    }
}

fn status() -> NodeStatus {
    NodeStatus {
        cluster: CLUSTER,
        name: word("desk"),
        node: word("node-1"),
        boot: 3,
        height: 9,
        time: Timestamp(1_795_464_902_417),
        policy: 1,
        policy_digest: Digest([2; 32]),
        frozen: Frozen { everything: false, keys: BTreeSet::from([word("cold")]), stopped: BTreeSet::new() },
        keys: vec![key()],
        open: 1,
        unsettled: 2,
        nodes: 4,
        quorum: 3,
        withstands: Withstands::of(4, 3),
        standing: "votes".to_owned(),
        round: Some(1),
        peers: vec![PeerView {
            name: word("node-2"),
            reachable: true,
            height: 7,
            objection: Some(ObjectionView {
                height: 6,
                refused: Refused { code: "block.early".to_owned(), text: "its time is ahead".to_owned() },
            }),
            relay: Some(word("desk")),
            since: Some(Timestamp(1_795_464_900_000)),
            link: Some(link()),
        }],
        protections: vec![Protection {
            name: "landlock".to_owned(),
            status: "off".to_owned(),
            lost: "files can be opened".to_owned(),
        }],
        signatures: 5,
        refusals: 0,
        chains: vec![
            chain(1, ChainWatch::NotConfigured, ReconciledView::default()),
            chain(10, ChainWatch::Agreed { head: 77 }, reconciled()),
            chain(137, ChainWatch::Unknown { text: "1 of 2".to_owned() }, ReconciledView::default()),
        ],
        windows: vec![window()],
        counts: 3,
        waiting: vec![waiting()],
        found: vec![found()],
        ceremonies: vec![convening()],
        key_count: 10_000,
        sync_micros: Some(950),
        runs: vec![run()],
        aborts: vec![aborted()],
        tokens: vec![TokenView {
            group: word("hsm"),
            token: "token `custody`".to_owned(),
            lost: Some("it is unplugged".to_owned()),
            answered: 12,
        }],
        rotate: vec![Rotation::Key { key: word("hot") }],
        incident: vec!["found in a paste".to_owned()],
        kept_out: vec![KeptOut { key: word("hot"), node: word("node-2") }],
    }
}

fn link() -> LinkView {
    LinkView {
        boot: 3,
        restarts: 1,
        round_trip_micros: Some(412),
        clock: Some(ClockView { ahead: true, millis: 15 }),
        sync_micros: Some(1_200),
        round_trips: pulse().round_trips,
    }
}

fn pulse() -> Pulse {
    let round_trips = vec![RoundTrip { node: word("node-1"), micros: 400 }];
    Pulse { time: Timestamp(1_795_464_902_417), sync_micros: Some(1_200), round_trips }
}

fn run() -> RunView {
    RunView {
        request: RequestId(Digest([3; 32])),
        purpose: RunPurpose::Signature,
        attempts: 2,
        signers: vec![word("node-1"), word("node-3")],
        since: Timestamp(1_795_464_902_000),
        round: Some(RoundView { round: 2, rounds: 5, missing: vec![word("node-3")] }),
    }
}

fn aborted() -> AbortView {
    AbortView {
        request: RequestId(Digest([3; 32])),
        culprits: vec![word("node-2")],
        code: "threshold.silence".to_owned(),
        time: Timestamp(1_795_464_902_400),
    }
}

fn chain(chain: u64, watch: ChainWatch, reconciled: ReconciledView) -> ChainStatus {
    ChainStatus { chain, watch, reconciled }
}

fn reconciled() -> ReconciledView {
    ReconciledView {
        upto: Some(70),
        final_height: Some(76),
        held_up: Some("1 of 2".to_owned()),
        balances_at: Some(64),
        reorganized: 1,
        suspects: 2,
    }
}

fn found() -> FoundView {
    let finding = Finding {
        cluster: CLUSTER,
        chain: ChainId(10),
        account: AccountRef { key: word("cold"), index: 0 },
        address: Address::repeat_byte(0xcc),
        what: Discrepancy::Nonce { nonce: 4 },
    };
    FoundView { height: 8, finding }
}

fn window() -> WindowView {
    WindowView {
        window: word("ether-per-day"),
        key: Some(word("hot")),
        destination: Some(Address::repeat_byte(0xbb)),
        chain: Some(10),
        symbol: "ETH".to_owned(),
        decimals: 18,
        limit: Amount::from(1_000_u64),
        used: Amount::from(999_u64),
        span_seconds: 86_400,
    }
}

fn waiting() -> WaitingView {
    WaitingView {
        request: RequestId(Digest([3; 32])),
        requester: word("ana"),
        class: DangerClass::Transfer,
        approved: vec![word("ben")],
        missing: vec![MissingView { role: word("approver"), count: 1, people: vec![word("cleo")] }],
        ready: Timestamp(1_795_464_902_417),
        expires: Timestamp(1_795_464_999_000),
    }
}

fn key() -> KeyView {
    KeyView {
        name: word("hot"),
        kind: KeyKind::HdSecp256k1,
        epoch: 0,
        home: word("node-1"),
        state: KeyState::Active,
        frozen: false,
        backup: Some(Digest([4; 32])),
        account: Some(PublicAccount { parity: 2, x: Digest([5; 32]), chain_code: Digest([6; 32]) }),
        address: Some(Address::repeat_byte(0xaa)),
        wallets: vec![BitcoinWallet {
            chain: ChainId::BITCOIN_REGTEST,
            account: 0,
            descriptors: vec!["wpkh(…)".to_owned()],
            cosigner: "[…]tpub…/<0;1>/*".to_owned(),
        }],
        sharing: Some(sharing()),
        exits: [(word("node-1"), Digest([3; 32]))].into(),
        drilled: Some(Timestamp(8)),
        drilled_backup: Some(Digest([4; 32])),
        imported: true,
        life: KeyLife {
            owner: Some(word("cleo")),
            born: Timestamp(1_000),
            terms: KeyTerms {
                until: Some(Timestamp(2_000)),
                most_signatures: Some(9),
                chains: vec![ChainId(1)],
                schemes: vec![KeyScheme::Ecdsa],
                no_blind: true,
                no_export: false,
                proof_seconds: Some(86_400),
            },
            signatures: 3,
            successor: Some(word("warm")),
            wiping: Some(RequestId(Digest([7; 32]))),
            receipts: Default::default(),
            witnessed: [(word("node-1"), [(word("ana"), Witnessed { height: 9, noted: true })].into())]
                .into(),
            proven: Some(Timestamp(1_500)),
            wipes: [(word("node-1"), Digest([8; 32]))].into(),
            public_key: Default::default(),
        },
        spend_only: Some(SpendOnly {
            account: PublicAccount { parity: 2, x: Digest([4; 32]), chain_code: Digest([5; 32]) },
            wallets: Vec::new(),
        }),
    }
}

fn sharing() -> SharingView {
    SharingView {
        threshold: 2,
        holders: vec![word("node-2"), word("node-1"), word("node-3")],
        lost: vec![word("node-3")],
    }
}

fn convening() -> ConveningView {
    let part = |node: &str, dealt| PartView { node: word(node), seated: true, dealt, proven: false };
    ConveningView {
        key: word("treasury"),
        request: RequestId(Digest([7; 32])),
        change: ChangeKind::ReshareKey,
        epoch: 4,
        next: sharing(),
        attempt: 2,
        parts: vec![part("node-1", true), part("node-2", false), part("node-3", false)],
        agreed: false,
        expires: Timestamp(1_795_464_999_000),
    }
}

pub(super) fn block() -> SentBlock {
    let header = Header {
        cluster: CLUSTER,
        height: 1,
        time: Timestamp(1_795_464_902_417),
        parent: CLUSTER.0,
        proposer: word("node-1"),
        history: Digest([1; 32]),
        entries: Digest([2; 32]),
        decisions: Digest([3; 32]),
        policy: PolicyRef { number: 0, digest: Digest([4; 32]) },
        roster: Digest([5; 32]),
        frozen: Frozen::default(),
    };
    SentBlock { commit: Commit { header, round: 0, votes: Vec::new() }, entries: vec![Entry::Tick] }
}

/// Signatures differ each time they are made, and this page speaks of their place only.
fn fresh() -> FreshAnswer {
    let head = block().commit;
    let signature = HybridSignature::from_parts([5; 64], Box::new([6; 3309]));
    let (height, header) = (head.header.height, head.header.digest());
    let words = vec![FreshWord { node: word("node-1"), height, header, signature }];
    FreshAnswer { nonce: Digest([9; 32]), head: Some(head), words }
}

fn block_json() -> Value {
    json!({"commit": block().commit, "entries": block().entries})
}

pub(super) fn word(text: &str) -> Name {
    text.parse().unwrap()
}
