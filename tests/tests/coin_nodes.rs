//! Nodes that broadcast and settle transactions of Bitcoin's, on a chain that the test mines and Bitcoin Core's rules decide.

use std::time::{Duration, Instant};

use bitcoin::{OutPoint, ScriptBuf};
use keystead_base::RequestId;
use keystead_bitcoin::{Branch, DraftInput, Network, Owned};
use keystead_intent::{Action, PsbtSpend};
use keystead_node::{BitcoinConfig, CoinSourceConfig, CoinSourceKind, CoinsConfig};
use keystead_policy::{AddressEntry, PolicyVersion};
use keystead_tests::cluster::{NodeHome, Station};
use keystead_tests::fixture::{BIRTH, name};
use keystead_tests::purse::{Purse, REGTEST, WPKH, named, pay, payee};
use keystead_tests::regtest::{Regtest, Shape, Source};
use keystead_tests::world::hot;
use keystead_wire::{ChainWatch, RequestStage, RequestView};

/// Bitcoin beside the fixture's chain; the payee stands in the address book.
fn lists_bitcoin(policy: &mut PolicyVersion) {
    policy.chains.push(REGTEST);
    let (address, usable_from) = (named(&payee()), BIRTH);
    policy.address_book.push(AddressEntry { chain: REGTEST, address, name: name("payee"), usable_from });
    policy.address_book.sort_by_key(|entry| (entry.chain, entry.address));
}

/// A node, its chain, and what must outlive both.
struct Desk {
    station: Station,
    chain: Regtest,
    purse: Purse,
    config: CoinsConfig,
    _sources: Vec<Source>,
}

async fn desk() -> Desk {
    let chain = Regtest::start();
    let shapes = [(Shape::Esplora, CoinSourceKind::Esplora), (Shape::Core, CoinSourceKind::Core)];
    let sources: Vec<Source> = shapes.iter().map(|(shape, _)| chain.serve(*shape, 2.0)).collect();
    let named = sources.iter().zip(shapes).map(|(source, (_, kind))| CoinSourceConfig {
        name: name(if kind == CoinSourceKind::Core { "core" } else { "esplora" }),
        kind,
        url: source.url.clone(),
        ca: None,
        login: None,
    });
    let config = CoinsConfig { network: Network::Regtest, agree: 2, sources: named.collect() };
    let mut home = NodeHome::with_policy(lists_bitcoin);
    home.config.bitcoin = vec![BitcoinConfig { coins: config.clone(), confirmations: 6, broadcast: true }];
    home.config.limits.settlement_seconds = 1;
    let station = home.start().await;
    station.make_hot_key().await;
    let client = station.client("eve").await;
    let purse = patiently(async || {
        let keys = client.keys().await.unwrap();
        let hot = keys.into_iter().find(|it| it.name == name("hot"))?;
        hot.wallets.into_iter().find(|it| it.chain == REGTEST).map(Purse::of)
    })
    .await;
    Desk { station, chain, purse, config, _sources: sources }
}

impl Desk {
    /// A coin of the key's on the chain, at the place with this index.
    async fn coin(&self, index: u32) -> DraftInput {
        let owned: Owned = Purse::place(WPKH, Branch::Receive, index);
        let script: ScriptBuf = self.purse.script(owned);
        let OutPoint { txid, vout } = self.chain.fund(&script, SAT);
        let previous = self.config.open().unwrap().transaction(txid, None).await.unwrap();
        DraftInput { previous, output: vout, owned, sequence: bitcoin::Sequence::ENABLE_RBF_NO_LOCKTIME }
    }

    async fn pays(&self, coin: DraftInput, fee: u64) -> RequestView {
        self.spends(coin, fee, None).await
    }

    async fn replaces(&self, coin: DraftInput, fee: u64, first: &RequestView) -> RequestView {
        self.spends(coin, fee, Some(first.request)).await
    }

