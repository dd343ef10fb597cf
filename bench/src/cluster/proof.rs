//! Looks at the log that a cluster left: every node has the same one, it verifies, and what one of its
//! certificates weighs and costs.

use std::time::Instant;

use keystead_base::{Canonical as _, Digest, RequestId};
use keystead_decision::{Certificate, FreshAnswer, LightClient, Outcome, Strict};
use keystead_ledger::{Auditor, StoredBlock};
use serde::Serialize;

use super::site::{Site, now};

/// A log that was played again from its genesis.
#[derive(Debug, Serialize)]
pub(crate) struct LogRow {
    /// Its blocks.
    pub(crate) blocks: u64,
    /// Whether it verified, and every node has the same one.
    pub(crate) verified: bool,
    /// Blocks decided in a later round than the first.
    pub(crate) later_rounds: u64,
}

/// A certificate, as a signing back end gets it.
#[derive(Debug, Serialize)]
pub(crate) struct CertificateRow {
    /// Votes in it.
    pub(crate) votes: usize,
    /// Bytes: header, votes, decision, proof.
    pub(crate) bytes: usize,
    /// Of those the header with its votes, which all decisions of a block share.
    pub(crate) commit_bytes: usize,
    /// How long the light client takes for all of it, the median of many, in microseconds.
    pub(crate) verify_micros: f64,
}

/// Plays the first node's log again, and compares the others' blocks with it.
pub(crate) async fn log(site: &Site) -> LogRow {
    let height = site.height(0).await;
    let controls = Strict::default();
    let mut auditor = Auditor::begin(site.genesis(), site.cluster(), &controls).expect("the pinned genesis");
    let mut row = LogRow { blocks: 0, verified: true, later_rounds: 0 };
    while row.blocks < height {
        let first = row.blocks + 1;
        let page = site.clients[0].blocks(first, PAGE).await.expect("blocks");
        assert!(!page.is_empty(), "block {first} is there");
        let commits: Vec<_> = page.iter().map(|it| it.commit.header.digest()).collect();
        for sent in page {
            row.later_rounds += u64::from(sent.commit.round > 0);
            let block = StoredBlock { commit: sent.commit, entries: sent.entries };
            row.verified &= auditor.block(block).is_ok();
            row.blocks += 1;
        }
        row.verified &= all_have(site, first, &commits).await;
    }
    row.verified &= auditor.finish().is_ok();
    row
}

/// Whether the other nodes have the very same blocks; one that is behind is waited for.
async fn all_have(site: &Site, first: u64, commits: &[Digest]) -> bool {
    for client in &site.clients[1..] {
        let mut place = 0;
        while place < commits.len() {
            let page = client.blocks(first + place as u64, PAGE).await.expect("blocks");
            for (sent, expected) in page.iter().zip(&commits[place..]) {
                if sent.commit.header.digest() != *expected {
                    return false;
                }
            }
            place += page.len();
            tokio::task::yield_now().await;
        }
    }
    true
}

/// Has a light client, as the enclave is one, check the certificates of these requests.
pub(crate) async fn certificate(site: &Site, requests: &[RequestId]) -> CertificateRow {
    let mut certificates: Vec<Certificate> = Vec::new();
    for request in requests {
        let found = site.clients[0].certificate(*request).await.expect("an answer");
        certificates.push(found.expect("a certificate"));
    }
    certificates.sort_by_key(|it| it.commit.header.height);
    // The votes of a block are checked once: one certificate of each block shows the whole price.
    certificates.dedup_by_key(|it| it.commit.header.height);
    let mut light = fresh_client(site);
    let mut times: Vec<f64> = certificates.iter().map(|it| checked(&mut light, it)).collect();
    times.sort_by(f64::total_cmp);
    let last = certificates.last().expect("a certificate");
    CertificateRow {
        votes: last.commit.votes.len(),
        bytes: last.to_document().len(),
        commit_bytes: last.commit.to_document().len(),
        verify_micros: times[times.len() / 2],
    }
}

fn checked(light: &mut LightClient, certificate: &Certificate) -> f64 {
    let Outcome::Allow(grant) = &certificate.decision.outcome else { panic!("an allowed transfer") };
    let at = certificate.commit.header.time;
    let start = Instant::now();
    let permit = light.permit_signing(certificate, &grant.signing_digest, at);
    let micros = start.elapsed().as_nanos() as f64 / 1000.0;
    drop(permit.expect("a certificate that holds"));
    micros
}

/// A light client to which a quorum said once which head is the newest, as policy asks.
fn fresh_client(site: &Site) -> LightClient {
    let mut light = LightClient::new(site.genesis(), site.cluster()).expect("the pinned genesis");
    let nonce = Digest([7; 32]);
    let nodes = site.homes[0].desk.nodes.iter();
    let word = nodes.map(|node| {
        FreshAnswer::by_node(site.cluster(), nonce, None, node.name.clone(), &node.signer).expect("a word")
    });
    let answer = FreshAnswer::gather(word.collect()).expect("words");
    light.ask_fresh(nonce, now());
    light.confirm_fresh(&answer, now()).expect("a quorum's words");
    light
}

/// Blocks of one question.
const PAGE: u64 = 256;
