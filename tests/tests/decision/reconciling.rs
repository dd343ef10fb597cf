//! What the log does with what nodes find on the chains.

use alloy_primitives::{Address, B256};
use alloy_sol_types::SolCall as _;
use keystead_base::{Digest, Signed};
use keystead_decision::{
    Decision, Discrepancy, Entry, FinalBlock, Finding, MAX_CLEARED, Outcome, Phase, Snapshot, Strict,
};
use keystead_intent::{AccountRef, Action, AuthorityChange, Coin, DangerClass};
use keystead_policy::{PolicyVersion, QuorumRow, Reason, Rule};
use keystead_tests::fixture::{CHAIN, ETHER, FRIEND, TOKEN, name};
use keystead_tests::purse::{Purse, REGTEST};
use keystead_tests::world::{World, hot, reasons};

alloy_sol_types::sol! {
    function approve(address spender, uint256 amount) returns (bool);
}

fn finding(world: &World<Strict>, number: u64) -> Finding {
    Finding {
        cluster: world.state.cluster(),
        chain: CHAIN,
        account: hot(),
        address: world.account(),
        what: Discrepancy::Transaction {
            block: FinalBlock { number, hash: B256::repeat_byte(1) },
            hash: Digest([2; 32]),
            nonce: 0,
        },
    }
}

fn states(world: &mut World<Strict>, finding: Finding) -> Outcome {
    let node = &world.desk.nodes[0];
    let entry = Entry::Finding(Signed::new(finding, node.name.clone(), &node.signer).unwrap());
    let decisions: Vec<Decision> = world.commit(vec![entry]);
    let [decision] = decisions.as_slice() else { panic!("{decisions:?}") };
    decision.outcome.clone()
}

fn code(outcome: &Outcome) -> &'static str {
    let Outcome::Refused { reason, .. } = outcome else { panic!("{outcome:?}") };
    keystead_base::Coded::code(reason)
}

#[test]
fn l04_a_finding_freezes_its_key_once_and_people_thaw_it() {
    let mut world = World::new(Strict::default());
    let first = finding(&world, 5);
    assert!(matches!(states(&mut world, first.clone()), Outcome::Found { finding } if finding == first));
    assert!(world.state.frozen().keys.contains(&name("hot")) && !world.state.frozen().everything);
    let (_, denied) = world.ask("desk", world.ether(FRIEND, 1, 0));
    assert_eq!(reasons(&denied)[0].to_string(), "key `hot` is frozen");

    let thaw = AuthorityChange::Thaw { key: Some(name("hot")) };
    let (id, _) = world.ask("cleo", Action::Authority(thaw));
    world.approve("ana", &id);
    world.approve("ben", &id);
    assert!(world.state.frozen().keys.is_empty());
    assert_eq!(code(&states(&mut world, first)), "deny.duplicate");
    assert!(world.state.frozen().keys.is_empty(), "what people looked at freezes no second time");
    let other = finding(&world, 6);
    assert!(matches!(states(&mut world, other), Outcome::Found { .. }));
    assert!(world.state.frozen().keys.contains(&name("hot")));
}

#[test]
fn l04_a_finding_names_an_account_of_its_key_and_a_node_of_the_roster() {
    let mut world = World::new(Strict::default());
    let right = finding(&world, 5);
    let other_index = AccountRef { index: 1, ..hot() };
    let other_key = AccountRef { key: name("cold"), index: 0 };
    for (wrong, expected) in [
        (Finding { address: FRIEND, ..right.clone() }, "deny.key_inactive"),
        (Finding { account: other_index, ..right.clone() }, "deny.key_inactive"),
        (Finding { account: other_key, ..right.clone() }, "deny.key_unknown"),
    ] {
        assert_eq!(code(&states(&mut world, wrong)), expected);
    }
    assert!(
        world.state.frozen().keys.is_empty()
            && !world.state.has_found(&keystead_base::Canonical::digest(&right))
    );
    let eve = world.desk.person("eve");
    let forged = Entry::Finding(Signed::new(right, eve.name.clone(), &eve.signer).unwrap());
    assert_eq!(keystead_base::Coded::code(&world.state.admit(forged).unwrap_err()), "admission.unknown");
}

