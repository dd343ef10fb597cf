//! Throwaway measurement.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, clippy::panic, dead_code, clippy::expect_used)]
#[path = "../tests/suite/cluster.rs"]
mod cluster;
use std::time::Instant;
use cluster::*;
use keystead_ledger::*;
use keystead_decision::*;
use keystead_base::*;
#[tokio::main]
async fn main() {
    let url = std::env::args().nth(1).unwrap();
    let ledger = Ledger::open(&url).await.unwrap();
    let mut c = Cluster::new();
    ledger.begin(&c.genesis).await.unwrap();
    ledger.append(c.activate_key()).await.unwrap();
    for per_block in [1usize, 64, 256] {
        let rounds = 40u64;
        let mut batches = Vec::new();
        for _ in 0..rounds {
            let mut entries = Vec::new(); let mut ids = Vec::new();
            for _ in 0..per_block { let (e, id) = c.message(); entries.push(e); ids.push(id); }
            // one batch per block
            let mut intents = Vec::new();
            for e in entries { if let Entry::Requests(s) = e { intents.extend(s.body.intents); } }
            for (n, i) in intents.iter_mut().enumerate() { let mut x=[0u8;16]; x[..8].copy_from_slice(&(n as u64).to_le_bytes()); x[8..].copy_from_slice(&c.state.height().to_le_bytes()); i.nonce = RequestNonce(x); }
            let ids: Vec<_> = intents.iter().map(|i| i.id()).collect();
            let batch = keystead_intent::RequestBatch { intents };
            let block = c.step(vec![Entry::Requests(Signed::new(batch, name("desk"), &signer(2)).unwrap())]);
            let vote = Vote { cluster: c.state.cluster(), height: block.height(), round: 0, header: block.digest() };
            let signatures = ids.iter().map(|id| SignatureRecord { request: *id, height: block.height(), signing_digest: Digest([1;32]), signature: vec![1;65], signed: vec![2;120], transaction: Some(Digest([3;32])) }).collect();
            batches.push(Batch { votes: vec![vote], blocks: vec![block], signatures, outbox: vec![] });
        }
        let t = Instant::now();
        for b in &batches { ledger.write(b).await.unwrap(); }
        let d = t.elapsed();
        println!("{per_block} requests/block: {:.0} us/transaction, {:.0} requests/s", d.as_micros() as f64 / rounds as f64, (rounds as usize*per_block) as f64 / d.as_secs_f64());
    }
    let t = Instant::now();
    let r = ledger.audit(c.state.cluster(), None, &Strict::default()).await;
    println!("audit {:?} in {:?}", r.map(|r| r.blocks).map_err(|e| e.to_string()), t.elapsed());
}
