//! A node that watches a chain of Bitcoin's that the test mines, with coins of its key, and whoever stole that key.

use std::time::{Duration, Instant};

use bitcoin::{OutPoint, ScriptBuf, Sequence, Transaction};
use keystead_base::{Canonical as _, RequestId};
use keystead_bitcoin::{
    Branch, Descriptor, DraftInput, Network, Owned, Spend, SpendSignature, SpendSignatures, shared_wallet,
};
use keystead_decision::{Controls, Strict};
use keystead_intent::{Action, AuthorityChange, KeyCeremony, KeyKind, PsbtSpend};
use keystead_keys::BackupFile;
use keystead_node::{BitcoinConfig, CoinSourceConfig, CoinSourceKind, CoinsConfig};
use keystead_policy::{BitcoinFinality, BitcoinTerms, SharedWallet};
use keystead_wire::{NodeStatus, RequestStage, RequestView};

use crate::cluster::{NodeHome, Station, member_key};
use crate::fixture::name;
use crate::purse::{Purse, REGTEST, Secrets, WPKH, lists_payee, pay, payee};
use crate::regtest::{Lie, Regtest, Shape, Source};
use crate::start_all;
use crate::taken::adopt;
use crate::world::hot;

/// A node, its chain, and what must outlive both.
pub struct CoinDesk {
    /// The node.
    pub station: Station,
    /// The chain.
    pub chain: Regtest,
    /// The coins of `hot`.
    pub purse: Purse,
    /// The sources that the node asks.
    pub config: CoinsConfig,
    sources: Vec<Source>,
}

/// What a coin of the desk is worth.
pub const SAT: u64 = 1_000_000;
/// What a payment of the desk is of.
pub const PAID: u64 = 400_000;

/// Takes everything for what it is.
#[must_use]
pub fn honest() -> Lie {
    std::sync::Arc::new(|_, answer| answer)
}

impl CoinDesk {
    /// Two sources, one of each kind, which must agree.
    pub async fn start() -> Self {
        Self::under(Strict::default(), 2, vec![(Shape::Esplora, honest()), (Shape::Core, honest())]).await
    }

