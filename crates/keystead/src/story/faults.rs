//! The acts in which a node fails: it is killed, and it lies.

use std::sync::Arc;
use std::time::Duration;

use keystead_base::Name;
use keystead_decision::{Controls, Outcome, State, Strict};
use keystead_intent::{AccountRef, Action, Asset, ChainId, GasTerms, Transfer};
use keystead_node::{Config as NodeConfig, Silent, run_under};
use keystead_policy::{Charge, Reason};
use keystead_wire::{NodeStatus, RequestStage, RequestView, Role};

use super::Ending;
use super::acts::{bug, sent};
use super::cast::{CHAIN, Cast, EXCHANGE, HOME, KEY};
use crate::asking::Speaker;
use crate::commands::REQUEST_LIFETIME;
use crate::commands::up::use_chain;
use crate::config::Config;
use crate::failure::Failure;
use crate::link::Link;
use crate::sample::ETHER;

/// A node whose program was patched: it counts no limits.
#[derive(Clone, Copy, Debug, Default)]
struct CountsNothing(Strict);

impl Controls for CountsNothing {
    type Checks = <Strict as Controls>::Checks;

    fn checks(&self) -> &Self::Checks {
        self.0.checks()
    }

    fn window(&self, _: &State, _: &Charge) -> Result<(), Reason> {
        Ok(())
    }
}

impl Cast {
    pub(super) async fn a_node_is_killed(&mut self) -> Ending {
        self.settled().await?;
        let proposer = self.proposer().await?;
        // With the key's home nothing would be signed until it is back.
        let name = if proposer.as_str() == HOME { "node-1".parse()? } else { proposer };
        self.process(&name)?.kill().await?;
        let hash = sent(&self.wallet, self.transfer(ETHER / 5)).await?;
        let executed = self.succeeded(hash);
        let height = self.status(None).await?.height;
        self.process(&name)?.again().await?;
        let caught_up = self.reaches(&name, height).await?;
        let found = vec![
            format!("{name} was killed with SIGKILL"),
            format!("three of four votes: 0.2 ETH to exchange, transaction {hash}"),
            format!("{name} was started again and caught up with height {height}"),
        ];
        Ok((found, executed && caught_up))
    }

    pub(super) async fn a_node_lies(&mut self) -> Ending {
        for _ in 0..LIES {
            let (found, view, objections) = self.one_lie().await?;
            let denied = matches!(&view.decision.outcome, Outcome::Deny { reasons, .. }
                if reasons.iter().any(|reason| matches!(reason, Reason::LimitExceeded { .. })));
            if !denied || view.stage != RequestStage::Denied {
                return Ok((found, false));
            }
            // Somebody else may have proposed, on a busy machine: then there was no lie to see.
            if objections {
                return self.goes_on(found).await;
            }
        }
        Err(bug("the lying node never had its turn"))
    }

    /// Ana asks for more than the limit while the node that proposes would let it pass.
    async fn one_lie(&mut self) -> Result<(Vec<String>, RequestView, bool), Failure> {
        self.settled().await?;
        let liar = self.proposer().await?;
        self.process(&liar)?.stop().await?;
        let lying = run_under(self.config_of(&liar)?, Arc::new(Silent), CountsNothing::default()).await?;
        let honest = self.config.client.nodes.iter().map(|it| it.name.clone()).find(|it| *it != liar);
        let honest = honest.ok_or_else(|| bug("there is no other node"))?;
        self.meets(&honest, &liar).await?;
        let link = self.link(Some(honest.as_str())).await?;
        let speaker = Speaker { cluster: self.config.cluster, member: &self.player(0)?.member, link: &link };
        let view = speaker.ask(self.too_much()?, REQUEST_LIFETIME).await?;
        let status = link.status().await?;
        // It computed something else than the quorum, and stops by itself.
        let lied = lying.ended().await.is_err();
        self.process(&liar)?.again().await?;
        self.reaches(&liar, status.height).await?;
        let objections = objections(&status, &liar);
        let seen = !objections.is_empty();
        let mut found = vec![format!(
            "{liar} ran a patched program that counts no limits, and proposed 0.6 ETH over the limit"
        )];
        found.extend(objections);
        found.push(format!("the log: {}", crate::asking::standing(&view)));
        found.push(format!("{liar} stopped at the quorum's block; it runs the true program again"));
        Ok((found, view, lied && seen))
    }