/// On Bitcoin a finding names a wallet of its key: its own, or one that policy says it shares.
#[test]
fn l04_a_finding_names_a_wallet_of_its_key() {
    let mut world = World::new(Strict::default());
    world.adopt(|policy| policy.chains.push(REGTEST));
    let purse = Purse::of_seed(7);
    let coin = Coin { transaction: Digest([3; 32]), output: 0 };
    let block = FinalBlock { number: 5, hash: B256::repeat_byte(1) };
    let what = Discrepancy::Spend { block, transaction: Digest([2; 32]), coin };
    let (cluster, account, address) = (world.state.cluster(), hot(), purse.recorded.id());
    let spent = Finding { cluster, chain: REGTEST, account, address, what };
    assert_eq!(code(&states(&mut world, spent.clone())), "deny.key_inactive", "no wallet yet");
    world.record_wallet(&purse.recorded);
    for wrong in
        [Finding { address: world.account(), ..spent.clone() }, Finding { chain: CHAIN, ..spent.clone() }]
    {
        assert_eq!(code(&states(&mut world, wrong)), "deny.key_inactive");
    }
    assert!(matches!(states(&mut world, spent), Outcome::Found { .. }));
    assert!(world.state.frozen().keys.contains(&name("hot")));
}

#[test]
fn l04_what_people_cleared_explains_no_later_freeze() {
    let mut world = World::new(Strict::default());
    let first = finding(&world, 5);
    states(&mut world, first.clone());
    assert_eq!(world.state.findings().count(), 1);
    let (id, _) = world.ask("cleo", Action::Authority(AuthorityChange::Thaw { key: Some(name("hot")) }));
    world.approve("ana", &id);
    world.approve("ben", &id);
    let digest = keystead_base::Canonical::digest(&first);
    assert!(world.state.findings().next().is_none() && world.state.has_found(&digest));
    let other = finding(&world, 6);
    states(&mut world, other.clone());
    assert_eq!(world.state.findings().map(|it| it.1.clone()).collect::<Vec<_>>(), [other]);
    let state =
        borsh::from_slice::<Snapshot>(&borsh::to_vec(&Snapshot(world.state.clone())).unwrap()).unwrap().0;
    assert!(state.has_found(&digest) && state.digest() == world.state.digest());
}

/// Two people look into a theft and agree to thaw; before the second of them says so, another one is found.
#[test]
fn l04_a_thaw_clears_nothing_that_was_found_after_people_were_asked() {
    let mut world = World::new(Strict::default());
    let (first, second) = (finding(&world, 5), finding(&world, 6));
    states(&mut world, first.clone());
    let thaw = |key| Action::Authority(AuthorityChange::Thaw { key });
    let [(hot, _), (all, _)] = [Some(name("hot")), None].map(|key| world.ask("cleo", thaw(key)));
    world.approve("ana", &hot);
    world.approve("ana", &all);
    states(&mut world, second.clone());
    let refused = world.approve("ben", &hot);
    let denied = |it: &Decision| matches!(&reasons(&it.outcome)[..], [Reason::NotCounted { code, .. }] if code == "thaw.found_since");
    assert!(refused.iter().any(denied), "{refused:?}");
    world.approve("ben", &all);
    assert_eq!(world.state.request(&all).unwrap().phase, Phase::Applied);
    assert!(world.state.frozen().keys.contains(&name("hot")), "the newer one keeps it frozen");
    assert_eq!(world.state.findings().map(|it| it.1.clone()).collect::<Vec<_>>(), [second]);

    let (again, _) = world.ask("cleo", thaw(Some(name("hot"))));
    world.approve("ana", &again);
    world.approve("ben", &again);
    assert!(world.state.frozen().keys.is_empty() && world.state.findings().next().is_none());
}

#[test]
fn l04_so_many_cleared_findings_are_remembered_and_no_more() {
    let mut world = World::new(Strict::default());
    let found: Vec<Finding> = (0..=MAX_CLEARED as u64).map(|nonce| finding(&world, nonce)).collect();
    for it in &found {
        states(&mut world, it.clone());
    }
    let (id, _) = world.ask("cleo", Action::Authority(AuthorityChange::Thaw { key: None }));
    world.approve("ana", &id);
    world.approve("ben", &id);
    let remembered = found.iter().filter(|it| world.state.has_found(&keystead_base::Canonical::digest(*it)));
    assert_eq!(remembered.count(), MAX_CLEARED);
}

