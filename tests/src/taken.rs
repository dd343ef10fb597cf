//! A cluster whose key's home is taken: the other three nodes go on, and the enclave is a captive.

use alloy_primitives::{Bytes, U256};
use keystead_base::Canonical as _;
use keystead_decision::{Certificate, FreshAnswer, Outcome};
use keystead_devnet::Devnet;
use keystead_intent::{Action, AuthorityChange};
use keystead_policy::PolicyVersion;
use keystead_wire::RequestStage;

use crate::Loot;
use crate::captive::Captive;
use crate::cluster::{NodeHome, Station, ether};
use crate::fixture::{BIRTH, CHAIN, ETHER, FRIEND};
use crate::liar::as_node;
use crate::nodes::{keys_of, level, start_all};

/// Three honest nodes, and `node-1` with the key `hot` in the hands of whoever has its machine.
pub(crate) struct Taken {
    pub(crate) honest: Vec<Station>,
    home: NodeHome,
    pub(crate) enclave: Captive,
    chain: Devnet,
}

impl Taken {
    /// A cluster of the fixture's policy, changed.
    pub(crate) async fn of(change: impl Fn(&mut PolicyVersion)) -> Self {
        let stations = start_all(NodeHome::several(4, change)).await;
        stations[0].make_hot_key().await;
        Self::from(stations).await
    }

    /// A cluster of the fixture's policy, which people changed once the key was there.
    pub(crate) async fn after(next: impl FnOnce(&mut PolicyVersion)) -> Self {
        let stations = start_all(NodeHome::several(4, |_| {})).await;
        stations[0].make_hot_key().await;
        adopt(&stations[0], next).await;
        Self::from(stations).await
    }

    async fn from(mut honest: Vec<Station>) -> Self {
        level(&honest).await;
        let mut chain = Devnet::new(CHAIN.0, BIRTH.seconds());
        chain.fund(honest[0].account().await, U256::from(1_000 * ETHER));
        let home = honest.remove(0).stop().await;
        let enclave = Captive::of(&home).await;
        Self { honest, home, enclave, chain }
    }

    /// Starts the enclave anew: it knows what the home's own disk knows.
    pub(crate) async fn reboot(&mut self) {
        self.enclave = Captive::of(&self.home).await;
    }

    /// Brings the enclave what the honest nodes say to its nonce: the code of its refusal.
    pub(crate) async fn confirm(&mut self) -> Result<(), String> {
        let honest = &self.honest;
        let answer = async |nonce| {
            let mut words = Vec::new();
            for station in honest {
                let word = as_node(station, &keys_of(1)).fresh_head(nonce).await;
                words.push(word.expect("an honest word"));
            }
            FreshAnswer::gather(words).expect("words")
        };
        self.enclave.confirm(answer).await
    }

    /// A transfer that the log allows and that nobody signed: only the captive could.
    pub(crate) async fn right(&self, nonce: u64) -> (Certificate, Action) {
        let (action, asked) = (ether(FRIEND, ETHER / 2, nonce), &self.honest[0]);
        let intent = asked.intent("desk", action.clone(), asked.now().await);
        let (client, entry) = (asked.client("desk").await, asked.entry(vec![intent.clone()]));
        tokio::spawn(async move { client.submit(vec![entry]).await });
        let reader = asked.client("eve").await;
        loop {
            if let Some(certificate) = reader.certificate(intent.id()).await.expect("an answer") {
                assert!(matches!(certificate.decision.outcome, Outcome::Allow(_)), "{certificate:?}");
                return (certificate, action);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Has the captive sign a right, and the chain execute it: what left by this one.
    pub(crate) fn cash(&mut self, (right, action): &(Certificate, Action), what: &str) -> Loot {
        match self.enclave.sign(right, action) {
            Err(code) => Loot::refused(code),
            Ok(signed) => {
                let before = self.chain.balance(FRIEND);
                self.chain.execute_raw(&signed.raw).expect("a transaction that the chain takes");
                Loot::stolen(self.chain.balance(FRIEND) - before, what)
            }
        }
    }
}

/// `cleo` asks for the next policy version, and `ana` and `ben` approve it.
pub(crate) async fn adopt(station: &Station, change: impl FnOnce(&mut PolicyVersion)) {
    let current = station.client("cleo").await.policy(None).await.expect("an answer").expect("a version");
    let mut next = PolicyVersion::from_document(&current).expect("a policy version");
    next.previous = next.digest();
    next.number += 1;
    change(&mut next);
    let document = Bytes::from(next.to_document());
    let adopted = station.change(AuthorityChange::Policy { document }).await;
    assert_eq!(adopted.stage, RequestStage::Applied, "{adopted:?}");
}