    async fn goes_on(&self, mut found: Vec<String>) -> Ending {
        let hash = sent(&self.wallet, self.transfer(ETHER / 10)).await?;
        found.push(format!("0.1 ETH to exchange, transaction {hash}"));
        Ok((found, self.succeeded(hash)))
    }

    /// What is left of the limit is less than this.
    fn too_much(&self) -> Result<Action, Failure> {
        let nonce = self.devnet.chain().nonce(self.account);
        Ok(Action::Transfer(Transfer {
            account: AccountRef { key: KEY.parse()?, index: 0 },
            chain: ChainId(CHAIN),
            asset: Asset::Native,
            to: EXCHANGE,
            amount: (ETHER * 3 / 5).into(),
            gas: GasTerms {
                nonce,
                gas_limit: 21_000,
                max_fee_per_gas: 3_000_000_000,
                max_priority_fee_per_gas: 1_000_000_000,
            },
        }))
    }

    fn config_of(&self, name: &Name) -> Result<NodeConfig, Failure> {
        let mut config = Config::read(&self.folder.join(name.as_str()))?;
        use_chain(&mut config, CHAIN, &self.devnet.url());
        config.node().cloned()
    }

    fn process(&mut self, name: &Name) -> Result<&mut crate::processes::NodeProcess, Failure> {
        self.nodes.iter_mut().find(|it| it.name == *name).ok_or_else(|| bug("a node is missing"))
    }

    async fn link(&self, node: Option<&str>) -> Result<Link, Failure> {
        Link::direct(&self.config, &self.player(0)?.member, Role::Person, node).await
    }

    async fn status(&self, node: Option<&str>) -> Result<NodeStatus, Failure> {
        self.link(node).await?.status().await
    }

    /// Who made the latest block: it goes on proposing.
    async fn proposer(&self) -> Result<Name, Failure> {
        let link = self.link(None).await?;
        let blocks = link.blocks(link.status().await?.height).await?;
        let last = blocks.last().ok_or_else(|| bug("the log has no block"))?;
        Ok(last.commit.header.proposer.clone())
    }

    /// Nothing is left that a node would propose by itself.
    async fn settled(&self) -> Result<(), Failure> {
        let quiet = |status: &NodeStatus| status.unsettled == 0;
        self.until(None, quiet).await.map(drop)
    }

    async fn reaches(&self, name: &Name, height: u64) -> Result<bool, Failure> {
        let there = |status: &NodeStatus| status.height >= height;
        self.until(Some(name.as_str()), there).await.map(|status| status.height >= height)
    }

    /// Until one node is connected with another, so that it hears what is asked there.
    async fn meets(&self, one: &Name, other: &Name) -> Result<(), Failure> {
        let met = |status: &NodeStatus| status.peers.iter().any(|it| it.name == *other && it.reachable);
        self.until(Some(one.as_str()), met).await.map(drop)
    }

    async fn until(
        &self,
        node: Option<&str>,
        holds: impl Fn(&NodeStatus) -> bool,
    ) -> Result<NodeStatus, Failure> {
        let link = self.link(node).await?;
        for _ in 0..TRIES {
            let status = link.status().await?;
            if holds(&status) {
                return Ok(status);
            }
            tokio::time::sleep(PAUSE).await;
        }
        let what = format!("waited too long: {:?}", link.status().await?);
        Err(Failure::new("story.late", what, "report this as a bug"))
    }
}

/// Who else did not vote for a block of the last height, and why.
fn objections(status: &NodeStatus, liar: &Name) -> Vec<String> {
    let peers = status.peers.iter().filter_map(|it| Some((&it.name, it.objection.as_ref()?)));
    let latest = peers.filter(|(name, it)| *name != liar && it.height == status.height);
    latest
        .map(|(name, it)| format!("{name} did not vote for it: {} [{}]", it.refused.text, it.refused.code))
        .collect()
}

/// How often the node that proposes is made to lie until its proposal is seen.
const LIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(20);
const TRIES: u32 = 1500;
