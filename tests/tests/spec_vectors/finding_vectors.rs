//! Vectors of what chains show and the log did not allow: read by the product here, and by the second implementation.
//!
//! `KEYSTEAD_BLESS=1 cargo test -p keystead-tests --test spec_vectors finding_vectors` writes them anew: a change of wire form,
//! which needs a new version in its domain.

use alloy_primitives::B256;
use keystead_base::{Amount, Canonical as _, Digest, RequestId, Signed};
use keystead_decision::{Decision, Discrepancy, Entry, FinalBlock, Finding, Outcome, Strict};
use keystead_intent::{Asset, Coin};
use keystead_policy::PolicyRef;
use keystead_tests::fixture::{CHAIN, TOKEN};
use keystead_tests::purse::REGTEST;
use keystead_tests::root;
use keystead_tests::vectors::{Vector, check, vector};
use keystead_tests::world::{World, hot};

fn vectors() -> Vec<Vector> {
    let world = World::new(Strict::default());
    let (cluster, node) = (world.state.cluster(), &world.desk.nodes[0]);
    let block = FinalBlock { number: 7, hash: B256::repeat_byte(11) };
    let found = |what| Finding { cluster, chain: CHAIN, account: hot(), address: world.account(), what };
    let sent = found(Discrepancy::Transaction { block, hash: Digest([2; 32]), nonce: 4 });
    let gone = found(Discrepancy::Nonce { nonce: 5 });
    let (transaction, token, amount) = (Digest([3; 32]), TOKEN, Amount::from(9_u64));
    let taken = found(Discrepancy::Tokens { block, transaction, token, amount });
    let (expected, found_there) = (Amount::from(8_u64), Amount::from(7_u64));
    let less = |asset| found(Discrepancy::Balance { block, asset, expected, found: found_there });
    let coin = Coin { transaction, output: 1 };
    let spent =
        Finding { chain: REGTEST, ..found(Discrepancy::Spend { block, transaction: Digest([2; 32]), coin }) };
    let entry = Entry::Finding(Signed::new(sent.clone(), node.name.clone(), &node.signer).unwrap());
    let policy = PolicyRef { number: 1, digest: Digest([6; 32]) };
    let (subject, outcome) = (RequestId(sent.digest()), Outcome::Found { finding: sent.clone() });
    vec![
        vector("a transaction that no request made", &sent),
        vector("a nonce that is gone", &gone),
        vector("tokens that somebody took", &taken),
        vector("coins that are not there", &less(Asset::Native)),
        vector("tokens that are not there", &less(Asset::Token(TOKEN))),
        vector("a coin that no request spent", &spent),
        vector("a finding as an entry", &entry),
        vector("found", &Decision { cluster, height: 9, subject, policy, rules: Vec::new(), outcome }),
    ]
}

#[test]
fn the_product_reads_every_vector_both_ways() {
    let path = root().join("specs/vectors/findings.json");
    if std::env::var_os("KEYSTEAD_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&vectors()).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let text = std::fs::read_to_string(path).unwrap();
    let stored: Vec<Vector> = serde_json::from_str(&text).unwrap();
    // A signature is another one each time.
    let unsigned = |vectors: Vec<Vector>| {
        vectors.into_iter().filter(|it| it.domain != Entry::DOMAIN).collect::<Vec<_>>()
    };
    assert_eq!(unsigned(serde_json::from_str(&text).unwrap()), unsigned(vectors()));
    assert_eq!(
        check::<Finding>(&stored) + check::<Entry>(&stored) + check::<Decision>(&stored),
        stored.len()
    );
}
