//! Where the microseconds of one request go, each step alone on one core.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use keystead_base::{Canonical, Digest, Name, Signed};
use keystead_chain::{assemble, build, explain};
use keystead_decision::{State, Strict, propose, sign_vote, validate, vote_for};
use keystead_intent::{Action, RequestBatch};
use keystead_ledger::{Appended, Ledger};
use keystead_policy::{
    AssuranceLevel, Cooling, Engine, Facts, PolicyVersion, Prices, Question, Rule, Simulated, Subject,
};
use keystead_tests::fixture::{FRIEND, name};
use keystead_tests::world::World;
use secp256k1::{Message, Secp256k1, SecretKey};

use crate::table;

/// Measures and prints the steps.
pub(crate) fn run() {
    let mut world = World::new(Strict::default());
    let mut rows = vec![["step", "median ns", "p99 ns"].map(str::to_owned).to_vec()];
    rows.push(row("build and digest an EIP-1559 transfer", decode_times(&world)));
    rows.push(row("explain it: bytes to effects", explain_times(&world)));
    rows.push(row("policy decision, the fixture's rules", policy_times(&world, 0)));
    rows.push(row("policy decision, 1,000 rules on other keys", policy_times(&world, 1_000)));
    rows.push(row("verify one hybrid request batch (shared by it)", batch_times(&mut world)));
    rows.push(row("apply a block, per request of 64", apply_times(&mut world)));
    rows.push(row("sign one hybrid vote (shared by a block)", vote_times(&world)));
    rows.push(row("light client: one commit (shared by a block)", commit_times(&mut world)));
    rows.push(row("sign and verify one digest, as the enclave does", signature_times()));
    rows.push(row("assemble: verify a signature and encode", assemble_times(&world)));
    rows.push(row("ledger: one durable block of 64, per request", ledger_times()));
    table::print("Where the microseconds go, one core", &rows);
}

fn row(step: &str, mut nanos: Vec<f64>) -> Vec<String> {
    nanos.sort_by(f64::total_cmp);
    let at = |share: f64| nanos.get((nanos.len() as f64 * share) as usize).copied().unwrap_or_default();
    vec![step.to_owned(), table::nanos(at(0.5)), table::nanos(at(0.99))]
}

fn times(rounds: usize, mut step: impl FnMut(usize)) -> Vec<f64> {
    (0..rounds)
        .map(|round| {
            let start = Instant::now();
            step(round);
            start.elapsed().as_nanos() as f64
        })
        .collect()
}

fn decode_times(world: &World<Strict>) -> Vec<f64> {
    let (action, account) = (world.ether(FRIEND, 1, 0), world.account());
    times(20_000, |_| drop(black_box(build(&action, account).map(|it| it.signing_digest()))))
}

fn explain_times(world: &World<Strict>) -> Vec<f64> {
    let unsigned = build(&world.ether(FRIEND, 1, 0), world.account()).expect("a transfer");
    let state = &world.state;
    times(20_000, |_| drop(black_box(explain(&unsigned, state.policy().engine.registry()))))
}

fn policy_times(world: &World<Strict>, others: usize) -> Vec<f64> {
    let engine = Engine::compile(with_rules(world, others)).expect("a policy that compiles");
    let unsigned = build(&world.ether(FRIEND, 1, 0), world.account()).expect("a transfer");
    let effects = explain(&unsigned, engine.registry());
    let (requester, key, prices): (Name, Name, Prices) = (name("desk"), name("hot"), Prices::default());
    let cooling = Cooling::default();
    let facts = Facts {
        now: world.now(),
        account: Some(world.account()),
        assurance: AssuranceLevel::Process,
        prices: &prices,
        cooling: &cooling,
        simulation: Simulated::No,
        nonce_ahead: 0,
        drill_age_seconds: 0,
    };
    let question = Question {
        requester: &requester,
        action: world.ether(FRIEND, 1, 0).kind(),
        key: Some(&key),
        subject: Subject::Payload(&effects),
        facts: &facts,
    };
    times(5_000, |_| drop(black_box(engine.decide(&question))))
}

