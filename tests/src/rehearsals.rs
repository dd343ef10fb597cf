//! Runs of a world's requests on its own chain, as a node states them.

use std::net::SocketAddr;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall as _;
use keystead_base::{Amount, ClusterId, RequestId, Signed};
use keystead_decision::{Controls, Decision, Entry, Simulation};
use keystead_devnet::{BASE_FEE_WEI, BLOCK_GAS_LIMIT, Block, Devnet};
use keystead_intent::{
    Action, Asset, BalanceChange, ContractCall, Ending, Right, RightChange, Run, SimulatedBlock,
};
use keystead_policy::{PolicyVersion, Reason, Simulate, SimulationReason, SimulationRule};
use keystead_rehearsal::{Head, ReadAccount, StateReader, Unread, Watched, rehearse};

use serde_json::{Value, json};

use crate::contracts::{COINS, DEPLOYER, balanceOfCall, mintCall, place, transferCall};
use crate::fixture::{BIRTH, CHAIN, ETHER, FRIEND, TOKEN};
use crate::http::post;
use crate::world::{World, gas, hot};

/// How old the state of a run may be, and how long a run is waited for, in the tests' policies.
pub const RECENT: u64 = 60;

/// How long a run that nobody demands is waited for in them.
pub const SOON: u64 = 5;

/// Every transaction is run before it is allowed.
pub fn demanded(policy: &mut PolicyVersion) {
    policy.simulation = Some(SimulationRule {
        keys: Vec::new(),
        classes: Vec::new(),
        chains: Vec::new(),
        max_age_seconds: RECENT,
        wait_seconds: RECENT,
        may_fail: false,
        simulate: Simulate::WhereAsked,
    });
}

/// Every transaction is run before it is allowed, and allowed without a run where there is none in time.
pub fn shown(policy: &mut PolicyVersion) {
    demanded(policy);
    policy.simulation.iter_mut().for_each(|rule| rule.simulate = Simulate::Shown { wait_seconds: SOON });
}

/// A chain in memory as a reader: one that never lies.
pub struct Truthful<'a>(pub &'a Devnet);

impl StateReader for Truthful<'_> {
    fn account(&self, address: Address) -> Result<ReadAccount, Unread> {
        let (balance, nonce) = (self.0.balance(address), self.0.nonce(address));
        Ok(ReadAccount { balance, nonce, code: self.0.code(address) })
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, Unread> {
        Ok(self.0.storage(address, slot))
    }

    fn block_hash(&self, number: u64) -> Result<B256, Unread> {
        let unknown = || Unread::Unknown { reason: "no such block".to_owned() };
        self.0.block(number).map(Block::hash).ok_or_else(unknown)
    }
}

/// The head of a chain in memory.
#[must_use]
pub fn head(chain: &Devnet) -> Head {
    let head = chain.head();
    Head {
        block: SimulatedBlock { number: head.number(), hash: head.hash(), time_seconds: head.time_seconds() },
        beneficiary: Address::ZERO,
        gas_limit: BLOCK_GAS_LIMIT,
        base_fee: Some(BASE_FEE_WEI),
        randomness: B256::ZERO,
    }
}

impl<C: Controls> World<C> {
    /// What comes of running a request on the chain as it is.
    pub fn run_of(&self, id: &RequestId) -> Run {
        let (unsigned, registry) = (self.unsigned(id), self.state.policy().engine.registry());
        let tokens = keystead_chain::explain(&unsigned, registry).tokens();
        let watched = Watched {
            accounts: self.state.watched_accounts(self.signer_of(id)),
            others: self.state.accounts().clone(),
            tokens,
        };
        let run = rehearse(&Truthful(&self.chain), &head(&self.chain), &unsigned, &watched);
        run.expect("a state that is known").expect("a transaction")
    }

    /// What a node says of it, on a block that is as old as the log's own time.
    pub fn simulation_of(&self, id: &RequestId, run: Run) -> Simulation {
        let block = SimulatedBlock { time_seconds: self.now().seconds(), ..head(&self.chain).block };
        Simulation { cluster: self.state.cluster(), request: *id, block, run }
    }

    /// A node's signed word.
    pub fn states(&self, simulation: Simulation) -> Entry {
        let node = &self.desk.nodes[0];
        Entry::Simulation(Signed::new(simulation, node.name.clone(), &node.signer).expect("a signature"))
    }

