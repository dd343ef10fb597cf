//! Typed questions over a real connection.

use keystead_base::{Canonical, RequestId};
use keystead_decision::{Entry, Phase};

use super::*;

/// Receipts for submissions, nothing for requests, and the wrong answer to `Keys`.
struct Sample;

impl Answers for Sample {
    async fn answer(&self, peer: Arc<Peer>, request: NodeRequest) -> NodeReply {
        let logged =
            |entry: &Entry| Submitted::Logged { entry: entry.digest(), height: 9, decisions: vec![] };
        match request {
            NodeRequest::Submit(entries) => NodeReply::Submitted(entries.iter().map(logged).collect()),
            NodeRequest::Request(_) | NodeRequest::Wait { .. } => NodeReply::Request(None),
            NodeRequest::Checkpoint => NodeReply::Checkpoint(Some(peer.name.to_string())),
            NodeRequest::Keys => NodeReply::Blocks(Vec::new()),
            _ => NodeReply::Refused(Problem::of(&WireError::Closed)),
        }
    }
}

#[tokio::test]
async fn questions_have_their_answers() {
    let server = Running::start(Limits::default(), known(), Serving(Arc::new(Sample))).await;
    let client = server.client().await;
    let node = NodeClient::new(client.clone());
    let receipts = node.submit(vec![Entry::Tick, Entry::Tick]).await.unwrap();
    let logged = Submitted::Logged { entry: Entry::Tick.digest(), height: 9, decisions: vec![] };
    assert_eq!(receipts, [logged.clone(), logged]);
    let id = RequestId(Digest::ZERO);
    assert_eq!(node.request(id).await, Ok(None));
    assert_eq!(node.wait(id, Phase::Open, Duration::MAX).await, Ok(None));
    assert_eq!(node.checkpoint().await, Ok(Some("alice".to_owned())));
    assert_eq!(node.keys().await, Err(CallError::Mismatch));
    let Err(CallError::Refused(problem)) = node.status().await else {
        panic!("the sample refuses");
    };
    assert_eq!(problem.code, "wire.closed");

    let garbage = client.call(b"garbage".to_vec()).await.unwrap();
    let NodeReply::Refused(problem) = NodeReply::from_document(&garbage).unwrap() else {
        panic!("garbage is refused");
    };
    assert_eq!((problem.code.as_str(), problem.blame), ("canon.domain", ProblemBlame::Caller));
}

#[test]
fn requests_have_limits() {
    let id = RequestId(Digest::ZERO);
    let ticks = |count| NodeRequest::Submit(vec![Entry::Tick; count]);
    let wait = |milliseconds| NodeRequest::Wait { request: id, known: Phase::Open, milliseconds };
    for (request, fits) in [
        (ticks(MAX_ENTRIES), true),
        (ticks(MAX_ENTRIES + 1), false),
        (wait(MAX_WAIT_MILLISECONDS), true),
        (wait(MAX_WAIT_MILLISECONDS + 1), false),
        (NodeRequest::Blocks { from: 1, limit: MAX_BLOCKS }, true),
        (NodeRequest::Blocks { from: 1, limit: MAX_BLOCKS + 1 }, false),
        (NodeRequest::Open { after: None, limit: MAX_OPEN + 1 }, false),
        (NodeRequest::Status, true),
    ] {
        let parsed = NodeRequest::parse(&request.to_document());
        assert_eq!(parsed.is_ok(), fits, "{request:?}");
        assert!(parsed.is_ok() || parsed.unwrap_err().code() == "wire.message_limit");
    }
}

#[test]
fn the_longest_document_fits_a_frame() {
    const { assert!(MAX_FRAME_BYTES >= keystead_base::MAX_DOCUMENT_BYTES + 8) }
}
