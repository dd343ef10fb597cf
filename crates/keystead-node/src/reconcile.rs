//! The reconciler: compares every final block with the log, and tells the log what no request made (L4).
//!
//! It reads with the node's own endpoints, of which `k` of `m` must agree on a block and on what it holds. What is
//! unknown stops it where it is, visibly: it never goes on past a block that it could not read, and never turns to a
//! single voice. How far it came is durable; what it found and the log does not hold yet is found again after a crash.

mod accounts;
mod balances;
mod book;
mod coin_book;
mod coin_judge;
mod coins;
mod cover;
mod judge;
mod suspects;
mod tolerance;
mod wallets;
mod watched;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256};
use keystead_decision::{Finding, State};
use keystead_intent::{Asset, ChainId, Slot};
use keystead_ledger::LedgerError;
use keystead_transmit::{ChainView, ScannedBlock, Sought, Unknown};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::error::FactError;
use crate::shared::Shared;
use crate::{Event, NodeError};
use accounts::{Accounts, Ours};
use balances::Read;
use book::{Book, Place};
use coin_judge::spent_by_a_request;
pub(crate) use coins::CoinReconciler;
use cover::Cover;
use judge::{Strays, made_by_a_request, takes_a_nonce};
pub(crate) use suspects::Suspects;
use suspects::{Evidence, Suspect};

/// The stage.
pub(crate) struct Reconciler {
    shared: Arc<Shared>,
    interval: Duration,
    accounts: Accounts,
    books: HashMap<u64, Book>,
    covers: HashMap<u64, Cover>,
    /// As they lie on the disk.
    durable: HashMap<u64, Book>,
    reports: JoinSet<()>,
}

impl Reconciler {
    pub(crate) fn new(shared: Arc<Shared>, interval: Duration) -> Self {
        let (accounts, reports) = (Accounts::default(), JoinSet::new());
        let (books, covers, durable) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { shared, interval, accounts, books, covers, durable, reports }
    }

    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), NodeError> {
        loop {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                looked = self.look() => looked?,
            }
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                () = tokio::time::sleep(self.interval) => {}
            }
        }
    }

    async fn look(&mut self) -> Result<(), NodeError> {
        let state = self.shared.state();
        for chain in state.policy().engine.version().chains.clone() {
            if let Some(view) = self.shared.views.get(&chain.0).cloned() {
                self.compare(&state, chain, &view).await?;
                self.shared.settle_suspects(chain.0).await?;
                self.keep(chain.0).await?;
            }
        }
        self.report();
        Ok(())
    }

    /// Goes on from where it was, so many blocks at most.
    async fn compare(&mut self, state: &State, chain: ChainId, view: &ChainView) -> Result<(), NodeError> {
        let ours = self.accounts.on(&self.shared, state, chain).await?;
        let mut book = match self.books.remove(&chain.0) {
            Some(book) => book,
            None => Book::kept(&self.shared.ledger, chain.0).await?,
        };
        let cover = self.covers.entry(chain.0).or_default();
        let step = Step { shared: &self.shared, chain, view, ours: &ours, state, cover };
        let held_up = match step.go_on(&mut book).await {
            Ok(()) => None,
            Err(Held::Unknown(unknown)) => Some(unknown.to_string()),
            Err(Held::Behind) => Some(BEHIND.to_owned()),
            // Something of the own disk: the node stops, as it does wherever the ledger fails.
            Err(Held::Ledger(error)) => return Err(error.into()),
        };
        self.shared.suspects.see(chain.0, book.place.map(|it| it.number), held_up);
        self.books.insert(chain.0, book);
        Ok(())
    }

    /// Only without a suspicion is it durable how far this node came.
    async fn keep(&mut self, chain: u64) -> Result<(), NodeError> {
        let Some(book) = self.books.get(&chain) else { return Ok(()) };
        if self.shared.suspects.of(chain).is_empty() && self.durable.get(&chain) != Some(book) {
            book.keep(&self.shared.ledger, chain).await?;
            self.durable.insert(chain, book.clone());
        }
        Ok(())
    }

    /// Each node in its turn: one statement is enough, and each of them is an entry for ever. Nobody's turn comes
    /// before the others had the time to look themselves.
    fn report(&mut self) {
        while self.reports.try_join_next().is_some() {}
        let state = self.shared.state();
        let before_us = state.roster().nodes.iter().filter(|node| node.name < self.shared.node).count();
        let turn = TURN.saturating_mul(u32::try_from(before_us).unwrap_or(u32::MAX)) + self.interval;
        let room = MAX_REPORTS.saturating_sub(self.reports.len());
        for suspect in self.shared.suspects.due(turn, AGAIN, MAX_STATEMENTS, room) {
            let shared = Arc::clone(&self.shared);
            self.reports.spawn(async move { report(&shared, suspect).await });
        }
    }
}

