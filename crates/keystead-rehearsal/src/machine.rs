//! `revm` after one block: the transaction itself, and questions to contracts before and after it.

use alloy_consensus::{Transaction as _, Typed2718 as _};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use keystead_chain::Transaction;
use keystead_intent::{ChainId, NotTaken};
use revm::context::either::Either;
use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction, ResultAndState};
use revm::context::{BlockEnv, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::database::{CacheDB, WrapDatabaseRef};
use revm::handler::MainnetContext;
use revm::inspector::NoOpInspector;
use revm::primitives::eip4844::BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE;
use revm::primitives::hardfork::SpecId;
use revm::state::EvmState;
use revm::{Context, DatabaseCommit as _, InspectEvm as _, Inspector, MainBuilder as _, MainContext as _};

use crate::memo::Memo;
use crate::traces::Overheard;
use crate::{Head, RehearsalError, StateReader, Unread};

/// A state that the machine runs on: what was read, and what a run changed in it.
pub(crate) type State<'m, R> = CacheDB<&'m Memo<'m, R>>;

/// The machine with the block that comes next.
pub(crate) struct Machine {
    chain: ChainId,
    block: BlockEnv,
}

/// What came of a transaction.
pub(crate) enum Executed {
    /// It ran.
    Ran(Box<ResultAndState>),
    /// The chain would not take it.
    NotTaken(NotTaken),
}

/// Which nonces are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nonce {
    /// The account's next one: a transaction.
    MustFit,
    /// Any: a question, which is nobody's transaction.
    MayBeAny,
}

impl Machine {
    /// The next block is taken to be like the last one, a second later: nobody knows better.
    pub(crate) fn after(head: &Head, chain: ChainId) -> Self {
        let block = BlockEnv {
            number: U256::from(head.block.number.saturating_add(1)),
            timestamp: U256::from(head.block.time_seconds.saturating_add(1)),
            beneficiary: head.beneficiary,
            gas_limit: head.gas_limit,
            basefee: head.base_fee.unwrap_or_default(),
            prevrandao: Some(head.randomness),
            blob_excess_gas_and_price: Some(BlobExcessGasAndPrice::new(
                0,
                BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE,
            )),
            ..BlockEnv::default()
        };
        Self { chain, block }
    }

    /// Runs the transaction, with its own fee and gas limit: a contract can see them, and may do something else
    /// where they are missing.
    pub(crate) fn execute<R: StateReader>(
        &self,
        state: &State<'_, R>,
        account: Address,
        transaction: &Transaction,
        overheard: &mut Overheard<'_>,
    ) -> Result<Executed, RehearsalError> {
        let environment = environment(account, transaction);
        match self.transact(state, self.block.clone(), environment, Nonce::MustFit, overheard) {
            Ok(executed) => Ok(Executed::Ran(Box::new(executed))),
            Err(EVMError::Transaction(reason)) => Ok(Executed::NotTaken(not_taken(&reason))),
            Err(error) => Err(stopped(error)),
        }
    }

    /// The state after a run.
    pub(crate) fn committed<'m, R: StateReader>(
        &self,
        before: &State<'m, R>,
        changes: &EvmState,
    ) -> State<'m, R> {
        let mut after = before.clone();
        after.commit(changes.clone());
        after
    }

    /// The first word that a contract returns to a call that nobody pays for, with the gas that it took; none where it
    /// returns none.
    pub(crate) fn ask<R: StateReader>(
        &self,
        state: &State<'_, R>,
        contract: Address,
        input: Vec<u8>,
    ) -> Result<(Option<U256>, u64), RehearsalError> {
        let block = BlockEnv { basefee: 0, gas_limit: u64::MAX, ..self.block.clone() };
        let question = TxEnv {
            gas_limit: QUESTION_GAS,
            kind: TxKind::Call(contract),
            data: Bytes::from(input),
            chain_id: Some(self.chain.0),
            ..TxEnv::default()
        };
        let answered =
            self.transact(state, block, question, Nonce::MayBeAny, NoOpInspector).map_err(stopped)?;
        let gas = answered.result.tx_gas_used();
        let ExecutionResult::Success { output, .. } = answered.result else { return Ok((None, gas)) };
        Ok((output.data().get(..32).map(U256::from_be_slice), gas))
    }

    fn transact<'a, 'm, R: StateReader, I>(
        &self,
        state: &'a State<'m, R>,
        block: BlockEnv,
        environment: TxEnv,
        nonce: Nonce,
        inspector: I,
    ) -> Result<ResultAndState, EVMError<Unread>>
    where
        I: Inspector<MainnetContext<WrapDatabaseRef<&'a State<'m, R>>>>,
    {
        let mut machine = Context::mainnet()
            .with_db(WrapDatabaseRef(state))
            .with_block(block)
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
                cfg.chain_id = self.chain.0;
                cfg.tx_chain_id_check = true;
                cfg.disable_nonce_check = nonce == Nonce::MayBeAny;
            })
            .build_mainnet_with_inspector(inspector);
        machine.inspect_tx(environment)
    }
}

/// What the network takes for a run: gas at the price that it would pay, and blobs at their least price, which is
/// what the machine took for them.
pub(crate) fn fee(head: &Head, transaction: &Transaction, gas_used: u64) -> U256 {
    let price = transaction.effective_gas_price(head.base_fee);
    let gas = U256::from(gas_used).saturating_mul(U256::from(price));
    gas.saturating_add(U256::from(transaction.blob_gas_used().unwrap_or_default()))
}

fn environment(account: Address, tx: &Transaction) -> TxEnv {
    TxEnv {
        tx_type: tx.ty(),
        caller: account,
        gas_limit: tx.gas_limit(),
        gas_price: tx.max_fee_per_gas(),
        kind: tx.kind(),
        value: tx.value(),
        data: tx.input().clone(),
        nonce: tx.nonce(),
        chain_id: tx.chain_id(),
        access_list: tx.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: tx.max_priority_fee_per_gas(),
        blob_hashes: tx.blob_versioned_hashes().map(<[B256]>::to_vec).unwrap_or_default(),
        max_fee_per_blob_gas: tx.max_fee_per_blob_gas().unwrap_or_default(),
        authorization_list: tx
            .authorization_list()
            .unwrap_or_default()
            .iter()
            .cloned()
            .map(Either::Left)
            .collect(),
    }
}

fn not_taken(reason: &InvalidTransaction) -> NotTaken {
    use InvalidTransaction as I;
    match reason {
        I::NonceTooHigh { .. } | I::NonceTooLow { .. } | I::NonceOverflowInTransaction => NotTaken::Nonce,
        I::LackOfFundForMaxFee { .. } | I::OverflowPaymentInTransaction => NotTaken::Funds,
        I::GasPriceLessThanBasefee | I::BlobGasPriceGreaterThanMax { .. } => NotTaken::Fee,
        I::CallerGasLimitMoreThanBlock
        | I::CallGasCostMoreThanGasLimit { .. }
        | I::GasFloorMoreThanGasLimit { .. }
        | I::TxGasLimitGreaterThanCap { .. } => NotTaken::Gas,
        _ => NotTaken::Rule,
    }
}

fn stopped(error: EVMError<Unread>) -> RehearsalError {
    match error {
        EVMError::Database(unread) => RehearsalError::Unread(unread),
        other => RehearsalError::Machine { reason: other.to_string() },
    }
}

/// More than any token's view takes.
const QUESTION_GAS: u64 = 2_000_000;