    async fn spends(&self, coin: DraftInput, fee: u64, replaces: Option<RequestId>) -> RequestView {
        let change = self.purse.change(WPKH, SAT - 400_000 - fee);
        let psbt = self.purse.psbt(vec![coin], vec![pay(400_000, payee()), change]);
        let spend = PsbtSpend { account: hot(), chain: REGTEST, psbt: psbt.into(), replaces, shared: None };
        self.station.ask("desk", Action::Psbt(spend)).await
    }

    /// Until the node has looked at the chain as it is: a look begins with the height, and is over when the next one begins.
    async fn looked_at(&self) {
        let client = self.station.client("eve").await;
        for _ in 0..2 {
            let newest = u64::from(self.chain.height());
            patiently(async || {
                let status = client.status().await.unwrap();
                let chains = status.chains.into_iter().filter(|it| it.chain == REGTEST.0);
                let seen = |it: &ChainWatch| matches!(it, ChainWatch::Agreed { head } if *head >= newest);
                chains.map(|it| it.watch).find(seen)
            })
            .await;
            self.chain.mine(1);
        }
    }

    async fn until(&self, view: &RequestView, wanted: RequestStage) {
        let client = self.station.client("cleo").await;
        patiently(async || {
            let found = client.request(view.request).await.unwrap().unwrap().view;
            (found.stage == wanted).then_some(())
        })
        .await;
    }

    /// Until the chain's pool has a transaction that the node sent, which is mined then.
    async fn mined(&self, view: &RequestView, blocks: usize) {
        let raw = &view.signed.as_ref().unwrap().raw;
        let own: bitcoin::Transaction = bitcoin::consensus::deserialize(raw).unwrap();
        patiently(async || {
            self.chain.mine(1);
            self.chain.height_of(own.compute_txid())
        })
        .await;
        self.chain.mine(blocks);
    }
}

async fn patiently<T>(look: impl AsyncFn() -> Option<T>) -> T {
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

/// What a coin of the test is worth.
const SAT: u64 = 1_000_000;

/// A payment is broadcast by the home of its key, is not final before its sixth block, and settles.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_a_spend_is_broadcast_and_settles_once_it_is_final() {
    let desk = desk().await;
    let paid = desk.pays(desk.coin(0).await, 1_000).await;
    assert_eq!(paid.stage, RequestStage::Signed, "{paid:?}");
    desk.mined(&paid, 5).await;
    desk.until(&paid, RequestStage::Settled).await;
    let status = desk.station.client("eve").await.status().await.unwrap();
    assert_eq!(status.unsettled, 0);
    desk.station.stop().await;
}

/// The block of a payment is given up, and so is what it had: the home sends it again, and it settles after all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_a_spend_whose_block_is_given_up_is_reorged_and_sent_again() {
    let desk = desk().await;
    let paid = desk.pays(desk.coin(0).await, 1_000).await;
    desk.mined(&paid, 0).await;
    desk.looked_at().await;
    desk.chain.reorganize(3);
    desk.until(&paid, RequestStage::Reorged).await;
    let status = desk.station.client("eve").await.status().await.unwrap();
    assert_eq!(status.unsettled, 1, "it counts");
    desk.mined(&paid, 5).await;
    desk.until(&paid, RequestStage::Settled).await;
    desk.station.stop().await;
}

/// Of two transactions for one coin the dearer one is mined: it settles, and the other one is dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s04_a_spend_that_was_replaced_is_dead_once_its_coin_is_gone_for_good() {
    let desk = desk().await;
    let coin = desk.coin(0).await;
    let first = desk.pays(coin.clone(), 1_000).await;
    let dearer = desk.replaces(coin, 9_000, &first).await;
    assert_eq!(dearer.stage, RequestStage::Signed, "{dearer:?}");
    let raw = &dearer.signed.as_ref().unwrap().raw;
    let _ = desk.chain.send(&bitcoin::consensus::deserialize(raw).unwrap());
    desk.mined(&dearer, 5).await;
    desk.until(&dearer, RequestStage::Settled).await;
    desk.until(&first, RequestStage::Dead).await;
    desk.station.stop().await;
}
