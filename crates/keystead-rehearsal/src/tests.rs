//! Runs on a chain in memory, beside what the same chain does when the transaction is really sent.

use std::cell::Cell;

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Bytes, TxKind, U256, address, hex};
use keystead_base::{Amount, Coded as _};
use keystead_chain::Payload;
use keystead_devnet::{BASE_FEE_WEI, Devnet};
use keystead_intent::{Asset, BalanceChange, ChainId, NotTaken, SimulatedBlock};

use alloy_primitives::{Address, B256};
use std::collections::BTreeSet;

use keystead_chain::Unsigned;
use keystead_intent::{Ending, MAX_REVERT_BYTES, Run};

use super::*;
use crate::reader::ReadAccount;

mod ahead;
mod questions;

const CHAIN: u64 = 31_337;
const ACCOUNT: Address = address!("00000000000000000000000000000000000a11ce");
const OTHER: Address = address!("0000000000000000000000000000000000000b0b");
const CODE: Address = address!("00000000000000000000000000000000000c0de0");
const ETHER: u64 = 1_000_000_000_000_000_000;

/// A chain in memory as a reader, which can lose its memory.
struct Chain {
    devnet: Devnet,
    forgets_storage: bool,
    reads: Cell<usize>,
}

impl StateReader for Chain {
    fn account(&self, address: Address) -> Result<ReadAccount, Unread> {
        self.reads.set(self.reads.get() + 1);
        let (balance, nonce) = (self.devnet.balance(address), self.devnet.nonce(address));
        Ok(ReadAccount { balance, nonce, code: self.devnet.code(address) })
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, Unread> {
        self.reads.set(self.reads.get() + 1);
        match self.forgets_storage {
            true => Err(Unread::Unknown { reason: "two endpoints disagree".to_owned() }),
            false => Ok(self.devnet.storage(address, slot)),
        }
    }

    fn block_hash(&self, number: u64) -> Result<B256, Unread> {
        let unknown = || Unread::Unknown { reason: "no such block".to_owned() };
        self.devnet.block(number).map(keystead_devnet::Block::hash).ok_or_else(unknown)
    }
}

fn chain() -> Chain {
    let mut devnet = Devnet::new(CHAIN, 1_795_464_902);
    devnet.fund(ACCOUNT, U256::from(10 * ETHER));
    Chain { devnet, forgets_storage: false, reads: Cell::new(0) }
}

fn with_code(code: &[u8]) -> Chain {
    let mut chain = chain();
    chain.devnet.set_code(CODE, Bytes::copy_from_slice(code));
    chain
}

fn head(chain: &Chain) -> Head {
    let head = chain.devnet.head();
    let block =
        SimulatedBlock { number: head.number(), hash: head.hash(), time_seconds: head.time_seconds() };
    Head {
        block,
        beneficiary: Address::repeat_byte(0xbe),
        gas_limit: keystead_devnet::BLOCK_GAS_LIMIT,
        base_fee: Some(BASE_FEE_WEI),
        randomness: B256::repeat_byte(7),
    }
}

fn transaction(to: TxKind, value: u64, input: &[u8]) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN,
        nonce: 0,
        gas_limit: 10_000_000,
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to,
        value: U256::from(value),
        input: Bytes::copy_from_slice(input),
        ..TxEip1559::default()
    }
}

fn call(to: Address, value: u64) -> TxEip1559 {
    transaction(TxKind::Call(to), value, &[])
}

fn run_of(chain: &Chain, tx: &TxEip1559) -> Result<Run, RehearsalError> {
    run_with(chain, tx, &[])
}

/// The run of a transaction whose bytes name these tokens.
fn run_with(chain: &Chain, tx: &TxEip1559, tokens: &[Address]) -> Result<Run, RehearsalError> {
    let payload = Payload::Transaction(tx.encoded_for_signing().into());
    let unsigned = Unsigned::parse(ACCOUNT, ChainId(CHAIN), payload).unwrap();
    let (accounts, tokens) = (BTreeSet::from([ACCOUNT, OTHER]), tokens.iter().copied().collect());
    rehearse(chain, &head(chain), &unsigned, &Watched { accounts, tokens, ..Watched::default() })
        .map(Option::unwrap)
}

fn coins(account: Address, before: u64, after: u64) -> BalanceChange {
    let (before, after) = (Amount::from(before), Amount::from(after));
    BalanceChange { account, asset: Asset::Native, id: None, before, after }
}

#[test]
fn what_leaves_and_what_comes_is_counted_without_the_fee() {
    let run = run_of(&chain(), &call(OTHER, ETHER)).unwrap();
    assert_eq!((run.ending, run.gas_used, run.ahead, run.cut), (Ending::Succeeded, 21_000, 0, false));
    assert_eq!(run.balances, [coins(OTHER, 0, ETHER), coins(ACCOUNT, 10 * ETHER, 9 * ETHER)]);
}

