//! S2: the real `keystead approve` asks a server that lies, with the node's own pinned key, and signs nothing.

use std::path::Path;
use std::sync::Arc;

use keystead_base::{Canonical as _, Digest};
use keystead_decision::{Outcome, SignedGenesis};
use keystead_intent::{Action, Intent};
use keystead_keys::{MemberKey, MemberKeyFile};
use keystead_tests::{Impostor, Lie};
use keystead_wire::{
    EntryAnswer, Hello, Identity, Limits, NodeReply, RequestDetail, Role, SentBlock, Target,
};
use serde_json::Value;

use crate::desk::{Desk, EXCHANGE, STRANGER};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s02_the_approvers_command_refuses_a_server_that_lies() {
    let desk = Desk::open();
    let asked = ["request", "transfer", "--key", "hot", "--to", EXCHANGE, "--wei", "3000000000000000000"];
    let waiting = desk.as_person("ana", &asked);
    let id = waiting["request"]["request"].as_str().unwrap();
    let decided = || {
        let shown = desk.as_person("ben", &["request", "show", id]);
        shown["detail"]["decisions"].as_array().unwrap().len()
    };
    let before = decided();
    for (what, lie, code) in [
        ("another payload", another_payload as fn(RequestDetail) -> RequestDetail, "review.request"),
        ("another digest", another_digest, "review.digest"),
        ("another digest in one place", another_digest_in_the_view, "review.digest"),
        ("no address", no_address, "review.no_address"),
    ] {
        let impostor = impostor(&desk, lie).await;
        for command in ["approve", "reject"] {
            let said = desk.command("ben", &[command, id, "--yes", "--node", impostor.address()]);
            assert_eq!(said.status.code(), Some(1), "{what}: {said:?}");
            let error: Value = serde_json::from_slice(&said.stderr).unwrap();
            assert_eq!(error["error"]["code"], code, "{what}: {error}");
            let next = error["error"]["next"].as_str().unwrap();
            assert!(code == "review.no_address" || next.starts_with("do NOT approve"), "{what}: {next}");
        }
        let inbox = desk.command("ben", &["approver", "inbox", "--node", impostor.address()]);
        assert_eq!(inbox.status.code(), Some(1), "{what}: {inbox:?}");
    }
    assert_eq!(decided(), before, "nobody's word counted");
    let honest = impostor(&desk, |detail| detail).await;
    desk.as_person("ben", &["approve", id, "--yes", "--node", honest.address()]);
}

fn another_payload(sent: RequestDetail) -> RequestDetail {
    let Action::Transfer(transfer) = sent.intent.action.clone() else { panic!("{:?}", sent.intent) };
    let transfer = keystead_intent::Transfer { to: STRANGER.parse().unwrap(), ..transfer };
    let intent = Intent { action: Action::Transfer(transfer), ..sent.intent.clone() };
    RequestDetail { intent, ..sent }
}

fn another_digest(mut sent: RequestDetail) -> RequestDetail {
    sent.decisions.iter_mut().for_each(|it| lie_about(&mut it.outcome));
    another_digest_in_the_view(sent)
}

fn another_digest_in_the_view(mut sent: RequestDetail) -> RequestDetail {
    lie_about(&mut sent.view.decision.outcome);
    sent
}

fn lie_about(outcome: &mut Outcome) {
    if let Outcome::Wait { signing_digest, .. } = outcome {
        *signing_digest = Digest([0x66; 32]);
    }
}

fn no_address(sent: RequestDetail) -> RequestDetail {
    RequestDetail { address: None, ..sent }
}

/// What a server does to an answer.
type Twist = fn(NodeReply) -> NodeReply;

/// Whoever stands between the freezer and the log can say yes; what a quorum signed it cannot make up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_a_freeze_is_believed_only_with_the_votes_of_a_quorum() {
    let desk = Desk::open();
    let lies: [(&str, Twist); 5] = [
        ("a yes and no block", |reply| match reply {
            NodeReply::Blocks(_) => NodeReply::Blocks(Vec::new()),
            other => other,
        }),
        ("a block without votes", |reply| on_blocks(reply, |block| block.commit.votes.clear())),
        ("a header that was not voted for", |reply| {
            on_blocks(reply, |block| block.commit.header.time.0 += 1)
        }),
        ("a block without the order", |reply| on_blocks(reply, |block| drop(block.entries.pop()))),
        ("another block", |reply| match reply {
            NodeReply::Submitted(mut answers) => {
                answers.iter_mut().for_each(one_block_earlier);
                NodeReply::Submitted(answers)
            }
            other => other,
        }),
    ];
    for (what, lie) in lies {
        let impostor = stand_in(&desk, Arc::new(lie)).await;
        let said = desk.command("cleo", &["freeze", "--node", impostor.address()]);
        assert_eq!(said.status.code(), Some(2), "{what}: {said:?}");
        let said: Value = serde_json::from_slice(&said.stdout).unwrap();
        assert_eq!(said["verified"], false, "{what}: {said}");
    }
    let honest = stand_in(&desk, Arc::new(|reply| reply)).await;
    for way in [["--node", honest.address()], ["--through", desk.url.as_str()]] {
        let said = desk.as_person("cleo", &["freeze", way[0], way[1]]);
        assert_eq!(said["verified"], true, "{way:?}: {said}");
    }
}

fn on_blocks(reply: NodeReply, lie: fn(&mut SentBlock)) -> NodeReply {
    match reply {
        NodeReply::Blocks(mut blocks) => {
            blocks.iter_mut().for_each(lie);
            NodeReply::Blocks(blocks)
        }
        other => other,
    }
}

fn one_block_earlier(answer: &mut EntryAnswer) {
    if let EntryAnswer::Decided(decisions) = answer {
        decisions.iter_mut().for_each(|it| it.height -= 1);
    }
}

/// A server with the node's key before the node; `lie` changes what it says of every request.
async fn impostor(desk: &Desk, lie: fn(RequestDetail) -> RequestDetail) -> Impostor {
    let tell: Lie = Arc::new(move |reply| match reply {
        NodeReply::Request(Some(detail)) => NodeReply::Request(Some(Box::new(lie(*detail)))),
        other => other,
    });
    stand_in(desk, tell).await
}

/// A server with the node's key before the node; `tell` changes what it says.
async fn stand_in(desk: &Desk, tell: Lie) -> Impostor {
    let members = desk.folder.join("members");
    let (node, service) = (key(&members, "node-1"), key(&members, "desk"));
    let genesis = SignedGenesis::from_document(&std::fs::read(desk.folder.join("genesis")).unwrap()).unwrap();
    let behind = Target {
        address: node_address(&desk.folder),
        server: node.public().unwrap().transport,
        identity: identity(&service),
        hello: Hello::new(genesis.genesis.cluster(), Role::Service, 1),
        limits: Limits::default(),
    };
    Impostor::start(&identity(&node), behind, tell).await
}

fn key(members: &Path, name: &str) -> MemberKey {
    let read = |suffix: &str| std::fs::read(members.join(format!("{name}.{suffix}"))).unwrap();
    MemberKeyFile::from_document(&read("key")).unwrap().open(&read("passphrase")).unwrap()
}

fn identity(key: &MemberKey) -> Identity {
    Identity::from_seed(&key.transport_seed()).unwrap()
}

/// Where keystead.toml says that people find the node.
fn node_address(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("keystead.toml")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("address = ")).unwrap();
    line.trim_matches('"').to_owned()
}
