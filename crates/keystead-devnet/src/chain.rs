//! The chain: state, blocks and receipts.

use std::collections::BTreeMap;

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use revm::context::BlockEnv;
use revm::context::TxEnv;
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::primitives::eip4844::BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE;
use revm::primitives::eip7825::TX_GAS_LIMIT_CAP;
use revm::state::{AccountInfo, Bytecode};
use revm::{DatabaseCommit as _, DatabaseRef as _};

use crate::evm::{Checks, State, run};
use crate::transaction::SignedTransaction;
use crate::{Block, DevnetError, Message, Outcome, Receipt, Status};

/// The base fee of every block, unless [`Devnet::set_base_fee`] says another.
pub const BASE_FEE_WEI: u64 = 1_000_000_000;
/// The priority fee that the chain suggests.
pub const PRIORITY_FEE_WEI: u64 = 1_000_000_000;
/// Gas per block.
pub const BLOCK_GAS_LIMIT: u64 = 60_000_000;

/// A chain in memory, one block per transaction.
///
/// A clone is a snapshot: it shares nothing, and going back to it is a reorganization.
#[derive(Clone, Debug)]
pub struct Devnet {
    chain_id: u64,
    base_fee: u64,
    next_time_seconds: u64,
    state: State,
    earlier: Vec<Block>,
    head: Block,
    receipts: BTreeMap<B256, Receipt>,
}

impl Devnet {
    /// An empty chain whose genesis block has the given time.
    #[must_use]
    pub fn new(chain_id: u64, genesis_time_seconds: u64) -> Self {
        let genesis = block(None, 0, genesis_time_seconds, BASE_FEE_WEI, None, 0);
        let mut state = State::default();
        state.cache.block_hashes.insert(U256::ZERO, genesis.hash());
        Self {
            chain_id,
            base_fee: BASE_FEE_WEI,
            next_time_seconds: genesis_time_seconds.saturating_add(1),
            state,
            earlier: Vec::new(),
            head: genesis,
            receipts: BTreeMap::new(),
        }
    }

    /// The chain's id.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Executes raw signed bytes in a block of their own.
    ///
    /// # Errors
    ///
    /// [`DevnetError`] when the chain would not take the transaction; nothing changed then. A
    /// transaction that runs and reverts is mined, and its receipt says so.
    pub fn execute_raw(&mut self, raw: &[u8]) -> Result<Receipt, DevnetError> {
        let signed = SignedTransaction::decode(raw)?;
        if let Some(receipt) = self.receipts.get(&signed.hash) {
            return Err(DevnetError::AlreadyKnown { hash: signed.hash, block: receipt.block });
        }
        let (env, hash) = (signed.to_env(), signed.hash);
        self.include(env, hash, Some(signed), Checks::Full)
    }

    /// Executes a message without a signature, and without a fee, in a block of its own.
    ///
    /// # Errors
    ///
    /// [`DevnetError`] when the message breaks a rule of the protocol, for instance its value is more
    /// than the sender has.
    pub fn execute(&mut self, message: &Message) -> Result<Receipt, DevnetError> {
        let nonce = self.nonce(message.from);
        let identity = [message.from.as_slice(), &nonce.to_be_bytes(), &self.head().hash().0].concat();
        let env = message.to_env(self.chain_id, nonce);
        self.include(env, keccak256(identity), None, Checks::Message)
    }

    /// Executes a message on the state of the head and forgets it.
    ///
    /// # Errors
    ///
    /// As [`Devnet::execute`].
    pub fn call(&self, message: &Message) -> Result<Outcome, DevnetError> {
        let env = message.to_env(self.chain_id, self.nonce(message.from));
        run(&self.state, self.chain_id, self.next_block(), env, Checks::Message).map(|(outcome, _)| outcome)
    }

    /// Creates a contract from its init code and gives its address.
    ///
    /// # Errors
    ///
    /// [`DevnetError::Failed`] when the constructor reverts; otherwise as [`Devnet::execute`].
    pub fn deploy(&mut self, from: Address, init_code: impl Into<Bytes>) -> Result<Address, DevnetError> {
        let outcome = self.execute(&Message::create(from, init_code))?.outcome;
        outcome.created.ok_or(DevnetError::Failed { output: outcome.output })
    }

