//! What an account holds on a chain of Ethereum's kind, as that chain's endpoints say: its coin, and the tokens that policy registers.

use alloy_primitives::{Address, Bytes, U256};
use keystead_base::Amount;
use keystead_intent::{Asset, AssetEntry, AssetKind, ChainId};
use keystead_policy::PolicyVersion;
use keystead_transmit::ChainView;

use crate::failure::Failure;

/// What one account holds.
pub(crate) struct Balances<'a> {
    /// Wei.
    pub(crate) coin: U256,
    /// Each registered token of which there is any.
    pub(crate) tokens: Vec<(&'a AssetEntry, Address, U256)>,
}

impl<'a> Balances<'a> {
    /// Asks the chain.
    pub(crate) async fn of(
        owner: Address,
        view: &ChainView,
        policy: &'a PolicyVersion,
    ) -> Result<Self, Failure> {
        let chain = ChainId(view.chain_id());
        let fungible = policy.assets.iter().filter(|it| it.chain == chain && it.kind == AssetKind::Fungible);
        let mut tokens = Vec::new();
        for entry in fungible {
            let Asset::Token(token) = entry.asset else { continue };
            let amount = token_balance(view, token, owner).await?;
            if !amount.is_zero() {
                tokens.push((entry, token, amount));
            }
        }
        Ok(Self { coin: view.balance(owner).await?.0, tokens })
    }

    /// Nothing is there, as far as anybody looked.
    pub(crate) fn is_empty(&self) -> bool {
        self.coin.is_zero() && self.tokens.is_empty()
    }

    /// Asset, amount in its smallest unit, and how it is read: `1.5 ETH`.
    pub(crate) fn lines(&self, view: &ChainView, policy: &PolicyVersion) -> Vec<(Asset, Amount, String)> {
        let native =
            policy.assets.iter().find(|it| it.chain.0 == view.chain_id() && it.asset == Asset::Native);
        let (symbol, decimals) = native.map_or(("coin", 18), |it| (&*it.symbol, it.decimals));
        let said = |amount: U256, decimals, symbol: &str| {
            format!("{} {symbol}", Amount(amount).with_decimals(decimals))
        };
        let coin = (!self.coin.is_zero())
            .then(|| (Asset::Native, Amount(self.coin), said(self.coin, decimals, symbol)));
        let tokens = self.tokens.iter().map(|(entry, _, amount)| {
            (entry.asset, Amount(*amount), said(*amount, entry.decimals, &entry.symbol))
        });
        coin.into_iter().chain(tokens).collect()
    }
}

async fn token_balance(view: &ChainView, token: Address, owner: Address) -> Result<U256, Failure> {
    let input: Bytes = [&BALANCE_OF[..], &[0; 12], owner.as_slice()].concat().into();
    let answer = view.call(token, &input).await?;
    Ok(answer.get(..32).map(U256::from_be_slice).unwrap_or_default())
}

/// `balanceOf(address)`.
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];