#[test]
fn l04_what_only_takes_a_right_back_gives_none() {
    let mut world = World::with_policy(Strict::default(), allowances);
    let account = world.account();
    let call = |amount: u64| approveCall { spender: FRIEND, amount: alloy_primitives::U256::from(amount) };
    let asks = |world: &mut World<Strict>, data: Vec<u8>, nonce| {
        let (id, _) = world.ask("desk", world.call(TOKEN, data, nonce));
        world.approve("ana", &id);
        world.approve("ben", &id);
        assert_eq!(world.state.request(&id).unwrap().phase, Phase::Allowed);
    };
    asks(&mut world, call(0).abi_encode(), 0);
    assert!(!world.state.gave_right(CHAIN, account, TOKEN), "an approval of nothing");
    // An authorization (EIP-7702) for address zero takes the code of the account away.
    let none = authorization(&world, Address::ZERO, 1);
    let (id, _) = world.ask("desk", none);
    world.approve("ana", &id);
    world.approve("ben", &id);
    assert_eq!(world.state.request(&id).unwrap().phase, Phase::Allowed);
    assert!(!world.state.gave_right(CHAIN, account, TOKEN), "a delegation to nobody");
    asks(&mut world, call(1).abi_encode(), 2);
    assert!(world.state.gave_right(CHAIN, account, TOKEN));
    let (id, _) = world.ask("desk", authorization(&world, FRIEND, 3));
    world.approve("ana", &id);
    world.approve("ben", &id);
    assert!(world.state.gave_right(CHAIN, account, FRIEND), "code may do anything");
}

fn authorization(world: &World<Strict>, delegate: Address, nonce: u64) -> Action {
    let authorization = alloy_eips::eip7702::Authorization {
        chain_id: alloy_primitives::U256::from(CHAIN.0),
        address: delegate,
        nonce,
    };
    let mut preimage = vec![0x05];
    alloy_rlp::Encodable::encode(&authorization, &mut preimage);
    world.raw(preimage)
}

/// Two people may give somebody a right over tokens.
fn allowances(policy: &mut PolicyVersion) {
    let cedar = r#"@any_destination("true")
                   permit(principal in Role::"desk", action in Action::"sign", resource == Key::"hot")
                   when { context.class == "allowance" || context.kind == "delegation" };"#;
    policy.rules.push(Rule { id: name("allowances"), cedar: cedar.to_owned() });
    policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
    let classes = vec![DangerClass::Allowance];
    let row = QuorumRow { id: name("allowances"), classes, ..policy.quorums[1].clone() };
    policy.quorums.insert(0, row);
}

#[test]
fn l04_the_log_remembers_over_whose_tokens_it_gave_a_right() {
    let mut world = World::with_policy(Strict::default(), allowances);
    let account = world.account();
    let gave = |world: &World<Strict>, token| world.state.gave_right(CHAIN, account, token);
    world.ask("desk", world.ether(FRIEND, ETHER / 2, 0));
    assert!(!gave(&world, TOKEN), "a payment gives nobody a right");
    let approve = approveCall { spender: FRIEND, amount: alloy_primitives::U256::from(5) };
    let (id, waits) = world.ask("desk", world.call(TOKEN, approve.abi_encode(), 1));
    assert!(!gave(&world, TOKEN), "nor does what is only asked for: {waits:?}");
    world.approve("ana", &id);
    world.approve("ben", &id);
    assert!(gave(&world, TOKEN), "{:?}", world.state.request(&id));
    assert!(!gave(&world, FRIEND) && !world.state.gave_right(CHAIN, Address::ZERO, TOKEN));

    let state =
        borsh::from_slice::<Snapshot>(&borsh::to_vec(&Snapshot(world.state.clone())).unwrap()).unwrap().0;
    assert!(state.gave_right(CHAIN, account, TOKEN) && state.digest() == world.state.digest());
    assert_eq!(state.accounts_on(CHAIN).iter().map(|it| it.0).collect::<Vec<_>>(), [account]);
}