    /// A node runs a request and says what came of it: every decision that follows.
    pub fn simulate(&mut self, id: &RequestId) -> Vec<Decision> {
        let entry = self.states(self.simulation_of(id, self.run_of(id)));
        self.commit(vec![entry])
    }
}

/// For vectors: one with every kind of change, and one with the longest form of an ending.
pub fn examples(cluster: ClusterId, request: RequestId) -> [Simulation; 2] {
    let block = SimulatedBlock { number: 7, hash: B256::repeat_byte(11), time_seconds: BIRTH.seconds() };
    let (before, after) = (Amount::from(7_u64), Amount::MAX);
    let balance = |asset, id| BalanceChange { account: FRIEND, asset, id, before, after };
    let right = |right| RightChange { owner: FRIEND, token: TOKEN, holder: FRIEND, right };
    let run = Run {
        balances: vec![balance(Asset::Native, None), balance(Asset::Token(TOKEN), Some(before))],
        rights: vec![
            right(Right::Allowance { before, after }),
            right(Right::Nft { id: before, before: false, after: true }),
            right(Right::Operator { before: true, after: false }),
        ],
        created: vec![FRIEND],
        cut: true,
        ..Run::without_changes(Ending::Succeeded, 21_000, 1)
    };
    let failed = Run::without_changes(Ending::Reverted { data: vec![1, 2, 3].into() }, 21_000, 0);
    [run, failed].map(|run| Simulation { cluster, request, block, run })
}

/// For vectors: every reason about runs once.
pub fn reasons(request: RequestId) -> Vec<Reason> {
    let (account, asset, amount, text) = (FRIEND, Asset::Native, Amount::from(7_u64), "words".to_owned());
    let all = [
        SimulationReason::Pending { request },
        SimulationReason::Unknown { until: BIRTH },
        SimulationReason::Stale { oldest: BIRTH.plus_seconds(1), found: BIRTH },
        SimulationReason::Fails { ending: text },
        SimulationReason::TakesMore { account, asset, stated: amount, simulated: amount },
        SimulationReason::GivesRight { owner: account, token: TOKEN, holder: account },
    ];
    all.map(Reason::from).into()
}

/// A transfer of [`TOKEN`] from the first account of `hot`.
pub fn token_transfer(to: Address, amount: u64, nonce: u64) -> Action {
    let data = transferCall { to, amount: U256::from(amount) }.abi_encode().into();
    let value = Amount::ZERO;
    Action::ContractCall(ContractCall {
        account: hot(),
        chain: CHAIN,
        to: TOKEN,
        value,
        data,
        gas: gas(nonce),
    })
}

/// Puts [`TOKEN`] on a running anvil, and gives `account` coins of it and ether.
pub async fn furnish(anvil: SocketAddr, account: Address) {
    let mut chain = Devnet::new(CHAIN.0, 0);
    place(&mut chain, TOKEN, "Coin");
    let ether = U256::from(ETHER);
    asked(anvil, "anvil_setCode", json!([TOKEN, chain.code(TOKEN)])).await;
    asked(anvil, "anvil_setBalance", json!([account, ether])).await;
    asked(anvil, "anvil_setBalance", json!([DEPLOYER, ether])).await;
    asked(anvil, "anvil_impersonateAccount", json!([DEPLOYER])).await;
    let input = Bytes::from(mintCall { to: account, value: U256::from(COINS) }.abi_encode());
    asked(anvil, "eth_sendTransaction", json!([{"from": DEPLOYER, "to": TOKEN, "input": input}])).await;
    while coins_on(anvil, account).await.is_zero() {}
}

/// A balance of [`TOKEN`] on a running anvil.
pub async fn coins_on(anvil: SocketAddr, owner: Address) -> U256 {
    let input = Bytes::from(balanceOfCall { owner }.abi_encode());
    let answer = asked(anvil, "eth_call", json!([{"to": TOKEN, "input": input}, "latest"])).await;
    serde_json::from_value(answer).expect("a word")
}

/// Hands signed bytes to a running anvil.
pub async fn send_raw(anvil: SocketAddr, raw: &Bytes) {
    asked(anvil, "eth_sendRawTransaction", json!([raw])).await;
}

async fn asked(anvil: SocketAddr, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let (_, answer) = post(anvil, "/", &body).await;
    let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert!(answer["error"].is_null(), "{method}: {answer}");
    answer["result"].take()
}

#[cfg(test)]
mod allowances;
#[cfg(test)]
mod unasked;

#[cfg(test)]
mod tests {
    use keystead_decision::Strict;

