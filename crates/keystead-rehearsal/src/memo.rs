//! A reader's answers, each asked for once and no more of them than a run may take.

use std::cell::RefCell;
use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use revm::DatabaseRef;
use revm::state::{AccountInfo, Bytecode};

use crate::{StateReader, Unread};

/// The most pieces of state that one run reads: whoever is asked to sign something endless learns so.
pub const MAX_READS: usize = 1024;

/// What was read so far.
pub(crate) struct Memo<'a, R> {
    reader: &'a R,
    known: RefCell<Known>,
}

#[derive(Default)]
struct Known {
    accounts: BTreeMap<Address, AccountInfo>,
    codes: BTreeMap<B256, Bytecode>,
    slots: BTreeMap<(Address, U256), U256>,
    hashes: BTreeMap<u64, B256>,
    reads: usize,
}

impl<'a, R: StateReader> Memo<'a, R> {
    pub(crate) fn new(reader: &'a R) -> Self {
        Self { reader, known: RefCell::default() }
    }

    /// An account as it was before the run.
    pub(crate) fn account(&self, address: Address) -> Result<AccountInfo, Unread> {
        if let Some(info) = self.known.borrow().accounts.get(&address) {
            return Ok(info.clone());
        }
        self.count()?;
        let read = self.reader.account(address)?;
        let code = Bytecode::new_raw_checked(read.code)
            .map_err(|error| Unread::Unknown { reason: format!("the code of {address}: {error}") })?;
        let info = AccountInfo {
            balance: read.balance,
            nonce: read.nonce,
            code_hash: code.hash_slow(),
            code: Some(code.clone()),
            ..AccountInfo::default()
        };
        let mut known = self.known.borrow_mut();
        known.codes.insert(info.code_hash, code);
        known.accounts.insert(address, info.clone());
        Ok(info)
    }

    fn count(&self) -> Result<(), Unread> {
        let mut known = self.known.borrow_mut();
        known.reads = known.reads.saturating_add(1);
        if known.reads > MAX_READS { Err(Unread::TooMany { limit: MAX_READS }) } else { Ok(()) }
    }
}

impl<R: StateReader> DatabaseRef for Memo<'_, R> {
    type Error = Unread;

    /// An account without anything is one that does not exist (EIP-161).
    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Unread> {
        self.account(address).map(|info| (!info.is_empty()).then_some(info))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, Unread> {
        // Accounts come with their code, so none is asked for that was not read.
        Ok(self.known.borrow().codes.get(&hash).cloned().unwrap_or_default())
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Unread> {
        if let Some(value) = self.known.borrow().slots.get(&(address, slot)) {
            return Ok(*value);
        }
        self.count()?;
        let value = self.reader.storage(address, slot)?;
        self.known.borrow_mut().slots.insert((address, slot), value);
        Ok(value)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Unread> {
        if let Some(hash) = self.known.borrow().hashes.get(&number) {
            return Ok(*hash);
        }
        self.count()?;
        let hash = self.reader.block_hash(number)?;
        self.known.borrow_mut().hashes.insert(number, hash);
        Ok(hash)
    }
}