async fn report(shared: &Shared, suspect: Suspect) {
    shared.event(Event::Found { finding: suspect.finding.clone() });
    // What takes longer is in the pool, and comes with a later block.
    let stated = timeout(ANSWER, shared.report_finding(suspect.finding)).await;
    if let Ok(Err(error)) = stated {
        shared.postponed("a finding", &error);
    }
}

/// One chain's turn.
struct Step<'a> {
    shared: &'a Shared,
    chain: ChainId,
    view: &'a ChainView,
    ours: &'a Ours,
    state: &'a State,
    cover: &'a mut Cover,
}

/// Why it does not go on.
enum Held {
    Unknown(Unknown),
    /// The log here does not say yet what a quorum's says.
    Behind,
    Ledger(LedgerError),
}

impl From<Unknown> for Held {
    fn from(unknown: Unknown) -> Self {
        Self::Unknown(unknown)
    }
}

impl From<LedgerError> for Held {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Step<'_> {
    async fn go_on(self, book: &mut Book) -> Result<(), Held> {
        let Some(height) = self.view.final_height().await? else { return Ok(()) };
        self.shared.suspects.see_final(self.chain.0, height);
        // INVARIANT L4: what is in a block was in the log before. So a block is looked at only once the log here is as far as
        // a quorum's was when that block was final already.
        let (own, quorum) = (self.state.height(), self.shared.quorum_height());
        self.cover.see(height, quorum, own);
        let covered = self.cover.upto().ok_or(Held::Behind)?.min(height);
        let (newest, height) = (height, covered);
        let Some(place) = book.place else { return self.begin(book, height).await };
        let sought = Arc::new(self.ours.sought());
        let last = height.min(place.number.saturating_add(MAX_BLOCKS_AT_ONCE));
        for number in place.number.saturating_add(1)..=last {
            let block = self.view.scan(number, &sought).await?;
            let read = self.read_balances(&block, height).await?;
            if !self.take(book, &block, read).await? {
                return Ok(());
            }
        }
        if covered < newest && covered <= place.number {
            return Err(Held::Behind);
        }
        match book.place {
            Some(Place { number, hash: Some(hash) }) if number == height => {
                self.check_nonces(book, hash).await
            }
            _ => Ok(()),
        }
    }

    /// The first look: what happened before it shows in the nonces alone.
    async fn begin(&self, book: &mut Book, height: u64) -> Result<(), Held> {
        let block = self.view.block(height).await?;
        self.check_nonces(book, block.hash).await?;
        book.place = Some(Place { number: height, hash: Some(block.hash) });
        Ok(())
    }

    /// Takes one block in; false where the chain that this node came along is no longer the chain.
    async fn take(&self, book: &mut Book, block: &ScannedBlock, read: Read) -> Result<bool, Held> {
        if !book.follows(block) {
            self.shared.suspects.reorganized(self.chain.0);
            self.shared.event(Event::Reorganized { chain: self.chain.0, block: block.number });
            book.go_back();
            return Ok(false);
        }
        for suspect in self.strays().of_block(block).await? {
            self.shared.suspects.add(self.chain.0, suspect);
        }
        for sent in &block.sent {
            book.spent(sent.from, sent.nonce);
        }
        self.compare_balances(book, block, read);
        book.place = Some(Place { number: block.number, hash: Some(block.hash) });
        Ok(true)
    }

    /// INVARIANT L4: every nonce that is gone is accounted for: by a transaction that was seen and judged, or by a
    /// request whose signature takes a nonce and is no transaction.
    async fn check_nonces(&self, book: &mut Book, block: B256) -> Result<(), Held> {
        let spending: Vec<Address> = self.ours.spending().collect();
        let nonces = self.view.nonces_after(&spending, block).await?;
        for (address, next) in spending.into_iter().zip(nonces) {
            self.check_nonces_of(book, address, next).await?;
        }
        Ok(())
    }

