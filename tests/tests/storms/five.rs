//! K3, D3: keys of all kinds in shares among five node processes, each with its own database and enclave, paid from on each
//! chain, and handed on to all five meanwhile.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use alloy_primitives::U256;
use bitcoin::Transaction;
use keystead_bitcoin::Branch;
use keystead_decision::Outcome;
use keystead_intent::{AccountRef, Action, KeyCeremony, PsbtSpend};
use keystead_node::{CoinsConfig, Config};
use keystead_policy::{PolicyVersion, Rule};
use keystead_solana::{Pubkey, Unsigned, order};
use keystead_tests::Anvil;
use keystead_tests::chainside::{anvil, balance, fund, sends};
use keystead_tests::coin_desk::{funded, honest, mined, payment, sources, transaction, watched};
use keystead_tests::fixture::{ETHER, FRIEND, name};
use keystead_tests::purse::{Purse, REGTEST, consensus_takes, lists_payee};
use keystead_tests::regtest::{Regtest, Shape, Source};
use keystead_tests::solana::{CLUSTER, PAYEE, asks, message_with};
use keystead_wire::{KeyView, RequestStage, RequestView};

use crate::circle::{Circle, HOT, SOL_KEY, VAULT, nodes};
use crate::ground::Ground;
use crate::people::{ANSWER, retry, transfer};
use crate::product::seen_at;
use crate::verified::verified;

/// The nodes, and the chains that they see.
struct Bank {
    circle: Circle,
    anvil: SocketAddr,
    coins: CoinsConfig,
    bitcoin: Regtest,
    asked: AtomicU64,
    nonce: AtomicU64,
    _chains: (Anvil, Vec<Source>),
}

/// Two of three sign with a key of each kind, from its birth on; then any three of all five, whoever held before hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k03_d03_five_node_processes_pay_on_each_chain_and_hand_their_keys_on_meanwhile() {
    let bank = Bank::opens().await;
    let before = bank.keys_are_born().await;
    for way in WAYS {
        bank.pays(way, 4).await;
    }
    let (stop, start) = (AtomicBool::new(false), std::time::Instant::now());
    let handed_on = async {
        for key in KEYS {
            let view = bank.circle.ceremony([0, 1, 2], to_all(key)).await;
            assert_eq!(view.stage, RequestStage::Applied, "{key}: {view:?} {}", bank.circle.told());
        }
        stop.store(true, Ordering::Relaxed);
        start.elapsed()
    };
    let killed = async {
        bank.circle.convening(0, |it| it.attempt == 1).await;
        bank.circle.kill(4);
        bank.circle.launch(4);
    };
    let [one, two, three, four] = WAYS.map(|way| bank.pays_on(way, &stop));
    let (took, (), one, two, three, four) = tokio::join!(handed_on, killed, one, two, three, four);
    println!("handed on in {took:?}: {} payments meanwhile, none failed", one + two + three + four);
    bank.circle.votes(4).await;
    for (key, before) in KEYS.into_iter().zip(before) {
        let after = bank.circle.key(key, 4).await;
        let of = |it: &KeyView| (it.account, it.address);
        assert_eq!((of(&after), after.epoch), (of(&before), before.epoch + 1), "{key} stays what it was");
    }
    // Of those who held before one is left, and any three sign.
    bank.circle.hang(&[0, 1], "-STOP");
    for way in WAYS {
        bank.pays(way, 3).await;
    }
    bank.circle.hang(&[0, 1], "-CONT");
}

/// From any two of three to any three of all five.
fn to_all(key: &str) -> KeyCeremony {
    let (holders, dealers) = (nodes(&[1, 2, 3, 4, 5]), nodes(&[1, 2, 3]));
    KeyCeremony::Reshare { key: name(key), threshold: 3, holders, dealers }
}

/// What is paid, and where.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// ECDSA, executed on Ethereum.
    Ethereum,
    /// ECDSA, P2WPKH of Bitcoin's.
    Segwit,
    /// BIP-340, Taproot by the key's path.
    Taproot,
    /// Ed25519.
    Solana,
}

impl Bank {
    async fn opens() -> Self {
        let ((process, anvil), bitcoin) = (anvil(), Regtest::start());
        let (servers, coins) = sources(&bitcoin, 1, vec![(Shape::Core, honest())]);
        let circle = Circle::placed_with(5, Ground::Loopback, lists, |_, config: &mut Config| {
            config.chains = vec![seen_at(&process.url())];
            config.bitcoin = vec![watched(&coins)];
            config.limits.settlement_seconds = 1;
        });
        let circle = circle.all_up().await;
        let (asked, nonce) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { circle, anvil, coins, bitcoin, asked, nonce, _chains: (process, servers) }
    }

    /// One of each kind, among the first three.
    async fn keys_are_born(&self) -> [KeyView; 3] {
        let hot = self.circle.born(HOT).await;
        fund(self.anvil, hot.address.expect("an address"), ETHER).await;
        [hot, self.circle.born(VAULT).await, self.circle.born(SOL_KEY).await]
    }

