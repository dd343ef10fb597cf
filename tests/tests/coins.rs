//! Coins on a chain that the tests mine and Bitcoin Core's validation rules: what several sources say of it, honest ones
//! and liars.

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, Network as Chain, OutPoint, ScriptBuf, Transaction, Txid, constants};
use keystead_base::Coded as _;
use keystead_bitcoin::Branch;
use keystead_tests::fixture::name;
use keystead_tests::purse::{Purse, TR, WPKH, payee};
use keystead_tests::regtest::{Lie, Regtest, Shape, Source};
use keystead_transmit::coins::{CoinSource, CoinView, Mined};
use keystead_transmit::{EndpointError, Limits, Roots, TransmitError};

fn opened(source: &Source, shape: Shape, at: usize) -> CoinSource {
    let (name, limits) = (name(&format!("source-{at}")), Limits::default());
    match shape {
        Shape::Esplora => CoinSource::esplora(name, &source.url, limits, &Roots::System).unwrap(),
        Shape::Core => CoinSource::core(name, &source.url, limits, &Roots::System, None).unwrap(),
    }
}

/// What must outlive a view: the servers behind it.
struct Watched {
    view: CoinView,
    _sources: Vec<Source>,
}

fn watch(agree: usize, sources: Vec<(Source, Shape)>) -> Watched {
    let opened = sources.iter().enumerate().map(|(at, (source, shape))| opened(source, *shape, at)).collect();
    let genesis = constants::genesis_block(Chain::Regtest).block_hash();
    let view = CoinView::new(genesis, opened, agree).unwrap();
    Watched { view, _sources: sources.into_iter().map(|(source, _)| source).collect() }
}

fn honest(chain: &Regtest, shape: Shape) -> (Source, Shape) {
    (chain.serve(shape, 3.5), shape)
}

fn lying(
    chain: &Regtest,
    shape: Shape,
    lie: impl Fn(&str, String) -> String + Send + Sync + 'static,
) -> (Source, Shape) {
    let lie: Lie = Arc::new(move |question, honest| match String::from_utf8(honest) {
        Ok(text) => lie(question, text).into_bytes(),
        Err(bytes) => bytes.into_bytes(),
    });
    (chain.serve_with(shape, 900.0, None, lie), shape)
}

fn receive(purse: &Purse, form: usize, index: u32) -> ScriptBuf {
    purse.script(Purse::place(form, Branch::Receive, index))
}

fn signed(coin: OutPoint, held: u64, outputs: &[(ScriptBuf, u64)]) -> Transaction {
    keystead_tests::purse::Secrets::of_seed(7).pays(&Purse::of_seed(7), coin, held, outputs)
}

fn of(scripts: &[&ScriptBuf]) -> BTreeSet<ScriptBuf> {
    scripts.iter().map(|it| (*it).clone()).collect()
}

#[tokio::test]
async fn sources_of_both_kinds_agree_on_who_has_what() {
    let (chain, purse) = (Regtest::start(), Purse::of_seed(7));
    let (first, second, never) = (receive(&purse, WPKH, 0), receive(&purse, TR, 3), receive(&purse, WPKH, 1));
    let coins = [chain.fund(&first, 700_000), chain.fund(&first, 5_000), chain.fund(&second, 40_000)];
    let spending = signed(coins[0], 700_000, &[(payee(), 600_000), (second.clone(), 99_000)]);
    chain.send(&spending).unwrap();
    let before = Mined { height: chain.height(), block: chain.block_hash(chain.height()).unwrap() };
    let all = [Shape::Esplora, Shape::Core, Shape::Esplora].map(|shape| honest(&chain, shape));
    let Watched { view, _sources } = watch(3, all.into());
    assert_eq!(view.tip().await, Ok(before));
    assert_eq!(view.block_hash(before.height + 1).await, Ok(None));

    // What waits is no part of it, but is seen where somebody asks for it.
    let history = view.history(of(&[&first, &second, &never]), before, 0).await.unwrap();
    assert_eq!(history.coins.iter().map(|it| it.sat).sum::<u64>(), 745_000);
    assert_eq!(history.used, of(&[&first, &second]));
    assert!(view.is_spent(coins[0]).await.unwrap() && !view.is_spent(coins[1]).await.unwrap());
    assert_eq!(view.mined(spending.compute_txid()).await, Ok(None));

    chain.mine(1);
    let tip = view.tip().await.unwrap();
    let history = view.history(of(&[&first, &second, &never]), tip, 0).await.unwrap();
    assert_eq!(history.coins.iter().map(|it| it.sat).sum::<u64>(), 144_000);
    assert_eq!(history.spent[&coins[0]].by, spending.compute_txid());
    assert_eq!(view.mined(spending.compute_txid()).await, Ok(Some(tip)));
    let found = view.transaction(spending.compute_txid(), Some(tip.block)).await.unwrap();
    assert_eq!(found, spending);
    let block = view.block(tip.block).await.unwrap();
    assert!(block.txdata.contains(&spending));
    // The same question about the same block has the same answer, whatever came later.
    chain.mine(3);
    assert_eq!(view.history(of(&[&first, &second, &never]), tip, 0).await, Ok(history));
}