    /// A node under other controls, with sources that may lie.
    pub async fn under<C: Controls + Clone + 'static>(
        controls: C,
        agree: usize,
        shapes: Vec<(Shape, Lie)>,
    ) -> Self {
        let chain = Regtest::start();
        let (sources, config) = sources(&chain, agree, shapes);
        let mut home = NodeHome::with_policy(lists_payee);
        watches(&mut home, &config);
        Self::around(home.start_under(controls).await, chain, config, sources).await
    }

    /// Four nodes that ask one honest source: the desk of the key's home, and the others.
    pub async fn four() -> (Self, Vec<Station>) {
        let chain = Regtest::start();
        let (sources, config) = sources(&chain, 1, vec![(Shape::Core, honest())]);
        let mut homes = NodeHome::several(4, lists_payee);
        homes.iter_mut().for_each(|home| watches(home, &config));
        let mut stations = start_all(homes).await;
        let first = stations.remove(0);
        (Self::around(first, chain, config, sources).await, stations)
    }

    /// Four nodes, the first three of which hold `hot` in shares: any two of them sign.
    pub async fn in_shares(kind: KeyKind) -> (Self, Vec<Station>) {
        let chain = Regtest::start();
        let (sources, config) = sources(&chain, 1, vec![(Shape::Core, honest())]);
        let mut homes = NodeHome::several(4, lists_payee);
        homes.iter_mut().for_each(|home| watches(home, &config));
        let mut stations = start_all(homes).await;
        let station = stations.remove(0);
        let holders = ["node-1", "node-2", "node-3"].map(name).to_vec();
        let birth = KeyCeremony::Generate { key: name("hot"), kind, threshold: 2, holders };
        let born = station.change(AuthorityChange::Key(birth)).await;
        assert_eq!(born.stage, RequestStage::Applied, "{born:?}");
        let purse = Purse::of(recorded(&station).await);
        (Self { station, chain, purse, config, sources }, stations)
    }

    async fn around(station: Station, chain: Regtest, config: CoinsConfig, sources: Vec<Source>) -> Self {
        station.make_hot_key().await;
        let purse = Purse::of(recorded(&station).await);
        Self { station, chain, purse, config, sources }
    }

    /// Stops the node, and starts it again after something happened; without its sources it is blind.
    pub async fn away(self, sees: bool, meanwhile: impl FnOnce(&Regtest)) -> Self {
        let Self { station, chain, purse, config, sources } = self;
        let mut home = station.stop().await;
        meanwhile(&chain);
        home.config.bitcoin = if sees { vec![watched(&config)] } else { Vec::new() };
        Self { station: home.start().await, chain, purse, config, sources }
    }

    /// The script of `wpkh` at the place with this index.
    #[must_use]
    pub fn script(&self, index: u32) -> ScriptBuf {
        self.purse.script(Purse::place(self.form(), Branch::Receive, index))
    }

    /// A coin of the key's on the chain, at the place with this index.
    pub async fn coin(&self, index: u32) -> DraftInput {
        self.coin_of(&self.purse, Purse::place(self.form(), Branch::Receive, index)).await
    }

    /// A coin at a place of some wallet.
    ///
    /// # Panics
    ///
    /// When the sources do not have it.
    pub async fn coin_of(&self, purse: &Purse, owned: Owned) -> DraftInput {
        funded(&self.chain, &self.config, purse, owned).await
    }

    /// Asks for a payment.
    pub async fn pays(&self, coin: DraftInput, fee: u64) -> RequestView {
        self.spends(coin, fee, None).await
    }

    /// The same in the place of another one.
    pub async fn replaces(&self, coin: DraftInput, fee: u64, first: &RequestView) -> RequestView {
        self.spends(coin, fee, Some(first.request)).await
    }

    /// Asks for a payment of several coins.
    pub async fn pays_of(&self, coins: Vec<DraftInput>, fee: u64) -> RequestView {
        let psbt = payment(&self.purse, self.form(), coins, fee).into();
        let spend = PsbtSpend { account: hot(), chain: REGTEST, psbt, replaces: None, shared: None };
        self.station.ask("desk", Action::Psbt(spend)).await
    }

    /// Which of the wallet's descriptors; a key in shares has one.
    fn form(&self) -> usize {
        WPKH.min(self.purse.recorded.descriptors.len() - 1)
    }

    async fn spends(&self, coin: DraftInput, fee: u64, replaces: Option<RequestId>) -> RequestView {
        let change = self.purse.change(WPKH, SAT - PAID - fee);
        let psbt = self.purse.psbt(vec![coin], vec![pay(PAID, payee()), change]);
        let spend = PsbtSpend { account: hot(), chain: REGTEST, psbt: psbt.into(), replaces, shared: None };
        self.station.ask("desk", Action::Psbt(spend)).await
    }

    /// Has people register the wallet of [`Self::vault`].
    pub async fn shares(&self, threshold: usize, seeds: &[u8]) -> Purse {
        let (vault, descriptor) = self.vault(threshold, seeds);
        let wallet = SharedWallet { chain: REGTEST, name: name("vault"), key: name("hot"), descriptor };
        let terms = BitcoinTerms { shared_wallets: vec![wallet], ..BitcoinTerms::default() };
        adopt(&self.station, |policy| policy.bitcoin = Some(terms)).await;
        vault
    }

    /// A wallet that `hot` shares with the keys of these seeds, of whom so many sign, and its descriptor.
    ///
    /// # Panics
    ///
    /// When it is none.
    #[must_use]
    pub fn vault(&self, threshold: usize, seeds: &[u8]) -> (Purse, String) {
        let own = &self.purse.recorded;
        let others = seeds.iter().map(|seed| Purse::of_seed(*seed).recorded.cosigner);
        let keys: Vec<String> = [own.cosigner.clone()].into_iter().chain(others).collect();
        let body = format!("wsh(sortedmulti({threshold},{}))", keys.join(","));
        let descriptor = Descriptor::with_checksum(&body).expect("a descriptor");
        (Purse::of(shared_wallet(own, &descriptor).expect("a wallet")), descriptor)
    }

    /// Has people say with how many blocks on it one is final.
    pub async fn is_final_with(&self, confirmations: u32) {
        let finality = vec![BitcoinFinality { chain: REGTEST, confirmations }];
        let terms = BitcoinTerms { finality, ..BitcoinTerms::default() };
        adopt(&self.station, |policy| policy.bitcoin = Some(terms)).await;
    }

    /// Has people take it back.
    pub async fn shares_no_more(&self) {
        adopt(&self.station, |policy| policy.bitcoin = None).await;
    }

    /// A PSBT that pays a coin of the shared wallet at the place with this index.
    pub async fn shared_psbt(&self, vault: &Purse, index: u32) -> Vec<u8> {
        let coin = self.coin_of(vault, Purse::place(0, Branch::Receive, index)).await;
        vault.psbt(vec![coin], vec![pay(PAID, payee()), vault.change(0, SAT - PAID - 1_000)])
    }

    /// Asks for the signatures of `hot` on one.
    pub async fn spends_shared(&self, psbt: &[u8]) -> RequestView {
        let (psbt, shared) = (psbt.to_vec().into(), Some(name("vault")));
        let spend = PsbtSpend { account: hot(), chain: REGTEST, psbt, replaces: None, shared };
        self.station.ask("desk", Action::Psbt(spend)).await
    }

    /// Whoever has these secrets, or these signatures, makes the transaction of it and gives it to the chain.
    ///
    /// # Panics
    ///
    /// When Core does not take it.
    pub fn sends_shared(&self, vault: &Purse, psbt: &[u8], signatures: Vec<SpendSignature>) -> Transaction {
        let spend = Spend::read(&vault.recorded, psbt).expect("a PSBT of the wallet");
        let done = spend.finalize(&SpendSignatures { signatures }).expect("enough signatures");
        self.chain.send(done.transaction()).expect("Core's rules take it");
        done.transaction().clone()
    }

    /// What these secrets sign of one.
    ///
    /// # Panics
    ///
    /// When it is no PSBT of the wallet.
    #[must_use]
    pub fn signs_shared(&self, vault: &Purse, psbt: &[u8], who: &[&Secrets]) -> Vec<SpendSignature> {
        let read = || Spend::read(&vault.recorded, psbt).expect("a PSBT of the wallet");
        who.iter().flat_map(|it| it.sign(&read()).signatures).collect()
    }

    /// The secrets of `hot`, as whoever has the backup of a recipient and that person's key file has them.
    ///
    /// # Panics
    ///
    /// When there is no backup.
    pub async fn stolen(&self) -> Secrets {
        let client = self.station.client("ana").await;
        let digest = self.station.hot().await.backup.expect("a backup");
        let file = client.backup(digest).await.expect("an answer").expect("a file");
        let file = BackupFile::from_document(&file).expect("a backup file");
        let key = member_key(self.station.member("ana")).recipient().expect("a key");
        Secrets::of(&file.restore(&name("ana"), &key).expect("the seed"))
    }

    /// Whoever has the secrets pays a coin at the first place of `wpkh` away, past everybody, and it is mined.
    ///
    /// # Panics
    ///
    /// When Core does not take it.
    pub fn steals(&self, secrets: &Secrets, coin: &DraftInput, to: &ScriptBuf) -> Transaction {
        let outpoint = OutPoint { txid: coin.previous.compute_txid(), vout: coin.output };
        let theft = secrets.pays(&self.purse, outpoint, SAT, &[(to.clone(), SAT - 1_000)]);
        self.chain.send(&theft).expect("Core's rules take it");
        self.chain.mine(1);
        theft
    }

    /// Asks for a status until it is as wanted.
    ///
    /// # Panics
    ///
    /// When it never is.
    pub async fn until_status(&self, wanted: impl Fn(&NodeStatus) -> bool) -> NodeStatus {
        let client = self.station.client("eve").await;
        let found = patiently(async || {
            let status = client.status().await.expect("a status");
            wanted(&status).then_some(status)
        });
        found.await
    }

    /// Until the chain as it is now was compared as far as it is final; six blocks make one final.
    pub async fn compared(&self) -> NodeStatus {
        let last = u64::from(self.chain.height()) - 5;
        self.until_status(|it| reconciled(it).upto >= Some(last)).await
    }

    /// Until a request is there.
    ///
    /// # Panics
    ///
    /// When it never is.
    pub async fn until(&self, view: &RequestView, wanted: RequestStage) {
        let client = self.station.client("cleo").await;
        patiently(async || {
            let found = client.request(view.request).await.expect("an answer").expect("a request").view;
            (found.stage == wanted).then_some(())
        })
        .await;
    }

    /// Until the chain's pool has a transaction that the node sent, which is mined then.
    ///
    /// # Panics
    ///
    /// When it is no transaction.
    pub async fn mined(&self, view: &RequestView, blocks: usize) {
        mined(&self.chain, view, blocks).await;
    }
}

