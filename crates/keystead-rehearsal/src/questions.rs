//! The tokens' own answers, before and after a run. Events say where to look; only answers count, as a token that
//! lies in its events can be caught by what it says of its balances.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, Log, U256};
use alloy_sol_types::{SolCall as _, sol};
use keystead_base::Amount;
use keystead_intent::{Asset, BalanceChange, Ending, MAX_RUN_CHANGES, Right, RightChange, Run};

use crate::machine::{Machine, State};
use crate::memo::Memo;
use crate::traces::{Claim, ClaimKind, address, claims, numbered, pieces};
use crate::{RehearsalError, StateReader, Watched};

sol! {
    function balanceOf(address owner) returns (uint256);
    function allowance(address owner, address spender) returns (uint256);
    function ownerOf(uint256 id) returns (address);
    function getApproved(uint256 id) returns (address);
    function isApprovedForAll(address owner, address operator) returns (bool);
}

/// ERC-1155 names its function like ERC-20.
mod multi_token {
    alloy_sol_types::sol! {
        function balanceOf(address owner, uint256 id) returns (uint256);
    }
}

/// Where to look: the contracts that spoke, were called or are named by the bytes are asked about the accounts that are
/// watched in any case, and all of them about those that the run is seen to concern.
pub(crate) struct Scene<'a> {
    pub(crate) watched: &'a Watched,
    pub(crate) concerned: BTreeSet<Address>,
    pub(crate) first: BTreeSet<Address>,
    pub(crate) others: BTreeSet<Address>,
    pub(crate) logs: &'a [Log],
}

impl Scene<'_> {
    /// Who is asked about whom, and whether more could be asked.
    fn holders(&self) -> (Vec<(Address, Address)>, bool) {
        let all_concerned: BTreeSet<_> = self.watched.accounts.union(&self.concerned).copied().collect();
        let first = self.first.iter().map(|token| (*token, &all_concerned));
        let others = self.others.difference(&self.first).map(|token| (*token, &self.concerned));
        let all: Vec<_> = first.chain(others).collect();
        let asked = all.iter().take(MAX_CONTRACTS);
        let pairs = asked.flat_map(|(token, whose)| whose.iter().map(|account| (*token, *account)));
        (pairs.collect(), all.len() > MAX_CONTRACTS)
    }
}

/// Both sides of a run.
pub(crate) struct Questions<'a, 'm, R> {
    machine: &'a Machine,
    before: &'a State<'m, R>,
    after: &'a State<'m, R>,
    /// What all of them may still take.
    gas: u64,
}

impl<'a, 'm, R: StateReader> Questions<'a, 'm, R> {
    pub(crate) fn new(machine: &'a Machine, before: &'a State<'m, R>, after: &'a State<'m, R>) -> Self {
        Self { machine, before, after, gas: QUESTIONS_GAS }
    }

    /// Adds to a run what changed in the contracts that it touched, for the accounts that it concerns.
    pub(crate) fn add_to(
        mut self,
        run: &mut Run,
        scene: &Scene<'_>,
        memo: &Memo<'_, R>,
    ) -> Result<(), RehearsalError> {
        self.look_ahead(scene, memo);
        self.ask_all(run, scene)
    }

    /// Questions do not depend on one another, so what they read is read side by side: some tokens and a hundred
    /// accounts are some hundred slots. A token behind a proxy takes as many rounds as its code has steps.
    fn look_ahead(&mut self, scene: &Scene<'_>, memo: &Memo<'_, R>) {
        for _ in 0..MAX_ROUNDS {
            let gas = self.gas;
            let read = memo.read_ahead(|| {
                // Whatever comes of guesses is thrown away, errors too: what counts is asked in earnest.
                drop(self.ask_all(&mut Run::without_changes(Ending::Succeeded, 0, 0), scene));
            });
            self.gas = gas;
            if !read {
                return;
            }
        }
    }