#[test]
fn a_contract_that_is_kind_only_where_gas_is_free_is_not_deceived_with() {
    // Gives the coins back where the gas price is zero, as it is in many simulations.
    let chain = with_code(&hex!("3a600c575f5f5f5f34335af15b00"));
    let run = run_of(&chain, &call(CODE, ETHER)).unwrap();
    assert_eq!(run.balances, [coins(ACCOUNT, 10 * ETHER, 9 * ETHER)]);
}

#[test]
fn what_fails_says_how() {
    let reverts = with_code(&hex!("602a5f5260205ffd"));
    let data = U256::from(42).to_be_bytes_vec().into();
    assert_eq!(run_of(&reverts, &call(CODE, 1)).unwrap().ending, Ending::Reverted { data });
    let long = with_code(&hex!("6101005ffd"));
    let Ending::Reverted { data } = run_of(&long, &call(CODE, 1)).unwrap().ending else { panic!("ran") };
    assert_eq!(data.len(), MAX_REVERT_BYTES);
    let halts = run_of(&with_code(&hex!("fe")), &call(CODE, 1)).unwrap();
    assert_eq!((halts.ending, halts.gas_used, halts.balances), (Ending::Halted, 10_000_000, vec![]));
}

#[test]
fn what_a_chain_would_not_take_says_why() {
    let mut chain = chain();
    chain.devnet.set_nonce(ACCOUNT, 4);
    let at = |nonce| TxEip1559 { nonce, ..call(OTHER, 1) };
    let cheap = TxEip1559 { max_fee_per_gas: 1, max_priority_fee_per_gas: 1, ..at(4) };
    for (tx, reason) in [
        (at(3), NotTaken::Nonce),
        (TxEip1559 { value: U256::from(11 * ETHER), ..at(4) }, NotTaken::Funds),
        (cheap, NotTaken::Fee),
        (TxEip1559 { gas_limit: 20_000, ..at(4) }, NotTaken::Gas),
        (TxEip1559 { gas_limit: 17_000_000, ..at(4) }, NotTaken::Gas),
    ] {
        assert_eq!(run_of(&chain, &tx).unwrap().ending, Ending::NotTaken(reason));
    }
    let ahead = run_of(&chain, &at(6)).unwrap();
    assert_eq!((ahead.ending, ahead.ahead), (Ending::Succeeded, 2));
}

#[test]
fn what_is_created_is_named() {
    let run = run_of(&chain(), &transaction(TxKind::Create, 0, &hex!("5f5f5360015ff3"))).unwrap();
    assert_eq!(run.created, [ACCOUNT.create(0)]);
}

#[test]
fn a_piece_of_state_that_is_not_known_makes_all_unknown() {
    let mut chain = with_code(&hex!("5f5450"));
    assert!(run_of(&chain, &call(CODE, 0)).unwrap().succeeded());
    chain.forgets_storage = true;
    assert_eq!(run_of(&chain, &call(CODE, 0)).unwrap_err().code(), "rehearsal.state_unknown");
}

#[test]
fn a_run_that_reads_without_end_ends() {
    let chain = with_code(&hex!("5f5b805450600101600156"));
    assert_eq!(run_of(&chain, &call(CODE, 0)).unwrap_err().code(), "rehearsal.too_many_reads");
    assert!(chain.reads.get() <= MAX_READS);
}

#[test]
fn what_is_no_transaction_has_nothing_to_run() {
    let unsigned = Unsigned::parse(ACCOUNT, ChainId(CHAIN), Payload::Message("hello".into())).unwrap();
    let chain = chain();
    assert_eq!(rehearse(&chain, &head(&chain), &unsigned, &Watched::default()), Ok(None));
    assert_eq!(chain.reads.get(), 0);
}

/// The same bytes run and sent: the same gas, the same balances.
#[test]
fn a_run_is_what_the_chain_does_then() {
    let codes: [&[u8]; 4] = [&hex!("00"), &hex!("345f55"), &hex!("5f5f5f5f6001335af1"), &hex!("3a4200")];
    for code in codes {
        let mut chain = with_code(code);
        let run = run_of(&chain, &call(CODE, 7)).unwrap();
        let mut message =
            keystead_devnet::Message::call(ACCOUNT, CODE, Bytes::new()).with_value(U256::from(7));
        message.gas_limit = call(CODE, 7).gas_limit;
        let receipt = chain.devnet.execute(&message).unwrap();
        assert_eq!(run.gas_used, receipt.outcome.gas_used);
        let sent: Vec<_> = receipt.outcome.changes[&ACCOUNT].balance.into_iter().map(|it| it.after).collect();
        let ran: Vec<_> = run.balances.iter().map(|it| it.after.0).collect();
        assert_eq!(ran, sent);
    }
}