/// A coin at a place of some wallet, paid by the chain's miner, as the sources tell it.
///
/// # Panics
///
/// When the sources do not have it.
pub async fn funded(chain: &Regtest, config: &CoinsConfig, purse: &Purse, owned: Owned) -> DraftInput {
    let OutPoint { txid, vout } = chain.fund(&purse.script(owned), SAT);
    let previous = config.open().expect("a view").transaction(txid, None).await.expect("it");
    DraftInput { previous, output: vout, owned, sequence: Sequence::ENABLE_RBF_NO_LOCKTIME }
}

/// A PSBT that pays the payee of these coins; what is left comes back to the wallet's form.
///
/// # Panics
///
/// When a coin is not the wallet's.
#[must_use]
pub fn payment(purse: &Purse, form: usize, coins: Vec<DraftInput>, fee: u64) -> Vec<u8> {
    let whole = SAT * u64::try_from(coins.len()).unwrap_or(u64::MAX);
    purse.psbt(coins, vec![pay(PAID, payee()), purse.change(form, whole - PAID - fee)])
}

/// Until the chain's pool has a transaction that a node sent, which is mined then, and so many blocks on it.
///
/// # Panics
///
/// When it is no transaction.
pub async fn mined(chain: &Regtest, view: &RequestView, blocks: usize) {
    let own = transaction(view);
    patiently(async || {
        chain.mine(1);
        chain.height_of(own.compute_txid())
    })
    .await;
    chain.mine(blocks);
}

