//! What a caller leaves open in a transaction, filled in from the endpoints.

use std::collections::BTreeSet;

use alloy_primitives::{Address, U64};
use keystead_base::Amount;
use keystead_intent::{Action, GasTerms};
use keystead_trace::Kind;
use keystead_transmit::Fees;

use super::RpcError;
use super::method::parse;
use crate::RequestError;
use crate::coordinator::Inner;
use crate::journal::Place;
use crate::nonces::pick;
use crate::transaction::{Complete, TransactionRequest};

impl Inner {
    /// Fills what the caller left open from the endpoints, as enough of them say. What they say costs at most a fee that
    /// policy counts, or a signature that no chain takes.
    pub(super) async fn complete(
        &self,
        request: &TransactionRequest,
        held: &BTreeSet<u64>,
    ) -> Result<(Action, Place), RpcError> {
        let _span = self.part("coordinator.fill", Kind::Internal);
        let chain = self.settings.chain;
        request.check(chain).map_err(RpcError::params)?;
        let from = request.from()?;
        let account = self.ours(from).await?;
        let gas = self.gas_terms(request, from, held).await?;
        let place = Place { account: from, nonce: gas.nonce };
        Ok((request.action(&Complete { account, chain, gas }), place))
    }

    /// Nonce, gas and fees, as the caller names them or the endpoints do.
    pub(super) async fn gas_terms(
        &self,
        request: &TransactionRequest,
        from: Address,
        held: &BTreeSet<u64>,
    ) -> Result<GasTerms, RpcError> {
        let nonce = match request.nonce {
            Some(nonce) => nonce.to(),
            None => {
                let pending = self.chain()?.pending_nonce(from).await.map_err(RequestError::Chain)?;
                pick(pending, held)
            }
        };
        let gas_limit = match request.gas {
            Some(gas) => gas.to(),
            None => self.estimate(request).await?,
        };
        let (ceiling, tip) = self.fees(request, from, gas_limit).await?;
        Ok(GasTerms {
            nonce,
            gas_limit,
            max_fee_per_gas: small(ceiling)?,
            max_priority_fee_per_gas: small(tip)?,
        })
    }

    pub(super) async fn estimate(&self, request: &TransactionRequest) -> Result<u64, RpcError> {
        let estimate = self.chain()?.read("eth_estimateGas", request.estimate()).await?;
        let gas: U64 = parse(estimate, "a quantity from eth_estimateGas")?;
        Ok(gas.to())
    }

    async fn fees(
        &self,
        request: &TransactionRequest,
        from: Address,
        gas_limit: u64,
    ) -> Result<(Amount, Amount), RpcError> {
        if let Some(price) = request.gas_price {
            return Ok((Amount(price), Amount(price)));
        }
        if let (Some(ceiling), Some(tip)) = (request.max_fee_per_gas, request.max_priority_fee_per_gas) {
            return Ok((Amount(ceiling), Amount(tip)));
        }
        let market = self.chain()?.fees().await.map_err(RequestError::Chain)?;
        let fees = self.capped(market, from, gas_limit).await?;
        let tip = request.max_priority_fee_per_gas.map_or(fees.max_priority_fee_per_gas, Amount);
        let ceiling = request.max_fee_per_gas.map_or(fees.max_fee_per_gas.max(tip), Amount);
        Ok((ceiling, tip.min(ceiling)))
    }

    /// What is filled in stays under the ceilings that people signed. For an account that is not ours there are none.
    async fn capped(&self, market: Fees, from: Address, gas_limit: u64) -> Result<Fees, RequestError> {
        let account = self.accounts.find(from).await?;
        let policy = self.wording.current(&self.node).await;
        let Some((account, policy)) = account.zip(policy) else { return Ok(market) };
        let ceilings = policy.fee_ceilings(&account.key, self.settings.chain);
        let highest = ceilings.per_gas(gas_limit);
        let tip = ceilings.max_priority_fee_per_gas.map(|(limit, _)| limit);
        let fees = market.under(highest.as_ref().map(|(limit, _)| *limit), tip);
        match (fees, highest) {
            (None, Some((limit, cap))) => Err(RequestError::FeeCap { cap, limit, market: market.base_fee }),
            (fees, _) => Ok(fees.unwrap_or(market)),
        }
    }
}

fn small(amount: Amount) -> Result<u128, RpcError> {
    u128::try_from(amount.0)
        .map_err(|_| RpcError::params(format!("a fee per gas is below 2^128, found {amount}")))
}