/// Of a script that was paid before, sources of both kinds tell the same from a later block on.
#[tokio::test]
async fn s10_sources_of_both_kinds_agree_on_what_came_from_a_block_on() {
    let (chain, purse) = (Regtest::start(), Purse::of_seed(7));
    let ours = receive(&purse, WPKH, 0);
    let before = chain.fund(&ours, 700_000);
    let from = chain.height() + 1;
    let coin = chain.fund(&ours, 5_000);
    chain.send(&signed(before, 700_000, &[(payee(), 600_000)])).unwrap();
    chain.mine(1);
    let both = [Shape::Esplora, Shape::Core].map(|shape| honest(&chain, shape));
    let Watched { view, _sources } = watch(2, both.into());
    let history = view.history(of(&[&ours]), view.tip().await.unwrap(), from).await.unwrap();
    assert_eq!(history.coins.iter().map(|it| it.outpoint).collect::<Vec<_>>(), [coin]);
    assert!(history.spent.is_empty());
}

#[tokio::test]
async fn a01_a_source_that_lies_about_coins_is_not_believed() {
    let (chain, purse) = (Regtest::start(), Purse::of_seed(7));
    let ours = receive(&purse, WPKH, 0);
    chain.fund(&ours, 700_000);
    let richer = |_: &str, it: String| it.replace("700000", "900000");
    let poorer =
        |question: &str, it: String| if question.contains("txs/chain") { "[]".to_owned() } else { it };
    let scan = |_: &str, it: String| match it.contains("relevant_blocks") {
        true => it.replace(&it[it.find("[\"").unwrap()..=it.find(']').unwrap()], "[]"),
        false => it,
    };
    for lie in 0..3 {
        let liar = || match lie {
            0 => lying(&chain, Shape::Esplora, richer),
            1 => lying(&chain, Shape::Esplora, poorer),
            _ => lying(&chain, Shape::Core, scan),
        };
        let both = [honest(&chain, Shape::Core), liar(), honest(&chain, Shape::Esplora)];
        let Watched { view, _sources } = watch(2, both.into());
        let tip = view.tip().await.unwrap();
        let history = view.history(of(&[&ours]), tip, 0).await.unwrap();
        assert_eq!(history.coins.iter().map(|it| it.sat).collect::<Vec<_>>(), [700_000], "lie {lie}");

        // Where the honest ones do not suffice nothing is known, and nobody falls back to whoever answered.
        let Watched { view, _sources } = watch(2, [honest(&chain, Shape::Core), liar()].into());
        let unknown = view.history(of(&[&ours]), tip, 0).await.unwrap_err();
        assert_eq!((unknown.code(), unknown.most, unknown.answers), ("transmit.unknown", 1, 2), "lie {lie}");
    }
}

#[tokio::test]
async fn a01_a_transaction_and_a_block_are_what_their_hashes_say() {
    let (chain, purse) = (Regtest::start(), Purse::of_seed(7));
    let coin = chain.fund(&receive(&purse, WPKH, 0), 700_000);
    let block = chain.block_hash(chain.height()).unwrap();
    // 700,000 in hex, the least byte first, and something else in its place.
    let more = |_: &str, it: String| it.replace("60ae0a0000000000", "60ae0b0000000000");
    let Watched { view, _sources } = watch(1, [lying(&chain, Shape::Core, more)].into());
    for error in [view.transaction(coin.txid, None).await.unwrap_err(), view.block(block).await.unwrap_err()]
    {
        assert_eq!(error.failures[0].1.code(), "endpoint.malformed", "{error}");
    }
    // One honest source among liars is enough for what proves itself.
    let liars =
        [lying(&chain, Shape::Core, more), lying(&chain, Shape::Core, more), honest(&chain, Shape::Esplora)];
    let Watched { view, _sources } = watch(2, liars.into());
    assert_eq!(view.transaction(coin.txid, None).await.unwrap().compute_txid(), coin.txid);
    assert_eq!(view.block(block).await.unwrap().block_hash(), block);
}

#[tokio::test]
async fn a01_a_source_on_another_branch_says_nothing_of_the_chain() {
    let (chain, purse) = (Regtest::start(), Purse::of_seed(7));
    let ours = receive(&purse, WPKH, 0);
    let coin = chain.fund(&ours, 700_000);
    let Watched { view, _sources } = watch(1, [honest(&chain, Shape::Esplora)].into());
    let tip = view.tip().await.unwrap();
    chain.reorganize(1);
    let unknown = view.history(of(&[&ours]), tip, 0).await.unwrap_err();
    assert_eq!(
        unknown.failures[0].1,
        EndpointError::Malformed { expected: "the block that the others have" }
    );
    let now = view.tip().await.unwrap();
    assert_eq!(now.height, tip.height + 1);
    assert!(view.history(of(&[&ours]), now, 0).await.unwrap().coins.is_empty(), "it is gone with its block");
    assert_eq!(view.mined(coin.txid).await, Ok(None));
}

