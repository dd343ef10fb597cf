//! The coordinator's doors: JSON-RPC bodies, transaction objects, bodies with entries.

use std::sync::LazyLock;
use std::time::Duration;

use keystead_base::{Canonical as _, ClusterId, Digest, HYBRID_SEED_BYTES, HybridSigner, Secret};
use keystead_chain::build;
use keystead_coordinator::outside::{read_entries, read_transaction};
use keystead_coordinator::{Coordinator, Settings};
use keystead_decision::Entry;
use keystead_intent::{AccountRef, GasTerms};
use keystead_wire::{Hello, Identity, Limits, Role, Target};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::Verdict;
use crate::ethereum::{ACCOUNT, CHAIN};

/// A coordinator whose node is a port where nobody listens.
struct Door {
    runtime: Runtime,
    coordinator: Coordinator,
    _folder: TempDir,
}

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let cluster = ClusterId(Digest([7; 32]));
    let target = Target {
        address: "127.0.0.1:1".to_owned(),
        server: [1; 32],
        identity: Identity::from_seed(&Secret::new([2; 32])).expect("an identity"),
        hello: Hello::new(cluster, Role::Service, 0),
        limits: Limits::default(),
    };
    let settings = Settings {
        cluster,
        service: "desk".parse().expect("a name"),
        chain: CHAIN,
        deadline: Duration::from_millis(1),
        lifetime: Duration::from_secs(60),
        addresses_per_key: 1,
    };
    let signer = HybridSigner::from_seed(&Secret::new([3; HYBRID_SEED_BYTES])).expect("a key");
    let journal = folder.path().join("journal");
    let start =
        async { Coordinator::start(settings, vec![target], signer, None, &journal).expect("a coordinator") };
    let coordinator = runtime.block_on(start);
    Door { runtime, coordinator, _folder: folder }
});

/// A body of JSON-RPC: every answer has an id and either a result or a numbered error, never both.
pub(crate) fn body(data: &[u8]) -> Verdict {
    let answer = DOOR.runtime.block_on(DOOR.coordinator.answer(data, None));
    let answers = match &answer {
        Value::Array(answers) => answers.as_slice(),
        one => std::slice::from_ref(one),
    };
    for answer in answers {
        assert_eq!(answer["jsonrpc"], "2.0", "{answer}");
        let (result, error) = (answer.get("result"), answer.get("error"));
        assert!(answer.get("id").is_some() && result.is_some() != error.is_some(), "{answer}");
        assert!(error.is_none_or(|error| error["code"].is_i64() && error["message"].is_string()), "{answer}");
    }
    let invalid = |answer: &Value| {
        matches!(answer["error"]["code"].as_i64(), Some(-32700 | -32600 | -32602)) || answers.is_empty()
    };
    if answers.iter().any(invalid) { Verdict::Refused } else { Verdict::Accepted }
}

/// A transaction object: the action that it means builds on the chain asked for, or the caller is told.
pub(crate) fn transaction(data: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(data) else { return Verdict::Refused };
    let account = AccountRef { key: "hot".parse().expect("a name"), index: 0 };
    let gas = GasTerms { nonce: 7, gas_limit: 21_000, max_fee_per_gas: 9, max_priority_fee_per_gas: 1 };
    let Ok(action) = read_transaction(text, account, CHAIN, gas) else { return Verdict::Refused };
    if let Ok(unsigned) = build(&action, ACCOUNT) {
        assert_eq!(unsigned.chain(), CHAIN, "another chain is signed for");
    }
    Verdict::Accepted
}

/// The body of `/v1/entries`.
pub(crate) fn entries(data: &[u8]) -> Verdict {
    let Ok(entries) = read_entries(data) else { return Verdict::Refused };
    assert!(!entries.is_empty(), "a body that says nothing");
    for entry in entries {
        let again = Entry::from_document(&entry.to_document()).expect("its own document");
        assert_eq!(again.digest(), entry.digest());
    }
    Verdict::Accepted
}
