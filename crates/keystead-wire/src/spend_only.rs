//! What a key signs with that nobody is to be paid at.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_decision::PublicAccount;
use keystead_intent::{BitcoinWallet, ChainId};
use serde::{Deserialize, Serialize};

use crate::KeyView;

/// Where a key still moves things from, for whoever builds what moves them. No address of it is handed out.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendOnly {
    /// What its addresses derive from.
    pub account: PublicAccount,
    /// Its wallets on Bitcoin.
    pub wallets: Vec<BitcoinWallet>,
}

impl KeyView {
    /// What the addresses derive from that it signs for, whether or not somebody may be paid there.
    #[must_use]
    pub fn signing_account(&self) -> Option<PublicAccount> {
        self.account.or_else(|| self.spend_only.as_ref().map(|it| it.account))
    }

    /// The wallet that it signs for on a chain, whether or not somebody may be paid there.
    #[must_use]
    pub fn signing_wallet(&self, chain: ChainId) -> Option<&BitcoinWallet> {
        let hidden = self.spend_only.iter().flat_map(|it| &it.wallets);
        self.wallets.iter().chain(hidden).find(|it| it.chain == chain)
    }
}