#[tokio::test]
async fn what_is_sent_is_taken_once_and_replaced_by_what_pays_more() {
    let (chain, purse) = (Regtest::start(), Purse::of_seed(7));
    let coin = chain.fund(&receive(&purse, WPKH, 0), 700_000);
    let all = [Shape::Esplora, Shape::Core].map(|shape| honest(&chain, shape));
    let Watched { view, _sources } = watch(2, all.into());
    let cheap = signed(coin, 700_000, &[(payee(), 699_000)]);
    for _ in 0..2 {
        let sent = view.send(&cheap).await.unwrap();
        assert_eq!((sent.txid, sent.taken.len()), (cheap.compute_txid(), 2), "{sent:?}");
    }
    let TransmitError::Refused { refusals } =
        view.send(&signed(coin, 700_000, &[(payee(), 698_990)])).await.unwrap_err()
    else {
        panic!("ten satoshi are too little");
    };
    assert!(refusals.iter().all(|(_, error)| error.to_string().contains("insufficient fee")), "{refusals:?}");
    let dear = signed(coin, 700_000, &[(payee(), 690_000)]);
    view.send(&dear).await.unwrap();
    chain.mine(1);
    assert_eq!(chain.height_of(dear.compute_txid()), Some(chain.height()));
    assert!(!chain.takes(&[cheap]), "Core takes only one of the two");
}

#[tokio::test]
async fn a_fee_is_the_middle_of_what_enough_sources_estimate() {
    let chain = Regtest::start();
    let of = |estimate| (chain.serve(Shape::Core, estimate), Shape::Core);
    let Watched { view, _sources } = watch(2, [of(2.0), honest(&chain, Shape::Esplora), of(900.0)].into());
    assert_eq!(view.fee_rate(6).await, Ok(3_500));
    let Watched { view, _sources } = watch(2, [of(4.0), of(2.0)].into());
    assert_eq!(view.fee_rate(6).await, Ok(2_000));
    let silent = lying(
        &chain,
        Shape::Core,
        |question, it| if question.contains("smartfee") { String::new() } else { it },
    );
    let Watched { view, _sources } = watch(2, [of(4.0), silent].into());
    assert_eq!(view.fee_rate(6).await.unwrap_err().failures.len(), 1);
}

#[tokio::test]
async fn a_node_that_wants_a_login_is_shown_the_one_in_its_file() {
    let chain = Regtest::start();
    let source = chain.serve_with(Shape::Core, 1.0, Some("__cookie__:0f0f"), Arc::new(|_, honest| honest));
    let folder = tempfile::tempdir().unwrap();
    let cookie = folder.path().join(".cookie");
    let genesis = constants::genesis_block(Chain::Regtest).block_hash();
    let open = || {
        CoinSource::core(name("node"), &source.url, Limits::default(), &Roots::System, Some(cookie.clone()))
    };
    let view = CoinView::new(genesis, vec![open().unwrap()], 1).unwrap();
    assert_eq!(view.height().await.unwrap_err().failures[0].1.code(), "endpoint.login");
    std::fs::write(&cookie, "__cookie__:0e0e").unwrap();
    assert_eq!(view.height().await.unwrap_err().failures[0].1, EndpointError::Status { found: 401 });
    // The node was started again, and wrote another one.
    std::fs::write(&cookie, "__cookie__:0f0f").unwrap();
    assert_eq!(view.height().await, Ok(chain.height()));
}

/// What Core refuses it refuses here, so that a green test says something.
#[test]
fn s07_the_chain_of_the_tests_takes_what_is_signed_and_no_twin_of_it() {
    let (chain, purse) = (Regtest::start(), Purse::of_seed(7));
    let coin = chain.fund(&receive(&purse, WPKH, 0), 700_000);
    let good = signed(coin, 700_000, &[(payee(), 600_000)]);
    let (mut more, mut unsigned, mut elsewhere) = (good.clone(), good.clone(), good.clone());
    more.output[0].value += Amount::from_sat(1);
    unsigned.input[0].witness.clear();
    elsewhere.input[0].previous_output = OutPoint { txid: Txid::from_byte_array([9; 32]), vout: 0 };
    let height = chain.height();
    for twin in [&more, &unsigned, &elsewhere] {
        assert!(!chain.takes(std::slice::from_ref(twin)));
        assert_eq!(chain.height(), height);
    }
    assert!(!chain.takes(&[good.clone(), good.clone()]));
    assert!(chain.takes(&[good]));
}