    /// Pays on until it is told to stop: how often.
    async fn pays_on(&self, way: Way, stop: &AtomicBool) -> usize {
        let mut payments = 0;
        while !stop.load(Ordering::Relaxed) {
            self.pays(way, payments % 4).await;
            payments += 1;
        }
        payments
    }

    /// One payment, asked of this node, to its end on the chain.
    async fn pays(&self, way: Way, node: usize) {
        match way {
            Way::Ethereum => self.pays_ether(node).await,
            Way::Segwit => {
                let spent = self.pays_coins(HOT, node).await;
                let witness = &spent.input[0].witness;
                assert_eq!(witness.len(), 2, "a signature and the key whose hash was paid: {witness:?}");
            }
            Way::Taproot => {
                let spent = self.pays_coins(VAULT, node).await;
                let witness: Vec<&[u8]> = spent.input[0].witness.iter().collect();
                assert_eq!(witness.iter().map(|it| it.len()).collect::<Vec<_>>(), [64], "by the key's path");
            }
            Way::Solana => self.pays_lamports(node).await,
        }
    }

    async fn asks(&self, node: usize, action: Action) -> RequestView {
        let view = self.circle.people.ask("dora", node, action).await;
        assert_eq!(view.stage, RequestStage::Signed, "no request fails: {view:?} {}", self.circle.told());
        view
    }

    /// Executed on anvil, and the nodes see it there.
    async fn pays_ether(&self, node: usize) {
        let before = balance(self.anvil, FRIEND).await;
        let wei = u64::try_from(ETHER / 1_000).expect("a small amount");
        let nonce = self.nonce.fetch_add(1, Ordering::Relaxed);
        let view = self.asks(node, transfer(0, FRIEND, wei, nonce)).await;
        sends(self.anvil, &view.signed.as_ref().expect("a signature").raw).await;
        assert_eq!(balance(self.anvil, FRIEND).await - before, U256::from(wei));
        self.settles(&view, node).await;
    }

    /// A coin of a key's: Core's rules take what the nodes sent, it is mined, and settles.
    async fn pays_coins(&self, key: &str, node: usize) -> Transaction {
        let wallet = retry(async || {
            let wallets = self.circle.key(key, node).await.wallets;
            wallets.into_iter().find(|it| it.chain == REGTEST)
        });
        let purse = Purse::of(wallet.await);
        let coin = funded(&self.bitcoin, &self.coins, &purse, Purse::place(0, Branch::Receive, 0)).await;
        let spent = vec![coin.previous.output[usize::try_from(coin.output).expect("a place")].clone()];
        let psbt = payment(&purse, 0, vec![coin], 1_000).into();
        let account = AccountRef { key: name(key), index: 0 };
        let spend = PsbtSpend { account, chain: REGTEST, psbt, replaces: None, shared: None };
        let view = self.asks(node, Action::Psbt(spend)).await;
        let paid = transaction(&view);
        assert!(consensus_takes(&paid, &spent), "Bitcoin Core's rules take it");
        mined(&self.bitcoin, &view, 5).await;
        self.settles(&view, node).await;
        paid
    }

    /// A transfer that each node decoded, and that validators take.
    async fn pays_lamports(&self, node: usize) {
        let account = self.circle.key(SOL_KEY, node).await.account.expect("an account");
        let payer = Pubkey(account.ed25519_key().expect("a key of Ed25519"));
        let mut blockhash = [0; 32];
        blockhash[..8].copy_from_slice(&self.asked.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let message = message_with(payer, blockhash, vec![order::transfer(payer, PAYEE, 1)]);
        let view = self.asks(node, asks(SOL_KEY, message.clone())).await;
        let Outcome::Allow(grant) = &view.decision.outcome else { panic!("{view:?}") };
        let unsigned = Unsigned::read(CLUSTER, payer, &message).expect("a message");
        assert_eq!(grant.signing_digest, unsigned.signing_digest(), "of the message that was decoded");
        verified(&view, &message);
    }

    async fn settles(&self, view: &RequestView, node: usize) {
        let client = self.circle.people.client("cleo", node, ANSWER);
        retry(async || {
            let seen = client.request(view.request).await.ok().flatten()?.view;
            (seen.stage == RequestStage::Settled).then_some(())
        })
        .await;
    }
}

/// Coins of Bitcoin's, which traders move from the vault, too.
fn lists(policy: &mut PolicyVersion) {
    lists_payee(policy);
    let cedar = r#"permit(principal in Role::"trader", action in Action::"sign", resource == Key::"vault")
                   when { context.class == "transfer" };"#;
    policy.rules.push(Rule { id: name("traders-move-vault"), cedar: cedar.to_owned() });
    policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
}

/// A key of each kind.
const KEYS: [&str; 3] = [HOT, VAULT, SOL_KEY];
const WAYS: [Way; 4] = [Way::Ethereum, Way::Segwit, Way::Taproot, Way::Solana];
