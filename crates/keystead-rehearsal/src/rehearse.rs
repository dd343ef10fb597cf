//! One run, from the bytes that would be signed to what it changes.

use std::collections::BTreeSet;

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, Bytes, Log};
use keystead_base::Amount;
use keystead_chain::{Transaction, Unsigned};
use keystead_intent::{Asset, BalanceChange, Ending, MAX_REVERT_BYTES, MAX_RUN_CHANGES, NotTaken, Run};
use revm::context::result::{ExecutionResult, ResultAndState};
use revm::state::EvmState;

use crate::machine::{Executed, Machine, State, fee};
use crate::memo::Memo;
use crate::questions::Questions;
use crate::traces::named;
use crate::{Head, RehearsalError, StateReader};

/// Runs the transaction of a request after a block, and says what it changes for the account that signs and for
/// the others of `ours`. None where the bytes are no transaction: there is nothing to run.
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
    ours: &BTreeSet<Address>,
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
    let executed = match machine.execute(&before, account, transaction)? {
        Executed::Ran(executed) => executed,
        Executed::NotTaken(reason) => {
            return Ok(Some(Run::without_changes(Ending::NotTaken(reason), 0, ahead)));
        }
    };
    let mut run = Run::without_changes(ending(&executed.result), executed.result.tx_gas_used(), ahead);
    let rehearsal = Rehearsal { memo: &memo, machine: &machine, before: &before, account, transaction, head };
    if run.succeeded() {
        let mut ours = ours.clone();
        ours.insert(account);
        rehearsal.add_changes(&mut run, &executed, &ours)?;
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
        ours: &BTreeSet<Address>,
    ) -> Result<(), RehearsalError> {
        let (logs, state) = (executed.result.logs(), &executed.state);
        let fee = fee(self.head, self.transaction, run.gas_used);
        for account in ours {
            run.balances.extend(self.coins(*account, state, Amount(fee))?);
        }
        let after = self.machine.committed(self.before, state);
        let questions = Questions { machine: self.machine, before: self.before, after: &after };
        let concerned = self.concerned(ours, logs, state);
        questions.add_to(run, &contracts(logs, state), &concerned, logs)?;
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
        let Some(changed) = state.get(&account).filter(|it| it.is_touched()) else { return Ok(None) };
        let before = Amount(self.memo.account(account)?.balance);
        let mut after = Amount(changed.info.balance);
        if account == self.account {
            after = after.saturating_add(fee);
        }
        let change = BalanceChange { account, asset: Asset::Native, id: None, before, after };
        Ok((before != after).then_some(change))
    }

    /// The account that signs, and those of ours that the run touches or names.
    fn concerned(&self, ours: &BTreeSet<Address>, logs: &[Log], state: &EvmState) -> BTreeSet<Address> {
        let touched = ours.iter().filter(|it| state.get(*it).is_some_and(|it| it.is_touched())).copied();
        touched.chain(named(ours, logs, self.transaction.input())).chain([self.account]).collect()
    }
}

/// Everything that could be a token: what wrote its storage, or spoke.
fn contracts(logs: &[Log], state: &EvmState) -> BTreeSet<Address> {
    let writes = |it: &revm::state::Account| it.is_touched() && it.changed_storage_slots().next().is_some();
    let writers = state.iter().filter(|(_, account)| writes(account)).map(|(address, _)| *address);
    logs.iter().map(|log| log.address).chain(writers).collect()
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