    fn ask_all(&mut self, run: &mut Run, scene: &Scene<'_>) -> Result<(), RehearsalError> {
        let (holders, more) = scene.holders();
        run.cut |= more;
        for (token, owner) in holders {
            let input = balanceOfCall { owner }.abi_encode();
            run.balances.extend(self.balance(token, owner, None, input)?);
        }
        let (logs, watched) = (scene.logs, scene.watched);
        let (pieces, claims) = (pieces(logs, watched), claims(logs, watched));
        let numbered = numbered(logs, watched);
        run.cut |= pieces.len().max(claims.len()).max(numbered.len()) > MAX_RUN_CHANGES;
        for (token, account, id) in pieces.into_iter().take(MAX_RUN_CHANGES) {
            let input = multi_token::balanceOfCall { owner: account, id }.abi_encode();
            run.balances.extend(self.balance(token, account, Some(Amount(id)), input)?);
        }
        for (token, id) in numbered.into_iter().take(MAX_RUN_CHANGES) {
            run.balances.extend(self.owners(token, id, watched)?);
        }
        for claim in claims.into_iter().take(MAX_RUN_CHANGES) {
            run.rights.extend(self.right(&claim)?);
        }
        run.cut |= self.gas == 0;
        Ok(())
    }

    /// Who answered before and does not afterwards has nothing any more.
    fn balance(
        &mut self,
        token: Address,
        account: Address,
        id: Option<Amount>,
        input: Vec<u8>,
    ) -> Result<Option<BalanceChange>, RehearsalError> {
        let (before, after) = self.both(token, input)?;
        let (before, after) = (Amount(before), Amount(after));
        let changed = BalanceChange { account, asset: Asset::Token(token), id, before, after };
        Ok((before != after).then_some(changed))
    }

    /// Those of ours who owned one token before or own it after, and not both.
    fn owners(
        &mut self,
        token: Address,
        id: U256,
        watched: &Watched,
    ) -> Result<Vec<BalanceChange>, RehearsalError> {
        let (before, after) = self.both(token, ownerOfCall { id }.abi_encode())?;
        let change = |account: Address| {
            let owns = |owner: U256| Amount::from(u64::from(owner == word(account)));
            let (before, after) = (owns(before), owns(after));
            let (asset, id) = (Asset::Token(token), Some(Amount(id)));
            (before != after).then_some(BalanceChange { account, asset, id, before, after })
        };
        let owners: BTreeSet<_> =
            [before, after].into_iter().filter_map(|it| address(B256::from(it))).collect();
        Ok(owners.into_iter().filter(|it| watched.holds(it)).filter_map(change).collect())
    }

    fn right(&mut self, claim: &Claim) -> Result<Option<RightChange>, RehearsalError> {
        let Claim { owner, token, holder, what } = *claim;
        let right = match what {
            ClaimKind::Allowance => {
                let (before, after) =
                    self.both(token, allowanceCall { owner, spender: holder }.abi_encode())?;
                Right::Allowance { before: Amount(before), after: Amount(after) }
            }
            ClaimKind::Nft(id) => {
                let (before, after) = self.both(token, getApprovedCall { id }.abi_encode())?;
                let is_holder = |it: U256| !it.is_zero() && it == word(holder);
                Right::Nft { id: Amount(id), before: is_holder(before), after: is_holder(after) }
            }
            ClaimKind::Operator => {
                let input = isApprovedForAllCall { owner, operator: holder }.abi_encode();
                let (before, after) = self.both(token, input)?;
                Right::Operator { before: !before.is_zero(), after: !after.is_zero() }
            }
        };
        Ok((!right.is_unchanged()).then_some(RightChange { owner, token, holder, right }))
    }

    fn both(&mut self, contract: Address, input: Vec<u8>) -> Result<(U256, U256), RehearsalError> {
        let before = self.ask(self.before, contract, input.clone())?;
        let after = self.ask(self.after, contract, input)?;
        Ok((before, after))
    }

    /// One answer. Nothing is asked any more where all of them together took too much.
    fn ask(
        &mut self,
        state: &State<'m, R>,
        contract: Address,
        input: Vec<u8>,
    ) -> Result<U256, RehearsalError> {
        if self.gas == 0 {
            return Ok(U256::ZERO);
        }
        let (answer, gas) = self.machine.ask(state, contract, input)?;
        self.gas = self.gas.saturating_sub(gas);
        Ok(answer.unwrap_or_default())
    }
}

fn word(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

/// The most contracts that are asked.
const MAX_CONTRACTS: usize = 32;
/// How often the questions are asked on guesses.
const MAX_ROUNDS: usize = 4;
/// The most gas that all questions about a run take together.
const QUESTIONS_GAS: u64 = 100_000_000;
