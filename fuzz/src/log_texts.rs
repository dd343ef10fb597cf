//! The log's texts: signed notes with checkpoints, and what a witness is asked.

use keystead_ledger::{CosignRequest, SignedCheckpoint};

use crate::Verdict;
use crate::seeds::LOG_KEYS;

/// A note with a checkpoint: what is accepted is written again, and never verifies unless nobody touched it.
pub(crate) fn checkpoint(data: &[u8]) -> Verdict {
    let parsed = std::str::from_utf8(data).ok().and_then(|it| Some((it, SignedCheckpoint::parse(it).ok()?)));
    let Some((text, signed)) = parsed else { return Verdict::Refused };
    assert_eq!(signed.to_note(), text, "a note is written in another way");
    assert_eq!(SignedCheckpoint::parse(&signed.to_note()).ok(), Some(signed.clone()));
    if let Ok(body) = signed.verify(&LOG_KEYS.keys) {
        assert_eq!(body, &LOG_KEYS.signed, "a checkpoint that nobody signed");
    }
    Verdict::Accepted
}

/// The body of a request to a witness.
pub(crate) fn cosign_request(data: &[u8]) -> Verdict {
    let parsed = std::str::from_utf8(data).ok().and_then(|it| CosignRequest::parse(it).ok());
    let Some(request) = parsed else { return Verdict::Refused };
    assert_eq!(CosignRequest::parse(&request.to_body()).ok(), Some(request), "another request comes back");
    Verdict::Accepted
}
