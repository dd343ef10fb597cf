//! How far one chain was compared with the log: what is kept across restarts.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Canonical;
use keystead_ledger::{Ledger, LedgerError};
use keystead_transmit::ScannedBlock;

use super::balances::Balances;

/// What is kept of a chain. It is this node's own memory; nobody else believes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Book {
    /// The last block that was compared.
    pub(crate) place: Option<Place>,
    /// The nonces of each account that are accounted for.
    nonces: BTreeMap<Address, Nonces>,
    /// What the used accounts had after a block, and what they paid and were paid since.
    pub(crate) balances: Option<Balances>,
}

/// A block by number, and by hash unless this node went back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Place {
    pub(crate) number: u64,
    pub(crate) hash: Option<B256>,
}

/// All nonces below `next`, and these beyond it.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Nonces {
    next: u64,
    beyond: BTreeSet<u64>,
}

impl Canonical for Book {
    const DOMAIN: &'static str = "keystead/reconciled/v1";
}

impl Book {
    /// What was kept of a chain. What this version cannot read is begun anew, from the nonces.
    pub(crate) async fn kept(ledger: &Ledger, chain: u64) -> Result<Self, LedgerError> {
        let document = ledger.reconciled(chain).await?;
        Ok(document.and_then(|it| Self::from_document(&it).ok()).unwrap_or_default())
    }

    /// Makes it durable.
    pub(crate) async fn keep(&self, ledger: &Ledger, chain: u64) -> Result<(), LedgerError> {
        ledger.save_reconciled(chain, &self.to_document()).await
    }

    /// Whether a block is the next one of the chain that this node came along.
    pub(crate) fn follows(&self, block: &ScannedBlock) -> bool {
        self.place.and_then(|it| it.hash).is_none_or(|hash| hash == block.parent)
    }

    /// What counted as final is not: everything from a while before is looked at again.
    pub(crate) fn go_back(&mut self) {
        let back = |it: Place| Place { number: it.number.saturating_sub(BACK_BLOCKS), hash: None };
        self.place = self.place.map(back);
        self.balances = None;
    }

    /// A transaction with this nonce was seen, and judged.
    pub(crate) fn spent(&mut self, address: Address, nonce: u64) {
        self.nonces.entry(address).or_default().add(nonce);
    }

    /// Whether this account was never looked at: then its nonces tell what happened before.
    pub(crate) fn is_new(&self, address: &Address) -> bool {
        !self.nonces.contains_key(address)
    }

    /// The first nonces below `next` that nothing accounts for.
    pub(crate) fn missing(&self, address: &Address, next: u64) -> Vec<u64> {
        let known = self.nonces.get(address).cloned().unwrap_or_default();
        (known.next..next).filter(|nonce| !known.beyond.contains(nonce)).take(MAX_MISSING).collect()
    }

    /// These nonces are accounted for now, each by something in the log or by a suspicion.
    pub(crate) fn accounted(&mut self, address: Address, nonces: &[u64]) {
        let known = self.nonces.entry(address).or_default();
        nonces.iter().for_each(|nonce| known.add(*nonce));
    }
}

impl Nonces {
    fn add(&mut self, nonce: u64) {
        if nonce >= self.next {
            self.beyond.insert(nonce);
        }
        while self.beyond.remove(&self.next) {
            self.next = self.next.saturating_add(1);
        }
    }
}

/// How far it goes back where a chain gave up final blocks.
const BACK_BLOCKS: u64 = 64;
/// The nonces of one account that one look accounts for at most.
const MAX_MISSING: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: u64, parent: u8, hash: u8) -> ScannedBlock {
        let (hash, parent) = (B256::repeat_byte(hash), B256::repeat_byte(parent));
        let (sent, moved, came, flows) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
        ScannedBlock { number, hash, parent, sent, moved, came, flows }
    }

    #[test]
    fn l04_every_nonce_is_accounted_for_once_and_in_any_order() {
        let (mut book, account) = (Book::default(), Address::repeat_byte(1));
        assert!(book.is_new(&account));
        assert_eq!(book.missing(&account, 3), [0, 1, 2]);
        for nonce in [2, 0] {
            book.spent(account, nonce);
        }
        assert_eq!(book.missing(&account, 4), [1, 3]);
        book.accounted(account, &[1]);
        assert_eq!((book.missing(&account, 4), book.is_new(&account)), (vec![3], false));
        assert_eq!(book.missing(&account, 2), [0; 0], "a chain that fell back says nothing new");
        assert_eq!(Book::from_document(&book.to_document()), Ok(book));
    }

    #[test]
    fn l04_a_block_follows_only_its_own_parent() {
        let mut book =
            Book { place: Some(Place { number: 99, hash: Some(B256::repeat_byte(7)) }), ..Book::default() };
        assert!(book.follows(&block(100, 7, 8)) && !book.follows(&block(100, 6, 8)));
        book.go_back();
        assert_eq!(book.place, Some(Place { number: 35, hash: None }));
        assert!(book.follows(&block(36, 6, 8)), "whatever was there before");
    }
}
