//! One run, from the bytes that would be signed to what it changes.

use std::collections::BTreeSet;

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, Bytes, Log};
use imbl::OrdSet;
use keystead_base::Amount;
use keystead_chain::{Transaction, Unsigned};
use keystead_intent::{Asset, BalanceChange, Ending, MAX_REVERT_BYTES, MAX_RUN_CHANGES, NotTaken, Run};
use revm::context::result::{ExecutionResult, ResultAndState};
use revm::state::EvmState;

use crate::machine::{Executed, Machine, State, fee};
use crate::memo::Memo;
use crate::questions::{Questions, Scene};
use crate::traces::{Overheard, named};
use crate::{Head, RehearsalError, StateReader};

/// Whom and what a run is watched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Accounts of ours that tokens are asked about in any case, beside the one that signs.
    pub accounts: BTreeSet<Address>,
    /// All others of ours, however many: tokens are asked about those that the run touches or that somebody names in it.
    pub others: OrdSet<Address>,
    /// Tokens that the bytes name: asked whether or not the run comes by them.
    pub tokens: BTreeSet<Address>,
}

impl Watched {
    /// Whether this account is one of ours.
    #[must_use]
    pub fn holds(&self, account: &Address) -> bool {
        self.accounts.contains(account) || self.others.contains(account)
    }
}

/// Runs the transaction of a request after a block, and says what it changes for the account that signs and for
/// the others that are watched. None where the bytes are no transaction: there is nothing to run.
///
/// The same bytes after the same block give the same run, whoever computes it.
///
/// # Errors
///
/// [`RehearsalError`] when some piece of the state is not known: then nothing is.
pub fn rehearse(
    reader: &impl StateReader,
    head: &Head,
    unsigned: &Unsigned,
    watched: &Watched,
) -> Result<Option<Run>, RehearsalError> {
    let Some(transaction) = unsigned.transaction() else { return Ok(None) };
    let memo = Memo::new(reader);
    let account = unsigned.account();
    let mut info = memo.account(account)?;
    let Some(ahead) = transaction.nonce().checked_sub(info.nonce) else {
        return Ok(Some(Run::without_changes(Ending::NotTaken(NotTaken::Nonce), 0, 0)));
    };
    info.nonce = transaction.nonce();
    let mut before = State::new(&memo);
    before.insert_account_info(account, info);
    let machine = Machine::after(head, unsigned.chain());
    let mut watched = watched.clone();
    watched.accounts.insert(account);
    let mut overheard = Overheard::by(&watched);
    let executed = match machine.execute(&before, account, transaction, &mut overheard)? {
        Executed::Ran(executed) => executed,
        Executed::NotTaken(reason) => {
            return Ok(Some(Run::without_changes(Ending::NotTaken(reason), 0, ahead)));
        }
    };
    let mut run = Run::without_changes(ending(&executed.result), executed.result.tx_gas_used(), ahead);
    let rehearsal = Rehearsal { memo: &memo, machine: &machine, before: &before, account, transaction, head };
    if run.succeeded() {
        rehearsal.add_changes(&mut run, &executed, &watched, overheard.named)?;
    }
    Ok(Some(run))
}

struct Rehearsal<'a, 'm, R> {
    memo: &'m Memo<'m, R>,
    machine: &'a Machine,
    before: &'a State<'m, R>,
    account: Address,
    transaction: &'a Transaction,
    head: &'a Head,
}

impl<R: StateReader> Rehearsal<'_, '_, R> {
    fn add_changes(
        &self,
        run: &mut Run,
        executed: &ResultAndState,
        watched: &Watched,
        overheard: BTreeSet<Address>,
    ) -> Result<(), RehearsalError> {
        let (logs, state) = (executed.result.logs(), &executed.state);
        let fee = fee(self.head, self.transaction, run.gas_used);
        for account in touched(watched, state) {
            run.balances.extend(self.coins(account, state, Amount(fee))?);
        }
        let after = self.machine.committed(self.before, state);
        let concerned: BTreeSet<_> = touched(watched, state)
            .chain(named(watched, logs))
            .chain(overheard)
            .chain([self.account])
            .collect();
        let first = watched.tokens.iter().copied().chain(self.first(logs, state)).collect();
        let scene = Scene { watched, concerned, first, others: contracts(state), logs };
        Questions::new(self.machine, self.before, &after).add_to(run, &scene, self.memo)?;
        run.created = created(state);
        cut(run);
        Ok(())
    }

    /// The coins of one account, as they would be without the network's fee.
    fn coins(
        &self,
        account: Address,
        state: &EvmState,
        fee: Amount,
    ) -> Result<Option<BalanceChange>, RehearsalError> {
        let Some(changed) = state.get(&account) else { return Ok(None) };
        let before = Amount(self.memo.account(account)?.balance);
        let mut after = Amount(changed.info.balance);
        if account == self.account {
            after = after.saturating_add(fee);
        }
        let change = BalanceChange { account, asset: Asset::Native, id: None, before, after };
        Ok((before != after).then_some(change))
    }

    /// What was called, and what spoke: a token that takes from an account of ours need not name it.
    fn first(&self, logs: &[Log], state: &EvmState) -> impl Iterator<Item = Address> {
        let called = self.transaction.to().filter(|it| state.get(it).is_some_and(has_code));
        logs.iter().map(|log| log.address).chain(called)
    }
}

/// The accounts of ours that the run touches.
fn touched<'a>(watched: &'a Watched, state: &'a EvmState) -> impl Iterator<Item = Address> + 'a {
    let ours = state.iter().filter(|(address, account)| account.is_touched() && watched.holds(address));
    ours.map(|(address, _)| *address)
}

/// Everything that could be a token: whatever was called and has code. A token whose balances stand elsewhere writes
/// nothing itself, and need not speak.
fn contracts(state: &EvmState) -> BTreeSet<Address> {
    let called = state.iter().filter(|(_, account)| account.is_touched() && has_code(account));
    called.map(|(address, _)| *address).collect()
}

fn has_code(account: &revm::state::Account) -> bool {
    !account.info.is_empty_code_hash()
}

fn created(state: &EvmState) -> Vec<Address> {
    let is_there = |it: &revm::state::Account| {
        it.is_touched() && it.is_created() && !it.is_selfdestructed() && !it.info.is_empty_code_hash()
    };
    let all: BTreeSet<_> = state.iter().filter(|(_, it)| is_there(it)).map(|(address, _)| *address).collect();
    all.into_iter().collect()
}

/// One order, and no more than the form holds.
fn cut(run: &mut Run) {
    run.balances.sort_unstable();
    run.rights.sort_unstable();
    let most = run.balances.len().max(run.rights.len()).max(run.created.len());
    run.cut |= most > MAX_RUN_CHANGES;
    run.balances.truncate(MAX_RUN_CHANGES);
    run.rights.truncate(MAX_RUN_CHANGES);
    run.created.truncate(MAX_RUN_CHANGES);
}

fn ending(result: &ExecutionResult) -> Ending {
    match result {
        ExecutionResult::Success { .. } => Ending::Succeeded,
        ExecutionResult::Revert { output, .. } => {
            let kept = output.get(..MAX_REVERT_BYTES).unwrap_or(output);
            Ending::Reverted { data: Bytes::copy_from_slice(kept) }
        }
        ExecutionResult::Halt { .. } => Ending::Halted,
    }
}