    use super::*;
    use crate::contracts::{
        PICTURES, approveCall, coins_at, say, setApprovalForAllCall, stock, transferFromCall,
    };
    use crate::theft::THIEF;
    use crate::world::outcome_of;

    /// The run of a call by the account of a world with coins and pictures.
    fn called(
        world: &mut World<Strict>,
        to: Address,
        call: &impl alloy_sol_types::SolCall,
    ) -> (RequestId, Run) {
        let (id, _) = world.ask("desk", world.call(to, call.abi_encode(), 0));
        let run = world.run_of(&id);
        assert!(run.succeeded() && !run.cut, "{run:?}");
        (id, run)
    }

    fn stocked() -> World<Strict> {
        let mut world = World::with_policy(Strict::default(), demanded);
        stock(&mut world);
        world
    }

    /// What a run says of the token that it lost, and of the rights that it gave.
    fn lost(run: &Run, token: Address) -> Vec<u64> {
        let of = |it: &&BalanceChange| it.asset == Asset::Token(token);
        run.balances.iter().filter(of).map(|it| u64::try_from(it.lost().0).unwrap()).collect()
    }

    #[test]
    fn tokens_are_asked_what_they_did() {
        let (mut world, amount) = (stocked(), U256::from(5));
        let owner = world.account();
        let (_, run) = called(&mut world, TOKEN, &transferCall { to: FRIEND, amount });
        assert_eq!((lost(&run, TOKEN), run.rights.len(), run.created.len()), (vec![5], 0, 0));
        let picture = transferFromCall { from: owner, to: FRIEND, amount: U256::from(1) };
        let (_, run) = called(&mut world, PICTURES, &picture);
        assert_eq!(lost(&run, PICTURES), [1, 1], "one of their number, and no. 1: {run:?}");
        assert_eq!(run.balances.iter().filter_map(|it| it.id).collect::<Vec<_>>(), [Amount::from(1_u64)]);
        let (_, run) = called(&mut world, TOKEN, &approveCall { spender: FRIEND, amount });
        let right = Right::Allowance { before: Amount::ZERO, after: Amount(amount) };
        assert_eq!((run.rights[0].holder, run.rights[0].right, run.rights.len()), (FRIEND, right, 1));
        let (_, run) = called(&mut world, PICTURES, &approveCall { spender: FRIEND, amount: U256::from(2) });
        let right = Right::Nft { id: Amount(U256::from(2)), before: false, after: true };
        assert_eq!((run.rights[0].right, run.rights.len()), (right, 1));
        let (_, run) =
            called(&mut world, PICTURES, &setApprovalForAllCall { operator: FRIEND, approved: true });
        assert_eq!(run.rights[0].right, Right::Operator { before: false, after: true });
    }

    #[test]
    fn s02_a_token_that_lies_in_its_events_is_found_out() {
        let mut world = World::with_policy(Strict::default(), demanded);
        let owner = world.account();
        place(&mut world.chain, TOKEN, "Skimmer");
        say(&mut world.chain, DEPLOYER, TOKEN, &mintCall { to: owner, value: U256::from(COINS) });
        let amount = U256::from(1);
        let (id, run) = called(&mut world, TOKEN, &transferCall { to: FRIEND, amount });
        assert_eq!(lost(&run, TOKEN), [COINS]);
        let outcome = outcome_of(&world.simulate(&id), &id);
        let codes: Vec<_> = crate::world::reasons(&outcome).iter().map(keystead_base::Coded::code).collect();
        assert_eq!(codes, ["deny.simulation_takes_more"]);

        place(&mut world.chain, TOKEN, "Boaster");
        let (_, run) = called(&mut world, TOKEN, &transferCall { to: THIEF, amount });
        assert_eq!((run.balances.len(), run.rights.len()), (0, 0), "nothing happened: {run:?}");
    }

    #[test]
    fn a_run_says_what_the_chain_does_then() {
        let (mut world, amount) = (stocked(), U256::from(7));
        let (id, run) = called(&mut world, TOKEN, &transferCall { to: FRIEND, amount });
        world.simulate(&id);
        let receipt = world.sign_and_execute(&id).unwrap();
        assert_eq!(run.gas_used, receipt.outcome.gas_used);
        let token = run.balances.iter().find(|it| it.asset == Asset::Token(TOKEN)).unwrap();
        assert_eq!(token.after.0, coins_at(&world.chain, TOKEN, world.account()));
    }
}