/// What a node shows of the comparison.
///
/// # Panics
///
/// When it does not list the network.
#[must_use]
pub fn reconciled(status: &NodeStatus) -> &keystead_wire::ReconciledView {
    &status.chains.iter().find(|it| it.chain == REGTEST.0).expect("the network").reconciled
}

/// The transaction of a request that is signed.
///
/// # Panics
///
/// When it is none.
#[must_use]
pub fn transaction(view: &RequestView) -> Transaction {
    let signed = view.signed.as_ref().unwrap_or_else(|| panic!("not signed: {view:?}"));
    bitcoin::consensus::deserialize(&signed.raw).expect("a transaction")
}

/// Asks until there is something.
///
/// # Panics
///
/// When there never is.
pub async fn patiently<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let (patience, mut beat) =
        (Instant::now() + Duration::from_secs(180), tokio::time::interval(Duration::from_millis(100)));
    while Instant::now() < patience {
        if let Some(found) = look().await {
            return found;
        }
        beat.tick().await;
    }
    panic!("never")
}

/// Servers of a chain, so many of which must agree, and how a node is told of them.
#[must_use]
pub fn sources(chain: &Regtest, agree: usize, shapes: Vec<(Shape, Lie)>) -> (Vec<Source>, CoinsConfig) {
    let (mut sources, mut named) = (Vec::new(), Vec::new());
    for (index, (shape, lie)) in shapes.into_iter().enumerate() {
        let source = chain.serve_with(shape, 2.0, None, lie);
        let kind = match shape {
            Shape::Esplora => CoinSourceKind::Esplora,
            Shape::Core => CoinSourceKind::Core,
        };
        let (name, url) = (name(&format!("source-{index}")), source.url.clone());
        named.push(CoinSourceConfig { name, kind, url, ca: None, login: None });
        sources.push(source);
    }
    (sources, CoinsConfig { network: Network::Regtest, agree, sources: named })
}

fn watches(home: &mut NodeHome, coins: &CoinsConfig) {
    home.config.bitcoin = vec![watched(coins)];
    home.config.limits.settlement_seconds = 1;
}

/// A network as a node watches it, which sends what is signed.
#[must_use]
pub fn watched(coins: &CoinsConfig) -> BitcoinConfig {
    BitcoinConfig { coins: coins.clone(), confirmations: None, broadcast: true }
}

/// The wallet of `hot`, once the log has it.
///
/// # Panics
///
/// When it never has.
pub async fn recorded(station: &Station) -> keystead_intent::BitcoinWallet {
    let client = station.client("eve").await;
    patiently(async || {
        let keys = client.keys().await.expect("keys");
        let hot = keys.into_iter().find(|it| it.name == name("hot"))?;
        hot.wallets.into_iter().find(|it| it.chain == REGTEST)
    })
    .await
}
