//! A body of any size is read to its end (A1).
//!
//! Every server that reads first and judges then has been ended like this: the garbage need not even
//! be wrong, it only has to be long.
//!
//! The thief posts a text without meaning, one byte longer than the longest body, and then one of 64 MiB. The
//! product refuses the first of them at the byte that is too many; the twin reads both, and finds out
//! then that they mean nothing.

use keystead_coordinator::{HttpLimits, MAX_BODY_BYTES};
use serde_json::Value;

use crate::{Loot, edge, http};

/// The product's.
#[must_use]
pub fn product() -> HttpLimits {
    HttpLimits { body: edge::PATIENCE, ..HttpLimits::default() }
}

/// The naive server's: a body is as long as it is.
#[must_use]
pub fn without_bound() -> HttpLimits {
    HttpLimits { body_bytes: usize::MAX, ..product() }
}

/// Plays it.
pub async fn attack(limits: HttpLimits) -> Loot {
    let folder = tempfile::tempdir().expect("a folder");
    let server = edge::coordinator(edge::nowhere(), limits, folder.path()).await;
    for length in [MAX_BODY_BYTES + 1, LONG] {
        let body = format!("\"{}\"", "x".repeat(length - 2));
        let (status, answer) = http::post(server.address(), "/", &body).await;
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        if status != 200 {
            return Loot::refused(answer["error"]["code"].as_str().expect("a code"));
        }
        assert_eq!(answer["error"]["code"], -32600, "it means nothing");
    }
    Loot::harmed(format!("{LONG} bytes of a stranger's in the coordinator's memory, to be told that"))
}

const LONG: usize = 64 * 1024 * 1024;
