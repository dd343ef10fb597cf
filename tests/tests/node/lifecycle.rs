//! Start, sign, stop, start again; what a crash left undone is taken up without anybody's help.

use alloy_primitives::{B256, Signature, keccak256};
use keystead_base::{Canonical, merkle};
use keystead_decision::{Outcome, Strict, leaves, propose, sign_vote, verify_commit, vote_for};
use keystead_ledger::{Appended, Auditor, Batch, Ledger, SignedCheckpoint, StoredBlock};
use keystead_tests::Postgres;
use keystead_tests::cluster::{NodeHome, Station, ether};
use keystead_tests::fixture::{BIRTH, ETHER, FRIEND, name};
use keystead_wire::{EntryAnswer, RequestStage, RequestView};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s03_a_request_inside_limits_is_signed_at_once_and_verifies() {
    let station = Station::with_hot_key().await;
    let view = station.ask("desk", ether(FRIEND, ETHER / 2, 0)).await;
    assert_eq!(view.stage, RequestStage::Signed, "{view:?}");
    assert_eq!(signer_of(&view), station.account().await);
    let payload = view.signed.unwrap();
    assert_eq!(payload.transaction.unwrap().0, keccak256(&payload.raw).0);

    let client = station.client("desk").await;
    let certificate = client.certificate(view.request).await.unwrap().unwrap();
    let roster = &station.home.genesis.genesis.policy.roster;
    verify_commit(station.node.cluster(), roster, &certificate.commit).unwrap();
    let leaf = merkle::leaf_hash(&certificate.decision.to_document());
    assert_eq!(certificate.proof.root(&leaf), Some(certificate.commit.header.decisions));
    let Outcome::Allow(grant) = &certificate.decision.outcome else { panic!("{certificate:?}") };
    assert_eq!(grant.signing_digest, payload.signing_digest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l01_the_log_that_a_client_reads_leads_to_the_state_of_the_node() {
    let station = Station::with_hot_key().await;
    station.ask("desk", ether(FRIEND, ETHER / 2, 0)).await;
    let client = station.client("cleo").await;
    let note = client.checkpoint().await.unwrap().unwrap();
    assert_eq!(client.checkpoint().await.unwrap().unwrap(), note, "one root for one size");
    let status = client.status().await.unwrap();
    let controls = Strict::default();
    let genesis = client.genesis().await.unwrap();
    let mut auditor = Auditor::begin(&genesis, station.node.cluster(), &controls).unwrap();
    auditor.expect_signed(&SignedCheckpoint::parse(&note).unwrap()).unwrap();
    for block in client.blocks(1, 256).await.unwrap() {
        auditor.block(StoredBlock { commit: block.commit, entries: block.entries }).unwrap();
    }
    assert_eq!(auditor.state().height(), status.height);
    auditor.finish().unwrap();
    assert_eq!((status.withstands.lying, status.withstands.down), (0, 0));
    assert_eq!(status.signatures, 1);
    assert!(!status.protections.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_a_restart_resumes_and_a_retry_is_the_same_request() {
    let mut home = NodeHome::new();
    // The start reads a snapshot and the blocks after it.
    home.config.limits.snapshot_blocks = 5;
    let station = home.start().await;
    station.make_hot_key().await;
    let intent = station.intent("desk", ether(FRIEND, ETHER / 2, 0), station.now().await);
    let entry = station.entry(vec![intent]);
    let first = station.submit_request("desk", entry.clone()).await;
    let waiting = station.ask("desk", ether(FRIEND, 2 * ETHER, 1)).await;
    assert_eq!((first.stage, waiting.stage), (RequestStage::Signed, RequestStage::Waiting));
    let (height, account) = (height(&station).await, station.account().await);

    let again = station.submit_request("desk", entry.clone()).await;
    assert_eq!(again, first);
    assert_eq!(self::height(&station).await, height, "a retry is not logged");

    let station = station.stop().await.start().await;
    assert_eq!(station.account().await, account);
    let after = station.submit_request("desk", entry).await;
    assert_eq!((after.stage, &after.signed), (RequestStage::Signed, &first.signed));
    station.approve("ana", &waiting.request).await;
    station.approve("ben", &waiting.request).await;
    assert_eq!(station.wait(&waiting.request).await.stage, RequestStage::Signed);
    assert_eq!(station.client("desk").await.status().await.unwrap().boot, 2);
}

/// The crash between a durable block and its signature, written by hand into the ledger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_what_was_allowed_before_a_crash_is_signed_after_it() {
    for old in [false, true] {
        let station = Station::with_hot_key().await;
        let (now, account) = (station.now().await, station.account().await);
        let intent = station.intent("desk", ether(FRIEND, ETHER / 2, 0), now);
        let (request, entry) = (intent.id(), station.entry(vec![intent]));
        let home = station.stop().await;
        append_block(&home, entry, old).await;
        let station = home.start().await;
        let view = station.wait(&request).await;
        assert_eq!(view.stage, RequestStage::Signed, "{old} {view:?} {:?}", station.events());
        assert_eq!(signer_of(&view), account);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_an_enclave_that_dies_is_started_again() {
    let station = Station::with_hot_key().await;
    let account = station.account().await;
    end_enclave(&station.home);
    let view = station.ask("desk", ether(FRIEND, ETHER / 2, 0)).await;
    assert_eq!(view.stage, RequestStage::Signed, "{view:?} {:?}", station.events());
    assert_eq!(signer_of(&view), account, "{:?}", station.events());
    assert!(station.events().iter().any(|line| line.contains("started again")));
    station.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_key_or_genesis_does_not_start() {
    let mut home = NodeHome::new();
    let other = keystead_tests::cluster::sealed(home.desk.person("ana"));
    std::fs::write(&home.config.member.key, other.to_document()).unwrap();
    let (returned, error) = home.try_start().await.err().unwrap();
    assert_eq!(keystead_base::Coded::code(&error), "node.not_in_roster");
    home = returned;
    let mut forged = home.genesis.clone();
    forged.genesis.name = name("forged");
    std::fs::write(&home.config.genesis, forged.to_document()).unwrap();
    let (_, error) = home.try_start().await.err().unwrap();
    assert_eq!(keystead_base::Coded::code(&error), "genesis.founder");
}

/// A committed block with this entry, and no signature for what it allows. An old one was made so long ago
/// that its certificate has expired.
async fn append_block(home: &NodeHome, entry: keystead_decision::Entry, old: bool) {
    let ledger = Ledger::open(&home.config.ledger_url()).await.unwrap();
    let node = &home.desk.nodes[0];
    let state = ledger.load(node.signer.public(), &Strict::default()).await.unwrap();
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let fresh = keystead_base::Timestamp(clock.as_millis() as u64);
    let next = keystead_base::Timestamp(state.time().0 + 1);
    let time = if old { next } else { fresh.max(next) };
    let admitted = state.admit(entry).unwrap();
    let applied = propose(&state, time, &node.name, &[admitted], &Strict::default());
    assert!(matches!(applied.decisions[0].outcome, Outcome::Allow(_)), "{:?}", applied.decisions);
    assert_eq!(merkle::root(&leaves(&applied.decisions)), applied.block.header.decisions);
    let vote = vote_for(&applied.block.header, 0, 0);
    let votes = vec![sign_vote(&vote, node.name.clone(), &node.signer).unwrap()];
    let blocks = vec![Appended::new(&applied, 0, votes)];
    ledger.write(&Batch { votes: vec![vote], blocks, ..Batch::default() }).await.unwrap();
    assert!(state.time() > BIRTH);
    ledger.close().await;
}

/// Ends the enclave of this home, and no other process.
fn end_enclave(home: &NodeHome) {
    let passphrase = home.config.enclave.passphrase.display().to_string();
    let pids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|it| {
        let pid: u32 = it.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(it.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        (line.contains("test_enclave") && line.contains(&passphrase)).then_some(pid)
    });
    let pids: Vec<u32> = pids.collect();
    assert_eq!(pids.len(), 1, "one enclave of this home");
    let ended = std::process::Command::new("kill").args(["-KILL", &pids[0].to_string()]).status().unwrap();
    assert!(ended.success());
}

fn signer_of(view: &RequestView) -> alloy_primitives::Address {
    let payload = view.signed.as_ref().unwrap();
    let rs: &[u8] = &payload.signature;
    assert_eq!(rs.len(), 65);
    let parity = rs[64] == 1;
    let signature = Signature::from_bytes_and_parity(&rs[..64], parity);
    signature.recover_address_from_prehash(&B256::from(payload.signing_digest.0)).unwrap()
}

async fn height(station: &Station) -> u64 {
    station.client("eve").await.status().await.unwrap().height
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d04_a_node_on_postgres_restarts_as_well() {
    let mut home = NodeHome::new();
    home.config.ledger = Some(Postgres::shared().new_database());
    let station = home.start().await;
    station.make_hot_key().await;
    let first = station.ask("desk", ether(FRIEND, ETHER / 2, 0)).await;
    let station = station.stop().await.start().await;
    let found = station.client("desk").await.request(first.request).await.unwrap().unwrap();
    assert_eq!(found.view.signed, first.signed);
    let next = station.ask("desk", ether(FRIEND, ETHER / 2, 1)).await;
    assert_eq!(next.stage, RequestStage::Signed, "{next:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_submission_may_hold_many_entries() {
    let station = Station::with_hot_key().await;
    let now = station.now().await;
    let intents = |from: u64| {
        let intent = |nonce| station.intent("desk", ether(FRIEND, ETHER / 100, nonce), now);
        (from..from + 4).map(intent).collect::<Vec<_>>()
    };
    let entries = vec![station.entry(intents(0)), station.entry(intents(4))];
    let answers = station.client("desk").await.submit(entries).await.unwrap();
    for answer in answers {
        let EntryAnswer::Requests(views) = answer else { panic!("{answer:?}") };
        assert_eq!(views.len(), 4);
        assert!(views.iter().all(|it| it.stage == RequestStage::Signed), "{views:?}");
    }
}
