//! The reconciler of Bitcoin's networks: looks at every final block for coins of ours that no request spent (L4), and whether
//! those are there that nobody spent (L3).
//!
//! A block is what its hash says, and enough of the node's own sources agree on that: one that lies about its content says
//! nothing. What was before a wallet is first looked at, and what is left after every thirty-second block, they agree on as a
//! whole.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::Address;
use bitcoin::{Script, ScriptBuf};
use keystead_bitcoin::{GAP_LIMIT, Search, coin_at};
use keystead_decision::State;
use keystead_intent::{ChainId, Coin};
use keystead_transmit::coins::{CoinView, History, MAX_SCRIPTS, Mined};
use tokio::sync::watch;

use super::coin_book::{CoinBook, HeldCoin, Taking, final_block};
use super::coin_judge::CoinStrays;
use super::cover::Cover;
use super::wallets::{OurWallet, Places, Reached, wallets_on};
use super::watched::Watched;
use super::{BEHIND, Held, MAX_BLOCKS_AT_ONCE};
use crate::shared::Shared;
use crate::spent::CoinWatch;
use crate::{Event, NodeError};

/// The stage.
pub(crate) struct CoinReconciler {
    shared: Arc<Shared>,
    interval: Duration,
    books: HashMap<u64, CoinBook>,
    covers: HashMap<u64, Cover>,
    watched: HashMap<u64, Watched>,
    /// As they lie on the disk.
    durable: HashMap<u64, CoinBook>,
}

impl CoinReconciler {
    pub(crate) fn new(shared: Arc<Shared>, interval: Duration) -> Self {
        let (books, covers) = (HashMap::new(), HashMap::new());
        let (watched, durable) = (HashMap::new(), HashMap::new());
        Self { shared, interval, books, covers, watched, durable }
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
        for chain in &state.policy().engine.version().chains {
            if let Some(watch) = self.shared.coin_watch(&state, *chain) {
                self.compare(&state, *chain, &watch).await?;
                self.shared.settle_suspects(chain.0).await?;
                self.keep(chain.0).await?;
            }
        }
        Ok(())
    }

    /// Goes on from where it was, so many blocks at most.
    async fn compare(&mut self, state: &State, chain: ChainId, watch: &CoinWatch) -> Result<(), NodeError> {
        let mut book = match self.books.remove(&chain.0) {
            Some(book) => book,
            None => CoinBook::kept(&self.shared.ledger, chain.0).await?,
        };
        let cover = self.covers.entry(chain.0).or_default();
        let watched = self.watched.entry(chain.0).or_default();
        let step = Step { shared: &self.shared, chain, watch, state };
        let went = step.go_on(&mut book, cover, watched).await;
        let upto = book.place().map(|it| it.height.into());
        self.books.insert(chain.0, book);
        let held_up = match went {
            Ok(()) => watched.words(),
            Err(Held::Unknown(unknown)) => Some(unknown.to_string()),
            Err(Held::Behind) => Some(BEHIND.to_owned()),
            Err(Held::Ledger(error)) => return Err(error.into()),
        };
        self.shared.suspects.see(chain.0, upto, held_up);
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
}

/// One network's turn.
struct Step<'a> {
    shared: &'a Shared,
    chain: ChainId,
    watch: &'a CoinWatch,
    state: &'a State,
}

