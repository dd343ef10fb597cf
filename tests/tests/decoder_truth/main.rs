//! The proof that the decoder understands: random and adversarial calls against the real OpenZeppelin,
//! Safe, Permit2 and MultiSend code. Every balance, allowance or authority change that the EVM shows is in
//! the effects, else the payload was opaque or a delegate call.
//!
//! 10,000 cases; `KEYSTEAD_CASES` asks for more, `KEYSTEAD_SEED` for another seed. Counter-examples are
//! shrunk and kept in `decoder_truth.regressions`.

mod calls;
mod shown;
mod stage;

use std::cell::RefCell;

use keystead_intent::{Action, ContractCall, DangerClass, Effects};
use keystead_tests::fixture::CHAIN;
use keystead_tests::world::{gas, hot};
use proptest::test_runner::{
    Config, FileFailurePersistence, RngAlgorithm, TestCaseError, TestRng, TestRunner,
};

use calls::{Call, call};
use stage::Stage;

#[test]
fn s02_whatever_the_evm_shows_is_in_the_effects() {
    // The EVM's frames in unoptimized code are larger than the stack that a test has.
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(plays_all).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn plays_all() {
    let cases = setting("KEYSTEAD_CASES").unwrap_or(10_000);
    let seed = setting("KEYSTEAD_SEED").unwrap_or(20_261_123);
    keystead_tests::tell(&format!("{cases} cases, KEYSTEAD_SEED={seed}"));
    let stage = Stage::build();
    let counts = RefCell::new(Counts::default());
    let mut runner = runner(cases, seed);
    let result = runner.run(&call(), |call| counts.borrow_mut().play(&stage, &call));
    keystead_tests::tell(&format!("{:?}", counts.borrow()));
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(counts.borrow().understood_changes > 1_000, "too few cases changed anything that was understood");
}

fn runner(cases: u64, seed: u64) -> TestRunner {
    let config = Config {
        cases: u32::try_from(cases).unwrap(),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/decoder_truth/decoder_truth.regressions"
        )))),
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

#[derive(Debug, Default)]
struct Counts {
    refused_to_build: u64,
    reverted: u64,
    opaque: u64,
    without_change: u64,
    understood_changes: u64,
}

impl Counts {
    fn play(&mut self, stage: &Stage, call: &Call) -> Result<(), TestCaseError> {
        let (to, value, data) = call.message(stage);
        let action = Action::ContractCall(ContractCall {
            account: hot(),
            chain: CHAIN,
            to,
            value: value.into(),
            data: data.clone().into(),
            gas: gas(0),
        });
        let Ok(unsigned) = keystead_chain::build(&action, stage.account) else {
            self.refused_to_build += 1;
            return Ok(());
        };
        let effects = keystead_chain::explain(&unsigned, &stage.registry);
        let outcome = stage.run(to, value, data);
        if !outcome.is_success() {
            self.reverted += 1;
            return Ok(());
        }
        if says_that_it_does_not_know(&effects) {
            self.opaque += 1;
            return Ok(());
        }
        let changes = shown::changes(&outcome);
        *if changes.is_empty() { &mut self.without_change } else { &mut self.understood_changes } += 1;
        match changes.iter().find(|change| !change.is_in(&effects)) {
            None => Ok(()),
            Some(missed) => Err(TestCaseError::fail(format!("{missed:?} is not in {effects:#?}"))),
        }
    }
}

fn says_that_it_does_not_know(effects: &Effects) -> bool {
    effects.items.iter().any(|effect| {
        matches!(effect.class(), DangerClass::Opaque | DangerClass::DelegateCall | DangerClass::BlindDigest)
    })
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

const STACK_BYTES: usize = 64 << 20;