fn with_rules(world: &World<Strict>, others: usize) -> PolicyVersion {
    let mut policy = world.state.policy().engine.version().clone();
    policy.rules.extend((0..others).map(|index| Rule {
        id: name(&format!("other-{index}")),
        cedar: format!(
            "permit(principal in Role::\"desk\", action in Action::\"sign\", resource == Key::\"key-{index}\")
             when {{ context.class == \"transfer\" && context.amount_micro < {index} }};"
        ),
    }));
    policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
    policy
}

fn batch_times(world: &mut World<Strict>) -> Vec<f64> {
    let intents = intents(world, 1, 0);
    let batch = RequestBatch { intents };
    let desk = &world.desk.desk;
    let signed = Signed::new(batch, desk.name.clone(), &desk.signer).expect("a signature");
    let key = desk.signer.public().clone();
    times(2_000, |_| {
        let _ = black_box(signed.verify(&key));
    })
}

fn intents(world: &mut World<Strict>, count: u64, first: u64) -> Vec<keystead_intent::Intent> {
    (first..first + count)
        .map(|nonce| {
            let action: Action = world.ether(FRIEND, 1, nonce);
            world.intent("desk", action)
        })
        .collect()
}

fn apply_times(world: &mut World<Strict>) -> Vec<f64> {
    let per_block = 64;
    let mut state = world.state.clone();
    (0..60_u64)
        .map(|round| {
            let intents = intents(world, per_block, round * per_block);
            let admitted = state.admit(world.requests(intents)).expect("an entry");
            let time = state.time().plus_seconds(1);
            let start = Instant::now();
            let proposer = &world.desk.nodes[0].name;
            let applied = propose(&state, time, proposer, &[admitted], world.controls());
            let nanos = start.elapsed().as_nanos() as f64 / per_block as f64;
            state = applied.state;
            nanos
        })
        .collect()
}

fn vote_times(world: &World<Strict>) -> Vec<f64> {
    let header = &world.log.last().expect("a block").0.header;
    let node = &world.desk.nodes[0];
    times(2_000, |_| {
        let vote = vote_for(black_box(header), 0, 0);
        drop(black_box(sign_vote(&vote, node.name.clone(), &node.signer)));
    })
}

fn commit_times(world: &mut World<Strict>) -> Vec<f64> {
    (0..500)
        .map(|_| {
            let admitted = vec![world.state.admit(keystead_decision::Entry::Tick).expect("a tick")];
            let time = world.now().plus_seconds(1);
            let proposer = &world.desk.nodes[0].name;
            let applied = propose(&world.state, time, proposer, &admitted, world.controls());
            let commit = world.vote(&applied.block);
            world.state = applied.state;
            let start = Instant::now();
            world.light.advance(&commit).expect("a head");
            let nanos = start.elapsed().as_nanos() as f64;
            black_box(commit.digest());
            nanos
        })
        .collect()
}

/// What the enclave does between certificate and release: signs, and recovers the signer.
fn signature_times() -> Vec<f64> {
    let (context, key) = (Secp256k1::new(), SecretKey::from_byte_array([0x42; 32]).expect("a scalar"));
    times(5_000, |round| {
        let message = Message::from_digest(Digest([(round % 251) as u8; 32]).0);
        let signature = context.sign_ecdsa_recoverable(message, &key);
        let _ = black_box(context.recover_ecdsa(message, &signature));
    })
}

fn assemble_times(world: &World<Strict>) -> Vec<f64> {
    let unsigned = build(&world.ether(FRIEND, 1, 0), world.account()).expect("a transfer");
    let (r, s, odd_y) = world.sign_digest(0, &unsigned.signing_digest());
    times(5_000, |_| drop(black_box(assemble(&unsigned, r, s, odd_y).expect("a signed transfer"))))
}

/// The ledger's own transaction for one block, its wait for the disk included.
fn ledger_times() -> Vec<f64> {
    let mut world = World::new(Strict::default());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = runtime.block_on(begun(&world, folder.path()));
    let per_block = 64;
    (0..60_u64)
        .map(|round| {
            let intents = intents(&mut world, per_block, round * per_block);
            let admitted = world.state.admit(world.requests(intents)).expect("an entry");
            let (time, builder) = (world.now().plus_seconds(1), &world.desk.nodes[0].name);
            let applied = propose(&world.state, time, builder, &[admitted], world.controls());
            let votes = world.vote(&applied.block).votes;
            let blocks = vec![Appended::new(&applied, 0, votes)];
            let start = Instant::now();
            runtime.block_on(ledger.append(blocks)).expect("a durable block");
            let nanos = start.elapsed().as_nanos() as f64 / per_block as f64;
            world.state = applied.state;
            nanos
        })
        .collect()
}

/// A ledger that has the blocks of this world.
async fn begun(world: &World<Strict>, folder: &Path) -> Ledger {
    let url = format!("sqlite:{}", folder.join("ledger.sqlite").display());
    let ledger = Ledger::open(&url).await.expect("a ledger");
    ledger.begin(&world.genesis).await.expect("a genesis");
    let mut state = State::genesis(&world.genesis.genesis).expect("a policy that compiles");
    for (commit, block, _) in &world.log {
        let applied = validate(&state, block.clone(), world.controls()).expect("a valid block");
        let row = Appended::new(&applied, commit.round, commit.votes.clone());
        ledger.append(vec![row]).await.expect("a durable block");
        state = applied.state;
    }
    ledger
}