impl Step<'_> {
    async fn go_on(&self, book: &mut CoinBook, cover: &mut Cover, watched: &mut Watched) -> Result<(), Held> {
        let Some(newest) = self.watch.final_height().await? else { return Ok(()) };
        self.shared.suspects.see_final(self.chain.0, newest.into());
        // INVARIANT L4: what is in a block was in the log before, as on every chain.
        cover.see(newest.into(), self.shared.quorum_height(), self.state.height());
        let covered = cover.upto().ok_or(Held::Behind)?;
        let covered = u32::try_from(covered).unwrap_or(u32::MAX).min(newest);
        let place = match book.place() {
            Some(place) => place,
            None => self.begin(book, covered).await?,
        };
        // Between two blocks nobody needs the scripts of all wallets.
        if covered <= place.height && !self.lacks_a_wallet(book, watched, place) {
            return if covered < newest { Err(Held::Behind) } else { Ok(()) };
        }
        self.begin_wallets(book, watched, place).await?;
        watched.places.keep_to(&watched.wallets, &book.reached);
        let at_once = u32::try_from(MAX_BLOCKS_AT_ONCE).unwrap_or(u32::MAX);
        let last = covered.min(place.height.saturating_add(at_once));
        for height in place.height.saturating_add(1)..=last {
            if !self.take(book, watched, height, covered).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn begin(&self, book: &mut CoinBook, height: u32) -> Result<Mined, Held> {
        let block = self.view().block_at(height).await?.block_hash();
        let place = Mined { height, block };
        book.come_to(place);
        Ok(place)
    }

    fn lacks_a_wallet(&self, book: &CoinBook, watched: &Watched, place: Mined) -> bool {
        let ids = self.state.wallets_on(self.chain).into_iter().map(|(_, it)| it.id());
        ids.into_iter().any(|id| !book.reached.contains_key(&id) && watched.is_due(&id, place.height))
    }

    /// Wallets that were not watched yet, and no more those that are nobody's by now.
    async fn begin_wallets(
        &self,
        book: &mut CoinBook,
        watched: &mut Watched,
        place: Mined,
    ) -> Result<(), Held> {
        watched.wallets = wallets_on(self.state, self.chain, &watched.wallets);
        let ids: BTreeSet<Address> = watched.wallets.iter().map(|it| it.id).collect();
        book.reached.retain(|id, _| ids.contains(id));
        watched.keep(|id| ids.contains(id));
        for wallet in watched.wallets.clone() {
            if book.reached.contains_key(&wallet.id) || !watched.is_due(&wallet.id, place.height) {
                continue;
            }
            match self.begin_wallet(book, &wallet, place).await {
                Ok(()) => watched.accept(&wallet.id),
                Err(Held::Unknown(why)) if why.is_too_much() => watched.refuse(&wallet, place.height, &why),
                Err(held) => return Err(held),
            }
        }
        Ok(())
    }

    /// What happened to a wallet up to here. INVARIANT L4: what was spent before anybody looked is judged like the rest.
    async fn begin_wallet(
        &self,
        book: &mut CoinBook,
        wallet: &Arc<OurWallet>,
        place: Mined,
    ) -> Result<(), Held> {
        let mut search = Search::new(wallet.wallet.as_ref(), GAP_LIMIT);
        let mut histories = Vec::new();
        loop {
            let asked = search.ask();
            if asked.is_empty() {
                break;
            }
            let history = self.view().history(asked, place, 0).await?;
            search.found(&history.used);
            histories.push(history);
        }
        let reached = Reached::from([(wallet.id, search.reached())]);
        let places = Places::of(wallet, &reached);
        for taking in self.takings_of(&histories).await? {
            self.suspect(&places, &taking).await?;
        }
        let coins = histories.iter().flat_map(|it| &it.coins);
        book.coins.extend(coins.map(|it| (coin_at(it.outpoint), HeldCoin::of(it))));
        book.reached.extend(reached);
        Ok(())
    }

    /// The transactions that spent what is gone, each with all that it took.
    async fn takings_of(&self, histories: &[History]) -> Result<Vec<Taking>, Held> {
        let mut by_id: HashMap<_, Taking> = HashMap::new();
        for (outpoint, spent) in histories.iter().flat_map(|it| &it.spent) {
            let (coin, held) = (coin_at(*outpoint), HeldCoin::of(&spent.held));
            if let Some(taking) = by_id.get_mut(&spent.by) {
                taking.coins.insert(coin, held);
                continue;
            }
            let transaction = self.view().transaction(spent.by, Some(spent.mined.block)).await?;
            let (block, coins) = (final_block(spent.mined), [(coin, held)].into());
            by_id.insert(spent.by, Taking { transaction, block, coins });
        }
        Ok(by_id.into_values().collect())
    }

    /// Takes one block in; false where the chain that this node came along is no longer the chain.
    async fn take(
        &self,
        book: &mut CoinBook,
        watched: &mut Watched,
        height: u32,
        covered: u32,
    ) -> Result<bool, Held> {
        let block = self.view().block_at(height).await?;
        if !book.follows(&block) {
            self.shared.suspects.reorganized(self.chain.0);
            self.shared.event(Event::Reorganized { chain: self.chain.0, block: height.into() });
            // What was before is told anew by the sources, up to wherever the chain is final now.
            (*book, watched.places) = (CoinBook::default(), Places::default());
            return Ok(false);
        }
        watched.places.see(&block);
        let (mut next, mined) = (book.clone(), Mined { height, block: block.block_hash() });
        let takings = next.take(&block, mined, &watched.places);
        next.reached = watched.places.reached();
        // What left is judged first: it does not wait for what is left to be agreed on.
        for taking in takings {
            self.suspect(&watched.places, &taking).await?;
        }
        if height.is_multiple_of(SPAN) && height.saturating_add(REACH_BLOCKS) >= covered {
            self.compare_balances(&next, watched, mined).await?;
        }
        *book = next;
        Ok(true)
    }

    /// INVARIANT L3: the sources agree on what is left of the coins. Where one hides some, or invents a spend, they do not: then
    /// it is unknown, and this node stays where it is.
    async fn compare_balances(
        &self,
        book: &CoinBook,
        watched: &mut Watched,
        after: Mined,
    ) -> Result<(), Held> {
        let left = self.left_of(book, after).await?;
        let strays = self.strays(&watched.places);
        for suspect in strays.of_balances(&left.told_of(book), &left.there, final_block(after)) {
            self.shared.suspects.add(self.chain.0, suspect);
        }
        watched.compared_but(&left.untold);
        self.shared.suspects.see_balances(self.chain.0, Some(after.height.into()));
        Ok(())
    }

    /// What of the coins of a book the sources have. Of scripts that were paid too often they say nothing, and all the same
    /// something of the others.
    async fn left_of(&self, book: &CoinBook, after: Mined) -> Result<Left, Held> {
        let scripts: BTreeSet<_> = book.coins.values().map(|it| it.script.clone()).collect();
        let scripts: Vec<_> = scripts.into_iter().map(ScriptBuf::from_bytes).collect();
        let from = book.coins.values().map(|it| it.height).min().unwrap_or(after.height);
        let mut questions: Vec<Vec<ScriptBuf>> = scripts.chunks(MAX_SCRIPTS).map(<[_]>::to_vec).collect();
        let mut left = Left::default();
        while let Some(mut some) = questions.pop() {
            match self.view().history(some.iter().cloned().collect(), after, from).await {
                Ok(history) => left.there.extend(history.coins.iter().map(|it| coin_at(it.outpoint))),
                Err(why) if why.is_too_much() && some.len() > 1 => {
                    let rest = some.split_off(some.len() / 2);
                    questions.extend([some, rest]);
                }
                Err(why) if why.is_too_much() => {
                    left.untold.extend(some.into_iter().map(|it| (it, why.to_string())));
                }
                Err(why) => return Err(why.into()),
            }
        }
        Ok(left)
    }

    async fn suspect(&self, places: &Places, taking: &Taking) -> Result<(), Held> {
        for suspect in self.strays(places).of(taking).await? {
            self.shared.suspects.add(self.chain.0, suspect);
        }
        Ok(())
    }

    fn strays<'a>(&'a self, places: &'a Places) -> CoinStrays<'a> {
        CoinStrays { shared: self.shared, state: self.state, chain: self.chain, places }
    }

    fn view(&self) -> &CoinView {
        self.watch.view()
    }
}

/// What the sources have of the coins of a book.
#[derive(Default)]
struct Left {
    there: BTreeSet<Coin>,
    /// Scripts of which they have more to tell than is listened to, and why.
    untold: BTreeMap<ScriptBuf, String>,
}

impl Left {
    /// The coins of which something is known.
    fn told_of(&self, book: &CoinBook) -> BTreeMap<Coin, HeldCoin> {
        let told =
            book.coins.iter().filter(|(_, it)| !self.untold.contains_key(Script::from_bytes(&it.script)));
        told.map(|(coin, it)| (*coin, it.clone())).collect()
    }
}

/// How many blocks lie between two comparisons of what is left.
const SPAN: u32 = 32;
/// What is further behind than that is not compared: the next span is.
const REACH_BLOCKS: u32 = 96;