    async fn check_nonces_of(&self, book: &mut Book, address: Address, next: u64) -> Result<(), LedgerError> {
        let (missing, is_new) = (book.missing(&address, next), book.is_new(&address));
        for nonce in &missing {
            if let Some(suspect) = self.strays().of_nonce(address, *nonce, is_new).await? {
                self.shared.suspects.add(self.chain.0, suspect);
            }
        }
        book.accounted(address, &missing);
        Ok(())
    }

    fn strays(&self) -> Strays<'_> {
        Strays { shared: self.shared, state: self.state, chain: self.chain, ours: self.ours }
    }
}

impl Shared {
    /// What the log holds by now, or allows by now, is no suspicion any more.
    async fn settle_suspects(&self, chain: u64) -> Result<(), NodeError> {
        for suspect in self.suspects.of(chain) {
            let state = self.state();
            let digest = suspect.digest;
            if state.has_found(&digest) || !self.stands(&state, &suspect).await? {
                self.suspects.drop(chain, &digest);
            } else if suspect.is_over(ALONE_FOR) {
                self.event(Event::Unshared { finding: suspect.finding.clone() });
                self.suspects.drop(chain, &digest);
            }
        }
        Ok(())
    }

    /// INVARIANT L4: what another node found is believed only where this node, looking at the same chain with its own
    /// endpoints, found the very same.
    pub(crate) async fn check_finding(&self, finding: &Finding) -> Result<(), FactError> {
        let not_found = || FactError::NotFound { chain: finding.chain.0 };
        let suspect = self.suspects.get(finding).ok_or_else(not_found)?;
        match self.stands(&self.state(), &suspect).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(not_found()),
        }
    }

    /// Whether the log, as it stands now, still says nothing of what was found.
    async fn stands(&self, state: &State, suspect: &Suspect) -> Result<bool, LedgerError> {
        let (chain, account) = (suspect.finding.chain, suspect.finding.address);
        let allowed = match &suspect.evidence {
            Evidence::Sent(sent) => made_by_a_request(self, state, chain, sent).await?,
            Evidence::Nonce { nonce, before_first_look } => {
                let slot = Slot { chain, account, nonce: *nonce };
                takes_a_nonce(self, state, &slot, *before_first_look).await?
            }
            Evidence::Moved { token, share } => {
                state.gave_right(chain, account, *token)
                    || share.is_tolerated(state, chain, Asset::Token(*token))
            }
            Evidence::Spent { transaction, coin } => {
                spent_by_a_request(self, state, chain, transaction, [coin].into_iter()).await?
            }
            // What went was seen on the chain, whoever allowed it.
            Evidence::Missing { asset, shortfall } => shortfall.is_tolerated(state, chain, *asset),
        };
        Ok(!allowed)
    }
}

impl Ours {
    /// What is looked for in blocks.
    fn sought(&self) -> Sought {
        Sought { accounts: self.addresses().collect(), tokens: self.tokens.clone() }
    }
}

/// Why a node looks at nothing.
const BEHIND: &str = "the log of this node is behind a quorum's, or too few nodes say how far theirs is";
/// The blocks that one look takes at most: whoever was away catches up in bounded steps.
const MAX_BLOCKS_AT_ONCE: u64 = 64;
/// How much later each node states what it found than the one before it in the roster.
const TURN: Duration = Duration::from_secs(4);
/// What the log did not take is stated again then. Not sooner: while a finding that nobody shares waits for a block, nobody
/// votes for those of this node, and each other node states by itself what it finds.
const AGAIN: Duration = Duration::from_secs(300);
/// So often a finding is stated that no block takes: afterwards this node votes for it where another one states it.
const MAX_STATEMENTS: u32 = 12;
/// What the others did not find in that time they do not find any more: it is forgotten, with an event.
const ALONE_FOR: Duration = Duration::from_secs(24 * 3600);
/// For how long the answer to a statement is waited for.
const ANSWER: Duration = Duration::from_secs(30);
/// Findings that are on their way into the log at once.
const MAX_REPORTS: usize = 8;