    /// The least gas limit with which the message succeeds.
    ///
    /// # Errors
    ///
    /// [`DevnetError::Failed`] when it fails with any; otherwise as [`Devnet::execute`].
    pub fn estimate_gas(&self, message: &Message) -> Result<u64, DevnetError> {
        let attempt = |gas_limit| self.call(&Message { gas_limit, ..message.clone() });
        let most = attempt(message.gas_limit.min(TX_GAS_LIMIT_CAP))?;
        if most.status != Status::Success {
            return Err(DevnetError::Failed { output: most.output });
        }
        let (mut fails, mut works) = (most.gas_used.saturating_sub(1), TX_GAS_LIMIT_CAP);
        while works - fails > 1 {
            let middle = fails + (works - fails) / 2;
            match attempt(middle).is_ok_and(|outcome| outcome.is_success()) {
                true => works = middle,
                false => fails = middle,
            }
        }
        Ok(works)
    }

    /// Mines an empty block.
    pub fn mine(&mut self) -> &Block {
        self.append(None, 0)
    }

    /// Adds `wei` to a balance, out of nothing.
    pub fn fund(&mut self, address: Address, wei: U256) {
        self.edit(address, |info| info.balance = info.balance.saturating_add(wei));
    }

    /// Puts runtime code at an address.
    pub fn set_code(&mut self, address: Address, code: impl Into<Bytes>) {
        let code = Bytecode::new_raw(code.into());
        self.edit(address, |info| {
            info.code_hash = code.hash_slow();
            info.code = Some(code);
        });
    }

    /// Writes one storage slot.
    pub fn set_storage(&mut self, address: Address, slot: U256, value: U256) {
        let Ok(()) = self.state.insert_account_storage(address, slot, value);
    }

    /// Sets an account's nonce.
    pub fn set_nonce(&mut self, address: Address, nonce: u64) {
        self.edit(address, |info| info.nonce = nonce);
    }

    /// Sets the base fee of the blocks to come.
    pub fn set_base_fee(&mut self, wei: u64) {
        self.base_fee = wei;
    }

    /// Sets the time of the next block. Time never stands still nor goes back: a value that is not
    /// after the head becomes one second after it.
    pub fn set_time(&mut self, seconds: u64) {
        self.next_time_seconds = seconds.max(self.head().time_seconds().saturating_add(1));
    }

    /// A balance in wei.
    #[must_use]
    pub fn balance(&self, address: Address) -> U256 {
        self.account(address).balance
    }

    /// The next nonce.
    #[must_use]
    pub fn nonce(&self, address: Address) -> u64 {
        self.account(address).nonce
    }

    /// The next nonce as it was after a block, as far as transactions tell.
    #[must_use]
    pub fn nonce_at(&self, address: Address, block: u64) -> u64 {
        let steps: Vec<_> = self
            .receipts()
            .filter_map(|receipt| Some((receipt.block, receipt.outcome.changes.get(&address)?.nonce?)))
            .collect();
        let before = steps.iter().rev().find(|(number, _)| *number <= block);
        let first = steps.first().map_or(self.nonce(address), |(_, step)| step.before);
        before.map_or(first, |(_, step)| step.after)
    }

    /// Runtime code, or a 7702 designator; empty for a plain account.
    #[must_use]
    pub fn code(&self, address: Address) -> Bytes {
        let Ok(code) = self.state.code_by_hash_ref(self.account(address).code_hash);
        code.original_bytes()
    }

    /// One storage slot.
    #[must_use]
    pub fn storage(&self, address: Address, slot: U256) -> U256 {
        let Ok(value) = self.state.storage_ref(address, slot);
        value
    }

    /// The newest block.
    #[must_use]
    pub fn head(&self) -> &Block {
        &self.head
    }

    /// A block by number.
    #[must_use]
    pub fn block(&self, number: u64) -> Option<&Block> {
        if number == self.head.number() {
            return Some(&self.head);
        }
        self.earlier.get(usize::try_from(number).ok()?)
    }

