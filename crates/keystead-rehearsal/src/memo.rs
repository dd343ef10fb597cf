//! A reader's answers, each asked for once and no more of them than a run may take.
//!
//! What a run will read is not known before it runs. So it can be run on guesses first: a piece that is not known is
//! noted and taken for nothing, and what was noted is read side by side. A run on guesses says nothing but what to read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256};
use revm::DatabaseRef;
use revm::state::{AccountInfo, Bytecode};

use crate::{Piece, Read, ReadAccount, StateReader, Unread};

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
    /// What no run needed yet. It counts when one does: a limit that depends on guesses is not the same everywhere.
    unused: BTreeSet<Piece>,
    /// What a run on guesses misses; none while a run is in earnest.
    missed: Option<BTreeSet<Piece>>,
    reads: usize,
}

impl Known {
    fn learn(&mut self, piece: Piece, read: Read) -> Result<(), Unread> {
        match (piece, read) {
            (Piece::Account(address), Read::Account(read)) => self.learn_account(address, read)?,
            (Piece::Slot(address, slot), Read::Slot(value)) => {
                self.slots.insert((address, slot), value);
            }
            (Piece::BlockHash(number), Read::BlockHash(hash)) => {
                self.hashes.insert(number, hash);
            }
            (piece, read) => {
                return Err(Unread::Unknown { reason: format!("{piece:?} was answered with {read:?}") });
            }
        }
        Ok(())
    }

    fn learn_account(&mut self, address: Address, read: ReadAccount) -> Result<(), Unread> {
        let code = Bytecode::new_raw_checked(read.code)
            .map_err(|error| Unread::Unknown { reason: format!("the code of {address}: {error}") })?;
        let info = AccountInfo {
            balance: read.balance,
            nonce: read.nonce,
            code_hash: code.hash_slow(),
            code: Some(code.clone()),
            ..AccountInfo::default()
        };
        self.codes.insert(info.code_hash, code);
        self.accounts.insert(address, info);
        Ok(())
    }

    fn knows(&self, piece: &Piece) -> bool {
        match piece {
            Piece::Account(address) => self.accounts.contains_key(address),
            Piece::Slot(address, slot) => self.slots.contains_key(&(*address, *slot)),
            Piece::BlockHash(number) => self.hashes.contains_key(number),
        }
    }

    fn count(&mut self) -> Result<(), Unread> {
        self.reads = self.reads.saturating_add(1);
        if self.reads > MAX_READS { Err(Unread::TooMany { limit: MAX_READS }) } else { Ok(()) }
    }
}

impl<'a, R: StateReader> Memo<'a, R> {
    pub(crate) fn new(reader: &'a R) -> Self {
        Self { reader, known: RefCell::default() }
    }

    /// An account as it was before the run.
    pub(crate) fn account(&self, address: Address) -> Result<AccountInfo, Unread> {
        self.have(Piece::Account(address))?;
        Ok(self.known.borrow().accounts.get(&address).cloned().unwrap_or_default())
    }

    /// Runs something on guesses, and reads what it missed. False where that was nothing, or no more may be read ahead.
    pub(crate) fn read_ahead(&self, run: impl FnOnce()) -> bool {
        self.known.borrow_mut().missed = Some(BTreeSet::new());
        run();
        let missed = self.known.borrow_mut().missed.take().unwrap_or_default();
        let unused = self.known.borrow().unused.len();
        let wanted: Vec<_> = missed.into_iter().take(MAX_READS.saturating_sub(unused)).collect();
        let read = if wanted.is_empty() { Vec::new() } else { self.reader.read_ahead(&wanted) };
        let mut known = self.known.borrow_mut();
        let mut learned = false;
        for (piece, read) in read.into_iter().filter(|(piece, _)| wanted.contains(piece)) {
            // What cannot be understood is asked for again by the run that needs it, and stops that.
            if known.learn(piece, read).is_ok() {
                learned |= known.unused.insert(piece);
            }
        }
        learned
    }

    /// Sees to it that a piece is known, or is missed by a run on guesses.
    fn have(&self, piece: Piece) -> Result<(), Unread> {
        let mut known = self.known.borrow_mut();
        let is_known = known.knows(&piece);
        if let Some(missed) = &mut known.missed {
            if !is_known {
                missed.insert(piece);
            }
            return Ok(());
        }
        if known.unused.remove(&piece) {
            return known.count();
        }
        if is_known {
            return Ok(());
        }
        known.count()?;
        drop(known);
        let read = self.ask(piece)?;
        self.known.borrow_mut().learn(piece, read)
    }

    fn ask(&self, piece: Piece) -> Result<Read, Unread> {
        match piece {
            Piece::Account(address) => self.reader.account(address).map(Read::Account),
            Piece::Slot(address, slot) => self.reader.storage(address, slot).map(Read::Slot),
            Piece::BlockHash(number) => self.reader.block_hash(number).map(Read::BlockHash),
        }
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
        self.have(Piece::Slot(address, slot))?;
        Ok(self.known.borrow().slots.get(&(address, slot)).copied().unwrap_or_default())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Unread> {
        self.have(Piece::BlockHash(number))?;
        Ok(self.known.borrow().hashes.get(&number).copied().unwrap_or_default())
    }
}
