//! What an execution did: status, output, logs, every inner call and every changed account.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256};
use revm::context::result::{ExecutionResult, ResultAndState};
use revm::state::{Account, EvmState};

pub use alloy_primitives::Log;

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It returned.
    Success,
    /// It reverted; nothing but the fee and the nonce changed.
    Reverted,
    /// It ran out of gas or broke a rule of the machine; all gas is spent.
    Halted {
        /// The machine's word for it.
        reason: String,
    },
}

/// A value before and after the execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed<T> {
    /// Before.
    pub before: T,
    /// After.
    pub after: T,
}

/// What changed in one account; fields without a change are `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The balance in wei.
    pub balance: Option<Changed<U256>>,
    /// The nonce.
    pub nonce: Option<Changed<u64>>,
    /// The code's hash; a 7702 delegation is a change of code.
    pub code: Option<Changed<B256>>,
    /// Storage slots.
    pub storage: BTreeMap<U256, Changed<U256>>,
}

/// The kind of a call inside an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// CALL.
    Call,
    /// CALLCODE.
    CallCode,
    /// DELEGATECALL: the target's code runs with the caller's storage and authority.
    DelegateCall,
    /// STATICCALL.
    StaticCall,
    /// CREATE or CREATE2.
    Create,
}

/// One call of an execution, in the order in which they begin; the first is the transaction itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// 0 for the transaction itself.
    pub depth: usize,
    /// The kind.
    pub kind: FrameKind,
    /// Whose authority and (for a delegate call) whose storage it runs with.
    pub from: Address,
    /// Whose code runs; `None` for a creation.
    pub to: Option<Address>,
    /// Wei that move with it (of a delegate call: that seem to).
    pub value: U256,
    /// The call data, or the init code.
    pub input: Bytes,
    /// Whether the frame returned; when it did not, nothing in it lasted.
    pub returned: bool,
}

/// What an execution did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// The returned data or the revert data.
    pub output: Bytes,
    /// The contract made by a creating transaction.
    pub created: Option<Address>,
    /// Gas used after refunds.
    pub gas_used: u64,
    /// Events, in order.
    pub logs: Vec<Log>,
    /// Calls, in order.
    pub frames: Vec<Frame>,
    /// Every account whose balance, nonce, code or storage changed.
    pub changes: BTreeMap<Address, AccountChange>,
}

impl Outcome {
    /// Whether the execution returned.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status == Status::Success
    }

    pub(crate) fn new(executed: &ResultAndState, frames: Vec<Frame>, before: Before<'_>) -> Self {
        let (result, status) = (&executed.result, status(&executed.result));
        Self {
            output: result.output().cloned().unwrap_or_default(),
            created: result.created_address(),
            gas_used: result.tx_gas_used(),
            logs: if status == Status::Success { result.logs().to_vec() } else { Vec::new() },
            changes: changes(&executed.state, before),
            frames,
            status,
        }
    }
}

/// Reads balance, nonce and code hash as they were before the execution.
pub(crate) type Before<'a> = &'a dyn Fn(Address) -> (U256, u64, B256);

fn status(result: &ExecutionResult) -> Status {
    match result {
        ExecutionResult::Success { .. } => Status::Success,
        ExecutionResult::Revert { .. } => Status::Reverted,
        ExecutionResult::Halt { reason, .. } => Status::Halted { reason: format!("{reason:?}") },
    }
}

fn changes(state: &EvmState, before: Before<'_>) -> BTreeMap<Address, AccountChange> {
    state
        .iter()
        .filter(|(_, account)| account.is_touched())
        .map(|(address, account)| (*address, change(account, before(*address))))
        .filter(|(_, change)| *change != AccountChange::default())
        .collect()
}

fn change(account: &Account, (balance, nonce, code): (U256, u64, B256)) -> AccountChange {
    let after = if account.is_selfdestructed() { &Default::default() } else { &account.info };
    AccountChange {
        balance: changed(balance, after.balance),
        nonce: changed(nonce, after.nonce),
        code: changed(code, after.code_hash),
        storage: account
            .changed_storage_slots()
            .map(|(slot, value)| {
                (*slot, Changed { before: value.original_value, after: value.present_value })
            })
            .collect(),
    }
}

fn changed<T: PartialEq>(before: T, after: T) -> Option<Changed<T>> {
    (before != after).then_some(Changed { before, after })
}