    /// A block by hash.
    #[must_use]
    pub fn block_by_hash(&self, hash: B256) -> Option<&Block> {
        self.blocks().rev().find(|block| block.hash() == hash)
    }

    /// The receipt of a transaction.
    #[must_use]
    pub fn receipt(&self, hash: B256) -> Option<&Receipt> {
        self.receipts.get(&hash)
    }

    /// Every receipt, in the order of the blocks.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.blocks().filter_map(|block| self.receipts.get(&block.transaction()?))
    }

    /// The base fee of the next block in wei.
    #[must_use]
    pub fn base_fee(&self) -> u64 {
        self.base_fee
    }

    fn include(
        &mut self,
        env: TxEnv,
        hash: B256,
        signed: Option<SignedTransaction>,
        checks: Checks,
    ) -> Result<Receipt, DevnetError> {
        let (outcome, executed) = run(&self.state, self.chain_id, self.next_block(), env.clone(), checks)?;
        self.state.commit(executed.state);
        let gas_price = paid_price(&env, if checks == Checks::Full { self.base_fee } else { 0 });
        let block = self.append(Some(hash), outcome.gas_used);
        let receipt = Receipt {
            hash,
            from: env.caller,
            to: env.kind.to().copied(),
            nonce: env.nonce,
            value: env.value,
            gas_price,
            block: block.number(),
            block_hash: block.hash(),
            time_seconds: block.time_seconds(),
            outcome,
            signed,
        };
        self.receipts.insert(hash, receipt.clone());
        Ok(receipt)
    }

    fn append(&mut self, transaction: Option<B256>, gas_used: u64) -> &Block {
        let (number, time) = (self.head.number().saturating_add(1), self.next_time_seconds);
        let next = block(Some(self.head.hash()), number, time, self.base_fee, transaction, gas_used);
        self.next_time_seconds = time.saturating_add(1);
        self.state.cache.block_hashes.insert(U256::from(number), next.hash());
        self.earlier.push(std::mem::replace(&mut self.head, next));
        &self.head
    }

    fn blocks(&self) -> impl DoubleEndedIterator<Item = &Block> {
        self.earlier.iter().chain([&self.head])
    }

    fn next_block(&self) -> BlockEnv {
        BlockEnv {
            number: U256::from(self.head.number().saturating_add(1)),
            timestamp: U256::from(self.next_time_seconds),
            gas_limit: BLOCK_GAS_LIMIT,
            basefee: self.base_fee,
            prevrandao: Some(B256::ZERO),
            blob_excess_gas_and_price: Some(BlobExcessGasAndPrice::new(
                0,
                BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE,
            )),
            ..BlockEnv::default()
        }
    }

    fn account(&self, address: Address) -> AccountInfo {
        let Ok(info) = self.state.basic_ref(address);
        info.unwrap_or_default()
    }

    fn edit(&mut self, address: Address, change: impl FnOnce(&mut AccountInfo)) {
        let mut info = self.account(address);
        change(&mut info);
        self.state.insert_account_info(address, info);
    }
}

fn block(
    parent: Option<B256>,
    number: u64,
    timestamp: u64,
    base_fee: u64,
    transaction: Option<B256>,
    gas_used: u64,
) -> Block {
    let header = Header {
        parent_hash: parent.unwrap_or_default(),
        number,
        timestamp,
        gas_limit: BLOCK_GAS_LIMIT,
        gas_used,
        base_fee_per_gas: Some(base_fee),
        // Not a root, but it makes two blocks with different transactions have different hashes.
        transactions_root: transaction.unwrap_or_default(),
        withdrawals_root: Some(B256::ZERO),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(B256::ZERO),
        ..Header::default()
    };
    Block::new(header, transaction)
}

/// What a transaction pays per gas (EIP-1559): the base fee and the priority fee, up to its maximum.
fn paid_price(env: &TxEnv, base_fee: u64) -> u128 {
    match env.gas_priority_fee {
        Some(priority) => env.gas_price.min(u128::from(base_fee).saturating_add(priority)),
        None => env.gas_price,
    }
}
