//! The tokens' own answers, before and after a run. Events say where to look; only answers count, as a token that
//! lies in its events can be caught by what it says of its balances.

use std::collections::BTreeSet;

use alloy_primitives::{Address, Log, U256};
use alloy_sol_types::{SolCall as _, sol};
use keystead_base::Amount;
use keystead_intent::{Asset, BalanceChange, MAX_RUN_CHANGES, Right, RightChange, Run};

use crate::machine::{Machine, State};
use crate::traces::{Claim, ClaimKind, claims, pieces};
use crate::{RehearsalError, StateReader};

sol! {
    function balanceOf(address owner) returns (uint256);
    function allowance(address owner, address spender) returns (uint256);
    function getApproved(uint256 id) returns (address);
    function isApprovedForAll(address owner, address operator) returns (bool);
}

/// ERC-1155 names its function like ERC-20.
mod multi_token {
    alloy_sol_types::sol! {
        function balanceOf(address owner, uint256 id) returns (uint256);
    }
}

/// Both sides of a run.
pub(crate) struct Questions<'a, 'm, R> {
    pub(crate) machine: &'a Machine,
    pub(crate) before: &'a State<'m, R>,
    pub(crate) after: &'a State<'m, R>,
}

impl<R: StateReader> Questions<'_, '_, R> {
    /// Adds to a run what changed in the contracts that it touched, for the accounts that it concerns.
    pub(crate) fn add_to(
        &self,
        run: &mut Run,
        contracts: &BTreeSet<Address>,
        concerned: &BTreeSet<Address>,
        logs: &[Log],
    ) -> Result<(), RehearsalError> {
        run.cut |= contracts.len() > MAX_CONTRACTS;
        for token in contracts.iter().take(MAX_CONTRACTS) {
            for account in concerned {
                let input = balanceOfCall { owner: *account }.abi_encode();
                run.balances.extend(self.balance(*token, *account, None, input)?);
            }
        }
        let (pieces, claims) = (pieces(logs, concerned), claims(logs, concerned));
        run.cut |= pieces.len() > MAX_RUN_CHANGES || claims.len() > MAX_RUN_CHANGES;
        for (token, account, id) in pieces.into_iter().take(MAX_RUN_CHANGES) {
            let input = multi_token::balanceOfCall { owner: account, id }.abi_encode();
            run.balances.extend(self.balance(token, account, Some(Amount(id)), input)?);
        }
        for claim in claims.into_iter().take(MAX_RUN_CHANGES) {
            run.rights.extend(self.right(&claim)?);
        }
        Ok(())
    }

    /// Who answered before and does not afterwards has nothing any more.
    fn balance(
        &self,
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

    fn right(&self, claim: &Claim) -> Result<Option<RightChange>, RehearsalError> {
        let Claim { owner, token, holder, what } = *claim;
        let right = match what {
            ClaimKind::Allowance => {
                let (before, after) =
                    self.both(token, allowanceCall { owner, spender: holder }.abi_encode())?;
                Right::Allowance { before: Amount(before), after: Amount(after) }
            }
            ClaimKind::Nft(id) => {
                let (before, after) = self.both(token, getApprovedCall { id }.abi_encode())?;
                let is_holder = |it: U256| !it.is_zero() && it == U256::from_be_slice(holder.as_slice());
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

    fn both(&self, contract: Address, input: Vec<u8>) -> Result<(U256, U256), RehearsalError> {
        let before = self.machine.ask(self.before, contract, input.clone())?;
        let after = self.machine.ask(self.after, contract, input)?;
        Ok((before.unwrap_or_default(), after.unwrap_or_default()))
    }
}

/// The most contracts that are asked.
const MAX_CONTRACTS: usize = 32;
